"""The extractor ``motion``, which describes snippets without a network."""

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from acmnet.extraction.extractors.extraction_settings import ExtractionSettings
from acmnet.extraction.motion.motion_descriptor import MotionDescriptor
from acmnet.video.frames import Frame


class Motion:
    """Describes snippets by `MotionDescriptor`, which needs no weights."""

    def __init__(self, settings: ExtractionSettings) -> None:
        self.grid = settings.grid
        self.descriptor = MotionDescriptor()
        self.frame_side = self.descriptor.frame_side
        self.dimension = self.descriptor.dimension
        self.streams = self.descriptor.streams
        self.versions = {"numpy": np.__version__}
        self.settings: dict[str, str] = {}

    def describe(self, frames: Iterable[Frame]) -> Iterator[npt.NDArray[np.float32]]:
        """Yield (1, D) blocks."""
        grid = self.grid
        for row in self.descriptor.describe(
            frames, grid.snippet_frames, grid.stride_frames
        ):
            yield row[None]
