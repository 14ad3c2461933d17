"""A student's outputs as detections: arithmetic, limits, refusals."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from acmnet.localization import from_boundaries
from acmnet.localization.from_boundaries import (
    VideoCandidates,
    best_candidates,
    localize_candidates,
)
from acmnet.segments import Detections, SnippetGrid
from support.twins_localization import suppressed_softly

GRID = SnippetGrid(fps=10, snippet_frames=10, stride_frames=10)
# one snippet a second: the middle of snippet t lies at t + 0.5 s


def found_in(probability, distance, names="ab", sigma=0.5, beside=None):
    candidates = VideoCandidates(
        probability=np.array(probability, dtype=np.float32),
        distance=np.array(distance, dtype=np.float32),
        grid=GRID,
        class_names=tuple(names),
        of_teachers=None if beside is None else Detections.of(tuple(names), beside),
    )
    return localize_candidates(candidates, sigma)


def test_one_snippet_is_one_interval_around_its_middle():
    # snippet 2 (2.5 s): 1.5 snippets back, 2 on: [1.0, 4.5] s
    found = found_in([[0, 0]] * 2 + [[0.75, 0]] + [[0, 0]] * 3, [[1.5, 2.0]] * 6)
    assert [(d.label, d.start_s, d.end_s, d.score) for d in found] == [
        ("a", 1.0, 4.5, 0.75)
    ]


def test_a_better_neighbour_decays_the_lesser():
    # snippets 1 and 2 both say [1, 3] s: the lesser is left exp(-1 / 0.5) of its score
    found = found_in([[0, 0], [0.9, 0], [0.5, 0]], [[0, 0], [0.5, 1.5], [1.5, 0.5]])
    assert found.score.tolist() == pytest.approx([0.9, 0.5 * np.exp(-2)], rel=1e-6)


def test_intervals_stay_inside_the_video_and_empty_ones_are_none():
    found = found_in([[0.9, 0], [0, 0.8], [0.7, 0]], [[5, 0.5], [0, 0], [0, 50]])
    assert [(d.label, d.start_s, d.end_s) for d in found] == [
        ("a", 0.0, 1.0),
        ("a", 2.5, 3.0),
    ]


def test_the_improbable_is_left_out():
    assert len(found_in([[0.0099, 0.0101]], [[1, 1]])) == 1
    assert len(found_in([[0.0, 0.0]], [[1, 1]])) == 0


def test_candidates_beside_take_part_in_one_soft_nms():
    # the student says a in [1, 3] s; beside it the same, surer, and b in [0, 2] s:
    # of the student's is left exp(-1 / 0.5), and another class decays nothing
    ours = [[0, 0], [0.5, 0], [0, 0]], [[0, 0], [0.5, 1.5], [0, 0]]
    found = found_in(*ours, beside=[(0.0, 2.0, 0.4, 1), (1.0, 3.0, 0.9, 0)])
    assert [(d.label, d.start_s, d.end_s) for d in found] == [
        *(("a", 1.0, 3.0), ("a", 1.0, 3.0)),
        ("b", 0.0, 2.0),
    ]
    assert found.score.tolist() == pytest.approx([0.9, 0.5 * np.exp(-2), 0.4])


def test_the_improbable_beside_is_left_out():
    # a contrast may be negative: such a proposal says nothing
    beside = [(0.0, 1.0, 0.009, 0), (0.0, 1.0, -0.5, 1)]
    assert len(found_in([[0.0, 0.0]], [[1, 1]], beside=beside)) == 0


def test_a_video_gives_the_surest_detections_and_no_more_than_it_has_snippets(
    monkeypatch,
):
    # eight snippets, two classes: sixteen detections of which none overlaps another
    score = np.linspace(0.9, 0.15, 16).reshape(8, 2)
    apart = np.full((8, 2), 0.4)
    assert len(found_in(score, apart)) == 16
    monkeypatch.setattr(from_boundaries, "MOST_DETECTIONS", 3)
    found = found_in(score, apart)
    assert found.score.tolist() == pytest.approx(
        [*score[:4, 0], *score[:4, 1]]
    )  # the eight best of all, by class


def test_only_the_surest_enter_soft_nms(monkeypatch):
    monkeypatch.setattr(from_boundaries, "MOST_CANDIDATES", 3)
    probability = np.linspace(0.1, 0.9, 9).reshape(9, 1)
    found = found_in(probability, [[0.4, 0.4]] * 9, names="a")
    assert found.score.tolist() == pytest.approx([0.9, 0.8, 0.7])


quarters = st.integers(0, 9).map(lambda x: x / 4)
eighths = st.sampled_from([0.0, 1 / 512, 1 / 64, 0.25, 0.5, 0.5, 0.875, 1.0])


@settings(deadline=None)
@given(
    st.lists(st.tuples(eighths, eighths, quarters, quarters), min_size=1, max_size=7),
    st.lists(
        st.tuples(quarters, st.integers(1, 8), eighths, st.integers(0, 1)), max_size=4
    ),
    st.booleans(),
)
# of two proposals of a class, the first is the better one
@example([(0.0, 0.0, 0.0, 0.0)], [(0.0, 4, 0.875, 1), (0.25, 3, 0.5, 1)], False)
def test_detections_and_best_scores_are_those_of_a_literal_twin(
    snippets, proposals, is_alone
):
    # exact in binary, so that equal scores and intervals are common
    beside = [(a, a + n / 4, score, label) for a, n, score, label in proposals]
    candidates = VideoCandidates(
        probability=np.array([x[:2] for x in snippets], np.float32),
        distance=np.array([x[2:] for x in snippets], np.float32),
        grid=GRID,
        class_names=("a", "b"),
        of_teachers=None if is_alone else Detections.of(("a", "b"), beside),
    )
    expected = []
    for label in (0, 1):
        own = []
        for t, (*probability, back, on) in enumerate(snippets):
            span = max(t + 0.5 - back, 0.0), min(t + 0.5 + on, float(len(snippets)))
            own += [(*span, probability[label])] * (span[0] < span[1])
        own += [x[:3] for x in beside if x[3] == label and not is_alone]
        own = sorted((x for x in own if x[2] >= 0.01), key=lambda x: -x[2])
        order, decayed = suppressed_softly(own, [x[2] for x in own], 0.5)
        expected += [
            (label, *own[i][:2], pytest.approx(score))
            for i, score in zip(order, decayed, strict=True)
            if score >= 0.001
        ]
    found = localize_candidates(candidates, 0.5)
    rows = zip(found.class_index, found.start_s, found.end_s, found.score, strict=True)
    assert list(rows) == expected
    best = [found.score[found.class_index == c].max(initial=-np.inf) for c in (0, 1)]
    assert best_candidates(candidates).tolist() == best


@pytest.mark.parametrize(
    ("probability", "distance", "message"),
    [
        ([[0.1]], [[1, 1]], r"probability must have shape \(1, 2\), got \(1, 1\)"),
        ([[0.1, 0]], [[1]], r"distance must have shape \(1, 2\), got \(1, 1\)"),
        ([[np.nan, 0]], [[1, 1]], "probability must be finite"),
        ([[0.1, 0]], [[np.inf, 1]], "distance must be finite"),
    ],
)
def test_what_is_no_output_is_refused(probability, distance, message):
    with pytest.raises(ValueError, match=message):
        found_in(probability, distance)
