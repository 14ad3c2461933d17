"""A study on real folds: every variant trained, scored, and compared with the full one.

Variants that train alike share their trainings, also between studies: a training lies
in a folder named after the settings that it depends on.
"""

import dataclasses
import hashlib
import itertools
import json
import multiprocessing
import platform
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from importlib import metadata
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import torch

from acmnet.data.video_groups import VideoGroups
from acmnet.evaluation.tables import Cell, Table
from acmnet.extraction.worker_engines import (
    bound_to_us,
    environment,
    without_interrupts,
)
from acmnet.pipeline.cross_validation import CrossValidation, cross_validate, folds_of
from acmnet.pipeline.label_free_selection import rank_correlation
from acmnet.pipeline.run_request import RunRequest
from acmnet.pipeline.run_state import RunState, run_on_disk
from acmnet.pipeline.studies import Study, Variant
from acmnet.pipeline.training_run import train_run
from acmnet.recipes import SECOND_STAGE, Settings, as_values
from acmnet.segments import FloatArray
from acmnet.startup import SAFE_PATH

EXACT_UP_TO: Final = 14
"""Pairs whose every pattern of signs is tried; of more, 20,000 are drawn."""
DRAWS: Final = 20_000


CLASSIFICATION: Final = "classification of held-out videos"
AGREEMENT: Final = "agreement between seeds"
_SUMMARY: Final = ("Avg", "std", "difference", "p")


@dataclasses.dataclass(frozen=True, kw_only=True)
class AblationRequest:
    """Everything that `ablate` needs to know."""

    study: Study
    base: RunRequest
    """Data, recipe, profile and device; ``out`` gets the trainings of all studies."""
    overrides: Mapping[str, object]
    """Given by the caller by dotted name; a variant's own changes come after them."""
    folds: int = 4
    groups: VideoGroups | None = None
    """Which videos belong together: those of one group stay in one fold."""
    seeds: tuple[int, ...] = (0, 1, 2)
    workers: int = 1
    """Trainings at the same time; they share the cores, and the GPUs in turn."""

    def run_of(self, variant: Variant) -> RunRequest:
        """Return what a variant trains and where."""
        settings = variant.settings(self.base.recipe, self.base.profile, self.overrides)
        return dataclasses.replace(
            self.base,
            out=self.base.out / training_id(settings),
            settings=settings,
            profile=variant.profile or self.base.profile,
        )


class Row(NamedTuple):
    """What a variant scored."""

    variant: Variant
    map: FloatArray
    """(seeds, n_tiou). Mean over folds at the thresholds that are shown, in [0, 1]."""
    averages: FloatArray
    """(seeds, folds). Mean over the thresholds that are averaged."""
    chance: float
    """Of the same detections at random places, on average."""
    label_free: Mapping[str, FloatArray]
    """What can be known without a true segment, each (seeds, folds), in [0, 1]."""
    seconds: float
    """Of training."""


class Choice(NamedTuple):
    """What would be chosen without a true segment, and what that costs."""

    criterion: str
    """The held-out videos' classification, or the seeds' agreement."""
    chosen: str
    """The variant that is best by it."""
    average: float
    """Its true average mAP, in [0, 1]."""
    best: float
    """That of the truly best variant."""
    correlation: float
    """Spearman's, between the criterion and the average mAP over the variants."""


