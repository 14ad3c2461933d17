"""Your own videos and their labels, from files to a trained model and detections."""

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path

from acmnet.checkpoints.checkpoint import load_config
from acmnet.checkpoints.checkpoint_config import CheckpointConfig
from acmnet.checkpoints.checkpoint_folder import has_checkpoint
from acmnet.data.checks.label_checks import no_action, suspicions
from acmnet.data.checks.refusals import DataError
from acmnet.data.detections.detection_arrays import DURATIONS_KEY
from acmnet.data.detections.detection_files import write_detections
from acmnet.data.features.feature_store import open_store
from acmnet.data.label_files import read_annotations
from acmnet.data.labelled_features import Data, DataSource
from acmnet.data.labels.annotations import Annotations
from acmnet.data.labels.marks import (
    given_marks,
    supervision_note,
    unused_times,
    unwatched_note,
)
from acmnet.data.video_groups import VideoGroups, read_groups
from acmnet.evaluation.reports import DetectionReport, evaluate
from acmnet.evaluation.videos_trained_on import TAUGHT_KEY, TRAINED_ON_KEY, taught_note
from acmnet.extraction.i3d.speed.fastest_precision import with_fastest
from acmnet.extraction.keypoints.keypoint_request import settled
from acmnet.extraction.many_videos.extraction_request import ExtractionRequest
from acmnet.extraction.many_videos.records import was_extracted
from acmnet.extraction.many_videos.video_search import find_recordings, frame_rates
from acmnet.files.file_access import write_json
from acmnet.fitting.duration_forecast import forecast
from acmnet.fitting.extracted_videos import extract_with_hooks
from acmnet.fitting.fit_report import write_report
from acmnet.fitting.fit_request import (
    DETECTIONS,
    FEATURES,
    NO_HOOKS,
    SCORES,
    FitRequest,
    FitResult,
    Hooks,
)
from acmnet.fitting.listed_videos import ListedVideos, listed_files, refuse_what_is_lost
from acmnet.inference.kept_detections import KeptDetections, localize_unless_kept
from acmnet.inference.why_nothing_found import why_nothing
from acmnet.models.stored_model import load
from acmnet.models.trained_model import TrainedModel
from acmnet.models.training_summary import shown_score
from acmnet.runs.earlier_run import earlier_features, take_features
from acmnet.runs.run_data import taught_videos, training_videos
from acmnet.runs.run_directory import tidy
from acmnet.runs.run_request import RunRequest
from acmnet.runs.training_run import train_run
from acmnet.segments import Detections
from acmnet.validation.cross_validation import TIOU
from acmnet.validation.expected_quality import expect


def fit(request: FitRequest, hooks: Hooks = NO_HOOKS) -> FitResult:
    """Open, extract, check, train, localise, and score where segments are known.

    Each step that is finished is kept: the same call again goes on where it stopped. A
    listed video that has no file, or one that cannot be read, does not stop the others.

    Raises
    ------
    AnnotationError, DataError, ExtractionError, ExtractorError, RunError, ...
        With one sentence: also if no video is left, or none of a class.
    """
    tidy(request.out)
    # refuses a folder that is missing or empty before a word on the labels
    find_recordings([request.videos], request.extraction.extractor, request.tracks)
    annotations, groups = _labels(request, hooks)
    everything, left_out = _extracted(request, annotations, hooks)
    training = _to_train_on(request, everything)
    run = _run_request(request, training)
    train_run(run, on_step=hooks.on_step, on_note=hooks.on_note)
    hooks.on_trained()
    model = load(
        request.out, settings=lambda _: request.settings, device=request.device
    )
    results = _localized(request, model, everything, hooks)
    shown_from = shown_score(request.out, model.settings)
    learned = load_config(request.out)
    _write_detections(request, results, learned, shown_from, everything)
    report, scored, is_held_out = _score(everything.annotations, learned, results)
    is_taught = report is None and any(
        video.instances for video in everything.annotations.videos.values()
    )
    if is_taught:
        hooks.on_note(f"nothing is scored: {scored}")
    expectation = None
    if not is_held_out:
        expectation = expect(run, model, results, groups, hooks.on_note)
    if report is not None:
        write_json(request.out / SCORES, report.to_json() | {"scored": scored})
    result = FitResult(
        run=request.out,
        left_out=left_out,
        results=results,
        report=report,
        scored=scored,
        is_taught=is_taught,
        expectation=expectation,
        shown_from=shown_from,
    )
    write_report(request, result, training)
    return result


