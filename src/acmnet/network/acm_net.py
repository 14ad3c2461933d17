"""The network: snippet features in, three branches of class activations out.

Notation: B videos, T snippets, D feature dimension, C classes (the background is
index C), K pooled snippets.
"""

import dataclasses
import enum
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from acmnet.limits import refuse_beyond
from acmnet.network.tiled_convolution import WIDTH, convolve_in_tiles
from acmnet.network.video_dropout import VideoDropout

SMALLEST_DEVIATION = 1e-6
"""A column's deviation over its mean from which on it is more than rounding."""


class Branch(enum.IntEnum):
    """What a snippet may be; the order is the attention's last axis."""

    INSTANCE = 0
    CONTEXT = 1
    BACKGROUND = 2


@dataclasses.dataclass(frozen=True)
class ModelSettings:
    """The network's numbers. Rates are in [0, 1), ratios are whole, from 1."""

    kernel_snippets: int = 3
    """Snippets that the embedding convolution sees (eq. 1); odd."""

    standardize: bool = False
    """Give each feature column mean 0 and deviation 1 over the training videos first
    (D-019)."""

    attention: bool = True
    """Weigh snippets by what they may be; without, every snippet counts as instance:
    plain multiple-instance learning, a floor to compare with."""

    input_dropout: float = 0.0
    """Share of feature entries dropped before the embedding (ActivityNet: 0.7)."""
    attention_dropout: float = 0.0
    """Share of embedding entries dropped before the attention (ActivityNet: 0.7)."""
    snippet_dropout: float = 0.7
    """Share of whole snippets hidden from the classifier (`model/ACMNet.py:63-65`)."""
    classifier_dropout: float = 0.7
    """Share of embedding entries hidden from the classifier (`model/ACMNet.py:67`)."""

    instance_ratio: int = 8
    """r_ins: the top T // r_ins snippets speak for the instance branch."""
    context_ratio: int = 3
    """r_con, likewise for the context branch."""
    background_ratio: int = 3
    """r_bak, likewise for the background branch."""

    def __post_init__(self) -> None:
        """Refuse values outside their range."""
        refuse_beyond(dataclasses.asdict(self))
        for name, value in dataclasses.asdict(self).items():
            if name.endswith("dropout") and not 0.0 <= value < 1.0:
                raise ValueError(f"{name} must be in [0, 1), got {value}")
            if name.endswith(("ratio", "snippets")) and value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}")
        if self.kernel_snippets % 2 == 0:
            raise ValueError(
                f"kernel_snippets must be odd, got {self.kernel_snippets}: an even "
                "window has no middle snippet"
            )

    @property
    def reach_snippets(self) -> int:
        """Neighbours on either side that a snippet's outputs depend on."""
        return self.kernel_snippets // 2

    @property
    def ratios(self) -> tuple[int, int, int]:
        """r_ins, r_con, r_bak in the order of `Branch`."""
        return self.instance_ratio, self.context_ratio, self.background_ratio


class ACMNetOutput(NamedTuple):
    """What the network says about B videos of T snippets."""

    attention: Tensor
    """(B, T, 3). Probability of each `Branch`; sums to 1 over the last axis."""
    activation: Tensor
    """(B, T, C + 1). Class logits before attention (CAS)."""
    branch_activation: Tensor
    """(B, 3, T, C + 1). Logits weighted by each branch's attention."""
    video_logits: Tensor
    """(B, 3, C + 1). Mean of the top-k snippets of each branch."""
    branch_feature: Tensor
    """(B, 3, D). Mean embedding of the k most attended snippets of each branch."""
    embedding: Tensor
    """(B, T, D). What classifier and attention see of each snippet, before dropout."""
    mask: Tensor
    """(B, T) bool. True where a snippet exists, False where it is padding."""


