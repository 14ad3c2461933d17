"""Checkpoints: round trips, what survives, what is refused unread."""

import dataclasses
import errno
import json
import pickle

import pytest
import torch
from safetensors.torch import save_file

from acmnet import files
from acmnet.checkpoint import (
    CheckpointConfig,
    CheckpointError,
    load_config,
    load_training_state,
    load_weights,
    save_checkpoint,
    save_training_state,
)
from acmnet.recipes import Settings, as_values, from_values
from acmnet.segments import SnippetGrid

CONFIG = CheckpointConfig(
    recipe="default",
    profile="corrected",
    seed=0,
    settings=as_values(Settings()),
    class_names=("jump", "überqueren"),
    feature_dim=4,
    grid=SnippetGrid(25, 16, 16),
    epoch=7,
    selection="last",
    metrics={"losses": {"total": 1.5}},
    versions={"acmnet": "0"},
)
WEIGHTS = {"a": torch.arange(6.0).reshape(2, 3), "b": torch.tensor([0.1])}


class Bomb:
    """A pickle that says so when it is opened."""

    def __reduce__(self):
        return pytest.fail, ("the pickle was read",)


@pytest.fixture
def saved(tmp_path):
    save_checkpoint(tmp_path, WEIGHTS, CONFIG)
    save_training_state(tmp_path, {"epoch": 7, "model": WEIGHTS})
    return tmp_path


def test_round_trip(saved):
    weights = load_weights(saved)
    assert all(torch.equal(weights[name], value) for name, value in WEIGHTS.items())
    config = load_config(saved)
    assert config.class_names == CONFIG.class_names
    assert config.grid == CONFIG.grid
    assert from_values(config.settings, "config.json") == Settings()
    assert load_training_state(saved)["epoch"] == 7


def test_nothing_temporary_is_left(saved):
    names = {path.name for path in saved.iterdir()}
    assert names == {"model.safetensors", "config.json", "training_state.pt"}


def test_a_full_disk_leaves_the_last_good_checkpoint(saved, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    newer = dataclasses.replace(CONFIG, epoch=8)
    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(
        CheckpointError, match=r"No space left on device.*; the last good"
    ):
        save_checkpoint(saved, {"a": torch.zeros(1)}, newer)
    with pytest.raises(CheckpointError, match=r"training_state\.pt.*No space left"):
        save_training_state(saved, {"epoch": 8})
    monkeypatch.undo()
    test_round_trip(saved)
    test_nothing_temporary_is_left(saved)


@pytest.mark.parametrize("keep", [0, 1, 7, 40, -1])
def test_truncated_weights_are_refused(saved, keep):
    path = saved / "model.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(CheckpointError, match=r"model\.safetensors is truncated"):
        load_weights(saved)


@pytest.mark.parametrize("keep", [0, 10, -30])
def test_a_truncated_state_is_refused(saved, keep):
    path = saved / "training_state.pt"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(CheckpointError, match=r"training_state\.pt is truncated"):
        load_training_state(saved)


@pytest.mark.parametrize("keep", [0, 10, -3])
def test_a_truncated_config_is_refused(saved, keep):
    path = saved / "config.json"
    path.write_text(path.read_text()[:keep])
    with pytest.raises(CheckpointError, match=r"config\.json is damaged"):
        load_config(saved)


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_is_refused_unread(tmp_path, protocol):
    path = tmp_path / "model.pth"
    path.write_bytes(pickle.dumps(Bomb(), protocol))
    for given in (path, tmp_path):
        with pytest.raises(CheckpointError, match=r"model\.pth is a pickle.*not read"):
            load_config(given)


def test_a_header_length_that_looks_like_a_pickle_is_none(tmp_path):
    # safetensors begins with its header's length: 640 is the bytes 80 02, as a pickle's
    path = tmp_path / "model.safetensors"
    for n in range(2000):
        save_file({"x" * (n + 1): torch.zeros(1)}, path)
        if path.read_bytes()[:2] == b"\x80\x02":
            break
    assert path.read_bytes()[:8] == (640).to_bytes(8, "little")
    assert list(load_weights(tmp_path)) == ["x" * (n + 1)]


def test_a_pickle_under_our_name_is_refused_unread(saved):
    (saved / "model.safetensors").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(CheckpointError, match="is a pickle"):
        load_weights(saved)


def test_a_torch_file_is_refused_unread(saved):
    torch.save(WEIGHTS, saved / "model.safetensors")
    with pytest.raises(CheckpointError, match="is a pickle"):
        load_weights(saved)


def test_code_in_a_training_state_is_not_run(saved):
    torch.save({"epoch": Bomb()}, saved / "training_state.pt")
    with pytest.raises(
        CheckpointError, match=r"training_state\.pt is truncated or not"
    ):
        load_training_state(saved)


def test_a_newer_format_is_refused(saved):
    path = saved / "config.json"
    values = json.loads(path.read_text()) | {"format": 99, "unheard_of": 1}
    path.write_text(json.dumps(values))
    with pytest.raises(CheckpointError, match="format 99, this acmnet reads up to 1"):
        load_config(saved)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[]", "damaged or not written by acmnet"),
        ('{"format": 1}', "damaged or not written by acmnet"),
        ('{"format": "x"}', "damaged or not written by acmnet"),
    ],
)
def test_a_foreign_config_is_refused(saved, content, message):
    (saved / "config.json").write_text(content)
    with pytest.raises(CheckpointError, match=message):
        load_config(saved)


def test_an_empty_directory_is_refused(tmp_path):
    with pytest.raises(
        CheckpointError, match=r"holds no config\.json; give a directory"
    ):
        load_config(tmp_path)


def test_a_file_is_no_checkpoint(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("hello")
    with pytest.raises(
        CheckpointError, match="is a file; a checkpoint is the directory"
    ):
        load_config(path)


def test_a_state_of_another_kind_is_refused(saved):
    torch.save([1], saved / "training_state.pt")
    with pytest.raises(CheckpointError, match="holds a list, not a state"):
        load_training_state(saved)
