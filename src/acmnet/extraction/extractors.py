"""What an extractor is: frames of one video in, snippet features out.

A backbone of your own is one class with the names of `Extractor`; name it on the
command line as ``--extractor my_module:MyExtractor``.
"""

import dataclasses
import importlib
import math
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol, get_args

import numpy as np
import numpy.typing as npt

from acmnet.extraction.flow import FlowMethod
from acmnet.extraction.i3d import Crop, Precision
from acmnet.extraction.video import Frame
from acmnet.features import FeatureManifest
from acmnet.segments import SnippetGrid


class ExtractorError(ValueError):
    """An extractor that cannot be had; the message says what to do."""


class Extractor(Protocol):
    """Turns the frames of one video into snippet features.

    Snippet t is made of the frames ``[t * stride, t * stride + window)`` of the grid;
    N frames give ``floor((N - window) / stride) + 1`` snippets, at least one.
    """

    @property
    def grid(self) -> SnippetGrid:
        """Its ``fps`` is the rate at which frames come in."""

    @property
    def frame_side(self) -> int:
        """Shorter side, in pixels, of the frames that come in."""

    @property
    def dimension(self) -> int:
        """D."""

    @property
    def streams(self) -> tuple[str, ...]:
        """What the columns are, in order, such as ``("rgb", "flow")``."""

    @property
    def versions(self) -> Mapping[str, str]:
        """Of the software and weights that the numbers depend on."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """All else that the numbers depend on, as JSON values."""

    def describe(self, frames: Iterable[Frame]) -> Iterator[npt.NDArray[np.float32]]:
        """Yield (n, D) blocks of finite features, in order of time.

        Parameters
        ----------
        frames : iterable of (H, W, 3) uint8 arrays
            RGB, all of one size, at the grid's rate; to be consumed as they come.
        """


@dataclasses.dataclass(frozen=True)
class ExtractionSettings:
    """Which extractor, and what its numbers depend on."""

    extractor: str = "motion"
    """motion, i3d-rgb, i3d-two-stream, or module:Class of your own."""
    fps: float = 25.0
    """Frames a second that snippets are cut from, above 0."""
    snippet_frames: int = 16
    """Frames in a snippet, from 1."""
    stride_frames: int = 16
    """Frames from one snippet to the next, from 1."""
    flow: FlowMethod = "mid"
    """How a flow stream's TV-L1 is computed (two-stream only); "dis" is a preview."""
    crop: Crop = "centre"
    """Centre crop, or the mean over ten (I3D only)."""
    precision: Precision = "bf16"
    """Of I3D; bf16 moves its features by 1 % (0.9999 in cosine). A device that would
    have to imitate bf16 computes in fp32, and the manifest says so."""

    def __post_init__(self) -> None:
        """Refuse what no extractor can do."""
        if not (math.isfinite(self.fps) and self.fps > 0):
            raise ExtractorError(f"fps must be above 0, got {self.fps}")
        for name in ("snippet_frames", "stride_frames"):
            if getattr(self, name) < 1:
                raise ExtractorError(
                    f"{name} must be at least 1, got {getattr(self, name)}"
                )
        for name, choices in (
            ("flow", FlowMethod),
            ("crop", Crop),
            ("precision", Precision),
        ):
            if getattr(self, name) not in get_args(choices):
                raise ExtractorError(
                    f"{name} must be one of {', '.join(get_args(choices))}; got "
                    f"{getattr(self, name)!r}"
                )

    @property
    def grid(self) -> SnippetGrid:
        """Where its snippets lie in time."""
        return SnippetGrid(self.fps, self.snippet_frames, self.stride_frames)


def manifest_of(name: str, extractor: Extractor) -> FeatureManifest:
    """Return the manifest of the store that an extractor of this name fills."""
    return FeatureManifest(
        extractor.grid,
        extractor.dimension,
        tuple(extractor.streams),
        name,
        dict(extractor.versions),
        dict(extractor.settings),
    )


def settings_of(manifest: Mapping[str, Any]) -> ExtractionSettings:
    """Return the settings that fill a store with such features.

    Parameters
    ----------
    manifest : mapping
        A `FeatureManifest` as plain values, as a trained run keeps it.

    Raises
    ------
    ExtractorError
        If it does not name its extractor.
    """
    if not manifest.get("extractor"):
        raise ExtractorError(
            "the features' manifest names no extractor; extract features as the run's "
            "were and give them with --features"
        )
    known = {field.name for field in dataclasses.fields(ExtractionSettings)}
    values = {k: v for k, v in manifest["settings"].items() if k in known}
    return ExtractionSettings(
        extractor=manifest["extractor"], **manifest["grid"], **values
    )


def own_extractor(name: str) -> Extractor:
    """Return an instance of a user's class, made without arguments.

    Parameters
    ----------
    name : str
        ``module:Class``; the module is looked for on the path and in the working
        directory.

    Raises
    ------
    ExtractorError
        If there is no such module or class, it cannot be made, or it lacks a name of
        `Extractor`.
    """
    module_name, _, class_name = name.partition(":")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise ExtractorError(
            f"extractor {name!r}: {error}; give module:Class of a module that Python "
            "can import from here"
        ) from error
    made = getattr(module, class_name, None)
    if made is None:
        raise ExtractorError(
            f"extractor {name!r}: {module_name} has no {class_name!r}; it has "
            f"{', '.join(n for n in vars(module) if n[0] != '_') or 'no names'}"
        )
    extractor: Extractor = made()
    wanted = [n for n in vars(Extractor) if n[0] != "_"]
    lacking = [n for n in wanted if not hasattr(extractor, n)]
    if lacking:
        raise ExtractorError(
            f"extractor {name!r} lacks {', '.join(lacking)}; an extractor has "
            f"{', '.join(wanted)} (acmnet.extraction.extractors.Extractor)"
        )
    return extractor
