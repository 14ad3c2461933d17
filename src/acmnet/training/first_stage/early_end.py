"""When a training that learns names alone has taken enough epochs."""

import math
from typing import Final

import torch
from torch import Tensor

from acmnet.training.first_stage.losses import branch_targets

LEARNED: Final = 0.25
"""The names are learned once the instance branch loses less than this share of what it
would lose by saying the same of every video (D-157)."""
FEWEST_STEPS: Final = 50
"""Least number of steps of a training that ends early."""


class EarlyEnd:
    """Finds the epoch at which a training may end, from the losses of each epoch.

    A network that has learned which video carries which name goes on to learn single
    videos by heart: their places, persons and cameras.

    Parameters
    ----------
    labels : (videos, C) tensor
        1 where a video contains the class, else 0.
    factor : float
        How many times as many epochs a training takes as it needs to learn the names;
        at least 1.
    """

    def __init__(self, labels: Tensor, factor: float) -> None:
        self._least, constant = bounds(labels)
        self._learned = LEARNED * (constant - self._least)
        self._factor = factor

    def __call__(self, epoch: int, steps: int, lost: float) -> int:
        """Return the epoch, from 1, at which the training may end; 0 if not yet known.

        Parameters
        ----------
        epoch, steps : int
            The epoch that was just finished, from 1, and the steps of each epoch.
        lost : float
            What the instance branch lost in it, in the mean over the videos.
        """
        if lost - self._least >= self._learned:
            return 0
        return max(math.ceil(self._factor * epoch), math.ceil(FEWEST_STEPS / steps))


def bounds(labels: Tensor) -> tuple[float, float]:
    """Return two losses of the instance branch, in the mean over the training videos.

    Parameters
    ----------
    labels : (videos, C) tensor
        1 where a video contains the class, else 0.

    Returns
    -------
    tuple of float
        The least possible one, which is not 0 where videos contain several classes,
        and the least one of a network that says the same of every video. They are
        equal if all videos have the same labels, and such labels teach nothing.

    Examples
    --------
    Of four videos, two show only the one class and two show nothing.

    >>> least, constant = bounds(torch.tensor([[1.0], [1.0], [0.0], [0.0]]))
    >>> least, round(constant, 4) == round(math.log(2), 4)
    (0.0, True)
    """
    target, _, _ = branch_targets(labels.double())  # (videos, C + 1)
    least = torch.special.entr(target).sum(dim=1).mean()
    constant = torch.special.entr(target.mean(dim=0)).sum()
    return float(least), float(constant)
