"""The paired bootstrap: by hand, against worlds that really repeat videos, laws."""

import dataclasses
import json
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acmnet.evaluation.comparison.bootstrap import compare, map_of_draws
from acmnet.evaluation.protocols import protocol
from acmnet.evaluation.reports import evaluate
from support.worlds import file_of, listed_file, truth_of

TIOU = (0.25, 0.5, 0.75)


def test_draws_by_hand():
    # Video a: its jump is found by the detection of score 2. Video b: its jump is
    # missed by the one of score 3.
    #   each once: false, true: 1/2 of 2 instances = 1/4; a twice: true, true of 2 = 1;
    #   b twice: 0; a three times and b once: false, then 1/2, 2/3, 3/4, interpolated
    #   3/4 each: (3 * 3/4) / 4 = 9/16
    truth = truth_of(a=[("jump", 0, 10)], b=[("jump", 0, 10)])
    found = file_of(a=[("jump", 0, 10, 2)], b=[("jump", 50, 60, 3)])
    ranking = evaluate(truth, found, tiou=(0.5,)).ranking
    counts = np.array([[1, 1], [2, 0], [0, 2], [3, 1], [0, 0]])
    expected = [[0.25], [1.0], [0.0], [9 / 16], [np.nan]]
    got = map_of_draws(ranking, counts)
    assert got == pytest.approx(np.array(expected), nan_ok=True)
    # not interpolated, three times and once: (1/2 + 2/3 + 3/4) / 4
    rules = dataclasses.replace(protocol("custom"), is_interpolated=False)
    ranking = evaluate(truth, found, tiou=(0.5,), protocol=rules).ranking
    got = map_of_draws(ranking, counts[3:4]).item()
    assert got == pytest.approx((1 / 2 + 2 / 3 + 3 / 4) / 4)


def test_a_class_that_was_not_drawn_is_left_out_of_the_mean():
    truth = truth_of(a=[("jump", 0, 10)], b=[("run", 0, 10)])
    ranking = evaluate(truth, file_of(a=[("jump", 0, 10, 1)]), tiou=(0.5,)).ranking
    got = map_of_draws(ranking, np.array([[1, 1], [2, 0], [0, 2]]))
    assert got.tolist() == [[0.5], [1.0], [0.0]]


spans = st.tuples(st.integers(0, 8), st.integers(1, 8)).map(
    lambda x: (x[0] / 2, (x[0] + x[1]) / 2)
)
truths = st.lists(
    st.tuples(st.sampled_from(("jump", "run", "Ambiguous")), spans), max_size=4
)
shown = truths.map(lambda rows: [("jump", (0, 2)), *rows])
detections = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from(("jump", "run")), spans),
    max_size=12,
)


@settings(deadline=None, max_examples=120)
@given(
    truth=st.fixed_dictionaries({"a": shown, "b": truths, "c": truths}),
    found=detections,
    scores=st.lists(st.integers(0, 3), min_size=12, max_size=12),
    counts=st.tuples(st.integers(1, 3), st.integers(0, 3), st.integers(0, 3)),
)
def test_draws_agree_with_videos_that_are_really_repeated(truth, found, scores, counts):
    rules = [
        protocol("custom"),
        dataclasses.replace(protocol("custom"), is_interpolated=False),
        protocol("thumos14-2014"),
    ]
    truth = {v: [(x, *span) for x, span in truth[v]] for v in "abc"}
    rows = [
        (video, label, *span, score)
        for (video, label, span), score in zip(found, scores, strict=False)
    ]
    copies = {
        v: [f"{v}{k}" for k in range(n)] for v, n in zip("abc", counts, strict=True)
    }
    for rule in rules:
        own = rows
        if rule.matching == "instance":
            # it ranks equal scores by video, which would tell copies apart
            own = [(*row[:-1], 100 * row[-1] + i) for i, row in enumerate(rows)]
        repeated = [(copy, *row[1:]) for row in own for copy in copies[row[0]]]
        many = evaluate(
            truth_of(**{c: truth[v] for v in "abc" for c in copies[v]}),
            listed_file([c for v in "abc" for c in copies[v]], repeated),
            tiou=TIOU,
            protocol=rule,
        )
        once = evaluate(
            truth_of(**truth), listed_file("abc", own), tiou=TIOU, protocol=rule
        )
        got = map_of_draws(once.ranking, np.array([counts]))[0]
        assert got == pytest.approx(many.map, abs=1e-12), rule.name


def reports(n=12):
    """Return a system that misses every third video, and one that misses none."""
    videos = [f"v{i}" for i in range(n)]
    truth = truth_of(**{v: [("jump", 0, 10)] for v in videos})
    found = {v: [("jump", 0, 10, i)] for i, v in enumerate(videos)}
    worse = {
        v: [("jump", 50, 60, i)] if i % 3 == 0 else found[v]
        for i, v in enumerate(videos)
    }
    return {
        "worse": evaluate(truth, file_of(**worse)),
        "better": evaluate(truth, file_of(**found)),
    }


