"""What a long recording teaches of a class that was marked in others."""

import pytest
import torch

from acmnet.training.first_stage.marked_snippets import (
    MarkedInstance,
    MarkedPoint,
    SnippetMarks,
    WatchedStretch,
)
from acmnet.training.second_stage.snippet_targets import (
    PseudoInstance,
    PseudoLabels,
    targets_of,
)
from acmnet.training.second_stage.unmarked_stretches import (
    MarkedClass,
    filling_classes,
    learned_elsewhere,
    marked_classes_of,
    score_elsewhere,
    without_fragments,
    without_guesses,
)

MOUNT, CHASE = 0, 1
FREQUENT = MarkedClass(12.0, 34.0, share=0.21)


def test_fragments_are_not_learned_and_nothing_is_learned_absent():
    """The teachers found a fragment of a mount, and missed what lies around it."""
    labels = PseudoLabels(
        (
            PseudoInstance(MOUNT, 10.0, 13.0, 1.0),
            PseudoInstance(MOUNT, 30.0, 46.0, 0.8),
            PseudoInstance(MOUNT, 60.0, 95.0, 0.7),
            PseudoInstance(CHASE, 50.0, 53.0, 1.0),
        ),
        (),
    )
    own = without_fragments(labels, {MOUNT: FREQUENT}, (MOUNT, CHASE))
    assert own.instances == labels.instances[1::2]

    after, before = (targets_of(x, torch.arange(100.0), 2, 0.5) for x in (own, labels))
    assert after.label[:, MOUNT].nonzero().ravel().tolist() == list(range(34, 43))
    assert set(after.label_weight[:34, MOUNT].tolist()) == {0.0}
    assert before.label_weight[20, MOUNT] == 1  # as absent
    assert torch.equal(after.label_weight[:, CHASE], before.label_weight[:, CHASE])


def test_other_classes_are_learned_as_before():
    fragment = PseudoInstance(MOUNT, 10.0, 11.0, 1.0)
    labels = PseudoLabels((fragment,), (CHASE,), (0.5,))
    assert without_fragments(labels, {MOUNT: FREQUENT}, (CHASE,)) == labels
    assert without_fragments(labels, {}, (MOUNT, CHASE)) == labels


def test_classes_that_fill_more_than_teachers_judge_by():
    """21 of 100 watched snippets, and 20 by which teachers judge a class."""
    own = SnippetMarks(
        (MarkedInstance(MOUNT, 0.0, 21.0), MarkedInstance(CHASE, 30.0, 40.0)),
        watched=(WatchedStretch(MOUNT, 0.0, 100.0), WatchedStretch(CHASE, 0.0, 100.0)),
    )
    assert list(filling_classes([own], 100.0, 20)) == [MOUNT]
    assert list(filling_classes([own], 95.0, 20)) == []
    assert list(filling_classes([own], 201.0, 20)) == [MOUNT, CHASE]


def test_marks_are_never_dropped():
    marked = PseudoInstance(MOUNT, 10.0, 11.0, 1.0, "marked")
    point = PseudoInstance(MOUNT, 20.0, 24.0, 1.0, "unknown")
    labels = PseudoLabels((marked, point), ())
    own = without_fragments(labels, {MOUNT: FREQUENT}, (MOUNT,))
    assert own == PseudoLabels((marked, point), (MOUNT,))


def test_marks_without_a_watched_stretch_show_nothing():
    """Nothing would teach where the class is absent."""
    segments = (MarkedInstance(MOUNT, 0.0, 6.0), MarkedInstance(CHASE, 3.0, 5.0))
    marks = SnippetMarks(segments, watched=(WatchedStretch(CHASE, 0.0, 10.0),))
    assert marked_classes_of([marks]) == {CHASE: MarkedClass(1.0, 4.0, 0.2)}
    assert marked_classes_of([SnippetMarks(segments)]) == {}


