"""I3D: the architecture against slow twins, the snippets, and real video."""

import importlib
import importlib.util
import itertools
import math
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from acmnet.extraction.i3d.i3d import (
    I3D,
    INPUT_SIDE,
    I3DError,
    MaxPool,
    Mixed,
    Unit,
    kinetics_classes,
)
from acmnet.extraction.i3d.i3d_planes import PlaneI3D
from acmnet.extraction.i3d.i3d_runner import I3DRunner
from acmnet.extraction.i3d.i3d_weights import load_i3d
from acmnet.extraction.i3d.openvino.i3d_openvino import import_openvino, openvino_pass
from acmnet.extraction.i3d.snippet_cutting import crop_centre, crop_ten, cut_snippets
from acmnet.extraction.openvino_on_cpu import cpu_settings
from acmnet.extraction.weight_files import WeightsError
from support.places import SHARED

VIDEOS = SHARED / "data" / "videos"


def randomised(network):
    """Return the network in fp64 with batch norms that do something."""
    generator = torch.Generator().manual_seed(1)
    for name, value in network.state_dict().items():
        if name.endswith((".shift", ".mean")):
            value.normal_(0, 0.1, generator=generator)
        elif name.endswith(".var"):
            value.uniform_(0.05, 0.5, generator=generator)
    return network.double().eval().requires_grad_(False)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return randomised(I3D(2))


@pytest.fixture(scope="module")
def real():
    try:
        return load_i3d("i3d-rgb-kinetics400").requires_grad_(False)
    except WeightsError as error:
        pytest.skip(str(error))


# the architecture


def test_picture_by_picture_is_the_same_network(network):
    torch.manual_seed(1)
    snippet = torch.randn(
        1, 2, 11, INPUT_SIDE, INPUT_SIDE
    )  # an odd number at every pooling
    folded = network.folded().float()
    with torch.inference_mode():
        expected = folded(snippet)
        found = PlaneI3D(folded)(snippet.permute(0, 2, 3, 4, 1))
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


def test_a_network_that_is_not_folded_is_refused(network):
    with pytest.raises(TypeError, match=r"not folded; call I3D\.folded"):
        PlaneI3D(network)


def test_parameter_count():
    # Kernels of a module from n_in channels, widths (a, b, c, d, e, f):
    # n_in (a + b + d + f) + 27 (b c + d e); each output channel has one shift.
    # Carreira and Zisserman count 12 M for a stream (their table 1).
    modules = [
        (192, 64, 96, 128, 16, 32, 32),
        (256, 128, 128, 192, 32, 96, 64),
        (480, 192, 96, 208, 16, 48, 64),
        (512, 160, 112, 224, 24, 64, 64),
        (512, 128, 128, 256, 24, 64, 64),
        (512, 112, 144, 288, 32, 64, 64),
        (528, 256, 160, 320, 32, 128, 128),
        (832, 256, 160, 320, 32, 128, 128),
        (832, 384, 192, 384, 48, 128, 128),
    ]
    expected = 343 * 3 * 64 + 64 * 64 + 27 * 64 * 192 + (64 + 64 + 192)
    for n_in, a, b, c, d, e, f in modules:
        expected += n_in * (a + b + d + f) + 27 * (b * c + d * e)
        expected += a + b + c + d + e + f
    expected += 1024 * 400 + 400
    assert expected == 12_689_984
    assert sum(p.numel() for p in I3D(3).parameters()) == expected


def windows(x, kernel, stride):
    """Yield (output index, window, place) of TensorFlow's SAME, clipped to x.

    Output o of an axis of n sees inputs o * stride - front + (0 ... kernel - 1), where
    front is half, rounded down, of what n_out = ceil(n / stride) windows need beyond n.
    """
    spans = []
    for n, k, s in zip(x.shape[1:], kernel, stride, strict=True):
        n_out = math.ceil(n / s)
        front = max((n_out - 1) * s + k - n, 0) // 2
        starts = [o * s - front for o in range(n_out)]
        spans.append([(max(b, 0), min(b + k, n), max(-b, 0)) for b in starts])
    for index in itertools.product(*(range(len(span)) for span in spans)):
        chosen = [span[i] for span, i in zip(spans, index, strict=True)]
        seen = (slice(None), *(slice(b, e) for b, e, _ in chosen))
        place = tuple(slice(at, at + e - b) for b, e, at in chosen)
        yield index, x[seen], place


