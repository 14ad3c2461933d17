"""A convolution over snippets that needs a third fewer products in bf16 on a CPU.

On a CPU with AVX-512 but no AMX, oneDNN's bf16 convolution takes 0.53 of the time of
its fp32 convolution; Winograd's minimal filtering, used here for windows of 3 snippets,
takes 0.37 (docs/decisions.md, D-018; `make bench`).
"""

from typing import Any, Final

import torch
from torch import Tensor, nn

WIDTH: Final = 3
"""Window of `convolve_in_tiles`, in snippets."""


class SnippetConvolution(nn.Conv1d):
    """A convolution over time that keeps the number of snippets.

    Under bf16 autocast on a CPU, with a window of 3 snippets, it computes in tiles,
    which is faster; everywhere else it is `torch.nn.Conv1d`. Weights have the names and
    shapes of `torch.nn.Conv1d`.

    Parameters
    ----------
    in_channels, out_channels : int
        D and E.
    window_snippets : int
        Snippets that each output sees; odd.

    Examples
    --------
    >>> SnippetConvolution(8, 5, 3)(torch.randn(2, 30, 8)).shape
    torch.Size([2, 30, 5])
    """

    def __init__(
        self, in_channels: int, out_channels: int, window_snippets: int
    ) -> None:
        super().__init__(in_channels, out_channels, window_snippets, padding="same")

    def forward(self, sequence: Tensor) -> Tensor:
        """Return the convolution (B, T, E) of a sequence (B, T, D)."""
        is_bf16 = (
            sequence.device.type == "cpu"
            and torch.is_autocast_enabled("cpu")
            and torch.get_autocast_dtype("cpu") == torch.bfloat16
        )
        if is_bf16 and self.kernel_size == (WIDTH,) and self.bias is not None:
            return convolve_in_tiles(sequence, self.weight, self.bias)
        # torch's own takes (B, D, T) and returns (B, E, T)
        return super().forward(sequence.transpose(1, 2)).transpose(1, 2)


def convolve_in_tiles(sequence: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Return what `conv1d` with ``padding=1`` does, along the middle axis, in bf16.

    Parameters
    ----------
    sequence : (B, T, D)
        The input, floating point.
    weight : (E, D, 3)
        The weights as `torch.nn.Conv1d` holds them.
    bias : (E,)
        Added to each of the E outputs.

    Returns
    -------
    (B, T, E) bf16 tensor
        Within 1 % of the exact result (twice the rounding of a direct product in bf16).

    References
    ----------
    Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016:
    F(2, 3), two outputs from four products.

    Examples
    --------
    >>> ones = torch.ones(1, 3, 1)
    >>> convolve_in_tiles(ones, torch.ones(1, 1, 3), torch.zeros(1)).flatten().tolist()
    [2.0, 3.0, 2.0]
    """
    tiles: Tensor = _Tiles.apply(sequence, weight, bias)  # type: ignore[no-untyped-call]
    return tiles[:, :-1] if sequence.shape[1] % 2 else tiles


class _Tiles(torch.autograd.Function):
    """The convolution of tiles of four successive inputs, two outputs a tile.

    Tile i, of n = ceil(T / 2), holds inputs 2i - 1 to 2i + 2 and gives outputs 2i and
    2i + 1. D is the number of input channels, E that of output channels.
    """

    @staticmethod
    def forward(ctx: Any, sequence: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        videos, length, width = sequence.shape
        n = (length + 1) // 2
        padded = sequence.new_zeros((videos, 2 * n + 2, width), dtype=torch.bfloat16)
        padded[:, 1 : length + 1] = sequence
        # (B, n, D) each: the first, second, third and fourth input of every tile
        first, third = padded[:, 0:-2:2], padded[:, 2::2]
        second, fourth = padded[:, 1:-2:2], padded[:, 3::2]
        seen = padded.new_empty((4, videos, n, width))  # (4, B, n, D): transformed
        torch.sub(first, third, out=seen[0])
        torch.add(second, third, out=seen[1])
        torch.sub(third, second, out=seen[2])
        torch.sub(second, fourth, out=seen[3])

        # (E, D) each: the weights of the snippet before, at and after the output
        left, middle, right = weight.to(torch.bfloat16).permute(2, 0, 1).contiguous()
        sides, half = (left + right).mul_(0.5), middle * 0.5
        filters = torch.stack([left, sides + half, sides - half, right])  # (4, E, D)

        one, two, three, four = (  # (B, n, E) each: the four products of every tile
            (part @ kernel.t()).view(videos, n, -1)
            for part, kernel in zip(seen.flatten(1, 2), filters, strict=True)
        )
        output = padded.new_empty((videos, 2 * n, len(weight)))
        torch.add(one.add_(two), three, out=output[:, 0::2])
        torch.sub(two.sub_(three), four, out=output[:, 1::2])
        ctx.save_for_backward(seen, filters)
        ctx.sequence_shape, ctx.dtypes = sequence.shape, (sequence.dtype, weight.dtype)
        return output.add_(bias.to(output.dtype))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor, Tensor]:
        seen, filters = ctx.saved_tensors
        videos, length, width = ctx.sequence_shape
        sequence_type, weight_type = ctx.dtypes
        even, odd = gradient[:, 0::2], gradient[:, 1::2]  # (B, n, E) each
        shares = [  # (B * n, E) each: gradients of the four products of every tile
            share.reshape(-1, gradient.shape[-1])
            for share in (even, even + odd, even - odd, -odd)
        ]
        one, two, three, four = (  # (E, D) each: gradients of the four filters
            share.t() @ part
            for share, part in zip(shares, seen.flatten(1, 2), strict=True)
        )
        both = (two + three).mul_(0.5)
        weight = one.new_empty((*one.shape, WIDTH), dtype=weight_type)
        weight[..., 0] = one.add_(both)
        weight[..., 1] = two.sub_(three).mul_(0.5)
        weight[..., 2] = four.add_(both)
        bias = gradient.sum((0, 1)).to(weight_type)
        if not ctx.needs_input_grad[0]:
            return None, weight, bias

        # (B, n, D) each: gradients of the four transformed inputs of every tile
        one, two, three, four = (
            (share @ kernel).view(videos, -1, width)
            for share, kernel in zip(shares, filters, strict=True)
        )
        padded = one.new_zeros((videos, 2 * one.shape[1] + 2, width))
        padded[:, 0:-2:2] += one
        padded[:, 1:-2:2] += two - three + four
        padded[:, 2::2] += two + three - one
        padded[:, 3::2] -= four
        return padded[:, 1 : length + 1].to(sequence_type), weight, bias
