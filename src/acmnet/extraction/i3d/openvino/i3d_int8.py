"""I3D's convolutions in int8: what is rounded to bytes, and how.

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
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from torch import nn

from acmnet.extraction.i3d.i3d import I3D, I3DError

BYTE_VALUES: Final = 256
"""Values of a byte."""

LEAST_PIXELS: Final = 100
"""Pixels of a convolution's output from which it is computed in int8. Those of the last
modules have 7 x 7: they take 5 % of the time, and cost most of the exactness."""

PEAK_DIGITS: Final = 5
"""Significant digits of a peak that are kept."""

Range = tuple[float, float]
"""The lowest and the highest number that a convolution reads."""


def convolutions(network: I3D) -> list[nn.Conv3d]:
    """Return the network's convolutions in the order in which they are computed."""
    return [part for part in network.modules() if isinstance(part, nn.Conv3d)]


def ranges_of(network: I3D, peaks: Sequence[float]) -> dict[nn.Conv3d, Range]:
    """Return what each convolution of a network reads.

    Parameters
    ----------
    network : I3D
        A folded network of the RGB stream; it reads numbers in ``[-1, 1]``.
    peaks : sequence of float
        The largest number that each convolution but the first one reads, as
        `i3d_openvino.measured_peaks` returns them. Each of these convolutions reads
        what a ReLU returns, so the smallest number is 0.

    Raises
    ------
    I3DError
        If there are not as many peaks as convolutions that need one.
    """
    layers = convolutions(network)
    if len(peaks) != len(layers) - 1:
        raise I3DError(
            f"int8 needs the peaks of {len(layers) - 1} convolutions, got "
            f"{len(peaks)}; let acmnet extract measure them: --precision openvino-int8"
        )
    ranges = [(-1.0, 1.0), *((0.0, peak) for peak in peaks)]
    return dict(zip(layers, ranges, strict=True))


def kept_peak(peak: float) -> float:
    """Return a peak with as many digits as are kept."""
    return float(f"{peak:.{PEAK_DIGITS}g}")


def rounded_input(data: Any, seen: Range) -> Any:
    """Return a node of OpenVINO whose numbers are rounded to the values of a byte."""
    opset13 = importlib.import_module("openvino.opset13")
    ends = np.float32(seen[0]), np.float32(seen[1])
    return opset13.fake_quantize(data, *ends, *ends, BYTE_VALUES)


def rounded_weights(weights: npt.NDArray[np.float32]) -> Any:
    """Return a node of OpenVINO with weights rounded to the values of a byte.

    OpenVINO recognises these roundings, and computes a convolution of rounded numbers
    with rounded weights in int8.
    """
    opset13 = importlib.import_module("openvino.opset13")
    top = np.abs(weights).max(axis=(1, 2, 3, 4), keepdims=True)
    top[top == 0] = 1.0  # a channel without weights stays without
    # 255 levels: as many below 0 as above, so that 0 stays 0
    constant = opset13.constant(weights)
    return opset13.fake_quantize(constant, -top, top, -top, top, BYTE_VALUES - 1)
