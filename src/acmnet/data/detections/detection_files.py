"""Read and write detection files: which action was found in which video, and when.

The format is ActivityNet's results JSON, which evaluation programs commonly read::

    {"version": "...", "external_data": {...},
     "results": {"a_video": [{"label": "jump", "score": 0.9, "segment": [1.0, 2.5]}]}}

Nothing here knows which network made the detections or what they are compared with.
"""

import json
import reprlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from acmnet.data.detections.arrow_detections import (
    read_arrow_detections,
    write_arrow_detections,
)
from acmnet.data.detections.detection_arrays import DetectionFile
from acmnet.data.detections.detection_arrays import (
    DetectionFileError as DetectionFileError,
)
from acmnet.data.detections.detection_csv import detections_of
from acmnet.data.detections.detection_entries import EXAMPLE_ENTRY, EntryColumns, faults
from acmnet.data.tables.arrow_files import is_arrow
from acmnet.files.file_access import FileError, written_whole
from acmnet.files.strict_json import outline, parse_json
from acmnet.files.text_files import read_text
from acmnet.names import listed_twice, one_form
from acmnet.segments import Detections

VERSION = "acmnet"
"""Value of ``version`` in the files written here; nothing reads it."""

KIND = "detection file"
SUBTITLES: Final = (".srt", ".vtt")
"""Suffixes of files of subtitles, which are not read back."""
EMPTY = 'a file without detections is {"results": {}}'
"""What messages on an empty file advise."""


def read_detections(path: str | Path) -> DetectionFile:
    """Read a detection file in ActivityNet's results format.

    Parameters
    ----------
    path : str or Path
        JSON in UTF-8, a CSV file that `acmnet.data.detections.detection_csv` wrote, or
        a Parquet or Arrow file with the same columns
        (`acmnet.data.detections.arrow_detections`), which is the one for millions of
        detections. Times are in seconds. Times and scores may be numbers or text.
        ``version`` and unknown fields are ignored. Names of videos and labels are
        brought to their composed Unicode form.

    Returns
    -------
    DetectionFile
        The detections in the file's order, which decides between equal scores. A
        detection that does not end after it starts is among them; evaluation counts
        and drops it.

    Raises
    ------
    DetectionFileError
        If the file cannot be read, names a video twice, or has an entry without a
        label, a finite score, and a segment of two finite times.
    """
    source, suffix = str(path), Path(path).suffix.lower()
    if suffix in SUBTITLES:
        raise DetectionFileError(
            f"{source} holds subtitles, which round their scores; give the detections "
            "as JSON or CSV, which acmnet localize writes beside them: --out found.json"
        )
    if is_arrow(path):
        return read_arrow_detections(Path(path))
    text = read_text(Path(path), KIND, DetectionFileError, EMPTY)
    if suffix == ".csv":
        return DetectionFile(**detections_of(source, text, DetectionFileError))
    columns = EntryColumns()
    content = parse_json(
        source, text, KIND, DetectionFileError, _is_video, columns.compact
    )
    del text  # as large as all that was read from it
    results, external_data = _parts(source, content, columns)
    results = _in_one_form(source, results)
    try:
        return _gathered(source, results, external_data, columns)
    except (KeyError, TypeError, ValueError, OverflowError):
        raise DetectionFileError(next(faults(source, results))) from None


def _parts(
    source: str, content: object, columns: EntryColumns
) -> tuple[dict[str, list[Any]], dict[str, object]]:
    """Return the entries by video and the external data; refuse what is neither."""
    results = content.get("results") if isinstance(content, dict) else None
    if not isinstance(content, dict) or not isinstance(results, dict):
        if isinstance(content, dict) and "database" in content:
            raise DetectionFileError(
                f"{source} is a label file, which holds no detections; give a file of "
                "detections, as acmnet localize --out writes it"
            )
        raise DetectionFileError(
            f"{source} must be a JSON object with 'results' by video, got "
            f"{outline(content, 'results')}; wrap the detections as "
            f'{{"results": {{"a_video": [{EXAMPLE_ENTRY}]}}}}'
        )
    external_data = columns.restored(content.get("external_data") or {})
    if not isinstance(external_data, dict):
        raise DetectionFileError(
            f"{source}: external_data must be an object, got "
            f"{reprlib.repr(external_data)}; correct it or leave it out"
        )
    for video, entries in results.items():
        if not isinstance(entries, list):
            raise DetectionFileError(
                f"{source}: video {video!r} must have a list of detections, got "
                f"{reprlib.repr(columns.restored(entries))}; write [] for a video "
                "without any"
            )
    return results, external_data