def features_before(out: Path, begin_from: Path | None) -> tuple[Path, ...]:
    """Return the directories of features that a run goes on with, the nearest first.

    Parameters
    ----------
    out : Path
        Directory of the run.
    begin_from : Path, optional
        The earlier run that it begins with.

    Raises
    ------
    CheckpointError, RunError
        If the earlier run has no usable checkpoint, or its features are gone.
    """
    own = out / FEATURES
    return (own,) if begin_from is None else (own, earlier_features(begin_from))


def _labels(
    request: FitRequest, hooks: Hooks
) -> tuple[Annotations, VideoGroups | None]:
    """Return the label file and the groups; refuse either before any work is done."""
    rates = request.label_fps or frame_rates(request.videos)
    annotations = read_annotations(request.labels, rates)
    chosen = annotations.subset(request.subset)
    nothing = no_action(chosen)
    if nothing is not None:
        raise DataError(nothing)
    groups = None
    if request.groups is not None:
        groups = read_groups(request.groups, request.labels, chosen.videos)
    for sentence in (
        *annotations.notes,
        *suspicions(chosen, request.given(annotations)),
        *_on_supervision(request, chosen),
    ):
        hooks.on_note(sentence)
    return annotations, groups


def _on_supervision(request: FitRequest, annotations: Annotations) -> Iterator[str]:
    """Yield sentences on what the training is given, where they need be said."""
    supervision = request.given(annotations)
    if request.supervision is None and supervision == "all":
        yield (
            f"{request.labels} was made by acmnet label, so all that it holds is "
            "learned from; --supervision names leaves the times out"
        )
    told = supervision_note(annotations, supervision)
    if told is None and request.supervision is None:
        told = unused_times(annotations)
    for sentence in (told, unwatched_note(annotations, supervision)):
        if sentence is not None:
            yield sentence


def _extracted(
    request: FitRequest, annotations: Annotations, hooks: Hooks
) -> tuple[Data, dict[str, str]]:
    """Return the listed videos with their features, and why others are left out."""
    features = request.out / FEATURES
    if request.begin_from is not None:
        take_features(earlier_features(request.begin_from), features)
    listed = ListedVideos(
        labels=request.labels,
        annotations=annotations,
        folder=request.videos,
        subset=request.subset,
        features=features,
        extractor=request.extraction.extractor,
        tracks=request.tracks,
    )
    found, left_out = listed_files(listed, hooks.on_note, hooks.on_opened)
    settings = with_fastest(
        settled(request.extraction, found.files, found.tracks, features),
        found.files,
        features,
        hooks.on_note,
        device=request.device,
    )
    extraction = ExtractionRequest(
        videos=found.files,
        tracks=found.tracks,
        out=features,
        settings=settings,
        workers=request.workers,
        device=request.device,
        retry_failed=request.retry_failed,
    )
    _tell_how_long(request, annotations, extraction, hooks)
    summary = extract_with_hooks(extraction, hooks)
    left_out |= {failure.video: failure.reason for failure in summary.failures}
    refuse_what_is_lost(listed, left_out)
    return _with_features(request, annotations, features, left_out), left_out


def _tell_how_long(
    request: FitRequest,
    annotations: Annotations,
    extraction: ExtractionRequest,
    hooks: Hooks,
) -> None:
    """Say how long everything will take, for a new run on a CPU."""
    is_new = not has_checkpoint(request.out) and request.begin_from is None
    if request.device != "cpu" or not is_new or not annotations.class_names:
        return
    missing = {
        video: path
        for video, path in extraction.videos.items()
        if not was_extracted(extraction.out, video, *extraction.files_of(video))
    }
    found = forecast(
        missing,
        extraction,
        request.settings,
        len(annotations.class_names),
        has_marks=bool(given_marks(annotations, request.given(annotations))),
    )
    if found is not None:
        hooks.on_note(found.sentence())


