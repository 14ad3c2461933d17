"""Epochs that never wait for the device equal those that read every loss.

On a CPU the steps are the same without a graph. The tests marked ``cuda`` need a GPU.
"""

import dataclasses

import numpy as np
import pytest
import torch

from acmnet.data.datasets import WeakDataset
from acmnet.data.features.feature_store import open_store
from acmnet.data.label_files import read_annotations
from acmnet.data.labels.annotations import weak_labels
from acmnet.data.sampling_settings import SamplingSettings
from acmnet.network.acm_net import ACMNet
from acmnet.network.network_settings import ModelSettings, StudentSettings
from acmnet.network.student import Student
from acmnet.training.first_stage.marked_snippets import MarkedInstance, SnippetMarks
from acmnet.training.first_stage.training_settings import LossSettings, TrainingSettings
from acmnet.training.first_stage.weak_task import Plan
from acmnet.training.optimisation import training_loop as loop
from acmnet.training.optimisation.device_epochs import DeviceEpochs
from acmnet.training.optimisation.schedule import Schedule
from acmnet.training.optimisation.training_error import TrainingError
from acmnet.training.optimisation.training_loop import optimize, train
from acmnet.training.second_stage.pseudo_labels import StudentTask
from acmnet.training.second_stage.snippet_targets import PseudoInstance, PseudoLabels

cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
PLAN = Plan(
    training=TrainingSettings(
        epochs=3, batch_size=5, learning_rate=1e-3, averaging=0.9
    ),
    sampling=SamplingSettings(40, "random"),
    loss=LossSettings(),
    seed=3,
)
SETTINGS = ModelSettings(input_dropout=0.3, attention_dropout=0.2)


def new_dataset(tiny_world, device="cpu"):
    annotations = read_annotations(tiny_world[0]).subset("training")
    return WeakDataset(
        open_store(tiny_world[1]),
        weak_labels(annotations),
        annotations.class_names,
        device=device,
    )


def trained(dataset, plan, settings=SETTINGS, **arguments):
    """Weights on the CPU after training, and the records of all steps."""
    torch.manual_seed(3)
    model = ACMNet(dataset.dimension, dataset.labels.shape[1], settings)
    records = []
    train(model.to(dataset.device), dataset, plan, on_step=records.append, **arguments)
    return {k: v.cpu() for k, v in model.state_dict().items()}, records


def pupil(dataset, device="cpu", on_step=lambda _: None):
    """Weights of a student after four epochs."""
    torch.manual_seed(3)
    labels = {
        video: PseudoLabels((PseudoInstance(i % 2, 2.0 + i, 9.0 + i, 1.0),), ())
        for i, video in enumerate(dataset.video_ids)
    }
    task = StudentTask(
        dataset, labels, central_share=0.6, snippets=30, precision="fp32"
    )
    n_classes = dataset.labels.shape[1]
    model = Student(dataset.dimension, n_classes, StudentSettings(width=8)).to(device)
    schedule = Schedule(
        epochs=4,
        batch_size=4,
        learning_rate=1e-2,
        weight_decay=1e-4,
        averaging=0.9,
        is_cosine=True,
        warm_up_steps=3,
    )
    optimize(model, task, schedule, 1, on_step=on_step)
    return {k: v.cpu() for k, v in model.state_dict().items()}


def assert_alike(one, other, **tolerance):
    assert one.keys() == other.keys()
    for name, value in one.items():
        torch.testing.assert_close(other[name], value, **tolerance)


@pytest.mark.parametrize("method", ["random", "uniform"])
def test_queued_epochs_give_the_weights_and_records_of_plain_ones(
    tiny_world, monkeypatch, method
):
    plan = dataclasses.replace(PLAN, sampling=SamplingSettings(40, method))
    dataset = new_dataset(tiny_world)
    weights, records = trained(dataset, plan)
    monkeypatch.setattr(loop, "_PlainEpochs", DeviceEpochs)
    same, queued_records = trained(dataset, plan)
    assert_alike(weights, same, rtol=1e-4, atol=1e-6)
    for one, other in zip(records, queued_records, strict=True):
        assert one[:2] == other[:2]
        assert one.videos == other.videos
        assert other.losses == pytest.approx(one.losses, rel=1e-4)


def test_queued_epochs_of_a_student_equal_plain_ones(tiny_world, monkeypatch):
    dataset = new_dataset(tiny_world)
    weights = pupil(dataset)
    monkeypatch.setattr(loop, "_PlainEpochs", DeviceEpochs)
    assert_alike(weights, pupil(dataset), rtol=1e-4, atol=1e-6)


def spoilt(dataset, monkeypatch, video=6):
    packed = dataset._packed.clone()
    start = int(dataset._offsets[video])
    packed[start : start + int(dataset.lengths[video])] = float("inf")
    monkeypatch.setattr(dataset, "_packed", packed)


