"""DeepLabCut's tracks: its CSV files and the pandas tables in its HDF5 files.

Both have one column per number under three or four rows of headers: ``scorer``,
``individuals`` (only of projects with several animals), ``bodyparts`` and ``coords``
(``x``, ``y``, ``likelihood``; ``x``, ``y``, ``z`` after triangulation). Neither file
states a frame rate.

References
----------
https://deeplabcut.github.io/DeepLabCut/docs/standardDeepLabCut_UserGuide.html, "How to
analyze videos". HDF5 files hold what ``DataFrame.to_hdf(file, key="df_with_missing",
format="table")`` of pandas writes, or, converted from CSV, its format ``fixed``.
"""

import io
import math
import pickle
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, NoReturn

import h5py
import numpy as np
import numpy.typing as npt

from acmnet.data.tracks.number_tables import NumberTable
from acmnet.data.tracks.tracks import TrackError, Tracks, frames_of_video, refuse_size
from acmnet.messages import quoted, some

LEAST_LIKELIHOOD: Final = 0.6
"""``pcutoff`` of DeepLabCut's configuration, below which it shows no point."""
LEVELS: Final = ("scorer", "individuals", "bodyparts", "coords")
AXES: Final = ("x", "y", "z")
LIKELIHOOD: Final = "likelihood"
ONLY_INDIVIDUAL: Final = "individual"
"""Name of the one individual of a project with a single animal."""
NO_INDIVIDUAL: Final = "single"
"""What DeepLabCut calls the "individual" of body parts that belong to no animal, such
as corners of the arena."""


_FRAME: Final = re.compile(r"(?:.*[^\d.])?(\d+)(?:\.0|\.\w*[a-z]\w*)?", re.IGNORECASE)


class _Column(NamedTuple):
    """What one column of numbers is."""

    individual: str
    point: str
    coordinate: str


def is_deeplabcut_table(table: NumberTable) -> bool:
    """Return whether a text table has DeepLabCut's rows of headers."""
    return [row[0].lower() for row in table.header(2)][:1] == ["scorer"]


def read_deeplabcut_csv(table: NumberTable) -> Tracks:
    """Return the tracks of a CSV file of DeepLabCut.

    Raises
    ------
    TrackError
        If a row of headers is missing, a cell is no number, or no point has an x and
        a y.
    """
    rows = {row[0].lower(): row[1:] for row in table.header(len(LEVELS))}
    levels = [rows[name] for name in LEVELS if name in rows]
    if "bodyparts" not in rows or "coords" not in rows:
        raise TrackError(
            f"{table.path} begins like a file of DeepLabCut but has no rows "
            f"'bodyparts' and 'coords' (it has {some(list(rows))}); save it with "
            "DeepLabCut again"
        )
    if not levels[0][0]:  # folders and pictures in columns before the points
        _refuse_pictures(table.path)
    columns = [_column(names) for names in zip(*levels, strict=False)]
    values = table.numbers(range(1, len(columns) + 1), len(levels))
    frames = [_frame(cell) for cell in table.texts(0, len(levels))]
    return _tracks(str(table.path), columns, values, np.array(frames))


def read_deeplabcut_hdf5(path: Path, file: h5py.File) -> Tracks | None:
    """Return the tracks of an HDF5 file of DeepLabCut; None where it is another kind.

    Raises
    ------
    TrackError
        If the table in it is not as pandas writes it.
    """
    for group in file.values():
        kind = group.attrs.get("pandas_type", b"")
        if isinstance(group, h5py.Group) and kind in (b"frame_table", "frame_table"):
            return _tracks(str(path), *_appendable_table(path, group))
        if isinstance(group, h5py.Group) and kind in (b"frame", "frame"):
            return _tracks(str(path), *_fixed_table(path, group))
    return None


def _frame(cell: str) -> float:
    """Return the frame that a row's first cell names: a number, or a picture's name.

    Examples
    --------
    >>> _frame("12"), _frame("labeled-data/mouse/img0012.png")
    (12.0, 12.0)
    """
    match = _FRAME.fullmatch(cell)
    return float(match[1]) if match else math.nan


def _column(names: Sequence[Any]) -> _Column:
    """Return what a column's headers, scorer first, say."""
    individual = str(names[1]) if len(names) == len(LEVELS) else ONLY_INDIVIDUAL
    return _Column(individual, str(names[-2]), str(names[-1]).lower())


_Table = tuple[list[_Column], npt.NDArray[np.float64], npt.NDArray[np.float64]]
"""Columns, (rows, columns) values, and the frame number of each row."""


def _appendable_table(path: Path, group: h5py.Group) -> _Table:
    """Return a table that pandas wrote with ``format="table"``."""
    table = group.get("table")
    names = table.dtype.names if isinstance(table, h5py.Dataset) else None
    blocks = [name for name in names or () if name.startswith("values_block_")]
    if not blocks:
        _refuse_table(path)
    columns: list[_Column] = []
    values = []
    for block in blocks:
        refuse_size((len(table), *table.dtype[block].shape))
        stored = table.attrs.get(f"{block}_kind", b"")
        columns += [_column(levels) for levels in _plain_values(path, stored)]
        values.append(np.asarray(table.fields(block)[:], np.float64))
    index = np.asarray(table.fields("index")[:])
    return _checked(path, columns, np.concatenate(values, axis=1), index)


