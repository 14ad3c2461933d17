"""What an extractor is: frames of one video in, snippet features out.

A backbone of your own is one class with the names of `Extractor`; name it on the
command line as ``--extractor my_module:MyExtractor``. What a store or a run asks for is
imported only if you name it as well, or trust it
(`acmnet.extraction.trusted_extractors`).
"""

import dataclasses
import importlib
import math
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Protocol, get_args

import numpy as np
import numpy.typing as npt

from acmnet.data.feature_manifest import FeatureManifest
from acmnet.extraction.i3d import Crop, Precision
from acmnet.extraction.optical_flow import FlowMethod
from acmnet.extraction.trusted_extractors import is_trusted, trusted_file
from acmnet.messages import quoted
from acmnet.segments import SnippetGrid
from acmnet.video.frames import Frame

MODULE_AND_CLASS: Final = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")
"""The name of an extractor of one's own, such as ``my_module:MyExtractor``."""


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
    is_named: bool = True
    """Whether the user names the extractor: then a class of their own may also lie in
    the working directory. False where a file names one that the user trusts."""

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


def settings_of(
    manifest: Mapping[str, Any], source: str, named: str | None = None
) -> ExtractionSettings:
    """Return the settings that fill a store with such features.

    Parameters
    ----------
    manifest : mapping
        A `FeatureManifest` as plain values, as a trained run keeps it.
    source : str
        The file or run that it comes from, for refusals.
    named : str, optional
        The extractor that the user names.

    Raises
    ------
    ExtractorError
        If it does not name its extractor, the user names another one, it names a class
        that the user neither names nor trusts, or its values are none of settings.
    """
    extractor = manifest.get("extractor")
    if not extractor:
        raise ExtractorError(
            f"{source} names no extractor of its features; extract features as those "
            "were and give them with --features"
        )
    if not isinstance(extractor, str):
        raise ExtractorError(f"{source}: extractor must be text, got {extractor!r}")
    if named not in (None, extractor):
        raise ExtractorError(
            f"{source} has features of the extractor {quoted(extractor)}, not of "
            f"{named!r}; leave --extractor out, or name that one"
        )
    if ":" in extractor and named is None:
        _refuse_untrusted(extractor, source)
    try:
        values = {
            name: manifest["settings"][name]
            for name in ("flow", "crop", "precision")
            if name in manifest["settings"]
        }
        values |= dataclasses.asdict(SnippetGrid(**manifest["grid"]))
        is_named = ":" not in extractor or named is not None
        return ExtractionSettings(extractor, **values, is_named=is_named)
    except (KeyError, TypeError, ValueError) as error:
        raise ExtractorError(
            f"{source} does not say how its features were extracted ({error}); extract "
            "features as those were and give them with --features"
        ) from error


def _refuse_untrusted(extractor: str, source: str) -> None:
    """Refuse a class that only a file names, unless the user has listed it.

    Raises
    ------
    ExtractorError
        It says what the file asks for, and how to allow it.
    """
    asks = f"{source} asks for the extractor {quoted(extractor)}"
    if not MODULE_AND_CLASS.fullmatch(extractor):
        raise ExtractorError(f"{asks}, which is not of the form module:Class")
    if not is_trusted(extractor):
        raise ExtractorError(
            f"{asks}, which is code that does not belong to acmnet; nothing of it was "
            f"run; if you trust it, give --extractor {extractor}, or add the line "
            f"{extractor} to {trusted_file()}"
        )


def own_extractor(name: str, *, is_named: bool = True) -> Extractor:
    """Return an instance of a user's class, made without arguments.

    Parameters
    ----------
    name : str
        ``module:Class``.
    is_named : bool
        Whether the user names it: then the module is also looked for in the working
        directory, after the path.

    Raises
    ------
    ExtractorError
        If there is no such module or class, it cannot be made, or it lacks a name of
        `Extractor`.
    """
    if not MODULE_AND_CLASS.fullmatch(name):
        raise ExtractorError(
            f"an extractor of your own is named as module:Class, got {name!r}"
        )
    module_name, _, class_name = name.partition(":")
    here = str(Path.cwd())
    if is_named and here not in sys.path:
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
