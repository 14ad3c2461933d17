"""Which detection finds which instance, and what precision that amounts to."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from acmnet.segments import BoolArray, FloatArray, IntArray, temporal_iou


class Located(NamedTuple):
    """Intervals of which only those of one group (a video and a class) can match."""

    group: IntArray
    """(N,) any whole number."""
    start_s: FloatArray
    """(N,) seconds."""
    end_s: FloatArray
    """(N,) seconds, each after its start."""


def match_detections(ranked: Located, truth: Located, tiou: npt.ArrayLike) -> IntArray:
    """Return the instance that each detection finds, at each threshold; -1 for none.

    Best rank first, a detection takes the free instance of its group with which its
    tIoU is highest, if that is at least the threshold. Of equal tIoUs, the one that
    starts or ends nearest to where the detection does, then the first listed (D-010).

    Parameters
    ----------
    ranked : Located
        N detections, the best of each group first.
    truth : Located
        Instances, in any order.
    tiou : array of shape (n_tiou,)
        Each threshold is matched on its own.

    Returns
    -------
    array of shape (n_tiou, N)
        Index into ``truth``. No instance is found twice at one threshold.

    Notes
    -----
    Taking turns by rank is a serial dictatorship. Its result is the one stable matching
    in which every instance prefers the better-ranked detection (Gale and Shapley 1962),
    so it is found by deferred acceptance: in each round all unmatched detections, at
    all thresholds, propose to their next best instance, which keeps the best proposer.

    Examples
    --------
    >>> one = np.zeros(1, np.int64), np.array([0.0]), np.array([2.0])
    >>> half = np.zeros(2, np.int64), np.array([0.0, 0.0]), np.array([1.0, 2.0])
    >>> match_detections(Located(*half), Located(*one), [0.5, 0.6])
    array([[ 0, -1],
           [-1,  0]])
    """
    thresholds = np.asarray(tiou, dtype=np.float64)
    detection, instance, overlap = _candidates(ranked, truth, thresholds.min())
    n, n_instances = len(ranked.group), len(truth.group)
    first = np.searchsorted(detection, np.arange(n))
    # (n_tiou * N,): how many of its candidates, best first, a detection may take.
    allowed = np.concatenate(
        [np.bincount(detection[overlap >= t], minlength=n) for t in thresholds]
    )
    free = len(allowed)
    holder = np.full(len(thresholds) * n_instances, free)
    tried = np.zeros_like(allowed)
    proposer = np.flatnonzero(allowed)  # threshold * N + rank
    while len(proposer):
        threshold, rank = np.divmod(proposer, n)
        wanted = threshold * n_instances + instance[first[rank] + tried[proposer]]
        before = holder[wanted]
        np.minimum.at(holder, wanted, proposer)
        ousted = np.unique(before[(before < free) & (before != holder[wanted])])
        proposer = np.concatenate([proposer[holder[wanted] != proposer], ousted])
        tried[proposer] += 1
        proposer = proposer[tried[proposer] < allowed[proposer]]
    matched = np.full(len(allowed), -1)
    taken = np.flatnonzero(holder < free)
    matched[holder[taken]] = taken % max(n_instances, 1)
    return matched.reshape(len(thresholds), n)


def average_precision(is_true: BoolArray, n_instances: int) -> FloatArray:
    """Return the all-point interpolated average precision of one class.

    The precision at each instance found, or the best precision further down the
    ranking if that is higher, summed and divided by the number of instances.

    Parameters
    ----------
    is_true : array of shape (n_tiou, N)
        Whether each detection, best first, has found an instance.
    n_instances : int
        At least 1.

    Returns
    -------
    array of shape (n_tiou,)
        In ``[0, 1]``; 0 without detections.

    Notes
    -----
    Not the 11-point AP of VOC 2007, and not the uninterpolated AP of THUMOS14's own
    MATLAB kit, which is lower.

    References
    ----------
    ActivityNet `eval_detection.py`: `interpolated_prec_rec`.

    Examples
    --------
    >>> average_precision(np.array([[True, False, True, True]]), 4)  # 1 + 3/4 + 3/4
    array([0.625])
    """
    rank = np.arange(1, is_true.shape[1] + 1)
    precision = np.cumsum(is_true, axis=1) / rank
    best = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    result: FloatArray = (best * is_true).sum(axis=1) / n_instances
    return result


def _candidates(
    ranked: Located, truth: Located, least: float
) -> tuple[IntArray, IntArray, FloatArray]:
    """Return the pairs of one group with a tIoU of at least ``least``.

    As parallel arrays (detection, instance, tIoU), ordered by detection, then from
    the highest tIoU down, then by how near a boundary is met, then by instance.
    """
    by_group = np.argsort(truth.group, kind="stable")
    groups = truth.group[by_group]
    first = np.searchsorted(groups, ranked.group, side="left")
    n_pairs = np.searchsorted(groups, ranked.group, side="right") - first
    detection = np.repeat(np.arange(len(first)), n_pairs)
    start = np.cumsum(n_pairs) - n_pairs  # where each detection's pairs begin
    instance = by_group[np.arange(len(detection)) + (first - start)[detection]]
    found = ranked.start_s[detection], ranked.end_s[detection]
    true = truth.start_s[instance], truth.end_s[instance]
    overlap = temporal_iou(*found, *true)
    missed_s = np.minimum(np.abs(found[0] - true[0]), np.abs(found[1] - true[1]))
    near = np.flatnonzero(overlap >= least)
    keys = missed_s[near], -overlap[near], detection[near]
    order = near[np.lexsort(keys)]
    return detection[order], instance[order], overlap[order]
