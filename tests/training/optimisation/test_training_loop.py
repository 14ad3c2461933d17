"""The loop: repeats, resumes, stops; all on a tiny world."""

import copy
import dataclasses
import math

import pytest
import torch

from acmnet.data.datasets import WeakDataset
from acmnet.data.features.feature_store import open_store
from acmnet.data.label_files import read_annotations
from acmnet.data.labels.annotations import weak_labels
from acmnet.data.sampling_settings import SamplingSettings
from acmnet.network.acm_net import ACMNet
from acmnet.training.first_stage import weak_task
from acmnet.training.first_stage.losses import LossTerms
from acmnet.training.first_stage.marked_snippets import SnippetMarks, WatchedStretch
from acmnet.training.first_stage.training_settings import LossSettings, TrainingSettings
from acmnet.training.first_stage.weak_task import Plan, WeakTask
from acmnet.training.optimisation import training_loop
from acmnet.training.optimisation.training_error import TrainingError
from acmnet.training.optimisation.training_loop import train

PLAN = Plan(
    training=TrainingSettings(epochs=4, batch_size=5, learning_rate=1e-3),
    sampling=SamplingSettings(40, "random"),
    loss=LossSettings(),
    seed=3,
)


@pytest.fixture(scope="module")
def dataset(tiny_world):
    annotations = read_annotations(tiny_world[0]).subset("training")
    return WeakDataset(
        open_store(tiny_world[1]), weak_labels(annotations), annotations.class_names
    )


def new_model(dataset, seed=3):
    torch.manual_seed(seed)
    return ACMNet(dataset.dimension, dataset.labels.shape[1])


def trained(dataset, plan=PLAN, **arguments):
    """Weights after training, and the records of its steps."""
    model, records = new_model(dataset), []
    train(model, dataset, plan, on_step=records.append, **arguments)
    return model.state_dict(), records


def are_equal(a, b):
    return all(torch.equal(a[name], b[name]) for name in a)


def test_the_same_seed_gives_the_same_bits(dataset):
    assert are_equal(trained(dataset)[0], trained(dataset)[0])


def test_another_seed_does_not(dataset):
    other = dataclasses.replace(PLAN, seed=4)
    assert not are_equal(trained(dataset)[0], trained(dataset, other)[0])


@pytest.mark.parametrize("after", [0.0, 0.5])
def test_resuming_equals_never_having_stopped(dataset, tmp_path, after):
    plan = dataclasses.replace(PLAN, loss=LossSettings(background_after=after))
    whole, _ = trained(dataset, plan)
    model, states = new_model(dataset), {}

    def keep(progress):
        torch.save(progress.state(), tmp_path / f"{progress.epoch}.pt")
        states[progress.epoch] = tmp_path / f"{progress.epoch}.pt"

    train(model, dataset, plan, on_epoch=keep)
    for epoch in (1, 2, 3):
        state = torch.load(states[epoch], weights_only=True)
        torch.manual_seed(99)  # what was drawn before must not matter
        weights, records = trained(dataset, plan, resume=state)
        assert are_equal(weights, whole)
        assert records[0].epoch == epoch + 1


def ending(monkeypatch, factor):
    """Return a plan of five epochs, in which names count as learned in the first one.

    A world this small learns them in hundreds of epochs.
    """
    monkeypatch.setattr(weak_task, "LEARNED", 9.0)
    monkeypatch.setattr(weak_task, "FEWEST_STEPS", 1)
    training = dataclasses.replace(PLAN.training, epochs=5, early_end=factor)
    return dataclasses.replace(PLAN, training=training)


@pytest.mark.parametrize(
    ("factor", "epochs"), [(0.0, 5), (1.0, 1), (2.0, 2), (3.5, 4), (9.0, 5)]
)
def test_a_training_ends_once_names_are_learned(dataset, monkeypatch, factor, epochs):
    weights, records = trained(dataset, ending(monkeypatch, factor))
    assert records[-1].epoch == epochs
    training = dataclasses.replace(PLAN.training, epochs=epochs)
    shorter = dataclasses.replace(PLAN, training=training)
    assert are_equal(weights, trained(dataset, shorter)[0])


def test_resuming_keeps_the_early_end(dataset, monkeypatch):
    plan, states = ending(monkeypatch, 3.0), {}
    model = new_model(dataset)

    def keep(progress):
        states[progress.epoch] = copy.deepcopy(progress.state())

    train(model, dataset, plan, on_epoch=keep)
    assert [state["early_end"] for state in states.values()] == [3, 3, 3]
    monkeypatch.setattr(weak_task, "LEARNED", 0.0)  # it is known already
    for epoch in (1, 2, 3):
        weights, records = trained(dataset, plan, resume=states[epoch])
        assert are_equal(weights, model.state_dict())
        assert len({record.epoch for record in records}) == 3 - epoch


