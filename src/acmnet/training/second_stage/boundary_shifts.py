"""Estimate from marks how far the teachers' boundaries are off, class by class.

Networks that learn from names alone find the most telling part of an action, not where
it starts and ends. They see one class too long and another too short, by nearly the
same share in every video. Marks in a few videos show by how much, so that the
boundaries in all videos can be moved. Positions in time are counted in snippets, shifts
as shares of the length of an instance.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

from acmnet.segments import FloatArray
from acmnet.training.first_stage.marked_snippets import MarkedInstance, MarkedPoint
from acmnet.training.second_stage.snippet_targets import PseudoInstance

LEAST_TIOU: Final = 0.2
"""Lowest tIoU at which a teachers' instance is compared with a marked segment."""
PRIOR_WEIGHT: Final = 2.0
"""Strength of shrinkage, as a number of segments: the shift of a class is shrunk
towards that of all classes together, and that one towards 0, as if by this many
segments."""
POINT_WEIGHT: Final = 0.5
"""Weight of a point, as a number of segments."""
LEAST_PROPOSAL_FACTOR: Final = 0.5
"""Lower bound on the factor of the teachers' proposals, for any number of points."""
TRIMMED_SHARE: Final = 0.05
"""Share of the points that is ignored at either end, because they may be misplaced."""
LARGEST_SHIFT: Final = 0.4
"""Largest shift of a boundary, so that an instance still starts before it ends."""
CORE: Final = (0.25, 0.75)
"""Part of a teachers' instance that surely lies in the action, as shares of its length.
If points are not uniform there, people clicked at a preferred place, and points do not
show how long actions are."""
KOLMOGOROV_LIMIT: Final = 1.63
"""Critical value of Kolmogorov's test for uniform points, at a level of 1 %.
"""


class BoundaryShift(NamedTuple):
    """Shift of an instance's start and end, as shares of its length."""

    start: float = 0.0
    end: float = 0.0

    def of(self, instance: PseudoInstance) -> PseudoInstance:
        """Return an instance with its boundaries moved.

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
    """Factors in (0, 1] on what the teachers contribute beside a student of marks.

    Both are 1 for teachers that learned names alone because a trial on held-out marks
    decided so (D-130).
    """

    contrast: float = 1.0
    """Factor on `teachers.contrast_weight`. It falls with the number of marks, because
    a student that learned marks ranks its detections better than its teachers do."""
    proposals: float = 1.0
    """Factor on `teachers.proposal_weight`. It falls with the number of points, because
    teachers do not learn from points where actions start and end."""


class BoundaryShifts(NamedTuple):
    """Corrections of the teachers' boundaries, estimated from all marks together."""

    of_class: Mapping[int, BoundaryShift]
    """The shift of each class that has marks."""
    other_classes: BoundaryShift
    """The shift of every other class."""
    trust: Trust
    """Factors on the teachers' part in the student's detections."""

    def move(self, instances: Iterable[PseudoInstance]) -> tuple[PseudoInstance, ...]:
        """Return instances with the boundaries that the shifts give them."""
        return tuple(
            self.of_class.get(x.class_index, self.other_classes).of(x)
            for x in instances
        )


class Evidence(NamedTuple):
    """One mark, and the teachers' instance at its place."""

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
    evidence = []
    for mark in marked:
        of_class = [x for x in instances if x.class_index == mark.class_index]
        best = max(of_class, key=lambda x: _tiou(x, mark), default=None)
        if best is not None and _tiou(best, mark) >= LEAST_TIOU:
            evidence.append(Evidence(mark.class_index, best, mark))
    return evidence


def _tiou(instance: PseudoInstance, mark: MarkedInstance) -> float:
    shared = min(instance.end, mark.end) - max(instance.start, mark.start)
    covered = max(instance.end, mark.end) - min(instance.start, mark.start)
    return max(shared, 0.0) / covered


def boundary_shifts(evidence: Sequence[Evidence]) -> BoundaryShifts:
    """Return the shift of each class that has marks, and that of all other classes.

    The shift of a class is shrunk towards that of all classes together, and that one
    towards 0; the fewer marks there are, the stronger. A segment shows both boundaries.
    Points are assumed to fall uniformly in their actions, so that the outermost ones
    show how far actions reach, apart from `TRIMMED_SHARE` at either end. Points that
    fail a test of this assumption are not used.
    """
    segments, points = _relative_positions(evidence)
    if len(points) and not _are_uniform(points[:, 1]):
        points = points[:0]
    other_classes = _shrunk_to(np.zeros(2), segments, points)
    of_class = {}
    for c in sorted({int(x) for x in (*segments[:, 0], *points[:, 0])}):
        evidence_of_class = (rows[rows[:, 0] == c] for rows in (segments, points))
        of_class[c] = _limited(_shrunk_to(other_classes, *evidence_of_class))
    beside_points = PRIOR_WEIGHT / (PRIOR_WEIGHT + POINT_WEIGHT * len(points))
    trust = Trust(
        contrast=PRIOR_WEIGHT / (PRIOR_WEIGHT + _evidence_weight(segments, points)),
        proposals=max(beside_points, LEAST_PROPOSAL_FACTOR),
    )
    return BoundaryShifts(of_class, _limited(other_classes), trust)


def _limited(shift: FloatArray) -> BoundaryShift:
    return BoundaryShift(*np.clip(shift, -LARGEST_SHIFT, LARGEST_SHIFT).tolist())


def _evidence_weight(segments: FloatArray, points: FloatArray) -> float:
    return len(segments) + POINT_WEIGHT * len(points)


def _relative_positions(evidence: Sequence[Evidence]) -> tuple[FloatArray, FloatArray]:
    """Return ``class, start, end`` of segments, (N, 3), and ``class, place`` of points.

    Starts and places are relative to the start of the teachers' instance, ends to its
    end, as shares of its length.
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


def _shrunk_to(
    prior: FloatArray, segments: FloatArray, points: FloatArray
) -> FloatArray:
    """Return the shift (2,) of segments and points, shrunk towards a prior shift."""
    total = PRIOR_WEIGHT * prior
    if len(segments):
        total = total + len(segments) * np.median(segments[:, 1:], axis=0)
    if len(points):
        total = total + POINT_WEIGHT * len(points) * _extent_of_points(points[:, 1])
    return total / (PRIOR_WEIGHT + _evidence_weight(segments, points))


def _extent_of_points(places: FloatArray) -> FloatArray:
    """Return where actions begin and end (2,), if points fall uniformly in them.

    It is extrapolated from two quantiles of the points.
    """
    low, high = np.quantile(places, (TRIMMED_SHARE, 1.0 - TRIMMED_SHARE))
    beyond = TRIMMED_SHARE * (high - low) / (1.0 - 2.0 * TRIMMED_SHARE)
    return np.array([low - beyond, high + beyond - 1.0])


def _are_uniform(places: FloatArray) -> bool:
    """Whether points are uniform over the middle of instances, by Kolmogorov's test."""
    first, last = CORE
    inside = np.sort(places[(places >= first) & (places <= last)])
    n = len(inside)
    if not n:
        return True
    even = (inside - first) / (last - first)
    step = np.arange(n + 1) / n
    furthest = max((even - step[:-1]).max(), (step[1:] - even).max())
    return bool(math.sqrt(n) * furthest <= KOLMOGOROV_LIMIT)
