"""What each frame looks like, and how the picture moved since the frame before it."""

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from acmnet.video.frames import Frame

Vector = npt.NDArray[np.float32]

Cells = npt.NDArray[np.intp]

FRAME_SIDE: Final = 96
"""Shorter side in pixels to which a frame is scaled before it is described."""

LONGEST_SIDE: Final = 4 * FRAME_SIDE
"""Longest side of a described frame in pixels; a longer one is squeezed, which limits
the work for each frame."""

FRAME_GRID: Final = 4
"""Rows, and columns, of the grid over the whole frame."""

CENTRED_GRID: Final = 3
"""Rows, and columns, of the grid around the moving pixels."""

ORIENTATIONS: Final = 8
"""Orientations of a histogram."""

N_SIGNALS: Final = 5
"""Length of `PairMeasures.signals`."""

MOVING_PX: Final = 0.5
"""Speed at which a pixel counts half as moving, in pixels a frame."""

BOUNDARY_PX: Final = 0.15
"""Slope of the flow at which a pixel counts half as a boundary of motion, in pixels a
frame for each pixel."""

CAMERA_FITS: Final = 2
"""How often the camera's motion is fitted to the pixels that seem to be background."""

FAINT_SHARE: Final = 0.003
"""Share of moving pixels below which a distribution fades to zero."""

EVERY_SECOND_PIXEL: Final = (slice(None, None, 2), slice(None, None, 2))
"""Slices of the pixels that the camera's motion is fitted to: every second one along
height and width."""


class MotionError(ValueError):
    """Frames that cannot be described; the message says what to do."""


class _Layout(NamedTuple):
    """Values that depend only on the size of a video's frames."""

    size: tuple[int, int]
    """Width and height of the scaled frames, in pixels."""
    cells: Cells
    """(h * w,): index of the cell of the grid in which each pixel lies."""
    half_cells: Cells
    """(h / 2 * w / 2,): the same for frames of half the size, at which flow is
    measured."""
    x: npt.NDArray[np.float64]
    """(h / 2, w / 2): horizontal place of each pixel at half the size, in [-1, 1]."""
    y: npt.NDArray[np.float64]
    """(h / 2, w / 2): vertical place of each pixel at half the size, in [-1, 1]."""
    thin: npt.NDArray[np.float64]
    """(n, 3): 1, x and y of the pixels that `EVERY_SECOND_PIXEL` selects."""


class StillMeasures(NamedTuple):
    """What is measured on one frame."""

    gray: Frame
    gradients: npt.NDArray[np.float64]
    """(FRAME_GRID², ORIENTATIONS): for each cell and orientation the sum of slopes in
    grey levels a pixel, divided by the number of pixels of the whole frame."""
    colours: npt.NDArray[np.float64]
    """(FRAME_GRID², 3): mean colour of each cell, in [0, 1]."""


class PairMeasures(NamedTuple):
    """What is measured on a frame and the frame before it."""

    grid: npt.NDArray[np.float64]
    """(FRAME_GRID², ORIENTATIONS): for each cell the share of its pixels that move in
    each direction; the shares of a cell sum to 1 at most."""
    centred: npt.NDArray[np.float64]
    """(CENTRED_GRID², ORIENTATIONS): for each cell around the moving pixels, the share
    of the frame's pixels that lie in it and move in each direction."""
    boundaries: npt.NDArray[np.float64]
    """(2, CENTRED_GRID², ORIENTATIONS): the same for the slopes of the flow's
    horizontal and vertical component, in place of its direction."""
    signals: npt.NDArray[np.float64]
    """(N_SIGNALS,): the share of moving pixels, their mean direction (right, down), and
    their centre (right, down), in [-1, 1]."""


NO_MOTION: Final = PairMeasures(
    np.zeros((FRAME_GRID * FRAME_GRID, ORIENTATIONS)),
    np.zeros((CENTRED_GRID * CENTRED_GRID, ORIENTATIONS)),
    np.zeros((2, CENTRED_GRID * CENTRED_GRID, ORIENTATIONS)),
    np.zeros(N_SIGNALS),
)


def measured_frames(
    frames: Iterable[Frame],
) -> Iterator[tuple[StillMeasures, PairMeasures]]:
    """Yield what is measured on each frame, and on its motion since the frame before.

    The first frame has no frame before it, and gets `NO_MOTION`.
    """
    layout: _Layout | None = None
    shape: tuple[int, ...] = ()
    before: Frame | None = None
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    flow.setFinestScale(1)
    for i, frame in enumerate(frames):
        if layout is None:
            _refuse_frame(i, frame, frame.shape)
            shape, layout = frame.shape, _layout(*frame.shape[:2])
        _refuse_frame(i, frame, shape)
        still = _still(frame, layout)
        pair = NO_MOTION
        if before is not None:
            room = np.zeros((*before.shape, 2), np.float32)
            field = flow.calc(before, still.gray, room).astype(np.float32, copy=False)
            pair = _pair(field, layout)
        yield still, pair
        before = still.gray


