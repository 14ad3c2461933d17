"""Matching some groups at a time gives what matching all at once gives."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acmnet.evaluation.reports import evaluate
from acmnet.evaluation.scoring import matching, measures, ranking
from acmnet.evaluation.scoring.matching import Located, group_batches, stable_order
from support.drawn_detections import drawn_detections, drawn_truth


@pytest.mark.parametrize("together", [1, 2, 7, 50, 1000])
def test_batches_are_whole_groups_and_leave_nothing_out(together):
    rng = np.random.default_rng(together)
    found, true = (
        Located(rng.integers(0, 20, n), np.zeros(n), np.ones(n)) for n in (100, 40)
    )
    seen = [
        (found.group[a], true.group[b]) for a, b in group_batches(found, true, together)
    ]
    each = [set(a.tolist()) for a, _ in seen]
    assert sum(map(len, each)) == len(set(found.group.tolist()))
    for (a, b), (more, rest) in itertools.pairwise(seen):
        assert set(b.tolist()) & set(more.tolist()) == set()
        assert set(a.tolist()) & set(rest.tolist()) == set()
    indices = [pair for pair in group_batches(found, true, together)]
    for side, n in ((0, 100), (1, 40)):
        assert sorted(np.concatenate([x[side] for x in indices])) == list(range(n))
    for sides in indices:
        for own, where in zip(sides, (found, true), strict=True):
            for group in set(where.group[own].tolist()):
                assert (np.diff(own[where.group[own] == group]) > 0).all()


@given(st.lists(st.sampled_from([0, 1, 2, 65_535, 65_536, 65_537, 2**31, 2**40 + 1])))
def test_sorting_is_the_stable_order(numbers):
    values = np.array(numbers, np.int64)
    assert stable_order(values).tolist() == np.argsort(values, kind="stable").tolist()


@pytest.mark.parametrize("protocol", ["custom", "thumos14-2014"])
def test_scores_do_not_depend_on_the_batches(monkeypatch, protocol):
    truth = drawn_truth(40)
    found = drawn_detections(truth)
    whole = evaluate(truth, found, protocol=protocol)
    expected = whole.to_json()
    for module in (matching, measures, ranking):
        monkeypatch.setattr(
            module, "group_batches", lambda *both: group_batches(*both, together=5)
        )
    again = evaluate(truth, found, protocol=protocol)
    assert again.to_json() == expected
    assert again.ranking.is_true.tobytes() == whole.ranking.is_true.tobytes()
