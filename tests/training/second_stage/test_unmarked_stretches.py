"""What a long recording teaches of a class that was marked in others."""

import torch

from acmnet.training.first_stage.marked_snippets import (
    MarkedInstance,
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
    marked_classes_of,
    without_fragments,
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
