"""Time extraction from a video file: each stage alone, and all stages together."""

import itertools
import statistics
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final
from unittest import mock

import av
import cv2
import numpy as np

from acmnet.data.made_up.drawn_videos import SceneSettings, plan_videos, render_video
from acmnet.extraction.extractors.extraction_settings import ExtractionSettings
from acmnet.extraction.extractors.extractor import Extractor
from acmnet.extraction.extractors.i3d_choices import (
    FLOW_WEIGHTS,
    RGB_WEIGHTS,
    Precision,
)
from acmnet.extraction.flow.optical_flow import FlowMethod, clamp_flow, flow_sequence
from acmnet.extraction.i3d import i3d_extractors
from acmnet.extraction.i3d.i3d import I3D
from acmnet.extraction.i3d.i3d_extractors import TwoStream
from acmnet.extraction.i3d.i3d_weights import list_weights, load_i3d, weights_sha256
from acmnet.extraction.many_videos.video_task import BATCHES_AHEAD, FRAMES_AT_ONCE
from acmnet.extraction.shipped_extractors import make_extractor
from acmnet.runtime.devices import computed_in
from acmnet.video.frames import Frame, FrameReader
from acmnet.workers.prefetching_threads import prefetch
from benchmarks.measure import Figure, interleaved, median_ratio, seconds, spread

SIZE: Final = (640, 480)
FPS: Final = 25
OVERLAP_LIMIT: Final = 1.15
MOTION_S: Final = 12
I3D_S: Final = 6
FLOW_FRAMES: Final = 9
FLOW_SIZE: Final = (340, 256)
PRECISIONS: Final[tuple[Precision, ...]] = ("fp32", "bf16", "openvino")
METHODS: Final[tuple[FlowMethod, ...]] = ("default", "mid", "fast", "dis")
TWO_STREAM_METHODS: Final[tuple[FlowMethod, ...]] = ("default", "fast")
TWO_STREAM_FRAMES: Final = 129
"""Frames of two batches of snippets, so that network and flow can overlap."""


def rows(repeats: int = 3) -> Iterator[Figure]:
    """Measure `motion`, and I3D if it is installed, in this CPU's number formats."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "drawn.mp4"
        _write(path, MOTION_S)
        yield from _extractor(path, ExtractionSettings("motion"), MOTION_S, repeats)
        installed = {entry.name for entry in list_weights() if entry.installed}
        if RGB_WEIGHTS not in installed:
            return
        _write(path, I3D_S)
        for precision in PRECISIONS:
            if computed_in(precision, "cpu") != precision:
                continue
            settings = ExtractionSettings("i3d-rgb", precision=precision)
            yield from _extractor(path, settings, I3D_S, repeats)
        yield from _flow(path)
        with _drawn_weights(installed):
            for method in TWO_STREAM_METHODS:
                yield _two_stream(path, method)


def _extractor(
    path: Path, settings: ExtractionSettings, video_s: int, repeats: int
) -> Iterator[Figure]:
    """Time decoding alone, computing features alone, and both as a worker does."""
    extractor = make_extractor(settings)
    frames = list(_reader(path, extractor))
    stages: list[Callable[[], object]] = [
        lambda: sum(1 for _ in _reader(path, extractor)),
        lambda: list(extractor.describe(iter(frames))),
        lambda: list(extractor.describe(_ahead(_reader(path, extractor)))),
    ]
    decode, describe, whole = interleaved(*stages, repeats=repeats)
    name = settings.extractor
    if name != "motion":
        name += f", {settings.precision}"
    slower = [max(pair) for pair in zip(decode, describe, strict=True)]
    yield Figure(
        name=f"{name}: seconds of video",
        value=video_s / statistics.median(whole),
        unit="a second",
        detail=f"decode alone {video_s / statistics.median(decode):.3g}, describe "
        f"alone {video_s / statistics.median(describe):.3g}",
    )
    yield Figure(
        name=f"{name}: all stages",
        value=median_ratio(whole, slower),
        unit="of the slowest alone",
        limit=OVERLAP_LIMIT,
        detail=f"{spread(whole, 's', 1)} over {spread(slower, 's', 1)}",
    )


def _flow(path: Path) -> Iterator[Figure]:
    """Time each method of optical flow, which takes most of the two-stream's time."""
    frames: list[Frame] = []
    for frame in FrameReader(path, fps=FPS):
        frames.append(np.asarray(cv2.resize(frame, FLOW_SIZE), dtype=np.uint8))
    for method in METHODS:
        spent = seconds(lambda: list(flow_sequence(frames[:FLOW_FRAMES], method)))  # noqa: B023
        yield Figure(
            name=f"flow, {method}, {FLOW_SIZE[0]} x {FLOW_SIZE[1]}",
            value=(FLOW_FRAMES - 1) / spent,
            unit="pairs a second",
        )


