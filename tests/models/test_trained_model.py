"""A trained model on videos of any length."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from acmnet.localization.localization_settings import LocalizationSettings
from acmnet.models.trained_model import TrainedModel
from acmnet.network import video_outputs
from acmnet.network.acm_net import ACMNet, Branch
from acmnet.network.network_settings import ModelSettings
from acmnet.network.student import Student
from acmnet.recipes import Settings
from acmnet.segments import SnippetGrid
from acmnet.training.second_stage.second_stage_settings import TeacherSettings

GRID = SnippetGrid(fps=25, snippet_frames=16, stride_frames=16)


def model_of(kernel_snippets):
    torch.manual_seed(kernel_snippets)
    settings = ModelSettings(kernel_snippets=kernel_snippets)
    return TrainedModel(
        networks=(ACMNet(32, 4, settings),),
        settings=Settings(model=settings),
        class_names=tuple("abcd"),
        grid=GRID,
    )


def whole(model, features):
    """Run the network on all of the video at once, as in training."""
    with torch.inference_mode():
        output = model.networks[0].eval()(torch.from_numpy(features)[None])
    instance = output.branch_activation[0, Branch.INSTANCE].softmax(-1)
    video = output.video_logits[0, Branch.INSTANCE].softmax(-1)
    plain = output.activation[0].softmax(-1)
    said = {
        "instance_cas": instance,
        "attention": output.attention[0],
        "video_scores": video,
        "cas": plain,
    }
    return {name: values.numpy() for name, values in said.items()}


def assert_equal(activations, expected):
    for name, values in expected.items():
        mine = getattr(activations, name)
        np.testing.assert_allclose(mine, values, rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("kernel_snippets", [1, 3, 7])
@pytest.mark.parametrize("length", [1, 6, 7, 8, 13, 14, 15, 100])
def test_chunks_with_their_neighbours_equal_the_whole(
    monkeypatch, kernel_snippets, length
):
    monkeypatch.setattr(video_outputs, "CHUNK_SNIPPETS", 7)
    model = model_of(kernel_snippets)
    features = np.random.default_rng(length).normal(size=(length, 32))
    features = features.astype(np.float32)
    assert_equal(model.activations(features), whole(model, features))


def test_a_long_video_at_the_real_chunk_length_is_the_same():
    # the numbers may differ in the last bit only where another kernel sums them
    model = model_of(3)
    features = np.random.default_rng(0).normal(size=(2500, 32)).astype(np.float32)
    assert len(features) > 2 * video_outputs.CHUNK_SNIPPETS
    found = model.activations(features)
    assert_equal(found, whole(model, features))
    # a chunk without its neighbours would be off by far more at its border
    at = video_outputs.CHUNK_SNIPPETS
    alone = model.activations(features[:at]).instance_cas[-1]
    assert np.abs(alone - found.instance_cas[at - 1]).max() > 1e-3


def test_a_model_needs_a_network():
    with pytest.raises(ValueError, match="at least one network, got none"):
        TrainedModel(networks=(), settings=Settings(), class_names=("a",), grid=GRID)


def test_a_model_without_a_student_has_no_candidates():
    with pytest.raises(ValueError, match="made by a student, the model has none"):
        model_of(1).candidates(np.zeros((3, 32)))


@pytest.mark.parametrize("path", ["video.npy", Path("video.npy")])
def test_a_path_instead_of_features_is_told_how_to_read_it(path):
    model = model_of(1)
    with pytest.raises(TypeError, match=r"the path 'video.npy'; .* np.load\('video"):
        model.localize(path)


@pytest.mark.parametrize("with_student", [False, True])
def test_classes_that_are_not_looked_for_change_nothing(with_student):
    rules = LocalizationSettings(class_threshold=0.0)
    teachers = TeacherSettings(contrast_weight=0.5, proposal_weight=0.9)
    model = dataclasses.replace(
        model_of(3),
        settings=Settings(localization=rules, teachers=teachers),
        students=(Student(32, 4).eval(),) if with_student else (),
    )
    features = np.random.default_rng(0).normal(size=(60, 32)).astype(np.float32)
    all_found = model.localize(features)
    found = model.localize(features, classes=("b", "d", "e"))
    wanted = all_found.only(np.isin(all_found.class_index, (1, 3)))
    assert 0 < len(wanted) < len(all_found)
    assert {*found} == {*wanted}
    assert not len(model.localize(features, classes=("e",)))
