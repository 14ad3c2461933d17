"""Features of tracks: laws, a slow twin, and what becomes of gaps."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acmnet.data.tracks.track_layout import TrackLayout, arranged, layout_of
from acmnet.data.tracks.tracks import TrackError, Tracks
from acmnet.extraction.keypoints.body_sizes import bodies
from acmnet.extraction.keypoints.keypoint_features import (
    COLUMNS_A_SIGNAL,
    keypoint_features,
    n_columns,
)
from acmnet.extraction.keypoints.keypoint_signals import signals
from acmnet.extraction.keypoints.signal_plan import SignalPlan, plan_of
from acmnet.extraction.keypoints.track_gaps import filled, stated_fps
from acmnet.segments import SnippetGrid

GRID = SnippetGrid(fps=10, snippet_frames=8, stride_frames=3)
NAN = float("nan")


def tracks_of(positions, **given):
    positions = np.asarray(positions, np.float32)
    _, n_individuals, n_points, _ = positions.shape
    return Tracks(
        positions,
        tuple(f"p{i}" for i in range(n_points)),
        tuple(f"i{i}" for i in range(n_individuals)),
        **{"fps": 10.0} | given,
    )


def moving(n_individuals=2, n_points=4, n_axes=2, n_frames=40, seed=0):
    """Bodies that bend and walk about."""
    rng = np.random.default_rng(seed)
    body = rng.normal(size=(1, n_individuals, n_points, n_axes))
    bend = rng.normal(size=(n_frames, n_individuals, n_points, n_axes)).cumsum(0) * 0.05
    walk = rng.normal(size=(n_frames, n_individuals, 1, n_axes)).cumsum(0) * 0.3
    return body + bend + walk


def features_of(positions, pooled=False):
    layout = TrackLayout(
        tuple(f"p{i}" for i in range(positions.shape[2])),
        positions.shape[1],
        positions.shape[3],
        are_pooled=pooled,
    )
    held = filled(tracks_of(positions), 10.0)
    blocks = keypoint_features(held, plan_of(layout), GRID)
    found = np.concatenate(list(blocks))
    assert found.shape == (GRID.n_snippets(len(positions)), n_columns(plan_of(layout)))
    assert np.isfinite(found).all()
    return found


def turned(positions, angle):
    """Turn in the plane of the first two axes."""
    turn = np.eye(positions.shape[-1])
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    return positions @ turn.T


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 1000),
    shape=st.sampled_from([(1, 1, 2), (1, 4, 2), (1, 5, 3), (2, 4, 2), (3, 3, 3)]),
    angle=st.floats(-3, 3),
    scale=st.floats(0.01, 100),
    shift=st.floats(-50, 50),
)
def test_place_heading_and_size_are_taken_out(seed, shape, angle, scale, shift):
    positions = moving(*shape, seed=seed)
    other = turned(positions, angle) * scale + shift * scale
    np.testing.assert_allclose(
        features_of(other), features_of(positions), rtol=0.01, atol=0.01
    )


@pytest.mark.parametrize("n_axes", [2, 3])
def test_a_mirror_changes_the_sign_of_turning_alone(n_axes):
    plan = SignalPlan(2, 4, n_axes, False)
    positions = moving(2, 4, n_axes)
    mirrored = positions * np.eye(n_axes)[0] * -2 + positions
    one, other = (
        signals(bodies(filled(tracks_of(x), 10.0)), plan, 0, 40)
        for x in (positions, mirrored)
    )
    changed = np.flatnonzero(~np.isclose(one, other, atol=1e-4).all(axis=0))
    turning = [plan.n_own - 2, 2 * plan.n_own - 2]
    assert changed.tolist() == (turning if n_axes == 2 else [])
    np.testing.assert_allclose(one[:, changed], -other[:, changed], atol=1e-4)


def test_pooled_individuals_may_be_swapped():
    positions = moving(3)
    np.testing.assert_allclose(
        features_of(positions[:, [2, 0, 1]]), features_of(positions), atol=1e-5
    )
    two = moving(2)
    pooled = features_of(two, pooled=True)
    np.testing.assert_allclose(
        features_of(two[:, ::-1], pooled=True), pooled, atol=1e-5
    )
    assert not np.allclose(features_of(two[:, ::-1]), features_of(two), atol=1e-3)


def test_windows_as_a_slow_twin_tells_them():
    positions = moving(1, 3, n_frames=30)
    held, plan = bodies(filled(tracks_of(positions), 10.0)), SignalPlan(1, 3, 2, False)
    values = signals(held, plan, 0, 30)
    found = features_of(positions)
    for t in range(GRID.n_snippets(30)):
        told = []
        for n, names in ((4, "m"), (8, "mdlhc")):
            middle = t * 3 + 4
            rows = [min(max(middle - n // 2 + k, 0), 29) for k in range(n)]
            for name in names:
                for s in range(plan.n_signals):
                    x = [float(values[row, s]) for row in rows]
                    mean = sum(x) / n
                    told.append(
                        {
                            "m": mean,
                            "d": (sum((v - mean) ** 2 for v in x) / n) ** 0.5,
                            "l": min(x),
                            "h": max(x),
                            "c": 4 / n * (sum(x[-(n // 4) :]) - sum(x[: n // 4])),
                        }[name]
                    )
        np.testing.assert_allclose(found[t, :-2], told, atol=1e-5)
    assert COLUMNS_A_SIGNAL * plan.n_signals + 2 == found.shape[1]


def test_parts_of_a_recording_give_the_signals_of_the_whole():
    held = bodies(filled(tracks_of(moving(3, n_frames=50)), 10.0))
    plan = SignalPlan(3, 4, 2, True)
    whole = signals(held, plan, 0, 50)
    parts = [signals(held, plan, i, i + 10) for i in range(0, 50, 10)]
    np.testing.assert_allclose(np.concatenate(parts), whole, atol=1e-9)


@pytest.mark.parametrize("numbers", [1, 2000, 20_000])
def test_features_do_not_depend_on_how_many_are_made_at_once(monkeypatch, numbers):
    positions = moving(2, n_frames=100)
    whole = features_of(positions)
    module = "acmnet.extraction.keypoints.keypoint_features"
    monkeypatch.setattr(f"{module}.NUMBERS_AT_ONCE", numbers)
    np.testing.assert_allclose(features_of(positions), whole, atol=1e-5)


def test_signals_of_known_motion():
    # a stick of two points, 2 long, moves along itself at 3 a second: body size 1
    x = np.arange(40)[:, None, None] * 0.3 + np.array([-1.0, 1.0])[None, None]
    positions = np.stack([x, np.zeros_like(x)], axis=-1)
    plan = SignalPlan(1, 2, 2, False)
    row = signals(bodies(filled(tracks_of(positions), 10.0)), plan, 20, 21)[0]
    log = np.log1p
    told = [log(2), log(1), log(1), 0, 0, -log(3), log(3), log(3), 0, 0, 0, 1]
    np.testing.assert_allclose(row, told, atol=1e-5)
    # and turns at 1 radian a second on the spot
    angle = np.arange(40) * 0.1
    stick = np.stack([np.cos(angle), np.sin(angle)], axis=-1)[:, None, None]
    spin = np.concatenate([-stick, stick], axis=2)
    row = signals(bodies(filled(tracks_of(spin), 10.0)), plan, 20, 21)[0]
    assert row[-2] == pytest.approx(log(1), abs=0.01)
    assert row[3:5] == pytest.approx([log(1)] * 2, abs=0.01)


def test_turning_in_space_is_told_whatever_its_axis():
    # 0.1 radians a frame around one axis: by central differences 10 sin(0.1) a second
    x, y, z = np.array([1.0, 2.0, 2.0]) / 3
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    step = np.eye(3) + np.sin(0.1) * cross + (1 - np.cos(0.1)) * cross @ cross
    turned_bodies = [np.random.default_rng(0).normal(size=(1, 5, 3))]
    for _ in range(39):
        turned_bodies.append(turned_bodies[-1] @ step.T)
    plan = SignalPlan(1, 5, 3, False)
    found = signals(bodies(filled(tracks_of(turned_bodies), 10.0)), plan, 5, 35)
    speed = np.log1p(10 * np.sin(0.1))
    np.testing.assert_allclose(found[:, plan.n_own - 2], speed, rtol=2e-3)


def test_gaps_are_interpolated_and_told():
    positions = np.zeros((20, 1, 2, 2))
    positions[..., 0] = np.arange(20)[:, None, None] + np.array([0, 2])
    positions[4:8, 0, 0] = NAN
    held = filled(tracks_of(positions), 10.0)
    assert held.positions[:, 0, 0, 0].tolist() == list(range(20))
    assert np.flatnonzero(held.missing[:, 0, 0]).tolist() == [4, 5, 6, 7]
    assert not held.missing[:, 0, 1].any()
    plan = SignalPlan(1, 2, 2, False)
    found = next(keypoint_features(held, plan, SnippetGrid(10, 8, 8)))
    # half of the points in half of the frames, and never both of them
    assert found[:, -2:].tolist() == [[0.25**0.5, 0], [0, 0]]


def test_low_likelihood_is_a_gap():
    likelihood = np.ones((6, 1, 1), np.float32)
    likelihood[2] = 0.4
    positions = np.arange(12).reshape(6, 1, 1, 2)
    tracks = tracks_of(positions, likelihood=likelihood)
    assert np.flatnonzero(filled(tracks, 10.0).missing).tolist() == [2]
    assert not filled(tracks, 10.0, least_likelihood=0.3).missing.any()


def test_an_individual_that_is_never_seen_says_nothing():
    positions = moving(2)
    positions[:, 1] = NAN
    found, plan = features_of(positions), SignalPlan(2, 4, 2, False)
    values = signals(bodies(filled(tracks_of(positions), 10.0)), plan, 0, 40)
    assert not values[:, plan.n_own :].any()
    assert found[:, -2:].tolist() == [[1, 1]] * len(found)
    alone = features_of(positions[:, :1])
    np.testing.assert_allclose(
        found[:, : plan.n_own], alone[:, : plan.n_own], atol=1e-5
    )


def test_a_recording_in_which_nothing_is_seen_is_refused():
    with pytest.raises(TrackError, match="no point of any individual is seen in any"):
        filled(tracks_of(np.full((5, 1, 2, 2), NAN)), 10.0)
    sure = np.zeros((5, 1, 2))
    with pytest.raises(TrackError, match="seen with enough likelihood in any"):
        filled(tracks_of(np.ones((5, 1, 2, 2)), likelihood=sure), 10.0)


def test_irregular_clocks_become_steady():
    times = np.array([0, 0.1, 0.25, 0.3, 0.87, 1.0])
    positions = np.repeat(times[:, None, None, None] * 10, 2, axis=3)
    tracks = tracks_of(positions, fps=None, times_s=times + 5)
    held = filled(tracks, 10.0)
    # the last frame is shown for 0.13 s, into a twelfth grid frame
    np.testing.assert_allclose(held.positions[:, 0, 0, 0], [*range(11), 10], atol=1e-5)
    # 0.6 s alone is further than two of the usual intervals, 0.13 s, from any frame
    assert np.flatnonzero(held.missing[:, 0, 0]).tolist() == [6]
    assert stated_fps(tracks) is None


def test_the_frame_rate_is_never_guessed():
    tracks = tracks_of(np.ones((5, 1, 1, 2)), fps=None)
    assert stated_fps(tracks) is None
    with pytest.raises(TrackError, match="does not state its frame rate; give --fps"):
        filled(tracks, 10.0)
    assert len(filled(tracks, 10.0, unstated_fps=5.0).positions) == 10


def test_a_single_frame_is_a_snippet():
    assert np.isfinite(features_of(np.ones((1, 1, 1, 2)))).all()
    assert np.isfinite(features_of(moving(2, n_frames=1))).all()


def test_columns_are_bounded():
    for n_points in (1, 2, 33, 543):
        for n in (1, 2, 3, 50):
            plan = SignalPlan(n, n_points, 2, n > 2)
            assert n_columns(plan) <= 2500
            assert max(plan.described, default=0) < n_points
    assert SignalPlan(50, 9, 2, True).n_signals == SignalPlan(3, 9, 2, True).n_signals


def test_stretches_of_track_become_individuals():
    positions = np.full((10, 4, 2, 2), NAN)
    positions[:4, 0], positions[:, 1] = 1, 50  # "0" goes on as "3", near it
    positions[6:, 3] = 2
    tracks = tracks_of(positions, are_fragments=True)
    layout = layout_of(tracks)
    assert layout.n_individuals == 2
    held = arranged(tracks, layout).positions
    assert held[0, :, 0, 0].tolist() == [1, 50]
    assert held[9, :, 0, 0].tolist() == [2, 50]
    assert np.isnan(held[4:6, 0]).all()
    with pytest.raises(TrackError, match=r"it has 2 individuals in one frame.* of 1;"):
        arranged(tracks, layout_of(tracks, n_individuals=1))


def test_layouts_that_do_not_fit_are_refused():
    layout = TrackLayout(("p0", "p1", "nose"), 1, 2)
    with pytest.raises(TrackError, match=r"has no point 'nose' \(it has 'p0', 'p1'\)"):
        arranged(tracks_of(moving(1, 2)), layout)
    with pytest.raises(TrackError, match=r"points have 3 coordinates, those .* have 2"):
        arranged(tracks_of(moving(1, 2, 3)), TrackLayout(("p0",), 1, 2))
    with pytest.raises(TrackError, match="it has 2 individuals, the features are of 1"):
        arranged(tracks_of(moving(2, 2)), TrackLayout(("p0",), 1, 2))
    with pytest.raises(TrackError, match="individuals must be from 1 to 100, got 0"):
        TrackLayout(("p0",), 0, 2)
    fewer = arranged(tracks_of(moving(1, 2)), TrackLayout(("p1", "p0"), 2, 2))
    assert np.isnan(fewer.positions[:, 1]).all()
    assert TrackLayout.from_json(layout.to_json()) == layout
