"""Measure how well networks find marks that they were not given.

The videos with marks are divided into parts. A network that learned the names of all
videos and the marks of all parts but one is scored on the marks of that part, beside a
network that learned the names alone. Positions in time are counted in snippets.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

from acmnet.training.first_stage.marked_snippets import (
    MarkedInstance,
    MarkedPoint,
    SnippetMarks,
)
from acmnet.training.second_stage.snippet_targets import PseudoInstance

LEAST_VIDEOS: Final = 8
"""Least number of videos with marks of an action. With fewer, the standard error of the
gain cannot be estimated, and nothing is compared."""
UNIFORM_SHARE: Final = 0.1
"""Share of the density that is uniform over the video, so that a mark outside all
proposals has a low density and not 0, whose logarithm is infinite."""
SAMPLES_PER_SEGMENT: Final = 10
"""Number of times inside a marked segment at which the density is evaluated."""
CLEAR_GAIN: Final = 1.25
"""A gain is clear above this many standard errors. If a single video shows all of the
gain, it is one standard error. With 2 in place of 1.25, trials missed gains of teachers
in rounds with few marks (D-140)."""


class Gain(NamedTuple):
    """How much better networks find held-out marks if they learned other marks."""

    videos: int
    """Number of videos with held-out marks, at least `LEAST_VIDEOS`."""
    of_names: float
    """Density of the proposals at held-out marks, divided by the uniform density, for a
    network that learned names alone: a geometric mean, above 0. 1 is chance."""
    of_marks: float
    """The same figure for networks that learned marks of other videos."""
    errors: float
    """Mean gain over the videos in the logarithm of the density, in standard errors; 0
    or infinite if the standard error is 0."""

    @property
    def is_clear(self) -> bool:
        """Whether networks that learned marks find held-out marks clearly better."""
        return self.errors > CLEAR_GAIN


def parts(
    marks: Mapping[str, SnippetMarks], count: int
) -> tuple[frozenset[str], ...] | None:
    """Divide the videos with marks into parts; None if there are too few videos.

    The videos of each class are sorted by name and cut into pieces of neighbours,
    because videos with neighbouring names often show one person, day or place, and such
    videos should be in one part. A video with marks of several classes counts as one of
    the rarest.

    Parameters
    ----------
    marks : mapping of video id to SnippetMarks
        What a person marked.
    count : int
        Number of parts, from 2.

    Examples
    --------
    >>> jump = SnippetMarks((MarkedInstance(0, 2.0, 4.0),))
    >>> [sorted(part) for part in parts({v: jump for v in "abcdefgh"}, 2) or ()]
    [['a', 'b', 'c', 'd'], ['e', 'f', 'g', 'h']]
    >>> [sorted(part) for part in parts({v: jump for v in "abcdefgh"}, 3) or ()]
    [['a', 'b'], ['c', 'd', 'e'], ['f', 'g', 'h']]
    >>> parts({"a": jump}, 2)
    """
    classes = {video: _classes(of_video) for video, of_video in marks.items()}
    if sum(map(bool, classes.values())) < LEAST_VIDEOS:
        return None
    carriers: dict[int, list[str]] = {}
    for video in sorted(marks):
        for c in classes[video]:
            carriers.setdefault(c, []).append(video)
    rarest_first = sorted(carriers, key=lambda c: (len(carriers[c]), c))
    found: list[list[str]] = [[] for _ in range(count)]
    dealt: set[str] = set()
    # last come watched videos without any action
    for videos in (*(carriers[c] for c in rarest_first), sorted(marks)):
        left = [video for video in videos if video not in dealt]
        smallest_first = sorted(range(count), key=lambda k: (len(found[k]), -k))
        larger = smallest_first[: len(left) % count]
        in_order = iter(left)
        for k, part in enumerate(found):
            part += itertools.islice(in_order, len(left) // count + (k in larger))
        dealt.update(left)
    return tuple(map(frozenset, found))


def _classes(marks: SnippetMarks) -> set[int]:
    segments = {x.class_index for x in marks.instances}
    return segments | {x.class_index for x in marks.points}


def log_densities(
    marks: SnippetMarks, proposals: Sequence[PseudoInstance], n_snippets: int
) -> list[float]:
    """Return the log density of the proposals at each mark of a video.

    The proposals of a class form a density over time: each spreads its score evenly
    over its length. For marks that fall uniformly in their actions, the mean log
    density is highest for proposals that equal the actions: a longer one is less dense,
    and a shorter one misses marks. So points measure extents, too.

    Parameters
    ----------
    marks : SnippetMarks
        What a person marked in the video.
    proposals : sequence of PseudoInstance
        The proposals of a network for the classes of the video; weights are scores.
    n_snippets : int
        Length of the video.

    Returns
    -------
    list of float
        For each segment and then each point: the logarithm of the density at the mark,
        divided by the uniform density; for a segment, its mean over times inside it. 0
        for a class without proposals.

    Examples
    --------
    >>> marks = SnippetMarks((MarkedInstance(0, 10.0, 20.0),))
    >>> def density(start, end):
    ...     proposal = PseudoInstance(0, start, end, 0.5)
    ...     return round(math.exp(log_densities(marks, [proposal], 100)[0]), 2)
    >>> density(10.0, 20.0), density(0.0, 40.0), density(10.0, 15.0), density(40, 50)
    (9.1, 2.35, 1.35, 0.1)
    """
    densities = []
    all_marks: tuple[MarkedInstance | MarkedPoint, ...] = (
        *marks.instances,
        *marks.points,
    )
    for mark in all_marks:
        of_class = [x for x in proposals if x.class_index == mark.class_index]
        densities.append(_log_density(mark, of_class, n_snippets))
    return densities


def _log_density(
    mark: MarkedInstance | MarkedPoint,
    proposals: Sequence[PseudoInstance],
    n_snippets: int,
) -> float:
    """Return the mean log density at one mark, from the proposals of its class."""
    if isinstance(mark, MarkedPoint):
        at = np.array([mark.position])
    else:
        shares = (np.arange(SAMPLES_PER_SEGMENT) + 0.5) / SAMPLES_PER_SEGMENT
        at = mark.start + shares * (mark.end - mark.start)
    rows = [(x.start, x.end, x.weight) for x in proposals if x.weight > 0.0]
    if not rows:
        return 0.0
    start, end, weight = np.array(rows).T[:, :, None]  # (P, 1) each
    holds = (start <= at) & (at <= end)  # (P, places)
    each = weight / weight.sum() / np.maximum(end - start, 1.0)
    density = UNIFORM_SHARE + (1.0 - UNIFORM_SHARE) * n_snippets * (each * holds).sum(
        axis=0
    )
    return float(np.log(density).mean())


def gain(
    of_names: Mapping[str, Sequence[float]], of_marks: Mapping[str, Sequence[float]]
) -> Gain:
    """Compare networks that learned marks with a network of names, on held-out marks.

    Parameters
    ----------
    of_names, of_marks : mapping of video id to sequence of float
        Results of `log_densities` for each held-out video, of the network that learned
        names alone, and of those that learned marks of other videos. Both have the
        same videos and marks. Videos without a mark are ignored.

    Examples
    --------
    >>> found = gain({"a": [0.0], "b": [0.5, 1.0]}, {"a": [1.0], "b": [1.0, 2.5]})
    >>> found.videos, round(found.of_names, 2), round(found.of_marks, 2), found.is_clear
    (2, 1.65, 4.48, True)
    """
    videos = [video for video, densities in of_names.items() if len(densities)]
    gains = np.array([np.mean(of_marks[v]) - np.mean(of_names[v]) for v in videos])
    error = float(gains.std(ddof=1)) / math.sqrt(len(gains))
    mean = float(gains.mean())
    names, marks = (
        np.concatenate([np.asarray(densities[video]) for video in videos])
        for densities in (of_names, of_marks)
    )
    return Gain(
        videos=len(videos),
        of_names=math.exp(names.mean()),
        of_marks=math.exp(marks.mean()),
        errors=mean / error if error else mean and math.copysign(math.inf, mean),
    )
