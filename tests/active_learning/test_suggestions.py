"""What is worth a look: uncertain spans, few examples, and no repetition."""

import dataclasses

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given

from acmnet.active_learning.suggestions import (
    SEEN_S,
    Assessed,
    assess,
    shown_scores,
    suggestions_of,
)
from acmnet.active_learning.uncertain_spans import (
    SPEEDS,
    UncertainSpan,
    localize_at_speed,
    uncertain_spans_of,
)
from acmnet.data.labelled_features import DataSource, open_data
from acmnet.data.labels.annotations import Instance, Point, WatchedSpan
from acmnet.data.labels.marks import VideoMarks
from acmnet.models.stored_model import load
from acmnet.models.trained_model import TrainedModel
from acmnet.network.acm_net import ACMNet
from acmnet.recipes import Settings
from acmnet.segments import Segment, SnippetGrid

NAMES = ("jump", "run", "fall")
GRID = SnippetGrid(fps=10, snippet_frames=10, stride_frames=10)
SHOWN = dict.fromkeys(NAMES, 0.5)


def uncertain_span(label, start_s=0.0, **changes):
    made = {"label": label, "segment": Segment(start_s, start_s + 1.0)}
    usual = {"score": 0.5, "shown_from": 0.5, "passes": 4, "finding": 4}
    return UncertainSpan(**(made | usual | {"overlap": 0.9} | changes))


def assessed(uncertain, pooled=None, marked=(0, 0, 0), touched=()):
    """Return what is known of videos; each is unlike all others unless it is said."""
    table = np.eye(len(uncertain)) * 10.0
    own = dict(zip(uncertain, table, strict=True))
    own |= {k: np.asarray(v, dtype=float) for k, v in (pooled or {}).items()}
    return Assessed(
        uncertain={k: tuple(v) for k, v in uncertain.items()},
        pooled=own,
        marked=dict(zip(NAMES, marked, strict=True)),
        untouched=frozenset(own) - set(touched),
    )


def order(known, count=99):
    return [one.video for one in suggestions_of(known, count)]


# ---- which videos, and in which order


def test_where_the_networks_disagree_comes_first():
    known = {
        "sure": [uncertain_span("jump", score=0.95)],
        "near": [uncertain_span("jump")],
        "apart": [uncertain_span("jump", overlap=0.2, finding=3)],
    }
    assert order(assessed(known)) == ["apart", "near", "sure"]


def test_a_class_without_examples_comes_before_one_with_many():
    known = {"a": [uncertain_span("jump", overlap=0.5)], "b": [uncertain_span("run")]}
    assert order(assessed(known)) == ["a", "b"]
    assert order(assessed(known, marked=(9, 0, 0))) == ["b", "a"]
    (first, _) = suggestions_of(assessed(known, marked=(9, 0, 0)), 2)
    assert "no example of 'run' is marked yet" in first.why
    (first, _) = suggestions_of(assessed(known, marked=(9, 1, 0)), 2)
    assert "only 1 example of 'run' is marked" in first.why


def test_ten_suggestions_are_not_ten_times_the_same():
    """Of videos that are equal one is taken before a lesser one of another kind."""
    twins = {f"twin_{i}": [uncertain_span("jump", overlap=0.5)] for i in range(10)}
    known = {**twins, "other": [uncertain_span("run")]}
    assert order(assessed(known), 2) == ["twin_0", "other"]
    # and where the class is the same, the features tell them apart
    known = {**twins, "other": [uncertain_span("jump", overlap=0.6)]}
    pooled = {**{x: [0.0, 0.0] for x in twins}, "other": [9.0, 9.0]}
    first = suggestions_of(assessed(known, pooled), 2)
    assert [x.video for x in first] == ["twin_0", "other"]
    assert "it stands for 9 other videos like it" in first[0].why
    assert "like it" not in first[1].why


def test_what_is_like_a_marked_video_is_worth_less():
    known = {"a": [uncertain_span("jump")], "b": [uncertain_span("jump")], "marked": []}
    pooled = {"a": [0.0], "marked": [0.0], "b": [5.0]}
    assert order(assessed(known, pooled)) == ["a", "b"]
    assert order(assessed(known, pooled, touched=["marked"])) == ["b", "a"]


@hypothesis.settings(max_examples=40)
@given(
    st.lists(
        st.lists(st.tuples(st.sampled_from(NAMES), st.floats(0, 1)), max_size=4),
        max_size=8,
    ),
    st.tuples(*[st.integers(0, 5)] * 3),
)
def test_laws_of_the_order(videos, marked):
    uncertain = {
        f"v{i}": [uncertain_span(name, overlap=x) for name, x in own]
        for i, own in enumerate(videos)
    }
    known = assessed(uncertain, marked=marked)
    whole = suggestions_of(known, 99)
    # every video with an uncertain span, once; fewer are the first of more
    assert sorted(x.video for x in whole) == sorted(
        k for k, v in uncertain.items() if v
    )
    for count in range(1, len(whole) + 1):
        assert suggestions_of(known, count) == whole[:count]
    for one in whole:
        assert one.why.startswith(one.spans[0].why)
        assert {x.span for x in one.spans} <= set(uncertain[one.video])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"finding": 1},
            "1 of 4 passes over the video finds 'jump' from 2.0 s to 3.0 s",
        ),
        (
            {"finding": 3},
            "3 of 4 passes over the video find 'jump' from 2.0 s to 3.0 s",
        ),
        ({"finding": 0, "score": 0.0}, "'jump' was named and found nowhere"),
        (
            {"overlap": 0.6},
            "the passes over the video place 'jump' differently from 2.0 s to 3.0 s: "
            "what they find overlaps by 60%",
        ),
        (
            {"score": 0.55},
            "the score 0.55 of 'jump' from 2.0 s to 3.0 s is near 0.50, from which it "
            "is shown",
        ),
        ({"score": 0.99}, "an example of 'jump' from 2.0 s to 3.0 s"),
    ],
)
def test_reasons_in_words(changes, words):
    (one,) = suggestions_of(
        assessed({"a": [uncertain_span("jump", 2.0, **changes)]}), 1
    )
    assert one.spans[0].why == words


