"""Frames that are decoded from a key frame on are those of decoding the whole video."""

import types

import numpy as np
import pytest

from acmnet.video.containers import DecodeCount, opened_video
from acmnet.video.frame_seeking import _frames_from_key_frame, opened_at
from acmnet.video.frame_times import stamped_times
from support.movies import even_times, numbers, write_movie

FRAMES = 50


@pytest.mark.parametrize(
    ("name", "how"),
    [
        pytest.param("a.mp4", {}, id="mp4"),
        pytest.param("a.mp4", {"b_frames": 3}, id="mp4 B-frames"),
        pytest.param(
            "a.mp4", {"b_frames": 2, "options": {"flags": "-cgop"}}, id="open groups"
        ),
        pytest.param("a.mp4", {"gop_frames": 1}, id="key frames alone"),
        pytest.param("a.mp4", {"gop_frames": 100}, id="one key frame"),
        pytest.param("a.mkv", {"times": even_times(FRAMES, 25, 50)}, id="late start"),
        pytest.param("a.avi", {"codec": "mpeg4"}, id="avi"),
        pytest.param("a.webm", {"codec": "libvpx-vp9"}, id="webm"),
        pytest.param("a.ts", {"b_frames": 2}, id="may jump, so never sought"),
        pytest.param("a.h264", {"b_frames": 2, "format": "h264"}, id="no times"),
    ],
)
def test_frames_are_those_of_decoding_everything(tmp_path, name, how):
    path = write_movie(tmp_path / name, numbers(FRAMES), **how)
    with opened_video(path, DecodeCount()) as video:
        every = [frame.to_ndarray(format="rgb24") for frame in video.frames()]
    assert len(every) == FRAMES
    known = stamped_times(path)
    for first in (0, 1, 11, 12, 13, 30, FRAMES - 1):
        count = DecodeCount()
        with opened_at(path, known, first, count) as (_, frames):
            found = [(i, frame.to_ndarray(format="rgb24")) for i, frame in frames]
        assert [i for i, _ in found] == list(range(first, FRAMES))
        for i, picture in found:
            assert np.array_equal(picture, every[i]), (first, i)


def test_a_file_whose_index_leads_too_far_is_decoded_from_its_start():
    late = types.SimpleNamespace(pts=41)
    video = types.SimpleNamespace(
        container=types.SimpleNamespace(seek=lambda *_, **__: None),
        stream=None,
        frames=lambda: iter([late]),
    )
    assert _frames_from_key_frame(video, 40) is None
    assert list(_frames_from_key_frame(video, 41)) == [late]
