"""I3D as convolutions of pictures, which a GPU computes faster than those of volumes.

cuDNN has fast kernels for convolutions of pictures and slow ones for those of volumes.
A kernel that sees k frames is the same as one that sees a single frame which has the
channels of k frames; so a snippet is computed picture by picture, each with its
neighbours' channels beside its own.

Shapes: ``n`` snippets, ``T`` frames, ``H`` and ``W`` pixels, ``C`` channels, always in
this order in memory: (n, T, H, W, C).
"""

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from acmnet.extraction.i3d.i3d import I3D, MaxPool, Mixed, Unit, same_padding

CHANNEL_MULTIPLE: Final = 8
"""Channels come in multiples of so many: fewer leave a GPU's matrix units idle."""


class PlaneI3D(nn.Module):
    """The features of I3D, computed picture by picture.

    Parameters
    ----------
    folded : I3D
        A network whose kernels include its batch norms, as `I3D.folded` returns it.

    Examples
    --------
    >>> network = I3D().folded().eval()
    >>> PlaneI3D(network)(torch.zeros(1, 9, 224, 224, 3)).shape
    torch.Size([1, 1024])
    """

    def __init__(self, folded: I3D) -> None:
        super().__init__()
        self.layers = nn.Sequential(*map(_planes_of, folded.layers))

    def forward(self, frames: Tensor) -> Tensor:
        """Return features (n, 1024) in fp32 of frames (n, T, 224, 224, C)."""
        x = self.layers(frames)
        x = x.mean((2, 3), dtype=torch.float32)  # (n, T, C)
        features: Tensor = (x[:, 1:] + x[:, :-1]).mean(1) / 2
        return features


def _planes_of(layer: nn.Module) -> nn.Module:
    """Return the version of a layer that takes (n, T, H, W, C)."""
    if isinstance(layer, Mixed):
        return _PlaneMixed(layer)
    if isinstance(layer, MaxPool):
        return _PlanePool(layer)
    if isinstance(layer, Unit):
        is_point = layer.conv.kernel_size[0] == 1
        return _PlanePoint([layer]) if is_point else _PlaneUnit(layer)
    raise TypeError(f"I3D has no layer {type(layer).__name__}")


class _PlanePoint(nn.Module):
    """Convolutions that see one pixel and the same input: one product for all."""

    def __init__(self, units: list[Unit]) -> None:
        super().__init__()
        weights = [unit.conv.weight.flatten(1) for unit in units]
        self.widths = [len(weight) for weight in weights]
        self.weight = nn.Parameter(torch.cat(weights))
        self.bias = nn.Parameter(torch.cat([_bias(unit) for unit in units]))

    def forward(self, x: Tensor) -> Tensor:
        return functional.linear(x, self.weight, self.bias).relu_()


