"""Networks that guess, told from those that learned."""

import math

import numpy as np
import pytest
import torch

from acmnet.data.datasets import WeakDataset
from acmnet.data.features.feature_store import open_store
from acmnet.network.acm_net import ACMNet
from acmnet.segments import SnippetGrid
from acmnet.training.first_stage import silent_networks
from acmnet.training.first_stage.silent_networks import (
    GUESS,
    STARTED,
    guessing,
    mean_spread,
)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """Two videos of 9 and 5 snippets."""
    folder = tmp_path_factory.mktemp("features")
    drawn = np.random.default_rng(0)
    for name, length in (("a", 9), ("b", 5)):
        np.save(folder / f"{name}.npy", drawn.normal(size=(length, 4)).astype("f4"))
    return WeakDataset(
        open_store(folder, grid=SnippetGrid(25.0, 16, 16)),
        {"a": ("x",), "b": ()},
        ("x", "y"),
    )


def network_of(attention, classes):
    """Make a network that says the same of every snippet: its weighted biases."""
    network = ACMNet(4, 2)
    with torch.no_grad():
        for weights in network.parameters():
            weights.zero_()
        network.attention.bias.copy_(torch.tensor(attention))
        network.classifier.bias.copy_(torch.tensor(classes))
    return network


def test_spread_is_the_attention_times_the_difference_of_logits(dataset):
    network = network_of([math.log(2.0), 0.0, 0.0], [3.0, -1.0, 0.5])
    # the attention to instances is 2 / (2 + 1 + 1)
    assert mean_spread(network, dataset) == pytest.approx(0.5 * 4.0)


def test_a_network_without_attention_to_instances_guesses(dataset):
    dead = mean_spread(network_of([-9.0, 0.0, 0.0], [3.0, -1.0, 0.5]), dataset)
    assert dead < GUESS
    assert guessing([dead, STARTED]) == {0}


def test_spread_is_the_mean_over_the_videos(dataset):
    torch.manual_seed(0)
    network = ACMNet(4, 2).eval()
    with torch.no_grad():
        for x in network.parameters():
            x.mul_(3.0)
        each = [
            network(dataset.video(place).unsqueeze(0)).video_logits[0, 0]
            for place in (0, 1)
        ]
    spreads = [float(x.max() - x.min()) for x in each]
    assert spreads[0] != pytest.approx(spreads[1])
    assert mean_spread(network, dataset) == pytest.approx(sum(spreads) / 2)


@pytest.mark.parametrize("most", [1, 2, 500])
def test_of_many_videos_evenly_spread_ones_are_looked_at(dataset, monkeypatch, most):
    monkeypatch.setattr(silent_networks, "MOST_VIDEOS", most)
    torch.manual_seed(0)
    network = ACMNet(4, 2)
    whole = mean_spread(network, dataset)
    monkeypatch.undo()
    with torch.no_grad():
        looked_at = range(min(most, 2))
        each = [network(dataset.video(v)[None]).video_logits[0, 0] for v in looked_at]
    spreads = [float(x.max() - x.min()) for x in each]
    assert whole == pytest.approx(sum(spreads) / len(spreads))
