"""Whiten features: columns become normal, then uncorrelated, with the mean taken off.

Notation: T snippets of a recording, D feature columns, E components that are kept.
"""

import dataclasses
from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor

REFERENCE: Final = 4096
"""Largest number of snippets that the distribution of a column is estimated from."""
MOST_COMPONENTS: Final = 128
"""Largest number of components that are kept: those of largest variance."""
LEAST_VARIANCE: Final = 1e-6
"""Components whose variance is a smaller share of the largest one are dropped as
rounding errors."""


@dataclasses.dataclass(frozen=True, eq=False)
class Whitening:
    """Maps features to components of mean 0 and variance 1 that are not correlated.

    Each column is replaced by the normal quantile of its rank first. Otherwise a few
    huge values, which features of networks have, would dominate a column, and the
    column with the largest values would dominate a sum of columns.
    """

    reference: Tensor
    """(D, R) sorted values of each column, fp32."""
    components: Tensor
    """(D, E) fp32."""

    def recording(self, features: Tensor) -> Tensor:
        """Return the components (T, E) of a recording's features (T, D).

        The mean of each column over the recording is subtracted, because it shows what
        all of its snippets have in common, such as the camera or the animal.
        """
        return self._centred(features) @ self.components

    def _centred(self, features: Tensor) -> Tensor:
        values = features.float().T.contiguous()  # (D, T)
        below, most = (
            torch.searchsorted(self.reference, values, right=right)
            for right in (False, True)
        )
        rank = (below + most + 1) / (2 * self.reference.shape[1] + 2)  # in (0, 1)
        normal = torch.special.ndtri(rank.float()).T  # (T, D)
        centred: Tensor = normal - normal.mean(dim=0)
        return centred


def whitening_of(recordings: Sequence[Tensor]) -> Whitening:
    """Return the whitening of recordings, from all of their snippets.

    Parameters
    ----------
    recordings : sequence of (T, D) tensors
        Features, of any precision, on one device.

    Examples
    --------
    >>> x = torch.randn(500, 3, generator=torch.Generator().manual_seed(0)).exp()
    >>> y = whitening_of([x]).recording(x)
    >>> [round(value, 3) for value in y.var(dim=0, correction=0).tolist()]
    [1.0, 1.0, 1.0]
    """
    total = sum(len(recording) for recording in recordings)
    step = -(-total // REFERENCE)
    sample = torch.cat([recording[::step].float() for recording in recordings])
    reference = sample.T.contiguous().sort(dim=1).values  # (D, R)
    columns = len(reference)
    raw = Whitening(reference, torch.eye(columns, device=reference.device))
    covariance = reference.new_zeros(columns, columns, dtype=torch.float64)
    for recording in recordings:
        centred = raw._centred(recording)
        covariance += (centred.T @ centred).double() / total
    variance, axes = torch.linalg.eigh(covariance)  # in ascending order
    kept = (variance > LEAST_VARIANCE * variance[-1]) & (variance > 0.0)
    variance, axes = variance[kept], axes[:, kept]
    scaled = axes[:, -MOST_COMPONENTS:] / variance[-MOST_COMPONENTS:].sqrt()
    return Whitening(reference, scaled.float())
