"""Summarise the training videos of a run once, for the commands that use the run later.

The summary is made when training ends, from features and video-level labels alone. It
has the score from which detections are shown, and statistics of the features, by which
videos that are unlike the training videos are recognised.
"""

import hashlib
import json
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from acmnet.checkpoints.checkpoint import load_config
from acmnet.checkpoints.exported_file import note_of
from acmnet.data.features.feature_files import FeatureError
from acmnet.data.labelled_features import Data
from acmnet.files.file_access import write_json
from acmnet.files.strict_json import parse_json
from acmnet.localization.detection_scores import separating_score
from acmnet.messages import some
from acmnet.models.feature_likeness import Likeness
from acmnet.models.trained_model import TrainedModel
from acmnet.recipes import Settings
from acmnet.segments import Detections

SUMMARY_FILE: Final = "training_summary.json"
FORMAT_VERSION: Final = 1
MOST_VIDEOS: Final = 500
"""Largest number of training videos that are read, evenly spread over all of them."""


class TrainingSummaryError(ValueError):
    """A run's training summary that cannot be read; the message names the file."""


def summarize_training(
    run: Path, model: TrainedModel, data: Data
) -> dict[str, Detections]:
    """Summarise the training videos and keep the summary in the run.

    Parameters
    ----------
    run : Path
        Directory of the run; its training is finished.
    model : TrainedModel
        The run's model, with the settings that it was trained with.
    data : Data
        The videos and labels that it was trained on.

    Returns
    -------
    dict of video id to Detections
        What the model finds in the videos that were read.
    """
    labels = data.labels
    videos = sorted(labels)
    videos = videos[:: -(-len(videos) // MOST_VIDEOS)]
    names = np.array(model.class_names)
    found: dict[str, Detections] = {}
    scores = []

    def looked_at(video: str) -> npt.NDArray[np.floating]:
        features = data.store.read(video)
        cuts_s = data.store.cuts_s(video)
        found[video], best = model.found_and_best(features, cuts_s=cuts_s)
        scores.append(best)
        return features.numpy()

    likeness = Likeness.of(map(looked_at, videos))
    best = np.array(scores)
    is_carried = np.array([np.isin(names, labels[video]) for video in videos])
    values = {
        "format": FORMAT_VERSION,
        "training": training_stamp(run),
        "videos": len(videos),
        "shown_from": separating_score(best[is_carried], best[~is_carried]),
        "unit_scores": model.settings.localization.unit_scores,
        "features": None if likeness is None else likeness.to_json(),
    }
    write_json(run / SUMMARY_FILE, values)
    return found


def shown_score(run: Path, used: Settings | None = None) -> float | None:
    """Return the lowest score that a run's detections are shown with by default.

    It was chosen without true segments: this score best separates the training videos
    with an action from those without it, see
    `acmnet.localization.detection_scores.separating_score`.

    Parameters
    ----------
    run : Path
        A run, or a checkpoint in it.
    used : Settings, optional
        Settings that the run is used with, if they may differ from those that it was
        trained with.

    Returns
    -------
    float or None
        None where it is not known: the run found none of its actions, was trained by an
        earlier version, was trained on since, or is used with scores on another scale.

    Raises
    ------
    TrainingSummaryError
        If the run's file is damaged.
    """
    values = training_summary(run)
    if values is None or values["shown_from"] is None:
        return None
    if used and used.localization.unit_scores != values["unit_scores"]:
        return None
    return float(values["shown_from"])


def unlike_training(run: Path, data: Data, most: int = MOST_VIDEOS) -> str | None:
    """Return a warning of videos that are unlike those that a run was trained on.

    A video is unlike them if the mean of its features is more than twice as far from
    theirs as 95 % of theirs are from each other (`acmnet.models.feature_likeness`).

    Parameters
    ----------
    run : Path
        A run, or a checkpoint in it.
    data : Data
        The videos. Those that the run was trained on are passed over.
    most : int
        Most videos that are looked at, evenly spread over the others; from 1.

    Returns
    -------
    str or None
        One sentence that names the videos; None where there are none, or where the run
        does not know, as it was trained by an earlier version.
    """
    values = training_summary(run)
    if values is None or values.get("features") is None:
        return None
    known = Likeness.from_json(values["features"])
    if data.store.dimension != len(known.mean):
        return None
    seen = frozenset(load_config(run).trained_on or ())
    videos = [video for video in data.annotations.videos if video not in seen]
    looked_at = videos[:: -(-len(videos) // most) or 1]
    unlike = [video for video in looked_at if _is_unlike(known, data, video)]
    if not unlike:
        return None
    return (
        "these videos look unlike those that the run was trained on "
        f"({len(unlike)} of {len(looked_at)} looked at): {some(unlike)}; check what is "
        "found there before you trust it, or train on videos like them"
    )


def _is_unlike(known: Likeness, data: Data, video: str) -> bool:
    try:
        return known.is_unlike(data.store.read(video).numpy())
    except FeatureError:
        return False  # the code that uses the video reports what is wrong with it


def training_summary(run: Path) -> dict[str, Any] | None:
    """Return a run's training summary; None where it has none of its present weights.

    Raises
    ------
    TrainingSummaryError
        If the run's file is damaged.
    """
    path = run / SUMMARY_FILE
    remedy = "delete it, and detections of every score are shown"
    kind = "training summary"
    text = note_of(run, SUMMARY_FILE, kind, TrainingSummaryError, remedy)
    if text is None:
        return None
    content = parse_json(str(path), text, kind, TrainingSummaryError)
    if not (isinstance(content, dict) and _is_whole(content)):
        raise TrainingSummaryError(
            f"{path} is damaged or not written by acmnet; {remedy}"
        )
    is_own = content["training"] == training_stamp(run)
    return content if is_own and content["format"] == FORMAT_VERSION else None


def _is_whole(values: dict[str, Any]) -> bool:
    """Whether a training summary has everything that this version reads from it."""
    score = values.get("shown_from")
    try:
        if values.get("features") is not None:
            Likeness.from_json(values["features"])
    except ValueError:
        return False
    return (
        {"format", "training", "unit_scores", "shown_from"} <= set(values)
        and isinstance(values["unit_scores"], bool)
        and (score is None or (isinstance(score, float) and np.isfinite(score)))
    )


def training_stamp(run: Path) -> str:
    """Return a text that differs between trainings of the same run."""
    config = load_config(run)
    what = [config.seed, config.epoch, config.metrics, config.training.get("seconds")]
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:16]
