"""Detections as CSV for spreadsheets: a row for each detection, by video and time.

The functions here work on text; they open no file.
"""

import csv
import io
from collections.abc import Mapping
from typing import Any, Final

from acmnet.messages import quoted
from acmnet.segments import Detections

COLUMNS: Final = ("video", "label", "start", "end", "score")
"""Columns of the table; ``start`` and ``end`` are in seconds."""
FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""Characters at the start of a cell that make a spreadsheet compute it as a formula. A
name that starts with one is written with an apostrophe in front, which `entries_of`
removes again."""


def csv_of(results: Mapping[str, Detections]) -> str:
    """Return detections as CSV, sorted by video, then by time.

    Times have three digits after the point, scores six. Videos without a detection have
    no row. Lines end with CR LF, as RFC 4180 says.

    Examples
    --------
    >>> found = Detections.of(["jump"], [(1.0, 2.5, 0.9, 0)])
    >>> csv_of({"holiday": found}).splitlines()
    ['video,label,start,end,score', 'holiday,jump,1.000,2.500,0.9']
    """
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for video in sorted(results):
        for one in results[video].by_time():
            start, end = milliseconds(one.start_s, one.end_s)
            times = (f"{start / 1000:.3f}", f"{end / 1000:.3f}")
            names = guarded(video), guarded(one.label)
            writer.writerow((*names, *times, f"{one.score:.6g}"))
    return text.getvalue()


def entries_of(
    source: str, text: str, error: type[ValueError]
) -> dict[str, list[dict[str, Any]]]:
    """Return the entries of each video in the form of ActivityNet's results JSON.

    Numbers stay text; the reader of that format checks them.

    Raises
    ------
    error
        If the columns are not `COLUMNS` or a row has fewer or more cells.
    """
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    found: dict[str, list[dict[str, Any]]] = {}
    expected = ",".join(COLUMNS)
    try:
        head = tuple(next(rows, ()))
        if head != COLUMNS:
            raise error(
                f"{source} must begin with the line {expected}, got "
                f"{quoted(','.join(head))}; give detections as acmnet localize writes "
                "them, in CSV or JSON"
            )
        for row in rows:
            if not row:
                continue
            if len(row) != len(COLUMNS):
                raise error(
                    f"{source}, line {rows.line_num}: must have the {len(COLUMNS)} "
                    f"cells {expected}, got {len(row)}; correct the line"
                )
            video, label, start, end, score = row
            entry = {"label": _plain(label), "segment": [start, end], "score": score}
            found.setdefault(_plain(video), []).append(entry)
    except csv.Error as fault:
        raise error(
            f"{source}, line {rows.line_num}: {fault}; correct the line, or write the "
            "file again"
        ) from None
    return found


def milliseconds(start_s: float, end_s: float) -> tuple[int, int]:
    """Return start and end in whole milliseconds, the end at least one later.

    Examples
    --------
    >>> milliseconds(1.0, 2.5), milliseconds(1.0, 1.0001)
    ((1000, 2500), (1000, 1001))
    """
    start = round(1000 * start_s)
    return start, max(round(1000 * end_s), start + 1)


def guarded(name: str) -> str:
    """Return a name that spreadsheets do not take for a formula."""
    return f"'{name}" if name.lstrip("'").startswith(FORMULA) else name


def _plain(name: str) -> str:
    """Return a name without the apostrophe that `guarded` put in front."""
    is_guarded = name[:1] == "'" and name.lstrip("'").startswith(FORMULA)
    return name[1:] if is_guarded else name
