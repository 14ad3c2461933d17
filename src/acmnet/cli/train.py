"""Verbs that train: train, check, crossvalidate."""

import dataclasses
import shlex
from pathlib import Path

from acmnet.cli.app import UsageError, app, console, errors, note, quiet
from acmnet.cli.data_options import fail_for_missing
from acmnet.cli.progress import TrainingBar
from acmnet.cli.training_options import Training
from acmnet.data.labelled_features import open_data
from acmnet.files import refuse_unwritable
from acmnet.messages import counted
from acmnet.pipeline.run_request import LAST
from acmnet.pipeline.training_run import train_run
from acmnet.training.checkpoint import load_config


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
