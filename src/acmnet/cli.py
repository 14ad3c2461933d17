"""The command line: verbs, help, progress, exit codes, one sentence on each mistake.

Exit codes: 0 done; 1 refused or partly failed, with one sentence on stderr; 2 usage.
"""

import dataclasses
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, NoReturn

import torch
from cyclopts import App, CycloptsError, Parameter
from rich.console import Console

from acmnet import recipes
from acmnet.annotations import Annotations, Video
from acmnet.checkpoint import load_config
from acmnet.console import Training, Waiting, map_table
from acmnet.detections import read_detections, write_detections
from acmnet.evaluation import evaluate, parse_tiou
from acmnet.features import FeatureError, open_store
from acmnet.files import one_line, write_json
from acmnet.pipeline.data import Data, DataSource, bad_features, open_data
from acmnet.pipeline.data import problems as data_problems
from acmnet.pipeline.experiments import (
    cross_validate,
    demo,
)
from acmnet.pipeline.runs import LAST, RunRequest, join_processes, train_run
from acmnet.pipeline.trained import load, localize_videos
from acmnet.recipes import RecipeError, Settings
from acmnet.segments import FloatArray, SnippetGrid
from acmnet.training import TrainingError

OVERRIDES_HELP = (
    "Any setting of a recipe can be given by its dotted name, such as "
    "--training.epochs 50 or --localization.activation-thresholds 0.1,0.2; "
    "`acmnet recipes show NAME` lists them all."
)

app = App(
    name="acmnet",
    help="Learn when actions happen in videos from nothing but their names.",
    help_epilogue=OVERRIDES_HELP,
    result_action="return_value",
)
recipes_app = App(
    name="recipes",
    help="List the recipes, or show all of one's values.",
    result_action="return_value",
)
app.command(recipes_app)

console = Console(soft_wrap=True, highlight=False)
errors = Console(stderr=True, soft_wrap=True, highlight=False)
overrides: dict[str, object] = {}
"""Settings given by dotted name, taken off the command line before it is parsed."""

Profile = Literal["corrected", "official", "paper"]


@dataclasses.dataclass(frozen=True)
class GridOptions:
    """Where the features have no features.json, all three of these are needed."""

    fps: float | None = None
    "Frames a second of the frames that snippets were cut from."
    snippet_frames: int | None = None
    "Frames in one snippet."
    stride_frames: int | None = None
    "Frames from one snippet to the next."

    def grid(self) -> SnippetGrid | None:
        """Return the grid, or None where no option was given."""
        given = dataclasses.asdict(self)
        missing = [name for name, value in given.items() if value is None]
        if len(missing) == len(given):
            return None
        if missing:
            options = ", ".join("--" + name.replace("_", "-") for name in missing)
            raise UsageError(
                f"a grid needs all three of its options; missing: {options}"
            )
        return SnippetGrid(**given)


Grid = Annotated[GridOptions, Parameter(name="*")]


class UsageError(ValueError):
    """A combination of options that makes no sense."""


