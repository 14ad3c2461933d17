"""The `motion` descriptor: what a snippet looks like and how it moves, without weights.

Each frame gives histograms of gradients and mean colours, each pair of frames next to
each other histograms of flow and of its boundaries, once the camera's motion is taken
out. A snippet pools its own frames and the pairs among them, nothing else, so that any
part of a video gives the same numbers as the whole.

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

from acmnet.extraction.frame_measures import (
    BINS,
    CENTRED,
    FAINT_SHARE,
    FRAME_SIDE,
    GRID,
    NO_MOTION,
    SIGNALS,
    Frame,
    PairMeasures,
    StillMeasures,
    Vector,
    measured_frames,
)
from acmnet.extraction.threads import one_opencv_thread

FREQUENCIES: Final = 8
"""Frequencies k / 16 a frame, k = 1 .. 8: the DFT's for snippets of 16 frames."""

FAINT_SLOPE: Final = 0.5
"""Mean slope below which gradients fade to zero, in grey levels a pixel."""

BLOCKS: Final[Mapping[str, int]] = MappingProxyType(
    {
        "gradients": GRID * GRID * BINS,
        "colours": GRID * GRID * 3,
        "flow on the grid": GRID * GRID * BINS,
        "flow around what moves": CENTRED * CENTRED * BINS,
        "its change": CENTRED * CENTRED * BINS,
        "boundaries": 2 * CENTRED * CENTRED * BINS,
        "signals": 2 * SIGNALS,
        "frequencies": SIGNALS * FREQUENCIES,
    }
)
"""Columns of each block, in order; the first two are the appearance."""

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
"""What each block is multiplied by, so that its root mean square is about 1."""


class MotionDescriptor:
    """Describes snippets by appearance and motion, with OpenCV alone."""

    name: Final = "motion"
    frame_side: Final = FRAME_SIDE
    dimension: Final = sum(BLOCKS.values())
    streams: Final = ("appearance", "motion")

    def describe(
        self, frames: Iterable[Frame], snippet_frames: int, stride_frames: int
    ) -> Iterator[Vector]:
        """Yield one vector a snippet, in order, as soon as its last frame has come.

        Parameters
        ----------
        frames : iterable of (H, W, 3) arrays
            RGB, all of one size, of any size; best with `frame_side` as shorter side.
        snippet_frames, stride_frames : int
            Frames in a snippet, and from one snippet to the next; at least 1.

        Yields
        ------
        array of shape (dimension,)
            Finite, in the order of `BLOCKS`. Square roots of shares, amplitudes and
            mean colours, times `SCALES`.

        Raises
        ------
        MotionError
            If a frame is no (H, W, 3) uint8 array, or not of the first one's size.

        Notes
        -----
        N frames give ``floor((N - snippet_frames) / stride_frames) + 1`` snippets. A
        video shorter than one snippet gives one, its last frame held; one without
        frames gives none. Motion is that between a snippet's own frames: one of one
        frame has none.
        """
        kept: collections.deque[tuple[StillMeasures, PairMeasures]]
        kept = collections.deque(maxlen=snippet_frames)
        last = -1
        with one_opencv_thread():  # pictures this small are slower in several
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
    """Return the vector of one snippet."""
    stills = [still for still, _ in records]
    # the first frame's motion came from before the snippet
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
    """Return the mean over a list of arrays."""
    mean: npt.NDArray[np.float64] = np.stack(arrays).mean(0)
    return mean


def _shares(
    histogram: npt.NDArray[np.float64], faint: float
) -> npt.NDArray[np.float64]:
    """Return square roots of shares, of root mean square 1 unless all is faint."""
    shares = histogram / (histogram.sum() + faint)
    roots: npt.NDArray[np.float64] = np.sqrt(shares * histogram.size)
    return roots


def _amplitudes(signals: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return (SIGNALS, FREQUENCIES) amplitudes of signals (n, SIGNALS) in time."""
    centred = signals - signals.mean(0)
    cycles = np.arange(1, FREQUENCIES + 1) / (2 * FREQUENCIES)
    waves = np.exp(-2j * np.pi * np.outer(np.arange(len(signals)), cycles))
    amplitudes: npt.NDArray[np.float64]
    amplitudes = np.abs(np.einsum("ns,nf->sf", centred, waves)) / len(signals)
    return amplitudes
