"""The verb check: reports every problem that would stop a training."""

import torch

from acmnet.cli.app import app, console, errors, fail, note
from acmnet.cli.data_options import fail_for_missing
from acmnet.cli.training_options import FOLDS, Training
from acmnet.data.checks.findings import summed_up
from acmnet.data.checks.instance_checks import misplaced
from acmnet.data.checks.refusals import bad_features
from acmnet.data.checks.refusals import problems as data_problems
from acmnet.data.labelled_features import Data
from acmnet.messages import counted
from acmnet.pipeline.folds import fold_problems
from acmnet.pipeline.memory_needs import refuse_oversized
from acmnet.recipes import Settings


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
