"""Check single fields of a label file: names of videos and actions, and times."""

import re
import reprlib
import sys
from collections.abc import Iterator
from typing import Final
from urllib.parse import unquote, urlsplit

import numpy as np

from acmnet.data.labels.annotations import AnnotationError, Instance, Point, Video
from acmnet.data.labels.tables.label_columns import LabelTableError
from acmnet.data.labels.tables.label_tables import video_id
from acmnet.limits import LARGEST_SECONDS, finite, seconds
from acmnet.names import checked
from acmnet.segments import Segment

_LINE: Final = re.compile(r"([^\r\n]+)(?:\r\n?|\n|\Z)|\r\n?|\n")
MOST_FRAMES: Final = 2_000_000_000
"""The largest number of a frame: 115 days at 200 frames a second."""


def video_name(where: str, text: object) -> str:
    """Return the id of the video that a file's name, path or address stands for.

    It is the name of the file without its folder and a known suffix of videos.

    Raises
    ------
    AnnotationError
        If the text is blank, no text, or not fit for a name.

    Examples
    --------
    >>> video_name("labels.eaf", "file:///day%201/mouse%202.mp4")
    'mouse 2'
    """
    if not isinstance(text, str):
        raise AnnotationError(
            f"{where}: the video must be named by a text, got {reprlib.repr(text)}; "
            "name it"
        )
    if text.startswith("file:"):
        text = unquote(urlsplit(text).path)
    try:
        return video_id(where, text.strip())
    except LabelTableError as error:
        raise AnnotationError(str(error)) from None


def action_name(where: str, text: object) -> str:
    """Return the name of an action.

    Raises
    ------
    AnnotationError
        If it is blank, no text, or not fit for a name.
    """
    if not isinstance(text, str) or not text.strip():
        raise AnnotationError(
            f"{where}: the action must be named by a text, got {reprlib.repr(text)}; "
            "name it or remove the entry"
        )
    # one object for each name, however often a large file has it
    return sys.intern(checked(where, "label", text.strip(), AnnotationError))


def lines_of(text: str) -> Iterator[tuple[int, str]]:
    r"""Yield the number and the text of each line, one at a time.

    Examples
    --------
    >>> list(lines_of("a\r\n\nb"))
    [(1, 'a'), (2, ''), (3, 'b')]
    """
    texts = (match[1] or "" for match in _LINE.finditer(text))
    return enumerate(texts, start=1)


def time_s(where: str, what: str, value: object) -> float:
    """Return a time in seconds.

    Raises
    ------
    AnnotationError
        If it is no finite number, or beyond the limit.
    """
    number = seconds(value, in_quotes=True)
    if number is None:
        raise AnnotationError(
            f"{where}: {what} must be a finite number of seconds within "
            f"{LARGEST_SECONDS:,.0f} of 0, got {reprlib.repr(value)}; correct it"
        )
    return number


def frame(where: str, what: str, value: object) -> int:
    """Return the number of a frame.

    Raises
    ------
    AnnotationError
        If it is no whole number from 0.
    """
    number = finite(value, in_quotes=True)
    if number is None or number != int(number) or not 0 <= number <= MOST_FRAMES:
        raise AnnotationError(
            f"{where}: {what} must be the number of a frame, a whole number from 0, "
            f"got {reprlib.repr(value)}; correct it"
        )
    return int(number)


def segment(where: str, start_s: float, end_s: float) -> Segment:
    """Return a segment.

    Raises
    ------
    AnnotationError
        If it does not end after it starts.
    """
    refuse_unended(where, start_s, end_s)
    return Segment(start_s, end_s)


def refuse_unended(where: str, start_s: float, end_s: float) -> None:
    """Refuse a segment that does not end after it starts.

    Raises
    ------
    AnnotationError
        If it does not.
    """
    if end_s <= start_s:
        raise AnnotationError(
            f"{where}: an action must end after it starts, got [{start_s:g}, "
            f"{end_s:g}] s; correct it"
        )


def video_of(
    name: str,
    instances: list[Instance],
    points: list[Point] | tuple[Point, ...] = (),
    names: list[str] | tuple[str, ...] = (),
    duration_s: float | None = None,
) -> Video:
    """Return a video with the labels of its segments, its points and further names."""
    labels = dict.fromkeys(x.label for x in instances)
    labels |= dict.fromkeys(x.label for x in points)
    labels |= dict.fromkeys(names)
    return Video(
        id=name,
        duration_s=duration_s,
        labels=tuple(labels),
        instances=tuple(instances),
        points=tuple(points),
    )


def plain(number: float) -> str:
    """Return a number in plain digits, without an exponent, that reads back equal.

    Examples
    --------
    >>> plain(1e-05), plain(36000.0), plain(0.1)
    ('0.00001', '36000.0', '0.1')
    """
    return np.format_float_positional(number, trim="0")
