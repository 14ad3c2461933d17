"""What marks determine of snippets, and the loss on them, by hand."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from acmnet.network.acm_net import ACMNetOutput
from acmnet.training.first_stage.marked_snippets import (
    KnownLabels,
    MarkedInstance,
    MarkedPoint,
    SnippetMarks,
    WatchedStretch,
    known_labels,
    marked_loss,
)


def known(marks, n=8, n_classes=2):
    found = known_labels(marks, torch.arange(float(n)), n_classes)
    return found.label.T.tolist(), found.is_known.T.tolist()


def places(row):
    return [t for t, value in enumerate(row) if value]


def test_a_segment_determines_the_snippets_inside_and_nothing_else():
    label, is_known = known(SnippetMarks((MarkedInstance(1, 1.5, 4.0),)))
    assert places(label[1]) == places(is_known[1]) == [2, 3, 4]
    assert places(label[0]) == places(is_known[0]) == []


def test_a_point_determines_the_snippet_at_that_instant():
    label, is_known = known(SnippetMarks((), (MarkedPoint(0, 4.4),)))
    assert places(label[0]) == places(is_known[0]) == [4]
    assert places(is_known[1]) == []


def test_a_watched_stretch_determines_what_is_absent():
    watched = (WatchedStretch(0, 1.0, 5.0), WatchedStretch(1, 4.0, 9.0))
    label, is_known = known(SnippetMarks((MarkedInstance(0, 2.0, 3.0),), (), watched))
    assert places(label[0]) == [2, 3]
    assert places(is_known[0]) == [1, 2, 3, 4, 5]
    assert places(label[1]) == []
    assert places(is_known[1]) == [4, 5, 6, 7]


def test_around_a_point_nothing_is_absent():
    # where the action at the point starts and ends is not known
    watched = (WatchedStretch(0, 0.0, 9.0), WatchedStretch(1, 0.0, 9.0))
    _, is_known = known(SnippetMarks((), (MarkedPoint(0, 3.0),), watched))
    assert places(is_known[0]) == [3]
    assert places(is_known[1]) == list(range(8))


def test_a_segment_between_two_middles_takes_the_nearest():
    label, _ = known(SnippetMarks((MarkedInstance(0, 2.1, 2.3),)))
    assert places(label[0]) == [2]


def test_a_segment_in_another_part_of_the_video_determines_nothing():
    marks = SnippetMarks((MarkedInstance(0, 20.0, 24.0),), (MarkedPoint(1, 30.0),))
    assert not any(map(any, known(marks)[1]))


@given(st.floats(-5, 15), st.floats(0.01, 9), st.floats(-5, 15), st.floats(0.01, 9))
def test_what_is_there_is_known(start, length, from_, span):
    marks = SnippetMarks(
        (MarkedInstance(0, start, start + length),),
        (),
        (WatchedStretch(0, from_, from_ + span),),
    )
    found = known_labels(marks, torch.arange(10.0), 1)
    assert bool((found.is_known | (found.label == 0)).all())


def output_of(probability, attention, mask=None, is_shown=None):
    """Return an output whose softmax of the CAS is (T, C + 1), in a batch of one."""
    activation = torch.tensor(probability).log().unsqueeze(0)
    n = activation.shape[1]
    attended = torch.zeros(1, n, 3)
    attended[0, :, 0] = torch.tensor(attention)
    return ACMNetOutput(
        attention=attended,
        activation=activation,
        branch_activation=torch.zeros(1, 3, *activation.shape[1:]),
        video_logits=torch.zeros(1, 3, activation.shape[2]),
        branch_feature=torch.zeros(1, 3, 1),
        embedding=torch.zeros(1, n, 1),
        mask=torch.ones(1, n, dtype=torch.bool) if mask is None else mask,
        is_shown=is_shown,
    )


def batch_of(marks, n, n_classes):
    found = known_labels(marks, torch.arange(float(n)), n_classes)
    return KnownLabels(*(x.unsqueeze(0) for x in found))


CAS = [[0.5, 0.2, 0.3], [0.25, 0.25, 0.5], [0.1, 0.3, 0.6], [0.2, 0.2, 0.6]]
ATTENTION = [0.8, 0.5, 0.25, 0.9]


def test_the_loss_of_a_segment_and_a_watched_rest():
    # class 0 in snippets 0 and 1; snippet 2 was watched for all classes, 3 for class 1
    watched = (WatchedStretch(0, 0.0, 2.0), WatchedStretch(1, 0.0, 3.0))
    marks = SnippetMarks((MarkedInstance(0, 0.0, 1.0),), (), watched)
    expected = (
        -(math.log(0.8) + math.log(0.5)) / 2  # attention where class 0 is
        - (math.log(0.5) + math.log(0.25)) / 2  # its CAS there
        - math.log(1 - 0.25)  # attention where nothing is
        - (math.log(1 - 0.4) + math.log(1 - 0.2)) / 2  # CAS of what is absent
    )
    loss = marked_loss(output_of(CAS, ATTENTION), batch_of(marks, 4, 2))
    assert loss.tolist() == pytest.approx([expected])


def test_two_classes_at_once_share_a_snippet():
    marks = SnippetMarks((), (MarkedPoint(0, 1.0), MarkedPoint(1, 1.0)))
    expected = -math.log(0.5) - (math.log(0.25) + math.log(0.25)) / 2
    loss = marked_loss(output_of(CAS, ATTENTION), batch_of(marks, 4, 2))
    assert loss.tolist() == pytest.approx([expected])


def test_without_marks_there_is_no_loss():
    loss = marked_loss(output_of(CAS, ATTENTION), batch_of(SnippetMarks(), 4, 2))
    assert loss.tolist() == [0.0]


def test_padding_and_hidden_snippets_teach_no_class():
    marks = SnippetMarks((MarkedInstance(0, 0.0, 3.0),))
    here = torch.tensor([[True, True, False, False]])
    shown = torch.tensor([[False, True, True, True]])
    output = output_of(CAS, ATTENTION, mask=here, is_shown=shown)
    expected = -(math.log(0.8) + math.log(0.5)) / 2 - math.log(0.25)
    assert marked_loss(output, batch_of(marks, 4, 2)).tolist() == pytest.approx(
        [expected]
    )


def test_no_attention_at_all_stays_finite():
    marks = SnippetMarks((), (MarkedPoint(0, 0.0),))
    loss = marked_loss(output_of(CAS[:1], [0.0]), batch_of(marks, 1, 2))
    assert loss.isfinite().all()
