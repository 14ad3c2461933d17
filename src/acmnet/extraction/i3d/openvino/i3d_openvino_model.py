"""I3D as a model of OpenVINO, built layer by layer from a network of torch.

OpenVINO's converter makes the same model from a program of `torch.export`, but that
takes 3.3 seconds of a core, and building takes 0.05. Each process that extracts builds
its own model.
"""

import importlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch import nn

from acmnet.extraction.i3d.i3d import (
    CHANNELS,
    I3D,
    INPUT_SIDE,
    MaxPool,
    Mixed,
    Unit,
    same_padding,
)
from acmnet.extraction.i3d.openvino.i3d_int8 import (
    LEAST_PIXELS,
    Range,
    convolutions,
    ranges_of,
    rounded_input,
    rounded_weights,
)


def openvino_model(
    network: I3D,
    snippet_frames: int,
    peaks: Sequence[float] | None = None,
    *,
    returns_peaks: bool = False,
) -> Any:
    """Return the network as a model of OpenVINO.

    It takes (1, T, 224, 224, C) frames, bytes or flow in fp32, and returns (1, 1024)
    features. OpenVINO is faster with one snippet at a time, and with a fixed shape.

    Parameters
    ----------
    network : I3D
        A folded network.
    snippet_frames : int
        Frames in a snippet T.
    peaks : sequence of float, optional
        What `i3d_openvino.measured_peaks` returns; the large convolutions are then
        computed in int8.
    returns_peaks : bool
        Whether the model also returns the largest number that each convolution but the
        first one reads, in the order of `convolutions`.

    Raises
    ------
    I3DError
        If there are not as many peaks as convolutions that need one.
    """
    openvino = importlib.import_module("openvino")
    ops = importlib.import_module("openvino.opset13")
    is_rgb = network.in_channels == CHANNELS["rgb"]
    shape = [1, snippet_frames, INPUT_SIDE, INPUT_SIDE, network.in_channels]
    frames = ops.parameter(shape, np.uint8 if is_rgb else np.float32)
    builder = _Builder({} if peaks is None else ranges_of(network, peaks))
    seen = builder.layer(network.layers, _scaled(frames, is_bytes=is_rgb))
    results = [_over_snippet(seen)]
    if returns_peaks:
        read = (builder.read[layer] for layer in convolutions(network)[1:])
        each = [ops.reduce_max(x, np.arange(5)) for x in read]
        results.append(ops.concat([ops.unsqueeze(x, np.array(0)) for x in each], 0))
    return openvino.Model(results, [frames], "i3d")


def _scaled(frames: Any, *, is_bytes: bool) -> Any:
    """Return frames with channels before time, bytes as numbers in ``[-1, 1]``."""
    ops = importlib.import_module("openvino.opset13")
    moved = ops.transpose(frames, [0, 4, 1, 2, 3])
    if not is_bytes:
        return moved
    scaled = ops.divide(ops.convert(moved, "f32"), np.float32(127.5))
    return ops.subtract(scaled, np.float32(1))


def _over_snippet(x: Any) -> Any:
    """Return the features of what the last layer returns, as `I3D.forward` does."""
    ops = importlib.import_module("openvino.opset13")
    means = ops.reduce_mean(x, [3, 4])
    last = means.get_output_shape(0)[2]

    def times(first: int, end: int) -> Any:
        return ops.slice(means, [first], [end], [1], [2])

    pairs = ops.add(times(1, last), times(0, last - 1))
    return ops.divide(ops.reduce_mean(pairs, [2]), np.float32(2))


