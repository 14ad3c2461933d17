"""The network: the authors' numbers, pooling worked by hand, masks, dropout."""

import numpy as np
import pytest
import torch

from acmnet.network.acm_net import ACMNet, Branch
from acmnet.network.network_settings import ModelSettings
from acmnet.network.pooling import pool_attended, pool_top_k, video_logits
from acmnet.network.video_outputs import acm_net_on_video
from acmnet.recipes import recipe
from acmnet.runtime.devices import exact_fp32
from acmnet.training.first_stage.losses import acm_loss
from support.places import REFERENCE

RECIPES = {"thumos": "thumos14", "activitynet": "activitynet13"}
# as the authors' code names the branches and terms
SHORT = {Branch.INSTANCE: "ins", Branch.CONTEXT: "con", Branch.BACKGROUND: "bak"}
TERMS = {
    "total": "total",
    "instance": "act_inst_loss",
    "context": "act_cont_loss",
    "background": "act_back_loss",
    "guide": "guide_loss",
    "feature": "feat_loss",
    "sparse": "sparse_loss",
}


DEVICES = [
    "cpu",
    pytest.param(
        "cuda",
        marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU"),
    ),
]


def authors(name, device="cpu"):
    """One reference case: its arrays, the model with its weights, and the settings."""
    case = np.load(REFERENCE / f"authors_forward_{name}.npz")
    settings = recipe(RECIPES[name], profile="official")
    features = torch.from_numpy(case["features"])
    labels = torch.from_numpy(case["labels"])
    model = ACMNet(features.shape[2], labels.shape[1], settings.model).eval()
    model.load_state_dict(
        {
            key.removeprefix("param_").replace(
                "embed.", "embedding."
            ): torch.from_numpy(case[key])
            for key in case
            if key.startswith("param_")
        }
    )
    return case, model.to(device), features.to(device), labels.to(device), settings


def assert_close(ours, theirs):
    """Within 1e-5 of the largest number of the array."""
    ours = ours.detach().cpu().numpy()
    assert np.abs(ours - theirs).max() <= 1e-5 * np.abs(theirs).max()


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", RECIPES)
def test_agrees_with_the_authors_forward(name, device):
    case, model, features, _, settings = authors(name, device)
    assert list(settings.model.ratios) == case["topk_ratios"].tolist()
    with exact_fp32(device):
        output = model(features)
    assert_close(output.attention, case["out_att"])
    assert_close(output.activation.softmax(-1), case["out_cas"])
    for branch, short in SHORT.items():
        cas = output.branch_activation[:, branch].softmax(-1)
        assert_close(cas, case[f"out_cas_{short}"])
        assert_close(output.video_logits[:, branch].softmax(-1), case[f"out_p_{short}"])
        assert_close(output.branch_feature[:, branch], case[f"out_x_{short}"])


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", RECIPES)
def test_agrees_with_the_authors_losses_and_gradients(name, device):
    case, model, features, labels, settings = authors(name, device)
    loss = settings.loss
    weights = [loss.guide_weight, loss.feature_weight, loss.sparse_weight]
    assert weights == case["lambdas"].tolist()
    with exact_fp32(device):
        terms = acm_loss(model(features), labels, loss)
        terms.total.backward()
    for ours, theirs in TERMS.items():
        expected = float(case[f"loss_{theirs}"])
        assert getattr(terms, ours).item() == pytest.approx(expected, rel=1e-5)
    for parameter, value in model.named_parameters():
        theirs = case[f"grad_{parameter.replace('embedding.', 'embed.')}"]
        assert_close(value.grad, theirs)


def test_corrected_equals_official_at_the_recipes_length():
    # sum over 750 at 2e-3 is the mean over 750 at 1.5; the same for 2e-4 and 0.15
    output = ACMNet(8, 3).eval()(torch.randn(2, 750, 8))
    labels = torch.tensor([[1.0, 0, 1], [0, 1, 0]])
    official = acm_loss(output, labels, recipe("thumos14", profile="official").loss)
    corrected = acm_loss(output, labels, recipe("thumos14").loss)
    assert corrected.total.item() == pytest.approx(official.total.item(), rel=1e-5)


