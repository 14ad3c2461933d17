"""Several extractors whose features of a video stand side by side.

The video is decoded once. Each extractor runs in a thread of its own and gets the
frames that it would get alone, so its columns equal those that it computes alone. An
extractor of tracks gets those of the video's own file of tracks.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from acmnet.data.features.feature_files import FeatureError
from acmnet.data.tracks.tracks import TrackError
from acmnet.extraction.extractors.extractor import Extractor
from acmnet.extraction.extractors.extractor_names import ExtractorError
from acmnet.extraction.extractors.file_readers import Beside, ReadsBeside, ReadsFiles
from acmnet.messages import counted
from acmnet.segments import SnippetGrid
from acmnet.video.frames import Frame, FrameReader, Sizes
from acmnet.workers.prefetching_threads import Belt, SharedItems

FRAMES_BETWEEN: Final = 64
"""Frames that one extractor may be ahead of another, which limits memory. As many as
I3D takes into one pass, so that others can compute during that pass."""


class SizedFrames(FrameReader):
    """The frames of a video, each in the sizes that several extractors ask for.

    Parameters
    ----------
    path : Path
        The video.
    fps : float
        Frames a second of the result.
    short_sides : tuple of int
        Shorter sides of the pictures, in pixels.
    beside : tuple of Beside
        What further files hold of the video; it stands beside each frame's pictures.
    """

    def __init__(
        self,
        path: Path,
        fps: float,
        short_sides: tuple[int, ...],
        beside: tuple[Beside, ...] = (),
    ) -> None:
        super().__init__(path, fps=fps)
        self._short_sides, self._beside = short_sides, beside

    def __iter__(self) -> Iterator[Any]:
        """Yield a tuple for each frame: a picture of each size, then what is beside.

        Raises
        ------
        TrackError
            After the last frame, if the video is not as long as a file beside it.
        """
        for pictures in self.in_sizes(self._short_sides):
            yield *pictures, *self._beside
        for held in self._beside:
            held.refuse_length(self.duration_s)


class SideBySide:
    """Several extractors that describe the same snippets of the same videos.

    Parameters
    ----------
    parts : mapping of str to Extractor
        The extractors by name, in the order of their columns; at least one.

    Raises
    ------
    ExtractorError
        If an extractor cuts snippets in another way than the first, or reads files
        that are not videos and cannot stand beside one.
    """

    def __init__(self, parts: Mapping[str, Extractor]) -> None:
        self.parts = dict(parts)
        first, self.grid = next((name, part.grid) for name, part in parts.items())
        for name, part in self.parts.items():
            if part.grid != self.grid:
                raise ExtractorError(
                    "extractors side by side must describe the same snippets: "
                    f"{first} has {_words(self.grid)}, {name} {_words(part.grid)}; "
                    "make them equal with --fps, --snippet-frames and --stride-frames, "
                    "or in the class"
                )
            if isinstance(part, ReadsFiles) and not isinstance(part, ReadsBeside):
                raise ExtractorError(
                    f"the extractor {name} reads files itself (its method reader), so "
                    "it cannot stand beside extractors of videos; name it alone"
                )
        pictures = (p for p in parts.values() if not isinstance(p, ReadsBeside))
        self.sides = tuple(sorted({part.frame_side for part in pictures}))
        """Shorter sides in pixels that the extractors of videos ask for, each once."""
        self.beside = {n: p for n, p in parts.items() if isinstance(p, ReadsBeside)}
        """The extractors of a second file, by name; at most one."""
        self.frame_side = self.sides[-1]
        self.columns = {name: part.dimension for name, part in self.parts.items()}
        self.dimension = sum(self.columns.values())
        self.streams = tuple(s for part in self.parts.values() for s in part.streams)
        self.versions: dict[str, str] = {}
        self.settings: dict[str, Any] = {}
        for name, part in self.parts.items():
            if ":" in name:  # what a user's own class calls its values may be anything
                self.versions |= {f"{name} {k}": v for k, v in part.versions.items()}
                self.settings[name] = dict(part.settings)
            else:
                self.versions |= part.versions
                self.settings |= part.settings

    def reader(self, path: Path, second: Path | None = None) -> SizedFrames:
        """Return what `describe` gets of a video, and of its second file, if any.

        Raises
        ------
        TrackError
            If an extractor needs a second file and there is none, or it cannot be read.
        """
        if second is None and self.beside:
            raise TrackError(
                f"{path} has no file of tracks, which {', '.join(self.beside)} "
                "describes; give the two the same name and name the folder of the "
                "tracks with --tracks, or leave the video out"
            )
        held: tuple[Beside, ...] = ()
        if second is not None:
            held = tuple(p.read_beside(second, path) for p in self.beside.values())
        return SizedFrames(path, self.grid.fps, self.sides, held)

    def describe(self, frames: Iterable[Any]) -> Iterator[npt.NDArray[np.float32]]:
        """Yield (1, D) blocks; the columns of the first extractor come first.

        Parameters
        ----------
        frames : iterable of tuples
            What `reader` gives of a video: (H, W, 3) uint8 arrays, then what second
            files hold.

        Raises
        ------
        FeatureError
            If an extractor gives rows of another length than it states, or another
            number of rows than the others.
        """
        n_parts = len(self.parts)
        shared: SharedItems[Sizes] = SharedItems(frames, n_parts, FRAMES_BETWEEN)
        # any number of blocks may wait: they are much smaller than the frames
        belts = [Belt(self._blocks(k, shared), depth=0) for k in range(n_parts)]
        try:
            yield from self._joined([belt.started() for belt in belts])
        finally:
            shared.stop()
            for belt in belts:
                belt.stop()

    def _joined(
        self, blocks: list[Iterator[npt.NDArray[np.float32]]]
    ) -> Iterator[npt.NDArray[np.float32]]:
        """Yield each snippet's rows of all extractors as one row."""
        counts = [0] * len(blocks)
        each = [itertools.chain.from_iterable(stream) for stream in blocks]
        for rows in itertools.zip_longest(*each):
            for k, row in enumerate(rows):
                counts[k] += row is not None
            if len(set(counts)) == 1:
                yield np.concatenate(rows)[None]
        if len(set(counts)) > 1:
            given = ", ".join(
                f"{name} {count}"
                for name, count in zip(self.parts, counts, strict=True)
            )
            raise FeatureError(
                "extractors side by side must give as many snippets as their grid has, "
                f"they gave {given}; mend the class that gives another number"
            )

    def _blocks(
        self, k: int, shared: SharedItems[Sizes]
    ) -> Iterator[npt.NDArray[np.float32]]:
        """Yield the (n, D) blocks of the k-th extractor."""
        name, part = list(self.parts.items())[k]
        try:
            for block in self._described(name, shared.reader(k)):
                if np.ndim(block) != 2 or np.shape(block)[1] != part.dimension:
                    raise FeatureError(
                        f"the extractor {name} gave a block of shape "
                        f"{np.shape(block)}, it says its dimension is "
                        f"{part.dimension}; yield arrays of shape (n, D)"
                    )
                yield np.asarray(block, np.float32)
        finally:
            shared.leave(k)

    def _described(
        self, name: str, shared: Iterator[Any]
    ) -> Iterator[npt.NDArray[np.float32]]:
        """Yield the blocks of an extractor of the video, or of its second file."""
        if name not in self.beside:
            return self.parts[name].describe(self._frames(name, shared))
        return self.beside[name].describe_beside(items[-1] for items in shared)

    def _frames(self, name: str, sized: Iterator[Sizes]) -> Iterator[Frame]:
        """Yield the frames in the size of an extractor.

        A user's own class gets copies, because others see the same arrays.
        """
        size = self.sides.index(self.parts[name].frame_side)
        for frame in sized:
            yield frame[size].copy() if ":" in name else frame[size]


def _words(grid: SnippetGrid) -> str:
    """Return a grid in words."""
    return (
        f"{counted(grid.snippet_frames, 'frame')} every {grid.stride_frames} at "
        f"{grid.fps:g} frames a second"
    )
