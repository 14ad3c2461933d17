"""From activations to detections: classes, thresholds, proposals, contrast, NMS.

Proposals live on a fine grid of N cells, ``upsampling`` cells a snippet; they become
seconds once, in `_Clock`. Intervals of cells are half-open.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from acmnet.localization.localization_settings import LocalizationSettings
from acmnet.localization.proposals import (
    outer_inner_contrast,
    runs_above,
    suppress,
    suppress_softly,
)
from acmnet.segments import Detections, FloatArray, IntArray, SnippetGrid

Array = npt.NDArray[np.floating]


class _Proposals(NamedTuple):
    """Candidates of one video: class position, cells ``[start, end)``, score."""

    chosen: IntArray
    start: IntArray
    end: IntArray
    score: FloatArray


def localize_scores(
    cas_instance: Array,
    attention: Array,
    video_scores: Array,
    *,
    n_snippets: int,
    grid: SnippetGrid,
    class_names: Sequence[str],
    settings: LocalizationSettings = LocalizationSettings(),
) -> Detections:
    """Return the detections of one video.

    Parameters
    ----------
    cas_instance : array of shape (T, C + 1)
        The instance branch's CAS after the softmax over classes, in [0, 1].
    attention : array of shape (T, 3)
        Attention of instance, context and background, in [0, 1].
    video_scores : array of shape (C + 1,)
        The instance branch's video-level probabilities.
    n_snippets : int
        The video's length before it was sampled to T snippets; T if it was not.
    grid : SnippetGrid
        Where the video's snippets lie in time.
    class_names : sequence of C strings
        In the order of the columns, without the background.
    settings : LocalizationSettings
        Thresholds and rules.

    Returns
    -------
    Detections
        In seconds, inside the video; by class, then from the highest score down. Scores
        are the contrast's: ``unit_scores`` is for a trained model's detections.

    Raises
    ------
    ValueError
        If the shapes disagree, a number is not finite, or ``n_snippets`` is below 1.

    References
    ----------
    Qu et al. 2021, section III-D and eq. 15; `main_thu.py:164-260`.
    """
    found = score_proposals(
        cas_instance,
        attention,
        video_scores,
        n_snippets=n_snippets,
        grid=grid,
        class_names=class_names,
        settings=settings,
    )
    index, score = _suppress_by_class(found, settings)
    return Detections(
        found.start_s[index],
        found.end_s[index],
        score,
        found.class_index[index],
        found.class_names,
    )


def score_proposals(
    cas_instance: Array,
    attention: Array,
    video_scores: Array,
    *,
    n_snippets: int,
    grid: SnippetGrid,
    class_names: Sequence[str],
    settings: LocalizationSettings = LocalizationSettings(),
) -> Detections:
    """Return every proposal of one video with its score, before NMS, in no order.

    Parameters and errors are those of `localize_scores`.
    """
    _check(cas_instance, attention, video_scores, n_snippets, class_names)
    chosen = choose_classes(video_scores[:-1], settings)
    clock = _Clock(len(cas_instance), n_snippets, grid, settings)

    cas = clock.upsample(
        scaled_activations(cas_instance, chosen, settings)
    )  # (chosen, N)
    instance = np.asarray(attention, dtype=np.float64).T[:1]
    instance = clock.upsample(smoothed(instance, settings.smoothing_snippets))  # (1, N)

    found = _propose(cas, instance, video_scores[chosen], settings)
    return Detections(
        clock.seconds(found.start),
        clock.seconds(found.end),
        found.score,
        chosen[found.chosen],
        tuple(class_names),
    )


class ActivationRuns(NamedTuple):
    """Where the instance CAS of R runs lies at or above a threshold, in seconds."""

    threshold: FloatArray
    """(R,) as in the settings."""
    class_index: IntArray
    """(R,)."""
    start_s: FloatArray
    """(R,)."""
    end_s: FloatArray
    """(R,)."""


def activation_runs(
    cas_instance: Array,
    video_scores: Array,
    *,
    n_snippets: int,
    grid: SnippetGrid,
    settings: LocalizationSettings,
) -> ActivationRuns:
    """Return what `localize_scores` cuts out of the CAS before it scores anything.

    Parameters are those of `localize_scores`.
    """
    chosen = choose_classes(video_scores[:-1], settings)
    clock = _Clock(len(cas_instance), n_snippets, grid, settings)
    cas = clock.upsample(scaled_activations(cas_instance, chosen, settings))
    thresholds = settings.activation_thresholds
    _, _, row, start, end = _cut(cas, thresholds, settings)
    n = max(len(thresholds), 1)
    return ActivationRuns(
        np.array(thresholds)[row % n] if thresholds else np.zeros(0),
        chosen[row // n],
        clock.seconds(start),
        clock.seconds(end),
    )


def scaled_activations(
    cas_instance: Array, chosen: IntArray, settings: LocalizationSettings
) -> FloatArray:
    """Return the CAS of the chosen classes (chosen, T) on the settings' scale."""
    cas: FloatArray = np.asarray(cas_instance, dtype=np.float64).T[chosen]
    if settings.activation_scale == "above_chance":
        chance = 1.0 / cas_instance.shape[1]
        cas = np.maximum(cas - chance, 0.0) / (1.0 - chance)
    return smoothed(cas, settings.smoothing_snippets)