def test_pooling_takes_the_k_highest_of_each_class():
    # class 0: 4, 3 -> 3.5; class 1: 9, 2 -> 5.5; the 99 is padding
    activation = torch.tensor([[[1.0, 9], [4, 0], [3, 2], [99, 99]]])
    mask = torch.tensor([[True, True, True, False]])
    pooled = pool_top_k(activation, torch.tensor([2]), mask, 2)
    assert pooled.tolist() == [[3.5, 5.5]]


def test_video_logits_average_a_share_of_the_snippets_that_exist():
    # one in two: of 5 snippets 2, of the 3 that are no padding 1
    activation = torch.tensor([[[4.0], [1], [3], [9], [7]]])
    mask = torch.tensor([[True, True, True, False, False]])
    assert video_logits(activation, 2).tolist() == [[8.0]]
    assert video_logits(activation, 2, mask).tolist() == [[4.0]]
    assert video_logits(activation, 9).tolist() == [[9.0]]  # one snippet at least


def test_pooling_by_attention_is_class_agnostic():
    # the most attended are 0 and 2: ((1, 2) + (5, 6)) / 2; of the second branch 1 and
    # 2: (8, 10) / 2; the third takes one snippet, 2; snippet 3 is padding
    embedding = torch.tensor([[[1.0, 2], [3, 4], [5, 6], [7, 8]]])
    attention = torch.tensor([[[0.9, 0.1, 0], [0.1, 0.8, 0], [0.8, 0.2, 0.1], [1] * 3]])
    mask = torch.tensor([[True, True, True, False]])
    pooled = pool_attended(embedding, attention, torch.tensor([[2, 2, 1]]), mask, 2)
    assert pooled.tolist() == [[[3.0, 4.0], [4.0, 5.0], [5.0, 6.0]]]


@pytest.mark.parametrize(
    ("length", "pooled"),
    [
        pytest.param(1, 1, id="one snippet"),
        pytest.param(7, 1, id="7 // 8 = 0, so one"),
        pytest.param(8, 1, id="8 // 8"),
        pytest.param(16, 2, id="16 // 8"),
        pytest.param(23, 2, id="23 // 8 is rounded down"),
    ],
)
def test_k_follows_the_length(length, pooled):
    # with every attention equal, the instance logits are the mean of the top k
    model = ACMNet(4, 1).eval()
    torch.nn.init.zeros_(model.attention.weight)
    torch.nn.init.zeros_(model.attention.bias)
    output = model(torch.randn(1, length, 4))
    top = output.branch_activation[0, 0].sort(dim=0, descending=True).values[:pooled]
    assert torch.allclose(output.video_logits[0, 0], top.mean(dim=0))