def test_each_video_once_is_the_report_itself():
    for report in reports().values():
        got = map_of_draws(report.ranking, np.ones((1, 12), np.int64))[0]
        assert got == pytest.approx(report.map)


@pytest.mark.parametrize("at_once", [1, 3, 4, 100])
def test_draws_do_not_depend_on_how_many_are_made_at_once(monkeypatch, at_once):
    ranking = reports()["worse"].ranking
    counts = np.random.default_rng(0).multinomial(12, np.full(12, 1 / 12), size=8)
    whole = map_of_draws(ranking, counts)
    monkeypatch.setattr("acmnet.evaluation.comparison.bootstrap.DRAWS_AT_ONCE", at_once)
    np.testing.assert_allclose(map_of_draws(ranking, counts), whole, rtol=1e-12)


def test_a_comparison_is_of_the_same_draws():
    both = compare(reports(), draws=200, seed=3)
    assert (both.draws, both.seed, both.samples.shape) == (200, 3, (2, 200, 7))
    worse, better = both.interval("worse"), both.interval("better")
    assert (better.value, better.low, better.high) == (1.0, 1.0, 1.0)
    assert worse.low < worse.value < worse.high < 1
    assert worse.low < worse.mean < worse.high
    less = both.difference("better")
    # the better one is always 1, so the difference is 1 less the worse one's
    assert less == pytest.approx(
        (1 - worse.value, 1 - worse.mean, 1 - worse.high, 1 - worse.low)
    )
    assert both.difference("worse") == (0.0, 0.0, 0.0, 0.0)
    assert both.difference("better", tiou=0.5) == pytest.approx(less)
    again = compare(reports(), draws=200, seed=3)
    assert again.samples.tolist() == both.samples.tolist()
    other = compare(reports(), draws=200, seed=4)
    assert other.samples.tolist() != both.samples.tolist()


def test_a_comparison_as_json():
    content = json.loads(json.dumps(compare(reports(), draws=20).to_json()))
    assert (content["draws"], content["seed"], content["level"]) == (20, 0, 0.95)
    better = content["systems"]["better"]
    assert better["average_interval"] == dict.fromkeys(
        ("value", "mean", "low", "high"), 1.0
    )
    assert len(better["map_differences"]) == len(better["map_intervals"]) == 7
    assert better["protocol"] == "custom"


def test_draws_without_an_instance_are_left_out():
    # 4 videos, one with an instance: about a third of the draws have none
    truth = truth_of(a=[("jump", 0, 10)], b=[], c=[], d=[])
    report = evaluate(truth, file_of(a=[("jump", 0, 10, 1)]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = compare({"one": report}, draws=50)
    assert np.isnan(found.samples).any()
    assert found.interval("one") == (1.0, 1.0, 1.0, 1.0)


def test_an_interval_of_other_systems_is_that_of_resampled_figures():
    # the quantiles are those of the draws' averages
    both = compare(reports(), draws=101)
    averages = np.sort(both.samples[0].mean(axis=1))
    low, high = np.quantile(averages, (0.025, 0.975))
    found = both.interval("worse")
    assert (found.low, found.high) == pytest.approx((low, high))


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        pytest.param({"protocol": "thumos14-212"}, "protocols", id="protocol"),
        pytest.param({"tiou": (0.5,)}, "thresholds", id="thresholds"),
    ],
)
def test_refuses_reports_that_differ(change, kind):
    truth, found = truth_of(a=[("jump", 0, 10)]), file_of(a=[("jump", 0, 10, 1)])
    one, other = evaluate(truth, found), evaluate(truth, found, **change)
    with pytest.raises(
        ValueError, match=rf"'one' and 'other' were scored on different {kind}; eval"
    ):
        compare({"one": one, "other": other})


@pytest.mark.parametrize(
    ("other", "kind"),
    [
        pytest.param(truth_of(b=[("jump", 0, 10)]), "videos", id="videos"),
        pytest.param(truth_of(a=[("run", 0, 10)]), "classes", id="classes"),
        pytest.param(truth_of(a=[("jump", 0, 9)]), "instances", id="instances"),
    ],
)
def test_refuses_reports_of_other_truths(other, kind):
    one, two = evaluate(truth_of(a=[("jump", 0, 10)]), {}), evaluate(other, {})
    with pytest.raises(ValueError, match=rf"were scored on different {kind}; evaluate"):
        compare({"one": one, "two": two})


def test_refuses_what_cannot_be_drawn():
    with pytest.raises(ValueError, match=r"there is no report to compare; give at le"):
        compare({})
    with pytest.raises(ValueError, match=r"draws must be at least 1, got 0"):
        compare(reports(), draws=0)
    with pytest.raises(
        ValueError, match=r"tiou 0\.55 was not evaluated; choose one of"
    ):
        compare(reports(), draws=2).interval("worse", tiou=0.55)
