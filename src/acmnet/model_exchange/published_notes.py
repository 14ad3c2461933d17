"""A run's notes as they are published with a model: without names of videos and paths.

A model that is handed to others says how it was trained and how its scores are meant.
Names of videos, their labels and times, and paths of this machine stay with the run.
"""

import dataclasses
import json
from pathlib import Path, PurePath
from typing import Any, Final

from acmnet.checkpoints.checkpoint_config import CheckpointConfig, config_values
from acmnet.files.file_access import digest_of
from acmnet.files.strict_json import parse_json
from acmnet.files.text_files import read_text
from acmnet.models.stored_calibration import CALIBRATION_FILE, CalibrationError
from acmnet.models.training_summary import SUMMARY_FILE, training_summary
from acmnet.runs.run_data import (
    TAUGHT_DIGESTS,
    TRAINED_ON_DIGESTS,
    name_digest,
    training_videos,
)

PRIVATE_KEYS: Final = (
    *("annotations", "features", "features_from_run", "left_out", "begun_from"),
    "earlier_videos",
)
"""What ``training`` of a checkpoint's config says of paths and of single videos."""


def published(config: CheckpointConfig) -> CheckpointConfig:
    """Return a checkpoint's config without names of videos and paths.

    Digests take the place of the names of training videos, so that a user can be warned
    who scores the model on one of these videos.
    """
    training = {k: v for k, v in config.training.items() if k not in PRIVATE_KEYS}
    known = training_videos(config)
    if known is not None:
        training[TRAINED_ON_DIGESTS] = sorted(map(name_digest, known))
    if config.taught_times:
        training[TAUGHT_DIGESTS] = sorted(map(name_digest, config.taught_times))
    return dataclasses.replace(
        config,
        recipe=PurePath(config.recipe).name,
        training=training,
        trained_on=None,
        taught_times={},
    )


def config_text(config: CheckpointConfig) -> str:
    """Return a published config as the JSON of a ``config.json``."""
    return json.dumps(config_values(published(config)), ensure_ascii=False)


def published_notes(run: Path) -> dict[str, str]:
    """Return the texts of the run's small files that localisation looks at, by name.

    Raises
    ------
    CalibrationError, TrainingSummaryError
        If one is damaged.
    """
    notes = {}
    if (run / CALIBRATION_FILE).exists():
        notes[CALIBRATION_FILE] = json.dumps(_calibration(run / CALIBRATION_FILE))
    summary = training_summary(run)
    if summary is not None:
        notes[SUMMARY_FILE] = json.dumps(summary)
    return notes


def _calibration(path: Path) -> dict[str, Any]:
    """Return the values of a calibration; its label file without its folder."""
    again = "run acmnet calibrate again"
    text = read_text(path, "calibration", CalibrationError, again)
    values = parse_json(str(path), text, "calibration", CalibrationError)
    if not isinstance(values, dict):
        raise CalibrationError(f"{path} is no calibration; {again}")
    values["source"] = PurePath(str(values.get("source", ""))).name
    return values | {"sha256": digest_of(values)}
