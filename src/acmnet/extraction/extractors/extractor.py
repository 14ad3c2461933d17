"""What an extractor is: it turns the frames of one video into snippet features.

An extractor of your own is a class with the attributes and the method of `Extractor`.
Name it on the command line as ``--extractor my_module:MyExtractor``. A directory of
features or a trained run may ask for such a class, too; it is imported only if you name
it as well, or have listed it as trusted
(`acmnet.extraction.extractors.trusted_extractors`).

The features of several extractors stand side by side if their names are joined by
``+``, such as ``i3d-rgb+motion`` (`acmnet.extraction.extractors.side_by_side`).
"""

import dataclasses
import importlib
import math
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Protocol, cast, get_args

import numpy as np
import numpy.typing as npt

from acmnet.data.features.feature_manifest import FeatureManifest
from acmnet.data.tracks.track_layout import TrackLayout
from acmnet.extraction.extractors.i3d_choices import LEAST_COSINE, Crop, Precision
from acmnet.extraction.extractors.trusted_extractors import is_trusted, trusted_file
from acmnet.extraction.flow.optical_flow import FlowMethod
from acmnet.messages import quoted
from acmnet.segments import SnippetGrid
from acmnet.video.frames import Frame

KEYPOINTS: Final = "keypoints"
"""The extractor of files of tracks, which take the place of videos."""

POSE: Final = "pose"
"""The extractor that finds people's points in videos and describes those as tracks."""

MODULE_AND_CLASS: Final = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")
"""Form of the name of a user's own extractor, such as ``my_module:MyExtractor``."""


PLUS: Final = "+"
"""Joins the names of extractors whose features stand side by side."""


class ExtractorError(ValueError):
    """An extractor that cannot be made; the message says what to do."""


def parts_of(name: str) -> tuple[str, ...]:
    """Return the names of the extractors that a name joins by ``+``, in order.

    Raises
    ------
    ExtractorError
        If a name is missing or given twice, or if ``keypoints`` is one of several: its
        files are not videos.

    Examples
    --------
    >>> parts_of("i3d-rgb+motion"), parts_of("motion")
    (('i3d-rgb', 'motion'), ('motion',))
    """
    parts = tuple(name.split(PLUS))
    if len(parts) == 1:
        return parts
    joined = f"the extractors {name!r} cannot stand side by side"
    if not all(parts):
        raise ExtractorError(
            f"{joined}: a name beside a + is missing; write motion+NAME"
        )
    if twice := next((part for part in parts if parts.count(part) > 1), None):
        raise ExtractorError(f"{joined}: {twice} is named twice; name it once")
    if KEYPOINTS in parts:
        raise ExtractorError(
            f"{joined}: {KEYPOINTS} reads files of tracks, the others read videos; "
            "extract each into a directory of its own"
        )
    return parts


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


