"""The I3D network: it turns each snippet of frames into 1024 features.

I3D is Inception-v1 inflated to three dimensions. The layers here are those of the
network that was published with Kinetics weights: padding as TensorFlow's SAME, and
batch norm without a scale. The network is for inference only.

Shapes: ``n`` snippets, ``T`` frames in a snippet, ``H`` and ``W`` pixels, ``C``
channels (3 for RGB; 2 for flow, which is x and then y).

References
----------
Carreira and Zisserman, "Quo Vadis, Action Recognition? A New Model and the Kinetics
Dataset", CVPR 2017 (arXiv 1705.07750), figure 3.
"""

import copy
import importlib
import importlib.resources
from collections import OrderedDict
from typing import Any, Final, Self

import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

Frames = npt.NDArray[Any]

INPUT_SIDE: Final = 224
"""Height and width of what the network sees, in pixels."""

DIMENSION: Final = 1024

N_CLASSES: Final = 400

MIN_FRAMES: Final = 9
"""Fewest frames in a snippet: fewer would leave the last pooling layer, which covers
two steps of time, with one step."""

NORM_EPSILON: Final = 1e-3

CHANNELS: Final = {"rgb": 3, "flow": 2}

WIDTHS: Final = {
    "Mixed_3b": (64, 96, 128, 16, 32, 32),
    "Mixed_3c": (128, 128, 192, 32, 96, 64),
    "Mixed_4b": (192, 96, 208, 16, 48, 64),
    "Mixed_4c": (160, 112, 224, 24, 64, 64),
    "Mixed_4d": (128, 128, 256, 24, 64, 64),
    "Mixed_4e": (112, 144, 288, 32, 64, 64),
    "Mixed_4f": (256, 160, 320, 32, 128, 128),
    "Mixed_5b": (256, 160, 320, 32, 128, 128),
    "Mixed_5c": (384, 192, 384, 48, 128, 128),
}
"""Output channels of the convolutions of each module (the paper's "Inc." modules, with
GoogLeNet's widths): the 1x1 of branch 0; the 1x1 and the 3x3 of branch 1; the 1x1 and
the 3x3 of branch 2; the 1x1 of branch 3, which follows a pooling layer."""


class I3DError(ValueError):
    """Frames or settings that I3D cannot use; the message says what to do."""


class I3D(nn.Module):
    """The I3D network of one stream, RGB or flow.

    It computes features, and from features the logits of the 400 Kinetics classes.

    Parameters
    ----------
    in_channels : int
        3 for RGB, 2 for flow.

    Notes
    -----
    Parameter names are TensorFlow's scopes, such as
    ``layers.Mixed_3b.Branch_1.Conv3d_0b_3x3.conv.weight``.
    """

    def __init__(self, in_channels: int = 3) -> None:
        super().__init__()
        self.in_channels = in_channels
        layers: OrderedDict[str, nn.Module] = OrderedDict(
            Conv3d_1a_7x7=Unit(in_channels, 64, 7, 2),
            MaxPool3d_2a_3x3=MaxPool((1, 3, 3), (1, 2, 2)),
            Conv3d_2b_1x1=Unit(64, 64, 1),
            Conv3d_2c_3x3=Unit(64, 192, 3),
            MaxPool3d_3a_3x3=MaxPool((1, 3, 3), (1, 2, 2)),
        )
        n_in = 192
        for name, widths in WIDTHS.items():
            if name == "Mixed_4b":
                layers["MaxPool3d_4a_3x3"] = MaxPool((3, 3, 3), (2, 2, 2))
            if name == "Mixed_5b":
                layers["MaxPool3d_5a_2x2"] = MaxPool((2, 2, 2), (2, 2, 2))
            layers[name] = Mixed(n_in, widths)
            n_in = widths[0] + widths[2] + widths[4] + widths[5]
        self.layers = nn.Sequential(layers)
        self.head = nn.Linear(DIMENSION, N_CLASSES)

    def forward(self, snippets: Tensor) -> Tensor:
        """Return the features of snippets.

        Parameters
        ----------
        snippets : (n, C, T, 224, 224)
            In ``[-1, 1]``, ``T`` at least 9.

        Returns
        -------
        (n, 1024)
            All at least 0. In fp32 where the snippets are in bf16.

        Raises
        ------
        I3DError
            If the snippets have another shape.

        Notes
        -----
        As in the published network, windows of 2 x 7 x 7 values are averaged, and then
        the windows over time. A snippet of 16 frames has one such window, so its
        features are the mean over all outputs of Mixed_5c.
        """
        _refuse_shape(tuple(snippets.shape), self.in_channels)
        x = self.layers(snippets)
        x = x.mean((3, 4), dtype=torch.promote_types(x.dtype, torch.float32))
        features: Tensor = (x[:, :, 1:] + x[:, :, :-1]).mean(2) / 2
        return features

    def logits(self, features: Tensor) -> Tensor:
        """Return the (n, 400) class logits of (n, 1024) features.

        In the published network the head comes before the mean over time. The head is
        linear, so the order does not matter.
        """
        logits: Tensor = self.head(features)
        return logits

    def folded(self) -> Self:
        """Return a copy with equal outputs whose kernels include the batch norms."""
        network = copy.deepcopy(self)
        for unit in network.modules():
            if isinstance(unit, Unit):
                unit.fold()
        return network


