"""Time extraction from a video file: each stage alone, and all stages together."""

import itertools
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final
from unittest import mock

import av
import cv2
import numpy as np
import torch

from acmnet.data.made_up.drawn_videos import SceneSettings, plan_videos, render_video
from acmnet.extraction.extractors.extraction_settings import ExtractionSettings
from acmnet.extraction.extractors.extractor import Extractor
from acmnet.extraction.extractors.i3d_choices import (
    FLOW_WEIGHTS,
    RGB_WEIGHTS,
    Precision,
)
from acmnet.extraction.flow.optical_flow import (
    FlowMethod,
    clamp_flow,
    flow_between,
    flow_sequence,
    gray,
)
from acmnet.extraction.i3d import i3d_extractors
from acmnet.extraction.i3d.i3d import I3D
from acmnet.extraction.i3d.i3d_extractors import TwoStream
from acmnet.extraction.i3d.i3d_weights import list_weights, load_i3d, weights_sha256
from acmnet.extraction.i3d.speed.i3d_back_ends import work_of_a_snippet
from acmnet.extraction.many_videos.video_task import BATCHES_AHEAD, FRAMES_AT_ONCE
from acmnet.extraction.motion.frame_measures import measured_frames
from acmnet.extraction.shipped_extractors import make_extractor
from acmnet.runtime.devices import computed_in
from acmnet.video.frames import Frame, FrameReader
from acmnet.workers.prefetching_threads import one_opencv_thread, prefetch
from benchmarks.measure import Figure, interleaved, ratio_of, spread

SIZE: Final = (640, 480)
FPS: Final = 25
OVERLAP_LIMIT: Final = 1.15
MOTION_S: Final = 12
I3D_S: Final = 6
FLOW_FRAMES: Final = 9
MATRIX_SIDE: Final = 2048
"""Rows and columns of the matrices whose products are as much work as I3D's."""
FLOW_SIZE: Final = (340, 256)
PRECISIONS: Final[tuple[Precision, ...]] = ("fp32", "bf16", "openvino")
METHODS: Final[tuple[FlowMethod, ...]] = ("default", "mid", "fast", "dis")
TWO_STREAM_METHOD: Final[FlowMethod] = "fast"
TWO_STREAM_FRAMES: Final = 129
"""Frames of two batches of snippets, so that network and flow can overlap."""


def rows(repeats: int = 3) -> Iterator[Figure]:
    """Measure `motion`, and I3D if it is installed, in this CPU's number formats."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "drawn.mp4"
        _write(path, MOTION_S)
        yield from _extractor(path, ExtractionSettings("motion"), repeats)
        installed = {entry.name for entry in list_weights() if entry.installed}
        if RGB_WEIGHTS not in installed:
            return
        _write(path, I3D_S)
        for precision in PRECISIONS:
            if computed_in(precision, "cpu") != precision:
                continue
            settings = ExtractionSettings("i3d-rgb", precision=precision)
            yield from _extractor(path, settings, repeats)
        yield from _flow(path, repeats)
        with _drawn_weights(installed):
            yield _two_stream(path, TWO_STREAM_METHOD, repeats)


def _extractor(
    path: Path, settings: ExtractionSettings, repeats: int
) -> Iterator[Figure]:
    """Time decoding alone, computing features alone, and both as a worker does."""
    extractor = make_extractor(settings)
    frames = list(_reader(path, extractor))
    is_motion = settings.extractor == "motion"
    n_snippets = extractor.grid.n_snippets(len(frames))
    floor = (
        _flow_of_motion(frames)
        if is_motion
        else _arithmetic(settings.precision, extractor.grid.snippet_frames, n_snippets)
    )
    decode, describe, whole, bare, least = interleaved(
        lambda: sum(1 for _ in _reader(path, extractor)),
        lambda: list(extractor.describe(iter(frames))),
        lambda: list(extractor.describe(_ahead(_reader(path, extractor)))),
        lambda: _decoded(path),
        floor,
        repeats=repeats,
    )
    if is_motion:
        yield ratio_of("decode and scale", decode, bare, "of decoding alone")
    name = settings.extractor + ("" if is_motion else f", {settings.precision}")
    of = "of the optical flow in it" if is_motion else "of its arithmetic"
    yield ratio_of(f"{name}: computing", describe, least, of)
    yield _all_stages(name, whole, [decode, describe], len(frames))


def _all_stages(
    name: str, whole: list[float], alone: list[list[float]], frames: int
) -> Figure:
    """Return how long all stages take together, of the slowest one alone."""
    paces = [frames / FPS / taken for taken in whole]
    return ratio_of(
        f"{name}: all stages",
        whole,
        [max(each) for each in zip(*alone, strict=True)],
        "of the slowest alone",
        limit=OVERLAP_LIMIT,
        detail=f"{spread(paces, 's of video a second', 1)}",
    )


def _decoded(path: Path) -> int:
    """Decode a video without converting its frames; return how many there are."""
    with av.open(path) as container:
        return sum(1 for _ in container.decode(video=0))


def _flow_of_motion(frames: list[Frame]) -> Callable[[], object]:
    """Return a function that computes the optical flow of `motion` and nothing else."""
    pictures = [still.gray for still, _ in measured_frames(frames)]
    room = np.zeros((*pictures[0].shape, 2), np.float32)
    estimator = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    estimator.setFinestScale(1)

    def flow() -> None:
        with one_opencv_thread():
            for before, after in itertools.pairwise(pictures):
                estimator.calc(before, after, room)

    return flow


def _arithmetic(
    precision: str, snippet_frames: int, snippets: int
) -> Callable[[], object]:
    """Return a function that multiplies as much as I3D does for some snippets."""
    work = work_of_a_snippet(snippet_frames) * snippets
    number = torch.bfloat16 if precision == "bf16" else torch.float32
    matrix = torch.randn(MATRIX_SIDE, MATRIX_SIDE).to(number)
    products = max(1, round(work / (2 * MATRIX_SIDE**3)))

    def multiply() -> None:
        for _ in range(products):
            torch.mm(matrix, matrix)

    return multiply


def _flow(path: Path, repeats: int) -> Iterator[Figure]:
    """Time each method of optical flow, which takes most of the two-stream's time."""
    frames: list[Frame] = []
    for frame in itertools.islice(FrameReader(path, fps=FPS), FLOW_FRAMES):
        frames.append(np.asarray(cv2.resize(frame, FLOW_SIZE), dtype=np.uint8))
    pairs = list(itertools.pairwise(map(gray, frames)))
    for method in METHODS:
        together, one_by_one = interleaved(
            lambda: list(flow_sequence(frames, method)),  # noqa: B023
            lambda: [flow_between(*pair, method) for pair in pairs],  # noqa: B023
            repeats=repeats,
        )
        paces = [len(pairs) / taken for taken in together]
        yield ratio_of(
            f"flow, {method}, {FLOW_SIZE[0]} x {FLOW_SIZE[1]}, a pair on each core",
            together,
            one_by_one,
            "of one pair on all cores",
            detail=spread(paces, "pairs a second", 1),
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


def _two_stream(path: Path, method: FlowMethod, repeats: int) -> Figure:
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

    stages: list[Callable[[], object]] = [
        lambda: list(read()),
        lambda: list(flow_sequence(frames, method)),
        networks,
        lambda: list(extractor.describe(_ahead(read()))),
    ]
    networks()  # a first call is slower; flow was called before
    *alone, whole = interleaved(*stages, repeats=repeats, warm_up=0)
    form = f"i3d-two-stream, {extractor.colour.rgb.precision}, {method} flow"
    return _all_stages(form, whole, alone, len(frames))


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
