"""The paper's network: snippet features in, class activations of three branches out.

Notation: B videos, T snippets, D columns of features, E channels of the embedding (D
unless ``ModelSettings.width`` is set), C classes (the background is index C), K pooled
snippets.
"""

import enum
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from acmnet.network.network_settings import ModelSettings
from acmnet.network.pooling import (
    most_pooled_of,
    pool_attended,
    pool_top_k,
    pooled_snippets,
    upcast,
)
from acmnet.network.standardization import StandardizingNetwork
from acmnet.network.tiled_convolution import SnippetConvolution, linear_with_few_outputs
from acmnet.network.video_dropout import VideoDropout


class Branch(enum.IntEnum):
    """What a snippet may belong to, in the order of the attention's last axis."""

    INSTANCE = 0
    """An action."""
    CONTEXT = 1
    """What usually surrounds an action but is not the action, such as its scene."""
    BACKGROUND = 2
    """Neither of them."""


class ACMNetOutput(NamedTuple):
    """The outputs of the network for B videos of T snippets."""

    attention: Tensor
    """(B, T, 3). Probability of each `Branch`; sums to 1 over the last axis."""
    activation: Tensor
    """(B, T, C + 1). Class logits before attention (CAS)."""
    branch_activation: Tensor
    """(B, 3, T, C + 1). Logits weighted by each branch's attention."""
    video_logits: Tensor
    """(B, 3, C + 1). Mean of the top-k snippets of each branch."""
    branch_feature: Tensor
    """(B, 3, E). Mean embedding of the k most attended snippets of each branch."""
    embedding: Tensor
    """(B, T, E). What classifier and attention are computed from, before dropout."""
    mask: Tensor
    """(B, T) bool. True where a snippet exists, False where it is padding."""
    is_shown: Tensor | None = None
    """(B, T) bool. False where training hid the snippet from the classifier, whose
    logits are its bias there; None where no snippet was hidden."""


