"""Standardisation of features inside a network: every column to mean 0, deviation 1."""

from typing import Final

import torch
from torch import Tensor, nn

SMALLEST_DEVIATION: Final = 1e-6
"""Relative deviation below which a column counts as constant: smaller deviations are
rounding errors of its mean."""


class StandardizingNetwork(nn.Module):
    """A network that first standardises its features.

    Mean and scale of each feature column are buffers of the network, so that they are
    stored and loaded together with its weights. D is the number of feature columns.

    Parameters
    ----------
    feature_dim : int
        D.
    standardizes : bool
        False for a network that takes its features as they are; it has no buffers.

    Examples
    --------
    >>> network = StandardizingNetwork(2)
    >>> network.standardize(torch.tensor([1.0, 5.0]), torch.tensor([2.0, 0.0]))
    >>> network.standardized(torch.tensor([[3.0, 7.0]])).tolist()
    [[1.0, 0.0]]
    """

    feature_mean: Tensor
    """(D,). Subtracted from the features."""
    feature_scale: Tensor
    """(D,). What the differences are multiplied by: 1 / deviation."""

    def __init__(self, feature_dim: int, standardizes: bool = True) -> None:
        super().__init__()
        self.standardizes = standardizes
        if standardizes:
            self.register_buffer("feature_mean", torch.zeros(feature_dim))
            self.register_buffer("feature_scale", torch.ones(feature_dim))

    def standardize(self, mean: Tensor, deviation: Tensor) -> None:
        """Set the statistics that features are standardised with.

        Parameters
        ----------
        mean, deviation : (D,)
            Mean and standard deviation of each column over all training snippets. A
            column that does not vary becomes 0 for every snippet.
        """
        varies = deviation > SMALLEST_DEVIATION * (1.0 + mean.abs())
        self.feature_mean.copy_(mean)
        self.feature_scale.copy_(torch.where(varies, 1.0 / deviation, 0.0))

    def standardized(self, features: Tensor) -> Tensor:
        """Return standardised features (..., D); unchanged if the network does not."""
        if not self.standardizes:
            return features
        return (features - self.feature_mean) * self.feature_scale
