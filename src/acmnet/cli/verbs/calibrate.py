"""The verb calibrate: a run's scores become probabilities, by labelled videos."""

from collections.abc import Collection
from pathlib import Path

from acmnet.checkpoints.checkpoint import weights_sha256
from acmnet.cli.options.dotted_settings import (
    RUN_EPILOGUE,
    GivenSettings,
    RecipeSettings,
)
from acmnet.cli.options.shared_options import (
    Device,
    Grid,
    GridOptions,
    JsonPath,
    SkipMissing,
    missing_videos,
    note_reading,
)
from acmnet.cli.terminal.app import app, console, fail_for_left_out, note
from acmnet.cli.terminal.terminal_tables import plain_table
from acmnet.cli.verb_parts.trained_run import loaded, localised, trained_on
from acmnet.data.checks.refusals import DataError
from acmnet.data.features.feature_files import FeatureError
from acmnet.data.labelled_features import Data, DataSource, open_data
from acmnet.evaluation.comparison.tables import Table
from acmnet.evaluation.scoring.truth import reviews_note
from acmnet.evaluation.videos_trained_on import (
    NOT_KNOWN_NOTE,
    taught_note,
    trained_on_note,
)
from acmnet.files.file_access import refuse_unwritable, write_json
from acmnet.messages import counted, some
from acmnet.models.calibration import CalibrationReport, CalibrationTarget, calibrate
from acmnet.models.stored_calibration import (
    CALIBRATION_FILE,
    ClassCalibration,
    write_calibration,
)
from acmnet.models.trained_model import TrainedModel
from acmnet.runs.run_data import grid_of, taught_videos

FEW_CORRECT = 100
"""With fewer correct detections than this, a note says that the numbers are rough."""


@app.command(name="calibrate", help_epilogue=RUN_EPILOGUE)
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
    device: Device = "auto",
    json_path: JsonPath = None,
) -> None:
    """Turn a run's scores into probabilities, and choose a threshold for each class.

    Compares the run's detections with labelled videos and writes calibration.json into
    the run; `acmnet localize` then prints probabilities. Use held-out videos, which the
    run was not trained on: its scores are too high on its training videos. A note tells
    if there are training videos among them. If you chose the run's settings by looking
    at these videos, the probabilities are too high as well, which no note can tell.

    For example: acmnet calibrate --run runs/first --annotations labels.json
    --features features/ --subset validation

    Parameters
    ----------
    run
        Directory that `acmnet train` or `acmnet fit` wrote.
    annotations
        Label file of the held-out videos. If it has segments, a detection is correct
        when it finds one of them; otherwise, when its class is a label of the video.
    features
        Directory with the features of the held-out videos.
    subset
        Use only this subset of the label file.
    tiou
        Smallest overlap at which a detection finds a true segment. The overlap is their
        tIoU: the time that both cover, divided by the time that either covers.
    precision
        Each class's threshold is chosen so that this share of the detections with
        higher scores is correct.
    json_path
        Also write the results to this JSON file, as fractions of 1.
    """
    wanted = CalibrationTarget(tiou, precision)
    refuse_unwritable(json_path, run / CALIBRATION_FILE)
    model = loaded(run, device, settings)
    sha256 = weights_sha256(run)
    known = grid.grid()
    if known is None and model.config is not None:
        known = grid_of(features, model.config)
    source = DataSource(annotations, features, subset, known)
    data = note_reading(open_data(source, note, skip_missing=skip_missing))
    data = _without_taught(model, data)
    _note_trained_on(model, annotations, data.annotations.videos)
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
    _print_calibration(report)
    console.print(f"{path}: acmnet localize --run {run} uses it", markup=False)
    _note_thresholds(report)
    left_out = [*missing_videos(data), *map(str, failures)]
    fail_for_left_out(left_out, len(results))


def _without_taught(model: TrainedModel, data: Data) -> Data:
    """Return the data without the videos whose times the training was given.

    Raises
    ------
    DataError
        If no video is left.
    """
    videos = data.annotations.videos
    taught = taught_videos(model.config, videos) if model.config else []
    if not taught:
        return data
    if len(taught) == len(videos):
        raise DataError(
            f"{data.annotations.source}: the training was given times of every video "
            f"({some(taught)}), so they cannot tell how reliable its scores "
            "are; calibrate on other videos"
        )
    note(taught_note(taught))
    return data.only(set(videos).difference(taught))


