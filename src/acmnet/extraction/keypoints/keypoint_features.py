"""Keypoint features: statistics of a snippet's signals over several windows.

Each signal of `acmnet.extraction.keypoints.keypoint_signals` is summed up over windows
around the middle of the snippet (`WINDOWS`). Beside them stand the directed shapes of
the snippet (`acmnet.extraction.keypoints.directed_shapes`), where they are asked for,
and its gaps.
"""

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from acmnet.extraction.keypoints.body_sizes import Bodies, bodies
from acmnet.extraction.keypoints.directed_shapes import directed_shapes, n_directed
from acmnet.extraction.keypoints.keypoint_signals import signals
from acmnet.extraction.keypoints.signal_plan import SignalPlan
from acmnet.extraction.keypoints.track_gaps import FilledTracks, Flags, Places
from acmnet.segments import SnippetGrid

WINDOWS: Final[tuple[tuple[float, tuple[str, ...]], ...]] = (
    (0.5, ("mean",)),
    (1.0, ("mean", "deviation", "least", "largest", "change")),
)
"""Windows in lengths of a snippet, and the statistics of each signal in them. None is
longer than a snippet: it would include what happens outside, and so blur where actions
begin and end."""
COLUMNS_A_SIGNAL: Final = sum(len(statistics) for _, statistics in WINDOWS)
GAP_COLUMNS: Final = 2
"""For each individual, or once where they are pooled: the square roots of the share of
a snippet's points that were interpolated, and of the share of its frames in which none
was seen. Gaps are rare in most recordings, so that a standardised share would reach 50
deviations; its square root stays near 10."""
NUMBERS_AT_ONCE: Final = 4_000_000
"""Numbers of windows that are held in memory at once: 32 MB."""


def n_columns(plan: SignalPlan) -> int:
    """Return D: columns of the features of tracks with such signals.

    Examples
    --------
    >>> n_columns(SignalPlan(1, 26, 3, False)), n_columns(SignalPlan(2, 7, 2, False))
    (812, 838)
    >>> n_columns(SignalPlan(1, 26, 3, False, has_directions=True))
    1214
    """
    return COLUMNS_A_SIGNAL * plan.n_signals + n_directed(plan) + _n_gaps(plan)


def _n_gaps(plan: SignalPlan) -> int:
    """Return the number of columns on gaps, which are the last ones."""
    return GAP_COLUMNS * plan.n_with_columns


def keypoint_features(
    tracks: FilledTracks, plan: SignalPlan, grid: SnippetGrid
) -> Iterator[npt.NDArray[np.float32]]:
    """Yield (n, `n_columns`) blocks of features, in order of time.

    Columns: for each window of `WINDOWS` and each of what it tells, all signals; then
    the directed shapes, where the plan has directions; then the gaps. Windows of a
    snippet at either end of the recording go on with its first or last frame.

    Parameters
    ----------
    tracks : FilledTracks
        At the grid's rate, with the plan's individuals, points and axes.
    plan : SignalPlan
        Which signals a frame has.
    grid : SnippetGrid
        Snippets of ``snippet_frames`` frames, every ``stride_frames`` frames.
    """
    held = bodies(tracks)
    longest = _frames(max(length for length, _ in WINDOWS), grid)
    n_snippets = grid.n_snippets(len(tracks.positions))
    at_once = max(1, NUMBERS_AT_ONCE // (longest * plan.n_signals))
    for first in range(0, n_snippets, at_once):
        snippets = np.arange(first, min(first + at_once, n_snippets))
        statistics = _window_statistics(held, plan, grid, snippets)
        if plan.has_directions:
            statistics.append(directed_shapes(held, plan, grid, snippets))
        gaps = _gaps(tracks.missing, plan, _window(snippets, grid, 1.0))
        yield np.concatenate([*statistics, gaps], axis=1).astype(np.float32)


def features_of_nobody(plan: SignalPlan, n_snippets: int) -> npt.NDArray[np.float32]:
    """Return (n_snippets, `n_columns`): features of a recording that shows nobody.

    All columns are 0 but those of the gaps: all points count as interpolated.

    Examples
    --------
    >>> features_of_nobody(SignalPlan(4, 13, 2, True), 3)[:, [0, -3, -2, -1]]
    array([[0., 0., 1., 1.],
           [0., 0., 1., 1.],
           [0., 0., 1., 1.]], dtype=float32)
    """
    features = np.zeros((n_snippets, n_columns(plan)), np.float32)
    features[:, -_n_gaps(plan) :] = 1
    return features


def _window_statistics(
    held: Bodies, plan: SignalPlan, grid: SnippetGrid, snippets: npt.NDArray[np.int64]
) -> list[Places]:
    """Return (n, S) arrays: the statistics by window, in the order of WINDOWS."""
    last = len(held.positions) - 1
    windows = [_window(snippets, grid, length).clip(0, last) for length, _ in WINDOWS]
    low = int(min(window.min() for window in windows))
    high = int(max(window.max() for window in windows)) + 1
    values = signals(held, plan, low, high)
    return [
        STATISTICS[name](values[window - low])
        for window, (_, statistics) in zip(windows, WINDOWS, strict=True)
        for name in statistics
    ]


def _frames(length: float, grid: SnippetGrid) -> int:
    """Return the frames of a window of ``length`` snippet lengths, at least 1."""
    return max(1, round(length * grid.snippet_frames))


def _window(
    snippets: npt.NDArray[np.int64], grid: SnippetGrid, length: float
) -> npt.NDArray[np.int64]:
    """Return (n, W) the frames of windows around the middles of snippets."""
    n = _frames(length, grid)
    start = snippets * grid.stride_frames + (grid.snippet_frames - n) // 2
    return np.asarray(start[:, None] + np.arange(n), np.int64)


def _change(values: Places) -> Places:
    """Return the mean of the last quarter of windows minus that of the first."""
    quarter = max(1, values.shape[1] // 4)
    return np.asarray(values[:, -quarter:].mean(1) - values[:, :quarter].mean(1))


STATISTICS: Final[dict[str, Callable[[Places], Places]]] = {
    "mean": lambda values: np.asarray(values.mean(axis=1)),
    "deviation": lambda values: np.asarray(values.std(axis=1)),
    "least": lambda values: np.asarray(values.min(axis=1)),
    "largest": lambda values: np.asarray(values.max(axis=1)),
    "change": _change,
}
"""Statistics of (n, W, S) signals over windows of W frames: (n, S)."""


def _gaps(missing: Flags, plan: SignalPlan, window: npt.NDArray[np.int64]) -> Places:
    """Return the columns on gaps, (n, `GAP_COLUMNS` for each individual)."""
    held = missing[window.clip(0, len(missing) - 1)]  # (n, W, I, P)
    shares = np.stack(
        [held.mean(axis=(1, 3)), held.all(axis=3).mean(axis=1)], axis=2
    )  # (n, I, 2)
    if plan.are_pooled:
        shares = shares.mean(axis=1)
    return np.asarray(np.sqrt(shares).reshape(len(shares), -1))
