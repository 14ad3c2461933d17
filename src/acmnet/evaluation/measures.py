"""Measures beside AP: video-level classification, recall of proposals, F1."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from acmnet.evaluation.matching import Located, average_precision, overlaps, pieces
from acmnet.evaluation.ranking import Ranking
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
    rank = ranks_in_video(ranking)
    near = np.flatnonzero(rank < max(proposals))
    truth = ranking.truth.instances
    video = truth.group // ranking.n_classes
    found = Located(
        ranking.located.group[near] // ranking.n_classes,
        ranking.located.start_s[near],
        ranking.located.end_s[near],
    )
    of_video = truth._replace(group=video)
    first = np.full((len(ranking.tiou), len(video)), max(proposals))
    for mine, theirs in pieces(found, of_video):
        pairs = overlaps(found.only(mine), of_video.only(theirs))
        detection, instance, overlap = pairs
        for i, threshold in enumerate(ranking.tiou):
            is_strict = ranking.truth.protocol.is_strict
            enough = overlap > threshold if is_strict else overlap >= threshold
            ranks = rank[near[mine[detection[enough]]]]
            np.minimum.at(first[i], theirs[instance[enough]], ranks)
    recalls = np.array([[np.mean(row < n) for n in proposals] for row in first])
    result: FloatArray = recalls.mean(axis=0)
    return result


def ranks_in_video(ranking: Ranking) -> IntArray:
    """Return (N,) the rank, from 0, of each detection among those of its video."""
    video = ranking.located.group // ranking.n_classes
    order = np.lexsort((ranking.listed, -ranking.score, video))
    first = np.searchsorted(video[order], video[order])
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order)) - first
    return rank


def best_f1(ranking: Ranking) -> tuple[OperatingPoint, ...]:
    """Return the best F1 at each threshold, and the score that reaches it.

    One lowest score is chosen for all classes together; where several reach the same
    F1, the highest. Detections count as true if they do so in the protocol's AP.
    """
    order = np.argsort(-ranking.score, kind="stable")
    score = ranking.score[order]
    last = np.flatnonzero(np.append(score[1:] != score[:-1], len(score) > 0))
    points = []
    for i in range(len(ranking.tiou)):
        n_true, n_kept = np.cumsum(ranking.is_true[i][order])[last], last + 1
        if ranking.is_ignored is not None:
            n_kept = np.cumsum(~ranking.is_ignored[i][order])[last]
        f1 = 2 * n_true / (n_kept + len(ranking.truth.instances.group))
        at = int(f1.argmax()) if len(f1) else None
        points.append(
            _point(ranking, i, None, 0, 0)
            if at is None
            else _point(ranking, i, float(score[last[at]]), n_true[at], n_kept[at])
        )
    return tuple(points)


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
