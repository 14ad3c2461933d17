"""Three hundred damaged videos: each gives frames or one sentence, and soon."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from acmnet.video.frames import FrameReader, VideoError, VideoInfo, probe
from support.movies import damaged_movies

N_MOVIES = 300
LONGEST_S = 5
# In a process of its own, so that a crash of native code is an answer too: it writes
# the name before it reads the file.
READ_ALL = """
import sys, time
from acmnet.video.frames import (FrameReader, VideoError)
for path in sys.stdin.read().splitlines():
    print(path, end="\\t", flush=True)
    start = time.monotonic()
    reader = FrameReader(path, short_side=32)
    try:
        shapes = {frame.shape for frame in reader}
        outcome = "frames" if len(shapes) == 1 else f"shapes {shapes}"
    except VideoError as error:
        outcome = "refused" if str(path) in str(error) else f"nameless {error}"
    except Exception as error:
        outcome = repr(error)
    spent_s = time.monotonic() - start
    print(outcome, reader.n_frames, f"{spent_s:.3f}", sep="\\t", flush=True)
"""


@pytest.fixture(scope="module")
def movies(tmp_path_factory):
    return damaged_movies(tmp_path_factory.mktemp("movies"), N_MOVIES)


def test_the_set_is_made_the_same_again(movies, tmp_path):
    assert len(movies) == N_MOVIES
    assert movies == sorted(set(movies))
    again = damaged_movies(tmp_path / "again", N_MOVIES)
    assert [path.name for path in again] == [path.name for path in movies]
    different = [
        path.name
        for path, other in zip(movies, again, strict=True)
        if path.read_bytes() != other.read_bytes()
    ]
    assert different == []


@pytest.mark.timeout(120)
def test_each_gives_frames_or_is_refused(movies):
    run = subprocess.run(
        [sys.executable, "-c", READ_ALL],
        input="\n".join(map(str, movies)),
        capture_output=True,
        text=True,
        timeout=100,
    )
    lines = [line.split("\t") for line in run.stdout.splitlines()]
    assert run.returncode == 0, f"code {run.returncode} in {lines[-1]}: {run.stderr}"
    assert run.stderr == ""
    assert [Path(line[0]) for line in lines] == movies
    outcomes = {Path(name).name: outcome for name, outcome, *_ in lines}
    odd = {k: v for k, v in outcomes.items() if v not in ("frames", "refused")}
    assert odd == {}
    slow = [line for line in lines if float(line[3]) > LONGEST_S]
    assert slow == []
    # 40 frames at the most in two joined videos; a damaged clock may hold some longer
    many = [line for line in lines if int(line[2]) > 20 * 25 * 10]
    assert many == []
    # the set is no set of refusals, nor of whole videos
    n_refused = sum(outcome == "refused" for outcome in outcomes.values())
    assert N_MOVIES // 10 < n_refused < N_MOVIES // 2


UNUSUAL = [
    pytest.param("dot.avi", (1, 1), 3, id="1x1 raw"),
    pytest.param("dot.mkv", (1, 1), 3, id="1x1 ffv1"),
    pytest.param("wide.mkv", (8192, 2), 2, id="8K by 2"),
    pytest.param("tall.avi", (2, 4320), 2, id="2 by 4K"),
    pytest.param("single.mp4", (48, 48), 1, id="one frame mp4"),
    pytest.param("single.avi", (48, 48), 1, id="one frame avi"),
    pytest.param("odd.mkv", (47, 31), 5, id="odd"),
    pytest.param("really_mp4.avi", (48, 48), 20, id="mp4 named avi"),
    pytest.param("really_webm.mp4", (48, 48), 20, id="webm named mp4"),
    pytest.param("really_avi.txt", (48, 48), 20, id="avi named txt"),
]


@pytest.mark.parametrize(("name", "size", "n_frames"), UNUSUAL)
def test_unusual_videos_are_read(movies, name, size, n_frames):
    path = movies[0].parent / name
    info = probe(path)
    assert isinstance(info, VideoInfo)
    assert (info.width, info.height) == size
    frames = list(FrameReader(path))
    assert len(frames) == n_frames
    assert {frame.shape for frame in frames} == {(size[1], size[0], 3)}
    # the shorter side is 8 pixels, the longer one 32 at the most
    (shape,) = {frame.shape for frame in FrameReader(path, short_side=8)}
    assert min(shape[:2]) == 8
    assert max(shape[:2]) <= 32
    if name.startswith(("dot", "wide", "tall")):
        assert [round(float(np.mean(frame))) for frame in frames] == pytest.approx(
            [60, 120, 180][:n_frames], abs=2
        )


def test_what_holds_no_video_is_refused(movies):
    others = [path for path in movies if path.name.startswith(("no_", "sound_only"))]
    assert len(others) == 12
    for path in others:
        with pytest.raises(VideoError, match=path.name):
            list(FrameReader(path))
        with pytest.raises(VideoError, match=path.name):
            probe(path)