class ACMNet(nn.Module):
    """ACM-Net: embedding, snippet classifier, three-branch attention, top-k pooling.

    Parameters
    ----------
    feature_dim : int
        D, the dimension of the snippet features.
    n_classes : int
        C, action classes without the background.
    settings : ModelSettings
        Dropout rates and pooling ratios.

    Raises
    ------
    ValueError
        If ``feature_dim`` or ``n_classes`` is below 1.

    References
    ----------
    Qu et al. 2021 (arXiv 2104.02967), eqs. 1 to 6 and 13; the sizes that the paper
    leaves open are those of the authors' `model/ACMNet.py:18-33`.

    Examples
    --------
    >>> _ = torch.manual_seed(0)
    >>> model = ACMNet(feature_dim=8, n_classes=3).eval()
    >>> output = model(torch.randn(2, 30, 8))
    >>> output.attention.shape, output.branch_activation.shape
    (torch.Size([2, 30, 3]), torch.Size([2, 3, 30, 4]))
    """

    feature_mean: Tensor
    feature_scale: Tensor

    def __init__(
        self,
        feature_dim: int,
        n_classes: int,
        settings: ModelSettings = ModelSettings(),
    ) -> None:
        super().__init__()
        for name, value in (("feature_dim", feature_dim), ("n_classes", n_classes)):
            if value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}")
        self.feature_dim = feature_dim
        self.n_classes = n_classes
        self.settings = settings
        width = settings.kernel_snippets
        self.embedding = nn.Conv1d(feature_dim, feature_dim, width, padding="same")
        self.attention = nn.Conv1d(feature_dim, len(Branch), kernel_size=1)
        self.classifier = nn.Linear(feature_dim, n_classes + 1)
        if settings.standardize:
            self.register_buffer("feature_mean", torch.zeros(feature_dim))
            self.register_buffer("feature_scale", torch.ones(feature_dim))

    def standardize(self, mean: Tensor, deviation: Tensor) -> None:
        """Keep what features are standardised with; for networks that do so.

        Parameters
        ----------
        mean, deviation : (D,)
            Of each column over the training snippets. A column that does not vary
            says nothing, and counts as 0 from now on.
        """
        self.feature_mean.copy_(mean)
        self.feature_scale.copy_(scale_of(mean, deviation))

    def forward(
        self,
        features: Tensor,
        mask: Tensor | None = None,
        seeds: Tensor | None = None,
    ) -> ACMNetOutput:
        """Return what the network says about each video.

        Parameters
        ----------
        features : (B, T, D) floating point
            Snippet features; padding may hold anything.
        mask : (B, T) bool, optional
            True where a snippet exists; each video's first snippet must. All exist
            when it is left out. Padding changes no number of a video.
        seeds : (B,) int64, optional
            What each video's dropout is drawn from, in training only; drawn from
            torch's global generator when left out. One seed a video makes the draw
            independent of how a batch is split over processes.

        Returns
        -------
        ACMNetOutput
            At padding: attention and activations are 0 and nothing is pooled.

        Raises
        ------
        ValueError
            If ``features`` is not (B, T, D) with T at least 1, or a video of the
            mask has no snippet.
        """
        mask, is_padded = self._checked_mask(features, mask)
        drop = VideoDropout(self.training, seeds, features)
        rates = self.settings
        here = mask.unsqueeze(-1)  # (B, T, 1)

        if rates.standardize:
            features = self._standardized(features)
        seen = drop(features, rates.input_dropout)
        # padding must look to the convolution like the zeros beyond a video's end
        seen = seen.masked_fill(~here, 0.0) if is_padded else seen
        embedding = self._convolved(seen, self.embedding).relu_()
        attended = drop(embedding, rates.attention_dropout)
        attention = functional.linear(
            attended, self.attention.weight.squeeze(-1), self.attention.bias
        )
        attention = _wide(attention)
        if not rates.attention:
            others = torch.arange(len(Branch), device=mask.device) != Branch.INSTANCE
            attention = attention.masked_fill(others, -torch.inf)
        attention = attention.softmax(dim=-1) * here  # (B, T, 3)
        activation = _wide(self._classify(embedding, drop)) * here  # (B, T, C + 1)
        weight = attention.transpose(1, 2).unsqueeze(-1)  # (B, 3, T, 1)
        branch_activation = weight * activation.unsqueeze(1)

        logits = [
            video_logits(branch_activation[:, b], ratio, mask)
            for b, ratio in enumerate(rates.ratios)
        ]
        k = torch.stack([pooled_snippets(mask, ratio) for ratio in rates.ratios], dim=1)
        return ACMNetOutput(
            attention=attention,
            activation=activation,
            branch_activation=branch_activation,
            video_logits=torch.stack(logits, dim=1),
            branch_feature=pool_attended(embedding, attention, k, mask),
            embedding=embedding,
            mask=mask,
        )

    def _standardized(self, features: Tensor) -> Tensor:
        return (features - self.feature_mean) * self.feature_scale

    def _convolved(self, seen: Tensor, layer: nn.Module) -> Tensor:
        """Return a convolution over snippets (B, T, D), before its ReLU."""
        weight, bias = (layer.get_parameter(name) for name in ("weight", "bias"))
        in_bf16 = (
            seen.device.type == "cpu"
            and torch.is_autocast_enabled("cpu")
            and torch.get_autocast_dtype("cpu") == torch.bfloat16
        )
        if in_bf16 and weight.shape[-1] == WIDTH:
            return convolve_in_tiles(seen, weight, bias)
        result: Tensor = layer(seen.transpose(1, 2)).transpose(1, 2)
        return result

    def _classify(self, embedding: Tensor, drop: VideoDropout) -> Tensor:
        """Return class logits (B, T, C + 1); a hidden snippet leaves only the bias."""
        rate, whole = self.settings.classifier_dropout, self.settings.snippet_dropout
        if not drop.active or whole == 0.0:
            logits: Tensor = self.classifier(drop(embedding, rate))
            return logits
        shown = drop.snippets(embedding, whole)  # (B, T) bool
        # what is hidden needs neither a draw nor a product: at 0.7, two thirds
        rows = drop.rows(embedding[shown], shown, rate) / (1.0 - whole)
        weight = self.classifier.weight
        spoken = functional.linear(rows, weight)
        hidden = spoken.new_zeros(*shown.shape, len(weight))
        return hidden.index_put((shown,), spoken) + self.classifier.bias

    def _checked_mask(
        self, features: Tensor, mask: Tensor | None
    ) -> tuple[Tensor, bool]:
        """Return the mask and whether any snippet is padding; refuse what is none."""
        if features.ndim != 3 or features.shape[2] != self.feature_dim:
            raise ValueError(
                f"features must have shape (B, T, {self.feature_dim}), got "
                f"{tuple(features.shape)}"
            )
        if features.shape[1] < 1:
            raise ValueError("features must have at least one snippet, got T = 0")
        if mask is None:
            shape, device = features.shape[:2], features.device
            return torch.ones(shape, dtype=torch.bool, device=device), False
        if mask.shape != features.shape[:2] or mask.dtype != torch.bool:
            raise ValueError(
                f"mask must be bool of shape {tuple(features.shape[:2])}, got "
                f"{mask.dtype} of shape {tuple(mask.shape)}"
            )
        present = mask.any(dim=1)
        if not present.all():
            raise ValueError(
                f"video {int(present.int().argmin())} of the batch has no snippet: "
                "its row of the mask is all False"
            )
        return mask, not bool(mask.all())