class ACMNet(StandardizingNetwork):
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

    def __init__(
        self,
        feature_dim: int,
        n_classes: int,
        settings: ModelSettings = ModelSettings(),
    ) -> None:
        for name, value in (("feature_dim", feature_dim), ("n_classes", n_classes)):
            if value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}")
        super().__init__(feature_dim, settings.standardize)
        self.feature_dim = feature_dim
        self.n_classes = n_classes
        self.settings = settings
        channels = settings.channels(feature_dim)
        self.embedding = SnippetConvolution(
            feature_dim, channels, settings.kernel_snippets
        )
        self.attention = nn.Conv1d(channels, len(Branch), kernel_size=1)
        self.classifier = nn.Linear(channels, n_classes + 1)

    def forward(
        self,
        features: Tensor,
        mask: Tensor | None = None,
        seeds: Tensor | Sequence[torch.Generator] | None = None,
    ) -> ACMNetOutput:
        """Return the outputs for each video.

        Parameters
        ----------
        features : (B, T, D) floating point
            Snippet features; padding may hold anything.
        mask : (B, T) bool, optional
            True where a snippet exists, False where there is padding; without a mask
            all snippets exist. Padding changes no number of a video.
        seeds : (B,) int64, or B generators, optional
            The seed or the generator of each video's dropout, for training only. When
            left out, seeds are drawn from torch's global generator. With a seed for
            each video, dropout does not depend on how a batch is split over processes.

        Returns
        -------
        ACMNetOutput
            At padding: attention and activations are 0 and nothing is pooled.

        Raises
        ------
        ValueError
            If ``features`` does not have shape (B, T, D) with T at least 1, or the mask
            leaves a video without any snippet. A mask on a GPU is not checked, because
            that would wait for the GPU.
        """
        has_padding = mask is not None
        mask = self._checked_mask(features, mask)
        drop = VideoDropout(self.training, seeds, features)
        embedding, attention, activation, is_shown = self._snippets(
            features, mask, drop, has_padding=has_padding
        )
        weight = attention.transpose(1, 2).unsqueeze(-1)  # (B, 3, T, 1)
        branch_activation = weight * activation.unsqueeze(1)  # eq. 4: (B, 3, T, C + 1)
        shares = [
            *zip(self.settings.ratios, self.settings.most_pooled_by_branch, strict=True)
        ]
        k = torch.stack([pooled_snippets(mask, *x) for x in shares], dim=1)  # (B, 3)
        most = [most_pooled_of(mask.shape[1], *x) for x in shares]
        pooled = [  # eq. 5: (B, C + 1) each; eq. 6 is their softmax
            pool_top_k(branch_activation[:, b], k[:, b], mask, most[b]) for b in Branch
        ]
        return ACMNetOutput(
            attention=attention,
            activation=activation,
            branch_activation=branch_activation,
            video_logits=torch.stack(pooled, dim=1),
            # eq. 13
            branch_feature=pool_attended(embedding, attention, k, mask, max(most)),
            embedding=embedding,
            mask=mask,
            is_shown=is_shown,
        )

    def snippet_outputs(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Return the attention and the activation of `forward` without pooling them.

        Parameters
        ----------
        features : (B, T, D) floating point
            Snippet features of videos of one length.

        Returns
        -------
        attention : (B, T, 3) tensor
        activation : (B, T, C + 1) tensor

        Raises
        ------
        ValueError
            If ``features`` does not have shape (B, T, D) with T at least 1.
        """
        mask = self._checked_mask(features, None)
        drop = VideoDropout(self.training, None, features)
        _, attention, activation, _ = self._snippets(
            features, mask, drop, has_padding=False
        )
        return attention, activation

    def _snippets(
        self, features: Tensor, mask: Tensor, drop: VideoDropout, *, has_padding: bool
    ) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        """Return embedding, attention and activation, and which snippets were shown.

        Without padding, all of the mask is True.
        """
        inputs = drop(self.standardized(features), self.settings.input_dropout)
        if has_padding:
            inputs = _without_padding(inputs, mask)
        embedding = self.embedding(inputs).relu_()  # eq. 1: X, (B, T, E)
        # the attention comes first, because dropout is drawn in this order
        attention = self.attend(embedding, mask, drop)  # eq. 3: A, (B, T, 3)
        # eq. 2: CAS, (B, T, C + 1)
        activation, is_shown = self.classify(embedding, mask, drop)
        return embedding, attention, activation, is_shown

    def attend(self, embedding: Tensor, mask: Tensor, drop: VideoDropout) -> Tensor:
        """Return each branch's attention (B, T, 3); 0 at padding."""
        inputs = drop(embedding, self.settings.attention_dropout)
        # (3, D, 1): a convolution that sees one snippet is a product with a matrix
        weight = self.attention.weight.squeeze(-1)
        logits = upcast(linear_with_few_outputs(inputs, weight, self.attention.bias))
        if not self.settings.attention:
            others = torch.arange(len(Branch), device=mask.device) != Branch.INSTANCE
            logits = logits.masked_fill(others, -torch.inf)
        return logits.softmax(dim=-1) * mask.unsqueeze(-1)

    def classify(
        self, embedding: Tensor, mask: Tensor, drop: VideoDropout
    ) -> tuple[Tensor, Tensor | None]:
        """Return class logits (B, T, C + 1), and which snippets were shown (B, T).

        At padding, logits are 0. In training, some snippets are hidden from the
        classifier: their logits are its bias.
        """
        rate, snippet_rate = (
            self.settings.classifier_dropout,
            self.settings.snippet_dropout,
        )
        is_snippet = mask.unsqueeze(-1)  # (B, T, 1)
        if not drop.active or snippet_rate == 0.0:
            inputs, layer = drop(embedding, rate), self.classifier
            return upcast(
                linear_with_few_outputs(inputs, layer.weight, layer.bias)
            ) * is_snippet, None
        is_shown = drop.snippets(embedding, snippet_rate)  # (B, T) bool
        if embedding.device.type != "cpu":
            # counting the shown snippets would wait for the GPU, which computes all
            scores = linear_with_few_outputs(
                drop(embedding, rate), self.classifier.weight
            )
            scores = upcast(scores) * (is_shown.unsqueeze(-1) / (1.0 - snippet_rate))
            return (scores + self.classifier.bias) * is_snippet, is_shown
        # (M, D): only the M shown snippets of all videos are computed; at a rate of 0.7
        # that leaves out 70 % of them
        counts = is_shown.sum(dim=1).tolist()
        rows = drop.rows(embedding[is_shown], counts, rate) / (1.0 - snippet_rate)
        weight = self.classifier.weight  # (C + 1, D)
        shown = functional.linear(rows, weight)  # (M, C + 1)
        hidden = shown.new_zeros(*is_shown.shape, len(weight))  # (B, T, C + 1)
        logits = hidden.index_put((is_shown,), shown) + self.classifier.bias
        return upcast(logits) * is_snippet, is_shown

    def _checked_mask(self, features: Tensor, mask: Tensor | None) -> Tensor:
        """Return the mask (B, T); reject features or a mask of a wrong shape."""
        if features.ndim != 3 or features.shape[2] != self.feature_dim:
            raise ValueError(
                f"features must have shape (B, T, {self.feature_dim}), got "
                f"{tuple(features.shape)}"
            )
        if features.shape[1] < 1:
            raise ValueError("features must have at least one snippet, got T = 0")
        if mask is None:
            shape, device = features.shape[:2], features.device
            return torch.ones(shape, dtype=torch.bool, device=device)
        if mask.shape != features.shape[:2] or mask.dtype != torch.bool:
            raise ValueError(
                f"mask must be bool of shape {tuple(features.shape[:2])}, got "
                f"{mask.dtype} of shape {tuple(mask.shape)}"
            )
        present = mask.any(dim=1)
        if mask.device.type == "cpu" and not present.all():
            raise ValueError(
                f"video {int(present.int().argmin())} of the batch has no snippet: "
                "its row of the mask is all False"
            )
        return mask


def _without_padding(features: Tensor, mask: Tensor) -> Tensor:
    """Return features (B, T, D) that are 0 where the mask (B, T) is False.

    The time beyond a video's end is 0 to a convolution, too.
    """
    if features.device.type == "cpu" and mask.all():  # a GPU would be waited for
        return features
    return features.masked_fill(~mask.unsqueeze(-1), 0.0)
