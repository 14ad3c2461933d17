"""From a video file to features: each stage alone, and all of them overlapping."""

import statistics
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import av
import cv2
import numpy as np

from acmnet.extraction.backbones import RGB_WEIGHTS, make_extractor
from acmnet.extraction.extractors import ExtractionSettings, Extractor
from acmnet.extraction.flow import FlowMethod, flow_sequence
from acmnet.extraction.i3d import Precision
from acmnet.extraction.stages import prefetch
from acmnet.extraction.video import Frame, FrameReader
from acmnet.extraction.video_task import FRAMES_AHEAD
from acmnet.extraction.weights import list_weights
from acmnet.scenes import SceneSettings, plan_videos, render_video
from benchmarks.measure import Row, interleaved, median_ratio, seconds

SIZE: Final = (640, 480)
FPS: Final = 25
OVERLAP_LIMIT: Final = 1.15
MOTION_S: Final = 12
I3D_S: Final = 6
FLOW_FRAMES: Final = 9
FLOW_SIZE: Final = (340, 256)
PRECISIONS: Final[tuple[Precision, ...]] = ("fp32", "bf16", "openvino")
METHODS: Final[tuple[FlowMethod, ...]] = ("default", "mid", "fast", "dis")


def rows(repeats: int = 3) -> Iterator[Row]:
    """Measure `motion`, I3D in each precision where it is installed, and flow."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "drawn.mp4"
        _write(path, MOTION_S)
        yield from _extractor(path, ExtractionSettings("motion"), MOTION_S, repeats)
        if not any(x.installed for x in list_weights() if x.name == RGB_WEIGHTS):
            return
        _write(path, I3D_S)
        for precision in PRECISIONS:
            settings = ExtractionSettings("i3d-rgb", precision=precision)
            yield from _extractor(path, settings, I3D_S, repeats)
        yield from _flow(path)


def _extractor(
    path: Path, settings: ExtractionSettings, video_s: int, repeats: int
) -> Iterator[Row]:
    """Time decoding alone, describing alone, and both as a worker runs them."""
    extractor = make_extractor(settings)
    frames = list(_reader(path, extractor))
    stages: list[Callable[[], object]] = [
        lambda: sum(1 for _ in _reader(path, extractor)),
        lambda: list(extractor.describe(iter(frames))),
        lambda: list(
            extractor.describe(prefetch(_reader(path, extractor), FRAMES_AHEAD))
        ),
    ]
    decode, describe, whole = interleaved(*stages, repeats=repeats)
    name = settings.extractor
    if name != "motion":
        name += f", {settings.precision}"
    slower = [max(pair) for pair in zip(decode, describe, strict=True)]
    yield Row(
        f"{name}: seconds of video",
        video_s / statistics.median(whole),
        "a second",
        detail=f"decode alone {video_s / statistics.median(decode):.3g}, describe "
        f"alone {video_s / statistics.median(describe):.3g}",
    )
    yield Row(
        f"{name}: all stages",
        median_ratio(whole, slower),
        "of the slowest alone",
        OVERLAP_LIMIT,
        f"{statistics.median(whole):.2f} s",
    )


def _flow(path: Path) -> Iterator[Row]:
    """Time each flow method; a two-stream extractor waits for nothing else."""
    frames: list[Frame] = []
    for frame in FrameReader(path, fps=FPS):
        frames.append(np.asarray(cv2.resize(frame, FLOW_SIZE), dtype=np.uint8))
    for method in METHODS:
        spent = seconds(lambda: list(flow_sequence(frames[:FLOW_FRAMES], method)))  # noqa: B023
        yield Row(
            f"flow, {method}, {FLOW_SIZE[0]} x {FLOW_SIZE[1]}",
            (FLOW_FRAMES - 1) / spent,
            "pairs a second",
        )


def _reader(path: Path, extractor: Extractor) -> FrameReader:
    return FrameReader(path, fps=extractor.grid.fps, short_side=extractor.frame_side)


def _write(path: Path, video_s: int) -> None:
    """Encode a drawn video, enlarged to what a camera gives."""
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
