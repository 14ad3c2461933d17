"""Time budgets: how often, how long and how soon each behaviour is seen in a video.

A bout is an uninterrupted time of one behaviour: segments of one class that overlap or
touch are one bout. Bouts are cut at the start and the end of their video, where its
duration is known.
"""

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

from acmnet.data.tables.csv_tables import Cell
from acmnet.segments import IntArray, Segment

BUDGET_COLUMNS: Final = (
    *("video", "class", "bouts", "total_s", "mean_s", "latency_s", "rate_per_min"),
    "share_of_time",
)
BOUT_COLUMNS: Final = ("video", "class", "start_s", "end_s", "duration_s")


class Bout(NamedTuple):
    """An uninterrupted time of one behaviour, in seconds."""

    label: str
    start_s: float
    end_s: float


@dataclasses.dataclass(frozen=True)
class Observed:
    """What is seen in one video."""

    bouts: tuple[Bout, ...]
    """Bouts by start, then by class."""
    duration_s: float | None
    """Length of the video in seconds; None if it is not known."""


@dataclasses.dataclass(frozen=True)
class Budget:
    """The time budget of one behaviour, in one video or in several."""

    label: str
    bouts: int
    total_s: float
    latency_s: float | None
    """Seconds until the first bout: of one video, or the mean of those that have one.
    None if there is none."""
    observed_s: float | None
    """Seconds that were observed; None if the duration of a video is not known."""

    @property
    def mean_s(self) -> float | None:
        """Mean duration of a bout in seconds; None if there is none."""
        return self.total_s / self.bouts if self.bouts else None

    @property
    def rate_per_min(self) -> float | None:
        """Bouts in a minute; None if the observed time is not known."""
        return 60 * self.bouts / self.observed_s if self.observed_s else None

    @property
    def share_of_time(self) -> float | None:
        """Share of the observed time, in [0, 1]; None if that is not known."""
        return self.total_s / self.observed_s if self.observed_s else None

    def cells(self) -> tuple[Cell, ...]:
        """Return the cells of a row below `BUDGET_COLUMNS`, without the video."""
        return (
            *(self.label, self.bouts, self.total_s, self.mean_s, self.latency_s),
            *(self.rate_per_min, self.share_of_time),
        )


def observed(
    marked: Iterable[tuple[str, Segment]], duration_s: float | None
) -> Observed:
    """Return the bouts of one video.

    Parameters
    ----------
    marked : iterable of (str, Segment)
        Class and time of each action.
    duration_s : float or None
        Length of the video in seconds; None if it is not known.

    Examples
    --------
    >>> seen = [("run", Segment(1.0, 3.0)), ("run", Segment(2.0, 5.0))]
    >>> observed(seen, 4.0).bouts
    (Bout(label='run', start_s=1.0, end_s=4.0),)
    """
    last_s = math.inf if duration_s is None else duration_s
    bouts: list[Bout] = []
    latest: dict[str, int] = {}
    for label, segment in sorted(marked, key=lambda x: (x[1], x[0])):
        start_s, end_s = max(segment.start_s, 0.0), min(segment.end_s, last_s)
        if end_s <= start_s:
            continue
        place = latest.get(label)
        if place is not None and start_s <= bouts[place].end_s:
            before = bouts[place]
            bouts[place] = before._replace(end_s=max(before.end_s, end_s))
        else:
            latest[label] = len(bouts)
            bouts.append(Bout(label, start_s, end_s))
    return Observed(tuple(bouts), duration_s)


def budget_of(video: Observed, label: str) -> Budget:
    """Return the time budget of one behaviour in one video."""
    bouts = [x for x in video.bouts if x.label == label]
    return Budget(
        label=label,
        bouts=len(bouts),
        total_s=math.fsum(x.end_s - x.start_s for x in bouts),
        latency_s=bouts[0].start_s if bouts else None,
        observed_s=video.duration_s,
    )


def over_videos(budgets: Sequence[Budget]) -> Budget:
    """Return the time budget of one behaviour over several videos."""
    latencies = [x.latency_s for x in budgets if x.latency_s is not None]
    durations = [x.observed_s for x in budgets if x.observed_s is not None]
    is_known = len(durations) == len(budgets)
    return Budget(
        label=budgets[0].label,
        bouts=sum(x.bouts for x in budgets),
        total_s=math.fsum(x.total_s for x in budgets),
        latency_s=math.fsum(latencies) / len(latencies) if latencies else None,
        observed_s=math.fsum(durations) if is_known else None,
    )


def transitions(videos: Iterable[Observed], class_names: Sequence[str]) -> IntArray:
    """Return how often each behaviour is followed by each.

    Parameters
    ----------
    videos : iterable of Observed
        The videos. The last bout of one is not followed by the first of the next.
    class_names : sequence of str
        The C classes.

    Returns
    -------
    array of shape (C, C)
        Entry ``[a, b]`` is how often the bout that starts next after one of class ``a``
        is of class ``b``.
    """
    place = {name: index for index, name in enumerate(class_names)}
    counts = np.zeros((len(class_names), len(class_names)), np.int64)
    for video in videos:
        for bout, next_bout in zip(video.bouts, video.bouts[1:], strict=False):
            counts[place[bout.label], place[next_bout.label]] += 1
    return counts


def budget_rows(
    videos: Mapping[str, Observed], class_names: Sequence[str]
) -> list[tuple[Cell, ...]]:
    """Return a row for each video and class, and last the classes over all videos."""
    budgets = {
        name: [budget_of(video, label) for label in class_names]
        for name, video in videos.items()
    }
    rows = [
        (name, *budget.cells())
        for name, of_class in budgets.items()
        for budget in of_class
    ]
    by_class = zip(*budgets.values(), strict=True)
    rows += [("all videos", *over_videos(of_class).cells()) for of_class in by_class]
    return rows