def refused(dataset, monkeypatch):
    """Train on features that are not finite; return weights, steps, the refusal."""
    plan = dataclasses.replace(
        PLAN, training=dataclasses.replace(PLAN.training, averaging=0.0)
    )
    with monkeypatch.context() as patched:
        spoilt(dataset, patched)
        torch.manual_seed(3)
        model = ACMNet(dataset.dimension, dataset.labels.shape[1]).to(dataset.device)
        steps = []
        with pytest.raises(TrainingError) as refusal:
            train(model, dataset, plan, on_step=steps.append)
    weights = {k: v.cpu() for k, v in model.state_dict().items()}
    return weights, len(steps), str(refusal.value)


def test_a_loss_that_is_not_finite_leaves_the_weights_of_before(
    tiny_world, monkeypatch
):
    dataset = new_dataset(tiny_world)
    plain, steps, message = refused(dataset, monkeypatch)
    assert steps > 0  # else the weights would be those of the beginning
    monkeypatch.setattr(loop, "_PlainEpochs", DeviceEpochs)
    weights, queued_steps, queued_message = refused(dataset, monkeypatch)
    assert (queued_steps, queued_message) == (steps, message)
    assert_alike(plain, weights, rtol=1e-4, atol=1e-6)


def test_queued_epochs_resume_from_plain_ones(tiny_world, monkeypatch):
    dataset = new_dataset(tiny_world)
    whole, _ = trained(dataset, PLAN)
    states = []
    trained(dataset, PLAN, on_epoch=lambda progress: states.append(progress.state()))
    assert type(states[0]["optimizer"]["param_groups"][0]["lr"]) is float
    monkeypatch.setattr(loop, "_PlainEpochs", DeviceEpochs)
    torch.manual_seed(4)
    rest, records = trained(dataset, PLAN, resume=states[-1])
    assert records == []
    assert_alike(whole, rest)


def test_marks_are_looked_up_for_each_video(tiny_world):
    dataset = new_dataset(tiny_world)
    marked = dataset.video_ids[4]
    marks = {marked: SnippetMarks(instances=(MarkedInstance(0, 2.0, 6.0),))}
    loss = dataclasses.replace(PLAN.loss, marks_weight=1.0)
    _, with_marks = trained(dataset, dataclasses.replace(PLAN, loss=loss, marks=marks))
    has = [record.losses["marks"] > 0.0 for record in with_marks[:3]]
    assert sum(has) == 1  # the one step of the first epoch that has the marked video


# ---- on a GPU


@cuda
@pytest.mark.parametrize("method", ["random", "uniform"])
def test_a_gpu_learns_what_a_cpu_learns(tiny_world, method):
    plan = dataclasses.replace(PLAN, sampling=SamplingSettings(40, method))
    no_dropout = ModelSettings(snippet_dropout=0.0, classifier_dropout=0.0)
    weights, records = trained(new_dataset(tiny_world), plan, no_dropout)
    found, gpu_records = trained(new_dataset(tiny_world, "cuda"), plan, no_dropout)
    for one, other in zip(records, gpu_records, strict=True):
        assert other.losses == pytest.approx(one.losses, rel=2e-3, abs=1e-4)
    assert_alike(weights, found, rtol=1e-2, atol=2e-4)


@cuda
def test_a_gpu_repeats_itself_and_resumes(tiny_world):
    dataset = new_dataset(tiny_world, "cuda")
    states = []
    whole, records = trained(
        dataset, PLAN, on_epoch=lambda progress: states.append(progress.state())
    )
    again, _ = trained(dataset, PLAN)
    assert_alike(whole, again, rtol=1e-4, atol=1e-6)
    assert np.isfinite([list(record.losses.values()) for record in records]).all()


@cuda
@pytest.mark.filterwarnings("ignore:Synchronization debug mode")
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_nothing_waits_for_the_gpu_inside_an_epoch(tiny_world, monkeypatch, precision):
    queue, seen = DeviceEpochs.queue, []

    def watched(self, plans):
        # the first epoch records the graphs of all shapes, which waits
        torch.cuda.set_sync_debug_mode("error" if seen else "default")
        try:
            return queue(self, plans)
        finally:
            torch.cuda.set_sync_debug_mode("default")
            seen.append(len(self._steps))

    monkeypatch.setattr(DeviceEpochs, "queue", watched)
    dataset = new_dataset(tiny_world, "cuda")
    training = dataclasses.replace(PLAN.training, precision=precision)
    marks = {dataset.video_ids[1]: SnippetMarks((MarkedInstance(0, 2.0, 6.0),))}
    loss = LossSettings(marks_weight=1.0)
    trained(
        dataset, dataclasses.replace(PLAN, training=training, loss=loss, marks=marks)
    )
    assert seen == [2, 2, 2]  # batches of five and of two videos
    seen.clear()
    pupil(dataset, "cuda")
    assert len(seen) == 4


@cuda
def test_a_gpu_finds_a_loss_that_is_not_finite(tiny_world, monkeypatch):
    dataset = new_dataset(tiny_world, "cuda")
    weights, steps, message = refused(dataset, monkeypatch)
    assert f"not finite at step {steps + 1} (epoch 1)" in message
    assert repr(dataset.video_ids[6]) in message
    assert all(value.isfinite().all() for value in weights.values())
