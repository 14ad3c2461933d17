"""Run an ablation study: train and score every variant, compare it with the full one.

Variants that train alike share their trainings, also between studies: a training lies
in a folder named after the settings that it depends on, and after what it is given
besides names. The trainings of several variants are done together, each once.
"""

import dataclasses
import functools
import hashlib
import itertools
import json
import platform
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from pathlib import Path

import numpy as np
import torch

from acmnet.data.video_groups import VideoGroups
from acmnet.recipes import SECOND_STAGE, Settings, as_values
from acmnet.runs.run_request import RunRequest
from acmnet.runs.run_state import RunState, run_on_disk
from acmnet.runs.training_run import train_run
from acmnet.segments import FloatArray
from acmnet.validation.ablation_studies import Study, Variant
from acmnet.validation.ablation_table import (
    AGREEMENT,
    CLASSIFICATION,
    Ablation,
    AblationRow,
)
from acmnet.validation.cross_validation import CrossValidation, cross_validate, folds_of
from acmnet.workers.worker_tasks import DoTasks, Task, Workers, task_workers


@dataclasses.dataclass(frozen=True, kw_only=True)
class AblationRequest:
    """Everything that `ablate` needs to know."""

    study: Study
    base: RunRequest
    """Data, recipe, profile and device of every training; ``out`` is the directory of
    the trainings of all studies."""
    overrides: Mapping[str, object]
    """Settings that the caller gave, by dotted name; the changes of a variant are laid
    over them."""
    folds: int = 4
    groups: VideoGroups | None = None
    """Which videos belong together: those of one group stay in one fold."""
    seeds: tuple[int, ...] = (0, 1, 2)
    workers: Workers = Workers()
    """Where the trainings run, and how many of them at the same time."""

    def run_of(self, variant: Variant) -> RunRequest:
        """Return the request for the training of a variant."""
        settings = variant.settings(self.base.recipe, self.base.profile, self.overrides)
        supervision = self.base.supervision
        suffix = "" if supervision == "names" else f"_{supervision}"
        return dataclasses.replace(
            self.base,
            out=self.base.out / f"{training_id(settings)}{suffix}",
            settings=settings,
            profile=variant.profile or self.base.profile,
        )


def ablate(
    request: AblationRequest,
    on_training: Callable[[int, int, str], None] = lambda *_: None,
    on_note: Callable[[str], None] = lambda _: None,
) -> Ablation:
    """Train every variant on every fold and seed, score it, compare it.

    Finished trainings in ``request.base.out`` are not done again, whichever study they
    were done for; one that was cut short goes on.

    Parameters
    ----------
    request : AblationRequest
        What to do.
    on_training : callable
        Called before the first and after each training with how many are done, how
        many there are, and what was done.
    on_note : callable
        Called with a sentence if a worker has died and its task is done once more.

    Raises
    ------
    RecipeError, RunError, ValueError, ...
        With one sentence; what was finished is kept.
    """
    with task_workers(request.workers, on_note) as do_tasks:
        rows = _rows(request, do_tasks, on_training)
    return Ablation(request.study, rows, _facts(request))


def _rows(
    request: AblationRequest,
    do_tasks: DoTasks,
    on_training: Callable[[int, int, str], None],
) -> tuple[AblationRow, ...]:
    """Return what each variant scored, after training all of them."""
    study = request.study
    runs = {variant.name: request.run_of(variant) for variant in study.variants}
    train_all(
        runs,
        do_tasks,
        folds=request.folds,
        groups=request.groups,
        seeds=request.seeds,
        on_training=on_training,
    )
    thresholds = tuple(sorted({*study.tiou, *study.average_over}))
    rows = []
    for variant in study.variants:
        scored = cross_validate(
            runs[variant.name],
            folds=request.folds,
            groups=request.groups,
            seeds=request.seeds,
            tiou=thresholds,
            do_tasks=do_tasks,
        )
        rows.append(_row(study, variant, scored))
    return tuple(rows)


def _row(study: Study, variant: Variant, scored: CrossValidation) -> AblationRow:
    """Return what a cross-validated variant scored."""
    shown = [scored.tiou.index(t) for t in study.tiou]
    averaged = [scored.tiou.index(t) for t in study.average_over]
    return AblationRow(
        variant=variant,
        map=scored.by_seed()[:, shown],
        averages=scored.map[:, :, averaged].mean(axis=2),
        chance=float(scored.chance[:, :, averaged].mean()),
        label_free=_label_free(scored),
        seconds=scored.seconds,
    )


def _label_free(scored: CrossValidation) -> dict[str, FloatArray]:
    """Return the label-free criteria of a variant.

    Agreement between seeds needs more than one of them.
    """
    criteria = {CLASSIFICATION: scored.classification}
    if not np.isnan(scored.agreement).any():
        criteria[AGREEMENT] = scored.agreement
    return criteria


def _facts(request: AblationRequest) -> dict[str, str]:
    """Return what must be known to quote the table, by its name."""
    base = request.base
    overrides = " ".join(f"{key}={value}" for key, value in request.overrides.items())
    is_weak = base.supervision == "names"
    times = {} if is_weak else {"supervision": base.supervision}
    return {
        "recipe": base.recipe,
        "profile": base.profile,
        "overrides": overrides or "none",
        **times,
        "videos": str(len(base.data.annotations.videos)),
        "folds": str(request.folds),
        "groups": "none" if request.groups is None else request.groups.source,
        "seeds": ", ".join(map(str, request.seeds)),
        "std": "over seeds, of the mean over folds",
        "p": "sign-flip test over trainings of one seed and fold, Avg against "
        + request.study.full,
        "acmnet": metadata.version("acmnet"),
        "machine": f"{platform.machine()}, torch {torch.__version__}",
    }


def training_id(settings: Settings) -> str:
    """Return a short name of the settings that a training depends on.

    A training without a student depends on no setting of localisation. A training with
    one depends on all, except for the weights of its teachers and the range of the
    scores. Settings that are off (0, false, none) are left out, so that a later
    version may add a setting that is off by default and all names stay.
    """
    values = as_values(settings)
    del values["teachers"]["contrast_weight"], values["teachers"]["proposal_weight"]
    del values["localization"]["unit_scores"]
    if not settings.has_student:
        for section in ("localization", *SECOND_STAGE):
            del values[section]
    on = {
        room: {k: x for k, x in of_section.items() if x}
        for room, of_section in values.items()
    }
    text = json.dumps(on, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


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
