"""The extractors that come with acmnet, and which of them settings name."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from importlib import metadata
from typing import Final

import numpy as np
import numpy.typing as npt
import torch

from acmnet.extraction.extractors import (
    KEYPOINTS,
    POSE,
    ExtractionSettings,
    Extractor,
    ExtractorError,
    own_extractor,
    parts_of,
)
from acmnet.extraction.i3d import Stream
from acmnet.extraction.i3d_runner import I3DRunner
from acmnet.extraction.i3d_weights import load_i3d, weights_sha256
from acmnet.extraction.keypoint_extractor import Keypoints
from acmnet.extraction.motion_descriptor import MotionDescriptor
from acmnet.extraction.optical_flow import clamp_flow, flow_sequence
from acmnet.extraction.optical_flow_torch import flow_sequence_torch
from acmnet.extraction.pose_extractor import Pose
from acmnet.extraction.side_by_side import SideBySide
from acmnet.extraction.threads import prefetch
from acmnet.video.frames import Frame

RGB_WEIGHTS: Final = "i3d-rgb-kinetics400"
FLOW_WEIGHTS: Final = "i3d-flow"
FRAME_SIDE: Final = 256
"""Shorter side in pixels of the frames from which I3D's 224 x 224 are cut (Carreira &
Zisserman 2017)."""
BATCH_SNIPPETS: Final = 4
"""Snippets in one pass of I3D; more need more memory."""
FLOWS_AHEAD: Final = 16
"""Flows computed ahead of the network at most, which limits memory."""


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


class RGB:
    """The features of I3D's RGB stream: 1024 columns."""

    frame_side = FRAME_SIDE
    streams: tuple[str, ...] = ("rgb",)

    def __init__(self, settings: ExtractionSettings, device: str = "cpu") -> None:
        self.grid = settings.grid
        self.rgb = _runner(RGB_WEIGHTS, "rgb", settings, device)
        self.dimension = self.rgb.dimension
        self.versions = _versions(settings, RGB_WEIGHTS)
        self.settings: dict[str, str] = {
            "crop": settings.crop,
            "precision": self.rgb.precision,
        }

    def describe(self, frames: Iterable[Frame]) -> Iterator[npt.NDArray[np.float32]]:
        """Yield blocks of up to `BATCH_SNIPPETS` rows."""
        yield from self.rgb.describe(
            frames, self.grid.snippet_frames, self.grid.stride_frames
        )


class TwoStream:
    """The features of I3D's RGB and flow streams side by side: 2048 columns."""

    frame_side = FRAME_SIDE
    streams: tuple[str, ...] = ("rgb", "flow")

    def __init__(self, settings: ExtractionSettings, device: str = "cpu") -> None:
        self.colour = RGB(settings, device)
        self.grid = settings.grid
        self.method, self.device = settings.flow, device
        self.flow = _runner(FLOW_WEIGHTS, "flow", settings, device)
        self.dimension = self.colour.dimension + self.flow.dimension
        self.versions = self.colour.versions | _versions(settings, FLOW_WEIGHTS)
        self.settings = self.colour.settings | {"flow": settings.flow}
        if device != "cpu" and settings.flow != "dis":
            self.settings["flow_by"] = "torch"
        if settings.flow == "dis":
            self.settings["preview"] = "DIS is no TV-L1: not for published numbers"

    def describe(self, frames: Iterable[Frame]) -> Iterator[npt.NDArray[np.float32]]:
        """Yield blocks of up to `BATCH_SNIPPETS` rows; RGB columns come before flow."""
        shown, moved = itertools.tee(frames)  # one thread reads both at the same pace
        flows = map(clamp_flow, self._flows(moved))
        pairs: Iterable[tuple[Frame, npt.NDArray[np.float32]]]
        pairs = zip(shown, flows, strict=True)
        if self.device != "cpu":
            # only on a GPU: on a CPU, flow and network both use every core
            pairs = prefetch(pairs, FLOWS_AHEAD)
        first, second = itertools.tee(pairs)
        grid = self.grid
        colours = self.colour.describe(frame for frame, _ in first)
        motions = self.flow.describe(
            (flow for _, flow in second), grid.snippet_frames, grid.stride_frames
        )
        for colour, motion in zip(colours, motions, strict=True):
            yield np.concatenate([colour, motion], axis=1)

    def _flows(self, frames: Iterable[Frame]) -> Iterator[npt.NDArray[np.float32]]:
        """Compute flow on the network's device: by OpenCV on a CPU, else by torch."""
        if self.device == "cpu" or self.method == "dis":
            return flow_sequence(frames, self.method)
        return flow_sequence_torch(frames, self.method, self.device)


SHIPPED: Final[dict[str, Callable[[ExtractionSettings, str], Extractor]]] = {
    "motion": lambda settings, _: Motion(settings),
    "i3d-rgb": RGB,
    "i3d-two-stream": TwoStream,
    POSE: lambda settings, _: Pose(settings),
    KEYPOINTS: lambda settings, _: Keypoints(settings),
}


def make_extractor(settings: ExtractionSettings, device: str = "cpu") -> Extractor:
    """Return the extractor that the settings name, with its weights loaded.

    Parameters
    ----------
    settings : ExtractionSettings
        The name and settings; a user's own class is made from its name alone. Several
        names joined by ``+`` give all of these extractors side by side.
    device : str
        Device on which a network computes, such as ``"cuda"``.

    Raises
    ------
    ExtractorError, WeightsError
        If no extractor has that name, its weights are not installed, or several
        extractors do not fit together.
    """
    names = parts_of(settings.extractor)
    for name in names:
        if ":" not in name and name not in SHIPPED:
            raise ExtractorError(
                f"unknown extractor {name!r}; give {', '.join(SHIPPED)}, module:Class "
                "of your own, or several of these joined by +"
            )
    made = {
        name: own_extractor(name, is_named=settings.is_named)
        if ":" in name
        else SHIPPED[name](settings, device)
        for name in names
    }
    return made[names[0]] if len(made) == 1 else SideBySide(made)


def _runner(
    weights: str, stream: Stream, settings: ExtractionSettings, device: str
) -> I3DRunner:
    """Return I3D with installed weights, to run on one stream as it was asked for."""
    return I3DRunner(
        load_i3d(weights),
        stream=stream,
        crop=settings.crop,
        precision=settings.precision,
        batch=BATCH_SNIPPETS,
        device=device,
    )


def _versions(settings: ExtractionSettings, weights: str) -> dict[str, str]:
    """Return the versions that the features of an I3D stream depend on."""
    versions = {"torch": torch.__version__, weights: weights_sha256(weights)}
    if settings.precision.startswith("openvino"):
        versions["openvino"] = metadata.version("openvino")
    return versions
