"""Measures beside AP: video-level classification, recall of proposals, F1."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from acmnet.evaluation.matching import Located, average_precision, overlaps
from acmnet.evaluation.ranking import Ranking
from acmnet.segments import FloatArray, IntArray

PROPOSALS: Final = (1, 5, 10, 50, 100)
"""The numbers of proposals a video at which recall is quoted."""


class OperatingPoint(NamedTuple):
    """What is found when only detections from a score on are kept."""

    tiou: float
    """The threshold at which detections were matched."""
    score: float | None
    """The lowest score kept; None without detections."""
    f1: float
    """Twice the true detections, divided by detections and instances together."""
    precision: float
    """True detections of those kept; 0 if none is kept."""
    recall: float
    """Instances found of all instances."""


def classification_ap(ranking: Ranking) -> FloatArray:
    """Return how well videos are ranked by class, as AP, (C,).

    A video's score of a class is the highest score of a detection of that class in it.
    Videos without such a detection are not ranked, so their labels are missed. AP is
    interpolated where the protocol's is.

    Returns
    -------
    array of shape (C,)
        In ``[0, 1]``.
    """
    truth = ranking.truth
    groups, first = np.unique(ranking.located.group, return_index=True)
    by_rank = np.argsort(first)
    video, label = np.divmod(groups[by_rank], ranking.n_classes)
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

    Class-agnostic, as ActivityNet's proposal task: an instance is found if any of its
    video's N best-scored detections, whatever its class, overlaps it enough. One
    detection may find several instances.

    Parameters
    ----------
    ranking : Ranking
        Of at least one instance.
    proposals : sequence of int
        N, each at least 1.

    Returns
    -------
    array of shape (n_proposals,)
        In ``[0, 1]``.

    Notes
    -----
    Each video gives its first N detections. ActivityNet's `eval_proposal.py` gives
    each video the same share of its detections, so that N is met on average; there a
    system's recall depends on how many more detections it emits.
    """
    rank = ranks_in_video(ranking)
    near = np.flatnonzero(rank < max(proposals))
    truth = ranking.truth.instances
    video = truth.group // ranking.n_classes
    found = Located(
        ranking.located.group[near] // ranking.n_classes,
        ranking.located.start_s[near],
        ranking.located.end_s[near],
    )
    detection, instance, overlap = overlaps(found, truth._replace(group=video))
    recalls = np.zeros((len(ranking.tiou), len(proposals)))
    for i, threshold in enumerate(ranking.tiou):
        is_strict = ranking.truth.protocol.is_strict
        enough = overlap > threshold if is_strict else overlap >= threshold
        first = np.full(len(video), max(proposals))
        np.minimum.at(first, instance[enough], rank[near[detection[enough]]])
        recalls[i] = [np.mean(first < n) for n in proposals]
    result: FloatArray = recalls.mean(axis=0)
    return result


def ranks_in_video(ranking: Ranking) -> IntArray:
    """Return each detection's rank in its video from 0, over all classes, (N,)."""
    video = ranking.located.group // ranking.n_classes
    order = np.lexsort((ranking.listed, -ranking.score, video))
    first = np.searchsorted(video[order], video[order])
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order)) - first
    return rank


def best_f1(ranking: Ranking) -> tuple[OperatingPoint, ...]:
    """Return the best F1 at each threshold, and from which score on it is reached.

    All classes are pooled and cut at one score; of equal F1, at the highest score.
    Which detections are true is what the protocol's AP takes for true.
    """
    order = np.argsort(-ranking.score, kind="stable")
    score = ranking.score[order]
    last = np.flatnonzero(np.append(score[1:] != score[:-1], len(score) > 0))
    points = []
    for i in range(len(ranking.tiou)):
        n_true, n_kept = (count[order].cumsum()[last] for count in _counts(ranking, i))
        f1 = 2 * n_true / (n_kept + len(ranking.truth.instances.group))
        at = int(f1.argmax()) if len(f1) else None
        points.append(
            _point(ranking, i, None, 0, 0)
            if at is None
            else _point(ranking, i, float(score[last[at]]), n_true[at], n_kept[at])
        )
    return tuple(points)


def f1_at(ranking: Ranking, score: float) -> tuple[OperatingPoint, ...]:
    """Return F1 at each threshold when detections from ``score`` on are kept."""
    kept = ranking.score >= score
    return tuple(
        _point(ranking, i, score, *(count[kept].sum() for count in _counts(ranking, i)))
        for i in range(len(ranking.tiou))
    )


def _counts(ranking: Ranking, i: int) -> tuple[IntArray, IntArray]:
    """Return which detections are true at threshold ``i``, and which count, as 0, 1."""
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