@app.command
def train(
    *,
    annotations: Path,
    features: Path,
    out: Path,
    recipe: str = "default",
    profile: Profile = "corrected",
    subset: str | None = None,
    seed: int = 0,
    select: str = LAST,
    device: str = "auto",
    resume: bool = False,
    resume_from: Path | None = None,
    overwrite: bool = False,
    grid: Grid = GridOptions(),
) -> None:
    """Learn from videos that carry only the names of their actions.

    Parameters
    ----------
    annotations
        Label file: ActivityNet-style JSON, or CSV with the columns video,labels.
    features
        Directory with one .npy or .safetensors a video and features.json.
    out
        Directory of the run: checkpoint, log.jsonl.
    recipe
        A name from `acmnet recipes`, or a TOML file.
    profile
        Repaired defaults, the authors' code, or the paper as printed.
    subset
        Train on this subset of the annotations only; else on every video.
    seed
        Of the first weights, the order of videos, sampling and dropout.
    select
        "last" keeps the last epoch. The name of a subset keeps the epoch that scores
        best against that subset's true segments: on a test set this is peeking, and
        the log and every result of the run say so.
    device
        "auto", "cpu" or "cuda". Under torchrun each process takes its own GPU.
    resume
        Go on from the newest checkpoint in --out.
    resume_from
        Start a new run in --out from this checkpoint directory.
    overwrite
        Replace the run in --out.
    """
    settings = recipes.recipe(recipe, profile=profile, overrides=overrides)
    data = open_data(DataSource(annotations, features, subset, grid.grid()))
    selection = None
    if select != LAST:
        selection = open_data(dataclasses.replace(data.source, subset=select))
    if resume and overwrite:
        raise UsageError("--resume goes on with a run, --overwrite drops it: give one")
    request = RunRequest(
        out,
        settings,
        data,
        recipe=recipe,
        profile=profile,
        seed=seed,
        device=join_processes(device),
        resume=resume,
        resume_from=resume_from,
        overwrite=overwrite,
        selection=selection,
    )
    if selection is not None:
        note(f"the checkpoint is chosen on the true segments of subset {select!r}")
    with Training(errors, settings.training.epochs, silent=quiet()) as bar:
        train_run(request, on_step=bar.step, on_note=note)
        bar.show_last()
    if not quiet():
        losses = load_config(out).metrics.get("losses", {})
        terms = ", ".join(f"{name} {value:.4g}" for name, value in losses.items())
        console.print(f"trained on {len(data.labels)} videos: {out} ({terms})")


@app.command
def localize(
    *,
    run: Path,
    features: Path,
    out: Path,
    annotations: Path | None = None,
    subset: str | None = None,
    device: str = "auto",
    grid: Grid = GridOptions(),
) -> None:
    """Find actions in videos with a trained run; write detections in seconds.

    Parameters
    ----------
    run
        Directory that `acmnet train` wrote, or any checkpoint in it.
    features
        Directory with the videos' features.
    out
        Detections file to write (ActivityNet results JSON).
    annotations
        Label file that names the videos; all videos with features when left out.
    subset
        Only this subset of the annotations.
    """
    model = load(
        run,
        settings=lambda trained: recipes.override(trained, overrides),
        device=join_processes(device),
    )
    source = DataSource(annotations or Path(), features, subset, grid.grid())
    data = open_data(source) if annotations else _all_videos(source)
    n_videos = len(data.annotations.videos)
    failures: list[FeatureError] = []
    done = 0
    with Waiting(errors, "localising", "videos", silent=quiet()) as bar:

        def count(_video: str) -> None:
            nonlocal done
            done += 1
            bar.update(done, n_videos)

        results = localize_videos(model, data, count, failures.append)
    used: dict[str, object] = {"used": True, "details": f"features in {features}"}
    if model.config is not None and model.config.selection != LAST:
        used["checkpoint_chosen_on"] = model.config.selection
        note(f"the checkpoint of {run} was chosen on the {model.config.selection}")
    write_detections(out, results, external_data=used)
    total = sum(map(len, results.values()))
    console.print(f"{total} detections in {len(results)} videos: {out}")
    if failures:
        rest = f"; {len(failures) - 1} more: acmnet check" if failures[1:] else ""
        fail(f"{len(failures)} of {n_videos} videos were left out: {failures[0]}{rest}")


