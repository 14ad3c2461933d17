"""The verb localize: finds actions with a trained run, or those of Kinetics-400."""

import contextlib
import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Final, NamedTuple

from cyclopts import Parameter

from acmnet.cli.options.detection_limits import LimitOptions, Limits
from acmnet.cli.options.dotted_settings import (
    RUN_EPILOGUE,
    GivenSettings,
    RecipeSettings,
)
from acmnet.cli.options.shared_options import Device, missing_videos
from acmnet.cli.terminal.app import UsageError, app, fail_for_left_out, note
from acmnet.cli.verb_parts.localize_outputs import (
    OutputOptions,
    Outputs,
    features_folder_for,
    print_next,
    with_rate_of,
    write_or_print,
)
from acmnet.cli.verb_parts.localize_sources import Source, SourceOptions
from acmnet.cli.verb_parts.localize_untrained import (
    Untrained,
    UntrainedOptions,
    untrained_detections,
)
from acmnet.cli.verb_parts.trained_run import (
    Find,
    loaded,
    localised,
    note_unlike,
    taught_times,
    trained_on,
)
from acmnet.data.detection_output import Output
from acmnet.data.detections.detection_arrays import DURATIONS_KEY
from acmnet.data.features.feature_files import FeatureError
from acmnet.data.labelled_features import Data
from acmnet.evaluation.videos_trained_on import TRAINED_ON_KEY
from acmnet.extraction.extractors.extractor_names import reads_videos
from acmnet.extraction.many_videos.video_search import find_recordings
from acmnet.fitting.extracted_videos import extraction_of
from acmnet.inference import kinetics_zero_shot
from acmnet.inference.kept_detections import KeptDetections, with_kept
from acmnet.inference.localized_videos import (
    VIDEOS_TOGETHER,
    StoredRun,
    localize_on_workers,
    localize_videos,
    refuse_other_features,
)
from acmnet.inference.why_nothing_found import why_nothing
from acmnet.models.stored_calibration import (
    CALIBRATION_FILE,
    Calibration,
    CalibrationError,
    read_calibration,
)
from acmnet.models.trained_model import TrainedModel
from acmnet.models.training_summary import shown_score
from acmnet.runs.run_request import LAST
from acmnet.runs.training_run import join_processes
from acmnet.segments import Detections
from acmnet.workers.worker_tasks import Workers, task_workers

LIKELY: Final = 0.5
"""The default of --min-score for probabilities: more likely right than wrong."""


@dataclasses.dataclass(frozen=True)
class CalibrationOptions:
    """Whether to use what `acmnet calibrate` measured."""

    calibration: bool = True
    """Turn scores into probabilities if `acmnet calibrate` was run for this run. The
    detections of a class keep their order; those of different classes may change
    places."""
    operating_point: Annotated[bool, Parameter(negative=())] = False
    "Drop detections with scores below the threshold that calibrate set for each class."


Calibrated = Annotated[CalibrationOptions, Parameter(name="*")]


@app.command(help_epilogue=RUN_EPILOGUE)
def localize(
    videos: Annotated[list[Path] | None, Parameter(negative=())] = None,
    *,
    run: Path | None = None,
    untrained: Untrained = UntrainedOptions(),
    output_options: Outputs = OutputOptions(),
    limits: Limits = LimitOptions(),
    source: Source = SourceOptions(),
    calibrated: Calibrated = CalibrationOptions(),
    settings: GivenSettings = RecipeSettings(),
    device: Device = "auto",
) -> None:
    """Find actions in videos, with start, end and score: with a trained run or without.

    Results JSON holds all detections, because scoring needs those with low scores, too.
    Tables, CSV and subtitles leave out low scores unless you give --all or --min-score.
    --min-score and --top apply to JSON, too, if you give them.

    For example: acmnet localize new_videos/ --run runs/first --out found.json --out
    found.csv

    Parameters
    ----------
    videos
        Video files, or folders that are searched for video files. Their features are
        extracted with the same extractor as those that the run was trained on.
    run
        Directory that `acmnet train` or `acmnet fit` wrote, or a checkpoint in it.
    """
    is_untrained = untrained.is_given()
    _refuse_contradictions(run, is_untrained, calibrated)
    source.refuse_contradictions(videos or [])
    outputs = output_options.outputs()
    where = join_processes(device)
    chosen = untrained.choice() if is_untrained else None
    pictures: Sequence[Path] = ()
    with contextlib.ExitStack() as stack:
        if videos:
            extraction = kinetics_zero_shot.EXTRACTION
            if run is not None:
                extraction = extraction_of(run, source.extractor)
            recordings = find_recordings(
                videos, extraction.extractor, source.tracks, note
            )
            if reads_videos(extraction.extractor):
                pictures = tuple(recordings.files.values())
                outputs = with_rate_of(pictures, outputs)
            _refuse_outputs(outputs, len(recordings.files))
            beside = features_folder_for(outputs)
            opened = source.extracted(recordings, extraction, beside, where)
            data, unread = stack.enter_context(opened)
        else:
            data, unread = source.stored(run), ()
        _refuse_outputs(outputs, len(data.annotations.videos))
        _advise_on_outputs(outputs, len(data.annotations.videos))
        if chosen is not None:
            detections = _Localized(*untrained_detections(data, chosen, settings), None)
        else:
            model = loaded(run or Path(), where, settings)
            stored = StoredRun(run=run or Path(), settings=model.settings, device=where)
            find = _finding(stored, source.finding())
            detections = _by_run(model, stored.run, data, calibrated, find)
        missing = [] if videos else missing_videos(data)
        used = {**detections.used, DURATIONS_KEY: data.durations_s(detections.results)}
    write_or_print(detections.results, outputs, limits, detections.from_score, used)
    if any(map(len, detections.results.values())):
        print_next(videos or (), pictures, outputs)
    left_out = [*missing, *(f"{x.video}: {x.reason}" for x in unread)]
    fail_for_left_out(
        [*map(str, detections.failures), *left_out], len(detections.results)
    )


