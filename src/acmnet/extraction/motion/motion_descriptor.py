"""The `motion` features: how a snippet looks and moves, computed without a network.

Each frame gives histograms of gradients, and mean colours. Each pair of neighbouring
frames gives histograms of optical flow and of the flow's boundaries, after the camera's
motion has been subtracted. A snippet pools only its own frames and the pairs among
them, so its features are the same whether a whole video or a part of it is described.

References
----------
Gradients: Dalal & Triggs, "Histograms of Oriented Gradients for Human Detection", CVPR
2005. Flow: Laptev et al., "Learning Realistic Human Actions from Movies", CVPR 2008.
Motion boundaries: Dalal, Triggs & Schmid, "Human Detection Using Oriented Histograms of
Flow and Appearance", ECCV 2006. Camera motion: Wang & Schmid, "Action Recognition with
Improved Trajectories", ICCV 2013. Square roots of histograms: Arandjelović & Zisserman,
"Three Things Everyone Should Know to Improve Object Retrieval", CVPR 2012.
"""

import collections
import itertools
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt

from acmnet.extraction.extractors.extraction_settings import ExtractionSettings
from acmnet.extraction.motion.frame_measures import (
    CENTRED_GRID,
    FAINT_SHARE,
    FRAME_GRID,
    FRAME_SIDE,
    N_SIGNALS,
    NO_MOTION,
    ORIENTATIONS,
    PairMeasures,
    StillMeasures,
    Vector,
    measured_frames,
)
from acmnet.video.frames import Frame
from acmnet.workers.prefetching_threads import one_opencv_thread

FREQUENCIES: Final = 8
"""Number of frequencies: k / 16 cycles a frame for k = 1 to 8, which are those of the
discrete Fourier transform of 16 frames."""

FAINT_SLOPE: Final = 0.5
"""Mean slope below which gradients fade to zero, in grey levels a pixel."""

BLOCKS: Final[Mapping[str, int]] = MappingProxyType(
    {
        "gradients": FRAME_GRID * FRAME_GRID * ORIENTATIONS,
        "colours": FRAME_GRID * FRAME_GRID * 3,
        "flow on the grid": FRAME_GRID * FRAME_GRID * ORIENTATIONS,
        "flow around what moves": CENTRED_GRID * CENTRED_GRID * ORIENTATIONS,
        "its change": CENTRED_GRID * CENTRED_GRID * ORIENTATIONS,
        "boundaries": 2 * CENTRED_GRID * CENTRED_GRID * ORIENTATIONS,
        "signals": 2 * N_SIGNALS,
        "frequencies": N_SIGNALS * FREQUENCIES,
    }
)
"""Number of columns of each block of features, in order; the first two blocks are the
stream ``appearance``, the others ``motion``."""

SCALES: Final[Mapping[str, float]] = MappingProxyType(
    {
        "gradients": 1.0,
        "colours": 2.0,
        "flow on the grid": 6.0,
        "flow around what moves": 1.0,
        "its change": 5.0,
        "boundaries": 1.0,
        "signals": 5.0,
        "frequencies": 5.0,
    }
)
"""Factor of each block, chosen so that its root mean square is about 1."""


class MotionDescriptor:
    """Describes snippets by appearance and motion, with OpenCV alone."""

    name: Final = "motion"
    frame_side: Final = FRAME_SIDE
    dimension: Final = sum(BLOCKS.values())
    streams: Final = ("appearance", "motion")

    def describe(
        self, frames: Iterable[Frame], snippet_frames: int, stride_frames: int
    ) -> Iterator[Vector]:
        """Yield one vector a snippet, in order, as soon as its last frame is read.

        Parameters
        ----------
        frames : iterable of (H, W, 3) arrays
            RGB, all of one size, of any size; best with `frame_side` as shorter side.
        snippet_frames, stride_frames : int
            Frames in a snippet, and from one snippet to the next; at least 1.

        Yields
        ------
        array of shape (dimension,)
            Finite, in the order of `BLOCKS`: square roots of shares, amplitudes, and
            mean colours, each multiplied by the block's factor in `SCALES`.

        Raises
        ------
        MotionError
            If a frame is no (H, W, 3) uint8 array, or has another size than the first.

        Notes
        -----
        N frames give ``floor((N - snippet_frames) / stride_frames) + 1`` snippets. A
        video shorter than one snippet gives one snippet, in which the last frame is
        repeated. A video without frames gives none. A snippet of a single frame has no
        motion, because motion is measured between the snippet's own frames.
        """
        kept: collections.deque[tuple[StillMeasures, PairMeasures]]
        kept = collections.deque(maxlen=snippet_frames)
        last = -1
        with one_opencv_thread():  # several threads are slower on frames this small
            for last, record in enumerate(measured_frames(frames)):
                kept.append(record)
                start = last + 1 - snippet_frames
                if start >= 0 and start % stride_frames == 0:
                    yield _pooled(list(kept))
        missing = snippet_frames - 1 - last
        if 0 <= last < snippet_frames - 1:
            still = kept[-1][0]
            yield _pooled([*kept, *itertools.repeat((still, NO_MOTION), missing)])


