"""Optical flow: OpenCV's against the truth, torch's against OpenCV's."""

import itertools
import threading

import av
import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from acmnet.extraction.flow import optical_flow_torch
from acmnet.extraction.flow.optical_flow import (
    TVL1_PRESETS,
    FlowError,
    TVL1Parameters,
    clamp_flow,
    flow_between,
    flow_sequence,
    gray,
)
from acmnet.extraction.flow.optical_flow_torch import flow_sequence_torch, flow_torch
from support.places import SHARED

VIDEOS = SHARED / "data" / "videos"
SIZE = (144, 112)
TVL1 = list(TVL1_PRESETS)


def texture(height, width, seed=0):
    """Return smooth grey blobs, some five pixels across."""
    noise = np.random.default_rng(seed).normal(size=(height, width))
    smooth = cv2.GaussianBlur(noise, (0, 0), 2.5)
    return np.clip(128 + 400 * smooth, 0, 255).astype(np.uint8)


def shifted_pair(right, down, height=80, width=96):
    """Return two views of one texture: what is at (x, y) goes to (x + right, ...)."""
    scene = texture(height + 20, width + 20)
    first = scene[10 : 10 + height, 10 : 10 + width]
    second = scene[10 - down :, 10 - right :][:height, :width]
    return first, second


def error_px(one, other, margin=0):
    """Return the mean end-point error in pixels, away from the edges."""
    inside = slice(margin, -margin or None)
    return np.linalg.norm(one - other, axis=-1)[inside, inside].mean()


def torch_flow(before, after, name):
    pair = [torch.from_numpy(np.ascontiguousarray(x))[None] for x in (before, after)]
    return flow_torch(*pair, TVL1_PRESETS[name])[0].numpy()


def real_pairs(name, starts):
    path = VIDEOS / name
    if not path.exists():
        pytest.skip(f"no real video at {path}")
    frames = []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            frames.append(
                frame.to_ndarray(width=SIZE[0], height=SIZE[1], format="gray")
            )
            if len(frames) > max(starts) + 1:
                break
    return [(frames[t], frames[t + 1]) for t in starts]


@pytest.mark.parametrize(
    ("right", "down"),
    [
        pytest.param(3, 0, id="right"),
        pytest.param(-2, 1, id="left and down"),
        pytest.param(0, -4, id="up, far enough to need the pyramid"),
    ],
)
@pytest.mark.parametrize(
    ("method", "bound_px"),
    [("default", 0.1), ("mid", 0.1), ("fast", 0.1), ("dis", 0.5)],
)
def test_a_shift_is_found(method, bound_px, right, down):
    pair = shifted_pair(right, down)
    truth = np.array([right, down], np.float32)
    # a pixel near the edge may leave the picture, so its flow cannot be seen
    assert error_px(flow_between(*pair, method), truth, margin=12) < bound_px
    if method != "dis":
        assert error_px(torch_flow(*pair, method), truth, margin=12) < bound_px


@pytest.mark.parametrize("name", TVL1)
@pytest.mark.parametrize(
    ("video", "starts"),
    [
        # a lifted barbell, a walk, a grip
        ("v_GGSY1Qvo990.mp4", (160,)),
        ("v_ZNVhz7ctTq0.mp4", (90,)),
        ("mm_demo_armwrestling.mp4", (60,)),
    ],
)
def test_torch_agrees_with_opencv_on_real_video(name, video, starts):
    for before, after in real_pairs(video, starts):
        known = flow_between(before, after, name)
        assert np.linalg.norm(known, axis=-1).mean() > 0.2  # something moves
        assert error_px(torch_flow(before, after, name), known) < 0.1


@pytest.mark.parametrize("name", TVL1)
def test_torch_agrees_with_opencv_where_every_step_counts(name):
    # noise and a stretched second view: medians, borders and early stops all matter
    rng = np.random.default_rng(1)
    before = texture(61, 83)
    after = cv2.resize(before, None, fx=1.05, fy=0.97)[:59, :83]
    after = cv2.copyMakeBorder(after, 0, 61 - len(after), 0, 0, cv2.BORDER_REPLICATE)
    noisy = [
        np.clip(x + rng.normal(0, 6, x.shape), 0, 255).astype(np.uint8)
        for x in (before, after)
    ]
    known = flow_between(*noisy, name)
    assert error_px(torch_flow(*noisy, name), known) < 0.02


@pytest.mark.parametrize("name", TVL1)
def test_a_flow_does_not_depend_on_the_rest_of_the_batch(name):
    # odd sizes: rows do not fill a vector register; each item stops on its own
    pairs = [shifted_pair(*by, height=21, width=33) for by in ((0, 0), (1, 0), (-3, 4))]
    pairs.append((texture(21, 33, seed=2), texture(21, 33, seed=3)))
    before, after = (
        torch.from_numpy(np.stack([np.ascontiguousarray(p[i]) for p in pairs]))
        for i in (0, 1)
    )
    together = flow_torch(before, after, TVL1_PRESETS[name]).numpy()
    for i, pair in enumerate(pairs):
        assert np.array_equal(together[i], torch_flow(*pair, name))
    assert np.abs(together[0]).max() == 0.0  # a still pair has no flow


