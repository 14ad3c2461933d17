"""Curves of attention, activation and CAS over one video, as the page draws them."""

import base64
from typing import Any, Final

import numpy as np

from acmnet.data.labels.annotations import Video
from acmnet.localization.from_activations import activation_runs
from acmnet.localization.localization_settings import LocalizationSettings
from acmnet.localization.video_activations import VideoActivations
from acmnet.network.acm_net import Branch
from acmnet.segments import Detections, FloatArray
from acmnet.show.figures.video_figure import telling_classes

MOST_CURVES: Final = 6
"""For at most this many classes of a video, activation and CAS are drawn.

The CAS, class activation sequence, is a class's score at each moment before attention;
the activation is that of the action instance branch.
"""
LEVELS: Final = 255
"""The highest of the whole numbers that stand for a curve's values from 0 to 1."""


def insides_of(
    video: Video,
    found: Detections,
    activations: VideoActivations,
    settings: LocalizationSettings,
) -> dict[str, Any]:
    """Return the curves of a video, and the proposals that are cut from them.

    Parameters
    ----------
    video, found
        The video and its detections: their classes are drawn.
    activations : VideoActivations
        Attention and class activations of the video.
    settings : LocalizationSettings
        The thresholds and rules by which proposals are cut from the activations.

    Returns
    -------
    dict
        ``runs``: proposals as (threshold, label, start, end), in seconds. ``curves``:
        each with its name, and its samples as bytes in base64. ``first_s``: the time of
        the first sample. ``step_s``: the time from each sample to the next.
    """
    names = activations.class_names
    shown = telling_classes(video, found)[:MOST_CURVES]
    runs = activation_runs(activations, settings)
    attention, instance = activations.attention, activations.instance_cas
    drawn = {f"attention: {b.name.lower()}": attention[:, b] for b in Branch}
    drawn |= {f"activation: {names[c]}": instance[:, c] for c in shown}
    if activations.cas is not None:
        drawn |= {f"cas: {names[c]}": activations.cas[:, c] for c in shown}
    return {
        "runs": [
            [float(t), names[int(c)], float(a), float(b)]
            for t, c, a, b in zip(*runs, strict=True)
        ],
        "curves": [
            {"name": name, "values": _quantized(values)}
            for name, values in drawn.items()
        ],
        "first_s": activations.first_s,
        "step_s": activations.step_s,
    }


def _quantized(values: FloatArray | np.ndarray[Any, Any]) -> str:
    """Return a curve in [0, 1] with one byte per sample, in base64."""
    levels = np.rint(np.clip(values, 0.0, 1.0) * LEVELS).astype(np.uint8)
    return base64.b64encode(levels.tobytes()).decode()
