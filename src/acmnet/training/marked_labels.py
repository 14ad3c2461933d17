"""What a student learns where a person marked times: marks before the teachers' word.

A position in time is counted in snippets, and a whole number is the middle of one.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from acmnet.training.boundary_shifts import (
    Evidence,
    Trust,
    boundary_shifts,
    segment_evidence,
)
from acmnet.training.marked_snippets import (
    MarkedPoint,
    SnippetMarks,
    WatchedStretch,
)
from acmnet.training.snippet_targets import PseudoInstance, PseudoLabels

UNKNOWN_REACH: Final = 2.0
"""Snippets before and after a point that may belong to its action, where no teacher
says how long that is."""


def learned_with_marks(
    labels: Mapping[str, PseudoLabels],
    marks: Mapping[str, SnippetMarks],
    proposals: Mapping[str, Sequence[PseudoInstance]],
) -> tuple[dict[str, PseudoLabels], Trust]:
    """Return what a student learns of each video, and how far teachers are trusted.

    The teachers' boundaries are first moved by what the marks show of them, in all
    videos (`acmnet.training.boundary_shifts`). Then marks come before the teachers'
    word, see `with_marks`.

    Parameters
    ----------
    labels : mapping of video id to PseudoLabels
        What the teachers say of each video.
    marks : mapping of video id to SnippetMarks
        What a person marked, in some videos.
    proposals : mapping of video id to PseudoInstances
        All that the teachers propose in the videos with points.

    Returns
    -------
    labels, trust
        What the student learns of each video, and how much the teachers still count
        beside the marks.
    """
    evidence: list[Evidence] = []
    for video, own in marks.items():
        evidence += segment_evidence(own.instances, labels[video].instances)
        for point in own.points:
            grown = _grown(point, own, proposals[video])
            if grown.extent == "estimated":
                evidence.append(Evidence(point.class_index, grown, point))
    shifts = boundary_shifts(evidence)
    found = {
        video: said._replace(instances=shifts.move(said.instances))
        for video, said in labels.items()
    }
    for video, own in marks.items():
        moved = shifts.move(proposals.get(video, ()))
        found[video] = with_marks(found[video], own, moved)
    return found, shifts.trust


def with_marks(
    labels: PseudoLabels, marks: SnippetMarks, proposals: Sequence[PseudoInstance]
) -> PseudoLabels:
    """Return what a student learns of one video in which a person marked times.

    A marked segment is an instance of weight 1 and takes the place of all instances of
    its class that the teachers see there. A point is an instance, too: the teachers'
    best proposal of its class around it says how far it reaches, if that proposal holds
    no other point or segment of its class; without one, nothing is taught of where it
    starts and ends. In stretches that were watched for a class, the teachers' other
    instances of that class are dropped. Everywhere else the teachers' word stands.

    Parameters
    ----------
    labels : PseudoLabels
        What the teachers say of the video.
    marks : SnippetMarks
        What the person marked in it.
    proposals : sequence of PseudoInstance
        All proposals of the teachers for the classes with points, before any of them is
        suppressed; their weights are scores.
    """
    marked = [PseudoInstance(*x, weight=1.0, extent="marked") for x in marks.instances]
    for point in marks.points:
        marked.append(_grown(point, marks, proposals))
    by_teachers: list[PseudoInstance] = []
    for instance in labels.instances:
        if any(_overlap(instance, x) for x in marked):
            continue
        outside = _unwatched(instance, marks.watched)
        if outside is not None:
            by_teachers.append(outside)
    return labels._replace(
        instances=(*by_teachers, *marked),
        absent=marks.absent(),
    )


def _overlap(one: PseudoInstance, other: PseudoInstance) -> bool:
    """Whether two instances are of one class and share time."""
    return (
        one.class_index == other.class_index
        and one.start < other.end
        and other.start < one.end
    )


def _grown(
    point: MarkedPoint, marks: SnippetMarks, proposals: Sequence[PseudoInstance]
) -> PseudoInstance:
    """Return the instance around a point, as far as the teachers know its extent."""
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
    return PseudoInstance(c, at - UNKNOWN_REACH, at + UNKNOWN_REACH, 1.0, "unknown")


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
