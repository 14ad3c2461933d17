"""The verb localize: with a trained run, or with Kinetics-400 classes and no run."""

import contextlib
import dataclasses
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Final, NamedTuple

from cyclopts import Parameter

from acmnet.cli.app import UsageError, app, errors, fail_for_left_out, note, quiet
from acmnet.cli.dotted_settings import GivenSettings, RecipeSettings
from acmnet.cli.localize_outputs import Given, OutputOptions, features_beside, put_out
from acmnet.cli.progress import ExtractionBar, counting
from acmnet.cli.shared_options import (
    Grid,
    GridOptions,
    SkipMissing,
    missing_videos,
    note_reading,
)
from acmnet.cli.trained_run import (
    loaded,
    localised,
    note_unlike,
    refuse_nothing_left,
    trained_on,
)
from acmnet.data.detection_output import Output
from acmnet.data.failed_videos import Failure
from acmnet.data.feature_files import FeatureError
from acmnet.data.labelled_features import Data, DataSource, open_data, unlabelled
from acmnet.data.videos_trained_on import KEY
from acmnet.extraction.extractors import ExtractionSettings
from acmnet.extraction.i3d_weights import load_i3d
from acmnet.extraction.shipped_extractors import RGB_WEIGHTS
from acmnet.extraction.video_search import find_recordings
from acmnet.extraction.worker_engines import cores
from acmnet.pipeline import kinetics_zero_shot
from acmnet.pipeline.extracted_videos import extracted_data, extraction_of
from acmnet.pipeline.fit_request import Hooks
from acmnet.pipeline.nothing_found import why_nothing
from acmnet.pipeline.run_data import grid_of
from acmnet.pipeline.run_request import LAST
from acmnet.pipeline.stored_calibration import (
    CALIBRATION_FILE,
    Calibration,
    CalibrationError,
    read_calibration,
)
from acmnet.pipeline.trained_model import TrainedModel
from acmnet.pipeline.training_run import join_processes
from acmnet.pipeline.training_summary import shown_score
from acmnet.recipes import Settings
from acmnet.segments import Detections
from acmnet.training.checkpoint import load_config

LIKELY: Final = 0.5
"""The probability from which calibrated detections are shown: more often right than
not."""


@dataclasses.dataclass(frozen=True)
class SourceOptions:
    """Where the features of the videos are, or go."""

    features: Path | None = None
    """Directory with the videos' features; beside video files, where theirs are kept
    (OUT.features when left out)."""
    annotations: Path | None = None
    "Label file that names the videos; all videos with features when left out."
    subset: str | None = None
    "Only this subset of the annotations."
    grid: Grid = GridOptions()
    skip_missing: SkipMissing = False
    "Leave out videos of the annotations that have no features."
    workers: int = cores()
    "Processes that extract the features of video files."
    extractor: str | None = None
    """module:Class that the run's features were extracted with, to say that you trust
    it: a class of your own runs only if it is named here, or is a line of
    ~/.config/acmnet/trusted_extractors."""
    retry_failed: Annotated[bool, Parameter(negative=())] = False
    "Try video files again that could not be read before."


Source = Annotated[SourceOptions, Parameter(name="*")]


@dataclasses.dataclass(frozen=True)
class CalibrationOptions:
    """Whether scores become probabilities, as `acmnet calibrate` found them."""

    calibration: bool = True
    """Use the calibration that lies in the run, if one does: scores become
    probabilities, in the same order in each class, perhaps another across classes."""
    operating_point: Annotated[bool, Parameter(negative=())] = False
    "Drop detections below their class's calibrated threshold."


Calibrated = Annotated[CalibrationOptions, Parameter(name="*")]


