"""What a score is worth: from scores to probabilities, class by class, and back.

Isotonic regression by pool-adjacent-violators on detections that are known to be
correct or not, shrunk for each class towards all classes together; how far
probabilities are off (expected calibration error); and from which score on a class has
a wanted precision. Nothing here knows videos, features or the network.
"""

import dataclasses
import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from acmnet.segments import BoolArray, FloatArray, IntArray

BINS: Final = 15
PRIOR: Final = 3.0
"""Detections that the curve of all classes is worth against a class's own (D-034)."""
TIE_BREAK: Final = 1e-4
"""Share of a probability that tells equal ones apart by their scores."""


@dataclasses.dataclass(frozen=True, eq=False)
class Curve:
    """A probability that does not fall as the score rises: knots, straight between.

    Outside its knots the curve is as at the nearest one.

    Raises
    ------
    ValueError
        If there is no knot, the scores do not rise, the probabilities fall or leave
        ``[0, 1]``, or a number is not finite.

    Examples
    --------
    >>> Curve(np.array([0.2, 0.4]), np.array([0.0, 1.0])).at(np.array([0.1, 0.3, 9]))
    array([0. , 0.5, 1. ])
    """

    score: FloatArray
    """(K,) rising."""
    probability: FloatArray
    """(K,) not falling, in ``[0, 1]``."""

    def __post_init__(self) -> None:
        """Refuse what is no such curve."""
        score, probability = self.score, self.probability
        if score.ndim != 1 or score.shape != probability.shape or not len(score):
            raise ValueError(
                f"a curve needs as many scores as probabilities, at least 1, got "
                f"{score.shape} and {probability.shape}"
            )
        if not (np.isfinite(score).all() and (np.diff(score) > 0).all()):
            raise ValueError("a curve's scores must be finite and rise")
        is_inside = (probability >= 0) & (probability <= 1)
        if not (is_inside.all() and (np.diff(probability) >= 0).all()):
            raise ValueError("a curve's probabilities must be in [0, 1] and not fall")

    def at(self, score: FloatArray) -> FloatArray:
        """Return the probability at each score, of any shape."""
        result: FloatArray = np.interp(score, self.score, self.probability)
        return result

    def strictly_at(self, score: FloatArray) -> FloatArray:
        """Return probabilities in (0, 1) that keep the order of unequal scores.

        ``(1 - e) at(s) + e (1/2 + atan(s) / pi)`` with e = `TIE_BREAK`: where the curve
        is level, the score still ranks. Scores nearer than about 1e-11 may tie.
        """
        order = 0.5 + np.arctan(score) / math.pi
        result: FloatArray = (1 - TIE_BREAK) * self.at(score) + TIE_BREAK * order
        return result


class Blocks(NamedTuple):
    """Scores that isotonic regression gives one value, from the lowest up."""

    first: FloatArray
    """(K,) the lowest score of each block."""
    last: FloatArray
    """(K,) the highest."""
    value: FloatArray
    """(K,) rising."""
    weight: FloatArray
    """(K,) of the observations in it."""

    def curve(self) -> Curve:
        """Return the curve that is level in each block and straight between two."""
        ends = np.stack([self.first, self.last], axis=1).ravel()
        values = np.repeat(self.value, 2)
        # a block of one score has one knot
        kept = np.append(True, np.diff(ends) > 0)
        return Curve(ends[kept], np.clip(values[kept], 0.0, 1.0))


def isotonic_blocks(
    score: FloatArray, target: FloatArray, weight: FloatArray | None = None
) -> Blocks:
    """Return the isotonic regression of targets on scores, by least squares.

    Pool adjacent violators: from the lowest score up, a block that is not above the one
    before it is joined with it, to their mean.

    Parameters
    ----------
    score : array of shape (N,)
        N >= 1, in any order. Equal scores are one level.
    target : array of shape (N,)
    weight : array of shape (N,), optional
        Above 0; 1 each when left out.

    References
    ----------
    Ayer et al. 1955; Barlow et al., "Statistical Inference under Order Restrictions",
    1972. For calibration: Zadrozny and Elkan, KDD 2002.

    Examples
    --------
    >>> found = isotonic_blocks(np.arange(4.0), np.array([0.0, 1.0, 0.0, 1.0]))
    >>> found.first, found.value
    (array([0., 1., 3.]), array([0. , 0.5, 1. ]))
    """
    if weight is None:
        weight = np.ones(len(score))
    level, place = np.unique(score, return_inverse=True)
    weights = np.bincount(place, weight)
    sums = np.bincount(place, weight * target)
    blocks: list[tuple[int, float, float]] = []
    for i, (total, heavy) in enumerate(
        zip(sums.tolist(), weights.tolist(), strict=True)
    ):
        start, own, own_weight = i, total, heavy
        while blocks and blocks[-1][1] / blocks[-1][2] >= own / own_weight:
            start, before, before_weight = blocks.pop()
            own, own_weight = own + before, own_weight + before_weight
        blocks.append((start, own, own_weight))
    starts = np.array([block[0] for block in blocks])
    lasts = np.append(starts[1:], len(level)) - 1
    found = np.array([block[1:] for block in blocks])
    return Blocks(level[starts], level[lasts], found[:, 0] / found[:, 1], found[:, 1])