def _run_request(request: FitRequest, training: Data) -> RunRequest:
    """Return the request for the training; it goes on where an earlier one stopped."""
    return RunRequest(
        out=request.out,
        data=training,
        recipe=request.recipe,
        profile=request.profile,
        settings=request.settings,
        seed=request.seed,
        device=request.device,
        supervision=request.given(training.annotations),
        resume=not request.overwrite,
        overwrite=request.overwrite,
        begin_from=request.begin_from,
    )


def _to_train_on(request: FitRequest, everything: Data) -> Data:
    """Return the videos of the subset that is trained on, or all of them."""
    if request.subset is None:
        return everything
    chosen = everything.annotations.subset(request.subset)
    source = dataclasses.replace(everything.source, subset=request.subset)
    return dataclasses.replace(everything, annotations=chosen, source=source)


def _localized(
    request: FitRequest, model: TrainedModel, everything: Data, hooks: Hooks
) -> dict[str, Detections]:
    """Return the detections of every video, and keep them in the run."""
    kept = KeptDetections.of(model, request.out, everything)
    results = localize_unless_kept(kept, lambda: model, on_note=hooks.on_note)
    reason = why_nothing(model, everything, results)
    if reason is not None:
        hooks.on_note(reason)
    return results


def _with_features(
    request: FitRequest,
    annotations: Annotations,
    features: Path,
    left_out: Mapping[str, str],
) -> Data:
    """Open what was extracted, without the videos that are left out."""
    kept = {k: v for k, v in annotations.videos.items() if k not in left_out}
    used = dataclasses.replace(annotations, videos=kept)
    source = DataSource(request.labels, features)
    return Data(
        source=source,
        annotations=used,
        store=open_store(features),
        everything=annotations,
        left_out=tuple(left_out),
    )


def _write_detections(
    request: FitRequest,
    results: Mapping[str, Detections],
    learned: CheckpointConfig,
    shown_from: float | None,
    everything: Data,
) -> None:
    """Write all detections, with what is known of them."""
    used: dict[str, object] = {
        "used": True,
        "details": f"features of {request.extraction.extractor}",
        TRAINED_ON_KEY: sorted(set(results) & (training_videos(learned) or set())),
        DURATIONS_KEY: everything.durations_s(results),
    }
    taught = taught_videos(learned, results)
    if taught:
        used[TAUGHT_KEY] = taught
    if shown_from is not None:
        used["shown_from"] = shown_from
    write_detections(request.out / DETECTIONS, results, external_data=used)


def _score(
    everything: Annotations,
    learned: CheckpointConfig,
    results: Mapping[str, Detections],
) -> tuple[DetectionReport | None, str, bool]:
    """Score against known segments: of videos not trained on, where there are any.

    Videos whose times the training was given are never scored.

    Returns
    -------
    report, words, is_held_out
        The scores, which videos they are about, and whether those were held out.
    """
    seen, taught = training_videos(learned) or frozenset(), learned.taught_times
    videos_by_id = everything.videos.items()
    held_out = {k: v for k, v in videos_by_id if k not in seen}
    trained_on = {k: v for k, v in videos_by_id if k in seen and k not in taught}
    how = " by their names alone: " if taught else ": "
    for videos, words in (
        (held_out, "videos that were not trained on"),
        (trained_on, f"videos that were trained on{how}new ones will score lower"),
    ):
        known = {k: v for k, v in videos.items() if not v.has_names_alone}
        if any(video.instances for video in known.values()):
            truth = dataclasses.replace(everything, videos=known)
            found = {video: results[video] for video in known}
            report = evaluate(truth, found, tiou=TIOU)
            return report, f"{len(known)} {words}", videos is held_out
    segmented = {k for k, v in videos_by_id if v.instances}
    why = taught_note(segmented) if segmented else "no true segments are known"
    return None, why, False
