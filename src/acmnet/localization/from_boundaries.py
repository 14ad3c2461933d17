"""From a student's outputs to detections: one candidate a snippet and class, soft-NMS.

`acmnet.localization.from_activations` does the same for the paper's network.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from acmnet.localization.proposals import suppress_softly
from acmnet.segments import Detections, FloatArray, SnippetGrid

LOWEST: Final = 0.01
"""Candidates of a lower probability are left out; after soft-NMS, a tenth of it."""
MOST: Final = 2000
"""Candidates of one class in one video that enter soft-NMS, the surest."""


def localize_candidates(
    probability: npt.NDArray[np.floating],
    distance: npt.NDArray[np.floating],
    *,
    grid: SnippetGrid,
    class_names: Sequence[str],
    sigma: float,
    beside: Detections | None = None,
) -> Detections:
    """Return the detections of one video.

    Parameters
    ----------
    probability : array of shape (T, C)
        Of each snippet being inside an instance of each class, in [0, 1].
    distance : array of shape (T, 2)
        Snippets from each one's middle back to the start and on to the end, from 0.
    grid : SnippetGrid
        Where the video's snippets lie in time.
    class_names : sequence of C strings
        In the order of the columns.
    sigma : float
        Of soft-NMS; see `suppress_softly`.
    beside : Detections, optional
        Further candidates of the same classes, such as the teachers' proposals, on the
        same scale of scores.

    Returns
    -------
    Detections
        In seconds, inside the video; by class, then from the highest score down.

    Raises
    ------
    ValueError
        If the shapes disagree or a number is not finite.
    """
    n, c = len(probability), len(class_names)
    start_s, end_s = _intervals(probability, distance, grid, (n, c))
    is_interval = end_s > start_s
    others = Detections.of(class_names) if beside is None else beside

    rows: list[tuple[float, float, float, int]] = []
    for label in range(c):
        own = others.class_index == label
        score = np.concatenate((probability[is_interval, label], others.score[own]))
        start = np.concatenate((start_s[is_interval], others.start_s[own]))
        end = np.concatenate((end_s[is_interval], others.end_s[own]))
        kept = np.flatnonzero(score >= LOWEST)
        kept = kept[np.argsort(-score[kept], kind="stable")][:MOST]
        if not len(kept):
            continue
        order, decayed = suppress_softly(
            start[kept], end[kept], score[kept], sigma=sigma
        )
        rows += [
            (start[i], end[i], value, label)
            for i, value in zip(kept[order], decayed, strict=True)
            if value >= 0.1 * LOWEST
        ]
    return Detections.of(class_names, rows)


def best_candidates(
    probability: npt.NDArray[np.floating],
    distance: npt.NDArray[np.floating],
    *,
    grid: SnippetGrid,
    beside: Detections | None = None,
) -> FloatArray:
    """Return the score of the surest detection of each class, (C,); -inf for none.

    Soft-NMS does not lower it, so none is needed. Parameters and errors are those of
    `localize_candidates`.
    """
    start_s, end_s = _intervals(probability, distance, grid, probability.shape)
    best = probability.max(axis=0, initial=-np.inf, where=(end_s > start_s)[:, None])
    best = best.astype(np.float64)
    if beside is not None:
        np.maximum.at(best, beside.class_index, beside.score)
    result: FloatArray = np.where(best >= LOWEST, best, -np.inf)
    return result


def _intervals(
    probability: npt.NDArray[np.floating],
    distance: npt.NDArray[np.floating],
    grid: SnippetGrid,
    shape: tuple[int, ...],
) -> tuple[FloatArray, FloatArray]:
    """Return each snippet's start and end (T,), in seconds inside the video."""
    n = len(probability)
    for name, array, expected in (
        ("probability", probability, shape),
        ("distance", distance, (n, 2)),
    ):
        if array.shape != expected or not array.size:
            raise ValueError(f"{name} must have shape {expected}, got {array.shape}")
        if not np.isfinite(array).all():
            raise ValueError(f"{name} must be finite, got NaN or infinity")
    middle_s = np.array([grid.centre_s(t) for t in range(n)])
    reach_s = np.asarray(distance, dtype=np.float64) * grid.stride_s
    span_s = grid.span_s(n)
    return (
        (middle_s - reach_s[:, 0]).clip(0.0, span_s),
        (middle_s + reach_s[:, 1]).clip(0.0, span_s),
    )
