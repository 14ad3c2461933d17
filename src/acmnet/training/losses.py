"""The paper's loss and one term beyond it, each a function of B values, one a video.

Every term is a number to minimise. C is the number of action classes; index C is
the background.
"""

import dataclasses
from typing import Final, Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from acmnet.limits import refuse_beyond
from acmnet.network.acm_net import ACMNetOutput, Branch

COACTIVITY_MARGIN: Final = 0.5
"""By how much likeness should win (Paul et al. 2018, below eq. 8)."""


@dataclasses.dataclass(frozen=True)
class LossSettings:
    """What each term weighs. All weights are at least 0."""

    instance_weight: float = 1.0
    """Of the instance branch's classification (ActivityNet, authors' code: 5)."""
    context_weight: float = 1.0
    """Of the context branch's classification."""
    background_weight: float = 1.0
    """Of the background branch's classification."""

    guide_weight: float = 1.5
    """Lambda 1, of the attention guide (eq. 11); authors: 2e-3 on a sum over 750."""
    feature_weight: float = 5e-5
    """Lambda 2, of the feature separation (eq. 12)."""
    sparse_weight: float = 0.15
    """Lambda 3, of the sparse attention (eq. 14); authors: 2e-4 on a sum over 750."""

    coactivity_weight: float = 0.0
    """Of the likeness of what videos with a common label attend to
    (`coactivity_loss`); such a training runs in one process."""

    feature_margin: float = 50.0
    """m of eq. 12: how far apart the branches' feature norms should be; above 0."""
    time_reduction: Literal["mean", "sum"] = "mean"
    """Guide and sparse terms over T: 1/T (eqs. 11, 14) or a sum (code), D-005."""
    sparse_branches: Literal["mean", "sum"] = "mean"
    """Sparse term over its two branches: mean (`net_utils.py:73`) or sum (eq. 14)."""

    def __post_init__(self) -> None:
        """Refuse values outside their range."""
        refuse_beyond(dataclasses.asdict(self))
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.name.endswith("_weight") and not value >= 0.0:
                raise ValueError(f"{field.name} must be at least 0, got {value}")
        if not self.feature_margin > 0.0:
            raise ValueError(
                f"feature_margin must be above 0, got {self.feature_margin}"
            )


class LossTerms(NamedTuple):
    """The whole loss and its unweighted terms, the paper's six first."""

    total: Tensor
    """The weighted sum: what training minimises (eqs. 8 to 10)."""
    instance: Tensor
    context: Tensor
    background: Tensor
    guide: Tensor
    feature: Tensor
    sparse: Tensor
    coactivity: Tensor
    """0 where its weight is 0."""


BEYOND: Final = ("coactivity",)
"""Terms that the paper does not have."""


def terms_of(settings: LossSettings) -> tuple[str, ...]:
    """Return the names of `LossTerms` that a training is to show.

    Those beyond the paper are there only where they weigh something.
    """
    unused = [name for name in BEYOND if not getattr(settings, f"{name}_weight")]
    return tuple(name for name in LossTerms._fields if name not in unused)


