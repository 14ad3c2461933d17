"""Criteria to choose between settings that need no true segment, only names."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from acmnet.segments import Detections, FloatArray, temporal_iou

CONFIDENT: Final = 0.5
"""A detection counts if its score is at least this share of the highest score of its
class in its video."""


def agreement(
    one: Mapping[str, Detections],
    other: Mapping[str, Detections],
    labels: Mapping[str, Sequence[str]],
) -> float:
    """Return how well two trainings agree on where the labelled actions are.

    For each confident detection of either training, of a class that its video carries,
    the highest tIoU with a confident one of the other training; the mean of these. No
    true segment is used.

    Parameters
    ----------
    one, other : mapping of video id to Detections
        Detections in the same videos by two trainings, such as those of two seeds.
    labels : mapping of video id to class names
        What each video contains.

    Returns
    -------
    float
        In [0, 1]; 0 where neither finds anything.
    """
    best: list[FloatArray] = []
    for video, names in labels.items():
        for name in names:
            first, second = (_confident(x[video], name) for x in (one, other))
            if not len(first) or not len(second):
                best.append(np.zeros(len(first) + len(second)))
                continue
            (a, b), (c, d) = first.T, second.T
            overlap = temporal_iou(a[:, None], b[:, None], c[None, :], d[None, :])
            best += [overlap.max(axis=1), overlap.max(axis=0)]
    values = np.concatenate(best) if best else np.zeros(0)
    return float(values.mean()) if len(values) else 0.0


def rank_correlation(first: FloatArray, second: FloatArray) -> float:
    """Return Spearman's rank correlation; ties share their mean rank.

    Parameters
    ----------
    first, second : (n,) arrays
        n at least 2.

    Returns
    -------
    float
        In [-1, 1]; 0 where either does not vary.

    Examples
    --------
    >>> round(rank_correlation(np.array([1.0, 2.0, 9.0]), np.array([5.0, 6.0, 7.0])), 9)
    1.0
    """
    ranks = [_ranks(values) for values in (first, second)]
    if any(np.ptp(rank) == 0.0 for rank in ranks):
        return 0.0
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


def _ranks(values: FloatArray) -> FloatArray:
    below = (values[None, :] < values[:, None]).sum(axis=1)
    same = (values[None, :] == values[:, None]).sum(axis=1)
    ranks: FloatArray = below + (same + 1) / 2
    return ranks


def _confident(detections: Detections, name: str) -> FloatArray:
    """Return the segments (n, 2) of a class that are confident, in seconds."""
    if name not in detections.class_names:
        return np.zeros((0, 2))
    of_class = detections.class_index == detections.class_names.index(name)
    score = detections.score[of_class]
    kept = score >= CONFIDENT * score.max(initial=0.0)
    start_s, end_s = (
        detections.start_s[of_class][kept],
        detections.end_s[of_class][kept],
    )
    segments: FloatArray = np.stack([start_s, end_s], axis=1)
    return segments
