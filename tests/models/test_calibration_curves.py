"""Isotonic regression, shrinkage, calibration error and thresholds, on arrays."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acmnet.models.calibration_curves import (
    Curve,
    calibration_error,
    class_curves,
    isotonic_blocks,
    lowest_score,
    reliability,
    shrunk_curve,
)

FEW = settings(max_examples=60, deadline=None)
# few distinct values, so that ties and violations are common
observations = st.lists(
    st.tuples(st.integers(0, 6), st.integers(0, 3), st.integers(1, 4)),
    min_size=1,
    max_size=9,
)


def columns(rows):
    return (np.array(column, dtype=float) for column in zip(*rows, strict=True))


def brute_force(score, target, weight):
    """Return the best monotone fit at each level: all ways to cut levels into runs.

    The least-squares fit is the mean of each run, for some cut; of the cuts whose means
    do not fall, the one with the least error.
    """
    levels = np.unique(score)
    best, least = None, np.inf
    for n_cuts in range(len(levels)):
        for cuts in itertools.combinations(range(1, len(levels)), n_cuts):
            fit = np.empty(len(levels))
            for start, end in itertools.pairwise((0, *cuts, len(levels))):
                own = (score >= levels[start]) & (score <= levels[end - 1])
                fit[start:end] = np.average(target[own], weights=weight[own])
            error = (weight * (target - fit[np.searchsorted(levels, score)]) ** 2).sum()
            if (np.diff(fit) >= -1e-12).all() and error < least - 1e-12:
                best, least = fit, error
    return levels, best


@FEW
@given(observations)
def test_pool_adjacent_violators_equals_trying_all_monotone_fits(rows):
    score, target, weight = columns(rows)
    target /= 3
    levels, expected = brute_force(score, target, weight)
    found = isotonic_blocks(score, target, weight).curve()
    np.testing.assert_allclose(found.at(levels), expected, atol=1e-9)


def test_pool_adjacent_violators_on_paper():
    # 1 0 | 0 1 1: the first three pool to 1/3, as 1/2 > 0 after the first two
    blocks = isotonic_blocks(np.arange(5.0), np.array([1.0, 0, 0, 1, 1]))
    assert blocks.value.tolist() == [1 / 3, 1.0]
    assert (blocks.first.tolist(), blocks.last.tolist()) == ([0, 3], [2, 4])
    assert blocks.weight.tolist() == [3, 2]
    # straight from (2, 1/3) to (3, 1); level elsewhere
    got = blocks.curve().at(np.array([-9, 1, 2.5, 9]))
    np.testing.assert_allclose(got, [1 / 3, 1 / 3, 2 / 3, 1])


@FEW
@given(observations)
def test_the_laws_of_isotonic_regression(rows):
    score, target, weight = columns(rows)
    target /= 3
    curve = isotonic_blocks(score, target, weight).curve()
    fit = curve.at(score)
    assert (np.diff(curve.probability) >= 0).all()
    assert np.average(fit, weights=weight) == pytest.approx(
        np.average(target, weights=weight)
    )
    again = isotonic_blocks(score, fit, weight).curve().at(score)
    np.testing.assert_allclose(again, fit, atol=1e-12)


@FEW
@given(observations, observations)
def test_shrunk_curves_do_not_fall_and_lie_between(own, others):
    score, target, _ = columns(own)
    other_score, other_target, _ = columns(others)
    is_correct = target > 1
    everyone = isotonic_blocks(other_score, (other_target > 1).astype(float)).curve()
    curve = shrunk_curve(score, is_correct, everyone)
    assert (np.diff(curve.probability) >= 0).all()
    alone = isotonic_blocks(score, is_correct.astype(float)).curve().at(score)
    lowest = min(alone.min(), everyone.probability[0])
    highest = max(alone.max(), everyone.probability[-1])
    assert lowest - 1e-12 <= curve.probability.min()
    assert curve.probability.max() <= highest + 1e-12


def test_shrinkage_on_paper():
    everyone = Curve(np.array([0.0, 1.0]), np.array([0.2, 0.6]))
    # one block: 1 of 4 correct at score 0.5, where everyone says 0.4. With a prior of
    # 6: (1 + 6 * 0.4) / 10 = 0.34. No detection at 0 and 1: there it is everyone's.
    score, is_correct = np.full(4, 0.5), np.array([True, False, False, False])
    curve = shrunk_curve(score, is_correct, everyone, prior=6)
    np.testing.assert_allclose(curve.at(np.array([0, 0.5, 1])), [0.2, 0.34, 0.6])
    # 4 of 4 correct: (4 + 2.4) / 10 = 0.64 is above everyone's 0.6 at 1. The two are
    # joined: 4 detections and the knot's 6 / 2 = 3: (4 * 0.64 + 3 * 0.6) / 7
    curve = shrunk_curve(score, np.ones(4, dtype=bool), everyone, prior=6)
    expected = (4 * 0.64 + 3 * 0.6) / 7
    np.testing.assert_allclose(curve.at(np.array([0.5, 1])), [expected] * 2)


def test_a_class_without_detections_has_the_curve_of_all():
    score = np.array([0.1, 0.2, 0.3, 0.4])
    is_correct = np.array([False, True, False, True])
    curves = class_curves(score, np.zeros(4, dtype=np.int64), is_correct, 2)
    np.testing.assert_allclose(curves[1].at(score), [0, 0.5, 0.5, 1])


def test_more_detections_are_shrunk_less():
    everyone = Curve(np.array([0.0]), np.array([0.5]))
    told = [
        shrunk_curve(np.zeros(n), np.zeros(n, dtype=bool), everyone).probability[0]
        for n in (0, 1, 10, 1000)
    ]
    assert told == sorted(told, reverse=True)
    assert told[0] == 0.5
    assert told[-1] < 0.01


@FEW
@given(st.lists(st.floats(-5, 5, width=32), min_size=2, max_size=20, unique=True))
def test_ranking_in_a_class_is_kept(values):
    # also where the curve is level: everywhere but between 0 and 1
    curve = Curve(np.array([0.0, 1.0]), np.array([0.0, 1.0]))
    score = np.sort(np.round(np.array(values), 6))
    probability = curve.strictly_at(score)
    assert (np.diff(probability)[np.diff(score) > 0] > 0).all()
    assert (probability > 0).all()
    assert (probability < 1).all()
    assert np.abs(probability - curve.at(score)).max() <= 1e-4


def test_calibration_error_on_paper():
    # two bins of three: 0.1 0.2 0.3 with 1 of 3 correct; 0.7 0.8 0.9 with 3 of 3:
    # (3 |1/3 - 0.2| + 3 |1 - 0.8|) / 6 = (0.4 + 0.6) / 6
    told = np.array([0.9, 0.1, 0.3, 0.7, 0.8, 0.2])
    is_correct = np.array([True, False, True, True, True, False])
    bins = reliability(told, is_correct, 2)
    assert [b.detections for b in bins] == [3, 3]
    assert (bins[1].low, bins[1].high) == (0.7, 0.9)
    assert calibration_error(bins) == pytest.approx(1 / 6)


@pytest.mark.parametrize(
    ("told", "sizes"),
    [
        pytest.param([0.5] * 7, [7], id="all-equal-share-a-bin"),
        pytest.param([0.3], [1], id="one"),
        pytest.param([0.1, 0.2], [1, 1], id="fewer-than-bins"),
        # below: 0 1 1 1 4 5, times 3 / 6: bins 0 0 0 0 2 2
        pytest.param([0.1, 0.2, 0.2, 0.2, 0.5, 0.6], [4, 2], id="ties-across-an-edge"),
    ],
)
def test_equal_probabilities_share_a_bin(told, sizes):
    bins = reliability(np.array(told), np.zeros(len(told), dtype=bool), 3)
    assert [b.detections for b in bins] == sizes


def test_order_does_not_change_the_error():
    random = np.random.default_rng(0)
    told = np.round(random.random(100), 1)
    is_correct = random.random(100) < told
    mixed = random.permutation(100)
    one = calibration_error(reliability(told, is_correct))
    other = calibration_error(reliability(told[mixed], is_correct[mixed]))
    assert one == pytest.approx(other)


@pytest.mark.parametrize(
    ("score", "probability", "expected"),
    [
        # means from the top: 0.9, 0.75, 0.6
        pytest.param([3, 2, 1], [0.9, 0.6, 0.3], 2, id="mean-not-own"),
        pytest.param([1, 2, 3], [0.3, 0.6, 0.9], 2, id="any-order"),
        pytest.param([3, 2], [0.9, 0.5], 2, id="exactly-reached"),
        pytest.param([3, 2], [0.6, 0.5], None, id="never"),
        pytest.param([], [], None, id="none"),
        # 0.9 and 0.3 have one score and are kept together: 0.6
        pytest.param([3, 3], [0.9, 0.3], None, id="tie-is-kept-whole"),
        # means 0.6, 0.75, 0.65: reached again lower down
        pytest.param([3, 2, 1], [0.6, 0.9, 0.45], 2, id="reached-lower-down"),
    ],
)
def test_lowest_score(score, probability, expected):
    found = lowest_score(np.array(score, float), np.array(probability, float), 0.7)
    assert found == expected


@pytest.mark.parametrize(
    ("score", "probability", "words"),
    [
        ([], [], "at least 1"),
        ([1.0], [0.1, 0.2], "as many scores"),
        ([1.0, 1.0], [0.1, 0.2], "finite and rise"),
        ([1.0, np.inf], [0.1, 0.2], "finite and rise"),
        ([1.0, 2.0], [0.2, 0.1], "not fall"),
        ([1.0], [1.5], r"in \[0, 1\]"),
        ([1.0], [np.nan], r"in \[0, 1\]"),
    ],
)
def test_what_is_no_curve(score, probability, words):
    with pytest.raises(ValueError, match=words):
        Curve(np.array(score), np.array(probability))
