"""Read what an extractor needs: the frames of a video, tracks, or both."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from acmnet.extraction.extractors.extractor import Extractor
from acmnet.video.frames import FrameReader


class Reader(Protocol):
    """What a file holds at the rate of a grid, to be iterated over once."""

    @property
    def n_frames(self) -> int:
        """Frames at the grid's rate, of what was iterated over so far."""

    @property
    def n_decoded(self) -> int:
        """Frames that the file holds."""

    @property
    def skipped_packets(self) -> int:
        """Parts of the file that could not be read and were passed over."""

    @property
    def duration_s(self) -> float:
        """Seconds of what was iterated over so far."""

    @property
    def claimed_s(self) -> float:
        """Seconds that the file claims to have."""

    def __iter__(self) -> Iterator[Any]:
        """Return frames, or blocks of them."""


@runtime_checkable
class ReadsFiles(Protocol):
    """An extractor that opens the files of a recording itself."""

    def reader(self, path: Path, /) -> Reader:
        """Return what `Extractor.describe` gets of a file."""


class Beside(Protocol):
    """What the second file of a video holds."""

    def refuse_length(self, duration_s: float) -> None:
        """Refuse a video of another length than the file is of."""


@runtime_checkable
class ReadsBeside(Protocol):
    """An extractor that can describe a video by a second file, such as its tracks."""

    def read_beside(self, path: Path, video: Path) -> Beside:
        """Return what the second file of a video holds."""

    def describe_beside(
        self, frames: Iterable[Any]
    ) -> Iterator[npt.NDArray[np.float32]]:
        """Yield (n, D) blocks of features, as `Extractor.describe` does.

        Parameters
        ----------
        frames : iterable
            For each frame of the video what `read_beside` returned, which is the same
            for all of them.
        """


def opened(files: Sequence[Path], extractor: Extractor) -> Reader:
    """Return what an extractor gets of a recording.

    Parameters
    ----------
    files : sequence of Path
        The recording's only file, or its video and then its file of tracks.
    extractor : Extractor
        It gets the frames of the video, or what it reads itself.

    Raises
    ------
    TrackError
        If a file of tracks cannot be read, or is missing.
    """
    if isinstance(extractor, ReadsFiles):
        return extractor.reader(*files)
    fps, side = extractor.grid.fps, extractor.frame_side
    return FrameReader(files[0], fps=fps, short_side=side)
