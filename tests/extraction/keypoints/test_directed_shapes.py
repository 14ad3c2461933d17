"""Directed shapes: they tell which way, and when they are taken."""

import json

import numpy as np
import pytest

from acmnet.data.tracks.track_layout import TrackLayout
from acmnet.data.tracks.tracks import TrackError, Tracks
from acmnet.extraction.keypoints.body_sizes import bodies
from acmnet.extraction.keypoints.directed_shapes import (
    PATH_AT,
    SHAPE_AT,
    n_directed,
    steadiness,
)
from acmnet.extraction.keypoints.keypoint_features import (
    features_of_nobody,
    keypoint_features,
    n_columns,
)
from acmnet.extraction.keypoints.keypoint_request import KeypointRequest
from acmnet.extraction.keypoints.signal_plan import SignalPlan
from acmnet.extraction.keypoints.track_gaps import filled
from acmnet.segments import SnippetGrid

GRID = SnippetGrid(fps=10, snippet_frames=8, stride_frames=3)
BODY = np.array([[0.0, 5.0, 0.0], [-1.0, 2.0, 0.3], [1.0, 2.0, 0.0], [0.4, -4.0, 1.0]])
"""Somebody upright: head, two hands, feet, all at different depths."""


def filled_tracks(positions):
    positions = np.asarray(positions, np.float32)
    names = [tuple(map(str, range(n))) for n in positions.shape[1:3]]
    return filled(Tracks(positions, names[1], names[0], fps=10.0), 10.0)


def directed(positions, *, pooled=False):
    """Return the directed columns of features of (F, I, P, A) positions."""
    n_individuals, n_points, n_axes = positions.shape[1:]
    plan = SignalPlan(n_individuals, n_points, n_axes, pooled, True)
    found = np.concatenate([*keypoint_features(filled_tracks(positions), plan, GRID)])
    assert found.shape[1] == n_columns(plan)
    n_gaps = 2 if pooled else 2 * n_individuals
    return found[:, -n_directed(plan) - n_gaps : -n_gaps]


def swaying(n_individuals=1, n_axes=3, seed=0, n_frames=40):
    """Return bodies that sway about, mostly in their own direction."""
    rng = np.random.default_rng(seed)
    walk = rng.normal(size=(n_frames, n_individuals, 1, n_axes)).cumsum(0) * 0.3
    bend = rng.normal(size=(n_frames, n_individuals, 4, n_axes)).cumsum(0) * 0.05
    return BODY[:, :n_axes] + walk + bend


@pytest.mark.parametrize("n_axes", [2, 3])
def test_a_recording_that_is_moved_or_scaled_gives_the_same(n_axes):
    positions = swaying(2, n_axes)
    other = positions * 37 + 1000
    np.testing.assert_allclose(directed(other), directed(positions), atol=2e-3)


def test_left_and_right_differ_in_sign_alone():
    steps = np.zeros((40, 1, 1, 3))
    steps[..., 0] = np.arange(40)[:, None, None] * 0.1
    right, left = directed(BODY + steps), directed(BODY - steps)
    n_path = 3 * len(PATH_AT)
    np.testing.assert_allclose(right[:, :n_path], -left[:, :n_path], atol=1e-5)
    np.testing.assert_allclose(right[:, n_path:], left[:, n_path:], atol=1e-5)
    # 1 a second, a snippet lasts 0.8 s; away from both ends
    size = np.sqrt(np.square(BODY - BODY.mean(0)).sum(1).mean())
    path = right[4, :n_path].reshape(-1, 3)
    np.testing.assert_allclose(path[:, 0] * size, 0.8 * np.array(PATH_AT), atol=1e-4)
    np.testing.assert_allclose(path[:, 1:], 0, atol=1e-5)