@dataclasses.dataclass(frozen=True)
class ExtractionSettings:
    """The name of an extractor, and the settings that its features depend on."""

    extractor: str = "motion"
    """``motion``, ``i3d-rgb``, ``i3d-two-stream``, ``pose``, ``keypoints``, your own
    ``module:Class``, or several of these except ``keypoints``, joined by ``+``."""
    fps: float = 25.0
    """Frames a second from which snippets are cut, above 0."""
    snippet_frames: int = 16
    """Frames in a snippet, from 1."""
    stride_frames: int = 16
    """Frames from the start of one snippet to the start of the next, from 1."""
    flow: FlowMethod = "mid"
    """How carefully ``i3d-two-stream`` computes TV-L1 flow; "dis" is a quick preview by
    another method. Other extractors ignore it."""
    crop: Crop = "centre"
    """What I3D sees of a frame: its centre, or ten crops whose features are
    averaged."""
    precision: Precision = "auto"
    """Number format of I3D. bf16 changes its features by 1 % (a cosine of 0.9999
    between the vectors). A device that could only emulate bf16 falls back to fp32, and
    the manifest says so. "auto" is bf16 unless
    `acmnet.extraction.i3d.fastest_precision.with_fastest` has chosen another one."""
    peaks: tuple[float, ...] = ()
    """Only for "openvino-int8": what the convolutions of I3D read at most, as
    `acmnet.extraction.i3d.i3d_int8.measured_peaks` returns it."""
    least_cosine: float = LEAST_COSINE
    """Only for "auto" and "openvino-int8": the least cosine between the I3D features of
    a snippet and those in fp32, in (0, 1]. A format that changes them more is not
    taken."""
    tracks: TrackLayout | None = None
    """Which points of how many individuals ``keypoints`` and ``pose`` describe; the
    usual ones of ``pose`` where None."""
    is_named: bool = True
    """Whether the user has named the extractor, rather than a file. The module of a
    user's own class is then searched for in the working directory, too."""

    def __post_init__(self) -> None:
        """Refuse settings that no extractor can use."""
        parts_of(self.extractor)
        if not (math.isfinite(self.fps) and self.fps > 0):
            raise ExtractorError(f"fps must be above 0, got {self.fps}")
        for name in ("snippet_frames", "stride_frames"):
            if getattr(self, name) < 1:
                raise ExtractorError(
                    f"{name} must be at least 1, got {getattr(self, name)}"
                )
        if not 0 < self.least_cosine <= 1:
            raise ExtractorError(
                f"least_cosine must be above 0 and at most 1, got {self.least_cosine}"
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
        """Where the snippets lie in time."""
        return SnippetGrid(self.fps, self.snippet_frames, self.stride_frames)


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


def settings_of(
    manifest: Mapping[str, Any], source: str, named: str | None = None
) -> ExtractionSettings:
    """Return the settings with which features as in a manifest are extracted.

    Parameters
    ----------
    manifest : mapping
        A `FeatureManifest` as plain values, as a trained run holds one.
    source : str
        The file or run that the manifest comes from, for messages.
    named : str, optional
        The extractor that the user named.

    Raises
    ------
    ExtractorError
        If the manifest names no extractor, or another one than the user named, or a
        class that the user neither named nor trusts, or if its values are not those of
        settings.
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
    if named is None:
        for part in extractor.split(PLUS):
            _refuse_untrusted(part, extractor, source)
    try:
        values: dict[str, Any] = {
            name: manifest["settings"][name]
            for name in ("flow", "crop", "precision")
            if name in manifest["settings"]
        }
        if "peaks" in manifest["settings"]:
            values["peaks"] = tuple(map(float, manifest["settings"]["peaks"]))
        if "tracks" in manifest["settings"]:
            values["tracks"] = TrackLayout.from_json(manifest["settings"]["tracks"])
        values |= dataclasses.asdict(SnippetGrid(**manifest["grid"]))
        is_named = ":" not in extractor or named is not None
        return ExtractionSettings(extractor, **values, is_named=is_named)
    except (KeyError, TypeError, ValueError) as error:
        raise ExtractorError(
            f"{source} does not say how its features were extracted ({error}); extract "
            "features as those were and give them with --features"
        ) from error


def _refuse_untrusted(part: str, extractor: str, source: str) -> None:
    """Refuse a class that only a file names, unless the user has listed it as trusted.

    Parameters
    ----------
    part : str
        One of the extractors that ``extractor`` joins; those of acmnet are trusted.
    extractor : str
        What the file names.
    source : str
        The file, for messages.

    Raises
    ------
    ExtractorError
        The message says which class the file asks for, and how to allow it.
    """
    if ":" not in part:
        return
    asks = f"{source} asks for the extractor {quoted(part)}"
    if not MODULE_AND_CLASS.fullmatch(part):
        raise ExtractorError(f"{asks}, which is not of the form module:Class")
    if not is_trusted(part):
        raise ExtractorError(
            f"{asks}, which is code that does not belong to acmnet; nothing of it was "
            f"run; if you trust it, give --extractor {extractor}, or add the line "
            f"{part} to {trusted_file()}"
        )


def own_extractor(name: str, *, is_named: bool = True) -> Extractor:
    """Return an instance of a user's own class, made without arguments.

    Parameters
    ----------
    name : str
        ``module:Class``.
    is_named : bool
        Whether the user has named the class, rather than a file. Its module is then
        searched for in the working directory, too, after Python's path.

    Raises
    ------
    ExtractorError
        If there is no such module or class, the instance cannot be made, or it lacks an
        attribute of `Extractor`.
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
            f"{', '.join(wanted)} (acmnet.extraction.extractors.extractor.Extractor)"
        )
    return extractor