class _Norm(nn.Module):
    """Batch norm with a shift and no scale; its mean and variance are fixed."""

    mean: Tensor
    var: Tensor

    def __init__(self, n_channels: int) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(n_channels))
        self.register_buffer("mean", torch.zeros(n_channels))
        self.register_buffer("var", torch.ones(n_channels))

    def forward(self, x: Tensor) -> Tensor:
        return functional.batch_norm(
            x, self.mean, self.var, None, self.shift, eps=NORM_EPSILON
        )


class Unit(nn.Module):
    """Convolution with a cubic kernel and SAME padding, batch norm, ReLU."""

    def __init__(self, n_in: int, n_out: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        # an odd kernel with stride 1 has the same padding on both sides
        padding = kernel // 2 if stride == 1 else 0
        self.conv = nn.Conv3d(n_in, n_out, kernel, stride, padding, bias=False)
        self.norm: nn.Module = _Norm(n_out)

    def forward(self, x: Tensor) -> Tensor:
        """Return (n, E, T, H, W) of (n, C, T, H, W)."""
        if self.conv.stride[0] > 1:
            x = functional.pad(x, self._padding(tuple(x.shape[2:])))
        return functional.relu(self.norm(self.conv(x)), inplace=True)

    def _padding(self, sizes: tuple[int, ...]) -> list[int]:
        """Return the argument of `functional.pad`: front and back, last axis first."""
        kernel, stride = self.conv.kernel_size[0], self.conv.stride[0]
        totals = [same_padding(size, kernel, stride) for size in reversed(sizes)]
        return [side for total in totals for side in (total // 2, total - total // 2)]

    def fold(self) -> None:
        """Move the batch norm into the kernel and a bias."""
        if not isinstance(self.norm, _Norm):
            return
        norm, kernel = self.norm, self.conv.weight.detach()
        scale = (norm.var.double() + NORM_EPSILON).rsqrt()
        bias = norm.shift.detach().double() - norm.mean.double() * scale
        folded = kernel.double() * scale[:, None, None, None, None]
        self.conv.weight = nn.Parameter(folded.to(kernel.dtype))
        self.conv.bias = nn.Parameter(bias.to(kernel.dtype))
        self.norm = nn.Identity()


class MaxPool(nn.Module):
    """Max pooling with SAME padding."""

    def __init__(
        self, kernel: tuple[int, int, int], stride: tuple[int, int, int]
    ) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride

    def forward(self, x: Tensor) -> Tensor:
        """Return the largest values of windows of (n, C, T, H, W)."""
        # where the padding is odd, SAME adds the extra value at the back; ceil_mode
        # does the same
        front = [
            same_padding(size, kernel, stride) // 2
            for size, kernel, stride in zip(
                x.shape[2:], self.kernel, self.stride, strict=True
            )
        ]
        return functional.max_pool3d(x, self.kernel, self.stride, front, ceil_mode=True)


class Mixed(nn.ModuleDict):
    """Four branches over the same input; their channels are concatenated."""

    def __init__(self, n_in: int, widths: tuple[int, int, int, int, int, int]) -> None:
        one, three_in, three, small_in, small, pooled = widths
        branches: dict[str, OrderedDict[str, nn.Module]] = {
            "Branch_0": OrderedDict(Conv3d_0a_1x1=Unit(n_in, one, 1)),
            "Branch_1": OrderedDict(
                Conv3d_0a_1x1=Unit(n_in, three_in, 1),
                Conv3d_0b_3x3=Unit(three_in, three, 3),
            ),
            "Branch_2": OrderedDict(
                Conv3d_0a_1x1=Unit(n_in, small_in, 1),
                Conv3d_0b_3x3=Unit(small_in, small, 3),
            ),
            "Branch_3": OrderedDict(
                MaxPool3d_0a_3x3=MaxPool((3, 3, 3), (1, 1, 1)),
                Conv3d_0b_1x1=Unit(n_in, pooled, 1),
            ),
        }
        super().__init__(
            {name: nn.Sequential(layers) for name, layers in branches.items()}
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return the channels of all branches side by side."""
        return torch.cat([branch(x) for branch in self.values()], dim=1)


def same_padding(size: int, kernel: int, stride: int) -> int:
    """Return how many values TensorFlow's SAME adds along one axis.

    Half of them, rounded down, come before the first value.

    Examples
    --------
    >>> same_padding(224, 7, 2), same_padding(7, 3, 1), same_padding(4, 2, 2)
    (5, 2, 0)
    """
    n_out = -(-size // stride)
    return max((n_out - 1) * stride + kernel - size, 0)


def _refuse_shape(shape: tuple[int, ...], in_channels: int) -> None:
    """Refuse a shape other than (n, C, T, 224, 224), and T below `MIN_FRAMES`."""
    if (
        len(shape) != 5
        or shape[1] != in_channels
        or shape[2] < MIN_FRAMES
        or shape[3:] != (INPUT_SIDE, INPUT_SIDE)
    ):
        raise I3DError(
            f"I3D takes (n, {in_channels}, T, {INPUT_SIDE}, {INPUT_SIDE}) with T at "
            f"least {MIN_FRAMES} frames, got {shape}; cut and crop the snippets first"
        )


def kinetics_classes() -> tuple[str, ...]:
    """Return the names of the 400 classes of Kinetics, in the order of the logits.

    Examples
    --------
    >>> kinetics_classes()[:2]
    ('abseiling', 'air drumming')
    """
    folder = importlib.resources.files("acmnet.extraction.i3d")
    text = (folder / "kinetics400_classes.txt").read_text(encoding="utf-8")
    return tuple(text.splitlines())
