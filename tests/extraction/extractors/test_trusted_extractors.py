"""What others' files ask for is not run: stores, runs, the working directory."""

import io
import json
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import acmnet as package
from acmnet.data.features.feature_files import FeatureError
from acmnet.data.features.feature_store import open_store
from acmnet.fitting.extracted_videos import extraction_of
from support.commands import refused
from support.planted import plant
from support.runs import edit_config

EVIL = """
open("ran.txt", "a").write("evil")

class Thing:
    def __init__(self):
        open("ran.txt", "a").write("made")
"""
ASKED = ("evil:Thing", "os:abort", "pip._internal:main")


class Writes:
    """Writes a file when it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return (open, (self.path, "w"))


def run(*arguments, cwd):
    """Run a command in a process of its own: (code, stdout, stderr)."""
    done = subprocess.run(
        [sys.executable, "-m", "acmnet", *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        env={k: v for k, v in os.environ.items() if k != "PYTHONSAFEPATH"},
    )
    return done.returncode, done.stdout, done.stderr


def test_modules_in_the_working_directory_are_not_run(tiny_scenes, tmp_path):
    ran = plant(tmp_path)
    video = tiny_scenes / "videos" / "test_000.mp4"
    command = ["extract", video, "--out", "f", "--extractor", "motion"]
    code, out, err = run(*command, cwd=tmp_path)
    assert (code, "1 video extracted" in out) == (0, True), err
    assert not ran.exists(), ran.read_text()


@pytest.mark.parametrize("asked", ASKED)
def test_what_a_store_asks_for_is_not_run(acmnet, tiny_scenes, monkeypatch, asked):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(Path.cwd()))
    Path("evil.py").write_text(EVIL)
    Path("run/features").mkdir(parents=True)
    manifest = {"fps": 25, "snippet_frames": 16, "stride_frames": 16, "dimension": 4}
    for store in ("run/features", "f"):
        Path(store).mkdir(exist_ok=True)
        Path(store, "features.json").write_text(
            json.dumps(manifest | {"extractor": asked})
        )
    videos, labels = tiny_scenes / "videos", tiny_scenes / "labels.csv"
    for command in (
        ["extract", videos, "--out", "f"],
        ["fit", videos, labels, "--out", "run"],
    ):
        words = f"features.json asks for the extractor '{asked}'", "nothing of it was"
        allow = f"give --extractor {asked}", f"{Path.cwd()}/acmnet/trusted_extractors"
        refused(acmnet(*command), *words, *allow)
    assert not Path("ran.txt").exists()


@pytest.fixture
def asking(tiny_run, tmp_path):
    """Give what makes a copy of a run whose manifest is changed."""

    def copy(**changes):
        out = tmp_path / "run"
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(tiny_run, out)
        edit_config(out, lambda config: config["training"]["manifest"].update(changes))
        return out

    return copy


def test_what_a_run_asks_for_is_not_run(acmnet, asking, tiny_scenes, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(Path.cwd()))
    Path("evil.py").write_text(EVIL)
    video = tiny_scenes / "videos" / "test_000.mp4"
    for asked in ASKED:
        out = asking(extractor=asked)
        command = ["localize", video, "--run", out, "--out", "d.json"]
        words = f"run asks for the extractor '{asked}'", f"--extractor {asked}"
        refused(acmnet(*command), *words)
        wrong = acmnet(*command, "--extractor", "motion")
        refused(wrong, f"'{asked}', not of 'motion'")
        package.load(out)
    # features that no extractor of acmnet makes cannot be made of a video
    with pytest.raises(
        ValueError, match=r"trained on features of 'resnet', which .*--f"
    ):
        extraction_of(asking(extractor="resnet"))
    # the settings of a manifest cannot say that the user named it
    out = asking(extractor="evil:Thing", settings={"is_named": True, "extractor": "x"})
    with pytest.raises(ValueError, match="asks for the extractor 'evil:Thing'"):
        extraction_of(out)
    assert not Path("ran.txt").exists()
    # the user's own word runs it
    result = acmnet(*command[:3], out, "--extractor", "evil:Thing")
    assert result[0] == 1
    assert Path("ran.txt").read_text() == "evilmade"


def test_pickles_are_not_run(tiny_run, tmp_path):
    ran, out = tmp_path / "ran", tmp_path / "run"
    shutil.copytree(tiny_run, out)
    evil = pickle.dumps(Writes(ran))
    for path in [*out.rglob("*.safetensors"), *out.rglob("*.pt"), *out.rglob("*.json")]:
        kept = path.read_bytes()
        path.write_bytes(evil)
        if path.suffix != ".pt":
            try:
                package.load(out)
            except ValueError as error:
                assert path.name in str(error)  # noqa: PT017 - some are not read
        else:
            package.load(out)
        path.write_bytes(kept)
    array = np.empty((3, 16), dtype=object)
    array[:] = Writes(ran)
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=True)
    grid = package.SnippetGrid(25, 16, 16)
    for name, content in (("object.npy", buffer.getvalue()), ("bare.npy", evil)):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(FeatureError, match=name):
            open_store(tmp_path, grid=grid).read(name.removesuffix(".npy"))
        (tmp_path / name).unlink()
    assert not ran.exists()