@dataclasses.dataclass(frozen=True, eq=False)
class Ablation:
    """A finished study."""

    study: Study
    rows: tuple[Row, ...]
    facts: Mapping[str, str]
    """What must be known to quote it."""

    def difference(self, row: Row) -> tuple[float, float]:
        """Return the mean difference from the full variant, and its p-value.

        Pairs are trainings of the same seed and fold; the test is `sign_flip_test`.
        """
        full = next(r for r in self.rows if r.variant.name == self.study.full)
        pairs = (row.averages - full.averages).ravel()
        return float(pairs.mean()), sign_flip_test(pairs)

    def table(self) -> Table:
        """Return the study in the paper's layout, the paper's figures beside ours."""
        study = self.study
        shown = [f"{t:g}" for t in study.tiou]
        has_paper = any(row.variant.paper for row in self.rows)
        columns = ["Exp", *study.terms, *shown, *_SUMMARY]
        if has_paper:
            columns += [f"paper {name}" for name in (*shown, "Avg")]
        rows = []
        for row in self.rows:
            own = row.variant
            cells: list[Cell] = [own.name, *("x" if on else None for on in own.terms)]
            cells += [*row.map.mean(axis=0).tolist(), *self._summary(row)]
            if has_paper:
                blank: tuple[Cell, ...] = (None,) * (len(shown) + 1)
                cells += [x / 100 for x in own.paper] or blank
            rows.append(tuple(cells))
        return Table(tuple(columns), tuple(rows), self.facts)

    def short_table(self) -> Table:
        """Return the same, narrow enough for a terminal."""
        shown = [f"{t:g}" for t in self.study.tiou]
        rows = []
        for row in self.rows:
            own = row.variant
            on = zip(self.study.terms, own.terms, strict=True)
            terms = " ".join(name[:3] for name, is_on in on if is_on)
            name = f"{own.name}: {terms}" if terms else own.name
            paper = own.paper[-1] / 100 if own.paper else None
            cells = row.map.mean(axis=0).tolist()
            rows.append((name, *cells, *self._summary(row), paper))
        return Table(("Exp", *shown, *_SUMMARY, "paper"), tuple(rows), self.facts)

    def _summary(self, row: Row) -> tuple[Cell, ...]:
        """Return a row's cells of `_SUMMARY`."""
        seeds = row.averages.mean(axis=1)
        spread = float(seeds.std(ddof=1)) if len(seeds) > 1 else None
        if row.variant.name == self.study.full:
            return float(seeds.mean()), spread, None, None
        less, p = self.difference(row)
        return float(seeds.mean()), spread, less, f"{p:.2g}"

    def choices(self) -> tuple[Choice, ...]:
        """Return what each label-free criterion would choose, of two or more rows."""
        true = np.array([row.averages.mean() for row in self.rows])
        made = []
        for criterion in self.rows[0].label_free:
            told = np.array([row.label_free[criterion].mean() for row in self.rows])
            i = int(told.argmax())
            made.append(
                Choice(
                    criterion,
                    self.rows[i].variant.name,
                    float(true[i]),
                    float(true.max()),
                    rank_correlation(told, true),
                )
            )
        return tuple(made)

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain values, fractions of 1."""
        rows = []
        for row in self.rows:
            less, p = self.difference(row)
            rows.append(
                {
                    "name": row.variant.name,
                    "changes": dict(row.variant.changes),
                    "map_by_seed": row.map.tolist(),
                    "average_by_seed_and_fold": row.averages.tolist(),
                    "average": float(row.averages.mean()),
                    "chance": row.chance,
                    "label_free_by_seed_and_fold": {
                        name: own.tolist() for name, own in row.label_free.items()
                    },
                    "difference": less,
                    "p": p,
                    "seconds": row.seconds,
                    "paper_percent": list(row.variant.paper),
                }
            )
        return {
            "study": self.study.name,
            "title": self.study.title,
            "tiou": list(self.study.tiou),
            "average_over": list(self.study.average_over),
            "full": self.study.full,
            "rows": rows,
            "choices": [choice._asdict() for choice in self.choices()],
            "facts": dict(self.facts),
        }


def ablate(
    request: AblationRequest,
    on_training: Callable[[int, int, str], None] = lambda *_: None,
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

    Raises
    ------
    RecipeError, RunError, ValueError, ...
        With one sentence; what was finished is kept.
    """
    study = request.study
    runs = {variant.name: request.run_of(variant) for variant in study.variants}
    train_all(
        runs,
        folds=request.folds,
        groups=request.groups,
        seeds=request.seeds,
        workers=request.workers,
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
        )
        rows.append(_row(study, variant, scored))
    return Ablation(study, tuple(rows), _facts(request))


def _row(study: Study, variant: Variant, scored: CrossValidation) -> Row:
    shown = [scored.tiou.index(t) for t in study.tiou]
    averaged = [scored.tiou.index(t) for t in study.average_over]
    return Row(
        variant,
        scored.by_seed()[:, shown],
        scored.map[:, :, averaged].mean(axis=2),
        float(scored.chance[:, :, averaged].mean()),
        _label_free(scored),
        scored.seconds,
    )


