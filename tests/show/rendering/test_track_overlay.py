"""Tracks drawn onto frames: where the points are, at the time when they are there."""

import json

import numpy as np
import pytest

from acmnet.data.tracks.tracks import Tracks
from acmnet.show.rendering.frame_overlay import class_colour
from acmnet.show.rendering.rendered_video import render_detections
from acmnet.show.rendering.track_overlay import TrackOverlay
from support.commands import refused
from support.movies import plain, write_movie


def tracks_of(positions, points=("nose", "tail"), **given):
    positions = np.asarray(positions, np.float32)
    names = tuple(f"i{i}" for i in range(positions.shape[1]))
    return Tracks(positions, points, names, **given)


def test_lines_join_the_points_of_a_person():
    frame = np.zeros((100, 100, 3), np.uint8)
    points = ("left_hip", "left_knee", "nose")
    overlay = TrackOverlay(tracks_of([[[[20, 10], [20, 90], [80, 50]]]], points))
    overlay.draw(frame, 0, 0.0)
    for x, y in ((20, 10), (20, 50), (20, 90), (80, 50)):
        # a thin line's edges are smoothed
        np.testing.assert_allclose(frame[y, x], class_colour(0), atol=40)
    assert not frame[50, 30:70].any()


def test_what_is_not_seen_is_not_drawn():
    frame = np.zeros((100, 100, 3), np.uint8)
    nan = float("nan")
    positions = [[[[20, 10], [nan, nan]], [[60, 60], [1e30, 2]]]]
    likelihood = np.array([[[0.1, 0.9], [0.9, 0.9]]], np.float32)
    TrackOverlay(tracks_of(positions, likelihood=likelihood)).draw(frame, 0, 0.0)
    np.testing.assert_allclose(frame[60, 60], class_colour(1), atol=40)
    frame[55:66, 55:66] = 0
    assert not frame.any()


@pytest.mark.parametrize(
    ("given", "rows"),
    [
        ({}, [0, 1, 2, None]),
        ({"fps": 5.0}, [0, 0, 0, 0]),
        ({"fps": 20.0}, [0, 1, 2, None]),
        ({"times_s": np.array([7.0, 7.05, 7.15])}, [0, 1, 1, 2]),
    ],
)
def test_the_frame_of_the_tracks_at_a_time(given, rows):
    overlay = TrackOverlay(tracks_of(np.ones((3, 1, 2, 2)), **given))
    times = [0.0, 0.05, 0.1, 0.15]
    assert [overlay.row(i, t) for i, t in enumerate(times)] == rows


def test_render_draws_tracks(acmnet, tmp_path):
    movie = write_movie(tmp_path / "a.mp4", plain(64, 48) * 3)
    np.save(tmp_path / "t.npy", np.full((9, 1, 2, 2), 24.0, np.float32))
    (tmp_path / "t.json").write_text(json.dumps({"fps": 25}))
    tracks = ["--tracks", tmp_path / "t.npy", "--out", tmp_path / "out.mp4"]
    code, out, _ = acmnet("render", movie, *tracks)
    assert code == 0
    assert "frames with tracks of 1 individual:" in out
    plain_copy = tmp_path / "plain.mp4"
    render_detections(movie, [], plain_copy)
    assert (tmp_path / "out.mp4").read_bytes() != plain_copy.read_bytes()


def test_render_of_nothing_is_refused(acmnet, tmp_path):
    refused(
        acmnet("render", tmp_path / "a.mp4", "--out", tmp_path / "b.mp4"),
        "nothing to draw; give --detections, --tracks or --annotations, or several",
        code=2,
    )
