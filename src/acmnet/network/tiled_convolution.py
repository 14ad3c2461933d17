"""A convolution over snippets by matrix products, where these are faster.

On a GPU, one product with windows laid side by side takes 0.75 of the time of cuDNN's
convolution in fp32 and 0.7 in bf16, because nothing changes its layout
(docs/decisions.md, D-112; `make bench DEVICE=cuda`).

On a CPU, windows of 3 snippets need a third fewer products by Winograd's minimal
filtering. Forward and backward pass take 0.75 to 0.85 of the time of oneDNN's
convolution in fp32, and 0.65 in bf16 (D-018 and D-113; `make bench`).
"""

from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn import functional

WIDTH: Final = 3
"""Window of `convolve_in_tiles`, in snippets."""
GPU_MULTIPLE: Final = 8
"""A GPU multiplies matrices fast if the number of outputs is a multiple of this."""
BLOCK_BYTES: Final = 16
"""A GPU copies memory fastest in blocks of so many bytes."""


class SnippetConvolution(nn.Conv1d):
    """A convolution over time that keeps the number of snippets.

    With a window of 3 snippets on a CPU, it computes in tiles in training and under
    bf16 autocast, and on a GPU by one matrix product; everywhere else it is
    `torch.nn.Conv1d`. Weights have the names and shapes of `torch.nn.Conv1d`.

    Parameters
    ----------
    in_channels, out_channels : int
        D and E.
    window_snippets : int
        Snippets that each output sees; odd.
    dilation : int
        Distance in snippets between neighbours in the window, from 1.

    Examples
    --------
    >>> SnippetConvolution(8, 5, 3)(torch.randn(2, 30, 8)).shape
    torch.Size([2, 30, 5])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        window_snippets: int,
        dilation: int = 1,
    ) -> None:
        super().__init__(
            in_channels,
            out_channels,
            window_snippets,
            padding="same",
            dilation=dilation,
        )

    def forward(self, sequence: Tensor) -> Tensor:
        """Return the convolution (B, T, E) of a sequence (B, T, D)."""
        step = self.dilation[0]
        if sequence.device.type == "cuda" and self.bias is not None:
            return convolve_by_product(sequence, self.weight, self.bias, dilation=step)
        dtype = self._tile_dtype(sequence)
        if dtype is not None and self.bias is not None:
            return convolve_in_tiles(
                sequence, self.weight, self.bias, dilation=step, dtype=dtype
            )
        # torch.nn.Conv1d takes (B, D, T) and returns (B, E, T)
        return super().forward(sequence.transpose(1, 2)).transpose(1, 2)

    def _tile_dtype(self, sequence: Tensor) -> torch.dtype | None:
        """Return the number format to compute in; None to compute without tiles."""
        if sequence.device.type != "cpu" or self.kernel_size != (WIDTH,):
            return None
        if torch.is_autocast_enabled("cpu"):
            dtype = torch.get_autocast_dtype("cpu")
            return dtype if dtype == torch.bfloat16 else None
        is_fp32 = sequence.dtype == self.weight.dtype == torch.float32
        return torch.float32 if self.training and is_fp32 else None


def convolve_by_product(
    sequence: Tensor, weight: Tensor, bias: Tensor, *, dilation: int
) -> Tensor:
    """Return a convolution along the middle axis, with zeros beyond the ends.

    Parameters
    ----------
    sequence : (B, T, D)
        The input, floating point.
    weight : (E, D, window)
        The weights as `torch.nn.Conv1d` holds them; the window is odd.
    bias : (E,)
        Added to each of the E outputs.
    dilation : int
        Distance in snippets between neighbours in the window, from 1.

    Returns
    -------
    (B, T, E) tensor
        In the number format of autocast, where it is on, and otherwise that of the
        sequence.

    Examples
    --------
    >>> found = convolve_by_product(
    ...     torch.ones(1, 3, 1), torch.ones(1, 1, 3), torch.zeros(1), dilation=1
    ... )
    >>> found.flatten().tolist()
    [2.0, 3.0, 2.0]
    """
    kind = sequence.device.type
    if torch.is_autocast_enabled(kind):  # before windows are laid side by side
        narrow = torch.get_autocast_dtype(kind)
        sequence, weight = sequence.to(narrow), weight.to(narrow)
    length, window = sequence.shape[1], weight.shape[2]
    around = window // 2 * dilation
    padded = functional.pad(sequence, (0, 0, around, around))
    block = BLOCK_BYTES // padded.element_size()
    if (
        window > 1 == dilation
        and padded.shape[2] % block == 0
        and not padded.requires_grad
    ):
        windows = _windows_by_blocks(padded, window)
    else:
        places = range(0, window * dilation, dilation)
        windows = torch.cat([padded[:, i : i + length] for i in places], dim=-1)
    return functional.linear(windows, weight.permute(0, 2, 1).flatten(1), bias)


def _windows_by_blocks(padded: Tensor, window: int) -> Tensor:
    """Return (B, T, window * D) windows of a sequence (B, T + window - 1, D).

    They are copied as numbers of 16 bytes, which takes a GPU a quarter of the time of a
    copy of narrow numbers.
    """
    blocks = padded.contiguous().view(torch.complex128).unfold(1, window, 1)
    # (B, T, window, D / block): the unfolded axis comes last
    return blocks.transpose(2, 3).contiguous().flatten(2).view(padded.dtype)


def linear_with_few_outputs(
    inputs: Tensor, weight: Tensor, bias: Tensor | None = None
) -> Tensor:
    """Return a linear map (..., E) of (..., D), for small E.

    A GPU has fast products only for multiples of eight outputs. It computes that many,
    and those beyond E are dropped.


    Parameters
    ----------
    inputs : (..., D)
        The input.
    weight : (E, D)
        The weights.
    bias : (E,), optional
        Added to each output.
    """
    unused = -len(weight) % GPU_MULTIPLE if inputs.device.type == "cuda" else 0
    if not unused:
        return functional.linear(inputs, weight, bias)
    wide = functional.pad(weight, (0, 0, 0, unused))
    outputs = functional.linear(inputs, wide)[..., : len(weight)]
    return outputs if bias is None else outputs + bias


def convolve_in_tiles(
    sequence: Tensor,
    weight: Tensor,
    bias: Tensor,
    *,
    dilation: int = 1,
    dtype: torch.dtype = torch.bfloat16,
) -> Tensor:
    """Return a convolution along the middle axis, with zeros beyond the ends.

    Parameters
    ----------
    sequence : (B, T, D)
        The input, floating point.
    weight : (E, D, 3)
        The weights as `torch.nn.Conv1d` holds them.
    bias : (E,)
        Added to each of the E outputs.
    dilation : int
        Distance in snippets between neighbours in the window, from 1.
    dtype : torch.dtype
        The number format of the products and of the result.

    Returns
    -------
    (B, T, E) tensor of ``dtype``
        In bf16 within 1 % of the exact result, which is twice the rounding of a direct
        product; in fp32 as exact as a direct product.

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
    result: Tensor = _Tiles.apply(  # type: ignore[no-untyped-call]
        sequence, weight, bias, dilation, dtype
    )
    return result[:, : sequence.shape[1]]