@app.command(name="evaluate")
def evaluate_command(
    *,
    ground_truth: Path,
    detections: Path,
    subset: str | None = None,
    tiou: str = "0.1:0.7:0.1",
    json_path: Annotated[Path | None, Parameter(name="--json")] = None,
) -> None:
    """Score a detections file: mAP for each tIoU, AP for each class.

    Parameters
    ----------
    ground_truth
        Annotations with true segments.
    detections
        ActivityNet results JSON, of any system.
    subset
        Only this subset of the ground truth.
    tiou
        Thresholds: first:last:step, or a list such as 0.3,0.5.
    json_path
        Also write the scores here, as fractions of 1.
    """
    report = evaluate(
        ground_truth, read_detections(detections), subset=subset, tiou=parse_tiou(tiou)
    )
    rows = dict(zip(report.class_names, report.ap.T.tolist(), strict=True))
    title = f"{detections} against {ground_truth}"
    rows |= {"mAP": report.map.tolist()}
    console.print(map_table(title, report.tiou.tolist(), rows))
    console.print(
        f"{report.videos} videos, {report.instances} instances, "
        f"{report.detections} detections; average mAP {100 * report.average:.2f} %"
    )
    for reason, count in report.dropped.items():
        note(f"{count} detections were dropped: {reason}")
    absent = report.unpredicted
    if absent:
        some = ", ".join(absent[:5]) + ", ..." * (len(absent) > 5)
        note(f"{len(absent)} of {report.videos} videos have no prediction: {some}")
    chosen = report.external_data.get("checkpoint_chosen_on")
    if chosen:
        note(f"these detections' checkpoint was chosen on the {chosen}")
    if json_path is not None:
        extra = {"checkpoint_chosen_on": chosen} if chosen else {}
        write_json(json_path, report.to_json() | extra)


@app.command
def check(
    *,
    annotations: Path,
    features: Path,
    recipe: str = "default",
    profile: Profile = "corrected",
    subset: str | None = None,
    grid: Grid = GridOptions(),
) -> None:
    """Say everything that training would refuse, before hours of it.

    Parameters are those of `acmnet train`. Every feature file is read.
    """
    settings = recipes.recipe(recipe, profile=profile, overrides=overrides)
    data = open_data(DataSource(annotations, features, subset, grid.grid()))
    refused = 0
    for refuse, sentence in data_problems(data, for_training=True):
        refused += refuse
        errors.print(f"{'refused' if refuse else 'note'}: {sentence}", markup=False)
    for sentence in bad_features(data):
        refused += 1
        errors.print(f"refused: {sentence}", markup=False)
    if refused:
        fail(f"{refused} problems would stop training")
    shape = f"{len(data.annotations.class_names)} classes, dimension "
    console.print(
        f"ready: {len(data.labels)} videos, {shape}{data.store.dimension}, "
        f"{settings.training.epochs} epochs"
    )


@app.command(name="crossvalidate")
def crossvalidate_command(
    *,
    annotations: Path,
    features: Path,
    out: Path,
    recipe: str = "default",
    profile: Profile = "corrected",
    subset: str | None = None,
    folds: int = 4,
    seeds: tuple[int, ...] = (0, 1, 2),
    tiou: str = "0.1:0.7:0.1",
    json_path: Annotated[Path | None, Parameter(name="--json")] = None,
    device: str = "auto",
    grid: Grid = GridOptions(),
) -> None:
    """Score a recipe on your own videos: train on all folds but one, test on that.

    Labels alone are trained on; true segments only score. A call that was cut short
    goes on where it stopped.

    Parameters
    ----------
    out
        Directory for all runs, seed_S/fold_F.
    folds
        Parts that the videos are dealt into, the same for every seed.
    seeds
        One training a fold for each: --seeds 0 --seeds 1.
    json_path
        Also write the scores here, as fractions of 1.
    """
    settings = recipes.recipe(recipe, profile=profile, overrides=overrides)
    data = open_data(DataSource(annotations, features, subset, grid.grid()))
    request = RunRequest(
        out,
        settings,
        data,
        recipe=recipe,
        profile=profile,
        device=join_processes(device),
    )
    runs, n_runs = 0, folds * len(seeds)
    with Waiting(errors, "cross-validating", "runs", silent=quiet()) as bar:

        def count(seed: int, fold: int, scores: FloatArray) -> None:
            nonlocal runs
            runs += 1
            average = f"{100 * scores.mean():.1f} %"
            bar.update(runs, n_runs, f"seed {seed} fold {fold}: {average}")

        result = cross_validate(
            request, folds=folds, seeds=seeds, tiou=parse_tiou(tiou), on_run=count
        )
    values = result.to_json()
    rows = {"mAP": values["map"], "std over seeds": values["std"]}
    rows |= {"chance": values["chance"]}
    title = f"{folds} folds, {len(seeds)} seeds, {recipe} ({profile})"
    console.print(map_table(title, result.tiou, rows))
    console.print(
        f"average mAP {100 * values['average']:.2f} ± "
        f"{100 * values['average_std']:.2f} %, {result.seconds:.0f} s of training"
    )
    if json_path is not None:
        write_json(json_path, values)


