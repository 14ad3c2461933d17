"""How far the training in a directory has come, and that `train_run` goes by it."""

import dataclasses

import pytest

from acmnet.checkpoints.checkpoint import load_config
from acmnet.data.labelled_features import DataSource, open_data
from acmnet.models.training_summary import SUMMARY_FILE
from acmnet.recipes import recipe
from acmnet.runs.run_request import RunError, RunRequest
from acmnet.runs.run_state import RunState, run_on_disk
from acmnet.runs.training_run import train_run
from acmnet.segments import Segment
from support.runs import weights_file

FEW = {"training.epochs": 2, "training.batch_size": 6, "training.checkpoint_every": 1}
TWO = {"teachers.count": 2, "student_training.epochs": 2, "student.width": 4}


@pytest.fixture
def asked(tiny_world, tmp_path):
    """Give the request for a training that may be resumed."""
    return RunRequest(
        out=tmp_path / "run",
        data=open_data(DataSource(*tiny_world, "training")),
        recipe="default",
        profile="corrected",
        settings=recipe("default", profile="corrected", overrides=FEW),
        resume=True,
    )


def state(request):
    return run_on_disk(request).state


def train_until(request, epoch):
    """Train and stop at the first step of an epoch."""

    def stop(record):
        if record.epoch == epoch:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_run(request, on_step=stop)


def test_a_training_is_called_again_until_nothing_is_left(asked, tmp_path):
    whole = train_run(dataclasses.replace(asked, out=tmp_path / "whole"))
    assert state(asked) is RunState.EMPTY
    train_until(asked, epoch=1)
    assert state(asked) is RunState.BEGUN
    train_until(asked, epoch=2)
    assert state(asked) is RunState.CUT_SHORT
    train_run(asked)
    assert state(asked) is RunState.FINISHED
    assert weights_file(asked.out).read_bytes() == weights_file(whole).read_bytes()


def test_a_finished_run_is_left_as_it_is(asked):
    train_run(asked)
    before = {p: p.stat().st_mtime_ns for p in asked.out.rglob("*") if p.is_file()}
    steps, notes = [], []
    train_run(asked, on_step=steps.append, on_note=notes.append)
    assert steps == []
    assert notes == [f"{asked.out} is trained; --overwrite trains it anew"]
    after = {p: p.stat().st_mtime_ns for p in asked.out.rglob("*") if p.is_file()}
    assert after == before
    (asked.out / SUMMARY_FILE).unlink()
    assert state(asked) is RunState.TRAINED
    train_run(asked, on_step=steps.append)
    assert steps == []
    assert state(asked) is RunState.FINISHED


def test_a_second_stage_that_was_cut_short_goes_on(asked):
    best = recipe("default", profile="best", overrides=FEW | TWO)
    asked = dataclasses.replace(asked, profile="best", settings=best)
    train_until(asked, epoch=3)  # the first of the second teacher
    assert state(asked) is RunState.BEGUN
    seen = []
    train_run(asked, on_step=lambda record: seen.append(record.epoch))
    assert sorted(set(seen)) == [3, 4, 5, 6]  # the first teacher is not trained again
    assert state(asked) is RunState.FINISHED


@pytest.mark.parametrize("resume", [True, False])
def test_another_training_is_told_from_this_one(asked, resume):
    train_run(asked)
    changed = recipe(
        "default", profile="corrected", overrides=FEW | {"loss.guide_weight": 9.0}
    )
    for other, words in (
        (dataclasses.replace(asked, seed=1), "trained with seed = 0, not 1"),
        (dataclasses.replace(asked, settings=changed), r"loss\.guide_weight = "),
        (
            dataclasses.replace(asked, data=asked.data.only({"training_000"})),
            "trained on other labels than",
        ),
        (
            dataclasses.replace(asked, supervision="segments"),
            "trained with supervision = 'names', not 'segments'",
        ),
    ):
        with pytest.raises(RunError, match=words):
            run_on_disk(other)
        unresumed = "already holds a run"
        with pytest.raises(RunError, match=words if resume else unresumed):
            train_run(dataclasses.replace(other, resume=resume))


def test_times_count_only_for_a_training_that_is_given_them(asked):
    first, *others = asked.data.annotations.videos.values()
    moved = [dataclasses.replace(x, segment=Segment(0, 0.5)) for x in first.instances]
    videos = {x.id: x for x in (first, *others)}
    videos[first.id] = dataclasses.replace(first, instances=tuple(moved))
    annotations = dataclasses.replace(asked.data.annotations, videos=videos)
    other = dataclasses.replace(asked.data, annotations=annotations)

    train_run(asked)
    assert load_config(asked.out).training["supervision"] == "names"
    assert state(dataclasses.replace(asked, data=other)) is RunState.FINISHED
    asked = dataclasses.replace(asked, supervision="segments", overwrite=True)
    train_run(dataclasses.replace(asked, resume=False))
    assert load_config(asked.out).training["supervision"] == "segments"
    assert state(asked) is RunState.FINISHED
    with pytest.raises(
        RunError, match=r"--supervision segments\): marks were added, m"
    ):
        run_on_disk(dataclasses.replace(asked, data=other))
