"""Landmark tables: CSV of MediaPipe, Kinect, sleap-io and others.

`acmnet.data.tracks.landmark_columns` states how their columns may be named.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt

from acmnet.data.tracks.landmark_columns import AXES, SURE, LandmarkColumns, columns_of
from acmnet.data.tracks.number_tables import NumberTable, cells_of
from acmnet.data.tracks.tracks import TrackError, Tracks, frames_of_video, refuse_size
from acmnet.limits import finite
from acmnet.messages import quoted, some

LEAST_LIKELIHOOD: Final = 0.5
"""``min_tracking_confidence`` of MediaPipe; an inferred joint of Kinect has 0.5."""
LEAST_LIKELIHOOD_OF_NODES: Final = 0.2
"""As of SLEAP, whose points are called nodes and whose individuals are instances."""
STATES: Final[Mapping[str, float]] = {
    "nottracked": 0.0,
    "inferred": 0.5,
    "tracked": 1.0,
}
LONGEST_PREAMBLE: Final = 64
"""Lines that may stand before the header: recorders and EthoVision, with about 40 of
them, write settings there."""
UNITS_OF_TIME: Final = ("s", "ms", "us", "µs")
"""Units that a line below the header may state, as EthoVision writes them."""

Rows = npt.NDArray[np.int64]


def read_landmark_table(table: NumberTable, *, needs_clock: bool) -> Tracks:
    """Return the tracks of a table whose columns are named as above.

    Parameters
    ----------
    table : NumberTable
        The file.
    needs_clock : bool
        False where the frame rate is given otherwise: then a column of times whose
        unit is not known serves only to tell which rows are one frame.

    Raises
    ------
    TrackError
        If no point has an x and a y, a cell is no number, rows cannot be told apart,
        or the unit of the times is not known.
    """
    columns = _usable_columns(table, needs_clock)
    rows, times = _frame_rows(table, columns)
    owners, individuals = _owners(table, columns, len(rows))
    points = tuple(
        dict.fromkeys(columns.side_by_side.get(x, ("", x))[1] for x in columns.own)
    )
    part = np.zeros(len(rows), np.int64)
    if columns.point is not None:
        part, points = _keys(table, columns.point, "point")
    _refuse_repeated(table, rows, owners, part, columns)
    axes = AXES[: 3 if all((p, "z") in columns.coordinates for p in columns.own) else 2]
    shape = (int(rows.max()) + 1, len(individuals), len(points), len(axes))
    refuse_size(shape)
    positions = np.full(shape, np.nan, np.float32)
    likelihood = np.full(shape[:3], np.nan, np.float32)
    for name in columns.own:
        body, point = columns.side_by_side.get(name, ("", name))
        place = part if columns.point is not None else part + points.index(point)
        held = table.numbers([columns.coordinates[name, axis] for axis in axes], 1)
        known = np.isfinite(held).any(axis=1)
        at = rows[known], owners[body][known], place[known]
        positions[at] = held[known]
        if (name, SURE) in columns.coordinates:
            sure = columns.coordinates[name, SURE]
            likelihood[at] = _sureness(table, sure, columns.is_state)[known]
    is_sleap = bool(columns.side_by_side and columns.tracks) or _is_node(table, columns)
    return Tracks(
        positions,
        points,
        individuals,
        likelihood if np.isfinite(likelihood).any() else None,
        LEAST_LIKELIHOOD_OF_NODES if is_sleap else LEAST_LIKELIHOOD,
        times_s=times,
        are_fragments=len(individuals) > 1 or columns.individual is not None,
    )


def _usable_columns(table: NumberTable, needs_clock: bool) -> LandmarkColumns:
    """Return what each column holds; refuse a table without points or clock."""
    columns = _after_preamble(table)
    header = table.header()[0]
    if not columns.coordinates:
        raise TrackError(
            f"{table.path} is no file of tracks that acmnet knows: no two columns are "
            f"the x and y of a point, such as nose_x and nose_y (it has "
            f"{some(header)}); see docs/tracks.md for the forms"
        )
    if columns.time is not None and columns.seconds is None and needs_clock:
        name = header[columns.time]
        raise TrackError(
            f"{table.path}: the unit of the column {quoted(name)} is not known; name "
            f"it {name}_s, {name}_ms or {name}_us, or give --fps for a recording at "
            "a steady rate"
        )
    return _with_plain_id(table, columns)


def _after_preamble(table: NumberTable) -> LandmarkColumns:
    """Return what the first line that names points says; skip the lines before it."""
    for n, line in enumerate(table.lines[:LONGEST_PREAMBLE]):
        columns = columns_of(cells_of(line))
        if columns.coordinates:
            table.begins_after(n)
            return columns_of(table.header()[0]) if _joins_units(table) else columns
    return columns_of(cells_of(table.lines[0]))


def _joins_units(table: NumberTable) -> bool:
    """Move the units of times from a line below the header into it; return whether.

    The line, which holds no number, is left out.
    """
    units = next(table.rows(1, 2), [])
    stated = [x.strip().lower() in UNITS_OF_TIME for x in units]
    if not any(stated) or any(finite(x) is not None for x in units):
        return False
    header = [
        f"{name} ({unit.strip()})" if is_time else name
        for name, unit, is_time in zip(table.header()[0], units, stated, strict=False)
    ]
    table.lines[:2] = [table.separator.join(header), ""]
    return True


def _with_plain_id(table: NumberTable, columns: LandmarkColumns) -> LandmarkColumns:
    """Take a column ``id`` for individuals where it does not number the rows."""
    has_frames = columns.frame is not None or columns.time is not None
    if columns.plain_id is None or not has_frames:
        return columns
    cells = table.texts(columns.plain_id, 1)
    if 1 < len(set(cells)) <= len(cells) / 2:
        return columns._replace(individual=columns.plain_id, side_by_side={}, tracks={})
    return columns


def _is_node(table: NumberTable, columns: LandmarkColumns) -> bool:
    """Return whether a row is a point that the table calls a node."""
    place = columns.point
    return place is not None and table.header()[0][place].lower().startswith("node")


def _owners(
    table: NumberTable, columns: LandmarkColumns, n_rows: int
) -> tuple[Mapping[str, Rows], tuple[str, ...]]:
    """Return whom coordinates belong to in each row, and the names of all individuals.

    Keys are the individuals that stand side by side in a row, or one blank.
    """
    if not columns.side_by_side:
        owner, names = _keys(table, columns.individual, "individual")
        return {"": owner}, names
    cells: dict[str, list[str]] = {}
    for body in dict.fromkeys(body for body, _ in columns.side_by_side.values()):
        track = columns.tracks.get(body)
        held = [""] * n_rows if track is None else table.texts(track, 1)
        usual = next(filter(None, held), body)
        cells[body] = [cell or usual for cell in held]
    found = sorted(set().union(*cells.values()), key=lambda x: (len(x), x))
    place = {name: i for i, name in enumerate(found)}
    owners = {
        body: np.array([place[cell] for cell in held], np.int64)
        for body, held in cells.items()
    }
    return owners, tuple(found)


def _frame_rows(
    table: NumberTable, columns: LandmarkColumns
) -> tuple[Rows, npt.NDArray[np.float64] | None]:
    """Return the frame that each row belongs to, and the time of each frame."""
    is_frame = columns.individual is None and columns.point is None
    if columns.time is not None and columns.seconds is not None:
        stamps = table.numbers([columns.time], 1)[:, 0] * columns.seconds
        if not np.isfinite(stamps).all():
            raise TrackError(
                f"{table.path}: a row has no time; fill the column, or remove the row"
            )
        if is_frame:
            return np.arange(len(stamps)), stamps
        times, rows = np.unique(stamps, return_inverse=True)
        return rows.astype(np.int64), times
    if columns.frame is not None:
        numbers = table.numbers([columns.frame], 1)[:, 0]
        name = f"the column {quoted(table.header()[0][columns.frame])}"
        rows = frames_of_video(str(table.path), numbers, name)
        return (rows - 1 if rows.min() == 1 else rows), None
    if is_frame:
        held = next(iter(columns.coordinates.values()))
        return np.arange(len(table.numbers([held], 1))), None
    if columns.time is not None:  # rows of one frame follow each other
        cells = table.texts(columns.time, 1)
        order = {cell: i for i, cell in enumerate(dict.fromkeys(cells))}
        return np.array([order[cell] for cell in cells], np.int64), None
    raise TrackError(
        f"{table.path} has several rows a frame and no column that says of which "
        "frame they are; add a column frame, or time_s"
    )


def _keys(
    table: NumberTable, column: int | None, what: str
) -> tuple[Rows, tuple[str, ...]]:
    """Return, for each row, which of the names of a column it has, and those names."""
    if column is None:
        rows = sum(1 for _ in table.rows(1))
        return np.zeros(rows, np.int64), (what,)
    cells = table.texts(column, 1)
    names = sorted(set(cells), key=lambda x: (len(x), x))
    place = {name: i for i, name in enumerate(names)}
    return np.array([place[cell] for cell in cells], np.int64), tuple(names)


def _refuse_repeated(
    table: NumberTable,
    rows: Rows,
    owners: Mapping[str, Rows],
    part: Rows,
    columns: LandmarkColumns,
) -> None:
    """Refuse two rows that say the same thing of one frame."""
    owner = owners.get("", np.zeros_like(rows))
    keys = np.stack([part, owner, rows])
    order = np.lexsort(keys)
    same = np.flatnonzero((np.diff(keys[:, order], axis=1) == 0).all(axis=0))
    if same.size:
        line = int(order[same[0] + 1]) + 2 + table.n_before
        parts = [] if columns.individual is None else ["individual"]
        parts += [] if columns.point is None else ["point"]
        raise TrackError(
            f"{table.path}: row {line} has the same {' and '.join(['frame', *parts])} "
            "as a row before; if they are different individuals, add a column "
            "individual that tells them apart"
        )


def _sureness(
    table: NumberTable, column: int, is_state: bool
) -> npt.NDArray[np.float64]:
    """Return how sure the tracker is of a point in each row, from 0 to 1."""
    if not is_state:
        return table.numbers([column], 1)[:, 0]
    words = [cell.replace(" ", "").lower() for cell in table.texts(column, 1)]
    if all(word in STATES for word in words):
        return np.array([STATES[word] for word in words])
    return table.numbers([column], 1)[:, 0] / 2
