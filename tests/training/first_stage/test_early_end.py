"""When the names of training videos count as learned, with losses summed on paper."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from acmnet.training.first_stage.training_settings import TrainingSettings
from acmnet.training.first_stage.weak_task import EarlyEnd, bounds

HALF = torch.tensor([[1.0], [1.0], [0.0], [0.0]])


def test_a_class_in_half_of_the_videos_is_worth_ln_2():
    least, constant = bounds(HALF)
    assert least == 0.0
    assert constant == pytest.approx(math.log(2))


def test_two_classes_in_a_video_cannot_be_told_with_less_than_ln_2():
    # targets (1/2, 1/2, 0) and (0, 1, 0); their mean is (1/4, 3/4, 0)
    least, constant = bounds(torch.tensor([[1.0, 1.0], [0.0, 1.0]]))
    assert least == pytest.approx(math.log(2) / 2)
    assert constant == pytest.approx(-0.25 * math.log(0.25) - 0.75 * math.log(0.75))


@given(
    st.lists(st.lists(st.booleans(), min_size=3, max_size=3), min_size=1, max_size=6)
)
def test_a_constant_answer_is_never_better_than_the_best_one(videos):
    least, constant = bounds(torch.tensor(videos, dtype=torch.float64))
    assert constant >= least - 1e-12
    if all(video == videos[0] for video in videos):
        assert constant == pytest.approx(least)


def test_names_are_learned_below_a_quarter_of_what_a_constant_answer_loses():
    threshold = 0.25 * math.log(2)
    ends = EarlyEnd(HALF, 2.0)
    assert ends(40, 3, threshold + 1e-6) == 0
    assert ends(40, 3, threshold - 1e-6) == 80


def test_losses_count_from_the_least_possible_one():
    # of two videos, one shows two classes: bounds above
    labels = torch.tensor([[1.0, 1.0], [0.0, 1.0]])
    least, constant = bounds(labels)
    ends = EarlyEnd(labels, 1.5)
    assert ends(41, 3, 0.74 * least + 0.26 * constant) == 0
    assert ends(41, 3, 0.76 * least + 0.24 * constant) == 62


def test_a_training_that_ends_early_has_taken_50_steps():
    ends = EarlyEnd(HALF, 2.0)
    assert ends(3, 1, 0.0) == 50
    assert ends(3, 2, 0.0) == 25
    assert ends(3, 20, 0.0) == 6  # 120 steps


def test_labels_that_are_the_same_in_all_videos_are_never_learned():
    assert EarlyEnd(torch.ones(4, 1), 2.0)(90, 3, 0.0) == 0


@pytest.mark.parametrize("factor", [0.5, -1.0, math.nan])
def test_a_factor_below_1_is_refused(factor):
    with pytest.raises(ValueError, match="early_end"):
        TrainingSettings(early_end=factor)
