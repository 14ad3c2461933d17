"""Detections and labels to and from tables in memory: arrays, pandas, polars, Arrow.

A table is anything with named columns: a mapping of arrays or lists, a DataFrame of
pandas or polars, or a table of pyarrow. Columns have the names that they have in CSV
and Parquet files. Neither pandas nor polars is imported until it is requested.
"""

import csv
import importlib
import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from acmnet.data.detections.detection_arrays import DetectionFile, DetectionFileError
from acmnet.data.detections.detection_csv import COLUMNS
from acmnet.data.label_files import annotations_of_table, refuse_row
from acmnet.data.labels.annotations import Annotations
from acmnet.data.labels.tables.label_columns import column_meaning
from acmnet.limits import LARGEST_SECONDS, finite
from acmnet.messages import quoted, some
from acmnet.names import one_form
from acmnet.segments import Detections

if TYPE_CHECKING:
    import pandas
    import polars

SOURCE: Final = "the table"
"""What messages call a table in memory."""
COLUMN_SYNONYMS: Final = {
    "video": ("video_id",),
    "start": ("start_s",),
    "end": ("end_s",),
    "label": ("class_name",),
    "score": ("confidence",),
}
"""Other names by which columns of detections are known."""

Columns = dict[str, npt.NDArray[Any]]


def detections_to_arrays(results: Mapping[str, Detections]) -> Columns:
    """Return detections as parallel arrays by the names `COLUMNS`.

    Parameters
    ----------
    results : mapping from video id to Detections
        Videos without detections leave no trace.

    Returns
    -------
    dict of str to array of shape (N,)
        ``video`` and ``label`` hold text, ``start`` and ``end`` seconds, and ``score``
        numbers. Rows are in the order of the videos, and then of their detections.

    Examples
    --------
    >>> found = Detections.of(["jump"], [(1.0, 2.5, 0.9, 0)])
    >>> {name: x.tolist() for name, x in detections_to_arrays({"a": found}).items()}
    {'video': ['a'], 'label': ['jump'], 'start': [1.0], 'end': [2.5], 'score': [0.9]}
    """
    file = DetectionFile.of(results)
    names = np.array(file.video_ids, dtype=object), np.array(file.labels, dtype=object)
    return {
        "video": names[0][file.video_index],
        "label": names[1][file.label_index],
        "start": file.start_s,
        "end": file.end_s,
        "score": file.score,
    }


def detections_to_pandas(results: Mapping[str, Detections]) -> "pandas.DataFrame":
    """Return detections as a DataFrame of pandas; see `detections_to_arrays`.

    Raises
    ------
    DetectionFileError
        If pandas is not installed.
    """
    frame: pandas.DataFrame = _library("pandas").DataFrame(
        detections_to_arrays(results)
    )
    return frame


def detections_to_polars(results: Mapping[str, Detections]) -> "polars.DataFrame":
    """Return detections as a DataFrame of polars; see `detections_to_arrays`.

    Raises
    ------
    DetectionFileError
        If polars is not installed.
    """
    library = _library("polars")
    columns = detections_to_arrays(results)
    for name in ("video", "label"):
        columns[name] = library.Series(name, columns[name].tolist(), library.String)
    frame: polars.DataFrame = library.DataFrame(columns)
    return frame


def detections_from_table(table: Any) -> dict[str, Detections]:
    """Return the detections of a table by video, in the order of the rows.

    Parameters
    ----------
    table : mapping of arrays, or DataFrame of pandas or polars, or pyarrow.Table
        With the columns `COLUMNS`, or the names in `COLUMN_SYNONYMS`; others are
        ignored.

    Returns
    -------
    dict of str to Detections
        All have the same class names: those of the table, sorted.

    Raises
    ------
    DetectionFileError
        If a column is missing, or a row has a blank name, a number that is not finite,
        or an end that is not after its start. The message names the row, from 1.

    Examples
    --------
    >>> table = {"video": ["a"], "label": ["run"], "start": [1.0], "end": [2.5]}
    >>> [one.end_s for one in detections_from_table({**table, "score": [0.9]})["a"]]
    [2.5]
    """
    held = _named_columns(table)
    columns = {name: _values(table, _place(held, name)) for name in COLUMNS}
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        raise DetectionFileError(
            f"{SOURCE}: columns must have one length, got {lengths}; correct them"
        )
    videos, labels = (_texts(name, columns[name]) for name in COLUMNS[:2])
    start, end, score = (_numbers(name, columns[name]) for name in COLUMNS[2:])
    empty = end <= start
    if empty.any():
        i = int(empty.argmax())
        raise DetectionFileError(
            f"{SOURCE}, row {i + 1}, video {quoted(videos[i])}: a detection must end "
            f"after it starts, got {start[i]:g} to {end[i]:g}; correct it or leave it "
            "out"
        )
    names = tuple(sorted(set(labels)))
    place = {name: c for c, name in enumerate(names)}
    class_index = np.array([place[x] for x in labels], np.int64)
    rows: dict[str, list[int]] = {}
    for i, video in enumerate(videos):
        rows.setdefault(video, []).append(i)
    return {
        video: Detections(
            start_s=start[of_video],
            end_s=end[of_video],
            score=score[of_video],
            class_index=class_index[of_video],
            class_names=names,
        )
        for video, of_video in rows.items()
    }


