"""The convolution in tiles and by one product, against torch's own in fp64."""

import pytest
import torch
from torch.nn import functional

from acmnet.network.tiled_convolution import (
    SnippetConvolution,
    convolve_by_product,
    convolve_in_tiles,
)


def exact(sequence, weight, bias, dilation=1):
    sequence = sequence.transpose(1, 2)
    around = {"padding": dilation, "dilation": dilation}
    return functional.conv1d(sequence, weight, bias, **around).transpose(1, 2)


def relative(got, expected):
    return ((got.double() - expected).norm() / expected.norm()).item()


@pytest.mark.parametrize("length", [1, 2, 3, 4, 7, 50, 51])
def test_small_whole_numbers_are_exact(length):
    # every sum of F(2, 3) here is a multiple of a half below 128: bf16 holds it
    generator = torch.Generator().manual_seed(length)
    sequence = torch.randint(-2, 3, (2, length, 3), generator=generator).float()
    weight = 2.0 * torch.randint(-1, 2, (4, 3, 3), generator=generator)
    bias = torch.arange(4.0)
    got = convolve_in_tiles(sequence, weight, bias)
    assert got.dtype == torch.bfloat16
    assert torch.equal(got.float(), exact(sequence, weight, bias))


@pytest.mark.parametrize("is_input", [True, False])
@pytest.mark.parametrize(("window", "step"), [(1, 1), (3, 1), (5, 1), (3, 4)])
def test_one_product_gives_values_and_gradients_of_the_convolution(
    window, step, is_input
):
    torch.manual_seed(window)
    layer = torch.nn.Conv1d(
        6, 4, window, padding="same", dilation=step, dtype=torch.double
    )
    sequence = torch.randn(2, 7, 6, dtype=torch.double, requires_grad=not is_input)
    inputs = (sequence, layer.weight, layer.bias)
    upstream = torch.randn(2, 7, 4, dtype=torch.double)
    expected = layer(sequence.transpose(1, 2)).transpose(1, 2)
    found = convolve_by_product(*inputs, dilation=step)
    torch.testing.assert_close(found, expected)
    learned = inputs[is_input:]  # features of videos need no gradient
    for one, other in zip(
        torch.autograd.grad(found, learned, upstream),
        torch.autograd.grad(expected, learned, upstream),
        strict=True,
    ):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize(
    ("dtype", "least"), [(torch.bfloat16, 0.01), (torch.float32, 2e-6)]
)
@pytest.mark.parametrize(
    ("length", "dilation"), [(1, 1), (2, 1), (9, 1), (40, 1), (1, 4), (19, 2), (40, 8)]
)
def test_values_and_all_gradients_within_rounding(length, dilation, dtype, least):
    torch.manual_seed(length)
    doubles = [
        torch.randn(3, length, 32, dtype=torch.double),
        torch.randn(24, 32, 3, dtype=torch.double) / 10,
        torch.randn(24, dtype=torch.double),
    ]
    upstream = torch.randn(3, length, 24, dtype=torch.double)
    inputs = [x.clone().requires_grad_() for x in doubles]
    expected = exact(*inputs, dilation)
    wanted = torch.autograd.grad(expected, inputs, upstream)

    narrow = [x.float().requires_grad_() for x in doubles]
    got = convolve_in_tiles(*narrow, dilation=dilation, dtype=dtype)
    found = torch.autograd.grad(got, narrow, upstream.to(dtype))
    assert got.dtype == dtype
    assert relative(got, expected) < least
    for mine, true in zip(found, wanted, strict=True):
        assert mine.dtype == torch.float32
        assert relative(mine, true) < least


@pytest.mark.parametrize("window", [1, 3, 5])
def test_the_layer_is_torchs_own_with_the_axes_of_a_sequence(window):
    torch.manual_seed(0)
    mine = SnippetConvolution(4, 4, window).eval()
    torch.manual_seed(0)
    theirs = torch.nn.Conv1d(4, 4, window, padding="same")
    sequence = torch.randn(2, 9, 4)
    expected = theirs(sequence.transpose(1, 2)).transpose(1, 2)
    assert torch.equal(mine(sequence), expected)
    assert list(mine.state_dict()) == list(theirs.state_dict())


def test_in_training_the_layer_computes_in_tiles_of_fp32():
    torch.manual_seed(0)
    layer = SnippetConvolution(4, 5, 3, dilation=2)
    sequence = torch.randn(2, 9, 4)
    found = layer(sequence)
    tiles = convolve_in_tiles(
        sequence, layer.weight, layer.bias, dilation=2, dtype=torch.float32
    )
    assert torch.equal(found, tiles)
    torch.testing.assert_close(found, layer.eval()(sequence))


@pytest.mark.parametrize("window", [1, 3, 5])
def test_the_layer_computes_in_tiles_where_the_window_is_three(window):
    torch.manual_seed(0)
    layer = SnippetConvolution(4, 4, window)
    sequence = torch.randn(2, 9, 4)
    with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
        found = layer(sequence)
        own = torch.nn.Conv1d.forward(layer, sequence.transpose(1, 2)).transpose(1, 2)
    if window == 3:
        own = convolve_in_tiles(sequence, layer.weight, layer.bias)
    assert found.dtype == torch.bfloat16
    assert torch.equal(found, own)
