"""What a run keeps: found from anywhere, damaged, planted, old, shared, or in use."""

import contextlib
import dataclasses
import json
import os
import pickle
import random
import shutil
import subprocess
import sys
from pathlib import Path

import hypothesis.strategies as st
import pytest
from filelock import FileLock
from hypothesis import given
from safetensors.torch import save

import acmnet as package
from acmnet.checkpoints.checkpoint import load_config, load_training_state, load_weights
from acmnet.checkpoints.checkpoint_folder import CheckpointError, folder_of
from acmnet.cli.options.run_data import RunDataOptions
from acmnet.data.label_files import read_annotations
from acmnet.data.labelled_features import DataSource, open_data
from acmnet.data.labels.annotations import Annotations, Instance, Video
from acmnet.data.labels.json_files.label_json import label_file
from acmnet.models.training_summary import SUMMARY_FILE
from acmnet.names import one_form
from acmnet.recipes import recipe
from acmnet.runs.run_data import features_of, training_videos
from acmnet.runs.run_directory import LOCK_FILE, tidy
from acmnet.runs.run_request import RunError, RunRequest
from acmnet.runs.run_state import RunState, run_on_disk
from acmnet.runs.training_run import train_run
from acmnet.segments import Segment
from support.commands import refused
from support.runs import edit_config, make_old, replace_file, weights_file

FEW = {"training.epochs": 2, "training.batch_size": 6, "training.checkpoint_every": 1}
STUDENT = {"teachers.count": 1, "student_training.epochs": 1, "student.width": 4}
# what acmnet at 8f2915a did not know
LATER = {"teachers.contrast_weight": 0.0}


def request(labels, features, out, profile="corrected", **changes):
    few = FEW | (STUDENT | LATER if profile == "best" else {})
    settings = recipe("default", profile=profile, overrides=few)
    data = open_data(DataSource(labels, features, "training"))
    return RunRequest(
        out=out,
        data=data,
        recipe="default",
        profile=profile,
        settings=settings,
        **changes,
    )


@pytest.fixture(scope="module")
def best(tiny_world, tmp_path_factory):
    """Give a run with a teacher; read only."""
    out = tmp_path_factory.mktemp("best") / "run"
    return train_run(request(*tiny_world, out, "best"))


@pytest.fixture
def project(tiny_world, tmp_path):
    """Give a folder with labels, and a run that has its features in it."""
    root = tmp_path / "project"
    root.mkdir()
    shutil.copy(tiny_world[0], root / "labels.json")
    shutil.copytree(tiny_world[1], root / "run" / "features")
    train_run(request(root / "labels.json", root / "run" / "features", root / "run"))
    return root


def found(run, world):
    """Return what a run finds in the first test videos, as plain values."""
    model = package.load(run)
    store = open_data(DataSource(*world, "test")).store
    videos = [f"test_{i:03d}" for i in range(3)]
    return [list(model.localize(store.read(video))) for video in videos]


# ---- from anywhere


def test_a_moved_run_with_its_features_needs_nothing_else(acmnet, project, tmp_path):
    moved = tmp_path / "elsewhere" / "moved"
    moved.parent.mkdir()
    shutil.move(project / "run", moved)
    shutil.rmtree(project)
    shown = ["--subset", "test"]
    code, out, err = acmnet("report", moved, *shown, "--out", "page.html")
    assert code == 0, err
    assert "6 videos: page.html" in out
    opened = RunDataOptions(subset="test").opened(moved)  # as view and figures do
    assert len(opened.annotations.videos) == 6
    assert acmnet("report", moved, "--out", "all.html")[0] == 0
    assert "12 videos that were trained on are left out" in Path("all.html").read_text()
    features = moved / "features"
    assert acmnet("localize", "--run", moved, "--features", features)[0] == 0
    kept = folder_of(moved) / "labels.json"
    given = ["--annotations", kept, "--features", features]
    code, _, err = acmnet("calibrate", "--run", moved, *given, "--tiou", 0.1)
    assert code == 0, err
    assert "12 of 18 scored videos were trained on" in err


def test_a_run_is_found_from_another_directory(acmnet, project, monkeypatch):
    monkeypatch.chdir(project)
    given = ["--annotations", "labels.json", "--features", "run/features"]
    few = ["--training.epochs", "1", "--subset", "training", "--profile", "corrected"]
    assert acmnet("train", *given, *few, "--out", "other")[0] == 0
    monkeypatch.chdir(project.parent)
    (project / "labels.json").unlink()
    code, _, err = acmnet("report", "project/other", "--subset", "test")
    assert code == 0, err


