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
    """Which extractor, and what its numbers depend on."""

    extractor: str = AUTO
    """motion, i3d-rgb, i3d-two-stream, or module:Class of your own (also from the
    working directory); "auto" is what the features directory already holds, else
    i3d-rgb where its weights are installed, else motion. A class that a features
    directory asks for runs only if it is named here, or is a line of
    ~/.config/acmnet/trusted_extractors."""
    fps: float = ExtractionSettings.fps
    "Frames a second that are looked at."
    snippet_frames: int = ExtractionSettings.snippet_frames
    "Frames that one row of features describes: a short piece of video, a snippet."
    stride_frames: int = ExtractionSettings.stride_frames
    "Frames from the start of one such piece to the start of the next."
    flow: FlowMethod = ExtractionSettings.flow
    """i3d-two-stream: how carefully the motion between frames (TV-L1 optical flow) is
    computed; dis is a quick preview, and marked as such."""
    crop: Crop = ExtractionSettings.crop
    "What I3D sees of a frame: its centre, or ten crops (ten times the work)."
    precision: Precision = ExtractionSettings.precision
    "In which I3D computes; bf16 is faster where the processor has it."

    def settings(self, features: Path) -> ExtractionSettings:
        """Return the settings to fill a features directory with."""
        values = dataclasses.asdict(self)
        if self.extractor != AUTO:
            return ExtractionSettings(**values)
        defaults = dataclasses.asdict(ExtractorOptions())
        if (features / MANIFEST_NAME).exists() and values == defaults:
            manifest = dataclasses.asdict(read_manifest(features))
            held = settings_of(manifest, str(features / MANIFEST_NAME))
            note(f"{features} holds features of {held.extractor}; it goes on with them")
            return held
        installed = {entry.name for entry in list_weights() if entry.installed}
        if RGB_WEIGHTS in installed:
            return ExtractionSettings(**values | {"extractor": "i3d-rgb"})
        note(
            f"features of motion; for better ones: acmnet weights install {RGB_WEIGHTS}"
        )
        return ExtractionSettings(**values | {"extractor": "motion"})


Extracting = Annotated[ExtractorOptions, Parameter(name="*", group=FEATURE_OPTIONS)]
