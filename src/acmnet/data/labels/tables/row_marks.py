"""What a row of a table of labels says about times.

A row with a label is a name without times, a point with a start or an end, and a
segment with both. A row without a label and with both times is a span that was watched
for all classes. A column ``kind`` may say the same in words, and has to say ``watched``
where a span was watched for one class only.
"""

from typing import Final, NamedTuple

from acmnet.data.labels.annotations import Instance, Point, WatchedSpan
from acmnet.data.labels.tables.label_columns import LabelTableError
from acmnet.limits import LARGEST_SECONDS
from acmnet.messages import quoted
from acmnet.segments import Segment

TIMES_NEEDED: Final = {"name": 0, "point": 1, "segment": 2, "watched": 2}
"""The kinds of marks, and how many times each needs."""


class RowMarks(NamedTuple):
    """What a row says about its video."""

    labels: tuple[str, ...] = ()
    """Labels of the video; the class of a watched span is not one of them."""
    instances: tuple[Instance, ...] = ()
    points: tuple[Point, ...] = ()
    watched: tuple[WatchedSpan, ...] = ()


def row_marks(
    where: str,
    labels: tuple[str, ...],
    start_s: float | None,
    end_s: float | None,
    kind: str = "",
) -> RowMarks:
    """Return what a row says about its video.

    Parameters
    ----------
    where : str
        The file and the line, for messages.
    labels : tuple of str
        The labels of the row.
    start_s, end_s : float or None
        The times of the row, in seconds; None where a cell is blank.
    kind : str
        A key of `TIMES_NEEDED`; blank if the times tell the kind.

    Raises
    ------
    LabelTableError
        If the row makes no sense.

    Examples
    --------
    >>> row_marks("line 2", ("jump",), 5.0, None).points
    (Point(label='jump', time_s=5.0),)
    >>> row_marks("line 3", (), 0.0, 9.0).watched
    (WatchedSpan(label=None, segment=Segment(start_s=0.0, end_s=9.0)),)
    """
    times_s = [x for x in (start_s, end_s) if x is not None]
    kind = _kind(where, labels, len(times_s), kind.casefold())
    if kind == "name":
        return RowMarks(labels)
    if len(labels) > 1:
        raise LabelTableError(
            f"{where}: a row with a time has one label, got "
            f"{quoted('|'.join(labels))}; write a row for each label"
        )
    if kind == "point":
        return RowMarks(labels, points=(Point(labels[0], times_s[0]),))
    if times_s[1] <= times_s[0]:
        what, remedy = (
            ("watched span", "correct it")
            if kind == "watched"
            else ("segment", "correct it, or leave the end out for a point")
        )
        raise LabelTableError(
            f"{where}: the {what} must end after it starts, got start {times_s[0]:g} "
            f"and end {times_s[1]:g}; {remedy}"
        )
    segment = Segment(*times_s)
    if kind == "watched":
        label = labels[0] if labels else None
        return RowMarks(watched=(WatchedSpan(label, segment),))
    return RowMarks(labels, instances=(Instance(labels[0], segment),))


def _kind(where: str, labels: tuple[str, ...], n_times: int, kind: str) -> str:
    """Return the kind of a row's mark, a key of `TIMES_NEEDED`."""
    if not kind:
        kind = ("name", "point", "segment" if labels else "watched")[n_times]
    if kind not in TIMES_NEEDED:
        raise LabelTableError(
            f"{where}: kind must be {', '.join(list(TIMES_NEEDED)[:-1])} or watched, "
            f"got {quoted(kind)}; correct it, leave it blank, or rename the column if "
            "it holds something else"
        )
    if n_times != TIMES_NEEDED[kind]:
        need = ("no time", "one time, a start or an end", "a start and an end")
        raise LabelTableError(
            f"{where}: a row of kind {kind} needs {need[TIMES_NEEDED[kind]]}, got "
            f"{('none', 'one', 'both')[n_times]}; correct the times or the kind"
        )
    if not labels and kind in ("point", "segment"):
        raise LabelTableError(
            f"{where}: a row without a label is a span that was watched and needs both "
            "start and end; name the action, or give both times"
            if kind == "point"
            else f"{where}: a row of kind segment needs a label; name the action"
        )
    return kind


def not_seconds(where: str, meaning: str, cell: str) -> LabelTableError:
    """Return the error for a time or a duration that is not a number of seconds."""
    rule = "seconds from 0" if meaning == "duration" else "seconds, such as 83.5"
    return LabelTableError(
        f"{where}: {meaning} must be {rule}, got {quoted(cell)}; correct it or leave "
        f"it out (at most {LARGEST_SECONDS:,.0f} s)"
    )
