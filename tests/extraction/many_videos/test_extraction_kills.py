"""Killed at any moment, a call is repeated, and nobody can tell."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from acmnet.extraction.many_videos.records import read_records
from support.extractions import BACKBONES, write_movie

VIDEOS = 50
KILLS = 20
CALL = """
from pathlib import Path
from acmnet.extraction.extractors.extraction_settings import ExtractionSettings
from acmnet.extraction.many_videos.extraction_request import ExtractionRequest
from acmnet.extraction.many_videos.extraction_run import extract_videos
from acmnet.extraction.many_videos.video_search import find_videos

def call(out, **changes):
    request = ExtractionRequest(
        videos=find_videos(["videos"]),
        out=Path(out),
        settings=ExtractionSettings("my_backbones:Slow"),
        **changes,
    )
    return extract_videos(request)
"""
FORKED = (
    CALL
    + """
import multiprocessing

context = multiprocessing.get_context("fork")
multiprocessing.get_context = lambda _: context
"""
)
"""Its workers are forked, not spawned, so they have imported everything already."""
KILLER = (
    FORKED
    + f"""
import json, os, random, signal, time

random.seed(0)

def killed(seconds=None):
    child = os.fork()
    if not child:
        os.setsid()
        call("killed", workers=2)
        os._exit(0)
    began = time.monotonic()
    while seconds is None and not list(Path().glob("killed/*.npy")):
        time.sleep(0.01)
    time.sleep(seconds or 0)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    left.append(sorted(p.name for p in Path("killed").rglob("*")))
    return time.monotonic() - began

left = []
first_s = killed()
for _ in range({KILLS}):
    killed(random.uniform(0, 1.6 * first_s))
last = call("killed", workers=2)
print(json.dumps([left, last.already, last.done]))
"""
)
"""Its calls are forked, too, and are killed at their work. How long they live depends
on how long the first took to one video."""


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_backbones.py").write_text(BACKBONES)
    (tmp_path / "videos").mkdir()
    for i in range(VIDEOS):
        write_movie(tmp_path / "videos" / f"v{i:02}.mp4", brightness=i, n_frames=10)


def python(code):
    # a shell that runs the tests in its background has them ignore Ctrl-C
    heard = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    return subprocess.Popen(
        [sys.executable, "-c", heard + code],
        stdout=subprocess.PIPE,
        start_new_session=True,
    )


def store(out):
    files = sorted(path for path in Path(out).rglob("*") if path.is_file())
    return {
        str(path.relative_to(out)): path.read_bytes()
        for path in files
        if path.parent.name != "extracted"
    }


def records(out):
    return {
        video: dataclasses.replace(record, seconds=0)
        for video, record in read_records(out).items()
    }


def test_twenty_kills_leave_no_trace():
    killer = python(KILLER)
    clean = python(FORKED + 'call("clean", workers=6)')
    left, already, done = json.loads(killer.communicate(timeout=240)[0])
    clean.communicate(timeout=240)
    assert killer.returncode == clean.returncode == 0
    # how much the kills left to do depends on the machine, but some fell in mid-work
    assert already + done == VIDEOS
    assert any(name.endswith(".trace") for names in left for name in names)
    assert store("killed") == store("clean")
    assert list(store("clean")) == [
        "features.json",
        *(f"v{i:02}.npy" for i in range(VIDEOS)),
    ]
    assert records("killed") == records("clean")
    assert [p for p in Path("killed").rglob(".*")] == []


def wait_for(found, seconds=120):
    """Return what is found, once it is; fail after so long."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := found():
            return value
        time.sleep(0.01)
    pytest.fail("nothing came")


def at_work(sign):
    """Start a call; return it and its workers' process numbers, once it gives a sign.

    Slow leaves a file that is called after its process.
    """
    call = python(CALL + 'call("out", workers=2)')
    wait_for(sign)
    return call, [int(path.name.split("-")[1]) for path in Path().glob("worker-*")]


def is_any_alive(workers):
    return any(Path(f"/proc/{pid}").exists() for pid in workers)


def test_no_worker_outlives_the_run():
    for i in (1, 2):  # 500 blocks of 40 ms: 20 s each, and they are taken first
        write_movie(Path(f"videos/long{i}.mp4"), n_frames=2000)
    call, workers = at_work(lambda: len(list(Path().glob("worker-*"))) == 2)
    os.kill(call.pid, signal.SIGKILL)  # the parent alone
    call.communicate()
    wait_for(lambda: not is_any_alive(workers), 15)
    assert list(store("out")) == ["features.json"]


def test_an_interrupted_run_stops_its_workers_and_keeps_what_is_finished():
    # 10 s of work for one of the two, whatever the pace of the machine
    write_movie(Path("videos/long.mp4"), n_frames=1000)
    call, workers = at_work(lambda: list(Path("out/extracted").glob("*.json")))
    os.killpg(call.pid, signal.SIGINT)  # as a terminal does: the workers get it too
    call.communicate(timeout=120)
    assert call.returncode == -signal.SIGINT
    assert workers
    assert not is_any_alive(workers)
    assert read_records("out")
    assert [p for p in Path("out").rglob(".*")] == []
    assert not Path("out/failed.jsonl").exists()


def test_shards_fill_one_store_at_the_same_time():
    shards = [python(CALL + f'call("out", workers=1, shard=({i}, 2))') for i in (1, 2)]
    for shard in shards:
        shard.communicate(timeout=120)
        assert shard.returncode == 0
    assert list(read_records("out")) == [f"v{i:02}" for i in range(VIDEOS)]
    assert [p for p in Path("out").rglob(".*")] == []
