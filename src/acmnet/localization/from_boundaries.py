"""From the outputs of a student for a video to detections in seconds.

The student gives every snippet a probability of lying in an action, and the distances
to that action's start and end: one candidate a snippet and class. Candidates that
overlap better ones lose score (soft non-maximum suppression, soft-NMS).
`acmnet.localization.from_activations` does the same for the paper's network.
"""

import dataclasses
from typing import Final

import numpy as np
import numpy.typing as npt

from acmnet.localization.proposals import suppress_softly
from acmnet.localization.shots import Shots
from acmnet.segments import BoolArray, Detections, FloatArray, SnippetGrid

LOWEST_PROBABILITY: Final = 0.01
"""Candidates of a lower probability are left out; after soft-NMS, those whose decayed
score is below a tenth of it."""
MOST_CANDIDATES: Final = 2000
"""Candidates of one class in one video that enter soft-NMS: those with the highest
probability."""
MOST_DETECTIONS: Final = 1000
"""Largest number of detections returned for one video, over all classes: those with the
highest scores are kept. For a video of more snippets than this, the limit is the number
of its snippets."""


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class VideoCandidates:
    """The candidates of a student for one video, and the proposals of its teachers.

    T is the number of the video's snippets, C that of its classes.

    Raises
    ------
    ValueError
        If the shapes disagree or a number is not finite.
    """

    probability: npt.NDArray[np.floating]
    """(T, C). Probability that the snippet lies in an instance of the class, in [0, 1];
    or a score on the same scale that also depends on the teachers, at least 0."""
    distance: npt.NDArray[np.floating]
    """(T, 2). Distances from the middle of the snippet back to the start of that
    instance, and forward to its end; in snippets, at least 0."""
    grid: SnippetGrid
    """Where the video's snippets lie in time."""
    class_names: tuple[str, ...]
    """The C names of the columns of ``probability``."""
    of_teachers: Detections | None = None
    """Proposals of the teachers, of the same classes and on the scale of the
    probabilities, which become further candidates; None to use the student alone."""
    cuts_s: tuple[float, ...] = ()
    """Cuts of the video that no candidate of the student reaches across, in seconds.
    Proposals of the teachers are left as they are."""

    def __post_init__(self) -> None:
        """Refuse arrays that do not describe one video."""
        n, n_classes = len(self.probability), len(self.class_names)
        for name, expected in (("probability", (n, n_classes)), ("distance", (n, 2))):
            array = getattr(self, name)
            if array.shape != expected or not array.size:
                raise ValueError(
                    f"{name} must have shape {expected}, got {array.shape}"
                )
            if not np.isfinite(array).all():
                raise ValueError(f"{name} must be finite, got NaN or infinity")

    def only(self, wanted: BoolArray) -> "VideoCandidates":
        """Return the candidates of the classes that are wanted, a (C,) array."""
        probability = np.where(wanted, self.probability, 0.0)
        proposals = self.of_teachers
        return dataclasses.replace(
            self,
            probability=probability,
            of_teachers=proposals and proposals.only(wanted[proposals.class_index]),
        )


def localize_candidates(candidates: VideoCandidates, sigma: float) -> Detections:
    """Return the detections of one video.

    Parameters
    ----------
    candidates : VideoCandidates
        The student's candidates, and the teachers' proposals.
    sigma : float
        How slowly soft-NMS decays scores: by exp(-tIoU^2 / sigma), above 0. The tIoU is
        the time that two candidates share over the time that either covers.

    Returns
    -------
    Detections
        In seconds, inside the video; by class, then from the highest score down. There
        are at most as many as the video has snippets, or `MOST_DETECTIONS` if that is
        more.
    """
    start_s, end_s = candidate_intervals(candidates)
    is_interval = end_s > start_s
    names = candidates.class_names
    others = candidates.of_teachers
    if others is None:
        others = Detections.of(names)

    rows: list[tuple[float, float, float, int]] = []
    for label in range(len(names)):
        of_class = others.class_index == label
        score = np.concatenate(
            (candidates.probability[is_interval, label], others.score[of_class])
        )
        start = np.concatenate((start_s[is_interval], others.start_s[of_class]))
        end = np.concatenate((end_s[is_interval], others.end_s[of_class]))
        kept = np.flatnonzero(score >= LOWEST_PROBABILITY)
        kept = kept[np.argsort(-score[kept], kind="stable")][:MOST_CANDIDATES]
        if not len(kept):
            continue
        order, decayed = suppress_softly(
            start[kept], end[kept], score[kept], sigma=sigma
        )
        rows += [
            (start[i], end[i], value, label)
            for i, value in zip(kept[order], decayed, strict=True)
            if value >= 0.1 * LOWEST_PROBABILITY
        ]
    detections = Detections.of(names, rows)
    most = max(MOST_DETECTIONS, len(candidates.probability))
    if len(rows) <= most:
        return detections
    order = np.argsort(-detections.score, kind="stable")
    return detections.only(np.sort(order[:most]))


def best_candidates(candidates: VideoCandidates) -> FloatArray:
    """Return the highest score of a detection of each class, (C,); -inf for none.

    It is what `localize_candidates` would return. Soft-NMS is left out, because it does
    not lower the highest score of a class.
    """
    start_s, end_s = candidate_intervals(candidates)
    is_interval = (end_s > start_s)[:, None]  # (T, 1) for every class
    best = candidates.probability.max(axis=0, initial=-np.inf, where=is_interval)
    best = best.astype(np.float64)
    others = candidates.of_teachers
    if others is not None:
        np.maximum.at(best, others.class_index, others.score)
    result: FloatArray = np.where(best >= LOWEST_PROBABILITY, best, -np.inf)
    return result


def candidate_intervals(candidates: VideoCandidates) -> tuple[FloatArray, FloatArray]:
    """Return where each snippet's candidate starts and ends, (T,) seconds each.

    All lie inside the video. A snippet whose start is not before its end has no
    candidate.
    """
    grid, n = candidates.grid, len(candidates.distance)
    middle_s = np.array([grid.centre_s(t) for t in range(n)])
    reach_s = np.asarray(candidates.distance, dtype=np.float64) * grid.stride_s
    span_s = grid.span_s(n)
    start_s = (middle_s - reach_s[:, 0]).clip(0.0, span_s)
    end_s = (middle_s + reach_s[:, 1]).clip(0.0, span_s)
    return Shots.between(candidates.cuts_s, span_s).clip(start_s, end_s, middle_s)