def scale_of(mean: Tensor, deviation: Tensor) -> Tensor:
    """Return what makes each column's deviation 1, (D,); 0 where it does not vary."""
    varies = deviation > SMALLEST_DEVIATION * (1.0 + mean.abs())
    return torch.where(varies, 1.0 / deviation, 0.0)


def video_logits(activation: Tensor, ratio: int, mask: Tensor | None = None) -> Tensor:
    """Return each video's class logits, pooled from those of its snippets.

    For each class on its own, the snippets with the highest logits speak for the video:
    one in ``ratio`` of them, and at least one.

    Parameters
    ----------
    activation : (B, T, C + 1)
        Class logits of each snippet, such as the instance branch's.
    ratio : int
        T // ``ratio`` snippets are averaged, from 1; r_ins, r_con or r_bak.
    mask : (B, T) bool, optional
        True where a snippet exists, False where it is padding; all exist when it is
        left out.

    Returns
    -------
    (B, C + 1) tensor
        Video-level logits, before the softmax of eq. 6.

    References
    ----------
    Qu et al. 2021, eq. 5.
    """
    if mask is None:
        shape, device = activation.shape[:2], activation.device
        mask = torch.ones(shape, dtype=torch.bool, device=device)
    return pool_top_k(activation, pooled_snippets(mask, ratio), mask)