@pytest.mark.parametrize("method", [*TVL1, "dis"])
def test_a_flow_does_not_depend_on_what_came_before(method):
    # OpenCV's objects keep the levels that a smaller picture allowed them
    pair = shifted_pair(3, 0)
    first = flow_between(*pair, method)
    flow_between(pair[0][:20, :20], pair[1][:20, :20], method)
    assert np.array_equal(flow_between(*pair, method), first)
    threads = cv2.getNumThreads()
    try:
        cv2.setNumThreads(1 if threads > 1 else 2)
        assert np.array_equal(flow_between(*pair, method), first)
    finally:
        cv2.setNumThreads(threads)


def test_parameters_are_opencvs():
    known = cv2.optflow.DualTVL1OpticalFlow.create()
    ours = TVL1Parameters()
    assert TVL1_PRESETS["default"] == ours
    assert ours == TVL1Parameters(
        tau=known.getTau(),
        data_weight=known.getLambda(),
        theta=known.getTheta(),
        scales=known.getScalesNumber(),
        warps=known.getWarpingsNumber(),
        epsilon=known.getEpsilon(),
        inner=known.getInnerIterations(),
        outer=known.getOuterIterations(),
        scale_step=known.getScaleStep(),
        median=known.getMedianFiltering(),
    )


def test_grey_levels():
    frame = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [9, 9, 9]]], np.uint8)
    # 255 times 0.299, 0.587 and 0.114 (BT.601) are 76.2, 149.7 and 29.1
    assert gray(frame).tolist() == [[76, 150, 29, 9]]


@pytest.mark.parametrize("n_frames", [0, 1, 2, 4])
def test_as_many_flows_as_frames(n_frames):
    frames = [
        np.repeat(shifted_pair(t, 0, height=24, width=32)[1][..., None], 3, axis=2)
        for t in range(n_frames)
    ]
    flows = list(flow_sequence(iter(frames), "fast"))
    assert len(flows) == n_frames
    for t in range(n_frames - 1):
        assert np.array_equal(
            flows[t], flow_between(gray(frames[t]), gray(frames[t + 1]), "fast")
        )
    if n_frames == 1:
        assert flows[0].shape == (24, 32, 2)
        assert not flows[0].any()
    if n_frames > 1:
        assert np.array_equal(flows[-1], flows[-2])
        assert flows[-1].any()


@pytest.fixture
def opencv_threads():
    """Set how many OpenCV has; give it back what it had."""
    before = cv2.getNumThreads()
    yield cv2.setNumThreads
    cv2.setNumThreads(before)


@pytest.mark.parametrize(("threads", "n_read"), [(1, 3), (2, 4), (3, 5), (99, 18)])
def test_frames_are_read_as_they_are_needed(threads, n_read, opencv_threads):
    read = []

    def frames():
        for t in range(40):
            read.append(t)
            yield np.zeros((16, 16, 3), np.uint8)

    opencv_threads(threads)
    flows = flow_sequence(frames(), "dis")
    next(flows)
    # the pairs under way, of which 16 at most, and the one that was given
    assert len(read) == n_read
    assert len(list(flows)) == 39


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_flows_do_not_depend_on_threads(threads, opencv_threads):
    rng = np.random.default_rng(0)
    frames = list(rng.integers(0, 256, (7, 20, 24, 3), np.uint8))
    opencv_threads(threads)
    flows = list(flow_sequence(iter(frames), "fast"))
    pairs = itertools.pairwise(map(gray, frames))
    for flow, (before, after) in zip(flows, pairs, strict=False):
        assert np.array_equal(flow, flow_between(before, after, "fast"))
    assert cv2.getNumThreads() == threads


def test_flows_that_nobody_wants_end(opencv_threads):
    opencv_threads(3)
    flows = flow_sequence(iter(np.zeros((30, 16, 16, 3), np.uint8)), "dis")
    next(flows)
    flows.close()
    assert cv2.getNumThreads() == 3
    assert not [x for x in threading.enumerate() if x.name.startswith("acmnet-flow")]


def test_a_frame_of_another_size_is_refused_in_a_sequence():
    frames = [np.zeros((16, 16, 3), np.uint8), np.zeros((16, 17, 3), np.uint8)]
    with pytest.raises(FlowError, match="two frames must have one size"):
        list(flow_sequence(frames, "dis"))


@settings(deadline=None, max_examples=30)
@given(hnp.arrays(np.float32, (3, 4, 2), elements=st.floats(-1e4, 1e4, width=32)))
def test_a_clamped_flow_is_in_range_and_keeps_what_fits(field):
    clamped = clamp_flow(field)
    assert clamped.dtype == np.float32
    assert np.abs(clamped).max() <= 1.0
    fits = np.abs(field) <= 20
    assert np.allclose(clamped[fits] * 20, field[fits], rtol=1e-6)
    assert np.array_equal(clamped[~fits], np.sign(field[~fits]))


