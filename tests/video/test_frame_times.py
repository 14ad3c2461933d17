"""Times read from packets are those of the frames that extraction decodes."""

import itertools
import time
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acmnet.video.containers import DecodeCount, VideoError, opened_video
from acmnet.video.frame_times import frame_times
from acmnet.video.frames import FrameReader
from support.movies import even_times, numbers, painted, write_audio, write_movie


def decoded(path):
    """Return the times of the decoded frames and when the last one ends."""
    reader = FrameReader(path, fps=None)
    with opened_video(path, DecodeCount()) as video:
        times_s = [float(time_s) for _, time_s in reader._timed(video)]
    return times_s, reader.duration_s


def agree(path):
    """Check that both ways tell the same; return the number of frames."""
    found, end_s = frame_times(path)
    expected, ends = decoded(path)
    assert found.tolist() == expected
    assert end_s == ends
    return len(expected)


@pytest.mark.parametrize(
    ("name", "how"),
    [
        pytest.param("a.mp4", {}, id="mp4"),
        pytest.param("a.mp4", {"b_frames": 3, "audio": "aac"}, id="mp4 B-frames"),
        pytest.param("a.mp4", {"fps": Fraction(30_000, 1001)}, id="29.97"),
        pytest.param(
            "a.mp4", {"b_frames": 2, "options": {"flags": "-cgop"}}, id="open groups"
        ),
        pytest.param("a.mkv", {"b_frames": 2, "audio": "aac"}, id="mkv B-frames"),
        pytest.param("a.avi", {"codec": "mpeg4"}, id="avi"),
        pytest.param("a.avi", {"b_frames": 2}, id="avi B-frames"),
        pytest.param("a.webm", {"codec": "libvpx-vp9"}, id="webm vp9"),
        pytest.param(
            "a.webm",
            {"codec": "libvpx", "options": {"auto-alt-ref": "1", "lag-in-frames": "9"}},
            id="webm vp8 with frames that are not shown",
        ),
        pytest.param("a.mpg", {"codec": "mpeg2video", "b_frames": 2}, id="mpeg"),
        pytest.param("a.ts", {"b_frames": 2, "audio": "aac"}, id="ts B-frames"),
        pytest.param("a.wmv", {"codec": "wmv2"}, id="wmv"),
        pytest.param("a.h264", {"b_frames": 2, "format": "h264"}, id="no times"),
        pytest.param("a.mkv", {"times": even_times(30, 25, 50)}, id="late start"),
    ],
)
def test_times_are_those_of_extraction(tmp_path, name, how):
    assert agree(write_movie(tmp_path / name, numbers(30), **how)) == 30


@settings(max_examples=15)
@given(
    steps=st.lists(st.integers(10, 6400), min_size=2, max_size=25),
    b_frames=st.sampled_from([0, 2]),
)
def test_times_of_variable_rates_are_those_of_extraction(
    tmp_path_factory, steps, b_frames
):
    ticks = itertools.accumulate(steps, initial=0)
    times = [Fraction(tick, 12_800) for tick in ticks]
    path = tmp_path_factory.mktemp("vfr") / "a.mp4"
    frames = numbers(len(times), 32, 32)
    agree(write_movie(path, frames, times=times, b_frames=b_frames))


def test_a_clock_that_starts_anew_is_followed(tmp_path):
    first = write_movie(tmp_path / "1.ts", numbers(60), b_frames=2).read_bytes()
    later = [painted(100 + i) for i in range(60)]
    second = write_movie(tmp_path / "2.ts", later, b_frames=2).read_bytes()
    (tmp_path / "joined.ts").write_bytes(first + second)
    assert agree(tmp_path / "joined.ts") == 120


def test_what_has_no_frames_is_refused(tmp_path):
    write_audio(tmp_path / "tone.mp4")
    with pytest.raises(VideoError, match="has no video stream"):
        frame_times(tmp_path / "tone.mp4")


def test_an_hour_is_read_in_a_moment(tmp_path):
    """90,000 frames: the packets are read, no frame is decoded."""
    black = itertools.repeat(np.zeros((16, 16, 3), np.uint8), 2000)
    part = write_movie(tmp_path / "part.mkv", black, gop_frames=250)
    began = time.process_time()
    found = frame_times(part)
    took_s = time.process_time() - began
    assert len(found.times_s) == 2000
    assert took_s * 90_000 / 2000 < 1.5
