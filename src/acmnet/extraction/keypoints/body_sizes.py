"""Body sizes: tracks smoothed and scaled, so that recordings can be compared.

Notation as in `acmnet.data.tracks.tracks`.
"""

from typing import Final, NamedTuple

import numpy as np

from acmnet.extraction.keypoints.track_gaps import FilledTracks, Flags, Places

SMOOTH_S: Final = 0.08
"""Standard deviation of the Gaussian that smooths positions in time, in seconds."""


class Bodies(NamedTuple):
    """Tracks in body sizes: what signals are computed from."""

    positions: Places
    """(F, I, P, A): smoothed, each individual in its own body size."""
    centres: Places
    """(F, I, A): the mean of each individual's points, in the mean body size."""
    spans: Places
    """(I,): each body size as a share of the mean one."""
    missing: Flags
    """(F, I, P): True where a position was interpolated."""
    is_absent: Flags
    """(I,): True for individuals that were never seen."""
    fps: float

    def part(self, start: int, stop: int) -> "Bodies":
        """Return the frames from ``start`` to ``stop``."""
        return self._replace(
            positions=self.positions[start:stop],
            centres=self.centres[start:stop],
            missing=self.missing[start:stop],
        )


def bodies(tracks: FilledTracks) -> Bodies:
    """Return tracks smoothed and scaled by the body size of each individual.

    The body size is the median over frames of the root mean square distance of the
    points to their mean. Where no individual has more than one point, it is the median
    distance of the individuals to each other; for a single point, the root mean square
    distance from where it is on average.
    """
    is_absent = tracks.is_absent
    smooth = _smoothed(tracks.positions, SMOOTH_S * tracks.fps)
    smooth -= smooth[:, ~is_absent].mean(axis=(0, 1, 2))
    sizes = _sizes(smooth, tracks)
    mean = float(sizes[~is_absent].mean())
    return Bodies(
        smooth / sizes[:, None, None],
        smooth.mean(axis=2) / mean,
        sizes / mean,
        tracks.missing,
        is_absent,
        tracks.fps,
    )


def lengths(vectors: Places) -> Places:
    """Return the lengths of vectors along the last axis."""
    return np.asarray(np.sqrt(np.square(vectors).sum(axis=-1)))


def _smoothed(positions: Places, sigma: float) -> Places:
    """Return positions smoothed along time by a Gaussian of ``sigma`` frames."""
    reach = int(np.ceil(3 * sigma))
    steps = np.arange(-reach, reach + 1)
    weights = np.exp(-0.5 * (steps / sigma) ** 2)
    weights /= weights.sum()
    padded = np.pad(positions, ((reach, reach), (0, 0), (0, 0), (0, 0)), mode="edge")
    total = np.zeros_like(positions)
    for start, weight in enumerate(weights):
        total += weight * padded[start : start + len(positions)]
    return total


def _sizes(positions: Places, tracks: FilledTracks) -> Places:
    """Return (I,) body sizes, above 0."""
    from_centre = lengths(positions - positions.mean(axis=2, keepdims=True))
    radius = np.sqrt(np.square(from_centre).mean(axis=-1))
    ever_seen = np.asarray(~tracks.missing.all(axis=0))
    sizes = np.zeros(positions.shape[1])
    for i in map(int, np.flatnonzero(~tracks.is_absent)):
        is_complete = ~tracks.missing[:, i][:, ever_seen[i]].any(axis=1)
        partly = ~tracks.missing[:, i].all(axis=1)
        sizes[i] = np.median(radius[is_complete if is_complete.any() else partly, i])
    if (sizes > 0).any():
        return np.where(sizes > 0, sizes, sizes[sizes > 0].mean())
    return np.full(len(sizes), _spacing(positions[:, ~tracks.is_absent]))


def _spacing(positions: Places) -> float:
    """Return a length to measure by where no individual has an extent."""
    centres = positions.mean(axis=2)
    first, second = np.triu_indices(centres.shape[1], 1)
    between = lengths(centres[:, first] - centres[:, second])
    if between.size and np.median(between) > 0:
        return float(np.median(between))
    spread = np.sqrt(np.square(lengths(centres - centres.mean(axis=0))).mean())
    return float(spread) or 1.0
