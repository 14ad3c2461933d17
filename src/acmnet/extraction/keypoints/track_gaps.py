"""Tracks on a steady clock without gaps: resampled, interpolated, and marked as such.

Notation as in `acmnet.data.tracks.tracks`.
"""

from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from acmnet.data.tracks.tracks import TrackError, Tracks

LARGEST_JITTER: Final = 0.25
"""Share of the mean interval by which intervals of a steady clock differ from it at
most; clocks in whole milliseconds stay below it up to 250 frames a second."""
LONGEST_INTERVAL: Final = 2.0
"""Intervals between frames that may pass before what lies between is a gap."""

Flags = npt.NDArray[np.bool_]
Places = npt.NDArray[np.float64]


class FilledTracks(NamedTuple):
    """Tracks at a steady rate, without gaps."""

    positions: Places
    """(F, I, P, A): finite; interpolated linearly in time where a point was not seen,
    held before it was first seen and after it was last seen. A point that was never
    seen lies at the mean of its individual's others; an individual that was never seen
    lies at the origin."""
    missing: Flags
    """(F, I, P): True where the position is not what the tracker saw."""
    fps: float
    """Frames a second."""

    @property
    def is_absent(self) -> Flags:
        """(I,): True for individuals that were never seen."""
        return np.asarray(self.missing.all(axis=(0, 2)))


def stated_fps(tracks: Tracks) -> float | None:
    """Return the frame rate that a file states, or that its steady clock has.

    None where it states none, has a single frame, or its clock is not steady.

    Examples
    --------
    >>> clock = np.arange(4) / 30 + [0, 0.001, -0.001, 0]
    >>> stated_fps(Tracks(np.ones((4, 1, 1, 2), np.float32), ("a",), ("b",),
    ...                   times_s=clock))
    30.0
    """
    if tracks.fps is not None or tracks.times_s is None or tracks.n_frames < 2:
        return tracks.fps
    intervals = np.diff(tracks.times_s)
    mean = float(intervals.mean())
    if np.abs(intervals - mean).max() > LARGEST_JITTER * mean:
        return None
    return round(1 / mean, 4)


def required_fps(tracks: Tracks, path: Path) -> float:
    """Return the frame rate that a file states, or that its steady clock has.

    Raises
    ------
    TrackError
        If it has none; the message names the file.
    """
    fps = stated_fps(tracks)
    if fps is not None:
        return fps
    if tracks.times_s is not None and tracks.n_frames > 1:
        steps = np.diff(tracks.times_s)
        raise TrackError(
            f"{path}: the time between its frames varies from {steps.min():.3g} to "
            f"{steps.max():.3g} s; give --fps, the frames a second to resample it to"
        )
    raise TrackError(
        f"{path} does not state its frame rate; give --fps, the frames a second of "
        "the recordings"
    )


def filled(
    tracks: Tracks,
    fps: float,
    *,
    unstated_fps: float | None = None,
    least_likelihood: float | None = None,
) -> FilledTracks:
    """Return tracks at a steady rate, their gaps interpolated.

    Parameters
    ----------
    tracks : Tracks
        With or without a clock.
    fps : float
        Frames a second of the result, above 0.
    unstated_fps : float, optional
        Frames a second of the tracks, where they do not say it themselves.
    least_likelihood : float, optional
        As of `Tracks.seen`.

    Raises
    ------
    TrackError
        If neither the tracks nor ``unstated_fps`` tells the frame rate, or no point of
        any individual is ever seen.
    """
    times = _clock(tracks, unstated_fps)
    seen = tracks.seen(least_likelihood)
    if not seen.any():
        sure = "" if tracks.likelihood is None else " with enough likelihood"
        raise TrackError(
            f"no point of any individual is seen{sure} in any of its frames; track the "
            "recording again, or leave it out"
        )
    interval = float(np.median(np.diff(times))) if len(times) > 1 else 1 / fps
    grid = np.arange(max(1, np.ceil((times[-1] + interval) * fps - 1e-6))) / fps
    nearest = _nearest(times, grid)
    missing = ~seen[nearest]
    missing |= (np.abs(times[nearest] - grid) > LONGEST_INTERVAL * interval)[
        :, None, None
    ]
    positions = np.zeros((len(grid), *tracks.positions.shape[1:]))
    for i in range(positions.shape[1]):
        _fill(tracks.positions[:, i], seen[:, i], times, grid, positions[:, i])
    return FilledTracks(positions, missing, fps)


def _clock(tracks: Tracks, unstated_fps: float | None) -> Places:
    """Return the seconds from the first frame to each frame."""
    if tracks.times_s is not None:
        return np.asarray(tracks.times_s - tracks.times_s[0])
    fps = tracks.fps or unstated_fps
    if fps is None:
        raise TrackError(
            "it does not state its frame rate; give --fps, the frames a second of the "
            "recording"
        )
    return np.asarray(np.arange(tracks.n_frames) / fps)


def _nearest(times: Places, grid: Places) -> npt.NDArray[np.int64]:
    """Return the frame whose time is nearest to each time of a grid."""
    after = np.searchsorted(times, grid).clip(1, max(1, len(times) - 1))
    before = after - 1
    is_after = np.abs(times[after.clip(max=len(times) - 1)] - grid) < np.abs(
        times[before] - grid
    )
    return np.asarray(np.where(is_after, after, before), np.int64)


def _fill(
    positions: npt.NDArray[np.float32],
    seen: Flags,
    times: Places,
    grid: Places,
    out: Places,
) -> None:
    """Interpolate one individual: (F, P, A) positions into ``out`` (grid, P, A)."""
    known = seen.any(axis=0)
    for p in np.flatnonzero(known):
        rows = seen[:, p]
        for a in range(positions.shape[2]):
            out[:, p, a] = np.interp(grid, times[rows], positions[rows, p, a])
    if known.any():
        out[:, ~known] = out[:, known].mean(axis=1, keepdims=True)
