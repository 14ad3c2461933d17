"""The network of the second stage: snippet features in, classes and boundaries out.

The student learns from detections that other trained networks, its teachers, are
confident of, as a fully supervised detector learns from true instances. Notation: B
videos, T snippets, D feature dimension, C classes; there is no background class.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from acmnet.network.network_settings import StudentSettings
from acmnet.network.standardization import StandardizingNetwork
from acmnet.network.tiled_convolution import SnippetConvolution
from acmnet.network.video_dropout import VideoDropout

INITIAL_CLASS_BIAS = -3.0
"""Bias of every class before training: a probability of 0.05, as actions are rare."""


class StudentOutput(NamedTuple):
    """The outputs of the student for each snippet of B videos."""

    logits: Tensor
    """(B, T, C). Logit of the probability that the snippet lies in an instance of the
    class."""
    distance: Tensor
    """(B, T, 2). Snippets from each snippet back to the start of the instance that it
    lies in, and on to the end of that instance; at least 0."""


class Student(StandardizingNetwork):
    """Residual dilated convolutions, with one head for classes and one for boundaries.

    Parameters
    ----------
    feature_dim : int
        D, the dimension of the snippet features.
    n_classes : int
        C, the number of action classes.
    settings : StudentSettings
        Width, depth and dropout.

    Notes
    -----
    A boundary is regressed from every snippet, as in FCOS and ActionFormer (Zhang et
    al., ECCV 2022); training it on a weak model's own detections follows PivoTAL
    (Rizve et al., CVPR 2023). The network is our own (docs/decisions.md, D-032).

    Examples
    --------
    >>> student = Student(8, 3, StudentSettings(width=4)).eval()
    >>> output = student(torch.randn(2, 30, 8))
    >>> output.logits.shape, output.distance.shape
    (torch.Size([2, 30, 3]), torch.Size([2, 30, 2]))
    """

    teachers_best: Tensor
    """Scalar above 0. The mean, over training videos and their classes, of the best
    score that the teachers give the class. The teachers' scores are divided by it,
    which makes them comparable with the student's probabilities."""
    trust: Tensor | None
    """(2,), in (0, 1]. Factors on the weights `teachers.contrast_weight` and
    `teachers.proposal_weight` for a student that learned from marks. None for a student
    that learned from names alone: both factors are 1."""

    def __init__(
        self,
        feature_dim: int,
        n_classes: int,
        settings: StudentSettings = StudentSettings(),
    ) -> None:
        super().__init__(feature_dim)
        self.settings = settings
        width = settings.width
        self.register_buffer("teachers_best", torch.ones(()))
        self.register_buffer("trust", None)
        self.embedding = SnippetConvolution(feature_dim, width, 3)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(settings.layers))
        self.layers = nn.ModuleList(
            SnippetConvolution(width, width, 3, dilation=2**i)
            for i in range(settings.layers)
        )
        self.classes = SnippetConvolution(width, n_classes, 3)
        self.boundaries = SnippetConvolution(width, 2, 3)
        if self.classes.bias is not None:
            nn.init.constant_(self.classes.bias, INITIAL_CLASS_BIAS)

    def forward(
        self,
        features: Tensor,
        mask: Tensor | None = None,
        seeds: Tensor | Sequence[torch.Generator] | None = None,
    ) -> StudentOutput:
        """Return the outputs for each snippet.

        Parameters
        ----------
        features : (B, T, D) floating point
            Snippet features; padding may hold anything.
        mask : (B, T) bool, optional
            True where a snippet exists, False where there is padding; without a mask
            all snippets exist.
        seeds : (B,) int64, or B generators, optional
            The seed or the generator of each video's dropout, for training only.
        """
        drop = VideoDropout(self.training, seeds, features)
        rate = self.settings.dropout
        # (B, T, 1): above 0 where a snippet exists
        is_snippet = (
            torch.ones_like(features[..., :1]) if mask is None else mask[..., None]
        )
        inputs = drop(self.standardized(features), rate)
        x = _convolve(self.embedding, inputs, is_snippet).relu()  # (B, T, width)
        for norm, layer in zip(self.norms, self.layers, strict=True):
            x = x + drop(_convolve(layer, norm(x), is_snippet).relu(), rate)
        logits = _convolve(self.classes, drop(x, rate), is_snippet)
        distance = functional.softplus(
            _convolve(self.boundaries, x, is_snippet).float()
        )
        return StudentOutput(logits.float(), distance)


def _convolve(layer: nn.Module, x: Tensor, is_snippet: Tensor) -> Tensor:
    """Return a convolution of (B, T, channels) over time; padding counts as zeros."""
    result: Tensor = layer(torch.where(is_snippet > 0, x, 0.0))
    return result
