"""Calibration: turn scores into probabilities, class by class, and back.

Curves are fitted by isotonic regression (pool adjacent violators) on detections that
are known to be correct or not; the curve of a class is shrunk towards that of all
classes. Further functions measure how far probabilities are off (expected calibration
error), and find the score from which a class has a wanted precision. Nothing here knows
videos, features or the network.
"""

import dataclasses
import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from acmnet.segments import BoolArray, FloatArray, IntArray

BINS: Final = 15
"""Bins of probability over which the calibration error is measured."""
POOLED_CURVE_WEIGHT: Final = 3.0
"""Weight of the curve of all classes, as a number of detections of one class: 3 gives
nearly the least log loss and the precision that was asked for (D-034)."""
TIE_BREAK: Final = 1e-4
"""Share of a probability that is reserved for ranking equal probabilities by score."""


@dataclasses.dataclass(frozen=True, eq=False)
class Curve:
    """A probability as a function of the score that never falls as the score rises.

    It is linear between its K knots. Outside of them it is constant.

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
    """(K,) scores of the knots, rising."""
    probability: FloatArray
    """(K,) probabilities at the knots, in ``[0, 1]``, never falling."""

    def __post_init__(self) -> None:
        """Refuse arrays that do not describe such a curve."""
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

        The probability of a score s is ``(1 - e) at(s) + e (1/2 + atan(s) / pi)`` with
        e = `TIE_BREAK`. So a higher score has a higher probability also where the curve
        is constant. Scores closer than about 1e-11 may still have equal ones.
        """
        order = 0.5 + np.arctan(score) / math.pi
        result: FloatArray = (1 - TIE_BREAK) * self.at(score) + TIE_BREAK * order
        return result


class Blocks(NamedTuple):
    """Ranges of scores to which isotonic regression gives one value each, rising."""

    first: FloatArray
    """(K,) the lowest score of each block."""
    last: FloatArray
    """(K,) the highest score of each block."""
    value: FloatArray
    """(K,) the value of each block, rising."""
    weight: FloatArray
    """(K,) the sum of the weights of the observations in each block."""

    def curve(self) -> Curve:
        """Return the curve that is constant in each block and linear between blocks."""
        ends = np.stack([self.first, self.last], axis=1).ravel()
        values = np.repeat(self.value, 2)
        # a block of one score has one knot
        kept = np.append(True, np.diff(ends) > 0)
        return Curve(ends[kept], np.clip(values[kept], 0.0, 1.0))


def isotonic_blocks(
    score: FloatArray, target: FloatArray, weight: FloatArray | None = None
) -> Blocks:
    """Return the isotonic regression of targets on scores, by least squares.

    The algorithm is pool adjacent violators: from the lowest score up, a block whose
    value is not above that of the block before is merged with it, and gets their mean.

    Parameters
    ----------
    score : array of shape (N,)
        Scores in any order, N >= 1. Equal scores get one value.
    target : array of shape (N,)
        The values to fit.
    weight : array of shape (N,), optional
        Weights above 0; all 1 when left out.

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
        start, value_sum, weight_sum = i, total, heavy
        while blocks and blocks[-1][1] / blocks[-1][2] >= value_sum / weight_sum:
            start, before, before_weight = blocks.pop()
            value_sum, weight_sum = value_sum + before, weight_sum + before_weight
        blocks.append((start, value_sum, weight_sum))
    starts = np.array([block[0] for block in blocks])
    lasts = np.append(starts[1:], len(level)) - 1
    values = np.array([block[1:] for block in blocks])
    return Blocks(
        level[starts], level[lasts], values[:, 0] / values[:, 1], values[:, 1]
    )


def shrunk_curve(
    score: FloatArray,
    is_correct: BoolArray,
    everyone: Curve,
    prior: float = POOLED_CURVE_WEIGHT,
) -> Curve:
    """Return one class's curve, shrunk towards that of all classes.

    Parameters
    ----------
    score, is_correct : arrays of shape (N,)
        The detections of the class. Without any (N = 0), ``everyone`` is returned.
    everyone : Curve
        The curve fitted on all classes.
    prior : float
        Weight of ``everyone``, as a number of detections, above 0.

    Notes
    -----
    A score s lies in a block b of the class's own isotonic regression, or in none. The
    block has n_b detections, of which a share y_b is correct; without a block, n_b is
    0. With the curve m of everyone, ::

        p(s) = (n_b y_b + prior m(s)) / (n_b + prior),

    which is the mean of a beta posterior. It is computed at each score of the class and
    at each knot of m. Between blocks of different sizes p can fall, so isotonic
    regression is applied once more. In it the weight of a score is the number of
    detections that have it, and the knots of m together have the weight ``prior``.
    """
    if not len(score):
        return everyone
    blocks = isotonic_blocks(score, is_correct.astype(np.float64))
    level = np.union1d(score, everyone.score)
    block = np.minimum(np.searchsorted(blocks.last, level), len(blocks.last) - 1)
    is_inside = (blocks.first[block] <= level) & (level <= blocks.last[block])
    n = np.where(is_inside, blocks.weight[block], 0.0)
    shrunk = (n * blocks.value[block] + prior * everyone.at(level)) / (n + prior)
    weight = np.zeros(len(level))
    np.add.at(weight, np.searchsorted(level, score), 1.0)
    weight[np.searchsorted(level, everyone.score)] += prior / len(everyone.score)
    return isotonic_blocks(level, shrunk, weight).curve()


def class_curves(
    score: FloatArray, class_index: IntArray, is_correct: BoolArray, n_classes: int
) -> list[Curve]:
    """Return each class's curve, shrunk towards that of all classes."""
    everyone = isotonic_blocks(score, is_correct.astype(np.float64)).curve()
    return [
        shrunk_curve(score[of_class], is_correct[of_class], everyone)
        for of_class in (class_index == c for c in range(n_classes))
    ]


