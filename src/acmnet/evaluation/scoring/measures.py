"""Measures beside AP: video-level classification, recall of proposals, F1."""

from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

import numpy as np

from acmnet.evaluation.scoring.matching import (
    Located,
    average_precision,
    group_batches,
    overlaps,
    stable_order,
)
from acmnet.evaluation.scoring.ranking import Ranking
from acmnet.segments import FloatArray, IntArray

PROPOSALS: Final = (1, 5, 10, 50, 100)
"""Numbers of proposals for each video at which recall is usually quoted."""


class OperatingPoint(NamedTuple):
    """Precision, recall and F1 if only detections with at least some score are kept."""

    tiou: float
    """The tIoU threshold of the matching."""
    score: float | None
    """The lowest score that is kept; None if there are no detections."""
    f1: float
    """Twice the number of true detections, divided by the sum of the numbers of kept
    detections and of instances."""
    precision: float
    """Share of the kept detections that is true; 0 if none is kept."""
    recall: float
    """Share of the instances that is found."""


def classification_ap(ranking: Ranking) -> FloatArray:
    """Return the AP of ranking videos, for each class, (C,).

    A video's score for a class is the highest score of the video's detections of that
    class. A video without such a detection is not ranked; if it has the label, it
    counts as missed. AP is interpolated if the protocol's is.

    Returns
    -------
    array of shape (C,)
        In ``[0, 1]``.
    """
    truth = ranking.truth
    # within a group, the detection with the highest score comes first
    by_group = stable_order(ranking.located.group)
    first = by_group[_starts(ranking.located.group[by_group])]
    del by_group
    first.sort()
    video, label = np.divmod(ranking.located.group[first], ranking.n_classes)
    is_right = truth.labelled[video, label]
    bounds = np.searchsorted(label, np.arange(ranking.n_classes + 1))
    columns = [
        average_precision(
            is_right[np.newaxis, low:high],
            int(n),
            is_interpolated=truth.protocol.is_interpolated,
        )
        for low, high, n in zip(
            bounds[:-1], bounds[1:], truth.labelled.sum(axis=0), strict=True
        )
    ]
    return np.concatenate(columns)


