"""Regions, anchors and decoded detections of the pose networks, by hand."""

import math

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acmnet.extraction.pose.pose_geometry import (
    Candidates,
    Region,
    anchors,
    decoded,
    merged,
    overlaps,
    refined,
    region_of,
    sigmoid,
    whole_frame,
)

REGIONS = st.builds(
    Region,
    st.floats(-500, 500),
    st.floats(-500, 500),
    st.floats(1, 2000),
    st.floats(-math.pi, math.pi),
)


def test_anchors_of_each_layer():
    found = anchors()
    # 28 * 28 * 2 + 14 * 14 * 2 + 7 * 7 * 6
    assert found.shape == (2254, 2)
    assert len(np.unique(found[:1568], axis=0)) == 784
    np.testing.assert_allclose(found[[1568, 1569]], 0.5 / 14)
    # the second cell of the last layer lies to the right of the first
    np.testing.assert_allclose(found[1960 + 6], [1.5 / 7, 0.5 / 7])


@given(REGIONS)
def test_there_and_back(region):
    points = np.array([[0.0, 0.0], [1.0, 0.25], [0.3, 0.9], [-1.0, 2.0]])
    frame = region.to_frame(points)
    np.testing.assert_allclose(region.from_frame(frame), points, atol=1e-6)
    # both sides of the square have its length, and are at right angles
    right, down = region.to_frame(np.eye(2)) - region.to_frame(np.zeros(2))
    lengths = [np.linalg.norm(right), np.linalg.norm(down)]
    np.testing.assert_allclose(lengths, region.side, rtol=1e-6)
    assert abs(right @ down) <= 1e-6 * region.side**2


@pytest.mark.parametrize(
    ("edge", "angle"),
    [((50, 40), 0.0), ((90, 80), math.pi / 2), ((10, 80), -math.pi / 2)],
)
def test_a_person_stands_upright_in_the_region(edge, angle):
    region = region_of(np.array([50, 80]), np.array(edge))
    # a circle of radius 40, with a margin of a quarter
    assert region[:3] == (50, 80, 100)
    assert region.angle == pytest.approx(angle)
    # the point above the head is straight above the middle: 40 of 100 pixels
    np.testing.assert_allclose(region.from_frame(np.array(edge)), [0.5, 0.1], atol=1e-9)


def test_cut_shows_what_lies_there():
    frame = np.zeros((60, 100, 3), np.uint8)
    cv2.circle(frame, (70, 40), 3, (255, 255, 255), -1)
    region = Region(60, 30, 40, 0.5)
    cut = region.cut(frame, 80, fill=True)
    y, x = (np.flatnonzero(cut[..., 0].max(axis=1 - a)).mean() for a in (0, 1))
    wanted = region.from_frame(np.array([70, 40])) * 80
    np.testing.assert_allclose([x, y], wanted, atol=1.0)


@pytest.mark.parametrize(("fill", "beyond"), [(True, 0), (False, 200)])
def test_beyond_the_frame(fill, beyond):
    frame = np.full((50, 100, 3), 200, np.uint8)
    cut = whole_frame(frame).cut(frame, 20, fill=fill)
    assert cut.shape == (20, 20, 3)
    assert cut[10, 10, 0] == 200
    assert cut[1, 10, 0] == beyond


def test_sigmoid_of_large_values():
    np.testing.assert_allclose(
        sigmoid(np.array([-1e9, 0.0, 1e9])), [0, 0.5, 1], atol=1e-40
    )
    assert sigmoid(np.array([math.log(3)]))[0] == pytest.approx(0.75)


def test_decoded_places_are_relative_to_the_anchor():
    raw = np.zeros((2254, 12), np.float32)
    logits = np.full(2254, -20, np.float32)
    # anchor 1568 is at (8, 8) of 224 pixels; the box is 16 right of it, 56 by 28 pixels
    raw[1568] = [16, 0, 56, 28, 0, 56, 0, -56, 8, 0, 0, 8]
    logits[1568], logits[3] = math.log(4), math.log(1.5)
    found = decoded(raw, logits, anchors(), 0.5)
    np.testing.assert_allclose(found.scores, [0.8, 0.6])
    np.testing.assert_allclose(found.boxes[0] * 224, [-4, -6, 52, 22])
    np.testing.assert_allclose(
        found.points[0] * 224, [[8, 64], [8, -48], [16, 8], [8, 16]]
    )
    assert len(decoded(raw, logits, anchors(), 0.7).scores) == 1
    assert merged(decoded(raw, logits, anchors(), 0.9)).points.shape == (0, 4, 2)


def test_overlapping_boxes_are_one_person():
    boxes = np.array([[0, 0, 2, 2], [1, 0, 3, 2], [0, 0, 2, 2.5], [9, 9, 10, 10.0]])
    # 2 of 6, and 4 of 5
    np.testing.assert_allclose(overlaps(boxes[0], boxes), [1, 1 / 3, 0.8, 0])
    points = np.arange(4.0)[:, None, None] * np.ones((1, 4, 2))
    found = merged(Candidates(np.array([0.6, 0.5, 0.4, 0.3]), boxes, points))
    assert found.scores.tolist() == [0.6, 0.3]
    # (0.6 * 0 + 0.5 * 1 + 0.4 * 2) / 1.5
    np.testing.assert_allclose(found.points[:, 0, 0], [13 / 15, 3])


def test_empty_boxes_overlap_with_nothing():
    empty = np.zeros((1, 4))
    assert overlaps(empty[0], empty).tolist() == [0]


def test_points_move_to_the_warm_cells():
    heat = np.full((64, 64, 3), -100, np.float32)
    heat[20, 11, 0] = heat[20, 13, 0] = math.log(3)  # warm, at (12, 20) on average
    heat[20, 11, 1] = math.log(0.5)  # lukewarm
    points = np.array([[10.5, 20.5], [10.5, 20.5], [-9, 70.0]]) / 64
    found = refined(points, heat) * 64
    np.testing.assert_allclose(found, [[12, 20], [10.5, 20.5], [-9, 70]], atol=1e-6)
