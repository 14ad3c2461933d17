"""Every verb that writes: full disks, files in place of folders, missing folders."""

import errno
import json
import os
import shutil

import pytest

from acmnet.files import file_access
from support.commands import refused


@pytest.fixture
def place(tiny_world, tiny_run, tmp_path):
    """Give the options of each verb, with a run of its own and all that it reads."""
    shutil.copytree(tiny_run, tmp_path / "run")
    labels, features = map(str, tiny_world)
    found = {
        "results": {"test_000": [{"label": "jump", "score": 1, "segment": [0, 1]}]}
    }
    (tmp_path / "found.json").write_text(json.dumps(found))
    (tmp_path / "a_file").write_text("in the way")
    (tmp_path / "x.mp4").write_text("no video")
    data = ["--annotations", labels, "--features", features]
    few = ["--subset", "training", "--training.epochs", "1", "--device", "cpu"]
    few += ["--profile", "corrected"]
    truth = ["--ground-truth", labels, "--detections", "found.json"]
    return {
        "train": ["train", *data, *few, "--out", "OUT"],
        "crossvalidate": ["crossvalidate", *data, *few, "--folds", "2", "--out", "OUT"],
        "crossvalidate --json": [
            *("crossvalidate", *data, *few, "--folds", "2", "--out", "cv"),
            *("--json", "OUT.json"),
        ],
        "ablate": ["ablate", "IV", *data, *few, "--out", "OUT"],
        "localize": ["localize", "--run", "run", *data, "--out", "OUT.json"],
        "localize csv": ["localize", "--run", "run", *data, "--out", "OUT.csv"],
        "evaluate --json": ["evaluate", *truth, "--json", "OUT.json"],
        "evaluate --csv": ["evaluate", *truth, "--csv", "OUT.csv"],
        "evaluate --markdown": ["evaluate", *truth, "--markdown", "OUT.md"],
        "evaluate --latex": ["evaluate", *truth, "--latex", "OUT.tex"],
        "diagnose --json": ["diagnose", *truth, "--json", "OUT.json"],
        "doctor --json": ["doctor", "--annotations", labels, "--json", "OUT.json"],
        "calibrate --json": [
            *("calibrate", "--run", "run", *data, "--subset", "test"),
            *("--json", "OUT.json"),
        ],
        "figures": ["figures", "run", "--out", "OUT"],
        "report": ["report", "run", "--out", "OUT.html"],
        "simulate": ["simulate", "--annotations", labels, "--out", "OUT"],
        "demo": ["demo", "--out", "OUT"],
        "render": ["render", "x.mp4", "--detections", "found.json", "--out", "OUT.mp4"],
        "extract": ["extract", "x.mp4", "--out", "OUT"],
        "fit": ["fit", "x.mp4", "--labels", labels, "--out", "OUT"],
    }


VERBS = (
    *("train", "crossvalidate", "crossvalidate --json", "ablate", "localize"),
    *("localize csv", "evaluate --json", "evaluate --csv", "evaluate --markdown"),
    *("evaluate --latex", "diagnose --json", "doctor --json", "calibrate --json"),
    *("figures", "report", "simulate", "demo", "render", "extract", "fit"),
)
QUICK = (
    *("train", "localize", "localize csv", "evaluate --json", "evaluate --csv"),
    *("evaluate --markdown", "evaluate --latex", "doctor --json", "simulate"),
)


def with_out(arguments, out):
    return [str(x).replace("OUT", out) for x in arguments]


@pytest.mark.parametrize("verb", VERBS)
def test_a_file_in_place_of_a_folder(acmnet, place, verb, tmp_path):
    """It is named before the work begins, not after hours of it."""
    code, _, err = acmnet(*with_out(place[verb], "a_file/x"))
    assert code == 1, err
    (sentence,) = [line for line in err.splitlines() if line.startswith("acmnet: ")]
    assert "a_file" in sentence
    assert "[Errno" not in sentence
    assert (tmp_path / "a_file").read_text() == "in the way"
    assert not (tmp_path / "cv").exists()


def test_every_folder_to_write_to_refuses_the_name_of_a_file(acmnet, tmp_path):
    """`acmnet cut ... --out clips.csv` made a folder of that name."""
    folders = {
        ("ablate", "IV", "--annotations", "l", "--features", "f", "--out"),
        ("budget", "l", "--out"),
        ("crossvalidate", "--annotations", "l", "--features", "f", "--out"),
        ("cut", "d", "v", "--out"),
        ("demo", "--out"),
        ("diagnose", "--ground-truth", "l", "--detections", "d", "--figures"),
        ("export", "run", "--pretrained"),
        ("extract", "v", "--out"),
        ("features", "other", "f", "--out"),
        ("figures", "run", "--out"),
        ("fit", "v", "l", "--out"),
        ("import", "c", "--labels", "l", "--out"),
        ("pack", "f"),
        ("pose", "v", "--out"),
        ("simulate", "--annotations", "l", "--out"),
        ("train", "--annotations", "l", "--features", "f", "--out"),
    }
    for words in folders:
        for name in ("found.csv", "found.JSON", "deep/found.mp4"):
            code, _, err = acmnet(*words, name)
            assert code == 2
            (sentence,) = err.splitlines()
            option = words[-1] if words[-1].startswith("--") else "OUT"
            assert f"{option} must name a folder, into which all files" in sentence
            assert f"such as {name.rpartition('.')[0]}, got {name!r}" in sentence
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_exists_may_have_any_name(acmnet, tiny_world, tmp_path):
    (tmp_path / "made.csv").mkdir()
    few = ("--videos", 1, "--dimension", 8)
    made = acmnet("simulate", "--annotations", tiny_world[0], *few, "--out", "made.csv")
    assert made[0] == 0
    assert acmnet("pack", "made.csv/features", "v1.2")[0] == 0


@pytest.mark.parametrize("verb", QUICK)
def test_a_folder_that_is_missing_is_made(acmnet, place, verb, tmp_path):
    code, _, err = acmnet(*with_out(place[verb], "new/deep/x"))
    assert code in (0, 3), err
    assert list((tmp_path / "new" / "deep").iterdir())


@pytest.mark.parametrize("verb", QUICK)
def test_a_full_disk(acmnet, place, verb, tmp_path, monkeypatch):
    """Seven verbs said ``[Errno 28] No space left on device`` and no more."""

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(file_access.os, "fsync", full)
    code, _, err = acmnet(*with_out(place[verb], "new/x"))
    assert code == 1, err
    (sentence,) = [line for line in err.splitlines() if line.startswith("acmnet: ")]
    assert "new/x" in sentence
    assert "No space left on device" in sentence
    assert "free some space" in sentence
    assert "[Errno" not in sentence
    left = [p for p in (tmp_path / "new").rglob("*") if p.name.endswith(".part")]
    assert left == []


def test_addresses_are_no_folders(acmnet, tiny_world, tiny_scenes, tmp_path):
    labels, features = tiny_world
    given = ("--annotations", labels, "--features", features)
    for words in (
        ("extract", tiny_scenes, "--extractor", "motion", "--out", "s3://b/x"),
        ("train", *given, "--out", "s3://b/x"),
        ("convert", labels, "s3://b/x.csv"),
    ):
        result = acmnet(*words)
        refused(result, "s3://b", " is an address, to which only acmnet pack writes")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "s3:").mkdir()  # a folder of this name may be written to
    assert acmnet("convert", labels, "s3://b.json")[0] == 0
    assert (tmp_path / "s3:" / "b.json").exists()