class _PlaneUnit(nn.Module):
    """A convolution with a cubic kernel: one of pictures with k times the channels."""

    def __init__(self, unit: Unit) -> None:
        super().__init__()
        self.kernel, self.stride = unit.conv.kernel_size[0], unit.conv.stride[0]
        weight = unit.conv.weight  # (E, C, k, k, k)
        stacked = weight.permute(0, 2, 1, 3, 4).flatten(1, 2)  # (E, k C, k, k)
        self.unused = -stacked.shape[1] % CHANNEL_MULTIPLE
        stacked = functional.pad(stacked, (0, 0, 0, 0, 0, self.unused))
        self.weight = nn.Parameter(
            stacked.contiguous(memory_format=torch.channels_last)
        )
        self.bias = nn.Parameter(_bias(unit))

    def forward(self, x: Tensor) -> Tensor:
        seen, around = self._strided(x) if self.stride > 1 else self._neighbours(x)
        found = functional.conv2d(
            seen.flatten(0, 1).permute(0, 3, 1, 2),
            self.weight,
            self.bias,
            self.stride,
            around,
        )
        planes = found.permute(0, 2, 3, 1)  # (n T, H, W, E)
        return planes.reshape(*seen.shape[:2], *planes.shape[1:]).relu_()

    def _neighbours(self, x: Tensor) -> tuple[Tensor, int]:
        """Return pictures with the channels of their neighbours, and their padding."""
        n, frames, height, width, channels = x.shape
        around = self.kernel // 2
        wide = self.kernel * channels + self.unused
        seen = x.new_zeros((n, frames, height, width, wide))
        for i in range(self.kernel):
            ahead = i - around  # which neighbour, counted in frames
            since, until = max(-ahead, 0), frames - max(ahead, 0)
            place = slice(i * channels, (i + 1) * channels)
            seen[:, since:until, ..., place] = x[:, since + ahead : until + ahead]
        return seen, around

    def _strided(self, x: Tensor) -> tuple[Tensor, int]:
        """Do the same for every second frame; the pictures are padded already."""
        kernel, stride = self.kernel, self.stride
        sides = [same_padding(size, kernel, stride) for size in x.shape[1:4]]
        pads = [p for side in reversed(sides) for p in (side // 2, side - side // 2)]
        padded = functional.pad(x, [0, 0, *pads])
        reach = stride * (-(-x.shape[1] // stride) - 1) + 1
        shifted = [padded[:, i : i + reach : stride] for i in range(kernel)]
        if self.unused:
            shifted.append(padded.new_zeros((*shifted[0].shape[:4], self.unused)))
        return torch.cat(shifted, dim=-1), 0


class _PlanePool(nn.Module):
    """Max pooling: first of each picture, then over successive ones."""

    def __init__(self, pool: MaxPool) -> None:
        super().__init__()
        self.kernel, self.stride = pool.kernel, pool.stride

    def forward(self, x: Tensor) -> Tensor:
        n, frames = x.shape[:2]
        kernel, stride = self.kernel, self.stride
        front = [
            same_padding(size, k, s) // 2
            for size, k, s in zip(x.shape[1:4], kernel, stride, strict=True)
        ]
        pictures = functional.max_pool2d(
            x.flatten(0, 1).permute(0, 3, 1, 2),
            kernel[1:],
            stride[1:],
            front[1:],
            ceil_mode=True,
        )
        planes = pictures.permute(0, 2, 3, 1)  # (n T, H, W, C)
        x = planes.reshape(n, frames, *planes.shape[1:])
        if kernel[0] == 1:
            return x
        total = same_padding(frames, kernel[0], stride[0])
        pads = (0, 0, 0, 0, 0, 0, front[0], total - front[0])
        padded = functional.pad(x, pads, value=-torch.inf)
        reach = stride[0] * (-(-frames // stride[0]) - 1) + 1
        highest = padded[:, : reach : stride[0]]
        for i in range(1, kernel[0]):
            highest = torch.maximum(highest, padded[:, i : i + reach : stride[0]])
        return highest


class _PlaneMixed(nn.Module):
    """Four branches; those that begin by looking at one pixel begin together."""

    def __init__(self, mixed: Mixed) -> None:
        super().__init__()
        whole, first, second, pooled = ([*x.children()] for x in mixed.values())
        points = [x for x in (whole[0], first[0], second[0]) if isinstance(x, Unit)]
        self.points = _PlanePoint(points)
        self.first, self.second = _planes_of(first[1]), _planes_of(second[1])
        self.pooled = nn.Sequential(*map(_planes_of, pooled))

    def forward(self, x: Tensor) -> Tensor:
        whole, first, second = self.points(x).split(self.points.widths, dim=-1)
        parts = [whole, self.first(first), self.second(second), self.pooled(x)]
        return torch.cat(parts, dim=-1)


def _bias(unit: Unit) -> Tensor:
    """Return the bias of a unit, which it has once its batch norm is folded."""
    if unit.conv.bias is None:
        raise TypeError("the network's batch norms are not folded; call I3D.folded")
    return unit.conv.bias.detach()