GREY = np.zeros((20, 24), np.uint8)


@pytest.mark.parametrize(
    ("before", "after", "sentence"),
    [
        pytest.param(
            GREY,
            np.zeros((20, 25), np.uint8),
            r"one size, got \(20, 24\) and \(20, 25\); scale them",
            id="two sizes",
        ),
        pytest.param(
            np.zeros((15, 24), np.uint8),
            np.zeros((15, 24), np.uint8),
            r"at least 16 pixels high and wide, got 15 x 24; enlarge",
            id="too small",
        ),
        pytest.param(
            np.zeros((20, 24, 3), np.uint8),
            GREY,
            r"grey levels, got uint8 of shape \(20, 24, 3\); turn RGB",
            id="colour",
        ),
        pytest.param(
            GREY, GREY.astype(np.float32), "grey levels, got float32", id="not bytes"
        ),
    ],
)
def test_what_is_no_pair_is_refused(before, after, sentence):
    with pytest.raises(FlowError, match=sentence):
        flow_between(before, after, "fast")


@pytest.mark.parametrize(
    ("before", "after", "sentence"),
    [
        pytest.param((20, 24), (20, 24), r"\(B, H, W\), got \(20, 24\)", id="no batch"),
        pytest.param(
            (1, 20, 24), (2, 20, 24), r"got \(1, 20, 24\) and \(2, 20", id="two batches"
        ),
        pytest.param((1, 20, 9), (1, 20, 9), "got 20 x 9; enlarge", id="too small"),
    ],
)
def test_what_is_no_batch_of_pairs_is_refused(before, after, sentence):
    with pytest.raises(FlowError, match=sentence):
        flow_torch(torch.zeros(before), torch.zeros(after), TVL1Parameters())


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"median": 3}, "median must be 5, or 1 for no median filter, got 3"),
        ({"scale_step": 1.0}, "scale_step must be between 0 and 1, got 1.0"),
    ],
)
def test_parameters_that_opencv_and_torch_do_not_share_are_refused(change, sentence):
    with pytest.raises(FlowError, match=sentence):
        TVL1Parameters(**change)


@pytest.mark.parametrize("n_frames", [0, 1, 2, 5, 6])
def test_a_sequence_by_torch_has_as_many_flows_as_frames(n_frames):
    random = np.random.default_rng(n_frames)
    picture = cv2.GaussianBlur(random.integers(0, 256, (40, 60, 3), np.uint8), None, 2)
    frames = [np.roll(picture, i, axis=1) for i in range(n_frames)]
    mine = list(flow_sequence_torch(iter(frames), "fast", "cpu", batch=2))
    theirs = list(flow_sequence(iter(frames), "fast"))
    assert len(mine) == len(theirs) == n_frames
    for one, other in zip(mine, theirs, strict=True):
        assert one.dtype == np.float32
        assert np.linalg.norm(one - other, axis=2).mean() < 0.1
    if n_frames > 2:
        assert np.array_equal(mine[-1], mine[-2])


def test_dis_has_no_version_for_a_gpu():
    with pytest.raises(FlowError, match="dis has no version for a GPU"):
        next(flow_sequence_torch([], "dis", "cpu"))


@pytest.mark.parametrize("name", ["mid", "fast"])
def test_what_a_gpu_computes_is_what_a_cpu_computes(name, monkeypatch):
    pairs = [shifted_pair(1, 2, 40, 48), shifted_pair(0, 0, 40, 48)]
    before, after = (torch.from_numpy(np.stack(x)) for x in zip(*pairs, strict=True))
    expected = flow_torch(before, after, TVL1_PRESETS[name])
    monkeypatch.setattr(optical_flow_torch, "_fused", lambda function: function)
    monkeypatch.setattr(optical_flow_torch, "_solve", optical_flow_torch._solve_on_gpu)
    found = flow_torch(before, after, TVL1_PRESETS[name])
    assert float(expected.abs().max()) > 1.0
    # rounding can change the step at which a pair stops, by as much as its epsilon
    torch.testing.assert_close(found, expected, rtol=0.0, atol=0.02)
    assert not found[1].any()  # nothing moves there


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # in torch's compiler
@pytest.mark.parametrize("name", TVL1)
def test_a_gpu_finds_the_flow_of_a_cpu(name):
    pairs = [shifted_pair(1, 2), shifted_pair(-2, 0)]
    before, after = (torch.from_numpy(np.stack(x)) for x in zip(*pairs, strict=True))
    expected = flow_torch(before, after, TVL1_PRESETS[name])
    found = flow_torch(before.cuda(), after.cuda(), TVL1_PRESETS[name]).cpu()
    # rounding can change the step at which a pair stops, so some pixels differ more
    assert float((found - expected).abs().mean()) < 0.005
