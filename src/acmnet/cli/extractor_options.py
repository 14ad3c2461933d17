"""Options of the verbs extract and fit: which extractor, with which settings."""

import dataclasses
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Group, Parameter

from acmnet.cli.app import note
from acmnet.data.feature_manifest import MANIFEST_NAME, read_manifest
from acmnet.extraction.extractors import ExtractionSettings, settings_of
from acmnet.extraction.i3d import Crop, Precision
from acmnet.extraction.i3d_weights import list_weights
from acmnet.extraction.optical_flow import FlowMethod
from acmnet.extraction.shipped_extractors import RGB_WEIGHTS

AUTO: Final = "auto"
FIRST: Final = Group("Parameters", sort_key=1)
FEATURE_OPTIONS: Final = Group("Features", sort_key=2)
TRAINING: Final = Group("Training", sort_key=3)
PROCESSES: Final = Group("How it runs", sort_key=4)
"""Groups of options in the help of a verb, in the order in which they matter."""

Running: Final = Parameter(group=PROCESSES)
RunningFlag: Final = Parameter(group=PROCESSES, negative=())


@dataclasses.dataclass(frozen=True)
class ExtractorOptions:
    """The extractor, and the settings that its features depend on."""

    extractor: str = AUTO
    """"motion", "i3d-rgb", "i3d-two-stream", or "module:Class" for an extractor of your
    own, which may lie in the working directory. "auto" continues with the extractor
    that the feature directory names; in a new directory it takes i3d-rgb if its weights
    are installed, else motion. For safety, a class of your own runs only if you name it
    here or in a line of ~/.config/acmnet/trusted_extractors."""
    fps: float = ExtractionSettings.fps
    "Frames per second that the video is sampled at before its features are computed."
    snippet_frames: int = ExtractionSettings.snippet_frames
    "Frames in a snippet, the short piece of video that one row of features describes."
    stride_frames: int = ExtractionSettings.stride_frames
    "Frames from the start of one snippet to the start of the next."
    flow: FlowMethod = ExtractionSettings.flow
    """Only for i3d-two-stream: how exactly the motion between frames (TV-L1 optical
    flow) is computed, from exact and slow to fast. "dis" is another, rough method for a
    quick preview; its features are marked as such."""
    crop: Crop = ExtractionSettings.crop
    "Only for I3D: look at the centre of a frame, or at ten crops (ten times as slow)."
    precision: Precision = ExtractionSettings.precision
    "Only for I3D: number format. bf16 is faster on processors that support it."

    def settings(self, features: Path) -> ExtractionSettings:
        """Return the settings to extract with; "auto" is resolved to an extractor.

        Parameters
        ----------
        features : Path
            The feature directory, whose own settings "auto" goes on with.
        """
        values = dataclasses.asdict(self)
        if self.extractor != AUTO:
            return ExtractionSettings(**values)
        defaults = dataclasses.asdict(ExtractorOptions())
        if (features / MANIFEST_NAME).exists() and values == defaults:
            manifest = dataclasses.asdict(read_manifest(features))
            held = settings_of(manifest, str(features / MANIFEST_NAME))
            note(f"{features} holds features of {held.extractor}; this goes on with it")
            return held
        installed = {entry.name for entry in list_weights() if entry.installed}
        if RGB_WEIGHTS in installed:
            return ExtractionSettings(**values | {"extractor": "i3d-rgb"})
        note(
            "the extractor motion is used, because no I3D weights are installed; I3D "
            f"finds more actions: acmnet weights install {RGB_WEIGHTS}"
        )
        return ExtractionSettings(**values | {"extractor": "motion"})


Extracting = Annotated[ExtractorOptions, Parameter(name="*", group=FEATURE_OPTIONS)]