@app.command
def localize(
    videos: Annotated[list[Path] | None, Parameter(negative=())] = None,
    *,
    run: Path | None = None,
    kinetics: Annotated[bool, Parameter(negative=())] = False,
    given: Given = OutputOptions(),
    top_classes: int = kinetics_zero_shot.TOP,
    classes: Annotated[list[str] | None, Parameter(negative=())] = None,
    source: Source = SourceOptions(),
    calibrated: Calibrated = CalibrationOptions(),
    settings: GivenSettings = RecipeSettings(),
    device: str = "auto",
) -> None:
    """Find actions in videos, in seconds: with a trained run, or with no training.

    Parameters
    ----------
    videos
        Video files or folders of them; their features are extracted as the run's were.
    run
        Directory that `acmnet train` or `acmnet fit` wrote, or any checkpoint in it.
    kinetics
        Find the 400 actions of Kinetics by I3D's own head instead of a run's.
    top_classes
        With --kinetics: at most this many classes a video.
    classes
        With --kinetics: only these, separated by commas or given several times.
    device
        "auto", "cpu" or "cuda".
    """
    if (run is None) != kinetics:
        raise UsageError("give --run for a trained model, or --kinetics for none")
    if videos and source.annotations:
        raise UsageError("--annotations names videos by their features: leave it out")
    if not videos and source.features is None:
        raise UsageError("name video files, or a directory of --features")
    if calibrated.operating_point and (kinetics or not calibrated.calibration):
        raise UsageError("--operating-point needs a run and its calibration")
    outputs = given.outputs()
    where = join_processes(device)
    chosen = kinetics_zero_shot.only(classes, top_classes) if kinetics else None
    extraction = kinetics_zero_shot.EXTRACTION
    if run is not None and videos:
        extraction = extraction_of(run, source.extractor)
    if videos:
        files = find_recordings(videos, extraction.extractor)
        _refuse_outputs(outputs, len(files))
    beside = features_beside(outputs)
    with _data(videos or [], source, run, beside, extraction, where) as (data, broken):
        _refuse_outputs(outputs, len(data.annotations.videos))
        if chosen is not None:
            found = _by_kinetics(data, chosen, settings)
        else:
            model = loaded(run or Path(), where, settings)
            found = _by_run(model, run or Path(), data, calibrated)
        missing = [] if videos else missing_videos(data)
    put_out(found.results, given, outputs, found.from_score, found.used)
    left_out = [*missing, *(f"{x.video}: {x.reason}" for x in broken)]
    fail_for_left_out([*map(str, found.failures), *left_out], len(found.results))


class _Found(NamedTuple):
    """What was found in the videos."""

    results: Mapping[str, Detections]
    failures: list[FeatureError]
    """Of videos that were left out."""
    used: dict[str, object]
    """What results JSON says of how they were found."""
    from_score: float | None
    """Where tables start; None for everything."""


@contextlib.contextmanager
def _data(
    videos: list[Path],
    source: SourceOptions,
    run: Path | None,
    beside: Path | None,
    extraction: ExtractionSettings,
    device: str,
) -> Iterator[tuple[Data, tuple[Failure, ...]]]:
    """Open features, extracting them first where video files were named."""
    if not videos:
        yield _stored(source, run), ()
        return
    with tempfile.TemporaryDirectory(prefix="acmnet-") as scratch:
        features = source.features or beside or Path(scratch)
        with ExtractionBar(errors, silent=quiet()) as bar:
            yield extracted_data(
                videos,
                features,
                extraction,
                source.workers,
                Hooks(on_note=note, on_video=bar.video, on_working=bar.working),
                device,
                retry_failed=source.retry_failed,
            )


def _refuse_outputs(outputs: list[Output], n_videos: int) -> None:
    """Refuse, before the work begins, files that cannot be written or hold them all."""
    for output in outputs:
        output.refuse(n_videos)


def _stored(source: SourceOptions, run: Path | None) -> Data:
    """Open a directory of features, with the videos that a label file names.

    Features that do not say their grid are taken to be on the run's.
    """
    directory, grid = source.features or Path(), source.grid.grid()
    if grid is None and run is not None:
        grid = grid_of(directory, load_config(run))
    where = DataSource(source.annotations or Path(), directory, source.subset, grid)
    if not source.annotations:
        return unlabelled(where)
    on_left_out = note if source.skip_missing else None
    return note_reading(open_data(where, on_left_out, skip_missing=source.skip_missing))


