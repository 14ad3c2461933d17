"""Several extractors whose features of a video stand side by side.

The video is decoded once. Each extractor runs in a thread of its own and gets the
frames that it would get alone, so its columns equal those that it computes alone.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from acmnet.data.features.feature_files import FeatureError
from acmnet.extraction.extractors.extractor import Extractor
from acmnet.extraction.extractors.extractor_names import ExtractorError
from acmnet.extraction.extractors.file_readers import ReadsFiles
from acmnet.messages import counted
from acmnet.segments import SnippetGrid
from acmnet.video.frames import Frame, FrameReader, Sizes
from acmnet.workers.prefetching_threads import Belt, SharedItems

FRAMES_BETWEEN: Final = 64
"""Frames that one extractor may be ahead of another, which limits memory. As many as
I3D takes into one pass, so that others can compute during that pass."""


class SizedFrames(FrameReader):
    """The frames of a video, each in the sizes that several extractors ask for."""

    def __init__(self, path: Path, fps: float, short_sides: tuple[int, ...]) -> None:
        super().__init__(path, fps=fps)
        self._short_sides = short_sides

    def __iter__(self) -> Iterator[Any]:
        """Return the frames, each as a tuple with one picture for each size."""
        return self.in_sizes(self._short_sides)


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
        that are not videos.
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
            if isinstance(part, ReadsFiles):
                raise ExtractorError(
                    f"the extractor {name} reads files itself (its method reader), so "
                    "it cannot stand beside extractors of videos; name it alone"
                )
        self.sides = tuple(sorted({p.frame_side for p in self.parts.values()}))
        """Shorter sides in pixels that the extractors ask for, each once."""
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

    def reader(self, path: Path) -> SizedFrames:
        """Return what `describe` gets of a video."""
        return SizedFrames(path, self.grid.fps, self.sides)

    def describe(self, frames: Iterable[Any]) -> Iterator[npt.NDArray[np.float32]]:
        """Yield (1, D) blocks; the columns of the first extractor come first.

        Parameters
        ----------
        frames : iterable of tuples of (H, W, 3) uint8 arrays
            What `reader` gives of a video.

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
            for block in part.describe(self._frames(name, shared.reader(k))):
                if np.ndim(block) != 2 or np.shape(block)[1] != part.dimension:
                    raise FeatureError(
                        f"the extractor {name} gave a block of shape "
                        f"{np.shape(block)}, it says its dimension is "
                        f"{part.dimension}; yield arrays of shape (n, D)"
                    )
                yield np.asarray(block, np.float32)
        finally:
            shared.leave(k)

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
