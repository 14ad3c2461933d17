"""Do the trainings of several cross-validations, each of them once."""

import dataclasses
import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch

from acmnet.data.video_groups import VideoGroups
from acmnet.runs.run_request import RunRequest
from acmnet.runs.run_state import RunState, run_on_disk
from acmnet.runs.training_run import train_run
from acmnet.validation.cross_validation import folds_of
from acmnet.workers.worker_tasks import DoTasks, Task


def train_all(
    runs: Mapping[str, RunRequest],
    do_tasks: DoTasks,
    *,
    folds: int,
    groups: VideoGroups | None = None,
    seeds: Sequence[int],
    on_training: Callable[[int, int, str], None] = lambda *_: None,
) -> None:
    """Train every fold and seed of several runs.

    Parameters
    ----------
    runs : mapping of name to RunRequest
        What each cross-validation trains. Trainings that would lie in the same
        directory are done once.
    do_tasks : callable
        Where they are trained, see `acmnet.workers.worker_tasks`. If a process has
        several GPUs, the trainings take them in turn.
    folds, groups, seeds
        As for `acmnet.validation.cross_validation.cross_validate`.
    on_training : callable
        Called before the first and after each training with how many are done, how
        many there are, and what was done.

    Raises
    ------
    RunError, TrainingError, EngineError, ValueError, ...
        With one sentence; what was finished is kept.
    """
    trainings: dict[Path, tuple[str, RunRequest]] = {}
    for name, run in runs.items():
        for seed, fold, training, _ in folds_of(
            run, folds=folds, groups=groups, seeds=seeds
        ):
            words = f"{name}, seed {seed}, fold {fold}"
            trainings.setdefault(training.out, (words, training))
    waiting = [
        Task(words, functools.partial(_train, training, i))
        for i, (words, training) in enumerate(trainings.values())
        if run_on_disk(training).state is not RunState.FINISHED
    ]
    total = len(trainings)
    done = itertools.count(total - len(waiting))
    on_training(next(done), total, f"{total - len(waiting)} were there")
    for i, _ in do_tasks(waiting):
        on_training(next(done), total, waiting[i].words)


def _train(training: RunRequest, i: int) -> None:
    """Do a training, on one of the GPUs that this process has."""
    if training.device == "cuda":
        card = i % max(1, torch.cuda.device_count())
        training = dataclasses.replace(training, device=f"cuda:{card}")
    train_run(training)
