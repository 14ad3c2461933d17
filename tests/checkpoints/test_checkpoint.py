"""Checkpoints: round trips, what survives, what is refused unread."""

import contextlib
import dataclasses
import errno
import io
import json
import os
import pickle
import random
import stat
import subprocess
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from acmnet.checkpoints.checkpoint import (
    load_config,
    load_training_state,
    load_weights,
    model_files,
    save_checkpoint,
    state_files,
)
from acmnet.checkpoints.checkpoint_config import CheckpointConfig
from acmnet.checkpoints.checkpoint_folder import (
    CheckpointError,
    has_checkpoint,
    labels_file,
)
from acmnet.files import whole_folders
from acmnet.files.whole_folders import digests, recover, whole_folder, write_folder
from acmnet.recipes import Settings, as_values, from_values
from acmnet.segments import SnippetGrid
from support.runs import edit_config, replace_file

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
    trained_on={"a": ("jump",), "ä": ()},
)
WEIGHTS = {"a": torch.arange(6.0).reshape(2, 3), "b": torch.tensor([0.1])}


class Bomb:
    """A pickle that says so when it is opened."""

    def __reduce__(self):
        return pytest.fail, ("the pickle was read",)


@pytest.fixture
def saved(tmp_path):
    save_checkpoint(tmp_path / "c", files_of(CONFIG, WEIGHTS))
    return tmp_path / "c"


def files_of(config, weights):
    state = {"epoch": config.epoch, "model": weights}
    return model_files(weights, config, b"{}") | state_files(state)


def test_round_trip(saved):
    weights = load_weights(saved)
    assert all(torch.equal(weights[name], value) for name, value in WEIGHTS.items())
    config = load_config(saved)
    assert config.class_names == CONFIG.class_names
    assert config.grid == CONFIG.grid
    assert from_values(config.settings, "config.json") == Settings()
    assert load_training_state(saved)["epoch"] == 7
    assert config.trained_on == CONFIG.trained_on
    assert config.taught_times == {}
    assert labels_file(saved) == saved / "labels.json"


def test_the_times_that_taught_are_kept(tmp_path):
    times = {"a": {"points": [["jump", 2.5]]}}
    taught = dataclasses.replace(CONFIG, taught_times=times)
    save_checkpoint(tmp_path / "taught", files_of(taught, WEIGHTS))
    assert load_config(tmp_path / "taught").taught_times == times


def test_nothing_temporary_is_left(saved):
    kept = {"model.safetensors", "config.json", "training_state.pt", "trained_on.json"}
    assert {path.name for path in saved.iterdir()} == {
        *(*kept, "labels.json", "SHA256SUMS")
    }
    assert list(saved.parent.iterdir()) == [saved]