# ---- where networks are unsure


def model_of(n_networks, names=NAMES):
    torch.manual_seed(0)
    networks = [ACMNet(feature_dim=8, n_classes=len(names)) for _ in range(n_networks)]
    return TrainedModel(
        networks=tuple(networks), settings=Settings(), class_names=names, grid=GRID
    )


def test_an_action_that_was_named_and_not_found_is_uncertain():
    """Untrained, a network finds nothing with a score near the limit."""
    model = model_of(1)
    features = np.zeros((20, 8), dtype=np.float32)
    (one,) = uncertain_spans_of(model, features, ["run"], SHOWN)
    assert (one.label, one.finding, one.score) == ("run", 0, 0.0)
    assert one.segment == Segment(0.0, GRID.span_s(20))
    assert uncertain_spans_of(model, features, [], SHOWN) == []  # nothing is in it
    assert (
        uncertain_spans_of(model, features, None, SHOWN) == []
    )  # nobody knows what is


def test_equal_networks_agree_and_others_do_not():
    features = np.random.default_rng(0).normal(0, 3, (40, 8)).astype(np.float32)
    limits = dict.fromkeys(NAMES, 0.1)
    three = model_of(3)
    alike = dataclasses.replace(three, networks=three.networks[:1] * 3)
    found = uncertain_spans_of(alike, features, ["run"], limits)
    assert found
    joint = [x for x in found if x.score]
    assert {x.passes for x in joint} == {6}  # all, each alone, and two other speeds
    assert min(x.finding for x in joint) >= 4
    apart = uncertain_spans_of(three, features, ["run"], limits)
    assert min(x.overlap for x in apart) < 0.5 < max(x.informativeness for x in found)
    single = dataclasses.replace(three, networks=three.networks[:1])
    alone = uncertain_spans_of(single, features, ["run"], limits)
    assert {x.passes for x in alone} == {3}
    # no two spans of a class are about the same place
    for i, one in enumerate(apart):
        for other in apart[:i]:
            a, b = one.segment, other.segment
            both = min(a.end_s, b.end_s) - max(a.start_s, b.start_s)
            assert both < 0.5 * min(a.length_s, b.length_s)


@pytest.mark.parametrize("speed", SPEEDS)
def test_another_speed_finds_a_slow_action_at_its_own_times(speed):
    """What lasts long is the same at any speed, so only its edges can move."""
    features = np.zeros((60, 8), dtype=np.float32)
    features[20:40] = np.random.default_rng(1).normal(0, 9, 8)
    model = model_of(1)
    usual = model.localize(features, classes=["run"])
    other = localize_at_speed(model, features, speed, ["run"])
    best = [x.only(np.argsort(-x.score)[:1]) for x in (usual, other)]
    assert abs(best[0].start_s - best[1].start_s) < 2 * GRID.stride_frames / GRID.fps
    assert abs(best[0].end_s - best[1].end_s) < 2 * GRID.stride_frames / GRID.fps
    # the last snippet, and a video of a single one, are no special case
    assert localize_at_speed(model, features[:1], speed, None).class_names == NAMES


@given(st.floats(0, 1), st.floats(0.01, 0.99))
def test_a_score_is_nearest_at_the_limit(score, limit):
    one, at = (uncertain_span("run", score=x, shown_from=limit) for x in (score, limit))
    assert 0.0 <= one.nearness <= at.nearness == 1.0
    assert 0.0 <= one.informativeness <= 1.0


# ---- a run


@pytest.fixture(scope="module")
def known(tiny_run, tiny_world):
    data = open_data(DataSource(*tiny_world, "training"))
    model = load(tiny_run)
    return model, data, shown_scores(tiny_run, model.settings)


def test_true_segments_change_nothing(known):
    """What is suggested follows from names: nobody has given the segments."""
    model, data, limits = known
    moved = {
        k: dataclasses.replace(v, instances=())
        for k, v in data.annotations.videos.items()
    }
    bare = dataclasses.replace(data.annotations, videos=moved)
    other = dataclasses.replace(data, annotations=bare)
    first, second = (assess(model, x, x.labels, {}, limits) for x in (data, other))
    assert suggestions_of(first, 5) == suggestions_of(second, 5) != []


def test_what_was_seen_is_not_suggested(known):
    model, data, limits = known
    before = assess(model, data, data.labels, {}, limits)
    (best, *_) = suggestions_of(before, 1)
    here = best.spans[0].span.segment
    length_s = data.store.grid.span_s(data.store.shape(best.video)[0])
    near = here.end_s + SEEN_S / 2
    for marks in (
        VideoMarks(points=(Point("clap", here.start_s),)),
        VideoMarks(segments=(Instance("clap", Segment(near, near + 1.0)),)),
        VideoMarks(watched=(WatchedSpan(None, Segment(0.0, length_s)),)),
    ):
        after = assess(model, data, data.labels, {best.video: marks}, limits)
        left = [x.segment for x in after.uncertain[best.video]]
        assert here not in left
        assert before.uncertain.keys() == after.uncertain.keys()
        assert best.video not in after.untouched
        n_marks = len(marks.points) + len(marks.segments)
        assert sum(after.marked.values()) == n_marks