def acm_loss(
    output: ACMNetOutput,
    labels: Tensor,
    settings: LossSettings = LossSettings(),
) -> LossTerms:
    """Return the loss of a batch: each term's mean over its videos.

    Parameters
    ----------
    output : ACMNetOutput
        Of B videos.
    labels : (B, C) floating point
        1 where the video contains the class, else 0; a row of zeros is a video
        without any action.
    settings : LossSettings
        The weights.

    Returns
    -------
    LossTerms
        Scalars. ``total`` is weighted, the others are not.

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
    """Return the same terms as `acm_loss`, each of shape (B,), one value a video."""
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
    coactivity = torch.zeros_like(total)
    if settings.coactivity_weight:
        coactivity = coactivity_loss(output, labels)
        total = total + settings.coactivity_weight * coactivity
    paper = (total, instance, context, background, guide, feature, sparse)
    return LossTerms(*paper, coactivity)


def branch_targets(labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return what each branch should say of a video, as class distributions.

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
    """Return how far the instance CAS is from the instance attention, (B,).

    The attention is a constant here (`utils/net_utils.py:57`); it still learns
    through the CAS, which it weighs. Qu et al. 2021, eq. 11.
    """
    instance_cas = output.branch_activation[:, Branch.INSTANCE].softmax(dim=-1)
    attention = output.attention[..., Branch.INSTANCE].detach()
    gap = (1.0 - instance_cas[..., -1] - attention).abs()
    return _over_time(gap, output.mask, time_reduction)


def feature_loss(branch_feature: Tensor, margin: float) -> Tensor:
    """Return how badly the branches' feature norms are separated, (B,).

    Instance features should have a norm ``margin`` above context features, those
    again above background features, and the latter a norm of 0. L2 norms
    (`utils/net_utils.py:60-69`). Qu et al. 2021, eq. 12.
    """
    norm = branch_feature.norm(dim=-1)  # (B, 3)
    instance, context, background = norm.unbind(dim=1)
    instance_gap = (margin - instance + context).relu()
    context_gap = (margin - context + background).relu()
    return torch.square(instance_gap + context_gap + background)


def sparse_loss(output: ACMNetOutput, time_reduction: str, branches: str) -> Tensor:
    """Return how much of the video instance and context claim, (B,).

    Qu et al. 2021, eq. 14; the authors' code takes the mean of the two branches,
    half of the printed sum (`utils/net_utils.py:73`).
    """
    both = output.attention[..., [Branch.INSTANCE, Branch.CONTEXT]].sum(dim=-1)
    claimed = _over_time(both, output.mask, time_reduction)
    return claimed / 2 if branches == "mean" else claimed


def coactivity_loss(output: ACMNetOutput, labels: Tensor) -> Tensor:
    """Return how unlike each video is to those that share a label with it, (B,).

    For each of its classes a video has a mean embedding of the snippets where the
    instance branch sees the class (weights: softmax of its CAS over snippets) and one
    of the others. The former should be nearer (cosine distance) to the same of another
    video with that class than to the latter, by 0.5, and likewise with both exchanged.
    The mean over a video's classes and partners in the batch; 0 for one without.

    References
    ----------
    Paul et al. 2018 (W-TALC, arXiv 1807.10418), eqs. 6 to 9; they average over the
    pairs of a class, then over classes (docs/decisions.md, D-037).
    """
    embedding = output.embedding.float()
    here = output.mask.unsqueeze(-1)
    cas = output.branch_activation[:, Branch.INSTANCE, :, :-1]
    seen = cas.masked_fill(~here, -torch.inf).softmax(dim=1)  # (B, T, C)
    others = (output.mask.sum(dim=1) - 1).clamp(min=1)[:, None, None]
    unseen = torch.where(here, 1.0 - seen, 0.0) / others
    high, low = (
        functional.normalize(torch.einsum("btc,btd->cbd", weights, embedding), dim=-1)
        for weights in (seen, unseen)
    )
    both = 1.0 - high @ high.transpose(1, 2)  # (C, B, B): of i's and j's actions
    apart = 1.0 - high @ low.transpose(1, 2)  # of i's action and what is none in j
    hinge = (both - apart + COACTIVITY_MARGIN).relu()
    loss = (hinge + hinge.transpose(1, 2)) / 2
    shared = labels.T.unsqueeze(2) * labels.T.unsqueeze(1)  # (C, B, B)
    shared = shared * (1.0 - torch.eye(len(labels), device=labels.device))
    partners = shared.sum(dim=(0, 2))
    return (shared * loss).sum(dim=(0, 2)) / partners.clamp(min=1.0)


def _over_time(per_snippet: Tensor, mask: Tensor, reduction: str) -> Tensor:
    """Sum or mean of (B, T) over the snippets that exist."""
    total = torch.where(mask, per_snippet, 0.0).sum(dim=1)
    return total if reduction == "sum" else total / mask.sum(dim=1)
