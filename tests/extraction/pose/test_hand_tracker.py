"""Hands: their regions as MediaPipe has them, and whose they are."""

import math

import numpy as np
import pytest

from acmnet.data.tracks.person_points import (
    BODY_AND_HANDS,
    HAND_BONES,
    HAND_POINTS,
    PERSON_POINTS,
    PERSON_WITH_HANDS,
)
from acmnet.extraction.keypoints.signal_plan import MOST_DESCRIBED
from acmnet.extraction.pose.hand_networks import (
    PALM_LAYERS,
    Hand,
    region_of_hand,
    region_of_palm,
)
from acmnet.extraction.pose.hand_tracker import HandTracker
from acmnet.extraction.pose.pose_geometry import Region, anchors, decoded, merged
from acmnet.extraction.pose.pose_networks import PersonPose

FRAME = np.zeros((4, 4, 3), np.uint8)
SHAPE = np.random.default_rng(0).uniform(-8, 8, (21, 2))
SHAPE[0] = 0


def transformed(x, y, width, height, angle, scale, shift_y):
    """Return what MediaPipe's RectTransformationCalculator makes of a rectangle."""
    x += -height * shift_y * math.sin(angle)
    y += height * shift_y * math.cos(angle)
    return Region(x, y, max(width, height) * scale, angle)


def test_names_fit():
    assert len(HAND_POINTS) == len(set(HAND_POINTS)) == 21
    assert PERSON_WITH_HANDS[:33] == PERSON_POINTS
    assert len(set(PERSON_WITH_HANDS)) == 33 + 42
    assert set(BODY_AND_HANDS) <= set(PERSON_WITH_HANDS)
    # of several people, half as many points are described one by one
    assert len(BODY_AND_HANDS) <= MOST_DESCRIBED // 2
    joined = {name for bone in HAND_BONES for name in bone}
    assert joined == set(PERSON_WITH_HANDS[33:])
    # a tree over 21 points, and three lines across the palm, for each hand
    assert len(set(HAND_BONES)) == 2 * (20 + 3)


def test_anchors_of_palms_are_those_of_the_graph():
    # strides 8, 16, 16 and 16 of 192 pixels, two anchors in a cell of each layer, of
    # which those with the same stride follow each other
    places = anchors(PALM_LAYERS) * 192
    assert places.shape == (2016, 2)
    assert places[[0, 1, 2, 2 * 24 * 24]].tolist() == [[4, 4], [4, 4], [12, 4], [8, 8]]
    assert (places[2 * 24 * 24 :][:6] == [8, 8]).all()


def test_a_palm_is_read_from_the_output_of_its_anchor():
    places = anchors(PALM_LAYERS)
    raw, logits = np.zeros((2016, 18), np.float32), np.full(2016, -9, np.float32)
    row = 2 * (24 * 3 + 5)
    raw[row, :4] = [2, -4, 20, 40]
    raw[row, 4:6], raw[row, 8:10], logits[row] = [0, 30], [0, -10], 3
    found = merged(decoded(raw, logits, places, 0.5, 192))
    x, y = 5.5 * 8, 3.5 * 8
    assert found.points.shape == (1, 7, 2)
    np.testing.assert_allclose(
        found.boxes[0] * 192, [x + 2 - 10, y - 4 - 20, x + 2 + 10, y - 4 + 20]
    )
    np.testing.assert_allclose(
        found.points[0, [0, 2]] * 192, [[x, y + 30], [x, y - 10]]
    )
    none = merged(decoded(raw, logits - 9, places, 0.5, 192))
    assert none.points.shape == (0, 7, 2)


def test_region_of_a_palm_is_the_one_of_the_graph():
    wrist, knuckle = np.array([30.0, 80.0]), np.array([50.0, 40.0])
    angle = math.pi / 2 - math.atan2(40, 20)
    want = transformed(45, 60, 30, 50, angle, scale=2.6, shift_y=-0.5)
    got = region_of_palm(np.array([30.0, 35.0]), np.array([60.0, 85.0]), wrist, knuckle)
    np.testing.assert_allclose(got, want)


