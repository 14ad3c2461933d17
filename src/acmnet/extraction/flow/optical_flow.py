"""Optical flow by OpenCV: where each pixel of one frame lies in the next frame.

This is the reference, and it runs on the CPU.
`acmnet.extraction.flow.optical_flow_torch`
has the same algorithm (TV-L1) for batches of frames on a GPU. Nothing here knows files,
videos or snippets.
"""

import collections
import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from types import MappingProxyType
from typing import Final, Literal

import cv2
import numpy as np
import numpy.typing as npt

from acmnet.workers.prefetching_threads import one_opencv_thread

FlowMethod = Literal["default", "mid", "fast", "dis"]

Picture = npt.NDArray[np.uint8]

FlowField = npt.NDArray[np.float32]

FLOW_BOUND: Final = 20.0
"""Largest displacement that I3D sees, in pixels a frame."""

SMALLEST_SIDE: Final = 16
"""Shortest side of a frame, and of a pyramid's level, in pixels."""

PAIRS_AT_ONCE: Final = 16
"""Pairs of frames computed at once, at most. TV-L1 needs 11 MB of memory for each pair
of 340 x 256 pixels."""


class FlowError(ValueError):
    """Frames between which no flow can be computed."""


@dataclasses.dataclass(frozen=True)
class TVL1Parameters:
    """The parameters of TV-L1; the defaults are OpenCV's.

    References
    ----------
    Zach et al., "A Duality Based Approach for Realtime TV-L1 Optical Flow", DAGM 2007;
    Sánchez et al., "TV-L1 Optical Flow Estimation", IPOL 2013 (its names in brackets).

    Raises
    ------
    FlowError
        If the median is neither 1 nor 5, or the scale step is not between 0 and 1.
    """

    tau: float = 0.25
    """Step of the dual ascent [τ]."""
    data_weight: float = 0.15
    """Weight of the brightness term against smoothness [λ]."""
    theta: float = 0.3
    """Tightness of the coupling between the two halves of the problem [θ]."""
    scales: int = 5
    """Levels of the pyramid at most [N_scales]; none is below `SMALLEST_SIDE`."""
    warps: int = 5
    """Times that the second frame is warped on each level [N_warps]."""
    epsilon: float = 0.01
    """Root mean square step, in pixels, at which a warp's iterations end [ε]."""
    inner: int = 30
    """Iterations between two median filters."""
    outer: int = 10
    """Median filters in each warp; a warp has at most ``inner * outer`` iterations."""
    scale_step: float = 0.8
    """Size of a pyramid level divided by the size of the next finer level [η]."""
    median: int = 5
    """Side of the median filter in pixels: 5, or 1 for none."""

    def __post_init__(self) -> None:
        """Refuse values with which OpenCV and torch would compute different things."""
        if self.median not in (1, 5):
            raise FlowError(
                f"median must be 5, or 1 for no median filter, got {self.median}"
            )
        if not 0 < self.scale_step < 1:
            raise FlowError(
                f"scale_step must be between 0 and 1, got {self.scale_step}"
            )


TVL1_PRESETS: Final[Mapping[str, TVL1Parameters]] = MappingProxyType(
    {
        "default": TVL1Parameters(),
        "mid": TVL1Parameters(warps=2, inner=10, outer=4, scale_step=0.5),
        "fast": TVL1Parameters(
            scales=4, warps=2, epsilon=0.02, inner=10, outer=3, scale_step=0.5, median=1
        ),
    }
)
"""Parameters of each TV-L1 preset, by its name in `FlowMethod`, the best first."""


def gray(frame: Picture) -> Picture:
    """Return the (H, W) grey levels of an (H, W, 3) RGB frame."""
    levels: Picture = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(
        np.uint8, copy=False
    )
    return levels


def flow_between(before: Picture, after: Picture, method: FlowMethod) -> FlowField:
    """Return where each pixel of a frame lies in the next frame, computed by OpenCV.

    Parameters
    ----------
    before, after : arrays of shape (H, W)
        Grey levels of two frames of one size, with sides of at least 16 pixels.
    method : FlowMethod
        A preset of `TVL1_PRESETS`, or "dis": Dense Inverse Search (Kroeger et al.,
        ECCV 2016), OpenCV's medium preset, for previews only.

    Returns
    -------
    array of shape (H, W, 2)
        Displacement to the right and down, in pixels; finite.

    Raises
    ------
    FlowError
        If the frames differ in size, are too small or are not grey levels.

    Notes
    -----
    An estimator of OpenCV that has seen a small picture keeps the smaller number of
    pyramid levels for the pictures after it, and it must not be shared between threads.
    Therefore each call makes its own. The result depends on the arguments only, not on
    OpenCV's number of threads either.
    """
    _refuse_pair(before, after)
    estimator = (
        cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        if method == "dis"
        else _opencv_tvl1(TVL1_PRESETS[method])
    )
    start = np.zeros((*before.shape, 2), np.float32)
    field: FlowField = estimator.calc(
        np.ascontiguousarray(before), np.ascontiguousarray(after), start
    ).astype(np.float32, copy=False)
    return field


