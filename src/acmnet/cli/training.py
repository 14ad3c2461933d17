"""Verbs that train: train, check, crossvalidate."""

import dataclasses
import shlex
from pathlib import Path
from typing import Final

import torch

from acmnet.cli.app import UsageError, app, console, errors, fail, note, quiet
from acmnet.cli.console import TrainingBar, Waiting, map_table
from acmnet.cli.options import JsonPath, Training, fail_for_missing
from acmnet.data.detections import write_detections
from acmnet.doctor.findings import summed_up
from acmnet.doctor.instance_checks import misplaced
from acmnet.evaluation.reports import parse_tiou
from acmnet.files import refuse_unwritable, write_json
from acmnet.messages import counted
from acmnet.pipeline.cross_validation import cross_validate
from acmnet.pipeline.fit_videos import DETECTIONS
from acmnet.pipeline.folds import fold_problems
from acmnet.pipeline.labelled_features import Data, bad_features, open_data
from acmnet.pipeline.labelled_features import problems as data_problems
from acmnet.pipeline.memory_needs import refuse_oversized
from acmnet.pipeline.training_run import LAST, train_run
from acmnet.recipes import Settings
from acmnet.segments import FloatArray
from acmnet.training.checkpoint import load_config

FOLDS: Final = 4
"""Folds of `crossvalidate` unless told otherwise."""
SPREAD: Final = "std over seeds"


@app.command
def train(
    *,
    given: Training,
    out: Path,
    seed: int = 0,
    select: str = LAST,
    device: str = "auto",
    resume: bool = False,
    resume_from: Path | None = None,
    overwrite: bool = False,
) -> None:
    """Learn from videos that carry only the names of their actions.

    At the end the run notes from which score its detections are shown by default: the
    one that tells best which training videos carry an action, by their names alone.

    Parameters
    ----------
    out
        Directory of the run: checkpoint, log.jsonl.
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
    if resume and overwrite:
        raise UsageError("--resume goes on with a run, --overwrite drops it: give one")
    refuse_unwritable(out / "log.jsonl")
    request = given.request(out, device)
    data, selection = request.data, None
    if select != LAST:
        chosen_on = dataclasses.replace(data.source, subset=select)
        selection = open_data(chosen_on, note, skip_missing=given.skip_missing)
    request = dataclasses.replace(
        request,
        seed=seed,
        resume=resume,
        resume_from=resume_from,
        overwrite=overwrite,
        selection=selection,
    )
    if selection is not None:
        note(f"the checkpoint is chosen on the true segments of subset {select!r}")
    with TrainingBar(errors, request.settings.epochs, silent=quiet()) as bar:
        train_run(request, on_step=bar.step, on_note=note)
        bar.show_last()
    if not quiet():
        epochs = counted(load_config(out).epoch, "epoch")
        videos = counted(len(data.labels), "video")
        run, features = (shlex.quote(str(x)) for x in (out, data.source.features))
        console.print(
            f"trained on {videos}: {out} ({epochs})\n"
            f"next: acmnet localize --run {run} --features {features} --out "
            "detections.json",
            markup=False,
        )
    fail_for_missing(data)


@app.command
def check(*, given: Training, folds: int | None = None) -> None:
    """Say everything that training would refuse, before hours of it.

    Every feature file is read.

    Parameters
    ----------
    folds
        Also refuse what `acmnet crossvalidate` and `acmnet ablate` would refuse with
        this many folds: a class that one fold's training would lack.
    """
    settings, data = given.settings(), given.data()
    unread = list(bad_features(data))
    found = list(data_problems(data, for_training=True))
    # an unreadable file is said once, though its header says it, too
    refusals = [says for refuse, says in found if refuse and says not in unread]
    refusals += unread
    if not unread:
        refusals += _oversized(settings, data)
    lacking = fold_problems(data.labels, folds or FOLDS, data.annotations.source)
    refusals += lacking if folds is not None else ()
    for sentence in (says for refuse, says in found if not refuse):
        note(sentence)
    for line in summed_up(misplaced(data.annotations)):
        errors.print(line, markup=False)
    for sentence in refusals:
        errors.print(f"refused: {sentence}", markup=False)
    if lacking and folds is None:
        note(f"crossvalidate in {FOLDS} folds would be refused: {lacking[0]}")
    if refusals:
        fail(f"{counted(len(refusals), 'problem')} would stop training")
    shape = f"{counted(len(data.annotations.class_names), 'class')}, dimension "
    console.print(
        f"ready: {counted(len(data.labels), 'video')}, {shape}{data.store.dimension}, "
        f"{counted(settings.epochs, 'epoch')}"
    )
    fail_for_missing(data)


def _oversized(settings: Settings, data: Data) -> list[str]:
    """Return why training would not fit into memory, or into the settings."""
    try:
        refuse_oversized(settings, data, "cuda" if torch.cuda.is_available() else "cpu")
    except ValueError as error:
        return [str(error)]
    return []


@app.command(name="crossvalidate")
def crossvalidate_command(
    *,
    given: Training,
    out: Path,
    folds: int = FOLDS,
    seeds: tuple[int, ...] = (0, 1, 2),
    tiou: str = "0.1:0.7:0.1",
    json_path: JsonPath = None,
    device: str = "auto",
) -> None:
    """Score a recipe on your own videos: train on all folds but one, test on that.

    Labels alone are trained on; true segments only score. A call that was cut short
    goes on where it stopped.

    Parameters
    ----------
    out
        Directory for all runs, seed_S/fold_F; seed_S/detections.json gets what was
        found in each video by the run that had not seen it.
    folds
        Parts that the videos are dealt into, the same for every seed, with every class
        in each of them where it can be; a class needs two videos or more.
    seeds
        One training a fold for each: --seeds 0 --seeds 1.
    json_path
        Also write the scores here, as fractions of 1.
    """
    refuse_unwritable(out / f"seed_0/{DETECTIONS}", json_path)
    request = given.request(out, device)
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
    for seed, found in result.detections.items():
        write_detections(out / f"seed_{seed}" / DETECTIONS, found)
    if json_path is not None:
        write_json(json_path, values)
    rows = {"mAP": values["map"], SPREAD: values["std"], "chance": values["chance"]}
    each = f"{folds} folds, {counted(len(seeds), 'seed')}"
    title = f"{each}, {given.recipe} ({given.profile})"
    spread = {SPREAD: values["average_std"]}
    console.print(map_table(title, result.tiou, rows, spread))
    console.print(
        f"average mAP {100 * values['average']:.2f} ± "
        f"{100 * values['average_std']:.2f} %, {result.seconds:.0f} s of training"
    )
    console.print(
        f"detections of every video by a run that had not seen it: {out}/seed_*/"
        f"{DETECTIONS} (acmnet evaluate, diagnose)"
    )
    fail_for_missing(request.data)