def test_a_copied_run_uses_its_own_features(project, tmp_path):
    copied = tmp_path / "copied"
    shutil.copytree(project / "run", copied)
    own = features_of(copied, load_config(copied))
    assert own.resolve() == (copied / "features").resolve()
    shutil.rmtree(copied / "features")
    other = features_of(copied, load_config(copied))
    assert other.resolve() == (project / "run" / "features").resolve()


def test_checkpoints_and_links_know_their_run(project, tmp_path):
    run = project / "run"
    (tmp_path / "link").symlink_to(run)
    for directory in (run / "checkpoint", tmp_path / "link"):
        assert features_of(directory, load_config(directory)).samefile(run / "features")


def test_a_project_that_is_moved_whole_keeps_working(project, tmp_path):
    outside = project / "features"
    shutil.move(project / "run" / "features", outside)
    run = project / "other"
    train_run(request(project / "labels.json", outside, run))
    moved = shutil.move(project, tmp_path / "moved")
    config = load_config(moved / "other")
    assert features_of(moved / "other", config).samefile(moved / "features")


def test_features_that_are_gone_are_asked_for(acmnet, project):
    features = project / "run" / "features"
    shutil.rmtree(features)
    refused(acmnet("report", project / "run"), features, "--features", code=2)


def test_a_newer_label_file_has_to_be_given(project):
    labels = project / "labels.json"
    values = json.loads(labels.read_text())
    for video in values["database"].values():
        for annotation in video["annotations"]:
            annotation.pop("segment", None)
    labels.write_text(json.dumps(values))
    run = project / "run"
    kept = RunDataOptions(subset="test").opened(run).annotations.videos
    newer = RunDataOptions(labels, subset="test").opened(run).annotations.videos
    assert all(video.instances for video in kept.values())
    assert kept.keys() == newer.keys()
    assert not any(video.instances for video in newer.values())


NAMES = st.text(
    st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1
).map(one_form)
"""Names as they are kept: in one Unicode form."""


@given(st.data())
def test_the_kept_labels_are_those_that_were_given(tmp_path_factory, data):
    names = tuple(data.draw(st.lists(NAMES, min_size=1, max_size=4, unique=True)))
    times = st.floats(0.0, 1e6)
    videos = {}
    for video in data.draw(st.lists(NAMES, min_size=1, max_size=4, unique=True)):
        labels = data.draw(st.sets(st.sampled_from(names)))
        placed = data.draw(st.lists(st.sampled_from(sorted(labels) or [""])))
        instances = tuple(
            Instance(label, Segment(start_s := data.draw(times), start_s + 1.0))
            for label in placed
            if label
        )
        subset = data.draw(st.sampled_from([None, "training", "test"]))
        duration_s = data.draw(st.none() | times)
        ordered = tuple(name for name in names if name in labels)
        videos[video] = Video(
            id=video,
            subset=subset,
            duration_s=duration_s,
            labels=ordered,
            instances=instances,
        )
    path = tmp_path_factory.mktemp("labels") / "labels.json"
    path.write_bytes(label_file(Annotations("given", videos, names)))
    back = read_annotations(path)
    normal = read_annotations(path).videos.keys() == videos.keys()
    assert not normal or (back.videos, back.class_names) == (videos, names)


# ---- videos that were set aside


def test_what_an_extraction_set_aside_is_left_out_and_said(acmnet, project):
    run = project / "run"
    (run / "features" / "test_003.npy").unlink()
    refused(acmnet("report", run, "--subset", "test"), "'test_003'", "no features")
    failure = {"video": "test_003", "file": "x.mp4", "reason": "damaged"}
    failure |= {"kind": "video", "when": "2026-01-01T00:00:00+00:00"}
    (run / "features" / "failed.jsonl").write_text(json.dumps(failure) + "\n")
    code, _, err = acmnet("report", run, "--subset", "test", "--out", "page.html")
    assert code == 3, err
    assert "1 of 6 videos has no features" in err
    assert "left out: 'test_003'" in err
    (run / "features" / "test_004.npy").unlink()
    refused(acmnet("report", run, "--subset", "test"), "1 of 5", "'test_004'")


def test_what_fit_left_out_is_left_out(acmnet, project):
    run = project / "run"
    (run / "features" / "test_003.npy").unlink()
    edit_config(run, lambda x: x["training"].update(left_out=["test_003"]))
    code, out, err = acmnet("report", run, "--subset", "test", "--out", "p.html")
    assert code == 3, err
    assert "5 videos: p.html" in out
    assert "left out: 'test_003'" in err