class _Tiles(torch.autograd.Function):
    """The convolution of tiles of four inputs, two outputs a tile.

    With a dilation of d, the sequence is taken as d sequences side by side, each of
    which holds every d-th snippet. Tile i, of n = ceil(T / 2d), holds their inputs
    2i - 1 to 2i + 2 and gives their outputs 2i and 2i + 1. D is the number of input
    channels, E that of output channels.
    """

    @staticmethod
    def forward(
        ctx: Any,
        sequence: Tensor,
        weight: Tensor,
        bias: Tensor,
        d: int,
        dtype: torch.dtype,
    ) -> Tensor:
        videos, length, width = sequence.shape
        n = -(-length // (2 * d))
        padded = sequence.new_zeros((videos, (2 * n + 2) * d, width), dtype=dtype)
        padded[:, d : length + d] = sequence
        padded = padded.view(videos, 2 * n + 2, d, width)
        # (B, n, d, D) each: the first, second, third and fourth input of every tile
        first, third = padded[:, 0:-2:2], padded[:, 2::2]
        second, fourth = padded[:, 1:-2:2], padded[:, 3::2]
        inputs = padded.new_empty((4, videos, n, d, width))  # (4, B, n, d, D)
        torch.sub(first, third, out=inputs[0])
        torch.add(second, third, out=inputs[1])
        torch.sub(third, second, out=inputs[2])
        torch.sub(second, fourth, out=inputs[3])
        inputs = inputs.view(4, -1, width)

        # (E, D) each: the weights of the snippet before, at and after the output
        left, middle, right = weight.to(dtype).permute(2, 0, 1).contiguous()
        sides, half = (left + right).mul_(0.5), middle * 0.5
        filters = torch.stack([left, sides + half, sides - half, right])  # (4, E, D)

        one, two, three, four = (  # (B, n, d, E) each: the four products of every tile
            (part @ kernel.t()).view(videos, n, d, -1)
            for part, kernel in zip(inputs, filters, strict=True)
        )
        # a copy, because the caller may change it in place
        output = padded.new_empty((videos, 2 * n * d, len(weight)))
        pairs = output.view(videos, n, 2, d, -1)
        torch.add(one.add_(two), three, out=pairs[:, :, 0])
        torch.sub(two.sub_(three), four, out=pairs[:, :, 1])
        ctx.save_for_backward(inputs, filters)
        ctx.sequence_shape, ctx.dtypes = sequence.shape, (sequence.dtype, weight.dtype)
        ctx.dilation = d
        return output.add_(bias.to(dtype))

    @staticmethod
    def backward(
        ctx: Any, gradient: Tensor
    ) -> tuple[Tensor | None, Tensor, Tensor, None, None]:
        inputs, filters = ctx.saved_tensors
        videos, length, width = ctx.sequence_shape
        sequence_type, weight_type = ctx.dtypes
        d = ctx.dilation
        # (B, n, d, E) each
        pairs = gradient.reshape(videos, -1, 2, d, gradient.shape[-1])
        even, odd = pairs[:, :, 0], pairs[:, :, 1]
        shares = [  # (B * n * d, E) each: gradients of the four products of every tile
            share.reshape(-1, gradient.shape[-1])
            for share in (even, even + odd, even - odd, -odd)
        ]
        one, two, three, four = (  # (E, D) each: gradients of the four filters
            share.t() @ part for share, part in zip(shares, inputs, strict=True)
        )
        middle = (two + three).mul_(0.5)
        weight = one.new_empty((*one.shape, WIDTH), dtype=weight_type)
        weight[..., 0] = one.add_(middle)
        weight[..., 1] = two.sub_(three).mul_(0.5)
        weight[..., 2] = four.add_(middle)
        bias = gradient.sum((0, 1)).to(weight_type)
        if not ctx.needs_input_grad[0]:
            return None, weight, bias, None, None

        # (B, n, d, D) each: gradients of the four transformed inputs of every tile
        one, two, three, four = (
            (share @ kernel).view(videos, -1, d, width)
            for share, kernel in zip(shares, filters, strict=True)
        )
        padded = one.new_zeros((videos, 2 * one.shape[1] + 2, d, width))
        padded[:, 0:-2:2] += one
        padded[:, 1:-2:2] += two - three + four
        padded[:, 2::2] += two + three - one
        padded[:, 3::2] -= four
        of_sequence = padded.flatten(1, 2)[:, d : length + d].to(sequence_type)
        return of_sequence, weight, bias, None, None