def _fixed_table(path: Path, group: h5py.Group) -> _Table:
    """Return a table that pandas wrote in its format ``fixed``."""
    columns: list[_Column] = []
    values = []
    for block in range(int(group.attrs.get("nblocks", 0))):
        levels = []
        for level in range(int(group.attrs.get(f"block{block}_items_nlevels", 0))):
            names = group[f"block{block}_items_level{level}"][:]
            codes = group[f"block{block}_items_label{level}"][:]
            if names.dtype.kind != "S" or codes.dtype.kind not in "iu":
                _refuse_table(path)
            levels.append([names[code].decode() for code in codes])
        held = group[f"block{block}_values"]
        refuse_size(held.shape)
        columns += [_column(levels_of) for levels_of in zip(*levels, strict=True)]
        values.append(np.asarray(held[:], np.float64))
    if "axis1" not in group:  # several levels: folders and pictures
        _refuse_pictures(path)
    if not columns:
        _refuse_table(path)
    return _checked(path, columns, np.concatenate(values, axis=1), group["axis1"][:])


def _checked(
    path: Path,
    columns: list[_Column],
    values: npt.NDArray[np.float64],
    index: npt.NDArray[Any],
) -> _Table:
    """Return a table whose parts fit each other."""
    fits = values.shape == (len(index), len(columns))
    if not fits or index.dtype.kind not in "iuf":
        _refuse_table(path)
    return columns, values, index.astype(np.float64)


def _refuse_table(path: Path) -> NoReturn:
    raise TrackError(
        f"{path} holds a pandas table that is none of DeepLabCut's; convert it to CSV "
        "with deeplabcut.analyze_videos_converth5_to_csv and name that file"
    )


def _refuse_pictures(path: Path) -> NoReturn:
    raise TrackError(
        f"{path} holds the pictures that were labelled to train DeepLabCut, not the "
        "tracks of a recording; name the file that deeplabcut.analyze_videos wrote"
    )


class _PlainValues(pickle.Unpickler):
    """Reads lists, tuples, texts and numbers; nothing that could run code."""

    def find_class(self, module: str, name: str) -> NoReturn:
        """Refuse every class and function."""
        raise pickle.UnpicklingError(f"it asks for {module}.{name}")


def _plain_values(path: Path, stored: object) -> Iterable[tuple[Any, ...]]:
    """Return the headers of columns, which PyTables keeps pickled.

    A pickle can run code only through a class or function that it names;
    `_PlainValues` refuses all of them.
    """
    content = stored if isinstance(stored, bytes) else str(stored).encode()
    try:
        values = _PlainValues(io.BytesIO(content)).load()
    except Exception as error:  # noqa: BLE001 - a damaged pickle raises anything
        raise TrackError(
            f"{path}: the headers of its columns cannot be read ({error}); convert it "
            "to CSV with deeplabcut.analyze_videos_converth5_to_csv"
        ) from None
    is_table = isinstance(values, list) and all(
        isinstance(names, tuple) and len(names) in (3, 4) for names in values
    )
    if not is_table:
        _refuse_table(path)
    headers: list[tuple[Any, ...]] = values
    return headers


def _tracks(
    source: str,
    columns: list[_Column],
    values: npt.NDArray[np.float64],
    frames: npt.NDArray[np.float64],
) -> Tracks:
    """Return columns and rows as tracks; missing frame numbers become gaps."""
    animals = {c.individual for c in columns} - {NO_INDIVIDUAL} or {NO_INDIVIDUAL}
    kept = [c for c in columns if c.individual in animals]
    individuals = tuple(dict.fromkeys(c.individual for c in kept))
    points = tuple(dict.fromkeys(c.point for c in kept))
    axes = AXES[: 3 if any(c.coordinate == "z" for c in kept) else 2]
    _refuse_columns(source, columns, kept)
    rows = _rows(source, frames)
    shape = (int(rows.max()) + 1, len(individuals), len(points), len(axes))
    refuse_size(shape)
    positions = np.full(shape, np.nan, np.float32)
    likelihood = np.full(shape[:3], np.nan, np.float32)
    for column, numbers in zip(columns, values.T, strict=True):
        if column.individual not in animals:
            continue
        place = individuals.index(column.individual), points.index(column.point)
        if column.coordinate in axes:
            positions[(rows, *place, axes.index(column.coordinate))] = numbers
        elif column.coordinate == LIKELIHOOD:
            likelihood[(rows, *place)] = numbers
    has_likelihood = bool(np.isfinite(likelihood).any())
    return Tracks(
        positions,
        points,
        individuals,
        likelihood if has_likelihood else None,
        LEAST_LIKELIHOOD,
    )


def _refuse_columns(source: str, columns: list[_Column], kept: list[_Column]) -> None:
    """Refuse columns that are no places, or are there twice."""
    coordinates = {c.coordinate for c in kept}
    if missing := [axis for axis in ("x", "y") if axis not in coordinates]:
        raise TrackError(
            f"{source}: no column has the coordinate {' or '.join(missing)} (it has "
            f"{some(sorted({c.coordinate for c in columns}))}); is it the right file?"
        )
    seen: set[_Column] = set()
    for column in kept:
        if column in seen:
            raise TrackError(
                f"{source}: two columns are the {column.coordinate} of "
                f"{quoted(column.point)} of {quoted(column.individual)}; take one out"
            )
        seen.add(column)


def _rows(source: str, frames: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Return the frame of each row, which must come in their order."""
    rows = frames_of_video(source, frames, "the frames in its first column")
    back = np.flatnonzero(np.diff(rows) <= 0)
    if back.size:
        i = int(back[0])
        raise TrackError(
            f"{source}: frame {rows[i + 1]} follows frame {rows[i]}, but frames must "
            "rise from row to row; sort the rows, and keep one of each frame"
        )
    return rows
