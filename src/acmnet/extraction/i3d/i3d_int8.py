"""I3D with its convolutions in int8, computed by OpenVINO.

A convolution in int8 multiplies bytes, which processors with VNNI instructions do twice
as fast as bf16. The weights of each output channel are scaled so that the largest one
becomes 127. What a convolution reads is scaled so that its peak becomes 255. The peaks
are measured on snippets of the user's own videos, and kept with the features.

References
----------
Jacob et al., "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference", CVPR 2018 (arXiv 1712.05877).
"""

import importlib
from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from acmnet.extraction.i3d.i3d import I3D, I3DError

BYTE_VALUES: Final = 256
"""Values of a byte."""

LEAST_PIXELS: Final = 100
"""Pixels of a convolution's output from which it is computed in int8. Those of the last
modules have 7 x 7: they take 5 % of the time, and cost most of the exactness."""

PEAK_DIGITS: Final = 5
"""Significant digits of a peak that are kept."""


def convolutions(network: I3D) -> list[nn.Conv3d]:
    """Return the network's convolutions in the order in which they are computed."""
    return [part for part in network.modules() if isinstance(part, nn.Conv3d)]


def measured_peaks(network: I3D, snippets: Iterable[Tensor]) -> tuple[float, ...]:
    """Return the largest number that each convolution but the first one reads.

    Parameters
    ----------
    network : I3D
        A folded network of the RGB stream.
    snippets : iterable of (n, 3, T, 224, 224) tensors
        In ``[-1, 1]``: a few snippets of each kind of video that will be described.
    """
    later = convolutions(network)[1:]
    peaks = [0.0] * len(later)

    def watch(place: int) -> Any:
        def see(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            peaks[place] = max(peaks[place], float(inputs[0].max()))

        return see

    hooks = [
        layer.register_forward_pre_hook(watch(place))
        for place, layer in enumerate(later)
    ]
    try:
        with torch.inference_mode():
            for snippet in snippets:
                network(snippet)
    finally:
        for hook in hooks:
            hook.remove()
    return tuple(float(f"{peak:.{PEAK_DIGITS}g}") for peak in peaks)


def quantize(model: Any, network: I3D, peaks: Sequence[float]) -> None:
    """Make OpenVINO compute the large convolutions of a model in int8, in place.

    Parameters
    ----------
    model : openvino.Model
        What `acmnet.extraction.i3d.i3d_openvino.openvino_model` returns for the
        network; it reads numbers in ``[-1, 1]``.
    network : I3D
        The folded network.
    peaks : sequence of float
        What `measured_peaks` returns for that network.

    Raises
    ------
    I3DError
        If there are not as many peaks as convolutions that need one, or OpenVINO does
        not compute the convolutions in the network's order.
    """
    layers = [x for x in model.get_ordered_ops() if x.get_type_name() == "Convolution"]
    if len(peaks) != len(layers) - 1:
        raise I3DError(
            f"int8 needs the peaks of {len(layers) - 1} convolutions, got "
            f"{len(peaks)}; let acmnet extract measure them: --precision openvino-int8"
        )
    kernels = [layer.weight.detach().numpy() for layer in convolutions(network)]
    for layer, kernel in zip(layers, kernels, strict=True):
        if not np.array_equal(_weights(layer), kernel):
            raise I3DError(
                "this version of OpenVINO orders I3D's convolutions in another way, so "
                "that int8 cannot be set up; take --precision openvino-bf16"
            )
    ranges = [(-1.0, 1.0), *((0.0, peak) for peak in peaks)]
    for layer, (low, high) in zip(layers, ranges, strict=True):
        height, width = layer.get_output_shape(0)[-2:]
        if height * width >= LEAST_PIXELS and high > low:
            _quantize_layer(layer, low, high)
    model.validate_nodes_and_infer_types()


def _quantize_layer(layer: Any, low: float, high: float) -> None:
    """Round what a convolution reads, and its weights, to the values of a byte.

    OpenVINO recognises these roundings and computes in int8 instead.
    """
    opset13 = importlib.import_module("openvino.opset13")
    data, weights = layer.input_value(0), _weights(layer)
    top = np.abs(weights).max(axis=(1, 2, 3, 4), keepdims=True)
    top[top == 0] = 1.0  # a channel without weights stays without
    ends = np.float32(low), np.float32(high)
    rounded = opset13.fake_quantize(data, *ends, *ends, BYTE_VALUES)
    constant = opset13.constant(weights)
    # 255 levels: as many below 0 as above, so that 0 stays 0
    scaled = opset13.fake_quantize(constant, -top, top, -top, top, BYTE_VALUES - 1)
    layer.input(0).replace_source_output(rounded.output(0))
    layer.input(1).replace_source_output(scaled.output(0))


def _weights(layer: Any) -> Any:
    """Return the weights of a convolution of OpenVINO, in fp32."""
    return layer.input_value(1).get_node().get_data().astype(np.float32)