def _note_trained_on(
    model: TrainedModel, annotations: Path, videos: Collection[str]
) -> None:
    """Note if the model was trained on the videos, or their labels are its own output.

    Another note tells if the run does not say what it was trained on.
    """
    trained_videos = trained_on(model.config, videos)
    if trained_videos is None:
        note(
            f"{NOT_KNOWN_NOTE}, and so are its probabilities; calibrate on other videos"
        )
    elif trained_videos:
        note(
            f"{trained_on_note(trained_videos, len(videos))}, so calibrate on other "
            "videos"
        )
    reviewed = reviews_note(annotations)
    if reviewed is not None:
        note(reviewed)


def _print_calibration(report: CalibrationReport) -> None:
    """Print how reliable the probabilities are, the thresholds, and what they mean."""
    calibration = report.calibration
    surest = report.bins["surest_after"]
    shown = counted(sum(b.detections for b in surest), "detection")
    title = (
        f"the {shown} with the highest probabilities, as many as there are actions, "
        "by curves fitted on other videos"
    )
    console.print(plain_table(title, _reliability_table(report)))
    title = f"thresholds chosen for a precision of {100 * calibration.precision:g} %"
    console.print(plain_table(title, _threshold_table(report)))
    n_correct = sum(of_class.correct for of_class in calibration.classes.values())
    n_found = sum(of_class.detections for of_class in calibration.classes.values())
    ece = {name: f"{100 * value:.1f} %" for name, value in calibration.ece.items()}
    console.print(
        f"{counted(calibration.videos, 'video')}, {counted(n_found, 'detection')}, "
        f"{n_correct} correct; expected calibration error on videos that no curve was "
        f"fitted on: {ece['before']} before, {ece['after']} after; of the {shown} with "
        f"the highest probabilities {ece['surest_before']} before, "
        f"{ece['surest_after']} after"
    )
    if report.precision is not None:
        console.print(
            f"with these thresholds, on videos that they were not chosen on: precision "
            f"{100 * report.precision:.1f} %, recall {100 * report.recall:.1f} %"
        )
    if calibration.tiou is None:
        console.print(
            "the label file has no segments, so a probability is that of the video "
            "having the label; it says nothing of start and end"
        )
    else:
        console.print(
            f"a probability is that of a detection finding an action at tIoU "
            f"{calibration.tiou:g}"
        )


def _reliability_table(report: CalibrationReport) -> Table:
    """Return a row for each bin of detections with similar probabilities."""
    rows = tuple(
        (f"{b.low:.3f} to {b.high:.3f}", b.probability, b.correct, b.detections)
        for b in report.bins["surest_after"]
    )
    return Table(("probability", "mean %", "correct %", "detections"), rows, {})


def _threshold_table(report: CalibrationReport) -> Table:
    """Return each class's threshold, with its precision and recall."""
    rows = tuple(
        (
            name,
            of_class.detections,
            of_class.correct,
            _threshold(of_class),
            of_class.precision,
            of_class.recall,
        )
        for name, of_class in report.calibration.classes.items()
    )
    columns = ("class", "detections", "correct", "score", "precision %", "recall %")
    return Table(columns, rows, {})


def _threshold(of_class: ClassCalibration) -> str | None:
    """Return a class's threshold as text, or why it has none."""
    if of_class.threshold is not None:
        return f"{of_class.threshold:.4g}"
    words = {"everything": "would keep every video", "nothing": "never precise enough"}
    return words.get(of_class.refused or "nothing")


def _note_thresholds(report: CalibrationReport) -> None:
    """Note which classes have no threshold, and what makes the numbers rough."""
    calibration = report.calibration
    refused = {name: x.refused for name, x in calibration.classes.items() if x.refused}
    never = [name for name, why in refused.items() if why == "nothing"]
    always = [name for name, why in refused.items() if why == "everything"]
    of_all = f"of {counted(len(calibration.classes), 'class')}"
    if never:
        note(
            f"{len(never)} {of_all} have no threshold, because no score reaches "
            f"precision {calibration.precision:g}; localize --operating-point drops "
            f"all detections of these: {some(never)}"
        )
    if always:
        note(
            f"{len(always)} {of_all} have no threshold, so localize --operating-point "
            f"drops all detections of these: {some(always)}. So many videos have the "
            "label that keeping every video reaches precision "
            f"{calibration.precision:g}, whatever the scores are. Give a higher "
            "--precision, or true segments"
        )
    n_correct = sum(of_class.correct for of_class in calibration.classes.values())
    if n_correct < FEW_CORRECT:
        note(f"only {counted(n_correct, 'correct detection')}: the numbers are rough")
    if report.left_out:
        note(
            f"{counted(len(report.left_out), 'video')} left out, because a label of "
            "theirs has no segment, while other videos have segments: "
            f"{some(report.left_out)}"
        )
