"""Scores of detections: the map into [0, 1], and the lowest score that is shown."""

from typing import Final

import numpy as np

from acmnet.segments import FloatArray

NEGATIVE_SHARE: Final = 1e-6
"""The map puts all negative scores between 0 and this, so that they read 0.000."""
KEPT_UP_TO: Final = 0.75
"""Scores from 0 to this keep their value, to within `NEGATIVE_SHARE`; the map bends all
higher ones, so that they come ever closer to 1."""
SHARE_OF_BEST: Final = 0.5
"""Share of an action's usual best score from which detections are shown where every
training video shows every action, so that no threshold on scores can be learned. It is
the share from which the teachers' detections become pseudo labels, too."""


def unit_scores(score: FloatArray) -> FloatArray:
    """Return scores mapped into [0, 1], in the same order.

    Scores of the outer-inner contrast lie between -1 and about 1.25; those of teachers'
    proposals beside a student's reach 2.25. People read a score as a confidence, so
    most scores keep their value (to 1e-6), and only those above `KEPT_UP_TO` are bent.

    Parameters
    ----------
    score : array of any shape
        Finite.

    Returns
    -------
    array of the same shape
        In [0, 1]. With e = `NEGATIVE_SHARE` and k = `KEPT_UP_TO`, a score s below 0
        becomes ``e exp(s)``. From 0 on let ``t = e + (1 - e) s``: up to k this is the
        result, and above k the result is ``1 - (1 - k) ** 2 / (t + 1 - 2 k)``.

    Notes
    -----
    The result never falls as the score rises. Two scores in [-1, 2.25] that differ by
    1e-13 or more get different results, so the order of detections, and with it their
    mAP, is that of the scores before.

    Examples
    --------
    >>> unit_scores(np.array([-0.07, 0.0, 0.3, 1.0, 1.25])).round(3)
    array([0.   , 0.   , 0.3  , 0.875, 0.917])
    """
    negative = NEGATIVE_SHARE * np.exp(np.minimum(score, 0.0))
    plain = NEGATIVE_SHARE + (1.0 - NEGATIVE_SHARE) * score
    # one rounding after another, so that no result falls as the score rises
    bent = 1.0 - (1.0 - KEPT_UP_TO) ** 2 / (
        np.maximum(plain, KEPT_UP_TO) + (1.0 - 2.0 * KEPT_UP_TO)
    )
    result: FloatArray = np.where(
        score < 0.0, negative, np.where(plain <= KEPT_UP_TO, plain, bent)
    )
    return result


def separating_score(carried: FloatArray, absent: FloatArray) -> float | None:
    """Return the score that best separates videos with an action from those without.

    No true segment is needed for it, only the names of the actions in each video.

    Parameters
    ----------
    carried : array of shape (P,)
        For each action that a video carries, its best score there; -inf where it was
        not found. Scores below 0 count as 0.
    absent : array of shape (N,)
        For each action that a video does not carry, its best score there; -inf where it
        was not found. Scores below 0 count as 0.

    Returns
    -------
    float or None
        Take an action as found in a video where its best score reaches a threshold. The
        F1 of this decision is highest for thresholds in some gap between two scores;
        the result is the middle of that gap, or of the widest if there are several.
        Where every video shows every action, or the best threshold would find every
        action in every video, the result is `SHARE_OF_BEST` of the median of the
        positive scores in ``carried``. None where no action that a video carries was
        found in it.

    Examples
    --------
    >>> separating_score(np.array([0.875, 0.75]), np.array([0.25, -np.inf]))
    0.5
    >>> separating_score(np.array([0.9, 0.7, 0.8]), np.array([]))
    0.4
    """
    carried, absent = np.maximum(carried, 0.0), np.maximum(absent, 0.0)
    if not len(carried) or carried.max() <= 0.0:
        return None
    usual = SHARE_OF_BEST * float(np.median(carried[carried > 0.0]))
    levels = np.unique(np.concatenate([carried, absent, [0.0]]))
    low, high = levels[:-1], levels[1:]  # a threshold between two scores
    n_true = len(carried) - np.searchsorted(np.sort(carried), high)
    wrong = len(absent) - np.searchsorted(np.sort(absent), high)
    f1 = 2.0 * n_true / (len(carried) + n_true + wrong)
    best = np.lexsort((high - low, f1))[-1]
    if wrong[best] == len(absent):
        return usual
    return float(low[best] + high[best]) / 2.0
