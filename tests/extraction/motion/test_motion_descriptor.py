"""The motion descriptor: what drawn scenes must say, and on what it depends."""

import itertools

import cv2
import numpy as np
import pytest

from acmnet.extraction.motion.frame_measures import ORIENTATIONS, MotionError
from acmnet.extraction.motion.motion_descriptor import BLOCKS, MotionDescriptor

SIDE = 96
WIDTH = 128
ENDS = dict(zip(BLOCKS, itertools.accumulate(BLOCKS.values()), strict=True))
APPEARANCE = slice(0, ENDS["colours"])
MOTION = slice(ENDS["colours"], None)


def block(vector, name):
    return vector[..., ENDS[name] - BLOCKS[name] : ENDS[name]]


def described(frames, snippet_frames=16, stride_frames=16):
    rows = list(MotionDescriptor().describe(frames, snippet_frames, stride_frames))
    assert all(row.dtype == np.float32 for row in rows)
    assert all(np.isfinite(row).all() for row in rows)
    return np.array(rows)


def scene(seed=0, height=SIDE, width=WIDTH):
    """Return a textured colour picture."""
    noise = np.random.default_rng(seed).normal(size=(height, width, 3))
    smooth = cv2.GaussianBlur(noise, (0, 0), 2)
    return np.clip(110 + 250 * smooth, 0, 255).astype(np.uint8)


def with_patch(picture, patch, left, top):
    """Return a copy with a patch in front."""
    picture = picture.copy()
    picture[top : top + len(patch), left : left + patch.shape[1]] = patch
    return picture


PATCH = cv2.convertScaleAbs(scene(5, 40, 32), alpha=0.8, beta=80)


def passing(right, down, n_frames=16, left=48, top=28):
    """Return frames in which a patch moves in front of a still scene."""
    return [
        with_patch(scene(), PATCH, left + right * t, top + down * t)
        for t in range(n_frames)
    ]


@pytest.mark.parametrize(
    ("right", "down", "bin_"),
    [
        # bins of 45 degrees, clockwise on the screen from the right
        pytest.param(2, 0, 0, id="right"),
        pytest.param(2, 2, 1, id="right and down"),
        pytest.param(0, 1, 2, id="down"),
        pytest.param(-2, 0, 4, id="left"),
        pytest.param(0, -1, 6, id="up"),
    ],
)
def test_a_moving_patch_votes_for_its_direction(right, down, bin_):
    (vector,) = described(passing(right, down, left=48 - 8 * right, top=28 - 8 * down))
    for name in ("flow on the grid", "flow around what moves"):
        # columns are square roots of shares
        shares = np.square(block(vector, name)).reshape(-1, ORIENTATIONS).sum(0)
        assert shares.argmax() == bin_
        assert shares[bin_] > 0.6 * shares.sum()
    # signals: moving share, direction right and down, centre right and down
    _, x, y, *_ = block(vector, "signals")
    truth = np.array([right, down]) / np.hypot(right, down)
    assert np.dot([x, y], truth) / np.hypot(x, y) > 0.95


def test_a_still_video_has_no_motion():
    (vector,) = described([scene()] * 16)
    assert not vector[MOTION].any()
    assert vector[APPEARANCE].any()


def test_the_camera_is_taken_out():
    world = scene(1, SIDE + 40, WIDTH + 60)

    def view(t, patch_speed):
        seen = world[20 + t : 20 + t + SIDE, 3 * t : 3 * t + WIDTH]
        return with_patch(seen, PATCH, 40 + patch_speed * t, 28)

    plain = [world[20 + t : 20 + t + SIDE, 3 * t : 3 * t + WIDTH] for t in range(16)]
    zoom = [
        cv2.resize(world[t : SIDE + 20 - t, t : WIDTH + 20 - t], (WIDTH, SIDE))
        for t in range(16)
    ]
    # the patch stays where it is on the screen while the world goes by
    patch = [view(t, 0) for t in range(16)]
    (of_pan,), (of_zoom,), (of_patch,) = map(described, (plain, zoom, patch))
    share = [block(vector, "signals")[0] for vector in (of_pan, of_zoom, of_patch)]
    assert share[0] < 0.1 * share[2]
    assert share[1] < 0.1 * share[2]
    # behind it the world goes left and up: the patch goes right and down (3, 1)
    _, x, y, *_ = block(of_patch, "signals")
    assert x > 2 * y > 0


def test_light_hardly_changes_gradients():
    dim = [np.round(frame * 0.6).astype(np.uint8) for frame in passing(2, 0, left=20)]
    (bright,), (dark,) = described(passing(2, 0, left=20)), described(dim)
    bright, dark = (block(v, "gradients") for v in (bright, dark))
    assert np.linalg.norm(bright - dark) < 0.05 * np.linalg.norm(bright)