def out_sizes(x, stride):
    return [math.ceil(n / s) for n, s in zip(x.shape[1:], stride, strict=True)]


@pytest.mark.parametrize(
    "sizes",
    [
        pytest.param((4, 8, 6), id="even"),
        pytest.param((5, 7, 9), id="odd"),
        pytest.param((1, 2, 3), id="smaller than the kernel"),
    ],
)
@pytest.mark.parametrize(
    ("layer", "n_in", "kernel", "stride"),
    [
        pytest.param("Conv3d_1a_7x7", 2, 7, 2, id="7x7x7 every 2"),
        pytest.param("Conv3d_2b_1x1", 64, 1, 1, id="1x1x1"),
        pytest.param("Mixed_5c.Branch_2.Conv3d_0b_3x3", 48, 3, 1, id="3x3x3"),
    ],
)
def test_convolution_is_the_literal_one(network, layer, n_in, kernel, stride, sizes):
    unit = network.layers.get_submodule(layer)
    x = np.random.default_rng(0).normal(size=(n_in, *sizes))
    weight = unit.conv.weight.numpy()
    mean, var, shift = (getattr(unit.norm, k).numpy() for k in ("mean", "var", "shift"))
    expected = np.zeros((len(weight), *out_sizes(x, [stride] * 3)))
    for index, seen, place in windows(x, [kernel] * 3, [stride] * 3):
        value = np.einsum("octhw,cthw->o", weight[(..., *place)], seen)
        value = (value - mean) / np.sqrt(var + 1e-3) + shift
        expected[(slice(None), *index)] = np.maximum(value, 0)
    found = unit(torch.from_numpy(x)[None])[0].numpy()
    assert expected.max() > 0.1
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("sizes", [(4, 8, 6), (5, 7, 9), (1, 2, 3)], ids=str)
@pytest.mark.parametrize(
    ("layer", "kernel", "stride"),
    [
        pytest.param("MaxPool3d_2a_3x3", (1, 3, 3), (1, 2, 2), id="space"),
        pytest.param("MaxPool3d_4a_3x3", (3, 3, 3), (2, 2, 2), id="3 every 2"),
        pytest.param("MaxPool3d_5a_2x2", (2, 2, 2), (2, 2, 2), id="2 every 2"),
        pytest.param(
            "Mixed_3b.Branch_3.MaxPool3d_0a_3x3", (3, 3, 3), (1, 1, 1), id="3 every 1"
        ),
    ],
)
def test_pool_is_the_literal_one(network, layer, kernel, stride, sizes):
    x = np.random.default_rng(0).normal(size=(2, *sizes)) - 5  # padding never wins
    expected = np.zeros((2, *out_sizes(x, stride)))
    for index, seen, _ in windows(x, kernel, stride):
        expected[(slice(None), *index)] = seen.max((1, 2, 3))
    found = network.layers.get_submodule(layer)(torch.from_numpy(x)[None])[0]
    assert np.array_equal(found.numpy(), expected)


def test_a_module_is_its_four_branches(network):
    x = torch.rand(1, 192, 2, 5, 5, dtype=torch.float64)
    module = network.layers.Mixed_3b
    y = module(x)
    assert y.shape == (1, 64 + 128 + 32 + 32, 2, 5, 5)
    assert torch.equal(y[:, :64], module["Branch_0"](x))
    assert torch.equal(y[:, 224:], module["Branch_3"](x))


def test_folding_changes_nothing(network):
    x = torch.rand(1, 2, 9, 32, 32, dtype=torch.float64) * 2 - 1
    folded = network.folded()
    assert not any("norm" in name for name in folded.state_dict())
    assert any("norm" in name for name in network.state_dict())
    expected = network.layers(x)
    assert expected.std() > 1e-3
    torch.testing.assert_close(folded.layers(x), expected, rtol=1e-10, atol=1e-12)


