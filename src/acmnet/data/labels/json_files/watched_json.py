"""The watched spans of a video in a label file in JSON.

A video's ``watched`` is true if the whole video was watched for all classes, or a list
of spans ``[start, end]`` in seconds, or an object with one of the two for each class.
In the object, the key ``""`` stands for all classes.
"""

import reprlib
from typing import Any, Final

from acmnet.data.labels.annotations import AnnotationError, Video, WatchedSpan
from acmnet.limits import LARGEST_SECONDS, seconds
from acmnet.names import checked
from acmnet.segments import Segment

ALL_CLASSES: Final = ""
"""The key of spans that were watched for all classes."""


def watched_entry(video: Video) -> Any:
    """Return the JSON value of a video's watched spans.

    Examples
    --------
    >>> early, whole = Segment(0.0, 2.0), Segment(0.0, 9.0)
    >>> spans = (WatchedSpan(None, early), WatchedSpan("jump", whole))
    >>> video = Video(id="a", duration_s=9.0, labels=(), watched=spans)
    >>> watched_entry(video)
    {'': [[0.0, 2.0]], 'jump': True}
    """
    by_class: dict[str, list[Segment]] = {}
    for span in video.watched:
        key = ALL_CLASSES if span.label is None else span.label
        by_class.setdefault(key, []).append(span.segment)
    whole_video = _whole_video(video.duration_s)
    values = {
        key: True if spans == whole_video else [[x.start_s, x.end_s] for x in spans]
        for key, spans in by_class.items()
    }
    return values[ALL_CLASSES] if list(values) == [ALL_CLASSES] else values


def watched_spans(
    where: str, value: object, duration_s: float | None
) -> tuple[WatchedSpan, ...]:
    """Return the watched spans of a video.

    Parameters
    ----------
    where : str
        The file and the video, for messages.
    value : object
        The video's ``watched``; None if it has none.
    duration_s : float or None
        Length of the video in seconds; None if it is not known. A whole video then has
        the span from 0 to `LARGEST_SECONDS`.

    Raises
    ------
    AnnotationError
        If the value has another form, or a span does not end after it starts.
    """
    where = f"{where}: watched"
    if not isinstance(value, dict):
        return tuple(
            WatchedSpan(None, span) for span in _spans(where, value, duration_s)
        )
    spans_of_all = []
    for key, spans in value.items():
        label = (
            None
            if key == ALL_CLASSES
            else checked(where, "class", key, AnnotationError)
        )
        if label is not None and not label.strip():
            raise AnnotationError(
                f'{where} has a blank class; name it, or write "" for all classes'
            )
        of = f"{where}[{key!r}]"
        spans_of_all += [
            WatchedSpan(label, span) for span in _spans(of, spans, duration_s)
        ]
    return tuple(spans_of_all)


def _spans(where: str, value: object, duration_s: float | None) -> list[Segment]:
    """Return spans from true, false, null or a list."""
    if value is True:
        return _whole_video(duration_s)
    if value is None or value is False:
        return []
    if not isinstance(value, list):
        raise AnnotationError(
            f"{where} must be true, a list of spans [[start, end], ...] in seconds, or "
            f"an object with one of the two for each class, got {reprlib.repr(value)}; "
            "correct it or leave it out"
        )
    remedy = "correct it or leave it out"
    return [
        times(f"{where}[{index}]", span, remedy) for index, span in enumerate(value)
    ]


def _whole_video(duration_s: float | None) -> list[Segment]:
    """Return the span of a whole video; none if the video has no length."""
    end_s = LARGEST_SECONDS if duration_s is None else duration_s
    return [Segment(0.0, end_s)] if end_s > 0 else []


def times(what: str, value: object, remedy: str) -> Segment:
    """Return the segment or span ``[start, end]`` in seconds.

    Parameters
    ----------
    what : str
        The file, the video and the field, for the message.
    value : object
        The JSON value.
    remedy : str
        What to do about a value that cannot be used.

    Raises
    ------
    AnnotationError
        If the value is not a list of two finite numbers, or does not end after it
        starts.
    """
    pair = value if isinstance(value, list) else []
    numbers = [seconds(x, in_quotes=True) for x in pair]
    start_s, end_s = numbers if len(numbers) == 2 else (None, None)
    if start_s is None or end_s is None:
        raise AnnotationError(
            f"{what} must be two finite numbers [start, end], within "
            f"{LARGEST_SECONDS:,.0f} s of 0 and in seconds, got {reprlib.repr(value)}; "
            f"{remedy}"
        )
    if end_s <= start_s:
        raise AnnotationError(
            f"{what} must end after it starts, got [{start_s}, {end_s}]; {remedy}"
        )
    return Segment(start_s, end_s)
