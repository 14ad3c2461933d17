"""What an extractor is: it turns the frames of one video into snippet features.

An extractor of your own is a class with the attributes and the method of `Extractor`.
Name it on the command line as ``--extractor my_module:MyExtractor``. A directory of
features or a trained run may ask for such a class, too; it is imported only if you name
it as well, or have listed it as trusted
(`acmnet.extraction.extractors.own_extractors`).
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol, cast

import numpy as np
import numpy.typing as npt

from acmnet.data.features.feature_manifest import FeatureManifest
from acmnet.extraction.extractors.extractor_names import parts_of
from acmnet.segments import SnippetGrid
from acmnet.video.frames import Frame


class Extractor(Protocol):
    """Turns the frames of one video into snippet features.

    Snippet t is made of the frames ``[t * stride, t * stride + window)``. N frames give
    ``floor((N - window) / stride) + 1`` snippets, and at least one.
    """

    @property
    def grid(self) -> SnippetGrid:
        """The snippets' place in time; its ``fps`` is that of the incoming frames."""

    @property
    def frame_side(self) -> int:
        """Shorter side, in pixels, of the incoming frames."""

    @property
    def dimension(self) -> int:
        """Number of columns D of the features."""

    @property
    def streams(self) -> tuple[str, ...]:
        """Names of the parts of the columns, in order, such as ``("rgb", "flow")``."""

    @property
    def versions(self) -> Mapping[str, str]:
        """Versions of the software and weights that the features depend on, by name."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """Everything else that the features depend on, as JSON values by name."""

    def describe(self, frames: Iterable[Frame]) -> Iterator[npt.NDArray[np.float32]]:
        """Yield (n, D) blocks of finite features, in order of time.

        Parameters
        ----------
        frames : iterable of (H, W, 3) uint8 arrays
            RGB, all of one size, at the grid's rate. Read them one after another, since
            they are decoded on the way.
        """


class Joined(Extractor, Protocol):
    """Several extractors whose features stand side by side."""

    @property
    def columns(self) -> Mapping[str, int]:
        """Number of columns of each extractor by its name, in order."""


def manifest_of(name: str, extractor: Extractor) -> FeatureManifest:
    """Return the manifest of a directory with the features of an extractor."""
    is_joined = len(parts_of(name)) > 1
    return FeatureManifest(
        grid=extractor.grid,
        dimension=extractor.dimension,
        columns=cast("Joined", extractor).columns if is_joined else {},
        streams=tuple(extractor.streams),
        extractor=name,
        versions=dict(extractor.versions),
        settings=dict(extractor.settings),
    )
