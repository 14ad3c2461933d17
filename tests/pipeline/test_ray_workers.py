"""The same task on a Ray cluster, with a worker lost on the way."""

import os
import signal
import sys
import tempfile
from pathlib import Path

import pytest

from acmnet.extraction.extraction_request import ExtractionRequest
from acmnet.extraction.extraction_run import extract_videos
from acmnet.extraction.extractors import ExtractionSettings
from acmnet.extraction.records import read_records
from acmnet.extraction.video_search import find_videos
from acmnet.extraction.worker_engines import EngineError, RayEngine
from support.extractions import BACKBONES, write_movie
from support.planted import plant

pytest.importorskip("ray", reason="the extra acmnet[ray] is not installed")


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "my_backbones.py").write_text(BACKBONES)
    ran = plant(tmp_path)
    # a short path, as Ray puts sockets there; and a cluster that was killed
    with tempfile.TemporaryDirectory(dir="/tmp", ignore_cleanup_errors=True) as short:
        monkeypatch.setenv("RAY_TMPDIR", short)
        monkeypatch.delenv("RAY_ADDRESS", raising=False)
        Path(short, "ray").mkdir()
        Path(short, "ray", "ray_current_cluster").write_text("127.0.0.1:1")
        yield
    assert not ran.exists(), ran.read_text()


def test_two_workers_one_of_them_killed_give_what_one_machine_gives():
    Path("videos").mkdir()
    for i in range(10):
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
    assert summary.done == 10
    assert [failure.video for failure in summary.failures] == ["broken"]
    files = sorted(path.name for path in Path("local").glob("*.npy"))
    assert files == [f"v{i}.npy" for i in range(10)]
    for name in files:
        assert Path("ray", name).read_bytes() == Path("local", name).read_bytes()
    assert list(read_records("ray")) == list(read_records("local"))
    assert [path for path in Path("ray").rglob(".*")] == []


def test_a_cluster_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    with (
        pytest.raises(EngineError, match=r"no Ray cluster .* RAY_ADDRESS=127\.0\.0\.1"),
        RayEngine(dict, 2),
    ):
        pass
