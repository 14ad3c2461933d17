"""The settings of the training loss, which can be read without importing torch."""

import dataclasses
from typing import Literal

from acmnet.limits import refuse_out_of_range


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

    coactivity_weight: float = 0.0
    """Weight of the co-activity loss (W-TALC, not in the paper), at least 0: videos
    with a common label should attend to similar snippets. 0 leaves the loss out. Above
    0, training must run in one process."""
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