def annotations_from_table(table: Any) -> Annotations:
    """Return the labels of a table, as a file with the same columns would be read.

    Parameters
    ----------
    table : mapping of arrays, or DataFrame of pandas or polars, or pyarrow.Table
        With a column of videos and one of labels, and any of subset, duration, start,
        end and kind, by the names that tables of labels may have. A cell of labels is
        text, in which ``|`` separates labels, or a list.

    Raises
    ------
    AnnotationError
        If the columns or a row make no sense. Messages count lines as in a file, whose
        first line has the names of the columns.

    Examples
    --------
    >>> table = {"video": ["a.mp4", "b.mp4"], "labels": ["jump|run", None]}
    >>> {k: v.labels for k, v in annotations_from_table(table).videos.items()}
    {'a': ('jump', 'run'), 'b': ()}
    """
    held = [x for x in _named_columns(table) if column_meaning(x) is not None]
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(held)
    columns = [_values(table, name) for name in held]
    for row in zip(*columns, strict=True):
        writer.writerow([_cell(value) for value in row])
    return annotations_of_table(SOURCE, text.getvalue().encode(), refuse_row)


def _library(name: str) -> Any:
    """Import pandas or polars, or say how it is installed."""
    try:
        return importlib.import_module(name)
    except ImportError:
        raise DetectionFileError(
            f"{name} is not installed: pip install 'acmnet[tables]', or take "
            "detections_to_arrays"
        ) from None


def _named_columns(table: Any) -> list[str]:
    """Return the names of the columns of a table."""
    columns = getattr(table, "column_names", None)  # of pyarrow
    if columns is None:
        columns = getattr(table, "columns", None)  # of pandas and polars
    if columns is None and isinstance(table, Mapping):
        columns = table
    if columns is None:
        raise DetectionFileError(
            "a table must be a mapping of columns, or a DataFrame of pandas, polars "
            f"or pyarrow, got a {type(table).__name__}"
        )
    return [str(name) for name in columns]


def _place(held: Sequence[str], name: str) -> str:
    """Return which column of a table holds what ``name`` stands for."""
    for known in (name, *COLUMN_SYNONYMS[name]):
        if known in held:
            return known
    raise DetectionFileError(
        f"{SOURCE} must have a column {name!r}, got {some(list(held)) or 'none'}; "
        f"detections have the columns {', '.join(COLUMNS)}"
    )


def _values(table: Any, name: str) -> list[Any]:
    """Return the values of a column."""
    column = table[name]
    for method in ("to_pylist", "to_list", "tolist"):  # pyarrow, polars, numpy
        if hasattr(column, method):
            return list(getattr(column, method)())
    return list(column)


def _texts(name: str, values: Sequence[Any]) -> list[str]:
    """Return names in their composed Unicode form."""
    for i, value in enumerate(values):
        if not isinstance(value, str) or not value.strip():
            raise DetectionFileError(
                f"{SOURCE}, row {i + 1}: {name} must be a name, got {value!r}; name it "
                "or leave the row out"
            )
    return [one_form(value) for value in values]


def _numbers(name: str, values: Sequence[Any]) -> npt.NDArray[np.float64]:
    """Return numbers; times within `LARGEST_SECONDS` of 0."""
    most = np.inf if name == "score" else LARGEST_SECONDS
    for i, value in enumerate(values):
        number = finite(value.item() if isinstance(value, np.generic) else value)
        if number is None or abs(number) > most:
            raise DetectionFileError(
                f"{SOURCE}, row {i + 1}: {name} must be a finite number, got "
                f"{value!r}; correct it or leave the row out"
            )
    return np.array(values, dtype=np.float64)


def _cell(value: Any) -> str:
    """Return a value as a cell of a CSV file; empty for a blank."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, str):
        return value
    if isinstance(value, list | tuple | np.ndarray):
        return "|".join(map(str, value))
    # None, and NaN and pandas.NA, which do not equal themselves
    if value is None or not _equals_itself(value):
        return ""
    return repr(value) if isinstance(value, int | float) else str(value)


def _equals_itself(value: object) -> bool:
    try:
        return bool(value == value)
    except TypeError:  # pandas.NA
        return False
