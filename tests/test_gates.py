"""Gates between two streams: a literal twin, padding, parts of a video, refusals."""

import math

import numpy as np
import pytest
import torch

from acmnet.network.acm_net import ACMNet, ModelSettings
from acmnet.network.stream_gates import StreamGates
from acmnet.network.video_dropout import VideoDropout
from acmnet.training.losses import LossSettings, acm_loss

GATED = ModelSettings(gated_streams=True, first_stream=3)


def leaky(x):
    return x if x >= 0.0 else 0.2 * x


def gate_literally(video, own, other, local, overall):
    """One stream of one video, entry by entry; ``own`` and ``other`` are columns."""
    weight, bias = (x.detach().double().numpy() for x in (local.weight, local.bias))
    matrix, offset = (
        x.detach().double().numpy() for x in (overall.weight, overall.bias)
    )
    length = len(video)
    mean = [sum(video[t][c] for t in range(length)) / length for c in own]
    gated = np.zeros((length, len(own)))
    for t in range(length):
        for i, column in enumerate(own):
            seen = bias[i]
            for j, neighbour in enumerate(other):
                for step in (-1, 0, 1):
                    if 0 <= t + step < length:
                        seen += weight[i, j, step + 1] * video[t + step][neighbour]
            known = offset[i] + sum(matrix[i, j] * x for j, x in enumerate(mean))
            gate = 1.0 / (1.0 + math.exp(-leaky(seen) * leaky(known)))
            gated[t, i] = gate * video[t][column]
    return gated


@pytest.mark.parametrize("length", [1, 2, 9])
def test_gates_equal_their_literal_twin(length):
    torch.manual_seed(length)
    gates = StreamGates(3, 2).eval()
    features = 3.0 * torch.randn(2, length, 5)
    mine = gates(features, features.mean(dim=1), VideoDropout(False, None, features))
    first, second = range(3), range(3, 5)
    for video, found in zip(features.double().numpy(), mine, strict=True):
        expected = np.hstack(
            [
                gate_literally(video, first, second, gates.local[0], gates.overall[0]),
                gate_literally(video, second, first, gates.local[1], gates.overall[1]),
            ]
        )
        np.testing.assert_allclose(found.detach().numpy(), expected, rtol=1e-5)


def test_padding_changes_no_number():
    torch.manual_seed(0)
    model = ACMNet(5, 2, GATED).eval()
    video = torch.randn(1, 6, 5)
    padded = torch.cat((video, torch.full((1, 3, 5), torch.nan)), dim=1)
    alone, beside = model(video), model(padded, torch.arange(9)[None] < 6)
    torch.testing.assert_close(alone.activation, beside.activation[:, :6])
    torch.testing.assert_close(alone.video_logits, beside.video_logits)


@pytest.mark.parametrize("standardize", [False, True])
def test_a_part_with_the_mean_of_the_whole_is_that_part(standardize):
    torch.manual_seed(1)
    settings = ModelSettings(gated_streams=True, standardize=standardize)
    model = ACMNet(6, 2, settings).eval()
    if standardize:
        model.standardize(torch.randn(6), torch.rand(6) + 0.5)
    video = torch.randn(1, 20, 6)
    whole = model(video).activation[0, 5:10]
    reach = settings.reach_snippets
    assert reach == 2  # one of the embedding's window of 3, one of the gates'
    part = video[:, 5 - reach : 10 + reach]
    told = model(part, mean=video.mean(dim=1)).activation[0, reach:-reach]
    torch.testing.assert_close(told, whole)
    # without the mean, or with a neighbour less, it is another
    unknown = model(part).activation[0, reach:-reach]
    assert not torch.allclose(unknown, whole)
    nearer = model(video[:, 4:11], mean=video.mean(dim=1)).activation[0, 1:-1]
    assert not torch.allclose(nearer, whole)


def test_gates_learn_and_their_dropout_is_the_videos_own():
    torch.manual_seed(2)
    model = ACMNet(5, 2, GATED).train()
    features, seeds = torch.randn(3, 12, 5), torch.tensor([4, 5, 6])
    output = model(features, None, seeds)
    acm_loss(output, torch.eye(3)[:, :2], LossSettings()).total.backward()
    gradients = [p.grad for p in model.gates.parameters()]
    assert all(g is not None and g.abs().sum() > 0 for g in gradients)
    last = model(features[2:], None, seeds[2:]).activation
    torch.testing.assert_close(output.activation[2:], last)


@pytest.mark.parametrize("first", [6, 9])
def test_a_second_stream_needs_columns(first):
    settings = ModelSettings(gated_streams=True, first_stream=first)
    with pytest.raises(ValueError, match=f"got {first} of 6; give fewer"):
        ACMNet(6, 2, settings)


def test_one_column_has_no_two_streams():
    with pytest.raises(ValueError, match="got 0 of 1"):
        ACMNet(1, 2, ModelSettings(gated_streams=True))
    with pytest.raises(ValueError, match="the second stream must have a column, got 0"):
        StreamGates(1, 0)


def test_half_is_the_first_stream_unless_told():
    widths = ACMNet(6, 2, ModelSettings(gated_streams=True)).gates.widths
    assert (list(widths), list(ACMNet(5, 2, GATED).gates.widths)) == ([3, 3], [3, 2])