def test_a_full_disk_leaves_the_last_good_checkpoint(saved, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    newer = files_of(dataclasses.replace(CONFIG, epoch=8), {"a": torch.zeros(1)})
    monkeypatch.setattr(whole_folders.os, "fsync", full)
    with pytest.raises(CheckpointError, match="No space left on device; the last good"):
        save_checkpoint(saved, newer)
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
    with pytest.raises(CheckpointError, match=r"config\.json is truncated, damaged"):
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
    written = io.BytesIO()
    torch.save({"epoch": Bomb()}, written)
    replace_file(saved, "training_state.pt", written.getvalue())
    with pytest.raises(
        CheckpointError, match=r"training_state\.pt is truncated or not"
    ):
        load_training_state(saved)


def test_a_newer_format_is_refused(saved):
    edit_config(saved, lambda values: values.update(format=99, unheard_of=1))
    with pytest.raises(CheckpointError, match="format 99, this acmnet reads up to 2"):
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
    replace_file(saved, "config.json", content.encode())
    with pytest.raises(CheckpointError, match=message):
        load_config(saved)


def test_an_empty_directory_is_refused(tmp_path):
    with pytest.raises(
        CheckpointError, match=r"is no run: it holds no config\.json; give a directory"
    ):
        load_config(tmp_path)


def test_a_folder_of_runs_is_refused_with_the_name_of_one(saved):
    with pytest.raises(CheckpointError, match=f"holds 1 run; .* such as {saved}"):
        load_config(saved.parent)


def test_a_file_is_no_checkpoint(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("hello")
    with pytest.raises(
        CheckpointError, match="is a file; a checkpoint is the directory"
    ):
        load_config(path)


def test_a_state_of_another_kind_is_refused(saved):
    written = io.BytesIO()
    torch.save([1], written)
    replace_file(saved, "training_state.pt", written.getvalue())
    with pytest.raises(CheckpointError, match="holds a list, not a state"):
        load_training_state(saved)


# ---- whole or absent


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


class KilledError(BaseException):
    """Stands for the end of the process: nothing after it is done."""


@pytest.mark.parametrize("call", ["mkdir", "rename", "fsync", "rmtree", "open"])
@pytest.mark.parametrize("nth", range(6))
def test_a_kill_anywhere_leaves_one_whole_checkpoint(
    saved, monkeypatch, call, nth, tmp_path
):
    before = contents(saved)
    newer = files_of(dataclasses.replace(CONFIG, epoch=8), {"a": torch.zeros(1)})
    save_checkpoint(tmp_path / "whole", newer)
    after = contents(tmp_path / "whole")
    calls = 0

    def killed(function):
        def call_or_die(*args, **kwargs):
            nonlocal calls
            calls += 1
            if calls >= nth + 1:  # a dead process does nothing any more
                raise KilledError
            return function(*args, **kwargs)

        return call_or_die

    home = {"fsync": whole_folders.os, "rmtree": whole_folders.shutil}.get(call, Path)
    monkeypatch.setattr(home, call, killed(getattr(home, call)))
    with contextlib.suppress(KilledError):
        write_folder(saved, newer)
    monkeypatch.undo()
    assert contents(whole_folder(saved)) in (before, after)
    recover(saved)
    assert contents(saved) in (before, after)
    assert {path.name for path in tmp_path.iterdir()} == {"c", "whole"}
    save_checkpoint(saved, newer)
    assert contents(saved) == after


def test_equal_states_give_equal_bytes_in_every_process():
    # torch.save to a file names its archive after the file, and so after the process
    states = [{"epoch": 1, "model": {"a": torch.arange(9.0)}} for _ in range(2)]
    one, other = (state_files(state)["training_state.pt"] for state in states)
    assert one == other
    names = zipfile.ZipFile(io.BytesIO(one)).namelist()
    assert {name.partition("/")[0] for name in names} == {"archive"}


def test_files_have_the_permissions_that_the_user_gives_new_files(tmp_path):
    before = os.umask(0o027)
    try:
        save_checkpoint(tmp_path / "c", files_of(CONFIG, WEIGHTS))
    finally:
        os.umask(before)
    modes = {stat.S_IMODE(p.stat().st_mode) for p in (tmp_path / "c").iterdir()}
    assert modes == {0o640}


# ---- digests


def test_digests_are_those_of_sha256sum(saved):
    checked = subprocess.run(
        ["sha256sum", "-c", "SHA256SUMS"], cwd=saved, capture_output=True, text=True
    )
    assert checked.returncode == 0
    assert checked.stdout.count(": OK") == 5 == len(digests(saved))


READERS = {
    "model.safetensors": load_weights,
    "config.json": load_config,
    "training_state.pt": load_training_state,
    "trained_on.json": load_config,
    "labels.json": labels_file,
}


@pytest.mark.parametrize("name", READERS)
def test_a_flipped_bit_is_refused(saved, name):
    path, draw = saved / name, random.Random(0)
    whole = path.read_bytes()
    for _ in range(50):
        bits = bytearray(whole)
        bits[draw.randrange(len(bits))] ^= 1 << draw.randrange(8)
        path.write_bytes(bits)
        with pytest.raises(CheckpointError, match=name.replace(".", r"\.")):
            READERS[name](saved)


def read_all(folder):
    for read in READERS.values():
        read(folder)


def test_a_flipped_bit_in_the_digests_is_refused(saved):
    path, draw = saved / "SHA256SUMS", random.Random(0)
    whole = path.read_bytes()
    for _ in range(100):
        bits = bytearray(whole)
        bits[draw.randrange(len(bits))] ^= 1 << draw.randrange(8)
        path.write_bytes(bits)
        with pytest.raises(CheckpointError, match=r"SHA-256|takes? another|lost"):
            read_all(saved)


def test_digests_that_are_gone_are_missed(saved):
    (saved / "SHA256SUMS").unlink()
    with pytest.raises(CheckpointError, match="has lost its SHA256SUMS"):
        load_config(saved)


# ---- what config.json may say


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("class_names", "jump", "class_names must be a list, got 'jump'"),
        ("class_names", [1, 2], r"class_names must be a list of names, got \[1, 2\]"),
        ("class_names", ["a", " "], "class_names must be a list of names"),
        ("class_names", [], "class_names must be a list of names"),
        ("class_names", ["a", "b", "a"], "class_names has 'a' twice"),
        ("feature_dim", 10**12, "feature_dim must be from 1 to 1000000, got 10000000"),
        ("feature_dim", 0, "feature_dim must be from 1 to 1000000, got 0"),
        ("feature_dim", -4, "feature_dim must be from 1 to 1000000, got -4"),
        ("feature_dim", True, "feature_dim must be a whole number, got True"),
        ("feature_dim", 4.0, r"feature_dim must be a whole number, got 4\.0"),
        ("feature_dim", "4", "feature_dim must be a whole number, got '4'"),
        ("settings", [], r"settings must be an object, got \[\]"),
        ("settings", None, "settings must be an object, got None"),
        ("training", 3, "training must be an object, got 3"),
        ("epoch", "7", "epoch must be a whole number, got '7'"),
        ("recipe", None, "recipe must be text, got None"),
        ("grid", {"fps": "25"}, "fps of the grid must be a number, got '25'"),
        ("grid", {"fps": True}, "fps of the grid must be a number, got True"),
        ("grid", {"fps": -1, "snippet_frames": 1, "stride_frames": 1}, "fps must be"),
        (
            "grid",
            {"fps": 25, "snippet_frames": 1.5, "stride_frames": 1},
            "whole number",
        ),
        ("grid", {"fps": 25, "snippet_frames": 16}, "stride_frames"),
        ("grid", {"fps": 25, "x": 1}, "damaged or not written by acmnet"),
        ("unheard_of", 1, "unheard_of"),
        ("format", True, "its format is True"),
    ],
)
def test_what_config_json_cannot_say(saved, key, value, message):
    edit_config(saved, lambda values: values.update({key: value}))
    with pytest.raises(CheckpointError, match=message) as refusal:
        load_config(saved)
    assert "config.json is damaged or not written by acmnet" in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_value_that_is_missing_is_named(saved):
    edit_config(saved, lambda values: values.pop("grid"))
    with pytest.raises(CheckpointError, match="'grid'"):
        load_config(saved)


