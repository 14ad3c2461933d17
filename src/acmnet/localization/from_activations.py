"""From the outputs of a network for a video to detections in seconds.

Classes are chosen by their video scores. Class activation sequences (CAS) and attention
are cut at thresholds into proposals, each of which is scored by the contrast of its
inside with its flanks; of proposals that overlap, non-maximum suppression (NMS) keeps
the best.

Proposals live on the cells of a `CellGrid`. Intervals of cells are half-open. K is the
number of chosen classes, N that of the video's cells, P that of proposals.
"""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from acmnet.localization.cell_grid import CellGrid
from acmnet.localization.localization_settings import LocalizationSettings
from acmnet.localization.proposals import (
    outer_inner_contrast,
    runs_above,
    suppress,
    suppress_softly,
)
from acmnet.localization.shots import ShotCells
from acmnet.localization.thresholded_sequences import scaled_cas, thresholded_sequences
from acmnet.localization.video_activations import VideoActivations
from acmnet.segments import Detections, FloatArray, IntArray

MOST_OF_CLASS: Final = 250
"""Soft NMS drops no proposal, so in long videos it would return thousands that are next
to worthless. It returns at most so many of a class (D-137), or one for every
`SNIPPETS_A_DETECTION` snippets if that is more."""
SNIPPETS_A_DETECTION: Final = 8
"""Snippets of a long video for each detection of a class that soft NMS may return."""
LEAST_CONTRAST: Final = 1e-3
"""Lower bound on the teachers' score of a student's candidate, relative to their usual
best score. Candidates that the teachers do not support are ranked low, and not lost."""


