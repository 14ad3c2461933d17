"""The verb localize: with a trained run, or with Kinetics-400 classes and no run."""

import contextlib
import dataclasses
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from acmnet import recipes
from acmnet.cli.app import (
    UsageError,
    app,
    console,
    errors,
    fail_for_left_out,
    note,
    quiet,
)
from acmnet.cli.applying import counting, loaded, localised, refuse_nothing_left
from acmnet.cli.options import Grid, GridOptions, overrides
from acmnet.console import ExtractionBar, detections_table
from acmnet.detections import write_detections
from acmnet.extraction.backbones import RGB_WEIGHTS
from acmnet.extraction.engines import cores
from acmnet.extraction.extracted import Failure
from acmnet.extraction.extractors import ExtractionSettings
from acmnet.extraction.weights import load_i3d
from acmnet.features import FeatureError
from acmnet.pipeline import zero_shot
from acmnet.pipeline.calibrated import (
    CALIBRATION_FILE,
    Calibration,
    CalibrationError,
    read_calibration,
)
from acmnet.pipeline.data import Data, DataSource, open_data, unlabelled
from acmnet.pipeline.own_videos import Hooks, extracted_data, extraction_of
from acmnet.pipeline.runs import LAST, join_processes
from acmnet.pipeline.trained import TrainedModel
from acmnet.recipes import Settings
from acmnet.segments import Detections
from acmnet.wording import counted


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
    out: Path | None = None,
    top: int = zero_shot.TOP,
    classes: Annotated[list[str] | None, Parameter(negative=())] = None,
    source: Source = SourceOptions(),
    calibrated: Calibrated = CalibrationOptions(),
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
    out
        Detections file to write (ActivityNet results JSON).
    top
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
    where = join_processes(device)
    chosen = zero_shot.only(classes, top) if kinetics else None
    extraction = zero_shot.EXTRACTION
    if run is not None and videos:
        extraction = extraction_of(run, source.extractor)
    with _data(videos or [], source, out, extraction, where) as (data, broken):
        if chosen is not None:
            results, failures = _by_kinetics(data, chosen)
            used: dict[str, object] = {"used": True, "details": "Kinetics-400 I3D head"}
        else:
            results, failures, used = _by_run(run or Path(), data, where, calibrated)
    if out is None:
        for video, found in results.items():
            console.print(detections_table(video, found))
    else:
        write_detections(out, results, external_data=used)
        total = sum(map(len, results.values()))
        console.print(
            f"{counted(total, 'detection')} in {counted(len(results), 'video')}: {out}"
        )
    left_out = [*map(str, failures), *(f"{x.video}: {x.reason}" for x in broken)]
    fail_for_left_out(left_out, len(results))


@contextlib.contextmanager
def _data(
    videos: list[Path],
    source: SourceOptions,
    out: Path | None,
    extraction: ExtractionSettings,
    device: str,
) -> Iterator[tuple[Data, tuple[Failure, ...]]]:
    """Open features, extracting them first where video files were named."""
    if not videos:
        yield _stored(source), ()
        return
    with tempfile.TemporaryDirectory(prefix="acmnet-") as scratch:
        features = source.features
        if features is None:
            features = out.with_suffix(".features") if out else Path(scratch)
        with ExtractionBar(errors, silent=quiet()) as bar:
            yield extracted_data(
                videos,
                features,
                extraction,
                source.workers,
                Hooks(note, bar.video, on_working=bar.working),
                device,
                retry_failed=source.retry_failed,
            )


def _stored(source: SourceOptions) -> Data:
    """Open a directory of features, with the videos that a label file names."""
    directory = source.features or Path()
    where = DataSource(
        source.annotations or Path(), directory, source.subset, source.grid.grid()
    )
    return open_data(where) if source.annotations else unlabelled(where)


def _by_run(
    run: Path, data: Data, device: str, options: CalibrationOptions
) -> tuple[Mapping[str, Detections], list[FeatureError], dict[str, object]]:
    """Localise with a trained model."""
    model = loaded(run, device)
    calibration = _calibration(run, model, options)
    failures: list[FeatureError] = []
    results = localised(model, data, failures.append)
    used: dict[str, object] = {
        "used": True,
        "details": f"features in {data.source.features}",
    }
    if model.config is not None and model.config.selection != LAST:
        used["checkpoint_chosen_on"] = model.config.selection
        note(f"the checkpoint of {run} was chosen on the {model.config.selection}")
    if calibration is not None:
        point = options.operating_point
        results = {
            video: calibration.apply(found, operating_point=point)
            for video, found in results.items()
        }
        used["calibration"] = _said(calibration, point)
    return results, failures, used


def _calibration(
    run: Path, model: TrainedModel, options: CalibrationOptions
) -> Calibration | None:
    """Return the run's calibration where it is there and wanted; say what it means."""
    if not options.calibration:
        return None
    found = read_calibration(run, model.settings.localization)
    if found is not None:
        what = "the video has the label"
        if found.tiou is not None:
            what = f"an action is found at tIoU {found.tiou:g}"
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
    data: Data, chosen: zero_shot.KineticsClasses
) -> tuple[Mapping[str, Detections], list[FeatureError]]:
    """Localise with I3D's own head."""
    settings = recipes.override(
        Settings(localization=zero_shot.LOCALIZATION), overrides
    ).localization
    failures: list[FeatureError] = []
    with counting("localising", data) as one_more:
        results = zero_shot.localize_kinetics_videos(
            data,
            load_i3d(RGB_WEIGHTS),
            chosen,
            settings,
            one_more,
            failures.append,
        )
    refuse_nothing_left(results, failures)
    return results, failures