def average_recall(
    ranking: Ranking, proposals: Sequence[int] = PROPOSALS
) -> FloatArray:
    """Return the recall of the first N proposals of each video, averaged over tIoUs.

    Classes are ignored, as in ActivityNet's proposal task. An instance is found if one
    of the N detections of its video with the highest scores overlaps it enough. One
    detection may find several instances.

    Parameters
    ----------
    ranking : Ranking
        The ranked detections; the ground truth has at least one instance.
    proposals : sequence of int
        The numbers N, each at least 1.

    Returns
    -------
    array of shape (n_proposals,)
        In ``[0, 1]``.

    Notes
    -----
    Here each video contributes its first N detections. In ActivityNet's
    `eval_proposal.py` each video contributes the same share of its detections, so that
    there are N on average; recall then depends on how many detections a system returns.
    """
    most = max(proposals)
    truth = ranking.truth.instances
    of_video = truth._replace(group=truth.group // ranking.n_classes)
    located = ranking.located._replace(group=ranking.located.group // ranking.n_classes)
    n_found = np.zeros((len(ranking.tiou), len(proposals)), np.int64)
    for mine, theirs in group_batches(located, of_video):
        detections, rank = _first_of_videos(located, ranking.place, mine, most)
        detection, instance, overlap = overlaps(detections, of_video.only(theirs))
        by_instance = stable_order(instance)
        rank, overlap = rank[detection[by_instance]], overlap[by_instance]
        starts = _starts(instance[by_instance])
        for i, threshold in enumerate(ranking.tiou if len(starts) else ()):
            is_strict = ranking.truth.protocol.is_strict
            enough = overlap > threshold if is_strict else overlap >= threshold
            first = np.minimum.reduceat(np.where(enough, rank, most), starts)
            n_found[i] += [np.count_nonzero(first < n) for n in proposals]
    result: FloatArray = (n_found / len(truth.group)).mean(axis=0)
    return result


def _first_of_videos(
    located: Located, place: IntArray, mine: IntArray, most: int
) -> tuple[Located, IntArray]:
    """Return the first detections of some videos, and their ranks in their videos.

    Parameters
    ----------
    located : Located
        All detections, with videos as groups.
    place : array of shape (N,)
        The order of all detections, see `Ranking`.
    mine : array of int
        The detections of some videos.
    most : int
        How many of each video are returned, at most.
    """
    order = mine[np.argsort(located.group[mine] * len(place) + place[mine])]
    video = located.group[order]
    starts = _starts(video)
    counts = np.diff(np.append(starts, len(video)))
    rank = np.arange(len(video)) - np.repeat(starts, counts)
    near = np.flatnonzero(rank < most)
    return located.only(order[near]), rank[near]


def _starts(groups: IntArray) -> IntArray:
    """Return the index of the first of each group of equal neighbours."""
    is_first = np.append(True, groups[1:] != groups[:-1])
    return np.flatnonzero(is_first[: len(groups)])


def best_f1(
    ranking: Ranking, tiou: Collection[float] | None = None
) -> tuple[OperatingPoint, ...]:
    """Return the best F1 at each threshold, and the score that reaches it.

    One lowest score is chosen for all classes together; where several reach the same
    F1, the highest. Detections count as true if they do so in the protocol's AP.

    Parameters
    ----------
    ranking : Ranking
        The ranked detections.
    tiou : collection of float, optional
        Those of the ranking's thresholds that are wanted; all when left out.
    """
    by_score = np.empty_like(ranking.place)
    by_score[ranking.place] = np.arange(len(by_score))
    score = ranking.score[by_score]
    last = np.flatnonzero(np.append(score[1:] != score[:-1], len(score) > 0))
    wanted = ranking.tiou.tolist() if tiou is None else tiou
    return tuple(
        _best_point(ranking, i, by_score, last)
        for i, threshold in enumerate(ranking.tiou.tolist())
        if threshold in wanted
    )


def _best_point(
    ranking: Ranking, i: int, by_score: IntArray, last: IntArray
) -> OperatingPoint:
    """Return the operating point of the highest F1 at threshold ``i``.

    ``by_score`` are the detections from the highest score down, and ``last`` the places
    there at which the score falls behind the detection.
    """
    if not len(last):
        return _point(ranking, i, None, 0, 0)
    is_true = np.zeros(len(by_score), np.bool_)
    is_true[ranking.place[ranking.is_true[i]]] = True
    true = np.flatnonzero(is_true)
    # F1 rises only where a true detection is added, so that the highest one is there
    after = last[np.searchsorted(last, true)] if len(true) else last[:1]
    n_true, n_kept = np.searchsorted(true, after, side="right"), after + 1
    if ranking.is_ignored is not None:
        n_kept = np.cumsum(~ranking.is_ignored[i][by_score])[after]
    f1 = 2 * n_true / (n_kept + len(ranking.truth.instances.group))
    at = int(f1.argmax())
    lowest = float(ranking.score[by_score[after[at]]])
    return _point(ranking, i, lowest, n_true[at], n_kept[at])


def f1_at(ranking: Ranking, score: float) -> tuple[OperatingPoint, ...]:
    """Return F1 at each threshold if detections with at least ``score`` are kept."""
    kept = ranking.score >= score
    return tuple(
        _point(ranking, i, score, *(count[kept].sum() for count in _counts(ranking, i)))
        for i in range(len(ranking.tiou))
    )


def _counts(ranking: Ranking, i: int) -> tuple[IntArray, IntArray]:
    """Return as 0 and 1 which detections are true at threshold ``i`` and count."""
    is_true = ranking.is_true[i].astype(np.int64)
    if ranking.is_ignored is None:
        return is_true, np.ones_like(is_true)
    return is_true, (~ranking.is_ignored[i]).astype(np.int64)


def _point(
    ranking: Ranking, i: int, score: float | None, n_true: int, n_kept: int
) -> OperatingPoint:
    """Return the operating point of these counts."""
    n_instances = len(ranking.truth.instances.group)
    return OperatingPoint(
        tiou=float(ranking.tiou[i]),
        score=score,
        f1=float(2 * n_true / (n_kept + n_instances)),
        precision=float(n_true / n_kept) if n_kept else 0.0,
        recall=float(n_true / n_instances),
    )
