"""What a run keeps of its training videos for the verbs that use it later.

Found once, when training ends, from features and video-level labels alone: the score
from which detections are shown.
"""

import hashlib
import json
from pathlib import Path
from typing import Any, Final

import numpy as np

from acmnet.checkpoint import CheckpointConfig, load_config
from acmnet.files import parse_json, read_text, write_json
from acmnet.pipeline.data import Data
from acmnet.pipeline.trained import TrainedModel
from acmnet.scores import separating_score

SUMMARY_FILE: Final = "training_summary.json"
FORMAT_VERSION: Final = 1
MOST_VIDEOS: Final = 500
"""Training videos that are looked at, evenly spread over them."""


class TrainingSummaryError(ValueError):
    """A run's training summary that cannot be read; the message names the file."""


def summarize_training(run: Path, model: TrainedModel, data: Data) -> None:
    """Look at the training videos once more and keep in the run what is found.

    Parameters
    ----------
    run : Path
        Of a finished training.
    model : TrainedModel
        As it was trained.
    data : Data
        What it was trained on.
    """
    labels = data.labels
    videos = sorted(labels)
    videos = videos[:: -(-len(videos) // MOST_VIDEOS)]
    names = np.array(model.class_names)
    best = np.array([model.best_scores(data.store.read(video)) for video in videos])
    is_carried = np.array([np.isin(names, labels[video]) for video in videos])
    values = {
        "format": FORMAT_VERSION,
        "training": _identity(load_config(run)),
        "videos": len(videos),
        "shown_from": separating_score(best[is_carried], best[~is_carried]),
        "unit_scores": model.settings.localization.unit_scores,
    }
    write_json(run / SUMMARY_FILE, values)


def shown_score(run: Path, model: TrainedModel | None = None) -> float | None:
    """Return the lowest score that a run's detections are shown with by default.

    It was chosen without true segments: at this score the training videos that carry an
    action are told best from those that do not (`acmnet.scores.separating_score`).

    Parameters
    ----------
    run : Path
        A run, or a checkpoint in it.
    model : TrainedModel, optional
        The run's, where it is used with other settings than it was trained with.

    Returns
    -------
    float or None
        None where nobody knows: the run found none of its actions, was trained by an
        earlier version, was trained on since, or is used with scores on another scale.

    Raises
    ------
    TrainingSummaryError
        If the run's file is damaged.
    """
    values = training_summary(run)
    if values is None or values["shown_from"] is None:
        return None
    if model and model.settings.localization.unit_scores != values["unit_scores"]:
        return None
    return float(values["shown_from"])


def training_summary(run: Path) -> dict[str, Any] | None:
    """Return a run's training summary; None where it has none of its present weights.

    Raises
    ------
    TrainingSummaryError
        If the run's file is damaged.
    """
    path = run / SUMMARY_FILE
    if not path.exists():
        return None
    remedy = "delete it, and detections of every score are shown"
    text = read_text(path, "training summary", TrainingSummaryError, remedy)
    content = parse_json(str(path), text, "training summary", TrainingSummaryError)
    if not (isinstance(content, dict) and _is_whole(content)):
        raise TrainingSummaryError(
            f"{path} is damaged or not written by acmnet; {remedy}"
        )
    is_own = content["training"] == _identity(load_config(run))
    return content if is_own and content["format"] == FORMAT_VERSION else None


def _is_whole(values: dict[str, Any]) -> bool:
    """Whether a training summary has all that this version reads from it."""
    score = values.get("shown_from")
    return (
        {"format", "training", "unit_scores", "shown_from"} <= set(values)
        and isinstance(values["unit_scores"], bool)
        and (score is None or (isinstance(score, float) and np.isfinite(score)))
    )


def _identity(config: CheckpointConfig) -> str:
    """Return a text that another training of the same run would not have."""
    what = [config.seed, config.epoch, config.metrics, config.training.get("seconds")]
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:16]
