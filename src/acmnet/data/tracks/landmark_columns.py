"""Landmark columns: what each column of a table of points holds, by its name.

No two programs name their columns alike, so the forms that are taken are stated here.
A coordinate's column is named, in upper or lower case,

- ``POINT_x``, ``POINT.x``, ``POINT x`` or ``POINT-x`` (also ``POINTX`` after a small
  letter or a digit, as ``SpineBaseX``),
- or ``x_POINT``, or ``x0``, ``x1``, ... (MediaPipe by the number of the landmark),

with ``y`` and perhaps ``z`` in the same way. Columns that say how sure the tracker is
of a point have, in place of ``x``, one of `SURE_WORDS`, or Kinect's ``state`` or
``trackingstate`` (0 or NotTracked, 1 or Inferred, 2 or Tracked). Where three points or
more have a ``z``, points without one are left out: they are places in a picture.

What a row holds depends on two columns:

- Without either, a row is a frame.
- A column ``person``, ``body``, ``track``, ``individual``, ``animal``, ``skeleton``,
  ``user``, ``hand`` or ``handedness`` (each also with ``_id``) tells individuals apart:
  a row is one of them in a frame. A column ``id`` does so if its numbers recur.
- A column ``joint``, ``landmark``, ``bodypart``, ``keypoint``, ``point`` or ``node``
  (each also with ``_id``, ``_name`` or ``_index``) names points, as Kinect recorders
  write it: a row is one point, at ``x``, ``y``, ``z`` (or ``position_x``, ...).

Several individuals may also stand side by side in a row, as ``person0_nose_x`` or
sleap-io's ``inst0.nose.x``; a column ``inst0.track`` says who each of them is.

Rows of one frame have the same time, or the same ``frame``. Times are in a column that
says its unit: ``time_s``, ``timestamp_ms``, ``ms``, ``seconds``, ``time (us)`` and the
like. Other columns are passed over.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from acmnet.data.tracks.number_tables import plain_name

AXES: Final = ("x", "y", "z")
SURE: Final = "sure"
SURE_WORDS: Final = frozenset(
    (
        *("v", "vis", "visibility", "likelihood", "confidence", "conf", "score"),
        *("c", "prob", "probability"),
    )
)
STATE_WORDS: Final = frozenset(("state", "trackingstate", "tracking_state"))
LEAST_POINTS_IN_SPACE: Final = 3
"""From this many points with a z on, points without one are left out."""
_PARTS: Final = "|".join(sorted({*AXES, *SURE_WORDS, *STATE_WORDS}, key=len)[::-1])
_PART_LAST: Final = re.compile(rf"(.+?)[\s._:/-]+({_PARTS})", re.IGNORECASE)
_PART_JOINED: Final = re.compile(r"(.*?[a-z0-9])(X|Y|Z|State|TrackingState)")
_PART_FIRST: Final = re.compile(rf"({_PARTS})[\s._:/-]+(.+)|([xyzv])(\d+)", re.I)

_ID: Final = "(_?(id|idx|index|name|type|no|number))?"
_WHO: Final = (
    "person|body|track|individual|animal|skeleton|user|hand|handedness|instance|inst"
)
_INDIVIDUAL: Final = re.compile(rf"({_WHO}){_ID}")
_SIDE_BY_SIDE: Final = re.compile(
    rf"((?:{_WHO})[ _-]?\d+)[\s._:/-]+(.+)", re.IGNORECASE
)
_POINT: Final = re.compile(
    rf"(joint|landmark|bodypart|body_part|keypoint|point|node){_ID}"
)
_FRAME: Final = re.compile(r"(frame|image|img)(_?(id|idx|index|no|num|number|count))?")
_CLOCK: Final = re.compile(
    r"(?:(?:time|timestamp|t|(?:relative|trial|recording)_time|elapsed)_?)?([a-zµ]+)?"
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


class LandmarkColumns(NamedTuple):
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
    plain_id: int | None
    """A column that is called ``id``, where none names individuals."""
    side_by_side: Mapping[str, tuple[str, str]]
    """Individual and point that the name of a coordinate holds; empty where names do
    not hold individuals."""
    tracks: Mapping[str, int]
    """Column that says who an individual of `side_by_side` is in each row."""

    @property
    def own(self) -> list[str]:
        """Names that the coordinates of one row have: points, or one blank."""
        return list(dict.fromkeys(point for point, _ in self.coordinates))


def columns_of(header: Sequence[str]) -> LandmarkColumns:
    """Return what the columns of a header mean."""
    plain = [plain_name(cell) for cell in header]
    point = _place(plain, _POINT)
    places: dict[tuple[str, str], int] = {}
    is_state = False
    for i, cell in enumerate(header):
        named = _named(cell, is_long=point is not None)
        if named is not None:
            is_state |= named[1] in STATE_WORDS
            part = named[1] if named[1] in AXES else SURE
            places.setdefault((named[0], part), i)
    complete = _complete_points(places)
    individual = _place(plain, _INDIVIDUAL)
    bodies = (
        {} if individual is not None or point is not None else _side_by_side(complete)
    )
    clocks = [i for i, name in enumerate(plain) if _unit(name) is not None]
    time = next((i for i in clocks if _unit(plain[i])), clocks[0] if clocks else None)
    return LandmarkColumns(
        {key: i for key, i in places.items() if key[0] in complete},
        is_state,
        individual,
        point,
        _place(plain, _FRAME),
        time,
        None if time is None else _unit(plain[time]) or None,
        None if individual is not None or "id" not in plain else plain.index("id"),
        bodies,
        {
            body: plain.index(plain_name(f"{body} track"))
            for body in dict.fromkeys(body for body, _ in bodies.values())
            if plain_name(f"{body} track") in plain
        },
    )


def _complete_points(places: Mapping[tuple[str, str], int]) -> list[str]:
    """Return the points that have a place: x and y, and z where the others have one."""
    names = dict.fromkeys(name for name, _ in places)
    flat = [name for name in names if (name, "x") in places and (name, "y") in places]
    deep = [name for name in flat if (name, "z") in places]
    return deep if len(deep) >= LEAST_POINTS_IN_SPACE else flat


def _side_by_side(names: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Return the individual and the point in each name; empty if one has none.

    Examples
    --------
    >>> _side_by_side(["inst0.nose", "inst1.nose"])
    {'inst0.nose': ('inst0', 'nose'), 'inst1.nose': ('inst1', 'nose')}
    >>> _side_by_side(["hand_0", "hand_1"])
    {}
    """
    matches = {name: _SIDE_BY_SIDE.fullmatch(name) for name in names}
    if not all(matches.values()):
        return {}
    return {name: (x[1], x[2]) for name, x in matches.items() if x}


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
    match = _CLOCK.fullmatch(name)
    if match is None or match[1] is None:
        return None
    if name == "s":  # it may be anything
        return None
    return UNITS_S.get(match[1])


def _named(cell: str, *, is_long: bool) -> tuple[str, str] | None:
    """Return the point and the part that a column's name spells; None for others."""
    if is_long:
        name = plain_name(cell).removeprefix("position_")
        is_part = name in {*AXES, *SURE_WORDS, *STATE_WORDS}
        return ("", name) if is_part else None
    match = _PART_LAST.fullmatch(cell)
    if match:
        return match[1], match[2].lower()
    match = _PART_JOINED.fullmatch(cell)
    if match:
        return match[1], match[2].lower()
    match = _PART_FIRST.fullmatch(cell)
    if match:
        part, name = (match[1], match[2]) if match[1] else (match[3], match[4])
        return name, part.lower()
    return None
