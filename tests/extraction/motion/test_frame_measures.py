"""What is measured on frames, against a slow twin that votes pixel by pixel."""

import math
import statistics

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acmnet.extraction.motion import frame_measures
from acmnet.extraction.motion.frame_measures import (
    BOUNDARY_PX,
    CAMERA_FITS,
    CENTRED_GRID,
    FAINT_SHARE,
    FRAME_GRID,
    MOVING_PX,
    NO_MOTION,
    ORIENTATIONS,
    measured_frames,
)
from acmnet.extraction.motion.motion_descriptor import (
    BLOCKS,
    FREQUENCIES,
    SCALES,
    MotionDescriptor,
)

HEIGHT, WIDTH = 96, 101
"""Frames of this size are not scaled; at half the size they have an odd number of
pixels to which the camera's motion is fitted."""


def frames_of(n):
    """Return frames of a scene that goes by, with a patch that goes another way."""
    noise = np.random.default_rng(1).normal(size=(HEIGHT + 20, WIDTH + 20, 3))
    world = np.clip(110 + 250 * cv2.GaussianBlur(noise, (0, 0), 2), 0, 255)
    frames = []
    for t in range(n):
        frame = world[:HEIGHT, t : t + WIDTH].astype(np.uint8)
        frame[30:66, 20 + 3 * t : 50 + 3 * t] = world[60:96, 60:90]
        frames.append(frame)
    return frames


def slopes(plane):
    """Yield row, column and the central differences of each pixel; 0 at the borders."""
    height, width = plane.shape
    for r in range(height):
        for c in range(width):
            x = (plane[r, c + 1] - plane[r, c - 1]) / 2 if 0 < c < width - 1 else 0.0
            y = (plane[r + 1, c] - plane[r - 1, c]) / 2 if 0 < r < height - 1 else 0.0
            yield r, c, x, y


def vote(histogram, angle, weight):
    """Share a vote between the two orientations nearest to an angle."""
    place = (angle % (2 * math.pi)) / (2 * math.pi) * ORIENTATIONS
    low, share = int(place) % ORIENTATIONS, place - int(place)
    histogram[low] += weight * (1 - share)
    histogram[(low + 1) % ORIENTATIONS] += weight * share


def moving(x, y, half_at):
    return (x * x + y * y) / (x * x + y * y + half_at**2)


