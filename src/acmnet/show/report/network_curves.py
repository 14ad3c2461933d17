"""What the networks say of one video over time, as the page draws it."""

import base64
from typing import Any, Final

import numpy as np

from acmnet.data.annotations import Video
from acmnet.localization.from_activations import activation_runs
from acmnet.network.acm_net import Branch
from acmnet.pipeline.trained_model import TrainedModel, VideoCurves
from acmnet.segments import Detections, FloatArray
from acmnet.show.figures.video_figure import telling_classes

MOST_CURVES: Final = 6
"""Classes of a video whose activation and CAS are drawn, besides the attention."""
LEVELS: Final = 255
"""Levels that a curve in [0, 1] is drawn with."""


def insides_of(
    model: TrainedModel,
    video: Video,
    found: Detections,
    curves: VideoCurves,
    n_snippets: int,
) -> dict[str, Any]:
    """Return the attention, activation and CAS of a video, and what is cut from them.

    Parameters
    ----------
    model : TrainedModel
        Whose curves they are.
    video, found
        The video, and what was found in it: they tell which classes are drawn.
    curves : VideoCurves
        Of T samples of the video's snippets.
    n_snippets : int
        How many snippets it has.

    Returns
    -------
    dict
        ``runs``, rows of (threshold, label, start, end); ``curves``, each with its name
        and one byte a sample in base64; ``first_s`` and ``step_s``, the time of the
        first sample and from one to the next.
    """
    scores, cas = curves
    names, grid = model.class_names, model.grid
    shown = telling_classes(video, found)[:MOST_CURVES]
    runs = activation_runs(
        scores.cas_instance,
        scores.video_scores,
        n_snippets=n_snippets,
        grid=grid,
        settings=model.settings.localization,
    )
    drawn = {f"attention: {b.name.lower()}": scores.attention[:, b] for b in Branch}
    drawn |= {f"activation: {names[c]}": scores.cas_instance[:, c] for c in shown}
    drawn |= {f"cas: {names[c]}": cas[:, c] for c in shown}
    return {
        "runs": [
            [float(t), names[int(c)], float(a), float(b)]
            for t, c, a, b in zip(*runs, strict=True)
        ],
        "curves": [
            {"name": name, "values": _quantized(values)}
            for name, values in drawn.items()
        ],
        "first_s": (grid.snippet_frames / 2) / grid.fps,
        "step_s": grid.stride_s * n_snippets / len(scores.attention),
    }


def _quantized(values: FloatArray | np.ndarray[Any, Any]) -> str:
    """Return a curve in [0, 1] as one byte a snippet, in base64."""
    levels = np.rint(np.clip(values, 0.0, 1.0) * LEVELS).astype(np.uint8)
    return base64.b64encode(levels.tobytes()).decode()