@pytest.mark.parametrize(("length", "pooled"), [(24, 3), (40, 5), (80, 5), (800, 5)])
def test_the_instance_branch_pools_no_more_than_it_may(length, pooled):
    model = ACMNet(4, 1, ModelSettings(most_pooled=5)).eval()
    features = torch.randn(1, length, 4)
    output = model(features)
    for branch, k in ((Branch.INSTANCE, pooled), (Branch.CONTEXT, length // 3)):
        sorted_logits = output.branch_activation[0, branch].sort(0, descending=True)
        expected = sorted_logits.values[:k].mean(dim=0)
        assert torch.allclose(output.video_logits[0, branch], expected, atol=1e-6)
    alone = model.snippet_outputs(features)  # nothing is pooled for it
    assert torch.equal(alone[0], output.attention)
    assert torch.equal(alone[1], output.activation)
    said = acm_net_on_video(model, features[0]).video_scores
    expected = output.video_logits[0, Branch.INSTANCE].softmax(dim=-1)
    assert said == pytest.approx(expected.detach().numpy(), abs=1e-6)


def test_attention_sums_to_one():
    output = ACMNet(8, 3).eval()(torch.randn(2, 30, 8))
    assert torch.allclose(output.attention.sum(-1), torch.ones(2, 30))


def test_padding_changes_no_number():
    model = ACMNet(8, 3).eval()
    videos = [torch.randn(length, 8) for length in (5, 17, 1)]
    batch = torch.full((3, 17, 8), float("nan"))
    mask = torch.zeros(3, 17, dtype=torch.bool)
    for row, video in enumerate(videos):
        batch[row, : len(video)] = video
        mask[row, : len(video)] = True
    together = model(batch, mask)
    labels = torch.eye(3)
    terms = acm_loss(together, labels)
    alone = [model(video[None]) for video in videos]
    for row, output in enumerate(alone):
        n = len(videos[row])
        for name in ("attention", "activation", "video_logits", "branch_feature"):
            ours = getattr(together, name)[row]
            ours = ours[:n] if name in ("attention", "activation") else ours
            assert torch.allclose(ours, getattr(output, name)[0], atol=1e-6), name
    each = [acm_loss(o, labels[i : i + 1]) for i, o in enumerate(alone)]
    for name in terms._fields:
        mean = torch.stack([getattr(term, name) for term in each]).mean()
        assert torch.allclose(getattr(terms, name), mean, rtol=1e-5), name


def test_dropout_of_a_video_does_not_depend_on_its_batch():
    model = ACMNet(8, 3).train()
    features, seeds = torch.randn(4, 20, 8), torch.tensor([7, 8, 9, 10])
    whole = model(features, None, seeds).activation
    part = model(features[2:], None, seeds[2:]).activation
    assert torch.allclose(whole[2:], part, atol=1e-6)
    assert not torch.allclose(whole, model(features, None, seeds + 1).activation)


def test_snippet_dropout_hides_whole_snippets_from_the_classifier_alone():
    # 0.5 of the snippets leave only the classifier's bias behind
    model = ACMNet(8, 3, ModelSettings(snippet_dropout=0.5, classifier_dropout=0.0))
    output = model.train()(torch.randn(1, 2000, 8))
    hidden = (output.activation[0] == model.classifier.bias).all(dim=1)
    assert 0.45 < hidden.float().mean() < 0.55  # 4.5 standard deviations
    assert torch.allclose(output.attention.sum(-1), torch.ones(1, 2000))


def test_dropout_keeps_the_mean():
    settings = ModelSettings(snippet_dropout=0.7, classifier_dropout=0.7)
    model = ACMNet(2, 1, settings)
    torch.nn.init.zeros_(model.embedding.weight)
    torch.nn.init.ones_(model.embedding.bias)
    torch.nn.init.ones_(model.classifier.weight)
    torch.nn.init.zeros_(model.classifier.bias)
    features = torch.zeros(1, 200_000, 2)
    # without dropout each logit is 1 + 1; survivors are scaled by 1 / 0.09
    assert model.eval()(features).activation.unique().tolist() == [2.0]
    assert model.train()(features).activation.mean().item() == pytest.approx(
        2, rel=0.05
    )


def test_no_dropout_when_evaluating():
    model = ACMNet(8, 3).eval()
    features = torch.randn(1, 10, 8)
    assert torch.equal(model(features).activation, model(features).activation)


def test_works_in_double_precision():
    model = ACMNet(8, 3).eval().double()
    assert model(torch.randn(1, 10, 8).double()).video_logits.dtype == torch.float64


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"feature_dim": 0, "n_classes": 2}, "feature_dim must be at least 1, got 0"),
        ({"feature_dim": 2, "n_classes": 0}, "n_classes must be at least 1, got 0"),
    ],
)
def test_refuses_an_empty_network(arguments, message):
    with pytest.raises(ValueError, match=message):
        ACMNet(**arguments)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"snippet_dropout": 1.0}, r"snippet_dropout must be in \[0, 1\), got 1\.0"),
        ({"instance_ratio": 0}, "instance_ratio must be at least 1, got 0"),
        ({"kernel_snippets": 4}, "kernel_snippets must be odd, got 4"),
        ({"width": -1}, "width must be at least 0, got -1"),
        ({"most_pooled": -1}, "most_pooled must be at least 0, got -1"),
    ],
)
def test_settings_refuse(values, message):
    with pytest.raises(ValueError, match=message):
        ModelSettings(**values)