def _in_one_form(source: str, results: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
    """Return the entries by each video's name in its composed Unicode form."""
    by_name: dict[str, list[Any]] = {}
    for video, entries in results.items():
        if by_name.setdefault(one_form(video), entries) is not entries:
            raise DetectionFileError(listed_twice(source, one_form(video)))
    return by_name


def _is_video(key: str, value: object) -> bool:
    """Whether a repeated key's value looks like a video's list of entries."""
    return isinstance(value, list) and key != "segment"


def _gathered(
    source: str,
    results: Mapping[str, list[Any]],
    external_data: Mapping[str, object],
    columns: EntryColumns,
) -> DetectionFile:
    """Return all entries as arrays.

    An entry that cannot be used raises an error that does not say which one it is;
    `acmnet.data.detections.detection_entries.faults` finds that.
    """
    rows = columns.rows_of([entry for entries in results.values() for entry in entries])
    labels, label_index = columns.labels_of(rows)
    return DetectionFile(
        source=source,
        video_ids=tuple(results),
        labels=labels,
        video_index=np.repeat(
            np.arange(len(results)), [len(entries) for entries in results.values()]
        ),
        label_index=label_index,
        external_data=external_data,
        **columns.numbers_of(rows),
    )


def write_detections(
    path: str | Path,
    results: Mapping[str, Detections],
    *,
    external_data: Mapping[str, object] | None = None,
) -> None:
    """Write detections by video in ActivityNet's results format, or as a table.

    Videos are sorted by id, and their detections by time. Times and scores are written
    so that `read_detections` returns exactly equal numbers. The file is written under a
    temporary name in the same folder and then renamed, so ``path`` is never half
    written.

    Parameters
    ----------
    path : str or Path
        The file; its folder is made if it is missing. With the suffix of a Parquet or
        Arrow file it is one; else it is JSON.
    results : mapping from video id to Detections
        A video without detections is written with an empty list.
    external_data : mapping, optional
        Which data beyond the benchmark's was used, in values that JSON can hold.

    Raises
    ------
    DetectionFileError
        If the file cannot be written, or ``external_data`` cannot be put in JSON.
    """
    path = Path(path)
    try:
        extra = json.dumps(dict(external_data or {}), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise DetectionFileError(
            f"external_data must be what JSON can hold: {error}; pass text, numbers, "
            "lists and mappings"
        ) from error
    try:
        if is_arrow(path):
            in_order = {
                v: detections.by_time() for v, detections in sorted(results.items())
            }
            file = DetectionFile.of(in_order, external_data=external_data)
            write_arrow_detections(path, file)
            return
        with (
            written_whole(path) as part,
            part.open("w", encoding="utf-8", newline="\n") as text,
        ):
            text.write(f'{{"version": "{VERSION}", "external_data": {extra},\n')
            text.write('"results": {')
            separator = "\n"
            for video, detections in sorted(results.items()):
                text.write(f"{separator}{json.dumps(video)}: {_entries(detections)}")
                separator = ",\n"
            text.write("\n}}\n")
    except FileError as error:
        raise DetectionFileError(str(error)) from error


def _entries(detections: Detections) -> str:
    """Return one video's detections as JSON; each float in its shortest exact form."""
    detections = detections.by_time()
    columns = (
        detections.class_index,
        detections.score,
        detections.start_s,
        detections.end_s,
    )
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return json.dumps(
        [
            {
                "label": detections.class_names[c],
                "score": score,
                "segment": [start, end],
            }
            for c, score, start, end in rows
        ]
    )
