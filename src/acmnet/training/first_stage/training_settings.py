"""The settings of the paper's training: epochs, batches, rates, and weights of losses.

They can be read without importing torch.
"""

import dataclasses
import math
from typing import Literal

from acmnet.limits import refuse_out_of_range


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """How long, how fast and in which precision the paper's network is trained."""

    epochs: int = 1000
    """Passes over the training videos, at least 1."""
    batch_size: int = 16
    """Videos in one optimisation step, over all processes together; at least 1."""
    batch_snippets: int = 0
    """Approximate upper bound on the snippets in one optimisation step; 0 sets no
    limit. Where videos are so long that ``batch_size`` of them have more, a step takes
    fewer videos, at least one, so that long videos give more steps (D-106)."""
    learning_rate: float = 1e-4
    """Learning rate of Adam, the same in every step, above 0."""
    weight_decay: float = 5e-5
    """Weight decay of Adam, an L2 penalty on the weights, at least 0."""
    precision: Literal["fp32", "bf16"] = "fp32"
    """Precision of the network's forward and backward pass; the loss is always computed
    in fp32. A device that has no bf16 of its own falls back to fp32."""
    checkpoint_every: int = 50
    """Number of epochs after which a checkpoint is written, at least 1. The last epoch
    always writes one. A training that was cut short goes on from the newest one."""
    averaging: float = 0.0
    """Decay of a running mean of the weights over the steps, in [0, 1). Above 0, the
    checkpoints hold that mean; with 0, they hold the weights of the last step."""
    round_share: float = 0.15
    """Share of the epochs, of this and of the second stage, that a training takes which
    begins with the weights of an earlier run (``--from``); in (0, 1]."""
    early_end: float = 0.0
    """Once the network has learned the names of its videos, the training goes on until
    it has taken this many times the epochs that it needed for that, and ends there if
    ``epochs`` does not end it before. At least 1, or 0 to take all ``epochs``. A
    training that learns more than names, or begins with an earlier run, takes all of
    them (D-157)."""
    fewest_steps: int = 0
    """A training takes more than ``epochs`` where those have fewer optimisation steps
    than this, because the videos are few; at least 0. A training that learns more than
    names, or begins with an earlier run, does not, nor does one whose ``epochs`` a
    person gives without this (D-158)."""
    keep_checkpoints: bool = False
    """Whether every checkpoint is kept, in ``checkpoints/epoch_NNNN`` of the run. If
    false, only the newest one is."""

    def __post_init__(self) -> None:
        """Refuse values outside their range."""
        refuse_out_of_range(
            dataclasses.asdict(self),
            {
                "at least 1": ["epochs", "batch_size", "checkpoint_every"],
                "at least 0": ["batch_snippets", "fewest_steps", "weight_decay"],
                "above 0": ["learning_rate"],
                "in (0, 1]": ["round_share"],
                "in [0, 1)": ["averaging"],
                "0 or at least 1": ["early_end"],
            },
        )

    def videos_a_step(self, snippets: float) -> int:
        """Return how many videos one optimisation step takes.

        Parameters
        ----------
        snippets : float
            Mean number of snippets of a video that a step uses, from 1.

        Examples
        --------
        >>> settings = TrainingSettings(batch_size=16, batch_snippets=4000)
        >>> [settings.videos_a_step(snippets) for snippets in (40, 500, 1800, 9000)]
        [16, 8, 2, 1]
        """
        if not self.batch_snippets:
            return self.batch_size
        return min(self.batch_size, max(int(self.batch_snippets / snippets), 1))

    def epochs_of(self, steps: int) -> int:
        """Return how many epochs a training takes that nothing ends early.

        Parameters
        ----------
        steps : int
            Optimisation steps of an epoch, from 1.

        Examples
        --------
        >>> settings = TrainingSettings(epochs=100, fewest_steps=500)
        >>> [settings.epochs_of(steps) for steps in (1, 2, 4, 9)]
        [500, 250, 125, 100]
        """
        return max(self.epochs, math.ceil(self.fewest_steps / steps))


@dataclasses.dataclass(frozen=True)
class LossSettings:
    """Weights of the terms of the training loss, and how the terms are computed."""

    instance_weight: float = 1.0
    """Weight of the classification loss of the instance branch (eq. 8), at least 0
    (authors' code for ActivityNet: 5)."""
    context_weight: float = 1.0
    """Weight of the classification loss of the context branch (eq. 8), at least 0."""
    background_weight: float = 1.0
    """Weight of the classification loss of the background branch (eq. 8), at least 0.
    """

    background_after: float = 0.0
    """Share of the epochs after which the loss of the background branch counts in
    videos with a label, in [0, 1); in videos without one it counts from the first
    epoch. 0 is the paper's training. Above 0, networks start to learn that otherwise
    guess to the last epoch (D-136)."""

    guide_weight: float = 1.5
    """Lambda 1 of eq. 10, at least 0: weight of the attention guide (eq. 11), which
    pulls the instance branch's scores towards its attention. The authors' 2e-3 is for a
    sum over 750 snippets, which is 1.5 for the mean."""
    feature_weight: float = 5e-5
    """Lambda 2 of eq. 10, at least 0: weight of the feature separation (eq. 12), which
    keeps the features of instance, context and background at different norms."""
    sparse_weight: float = 0.15
    """Lambda 3 of eq. 10, at least 0: weight of the sparsity of the attention (eq. 14),
    which keeps instance and context from claiming the whole video. The authors' 2e-4 is
    for a sum over 750 snippets, which is 0.15 for the mean."""

    marks_weight: float = 1.0
    """Weight of the loss on snippets whose classes are known from a person's marks
    (D-080) or were mined from names in long recordings (D-134), at least 0. It is not
    in the paper.
    """

    feature_margin: float = 50.0
    """m of eq. 12, above 0: how far apart the feature norms of instance and context,
    and those of context and background, should be."""
    time_reduction: Literal["mean", "sum"] = "mean"
    """How the terms of guide and sparsity are taken over the T snippets of a video.
    "mean" divides by T (eqs. 11 and 14); "sum" does not (authors' code; D-005)."""
    sparse_branches: Literal["mean", "sum"] = "mean"
    """How the term of sparsity is taken over the instance and the context branch.
    "mean" is half of the sum (authors' code, `net_utils.py:73`); "sum" is eq. 14."""

    def __post_init__(self) -> None:
        """Refuse values outside their range."""
        values = dataclasses.asdict(self)
        refuse_out_of_range(
            values,
            {
                "at least 0": [name for name in values if name.endswith("_weight")],
                "in [0, 1)": ["background_after"],
                "above 0": ["feature_margin"],
            },
        )
