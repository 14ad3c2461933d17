"""Arithmetic on proposals: runs above a threshold, outer-inner contrast, NMS.

A proposal is an interval ``[start, end)`` of whole cells on one row of a table of
S sequences of N cells; there are P of them. All but `suppress_softly` work on whole
arrays, without a Python loop over cells, rows or proposals.
"""

import itertools
from typing import Literal

import numpy as np

from acmnet.segments import BoolArray, FloatArray, IntArray, temporal_iou


def runs_above(
    sequences: FloatArray, levels: FloatArray, shortest_cells: int = 1
) -> tuple[IntArray, IntArray, IntArray]:
    """Return every maximal run of cells at or above each level.

    Parameters
    ----------
    sequences : array of shape (S, N)
        The value of each sequence in each cell.
    levels : array of shape (S, K)
        The K thresholds at which each sequence is cut.
    shortest_cells : int
        Runs of fewer cells than this are left out, from 1.

    Returns
    -------
    row, start, end : arrays of shape (P,)
        ``row`` is ``s * K + k`` for sequence s at its level k; runs are in the order
        of their rows, then of time.

    Examples
    --------
    >>> row, start, end = runs_above(
    ...     np.array([[0.2, 0.6, 0.7, 0.1, 0.5]]), np.array([[0.5, 0.65]])
    ... )
    >>> row, start, end
    (array([0, 0, 1]), array([1, 4, 2]), array([3, 5, 3]))
    """
    n_cells = sequences.shape[1]
    # (S * K, N + 1): the False at the end of a row ends its last run there
    above = np.zeros((levels.size, n_cells + 1), dtype=bool)
    rows = above[:, :n_cells].reshape(*levels.shape, n_cells)  # (S, K, N)
    np.greater_equal(sequences[:, None, :], levels[:, :, None], out=rows)
    flat = above.ravel()  # row after row; cell c of row r is at r * (N + 1) + c
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    if flat.size and flat[0]:
        edges = np.concatenate(([0], edges))
    first, last = edges[0::2], edges[1::2]
    long = last - first >= shortest_cells
    first, last = first[long], last[long]
    row = first // (n_cells + 1)
    return row, first - row * (n_cells + 1), last - row * (n_cells + 1)


def outer_inner_contrast(  # noqa: PLR0913 - proposals, rules and shots
    sequences: FloatArray,
    row: IntArray,
    start: IntArray,
    end: IntArray,
    *,
    margin: float = 0.2,
    flanks: Literal["symmetric", "right_rounded_down"] = "symmetric",
    outer: Literal["pooled", "full"] = "pooled",
    bounds: tuple[IntArray, IntArray] | None = None,
) -> FloatArray:
    """Return each proposal's inner mean minus the mean of its two flanks.

    A proposal that covers one whole action scores high: active inside, quiet
    outside. One that covers half an action scores near zero.

    Parameters
    ----------
    sequences : array of shape (S, N)
        The values whose means are taken, such as a CAS. Unitless; finite.
    row, start, end : arrays of shape (P,)
        Each proposal's row in ``sequences`` and its cells ``[start, end)`` there,
        ``0 <= start < end <= N``.
    margin : float
        Length of each flank divided by the length of the proposal, above 0.
    flanks : {"symmetric", "right_rounded_down"}
        With "symmetric", both flanks are rounded up to whole cells. With
        "right_rounded_down", the left one is rounded up and the right one down, as
        `int()` does in `net_evaluation.py:156-157` (docs/decisions.md, D-007).
    outer : {"pooled", "full"}
        With "pooled", the outer mean is taken over the cells of the flanks that lie
        inside the video (authors). With "full", it is taken over two whole flanks,
        also where the video ends within one (eq. 15 as printed).
    bounds : pair of arrays of shape (P,), optional
        First cell of the shot in which each proposal lies, and the cell after its last.
        The flanks end there, as they do at the ends of the video.

    Returns
    -------
    array of shape (P,)
        In ``[-1, 1]`` for sequences in ``[0, 1]``. Without any flank inside the
        video the outer mean counts as 0.

    References
    ----------
    Qu et al. 2021, eq. 15; Shou et al., "AutoLoc", ECCV 2018 (as a loss, negated).

    Examples
    --------
    >>> one = np.array([[0.0, 0.0, 1.0, 1.0, 0.0, 0.0]])
    >>> whole_then_half = np.array([2, 2]), np.array([4, 3])
    >>> outer_inner_contrast(one, np.array([0, 0]), *whole_then_half)
    array([1. , 0.5])
    """
    n_cells = sequences.shape[1]
    # (S, N + 1): a sum over [a, b) is total[b] - total[a]
    total = np.zeros((len(sequences), n_cells + 1))
    np.cumsum(sequences, axis=1, out=total[:, 1:])
    length = end - start
    if flanks == "right_rounded_down":
        left = np.trunc(start - margin * length).astype(int)
        right = np.trunc(end - 1 + margin * length).astype(int) + 1
        flank = margin * length
    else:
        flank = np.ceil(margin * length - 1e-9)
        left, right = start - flank.astype(int), end + flank.astype(int)
    low, high = (0, n_cells) if bounds is None else bounds
    left, right = np.maximum(left, low), np.minimum(right, high)

    inner = (total[row, end] - total[row, start]) / length
    outside = total[row, start] - total[row, left] + total[row, right] - total[row, end]
    if outer == "full":
        result: FloatArray = inner - outside / (2 * flank)
        return result
    pooled: FloatArray = inner - outside / np.maximum(start - left + right - end, 1)
    return pooled


