"""How far a video's features lie from those of the training videos."""

import dataclasses
from collections.abc import Iterable
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from acmnet.segments import FloatArray

UNLIKE_RATIO: Final = 2.0
"""A video is unlike the training videos if its distance from them is more than this
many times their usual distance."""
USUAL_VIDEOS_SHARE: Final = 0.95
"""Quantile of the training videos' distances that is the usual distance."""
LEAST_DEVIATION: Final = 0.01
"""Least standard deviation of a feature, as a share of the root mean square of all
features: a feature that hardly varied in training does not decide alone."""


@dataclasses.dataclass(frozen=True, eq=False)
class Likeness:
    """The features of the training videos, and how far apart those videos are."""

    mean: FloatArray
    """Mean of each feature over the snippets of all training videos, (D,); each video
    counts alike."""
    deviation: FloatArray
    """Standard deviation of each feature, (D,), above 0."""
    usual: float
    """Distance from the other training videos that `USUAL_VIDEOS_SHARE` of them do not
    exceed, above 0."""

    @classmethod
    def of(cls, videos: Iterable[npt.NDArray[np.floating]]) -> Self | None:
        """Return it for training videos' features, (T, D) each; None for under two.

        How far a training video lies from the others is measured without it.

        Examples
        --------
        >>> random = np.random.default_rng(0)
        >>> known = Likeness.of(random.normal(size=(20, 30, 4)))
        >>> known.is_unlike(random.normal(size=(30, 4)))
        False
        >>> known.is_unlike(10 * random.normal(size=(30, 4)))
        True
        """
        sums = [_moments(features) for features in videos]
        if len(sums) < 2:
            return None
        first, second = (np.stack(x) for x in zip(*sums, strict=True))  # (videos, D)
        n = len(sums) - 1
        distances = [
            _distance(one, *_spread((total - one) / n, (squares - square) / n))
            for total, squares in [(first.sum(axis=0), second.sum(axis=0))]
            for one, square in zip(first, second, strict=True)
        ]
        usual = max(float(np.quantile(distances, USUAL_VIDEOS_SHARE)), 1e-6)
        return cls(*_spread(first.mean(axis=0), second.mean(axis=0)), usual)

    def is_unlike(self, features: npt.NDArray[np.floating]) -> bool:
        """Whether a video's features (T, D) lie far from those of the training."""
        first, _ = _moments(features)
        distance = _distance(first, self.mean, self.deviation)
        return not distance < UNLIKE_RATIO * self.usual

    def to_json(self) -> dict[str, Any]:
        """Return plain values, with six digits."""
        rounded = {
            name: [float(f"{x:.6g}") for x in getattr(self, name).tolist()]
            for name in ("mean", "deviation")
        }
        return {**rounded, "usual": self.usual}

    @classmethod
    def from_json(cls, values: object) -> Self:
        """Return what `to_json` wrote.

        Raises
        ------
        ValueError
            If it is anything else.
        """
        try:
            given = dict(values)  # type: ignore[call-overload]
            mean, deviation = (
                np.array(given[name], dtype=np.float64)
                for name in ("mean", "deviation")
            )
            usual = float(given["usual"])
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"no statistics of features: {error}") from None
        is_good = mean.ndim == 1 and mean.shape == deviation.shape and usual > 0
        if not (is_good and np.isfinite(mean).all() and (deviation > 0).all()):
            raise ValueError("statistics of features must be finite and of one length")
        return cls(mean, deviation, usual)


def _moments(features: npt.NDArray[np.floating]) -> tuple[FloatArray, FloatArray]:
    """Return the mean and the mean square over a video's snippets, (D,) each."""
    snippets = np.asarray(features, dtype=np.float64)
    return snippets.mean(axis=0), np.square(snippets).mean(axis=0)


def _spread(mean: FloatArray, square: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return mean and standard deviation from mean and mean square, (D,) each."""
    variance = np.maximum(square - mean**2, 0.0)
    least = max(LEAST_DEVIATION * float(np.sqrt(variance.mean())), 1e-12)
    return mean, np.maximum(np.sqrt(variance), least)


def _distance(one: FloatArray, mean: FloatArray, deviation: FloatArray) -> float:
    """Return the distance of two means in deviations, root mean square over D."""
    return float(np.sqrt(np.square((one - mean) / deviation).mean()))
