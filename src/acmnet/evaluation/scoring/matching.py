"""Match detections with instances, and compute average precision."""

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from acmnet.segments import BoolArray, FloatArray, IntArray, temporal_iou


class Located(NamedTuple):
    """Intervals with groups; only intervals of one group can match.

    A group is a class in a video.
    """

    group: IntArray
    """(N,) the group of each interval, a whole number."""
    start_s: FloatArray
    """(N,) start in seconds, or in another unit that detections and instances share."""
    end_s: FloatArray
    """(N,) end in the same unit. A detection ends after its start. An instance that
    does not matches nothing."""

    def only(self, chosen: IntArray) -> "Located":
        """Return some of the intervals by their indices."""
        return Located(self.group[chosen], self.start_s[chosen], self.end_s[chosen])


DETECTIONS_AT_ONCE: Final = 2**16
"""About how many detections are compared with instances at once. Their arrays stay in
the processor's cache and take little memory."""
Pairs = tuple[IntArray, IntArray, FloatArray]
"""Parallel arrays: index of the chooser, index of what can be chosen, and their
tIoU."""


def match_detections(
    ranked: Located, truth: Located, tiou: npt.ArrayLike, *, is_strict: bool = False
) -> IntArray:
    """Return the instance that each detection finds at each threshold; -1 for none.

    Detections choose in the order of their rank. Each takes, among the instances of its
    group that are still free, the one with the highest tIoU, if that is at least the
    threshold. Where tIoUs are equal, it takes the instance with the boundary nearest to
    its own, and then the one listed first (docs/decisions.md, D-010).

    Parameters
    ----------
    ranked : Located
        N detections; within a group those with a higher score come first.
    truth : Located
        The instances, in any order.
    tiou : array of shape (n_tiou,)
        Thresholds. Matching is done for each one separately.
    is_strict : bool
        Whether a tIoU must be above the threshold; otherwise it may be equal.

    Returns
    -------
    array of shape (n_tiou, N)
        Index into ``truth``. No instance is found twice at one threshold.

    Examples
    --------
    >>> one = np.zeros(1, np.int64), np.array([0.0]), np.array([2.0])
    >>> half = np.zeros(2, np.int64), np.array([0.0, 0.0]), np.array([1.0, 2.0])
    >>> match_detections(Located(*half), Located(*one), [0.5, 0.6])
    array([[ 0, -1],
           [-1,  0]])
    """
    thresholds = np.asarray(tiou, dtype=np.float64)
    pairs = _candidates(ranked, truth, thresholds.min())
    return _take_turns(
        pairs, thresholds, (len(ranked.group), len(truth.group)), is_strict
    )


def match_instances(
    ranked: Located, truth: Located, tiou: npt.ArrayLike, *, is_strict: bool = False
) -> IntArray:
    """Return the detection that each instance takes at each threshold; -1 for none.

    Instances choose in the order in which they are listed. Each takes, among the
    detections of its group that are still free, the one with the highest tIoU (not the
    highest score), if that reaches the threshold. Where tIoUs are equal, it takes the
    one ranked higher. This is the rule of THUMOS14's own evaluation kit.

    Parameters
    ----------
    ranked, truth, tiou, is_strict
        The same as the parameters of `match_detections`.

    Returns
    -------
    array of shape (n_tiou, n_instances)
        Index into ``ranked``. No detection is taken twice at one threshold.

    References
    ----------
    THUMOS14 evaluation kit of 2015-09-30, `TH14evalDet.m`: `TH14eventdetpr`.

    Examples
    --------
    >>> one = np.zeros(1, np.int64), np.array([0.0]), np.array([2.0])
    >>> half = np.zeros(2, np.int64), np.array([0.0, 0.0]), np.array([1.5, 2.0])
    >>> match_instances(Located(*half), Located(*one), [0.5])  # the one at tIoU 1
    array([[1]])
    """
    thresholds = np.asarray(tiou, dtype=np.float64)
    detection, instance = _pairs(ranked, truth)
    overlap = _overlap_of_hull(ranked, truth, detection, instance)
    near = np.flatnonzero(overlap >= thresholds.min())
    order = near[np.lexsort((detection[near], -overlap[near], instance[near]))]
    pairs = instance[order], detection[order], overlap[order]
    return _take_turns(
        pairs, thresholds, (len(truth.group), len(ranked.group)), is_strict
    )