class ReliabilityBin(NamedTuple):
    """A group of detections with similar probabilities, and how many are correct."""

    detections: int
    low: float
    high: float
    """Highest probability in the group; ``low`` is the lowest."""
    probability: float
    """Mean probability of the group."""
    correct: float
    """Share of the group that is correct."""


def reliability(
    probability: FloatArray, is_correct: BoolArray, n_bins: int = BINS
) -> list[ReliabilityBin]:
    """Return bins with equal numbers of detections, the lowest probabilities first.

    Parameters
    ----------
    probability, is_correct : arrays of shape (N,)
    n_bins : int
        Number of bins. A detection with r others below it is in the bin
        ``floor(r n_bins / N)``. Equal probabilities share a bin, so there may be fewer.
    """
    order = np.argsort(probability, kind="stable")
    value, correct = probability[order], is_correct[order]
    below = np.searchsorted(value, value, side="left")
    starts = np.flatnonzero(np.diff(below * n_bins // max(len(value), 1), prepend=-1))
    return [
        ReliabilityBin(
            detections=len(in_bin),
            low=float(in_bin[0]),
            high=float(in_bin[-1]),
            probability=float(in_bin.mean()),
            correct=float(y.mean()),
        )
        for in_bin, y in zip(
            np.split(value, starts[1:]), np.split(correct, starts[1:]), strict=True
        )
        if len(in_bin)
    ]


def calibration_error(bins: Sequence[ReliabilityBin]) -> float:
    """Return the expected calibration error, in ``[0, 1]``.

    It is the mean of ``|correct - probability|`` over the bins, weighted by their
    numbers of detections.

    References
    ----------
    Naeini et al., AAAI 2015, with bins of equal width. Bins with equal numbers are
    those of Nguyen and O'Connor, EMNLP 2015.

    Examples
    --------
    >>> told = np.array([0.1, 0.1, 0.8, 0.8])
    >>> bins = reliability(told, np.array([False, False, True, False]), 2)
    >>> round(calibration_error(bins), 3)  # (2 * 0.1 + 2 * 0.3) / 4
    0.2
    """
    total = sum(bin_.detections for bin_ in bins)
    off = (bin_.detections * abs(bin_.correct - bin_.probability) for bin_ in bins)
    return sum(off) / total


def lowest_score(
    score: FloatArray, probability: FloatArray, precision: float
) -> float | None:
    """Return the lowest score from which the estimated precision is the wanted one.

    The estimate for a score is the mean probability of all detections with at least
    that score.

    Parameters
    ----------
    score, probability : arrays of shape (N,)
        The detections of one class; N may be 0.
    precision : float
        The wanted precision, in ``(0, 1)``.

    Returns
    -------
    float or None
        One of the scores; None if no score reaches the precision.

    Examples
    --------
    >>> lowest_score(np.array([3.0, 2.0, 1.0]), np.array([0.9, 0.6, 0.3]), 0.7)
    2.0
    """
    order = np.argsort(-score, kind="stable")
    ranked = score[order]
    mean = np.cumsum(probability[order]) / np.arange(1, len(ranked) + 1)
    # equal scores are kept or dropped together; 1e-12 allows for rounding
    is_last = np.append(np.diff(ranked) < 0, True)[: len(ranked)]
    reached = np.flatnonzero(is_last & (mean >= precision - 1e-12))
    return float(ranked[reached[-1]]) if len(reached) else None
