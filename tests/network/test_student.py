"""The second stage's network: padding, reach, settings."""

import pytest
import torch

from acmnet.network.network_settings import StudentSettings
from acmnet.network.student import Student

SMALL = StudentSettings(width=8, layers=3)


def outputs(student, features, mask=None):
    with torch.inference_mode():
        return student.eval()(features, mask)


def test_shapes_and_ranges():
    found = outputs(Student(5, 4, SMALL), torch.randn(2, 9, 5))
    assert found.logits.shape == (2, 9, 4)
    assert found.distance.shape == (2, 9, 2)
    assert (found.distance >= 0).all()


def test_padding_changes_no_number_of_a_video():
    student = Student(5, 4, SMALL)
    video = torch.randn(1, 11, 5)
    alone = outputs(student, video)
    padded = torch.cat((video, torch.full((1, 6, 5), 1e3)), dim=1)
    mask = torch.arange(17)[None] < 11
    beside = outputs(student, padded, mask)
    for one, other in zip(alone, beside, strict=True):
        torch.testing.assert_close(one, other[:, :11])


@pytest.mark.parametrize("layers", [1, 2, 4])
def test_a_snippet_depends_on_its_neighbours_within_reach_alone(layers):
    # 1 of the embedding, 1 + 2 + ... + 2^(L-1) = 2^L - 1 of the layers, 1 of a head
    settings = StudentSettings(width=16, layers=layers)
    assert settings.reach_snippets == 1 + (2**layers - 1) + 1
    student = Student(3, 2, settings)
    reach, middle = settings.reach_snippets, 40
    before = torch.randn(1, 2 * middle + 1, 3)
    changed = [
        (outputs(student, _moved(before, t)).logits - outputs(student, before).logits)[
            0, middle
        ]
        .abs()
        .max()
        for t in (
            middle - reach - 1,
            middle - reach,
            middle + reach,
            middle + reach + 1,
        )
    ]
    assert [float(x) > 0 for x in changed] == [False, True, True, False]


def _moved(features, t):
    moved = features.clone()
    moved[0, t] += 100.0
    return moved


def test_features_are_standardised_first():
    torch.manual_seed(0)
    student = Student(3, 2, SMALL)
    features = torch.randn(1, 9, 3)
    plain = outputs(student, features)
    mean, deviation = torch.tensor([5.0, -2.0, 7.0]), torch.tensor([2.0, 3.0, 0.5])
    student.standardize(mean, deviation)
    again = outputs(student, features * deviation + mean)
    torch.testing.assert_close(again.logits, plain.logits, rtol=1e-4, atol=1e-5)


def test_dropout_depends_on_the_seed_alone():
    student = Student(3, 2, SMALL).train()
    features = torch.randn(2, 9, 3)
    seeds = torch.tensor([7, 8])
    both = student(features, None, seeds).logits
    second = student(features[1:], None, seeds[1:]).logits
    torch.testing.assert_close(both[1:], second)
    other = student(features[1:], None, seeds[:1]).logits
    assert not torch.allclose(other, second)


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("width", 0, "at least 1"),
        ("layers", 0, "at least 1"),
        ("dropout", 1.0, r"in \[0, 1\)"),
    ],
)
def test_settings_outside_their_range_are_refused(name, value, rule):
    with pytest.raises(ValueError, match=rf"{name} must be {rule}, got {value}"):
        StudentSettings(**{name: value})