@pytest.mark.parametrize("content", ["[" * 100_000, '{"a":' * 100_000])
def test_a_config_nested_without_end_is_refused(saved, content):
    replace_file(saved, "config.json", content.encode())
    with pytest.raises(CheckpointError, match=r"config\.json"):
        load_config(saved)


@pytest.mark.parametrize("labels", ["jump", [1], None, [""]])
def test_training_videos_that_are_none_are_refused(saved, labels):
    replace_file(saved, "trained_on.json", json.dumps({"a": labels}).encode())
    with pytest.raises(CheckpointError, match=r"trained_on\.json .*video 'a'"):
        load_config(saved)


def test_times_that_are_none_are_refused(saved):
    replace_file(saved, "taught_times.json", b'{"a": [3]}')
    with pytest.raises(CheckpointError, match=r"taught_times\.json .*video 'a'"):
        load_config(saved)


@pytest.mark.parametrize("name", READERS)
def test_no_file_of_a_checkpoint_is_opened_as_a_pickle(saved, name):
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        replace_file(saved, name, pickle.dumps(Bomb(), protocol))
        with pytest.raises(CheckpointError, match=name.replace(".", r"\.")):
            READERS[name](saved)


def test_a_folder_without_any_file_is_no_checkpoint(tmp_path):
    (tmp_path / "checkpoint.new").mkdir()
    assert not has_checkpoint(tmp_path)
