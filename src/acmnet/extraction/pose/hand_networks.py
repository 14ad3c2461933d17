"""The two hand networks: one finds palms in a part of a frame, one a hand's points.

They are the published networks of MediaPipe Hands, run by OpenVINO on the CPU. Sizes,
regions and limits are those of MediaPipe's graphs `palm_detection_cpu`,
`palm_detection_detection_to_roi`, `hand_landmark_cpu` and
`hand_landmark_landmarks_to_roi`.
"""

import math
from typing import Final, NamedTuple

import numpy as np

from acmnet.data.tracks.person_points import HAND_POINTS
from acmnet.extraction.pose.pose_geometry import (
    Floats,
    Region,
    anchors,
    decoded,
    merged,
)
from acmnet.extraction.pose.pose_networks import loaded
from acmnet.extraction.pose.pose_weights import hand_network_files
from acmnet.video.frames import Frame

PALM_SIDE: Final = 192
"""Height and width of the picture in which palms are looked for, in pixels."""
PALM_LAYERS: Final = ((24, 2), (12, 6))
"""Layers of the detector of palms: cells along a side, and anchors in each cell. Three
layers of 12 x 12 cells with two anchors each follow each other cell by cell."""
HAND_SIDE: Final = 224
"""Height and width of the picture in which the points of a hand are found, in
pixels."""
LEAST_PALM: Final = 0.5
"""Score from which a detected palm counts as one."""
LEAST_HAND: Final = 0.5
"""Score from which a region counts as holding a hand."""
REGION_FROM_PALM: Final = (2.6, 0.5)
"""Side of the region of a hand in sides of its palm's box, and how far the region lies
toward the fingers from the box, in heights of the box."""
REGION_FROM_HAND: Final = (2.0, 0.1)
"""The same two numbers when the region is derived from the box around the palm's points
in the frame before."""
STEADY_POINTS: Final = (0, 1, 2, 3, 5, 6, 9, 10, 13, 14, 17, 18)
"""Points of a hand that move little when fingers do, which say where it will be."""


class Hand(NamedTuple):
    """The points of one hand in one frame."""

    score: float
    """How sure the network is that there is a hand, from 0 to 1."""
    positions: Floats
    """(21, 2): in pixels of the frame."""
    region: Region
    """Where to look for the hand in the next frame."""


class HandNetworks:
    """Finds palms, and the points of a hand.

    Raises
    ------
    WeightsError
        If OpenVINO or the weights are not installed.
    """

    def __init__(self) -> None:
        finder, pointer = hand_network_files()
        self._finder, self._pointer = loaded(finder), loaded(pointer)
        self._anchors = anchors(PALM_LAYERS)

    def find(self, frame: Frame, part: Region) -> list[Region]:
        """Return a region for each hand in an upright part of an RGB frame.

        The surest comes first. Hands that are small in that part are not found.
        """
        picture = part.cut(frame, PALM_SIDE, fill=True).astype(np.float32)
        outputs = self._finder((picture / np.float32(255))[None])
        candidates = merged(
            decoded(
                outputs["Identity"][0],
                outputs["Identity_1"][0, :, 0],
                self._anchors,
                LEAST_PALM,
                PALM_SIDE,
            )
        )
        return [
            region_of_palm(
                *part.to_frame(box.reshape(2, 2)), *part.to_frame(points[[0, 2]])
            )
            for box, points in zip(candidates.boxes, candidates.points, strict=True)
        ]

    def hand(self, frame: Frame, region: Region) -> Hand | None:
        """Return the points of the hand in a region; None if there is none."""
        picture = region.cut(frame, HAND_SIDE, fill=False).astype(np.float32)
        outputs = self._pointer((picture / np.float32(255))[None])
        score = float(outputs["Identity_1"][0, 0])
        if score < LEAST_HAND:
            return None
        # x, y and depth of each point, in pixels of the picture
        values = outputs["Identity"].reshape(len(HAND_POINTS), 3).astype(np.float64)
        places = region.to_frame(values[:, :2] / HAND_SIDE)
        return Hand(score, places, region_of_hand(places))


def region_of_palm(
    corner: Floats, opposite: Floats, wrist: Floats, knuckle: Floats
) -> Region:
    """Return the region of a hand by the box and two points of its palm, in pixels.

    Parameters
    ----------
    corner, opposite : (2,) arrays
        The upper left and the lower right corner of the box.
    wrist, knuckle : (2,) arrays
        The wrist, and the first joint of the middle finger.

    Examples
    --------
    >>> [round(x, 6) for x in region_of_palm(
    ...     *np.array([[40, 60], [60, 90], [50, 90], [70, 90]], float))]
    [65.0, 75.0, 78.0, 1.570796]
    """
    middle, size = (corner + opposite) / 2, opposite - corner
    scale, ahead = REGION_FROM_PALM
    angle = _heading(wrist, knuckle)
    return _toward_fingers(middle, ahead * float(size[1]), scale * max(size), angle)


def region_of_hand(points: Floats) -> Region:
    """Return where a hand will be, by its (21, 2) points in pixels."""
    # the middle of the palm's end, with more weight on the middle finger
    knuckles = ((points[5] + points[13]) / 2 + points[9]) / 2
    angle = _heading(points[0], knuckles)
    turned = Region(0.0, 0.0, 1.0, angle)  # along the hand; 0.5 is its middle
    steady = turned.from_frame(points[list(STEADY_POINTS)])
    low, high = steady.min(axis=0), steady.max(axis=0)
    middle, size = turned.to_frame((low + high) / 2), high - low
    scale, ahead = REGION_FROM_HAND
    return _toward_fingers(middle, ahead * float(size[1]), scale * max(size), angle)


def _heading(wrist: Floats, fingers: Floats) -> float:
    """Return the angle of a region in which the fingers are above the wrist."""
    right, down = (float(x) for x in fingers - wrist)
    return math.atan2(right, -down)


def _toward_fingers(middle: Floats, ahead: float, side: float, angle: float) -> Region:
    """Return a region whose middle lies so many pixels ahead of a place."""
    x = float(middle[0]) + ahead * math.sin(angle)
    y = float(middle[1]) - ahead * math.cos(angle)
    return Region(x, y, float(side), angle)