def _label_free(scored: CrossValidation) -> dict[str, FloatArray]:
    """Return the criteria of `Choice`; a single seed agrees with nobody."""
    criteria = {CLASSIFICATION: scored.classification}
    if not np.isnan(scored.agreement).any():
        criteria[AGREEMENT] = scored.agreement
    return criteria


def _facts(request: AblationRequest) -> dict[str, str]:
    base = request.base
    given = " ".join(f"{key}={value}" for key, value in request.overrides.items())
    return {
        "recipe": base.recipe,
        "profile": base.profile,
        "overrides": given or "none",
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
        Those with the same directory are trained once.
    folds, groups, seeds
        As for `cross_validate`.
    workers : int
        Processes, from 1; with GPUs the trainings take them in turn.
    on_training : callable
        See `ablate`.
    """
    if workers < 1:
        raise ValueError(f"workers must be at least 1, got {workers}")
    waiting: dict[Path, tuple[str, RunRequest]] = {}
    for name, run in runs.items():
        for seed, fold, training, _ in folds_of(
            run, folds=folds, groups=groups, seeds=seeds
        ):
            words = f"{name}, seed {seed}, fold {fold}"
            waiting.setdefault(training.out, (words, training))
    total = len(waiting)
    waiting = {
        out: (words, training)
        for out, (words, training) in waiting.items()
        if run_on_disk(training).state is not RunState.FINISHED
    }
    done = total - len(waiting)
    on_training(done, total, f"{done} were there")
    if workers == 1:
        for words, training in waiting.values():
            train_run(training)
            done += 1
            on_training(done, total, words)
        return
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
                for (words, training), card in zip(
                    waiting.values(), cards, strict=False
                )
            }
        try:
            for job in as_completed(jobs):
                job.result()
                done += 1
                on_training(done, total, jobs[job])
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in multiprocessing.active_children():
                if process not in others:  # else they would train to their ends
                    process.kill()
            raise


def _train(training: RunRequest) -> None:
    train_run(training)


def _on_card(training: RunRequest, card: int) -> RunRequest:
    if training.device != "cuda":
        return training
    return dataclasses.replace(training, device=f"cuda:{card}")


def training_id(settings: Settings) -> str:
    """Return a short name of what a training depends on.

    With a student that is every setting but its teachers' weight and the range of its
    scores; without, how it is localised changes nothing.
    What is off (0, false, none) is left out, so that a setting which a later version
    adds, off as it begins, renames nothing.
    """
    values = as_values(settings)
    del values["teachers"]["proposal_weight"], values["localization"]["unit_scores"]
    if not settings.has_student:
        for section in ("localization", *SECOND_STAGE):
            del values[section]
    on = {room: {k: x for k, x in own.items() if x} for room, own in values.items()}
    text = json.dumps(on, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def sign_flip_test(differences: FloatArray) -> float:
    """Return the two-sided p-value of paired differences being symmetric around 0.

    The share of sign patterns whose mean is at least as far from 0 as the one seen: all
    2^n patterns up to 14 pairs, else 20,000 drawn ones besides the one seen.

    Parameters
    ----------
    differences : (n,) array
        One a pair, n at least 1.

    Returns
    -------
    float
        In (0, 1].

    References
    ----------
    Fisher, The Design of Experiments (1935), section 21.

    Examples
    --------
    >>> sign_flip_test(np.array([1.0, 1.0, 1.0]))  # of 8 patterns, 2 are as extreme
    0.25
    """
    n = len(differences)
    if n <= EXACT_UP_TO:
        signs = np.array(list(itertools.product((1.0, -1.0), repeat=n)))
    else:
        drawn = np.random.default_rng(0).choice((1.0, -1.0), size=(DRAWS, n))
        signs = np.concatenate([np.ones((1, n)), drawn])
    seen = abs(differences.mean())
    means = np.abs(signs @ differences) / n
    # sums in another order differ by rounding
    return float((means >= seen * (1.0 - 1e-12)).mean())