def _by_run(
    model: TrainedModel, run: Path, data: Data, options: CalibrationOptions
) -> _Found:
    """Localise with a trained model."""
    calibration = _calibration(run, model, options)
    failures: list[FeatureError] = []
    results = localised(model, data, failures.append)
    reason = why_nothing(model, data, results)
    if reason is not None:
        note(reason)
    used: dict[str, object] = {
        "used": True,
        "details": f"features in {data.source.features}",
        KEY: trained_on(model.config, results),
    }
    if model.config is not None and model.config.selection != LAST:
        used["checkpoint_chosen_on"] = model.config.selection
        note(f"the checkpoint of {run} was chosen on the {model.config.selection}")
    note_unlike(run, data)
    from_score = shown_score(run, model.settings)
    if calibration is not None:
        point = options.operating_point
        from_score = None if point else LIKELY
        results = {
            video: calibration.apply(found, operating_point=point)
            for video, found in results.items()
        }
        used["calibration"] = _said(calibration, point)
        if reason is None and not any(map(len, results.values())):
            note(
                "no detection reaches its class's calibrated threshold: leave out "
                "--operating-point to see all"
            )
    if from_score is not None:
        used["shown_from"] = from_score
    return _Found(results, failures, used, from_score)


def _calibration(
    run: Path, model: TrainedModel, options: CalibrationOptions
) -> Calibration | None:
    """Return the run's calibration where it is there and wanted; say what it means."""
    if not options.calibration:
        return None
    found = read_calibration(run, model.settings.localization)
    if found is not None:
        if options.operating_point and not found.has_operating_point:
            raise CalibrationError(
                f"{run / CALIBRATION_FILE} has no threshold for any class, so "
                "--operating-point would keep nothing; leave it out, or calibrate with "
                "another --precision"
            )
        what = "the video has the label"
        if found.tiou is not None:
            what = (
                f"an action is found at tIoU {found.tiou:g} (the time that both cover, "
                "divided by the time that either covers)"
            )
        note(
            f"scores are probabilities that {what}, by {run / CALIBRATION_FILE}; "
            "--no-calibration gives the plain ones"
        )
    elif options.operating_point:
        raise CalibrationError(
            f"{run} holds no {CALIBRATION_FILE}, so --operating-point has no "
            "thresholds; run acmnet calibrate on held-out videos first"
        )
    return found


def _said(calibration: Calibration, operating_point: bool) -> dict[str, object]:
    """Return what a detections file says of its scores."""
    said: dict[str, object] = {"kind": calibration.kind, "tiou": calibration.tiou}
    if operating_point:
        said["operating_point_precision"] = calibration.precision
    return said


def _by_kinetics(
    data: Data, chosen: kinetics_zero_shot.KineticsClasses, given: RecipeSettings
) -> _Found:
    """Localise with I3D's own head."""
    base = Settings(localization=kinetics_zero_shot.LOCALIZATION)
    settings = given.applied(base).localization
    failures: list[FeatureError] = []
    with counting("localising", data) as one_more:
        results = kinetics_zero_shot.localize_kinetics_videos(
            data,
            load_i3d(RGB_WEIGHTS),
            chosen,
            settings,
            one_more,
            failures.append,
        )
    refuse_nothing_left(results, failures)
    if not any(map(len, results.values())):
        least = min(settings.activation_thresholds)
        note(
            f"nothing was found: no class has a probability of {least:g} or more for "
            "long enough; choose other --classes, or lower the threshold with "
            f"--localization.activation-thresholds {least / 2:g}"
        )
    used: dict[str, object] = {"used": True, "details": "Kinetics-400 I3D head"}
    return _Found(results, failures, used, None)
