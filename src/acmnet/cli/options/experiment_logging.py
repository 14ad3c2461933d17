"""The option --log of the verbs that train."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from acmnet.cli.terminal.app import note, quiet
from acmnet.recipes import Settings
from acmnet.runs.experiment_logs import ExperimentLogs, LogName

if TYPE_CHECKING:
    from acmnet.training.optimisation.tasks import StepRecord

Logs = Annotated[
    tuple[LogName, ...],
    Parameter(
        negative=(),
        help="Also log the losses of every step, the settings and the scores for "
        "tensorboard, mlflow or wandb (Weights & Biases, offline): into a folder of "
        "that name in --out. May be given several times. Each needs the extra of its "
        "name, such as acmnet[tensorboard].",
    ),
]


def logging(
    names: tuple[LogName, ...], out: Path, settings: Settings
) -> ExperimentLogs:
    """Return the logs of a run; only the first of several processes logs.

    Raises
    ------
    LogError
        If a program is not installed.
    """
    return ExperimentLogs(() if quiet() else names, out, settings, note)


def both(
    first: "Callable[[StepRecord], None]", second: "Callable[[StepRecord], None]"
) -> "Callable[[StepRecord], None]":
    """Return a function that tells two others of each step."""

    def log_too(record: "StepRecord") -> None:
        first(record)
        second(record)

    return log_too
