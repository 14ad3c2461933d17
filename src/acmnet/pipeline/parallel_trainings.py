"""Trainings of several cross-validations, one after another or at the same time."""

import dataclasses
import itertools
import multiprocessing
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import torch

from acmnet.data.video_groups import VideoGroups
from acmnet.extraction.worker_engines import (
    bound_to_us,
    environment,
    without_interrupts,
)
from acmnet.pipeline.cross_validation import folds_of
from acmnet.pipeline.run_request import RunRequest
from acmnet.pipeline.run_state import RunState, run_on_disk
from acmnet.pipeline.training_run import train_run
from acmnet.startup import SAFE_PATH


def train_all(
    runs: Mapping[str, RunRequest],
    *,
    folds: int,
    groups: VideoGroups | None = None,
    seeds: Sequence[int],
    workers: int,
    on_training: Callable[[int, int, str], None] = lambda *_: None,
) -> None:
    """Train every fold and seed of several runs, ``workers`` at the same time.

    Parameters
    ----------
    runs : mapping of name to RunRequest
        What each cross-validation trains. Trainings that would lie in the same
        directory are done once.
    folds, groups, seeds
        As for `acmnet.pipeline.cross_validation.cross_validate`.
    workers : int
        Processes, from 1; with GPUs the trainings take them in turn.
    on_training : callable
        Called before the first and after each training with how many are done, how
        many there are, and what was done.

    Raises
    ------
    RunError, TrainingError, ValueError, ...
        With one sentence; what was finished is kept.
    """
    if workers < 1:
        raise ValueError(f"workers must be at least 1, got {workers}")
    trainings: dict[Path, tuple[str, RunRequest]] = {}
    for name, run in runs.items():
        for seed, fold, training, _ in folds_of(
            run, folds=folds, groups=groups, seeds=seeds
        ):
            words = f"{name}, seed {seed}, fold {fold}"
            trainings.setdefault(training.out, (words, training))
    waiting = [
        (words, training)
        for words, training in trainings.values()
        if run_on_disk(training).state is not RunState.FINISHED
    ]
    total = len(trainings)
    done = itertools.count(total - len(waiting))

    def tell(words: str) -> None:
        on_training(next(done), total, words)

    tell(f"{total - len(waiting)} were there")
    if workers > 1:
        _train_in_processes(waiting, workers, tell)
        return
    for words, training in waiting:
        train_run(training)
        tell(words)


def _train_in_processes(
    waiting: Sequence[tuple[str, RunRequest]],
    workers: int,
    on_done: Callable[[str], None],
) -> None:
    """Train in processes that share the cores; none outlives this one."""
    threads = max(1, torch.get_num_threads() // workers)
    # a fork would copy the threads' locks of torch with it
    context = multiprocessing.get_context("spawn")
    others = multiprocessing.active_children()
    with (
        environment(SAFE_PATH | bound_to_us()),
        ProcessPoolExecutor(
            workers, context, initializer=torch.set_num_threads, initargs=(threads,)
        ) as pool,
    ):
        cards = itertools.cycle(range(max(1, torch.cuda.device_count())))
        with without_interrupts():
            jobs = {
                pool.submit(_train, _on_card(training, card)): words
                for (words, training), card in zip(waiting, cards, strict=False)
            }
        try:
            for job in as_completed(jobs):
                job.result()
                on_done(jobs[job])
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in multiprocessing.active_children():
                if process not in others:  # else they would train to their ends
                    process.kill()
            raise


def _train(training: RunRequest) -> None:
    """Train in a process of the pool."""
    train_run(training)


def _on_card(training: RunRequest, card: int) -> RunRequest:
    """Return a training that is to run on one of several GPUs."""
    if training.device != "cuda":
        return training
    return dataclasses.replace(training, device=f"cuda:{card}")