def localize_activations(
    activations: VideoActivations,
    settings: LocalizationSettings = LocalizationSettings(),
) -> Detections:
    """Return the detections of one video.

    Parameters
    ----------
    activations : VideoActivations
        The network's outputs for the video.
    settings : LocalizationSettings
        Thresholds and rules.

    Returns
    -------
    Detections
        In seconds, inside the video; by class, then from the highest score down. Scores
        are those of the contrast, from -1 to about 1.25; a trained model then maps them
        into [0, 1] with `acmnet.localization.detection_scores.unit_scores`.

    References
    ----------
    Qu et al. 2021, section III-D and eq. 15; `main_thu.py:164-260`.
    """
    proposals = score_proposals(activations, settings)
    most = max(MOST_OF_CLASS, activations.n_snippets // SNIPPETS_A_DETECTION)
    index, score = _suppress_by_class(proposals, settings, most)
    return Detections(
        start_s=proposals.start_s[index],
        end_s=proposals.end_s[index],
        score=score,
        class_index=proposals.class_index[index],
        class_names=proposals.class_names,
    )


def score_proposals(
    activations: VideoActivations, settings: LocalizationSettings
) -> Detections:
    """Return every proposal of one video with its score, before NMS, in no order.

    Parameters
    ----------
    activations : VideoActivations
        The network's outputs for the video.
    settings : LocalizationSettings
        Thresholds and rules.
    """
    chosen, cas, attention = thresholded_sequences(activations, settings)
    cells = CellGrid(activations, settings)
    cas, attention = cells.upsample(cas), cells.upsample(attention)  # (K, N), (1, N)
    video_scores = activations.video_scores[chosen]
    shots = cells.shots
    by_cas = _proposals_of_cas(cas, attention, video_scores, shots, settings)
    by_attention = _proposals_of_attention(
        cas, attention, video_scores, shots, settings
    )
    row, start, end, score = (
        np.concatenate(parts) for parts in zip(by_cas, by_attention, strict=True)
    )
    start_s, end_s = cells.interval_s(start, end)
    return Detections(
        start_s=start_s,
        end_s=end_s,
        score=score,
        class_index=chosen[row],
        class_names=activations.class_names,
    )


def scores_of_intervals(
    activations: VideoActivations,
    start_s: FloatArray,
    end_s: FloatArray,
    settings: LocalizationSettings,
) -> FloatArray:
    """Return the score that given stretches of time would have as proposals, (P, C).

    Parameters
    ----------
    activations : VideoActivations
        The network's outputs for the video, with C classes.
    start_s, end_s : arrays of shape (P,)
        The stretches, in seconds inside the video; shorter ones than a cell count as
        one cell.
    settings : LocalizationSettings
        How proposals of the CAS are scored. All classes are looked for.
    """
    cells = CellGrid(activations, settings)
    every_class = np.arange(len(activations.class_names))
    cas = cells.upsample(scaled_cas(activations, every_class, settings))
    start = np.round(start_s / cells.cell_s).astype(int).clip(0, cells.n_cells - 1)
    end = np.round(end_s / cells.cell_s).astype(int).clip(start + 1, cells.n_cells)
    row = np.repeat(every_class, len(start))
    place = np.tile(start, len(cas)), np.tile(end, len(cas)), cells.shots
    contrast = _contrast(cas, row, *place, settings).reshape(len(cas), -1).T
    scores: FloatArray = (
        contrast + settings.activation_video_weight * activations.video_scores[:-1]
    )
    return scores


class ActivationRuns(NamedTuple):
    """R runs of snippets where the CAS reaches a threshold, in seconds."""

    threshold: FloatArray
    """(R,). The threshold that is reached, as the settings state it."""
    class_index: IntArray
    """(R,). The class whose CAS reaches it."""
    start_s: FloatArray
    """(R,)."""
    end_s: FloatArray
    """(R,)."""


def activation_runs(
    activations: VideoActivations, settings: LocalizationSettings
) -> ActivationRuns:
    """Return the runs of snippets where a video's CAS reaches each threshold, unscored.

    Parameters
    ----------
    activations : VideoActivations
        The network's outputs for the video.
    settings : LocalizationSettings
        Thresholds and rules.
    """
    chosen, cas, _ = thresholded_sequences(activations, settings)
    cells = CellGrid(activations, settings)
    thresholds = np.array(settings.activation_thresholds)
    levels = settings.activation_thresholds
    runs = _runs_of(cells.upsample(cas), levels, cells.shots, settings)
    return ActivationRuns(
        thresholds[runs.threshold],
        chosen[runs.sequence],
        *cells.interval_s(runs.start, runs.end),
    )


class _Proposals(NamedTuple):
    """P scored proposals of one video."""

    row: IntArray
    """(P,). The place of the proposal's class among the K that were chosen."""
    start: IntArray
    """(P,) cells."""
    end: IntArray
    """(P,) cells, exclusive."""
    score: FloatArray
    """(P,)."""


def _proposals_of_cas(
    cas: FloatArray,
    attention: FloatArray,
    video_scores: npt.NDArray[np.floating],
    shots: ShotCells,
    settings: LocalizationSettings,
) -> _Proposals:
    """Cut the CAS (K, N) at every threshold, and score each run for its own class."""
    runs = _runs_of(cas, settings.activation_thresholds, shots, settings)
    alpha, place = settings.attention_weight, (runs.start, runs.end, shots)
    score = (1 - alpha) * _contrast(runs.measured, runs.measured_row, *place, settings)
    if alpha:
        row = np.zeros_like(runs.start)
        score += alpha * _contrast(attention, row, *place, settings)
    score += settings.activation_video_weight * video_scores[runs.sequence]
    return _Proposals(runs.sequence, runs.start, runs.end, score)


def _proposals_of_attention(
    cas: FloatArray,
    attention: FloatArray,
    video_scores: npt.NDArray[np.floating],
    shots: ShotCells,
    settings: LocalizationSettings,
) -> _Proposals:
    """Cut the attention (1, N) at every threshold, and score each run for each class.

    Attention has no classes, so each of its runs becomes a proposal for every chosen
    class.
    """
    runs = _runs_of(attention, settings.attention_thresholds, shots, settings)
    alpha, n_classes, n_runs = settings.attention_weight, len(cas), len(runs.start)
    # P = K * runs: all runs for the first class, then all for the next
    row = np.repeat(np.arange(n_classes), n_runs)
    measured_row, start, end = (
        np.tile(x, n_classes) for x in (runs.measured_row, runs.start, runs.end)
    )
    place = start, end, shots
    score = (1 - alpha) * _contrast(cas, row, *place, settings)
    if alpha:
        score += alpha * _contrast(runs.measured, measured_row, *place, settings)
    score += settings.attention_video_weight * video_scores[row]
    return _Proposals(row, start, end, score)


class _Runs(NamedTuple):
    """R runs of cells at or above thresholds, and what their contrast is measured on.

    A run lies inside one shot of the video. Contrast is measured on the sequence
    itself, or, with the setting ``contrast_zeroed``, on a copy of the sequence for each
    threshold with all values below it set to 0.
    """

    sequence: IntArray
    """(R,). The row of the sequence that was cut."""
    threshold: IntArray
    """(R,). The place of the threshold in the settings."""
    start: IntArray
    """(R,) cells."""
    end: IntArray
    """(R,) cells, exclusive."""
    measured: FloatArray
    """(M, N). The sequences on which contrast is measured."""
    measured_row: IntArray
    """(R,). The run's row among them."""


def _runs_of(
    sequences: FloatArray,
    thresholds: tuple[float, ...],
    shots: ShotCells,
    settings: LocalizationSettings,
) -> _Runs:
    """Cut sequences (S, N) at every threshold, and the runs at the ends of shots."""
    peak = sequences.max(axis=1, keepdims=True)
    unit = np.ones_like(peak)
    if settings.threshold_scale == "relative_to_peak":
        unit = np.where(peak > 0.0, peak, np.inf)  # nothing stands out of all zeros
    n = len(thresholds)
    levels = unit * np.array(thresholds)  # (S, n)
    row, start, end = runs_above(sequences, levels, settings.shortest_cells)
    pieces = shots.split(start, end)
    long = pieces.end - pieces.start >= settings.shortest_cells
    row, start, end = row[pieces.of[long]], pieces.start[long], pieces.end[long]
    sequence, threshold = np.divmod(row, max(n, 1))  # by sequence, then by level
    if not settings.contrast_zeroed:
        return _Runs(sequence, threshold, start, end, sequences, sequence)
    # (S, 1, N) against (S, n, 1): a copy of each sequence for each of its levels
    above = sequences[:, None, :] >= levels[:, :, None]
    zeroed = np.where(above, sequences[:, None, :], 0.0)
    measured = zeroed.reshape(-1, sequences.shape[1])  # (S * n, N)
    return _Runs(sequence, threshold, start, end, measured, row)


def _contrast(
    sequences: FloatArray,
    row: IntArray,
    start: IntArray,
    end: IntArray,
    shots: ShotCells,
    settings: LocalizationSettings,
) -> FloatArray:
    """Return each proposal's outer-inner contrast as the settings measure it."""
    return outer_inner_contrast(
        sequences,
        row,
        start,
        end,
        margin=settings.contrast_margin,
        flanks=settings.contrast_flanks,
        outer=settings.contrast_outer,
        bounds=shots.bounds(start),
    )


def _suppress_by_class(
    proposals: Detections, settings: LocalizationSettings, most: int
) -> tuple[IntArray, FloatArray]:
    """Suppress within each class: indices into ``proposals``, and final scores.

    Soft suppression, which drops nothing, returns ``most`` of a class at the most.
    """
    if settings.nms != "soft":
        kept = suppress(
            proposals.start_s,
            proposals.end_s,
            proposals.score,
            tiou=settings.nms_tiou,
            padding_s=settings.nms_padding_s,
            class_index=proposals.class_index,
        )
        return kept, proposals.score[kept]
    indices, scores = [np.empty(0, dtype=np.int64)], [np.empty(0)]
    for label in np.unique(proposals.class_index):
        of_label = np.flatnonzero(proposals.class_index == label)
        of_class = (
            proposals.start_s[of_label],
            proposals.end_s[of_label],
            proposals.score[of_label],
        )
        sigma = settings.soft_nms_sigma
        kept, score = suppress_softly(*of_class, sigma=sigma, most=most)
        indices.append(of_label[kept])
        scores.append(score)
    return np.concatenate(indices), np.concatenate(scores)