def segmented(*classes):
    """Return marks of a recording of 100 snippets that was watched as a whole."""
    return SnippetMarks(
        tuple(MarkedInstance(c, 10.0, 14.0) for c in classes),
        watched=tuple(WatchedStretch(c, 0.0, 100.0) for c in (MOUNT, CHASE)),
    )


def test_scores_are_compared_class_by_class():
    """Mount: (0.2 + 0.4) / 2 over 0.6; chase: 0.5 over (0.4 + 0.6) / 2."""
    best = {
        "a": {MOUNT: 0.6, CHASE: 0.4},
        "b": {MOUNT: 0.2, CHASE: 0.6},
        "c": {MOUNT: 0.4, CHASE: 0.5},
    }
    marks = {"a": segmented(MOUNT, CHASE), "b": segmented(CHASE)}
    assert score_elsewhere(best, marks) == pytest.approx((0.5 + 1.0) / 2)


@pytest.mark.parametrize("marked", ["ab", ""])
def test_without_both_kinds_of_recordings_nothing_is_compared(marked):
    best = {"a": {MOUNT: 0.6}, "b": {MOUNT: 0.1}}
    assert score_elsewhere(best, {v: segmented(MOUNT) for v in marked}) == 1.0


def test_guesses_are_dropped_and_nothing_is_learned_absent():
    guess = PseudoInstance(MOUNT, 30.0, 34.0, 1.0)
    around_point = PseudoInstance(MOUNT, 50.0, 54.0, 1.0)
    other = PseudoInstance(CHASE, 70.0, 74.0, 0.8)
    labels = PseudoLabels((guess, around_point, other), ())
    points = (MarkedPoint(MOUNT, 52.0), MarkedPoint(CHASE, 32.0))
    own = without_guesses(labels, (MOUNT,), (MOUNT, CHASE), points)
    assert own == PseudoLabels((around_point, other), (MOUNT,))
    # a recording that is not named for the class still teaches that it is absent
    assert without_guesses(labels, (MOUNT,), (CHASE,), ()) == labels


@pytest.mark.parametrize(
    ("elsewhere", "is_by_heart"), [(0.44, True), (0.46, False), (0.6, False)]
)
def test_teachers_that_are_less_sure_elsewhere_teach_nothing_there(
    elsewhere, is_by_heart
):
    """0.44 is less than nine tenths of 0.5, and 0.46 is not."""
    marked = PseudoInstance(MOUNT, 10.0, 14.0, 1.0, "marked")
    guess = PseudoInstance(MOUNT, 30.0, 34.0, 1.0)
    marks = {"a": segmented(MOUNT)}
    labels = {
        "a": PseudoLabels((marked,), (), (0.5,), marks["a"].absent()),
        "b": PseudoLabels((guess,), (CHASE,), (elsewhere,)),
    }
    named = {"a": (MOUNT,), "b": (MOUNT, CHASE)}
    learned, found = learned_elsewhere(labels, named, marks, 100.0, 20)
    assert found == is_by_heart
    assert learned["b"].instances == (() if is_by_heart else (guess,))
    before, after = (
        targets_of(x["a"], torch.arange(100.0), 2, 0.5) for x in (labels, learned)
    )
    assert torch.equal(before.label_weight, after.label_weight)
    assert torch.equal(before.label, after.label)


def test_of_classes_that_nobody_watched_for_teachers_are_believed():
    guess = PseudoInstance(MOUNT, 30.0, 34.0, 1.0)
    labels = {
        "a": PseudoLabels((), (), (0.5,)),
        "b": PseudoLabels((guess,), (), (0.1,)),
    }
    unwatched = {"a": SnippetMarks((MarkedInstance(MOUNT, 10.0, 14.0),))}
    named = {"a": (MOUNT,), "b": (MOUNT,)}
    assert learned_elsewhere(labels, named, unwatched, 100.0, 20) == (labels, False)