def smoothed(sequences: FloatArray, deviation: float) -> FloatArray:
    """Return Gaussian-weighted means over the neighbours that exist.

    Parameters
    ----------
    sequences : (S, T) array
    deviation : float
        Of the Gaussian in snippets, cut off at 3 of it; 0 for none.

    Returns
    -------
    (S, T) array

    Examples
    --------
    >>> smoothed(np.array([[0.0, 0.0, 8.0]]), 0.0)
    array([[0., 0., 8.]])
    >>> bool(np.allclose(smoothed(np.ones((1, 5)), 1.0), 1.0))  # borders, too
    True
    """
    if not deviation:
        return sequences
    n, reach = sequences.shape[1], int(np.ceil(3.0 * deviation))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / deviation) ** 2)
    within = slice(reach, reach + n)
    weight = np.convolve(np.ones(n), kernel)[within]
    rows = [np.convolve(row, kernel)[within] / weight for row in sequences]
    return np.array(rows).reshape(sequences.shape)


def choose_classes(class_scores: Array, settings: LocalizationSettings) -> IntArray:
    """Return the classes to localise: those above the threshold, else the best.

    Parameters
    ----------
    class_scores : array of shape (C,)
        Video-level probabilities without the background's.
    settings : LocalizationSettings
        ``class_threshold`` and what it is a share of.

    Returns
    -------
    array of at least one class index, ascending

    Examples
    --------
    >>> four_true_labels = np.array([0.24, 0.01, 0.25, 0.24, 0.24])
    >>> choose_classes(four_true_labels, LocalizationSettings())  # of the best one
    array([0, 2, 3, 4])
    >>> of_one = LocalizationSettings(class_threshold_of="one")  # none is above 0.25
    >>> choose_classes(four_true_labels, of_one)
    array([2])
    """
    best = class_scores.max()
    unit = best if settings.class_threshold_of == "best" else 1.0
    chosen: IntArray = np.flatnonzero(class_scores > settings.class_threshold * unit)
    return chosen if chosen.size else np.array([class_scores.argmax()])


class _Clock:
    """The fine grid of one video: its cells, their scores and their seconds."""

    def __init__(
        self,
        n_sampled: int,
        n_snippets: int,
        grid: SnippetGrid,
        settings: LocalizationSettings,
    ) -> None:
        stretch = n_snippets / n_sampled  # snippets that a sample stands for
        self.cell_s = grid.stride_s * stretch / settings.upsampling
        self.span_s = grid.span_s(n_snippets)
        self.n_cells = int(np.ceil(self.span_s / self.cell_s - 1e-6))
        if settings.time_alignment == "left":
            # score t lies at its left edge and the last is extrapolated, D-003
            self.n_cells = min(self.n_cells, n_sampled * settings.upsampling)
            position = np.arange(self.n_cells) / settings.upsampling
        else:
            middle_s = self.cell_s * np.arange(0.5, self.n_cells, dtype=np.float64)
            snippet = grid.snippet_at(middle_s)
            position = ((snippet + 0.5) / stretch - 0.5).clip(0, n_sampled - 1)
        self.left = position.astype(int).clip(max=max(n_sampled - 2, 0))
        self.right = (self.left + 1).clip(max=n_sampled - 1)
        self.share = position - self.left

    def upsample(self, sequences: FloatArray) -> FloatArray:
        """Interpolate (S, T) scores linearly to the (S, N) cells."""
        low = sequences[:, self.left]
        result: FloatArray = low + (sequences[:, self.right] - low) * self.share
        return result

    def seconds(self, cell: IntArray) -> FloatArray:
        """Return the time of a cell's left edge, never past the video's end."""
        time_s: FloatArray = np.minimum(cell * self.cell_s, self.span_s)
        return time_s