def pooled_snippets(mask: Tensor, ratio: int) -> Tensor:
    """Return k, how many snippets of each video are averaged (eq. 5).

    Parameters
    ----------
    mask : (B, T) bool
        True where a snippet exists.
    ratio : int
        One in so many of a video's snippets is averaged, and at least one.

    Returns
    -------
    (B,) int64 tensor
    """
    return (mask.sum(dim=1) // ratio).clamp(min=1)


def pool_top_k(activation: Tensor, k: Tensor, mask: Tensor) -> Tensor:
    """Return the mean of each class's k highest snippets.

    Parameters
    ----------
    activation : (B, T, C + 1)
        Class logits of each snippet.
    k : (B,) int64
        Snippets to pool in each video, from 1 to the video's own length.
    mask : (B, T) bool
        True where a snippet exists.

    Returns
    -------
    (B, C + 1) tensor
        Video-level logits, before the softmax of eq. 6.

    References
    ----------
    Qu et al. 2021, eq. 5.
    """
    lowest = torch.finfo(activation.dtype).min
    outside = ~mask.unsqueeze(-1)
    top = activation.masked_fill(outside, lowest).topk(int(k.max()), dim=1).values
    counted = torch.arange(top.shape[1], device=k.device) < k.unsqueeze(1)  # (B, K)
    total = torch.where(counted.unsqueeze(-1), top, 0.0).sum(dim=1)
    return total / k.unsqueeze(1)


def pool_attended(
    embedding: Tensor, attention: Tensor, k: Tensor, mask: Tensor
) -> Tensor:
    """Return the mean embedding of the k snippets that each branch attends to most.

    Parameters
    ----------
    embedding : (B, T, D)
        The embedding before any dropout for the classifier.
    attention : (B, T, 3)
        Each branch's attention.
    k : (B, 3) int64
        Snippets to pool for each branch, from 1 to the video's own length.
    mask : (B, T) bool
        True where a snippet exists.

    Returns
    -------
    (B, 3, D) tensor
        X_ins, X_con and X_bak.

    References
    ----------
    Qu et al. 2021, eq. 13.
    """
    outside = ~mask.unsqueeze(-1)
    most = attention.detach().masked_fill(outside, -1.0).topk(int(k.max()), dim=1)
    first = torch.arange(most.indices.shape[1], device=k.device)[:, None] < k[:, None]
    chosen = torch.zeros_like(attention, dtype=embedding.dtype)
    chosen.scatter_(1, most.indices, first.to(embedding.dtype))  # (B, T, 3), 0 or 1
    # a product with 0 and 1 reads the embedding once
    total = chosen.transpose(1, 2) @ embedding
    return _wide(total) / k.unsqueeze(-1)


def _wide(x: Tensor) -> Tensor:
    """Widen what autocast narrowed: softmax and sums need fp32 at least."""
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x