def suppress(
    start_s: FloatArray,
    end_s: FloatArray,
    score: FloatArray,
    *,
    tiou: float,
    padding_s: float = 0.0,
    class_index: IntArray | None = None,
) -> IntArray:
    """Return the proposals that do not overlap a better one of their class.

    This is greedy non-maximum suppression (NMS).

    Parameters
    ----------
    start_s, end_s, score : arrays of shape (P,)
        Start and end of each proposal, in seconds, and its score.
    tiou : float
        A proposal is dropped when its tIoU with a better one that is kept, the time
        that both cover over the time that either covers, is at or above this.
    padding_s : float
        Seconds that are added to every length and overlap: 1 in the authors' NMS, where
        a pixel's width was meant (docs/decisions.md, D-004).
    class_index : array of shape (P,), optional
        The class of each proposal; all are of one class if it is left out.

    Returns
    -------
    array of indices
        The proposals that are kept, by class, then from the highest score down; of
        equal scores the earlier proposal in the arrays wins.

    Notes
    -----
    Only pairs that start near enough to each other to reach ``tiou`` are looked at.
    Exactly one set of proposals is such that its members are those which no better
    member overlaps: the result of greedy NMS. It is found by iterating on all proposals
    at once; each round settles at least the next best one, and most settle in the first
    few rounds.

    Examples
    --------
    >>> start, end = np.array([0.0, 1.0, 5.0]), np.array([4.0, 5.0, 9.0])
    >>> suppress(start, end, np.array([0.5, 0.9, 0.1]), tiou=0.5)  # tIoU 3/5, 0
    array([1, 2])
    """
    n = len(score)
    label = np.zeros(n, np.int64) if class_index is None else class_index
    # scores that differ by the rounding of long sums alone are equal
    order = np.lexsort((-np.round(score, 9), label))
    rank = np.empty(n, dtype=np.int64)
    rank[order] = np.arange(n)
    first, second = _near_pairs(
        start_s, end_s + padding_s, label, tiou
    )  # (pairs,) each
    winner = np.minimum(rank[first], rank[second])
    loser = np.maximum(rank[first], rank[second])
    kept: BoolArray = np.ones(n, dtype=bool)
    while True:
        settled: BoolArray = np.ones(n, dtype=bool)
        settled[loser[kept[winner]]] = False
        if np.array_equal(settled, kept):
            result: IntArray = order[kept]
            return result
        kept = settled


def _near_pairs(
    start_s: FloatArray, end_s: FloatArray, label: IntArray, tiou: float
) -> tuple[IntArray, IntArray]:
    """Return the pairs of intervals of a class whose tIoU reaches ``tiou``, each once.

    They are two arrays of indices, of equal length.
    """
    by_start = np.lexsort((start_s, label))
    start, end, sorted_label = start_s[by_start], end_s[by_start], label[by_start]
    # j, starting later, overlaps i by at most end_i - start_j, which must be tiou * i
    latest = end - tiou * (end - start) + 1e-9
    last = np.empty(len(start), np.int64)
    edges = [
        0,
        *(np.flatnonzero(sorted_label[1:] != sorted_label[:-1]) + 1).tolist(),
        len(start),
    ]
    for a, b in itertools.pairwise(edges):  # the intervals of each class
        last[a:b] = a + np.searchsorted(start[a:b], latest[a:b], side="right")
    count = last - np.arange(1, len(start) + 1)
    # each i is paired with the count[i] intervals that follow it in the order of starts
    i = np.repeat(np.arange(len(start)), count)
    j = i + 1 + np.arange(len(i)) - np.repeat(np.cumsum(count) - count, count)
    near = temporal_iou(start[i], end[i], start[j], end[j]) >= tiou
    return by_start[i[near]], by_start[j[near]]


def suppress_softly(
    start_s: FloatArray,
    end_s: FloatArray,
    score: FloatArray,
    *,
    sigma: float,
    most: int | None = None,
) -> tuple[IntArray, FloatArray]:
    """Return the proposals of one class with their scores decayed by better ones.

    Parameters
    ----------
    start_s, end_s, score : arrays of shape (P,)
        Start and end of each proposal, in seconds, and its score. Only positive scores
        decay.
    sigma : float
        Each better proposal multiplies a score by ``exp(-tIoU ** 2 / sigma)``.
    most : int, optional
        No more proposals than this are returned, from 1; those with the highest decayed
        scores. All P are returned when it is left out.

    Returns
    -------
    index, score : arrays of shape (P,), or (most,) if that is less
        The proposals and their decayed scores, from the highest of these down.

    References
    ----------
    Bodla et al., "Soft-NMS", ICCV 2017, the Gaussian form.
    """
    left, decayed = score.copy(), score.copy()
    n = len(score) if most is None else min(most, len(score))
    order = np.empty(n, dtype=np.int64)
    for place in range(n):
        best = left.argmax()
        order[place], decayed[best] = best, left[best]
        left[best] = -np.inf
        tiou = temporal_iou(start_s, end_s, start_s[best], end_s[best])
        np.multiply(left, np.exp(-(tiou**2) / sigma), out=left, where=left > 0)
    return order, decayed[order]
