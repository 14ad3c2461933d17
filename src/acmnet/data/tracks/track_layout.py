"""The layout of tracks: which points of how many individuals a store's features are of.

All recordings of a store, and those that a trained run is used on, are described by
the same columns, so they have one layout. It is that of the first recording, or what
the user asks for, and is kept in the store's manifest.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Final, Self

import numpy as np

from acmnet.data.tracks.tracks import TrackError, Tracks
from acmnet.limits import finite
from acmnet.messages import counted, some

MOST_INDIVIDUALS: Final = 100
MOST_KEPT_APART: Final = 2
"""Individuals up to which each has columns of its own; more are pooled."""


@dataclasses.dataclass(frozen=True)
class TrackLayout:
    """Which tracks features are made of.

    Raises
    ------
    TrackError
        If there is no point, or the number of individuals or axes cannot be meant.
    """

    points: tuple[str, ...]
    """Names of the points, in the order in which they are described."""
    n_individuals: int
    """Individuals; a recording may have fewer, and the rest count as not seen."""
    n_axes: int
    """2 or 3."""
    are_pooled: bool = False
    """Whether individuals cannot be told apart; always so for more than two."""
    unstated_fps: float | None = None
    """Frames a second of recordings that do not state it."""
    min_likelihood: float | None = None
    """Likelihood below which a point counts as not seen; each tracker's own limit
    where None."""
    has_directions: bool = False
    """Whether features also say how bodies lie in the recording, and which way they
    go; see `acmnet.extraction.keypoints.directed_shapes`."""

    def __post_init__(self) -> None:
        """Refuse what cannot be described."""
        if not self.points or self.n_axes not in (2, 3):
            raise TrackError("tracks need a point or more, in 2 or 3 coordinates")
        if not 1 <= self.n_individuals <= MOST_INDIVIDUALS:
            raise TrackError(
                f"individuals must be from 1 to {MOST_INDIVIDUALS}, got "
                f"{self.n_individuals}"
            )
        low = self.min_likelihood
        if low is not None and finite(low) is None:
            raise TrackError(f"min_likelihood must be a number, got {low}")
        if self.n_individuals > MOST_KEPT_APART:
            object.__setattr__(self, "are_pooled", True)

    def to_json(self) -> dict[str, Any]:
        """Return the layout as a store's manifest keeps it."""
        return dataclasses.asdict(self) | {"points": list(self.points)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Return the layout that a manifest keeps, or raise what its values cause."""
        names = {field.name for field in dataclasses.fields(cls)}
        held = {name: values[name] for name in names if name in values}
        points = held["points"]
        if not isinstance(points, list | tuple):
            raise TypeError(f"points must be a list, got {points!r}")
        return cls(**held | {"points": tuple(map(str, points))})


def layout_of(
    tracks: Tracks,
    *,
    points: Sequence[str] | None = None,
    n_individuals: int | None = None,
    min_likelihood: float | None = None,
) -> TrackLayout:
    """Return the layout of a recording, as far as the user does not ask for another.

    Stretches of track that several "individuals" of a file may be are counted as the
    individuals that are seen in one frame at the most.
    """
    seen = tracks.seen(min_likelihood).any(axis=2)
    n_found = seen.shape[1]
    if tracks.are_fragments:
        n_found = max(1, int(seen.sum(axis=1).max()))
    return TrackLayout(
        tuple(points or tracks.points),
        n_found if n_individuals is None else n_individuals,
        tracks.positions.shape[3],
        min_likelihood=min_likelihood,
    )


def arranged(tracks: Tracks, layout: TrackLayout) -> Tracks:
    """Return a recording's tracks with the points and individuals of a layout.

    Individuals of the layout that the recording does not have are not known in any
    frame. Stretches of track that do not overlap in time become one individual: each
    goes on from the one that was last seen nearest to where it begins.

    Raises
    ------
    TrackError
        If a point is missing, there are more individuals in one frame than the layout
        has, or the coordinates are of other axes.
    """
    if tracks.positions.shape[3] != layout.n_axes:
        raise TrackError(
            f"its points have {tracks.positions.shape[3]} coordinates, those that the "
            f"features are made of have {layout.n_axes}; extract it into another "
            "directory"
        )
    _refuse_missing(tracks, layout)
    columns = [tracks.points.index(name) for name in layout.points]
    slots = _slots(tracks, layout)
    shape = (tracks.n_frames, layout.n_individuals, len(columns), layout.n_axes)
    positions = np.full(shape, np.nan, np.float32)
    likelihood = np.full(shape[:3], np.nan, np.float32)
    seen = np.asarray(tracks.seen(layout.min_likelihood).any(axis=2))
    for track, slot in enumerate(slots):
        rows = seen[:, track]
        positions[rows, slot] = tracks.positions[rows, track][:, columns]
        if tracks.likelihood is not None:
            likelihood[rows, slot] = tracks.likelihood[rows, track][:, columns]
    return dataclasses.replace(
        tracks,
        positions=positions,
        points=layout.points,
        individuals=tuple(map(str, range(layout.n_individuals))),
        likelihood=None if tracks.likelihood is None else likelihood,
    )


def _refuse_missing(tracks: Tracks, layout: TrackLayout) -> None:
    """Refuse a recording that lacks a point; say which points it shares."""
    missing = [name for name in layout.points if name not in tracks.points]
    if not missing:
        return
    shared = ",".join(name for name in layout.points if name in tracks.points)
    remedy = (
        f"to use those that all have, give --points {shared} and another directory "
        "for the features"
        if shared
        else "is it of another kind of recordings?"
    )
    raise TrackError(
        f"it has no {counted(len(missing), 'point').split(' ', 1)[1]} {some(missing)} "
        f"(it has {some(tracks.points)}), but the features are made of "
        f"{some(layout.points)}; {remedy}"
    )


def _slots(tracks: Tracks, layout: TrackLayout) -> list[int]:
    """Return the individual of the layout that each track of a recording is."""
    n = layout.n_individuals
    seen = np.asarray(tracks.seen(layout.min_likelihood).any(axis=2))
    if len(tracks.individuals) <= n:
        return list(range(len(tracks.individuals)))
    most = int(seen.sum(axis=1).max())
    if most > n or not tracks.are_fragments:
        held = most if tracks.are_fragments else len(tracks.individuals)
        raise TrackError(
            f"it has {counted(held, 'individual')}"
            f"{' in one frame' if tracks.are_fragments else ''}, the features are of "
            f"{n}; give --individuals {held} and another directory for the features, "
            "or take tracks out that are no individuals"
        )
    return _joined(tracks, seen, n)


def _joined(tracks: Tracks, seen: np.ndarray[Any, Any], n: int) -> list[int]:
    """Return slots for stretches of track, no two of one slot at the same time."""
    slots = [0] * seen.shape[1]
    free_from = [0] * n
    last_place: list[np.ndarray[Any, Any] | None] = [None] * n
    first = [int(rows.argmax()) if rows.any() else -1 for rows in seen.T]
    for track in sorted(range(len(slots)), key=lambda t: first[t]):
        if first[track] < 0:
            continue
        rows = np.flatnonzero(seen[:, track])
        ends = [np.nanmean(tracks.positions[row, track], 0) for row in rows[[0, -1]]]
        free = [slot for slot in range(n) if free_from[slot] <= first[track]]
        if not free:
            raise TrackError(
                f"more than {counted(n, 'track')} begin before the others end, so "
                "that they cannot be joined; correct the tracks in SLEAP, or give "
                "--individuals"
            )
        begins = ends[0]
        slot = min(free, key=lambda s: _distance(last_place[s], begins))
        slots[track], free_from[slot], last_place[slot] = slot, rows[-1] + 1, ends[1]
    return slots


def _distance(a: np.ndarray[Any, Any] | None, b: np.ndarray[Any, Any]) -> float:
    """Return the distance of two places; infinity where one is not known."""
    return float("inf") if a is None else float(np.linalg.norm(a - b))
