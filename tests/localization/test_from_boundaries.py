"""A student's outputs as detections: arithmetic, limits, refusals."""

import numpy as np
import pytest

from acmnet.localization import from_boundaries
from acmnet.localization.from_boundaries import VideoCandidates, localize_candidates
from acmnet.segments import Detections, SnippetGrid

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
