"""Instances that choose, intervals that touch, AP of both kinds, by hand and twin."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acmnet.evaluation.scoring.matching import (
    Located,
    average_precision,
    match_detections,
    match_instances,
    overlaps,
    touches,
)
from support.twins_evaluation import naive_tiou
from support.twins_protocols import kit_overlap, literal_ap

THRESHOLDS = (0.1, 0.25, 0.3, 0.5, 0.6, 1.0)


def located(*intervals, group=None):
    """Return intervals, of one group where no other is given."""
    start, end = np.array(intervals, dtype=float).reshape(-1, 2).T
    groups = np.zeros(len(start), np.int64) if group is None else np.array(group)
    return Located(groups, start, end)


def test_instances_choose_in_turn():
    # [0, 10] takes the second detection, at tIoU 1, [4, 14] the best of those left:
    # the first, at 6 / 10; at a threshold of .6 that is not enough.
    ranked, truth = located((4, 10), (0, 10)), located((0, 10), (4, 14))
    matched = match_instances(ranked, truth, [0.5, 0.6], is_strict=True)
    assert matched.tolist() == [[1, 0], [1, -1]]
    assert match_instances(ranked, truth, [0.6]).tolist() == [[1, 0]]


def test_the_first_listed_instance_chooses_first():
    # both want the detection [2, 8], the second more: tIoU 6 / 7 against 6 / 10
    ranked = located((2, 8))
    assert match_instances(ranked, located((0, 10), (1, 8)), [0.5]).tolist() == [
        [0, -1]
    ]


def test_of_equal_overlaps_the_better_ranked_detection_is_taken():
    ranked, truth = located((0, 5), (5, 10)), located((0, 10))
    assert match_instances(ranked, truth, [0.5]).tolist() == [[0]]


def test_groups_do_not_meet():
    ranked, truth = located((0, 1), (0, 1), group=(3, 5)), located((0, 1), group=(5,))
    assert match_instances(ranked, truth, [0.5]).tolist() == [[1]]
    assert match_detections(ranked, truth, [0.5]).tolist() == [[-1, 0]]
    assert touches(ranked, truth).tolist() == [False, True]


@pytest.mark.parametrize(
    ("interval", "expected"),
    [
        pytest.param((1, 2), False, id="meets the end"),
        pytest.param((0.5, 2), True, id="overlaps"),
        pytest.param((-9, 9), True, id="holds"),
        pytest.param((2, 3), False, id="apart"),
    ],
)
def test_touches(interval, expected):
    assert touches(located((0, 1)), located(interval)).tolist() == [expected]


def test_nothing_matches_nothing():
    assert match_instances(located(), located((0, 1)), [0.5]).tolist() == [[-1]]
    assert match_instances(located((0, 1)), located(), [0.5]).shape == (1, 0)
    assert touches(located((0, 1)), located()).tolist() == [False]
    assert touches(located(), located((0, 1))).tolist() == []
    assert [len(x) for x in overlaps(located(), located((0, 1)))] == [0, 0, 0]


def test_an_instance_without_length_meets_nothing():
    ranked, truth = located((0, 2)), located((1, 1), (0, 0))
    assert match_detections(ranked, truth, [0.01]).tolist() == [[-1]]
    assert match_instances(ranked, truth, [0.01]).tolist() == [[-1, -1]]


def test_average_precision_by_hand():
    # hits 0 1 1 0 1 of 4: precisions 1/2, 2/3, 3/5 as they are
    hits = np.array([[0, 1, 1, 0, 1]], dtype=bool)
    assert average_precision(hits, 4, is_interpolated=False) == pytest.approx(
        [(1 / 2 + 2 / 3 + 3 / 5) / 4]
    )
    # the first does not count: 1, 1, 3/4
    ignored = np.array([[1, 0, 0, 0, 0]], dtype=bool)
    assert average_precision(hits, 4, is_ignored=ignored) == pytest.approx(
        [(1 + 1 + 3 / 4) / 4]
    )


@settings(deadline=None, max_examples=150)
@given(
    verdicts=st.lists(st.sampled_from((True, False, None)), max_size=12),
    interpolated=st.booleans(),
)
def test_average_precision_agrees_with_its_twin(verdicts, interpolated):
    hits = np.array([[x is True for x in verdicts]], dtype=bool)
    ignored = np.array([[x is None for x in verdicts]], dtype=bool)
    n = max(1, int(hits.sum()))
    got = average_precision(
        hits, n, is_ignored=ignored, is_interpolated=interpolated
    ).item()
    assert got == pytest.approx(literal_ap(verdicts, n, interpolated=interpolated))


intervals = st.tuples(st.integers(0, 12), st.integers(1, 6)).map(
    lambda x: (x[0], x[0] + x[1])
)


def naive_choice(ranked, truth, threshold, *, strict):
    """Return the detection that each instance takes, one after the other."""
    free, taken = set(range(len(ranked))), []
    for instance in truth:
        wishes = [(-kit_overlap(instance, ranked[i]), i) for i in sorted(free)]
        overlap, best = min(wishes, default=(0.0, -1))
        enough = -overlap > threshold if strict else -overlap >= threshold
        taken.append(best if enough else -1)
        free.discard(taken[-1])
    return taken


@settings(deadline=None, max_examples=200)
@given(
    ranked=st.lists(intervals, max_size=12),
    truth=st.lists(intervals, min_size=1, max_size=8),
    strict=st.booleans(),
)
def test_instances_choose_as_the_naive_walk(ranked, truth, strict):
    matched = match_instances(
        located(*ranked), located(*truth), THRESHOLDS, is_strict=strict
    )
    for threshold, row in zip(THRESHOLDS, matched.tolist(), strict=True):
        assert row == naive_choice(ranked, truth, threshold, strict=strict)


@settings(deadline=None, max_examples=50)
@given(ranked=st.lists(intervals, max_size=8), truth=st.lists(intervals, max_size=8))
def test_overlaps_are_all_pairs_that_overlap(ranked, truth):
    expected = [
        (d, i, naive_tiou(ranked[d], truth[i]))
        for d in range(len(ranked))
        for i in range(len(truth))
        if naive_tiou(ranked[d], truth[i]) > 0
    ]
    pairs = overlaps(located(*ranked), located(*truth))
    assert list(zip(*(x.tolist() for x in pairs), strict=True)) == expected