@app.command(name="demo")
def demo_command(*, out: Path = Path("runs/demo"), seed: int = 0) -> None:
    """Make a small world, learn from its labels alone, localise, evaluate, compare.

    Parameters
    ----------
    out
        Directory that gets the world, the trained model, detections and scores.
    seed
        Of the world and of the training.
    """
    epochs = recipes.recipe("default").training.epochs
    with Training(errors, epochs, silent=quiet()) as bar:
        result = demo(out, seed=seed, on_step=bar.step)
        bar.show_last()
    rows = {
        "ACM-Net": result.report.map.tolist(),
        "labels shuffled": result.control.map.tolist(),
        "random places": result.chance.tolist(),
    }
    console.print(map_table("A small world, test videos", result.report.tiou, rows))
    console.print(f"detections: {result.detections}\nscores: {result.scores}")


@recipes_app.default
def list_recipes() -> None:
    """List the recipes that are shipped."""
    width = max(map(len, recipes.recipe_names()))
    for name in recipes.recipe_names():
        console.print(f"{name:{width}}  {recipes.summary(name)}")


@recipes_app.command
def show(name: str, *, profile: Profile = "corrected") -> None:
    """Print all values of a recipe as TOML; a copy of it is a recipe of your own.

    Parameters
    ----------
    name
        A name from `acmnet recipes`, or a TOML file.
    profile
        Values that differ from the corrected profile are marked.
    """
    settings = recipes.recipe(name, profile=profile, overrides=overrides)
    base: Settings | None = None
    if profile != "corrected":
        base = recipes.recipe(name)
    console.print(recipes.as_toml(settings, base), markup=False)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line and exit."""
    tokens = list(sys.argv[1:] if argv is None else argv)
    try:
        overrides.clear()
        app(_without_overrides(tokens), exit_on_error=False, print_error=False)
    except (UsageError, CycloptsError) as error:
        fail(str(error), code=2)
    except BrokenPipeError:  # whoever read our output, such as head, has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (ValueError, TrainingError, OSError) as error:
        fail(str(error))
    except torch.OutOfMemoryError as error:
        fail(f"out of GPU memory ({one_line(error)}); lower --training.batch-size")
    except KeyboardInterrupt:
        fail("interrupted; what was finished is kept, go on with --resume", code=130)


def _without_overrides(tokens: list[str]) -> list[str]:
    """Take ``--room.setting value`` off the command line, into `overrides`."""
    rest: list[str] = []
    waiting = iter(tokens)
    for token in waiting:
        if not re.match(r"--[a-zA-Z_]+\.", token):
            rest.append(token)
            continue
        name, given, value = token[2:].partition("=")
        name = name.replace("-", "_")
        if not given:
            value = next(waiting, "")
        if not value:
            raise UsageError(f"--{name} needs a value")
        try:
            recipes.override(Settings(), {name: value})
        except RecipeError as error:
            raise UsageError(str(error)) from error
        overrides[name] = value
    return rest


def _all_videos(source: DataSource) -> Data:
    """Return every video that has features, without any label."""
    store = open_store(source.features, grid=source.grid)
    videos = {video: Video(video, None, None, (), ()) for video in store.video_ids}
    return Data(source, Annotations(str(source.features), videos, ()), store)


def note(sentence: str) -> None:
    """Tell the user something that does not stop the command."""
    if not quiet():
        errors.print(f"note: {sentence}", markup=False)


def quiet() -> bool:
    """Whether this is one of torchrun's further processes."""
    return os.environ.get("RANK", "0") != "0"


def fail(sentence: str, code: int = 1) -> NoReturn:
    """Say why on stderr, in one line, and exit."""
    if not quiet():
        errors.print("acmnet: " + " ".join(sentence.split()), markup=False)
    sys.exit(code)