def test_edges_vote_for_their_orientation_and_place():
    picture = np.full((SIDE, WIDTH, 3), 60, np.uint8)
    picture[:, 80:] = 180  # an upright edge: its gradient is along x, bin 0
    (vector,) = described([picture] * 16)
    shares = np.square(block(vector, "gradients")).reshape(4, 4, ORIENTATIONS)
    # x = 80 lies in the third column of 32 pixels
    assert shares[:, 2, 0].sum() > 0.99 * shares.sum()
    # twice the mean colour: 60 / 255 left of the edge, 180 / 255 right of it
    colours = block(vector, "colours").reshape(4, 4, 3)
    assert np.allclose(colours[:, :2], 2 * 60 / 255)
    assert np.allclose(colours[:, 3], 2 * 180 / 255)


def test_an_edge_is_one_orientation_whichever_side_is_dark():
    # upright edges: from dark to light at x = 48, from light to dark at x = 80
    picture = np.full((SIDE, WIDTH, 3), 60, np.uint8)
    picture[:, 48:80] = 180
    (vector,) = described([picture] * 16)
    shares = np.square(block(vector, "gradients")).reshape(4, 4, ORIENTATIONS)
    assert shares[:, :, 0].sum() > 0.99 * shares.sum()
    assert np.allclose(shares[:, 1], shares[:, 2], rtol=1e-5)


def test_motion_is_cut_in_thirds_of_what_moves():
    # an even patch: about a ninth of what moves lies in each cell around its centre
    (vector,) = described(passing(2, 0, left=32))
    shares = (
        np.square(block(vector, "flow around what moves"))
        .reshape(9, ORIENTATIONS)
        .sum(1)
    )
    assert np.allclose(shares / shares.sum(), 1 / 9, atol=0.06)


def test_a_histogram_counts_area_not_speed():
    # a vote is v^2 / (v^2 + 0.5^2): 0.8 at 1 pixel a frame, 0.97 at 3, and flow blurs
    # over the pixels uncovered; speeds would be as 1 to 3, their squares as 1 to 9
    slow, fast = (described(passing(v, 0, left=24))[0] for v in (1, 3))
    share = [block(vector, "signals")[0] for vector in (slow, fast)]
    assert 1.0 < share[1] / share[0] < 2.0
    grid = np.square(np.array([block(v, "flow on the grid") for v in (slow, fast)]) / 6)
    # no cell holds more moving pixels than pixels
    assert grid.reshape(2, -1, ORIENTATIONS).sum(-1).max() <= 1.0


def test_what_moves_is_described_alike_wherever_it_is():
    here = described(passing(2, 0, left=4, top=10))[0]
    there = described(passing(2, 0, left=60, top=46))[0]
    centred = [block(v, "flow around what moves") for v in (here, there)]
    on_grid = [block(v, "flow on the grid") for v in (here, there)]

    def apart(pair):
        return np.linalg.norm(pair[0] - pair[1]) / np.linalg.norm(pair[0])

    assert apart(centred) < 0.35
    assert apart(on_grid) > 1.0


@pytest.mark.parametrize("k", [1, 2, 4])
def test_a_rhythm_shows_at_its_frequency(k):
    # left and right k times in 16 frames; the frames' own pairs are 15, not 16
    lefts = [round(48 + 16 / k * np.sin(2 * np.pi * k * t / 16)) for t in range(16)]
    frames = [with_patch(scene(), PATCH, left, 28) for left in lefts]
    (vector,) = described(frames)
    amplitude = block(vector, "frequencies").reshape(-1, 8)
    direction_right = amplitude[1]
    assert direction_right.argmax() == k - 1


FRAMES = passing(1, 0, n_frames=26, left=8) + passing(0, 1, n_frames=24, left=60, top=8)


@pytest.mark.parametrize(
    ("n_frames", "snippet_frames", "stride_frames", "n_snippets"),
    [
        pytest.param(0, 16, 16, 0, id="nothing"),
        pytest.param(1, 16, 16, 1, id="one frame, held"),
        pytest.param(15, 16, 16, 1, id="one frame short"),
        pytest.param(16, 16, 16, 1, id="just one"),
        pytest.param(31, 16, 16, 1, id="the rest is left"),
        pytest.param(32, 16, 16, 2, id="two"),
        pytest.param(30, 16, 5, 3, id="overlapping: (30 - 16) / 5 + 1"),
        pytest.param(30, 4, 10, 3, id="with gaps: (30 - 4) / 10 + 1"),
        pytest.param(5, 1, 1, 5, id="each frame"),
    ],
)
def test_count_of_snippets(n_frames, snippet_frames, stride_frames, n_snippets):
    rows = described(FRAMES[:n_frames], snippet_frames, stride_frames)
    assert len(rows) == n_snippets
    # law: each is what its own frames alone give
    for t, row in enumerate(rows):
        own = FRAMES[:n_frames][t * stride_frames :][:snippet_frames]
        assert np.array_equal(described(own, snippet_frames, stride_frames)[0], row)


def test_a_short_video_holds_its_last_frame():
    held = FRAMES[:5] + [FRAMES[4]] * 11
    assert np.array_equal(described(FRAMES[:5]), described(held))


