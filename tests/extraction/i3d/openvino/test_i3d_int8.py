import importlib.util

import numpy as np
import pytest
import torch
from torch import nn

from acmnet.extraction.i3d.i3d import I3D, I3DError
from acmnet.extraction.i3d.i3d_runner import I3DRunner, network_input
from acmnet.extraction.i3d.openvino.i3d_int8 import convolutions
from acmnet.extraction.i3d.openvino.i3d_openvino import import_openvino, measured_peaks
from acmnet.extraction.i3d.openvino.i3d_openvino_model import openvino_model

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("openvino") is None, reason="openvino is not installed"
)


@pytest.fixture(scope="module")
def network():
    """Return I3D's first layers, and a quick last one that sees few pixels."""
    torch.manual_seed(0)
    network = I3D(3)
    whole = network.layers
    network.layers = nn.Sequential(
        whole.Conv3d_1a_7x7,  # 8 x 112 x 112
        whole.MaxPool3d_4a_3x3,  # 4 x 56 x 56
        whole.Conv3d_2b_1x1,  # 4 x 56 x 56
        nn.Conv3d(64, 1024, 1, stride=(2, 8, 8)),  # 2 x 7 x 7: not in int8
        nn.ReLU(),
    )
    return network.folded().eval().requires_grad_(False)


@pytest.fixture(scope="module")
def frames():
    """Return 32 frames whose pixels resemble their neighbours, as in a picture."""
    noise = torch.rand((1, 3, 32, 14, 14), generator=torch.Generator().manual_seed(1))
    smooth = nn.functional.interpolate(noise, (32, 224, 224), mode="trilinear")
    return (smooth[0].permute(1, 2, 3, 0) * 255).to(torch.uint8).numpy()


@pytest.fixture(scope="module")
def peaks(network, frames):
    snippets = frames.reshape(2, 16, 224, 224, 3)
    return measured_peaks(import_openvino("cpu"), network, snippets)


def described(network, frames, **options):
    runner = I3DRunner(network, stream="rgb", **options)
    return np.concatenate(list(runner.describe(frames, 16, 16)))


def test_int8_is_near_fp32(network, frames, peaks):
    exact = described(network, frames, precision="fp32")
    found = described(network, frames, precision="openvino-int8", peaks=peaks)
    error = np.linalg.norm(found - exact, axis=1) / np.linalg.norm(exact, axis=1)
    # bf16's 8 bits alone leave errors of about 0.002
    assert (error < 0.03).all()
    assert (error > 0).all()


def test_peaks_are_what_each_convolution_reads(network, frames, peaks):
    tops = {}

    def see(layer, inputs):
        tops[layer] = float(inputs[0].max())

    for layer in convolutions(network)[1:]:
        layer.register_forward_pre_hook(see)
    with torch.inference_mode():
        network(network_input(torch.from_numpy(frames.reshape(2, 16, 224, 224, 3))))
    assert peaks == pytest.approx(list(tops.values()), rel=1e-4)
    assert len(peaks) == 2


def test_what_a_pooling_layer_reads_is_rounded_rather_than_its_result(network, peaks):
    with pytest.raises(I3DError, match="the peaks of 2 convolutions, got 0; let acmne"):
        openvino_model(network, 16, [])
    model = openvino_model(network, 16, peaks)
    layers = [x for x in model.get_ordered_ops() if x.get_type_name() == "Convolution"]
    reads = [layer.input_value(0).get_node() for layer in layers]
    assert [read.get_type_name() for read in reads] == [
        "FakeQuantize",
        "MaxPool",
        "Relu",
    ]
    assert reads[1].input_value(0).get_node().get_type_name() == "FakeQuantize"
    kernels = [layer.input_value(1).get_node().get_type_name() for layer in layers]
    assert kernels == ["FakeQuantize", "FakeQuantize", "Constant"]  # 7 x 7 pixels


def test_flow_is_not_computed_in_int8(peaks):
    with pytest.raises(I3DError, match="int8 is for the RGB stream, got the flow"):
        I3DRunner(I3D(2), stream="flow", precision="openvino-int8", peaks=peaks)