def _pooled(records: list[tuple[StillMeasures, PairMeasures]]) -> Vector:
    """Return the (dimension,) vector of one snippet."""
    stills = [still for still, _ in records]
    # the motion of the first frame is that since a frame before the snippet
    pairs = [pair for _, pair in records[1:]] or [NO_MOTION]
    centred = np.stack([pair.centred for pair in pairs])
    each = centred / (centred.sum((1, 2), keepdims=True) + FAINT_SHARE)
    signals = np.stack([pair.signals for pair in pairs])
    blocks = {
        "gradients": _shares(_mean([s.gradients for s in stills]), FAINT_SLOPE),
        "colours": _mean([still.colours for still in stills]),
        "flow on the grid": np.sqrt(_mean([pair.grid for pair in pairs])),
        "flow around what moves": _shares(centred.mean(0), FAINT_SHARE),
        "its change": np.sqrt(each.std(0)),
        "boundaries": _shares(_mean([p.boundaries for p in pairs]), FAINT_SHARE),
        "signals": np.stack((signals.mean(0), signals.std(0))),
        "frequencies": np.sqrt(_amplitudes(signals)),
    }
    scaled = [blocks[name].ravel() * SCALES[name] for name in BLOCKS]
    return np.concatenate(scaled).astype(np.float32)


def _mean(arrays: list[npt.NDArray[np.float64]]) -> npt.NDArray[np.float64]:
    """Return the mean of arrays of one shape."""
    mean: npt.NDArray[np.float64] = np.stack(arrays).mean(0)
    return mean


def _shares(
    histogram: npt.NDArray[np.float64], faint: float
) -> npt.NDArray[np.float64]:
    """Return the square roots of a histogram's shares.

    They have a root mean square of 1, and less where the histogram's sum is not much
    larger than ``faint``.
    """
    shares = histogram / (histogram.sum() + faint)
    roots: npt.NDArray[np.float64] = np.sqrt(shares * histogram.size)
    return roots


def _amplitudes(signals: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return (SIGNALS, FREQUENCIES) amplitudes over time of (n, SIGNALS) signals."""
    centred = signals - signals.mean(0)
    cycles = np.arange(1, FREQUENCIES + 1) / (2 * FREQUENCIES)
    waves = np.exp(-2j * np.pi * np.outer(np.arange(len(signals)), cycles))
    amplitudes: npt.NDArray[np.float64]
    amplitudes = np.abs(np.einsum("ns,nf->sf", centred, waves)) / len(signals)
    return amplitudes


class Motion:
    """Describes snippets by `MotionDescriptor`, which needs no weights."""

    def __init__(self, settings: ExtractionSettings) -> None:
        self.grid = settings.grid
        self.descriptor = MotionDescriptor()
        self.frame_side = self.descriptor.frame_side
        self.dimension = self.descriptor.dimension
        self.streams = self.descriptor.streams
        self.versions = {"numpy": np.__version__}
        self.settings: dict[str, str] = {}

    def describe(self, frames: Iterable[Frame]) -> Iterator[npt.NDArray[np.float32]]:
        """Yield (1, D) blocks."""
        grid = self.grid
        for row in self.descriptor.describe(
            frames, grid.snippet_frames, grid.stride_frames
        ):
            yield row[None]