def group_batches(
    ranked: Located, truth: Located, together: int = DETECTIONS_AT_ONCE
) -> Iterator[tuple[IntArray, IntArray]]:
    """Yield all groups in batches: indices of their detections and instances.

    Matching batch by batch gives the same as matching everything at once, because only
    intervals of one group can match.


    Parameters
    ----------
    ranked, truth : Located
        Detections and instances, in any order.
    together : int
        Largest number of detections in a batch; a group with more is a batch of its
        own.

    Yields
    ------
    (array, array)
        Indices into ``ranked`` and into ``truth``; those of one group are ascending.

    Examples
    --------
    >>> times = np.zeros(4), np.ones(4)
    >>> found = Located(np.array([5, 2, 5, 7]), *times)
    >>> true = Located(np.array([7, 5, 5, 9]), *times)
    >>> [(a.tolist(), b.tolist()) for a, b in group_batches(found, true, 2)]
    [([1], []), ([0, 2], [1, 2]), ([3], [0, 3])]
    """
    if len(ranked.group) <= together:
        yield np.arange(len(ranked.group)), np.arange(len(truth.group))
        return
    mine, theirs = stable_order(ranked.group), stable_order(truth.group)
    groups, true_groups = ranked.group[mine], truth.group[theirs]
    low = true_low = 0
    while low < len(groups):
        # the batch ends before the group that does not fit, unless it would be empty
        last = groups[min(low + together, len(groups) - 1)]
        high = int(np.searchsorted(groups, last))
        if high <= low or low + together >= len(groups):
            high = int(np.searchsorted(groups, last, side="right"))
        is_last = high == len(groups)
        end = (
            len(true_groups) if is_last else np.searchsorted(true_groups, groups[high])
        )
        yield mine[low:high], theirs[true_low : int(end)]
        low, true_low = high, int(end)


def stable_order(numbers: IntArray) -> IntArray:
    """Return the indices that sort whole numbers; equal numbers keep their order.

    It is that of ``np.argsort(numbers, kind="stable")``. NumPy sorts numbers of 16 bits
    by counting them, so that sorting by 16 bits at a time is several times as
    fast for many millions of numbers.

    Parameters
    ----------
    numbers : array of shape (N,)
        From 0 on.

    Examples
    --------
    >>> stable_order(np.array([70_000, 2, 70_000, 1])).tolist()
    [3, 1, 0, 2]
    """
    order = np.argsort(numbers.astype(np.uint16), kind="stable")
    for shift in range(16, int(numbers.max(initial=0)).bit_length(), 16):
        part = (numbers >> shift).astype(np.uint16)
        order = order[np.argsort(part[order], kind="stable")]
    return order


def touches(ranked: Located, intervals: Located) -> BoolArray:
    """Return for each detection whether it overlaps any interval of its group.

    Parameters
    ----------
    ranked : Located
        N detections, in any order.
    intervals : Located
        The intervals, in any order.

    Returns
    -------
    array of shape (N,)
    """
    detection, interval = _pairs(ranked, intervals)
    overlap = _overlap_of_hull(ranked, intervals, detection, interval)
    return np.bincount(detection[overlap > 0], minlength=len(ranked.group)) > 0


def average_precision(
    is_true: BoolArray,
    n_instances: int,
    *,
    is_ignored: BoolArray | None = None,
    is_interpolated: bool = True,
) -> FloatArray:
    """Return the average precision of one class.

    It is the sum of the precisions at all true detections, divided by the number of
    instances. If AP is interpolated, the precision at a true detection is replaced by
    the highest precision at or after it in the ranking.

    Parameters
    ----------
    is_true : array of shape (n_tiou, N)
        Whether each detection has found an instance; the highest score comes first.
    n_instances : int
        At least 1.
    is_ignored : array of shape (n_tiou, N), optional
        Which detections are neither true nor false.
    is_interpolated : bool
        Whether AP is interpolated.

    Returns
    -------
    array of shape (n_tiou,)
        In ``[0, 1]``; 0 without detections.

    Notes
    -----
    Interpolated AP is that of ActivityNet. AP without interpolation is that of
    THUMOS14's own MATLAB kit, which is lower. Neither is the 11-point AP of VOC 2007.

    References
    ----------
    ActivityNet `eval_detection.py`: `interpolated_prec_rec`. THUMOS14 evaluation kit,
    `TH14evalDet.m`: `prap`.

    Examples
    --------
    >>> average_precision(np.array([[True, False, True, True]]), 4)  # 1 + 3/4 + 3/4
    array([0.625])
    """
    if is_ignored is None:
        rank: IntArray = np.arange(1, is_true.shape[1] + 1)
    else:
        rank = np.maximum(np.cumsum(~is_ignored, axis=1), 1)
    precision = np.cumsum(is_true, axis=1) / rank
    if is_interpolated:
        precision = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    result: FloatArray = (precision * is_true).sum(axis=1) / n_instances
    return result


def overlaps(ranked: Located, truth: Located) -> Pairs:
    """Return all overlapping pairs of one group as (detection, instance, tIoU)."""
    detection, instance = _pairs(ranked, truth)
    overlap = temporal_iou(
        ranked.start_s[detection],
        ranked.end_s[detection],
        truth.start_s[instance],
        truth.end_s[instance],
    )
    near = np.flatnonzero(overlap > 0)
    return detection[near], instance[near], overlap[near]


