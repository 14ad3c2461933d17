"""The verb train: a recipe is trained on labels and features."""

import dataclasses
import shlex
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from acmnet.checkpoints.checkpoint import load_config
from acmnet.cli.options.dotted_settings import TRAINING_EPILOGUE
from acmnet.cli.options.shared_options import Device, OutputFolder, fail_for_missing
from acmnet.cli.options.training_options import Logs, Training, call_both, logging
from acmnet.cli.terminal.app import UsageError, app, console, errors, note, quiet
from acmnet.cli.terminal.progress import TrainingBar
from acmnet.data.labelled_features import open_data
from acmnet.files.file_access import refuse_unwritable
from acmnet.messages import counted
from acmnet.runs.run_request import LAST
from acmnet.runs.training_run import train_run


@app.command(help_epilogue=TRAINING_EPILOGUE)
def train(
    *,
    training: Training,
    out: OutputFolder,
    seed: int = 0,
    select: str = LAST,
    device: Device = "auto",
    resume: Annotated[bool, Parameter(negative=())] = False,
    resume_from: Path | None = None,
    from_: Annotated[Path | None, Parameter(name="--from")] = None,
    overwrite: Annotated[bool, Parameter(negative=())] = False,
    log: Logs = (),
) -> None:
    """Learn from videos that carry only the names of their actions.

    True segments are used only if --supervision asks to learn from them, or --select
    to choose a checkpoint by them. At the end, a score is chosen from which detections
    are shown by default: the one that best tells, by labels alone, which training
    videos contain an action. Under torchrun, each process takes a GPU of its own.

    For example: acmnet train --annotations labels.json --features features/ --out
    runs/first

    Parameters
    ----------
    out
        Directory for the run: its checkpoints and log.jsonl, the losses of every step.
    seed
        Number that all random choices start from: initial weights, order of the videos,
        sampling and dropout.
    select
        "last" keeps the network of the last epoch. The name of a subset keeps the epoch
        that scores best against the true segments of that subset. On a test set this is
        peeking; the log and every result of the run say so.
    resume
        Go on from the newest checkpoint in --out.
    resume_from
        Start a new run in --out from the checkpoint in this directory.
    from_
        Begin with the weights of this earlier run, and train for a share of the epochs,
        training.round_share. The networks of the first stage, the teachers, are kept
        where neither names nor marks have changed.
    overwrite
        Replace the run in --out.
    """
    _refuse_two_beginnings(
        in_out=resume and overwrite, elsewhere=None not in (from_, resume_from)
    )
    refuse_unwritable(out / "log.jsonl")
    request = training.request(out, device)
    data, selection = request.data, None
    if select != LAST:
        chosen_on = dataclasses.replace(data.source, subset=select)
        selection = open_data(chosen_on, note, skip_missing=training.skip_missing)
    request = dataclasses.replace(
        request,
        seed=seed,
        resume=resume,
        resume_from=resume_from,
        overwrite=overwrite,
        selection=selection,
        begin_from=from_,
    )
    if selection is not None:
        note(f"the checkpoint is chosen on the true segments of subset {select!r}")
    with (
        logging(log, out, request.settings) as logs,
        TrainingBar(errors, request.schedule.epochs, silent=quiet()) as bar,
    ):
        train_run(request, on_step=call_both(bar.step, logs.on_step), on_note=note)
        bar.show_last()
    if not quiet():
        epochs = counted(load_config(out).epoch, "epoch")
        videos = counted(len(data.labels), "video")
        run, features = (shlex.quote(str(x)) for x in (out, data.store.place))
        console.print(
            f"trained on {videos}: {out} ({epochs})\n"
            f"next: acmnet localize --run {run} --features {features} --out "
            "detections.json",
            markup=False,
        )
    fail_for_missing(data)


def _refuse_two_beginnings(*, in_out: bool, elsewhere: bool) -> None:
    """Refuse two options that each say what a run begins with.

    Parameters
    ----------
    in_out : bool
        Whether both --resume and --overwrite were given.
    elsewhere : bool
        Whether both --from and --resume-from were given.
    """
    if in_out:
        raise UsageError(
            "--resume continues a run, --overwrite replaces it: give only one"
        )
    if elsewhere:
        raise UsageError(
            "--resume-from goes on with a training, --from begins a new one with its "
            "weights: give only one"
        )