def test_snippets_come_as_soon_as_their_frames():
    read = []

    def frames():
        for i, frame in enumerate(FRAMES):
            read.append(i)
            yield frame

    rows = MotionDescriptor().describe(frames(), 16, 16)
    next(rows)
    assert read[-1] == 15


def test_the_same_again_whatever_the_threads():
    first = described(FRAMES, 16, 8)
    threads = cv2.getNumThreads()
    try:
        for n in (1, 2, 5):
            cv2.setNumThreads(n)
            assert np.array_equal(described(FRAMES, 16, 8), first)
    finally:
        cv2.setNumThreads(threads)


@pytest.mark.parametrize(
    ("height", "width"), [(1, 1), (1, 700), (2, 3), (40, 30), (17, 16), (300, 200)]
)
def test_pictures_of_any_size(height, width):
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (17, height, width, 3), np.uint8)
    assert described(frames).shape == (1, MotionDescriptor.dimension)


@pytest.mark.parametrize("level", [0, 255])
def test_a_blank_video_says_nothing_but_its_colour(level):
    (vector,) = described([np.full((SIDE, WIDTH, 3), level, np.uint8)] * 16)
    assert not vector[MOTION].any()
    assert not block(vector, "gradients").any()
    assert np.allclose(block(vector, "colours"), 2 * level / 255)


def test_columns():
    descriptor = MotionDescriptor()
    assert descriptor.dimension == sum(BLOCKS.values()) == ENDS["frequencies"]
    assert descriptor.streams == ("appearance", "motion")


def actor(action, t, phase, left, top):
    """Return the boxes (left, top, width, height) of an actor in frame t.

    A body, a head and one arm, some 50 pixels tall.
    """
    swing = np.sin(2 * np.pi * (t / 8 + phase))
    if action == "walk":
        left += 2.5 * t
        arm = (left + 4 * swing, top + 20, 6, 18)
    elif action == "jump":
        top -= 14 * abs(swing)
        arm = (left - 5, top + 18, 6, 18)
    elif action == "wave":
        arm = (left + 14 + 9 * swing, top - 8, 7, 24)
    else:  # turn: the body grows narrow and wide
        left, width = left + 8 * swing, 20 - 9 * abs(swing)
        return [(left, top, width, 14), (left, top + 14, width, 36)]
    return [(left + 4, top, 12, 14), (left, top + 14, 20, 36), arm]


def acted(action, seed):
    """Return 16 frames of a drawn action: scene, place, phase and noise at random."""
    rng = np.random.default_rng(seed)
    background = scene(seed)
    cloth = scene(seed + 1000)
    left, top = rng.integers(20, 50), rng.integers(20, 36)
    phase, pan = rng.random(), rng.integers(-1, 2)
    frames = []
    for t in range(16):
        frame = np.roll(background, pan * t, axis=1)
        for box in actor(action, t, phase, left, top):
            x, y, w, h = (round(value) for value in box)
            # the cloth moves with the limb
            frame[y : y + h, x : x + w] = 255 - cloth[:h, :w] // 2
        noisy = frame + rng.normal(0, 3, frame.shape)
        frames.append(np.clip(noisy, 0, 255).astype(np.uint8))
    return frames


def test_drawn_actions_are_told_apart():
    actions = ["walk", "jump", "wave", "turn"]
    rows = np.array(
        [
            [described(acted(action, 10 * i + j))[0] for j in range(6)]
            for i, action in enumerate(actions)
        ]
    )
    # means of the first three of each, asked about the other three
    means = rows[:, :3].mean(1)

    def right(part):
        asked = rows[:, 3:, None, part] - means[None, None, :, part]
        nearest = np.linalg.norm(asked, axis=-1).argmin(-1)
        return (nearest == np.arange(4)[:, None]).mean()

    # chance is 0.25; scenes, cloths and places are drawn anew, but poses differ too
    assert right(MOTION) >= 0.75 > right(APPEARANCE)
    assert right(slice(None)) >= 0.75


@pytest.mark.parametrize(
    ("frames", "sentence"),
    [
        pytest.param(
            [np.zeros((4, 5), np.uint8)],
            r"frame 0 must be \(H, W, 3\) uint8 RGB, got uint8 of shape \(4, 5\); dec",
            id="grey",
        ),
        pytest.param(
            [np.zeros((4, 5, 3), np.float32)], "frame 0 .* got float32", id="not bytes"
        ),
        pytest.param(
            [np.zeros((0, 5, 3), np.uint8)], r"shape \(0, 5, 3\)", id="no pixels"
        ),
        pytest.param(
            [np.zeros((4, 5, 3), np.uint8), np.zeros((5, 4, 3), np.uint8)],
            r"frame 1 has shape \(5, 4, 3\), the first one \(4, 5, 3\); scale all",
            id="two sizes",
        ),
    ],
)
def test_what_is_no_video_is_refused(frames, sentence):
    with pytest.raises(MotionError, match=sentence):
        described(frames)
