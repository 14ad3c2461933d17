"""Recognise networks whose instance branch learned nothing.

In the first steps of a training the background branch wins: its class gets a high logit
in every snippet, and the attention to instances falls to nearly 0 before any class is
learned. Attention near 0 gets hardly any gradient. Most networks leave this state after
some hundred steps; a few never do, and their instance loss stays at ln(C + 1), that of
a uniform guess (D-136).
"""

import math
from collections.abc import Sequence
from typing import Final

import torch

from acmnet.data.datasets import WeakDataset
from acmnet.network.acm_net import ACMNet, Branch

GUESS: Final = math.log(1.25)
"""Upper bound on the `mean_spread` of a network that guesses. On SHREC'22 networks that
never started to learn reach 0.07, and the weakest one that did start 0.93. Where nearly
all recordings carry the same names, the weakest one that did start reaches 0.62."""
STARTED: Final = math.log(2.0)
"""Lower bound on the `mean_spread` of a network that has started to learn. A network
between the two bounds may only have been trained for too short a time."""
MOST_VIDEOS: Final = 500
"""Largest number of training videos that are used, evenly spread over all of them."""


def guessing(spreads: Sequence[float]) -> frozenset[int]:
    """Return the indices of the networks that guess.

    The networks differ in their seed alone. If no network has started and some are
    between the two bounds, the training may only have been too short, and none counts
    as guessing.

    Parameters
    ----------
    spreads : sequence of float
        The `mean_spread` of each.

    Examples
    --------
    >>> guessing([1.95, 0.02, 0.93]), guessing([0.3, 0.2]), guessing([0.0, 0.1])
    (frozenset({1}), frozenset(), frozenset({0, 1}))
    """
    low = frozenset(k for k, spread in enumerate(spreads) if spread < GUESS)
    if len(low) == len(spreads) or max(spreads) >= STARTED:
        return low
    return frozenset()


def mean_spread(network: ACMNet, dataset: WeakDataset) -> float:
    """Return how far apart a network's video-level logits are in its training videos.

    Parameters
    ----------
    network : ACMNet
        A trained network, on the dataset's device. It is left in evaluation mode.
    dataset : WeakDataset
        The videos that it was trained on.

    Returns
    -------
    float
        The highest less the lowest logit of the instance branch, in the mean over the
        videos; from 0. It is the logarithm of how many times as likely as the least
        likely class the branch holds the likeliest one.
    """
    network.eval()
    places = range(0, len(dataset), math.ceil(len(dataset) / MOST_VIDEOS))
    total = 0.0
    with torch.no_grad():
        for place in places:
            features = dataset.video(place).float().unsqueeze(0)  # (1, T, D)
            logits = network(features).video_logits[0, Branch.INSTANCE]  # (C + 1,)
            total += float(logits.max() - logits.min())
    return total / len(places)