# ---- runs of an older acmnet


@pytest.mark.parametrize("profile", ["corrected", "best"])
def test_an_old_run_is_loaded_reported_and_gone_on_with(
    acmnet, tiny_world, tiny_run, best, tmp_path, profile
):
    new = tiny_run if profile == "corrected" else best
    old = shutil.copytree(new, tmp_path / "old")
    make_old(old)
    assert not (old / "checkpoint").exists()
    assert found(old, tiny_world) == found(new, tiny_world)
    config = load_config(old)
    assert config.trained_on is None
    assert len(training_videos(config)) == 12
    code, _, err = acmnet("report", old, "--subset", "test", "--out", "page.html")
    assert code == 0, err
    shown = load_training_state(old)["epoch"]
    assert shown == (2 if profile == "corrected" else 1)


def test_an_old_run_that_goes_on_becomes_a_new_one(tiny_world, tmp_path):
    whole = train_run(request(*tiny_world, tmp_path / "whole"))
    asked = request(*tiny_world, tmp_path / "old")

    def stop(record):
        if record.epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_run(asked, on_step=stop)
    make_old(asked.out)
    run = train_run(request(*tiny_world, asked.out, resume=True))
    assert weights_file(run).read_bytes() == weights_file(whole).read_bytes()
    assert not (run / "config.json").exists()
    assert load_config(run).trained_on is not None


@pytest.mark.parametrize("profile", ["corrected", "best"])
@pytest.mark.parametrize("gone", ["training_state.pt", "config.json"])
def test_what_a_kill_left_of_an_old_checkpoint_is_begun_anew(
    tiny_world, best, tmp_path, profile, gone
):
    whole = best
    if profile == "corrected":
        whole = train_run(request(*tiny_world, tmp_path / "whole"))
    broken = shutil.copytree(whole, tmp_path / "broken")
    make_old(broken)
    part = broken / "teachers" / "0" if profile == "best" else broken
    (part / gone).unlink()
    if profile == "best":  # the student had not begun
        for name in ("model.safetensors", "config.json", "training_state.pt"):
            (broken / name).unlink()
    asked = request(*tiny_world, broken, profile, resume=True)
    assert run_on_disk(asked).state is RunState.BEGUN
    notes = []
    run = train_run(asked, on_note=notes.append)
    (note,) = (x for x in notes if "begins anew" in x)
    assert str(part) in note
    assert weights_file(run).read_bytes() == weights_file(whole).read_bytes()


def test_a_broken_old_run_of_another_training_is_not_taken(
    tiny_world, tiny_run, tmp_path
):
    broken = shutil.copytree(tiny_run, tmp_path / "broken")
    make_old(broken)
    (broken / "training_state.pt").unlink()
    with pytest.raises(RunError, match=r"training\.batch_size = 16, not 6"):
        train_run(request(*tiny_world, broken, resume=True))


def test_a_run_killed_before_its_summary_is_not_complete(tiny_world, best, tmp_path):
    run = shutil.copytree(best, tmp_path / "run")
    expected = (run / SUMMARY_FILE).read_bytes()
    asked = request(*tiny_world, run, "best", resume=True)
    assert run_on_disk(asked).state is RunState.FINISHED
    for content in (None, b"{"):
        (run / SUMMARY_FILE).unlink()
        if content is not None:
            (run / SUMMARY_FILE).write_bytes(content)
        assert run_on_disk(asked).state is RunState.TRAINED
        steps = []
        train_run(asked, on_step=steps.append)
        assert steps == []
        assert (run / SUMMARY_FILE).read_bytes() == expected


# ---- damage


