"""Find marks of a video that contradict each other, or its duration."""

import bisect
from collections.abc import Iterable, Iterator
from typing import Final

from acmnet.data.labels.annotations import AnnotationError, Video
from acmnet.limits import LARGEST_SECONDS
from acmnet.messages import seconds
from acmnet.segments import Segment

SLACK_S: Final = 0.5
"""A mark may leave its video by this much: a rounding, not a mistake."""


def contradictions(video: Video) -> Iterator[str]:
    """Yield what a video's marks contradict each other in, or its duration.

    Parameters
    ----------
    video : Video
        Names, segments, points and watched spans of one video.

    Yields
    ------
    str
        A sentence that begins with the video and, where there is one, the class.

    Notes
    -----
    A point contradicts a watched span if it lies in it, outside of every segment of its
    class, and the span has such a segment. In a span without one, the point itself says
    where the class is (docs/decisions.md, D-078).

    Examples
    --------
    >>> from acmnet.data.labels.annotations import Instance, Point, WatchedSpan
    >>> video = Video(
    ...     id="a",
    ...     duration_s=9.0,
    ...     labels=("jump",),
    ...     instances=(Instance("jump", Segment(1.0, 2.0)),),
    ...     points=(Point("jump", 5.0),),
    ...     watched=(WatchedSpan(None, Segment(0.0, 9.0)),),
    ... )
    >>> next(contradictions(video)).partition(";")[0]
    "video 'a', class 'jump': the point at 5 s lies in a watched span (0 to 9 s) but \
outside of every segment of the class"
    """
    yield from _outside_the_video(video)
    yield from _outside_the_segments(video)
    yield from _names_without_a_place(video)


def refuse_contradictions(source: str, videos: Iterable[Video]) -> None:
    """Refuse a label file in which marks of a video contradict each other.

    Parameters
    ----------
    source : str
        The path of the file, for messages.
    videos : iterable of Video
        The videos of the file.

    Raises
    ------
    AnnotationError
        With the first contradiction.
    """
    for video in videos:
        for sentence in contradictions(video):
            raise AnnotationError(f"{source}: {sentence}")


def _outside_the_video(video: Video) -> Iterator[str]:
    """Yield points and watched spans that leave the video."""
    end_s = video.duration_s
    is_known = end_s is not None
    last_s = LARGEST_SECONDS if end_s is None else end_s
    ends = f"ends at {seconds(last_s)} s" if is_known else "starts at 0"
    for point in video.points:
        if not -SLACK_S <= point.time_s <= last_s + SLACK_S:
            yield (
                f"video {video.id!r}, class {point.label!r}: the point at "
                f"{seconds(point.time_s)} s lies outside of the video, which {ends}; "
                "correct the time or the duration"
            )
    for span in video.watched:
        if span.segment.start_s < -SLACK_S or span.segment.end_s > last_s + SLACK_S:
            of = "" if span.label is None else f", class {span.label!r}"
            yield (
                f"video {video.id!r}{of}: the watched span {_words(span.segment)} lies "
                f"outside of the video, which {ends}; correct the times or the duration"
            )


def _outside_the_segments(video: Video) -> Iterator[str]:
    """Yield points in a watched span that no segment of their class holds."""
    if not video.watched:
        return
    by_label: dict[str, list[float]] = {}
    for point in video.points:
        by_label.setdefault(point.label, []).append(point.time_s)
    for label, times_s in by_label.items():
        segments = _Cover(x.segment for x in video.instances if x.label == label)
        spans = _Cover(
            span for span in _spans(video, label) if segments.reaches_into(span)
        )
        for time_s in times_s:
            span = spans.around(time_s)
            if span is not None and segments.around(time_s) is None:
                yield (
                    f"video {video.id!r}, class {label!r}: the point at "
                    f"{seconds(time_s)} s lies in a watched span ({_words(span)}) but "
                    "outside of every segment of the class; remove the point, or give "
                    "it its segment"
                )


def _names_without_a_place(video: Video) -> Iterator[str]:
    """Yield labels that are marked nowhere in a video that was watched whole."""
    if not video.watched:
        return
    marked = {x.label for x in video.instances} | {x.label for x in video.points}
    for label in video.labels:
        if label not in marked and covers_all(_spans(video, label), video.duration_s):
            yield (
                f"video {video.id!r}, class {label!r}: the whole video was watched and "
                "the class is marked nowhere in it; mark where it is, or remove the "
                "name"
            )


def _spans(video: Video, label: str) -> list[Segment]:
    """Return the spans that were watched for a class."""
    return [x.segment for x in video.watched if x.label in (None, label)]


def covers_all(spans: Iterable[Segment], duration_s: float | None) -> bool:
    """Return whether spans together cover a whole video.

    Parameters
    ----------
    spans : iterable of Segment
        Spans in seconds, in any order.
    duration_s : float or None
        Length of the video; None if it is not known. Only a span that reaches to
        `LARGEST_SECONDS` is then known to cover it.

    Examples
    --------
    >>> covers_all([Segment(4.0, 9.0), Segment(0.0, 5.0)], 9.0)
    True
    >>> covers_all([Segment(0.0, 5.0)], None)
    False
    """
    end_s = LARGEST_SECONDS if duration_s is None else duration_s
    reached_s = 0.0
    for span in sorted(spans):
        if span.start_s > reached_s + SLACK_S:
            break
        reached_s = max(reached_s, span.end_s)
    return reached_s > 0 and reached_s >= end_s - SLACK_S


def _words(span: Segment) -> str:
    end = "its end" if span.end_s == LARGEST_SECONDS else f"{seconds(span.end_s)} s"
    return f"{seconds(span.start_s)} to {end}"


class _Cover:
    """Segments that are asked which times they cover, quickly also if they are many."""

    def __init__(self, segments: Iterable[Segment]) -> None:
        self.segments = sorted(segments)
        self.starts = [x.start_s for x in self.segments]
        self.latest: list[Segment] = []
        """For each segment, the one that ends last among it and those before it."""
        for segment in self.segments:
            before = self.latest[-1] if self.latest else segment
            self.latest.append(max(before, segment, key=lambda x: x.end_s))

    def around(self, time_s: float) -> Segment | None:
        """Return a segment that holds a time, ends included; None if none does."""
        before = bisect.bisect_right(self.starts, time_s)
        segment = self.latest[before - 1] if before else None
        return segment if segment is not None and segment.end_s >= time_s else None

    def reaches_into(self, span: Segment) -> bool:
        """Return whether any segment has time in common with a span."""
        before = bisect.bisect_left(self.starts, span.end_s)
        return bool(before) and self.latest[before - 1].end_s > span.start_s
