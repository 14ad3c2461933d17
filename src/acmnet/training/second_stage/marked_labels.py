"""Combine a person's marks with the teachers' pseudo labels, for a student to learn.

Marks take precedence over what the teachers found. Positions in time are counted in
snippets; a whole number is the middle of a snippet.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from acmnet.training.first_stage.marked_snippets import (
    MarkedPoint,
    SnippetMarks,
    WatchedStretch,
)
from acmnet.training.second_stage.boundary_shifts import (
    Evidence,
    Trust,
    boundary_shifts,
    segment_evidence,
)
from acmnet.training.second_stage.snippet_targets import PseudoInstance, PseudoLabels

ASSUMED_REACH: Final = 2.0
"""Assumed reach of an action before and after a point, in snippets, where the teachers
have no proposal around it."""


def learned_with_marks(
    labels: Mapping[str, PseudoLabels],
    marks: Mapping[str, SnippetMarks],
    proposals: Mapping[str, Sequence[PseudoInstance]],
) -> tuple[dict[str, PseudoLabels], Trust]:
    """Return pseudo labels with marks for each video, and how much teachers count.

    The teachers' boundaries are first corrected in all videos by what the marks show
    (`acmnet.training.second_stage.boundary_shifts`). Then marks replace the teachers'
    instances, see `with_marks`.

    Parameters
    ----------
    labels : mapping of video id to PseudoLabels
        The teachers' pseudo labels of each video.
    marks : mapping of video id to SnippetMarks
        What a person marked, in some videos.
    proposals : mapping of video id to PseudoInstances
        All proposals of the teachers in the videos with points.

    Returns
    -------
    labels, trust
        What the student learns for each video, and the factors on the teachers' part in
        the student's detections.
    """
    evidence: list[Evidence] = []
    for video, of_video in marks.items():
        evidence += segment_evidence(of_video.instances, labels[video].instances)
        for point in of_video.points:
            around_point = _instance_around(point, of_video, proposals[video])
            if around_point.extent == "estimated":
                evidence.append(Evidence(point.class_index, around_point, point))
    shifts = boundary_shifts(evidence)
    learned = {
        video: of_video._replace(instances=shifts.move(of_video.instances))
        for video, of_video in labels.items()
    }
    for video, of_video in marks.items():
        moved = shifts.move(proposals.get(video, ()))
        learned[video] = with_marks(learned[video], of_video, moved)
    return learned, shifts.trust


def with_marks(
    labels: PseudoLabels, marks: SnippetMarks, proposals: Sequence[PseudoInstance]
) -> PseudoLabels:
    """Return the pseudo labels of one video, with a person's marks.

    A marked segment becomes an instance of weight 1 and replaces all overlapping
    instances of its class. A point becomes an instance, too. Its extent is that of the
    teachers' best proposal of its class around it that holds no other mark of the
    class; without such a proposal its extent is unknown. In stretches that were watched
    for a class, the teachers' other instances of that class are dropped. All other
    instances of the teachers stay.

    Parameters
    ----------
    labels : PseudoLabels
        The teachers' pseudo labels of the video.
    marks : SnippetMarks
        What the person marked in it.
    proposals : sequence of PseudoInstance
        All proposals of the teachers for the classes with points, before any of them is
        suppressed; their weights are scores.
    """
    marked = [PseudoInstance(*x, weight=1.0, extent="marked") for x in marks.instances]
    for point in marks.points:
        marked.append(_instance_around(point, marks, proposals))
    by_teachers: list[PseudoInstance] = []
    for instance in labels.instances:
        if any(_overlap(instance, x) for x in marked):
            continue
        outside = _unwatched(instance, marks.watched)
        if outside is not None:
            by_teachers.append(outside)
    return labels._replace(instances=(*by_teachers, *marked), absent=marks.absent())


def _overlap(first: PseudoInstance, second: PseudoInstance) -> bool:
    """Whether two instances are of one class and share time."""
    return (
        first.class_index == second.class_index
        and first.start < second.end
        and second.start < first.end
    )


def _instance_around(
    point: MarkedPoint, marks: SnippetMarks, proposals: Sequence[PseudoInstance]
) -> PseudoInstance:
    """Return the instance around a point, with the teachers' extent if there is one."""
    c, at = point
    others = [p.position for p in marks.points if p.class_index == c and p != point]
    segments = [x for x in marks.instances if x.class_index == c]
    around = [
        x
        for x in proposals
        if x.class_index == c
        and x.start <= at <= x.end
        and not any(x.start <= other <= x.end for other in others)
        and not any(x.start < s.end and s.start < x.end for s in segments)
    ]
    if around:
        best = max(around, key=lambda x: x.weight)
        return best._replace(weight=1.0, extent="estimated")
    return PseudoInstance(c, at - ASSUMED_REACH, at + ASSUMED_REACH, 1.0, "unknown")


def _unwatched(
    instance: PseudoInstance, watched: Sequence[WatchedStretch]
) -> PseudoInstance | None:
    """Return the part of an instance that was not watched; None if its middle was."""
    start, end = instance.start, instance.end
    middle = (start + end) / 2
    for c, first, last in watched:
        if c != instance.class_index or last <= start or first >= end:
            continue
        if first <= middle <= last:
            return None
        if last < middle:
            start = max(start, last)
        else:
            end = min(end, first)
    return instance._replace(start=start, end=end)
