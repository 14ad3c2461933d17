"""Verbs that begin with video files: extract, fit, weights."""

from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter

from acmnet import recipes
from acmnet.cli.app import app, console, errors, fail_for_left_out, note, quiet
from acmnet.cli.dotted_settings import GivenSettings, RecipeSettings
from acmnet.cli.extractor_options import (
    FIRST,
    TRAINING,
    Extracting,
    ExtractorOptions,
    Running,
    RunningFlag,
)
from acmnet.cli.progress import ExtractionBar, TrainingBar
from acmnet.cli.terminal_tables import map_table, plain_table
from acmnet.cli.training_options import Profile, say_precision
from acmnet.data.feature_manifest import MANIFEST_NAME
from acmnet.data.shown_detections import Shown
from acmnet.evaluation.tables import Table
from acmnet.extraction.worker_engines import cores
from acmnet.files import refuse_unwritable
from acmnet.messages import counted
from acmnet.pipeline.expectation import Expectation
from acmnet.pipeline.fit_videos import FEATURES, REPORT, FitRequest, Hooks, fit
from acmnet.pipeline.training_run import join_processes
from acmnet.show.view.reviewed_precision import precision_of_reviews

InTraining: Final = Parameter(group=TRAINING)


@app.command(name="fit", group_parameters=FIRST)
def fit_command(
    videos: Path,
    labels: Path,
    *,
    out: Path,
    given: Extracting = ExtractorOptions(),
    recipe: Annotated[str, InTraining] = "default",
    profile: Annotated[Profile | None, InTraining] = None,
    subset: Annotated[str | None, InTraining] = None,
    seed: Annotated[int, InTraining] = 0,
    workers: Annotated[int, Running] = cores(),
    device: Annotated[str, Running] = "auto",
    overwrite: Annotated[bool, RunningFlag] = False,
    retry_failed: Annotated[bool, RunningFlag] = False,
    given_settings: GivenSettings = RecipeSettings(),
) -> None:
    """Learn from your own videos and their labels, from files to detections.

    Probes, extracts, checks, trains, localises, and scores where true segments are
    known. Where none are, it tells how well actions are named in videos that were not
    learned from and how well its networks agree on where they are, and names ten
    detections: once you have reviewed them in `acmnet view`, their precision is told.
    The same call again goes on where it stopped. Videos that are listed but
    missing, or cannot be read, are left out and named.

    Parameters
    ----------
    videos
        Folder of the videos.
    labels
        CSV with the columns video,labels (several separated by |, none for a video
        without any action), or ActivityNet-style JSON.
    out
        Directory of the run; features/, detections.json and report.md go there too.
    recipe
        A name from `acmnet recipes`, or a TOML file.
    profile
        "best" trains in two stages, "corrected" in one, "official" as the authors'
        code, "paper" as the paper is printed. When left out, the profile that the
        recipe names: best for the recipe default, corrected for the others.
    subset
        Train on this subset of the labels only, and score the others.
    seed
        Of all that is drawn by chance; the same seed gives the same run.
    workers
        Processes that extract features; they share the cores.
    device
        "auto", "cpu" or "cuda".
    overwrite
        Train anew in --out; features are kept.
    retry_failed
        Try again what could not be read before.
    """
    refuse_unwritable(out / FEATURES / MANIFEST_NAME)
    chosen = given_settings.by_name()
    used_profile = profile or recipes.default_profile(recipe)
    settings = recipes.recipe(recipe, profile=used_profile, overrides=chosen)
    device = join_processes(device)
    say_precision(settings, device)
    request = FitRequest(
        videos=videos,
        labels=labels,
        out=out,
        extraction=given.settings(out / FEATURES),
        recipe=recipe,
        profile=used_profile,
        settings=settings,
        subset=subset,
        seed=seed,
        workers=workers,
        device=device,
        overwrite=overwrite,
        retry_failed=retry_failed,
    )
    with (
        ExtractionBar(errors, silent=quiet()) as extracting,
        TrainingBar(errors, settings.epochs, silent=quiet()) as training,
    ):
        hooks = Hooks(
            on_note=note,
            on_video=extracting.video,
            on_step=training.step,
            on_working=extracting.working,
        )
        result = fit(request, hooks)
        training.show_last()
    if result.report is not None:
        rows = dict(
            zip(result.report.class_names, result.report.ap.T.tolist(), strict=True)
        )
        rows |= {"mAP": result.report.map.tolist()}
        console.print(map_table(result.scored, result.report.tiou.tolist(), rows))
    if result.expectation is not None:
        tell_expectation(out, result.expectation, videos)
    shown = Shown(min_score=result.shown_from).of_all(result.results)
    total = counted(sum(map(len, shown.values())), "detection")
    least = result.shown_from
    above = "" if least is None else f" from a score of {least:.3g} on"
    console.print(
        f"{total} in {counted(len(shown), 'video')}{above}; read {out / REPORT}"
    )
    console.print(
        f"next: acmnet report {out} --videos {videos} to look at it, "
        f"acmnet localize VIDEO --run {out} --out detections.json for others",
        markup=False,
    )
    reasons = [f"{video}: {reason}" for video, reason in result.left_out.items()]
    fail_for_left_out(reasons, len(result.results), listed=str(out / REPORT))


def tell_expectation(run: Path, expected: Expectation, videos: Path) -> None:
    """Print what names and networks say, and which detections to look at."""
    for sentence in expected.sentences():
        console.print(sentence, markup=False)
    reviewed = precision_of_reviews(run)
    if reviewed is None:
        return
    if reviewed.looked_at:
        console.print(reviewed.sentence(), markup=False)
    if reviewed.looked_at < reviewed.asked:
        rows = tuple(
            (one.video, one.label, *(f"{x:.1f}" for x in one[2:4]), f"{one.score:.2f}")
            for one in expected.to_review
        )
        columns = ("video", "label", "start s", "end s", "score")
        asked = counted(reviewed.asked, "detection")
        title = f"look at these {asked}, and the precision can be told"
        console.print(plain_table(title, Table(columns, rows, {})))
        console.print(
            f"accept or reject each in acmnet view {run} --videos {videos}; then view, "
            "report and fit tell the precision",
            markup=False,
        )
