"""Explain why a run finds nothing in videos, and say what to try."""

from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np

from acmnet.data.labelled_features import Data
from acmnet.localization.from_boundaries import LOWEST_PROBABILITY
from acmnet.localization.localization_settings import LocalizationSettings
from acmnet.localization.thresholded_sequences import thresholded_sequences
from acmnet.messages import counted, some
from acmnet.models.trained_model import TrainedModel
from acmnet.segments import Detections

MOST_EXAMINED: Final = 20
"""Largest number of videos that are examined, evenly spread over those without a
detection."""

SEQUENCE_WORDS: Final = {
    "activation": "activation of an action (how much a moment looks like it)",
    "attention": "attention to actions (how much a moment looks like any)",
}
"""What messages call the sequences that thresholds cut; the keys are names as in the
settings
``activation_thresholds`` and ``attention_thresholds``."""


class _Highest(NamedTuple):
    """The highest values that the networks give anywhere in some videos."""

    activation: float
    """The highest CAS of any class that was looked for, as thresholds cut it."""
    attention: float
    """The highest attention to instances, as thresholds cut it."""
    probability: float | None
    """The student's highest probability of a snippet being in an action; None for a
    model without a student."""
    looked_for: frozenset[int]
    """Classes that were looked for in any of the videos."""


def why_nothing(
    model: TrainedModel, data: Data, results: Mapping[str, Detections]
) -> str | None:
    """Return why nothing was found and what to try; None where something was.

    Parameters
    ----------
    model : TrainedModel
        The model that found nothing; its networks are run again on some of the videos.
    data : Data
        The features of the videos.
    results : mapping from video id to Detections
        The detections of each video.
    """
    if not results or any(map(len, results.values())):
        return None
    videos = sorted(results)
    looked_at = videos[:: -(-len(videos) // MOST_EXAMINED)]
    highest = _highest(model, data, looked_at)
    epochs = 0 if model.config is None else model.config.epoch
    longer = "train longer"
    if epochs:
        longer = f"train longer than its {counted(epochs, 'epoch')}"
    rules = model.settings.localization
    reasons, options = _reasons(highest, rules)
    remedies = longer
    if options:
        remedies += f", or lower the thresholds: {' '.join(options)}"
    never = [
        name for c, name in enumerate(model.class_names) if c not in highest.looked_for
    ]
    if never:
        unit = (
            " of the best one's"
            if rules.class_threshold_scale == "relative_to_best"
            else ""
        )
        reasons.append(
            f"{some(never)} {'was' if len(never) == 1 else 'were'} looked for in none, "
            f"as the score in the whole video is not above {rules.class_threshold:g}"
            f"{unit} (localization.class_threshold)"
        )
    return (
        f"nothing was found in {counted(len(videos), 'video')}: {'; '.join(reasons)}. "
        f"What to try: {remedies}"
    )


def _highest(model: TrainedModel, data: Data, videos: list[str]) -> _Highest:
    """Run the networks on videos and return their highest values."""
    rules = model.settings.localization
    activation = attention = 0.0
    probability = 0.0 if model.students else None
    looked_for: set[int] = set()
    for video in videos:
        features = data.store.read(video)
        activations = model.activations(features, data.store.cuts_s(video))
        cut = thresholded_sequences(activations, rules)
        looked_for.update(cut.chosen.tolist())
        activation = max(activation, float(cut.cas.max()))
        attention = max(attention, float(cut.attention.max()))
        if model.students:
            inside = model.candidates(features, activations).probability
            probability = max(probability or 0.0, float(inside.max()))
    return _Highest(activation, attention, probability, frozenset(looked_for))


def _reasons(
    highest: _Highest, rules: LocalizationSettings
) -> tuple[list[str], list[str]]:
    """Return which values stayed below a threshold, and options that would help."""
    if highest.probability is not None:
        reason = (
            "the second stage gives no moment of them a probability of being in an "
            f"action of {LOWEST_PROBABILITY:g} or more that it could keep (at most "
            f"{highest.probability:.3g})"
        )
        return [reason], []
    reasons, options = [], []
    for name, value, thresholds in (
        ("activation", highest.activation, rules.activation_thresholds),
        ("attention", highest.attention, rules.attention_thresholds),
    ):
        sequence = SEQUENCE_WORDS[name]
        least = min(thresholds, default=np.inf)
        if rules.threshold_scale == "relative_to_peak" or value >= least:
            reasons.append(
                f"what the {sequence} has above its thresholds is shorter than "
                f"{counted(rules.shortest_cells, 'cell')}, {rules.upsampling} of which "
                "make one row of the features (localization.shortest_cells)"
            )
            options.append("--localization.shortest-cells 1")
        elif thresholds:
            reasons.append(
                f"the {sequence} is {value:.3g} at most, its lowest threshold "
                f"{least:g} (localization.{name}_thresholds)"
            )
            if value > 0.0:
                options.append(f"--localization.{name}-thresholds {value / 2:.2g}")
    return reasons, list(dict.fromkeys(options))
