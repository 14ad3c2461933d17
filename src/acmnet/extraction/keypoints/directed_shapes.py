"""Directed shapes: how bodies lie and where they go, along the axes of the tracks.

Signals (`acmnet.extraction.keypoints.keypoint_signals`) do not depend on heading. These
columns do: they differ between a hand that moves left and one that moves right, and
between somebody who stands and somebody who lies. Size and place are taken out here,
too. `steadiness` says whether left, right, up and down mean anything in a recording.

Notation as in `acmnet.extraction.keypoints.signal_plan`.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from acmnet.extraction.keypoints.body_sizes import Bodies
from acmnet.extraction.keypoints.signal_plan import SignalPlan
from acmnet.extraction.keypoints.track_gaps import Places
from acmnet.segments import SnippetGrid

PATH_AT: Final = (-0.5, -0.25, 0.25, 0.5)
"""When the centre of a body is given relative to where it is in the middle of the
snippet, in lengths of a snippet from there."""
SHAPE_AT: Final = (-0.5, -0.25, 0.0, 0.25, 0.5)
"""When the points of a body are given relative to its centre, in lengths of a snippet
from its middle."""


def n_directed(plan: SignalPlan) -> int:
    """Return the columns of directed shapes: 0 where the plan has no directions.

    Examples
    --------
    >>> n_directed(SignalPlan(1, 26, 3, False, True))
    402
    """
    if not plan.has_directions:
        return 0
    points = len(PATH_AT) + len(SHAPE_AT) * len(plan.described)
    return plan.n_with_columns * points * plan.n_axes


def directed_shapes(
    held: Bodies, plan: SignalPlan, grid: SnippetGrid, snippets: npt.NDArray[np.int64]
) -> Places:
    """Return (n, `n_directed`) columns of snippets, lengths in body sizes.

    For each individual, in order: its path (`PATH_AT`), then its shape (`SHAPE_AT`),
    each time all axes of each point. Pooled, the mean over the individuals that are
    seen in the middle of the snippet. 0 for an individual that was never seen.

    Parameters
    ----------
    held : Bodies
        A whole recording.
    plan : SignalPlan
        One that has directions.
    grid : SnippetGrid
        Snippets of the recording.
    snippets : array of shape (n,)
        Which of them.
    """
    last = len(held.positions) - 1
    middle = snippets * grid.stride_frames + grid.snippet_frames // 2
    middle = middle.clip(0, last)

    def frames(at: tuple[float, ...]) -> npt.NDArray[np.int64]:
        away = np.round(np.array(at) * grid.snippet_frames).astype(np.int64)
        return np.asarray((middle[:, None] + away).clip(0, last), np.int64)

    described: list[Places] = []
    for i in range(plan.n_individuals):
        path = held.centres[frames(PATH_AT), i] - held.centres[middle, i][:, None]
        points = held.positions[frames(SHAPE_AT), i]  # (n, times, P, A)
        arms = points - points.mean(axis=2, keepdims=True)
        shape = arms[:, :, plan.described].reshape(len(middle), -1, plan.n_axes)
        columns = np.concatenate([path, shape], axis=1)
        described.append(columns.reshape(len(middle), -1) * (not held.is_absent[i]))
    if not plan.are_pooled:
        return np.concatenate(described, axis=1)
    seen = ~held.missing[middle].all(axis=2)  # (n, I)
    total = np.einsum("ni,inc->nc", seen, np.stack(described))
    return np.asarray(total / np.maximum(seen.sum(axis=1), 1)[:, None])


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