def _propose(
    cas: FloatArray,
    instance: FloatArray,
    video_scores: Array,
    settings: LocalizationSettings,
) -> _Proposals:
    """Cut CAS and attention at every threshold; score each run for each class."""
    alpha = settings.attention_weight
    every = np.arange(len(cas))

    thresholds = settings.activation_thresholds
    own, place, row, start, end = _cut(cas, thresholds, settings)
    chosen = row // max(len(thresholds), 1)
    score = (1 - alpha) * _contrast(own, place, start, end, settings)
    if alpha:
        score += alpha * _contrast(instance, 0 * row, start, end, settings)
    score += settings.activation_video_weight * video_scores[chosen]
    by_activation = _Proposals(chosen, start, end, score)

    own, place, _, start, end = _cut(instance, settings.attention_thresholds, settings)
    # attention is class-agnostic: each of its runs stands for every chosen class
    chosen = np.repeat(every, len(place))
    place, start, end = (np.tile(x, len(cas)) for x in (place, start, end))
    score = (1 - alpha) * _contrast(cas, chosen, start, end, settings)
    if alpha:
        score += alpha * _contrast(own, place, start, end, settings)
    score += settings.attention_video_weight * video_scores[chosen]
    by_attention = _Proposals(chosen, start, end, score)
    return _Proposals(
        *(
            np.concatenate(both)
            for both in zip(by_activation, by_attention, strict=True)
        )
    )


def _cut(
    sequences: FloatArray, thresholds: tuple[float, ...], settings: LocalizationSettings
) -> tuple[FloatArray, IntArray, IntArray, IntArray, IntArray]:
    """Return what runs are measured on, and for each its row there, row and cells.

    The runs are those above each threshold, as `runs_above` gives them.
    """
    peak = sequences.max(axis=1, keepdims=True)
    unit = np.ones_like(peak)
    if settings.threshold_of == "peak":
        unit = np.where(peak > 0.0, peak, np.inf)  # nothing stands out of all zeros
    levels = unit * np.array(thresholds)  # (S, K)
    row, start, end = runs_above(sequences, levels, settings.shortest_cells)
    if not settings.contrast_zeroed:
        return sequences, row // max(len(thresholds), 1), row, start, end
    each = sequences[:, None, :]
    measured = np.where(each >= levels[:, :, None], each, 0.0)
    return measured.reshape(-1, sequences.shape[1]), row, row, start, end


def _contrast(
    sequences: FloatArray,
    row: IntArray,
    start: IntArray,
    end: IntArray,
    settings: LocalizationSettings,
) -> FloatArray:
    return outer_inner_contrast(
        sequences,
        row,
        start,
        end,
        margin=settings.contrast_margin,
        flanks=settings.contrast_flanks,
        outer=settings.contrast_outer,
    )


def _suppress_by_class(
    found: Detections, settings: LocalizationSettings
) -> tuple[IntArray, FloatArray]:
    """Suppress within each class: indices into ``found``, and final scores."""
    indices, scores = [np.empty(0, dtype=np.int64)], [np.empty(0)]
    for label in np.unique(found.class_index):
        own = np.flatnonzero(found.class_index == label)
        of_class = found.start_s[own], found.end_s[own], found.score[own]
        if settings.nms == "soft":
            kept, score = suppress_softly(*of_class, sigma=settings.soft_nms_sigma)
        else:
            kept = suppress(
                *of_class, tiou=settings.nms_tiou, padding_s=settings.nms_padding_s
            )
            score = found.score[own][kept]
        indices.append(own[kept])
        scores.append(score)
    return np.concatenate(indices), np.concatenate(scores)


def _check(
    cas: Array,
    attention: Array,
    video_scores: Array,
    n_snippets: int,
    class_names: Sequence[str],
) -> None:
    """Refuse scores that do not describe one video."""
    n, c = len(cas), len(class_names) + 1
    expected = {
        "cas_instance": (cas, (n, c)),
        "attention": (attention, (n, 3)),
        "video_scores": (video_scores, (c,)),
    }
    for name, (array, shape) in expected.items():
        if array.shape != shape or not array.size:
            raise ValueError(
                f"{name} must have shape {shape} for {c - 1} classes and T >= 1 "
                f"snippets, got {array.shape}"
            )
        if not np.isfinite(array).all():
            raise ValueError(f"{name} must be finite, got NaN or infinity")
    if not class_names:
        raise ValueError("class_names must name at least one class, got none")
    if n_snippets < 1:
        raise ValueError(f"n_snippets must be at least 1, got {n_snippets}")
