"""The terms of the paper's loss.

Every term is minimised, and every function returns one value a video. Notation: B
videos, T snippets, D feature dimension, C classes (the background is index C).
"""

from typing import NamedTuple

import torch
from torch import Tensor

from acmnet.network.acm_net import ACMNetOutput, Branch
from acmnet.training.first_stage.training_settings import LossSettings


class LossTerms(NamedTuple):
    """The weighted sum of all terms, and each term before it is weighted."""

    total: Tensor
    """The weighted sum, which training minimises (eqs. 8 to 10)."""
    instance: Tensor
    """Cross-entropy of the instance branch (eq. 7)."""
    context: Tensor
    """Cross-entropy of the context branch (eq. 7)."""
    background: Tensor
    """Cross-entropy of the background branch (eq. 7)."""
    guide: Tensor
    """Distance between attention and scores of the instance branch (eq. 11)."""
    feature: Tensor
    """Lack of separation between the feature norms of the branches (eq. 12)."""
    sparse: Tensor
    """Share of the video that instance and context claim (eq. 14)."""


def acm_loss(
    output: ACMNetOutput, labels: Tensor, settings: LossSettings = LossSettings()
) -> LossTerms:
    """Return the loss of a batch: each term's mean over the videos.

    Parameters
    ----------
    output : ACMNetOutput
        The network's outputs for the B videos of the batch.
    labels : (B, C) floating point
        1 where the video contains the class, else 0; a row of zeros is a video
        without any action.
    settings : LossSettings
        The weights of the terms, and how they are computed.

    Returns
    -------
    LossTerms
        Scalars.

    Raises
    ------
    ValueError
        If ``labels`` does not have shape (B, C).

    References
    ----------
    Qu et al. 2021, eqs. 7 to 14; `utils/net_utils.py:35-81`.
    """
    return LossTerms(*(term.mean() for term in video_losses(output, labels, settings)))


def video_losses(
    output: ACMNetOutput, labels: Tensor, settings: LossSettings
) -> LossTerms:
    """Return the terms of the loss of each video, (B,) each.

    `acm_loss` returns their means and describes the parameters.
    """
    expected = (output.video_logits.shape[0], output.video_logits.shape[2] - 1)
    if tuple(labels.shape) != expected:
        raise ValueError(
            f"labels must have shape {expected}, got {tuple(labels.shape)}"
        )
    targets = branch_targets(labels)
    instance, context, background = (
        classification_loss(output.video_logits[:, branch], target)
        for branch, target in zip(Branch, targets, strict=True)
    )
    guide = guide_loss(output, settings.time_reduction)
    feature = feature_loss(output.branch_feature, settings.feature_margin)
    sparse = sparse_loss(output, settings.time_reduction, settings.sparse_branches)
    total = (
        settings.instance_weight * instance
        + settings.context_weight * context
        + settings.background_weight * background
        + settings.guide_weight * guide
        + settings.feature_weight * feature
        + settings.sparse_weight * sparse
    )
    return LossTerms(total, instance, context, background, guide, feature, sparse)


def branch_targets(labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the class distribution that each branch should give for a video.

    Parameters
    ----------
    labels : (B, C) floating point
        Multi-hot.

    Returns
    -------
    three (B, C + 1) tensors
        Rows sum to 1: ``[y, 0]`` for instances, ``[y, 1]`` for context and
        ``[0, 1]`` for background, each normalised. A video without a label is
        background to every branch (docs/decisions.md, D-006).

    References
    ----------
    Qu et al. 2021, below eq. 7; `utils/net_utils.py:44-50`, which divides by zero
    where a video has no label.
    """
    without = (labels.sum(dim=1, keepdim=True) == 0).to(labels.dtype)
    present = torch.ones_like(without)
    instance = torch.cat((labels, without), dim=1)
    context = torch.cat((labels, present), dim=1)
    background = torch.cat((torch.zeros_like(labels), present), dim=1)
    return (
        instance / instance.sum(dim=1, keepdim=True),
        context / context.sum(dim=1, keepdim=True),
        background,
    )


def classification_loss(video_logits: Tensor, target: Tensor) -> Tensor:
    """Return the cross-entropy of each video: (B, C + 1) logits to (B,).

    Qu et al. 2021, eqs. 6 and 7, through log-softmax: the authors' ``log(softmax)``
    is 0 * -inf = NaN once a probability underflows (docs/decisions.md, D-002).
    """
    return -(target * video_logits.log_softmax(dim=-1)).sum(dim=-1)


def guide_loss(output: ACMNetOutput, time_reduction: str) -> Tensor:
    """Return how far the scores of the instance branch are from its attention, (B,).

    The attention is a constant in this term (`utils/net_utils.py:57`); it learns
    through the logits, which it is a factor of. Qu et al. 2021, eq. 11.
    """
    # (B, T, C + 1): probability of each class in each snippet
    instance_cas = output.branch_activation[:, Branch.INSTANCE].softmax(dim=-1)
    attention = output.attention[..., Branch.INSTANCE].detach()  # (B, T)
    # (B, T): 1 minus the probability of background is that of any action
    gap = (1.0 - instance_cas[..., -1] - attention).abs()
    return _over_time(gap, output.mask, time_reduction)


def feature_loss(branch_feature: Tensor, margin: float) -> Tensor:
    """Return how badly the feature norms of the branches are separated, (B,).

    The norm of the instance features should be ``margin`` above that of the context
    features, which should be ``margin`` above that of the background features, which
    should be 0. Norms are L2 norms (`utils/net_utils.py:60-69`).

    Parameters
    ----------
    branch_feature : (B, 3, D)
        X_ins, X_con and X_bak.
    margin : float
        m, above 0.

    References
    ----------
    Qu et al. 2021, eq. 12.
    """
    norm = branch_feature.norm(dim=-1)  # (B, 3)
    instance, context, background = norm.unbind(dim=1)  # (B,) each
    instance_gap = (margin - instance + context).relu()
    context_gap = (margin - context + background).relu()
    return torch.square(instance_gap + context_gap + background)


def sparse_loss(output: ACMNetOutput, time_reduction: str, branches: str) -> Tensor:
    """Return how much of the video instance and context claim, (B,).

    Qu et al. 2021, eq. 14; the authors' code takes the mean of the two branches, which
    is half of the printed sum (`utils/net_utils.py:73`).
    """
    # (B, T): attention to an instance or its context
    attended = output.attention[..., : Branch.CONTEXT + 1].sum(dim=-1)
    claimed = _over_time(attended, output.mask, time_reduction)
    return claimed / 2 if branches == "mean" else claimed


def _over_time(per_snippet: Tensor, mask: Tensor, reduction: str) -> Tensor:
    """Return the sum or the mean of (B, T) over the snippets that exist, (B,)."""
    total = torch.where(mask, per_snippet, 0.0).sum(dim=1)
    return total if reduction == "sum" else total / mask.sum(dim=1)
