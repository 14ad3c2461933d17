"""The verb fit: from video files and labels to a trained run and its detections."""

from pathlib import Path
from shlex import quote
from typing import Annotated, Final

from cyclopts import Parameter

from acmnet import recipes
from acmnet.cli.options.dotted_settings import (
    TRAINING_EPILOGUE,
    GivenSettings,
    ProfileName,
    RecipeName,
    RecipeSettings,
)
from acmnet.cli.options.extractor_options import (
    FIRST_OPTIONS,
    TRAINING_OPTIONS,
    Extracting,
    ExtractorOptions,
    Running,
    RunningFlag,
)
from acmnet.cli.options.shared_options import Device, LabelFps, OutputFolder
from acmnet.cli.options.training_options import (
    Logs,
    call_both,
    logging,
    note_missing_bf16,
)
from acmnet.cli.terminal.app import app, console, errors, fail_for_left_out, note, quiet
from acmnet.cli.terminal.progress import ExtractionBar, TrainingBar, Waiting
from acmnet.cli.terminal.terminal_tables import map_table, plain_table
from acmnet.data.detections.shown_detections import Shown
from acmnet.data.features.feature_manifest import MANIFEST_NAME
from acmnet.data.labels.supervision import Supervision
from acmnet.evaluation.comparison.tables import Table
from acmnet.extraction.extractors.extractor_names import reads_tracks, reads_videos
from acmnet.files.file_access import refuse_unwritable
from acmnet.fitting.fit_request import FEATURES, REPORT, FitRequest, FitResult, Hooks
from acmnet.fitting.fit_videos import features_before, fit
from acmnet.messages import counted
from acmnet.runs.training_run import join_processes
from acmnet.show.bench.reviewed_precision import precision_of_reviews
from acmnet.validation.expected_quality import Expectation
from acmnet.workers.worker_engines import cores

InTraining: Final = Parameter(group=TRAINING_OPTIONS)


@app.command(
    name="fit", group_parameters=FIRST_OPTIONS, help_epilogue=TRAINING_EPILOGUE
)
def fit_command(
    videos: Path,
    labels: Path,
    *,
    out: OutputFolder,
    extracting: Extracting = ExtractorOptions(),
    recipe: Annotated[RecipeName, InTraining] = "default",
    profile: Annotated[ProfileName, InTraining] = None,
    subset: Annotated[str | None, InTraining] = None,
    label_fps: Annotated[LabelFps, InTraining] = None,
    groups: Annotated[str | None, InTraining] = None,
    supervision: Annotated[Supervision | None, InTraining] = None,
    seed: Annotated[int, InTraining] = 0,
    workers: Annotated[int, Running] = cores(),
    device: Annotated[Device, Running] = "auto",
    from_: Annotated[
        Path | None, Parameter(name="--from", group=TRAINING_OPTIONS)
    ] = None,
    overwrite: Annotated[bool, RunningFlag] = False,
    retry_failed: Annotated[bool, RunningFlag] = False,
    log: Annotated[Logs, Parameter(group=TRAINING_OPTIONS)] = (),
    given_settings: GivenSettings = RecipeSettings(),
) -> None:
    """Learn from your own video files and their labels: one command for all steps.

    It checks the videos, extracts features, trains, and finds the actions in every
    video. If the label file has segments, the detections are scored against them.
    Otherwise it estimates how good they are and names ten detections for you to look
    at: once you have accepted or rejected each of them in `acmnet view`, their
    precision is reported. The same command again goes on where it stopped. Videos that
    are missing or cannot be read are listed and left out.

    For example: acmnet fit videos/ labels.csv --out runs/first

    Parameters
    ----------
    videos
        Folder of the video files, or, with --extractor keypoints alone, of files of
        tracks.
    labels
        CSV with the columns video,labels (several labels are separated by |; a video
        without any action has none) and, if times are known, start,end; or
        ActivityNet-style JSON.
    out
        Directory for the run, with features/, detections.json and report.md in it.
    subset
        Train only on this subset of the label file, and score the other videos.
    label_fps
        Frames per second of the videos, for labels that count frames, such as SimBA's.
        When left out, what each video's file says.
    groups
        Videos that belong together, such as those of one person, camera or day: a CSV
        with the columns video,group, or the name of a column of the label file. How
        good the run is on new videos is then estimated on groups that were held out.
    supervision
        What training is given of the label file: names alone; points: also single
        instants; segments: also segments and the spans that were watched; all: all of
        it. When left out: all of a file that `acmnet label` wrote, names of any other.
    seed
        Number that all random choices start from: the same seed gives the same run.
    workers
        How many processes extract features at the same time; they share the cores.
    from_
        Begin with the features and the weights of this earlier run, and train for a
        share of the epochs, training.round_share: a round after corrections takes
        minutes. The networks of the first stage, the teachers, are kept where neither
        names nor marks have changed.
    overwrite
        Train again from the start, in place of the run in --out. Its features are kept.
    retry_failed
        Try the videos again that could not be read in an earlier call.
    """
    refuse_unwritable(out / FEATURES / MANIFEST_NAME)
    used_profile = profile or recipes.default_profile(recipe)
    settings = recipes.recipe(
        recipe, profile=used_profile, overrides=given_settings.by_name()
    )
    device = join_processes(device)
    note_missing_bf16(settings, device)
    request = FitRequest(
        videos=videos,
        labels=labels,
        out=out,
        tracks=extracting.tracks,
        extraction=extracting.settings(*features_before(out, from_)),
        recipe=recipe,
        profile=used_profile,
        settings=settings,
        subset=subset,
        label_fps=label_fps,
        groups=groups,
        supervision=supervision,
        seed=seed,
        workers=workers,
        device=device,
        overwrite=overwrite,
        retry_failed=retry_failed,
        begin_from=from_,
    )
    result = _fit_with_bars(request, log)
    _print_result(request, result)
    reasons = [f"{video}: {reason}" for video, reason in result.left_out.items()]
    fail_for_left_out(reasons, len(result.results), listed=str(out / REPORT))


