"""Landmark tables: CSV of MediaPipe, Kinect and others, told by their columns' names.

No two programs name their columns alike, so the forms that are taken are stated here.
A coordinate's column is named, in upper or lower case,

- ``POINT_x``, ``POINT.x``, ``POINT x`` or ``POINT-x`` (also ``POINTX`` after a small
  letter or a digit, as ``SpineBaseX``),
- or ``x_POINT``, or ``x0``, ``x1``, ... (MediaPipe by the number of the landmark),

with ``y`` and perhaps ``z`` in the same way. Columns that say how sure the tracker is
of a point have, in place of ``x``, ``v``, ``vis``, ``visibility``, ``likelihood``,
``confidence``, ``conf`` or ``score``, or Kinect's ``state`` or ``trackingstate`` (0 or
NotTracked, 1 or Inferred, 2 or Tracked).

A row is a frame. Where a column ``person``, ``body``, ``track``, ``individual``,
``animal``, ``skeleton``, ``user``, ``hand`` or ``handedness`` (each also with ``_id``)
tells individuals apart, a row is one of them in a frame; where a column ``joint``,
``landmark``, ``bodypart``, ``keypoint`` or ``point`` (each also with ``_id``, ``_name``
or ``_index``) names points, as Kinect recorders write it, a row is one point and the
coordinates are ``x``, ``y``, ``z`` (or ``position_x``, ...).

Rows of one frame have the same time, or the same ``frame``. Times are in a column that
says its unit: ``time_s``, ``timestamp_ms``, ``seconds``, ``time (us)`` and the like.
Other columns are passed over.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from acmnet.data.tracks.number_tables import NumberTable, plain_name
from acmnet.data.tracks.tracks import TrackError, Tracks, refuse_size
from acmnet.messages import quoted, some

LEAST_LIKELIHOOD: Final = 0.5
"""``min_tracking_confidence`` of MediaPipe; an inferred joint of Kinect has 0.5."""
AXES: Final = ("x", "y", "z")
SURE: Final = "sure"
SURE_WORDS: Final = frozenset(
    ("v", "vis", "visibility", "likelihood", "confidence", "conf", "score")
)
STATE_WORDS: Final = frozenset(("state", "trackingstate", "tracking_state"))
STATES: Final[Mapping[str, float]] = {
    "nottracked": 0.0,
    "inferred": 0.5,
    "tracked": 1.0,
}
_PARTS: Final = "|".join(sorted({*AXES, *SURE_WORDS, *STATE_WORDS}, key=len)[::-1])
_PART_LAST: Final = re.compile(rf"(.+?)[\s._:/-]+({_PARTS})", re.IGNORECASE)
_PART_JOINED: Final = re.compile(r"(.*?[a-z0-9])(X|Y|Z|State|TrackingState)")
_PART_FIRST: Final = re.compile(rf"({_PARTS})[\s._:/-]+(.+)|([xyzv])(\d+)", re.I)

_ID: Final = "(_?(id|idx|index|name|type|no|number))?"
_INDIVIDUAL: Final = re.compile(
    rf"(person|body|track|individual|animal|skeleton|user|hand|handedness){_ID}"
)
_POINT: Final = re.compile(rf"(joint|landmark|bodypart|body_part|keypoint|point){_ID}")
_FRAME: Final = re.compile(r"(frame|image|img)(_?(id|idx|index|no|num|number|count))?")
_CLOCK: Final = re.compile(
    r"(?:(?:time|timestamp|t|relative_time|elapsed)_?)?([a-zµ]+)?"
)
UNITS_S: Final[Mapping[str, float]] = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1.0),
    **dict.fromkeys(("ms", "msec", "millis", "milliseconds"), 1e-3),
    **dict.fromkeys(("us", "usec", "µs", "microseconds"), 1e-6),
    **dict.fromkeys(("ns", "nsec", "nanoseconds"), 1e-9),
}
"""Seconds in a unit of time, by what columns call it."""
CLOCK_WORDS: Final = frozenset(
    ("time", "timestamp", "t", "relative_time", "elapsed", "relativetime")
)


class _Columns(NamedTuple):
    """Which columns of a table mean what, by place in the header."""

    coordinates: Mapping[tuple[str, str], int]
    """By point and part, the part one of `AXES` or `SURE`."""
    is_state: bool
    """Whether how sure the tracker is comes as Kinect's tracking state."""
    individual: int | None
    point: int | None
    frame: int | None
    time: int | None
    seconds: float | None
    """Seconds in a unit of the time; None where the column does not say its unit."""


def read_landmark_table(table: NumberTable, *, needs_clock: bool = True) -> Tracks:
    """Return the tracks of a table whose columns are named as above.

    Parameters
    ----------
    table : NumberTable
        The file.
    needs_clock : bool
        False where the frame rate is given otherwise: then a column of times whose
        unit is not known is passed over.

    Raises
    ------
    TrackError
        If no point has an x and a y, a cell is no number, rows cannot be told apart,
        or the unit of the times is not known.
    """
    columns = _usable_columns(table, needs_clock)
    rows, times = _frame_rows(table, columns)
    who, individuals = _keys(table, columns.individual, "individual")
    points = tuple(dict.fromkeys(point for point, _ in columns.coordinates))
    part = np.zeros(len(rows), np.int64)
    if columns.point is not None:
        part, points = _keys(table, columns.point, "point")
    _refuse_repeated(table, rows, who, part, columns)
    axes = AXES[
        : 3 if all((p, "z") in columns.coordinates for p in _own(columns)) else 2
    ]
    shape = (int(rows.max()) + 1, len(individuals), len(points), len(axes))
    refuse_size(shape)
    positions = np.full(shape, np.nan, np.float32)
    likelihood = np.full(shape[:3], np.nan, np.float32)
    for k, name in enumerate(_own(columns)):
        place = part if columns.point is not None else np.full(len(rows), k)
        held = [columns.coordinates[name, axis] for axis in axes]
        positions[rows, who, place] = table.numbers(held, 1)
        if (name, SURE) in columns.coordinates:
            at = columns.coordinates[name, SURE]
            likelihood[rows, who, place] = _sureness(table, at, columns.is_state)
    return Tracks(
        positions,
        points,
        individuals,
        likelihood if np.isfinite(likelihood).any() else None,
        LEAST_LIKELIHOOD,
        times_s=times,
        are_fragments=columns.individual is not None,
    )


