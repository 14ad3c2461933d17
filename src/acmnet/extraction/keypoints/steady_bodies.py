"""Steady bodies: how much individuals keep their direction in a recording.

Notation as in `acmnet.data.tracks.tracks`.
"""

from typing import Final

import numpy as np

from acmnet.extraction.keypoints.body_sizes import Bodies

STEADY_DIRECTION: Final = 0.5
"""`steadiness` from which left, right, up and down are taken to mean something. Bodies
that turn all the way round stay near 0; the hands of SHREC'22 have 0.72 to 0.95."""


def steadiness(held: Bodies) -> float:
    """Return how much bodies keep their direction in a recording, from 0 to 1.

    It is the extent of the mean body as a share of the bodies' own: 1 for a body that
    neither turns nor bends, near 0 for one that turns all the way round, and 0 for
    bodies of fewer points than they have axes.
    """
    n_points, n_axes = held.positions.shape[2:]
    if n_points < n_axes:
        return 0.0
    arms = held.positions - held.positions.mean(axis=2, keepdims=True)
    weights = np.asarray(~held.missing.all(axis=2), np.float64)  # (F, I)
    mean = np.einsum("fi,fipa->pa", weights, arms) / weights.sum()
    squares = np.square(arms).sum(axis=(2, 3))
    extent = float((squares * weights).sum() / weights.sum())
    return float(np.sqrt(np.square(mean).sum() / extent)) if extent else 0.0
