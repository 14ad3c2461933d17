"""Geometry of the pose networks: square regions of a frame, and decoded detections.

Coordinates of a frame are (x, y) in pixels from its upper left corner, y downwards.
Coordinates of a region run from 0 to 1 along its sides.
"""

import math
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from acmnet.video.frames import Frame

Floats = npt.NDArray[np.float64]

DETECTOR_SIDE: Final = 224
"""Height and width of the picture that the detector looks at, in pixels."""
LAYERS: Final = ((28, 2), (14, 2), (7, 6))
"""Layers of the detector of people: cells along a side, and anchors in each cell. The
three layers of 7 x 7 cells with two anchors each follow each other cell by cell."""
REGION_SCALE: Final = 1.25
"""Sides of the region of a person in diameters of the circle around the person."""
SAME_OVERLAP: Final = 0.3
"""Intersection over union of two boxes from which they count as one person's, or as one
palm's."""


class Region(NamedTuple):
    """A square part of a frame, which may reach beyond the frame."""

    x: float
    """Centre, in pixels."""
    y: float
    side: float
    """Length of a side, in pixels."""
    angle: float
    """Radians by which the region is turned, clockwise as seen in the picture."""

    def to_frame(self, points: npt.NDArray[Any]) -> Floats:
        """Return (..., 2) points of the region in pixels of the frame.

        Examples
        --------
        >>> Region(100, 50, 20, 0).to_frame(np.array([[0, 0], [0.5, 0.5], [1, 0.5]]))
        array([[ 90.,  40.],
               [100.,  50.],
               [110.,  50.]])
        """
        return np.asarray((points - 0.5) @ self._axes().T + (self.x, self.y))

    def from_frame(self, points: npt.NDArray[Any]) -> Floats:
        """Return (..., 2) points of the frame in coordinates of the region."""
        moved = points - np.array((self.x, self.y))
        return np.asarray(moved @ np.linalg.inv(self._axes()).T + 0.5)

    def _axes(self) -> Floats:
        """Return (2, 2): the sides of the region as columns, in pixels."""
        cos, sin = math.cos(self.angle), math.sin(self.angle)
        return self.side * np.array([[cos, -sin], [sin, cos]])

    def cut(self, frame: Frame, side: int, *, fill: bool) -> Frame:
        """Return the part of a frame as a square picture.

        Parameters
        ----------
        frame : (H, W, 3) array
            The picture.
        side : int
            Pixels along a side of the result.
        fill : bool
            Whether what lies beyond the frame is black; otherwise the edge of the frame
            goes on.
        """
        matrix = np.zeros((2, 3))
        matrix[:, :2] = self._axes() / side
        matrix[:, 2] = self.to_frame(np.zeros(2))
        border = cv2.BORDER_CONSTANT if fill else cv2.BORDER_REPLICATE
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        cut = cv2.warpAffine(
            frame, matrix, (side, side), flags=flags, borderMode=border
        )
        return np.asarray(cut, np.uint8)


def whole_frame(frame: Frame) -> Region:
    """Return the smallest square around a frame, in its middle."""
    height, width = frame.shape[:2]
    return Region(width / 2, height / 2, max(width, height), 0.0)


def region_of(centre: npt.NDArray[Any], edge: npt.NDArray[Any]) -> Region:
    """Return the region of a person, turned so that the person stands upright in it.

    Parameters
    ----------
    centre : (2,) array
        The middle of the hips, in pixels.
    edge : (2,) array
        The point of the circle around the person that lies above the head.

    Examples
    --------
    >>> region_of(np.array([50, 80]), np.array([50, 40]))
    Region(x=50.0, y=80.0, side=100.0, angle=0.0)
    """
    right, down = (float(x) for x in edge - centre)
    side = 2 * REGION_SCALE * math.hypot(right, down)
    return Region(float(centre[0]), float(centre[1]), side, math.atan2(right, -down))


def anchors(layers: Sequence[tuple[int, int]] = LAYERS) -> Floats:
    """Return (N, 2): the centres of a detector's anchors, from 0 to 1.

    Parameters
    ----------
    layers : sequence of (int, int)
        Cells along a side, and anchors in each cell, of each layer.

    Examples
    --------
    >>> anchors().shape, anchors()[[0, 1, 2, -1]] * 56
    ((2254, 2), array([[ 1.,  1.],
           [ 1.,  1.],
           [ 3.,  1.],
           [52., 52.]]))
    """
    places = []
    for cells, repeats in layers:
        middles = (np.arange(cells) + 0.5) / cells
        x, y = np.meshgrid(middles, middles)
        centres = np.stack([x.ravel(), y.ravel()], axis=1)
        places.append(np.repeat(centres, repeats, axis=0))
    return np.concatenate(places)