def _refuse_frame(i: int, frame: Frame, shape: tuple[int, ...]) -> None:
    """Refuse a frame that is not a picture, or not of the size of the first one."""
    is_picture = frame.ndim == 3 and frame.shape[-1] == 3 and frame.size
    if not is_picture or frame.dtype != np.uint8:
        raise MotionError(
            f"frame {i} must be (H, W, 3) uint8 RGB, got {frame.dtype} of shape "
            f"{frame.shape}; decode the video to RGB"
        )
    if frame.shape != shape:
        raise MotionError(
            f"frame {i} has shape {frame.shape}, the first one {shape}; scale all "
            "frames of a video to one size"
        )


def _layout(height: int, width: int) -> _Layout:
    """Return the values that depend only on the size of the frames."""
    scale = FRAME_SIDE / min(height, width)
    size = tuple(min(round(side * scale), LONGEST_SIDE) for side in (width, height))
    half = (size[0] // 2, size[1] // 2)
    along, down = (2 * (np.arange(side) + 0.5) / side - 1 for side in half)
    x, y = np.broadcast_arrays(along, down[:, None])
    ones = np.ones_like(x)
    thin = np.stack([part[EVERY_SECOND_PIXEL].ravel() for part in (ones, x, y)], axis=1)
    sizes = size[0], size[1]
    return _Layout(
        size=sizes,
        cells=_grid_cells(*size),
        half_cells=_grid_cells(*half),
        x=x,
        y=y,
        thin=thin,
    )


def _grid_cells(width: int, height: int) -> Cells:
    """Return the (height * width,) index of the cell that each pixel lies in."""
    rows, columns = (np.arange(side) * FRAME_GRID // side for side in (height, width))
    cells: Cells = (rows[:, None] * FRAME_GRID + columns).ravel()
    return cells


def _still(frame: Frame, layout: _Layout) -> StillMeasures:
    """Return what is measured on one frame."""
    if frame.shape[1::-1] != layout.size:
        shrinks = layout.size[0] <= frame.shape[1] and layout.size[1] <= frame.shape[0]
        interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        frame = cv2.resize(frame, layout.size, interpolation=interpolation).astype(
            np.uint8
        )
    gray = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(np.uint8, copy=False)
    x, y = _slopes(gray)
    slope, angle = _polar(x, y)
    # twice the angle: an edge from dark to light and one from light to dark then have
    # one orientation
    gradients = _binned(2 * angle, slope).counted(layout.cells, FRAME_GRID * FRAME_GRID)
    colours = cv2.resize(frame, (FRAME_GRID, FRAME_GRID), interpolation=cv2.INTER_AREA)
    return StillMeasures(
        gray, gradients / slope.size, colours.reshape(-1, 3).astype(np.float64) / 255
    )


def _slopes(plane: Frame | Vector) -> tuple[Vector, Vector]:
    """Return the central differences of an (h, w) plane along x and y, per pixel."""
    x = cv2.Sobel(plane, cv2.CV_32F, 1, 0, ksize=1, scale=0.5)
    y = cv2.Sobel(plane, cv2.CV_32F, 0, 1, ksize=1, scale=0.5)
    return x.astype(np.float32, copy=False), y.astype(np.float32, copy=False)


class _Bins(NamedTuple):
    """Votes of n pixels for angles, each shared by the two nearest `ORIENTATIONS`.

    Bin 0 is centred on the angle 0, along x. After the last bin comes bin 0 again.
    """

    low: Cells
    """(n,): index of the bin at or before each angle."""
    high: Cells
    """(n,): index of the next bin."""
    lower: Vector
    """(n,): the part of each vote that the bin ``low`` gets."""
    upper: Vector
    """(n,): the part that the bin ``high`` gets."""

    def counted(self, cells: Cells, n_cells: int) -> npt.NDArray[np.float64]:
        """Return (n_cells, ORIENTATIONS) votes by cell and angle; ``cells`` is (n,)."""
        base, n = cells * ORIENTATIONS, n_cells * ORIENTATIONS
        counts = np.zeros(n)
        counts += np.bincount(base + self.low, self.lower, n)
        counts += np.bincount(base + self.high, self.upper, n)
        return counts.reshape(n_cells, ORIENTATIONS)


def _binned(angle: Vector, votes: Vector) -> _Bins:
    """Return how the votes for angles in radians are shared among bins."""
    place = (angle * np.float32(ORIENTATIONS / (2 * np.pi))).ravel()
    low = place.astype(np.intp)
    votes = votes.ravel()
    upper = (place - low) * votes
    # & ORIENTATIONS - 1 is the remainder by ORIENTATIONS, a power of two
    return _Bins(
        low & ORIENTATIONS - 1, low + 1 & ORIENTATIONS - 1, votes - upper, upper
    )


def _polar(x: Vector, y: Vector) -> tuple[Vector, Vector]:
    """Return the length and the angle, in [0, 2 pi), of vectors."""
    length, angle = cv2.cartToPolar(x, y)
    return length.astype(np.float32, copy=False), angle.astype(np.float32, copy=False)


def _pair(field: Vector, layout: _Layout) -> PairMeasures:
    """Return what is measured on the flow (h, w, 2) from one frame to the next."""
    height, width = layout.x.shape
    half = cv2.resize(field, (width, height), interpolation=cv2.INTER_AREA)
    moving = half.astype(np.float32, copy=False)
    moving = moving - _camera(moving, layout)
    n_pixels = height * width
    angle, votes = _votes(moving[..., 0], moving[..., 1], MOVING_PX)
    bins = _binned(angle, votes)
    total = votes.sum(dtype=np.float64) + FAINT_SHARE * n_pixels
    columns, centre_x = _thirds(layout.x, votes, total)
    rows, centre_y = _thirds(layout.y, votes, total)
    around = (rows * CENTRED_GRID + columns).ravel()
    edges = _binned(*_votes(*_slopes(moving), BOUNDARY_PX))
    n_cells = CENTRED_GRID * CENTRED_GRID
    each = (
        around[:, None] + (0, n_cells)
    ).ravel()  # cells of one component, then the other
    boundaries = edges.counted(each, 2 * n_cells).reshape(2, n_cells, ORIENTATIONS)
    directions = (
        (votes * turn(angle)).sum(dtype=np.float64) / total for turn in (np.cos, np.sin)
    )
    signals = (votes.mean(dtype=np.float64), *directions, centre_x, centre_y)
    return PairMeasures(
        bins.counted(layout.half_cells, FRAME_GRID * FRAME_GRID)
        * FRAME_GRID**2
        / n_pixels,
        bins.counted(around, n_cells) / n_pixels,
        boundaries / n_pixels,
        np.array(signals),
    )


def _votes(x: Vector, y: Vector, half_at: float) -> tuple[Vector, Vector]:
    """Return the angle of each vector, and its vote in [0, 1).

    A vector of the length ``half_at`` has a vote of 1/2. The vote of a short vector
    grows with the square of its length, so that noise counts for little. That of a long
    vector hardly grows any more, so that a histogram counts area rather than speed.
    """
    length, angle = _polar(x, y)
    square = length * length
    votes: Vector = square / (square + np.float32(half_at**2))
    return angle, votes


def _thirds(
    axis: npt.NDArray[np.float64], votes: Vector, total: float
) -> tuple[Cells, float]:
    """Return in which third of the moving pixels each pixel lies, and their centre.

    The thirds are taken along one axis. The inner one is as wide as a third of an
    evenly moving patch with the same standard deviation.
    """
    centre = float((axis * votes).sum() / total)
    spread = float(np.sqrt((np.square(axis - centre) * votes).sum() / total))
    margin = spread / np.sqrt(3)
    thirds = (axis > centre - margin).astype(np.intp) + (axis > centre + margin)
    return thirds, centre


def _camera(field: Vector, layout: _Layout) -> Vector:
    """Return the flow (h, w, 2) that the camera's pan, zoom and turn explain.

    It is affine. A first estimate is the median of the flow; then the affine flow is
    fitted, `CAMERA_FITS` times, to the pixels that lie near the last estimate.
    """
    terms = layout.thin
    seen = field[EVERY_SECOND_PIXEL].reshape(-1, 2).astype(np.float64)
    model = np.zeros((3, 2))
    model[0] = _median(seen[:, 0]), _median(seen[:, 1])
    for _ in range(CAMERA_FITS):
        misfit = np.linalg.norm(seen - np.einsum("nk,kc->nc", terms, model), axis=1)
        near = misfit <= max(2 * _median(misfit), MOVING_PX)
        kept = terms[near]
        # adding to the diagonal keeps the slopes at 0 where the pixels do not tell them
        moments = np.einsum("nk,nl->kl", kept, kept) + np.diag((0.0, 1.0, 1.0))
        model = np.linalg.solve(moments, np.einsum("nk,nc->kc", kept, seen[near]))
    camera = model[0] + layout.x[..., None] * model[1] + layout.y[..., None] * model[2]
    fitted: Vector = camera.astype(np.float32)
    return fitted


def _median(values: npt.NDArray[np.float64]) -> float:
    """Return the median of (n,) finite numbers, in a third of `np.median`'s time."""
    middle = len(values) // 2
    if len(values) % 2:
        return float(np.partition(values, middle)[middle])
    parted = np.partition(values, (middle - 1, middle))
    return float((parted[middle - 1] + parted[middle]) / 2)