def _own(columns: _Columns) -> list[str]:
    """Return the names that the coordinates of one row have: points, or one blank."""
    return list(dict.fromkeys(point for point, _ in columns.coordinates))


def _usable_columns(table: NumberTable, needs_clock: bool) -> _Columns:
    """Return what each column holds; refuse a table without points or clock."""
    header = table.header()[0] if table.lines else []
    columns = _columns(header)
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
    return columns


def _columns(header: Sequence[str]) -> _Columns:
    """Return what the columns of a header mean."""
    plain = [plain_name(cell) for cell in header]
    point = _place(plain, _POINT)
    found: dict[tuple[str, str], int] = {}
    is_state = False
    for i, cell in enumerate(header):
        named = _named(cell, is_long=point is not None)
        if named is not None:
            is_state |= named[1] in STATE_WORDS
            key = named[0], _part(named[1])
            found.setdefault(key, i)
    whole = [
        name
        for name in dict.fromkeys(name for name, _ in found)
        if (name, "x") in found and (name, "y") in found
    ]
    clocks = [i for i, name in enumerate(plain) if _unit(name) is not None]
    time = next((i for i in clocks if _unit(plain[i])), clocks[0] if clocks else None)
    return _Columns(
        {key: i for key, i in found.items() if key[0] in whole},
        is_state,
        _place(plain, _INDIVIDUAL),
        point,
        _place(plain, _FRAME),
        time,
        None if time is None else _unit(plain[time]) or None,
    )


def _place(plain: Sequence[str], pattern: re.Pattern[str]) -> int | None:
    """Return the first column whose plain name is of a form."""
    return next((i for i, name in enumerate(plain) if pattern.fullmatch(name)), None)


def _unit(name: str) -> float | None:
    """Return the seconds in the unit of a clock's column; 0 where it names none.

    None says that the column is no clock.

    Examples
    --------
    >>> _unit("timestamp_ms"), _unit("time"), _unit("nose_x"), _unit("seconds")
    (0.001, 0.0, None, 1.0)
    """
    if name in CLOCK_WORDS:
        return 0.0
    found = _CLOCK.fullmatch(name)
    if found is None or found[1] is None:
        return None
    is_alone = found[1] == name
    if is_alone and len(name) < len("sec"):  # a column "s" or "ms" may be anything
        return None
    return UNITS_S.get(found[1])


def _named(cell: str, *, is_long: bool) -> tuple[str, str] | None:
    """Return the point and the part that a column's name spells; None for others."""
    if is_long:
        name = plain_name(cell).removeprefix("position_")
        is_part = name in {*AXES, *SURE_WORDS, *STATE_WORDS}
        return ("", name) if is_part else None
    found = _PART_LAST.fullmatch(cell)
    if found:
        return found[1], found[2].lower()
    found = _PART_JOINED.fullmatch(cell)
    if found:
        return found[1], found[2].lower()
    found = _PART_FIRST.fullmatch(cell)
    if found:
        part, name = (found[1], found[2]) if found[1] else (found[3], found[4])
        return name, part.lower()
    return None


def _part(word: str) -> str:
    return word if word in AXES else SURE


def _frame_rows(
    table: NumberTable, columns: _Columns
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64] | None]:
    """Return the frame that each row belongs to, and the time of each frame."""
    if columns.time is not None and columns.seconds is not None:
        stamps = table.numbers([columns.time], 1)[:, 0] * columns.seconds
        if not np.isfinite(stamps).all():
            raise TrackError(
                f"{table.path}: a row has no time; fill the column, or remove the row"
            )
        if columns.individual is None and columns.point is None:
            return np.arange(len(stamps)), stamps
        times, rows = np.unique(stamps, return_inverse=True)
        return rows.astype(np.int64), times
    if columns.frame is not None:
        numbers = table.numbers([columns.frame], 1)[:, 0]
        if not (numbers == np.floor(numbers)).all():
            raise TrackError(
                f"{table.path}: a row has no whole number of a frame; fill the column"
            )
        return (numbers - numbers.min()).astype(np.int64), None
    if columns.individual is None and columns.point is None:
        held = next(iter(columns.coordinates.values()))
        return np.arange(len(table.numbers([held], 1))), None
    raise TrackError(
        f"{table.path} has several rows a frame and no column that says of which "
        "frame they are; add a column frame, or time_s"
    )


def _keys(
    table: NumberTable, column: int | None, what: str
) -> tuple[npt.NDArray[np.int64], tuple[str, ...]]:
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
    rows: npt.NDArray[np.int64],
    who: npt.NDArray[np.int64],
    part: npt.NDArray[np.int64],
    columns: _Columns,
) -> None:
    """Refuse two rows that say the same thing of one frame."""
    keys = np.stack([part, who, rows])
    order = np.lexsort(keys)
    same = np.flatnonzero((np.diff(keys[:, order], axis=1) == 0).all(axis=0))
    if same.size:
        line = int(order[same[0] + 1]) + 2
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