def shrunk_curve(
    score: FloatArray, is_correct: BoolArray, everyone: Curve, prior: float = PRIOR
) -> Curve:
    """Return one class's curve, shrunk towards that of all classes.

    Parameters
    ----------
    score, is_correct : arrays of shape (N,)
        The class's detections; N may be 0, which gives ``everyone``.
    everyone : Curve
        Fitted on all classes.
    prior : float
        How many detections ``everyone`` is worth, above 0.

    Notes
    -----
    Let b be the block of the class's own isotonic regression that a score s lies in,
    with n_b detections of which a share y_b is correct (n_b = 0 between two blocks and
    beyond them), and m the curve of everyone. Then ::

        p(s) = (n_b y_b + prior m(s)) / (n_b + prior),

    the mean of a beta posterior, at each score of the class and each knot of m. Blocks
    of unequal size can make that fall, so it goes through isotonic regression once
    more: a score weighs as many detections as have it, the knots of m together
    ``prior``.
    """
    if not len(score):
        return everyone
    own = isotonic_blocks(score, is_correct.astype(np.float64))
    level = np.union1d(score, everyone.score)
    block = np.minimum(np.searchsorted(own.last, level), len(own.last) - 1)
    is_inside = (own.first[block] <= level) & (level <= own.last[block])
    n = np.where(is_inside, own.weight[block], 0.0)
    shrunk = (n * own.value[block] + prior * everyone.at(level)) / (n + prior)
    weight = np.zeros(len(level))
    np.add.at(weight, np.searchsorted(level, score), 1.0)
    weight[np.searchsorted(level, everyone.score)] += prior / len(everyone.score)
    return isotonic_blocks(level, shrunk, weight).curve()


def class_curves(
    score: FloatArray, class_index: IntArray, is_correct: BoolArray, n_classes: int
) -> list[Curve]:
    """Return the curve of each class, shrunk towards all; (N,) arrays with N >= 1."""
    everyone = isotonic_blocks(score, is_correct.astype(np.float64)).curve()
    return [
        shrunk_curve(score[own], is_correct[own], everyone)
        for own in (class_index == c for c in range(n_classes))
    ]


class ReliabilityBin(NamedTuple):
    """Detections of about one probability: how many, what was said, what was true."""

    detections: int
    low: float
    high: float
    """Lowest and highest probability."""
    probability: float
    """Mean probability."""
    correct: float
    """Share that is correct."""


def reliability(
    probability: FloatArray, is_correct: BoolArray, n_bins: int = BINS
) -> list[ReliabilityBin]:
    """Return bins of equal mass, from the lowest probability up.

    Parameters
    ----------
    probability, is_correct : arrays of shape (N,)
    n_bins : int
        A detection with r others below it is in bin ``floor(r n_bins / N)``, so equal
        probabilities share a bin and there may be fewer bins.
    """
    order = np.argsort(probability, kind="stable")
    value, correct = probability[order], is_correct[order]
    below = np.searchsorted(value, value, side="left")
    starts = np.flatnonzero(np.diff(below * n_bins // max(len(value), 1), prepend=-1))
    return [
        ReliabilityBin(
            len(own), float(own[0]), float(own[-1]), float(own.mean()), float(y.mean())
        )
        for own, y in zip(
            np.split(value, starts[1:]), np.split(correct, starts[1:]), strict=True
        )
        if len(own)
    ]


def calibration_error(bins: Sequence[ReliabilityBin]) -> float:
    """Return the expected calibration error, in ``[0, 1]``.

    The mean of ``|correct - probability|`` over the bins, weighted by their detections.

    References
    ----------
    Naeini et al., AAAI 2015 (with bins of equal width); bins of equal mass as in
    Nguyen and O'Connor, EMNLP 2015.

    Examples
    --------
    >>> told = np.array([0.1, 0.1, 0.8, 0.8])
    >>> bins = reliability(told, np.array([False, False, True, False]), 2)
    >>> round(calibration_error(bins), 3)  # (2 * 0.1 + 2 * 0.3) / 4
    0.2
    """
    total = sum(own.detections for own in bins)
    off = (own.detections * abs(own.correct - own.probability) for own in bins)
    return sum(off) / total


def lowest_score(
    score: FloatArray, probability: FloatArray, precision: float
) -> float | None:
    """Return the lowest score from which on the estimated precision is as wanted.

    The estimate is the mean probability of all detections with at least that score.

    Parameters
    ----------
    score, probability : arrays of shape (N,)
        Of one class; N may be 0.
    precision : float
        In ``(0, 1)``.

    Returns
    -------
    float or None
        One of the scores; None where no score reaches the precision.

    Examples
    --------
    >>> lowest_score(np.array([3.0, 2.0, 1.0]), np.array([0.9, 0.6, 0.3]), 0.7)
    2.0
    """
    order = np.argsort(-score, kind="stable")
    ranked = score[order]
    mean = np.cumsum(probability[order]) / np.arange(1, len(ranked) + 1)
    # equal scores are kept or dropped together; a rounding's width is forgiven
    is_last = np.append(np.diff(ranked) < 0, True)[: len(ranked)]
    reached = np.flatnonzero(is_last & (mean >= precision - 1e-12))
    return float(ranked[reached[-1]]) if len(reached) else None
