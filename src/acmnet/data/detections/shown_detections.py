"""Choose the detections that people are shown: those with the highest scores.

Results JSON holds every detection, because scoring needs the whole ranking. A person
who looks at tables, subtitles or a drawn video needs those that are likely to be right.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np

from acmnet.segments import BoolArray, Detections, FloatArray, IntArray


@dataclasses.dataclass(frozen=True)
class Shown:
    """The limits on what is shown of a video's detections.

    Raises
    ------
    ValueError
        If ``top`` is below 1 or ``min_score`` is not finite.

    Examples
    --------
    >>> found = Detections.of(["a"], [(0, 1, 0.2, 0), (2, 3, 0.9, 0), (4, 5, 0.6, 0)])
    >>> [d.score for d in Shown(min_score=0.5).of(found)]
    [0.9, 0.6]
    >>> [d.score for d in Shown(top=1).of(found)]
    [0.9]
    """

    min_score: float | None = None
    """Leave out detections with a lower score; None for no limit."""
    top: int | None = None
    """Keep at most this many detections of a video, those with the highest scores;
    None for no limit."""

    def __post_init__(self) -> None:
        """Refuse limits out of range."""
        if self.top is not None and self.top < 1:
            raise ValueError(f"top must be at least 1, got {self.top}")
        if self.min_score is not None and not np.isfinite(self.min_score):
            raise ValueError(f"min_score must be finite, got {self.min_score}")

    def of(self, detections: Detections) -> Detections:
        """Return the detections of one video that are shown, in their order."""
        return detections.only(
            self.kept(detections.score, np.zeros(len(detections), np.int64))
        )

    def of_all(self, results: Mapping[str, Detections]) -> dict[str, Detections]:
        """Return the detections of each video that are shown."""
        if self == Shown():
            return dict(results)
        return {video: self.of(detections) for video, detections in results.items()}

    def kept(self, score: FloatArray, video: IntArray) -> BoolArray:
        """Return which of N detections of many videos are shown.

        Parameters
        ----------
        score : array of shape (N,)
            The score of each detection.
        video : array of shape (N,)
            The index of each detection's video.
        """
        kept: BoolArray = np.ones(len(score), dtype=np.bool_)
        if self.min_score is not None:
            kept = score >= self.min_score
        if self.top is not None:
            order = np.lexsort((-score, video))
            sorted_video = video[order]
            rank = np.arange(len(sorted_video)) - np.searchsorted(
                sorted_video, sorted_video
            )
            kept[order[rank >= self.top]] = False
        return kept
