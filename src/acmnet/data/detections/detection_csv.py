"""Detections as CSV for spreadsheets: a row for each detection, by video and time.

The functions here work on text; they open no file.
"""

import array
import csv
import io
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from acmnet.data.detections.detection_entries import entry_of, fault_of
from acmnet.data.tables.csv_tables import guarded, unguarded
from acmnet.files.text_files import lines_with_ends
from acmnet.messages import quoted
from acmnet.names import listed_twice, one_form
from acmnet.segments import Detections

COLUMNS: Final = ("video", "label", "start", "end", "score")
"""Columns of the table; ``start`` and ``end`` are in seconds."""


def csv_of(results: Mapping[str, Detections]) -> str:
    """Return detections as CSV, sorted by video, then by time.

    Times have three digits after the point, scores six in all. Videos without a
    detection have no row. Lines end with CR LF, as RFC 4180 says.

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
        for detection in results[video].by_time():
            start, end = milliseconds(detection.start_s, detection.end_s)
            times = (f"{start / 1000:.3f}", f"{end / 1000:.3f}")
            names = guarded(video), guarded(detection.label)
            writer.writerow((*names, *times, f"{detection.score:.6g}"))
    return text.getvalue()


def detections_of(source: str, text: str, error: type[ValueError]) -> dict[str, Any]:
    """Return the detections of a table as fields of a `DetectionFile`, by video.

    Raises
    ------
    error
        If the columns are not `COLUMNS`, a row has fewer or more cells, or a number is
        not finite.
    """
    columns = _Columns(source, error)
    rows = csv.reader(lines_with_ends(text), strict=True)
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
            columns.add(*row)
    except csv.Error as fault:
        raise error(
            f"{source}, line {rows.line_num}: {fault}; correct the line, or write the "
            "file again"
        ) from None
    return columns.fields()


class _Columns:
    """Collects rows in arrays, as there may be millions."""

    def __init__(self, source: str, error: type[ValueError]) -> None:
        self.source, self.error = source, error
        self.video: dict[str, int] = {}
        self.spelt: dict[str, str] = {}
        """Videos whose name is not in its composed Unicode form, as it is spelt."""
        self.label: dict[str, int] = {}
        self.video_index, self.label_index = array.array("i"), array.array("i")
        self.start_s, self.end_s = array.array("d"), array.array("d")
        self.score = array.array("d")

    def add(self, video: str, label: str, start: str, end: str, score: str) -> None:
        """Add a row."""
        video, label = unguarded(video), unguarded(label)
        name = one_form(video)
        number = self.video.setdefault(name, len(self.video))
        if name != video and number == len(self.video) - 1:
            self.spelt.setdefault(name, video)
        if self.spelt.get(name, name) != video:
            raise self.error(listed_twice(self.source, name))
        entry = entry_of(label, score, start, end)
        if entry is None:
            index = self.video_index.count(number)
            given = {"label": label, "segment": [start, end], "score": score}
            raise self.error(
                f"{self.source}: video {video!r}, entry {index}: {fault_of(given)}"
            )
        self.video_index.append(number)
        index = self.label.setdefault(entry.label, len(self.label))
        self.label_index.append(index)
        self.start_s.append(entry.start_s)
        self.end_s.append(entry.end_s)
        self.score.append(entry.score)

    def fields(self) -> dict[str, Any]:
        """Return the fields of a `DetectionFile`; detections are sorted by video."""
        order = np.argsort(np.array(self.video_index), kind="stable")
        labels = np.array(self.label_index, np.int64)[order]
        used, first = np.unique(labels, return_index=True)
        in_order = used[np.argsort(first)]
        new_index = np.zeros(len(self.label), np.int64)
        new_index[in_order] = np.arange(len(in_order))
        names = tuple(self.label)
        return {
            "source": self.source,
            "video_ids": tuple(self.video),
            "labels": tuple(names[i] for i in in_order.tolist()),
            "video_index": np.array(self.video_index, np.int64)[order],
            "label_index": new_index[labels],
            "start_s": np.array(self.start_s)[order],
            "end_s": np.array(self.end_s)[order],
            "score": np.array(self.score)[order],
        }


def milliseconds(start_s: float, end_s: float) -> tuple[int, int]:
    """Return start and end in whole milliseconds, the end at least one later.

    Examples
    --------
    >>> milliseconds(1.0, 2.5), milliseconds(1.0, 1.0001)
    ((1000, 2500), (1000, 1001))
    """
    start = round(1000 * start_s)
    return start, max(round(1000 * end_s), start + 1)