def test_flipped_bits_give_no_other_detections(tiny_world, best, tmp_path):
    run = shutil.copytree(best, tmp_path / "run")
    expected, draw = found(run, tiny_world), random.Random(0)
    paths = [p for p in run.rglob("*") if p.is_file() and p.parent.name == "checkpoint"]
    assert len(paths) == 6 + 5
    refusals = 0
    for path in paths:
        whole = path.read_bytes()
        for _ in range(4):
            bits = bytearray(whole)
            bits[draw.randrange(len(bits))] ^= 1 << draw.randrange(8)
            path.write_bytes(bits)
            try:
                assert found(run, tiny_world) == expected, path
            except CheckpointError:
                refusals += 1
        path.write_bytes(whole)
    # the state and the labels are not read to localise, nor are their digests
    assert refusals >= 4 * len(paths) // 2
    assert found(run, tiny_world) == expected


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda x: x.update(feature_dim=999_999), "do not have the shapes"),
        (lambda x: x["settings"]["student"].update(layers=10**9), "got 1000000000"),
        (lambda x: x["settings"]["student"].update(width=10**9), "got 1000000000"),
        (lambda x: x["settings"]["training"].update(epochs="3"), "epochs must be a wh"),
        (lambda x: x["settings"].update(model=[]), "model must be a table"),
        (lambda x: x["settings"].update(model=None), "model must be a table"),
        (lambda x: x["settings"].update(nothing={}), "unknown section 'nothing'"),
        (lambda x: x["grid"].update(stride_frames=8), "other features than the run"),
    ],
)
def test_what_fits_no_weights_is_refused_at_once(best, tmp_path, change, words):
    run = shutil.copytree(best, tmp_path / "run")
    edit_config(run, change)
    with pytest.raises(CheckpointError, match=words) as refusal:
        package.load(run)
    assert "\n" not in str(refusal.value)


# the runs of an acmnet that still had these settings stored them all
REMOVED_AND_OFF = {
    "model": {"extra_layers": 0, "gated_streams": False, "first_stream": 176},
    "loss": {"evidential_weight": 0.0, "coactivity_weight": 1.0},
}


def test_a_run_of_an_acmnet_that_had_more_settings_finds_the_same(
    tiny_run, tiny_world, tmp_path
):
    run = shutil.copytree(tiny_run, tmp_path / "run")
    for section, values in REMOVED_AND_OFF.items():
        edit_config(run, lambda x, s=section, v=values: x["settings"][s].update(v))
    assert "gated_streams" in (run / "checkpoint/config.json").read_text()
    assert found(run, tiny_world) == found(tiny_run, tiny_world)


def as_8f2915a_wrote(config):
    """Turn a run's settings into those that acmnet at 8f2915a stored for it."""
    settings = config["settings"]
    teachers, labels, training = (
        settings.pop(x) for x in ("teachers", "pseudo_labels", "student_training")
    )
    settings["student"] |= training | {
        "teachers": teachers["count"],
        "teachers_weight": teachers["proposal_weight"],
        "agreement": labels["relative_score"],
        "overlap": labels["nms_tiou"],
        "centre": labels["central_share"],
    }
    local = settings["localization"]
    assert local.pop("class_threshold_scale") == "relative_to_best"
    assert local.pop("threshold_scale") == "relative_to_peak"
    local |= {"class_threshold_of": "best", "threshold_of": "peak"}
    for section, values in REMOVED_AND_OFF.items():
        settings[section] |= values


def test_a_student_of_an_older_acmnet_finds_the_same_and_can_go_on(
    best, tiny_world, tmp_path
):
    run = shutil.copytree(best, tmp_path / "run")
    for each in (run, run / "teachers" / "0"):
        edit_config(each, as_8f2915a_wrote)
    assert '"teachers_weight": 0.9' in (run / "checkpoint/config.json").read_text()
    assert found(run, tiny_world) == found(best, tiny_world)
    again = request(*tiny_world, run, "best")
    train_run(dataclasses.replace(again, resume=True))
    assert found(run, tiny_world) == found(best, tiny_world)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("model.extra_layers", 1),
        ("model.gated_streams", True),
        ("loss.evidential_weight", 0.5),
    ],
)
def test_a_run_that_used_what_was_removed_is_refused(tiny_run, tmp_path, name, value):
    run = shutil.copytree(tiny_run, tmp_path / "run")
    section, key = name.split(".")
    edit_config(run, lambda x: x["settings"][section].update({key: value}))
    with pytest.raises(CheckpointError) as refusal:
        package.load(run)
    assert str(refusal.value).startswith(
        f"{run}/checkpoint/config.json: {name} is {value!r}, a setting that acmnet no "
        "longer has; the last commit that can read this is 8f2915a; "
    )
    assert "\n" not in str(refusal.value)


def test_weights_of_whole_numbers_are_refused(tiny_run, tmp_path):
    run = shutil.copytree(tiny_run, tmp_path / "run")
    weights = load_weights(run)
    name = next(iter(weights))
    weights[name] = weights[name].int()
    replace_file(run, "model.safetensors", save(weights))
    with pytest.raises(CheckpointError, match="shapes and the precision"):
        package.load(run)


