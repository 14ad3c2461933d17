"""How many epochs a training has done and will do, read from the files of its run."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from acmnet.recipes import Settings
from acmnet.show.bench.rounds.log_tail import last_line

LOG_FILE: Final = "log.jsonl"
"""The file of a run with the losses of every step."""
TEACHERS: Final = "teachers"
"""Folder of a run with those of its teachers."""
TRIAL: Final = "marks_trial"
"""Folder of a run with the networks that try whether teachers should learn marks."""
TEACHERS_A_TRIAL: Final = 1.5
"""Epochs of all networks of such a trial, divided by those of one teacher, in a
training that begins with nothing: `acmnet.runs.marks_trial` trains three networks for
half as long. In a round they are part of the teachers' epochs."""
CONFIG_FILE: Final = "checkpoint/config.json"
"""The file of a run that says how it was trained."""
SHARE_OF_EPOCHS: Final = "share_of_epochs"
"""What that file says of a training that ended early (D-157): the share of their epochs
that its networks took. Rounds that begin with the run take the same share."""


class Epochs(NamedTuple):
    """Epochs of all networks of a run together."""

    done: int
    total: int
    may_end_early: bool = False
    """Whether the training may end earlier, see `TrainingSettings.early_end`."""


class _Logs(NamedTuple):
    """The last epochs in the logs of a run's networks; the student's is 0 at first."""

    trial: list[int]
    teachers: list[int]
    student: int
    steps: int
    """Steps of an epoch of a teacher; 0 if that is not known."""
    has_times: bool
    """Whether a teacher learns times besides names: its training then takes just the
    epochs of the settings, however few the videos are, and does not end early."""


def epochs_of(run: Path, settings: Settings, earlier: Path | None) -> Epochs:
    """Return how far a training is.

    Parameters
    ----------
    run : Path
        The folder of the run.
    settings : Settings
        Those of a training that begins with nothing.
    earlier : Path, optional
        The run that the training begins with; None if it begins with nothing.
    """
    of_teachers = [last_line(log) for log in run.glob(f"{TEACHERS}/*/{LOG_FILE}")]
    logs = _Logs(
        [_epoch(last_line(log)) for log in run.glob(f"{TRIAL}/*/{LOG_FILE}")],
        [_epoch(line) for line in of_teachers],
        _epoch(last_line(run / LOG_FILE)),
        max(map(_steps_of_an_epoch, of_teachers), default=0),
        any("marks" in line for line in of_teachers),
    )
    if earlier is None:
        return _of_first_training(logs, settings)
    return _of_round(logs, settings, _share_of_epochs(earlier))


def _of_first_training(logs: _Logs, settings: Settings) -> Epochs:
    """Return how far a training is that begins with nothing."""
    total, of_student = settings.epochs, settings.student_training.epochs
    done = sum(logs.trial) + sum(logs.teachers) + logs.student
    if logs.trial:
        total += round(TEACHERS_A_TRIAL * settings.training.epochs)
    elif settings.has_student and logs.student:
        # the teachers are trained: the student takes the share of its epochs that they
        # took of those of the settings
        of_teachers = total - of_student
        share = min(1.0, sum(logs.teachers) / of_teachers)
        total = sum(logs.teachers) + math.ceil(share * of_student)
    elif logs.steps and not logs.has_times:
        more = settings.training.epochs_of(logs.steps) - settings.training.epochs
        total += settings.teachers.count * more
    is_sure = not settings.training.early_end or logs.student or logs.has_times
    return Epochs(min(done, total), total, not is_sure)


def _of_round(logs: _Logs, settings: Settings, share: float) -> Epochs:
    """Return how far a round is after a run that took a share of its epochs."""
    own = settings.of_shorter_rounds(share)
    of_teacher = own.of_a_round().training.epochs
    of_student = settings.of_a_round().student_training.epochs
    total = of_teacher
    if settings.has_student:
        total = settings.teachers.count * of_teacher + math.ceil(share * of_student)
    if logs.trial:
        of_teacher = own.after_a_trial_in_a_round().of_a_round().training.epochs
    # a teacher that was kept has the log of the earlier run, which may be longer
    of_teachers = sum(min(epoch, of_teacher) for epoch in logs.teachers)
    return Epochs(min(sum(logs.trial) + of_teachers + logs.student, total), total)


def _share_of_epochs(run: Path) -> float:
    """Return the share of epochs that the networks of a run took; 1 if unknown."""
    try:
        training = json.loads((run / CONFIG_FILE).read_bytes())["training"]
        return float(training.get(SHARE_OF_EPOCHS, 1.0))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return 1.0


def _epoch(line: Mapping[str, Any]) -> int:
    """Return the epoch of a line of a log; 0 if there is none."""
    epoch = line.get("epoch")
    return epoch if isinstance(epoch, int) else 0


def _steps_of_an_epoch(line: Mapping[str, Any]) -> int:
    """Return how many steps an epoch has by a log's last line; 0 if unknown."""
    epoch, step = _epoch(line), line.get("step")
    return math.ceil(step / epoch) if epoch > 0 and isinstance(step, int) else 0