@pytest.mark.parametrize(
    ("features", "mask", "message"),
    [
        (torch.zeros(1, 5, 7), None, r"shape \(B, T, 8\), got \(1, 5, 7\)"),
        (torch.zeros(5, 8), None, r"got \(5, 8\)"),
        (torch.zeros(1, 0, 8), None, "at least one snippet, got T = 0"),
        (
            torch.zeros(1, 5, 8),
            torch.ones(1, 4, dtype=torch.bool),
            r"bool of shape \(1, 5\), got torch.bool of shape \(1, 4\)",
        ),
        (torch.zeros(1, 5, 8), torch.ones(1, 5), "got torch.float32"),
        (
            torch.zeros(2, 5, 8),
            torch.tensor([[True] * 5, [False] * 5]),
            "video 1 of the batch has no snippet",
        ),
    ],
)
def test_forward_refuses(features, mask, message):
    with pytest.raises(ValueError, match=message):
        ACMNet(8, 3)(features, mask)


def test_standardising_inside_equals_standardising_before():
    torch.manual_seed(0)
    inside = ACMNet(8, 3, ModelSettings(standardize=True)).eval()
    mean, deviation = torch.randn(8), torch.rand(8) + 0.5
    deviation[2] = 0.0  # a column that never varies says nothing
    inside.standardize(mean, deviation)
    plain = ACMNet(8, 3).eval()
    names = plain.state_dict()
    plain.load_state_dict({k: v for k, v in inside.state_dict().items() if k in names})
    features = 5.0 * torch.randn(2, 9, 8) + 3.0
    before = (features - mean) / deviation
    before[..., 2] = 0.0
    mask = torch.ones(2, 9, dtype=torch.bool)
    mask[1, 6:] = False
    for mine, expected in zip(inside(features, mask), plain(before, mask), strict=True):
        torch.testing.assert_close(mine, expected, rtol=1e-5, atol=1e-5)


def test_statistics_travel_with_the_weights():
    settings = ModelSettings(standardize=True)
    trained = ACMNet(4, 2, settings)
    trained.standardize(torch.arange(4.0), torch.tensor([1.0, 2.0, 4.0, 0.0]))
    other = ACMNet(4, 2, settings)
    other.load_state_dict(trained.state_dict())
    assert other.feature_mean.tolist() == [0, 1, 2, 3]
    assert other.feature_scale.tolist() == [1, 0.5, 0.25, 0]


def test_the_papers_network_has_no_statistics():
    assert set(ACMNet(4, 2).state_dict()) == {
        f"{layer}.{kind}"
        for layer in ("embedding", "attention", "classifier")
        for kind in ("weight", "bias")
    }


@pytest.mark.parametrize(("width", "channels"), [(0, 8), (3, 3), (8, 8), (128, 8)])
def test_width_sets_the_channels_of_the_embedding_and_of_nothing_else(width, channels):
    model = ACMNet(8, 2, ModelSettings(width=width)).eval()
    output = model(torch.randn(2, 30, 8))
    assert output.embedding.shape == (2, 30, channels)
    assert output.branch_feature.shape == (2, 3, channels)
    assert output.activation.shape == (2, 30, 3)
    assert output.attention.shape == (2, 30, 3)
