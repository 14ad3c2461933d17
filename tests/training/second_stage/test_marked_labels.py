"""What a student learns where a person marked times, by hand."""

import torch

from acmnet.training.first_stage.marked_snippets import (
    MarkedInstance,
    MarkedPoint,
    SnippetMarks,
    WatchedStretch,
)
from acmnet.training.second_stage.marked_labels import ASSUMED_REACH, with_marks
from acmnet.training.second_stage.snippet_targets import (
    PseudoInstance,
    PseudoLabels,
    targets_of,
)

SAID = PseudoLabels(
    (
        PseudoInstance(0, 2.0, 6.0, 1.0),
        PseudoInstance(0, 10.0, 14.0, 0.6),
        PseudoInstance(1, 4.0, 8.0, 0.7),
    ),
    unplaced=(2,),
)


def learned(marks, proposals=()):
    return with_marks(SAID, marks, proposals)


def test_without_marks_the_teachers_word_stands():
    assert learned(SnippetMarks()) == SAID


def test_a_segment_replaces_what_the_teachers_see_there_of_its_class():
    found = learned(SnippetMarks((MarkedInstance(0, 5.0, 9.0),)))
    assert set(found.instances) == {
        PseudoInstance(0, 10.0, 14.0, 0.6),
        PseudoInstance(1, 4.0, 8.0, 0.7),
        PseudoInstance(0, 5.0, 9.0, 1.0, "marked"),
    }


def test_in_watched_stretches_the_teachers_other_instances_are_dropped():
    found = learned(SnippetMarks(watched=(WatchedStretch(0, 0.0, 9.0),)))
    assert found.instances == SAID.instances[1:]


def test_an_instance_that_reaches_into_a_watched_stretch_is_cut_there():
    found = learned(SnippetMarks(watched=(WatchedStretch(0, 12.5, 20.0),)))
    assert PseudoInstance(0, 10.0, 12.5, 0.6) in found.instances


def test_a_point_grows_to_the_best_proposal_around_it():
    proposals = (
        PseudoInstance(0, 7.0, 9.0, 0.3),
        PseudoInstance(0, 6.5, 9.5, 0.5),
        PseudoInstance(0, 0.0, 20.0, 0.8),  # holds another point of its class
        PseudoInstance(1, 7.0, 9.0, 0.9),  # of another class
        PseudoInstance(0, 9.0, 11.0, 0.9),  # not around it
    )
    points = (MarkedPoint(0, 8.0), MarkedPoint(0, 19.0))
    found = learned(SnippetMarks((), points), proposals)
    assert PseudoInstance(0, 6.5, 9.5, 1.0) in found.instances
    # no proposal is left for the other one
    other = (19.0 - ASSUMED_REACH, 19.0 + ASSUMED_REACH)
    assert PseudoInstance(0, *other, 1.0, "unknown") in found.instances


def test_the_middle_of_a_segment_is_learned_and_nothing_beside_its_ends():
    watched = (WatchedStretch(0, 0.0, 10.0),)
    labels = learned(SnippetMarks((MarkedInstance(0, 5.0, 9.0),), watched=watched))
    found = targets_of(labels, torch.arange(10.0), 3, 0.6, 5.0)
    assert found.label[:, 0].tolist() == [0] * 6 + [1] * 3 + [0]
    assert found.label_weight[:, 0].tolist() == [1] * 5 + [0, 1, 1, 1, 0]
    assert found.distance[6:9].tolist() == [[1, 3], [2, 2], [3, 1]]
    assert found.distance_weight[6:9].tolist() == [5] * 3


def test_targets_of_an_instance_of_unknown_extent_are_its_middle():
    labels = PseudoLabels((PseudoInstance(0, 2.0, 6.0, 1.0, "unknown"),), ())
    found = targets_of(labels, torch.arange(9.0), 1, 0.6)
    assert found.label[:, 0].tolist() == [0, 0, 0, 0, 1, 0, 0, 0, 0]
    assert found.label_weight[:, 0].tolist() == [1, 1, 0, 0, 1, 0, 0, 1, 1]
    assert found.distance_weight.tolist() == [0] * 9


def test_a_watched_stretch_teaches_that_an_unplaced_class_is_absent():
    marks = SnippetMarks(watched=(WatchedStretch(2, 3.0, 5.0),))
    found = targets_of(learned(marks), torch.arange(8.0), 3, 0.6)
    assert found.label_weight[:, 2].tolist() == [0, 0, 0, 1, 1, 1, 0, 0]
    assert found.label[:, 2].tolist() == [0] * 8


def test_a_marked_segment_is_surer_than_the_teachers_best():
    marks = SnippetMarks((MarkedInstance(1, 3.0, 6.0),))
    found = targets_of(learned(marks), torch.arange(8.0), 3, 1.0)
    # the teachers' instance of class 0 lies there, too
    assert found.distance[4].tolist() == [1, 2]
