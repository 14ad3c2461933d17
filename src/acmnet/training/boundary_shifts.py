"""How far the teachers' boundaries are off, class by class, as marks show it.

Networks that learn from names alone find where an action is told best, which is not
where it starts and ends: of one class they see too much, of another too little, and
nearly the same in every video. Marks in a few videos show by how much, and all videos
gain. Positions in time are counted in snippets, shifts in lengths of the instance.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

from acmnet.segments import FloatArray
from acmnet.training.marked_snippets import MarkedInstance, MarkedPoint
from acmnet.training.snippet_targets import PseudoInstance

LEAST_TIOU: Final = 0.2
"""An instance of the teachers is compared with a marked segment if their overlap is at
least this large."""
USUAL_WORTH: Final = 2.0
"""The shift of all classes together counts as much for a class as this many segments of
it, and no shift at all as much as this many segments of any class."""
POINT_WORTH: Final = 0.5
"""A point counts as much as this many segments."""
LEAST_PROPOSALS: Final = 0.5
"""However many points there are, the teachers' proposals count at least this much."""
TAIL: Final = 0.05
"""Share of the points on either side that may be misplaced."""
LARGEST_SHIFT: Final = 0.4
"""Shifts are at most this large, so that no instance is turned around."""
MIDDLE: Final = (0.25, 0.75)
"""The part of an instance that lies in the action, however long that is. There points
must be spread evenly, or they do not tell how long actions are."""
SPREAD_LIMIT: Final = 1.63
"""Kolmogorov's statistic above which points are not evenly spread, at a level of 1 %.
"""


class BoundaryShift(NamedTuple):
    """What is added to an instance's start and end, as shares of its length."""

    start: float = 0.0
    end: float = 0.0

    def of(self, instance: PseudoInstance) -> PseudoInstance:
        """Return an instance with other boundaries.

        Examples
        --------
        >>> BoundaryShift(0.1, -0.2).of(PseudoInstance(0, 10.0, 20.0, 1.0))[1:3]
        (11.0, 18.0)
        """
        start, end = instance.start, instance.end
        length = end - start
        return instance._replace(
            start=start + self.start * length, end=end + self.end * length
        )


class Trust(NamedTuple):
    """How much teachers count beside a student that learned from marks, in (0, 1].

    Teachers that learned names alone, because a trial said so, count fully: then the
    student's word alone is not better than theirs (D-130).
    """

    contrast: float = 1.0
    """How much their contrast counts in the student's scores: the less the more marks
    there are, as what a person marked tells better where an action is."""
    proposals: float = 1.0
    """How much their proposals count. Points do not tell the teachers where actions
    start and end, and a student knows that better; segments they learn themselves."""


class BoundaryShifts(NamedTuple):
    """How far the teachers' boundaries are off, as all marks together show it."""

    of_class: Mapping[int, BoundaryShift]
    """The shift of each class that marks show."""
    usual: BoundaryShift
    """The shift of every other class."""
    trust: Trust
    """How much the teachers still count beside the marks."""

    def move(self, instances: Iterable[PseudoInstance]) -> tuple[PseudoInstance, ...]:
        """Return instances with the boundaries that the shifts give them."""
        return tuple(
            self.of_class.get(x.class_index, self.usual).of(x) for x in instances
        )


class Evidence(NamedTuple):
    """What one mark says of the boundaries of the teachers' instance there."""

    class_index: int
    instance: PseudoInstance
    mark: MarkedInstance | MarkedPoint


def segment_evidence(
    marked: Iterable[MarkedInstance], instances: Sequence[PseudoInstance]
) -> list[Evidence]:
    """Return each marked segment of a video with the teachers' instance of it.

    Segments that no instance of their class overlaps enough (`LEAST_TIOU`) are left
    out.
    """
    found = []
    for mark in marked:
        own = [x for x in instances if x.class_index == mark.class_index]
        best = max(own, key=lambda x: _tiou(x, mark), default=None)
        if best is not None and _tiou(best, mark) >= LEAST_TIOU:
            found.append(Evidence(mark.class_index, best, mark))
    return found


