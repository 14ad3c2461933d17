"""Detections as a Parquet or Arrow table: a row for each of them.

The columns are those of the CSV files: ``video`` and ``label`` are texts, ``start`` and
``end`` are seconds, ``score`` is a number. A row with nothing but a video states that
the video has no detection. What holds for the whole file, its ``external_data``, is in
the metadata of the table.
"""

import math
from pathlib import Path
from typing import Final

import numpy as np

from acmnet.data.detections.detection_arrays import DetectionFile, DetectionFileError
from acmnet.data.detections.detection_csv import COLUMNS
from acmnet.data.tables.arrow_files import (
    ArrowTable,
    Names,
    named_column,
    needed_library,
    number_column,
    numbers_of,
    write_arrow,
)
from acmnet.limits import LARGEST_SECONDS
from acmnet.messages import quoted
from acmnet.segments import BoolArray, FloatArray, IntArray

KIND: Final = "detection file"
TEXTS: Final = COLUMNS[:2]
NUMBERS: Final = COLUMNS[2:]


def read_arrow_detections(path: Path) -> DetectionFile:
    """Read detections from a Parquet or Arrow file, without an object for each.

    Returns
    -------
    DetectionFile
        The detections in the order of the rows. Videos are in the order in which rows
        first name them.

    Raises
    ------
    DetectionFileError
        If the file cannot be read, lacks a column, or a row has a cell that is blank or
        out of range.
    """
    table = ArrowTable(
        path, KIND, texts=TEXTS, numbers=NUMBERS, error=DetectionFileError
    )
    external_data = table.note().get("external_data", {})
    if not isinstance(external_data, dict):
        raise DetectionFileError(
            f"{path}: external_data in its metadata must be an object; write it again"
        )
    n = table.n_rows()
    indices = np.empty((2, n), np.int64)  # of each row's video and label
    values = np.empty((3, n), np.float64)  # start, end and score
    videos, labels = Names(path, DetectionFileError), Names(path)
    size = row = 0  # of the detections so far, and of the rows
    for batch in table.batches():
        both = videos.index(batch["video"]), labels.index(batch["label"])
        video, label = both
        numbers = np.stack([numbers_of(batch[name]) for name in NUMBERS])
        is_blank = (label < 0) & np.isnan(numbers).all(axis=0)
        _refuse_unusable(path, row, videos, both, numbers, is_blank)
        kept = ~is_blank
        place = slice(size, size + int(kept.sum()))
        indices[0, place], indices[1, place] = video[kept], label[kept]
        values[:, place] = numbers[:, kept]
        size, row = place.stop, row + len(video)
    start_s, end_s, score = values[:, :size]
    return DetectionFile(
        source=str(path),
        video_ids=tuple(videos.distinct),
        labels=tuple(labels.distinct),
        video_index=indices[0, :size],
        label_index=indices[1, :size],
        start_s=start_s,
        end_s=end_s,
        score=score,
        external_data=external_data,
    )


def write_arrow_detections(path: Path, file: DetectionFile) -> None:
    """Write detections as a Parquet or Arrow file, whole or not at all.

    Reading the file returns equal detections in the same order. Videos without a
    detection have a row each, after all others.
    """
    needed_library(path, DetectionFileError)
    without = np.ones(len(file.video_ids), np.bool_)
    without[file.video_index] = False
    extra = np.flatnonzero(without)
    blank = np.full(len(extra), np.nan)
    columns = {
        "video": named_column(
            file.video_ids, np.concatenate([file.video_index, extra])
        ),
        "label": named_column(
            file.labels, np.concatenate([file.label_index, np.full(len(extra), -1)])
        ),
        "start": number_column(np.concatenate([file.start_s, blank])),
        "end": number_column(np.concatenate([file.end_s, blank])),
        "score": number_column(np.concatenate([file.score, blank])),
    }
    note = {"external_data": dict(file.external_data)}
    write_arrow(path, columns, note, DetectionFileError)


def _refuse_unusable(
    path: Path,
    row: int,
    videos: Names,
    indices: tuple[IntArray, IntArray],
    numbers: FloatArray,
    is_blank: BoolArray,
) -> None:
    """Refuse the first row that has a blank cell, or a number that is out of range.

    Parameters
    ----------
    path : Path
        The file, for the message.
    row : int
        Number of rows before these.
    videos : Names
        The videos, for the message.
    indices : arrays of shape (n,)
        Index of each row's video and label; -1 for a blank.
    numbers : array of shape (3, n)
        Start, end and score of each row.
    is_blank : array of shape (n,)
        Whether a row has nothing but a video.
    """
    video, label = indices
    times_fit = (np.abs(numbers[:2]) <= LARGEST_SECONDS).all(axis=0)
    fits = times_fit & np.isfinite(numbers[2]) & (label >= 0)
    bad = (video < 0) | ~(fits | is_blank)
    if not bad.any():
        return
    i = int(bad.argmax())
    where = f"{path}, row {row + i + 1}"
    if video[i] < 0:
        raise DetectionFileError(f"{where}: video is blank; name it or remove the row")
    where += f", video {quoted(videos.distinct[video[i]])}"
    if label[i] < 0:
        raise DetectionFileError(f"{where}: label is blank; name the action")
    for name, value in zip(NUMBERS, numbers[:, i].tolist(), strict=True):
        is_time = name != "score"
        if not math.isfinite(value) or (is_time and abs(value) > LARGEST_SECONDS):
            what = f"within {LARGEST_SECONDS:,.0f} s of 0" if is_time else "finite"
            got = "a blank" if math.isnan(value) else f"{value:g}"
            raise DetectionFileError(
                f"{where}: {name} must be {what}, got {got}; correct it or remove the "
                "row"
            )
