"""Teachers that never started: trained again from another seed, told, or left out."""

import dataclasses

import pytest
import torch
from safetensors.torch import load_file, save
from tests.support.runs import edit_config, replace_file, weights_file

import acmnet
from acmnet.checkpoints.checkpoint import load_config
from acmnet.checkpoints.checkpoint_folder import MODEL_FILE
from acmnet.data.labelled_features import DataSource, open_data
from acmnet.models.stored_model import load_network
from acmnet.recipes import recipe
from acmnet.runs import silent_teachers, teacher_training
from acmnet.runs.network_training import weak_dataset
from acmnet.runs.run_request import RunRequest
from acmnet.runs.silent_teachers import MOST_TRIES, further_tries
from acmnet.runs.teacher_training import as_teacher, trained_teachers
from acmnet.runs.training_run import train_run
from acmnet.training.first_stage import silent_networks
from acmnet.training.first_stage.silent_networks import GUESS, mean_spread

FEW = {
    "training.epochs": 2,
    "training.batch_size": 4,
    "training.checkpoint_every": 1,
    "teachers.count": 2,
    "student_training.epochs": 1,
    "student.width": 8,
    "student.layers": 2,
    "student_training.snippets": 20,
}


@pytest.fixture
def asked(tiny_world, tmp_path, monkeypatch):
    """Ask for two teachers of 2 epochs; the limits are lowered for so short ones."""
    monkeypatch.setattr(silent_networks, "GUESS", 1e-3)
    monkeypatch.setattr(silent_networks, "STARTED", 1e-3)
    monkeypatch.setattr(silent_teachers, "BACKGROUND_AFTER", 0.5)
    return RunRequest(
        out=tmp_path / "run",
        data=open_data(DataSource(*tiny_world, "training")),
        recipe="default",
        profile="best",
        settings=recipe("default", profile="best", overrides=FEW),
        resume=True,
    )


def teachers_of(asked, on_step=lambda _: None):
    """Train what is missing of the teachers; return them and what was told."""
    notes = []
    found = trained_teachers(asked, weak_dataset(asked), dict, on_step, notes.append)
    return found, notes


def silence(run):
    """Give a trained network weights with no attention to instances."""
    weights = load_file(weights_file(run))
    weights["attention.weight"].zero_()
    weights["attention.bias"].copy_(torch.tensor([-20.0, 0.0, 0.0]))
    replace_file(run, MODEL_FILE, save(weights))


def are_equal(one, other):
    one, other = one.state_dict(), other.state_dict()
    return all(torch.equal(one[name], other[name]) for name in one)


def test_a_silent_teacher_is_trained_again_from_a_seed_of_its_own(asked, tmp_path):
    before, notes = teachers_of(asked)
    assert (before.values(), notes) == ({}, [])
    place = asked.out / "teachers/1"
    silence(place)
    found, notes = teachers_of(asked)
    assert (found.silent, found.trained_again) == ((), (1,))
    assert notes == [
        "teachers/1 did not start to learn; it is trained again in another way"
    ]
    assert are_equal(found.networks[0], before.networks[0])
    assert not are_equal(found.networks[1], before.networks[1])
    own = next(further_tries(as_teacher(asked, place, 1)))
    assert load_config(place).seed == own.seed
    assert load_config(place).settings["loss"]["background_after"] == 0.5
    # it is what a training from that seed alone gives
    alone = train_run(dataclasses.replace(own, out=tmp_path / "alone"))
    assert are_equal(found.networks[1], load_network(alone))
    # and it is found again, and not trained again
    again, notes = teachers_of(asked, on_step=lambda _: pytest.fail("trained again"))
    assert (again.trained_again, notes) == ((1,), [])
    assert are_equal(again.networks[1], found.networks[1])


def test_a_further_try_that_was_cut_short_ends_in_the_same_bits(asked, tmp_path):
    teachers_of(asked)
    silence(asked.out / "teachers/1")

    def cut(record):
        if record.epoch == 4:  # the second of two, after both of teacher 0
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        teachers_of(asked, cut)
    found, notes = teachers_of(asked)
    assert (found.trained_again, notes) == ((1,), [])
    own = next(further_tries(as_teacher(asked, tmp_path / "alone", 1)))
    assert are_equal(found.networks[1], load_network(train_run(own)))


