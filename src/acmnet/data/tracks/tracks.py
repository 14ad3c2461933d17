"""Tracks: where the named points of each individual are in each frame of a recording.

Notation (in all rooms that handle tracks):
    F  frames
    I  individuals
    P  points of an individual
    A  axes, 2 or 3
"""

import dataclasses
import math
from typing import Final

import numpy as np
import numpy.typing as npt

from acmnet.limits import LARGEST_SECONDS
from acmnet.messages import counted

Positions = npt.NDArray[np.float32]

MOST_NUMBERS: Final = 500_000_000
"""Coordinates in one file of tracks, F * I * P * A: 2 GB as single precision. An hour
of two animals with 20 points at 100 frames a second has 29 million."""
FPS_RANGE: Final = (0.01, 10_000.0)
"""Frame rates that a file of tracks may state, in frames a second."""


class TrackError(ValueError):
    """A file of tracks that cannot be used; the message names it and what to do."""


@dataclasses.dataclass(frozen=True)
class Tracks:
    """The tracks of one recording.

    Raises
    ------
    TrackError
        If arrays and names do not fit each other, or a rate or time cannot be meant.
    """

    positions: Positions
    """(F, I, P, A): coordinates in any unit; NaN where a point is not known."""
    points: tuple[str, ...]
    """Names of the points, all different."""
    individuals: tuple[str, ...]
    """Names of the individuals, all different."""
    likelihood: Positions | None = None
    """(F, I, P): how sure the tracker is of each point; None where it does not say."""
    least_likelihood: float = 0.5
    """Likelihood below which the tracker's own programs take a point as not seen."""
    fps: float | None = None
    """Frames a second that the file states, if it does."""
    times_s: npt.NDArray[np.float64] | None = None
    """(F,): time of each frame in seconds, rising, where the file has a clock."""
    are_fragments: bool = False
    """Whether an individual is only a stretch of track, so that one animal may be
    several "individuals", one after the other."""

    def __post_init__(self) -> None:
        """Refuse what fits no recording."""
        shape = self.positions.shape
        if len(shape) != 4 or shape[3] not in (2, 3):
            raise TrackError(
                "positions must have the shape (frames, individuals, points, 2 or 3), "
                f"got {shape}"
            )
        if 0 in shape:
            raise TrackError(f"there is nothing in positions of the shape {shape}")
        for name, names, n in (
            ("individuals", self.individuals, shape[1]),
            ("points", self.points, shape[2]),
        ):
            if len(names) != n:
                raise TrackError(
                    f"{counted(len(names), 'name')} of {name} for positions of "
                    f"{n} {name}; give one name each"
                )
            if twice := next((x for x in names if names.count(x) > 1), None):
                raise TrackError(f"two {name} have the name {twice!r}; rename one")
        if self.likelihood is not None and self.likelihood.shape != shape[:3]:
            raise TrackError(
                f"likelihood must have the shape {shape[:3]}, got "
                f"{self.likelihood.shape}"
            )
        if self.fps is not None:
            refuse_fps(self.fps)
        self._refuse_times()

    def _refuse_times(self) -> None:
        """Refuse a clock that does not run forward."""
        times = self.times_s
        if times is None:
            return
        if times.shape != (len(self.positions),):
            raise TrackError(
                f"{counted(len(self.positions), 'frame')} must have as many times, "
                f"got {times.size}"
            )
        if not np.isfinite(times).all() or abs(times).max() > LARGEST_SECONDS * 1e6:
            raise TrackError("a frame's time is no number of seconds; correct it")
        back = np.flatnonzero(np.diff(times) <= 0)
        if back.size:
            i = int(back[0]) + 1
            raise TrackError(
                f"the time of frame {i} is {times[i]:g} s, not later than "
                f"{times[i - 1]:g} s of the frame before; sort the frames by time, or "
                "take the times out and give --fps"
            )

    @property
    def n_frames(self) -> int:
        """F."""
        return len(self.positions)

    def seen(self, least_likelihood: float | None = None) -> npt.NDArray[np.bool_]:
        """Return (F, I, P): whether each point is known, and the tracker sure of it.

        A likelihood below ``least_likelihood`` (that of the tracks, where None) counts
        as not seen, and so does an individual with all of its points, of two or more,
        at exactly the origin: trackers write that where they found nobody.
        """
        least = self.least_likelihood if least_likelihood is None else least_likelihood
        seen = np.asarray(np.isfinite(self.positions).all(axis=-1))
        if self.likelihood is not None:
            # a likelihood that is not there says nothing against a point that is
            seen &= ~(self.likelihood < least)
        if len(self.points) > 1:
            seen &= (self.positions != 0).any(axis=(2, 3))[:, :, None]
        return seen


def refuse_fps(fps: float) -> None:
    """Refuse a frame rate that no tracks have."""
    low, high = FPS_RANGE
    if not (math.isfinite(fps) and low <= fps <= high):
        raise TrackError(f"fps must be from {low:g} to {high:g}, got {fps:g}")


def frames_of_video(
    source: str, numbers: npt.NDArray[np.float64], column: str
) -> npt.NDArray[np.int64]:
    """Return frame numbers of rows, counted from 0 at the start of the video.

    Trackers that write a row only where they see somebody begin with a later frame than
    0: in the frames before it nobody is seen (D-155).

    Parameters
    ----------
    source : str
        The file, for messages.
    numbers : (n,) array of float
        What the rows say, in any order, with or without gaps.
    column : str
        What the file calls the column.

    Raises
    ------
    TrackError
        If a number is not whole, or negative.
    """
    is_frame = np.isfinite(numbers) & (numbers == np.floor(numbers)) & (numbers >= 0)
    if not is_frame.all():
        bad = float(numbers[~is_frame][0])
        raise TrackError(
            f"{source}: {column} must be whole numbers from 0, one has "
            f"{'no number' if math.isnan(bad) else f'{bad:g}'}; correct the file, or "
            "write it again"
        )
    return numbers.astype(np.int64)


def refuse_size(shape: tuple[int, ...]) -> None:
    """Refuse, before memory is taken, more coordinates than `MOST_NUMBERS`."""
    if math.prod(shape) > MOST_NUMBERS:
        raise TrackError(
            f"it holds {math.prod(shape):,} coordinates, the most is {MOST_NUMBERS:,}; "
            "cut the recording into parts, or leave points out"
        )
