"""The verb calibrate: what a run's scores are worth, measured on labelled videos."""

from pathlib import Path

from acmnet.checkpoint import weights_sha256
from acmnet.cli.app import app, console, fail_for_left_out, note
from acmnet.cli.applying import loaded, localised
from acmnet.cli.options import Grid, GridOptions, JsonPath
from acmnet.console import plain_table
from acmnet.evaluation.tables import Table
from acmnet.features import FeatureError
from acmnet.files import write_json
from acmnet.pipeline.calibrated import write_calibration
from acmnet.pipeline.calibrating import (
    CalibrationReport,
    Wanted,
    calibrate,
)
from acmnet.pipeline.data import DataSource, open_data
from acmnet.pipeline.run_data import grid_of, training_videos
from acmnet.pipeline.trained import TrainedModel
from acmnet.wording import some

FEW_CORRECT = 100
"""Below this many correct detections, the figures are rough."""


@app.command(name="calibrate")
def calibrate_command(
    *,
    run: Path,
    annotations: Path,
    features: Path,
    subset: str | None = None,
    tiou: float = 0.5,
    precision: float = 0.7,
    grid: Grid = GridOptions(),
    device: str = "auto",
    json_path: JsonPath = None,
) -> None:
    """Turn a run's scores into probabilities, with a threshold for each class.

    Writes calibration.json into the run; `acmnet localize` then uses it. Give videos
    that the run was not trained on: on those it is too sure. Training videos among
    them are named; whether the run's settings were chosen on them, nothing can tell.

    Parameters
    ----------
    run
        Directory that `acmnet train` or `acmnet fit` wrote.
    annotations
        Labels of held-out videos. With segments, a detection is correct when it finds
        one; without any, when its class is among the video's labels.
    features
        Directory with their features.
    subset
        Only this subset of the annotations.
    tiou
        From which a segment is found.
    precision
        Wanted from each class's threshold on.
    device
        "auto", "cpu" or "cuda".
    json_path
        Also write the figures here, as fractions of 1.
    """
    wanted = Wanted(tiou, precision)
    model = loaded(run, device)
    sha256 = weights_sha256(run)
    known = grid.grid()
    if known is None and model.config is not None:
        known = grid_of(features, model.config)
    data = open_data(DataSource(annotations, features, subset, known), note)
    _warn_of_training_videos(model, set(data.annotations.videos))
    failures: list[FeatureError] = []
    results = localised(model, data, failures.append)
    report = calibrate(
        results,
        data.annotations,
        wanted,
        model_sha256=sha256,
        localization=model.settings.localization,
    )
    path = write_calibration(run, report.calibration)
    if json_path is not None:
        write_json(json_path, report.to_json())
    _tell(report)
    console.print(f"{path}: acmnet localize --run {run} uses it", markup=False)
    _remark(report)
    fail_for_left_out(list(map(str, failures)), len(results))


def _warn_of_training_videos(model: TrainedModel, videos: set[str]) -> None:
    """Say when the model has seen the videos, or when nobody knows."""
    known = None if model.config is None else training_videos(model.config)
    if known is None:
        note(
            "the run's label file is gone or changed: make sure that these are no "
            "training videos, on which a model is too sure"
        )
        return
    seen = sorted(videos & known)
    if seen:
        note(
            f"the run was trained on {len(seen)} of these {len(videos)} videos, on "
            f"which it is too sure: {some(seen)}; calibrate on others"
        )


def _tell(report: CalibrationReport) -> None:
    """Print the reliability, the thresholds and what a probability is about."""
    found = report.calibration
    surest = report.bins["surest_after"]
    title = (
        f"the {sum(b.detections for b in surest)} surest detections, as many as there "
        "is to find, by curves fitted on other videos"
    )
    console.print(plain_table(title, _reliability_table(report)))
    title = f"from the score on that should give {100 * found.precision:g} % precision"
    console.print(plain_table(title, _threshold_table(report)))
    n_correct = sum(own.correct for own in found.classes.values())
    n_found = sum(own.detections for own in found.classes.values())
    ece = {name: f"{100 * value:.1f} %" for name, value in found.ece.items()}
    console.print(
        f"{found.videos} videos, {n_found} detections, {n_correct} correct; expected "
        f"calibration error {ece['before']} before, {ece['after']} after; of the "
        f"surest {ece['surest_before']} before, {ece['surest_after']} after, on videos "
        "not fitted on"
    )
    if report.precision is not None:
        console.print(
            f"at the thresholds, on videos not fitted on: precision "
            f"{100 * report.precision:.1f} %, recall {100 * report.recall:.1f} %"
        )
    if found.tiou is None:
        console.print(
            "a probability is that the video has the label: there are no segments, so "
            "it says nothing of boundaries"
        )
    else:
        console.print(
            f"a probability is that an action is found at tIoU {found.tiou:g}"
        )


def _reliability_table(report: CalibrationReport) -> Table:
    """Return a row for each bin of about equal probability."""
    rows = tuple(
        (f"{b.low:.3f} to {b.high:.3f}", b.probability, b.correct, b.detections)
        for b in report.bins["surest_after"]
    )
    return Table(("probability", "mean %", "correct %", "detections"), rows, {})


def _threshold_table(report: CalibrationReport) -> Table:
    """Return a row for each class."""
    rows = tuple(
        (
            name,
            own.detections,
            own.correct,
            None if own.threshold is None else f"{own.threshold:.4g}",
            own.precision,
            own.recall,
        )
        for name, own in report.calibration.classes.items()
    )
    columns = ("class", "detections", "correct", "score", "precision %", "recall %")
    return Table(columns, rows, {})


def _remark(report: CalibrationReport) -> None:
    """Tell what else a reader must know."""
    found = report.calibration
    never = [name for name, own in found.classes.items() if own.threshold is None]
    if never:
        note(
            f"{len(never)} of {len(found.classes)} classes never reach precision "
            f"{found.precision:g}, so localize --operating-point keeps nothing of "
            f"them: {some(never)}"
        )
    n_correct = sum(own.correct for own in found.classes.values())
    if n_correct < FEW_CORRECT:
        note(f"only {n_correct} correct detections: the figures are rough")
    if report.left_out:
        note(
            f"{len(report.left_out)} videos were left out, as a label of theirs has "
            f"no segment: {some(report.left_out)}"
        )
