"""The calibration file of a run: write it, read it, apply it to detections."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np

from acmnet.checkpoints.checkpoint import weights_sha256
from acmnet.checkpoints.exported_file import note_of
from acmnet.files.file_access import digest_of, write_json
from acmnet.files.strict_json import parse_json
from acmnet.localization.localization_settings import LocalizationSettings
from acmnet.models.calibration_curves import Curve
from acmnet.recipes.older_settings import modernised
from acmnet.segments import Detections

CALIBRATION_FILE: Final = "calibration.json"
FORMAT_VERSION: Final = 1

Kind = Literal["segments", "labels"]
Refused = Literal["nothing", "everything"]
"""Why a class has no operating point: no score reaches the precision, or one that keeps
a detection in every video does, so that the scores decide nothing."""
OLDER_SETTINGS: Final = {"unit_scores": False}
"""Settings of localisation that calibrations of older versions did not store."""
CALIBRATE_AGAIN: Final = "run acmnet calibrate again, or give --no-calibration"


class CalibrationError(ValueError):
    """Nothing to calibrate on, or a calibration that does not fit the run."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class ClassCalibration:
    """How reliable the scores of one class are."""

    curve: Curve
    threshold: float | None
    """Lowest score, before calibration, of the detections that reach the wanted
    precision; None where the class has no operating point."""
    detections: int
    correct: int
    targets: int
    precision: float | None
    """Precision at the operating point, cross-fitted; None where no detection is
    kept."""
    recall: float | None
    """Recall at the operating point, cross-fitted; None where nothing is to be
    found."""
    refused: Refused | None = None
    """Why the class has no threshold; None where it has one."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Calibration:
    """How reliable a run's scores are: the content of ``calibration.json``."""

    kind: Kind
    """What makes a detection correct: "segments" if it must find a true segment,
    "labels" if its video must carry its label."""
    tiou: float | None
    """The tIoU from which a detection finds a true segment; None where only labels are
    known."""
    precision: float
    """The precision that was wanted at the operating point, in ``(0, 1)``."""
    classes: Mapping[str, ClassCalibration]
    """The calibration of each class by its name, in the order of the run's classes."""
    videos: int
    ece: Mapping[str, float]
    """Expected calibration error by the names of `CalibrationReport.bins`."""
    source: str
    """The annotations and subset that it was made on, for people to read."""
    model_sha256: str
    localization: Mapping[str, Any]
    """The settings of localisation that the scores were made with."""

    def to_json(self) -> dict[str, Any]:
        """Return plain values, as `read_calibration` takes them."""
        values = dataclasses.asdict(self)
        for name, of_class in values["classes"].items():
            curve = self.classes[name].curve
            of_class["curve"] = [curve.score.tolist(), curve.probability.tolist()]
        return {"format": FORMAT_VERSION, **values}

    @property
    def has_operating_point(self) -> bool:
        """Whether any class has a threshold."""
        return any(known.threshold is not None for known in self.classes.values())

    def apply(
        self, detections: Detections, *, operating_point: bool = False
    ) -> Detections:
        """Return one video's detections with probabilities for scores.

        Parameters
        ----------
        detections : Detections
            Detections of the run's classes.
        operating_point : bool
            Whether to drop detections below their class's threshold; a class without
            one loses all.
        """
        probability = np.empty(len(detections))
        kept = np.ones(len(detections), dtype=np.bool_)
        for c in np.unique(detections.class_index).tolist():
            of_class = detections.class_index == c
            known = self.classes[detections.class_names[c]]
            probability[of_class] = known.curve.strictly_at(detections.score[of_class])
            if operating_point:
                least = np.inf if known.threshold is None else known.threshold
                kept[of_class] = detections.score[of_class] >= least
        return Detections(
            start_s=detections.start_s[kept],
            end_s=detections.end_s[kept],
            score=probability[kept],
            class_index=detections.class_index[kept],
            class_names=detections.class_names,
        )


def write_calibration(run: Path, calibration: Calibration) -> Path:
    """Write a calibration into its run, whole or not at all; return its path."""
    path = run / CALIBRATION_FILE
    values = calibration.to_json()
    write_json(path, values | {"sha256": digest_of(values)})
    return path


def read_calibration(
    run: Path, localization: LocalizationSettings
) -> Calibration | None:
    """Return the calibration that lies in a run; None where there is none.

    Raises
    ------
    CalibrationError
        If it is damaged, or of other weights or settings than the run is used with.
    """
    path = run / CALIBRATION_FILE
    text = note_of(
        run, CALIBRATION_FILE, "calibration", CalibrationError, CALIBRATE_AGAIN
    )
    if text is None:
        return None
    content = parse_json(str(path), text, "calibration", CalibrationError)
    calibration = _parsed(path, content)
    if calibration.model_sha256 != weights_sha256(run):
        raise CalibrationError(
            f"{path} is of other weights than those of {run} (SHA-256 "
            f"{calibration.model_sha256[:12]}...): {CALIBRATE_AGAIN}"
        )
    used = plain_settings(localization)
    stored = modernised({"localization": calibration.localization})["localization"]
    for name, value in used.items():
        before = stored.get(name, OLDER_SETTINGS.get(name))
        if before != value:
            raise CalibrationError(
                f"{path} was made with localization.{name} = {before!r}, now it is "
                f"{value!r}, which gives other scores: {CALIBRATE_AGAIN}"
            )
    return calibration


def _parsed(path: Path, content: Any) -> Calibration:
    """Return the calibration in the JSON of a file."""
    try:
        values = dict(content)
        recorded = values.pop("sha256", None)
        if recorded is not None and recorded != digest_of(values):
            raise CalibrationError(
                f"{path} is not as it was written: its sha256 is of other values; "
                f"{CALIBRATE_AGAIN}"
            )
        version = values.pop("format")
        if version > FORMAT_VERSION:
            raise CalibrationError(
                f"{path} has calibration format {version}, this acmnet reads up to "
                f"{FORMAT_VERSION}; install a newer acmnet"
            )
        values["classes"] = {
            name: ClassCalibration(
                **of_class
                | {"curve": Curve(*np.array(of_class["curve"], dtype=np.float64))}
            )
            for name, of_class in values["classes"].items()
        }
        return Calibration(**values)
    except CalibrationError:
        raise
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise CalibrationError(
            f"{path} is damaged or not written by acmnet ({error}): {CALIBRATE_AGAIN}"
        ) from error


def plain_settings(localization: LocalizationSettings) -> dict[str, Any]:
    """Return settings of localisation as plain values, as JSON gives them back."""
    values: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(localization)))
    return values
