"""The sequences of one video that thresholds are compared with, and its classes."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from acmnet.localization.localization_settings import LocalizationSettings
from acmnet.localization.video_activations import VideoActivations
from acmnet.segments import FloatArray, IntArray


class ThresholdedSequences(NamedTuple):
    """The sequences of one video that thresholds are compared with."""

    chosen: IntArray
    """(K,). The classes that are looked for, ascending, at least one."""
    cas: FloatArray
    """(K, T). The instance branch's CAS of these classes, scaled and smoothed."""
    attention: FloatArray
    """(1, T). The attention to instances, smoothed; it has no classes."""


def thresholded_sequences(
    activations: VideoActivations, settings: LocalizationSettings
) -> ThresholdedSequences:
    """Return the sequences of one video that thresholds are compared with.

    Parameters
    ----------
    activations : VideoActivations
        The network's outputs for the video.
    settings : LocalizationSettings
        Which classes are looked for, on which scale the CAS is, and how much the
        sequences are smoothed.
    """
    chosen = choose_classes(activations.video_scores[:-1], settings)
    # (T, 3) -> (1, T)
    attention = np.asarray(activations.attention, dtype=np.float64).T[:1]
    return ThresholdedSequences(
        chosen,
        scaled_cas(activations, chosen, settings),
        smoothed(attention, settings.smoothing_snippets),
    )


def scaled_cas(
    activations: VideoActivations, chosen: IntArray, settings: LocalizationSettings
) -> FloatArray:
    """Return the CAS of some classes, scaled and smoothed.

    Parameters
    ----------
    activations : VideoActivations
        The network's outputs for the video.
    chosen : array of K class indices
        The classes.
    settings : LocalizationSettings
        The scale of the CAS, and how much it is smoothed.

    Returns
    -------
    array of shape (K, T)
    """
    # (T, C + 1) -> (K, T)
    cas: FloatArray = np.asarray(activations.instance_cas, dtype=np.float64).T[chosen]
    if settings.activation_scale == "above_chance":
        chance = 1.0 / activations.instance_cas.shape[1]
        cas = np.maximum(cas - chance, 0.0) / (1.0 - chance)
    return smoothed(cas, settings.smoothing_snippets)


def smoothed(sequences: FloatArray, deviation: float) -> FloatArray:
    """Return sequences with each value averaged with its neighbours.

    Parameters
    ----------
    sequences : array of shape (S, T)
        S sequences of T snippets.
    deviation : float
        Neighbours count by a Gaussian of this standard deviation, in snippets, out to
        three times of it. 0 leaves the sequences as they are.

    Returns
    -------
    array of shape (S, T)
        Near the ends of the video, the mean over the neighbours that exist.

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


def choose_classes(
    class_scores: npt.NDArray[np.floating], settings: LocalizationSettings
) -> IntArray:
    """Return the classes to localise: those above the threshold, else the best.

    Parameters
    ----------
    class_scores : array of shape (C,)
        Video-level probabilities without the background's.
    settings : LocalizationSettings
        ``class_threshold``, and whether it is absolute or relative to the best score.

    Returns
    -------
    array of at least one class index, ascending

    Examples
    --------
    >>> four_true_labels = np.array([0.24, 0.01, 0.25, 0.24, 0.24])
    >>> choose_classes(four_true_labels, LocalizationSettings())  # of the best one
    array([0, 2, 3, 4])
    >>> absolute = LocalizationSettings(class_threshold_scale="absolute")
    >>> choose_classes(four_true_labels, absolute)  # none is above 0.25
    array([2])
    """
    best = class_scores.max()
    unit = best if settings.class_threshold_scale == "relative_to_best" else 1.0
    chosen: IntArray = np.flatnonzero(class_scores > settings.class_threshold * unit)
    return chosen if chosen.size else np.array([class_scores.argmax()])