def _take_turns(
    pairs: Pairs, thresholds: FloatArray, sizes: tuple[int, int], is_strict: bool
) -> IntArray:
    """Return what each chooser takes at each threshold; -1 for nothing.

    Parameters
    ----------
    pairs
        Ordered by chooser, and for each chooser from the highest tIoU down. Choosers of
        one group choose in the order of their indices.
    sizes : (int, int)
        The number of choosers, and of what can be chosen.

    Notes
    -----
    If choosers take turns, the result is the only stable matching for the case that
    everything that can be chosen prefers the earlier chooser (Gale and Shapley 1962).
    It can therefore be found by deferred acceptance, for all thresholds at once: in
    each round, all choosers that have nothing propose to the next one on their list,
    and each that is proposed to keeps the earliest proposer.
    """
    chooser, wish, overlap = pairs
    n_wishes = sizes[1]
    # choosers without any pair take no part
    first = np.flatnonzero(np.append(True, chooser[1:] != chooser[:-1])[: len(chooser)])
    n = len(first)
    matched = np.full((len(thresholds), sizes[0]), -1)
    if not n:
        return matched
    # (n_tiou * n,): how many of its pairs a chooser may take at a threshold
    allowed = np.concatenate(
        [
            np.add.reduceat(
                overlap > t if is_strict else overlap >= t, first, dtype=np.int64
            )
            for t in thresholds
        ]
    )
    free = len(allowed)
    holder = np.full(len(thresholds) * n_wishes, free)
    tried = np.zeros_like(allowed)
    proposer = np.flatnonzero(allowed)  # threshold * n + chooser
    while len(proposer):
        threshold, index = np.divmod(proposer, n)
        wanted = threshold * n_wishes + wish[first[index] + tried[proposer]]
        before = holder[wanted]
        np.minimum.at(holder, wanted, proposer)
        after = holder[wanted]
        ousted = np.unique(before[(before < free) & (before != after)])
        proposer = np.concatenate([proposer[after != proposer], ousted])
        tried[proposer] += 1
        proposer = proposer[tried[proposer] < allowed[proposer]]
    taken = np.flatnonzero(holder < free)
    threshold, index = np.divmod(holder[taken], n)
    matched[threshold, chooser[first[index]]] = taken % max(n_wishes, 1)
    return matched


def _candidates(ranked: Located, truth: Located, least: float) -> Pairs:
    """Return the pairs of one group with a tIoU of at least ``least``.

    Pairs are (detection, instance, tIoU). They are ordered by detection, then from the
    highest tIoU down, then by the distance of the nearest boundaries, then by instance.
    """
    detection, instance = _pairs(ranked, truth)
    span_s = ranked.start_s[detection], ranked.end_s[detection]
    true = truth.start_s[instance], truth.end_s[instance]
    overlap = temporal_iou(*span_s, *true)
    near = np.flatnonzero(overlap >= least)
    # pairs come detection by detection: those of a detection with one pair are sorted
    again = detection[near][1:] == detection[near][:-1]
    several = np.flatnonzero(np.append(again, False) | np.append(False, again))
    mixed = near[several]
    missed_s = np.minimum(
        np.abs(span_s[0][mixed] - true[0][mixed]),
        np.abs(span_s[1][mixed] - true[1][mixed]),
    )
    order = near.copy()
    keys = missed_s, -overlap[mixed], detection[mixed]
    order[several] = mixed[np.lexsort(keys)]
    return detection[order], instance[order], overlap[order]


def _pairs(ranked: Located, truth: Located) -> tuple[IntArray, IntArray]:
    """Return all pairs (detection, instance) of one group, in that order."""
    by_group = stable_order(truth.group)
    groups = truth.group[by_group]
    first = np.searchsorted(groups, ranked.group, side="left")
    n_pairs = np.searchsorted(groups, ranked.group, side="right") - first
    detection = np.repeat(np.arange(len(first)), n_pairs)
    start = np.cumsum(n_pairs) - n_pairs  # where each detection's pairs begin
    instance = by_group[np.arange(len(detection)) + (first - start)[detection]]
    return detection, instance


def _overlap_of_hull(
    ranked: Located, truth: Located, detection: IntArray, instance: IntArray
) -> FloatArray:
    """Return the tIoU of pairs as the intersection over the span of both.

    It is equal to `temporal_iou` up to rounding. THUMOS14's kit computes it in this
    way, and rounding decides whether a tIoU is above a threshold or equal to it.
    """
    start = ranked.start_s[detection], truth.start_s[instance]
    end = ranked.end_s[detection], truth.end_s[instance]
    shared_s = np.maximum(np.minimum(*end) - np.maximum(*start), 0.0)
    result: FloatArray = shared_s / (np.maximum(*end) - np.minimum(*start))
    return result