def _tiou(one: PseudoInstance, other: MarkedInstance) -> float:
    shared = min(one.end, other.end) - max(one.start, other.start)
    covered = max(one.end, other.end) - min(one.start, other.start)
    return max(shared, 0.0) / covered


def boundary_shifts(evidence: Sequence[Evidence]) -> BoundaryShifts:
    """Return the shifts of the classes of which there is evidence, and of the others.

    A class's shift is drawn to that of all classes together, and that one to none, the
    more the fewer marks there are. A segment says where both boundaries belong. A point
    is taken as drawn anywhere in its action, so that the outermost points show how far
    actions reach (`TAIL` of them are passed over). Where points gather in a part of the
    actions they do not show that, and are not used.
    """
    segments, points = _by_kind(evidence)
    if len(points) and not _are_spread(points[:, 1]):
        points = points[:0]
    usual = _drawn_to(np.zeros(2), segments, points)
    of_class = {}
    for c in sorted({int(x) for x in (*segments[:, 0], *points[:, 0])}):
        own = (rows[rows[:, 0] == c] for rows in (segments, points))
        of_class[c] = _limited(_drawn_to(usual, *own))
    beside_points = USUAL_WORTH / (USUAL_WORTH + POINT_WORTH * len(points))
    trust = Trust(
        contrast=USUAL_WORTH / (USUAL_WORTH + _worth(segments, points)),
        proposals=max(beside_points, LEAST_PROPOSALS),
    )
    return BoundaryShifts(of_class, _limited(usual), trust)


def _limited(shift: FloatArray) -> BoundaryShift:
    return BoundaryShift(*np.clip(shift, -LARGEST_SHIFT, LARGEST_SHIFT).tolist())


def _worth(segments: FloatArray, points: FloatArray) -> float:
    return len(segments) + POINT_WORTH * len(points)


def _by_kind(evidence: Sequence[Evidence]) -> tuple[FloatArray, FloatArray]:
    """Return ``class, start, end`` of segments (N, 3), ``class, place`` of points.

    The numbers are relative to the instance: 0 is its start for a start or a place, and
    its end for an end; 1 is its length.
    """
    segments, points = [], []
    for c, instance, mark in evidence:
        length = instance.end - instance.start
        if isinstance(mark, MarkedPoint):
            points.append((c, (mark.position - instance.start) / length))
        else:
            start = (mark.start - instance.start) / length
            segments.append((c, start, (mark.end - instance.end) / length))
    return np.array(segments).reshape(-1, 3), np.array(points).reshape(-1, 2)


def _drawn_to(
    usual: FloatArray, segments: FloatArray, points: FloatArray
) -> FloatArray:
    """Return the shift (2,) of some segments and points, drawn to a usual one."""
    total = USUAL_WORTH * usual
    if len(segments):
        total = total + len(segments) * np.median(segments[:, 1:], axis=0)
    if len(points):
        total = total + POINT_WORTH * len(points) * _reach(points[:, 1])
    return total / (USUAL_WORTH + _worth(segments, points))


def _reach(places: FloatArray) -> FloatArray:
    """Return where actions begin and end (2,) if points fall anywhere in them.

    Between two quantiles of a uniform distribution lies a known share of it.
    """
    low, high = np.quantile(places, (TAIL, 1.0 - TAIL))
    beyond = TAIL * (high - low) / (1.0 - 2.0 * TAIL)
    return np.array([low - beyond, high + beyond - 1.0])


def _are_spread(places: FloatArray) -> bool:
    """Whether points are spread evenly over the middle of instances."""
    first, last = MIDDLE
    inside = np.sort(places[(places >= first) & (places <= last)])
    n = len(inside)
    if not n:
        return True
    even = (inside - first) / (last - first)
    step = np.arange(n + 1) / n
    furthest = max((even - step[:-1]).max(), (step[1:] - even).max())
    return bool(math.sqrt(n) * furthest <= SPREAD_LIMIT)