# ---- no code is run


class Bomb:
    """A pickle that leaves a mark when it is opened."""

    def __reduce__(self):
        return Path.touch, (Path("ran"),)


def test_no_code_of_a_run_is_run(acmnet, tiny_world, best, tmp_path):
    bomb = pickle.dumps(Bomb())
    run = shutil.copytree(best, tmp_path / "run")
    files = [p for p in run.rglob("*") if p.is_file() and p.parent.name == "checkpoint"]
    assert len(files) == 6 + 5
    asked = request(*tiny_world, run, "best", resume=True)
    for path in files:
        if path.name == "SHA256SUMS":
            path.write_bytes(bomb)
        else:
            replace_file(path.parent.parent, path.name, bomb)
        with contextlib.suppress(CheckpointError):
            package.load(run)
        with contextlib.suppress(CheckpointError):
            train_run(asked)
        assert not Path("ran").exists(), path
        shutil.rmtree(path.parent)
        shutil.copytree(best / path.parent.relative_to(run), path.parent)
    for name in ("model.pt", "calibration.json", "log.jsonl", "pseudo_labels.json"):
        (run / name).write_bytes(bomb)
    (run / "teachers" / "0" / "model.pkl").write_bytes(bomb)
    for name in ("sitecustomize.py", "torch.py", "struct.py"):
        (run / name).write_text("import pathlib; pathlib.Path('ran').touch()")
    acmnet("localize", "--run", run, "--features", tiny_world[1], "--out", "d.json")
    assert not Path("ran").exists()


@pytest.mark.parametrize(
    "kind", ["pickle", "link to a pickle", "link to itself", "fifo"]
)
def test_a_teacher_that_is_none_is_refused(best, tmp_path, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)
    run = shutil.copytree(best, tmp_path / "run")
    teacher = run / "teachers" / "0"
    shutil.rmtree(teacher)
    (tmp_path / "bomb.pkl").write_bytes(pickle.dumps(Bomb()))
    if kind == "pickle":
        shutil.copy(tmp_path / "bomb.pkl", teacher)
    elif kind == "fifo":
        os.mkfifo(teacher)
    else:
        teacher.symlink_to(tmp_path / "bomb.pkl" if "pickle" in kind else run)
    with pytest.raises(CheckpointError, match=r"teachers/0"):
        package.load(run)
    assert not Path("ran").exists()


# ---- one training at a time


def test_two_trainings_do_not_share_a_run(tiny_world, tmp_path):
    asked = request(*tiny_world, tmp_path / "run")
    seen = []

    def begin_another(_):
        if not seen:
            with pytest.raises(RunError, match="is being trained by another acmnet"):
                train_run(request(*tiny_world, asked.out, resume=True))
            seen.append(True)

    train_run(asked, on_step=begin_another)
    assert seen
    train_run(request(*tiny_world, asked.out, resume=True))


def dead_process():
    return int(
        subprocess.run(
            [sys.executable, "-c", "import os; print(os.getpid())"],
            check=True,
            capture_output=True,
        ).stdout
    )


def test_what_killed_writers_left_is_taken_away(tiny_run, tmp_path):
    run = shutil.copytree(tiny_run, tmp_path / "run")
    dead, alive = dead_process(), os.getpid()
    (run / "checkpoint.new").mkdir()
    (run / "checkpoint.new" / "config.json").write_text("{")
    left = [f".log.jsonl.{alive}-0123abcd.part", f".detections.json.{dead}.part"]
    (run / "checkpoints" / "epoch_0001.new").mkdir(parents=True)
    kept = run / f".reviews.json.{alive}-89abcdef.part"
    mine = run / "notes.old"
    for path in (*(run / name for name in left), kept, mine):
        path.write_text("x")
    with FileLock(run / LOCK_FILE):
        tidy(run)  # somebody is training there: nothing is touched
    assert (run / "checkpoint.new").exists()
    tidy(run)
    assert not [name for name in left if (run / name).exists()]
    assert not (run / "checkpoint.new").exists()
    assert list((run / "checkpoints").iterdir()) == []
    assert kept.exists()
    assert mine.exists()
    assert package.load(run)


def test_a_refused_training_leaves_no_folder(tiny_world, tmp_path):
    with pytest.raises(CheckpointError, match="there is no run at"):
        train_run(
            request(*tiny_world, tmp_path / "run", resume_from=tmp_path / "nothing")
        )
    assert not (tmp_path / "run").exists()