def gradients_of(gray):
    """Return the histogram of slopes of each cell, by pixel of the frame."""
    found = np.zeros((FRAME_GRID, FRAME_GRID, ORIENTATIONS))
    for r, c, x, y in slopes(gray.astype(float)):
        cell = found[r * FRAME_GRID // HEIGHT, c * FRAME_GRID // WIDTH]
        vote(cell, 2 * math.atan2(y, x), math.hypot(x, y))
    return found.reshape(-1, ORIENTATIONS) / gray.size


def without_camera(field):
    """Return the flow that no pan, zoom or turn of the camera explains."""
    height, width = field.shape[:2]
    terms, seen = np.ones((height, width, 3)), field.astype(float)
    terms[..., 1] = (2 * np.arange(width) + 1) / width - 1
    terms[..., 2] = ((2 * np.arange(height) + 1) / height - 1)[:, None]
    rows, values = terms[::2, ::2].reshape(-1, 3), seen[::2, ::2].reshape(-1, 2)
    model = np.zeros((3, 2))
    model[0] = [statistics.median(values[:, k].tolist()) for k in (0, 1)]
    for _ in range(CAMERA_FITS):
        misfit = np.linalg.norm(values - rows @ model, axis=1)
        limit = max(2 * statistics.median(misfit.tolist()), MOVING_PX)
        near = misfit <= limit
        # two more rows pull the slopes to 0
        a = np.concatenate([rows[near], [[0, 1, 0], [0, 0, 1]]])
        model = np.linalg.lstsq(a, np.concatenate([values[near], np.zeros((2, 2))]))[0]
    return seen - terms @ model, terms


def pair_of(before, after):
    """Return the measures of a pair of grey frames, pixel by pixel."""
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    flow.setFinestScale(1)
    field = flow.calc(before, after, np.zeros((*before.shape, 2), np.float32))
    height, width = HEIGHT // 2, WIDTH // 2
    half, terms = without_camera(
        cv2.resize(field, (width, height), interpolation=cv2.INTER_AREA)
    )
    votes = moving(half[..., 0], half[..., 1], MOVING_PX)
    total = votes.sum() + FAINT_SHARE * votes.size
    thirds, centres = [], []
    for axis in (terms[..., 1], terms[..., 2]):
        centre = (axis * votes).sum() / total
        margin = math.sqrt(((axis - centre) ** 2 * votes).sum() / total / 3)
        thirds.append((axis > centre - margin) * 1 + (axis > centre + margin))
        centres.append(centre)
    grid = np.zeros((FRAME_GRID, FRAME_GRID, ORIENTATIONS))
    centred = np.zeros((CENTRED_GRID, CENTRED_GRID, ORIENTATIONS))
    boundaries = np.zeros((2, CENTRED_GRID, CENTRED_GRID, ORIENTATIONS))
    direction = np.zeros(2)
    for r in range(height):
        for c in range(width):
            angle = math.atan2(half[r, c, 1], half[r, c, 0])
            cell = r * FRAME_GRID // height, c * FRAME_GRID // width
            vote(grid[cell], angle, votes[r, c] * FRAME_GRID**2)
            vote(centred[thirds[1][r, c], thirds[0][r, c]], angle, votes[r, c])
            direction += votes[r, c] * np.array([math.cos(angle), math.sin(angle)])
    for k in (0, 1):
        for r, c, x, y in slopes(half[..., k]):
            cell = boundaries[k, thirds[1][r, c], thirds[0][r, c]]
            vote(cell, math.atan2(y, x), moving(x, y, BOUNDARY_PX))
    return (
        grid.reshape(-1, ORIENTATIONS) / votes.size,
        centred.reshape(-1, ORIENTATIONS) / votes.size,
        boundaries.reshape(2, -1, ORIENTATIONS) / votes.size,
        np.array([votes.mean(), *direction / total, *centres]),
    )


def test_measures_are_those_of_a_loop_over_pixels():
    frames = frames_of(2)
    (first, nothing), (second, pair) = measured_frames(frames)
    assert nothing is NO_MOTION
    for still in (first, second):
        expected = gradients_of(still.gray)
        # OpenCV's angles are right within 0.3 degrees, a 150th of an orientation
        np.testing.assert_allclose(
            still.gradients, expected, atol=0.02 * expected.max()
        )
    for found, wanted in zip(pair, pair_of(first.gray, second.gray), strict=True):
        np.testing.assert_allclose(found, wanted, atol=0.02 * np.abs(wanted).max())
    assert pair.signals[0] > 0.1  # the patch moves


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=9))
def test_the_fast_median_is_the_median(values):
    assert frame_measures._median(np.array(values)) == statistics.median(values)


@pytest.mark.parametrize("n", [4, 16])
def test_signals_are_pooled_as_a_sum_over_frames(n):
    frames = frames_of(n)
    signals = [pair.signals for _, pair in measured_frames(frames)][1:]
    (vector,) = MotionDescriptor().describe(frames, n, n)
    columns, first = {}, 0
    for name, width in BLOCKS.items():
        columns[name] = vector[first : first + width] / SCALES[name]
        first += width
    for s, values in enumerate(zip(*signals, strict=True)):
        mean = statistics.fmean(values)
        assert columns["signals"][s] == pytest.approx(mean, abs=1e-6)
        for k in range(1, FREQUENCIES + 1):
            turns = [
                2 * math.pi * k * t / (2 * FREQUENCIES) for t in range(len(values))
            ]
            wave = [
                math.fsum(
                    (x - mean) * turn(a) for x, a in zip(values, turns, strict=True)
                )
                for turn in (math.cos, math.sin)
            ]
            found = columns["frequencies"][s * FREQUENCIES + k - 1]
            assert found**2 == pytest.approx(math.hypot(*wave) / len(values), abs=1e-5)