def test_snippets_of_a_batch_do_not_see_each_other(network):
    x = torch.rand(3, 2, 9, 32, 32, dtype=torch.float64) * 2 - 1
    together = network.layers(x)
    for i in range(3):
        alone = network.layers(x[i : i + 1])
        torch.testing.assert_close(alone[0], together[i], rtol=1e-12, atol=1e-14)


def test_features_are_the_published_pooling(network):
    # 17 frames become 9, 5, 3 steps of time: two windows of 2x7x7, then their mean
    network = network.folded().float()
    kept = []
    network.layers.register_forward_hook(lambda _, __, y: kept.append(y))
    snippet = torch.rand(1, 2, 17, 224, 224)
    snippet[:, :, :6] = -1
    features = network(snippet)
    (last,) = kept
    assert last.shape == (1, 1024, 3, 7, 7)
    pooled = functional.avg_pool3d(last, (2, 7, 7), 1)[..., 0, 0]
    torch.testing.assert_close(features, pooled.mean(2))
    assert (features - last.mean((2, 3, 4))).norm() > 1e-3 * features.norm()
    # the published head is a 1x1x1 convolution before the mean over time
    kernel = network.head.weight[..., None]
    logits = functional.conv1d(pooled, kernel, network.head.bias).mean(2)
    torch.testing.assert_close(network.logits(features), logits)


@pytest.mark.parametrize(
    "shape",
    [
        pytest.param((1, 3, 16, 224, 224), id="channels of the other stream"),
        pytest.param((1, 2, 8, 224, 224), id="8 frames"),
        pytest.param((1, 2, 16, 224, 256), id="not cropped"),
        pytest.param((2, 16, 224, 224), id="one snippet without its axis"),
    ],
)
def test_other_shapes_are_refused(network, shape):
    with pytest.raises(
        I3DError, match=r"\(n, 2, T, 224, 224\) with T at least 9 frames, got \(.*crop"
    ):
        network(torch.zeros(shape))


def test_class_names():
    names = kinetics_classes()
    assert len(names) == len(set(names)) == 400
    assert all(name == name.strip() and name for name in names)
    assert list(names) == sorted(names)


# snippets and crops


@settings(deadline=None, max_examples=200)
@given(st.integers(0, 60), st.integers(1, 20), st.integers(1, 25))
def test_snippets_are_slices(n_frames, window, stride):
    found = list(cut_snippets(iter(range(n_frames)), window, stride))
    n_snippets = (n_frames - window) // stride + 1
    expected = [list(range(t * stride, t * stride + window)) for t in range(n_snippets)]
    if 0 < n_frames < window:
        expected = [[min(i, n_frames - 1) for i in range(window)]]
    assert found == expected


def test_snippets_come_as_soon_as_their_frames():
    seen = []
    frames = (seen.append(i) or i for i in itertools.count())
    snippets = cut_snippets(frames, 4, 2)
    assert [next(snippets), next(snippets)] == [[0, 1, 2, 3], [2, 3, 4, 5]]
    assert seen == list(range(6))


@pytest.mark.parametrize(("window", "stride"), [(0, 1), (1, 0)])
def test_empty_snippets_are_refused(window, stride):
    with pytest.raises(I3DError, match=r"(snippet|stride)_frames must be at least 1"):
        list(cut_snippets([1], window, stride))


