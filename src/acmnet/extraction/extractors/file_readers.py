"""Read what an extractor needs from a file: the frames of a video, or tracks."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

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
    """An extractor of files that are not videos."""

    def reader(self, path: Path) -> Reader:
        """Return what `Extractor.describe` gets of a file."""


def opened(path: Path, extractor: Extractor) -> Reader:
    """Return what an extractor gets of a file: a video's frames, or what it reads.

    Raises
    ------
    TrackError
        If a file of tracks cannot be read.
    """
    if isinstance(extractor, ReadsFiles):
        return extractor.reader(path)
    return FrameReader(path, fps=extractor.grid.fps, short_side=extractor.frame_side)