def test_a_teacher_that_stays_silent_is_left_out_and_told(asked, monkeypatch):
    teachers_of(asked)
    silence(asked.out / "teachers/0")
    monkeypatch.setattr(silent_teachers, "MOST_TRIES", 0)
    notes = []
    run = train_run(asked, on_note=notes.append)
    assert notes == ["of 2 teachers, 1 did not start to learn and is left out"]
    model = acmnet.load(run)
    assert len(model.networks) == 1
    assert are_equal(model.networks[0], load_network(run / "teachers/1"))
    assert model.config.training["silent_teachers"] == [0]
    assert "teachers_trained_again" not in model.config.training


def test_a_round_looks_only_where_a_teacher_had_not_started(
    asked, tmp_path, monkeypatch
):
    train_run(asked)
    again = dataclasses.replace(
        asked, out=tmp_path / "round", begin_from=asked.out, supervision="segments"
    )
    looked = []

    def noted(network, dataset):
        looked.append(network)
        return mean_spread(network, dataset)

    monkeypatch.setattr(teacher_training, "mean_spread", noted)
    found, notes = teachers_of(again)
    assert (looked, found.values(), notes) == ([], {}, [])
    # they are what they were with a look at them
    edit_config(asked.out, lambda x: x["training"].update(silent_teachers=[1]))
    every, _ = teachers_of(dataclasses.replace(again, out=tmp_path / "looked"))
    assert (len(looked), every.values()) == (2, {})
    for one, other in zip(found.networks, every.networks, strict=True):
        assert are_equal(one, other)
    # other names may be learned from otherwise
    edit_config(
        asked.out,
        lambda x: x["training"].update(silent_teachers=[], labels_sha256="other"),
    )
    teachers_of(dataclasses.replace(again, out=tmp_path / "other"))
    assert len(looked) == 4


def test_where_no_teacher_starts_one_more_try_is_made_of_each(asked, monkeypatch):
    monkeypatch.setattr(silent_networks, "GUESS", 1e9)
    notes = []
    run = train_run(asked, on_note=notes.append)
    assert notes[0].startswith("teachers/0 and teachers/1 did not start to learn; they")
    assert notes[1].startswith("none of the 2 teachers started to learn")
    model = acmnet.load(run)
    assert len(model.networks) == 2
    for k in (0, 1):
        again = next(further_tries(as_teacher(asked, run, k)))
        assert load_config(run / f"teachers/{k}").seed == again.seed


def test_too_short_a_training_is_not_tried_again(asked, monkeypatch):
    monkeypatch.setattr(silent_teachers, "BACKGROUND_AFTER", 0.4)  # of 2 epochs
    assert [*further_tries(asked)] == []


def test_seeds_of_further_tries_meet_no_other(asked):
    """Neither each other, nor those of the teachers of a thousand runs."""
    drawn = [
        own.seed
        for k in range(2000)
        for own in further_tries(dataclasses.replace(asked, seed=k))
    ]
    assert len(set(drawn)) == len(drawn) == 2000 * MOST_TRIES
    assert not set(drawn) & set(range(2000))


def test_a_network_without_a_student_that_guesses_is_told(tiny_world, tmp_path):
    rules = {
        "training.epochs": 7,
        "training.batch_size": 12,
        "training.learning_rate": 1e-9,  # it stays at its first weights
        "loss.marks_weight": 0.0,
    }
    request = RunRequest(
        out=tmp_path / "run",
        data=open_data(DataSource(*tiny_world, "training")),
        recipe="default",
        profile="corrected",
        settings=recipe("default", profile="corrected", overrides=rules),
    )
    notes = []
    run = train_run(request, on_note=notes.append)
    assert mean_spread(load_network(run), weak_dataset(request)) < GUESS
    assert notes[-1].startswith("the network did not start to learn")
