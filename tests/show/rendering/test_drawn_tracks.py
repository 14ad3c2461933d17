"""Recordings of tracks without video, drawn as videos."""

import json

import av
import numpy as np
import pytest

from acmnet.data.tracks.tracks import Tracks
from acmnet.show.rendering.drawn_tracks import GROUND, LONGER_SIDE, draw_tracks
from acmnet.show.rendering.frame_overlay import class_colour
from support.commands import refused


def recording(n=8):
    """Return two individuals of 3 points in mm: one stays left, one goes to the right.

    The second is not seen in the first frame.
    """
    triangle = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    positions = np.zeros((n, 2, 3, 2), np.float32)
    positions[:, 0] = triangle - 500
    for frame in range(n):
        positions[frame, 1] = triangle * 20 + [frame * 10 - 480, -470]
    positions[0, 1] = np.nan
    return Tracks(positions, ("nose", "ear", "tail"), ("a", "b"))


def pictures(path):
    with av.open(path) as container:
        rate = container.streams.video[0].average_rate
        return rate, [f.to_ndarray(format="rgb24") for f in container.decode(video=0)]


def centre(picture, colour):
    """Return where a colour is on average, in shares of the width; NaN if nowhere."""
    is_there = np.abs(picture.astype(int) - colour).max(axis=2) < 90
    return np.nonzero(is_there)[1].mean() / picture.shape[1] if is_there.any() else None


def test_tracks_are_drawn_where_they_are(tmp_path):
    assert draw_tracks(recording(), tmp_path / "a.mp4", 8.0) == 8
    rate, shown = pictures(tmp_path / "a.mp4")
    assert (rate, len(shown)) == (8, 8)
    assert max(shown[0].shape) == LONGER_SIDE
    assert np.median(shown[0]) == pytest.approx(GROUND, abs=8)
    left = [centre(picture, class_colour(0)) for picture in shown]
    assert max(left) < 0.2
    right = [centre(picture, class_colour(1)) for picture in shown]
    assert right[0] is None
    assert (np.diff(right[1:]) > 0.03).all()


def test_fast_tracks_keep_their_length(tmp_path):
    assert draw_tracks(recording(40), tmp_path / "a.mp4", 200.0) == 10  # 0.2 s
    rate, shown = pictures(tmp_path / "a.mp4")
    assert (rate, len(shown)) == (50, 10)


def test_render_draws_a_folder_of_tracks(acmnet, tmp_path):
    (tmp_path / "t").mkdir()
    for name in "ab":
        np.save(tmp_path / f"t/{name}.npy", recording(3).positions)
    given = ("render", tmp_path / "t", "--out", tmp_path / "v")
    refused(acmnet(*given), f"{tmp_path / 't/a.npy'} does not state", "give --fps")
    (tmp_path / "t/tracks.json").write_text(json.dumps({"fps": 5}))
    code, out, _ = acmnet(*given)
    assert (code, out) == (0, f"2 videos of tracks: {tmp_path / 'v'}\n")
    assert [len(pictures(tmp_path / f"v/{x}.mp4")[1]) for x in "ab"] == [3, 3]
    # --fps is for tracks that state none
    code, _, _ = acmnet("render", tmp_path / "t/a.npy", "--out", tmp_path / "a.mp4",
                        "--fps", "9")  # fmt: skip
    assert (code, pictures(tmp_path / "a.mp4")[0]) == (0, 5)