def test_losses_of_steps_count_by_their_videos(dataset, monkeypatch):
    seen = []

    def early_end(_, epoch, steps, losses):
        seen.append((epoch, steps, losses["instance"]))
        return 0

    monkeypatch.setattr(WeakTask, "early_end", early_end)
    _, records = trained(dataset)
    for epoch, steps, lost in seen:
        own = [x for x in records if x.epoch == epoch]
        assert [x.videos for x in own] == [5, 5, 2]
        assert steps == 3
        first, second, third = (x.losses["instance"] for x in own)
        assert lost == pytest.approx((5 * first + 5 * second + 2 * third) / 12)
    assert len(seen) == 4


def test_marks_are_learned_in_all_epochs(dataset, monkeypatch):
    watched = SnippetMarks(watched=(WatchedStretch(0, 0.0, 5.0),))
    marks = {dataset.video_ids[0]: watched}
    plan = dataclasses.replace(ending(monkeypatch, 1.0), marks=marks)
    assert trained(dataset, plan)[1][-1].epoch == 5


def test_the_background_loss_of_labelled_videos_counts_later(dataset):
    loss = LossSettings(background_after=0.5, background_weight=2.0)
    _, records = trained(dataset, dataclasses.replace(PLAN, loss=loss))
    assert [(r.epoch, r.step) for r in records] == [
        (1 + n // 3, 1 + n) for n in range(12)
    ]
    assert (dataset.labels.sum(dim=1) > 0).all()
    for record in records:
        terms = dict(record.losses)
        total = terms.pop("total")
        if record.epoch <= 2:
            terms["background"] = 0.0
        weighed = [getattr(loss, f"{name}_weight") * x for name, x in terms.items()]
        assert total == pytest.approx(sum(weighed), rel=1e-5)


def test_videos_without_a_label_are_background_from_the_first_epoch(dataset):
    task = WeakTask(dataset, PLAN), WeakTask(dataset, PLAN, is_early=True)
    labels = dataset.labels.clone()
    drawn = task[0].draw(torch.arange(4), slice(None), torch.Generator())
    try:
        dataset.labels[2] = 0.0
        whole, early = (own.losses(new_model(dataset).train(), drawn) for own in task)
    finally:
        dataset.labels.copy_(labels)
    background = whole[task[0].terms.index("background")]
    beyond = background * torch.tensor([1.0, 1.0, 0.0, 1.0])
    torch.testing.assert_close(early[0], whole[0] - beyond)
    assert torch.equal(early[1:], whole[1:])


def test_every_video_is_seen_once_an_epoch(dataset):
    _, records = trained(dataset)
    assert [record.step for record in records] == list(range(1, 13))
    assert [record.videos for record in records] == [5, 5, 2] * 4


def test_a_step_takes_fewer_videos_where_they_are_long(dataset):
    longest = PLAN.sampling.snippets
    usual = dataset.lengths.clamp(max=longest).double().mean().item()
    limited = dataclasses.replace(PLAN.training, batch_snippets=math.ceil(2 * usual))
    _, records = trained(dataset, dataclasses.replace(PLAN, training=limited))
    an_epoch = [record.videos for record in records if record.epoch == 1]
    assert max(an_epoch) == 2
    assert sum(an_epoch) == len(dataset)
    # a limit that five videos do not reach changes no number
    wide = dataclasses.replace(PLAN.training, batch_snippets=5 * longest)
    same = trained(dataset, dataclasses.replace(PLAN, training=wide))
    assert are_equal(same[0], trained(dataset)[0])


def test_the_record_holds_every_term(dataset):
    _, records = trained(dataset)
    assert set(records[0].losses) == set(LossTerms._fields)
    assert all(math.isfinite(value) for r in records for value in r.losses.values())


@pytest.mark.parametrize("world", [1, 2, 3, 5])
def test_processes_share_each_batch_and_count_each_video_once(monkeypatch, world):
    monkeypatch.setattr(training_loop, "_world", lambda: world)
    for n in range(1, 8):
        counted = []
        for rank in range(world):
            monkeypatch.setattr(training_loop, "_rank", lambda: rank)  # noqa: B023
            part, weight = training_loop._own_part(n)
            own = list(range(n))[part]
            assert own  # DDP needs a loss of every process, if only at no weight
            assert weight in (0.0, 1.0)
            counted += own if weight else []
        assert counted == list(range(n))


def test_the_loss_falls(dataset):
    longer = dataclasses.replace(PLAN.training, epochs=40)
    _, records = trained(dataset, dataclasses.replace(PLAN, training=longer))
    first = sum(record.losses["total"] for record in records[:3])
    last = sum(record.losses["total"] for record in records[-3:])
    assert last < 0.8 * first


def test_bf16_trains_close_to_fp32(dataset, monkeypatch):
    monkeypatch.setattr("acmnet.runtime.devices._computes_bf16", lambda _: True)
    bf16 = dataclasses.replace(PLAN.training, precision="bf16")
    _, wide = trained(dataset)
    _, narrow = trained(dataset, dataclasses.replace(PLAN, training=bf16))
    assert narrow[0].losses != wide[0].losses
    # bf16 keeps 8 bits, 0.4 %; the first step has had no time to drift apart
    assert narrow[0].losses["total"] == pytest.approx(wide[0].losses["total"], rel=0.02)

    monkeypatch.setattr("acmnet.runtime.devices._computes_bf16", lambda _: False)
    _, held = trained(dataset, dataclasses.replace(PLAN, training=bf16))
    assert held[-1].losses == wide[-1].losses


def test_a_video_without_labels_does_not_stop_training(dataset, monkeypatch):
    labels = dataset.labels.clone()
    labels[:4] = 0
    monkeypatch.setattr(dataset, "labels", labels)
    _, records = trained(dataset)
    assert math.isfinite(records[-1].losses["total"])


def test_a_loss_that_is_not_finite_names_step_term_and_video(dataset, monkeypatch):
    packed = dataset._packed.clone()
    start = int(dataset._offsets[6])
    packed[start : start + int(dataset.lengths[6])] = float("inf")
    monkeypatch.setattr(dataset, "_packed", packed)
    model = new_model(dataset)
    steps = []
    with pytest.raises(TrainingError) as refusal:
        train(model, dataset, PLAN, on_step=steps.append)
    message = str(refusal.value)
    assert f"not finite at step {len(steps) + 1} (epoch 1)" in message
    assert "total = nan" in message
    assert repr(dataset.video_ids[6]) in message
    assert message.count("training_0") == 1  # no other video is blamed
    assert all(value.isfinite().all() for value in model.state_dict().values())


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"epochs": 0}, "epochs must be at least 1, got 0"),
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
        ({"learning_rate": 0.0}, r"learning_rate must be above 0, got 0\.0"),
        ({"weight_decay": -1.0}, r"weight_decay must be at least 0, got -1\.0"),
    ],
)
def test_settings_refuse(values, message):
    with pytest.raises(ValueError, match=message):
        TrainingSettings(**values)