class _Builder:
    """Builds the layers of a network as nodes of OpenVINO.

    Parameters
    ----------
    ranges : mapping of Conv3d to Range
        What the convolutions read that may be computed in int8; others are not.
    """

    def __init__(self, ranges: Mapping[nn.Conv3d, Range]) -> None:
        self.read: dict[nn.Conv3d, Any] = {}
        """What each convolution reads, before it is rounded."""
        self._ranges = ranges
        self._pools: dict[str, tuple[MaxPool, Any]] = {}
        """Each pooling layer and what it reads, by the name of its node."""
        self._rounded: dict[tuple[str, Range], Any] = {}
        """Nodes that are rounded already."""
        self._ops = importlib.import_module("openvino.opset13")

    def layer(self, layer: nn.Module, x: Any) -> Any:
        """Return the node of a layer that reads the node ``x``."""
        if isinstance(layer, nn.Sequential):
            for part in layer:
                x = self.layer(part, x)
            return x
        if isinstance(layer, Mixed):
            return self._ops.concat([self.layer(one, x) for one in layer.values()], 1)
        if isinstance(layer, Unit):
            return self._ops.relu(self.layer(layer.norm, self._unit(layer, x)))
        if isinstance(layer, MaxPool):
            return self._pool(layer, x)
        if isinstance(layer, nn.Conv3d):
            sides = [int(side) for side in layer.padding]
            return self._convolution(layer, x, sides, sides)
        if isinstance(layer, nn.ReLU):
            return self._ops.relu(x)
        if isinstance(layer, nn.Identity):
            return x
        raise TypeError(f"no node of OpenVINO is known for {type(layer).__name__}")

    def _unit(self, unit: Unit, x: Any) -> Any:
        """Return the convolution of a unit, with SAME padding."""
        conv = unit.conv
        begin, end = _same(x, conv.kernel_size, conv.stride)
        return self._convolution(conv, x, begin, end)

    def _convolution(
        self, conv: nn.Conv3d, x: Any, begin: list[int], end: list[int]
    ) -> Any:
        """Return a convolution with its bias, in int8 where it is large."""
        self.read[conv] = x
        kernel = conv.weight.detach().numpy()
        weights, ones = self._ops.constant(kernel), [1, 1, 1]
        placed = [list(conv.stride), begin, end, ones]
        found = self._ops.convolution(x, weights, *placed)
        low, high = self._ranges.get(conv, (0.0, 0.0))
        height, width = found.get_output_shape(0)[-2:]
        if height * width >= LEAST_PIXELS and high > low:
            rounded = self._round(x, (low, high))
            found = self._ops.convolution(rounded, rounded_weights(kernel), *placed)
        if conv.bias is None:
            return found
        bias = conv.bias.detach().numpy().reshape(1, -1, 1, 1, 1)
        return self._ops.add(found, self._ops.constant(bias))

    def _round(self, x: Any, seen: Range) -> Any:
        """Return a node rounded to the values of a byte.

        The largest of some rounded numbers is the largest number, rounded. So what a
        pooling layer reads is rounded rather than what it returns: it then compares
        bytes, which is faster.
        """
        key = x.get_friendly_name(), seen
        if key not in self._rounded:
            if key[0] in self._pools:
                layer, pooled = self._pools[key[0]]
                self._rounded[key] = self._pool(layer, self._round(pooled, seen))
            else:
                self._rounded[key] = rounded_input(x, seen)
        return self._rounded[key]

    def _pool(self, layer: MaxPool, x: Any) -> Any:
        """Return the largest values of windows, with SAME padding."""
        # opset 1: later versions also return where the largest values are
        opset1 = importlib.import_module("openvino.opset1")
        begin, end = _same(x, layer.kernel, layer.stride)
        node = opset1.max_pool(
            x, list(layer.stride), begin, end, list(layer.kernel), "floor", "explicit"
        )
        self._pools[node.get_friendly_name()] = layer, x
        return node


def _same(
    x: Any, kernel: Sequence[int], stride: Sequence[int]
) -> tuple[list[int], list[int]]:
    """Return how much SAME pads a node in front of and behind time, height, width."""
    sizes = list(x.get_output_shape(0))[2:]
    totals = [
        same_padding(size, window, step)
        for size, window, step in zip(sizes, kernel, stride, strict=True)
    ]
    return [total // 2 for total in totals], [total - total // 2 for total in totals]
