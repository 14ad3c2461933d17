"""Marks that contradict each other: they are stored, and the page tells of them."""

from typing import Any

from acmnet.messages import quoted
from acmnet.show.bench.bench_labels import Labels
from acmnet.show.bench.bench_mark import Mark


def problems_in(labels: Labels) -> list[dict[str, Any]]:
    """Return the contradictions among marks, as the page shows them.

    A point outside of every segment of its class, in a span that was watched for that
    class and has such segments, says that something happens where the segments say that
    nothing does. A label file with such a point is refused by training.

    Returns
    -------
    list of dict
        ``video``, ``ids`` of the marks, ``sentence``.
    """
    found = []
    for video, marks in labels.of_video().items():
        for point in (x for x in marks if x.kind == "point"):
            if _contradicts(point, marks):
                found.append(
                    {
                        "video": video,
                        "ids": [point.id],
                        "sentence": f"{video}: the point of {quoted(point.label or '')}"
                        f" at {point.start_s:.2f} s lies outside of every segment of "
                        "that class in a span that was watched; move it, make it a "
                        "segment, or remove it",
                    }
                )
    return found


def _contradicts(point: Mark, marks: list[Mark]) -> bool:
    """Return whether a point contradicts watched spans and segments."""
    time_s = point.start_s or 0.0
    of_class = [x for x in marks if x.kind == "segment" and x.label == point.label]
    watched = [
        x
        for x in marks
        if x.kind == "watched"
        and (x.label == point.label or (x.label is None and point.label in x.classes))
    ]
    is_inside = any(_holds(x, time_s) for x in of_class)
    spans = [x for x in watched if _holds(x, time_s)]
    return not is_inside and any(_overlap(x, y) for x in spans for y in of_class)


def _holds(mark: Mark, time_s: float) -> bool:
    return (mark.start_s or 0.0) <= time_s <= (mark.end_s or 0.0)


def _overlap(a: Mark, b: Mark) -> bool:
    return (a.start_s or 0.0) < (b.end_s or 0.0) and (b.start_s or 0.0) < (a.end_s or 0)