def _drawn_weights(installed: set[str]) -> mock._patch_dict:
    """Use random weights for the flow network if its weights are not installed.

    The published weights cannot be shipped with acmnet. Speed does not depend on them.
    """
    drawn = I3D(in_channels=2).eval()
    given = {} if FLOW_WEIGHTS in installed else {FLOW_WEIGHTS: drawn}
    return mock.patch.dict(
        vars(i3d_extractors),
        load_i3d=lambda name: given.get(name) or load_i3d(name),
        weights_sha256=lambda name: "drawn" if name in given else weights_sha256(name),
    )


def _two_stream(path: Path, method: FlowMethod) -> Figure:
    """Time decoding, flow and both networks alone, and all as a worker does."""
    extractor = make_extractor(ExtractionSettings("i3d-two-stream", flow=method))
    assert isinstance(extractor, TwoStream)
    grid = extractor.grid

    def read() -> Iterator[Frame]:
        return itertools.islice(_reader(path, extractor), TWO_STREAM_FRAMES)

    frames = list(read())
    flows = list(map(clamp_flow, flow_sequence(frames, method)))

    def networks() -> None:
        list(extractor.colour.describe(frames))
        list(extractor.flow.describe(flows, grid.snippet_frames, grid.stride_frames))

    stages: dict[str, Callable[[], object]] = {
        "decode": lambda: list(read()),
        "flow": lambda: list(flow_sequence(frames, method)),
        "network": networks,
        "whole": lambda: list(extractor.describe(_ahead(read()))),
    }
    networks()  # a first call is slower; flow was called before
    measured = interleaved(*stages.values(), repeats=2, warm_up=0)
    *alone_s, whole_s = measured
    slowest_s = [max(each) for each in zip(*alone_s, strict=True)]
    video_s = len(frames) / FPS
    paces = [video_s / statistics.median(each) for each in measured]
    pace = ", ".join(f"{name} {x:.3g}" for name, x in zip(stages, paces, strict=True))
    form = f"i3d-two-stream, {extractor.colour.rgb.precision}, {method} flow"
    return Figure(
        name=f"{form}: all stages",
        value=median_ratio(whole_s, slowest_s),
        unit="of the slowest alone",
        limit=OVERLAP_LIMIT,
        detail=f"{spread(whole_s, 's', 1)} over {spread(slowest_s, 's', 1)}; "
        f"seconds of video a second: {pace}",
    )


def _ahead(frames: Iterable[Frame]) -> Iterator[Frame]:
    """Yield frames that another thread decodes ahead, as in a worker."""
    return prefetch(frames, BATCHES_AHEAD, FRAMES_AT_ONCE)


def _reader(path: Path, extractor: Extractor) -> FrameReader:
    return FrameReader(path, fps=extractor.grid.fps, short_side=extractor.frame_side)


def _write(path: Path, video_s: int) -> None:
    """Write a drawn video, enlarged to the size of a camera's pictures."""
    script = plan_videos(0, SceneSettings(training_videos=1, test_videos=1))[0]
    drawn: list[Frame] = []
    for frame in render_video(script):
        drawn.append(np.asarray(cv2.resize(frame, SIZE), dtype=np.uint8))
        if len(drawn) == video_s * FPS:
            break
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height = SIZE
        stream.pix_fmt = "yuv420p"
        for picture in drawn:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
        container.mux(stream.encode(None))