class Candidates(NamedTuple):
    """People or palms that a detector proposes, in coordinates of what it looked at."""

    scores: Floats
    """(N,): from 0 to 1, falling."""
    boxes: Floats
    """(N, 4): left, top, right, bottom of each face or palm."""
    points: Floats
    """(N, 4, 2) for people: the middle of the hips, a point of the circle around the
    whole body, the middle of the shoulders, a point of the circle around the upper
    body. (N, 7, 2) for palms: the wrist, the first joints of the index, middle, ring
    and little fingers, two joints of the thumb."""


def sigmoid(values: npt.NDArray[Any]) -> Floats:
    """Return 1 / (1 + exp(-values)), also of values of a large size."""
    return np.asarray(1 / (1 + np.exp(-np.clip(values, -100, 100).astype(np.float64))))


def decoded(
    raw: npt.NDArray[np.float32],
    logits: npt.NDArray[np.float32],
    centres: Floats,
    least_score: float,
    side: int = DETECTOR_SIDE,
) -> Candidates:
    """Return the candidates of a detector's output with a score of at least so much.

    Parameters
    ----------
    raw : (N, 4 + 2 P) array
        Box (x, y of its centre, width, height) and P points (x, y) of each anchor, in
        pixels of the detector's picture, places relative to the anchor.
    logits : (N,) array
        Score of each anchor before the sigmoid.
    centres : (N, 2) array
        `anchors`.
    least_score : float
        From 0 to 1.
    side : int
        Sides of the detector's picture, in pixels.
    """
    scores = sigmoid(logits)
    rows = np.flatnonzero(scores >= least_score)
    rows = rows[np.argsort(-scores[rows], kind="stable")]
    values = raw[rows].astype(np.float64) / side
    middle = values[:, :2] + centres[rows]
    half = values[:, 2:4] / 2
    boxes = np.concatenate([middle - half, middle + half], axis=1)
    n_points = (raw.shape[1] - 4) // 2
    points = values[:, 4:].reshape(-1, n_points, 2) + centres[rows][:, None]
    return Candidates(scores[rows], boxes, points)


def merged(candidates: Candidates) -> Candidates:
    """Return one candidate for each thing: the mean of those whose boxes overlap.

    The mean is weighted by the scores; the score is the largest.
    """
    left = np.arange(len(candidates.scores))
    scores, boxes, points = [], [], []
    while left.size:
        best = left[0]
        is_same = (
            overlaps(candidates.boxes[best], candidates.boxes[left]) > SAME_OVERLAP
        )
        is_same[0] = True
        rows = left[is_same]
        weights = candidates.scores[rows] / candidates.scores[rows].sum()
        scores.append(candidates.scores[best])
        boxes.append(np.tensordot(weights, candidates.boxes[rows], 1))
        points.append(np.tensordot(weights, candidates.points[rows], 1))
        left = left[~is_same]
    return Candidates(
        np.array(scores),
        np.array(boxes).reshape(-1, 4),
        np.array(points).reshape(-1, *candidates.points.shape[1:]),
    )


def overlaps(box: Floats, boxes: Floats) -> Floats:
    """Return (N,) intersections over unions of a box with (N, 4) boxes."""
    low = np.maximum(box[:2], boxes[:, :2])
    high = np.minimum(box[2:], boxes[:, 2:])
    common = np.prod(np.maximum(high - low, 0), axis=1)
    areas = np.prod(np.maximum(boxes[:, 2:] - boxes[:, :2], 0), axis=1)
    area = float(np.prod(np.maximum(box[2:] - box[:2], 0)))
    union = areas + area - common
    return np.asarray(np.where(union > 0, common / np.where(union > 0, union, 1), 0.0))


def refined(
    points: Floats, heat: npt.NDArray[np.float32], reach: int = 3, least: float = 0.5
) -> Floats:
    """Return points moved to the middle of the warm cells of their heat maps.

    Parameters
    ----------
    points : (P, 2) array
        From 0 to 1.
    heat : (S, S, P) array
        Heat map of each point before the sigmoid.
    reach : int
        Cells that are looked at on each side of the cell of a point.
    least : float
        Warmth of the warmest cell below which a point stays where it is.
    """
    side = heat.shape[0]
    cells = np.floor(points * side).astype(np.int64)
    steps = np.arange(-reach, reach + 1)
    x = cells[:, 0, None, None] + steps  # (P, 1, 7)
    y = cells[:, 1, None, None] + steps[:, None]  # (P, 7, 1)
    is_inside = (x >= 0) & (x < side) & (y >= 0) & (y < side)
    which = np.arange(len(points))[:, None, None]
    warmth = sigmoid(heat[y.clip(0, side - 1), x.clip(0, side - 1), which]) * is_inside
    total = np.maximum(warmth.sum(axis=(1, 2)), 1e-9)
    middle = np.stack([(warmth * x).sum((1, 2)), (warmth * y).sum((1, 2))], axis=1)
    is_kept = (warmth.max(axis=(1, 2)) < least) | (cells < 0).any(1)
    is_kept |= (cells >= side).any(1)
    return np.where(is_kept[:, None], points, middle / total[:, None] / side)