def _opencv_tvl1(parameters: TVL1Parameters) -> "cv2.optflow.DualTVL1OpticalFlow":
    """Return OpenCV's estimator with these parameters."""
    return cv2.optflow.DualTVL1OpticalFlow.create(
        tau=parameters.tau,
        lambda_=parameters.data_weight,
        theta=parameters.theta,
        nscales=parameters.scales,
        warps=parameters.warps,
        epsilon=parameters.epsilon,
        innnerIterations=parameters.inner,  # spelt with three n by OpenCV
        outerIterations=parameters.outer,
        scaleStep=parameters.scale_step,
        medianFiltering=parameters.median,
    )


def _refuse_pair(before: Picture, after: Picture) -> None:
    """Refuse two arrays that are not grey frames of one size."""
    for picture in (before, after):
        if picture.ndim != 2 or picture.dtype != np.uint8:
            raise FlowError(
                f"a frame must be (H, W) uint8 grey levels, got {picture.dtype} of "
                f"shape {picture.shape}; turn RGB into grey levels first"
            )
    refuse_sizes(before.shape, after.shape)


def refuse_sizes(before: tuple[int, ...], after: tuple[int, ...]) -> None:
    """Refuse frames (..., H, W) that differ in shape or are too small."""
    if before != after:
        raise FlowError(
            f"two frames must have one size, got {before} and {after}; scale them to "
            "one size first"
        )
    if min(before[-2:]) < SMALLEST_SIDE:
        raise FlowError(
            f"a frame must be at least {SMALLEST_SIDE} pixels high and wide, got "
            f"{before[-2]} x {before[-1]}; enlarge the video"
        )


def flow_sequence(frames: Iterable[Picture], method: FlowMethod) -> Iterator[FlowField]:
    """Yield the flow from each frame to the next, as many flows as frames.

    The last frame has no next one. Its flow is that of the frame before, or zero if it
    is the only frame.

    Parameters
    ----------
    frames : iterable of (H, W, 3) arrays
        RGB, all of one size. They are read as needed, in the calling thread.
    method : FlowMethod
        A preset of `TVL1_PRESETS`, or "dis" for previews; see `flow_between`.

    Yields
    ------
    array of shape (H, W, 2)
        Displacement to the right and down, in pixels; finite.

    Raises
    ------
    FlowError
        If the frames differ in size or are too small.

    Notes
    -----
    As many pairs are computed at once as OpenCV has threads, but at most
    `PAIRS_AT_ONCE`. Each pair takes one thread, which is faster than one pair in all
    threads and gives the same numbers. One pair more than that is in memory at a time.
    """
    greys = map(gray, frames)
    last = next(greys, None)
    if last is None:
        return
    field: FlowField = np.zeros((*last.shape, 2), np.float32)
    n_threads = min(max(cv2.getNumThreads(), 1), PAIRS_AT_ONCE)
    under_way: collections.deque[Future[FlowField]] = collections.deque()
    pool = ThreadPoolExecutor(n_threads, "acmnet-flow")
    try:
        with one_opencv_thread():
            for before, after in itertools.pairwise(itertools.chain([last], greys)):
                under_way.append(pool.submit(flow_between, before, after, method))
                if len(under_way) > n_threads:
                    yield under_way.popleft().result()
            while under_way:
                field = under_way.popleft().result()
                yield field
    finally:
        pool.shutdown(cancel_futures=True)
    yield field


def clamp_flow(field: FlowField) -> FlowField:
    """Return a flow as I3D expects it: clipped to 20 pixels and divided by 20.

    Returns
    -------
    array of the shape of ``field``
        In ``[-1, 1]``.

    Notes
    -----
    Many pipelines store flow as pictures and so round it to 8 bits, by up to 0.08
    pixels. Here nothing is stored, and nothing is rounded.

    References
    ----------
    Carreira & Zisserman, "Quo Vadis, Action Recognition?", CVPR 2017, and its authors'
    code (github.com/deepmind/kinetics-i3d, README).

    Examples
    --------
    >>> clamp_flow(np.array([-30.0, 5.0, 20.0], np.float32)).tolist()
    [-1.0, 0.25, 1.0]
    """
    clipped: FlowField = np.clip(field, -FLOW_BOUND, FLOW_BOUND)
    return clipped / np.float32(FLOW_BOUND)
