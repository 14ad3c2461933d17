"""Each term worked on paper; the quirks that settings name; videos without labels."""

import math

import numpy as np
import pytest
import torch

from acmnet.network.acm_net import ACMNet, ACMNetOutput, Branch
from acmnet.training.first_stage.losses import (
    acm_loss,
    branch_targets,
    classification_loss,
    coactivity_loss,
    feature_loss,
    guide_loss,
    sparse_loss,
    terms_of,
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


def two_videos(cas, embedding, mask=None):
    """Return what the network would say of two videos, where co-activity looks."""
    batch, length, classes = cas.shape
    cas = torch.cat((cas, torch.zeros(batch, length, 1)), dim=2)
    return ACMNetOutput(
        attention=torch.ones(batch, length, 3) / 3,
        activation=cas,
        branch_activation=cas[:, None].repeat(1, 3, 1, 1),
        video_logits=torch.zeros(batch, 3, classes + 1),
        branch_feature=torch.zeros(batch, 3, embedding.shape[2]),
        embedding=embedding,
        mask=torch.ones(batch, length, dtype=torch.bool) if mask is None else mask,
    )


def test_coactivity_of_videos_that_agree_or_do_not():
    # with weights of (1, 0) and (0, 1) the action is one of two orthogonal snippets
    cas = torch.tensor([[[50.0], [-50.0]], [[-50.0], [50.0]]])
    across = torch.tensor([[[1.0, 0], [0, 1]], [[1.0, 0], [0, 1]]])
    labels = torch.ones(2, 1)
    # actions (1, 0) and (0, 1): distance 1; to the other's rest 0: 1 - 0 + 0.5
    assert coactivity_loss(two_videos(cas, across), labels).tolist() == [1.5, 1.5]
    # swapped in the second, both actions are (1, 0), both rests (0, 1): 0 - 1 + 0.5
    alike = torch.stack((across[0], across[1].flip(0)))
    assert coactivity_loss(two_videos(cas, alike), labels).tolist() == [0.0, 0.0]
    # two equal snippets tell action from rest no better: 0 - 0 + 0.5
    flat = torch.ones(2, 2, 2)
    assert coactivity_loss(two_videos(cas, flat), labels).tolist() == pytest.approx(
        [0.5, 0.5]
    )


def coactivity_literally(output, labels):
    """Pair by pair, class by class, snippet by snippet."""

    def unlike(x, y):
        size = np.sqrt((x @ x) * (y @ y))
        return 1.0 - (x @ y) / size if size else 1.0

    n, classes = labels.shape
    high, low = {}, {}
    for i in range(n):
        length = int(output.mask[i].sum())
        x = output.embedding[i, :length].detach().double().numpy()
        cas = output.branch_activation[i, Branch.INSTANCE, :length].detach()
        for c in range(classes):
            weight = np.exp(cas[:, c].double().numpy())
            weight /= weight.sum()
            high[i, c] = weight @ x
            low[i, c] = (1.0 - weight) @ x / max(length - 1, 1)
    losses = []
    for i in range(n):
        own = []
        for c in range(classes):
            for j in range(n):
                if i != j and labels[i, c] and labels[j, c]:
                    both = unlike(high[i, c], high[j, c])
                    one = max(0.0, both - unlike(high[i, c], low[j, c]) + 0.5)
                    other = max(0.0, both - unlike(low[i, c], high[j, c]) + 0.5)
                    own.append((one + other) / 2)
        losses.append(sum(own) / len(own) if own else 0.0)
    return losses


def test_coactivity_equals_its_literal_twin():
    torch.manual_seed(3)
    model = ACMNet(6, 3).eval()
    lengths = torch.tensor([9, 4, 1, 7, 5])
    mask = torch.arange(9)[None] < lengths[:, None]
    output = model(4.0 * torch.randn(5, 9, 6), mask)
    # the fourth shares two labels, the last none; the third is one snippet long
    labels = torch.tensor([[1.0, 0, 0], [1, 1, 0], [0, 1, 0], [1, 1, 0], [0, 0, 1]])
    mine = coactivity_loss(output, labels).tolist()
    assert mine == pytest.approx(coactivity_literally(output, labels), rel=1e-4)
    assert mine[-1] == 0.0
    assert min(mine[:-1]) > 0.0


def test_the_term_beyond_the_paper_counts_and_shows_only_where_it_weighs():
    torch.manual_seed(4)
    output = ACMNet(6, 2).eval()(torch.randn(3, 12, 6))
    labels = torch.tensor([[1.0, 0], [1, 1], [0, 0]])
    plain = acm_loss(output, labels)
    assert plain.coactivity.item() == 0.0
    assert terms_of(LossSettings())[-1] == "sparse"
    settings = LossSettings(coactivity_weight=3.0)
    terms = acm_loss(output, labels, settings)
    assert terms.coactivity.item() > 0.0
    added = 3.0 * terms.coactivity.item()
    assert terms.total.item() == pytest.approx(plain.total.item() + added)
    assert terms_of(settings)[-1] == "coactivity"


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
