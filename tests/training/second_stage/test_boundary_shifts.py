"""How far teachers' boundaries are off, from segments and from points, by hand."""

import numpy as np
import pytest

from acmnet.training.first_stage.marked_snippets import MarkedInstance, MarkedPoint
from acmnet.training.second_stage.boundary_shifts import (
    LARGEST_SHIFT,
    LEAST_PROPOSAL_FACTOR,
    POINT_WEIGHT,
    PRIOR_WEIGHT,
    Evidence,
    boundary_shifts,
    segment_evidence,
)
from acmnet.training.second_stage.snippet_targets import PseudoInstance


def seen(start=10.0, end=20.0, c=0):
    return PseudoInstance(c, start, end, 1.0)


def segments(n, start, end, c=0):
    """Return n segments that begin and end so far into the teachers' instance."""
    mark = MarkedInstance(c, 10.0 + 10 * start, 10.0 + 10 * end)
    return [Evidence(c, seen(c=c), mark)] * n


def points(places, c=0):
    return [
        Evidence(c, seen(c=c), MarkedPoint(c, 10.0 + 10 * place)) for place in places
    ]


def test_no_marks_move_nothing():
    assert boundary_shifts([]) == ({}, (0.0, 0.0), (1.0, 1.0))


def test_segments_move_boundaries_as_far_as_they_are_many():
    found = boundary_shifts(segments(6, 0.1, 0.8))
    other_classes = 6 / (6 + PRIOR_WEIGHT)
    assert found.other_classes == pytest.approx(
        (0.1 * other_classes, -0.2 * other_classes)
    )
    own = (6 + PRIOR_WEIGHT * other_classes) / (6 + PRIOR_WEIGHT)
    assert found.of_class[0] == pytest.approx((0.1 * own, -0.2 * own))


def test_teachers_count_less_the_more_marks_there_are():
    beside_segments = boundary_shifts(segments(6, 0.1, 0.8)).trust
    # segments teach the teachers, too, so that their proposals keep their weight
    assert beside_segments == (PRIOR_WEIGHT / (6 + PRIOR_WEIGHT), 1.0)
    few = boundary_shifts(points(np.linspace(0.05, 0.95, 2))).trust
    beside = PRIOR_WEIGHT / (2 * POINT_WEIGHT + PRIOR_WEIGHT)
    assert few == (beside, beside)
    many = boundary_shifts(points(np.linspace(0.05, 0.95, 12))).trust
    beside = PRIOR_WEIGHT / (12 * POINT_WEIGHT + PRIOR_WEIGHT)
    assert many == (beside, LEAST_PROPOSAL_FACTOR)


def test_each_class_has_a_shift_of_its_own():
    found = boundary_shifts(
        segments(50, 0.2, 1.0) + segments(50, -0.1, 1.0, c=1) + segments(50, 0.2, 1, 2)
    )
    assert found.of_class[0].start == pytest.approx(0.2, abs=0.01)
    assert found.of_class[1].start == pytest.approx(-0.1, abs=0.02)
    assert found.other_classes.start == pytest.approx(0.2, abs=0.01)


def test_even_points_show_how_far_actions_reach():
    # actions begin at 0.2 and end at 0.9 of what the teachers see
    places = np.random.default_rng(0).uniform(0.2, 0.9, 400)
    found = boundary_shifts(points(places))
    assert found.of_class[0] == pytest.approx((0.2, -0.1), abs=0.02)


def test_points_in_the_middle_of_actions_do_not():
    places = np.random.default_rng(0).normal(0.5, 0.08, 400)
    assert boundary_shifts(points(places)) == ({}, (0.0, 0.0), (1.0, 1.0))
    early = np.random.default_rng(0).exponential(0.15, 400) + 0.25
    assert boundary_shifts(points(early)) == ({}, (0.0, 0.0), (1.0, 1.0))


def test_shifts_turn_no_instance_around():
    found = boundary_shifts(segments(500, 0.7, 0.75))
    assert found.of_class[0] == (LARGEST_SHIFT, pytest.approx(-0.25, abs=0.01))
    moved = found.of_class[0].of(seen())
    assert moved.start < moved.end


def test_a_segment_is_compared_with_the_instance_that_it_overlaps_most():
    instances = [seen(0, 10), seen(8, 20), seen(9, 19, c=1)]
    marks = [MarkedInstance(0, 9.0, 21.0), MarkedInstance(0, 30.0, 40.0)]
    assert segment_evidence(marks, instances) == [Evidence(0, instances[1], marks[0])]
