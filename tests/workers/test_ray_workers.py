"""Extraction, folds, trainings and localisation on Ray, with a worker lost on the way.

All tests share a cluster on this machine, because starting one takes seconds.
"""

import functools
import os
import signal
import sys
import tempfile
from pathlib import Path

import pytest

from acmnet.data.labelled_features import DataSource, open_data
from acmnet.extraction.extractors.extraction_settings import ExtractionSettings
from acmnet.extraction.many_videos.extraction_request import ExtractionRequest
from acmnet.extraction.many_videos.extraction_run import extract_videos
from acmnet.extraction.many_videos.records import read_records
from acmnet.extraction.many_videos.video_search import find_videos
from acmnet.inference.localized_videos import (
    StoredRun,
    localize_on_workers,
    localize_videos,
)
from acmnet.models.stored_model import load
from acmnet.recipes import recipe
from acmnet.runs.run_request import RunRequest
from acmnet.validation.ablation import train_all
from acmnet.validation.cross_validation import cross_validate
from acmnet.workers.ray_engine import RayEngine, connect
from acmnet.workers.worker_engines import EngineError
from acmnet.workers.worker_tasks import Workers, task_workers
from support.commands import refused
from support.extractions import BACKBONES, write_movie
from support.planted import plant
from support.squares import killed_once

ray = pytest.importorskip("ray", reason="the extra acmnet[ray] is not installed")

pytestmark = pytest.mark.timeout(900)
"""Ray starts ten processes; where 20 others were at work, that took over 300 s."""


@pytest.fixture(scope="module", autouse=True)
def _cluster():
    """Give a cluster with two cores, although a note names one that was killed."""
    # a short path, as Ray puts sockets there
    with (
        pytest.MonkeyPatch.context() as patch,
        tempfile.TemporaryDirectory(dir="/tmp", ignore_cleanup_errors=True) as short,
    ):
        patch.setenv("RAY_TMPDIR", short)
        patch.delenv("RAY_ADDRESS", raising=False)
        Path(short, "ray").mkdir()
        Path(short, "ray", "ray_current_cluster").write_text("127.0.0.1:1")
        connect(ray, 2)
        yield
        ray.shutdown()


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Give a working directory whose modules no worker may import by themselves."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "my_backbones.py").write_text(BACKBONES)
    ran = plant(tmp_path)
    yield
    assert not ran.exists(), ran.read_text()


@pytest.mark.usefixtures("here")
def test_two_workers_one_of_them_killed_give_what_one_machine_gives():
    Path("videos").mkdir()
    for i in range(6):
        write_movie(Path(f"videos/v{i}.mp4"), brightness=i)
    Path("videos/broken.mp4").write_text("no video")
    videos = find_videos(["videos"])
    settings = ExtractionSettings("my_backbones:Slow")
    alone = ExtractionRequest(
        videos=videos, out=Path("local"), settings=settings, workers=1
    )
    extract_videos(alone)
    for path in Path().glob("worker-*"):
        path.unlink()
    killed, notes = [], []

    def kill_one(*_):
        at_work = [int(path.name.split("-")[1]) for path in Path().glob("worker-*")]
        if len(at_work) == 2 and not killed:
            killed.append(at_work[0])
            os.kill(at_work[0], signal.SIGKILL)

    request = ExtractionRequest(
        videos=videos, out=Path("ray"), settings=settings, workers=2, engine="ray"
    )
    summary = extract_videos(request, on_video=kill_one, on_note=notes.append)
    assert killed
    assert any("the process died; out of memory? It is tried once" in n for n in notes)
    assert len(list(Path().glob("worker-*"))) == 3  # two, and one in place of one
    assert summary.done == 6
    assert [failure.video for failure in summary.failures] == ["broken"]
    files = sorted(path.name for path in Path("local").glob("*.npy"))
    assert files == [f"v{i}.npy" for i in range(6)]
    for name in files:
        assert Path("ray", name).read_bytes() == Path("local", name).read_bytes()
    assert list(read_records("ray")) == list(read_records("local"))
    assert [path for path in Path("ray").rglob(".*")] == []


def trained_files(out):
    """Return the bytes of all weights below a directory, by name."""
    paths = out.rglob("model.safetensors")
    return {path.relative_to(out): path.read_bytes() for path in paths}


def found_bytes(results):
    """Return the bytes of all detections, by video in order."""
    names = ("start_s", "end_s", "score", "class_index")
    return [
        (video, *(getattr(found, name).tobytes() for name in names))
        for video, found in results.items()
    ]


def killing(do_tasks, request, flag):
    """Give tasks on, of which the process of one is killed in its first epoch."""
    sign = request.out / "seed_0" / "fold_1" / "log.jsonl"

    def do(tasks):
        return do_tasks(
            [
                task._replace(
                    work=functools.partial(killed_once, task.work, flag, sign)
                    if "fold 1" in task.words
                    else task.work
                )
                for task in tasks
            ]
        )

    return do


def test_folds_trainings_and_localisation_are_those_of_one_process(
    tiny_world, tmp_path
):
    data = open_data(DataSource(*tiny_world, "training"))
    few = {"training.epochs": 2}
    asked = [
        RunRequest(
            out=tmp_path / name,
            data=data,
            recipe="default",
            profile="corrected",
            settings=recipe("default", profile="corrected", overrides=few),
        )
        for name in ("one", "ray")
    ]
    run, notes = asked[1].out / "seed_0" / "fold_0", []
    stored = StoredRun(run=run, settings=asked[1].settings, device="cpu")
    folds = {"folds": 2, "seeds": (0,)}
    with task_workers(Workers(2, "ray"), notes.append) as do_tasks:
        # an ablation trains first, and cross-validates what is trained then
        killer = killing(do_tasks, asked[1], tmp_path / "killed")
        train_all({"full": asked[1]}, killer, **folds)
        on_ray = cross_validate(asked[1], do_tasks=do_tasks, **folds)
        model = load(run)
        found = localize_on_workers(stored, model, data, do_tasks, together=4)
    told = "full, seed 0, fold 1: its process died, and it is done once more"
    assert notes == [told]
    alone = cross_validate(asked[0], **folds)
    assert len(trained_files(asked[0].out)) == 2
    assert trained_files(asked[0].out) == trained_files(asked[1].out)
    assert on_ray.map.tobytes() == alone.map.tobytes()
    assert on_ray.chance.tobytes() == alone.chance.tobytes()
    pairs = [(on_ray.detections[0], alone.detections[0])]
    pairs += [(found, localize_videos(model, data))]
    for theirs, own in pairs:
        assert found_bytes(theirs) == found_bytes(own)
        assert any(map(len, own.values()))


@pytest.mark.parametrize("verb", ["crossvalidate", "ablate", "localize"])
def test_the_option_reaches_the_cluster(
    acmnet, tiny_world, tiny_run, monkeypatch, verb
):
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    labels, features = tiny_world
    given = ["--features", features, "--engine", "ray", "--workers", "2"]
    more = {
        "localize": ["localize", "--run", tiny_run, "--out", "found.json"],
        "crossvalidate": ["crossvalidate", "--annotations", labels, "--out", "cv"],
        "ablate": ["ablate", "V", "--annotations", labels, "--out", "ab"],
    }
    refused(acmnet(*more[verb], *given), "no Ray cluster answers at RAY_ADDRESS=127")


def test_a_cluster_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    with (
        pytest.raises(EngineError, match=r"no Ray cluster .* RAY_ADDRESS=127\.0\.0\.1"),
        RayEngine(dict, 2),
    ):
        pass
