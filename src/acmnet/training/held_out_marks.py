"""How well a network finds marks that it was not given.

A person's marks are dealt into two halves. Networks that learned the names of all
videos and the marks of one half are compared, on the other half, with a network that
learned the names alone. Positions in time are counted in snippets.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

from acmnet.training.marked_snippets import MarkedInstance, MarkedPoint, SnippetMarks
from acmnet.training.snippet_targets import PseudoInstance

LEAST_VIDEOS: Final = 8
"""Videos with marks of an action below which marks are not dealt into halves, because
fewer do not show how much a gain differs from video to video."""
ANYWHERE: Final = 0.1
"""Share of the density that is spread evenly over a video, so that a mark that no
proposal holds counts as badly missed, and not as impossible."""
PLACES: Final = 10
"""Places in a marked segment at which the density is asked for."""
CLEAR: Final = 2.0
"""A gain is clear if it is more than this many times its standard error (D-130)."""


class Gain(NamedTuple):
    """How much better networks that learned marks find other marks than names do."""

    videos: int
    """Videos whose marks were looked for, at least `LEAST_VIDEOS`."""
    of_names: float
    """How many times denser than anywhere the proposals of a network that learned names
    alone lie where the marks are; a geometric mean, above 0. 1 would be chance."""
    of_marks: float
    """The same of networks that learned the other half of the marks."""
    errors: float
    """The mean gain of a video in the logarithm of the density, divided by its standard
    error; 0 or infinite if that is 0."""

    @property
    def is_clear(self) -> bool:
        """Whether networks that learned marks clearly find other marks better."""
        return self.errors > CLEAR


def halves(
    marks: Mapping[str, SnippetMarks],
) -> tuple[frozenset[str], frozenset[str]] | None:
    """Deal the videos with marks into two halves; None if there are too few.

    The videos of each class are put in the order of their names and cut in the middle,
    because videos with neighbouring names often show the same person, day or place, and
    such videos should not be in both halves. A video with marks of several classes is
    dealt with the rarest of them.

    Parameters
    ----------
    marks : mapping of video id to SnippetMarks
        What a person marked.

    Examples
    --------
    >>> jump = SnippetMarks((MarkedInstance(0, 2.0, 4.0),))
    >>> [sorted(half) for half in halves({v: jump for v in "abcdefgh"}) or ()]
    [['a', 'b', 'c', 'd'], ['e', 'f', 'g', 'h']]
    >>> halves({"a": jump})
    """
    classes = {video: _classes(own) for video, own in marks.items()}
    if sum(map(bool, classes.values())) < LEAST_VIDEOS:
        return None
    carriers: dict[int, list[str]] = {}
    for video in sorted(marks):
        for c in classes[video]:
            carriers.setdefault(c, []).append(video)
    rarest_first = sorted(carriers, key=lambda c: (len(carriers[c]), c))
    dealt: dict[str, int] = {}
    sizes = [0, 0]
    # what was watched and holds no action is dealt last
    for videos in (*(carriers[c] for c in rarest_first), sorted(marks)):
        left = [video for video in videos if video not in dealt]
        first = len(left) // 2 + (len(left) % 2 if sizes[0] < sizes[1] else 0)
        for i, video in enumerate(left):
            dealt[video] = int(i >= first)
            sizes[dealt[video]] += 1
    one, other = (frozenset(v for v in dealt if dealt[v] == k) for k in (0, 1))
    return one, other


def _classes(marks: SnippetMarks) -> set[int]:
    segments = {x.class_index for x in marks.instances}
    return segments | {x.class_index for x in marks.points}


def log_densities(
    marks: SnippetMarks, proposals: Sequence[PseudoInstance], n_snippets: int
) -> list[float]:
    """Return how dense proposals lie where each mark of a video is, as a logarithm.

    The proposals of a class are taken for a density in time: each one spreads its score
    evenly over its length. If a mark is drawn from anywhere in its action, the mean
    logarithm is highest for the proposal that is the action: a longer one is less
    dense, and a shorter one misses marks. So points judge extents, too.

    Parameters
    ----------
    marks : SnippetMarks
        What a person marked in the video.
    proposals : sequence of PseudoInstance
        What a network proposes for the classes of the video, with scores as weights.
    n_snippets : int
        Length of the video.

    Returns
    -------
    list of float
        For each segment, the mean over its places, and for each point: the logarithm of
        the density divided by that of a class that may be anywhere, 0 for such a class.

    Examples
    --------
    >>> marks = SnippetMarks((MarkedInstance(0, 10.0, 20.0),))
    >>> def density(start, end):
    ...     proposal = PseudoInstance(0, start, end, 0.5)
    ...     return round(math.exp(log_densities(marks, [proposal], 100)[0]), 2)
    >>> density(10.0, 20.0), density(0.0, 40.0), density(10.0, 15.0), density(40, 50)
    (9.1, 2.35, 1.35, 0.1)
    """
    found = []
    all_marks: tuple[MarkedInstance | MarkedPoint, ...] = (
        *marks.instances,
        *marks.points,
    )
    for mark in all_marks:
        own = [x for x in proposals if x.class_index == mark.class_index]
        found.append(_log_density(mark, own, n_snippets))
    return found


def _log_density(
    mark: MarkedInstance | MarkedPoint, own: Sequence[PseudoInstance], n_snippets: int
) -> float:
    """Return the mean logarithm of the density at one mark, given its class's own."""
    if isinstance(mark, MarkedPoint):
        at = np.array([mark.position])
    else:
        shares = (np.arange(PLACES) + 0.5) / PLACES
        at = mark.start + shares * (mark.end - mark.start)
    rows = [(x.start, x.end, x.weight) for x in own if x.weight > 0.0]
    if not rows:
        return 0.0
    start, end, weight = np.array(rows).T[:, :, None]  # (P, 1) each
    holds = (start <= at) & (at <= end)  # (P, places)
    each = weight / weight.sum() / np.maximum(end - start, 1.0)
    density = ANYWHERE + (1.0 - ANYWHERE) * n_snippets * (each * holds).sum(axis=0)
    return float(np.log(density).mean())


def gain(
    of_names: Mapping[str, Sequence[float]], of_marks: Mapping[str, Sequence[float]]
) -> Gain:
    """Return how much better networks that learned marks find other marks.

    Parameters
    ----------
    of_names, of_marks : mapping of video id to sequence of float
        What `log_densities` says of each held-out video, for a network that learned
        names alone, and for one that learned the marks of the other half. Both have the
        same videos and marks. Videos without a mark are passed over.

    Examples
    --------
    >>> found = gain({"a": [0.0], "b": [0.5, 1.0]}, {"a": [1.0], "b": [1.0, 2.5]})
    >>> found.videos, round(found.of_names, 2), round(found.of_marks, 2), found.is_clear
    (2, 1.65, 4.48, True)
    """
    videos = [video for video, own in of_names.items() if len(own)]
    gains = np.array([np.mean(of_marks[v]) - np.mean(of_names[v]) for v in videos])
    error = float(gains.std(ddof=1)) / math.sqrt(len(gains))
    mean = float(gains.mean())
    names, marks = (
        np.concatenate([np.asarray(own[video]) for video in videos])
        for own in (of_names, of_marks)
    )
    return Gain(
        videos=len(videos),
        of_names=math.exp(names.mean()),
        of_marks=math.exp(marks.mean()),
        errors=mean / error if error else mean and math.copysign(math.inf, mean),
    )
