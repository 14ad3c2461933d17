"""Detection scores: mapped into [0, 1], and from which one on they are shown."""

from typing import Final

import numpy as np

from acmnet.segments import FloatArray

NEGATIVE_SHARE: Final = 1e-6
"""Share of [0, 1] that all negative scores are put into: they are shown as 0.000."""
KNEE: Final = 0.75
"""Up to this score the map is the identity, but for `NEGATIVE_SHARE`; above it, ever
higher scores come ever closer to 1."""
USUAL_SHARE: Final = 0.5
"""Share of the usual best score from which detections are shown, where no video lacks
an action: teachers' detections count from the same share for their student."""


def unit_scores(score: FloatArray) -> FloatArray:
    """Return scores mapped into [0, 1], a higher one for a higher one.

    Scores of the outer-inner contrast lie between -1 and about 1.25, those of teachers
    beside a student reach 2.25. People read a score as a confidence, so most keep their
    value (to 1e-6), and only the range around 1 is bent.

    Parameters
    ----------
    score : array of any shape
        Finite.

    Returns
    -------
    array of the same shape
        In [0, 1]. With e = `NEGATIVE_SHARE` and k = `KNEE`, a score s below 0 becomes
        ``e exp(s)``; from 0 on let ``t = e + (1 - e) s``, which is the result up to k,
        and above k the result is ``1 - (1 - k) ** 2 / (t + 1 - 2 k)``.

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
    bent = 1.0 - (1.0 - KNEE) ** 2 / (np.maximum(plain, KNEE) + (1.0 - 2.0 * KNEE))
    result: FloatArray = np.where(
        score < 0.0, negative, np.where(plain <= KNEE, plain, bent)
    )
    return result


def separating_score(carried: FloatArray, absent: FloatArray) -> float | None:
    """Return the score that tells best which videos carry an action, from names alone.

    Parameters
    ----------
    carried : array of shape (P,)
        The best score of each labelled action in its video; -inf where the action was
        not found. Scores below 0 count as 0.
    absent : array of shape (N,)
        The best score of each action in each video that does not carry it, likewise.

    Returns
    -------
    float or None
        A video is said to carry an action whose best score reaches a threshold. The
        result is the middle of the gap between two scores in which the F1 of these
        statements is highest; the widest such gap. Where every video carries every
        action, or the best threshold would say so, it is `USUAL_SHARE` of the median
        of ``carried``. None where no labelled action was found.

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
    usual = USUAL_SHARE * float(np.median(carried[carried > 0.0]))
    levels = np.unique(np.concatenate([carried, absent, [0.0]]))
    low, high = levels[:-1], levels[1:]  # a threshold between two scores
    found = len(carried) - np.searchsorted(np.sort(carried), high)
    wrong = len(absent) - np.searchsorted(np.sort(absent), high)
    f1 = 2.0 * found / (len(carried) + found + wrong)
    best = np.lexsort((high - low, f1))[-1]
    if wrong[best] == len(absent):
        return usual
    return float(low[best] + high[best]) / 2.0
