"""Hard cuts of an edited video, found in its frames while they are decoded.

A cut is a place where one shot ends and the next begins without a transition. Fades,
dissolves, flashes, changes of exposure and fast motion are not cuts.
"""

from collections.abc import Iterable, Iterator
from typing import Final, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from acmnet.video.frames import Frame, Sizes

Pictures = TypeVar("Pictures", Frame, Sizes)

SMALL: Final = (48, 27)
"""Width and height, in pixels, to which frames are reduced before they are compared: a
picture's content is still there, and small motion is not."""

SIDE_FRAMES: Final = 4
"""Frames on each side of a cut that are compared, at most. Shorter shots, and flashes
of fewer frames, are not separated by cuts."""

LEAST_DIFFERENCE: Final = 30.0
"""Smallest difference between any frame before a cut and any frame after it: the mean
over pixels and colours, in grey levels from 0 to 255."""

LEAST_RATIO: Final = 1.5
"""The difference across a cut is at least this many times the largest difference
between neighbouring frames on either side of it, so that fast motion is no cut."""


class ShotBoundaries:
    """Finds the hard cuts in frames that pass through it.

    Parameters
    ----------
    fps : float
        Frames a second of the frames that will pass.

    Examples
    --------
    >>> dark, light = np.zeros((2, 27, 48, 3), np.uint8)
    >>> light[:, :24] = 255
    >>> boundaries = ShotBoundaries(fps=10.0)
    >>> len(list(boundaries.watched(20 * [dark] + 30 * [light])))
    50
    >>> boundaries.cuts_s
    (2.0,)
    """

    def __init__(self, fps: float) -> None:
        self._fps = fps
        self._cuts: list[int] = []
        self._recent = _RecentFrames()

    @property
    def cuts_s(self) -> tuple[float, ...]:
        """When the first frame of each shot but the first is shown, in seconds."""
        return tuple(round(frame / self._fps, 6) for frame in self._cuts)

    def watched(self, frames: Iterable[Pictures]) -> Iterator[Pictures]:
        """Yield the same frames, and note the cuts between them.

        Parameters
        ----------
        frames : iterable of (H, W, 3) uint8 arrays, or of tuples of them
            RGB, all frames of one video from its beginning. A tuple holds one frame in
            several sizes, of which the first is looked at. A frame that is shown for
            longer may be the same array several times; it is looked at once.
        """
        shown: Frame | None = None
        for index, item in enumerate(frames):
            frame = item[0] if isinstance(item, tuple) else item
            if frame is not shown:
                shown = frame
                self._recent.add(index, _reduced(frame))
                self._note(SIDE_FRAMES)
            yield item
        for n_after in range(SIDE_FRAMES - 1, 0, -1):
            self._note(n_after)

    def _note(self, n_after: int) -> None:
        """Note a cut if there is one before the last ``n_after`` different frames."""
        index = self._recent.cut_before(n_after)
        if index is not None:
            self._cuts.append(index)


class _RecentFrames:
    """The last frames that differ, and the differences between each two of them."""

    def __init__(self) -> None:
        self.indices: list[int] = []
        self.pictures = np.empty((0, 3 * SMALL[0] * SMALL[1]), np.float32)
        self.differences = np.empty((0, 0))
        """(n, n). Mean absolute difference of each two frames, in grey levels."""

    def add(self, index: int, picture: npt.NDArray[np.float32]) -> None:
        """Add the next frame; forget the oldest one beyond twice `SIDE_FRAMES`."""
        kept = slice(-(2 * SIDE_FRAMES - 1), None)
        self.indices = [*self.indices[kept], index]
        others = self.pictures[kept]
        row = np.abs(others - picture).mean(axis=1)
        self.pictures = np.concatenate((others, picture[None]))
        grown = np.zeros((len(row) + 1, len(row) + 1))
        grown[:-1, :-1] = self.differences[kept, kept]
        grown[-1, :-1] = grown[:-1, -1] = row
        self.differences = grown

    def cut_before(self, n_after: int) -> int | None:
        """Return the index of the first of the last frames if a cut lies before it.

        Parameters
        ----------
        n_after : int
            How many of the last frames would lie after the cut, from 1.
        """
        first = len(self.indices) - n_after
        if first < 1:
            return None
        before = slice(max(first - SIDE_FRAMES, 0), first)
        across = self.differences[before, first:].min()
        successive = np.diagonal(self.differences, 1)
        within = np.concatenate((successive[before][:-1], successive[first:]))
        needed = max(LEAST_DIFFERENCE, LEAST_RATIO * within.max(initial=0.0))
        return self.indices[first] if across >= needed else None


def _reduced(frame: Frame) -> npt.NDArray[np.float32]:
    """Return a small copy of a frame without its mean colour, as one row of values.

    Without the mean, a change of exposure is not a change of the picture.
    """
    small = cv2.resize(frame, SMALL, interpolation=cv2.INTER_AREA).astype(np.float32)
    centred: npt.NDArray[np.float32] = small - small.mean(axis=(0, 1))
    return centred.ravel()
