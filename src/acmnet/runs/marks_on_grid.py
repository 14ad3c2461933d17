"""The times that a training is given, from seconds to snippets and class indices."""

from collections.abc import Sequence

from acmnet.data.labels.marks import VideoMarks
from acmnet.runs.run_request import RunRequest
from acmnet.segments import Segment, SnippetGrid
from acmnet.training.first_stage.marked_snippets import (
    MarkedInstance,
    MarkedPoint,
    SnippetMarks,
    WatchedStretch,
)


def marks_on_grid(request: RunRequest) -> dict[str, SnippetMarks]:
    """Return what a training is given besides names, in snippets, by video.

    It is empty unless the request asks for times.
    """
    names, grid = request.data.annotations.class_names, request.data.store.grid
    return {
        video: in_snippets(marks, names, grid) for video, marks in request.marks.items()
    }


def in_snippets(
    marks: VideoMarks, class_names: Sequence[str], grid: SnippetGrid
) -> SnippetMarks:
    """Return the marks of one video in snippets.

    A span that was watched for all classes becomes one stretch for each of them. A
    point in a segment of its class says nothing new and is left out.

    Examples
    --------
    >>> from acmnet.data.labels.annotations import Instance, Point
    >>> grid = SnippetGrid(fps=10, snippet_frames=10, stride_frames=10)
    >>> jump = Instance("jump", Segment(2.5, 4.5))
    >>> marks = VideoMarks((jump,), (Point("jump", 3.0), Point("run", 3.0)))
    >>> in_snippets(marks, ("jump", "run"), grid).instances
    (MarkedInstance(class_index=0, start=2.0, end=4.0),)
    >>> in_snippets(marks, ("jump", "run"), grid).points
    (MarkedPoint(class_index=1, position=2.5),)
    """
    column = {name: c for c, name in enumerate(class_names)}
    instances = tuple(
        MarkedInstance(column[x.label], *_ends(x.segment, grid)) for x in marks.segments
    )
    points = (
        MarkedPoint(column[x.label], float(grid.snippet_at(x.time_s)))
        for x in marks.points
    )
    watched = tuple(
        WatchedStretch(c, *_ends(span.segment, grid))
        for span in marks.watched
        for c in (column.values() if span.label is None else (column[span.label],))
    )
    outside = tuple(p for p in points if not any(_is_in(p, x) for x in instances))
    return SnippetMarks(instances, outside, watched)


def _ends(segment: Segment, grid: SnippetGrid) -> tuple[float, float]:
    start, end = map(grid.snippet_at, (segment.start_s, segment.end_s))
    return float(start), float(end)


def _is_in(point: MarkedPoint, instance: MarkedInstance) -> bool:
    is_own = point.class_index == instance.class_index
    return is_own and instance.start <= point.position <= instance.end
