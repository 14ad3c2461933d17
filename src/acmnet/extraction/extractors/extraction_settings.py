"""The settings that features depend on, as given by a user or read from a manifest."""

import dataclasses
import json
import math
from collections.abc import Mapping
from typing import Any, get_args

from acmnet.data.features.feature_manifest import FeatureManifest
from acmnet.data.tracks.track_layout import TrackLayout
from acmnet.extraction.extractors.extractor_names import PLUS, ExtractorError, parts_of
from acmnet.extraction.extractors.i3d_choices import LEAST_COSINE, Crop, Precision
from acmnet.extraction.extractors.own_extractors import refuse_untrusted
from acmnet.extraction.flow.optical_flow import FlowMethod
from acmnet.messages import quoted
from acmnet.segments import SnippetGrid


@dataclasses.dataclass(frozen=True)
class ExtractionSettings:
    """The name of an extractor, and the settings that its features depend on."""

    extractor: str = "motion"
    """``motion``, ``i3d-rgb``, ``i3d-rgb-wide``, ``i3d-two-stream``, ``pose``,
    ``keypoints``, your own ``module:Class``, or several of these, joined by ``+``."""
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
    `acmnet.extraction.i3d.speed.fastest_precision` has chosen another one."""
    peaks: tuple[float, ...] = ()
    """Only for "openvino-int8": what the convolutions of I3D read at most, as
    `acmnet.extraction.i3d.openvino.i3d_openvino.measured_peaks` returns it."""
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

    def are_of(self, manifest: FeatureManifest) -> bool:
        """Whether features as in a manifest were extracted with these settings.

        Versions are not compared. False also where only the extractor itself can tell,
        as for a user's own class.
        """
        if any(":" in part for part in parts_of(self.extractor)):
            return False
        asked = dataclasses.asdict(self)
        if self.tracks is not None:
            asked["tracks"] = self.tracks.to_json()
        asked = json.loads(json.dumps(asked))  # as a manifest holds values
        held = {"extractor": manifest.extractor, **dataclasses.asdict(manifest.grid)}
        held |= manifest.settings
        return all(asked.get(name) == value for name, value in held.items())


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
            refuse_untrusted(part, extractor, source)
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
