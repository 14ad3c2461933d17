"""Classification, recall of proposals and F1: by hand, and against literal twins."""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acmnet.evaluation.protocols import protocol
from acmnet.evaluation.reports import evaluate
from support.twins_evaluation import Row
from support.twins_protocols import (
    NO_HAMMER,
    literal_classification_ap,
    literal_f1,
    literal_recall,
    literal_world,
)
from support.worlds import HALVES, file_of, instances, truth_of

PLAIN = "video_test_0000004"


def test_classification_by_hand():
    # jump is shown in a and c. Best detections: b 3, a 2 (not its 1), c none. Ranked
    # b false, a true at 1/2, c missed: 1/2 of 2 videos = 1/4.
    truth = truth_of(a=[("jump", 0, 1)], b=[("run", 0, 1)], c=[("jump", 0, 1)])
    found = file_of(
        a=[("jump", 8, 9, 1), ("jump", 5, 6, 2)],
        b=[("jump", 0, 1, 3), ("run", 7, 8, 0)],
    )
    report = evaluate(truth, found)
    assert report.class_names == ("jump", "run")
    assert report.classification_ap.tolist() == [0.25, 1.0]
    assert report.classification_map == 0.625


def test_average_recall_by_hand():
    # video a, by score: [0, 10] as run, [20, 30], both of a's instances; video b's one
    # is found by its third. At N = 1: 1 of 3, at 2: 2 of 3, at 3: all. tIoU 1 for a,
    # 6 / 10 for b, so at the threshold .8 b's is not found.
    truth = truth_of(a=[("jump", 0, 10), ("jump", 20, 30)], b=[("run", 0, 10)])
    found = file_of(
        a=[("jump", 20, 30, 1), ("run", 0, 10, 2)],
        b=[("run", 0, 6, 1), ("run", 50, 60, 3), ("jump", 50, 60, 2)],
    )
    report = evaluate(truth, found, tiou=(0.5,))
    assert report.average_recall((1, 2, 3)) == {1: 1 / 3, 2: 2 / 3, 3: 1.0}
    report = evaluate(truth, found, tiou=(0.5, 0.8))
    assert report.average_recall((3,)) == {3: pytest.approx((1 + 2 / 3) / 2)}
    assert list(report.average_recall()) == [1, 5, 10, 50, 100]


def test_of_equal_scores_the_first_listed_is_proposed_first():
    # jump is the first class, but the run is listed first, and finds nothing
    truth = truth_of(a=[("jump", 0, 10), ("run", 20, 30)])
    rows = [("run", 50, 60, 1), ("jump", 0, 10, 1)]
    for order, expected in ((rows, 0.0), (rows[::-1], 0.5)):
        report = evaluate(truth, file_of(a=order), tiou=(0.5,))
        assert report.average_recall((1,)) == {1: expected}


def test_f1_by_hand():
    # ranked true 4, false 3, true 2, false 1 of 2 instances:
    #   from 4: P 1, R 1/2, F1 2/3; from 2: P 2/3, R 1, F1 4/5, the best
    truth = truth_of(a=[("jump", 0, 10), ("run", 0, 10)])
    rows = [("jump", 0, 10, 4), ("run", 50, 60, 3), ("run", 0, 10, 2)]
    report = evaluate(truth, file_of(a=[*rows, ("jump", 7, 9, 1)]), tiou=(0.5,))
    (best,) = report.best_f1()
    assert (best.tiou, best.score, best.recall) == (0.5, 2.0, 1.0)
    assert (best.f1, best.precision) == pytest.approx((4 / 5, 2 / 3))
    (strict,) = report.f1_at(3.5)
    assert strict == (0.5, 3.5, pytest.approx(2 / 3), 1.0, 0.5)
    assert report.f1_at(5)[0] == (0.5, 5, 0.0, 0.0, 0.0)


def test_equal_scores_are_kept_or_left_together():
    # one true and one false of score 1: the cut takes both, F1 = 2 / 3
    rows = [("jump", 0, 10, 1), ("jump", 50, 60, 1)]
    report = evaluate(truth_of(a=[("jump", 0, 10)]), file_of(a=rows), tiou=(0.5,))
    assert report.best_f1()[0].f1 == pytest.approx(2 / 3)


def test_of_equal_f1_the_highest_score():
    # true, false, false, true of 2: F1 2/3 from the first, 4/6 from the last
    truth = truth_of(a=[("jump", 0, 10), ("jump", 20, 30)])
    spans = [(0, 10), (50, 60), (70, 80), (20, 30)]
    rows = [("jump", *span, -i) for i, span in enumerate(spans)]
    report = evaluate(truth, file_of(a=rows), tiou=(0.5,))
    assert report.best_f1()[0].score == 0.0


def test_without_detections():
    report = evaluate(truth_of(a=[("jump", 0, 10)]), {}, tiou=(0.5,))
    assert report.best_f1() == ((0.5, None, 0.0, 0.0, 0.0),)
    assert report.f1_at(0.0) == ((0.5, 0.0, 0.0, 0.0, 0.0),)
    assert report.average_recall((1,)) == {1: 0.0}
    assert report.classification_ap.tolist() == [0.0]


TIOU = (0.25, 0.5, 0.75)
NAMES = ("custom", "thumos14-authors", "thumos14-rounded", "thumos14-2014")
truths = instances(most=4)
shown = truths.map(lambda rows: [("jump", 0.0, 2.0), *rows])
labels = st.sampled_from(("jump", "run", "fly"))
rows = st.lists(st.builds(Row, labels, HALVES, HALVES, st.integers(0, 4)), max_size=6)


@settings(deadline=None, max_examples=120)
@given(
    truth=st.fixed_dictionaries({PLAIN: shown, NO_HAMMER: truths}),
    found=st.fixed_dictionaries({NO_HAMMER: rows, "stranger": rows, PLAIN: rows}),
    cut=st.integers(0, 5),
)
def test_measures_agree_with_their_literal_twins(truth, found, cut):
    for name in NAMES:
        rules = dataclasses.replace(protocol(name), subsets=())
        report = evaluate(
            truth_of(**truth), file_of(**found), protocol=rules, tiou=TIOU
        )
        for label, ap in zip(report.class_names, report.classification_ap, strict=True):
            expected = literal_classification_ap(name, truth, found, label)
            assert ap == pytest.approx(expected, abs=1e-12)
        for n, recall in report.average_recall((1, 2, 4)).items():
            expected = literal_recall(name, truth, found, TIOU, n)
            assert recall == pytest.approx(expected, abs=1e-12)
        _, kept = literal_world(name, truth, found)
        scores = {row.score for _, row in kept}
        for k, threshold in enumerate(TIOU):
            expected = literal_f1(name, truth, found, threshold, cut)
            assert report.f1_at(cut)[k][2:] == pytest.approx(expected)
            each = [literal_f1(name, truth, found, threshold, x) for x in scores]
            best = max((f1 for f1, _, _ in each), default=0.0)
            assert report.best_f1()[k].f1 == pytest.approx(best, abs=1e-12)