@pytest.mark.parametrize("turn", [0.0, 0.7, -2.0, math.pi])
def test_region_of_a_hand_is_the_one_of_the_graph(turn):
    # upright: wrist below, knuckles of index, middle and ring finger above it
    upright = np.random.default_rng(1).uniform(-15, 15, (21, 2))
    upright[0] = [0, 40]
    upright[[5, 9, 13]] = [[-10, -20], [0, -20], [10, -20]]
    palm = upright[[0, 1, 2, 3, 5, 6, 9, 10, 13, 14, 17, 18]]
    low, high = palm.min(axis=0), palm.max(axis=0)
    x, y = (low + high) / 2
    cos, sin = math.cos(turn), math.sin(turn)
    turned = upright @ np.array([[cos, sin], [-sin, cos]]) + [200, 100]
    got = region_of_hand(turned)
    x, y = x * cos - y * sin + 200, x * sin + y * cos + 100
    want = transformed(x, y, *(high - low), turn, scale=2.0, shift_y=-0.1)
    np.testing.assert_allclose(got[:3], want[:3], atol=1e-9)
    assert math.remainder(got.angle - turn, 2 * math.pi) == pytest.approx(0, abs=1e-9)


class Palms:
    """Stands in for the networks: hands are at known places, by their wrists."""

    def __init__(self, *wrists):
        self.wrists = [np.array(wrist, float) for wrist in wrists]
        self.searches = 0

    def find(self, _, part):
        """Return the hands in a part of the frame."""
        self.searches += 1
        middle = np.array([part.x, part.y])
        near = [w for w in self.wrists if np.abs(w - middle).max() < part.side / 2]
        return [Region(*wrist, 40, 0) for wrist in near]

    def hand(self, _, region):
        """Return the hand whose wrist is at most 15 pixels from a region's middle."""
        for wrist in self.wrists:
            if np.hypot(*(wrist - (region.x, region.y))) <= 15:
                return Hand(0.9, SHAPE + wrist, Region(*wrist, 40, 0))
        return None


def person(left, right, side=400):
    """Return a pose of which only the arms' ends are told."""
    places = np.zeros((33, 2))
    for name, place in (("left", left), ("right", right)):
        for point in ("wrist", "pinky", "index", "thumb"):
            places[PERSON_POINTS.index(f"{name}_{point}")] = place
    return PersonPose(1.0, places, np.ones(33), Region(200, 200, side, 0))


def wrists_of(tracked):
    """Return the wrists of all hands, and None for those that are not seen."""
    positions, likelihood = tracked
    seen = likelihood[:, ::21] > 0
    assert (np.isnan(positions[:, ::21, 0]) == ~seen).all()
    return [
        [tuple(p) if s else None for p, s in zip(own, shown, strict=True)]
        for own, shown in zip(positions[:, ::21].tolist(), seen, strict=True)
    ]


def test_hands_are_found_at_the_wrists_of_their_person():
    networks = Palms((100, 200), (300, 200))
    tracker = HandTracker(networks, 2)
    people = [person((105, 195), (295, 200)), None]
    assert wrists_of(tracker.next(FRAME, people, is_search=False)) == [[None] * 2] * 2
    found = wrists_of(tracker.next(FRAME, people, is_search=True))
    assert found == [[(100, 200), (300, 200)], [None, None]]
    # now both are followed without a search, while they move
    searches, networks.wrists = networks.searches, [w + 8 for w in networks.wrists]
    found = wrists_of(tracker.next(FRAME, people, is_search=True))
    assert found == [[(108, 208), (308, 208)], [None, None]]
    assert networks.searches == searches


def test_one_hand_is_not_two():
    # clasped: both wrists of the pose are near the only hand that can be seen
    networks = Palms((200, 200))
    people = [person((195, 200), (205, 200)), person((200, 205), (900, 900))]
    found = wrists_of(HandTracker(networks, 2).next(FRAME, people, is_search=True))
    assert found == [[(200, 200), None], [None, None]]


@pytest.mark.parametrize(
    "after",
    [person((500, 500), (900, 900)), None],
    ids=["the arm is elsewhere", "nobody"],
)
def test_a_hand_is_lost_with_its_arm(after):
    networks = Palms((100, 200))
    tracker = HandTracker(networks, 1)
    there = [person((100, 200), (900, 900))]
    assert wrists_of(tracker.next(FRAME, there, is_search=True))[0][0] == (100, 200)
    assert wrists_of(tracker.next(FRAME, [after], is_search=False)) == [[None, None]]


def test_somebody_elses_hand_is_not_taken():
    # 80 pixels from the wrist, where 0.15 of the region are 60
    networks = Palms((180, 200))
    people = [person((100, 200), (900, 900))]
    found = wrists_of(HandTracker(networks, 1).next(FRAME, people, is_search=True))
    # in the part that was looked at, which reaches 70 pixels, or beyond it
    assert found == [[None, None]]
    networks.wrists = [np.array([162.0, 200.0])]
    found = wrists_of(HandTracker(networks, 1).next(FRAME, people, is_search=True))
    assert found == [[None, None]]