def test_shapes_are_told_in_the_order_of_points_and_times():
    positions = swaying()
    held = bodies(filled_tracks(positions))
    found = directed(positions)[3].reshape(-1, 3)
    middle = 3 * 3 + 4
    for k, at in enumerate(SHAPE_AT):
        body = held.positions[middle + round(at * 8), 0]
        told = body - body.mean(0)
        rows = len(PATH_AT) + 4 * k
        np.testing.assert_allclose(found[rows : rows + 4], told, atol=1e-5)


def test_individuals_that_are_not_seen_say_nothing():
    positions = swaying(2)
    positions[:, 1] = np.nan
    both, alone = directed(positions), directed(positions[:, :1])
    assert not both[:, alone.shape[1] :].any()
    np.testing.assert_allclose(both[:, : alone.shape[1]], alone, atol=1e-5)
    # pooled, the mean is over those that are seen
    np.testing.assert_allclose(directed(positions, pooled=True), alone, atol=1e-5)
    plan = SignalPlan(4, 13, 2, True, True)
    nobody = features_of_nobody(plan, 2)
    assert nobody[:, -2:].all()
    assert not nobody[:, :-2].any()


def turning(n_frames=40):
    """Return a body that turns all the way round, twice."""
    angle = np.arange(n_frames) / n_frames * 4 * np.pi
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.einsum("abf,pb->fpa", turn, BODY[:, :2])[:, None]


def test_steadiness_of_still_and_of_turning_bodies():
    still = np.repeat(BODY[None, None], 40, axis=0)
    assert steadiness(bodies(filled_tracks(still))) == pytest.approx(1)
    assert steadiness(bodies(filled_tracks(turning()))) == pytest.approx(0, abs=0.05)
    # two points do not say how they lie in space, and one says it nowhere
    assert steadiness(bodies(filled_tracks(still[:, :, :2]))) == 0
    assert steadiness(bodies(filled_tracks(still[:, :, :1, :2]))) == 0


@pytest.mark.parametrize("n_axes", [2, 3])
def test_steadiness_is_that_of_a_loop_over_those_who_are_seen(n_axes):
    positions = swaying(3, n_axes, n_frames=20)
    positions[4:9, 0] = np.nan  # nobody there
    positions[12, 1, :2] = np.nan  # half of somebody is still seen
    held = bodies(filled_tracks(positions))
    arms = []
    for f in range(20):
        for i in range(3):
            body = held.positions[f, i]
            if np.isfinite(positions[f, i]).any():
                arms.append([point - sum(body) / 4 for point in body])
    assert len(arms) == 3 * 20 - 5
    mean = np.sum(arms, axis=0) / len(arms)
    extent = sum(float(x @ x) for body in arms for x in body) / len(arms)
    expected = np.sqrt(sum(float(x @ x) for x in mean) / extent)
    assert 0.1 < expected < 0.999
    assert steadiness(held) == pytest.approx(expected)


def test_the_first_file_decides_unless_the_user_does(tmp_path):
    for name, positions in (("steady", swaying()[..., :2]), ("turning", turning())):
        np.save(tmp_path / f"{name}.npy", positions.astype(np.float32))
        (tmp_path / f"{name}.json").write_text(json.dumps({"fps": 10}))
    for name, told in (("steady", True), ("turning", False)):
        files = {name: tmp_path / f"{name}.npy"}
        for asked in (None, True, False):
            request = KeypointRequest(directions=asked)
            layout = request.settings(files, {}, tmp_path / "new").tracks
            assert layout.has_directions == (told if asked is None else asked)
            assert TrackLayout.from_json(layout.to_json()) == layout


def test_a_first_file_without_anybody_is_named(tmp_path):
    np.save(tmp_path / "empty.npy", np.full((5, 1, 3, 2), np.nan, np.float32))
    with pytest.raises(TrackError, match=r"empty\.npy: no point of any individual"):
        KeypointRequest(fps=10).settings({"a": tmp_path / "empty.npy"}, {}, tmp_path)