def _fit_with_bars(request: FitRequest, log: Logs) -> FitResult:
    """Run all steps, with a bar for each that takes long."""
    with (
        logging(log, request.out, request.settings) as logs,
        Waiting(errors, "opening", "videos", silent=quiet()) as opening,
        ExtractionBar(errors, silent=quiet()) as extracting,
        TrainingBar(errors, request.epochs, silent=quiet()) as training,
    ):
        hooks = Hooks(
            on_note=note,
            on_opened=opening.update,
            on_video=extracting.video,
            on_step=call_both(training.step, logs.on_step),
            on_trained=training.show_last,
            on_working=extracting.working,
        )
        result = fit(request, hooks)
        if result.report is not None:
            tious = result.report.tiou.tolist()
            scores = zip(tious, result.report.map.tolist(), strict=True)
            logs.on_scores({f"mAP/{tiou:.2f}": score for tiou, score in scores})
    return result


def _print_result(request: FitRequest, result: FitResult) -> None:
    """Print the scores or the estimates, how much was found, and what to do next."""
    out, report = request.out, result.report
    if report is not None:
        rows = dict(zip(report.class_names, report.ap.T.tolist(), strict=True))
        rows |= {"mAP": report.map.tolist()}
        console.print(map_table(result.scored, report.tiou.tolist(), rows))
    if result.expectation is not None:
        for sentence in result.expectation.sentences():
            console.print(sentence, markup=False)
        if report is None:
            _print_to_review(request, result.expectation)
    shown = Shown(min_score=result.shown_from).of_all(result.results)
    total = counted(sum(map(len, shown.values())), "detection")
    least = result.shown_from
    above = "" if least is None else f" with a score of {least:.3g} or more"
    console.print(
        f"{total} in {counted(len(shown), 'video')}{above}; read {out / REPORT}"
    )
    extractor = request.extraction.extractor
    kind, others = "VIDEO", "videos"
    if not reads_videos(extractor):
        kind, others = "TRACKS", "tracks"
    elif reads_tracks(extractor):
        kind, others = "VIDEO --tracks TRACKS", "videos with tracks"
    shows = request.videos_option
    shows += " shows them beside the videos" if shows else " shows them"
    run = quote(str(out))
    console.print(
        f"next: acmnet report {run}{shows}; acmnet localize {kind} --run {run} --out "
        f"detections.json finds actions in other {others}",
        markup=False,
    )


def _print_to_review(request: FitRequest, expected: Expectation) -> None:
    """Print which detections to review, and the precision of those that were."""
    run = request.out
    reviewed = precision_of_reviews(run)
    if reviewed is None:
        return
    if reviewed.looked_at:
        console.print(reviewed.sentence(), markup=False)
    if reviewed.looked_at < reviewed.asked:
        rows = tuple(
            (
                detection.video,
                detection.label,
                *(f"{x:.1f}" for x in detection[2:4]),
                f"{detection.score:.2f}",
            )
            for detection in expected.to_review
        )
        columns = ("video", "label", "start s", "end s", "score")
        reviewed_count = counted(reviewed.asked, "detection")
        title = f"review these {reviewed_count} to measure the precision"
        console.print(plain_table(title, Table(columns, rows, {})))
        console.print(
            f"accept or reject each of them in acmnet view {quote(str(run))}"
            f"{request.videos_option}; after that, view, report and fit print the "
            "precision",
            markup=False,
        )
