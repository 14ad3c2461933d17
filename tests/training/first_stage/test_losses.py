"""Each term worked on paper; the quirks that settings name; videos without labels."""

import math

import pytest
import torch

from acmnet.network.acm_net import ACMNet, ACMNetOutput
from acmnet.training.first_stage.losses import (
    acm_loss,
    branch_targets,
    classification_loss,
    feature_loss,
    guide_loss,
    sparse_loss,
    video_losses,
)
from acmnet.training.first_stage.training_settings import LossSettings

ONE_BATCH = ACMNetOutput(
    # T = 2 snippets, C = 1 class; attention to (instance, context, background)
    attention=torch.tensor([[[0.5, 0.3, 0.2], [0.1, 0.1, 0.8]]]),
    activation=torch.zeros(1, 2, 2),
    # softmax of (0, 0) is (1/2, 1/2); of (log 3, 0) it is (3/4, 1/4)
    branch_activation=torch.tensor([[[[0.0, 0.0], [math.log(3), 0.0]]] * 3]),
    video_logits=torch.zeros(1, 3, 2),
    branch_feature=torch.tensor([[[3.0, 4.0], [0.0, 2.0], [1.0, 0.0]]]),
    embedding=torch.tensor([[[1.0, 0.0], [0.0, 1.0]]]),
    mask=torch.tensor([[True, True]]),
)


def test_targets_of_two_labels():
    instance, context, background = branch_targets(torch.tensor([[1.0, 0.0, 1.0]]))
    assert instance.tolist() == [[0.5, 0.0, 0.5, 0.0]]
    assert torch.allclose(context, torch.tensor([[1 / 3, 0.0, 1 / 3, 1 / 3]]))
    assert background.tolist() == [[0.0, 0.0, 0.0, 1.0]]


def test_a_video_without_a_label_is_background_to_every_branch():
    for target in branch_targets(torch.zeros(1, 3)):
        assert target.tolist() == [[0.0, 0.0, 0.0, 1.0]]


def test_classification_is_cross_entropy():
    # p = softmax(log 1, log 3) = (1/4, 3/4); -(1/2 log 1/4 + 1/2 log 3/4)
    logits = torch.tensor([[0.0, math.log(3)]])
    loss = classification_loss(logits, torch.tensor([[0.5, 0.5]]))
    assert loss.item() == pytest.approx(-(math.log(0.25) + math.log(0.75)) / 2)


def test_classification_survives_what_underflows_a_softmax():
    # softmax(0, 1000) is (0, 1) in fp32, and 0 * log 0 would be NaN
    logits = torch.tensor([[0.0, 1000.0]])
    assert classification_loss(logits, torch.tensor([[0.0, 1.0]])).item() == 0.0
    assert classification_loss(logits, torch.tensor([[1.0, 0.0]])).item() == 1000.0


def test_guide():
    # |1 - 1/2 - 0.5| = 0 and |1 - 1/4 - 0.1| = 0.65
    assert guide_loss(ONE_BATCH, "sum").item() == pytest.approx(0.65)
    assert guide_loss(ONE_BATCH, "mean").item() == pytest.approx(0.325)


def test_guide_treats_attention_as_constant():
    attention = ONE_BATCH.attention.clone().requires_grad_()
    guide = guide_loss(ONE_BATCH._replace(attention=attention), "sum")
    assert not guide.requires_grad


def test_feature_separation():
    # norms 5, 2, 1; margin 10: (10 - 5 + 2) + (10 - 2 + 1) + 1 = 17; 17 ** 2
    assert feature_loss(ONE_BATCH.branch_feature, 10.0).item() == pytest.approx(289)
    # margin 0.5: both hinges are closed and the background's norm is left: 1 ** 2
    assert feature_loss(ONE_BATCH.branch_feature, 0.5).item() == pytest.approx(1)


def test_sparse():
    # (0.5 + 0.3) + (0.1 + 0.1) = 1; over two branches 1 / 2; over T = 2 again half
    assert sparse_loss(ONE_BATCH, "sum", "sum").item() == pytest.approx(1.0)
    assert sparse_loss(ONE_BATCH, "sum", "mean").item() == pytest.approx(0.5)
    assert sparse_loss(ONE_BATCH, "mean", "mean").item() == pytest.approx(0.25)


def test_total_is_the_weighted_sum():
    settings = LossSettings(
        instance_weight=5.0,
        context_weight=2.0,
        background_weight=3.0,
        guide_weight=0.1,
        feature_weight=0.01,
        sparse_weight=0.5,
        feature_margin=10.0,
        time_reduction="sum",
        sparse_branches="sum",
    )
    terms = acm_loss(ONE_BATCH, torch.tensor([[1.0]]), settings)
    # every video-level softmax is (1/2, 1/2), so each classification term is log 2
    expected = (5 + 2 + 3) * math.log(2) + 0.1 * 0.65 + 0.01 * 289 + 0.5 * 1.0
    assert terms.total.item() == pytest.approx(expected)


def test_the_batch_is_the_mean_of_its_videos():
    output = ACMNet(6, 2).eval()(torch.randn(3, 12, 6))
    labels = torch.tensor([[1.0, 0], [0, 0], [1, 1]])
    each = video_losses(output, labels, LossSettings())
    for name, term in acm_loss(output, labels)._asdict().items():
        assert term.item() == pytest.approx(getattr(each, name).mean().item())


def test_unlabelled_videos_and_one_class_train():
    model = ACMNet(6, 1)
    terms = acm_loss(model(torch.randn(2, 12, 6)), torch.tensor([[0.0], [1.0]]))
    terms.total.backward()
    assert all(p.grad.isfinite().all() for p in model.parameters())


def test_refuses_labels_of_another_shape():
    with pytest.raises(ValueError, match=r"shape \(1, 1\), got \(1, 3\)"):
        acm_loss(ONE_BATCH, torch.zeros(1, 3))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"guide_weight": -1.0}, r"guide_weight must be at least 0, got -1\.0"),
        ({"guide_weight": math.nan}, "guide_weight must be a number .*, got nan"),
        ({"feature_margin": 0.0}, r"feature_margin must be above 0, got 0\.0"),
    ],
)
def test_settings_refuse(values, message):
    with pytest.raises(ValueError, match=message):
        LossSettings(**values)