def coordinates(height, width):
    """Return a (height, width, 2) frame whose values are x and y."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x, y], -1).astype(np.float32)


def test_crops_by_their_corners():
    # 7 x 10 leaves 3 and 6: the centre starts at row 1 and column 3
    frame = coordinates(7, 10)
    assert crop_centre(frame, 4)[0, 0].tolist() == [3, 1]
    crops = list(crop_ten(frame, "flow", 4))
    assert [crop[0, 0].tolist() for crop in crops[:5]] == [
        [0, 0],
        [6, 0],
        [0, 3],
        [6, 3],
        [3, 1],
    ]
    # mirrored, a row starts at what was its right end, and x points the other way
    assert [crop[0, 0].tolist() for crop in crops[5:]] == [
        [-3, 0],
        [-9, 0],
        [-3, 3],
        [-9, 3],
        [-6, 1],
    ]
    assert {crop.shape for crop in crops} == {(4, 4, 2)}
    assert next(itertools.islice(crop_ten(frame, "rgb", 4), 5, 6))[0, 0, 0] == 3


# the runner, on a network that is quick: it sees one pixel in 8x32x32


def quick(in_channels):
    network = I3D(in_channels)
    torch.manual_seed(0)
    seeing = nn.Conv3d(in_channels, 1024, 1, stride=(8, 32, 32))
    network.layers = nn.Sequential(seeing, nn.ReLU())
    return network


def described(frames, stream="rgb", network=None, **options):
    runner = I3DRunner(
        network or quick(3 if stream == "rgb" else 2),
        stream=stream,
        **{"precision": "fp32"} | options,
    )
    return list(runner.describe(iter(frames), 16, 8))


def rgb_frames(n_frames, height=230, width=241):
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (n_frames, height, width, 3), dtype=np.uint8)


def test_a_runner_is_the_network_on_scaled_crops():
    frames = rgb_frames(40)
    blocks = described(frames, batch=3)
    # floor((40 - 16) / 8) + 1 = 4 snippets: a block of 3 and one of 1
    assert [block.shape for block in blocks] == [(3, 1024), (1, 1024)]
    network = quick(3)
    for t, row in enumerate(np.concatenate(blocks)):
        crop = frames[8 * t : 8 * t + 16, 3:227, 8:232].astype(np.float32)
        x = torch.from_numpy(crop / 127.5 - 1).permute(3, 0, 1, 2)
        expected = network(x[None])[0].detach().numpy()
        np.testing.assert_allclose(row, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("stream", ["rgb", "flow"])
def test_ten_crops_are_averaged(stream):
    frames = rgb_frames(24)
    if stream == "flow":
        frames = (frames[..., :2] / 127.5 - 1).astype(np.float32)
    (block,) = described(frames, stream, crop="ten")
    total = 0
    for crop in crop_ten(frames, stream):
        (one,) = described(np.ascontiguousarray(crop), stream)
        total = total + one / 10
    np.testing.assert_allclose(block, total, rtol=1e-4, atol=1e-5)
    assert np.abs(block - described(frames, stream)[0]).max() > 1e-3


def test_the_batch_changes_rounding_only():
    frames = rgb_frames(48)
    one = np.concatenate(described(frames, batch=1))
    five = np.concatenate(described(frames, batch=5))
    np.testing.assert_allclose(one, five, rtol=1e-5, atol=1e-6)
    assert np.array_equal(five, np.concatenate(described(frames, batch=5)))


def test_a_short_video_holds_its_last_frame_and_none_gives_nothing():
    frames = rgb_frames(5)
    held = np.concatenate([frames, np.repeat(frames[-1:], 11, axis=0)])
    assert np.array_equal(described(frames)[0], described(held)[0])
    assert described([]) == []


def test_frames_are_taken_as_they_come():
    taken = []
    frames = (taken.append(i) or frame for i, frame in enumerate(rgb_frames(90)))
    runner = I3DRunner(quick(3), stream="rgb", precision="fp32", batch=2)
    next(runner.describe(frames, 16, 16))
    assert len(taken) == 32
    assert not torch.is_inference_mode_enabled()


def test_bf16_is_near(monkeypatch):
    monkeypatch.setattr("acmnet.runtime.devices._computes_bf16", lambda _: True)
    frames = rgb_frames(16)
    (exact,), (near,) = described(frames), described(frames, precision="bf16")
    assert near.dtype == np.float32
    error = np.linalg.norm(near - exact) / np.linalg.norm(exact)
    assert 0 < error < 0.02


def test_bf16_is_fp32_where_it_would_be_imitated(monkeypatch):
    monkeypatch.setattr("acmnet.runtime.devices._computes_bf16", lambda _: False)
    frames = rgb_frames(16)
    (exact,), (found,) = described(frames), described(frames, precision="bf16")
    assert np.array_equal(exact, found)
    assert I3DRunner(quick(3), stream="rgb").precision == "fp32"


def changed(frames, **changes):
    """Return a list of the frames with the last one made other."""
    frames = list(frames)
    frames[-1] = changes["last"](frames[-1])
    return frames


@pytest.mark.parametrize(
    ("last", "message"),
    [
        pytest.param(
            lambda frame: frame[:223],
            r"frame 2 must be \(H, W, 3\) uint8 with H and W from 224, got "
            r"\(223, 241, 3\) uint8; resize",
            id="small",
        ),
        pytest.param(
            lambda frame: frame.astype(np.float32), r"got .* float32", id="type"
        ),
        pytest.param(
            lambda frame: frame[..., :2], r"got \(230, 241, 2\)", id="channels"
        ),
        pytest.param(lambda frame: frame[..., 0], r"got \(230, 241\) uint8", id="axes"),
        pytest.param(
            lambda frame: frame[:, 1:],
            r"frame 2 has shape \(230, 240, 3\), the frames before it \(230, 241, 3\)",
            id="another size",
        ),
    ],
)
def test_frames_that_do_not_fit_are_refused(last, message):
    with pytest.raises(I3DError, match=message):
        described(changed(rgb_frames(3), last=last))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param({"stream": "depth"}, "stream must be one of rgb, flow; got 'dep"),
        pytest.param({"crop": "five"}, "crop must be one of centre, ten; got 'five'"),
        pytest.param({"precision": "fp8"}, "precision must be one of auto, .*'fp8'"),
        pytest.param({"batch": 0}, "batch must be at least 1, got 0"),
        pytest.param({"stream": "flow"}, "flow stream has 2 channels, the network tak"),
        pytest.param(
            {"precision": "openvino", "device": "cuda"},
            "openvino runs on the CPU, got device 'cuda'; take fp32 or bf16",
        ),
    ],
)
def test_choices_are_refused(options, message):
    with pytest.raises(I3DError, match=message):
        I3DRunner(quick(3), **{"stream": "rgb"} | options)


def test_snippets_too_short_for_the_network_are_refused():
    runner = I3DRunner(quick(3), stream="rgb", precision="fp32")
    with pytest.raises(I3DError, match="snippet_frames must be at least 9 for I3D, go"):
        next(runner.describe(rgb_frames(9), 8, 8))


def test_openvino_does_not_bind_processes_to_the_same_core():
    if importlib.util.find_spec("openvino") is None:
        pytest.skip("openvino is not installed")
    openvino = import_openvino("cpu")
    opset = importlib.import_module("openvino.opset13")
    value = opset.parameter([2], np.float32)
    model = openvino.Model([opset.relu(value)], [value], "relu")
    compiled = openvino.compile_model(model, "CPU", cpu_settings("f32"))
    assert compiled.get_property("ENABLE_CPU_PINNING") is False
    assert compiled.get_property("INFERENCE_NUM_THREADS") == torch.get_num_threads()


def test_openvino_gets_the_same_network():
    """Each kind of layer, on odd and even numbers of frames and pixels."""
    if importlib.util.find_spec("openvino") is None:
        pytest.skip("openvino is not installed")
    torch.manual_seed(0)
    network = I3D(2)
    network.layers = nn.Sequential(
        Unit(2, 8, 7, 2),
        MaxPool((1, 3, 3), (1, 4, 4)),
        Mixed(8, (3, 2, 4, 2, 3, 2)),
        MaxPool((2, 2, 2), (2, 2, 2)),
        nn.Conv3d(12, 5, 3, padding=1),
        nn.ReLU(),
    )
    network = randomised(network).float().folded()
    openvino = import_openvino("cpu")
    frames = torch.randn(1, 11, INPUT_SIDE, INPUT_SIDE, 2)
    with ThreadPoolExecutor(2) as threads:  # as `fit` does where it makes a forecast
        runs = threads.map(
            lambda _: openvino_pass(openvino, network, "openvino", 11), range(2)
        )
    exact = network(frames.permute(0, 4, 1, 2, 3))
    assert exact.shape == (1, 5)
    for run in runs:
        torch.testing.assert_close(run(frames), exact, rtol=1e-4, atol=1e-6)
    network.layers.append(nn.Tanh())
    with pytest.raises(TypeError, match="no node of OpenVINO is known for Tanh"):
        openvino_pass(openvino, network, "openvino", 11)


def test_openvino_missing_is_refused(monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(I3DError, match=r"not installed; run: pip install 'acmnet\[ope"):
        I3DRunner(quick(3), stream="rgb", precision="openvino")


@pytest.mark.parametrize(
    ("precision", "tolerance"), [("openvino", 1e-5), ("openvino-bf16", 0.02)]
)
def test_openvino_agrees(precision, tolerance):
    if importlib.util.find_spec("openvino") is None:
        pytest.skip("openvino is not installed")
    frames = rgb_frames(33)  # three snippets: a block of 2 and one of 1
    network, whole = quick(3), I3D(3).layers
    network.layers = nn.Sequential(
        whole.Conv3d_1a_7x7,  # 8 x 112 x 112
        whole.MaxPool3d_4a_3x3,  # 4 x 56 x 56
        nn.Conv3d(64, 1024, 1, stride=(2, 8, 8)),
    )
    exact = np.concatenate(described(frames, network=network, batch=2))
    found = np.concatenate(
        described(frames, network=network, batch=2, precision=precision)
    )
    assert np.linalg.norm(found - exact) < tolerance * np.linalg.norm(exact)
    assert "openvino_telemetry" not in sys.modules  # which would call home


# real weights on real video


def native_frames(name, n_frames=None):
    """Yield every decoded frame, its shorter side resized to 256."""
    av, cv2 = pytest.importorskip("av"), pytest.importorskip("cv2")
    path = VIDEOS / f"{name}.mp4"
    if not path.exists():
        pytest.skip(f"{path} is absent")
    with av.open(str(path)) as container:
        for frame in itertools.islice(container.decode(video=0), n_frames):
            image = frame.to_ndarray(format="rgb24")
            scale = 256 / min(image.shape[:2])
            size = round(image.shape[1] * scale), round(image.shape[0] * scale)
            yield cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)


def reference_features(name):
    path = VIDEOS / f"{name}_i3d_rgb_16f.npy"
    if not path.exists():
        pytest.skip(f"{path} is absent")
    return np.load(path)


@pytest.mark.parametrize(
    ("name", "precision", "tolerance"),
    [
        pytest.param("v_GGSY1Qvo990", "fp32", 1e-5, id="fp32"),
        pytest.param("v_ZNVhz7ctTq0", "bf16", 0.02, id="bf16"),
    ],
)
def test_real_features_are_those_of_the_field(real, name, precision, tolerance):
    expected = reference_features(name)[:1]
    runner = I3DRunner(real, stream="rgb", precision=precision, batch=2)
    (found,) = runner.describe(native_frames(name, 16), 16, 16)
    norms = np.linalg.norm(found, axis=1) * np.linalg.norm(expected, axis=1)
    assert ((found * expected).sum(1) / norms > 0.999).all()
    error = np.linalg.norm(found - expected, axis=1) / np.linalg.norm(expected, axis=1)
    assert (error < tolerance).all()


def named(network, features):
    """Return the class of the mean over snippets, and its probability."""
    probability = network.logits(torch.from_numpy(features).mean(0)).softmax(0)
    return kinetics_classes()[int(probability.argmax())], float(probability.max())


def test_arm_wrestling_is_recognised(real):
    runner = I3DRunner(real, stream="rgb")
    blocks = runner.describe(native_frames("mm_demo_armwrestling", 32), 16, 16)
    label, probability = named(real, np.concatenate(list(blocks)))
    assert label == "arm wrestling"
    assert probability > 0.95


@pytest.mark.parametrize(
    ("name", "label"),
    [("v_GGSY1Qvo990", "clean and jerk"), ("v_ZNVhz7ctTq0", "walking the dog")],
)
def test_the_fields_features_are_recognised(real, name, label):
    found, probability = named(real, reference_features(name))
    assert found == label
    assert probability > 0.8
