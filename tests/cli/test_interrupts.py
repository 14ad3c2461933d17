"""Stopped by Ctrl-C or SIGTERM, a verb says what is kept and leaves nothing over."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from acmnet.checkpoints.checkpoint_folder import has_checkpoint
from acmnet.cli.terminal.interrupts import kept_sentence
from support.extractions import BACKBONES, write_movie
from support.runs import edit_config


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()


@contextlib.contextmanager
def started(*arguments):
    """Start a command in a process group of its own, as a terminal does."""
    # a shell that runs the tests in its background has them ignore Ctrl-C
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        [sys.executable, "-m", "acmnet", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    signal.signal(signal.SIGINT, before)
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=60)


def wait_for(found, process, seconds=120):
    """Return what is found, once it is; fail after so long."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := found():
            return value
        if process.poll() is not None:
            pytest.fail(process.communicate()[1])
        time.sleep(0.01)
    pytest.fail("nothing came")


def stopped(process, number, *, group=False):
    """Send a signal; return the exit code, the last sentence, and how long it took."""
    began = time.monotonic()
    (os.killpg if group else os.kill)(process.pid, number)
    _, err = process.communicate(timeout=60)
    assert "Traceback" not in err, err
    sentences = [line for line in err.splitlines() if line.startswith("acmnet: ")]
    assert len(sentences) == 1, err
    return process.returncode, sentences[0], time.monotonic() - began


def all_gone(pids, seconds=30):
    """Return whether no process is left; Python's own helpers take a moment."""
    end = time.monotonic() + seconds
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def children_of(pid):
    """Return the processes that a process has started."""
    tasks = Path(f"/proc/{pid}/task")
    return [
        int(child) for x in tasks.glob("*/children") for child in x.read_text().split()
    ]


def test_extract_and_localize_stopped_by_a_signal(tiny_run):
    Path("my_backbones.py").write_text(BACKBONES)
    write_movie(Path("long.mp4"), n_frames=4_000)  # 1,000 blocks of 40 ms
    own = ["--extractor", "my_backbones:Slow", "--workers", 1]
    with started("extract", "long.mp4", "--out", "f", *own) as process:
        wait_for(lambda: list(Path().glob("worker-*")), process)
        workers = children_of(process.pid)
        code, said, seconds = stopped(process, signal.SIGTERM)
    assert (code, seconds < 30) == (143, True)
    assert "kept: the same command goes on where it stopped" in said
    assert all_gone(workers)
    assert [path.name for path in Path("f").rglob("*") if path.is_file()] == [
        "features.json"
    ]
    shutil.copytree(tiny_run, "run")
    asked = {"extractor": "my_backbones:Slow"}
    edit_config(Path("run"), lambda own: own["training"]["manifest"].update(asked))
    for path in Path().glob("worker-*"):
        path.unlink()
    with started("localize", "long.mp4", "--run", "run", *own) as process:
        wait_for(lambda: list(Path().glob("worker-*")), process)
        assert list(Path("temporary").glob("acmnet-*"))
        code, said, _ = stopped(process, signal.SIGINT, group=True)
    assert (code, "no detections were written" in said) == (130, True)
    assert list(Path("temporary").iterdir()) == []


def has_loaded(pid, library):
    """Return whether a process has a library in its memory, also half imported."""
    with contextlib.suppress(OSError):
        return library in Path(f"/proc/{pid}/maps").read_text()
    return False


def is_worker(pid):
    with contextlib.suppress(OSError):
        return b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False


def imports_numpy(pid):
    """Return whether a worker is importing NumPy, or has done so."""
    return is_worker(pid) and has_loaded(pid, "_multiarray_umath")


@pytest.mark.skipif(sys.platform != "linux", reason="others look for their parent")
def test_a_worker_ends_with_a_killed_parent_whatever_it_is_doing(tiny_scenes):
    videos = tiny_scenes / "videos"
    command = ["extract", videos, "--out", "f", "--extractor", "motion"]
    with started(*command, "--workers", 1) as process:
        (worker,) = wait_for(
            lambda: [pid for pid in children_of(process.pid) if imports_numpy(pid)],
            process,
        )
        os.kill(worker, signal.SIGSTOP)  # it cannot look for its parent
        os.kill(process.pid, signal.SIGKILL)
        process.communicate(timeout=60)
    assert all_gone([worker])


def test_train_and_ablate_stopped_by_ctrl_c(tiny_world):
    labels, features = tiny_world
    given = ["--annotations", labels, "--features", features, "--subset", "training"]
    given += ["--training.epochs", "99999", "--training.checkpoint-every", "1"]
    given += ["--profile", "corrected"]
    with started("train", *given, "--out", "r") as process:
        wait_for(lambda: has_checkpoint(Path("r")), process)
        code, said, seconds = stopped(process, signal.SIGINT, group=True)
    assert (code, seconds < 30) == (130, True)
    assert "the newest checkpoint in r is kept: the same command with --resume" in said
    both = ["--folds", 2, "--seeds", 0, "--workers", 2, "--out", "a"]
    with started("ablate", "V", *given, *both) as process:
        wait_for(lambda: len(list(Path("a").rglob("log.jsonl"))) == 2, process)
        workers = children_of(process.pid)
        code, said, seconds = stopped(process, signal.SIGINT, group=True)
    assert (code, seconds < 30) == (130, True)
    assert "kept: the same command goes on where it stopped" in said
    assert all_gone(workers)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (15, 143)])
@pytest.mark.skipif(sys.platform != "linux", reason="others do not list libraries")
def test_stopped_while_it_is_imported(number, code):
    labels = ("--annotations", "labels.json", "--features", "features")
    with started("train", *labels, "--out", "r") as process:
        wait_for(lambda: has_loaded(process.pid, "libtorch"), process)
        assert stopped(process, number)[:2] == (
            code,
            "acmnet: stopped before it began; nothing was done",
        )


def test_what_a_training_keeps_depends_on_its_checkpoint(tiny_run):
    kept = kept_sentence(["train", "--out", "nowhere"])
    assert kept == (
        "stopped; no checkpoint was written yet (--training.checkpoint-every sets how "
        "often one is): the same command with --resume starts from the beginning"
    )
    kept = kept_sentence(["train", f"--out={tiny_run}", "--overwrite"])
    assert f"{tiny_run} is kept: the same command with --resume in place of" in kept
    assert kept_sentence(["fit", "v", "l", "--overwrite"]).endswith(
        "without --overwrite"
    )
    assert "give the same command again" in kept_sentence(["evaluate"])
    assert "give the same command again" in kept_sentence([])


@pytest.mark.parametrize("verb", ["pack", "features", "simulate", "pose", "demo"])
def test_a_verb_that_writes_video_by_video_says_what_it_keeps(verb):
    kept = kept_sentence([verb, "--out", "there"])
    assert "kept" in kept or "keeps" in kept
    assert "nothing was written" not in kept
    assert "the same command" in kept
