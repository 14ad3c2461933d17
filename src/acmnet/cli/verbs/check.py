"""The verb check: reports every problem that would stop a training."""

import shlex

import torch

from acmnet.cli.options.dotted_settings import TRAINING_EPILOGUE
from acmnet.cli.options.fold_options import FoldOptions
from acmnet.cli.options.shared_options import fail_for_missing
from acmnet.cli.options.training_options import Training
from acmnet.cli.terminal.app import app, console, errors, fail, note, quiet
from acmnet.data.checks.findings import summed_up
from acmnet.data.checks.instance_checks import misplaced
from acmnet.data.checks.refusals import bad_features
from acmnet.data.checks.refusals import problems as data_problems
from acmnet.data.labelled_features import Data
from acmnet.data.labels.marks import content_sentence, given_marks
from acmnet.messages import counted
from acmnet.recipes import Settings
from acmnet.runs.memory_needs import refuse_oversized
from acmnet.validation.folds import fold_problems


@app.command(help_epilogue=TRAINING_EPILOGUE)
def check(
    *, training: Training, folds: int | None = None, groups: str | None = None
) -> None:
    """Report every problem in labels and features that would stop training.

    Takes the options of `acmnet train` and reads every feature file, but trains
    nothing. Exits with 1 if training would be refused.

    For example: acmnet check --annotations labels.csv --features features/

    Parameters
    ----------
    folds
        Also report what would stop `acmnet crossvalidate` and `acmnet ablate` with this
        many folds: a class that would be missing from a fold's training videos.
    groups
        Report the same for folds that keep each group of videos together: a CSV with
        the columns video,group, or the name of a column of the label file.
    """
    settings, data = training.settings(), training.data()
    unread = list(bad_features(data))
    marks = given_marks(data.annotations, training.supervision)
    problems = list(data_problems(data, for_training=True, marks=marks))
    # a file whose header is damaged is in both lists: report it once
    refusals = [says for refuse, says in problems if refuse and says not in unread]
    refusals += unread
    if not unread:
        refusals += _oversized(settings, data)
    deal = FoldOptions(folds, groups).deal(data)
    lacking = fold_problems(
        data.labels, deal.folds, data.annotations.source, deal.groups
    )
    is_asked = folds is not None or groups is not None
    refusals += lacking if is_asked else ()
    for sentence in (says for refuse, says in problems if not refuse):
        note(sentence)
    for line in summed_up(misplaced(data.annotations)):
        errors.print(line, markup=False)
    for sentence in refusals:
        errors.print(f"refused: {sentence}", markup=False)
    if lacking and not is_asked:
        note(f"crossvalidate with {deal.words} would be refused: {lacking[0]}")
    if refusals:
        fail(f"{counted(len(refusals), 'problem')} would stop training")
    holds = content_sentence(data.annotations)
    console.print(f"{data.annotations.source} holds {holds}", markup=False)
    taken = settings if marks else settings.of_videos(data.lengths)
    shape = f"{counted(len(data.annotations.class_names), 'class')}, dimension "
    console.print(
        f"ready: {counted(len(data.labels), 'video')}, {shape}{data.store.dimension}, "
        f"{counted(taken.epochs, 'epoch')}"
    )
    if not quiet():
        options = shlex.join(training.words())
        console.print(f"next: acmnet train {options} --out runs/first", markup=False)
    fail_for_missing(data)


def _oversized(settings: Settings, data: Data) -> list[str]:
    """Return why training would need too much memory; nothing if it would not."""
    try:
        refuse_oversized(settings, data, "cuda" if torch.cuda.is_available() else "cpu")
    except ValueError as error:
        return [str(error)]
    return []