class _Localized(NamedTuple):
    """What was found in the videos."""

    results: Mapping[str, Detections]
    failures: list[FeatureError]
    """Why videos were left out, one error for each of them."""
    used: dict[str, object]
    """What results JSON tells about how the detections were made."""
    from_score: float | None
    """The default of --min-score; None for no limit."""


def _refuse_contradictions(
    run: Path | None, is_untrained: bool, calibrated: CalibrationOptions
) -> None:
    """Refuse options that ask for a run and for none, or for what a run does not have.

    Raises
    ------
    UsageError, CalibrationError
        The message names the options, or says how the run is calibrated.
    """
    if (run is None) != is_untrained:
        raise UsageError(
            "give --run for a trained run, or --kinetics or --query for none"
        )
    if calibrated.operating_point and (is_untrained or not calibrated.calibration):
        raise UsageError("--operating-point needs a run and its calibration")
    if calibrated.operating_point and run is not None:
        _refuse_uncalibrated(run)


def _refuse_outputs(outputs: list[Output], n_videos: int) -> None:
    """Refuse, before the work begins, files that could not be written after it."""
    for output in outputs:
        output.refuse(n_videos)


def _advise_on_outputs(outputs: list[Output], n_videos: int) -> None:
    """Say, before the work begins, which files may become too large to be read."""
    advice = [output.advice(n_videos) for output in outputs]
    if all(advice):  # no other file will hold the same
        for sentence in advice:
            note(sentence)


def _finding(stored: StoredRun, workers: Workers) -> Find:
    """Return what finds the actions: here, or by workers that load the same run.

    Videos whose detections the run keeps are not looked at again.
    """

    def find(
        model: TrainedModel,
        data: Data,
        on_video: Callable[[str], None],
        on_failure: Callable[[FeatureError], None] | None,
    ) -> dict[str, Detections]:
        def of_others(others: Data) -> dict[str, Detections]:
            n_tasks = math.ceil(len(others.annotations.videos) / VIDEOS_TOGETHER)
            count = min(workers.count, n_tasks) or 1
            needed = dataclasses.replace(workers, count=count)
            if needed.is_this_process:
                return localize_videos(model, others, on_video, on_failure)
            with task_workers(needed, note) as do_tasks:
                return localize_on_workers(
                    stored,
                    model,
                    others,
                    do_tasks,
                    on_video=on_video,
                    on_failure=on_failure,
                )

        refuse_other_features(model, data.store)
        return with_kept(
            KeptDetections.of(model, stored.run, data), of_others, on_video
        )

    return find


def _by_run(
    model: TrainedModel, run: Path, data: Data, options: CalibrationOptions, find: Find
) -> _Localized:
    """Find actions with a trained run, and calibrate their scores if it can be done."""
    calibration = _calibration(run, model, options)
    failures: list[FeatureError] = []
    results = localised(model, data, failures.append, find)
    reason = why_nothing(model, data, results)
    if reason is not None:
        note(reason)
    used: dict[str, object] = {
        "used": True,
        "details": f"features in {data.store.place}",
        TRAINED_ON_KEY: trained_on(model.config, results),
        **taught_times(model.config, results),
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
            video: calibration.apply(detections, operating_point=point)
            for video, detections in results.items()
        }
        used["calibration"] = _calibration_entry(calibration, point)
        if reason is None and not any(map(len, results.values())):
            note(
                "no detection reaches the threshold that calibrate set for its class: "
                "leave out --operating-point to see all of them"
            )
    if from_score is not None:
        used["shown_from"] = from_score
    return _Localized(results, failures, used, from_score)


def _calibration(
    run: Path, model: TrainedModel, options: CalibrationOptions
) -> Calibration | None:
    """Return the run's calibration if it is there and wanted; note what it means."""
    if not options.calibration:
        return None
    calibration = read_calibration(run, model.settings.localization)
    if calibration is not None:
        if options.operating_point and not calibration.has_operating_point:
            raise CalibrationError(
                f"{run / CALIBRATION_FILE} has no threshold for any class, so "
                "--operating-point would drop every detection; leave it out, or "
                "calibrate with another --precision"
            )
        what = "the video has the label"
        if calibration.tiou is not None:
            what = (
                f"an action is found at tIoU {calibration.tiou:g} (the time that both "
                "cover, divided by the time that either covers)"
            )
        note(
            f"scores are probabilities that {what}, by {run / CALIBRATION_FILE}; "
            "--no-calibration keeps the original scores"
        )
    elif options.operating_point:
        raise _uncalibrated(run)
    return calibration


def _refuse_uncalibrated(run: Path) -> None:
    """Refuse, before features are extracted, a run that was never calibrated."""
    if run.is_dir() and not (run / CALIBRATION_FILE).exists():
        raise _uncalibrated(run)


def _uncalibrated(run: Path) -> CalibrationError:
    return CalibrationError(
        f"{run} holds no {CALIBRATION_FILE}, so --operating-point has no "
        "thresholds; run acmnet calibrate on held-out videos first"
    )


def _calibration_entry(
    calibration: Calibration, operating_point: bool
) -> dict[str, object]:
    """Return what results JSON tells about the meaning of its scores."""
    entry: dict[str, object] = {"kind": calibration.kind, "tiou": calibration.tiou}
    if operating_point:
        entry["operating_point_precision"] = calibration.precision
    return entry