def test_a_foreign_state_is_refused(dataset):
    state = {"model": 1, "optimizer": {}, "epoch": 1, "step": 1}
    with pytest.raises(TrainingError, match="not one that training wrote"):
        train(new_model(dataset), dataset, PLAN, resume=state)


# ---- running mean of the weights


def test_averaged_weights_are_the_literal_running_mean(dataset):
    # step n moves the mean by 1 - min(decay, n / (n + 9)): 0.9 of the way at first
    averaging = dataclasses.replace(PLAN.training, averaging=0.3)
    plain, seen = new_model(dataset), []
    expected = {k: v.clone() for k, v in plain.state_dict().items()}
    train(
        plain,
        dataset,
        PLAN,
        on_step=lambda _: seen.append(
            {k: v.clone() for k, v in plain.state_dict().items()}
        ),
    )
    for n, weights in enumerate(seen, start=1):
        decay = min(0.3, n / (n + 9))
        for name, value in weights.items():
            expected[name] = decay * expected[name] + (1 - decay) * value
    found, _ = trained(dataset, dataclasses.replace(PLAN, training=averaging))
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value)
    assert not are_equal(found, seen[-1])


def test_resuming_keeps_the_running_mean(dataset):
    plan = dataclasses.replace(
        PLAN, training=dataclasses.replace(PLAN.training, averaging=0.9)
    )
    whole, _ = trained(dataset, plan)
    states = {}

    def keep(progress):
        states[progress.epoch] = copy.deepcopy(progress.state())

    train(new_model(dataset), dataset, plan, on_epoch=keep)
    for epoch in (1, 3):
        model = new_model(dataset, seed=9)
        train(model, dataset, plan, resume=states[epoch])
        assert are_equal(whole, model.state_dict())
