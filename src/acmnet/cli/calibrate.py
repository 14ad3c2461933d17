"""The verb calibrate: what a run's scores are worth, measured on labelled videos."""

from collections.abc import Collection
from pathlib import Path

from acmnet.cli.app import app, console, fail_for_left_out, note
from acmnet.cli.data_options import (
    Grid,
    GridOptions,
    JsonPath,
    SkipMissing,
    missing_videos,
    told,
)
from acmnet.cli.dotted_settings import GivenSettings, RecipeSettings
from acmnet.cli.terminal_tables import plain_table
from acmnet.cli.trained_run import loaded, localised, trained_on
from acmnet.data.feature_files import FeatureError
from acmnet.data.labelled_features import DataSource, open_data
from acmnet.data.videos_trained_on import UNKNOWN, seen_note
from acmnet.evaluation.tables import Table
from acmnet.evaluation.truth import reviews_note
from acmnet.files import refuse_unwritable, write_json
from acmnet.messages import counted, some
from acmnet.pipeline.calibration import CalibrationReport, Wanted, calibrate
from acmnet.pipeline.run_data import grid_of
from acmnet.pipeline.stored_calibration import ClassCalibration, write_calibration
from acmnet.pipeline.trained_model import TrainedModel
from acmnet.training.checkpoint import weights_sha256

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
    skip_missing: SkipMissing = False,
    settings: GivenSettings = RecipeSettings(),
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
    skip_missing
        Leave out videos that have no features, as in a partial release of features.
    device
        "auto", "cpu" or "cuda".
    json_path
        Also write the figures here, as fractions of 1.
    """
    wanted = Wanted(tiou, precision)
    refuse_unwritable(json_path)
    model = loaded(run, device, settings)
    sha256 = weights_sha256(run)
    known = grid.grid()
    if known is None and model.config is not None:
        known = grid_of(features, model.config)
    source = DataSource(annotations, features, subset, known)
    data = told(open_data(source, note, skip_missing=skip_missing))
    _warn(model, annotations, data.annotations.videos)
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
    left_out = [*missing_videos(data), *map(str, failures)]
    fail_for_left_out(left_out, len(results))


def _warn(model: TrainedModel, annotations: Path, videos: Collection[str]) -> None:
    """Say when the model has seen the videos, or made their truth, or nobody knows."""
    seen = trained_on(model.config, videos)
    if seen is None:
        note(f"{UNKNOWN}, and so are its probabilities; calibrate on others")
    elif seen:
        note(f"{seen_note(seen, len(videos))}, so calibrate on others")
    reviewed = reviews_note(annotations)
    if reviewed is not None:
        note(reviewed)


def _tell(report: CalibrationReport) -> None:
    """Print the reliability, the thresholds and what a probability is about."""
    found = report.calibration
    surest = report.bins["surest_after"]
    shown = counted(sum(b.detections for b in surest), "detection")
    title = (
        f"the surest {shown}, as many as there is to find, by curves fitted on other "
        "videos"
    )
    console.print(plain_table(title, _reliability_table(report)))
    title = f"from the score on that should give {100 * found.precision:g} % precision"
    console.print(plain_table(title, _threshold_table(report)))
    n_correct = sum(own.correct for own in found.classes.values())
    n_found = sum(own.detections for own in found.classes.values())
    ece = {name: f"{100 * value:.1f} %" for name, value in found.ece.items()}
    console.print(
        f"{counted(found.videos, 'video')}, {counted(n_found, 'detection')}, "
        f"{n_correct} correct; expected "
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
            _threshold(own),
            own.precision,
            own.recall,
        )
        for name, own in report.calibration.classes.items()
    )
    columns = ("class", "detections", "correct", "score", "precision %", "recall %")
    return Table(columns, rows, {})


def _threshold(own: ClassCalibration) -> str | None:
    """Return a class's threshold, or why there is none."""
    if own.threshold is not None:
        return f"{own.threshold:.4g}"
    words = {"everything": "would keep every video", "nothing": "never reached"}
    return words.get(own.refused or "nothing")


def _remark(report: CalibrationReport) -> None:
    """Tell what else a reader must know."""
    found = report.calibration
    refused = {name: x.refused for name, x in found.classes.items() if x.refused}
    never = [name for name, why in refused.items() if why == "nothing"]
    always = [name for name, why in refused.items() if why == "everything"]
    of_all = f"of {counted(len(found.classes), 'class')}"
    if never:
        note(
            f"no score of {len(never)} {of_all} reaches precision "
            f"{found.precision:g}, so localize --operating-point keeps nothing of "
            f"these: {some(never)}"
        )
    if always:
        note(
            f"{len(always)} {of_all} have no threshold, so localize --operating-point "
            f"keeps nothing of these: {some(always)}. So many videos carry the label "
            f"that keeping every video reaches precision {found.precision:g}: the "
            "scores decide nothing. Give a higher --precision, or true segments"
        )
    n_correct = sum(own.correct for own in found.classes.values())
    if n_correct < FEW_CORRECT:
        note(f"only {counted(n_correct, 'correct detection')}: the figures are rough")
    if report.left_out:
        note(
            f"{counted(len(report.left_out), 'video')} left out, because a label there "
            f"has no segment while other videos have them: {some(report.left_out)}"
        )
