"""The extractors of I3D: its RGB stream, alone, over longer windows, or with flow."""

import dataclasses
import itertools
from collections.abc import Iterable, Iterator
from importlib import metadata
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch

from acmnet.extraction.extractors.extraction_settings import ExtractionSettings
from acmnet.extraction.extractors.i3d_choices import FLOW_WEIGHTS, RGB_WEIGHTS, Stream
from acmnet.extraction.flow.optical_flow import clamp_flow, flow_sequence
from acmnet.extraction.flow.optical_flow_torch import flow_sequence_torch
from acmnet.extraction.i3d.i3d_runner import I3DRunner
from acmnet.extraction.i3d.i3d_weights import load_i3d, weights_sha256
from acmnet.video.frames import Frame
from acmnet.workers.prefetching_threads import prefetch

FRAME_SIDE: Final = 256
"""Shorter side in pixels of the frames from which I3D's 224 x 224 are cut (Carreira &
Zisserman 2017)."""
BATCH_SNIPPETS: Final = 4
"""Snippets in one pass of I3D on a CPU; more need more memory."""
GPU_BATCH_SNIPPETS: Final = 16
"""Snippets in one pass of I3D on a GPU, which fewer would not fill."""
GPU_PAIRS: Final = 64
"""Pairs of frames whose flow a GPU computes at once, which fewer would not fill."""
FLOWS_AHEAD: Final = 16
"""Flows computed ahead of the network at most, which limits memory."""


class RGB:
    """The features of I3D's RGB stream: 1024 columns."""

    frame_side = FRAME_SIDE
    streams: tuple[str, ...] = ("rgb",)

    def __init__(self, settings: ExtractionSettings, device: str = "cpu") -> None:
        self.grid = settings.grid
        self.rgb = _runner(RGB_WEIGHTS, "rgb", settings, device)
        self.dimension = self.rgb.dimension
        self.versions = _versions(settings, RGB_WEIGHTS)
        self.settings: dict[str, Any] = {
            "crop": settings.crop,
            "precision": self.rgb.precision,
        }
        if settings.peaks:
            self.settings["peaks"] = list(settings.peaks)

    def describe(self, frames: Iterable[Frame]) -> Iterator[npt.NDArray[np.float32]]:
        """Yield blocks of up to `BATCH_SNIPPETS` or `GPU_BATCH_SNIPPETS` rows."""
        yield from self.rgb.describe(
            frames, self.grid.snippet_frames, self.grid.stride_frames
        )


class WideRGB:
    """I3D's RGB stream over twice as many frames, around the middle of each snippet.

    Beside `RGB` it tells what happens around a snippet (D-169). Before the first frame
    of a video and after its last, that frame is repeated.
    """

    frame_side = FRAME_SIDE
    streams: tuple[str, ...] = ("wide-rgb",)

    def __init__(self, settings: ExtractionSettings, device: str = "cpu") -> None:
        self.grid = settings.grid
        window = 2 * settings.snippet_frames
        self.rgb = RGB(dataclasses.replace(settings, snippet_frames=window), device)
        self.dimension = self.rgb.dimension
        self.versions, self.settings = self.rgb.versions, self.rgb.settings

    def describe(self, frames: Iterable[Frame]) -> Iterator[npt.NDArray[np.float32]]:
        """Yield blocks of rows as `RGB` does."""
        yield from self.rgb.describe(_held_at_ends(frames, self.grid.snippet_frames))


def _held_at_ends(frames: Iterable[Frame], n_more: int) -> Iterator[Frame]:
    """Yield frames with ``n_more`` in all repeated at both ends; none of none.

    Examples
    --------
    >>> list(_held_at_ends("abc", 3))
    ['a', 'a', 'b', 'c', 'c', 'c']
    """
    frame = None
    for index, frame in enumerate(frames):
        yield from itertools.repeat(frame, 1 if index else 1 + n_more // 2)
    if frame is not None:
        yield from itertools.repeat(frame, n_more - n_more // 2)


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
        """Yield blocks of rows as `RGB` does; RGB columns come before flow."""
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
        return flow_sequence_torch(frames, self.method, self.device, GPU_PAIRS)


def _runner(
    weights: str, stream: Stream, settings: ExtractionSettings, device: str
) -> I3DRunner:
    """Return I3D with installed weights, to run on one stream as it was requested."""
    at_once = BATCH_SNIPPETS if device == "cpu" else GPU_BATCH_SNIPPETS
    return I3DRunner(
        load_i3d(weights),
        stream=stream,
        crop=settings.crop,
        precision=settings.precision,
        # OpenVINO is faster with one snippet at a time
        batch=1 if settings.precision.startswith("openvino") else at_once,
        device=device,
        peaks=settings.peaks,
    )


def _versions(settings: ExtractionSettings, weights: str) -> dict[str, str]:
    """Return the versions that the features of an I3D stream depend on."""
    versions = {"torch": torch.__version__, weights: weights_sha256(weights)}
    if settings.precision.startswith("openvino"):
        versions["openvino"] = metadata.version("openvino")
    return versions
