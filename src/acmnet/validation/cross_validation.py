"""Cross-validate a recipe over folds and seeds, beside a chance floor and a control."""

import dataclasses
import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from acmnet.checkpoints.checkpoint import load_config
from acmnet.checkpoints.checkpoint_folder import has_checkpoint
from acmnet.data.checks.label_checks import no_action
from acmnet.data.checks.refusals import DataError
from acmnet.data.labelled_features import Data
from acmnet.data.labels.annotations import Annotations
from acmnet.data.video_groups import VideoGroups
from acmnet.evaluation.reports import evaluate
from acmnet.inference.localized_videos import localize_videos
from acmnet.models.stored_model import load
from acmnet.models.trained_model import TrainedModel, joined
from acmnet.recipes import Settings
from acmnet.runs import marks_trial, silent_teachers
from acmnet.runs.run_request import RunError, RunRequest
from acmnet.runs.training_run import train_run
from acmnet.segments import Detections, FloatArray
from acmnet.validation.folds import stratified_folds, untrained_problems
from acmnet.validation.label_free_selection import agreement
from acmnet.workers.worker_tasks import DoTasks, Task, in_this_process

TIOU: Final = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
CHANCE_DRAWS: Final = 20


def chance_map(
    annotations: Annotations,
    results: Mapping[str, Detections],
    spans_s: Mapping[str, float],
    tiou: Sequence[float] = TIOU,
) -> FloatArray:
    """Return the mAP of the same detections moved to random places: a floor.

    Numbers, labels, lengths and scores of the detections stay; where they lie is drawn
    uniformly over their video. What is left is luck and video-level classification.

    Parameters
    ----------
    annotations : Annotations
        With the true instances of the videos.
    results : mapping of video id to Detections
        What the model found.
    spans_s : mapping of video id to seconds
        How long each video is.
    tiou : sequence of float
        Thresholds.

    Returns
    -------
    array of shape (n_tiou,)
        Mean over 20 draws, in [0, 1].
    """
    random = np.random.default_rng(0)
    draws = []
    for _ in range(CHANCE_DRAWS):
        moved = {}
        for video, detections in results.items():
            length_s = detections.end_s - detections.start_s
            start_s = random.random(len(detections)) * (spans_s[video] - length_s)
            moved[video] = dataclasses.replace(
                detections, start_s=start_s, end_s=start_s + length_s
            )
        draws.append(evaluate(annotations, moved, tiou=tiou).map)
    mean: FloatArray = np.mean(draws, axis=0)
    return mean


def shuffled(data: Data, seed: int) -> Data:
    """Return the data with its labels dealt to other videos: a control.

    A model trained on it sees the same features and the same label counts, so what it
    scores is what the pipeline gives without any supervision.
    """
    videos = list(data.annotations.videos.values())
    order = np.random.default_rng(seed).permutation(len(videos))
    dealt = {
        video.id: dataclasses.replace(video, labels=videos[i].labels)
        for video, i in zip(videos, order, strict=True)
    }
    annotations = dataclasses.replace(data.annotations, videos=dealt)
    return dataclasses.replace(data, annotations=annotations)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class CrossValidation:
    """mAP of each seed and fold, with the floor of the same detections."""

    tiou: tuple[float, ...]
    map: FloatArray
    """mAP of each seed and fold, (seeds, folds, n_tiou), in [0, 1]."""
    pooled: FloatArray
    """mAP of each seed where the detections of all folds share one ranking, (seeds,
    n_tiou), in [0, 1]. It is mostly lower than the mean over folds, because scores of
    different trainings are then compared with each other."""
    chance: FloatArray
    """mAP of the same detections at random places, (seeds, folds, n_tiou), in [0,
    1]."""
    classification: FloatArray
    """Video-level classification mAP of the held-out videos, (seeds, folds), in [0, 1].
    It needs no true segments."""
    agreement: FloatArray
    """Mean overlap of where a seed and the other seeds find the labelled actions,
    (seeds, folds), in [0, 1]. It needs no true segments, and is NaN with a single
    seed."""
    seconds: float
    """Training time of all runs together, as their checkpoints say."""
    note_on_marks: str
    """Who learned a person's marks in the trainings, in a sentence; empty where no
    training tried it."""
    note_on_teachers: str
    """How many teachers were trained again or left out because they did not start to
    learn, in a sentence; empty where all of them started."""
    detections: Mapping[int, Mapping[str, Detections]]
    """Detections of every video, by seed and video. Each video was localised by the
    training that had not seen it."""

    def by_seed(self) -> FloatArray:
        """Return the mean over folds, (seeds, n_tiou): what varies is the seed."""
        means: FloatArray = self.map.mean(axis=1)
        return means

    def to_json(self) -> dict[str, Any]:
        """Return means and standard deviations over seeds as plain values."""
        seeds = self.by_seed()
        averages, pooled_averages = seeds.mean(axis=1), self.pooled.mean(axis=1)
        return {
            "tiou": list(self.tiou),
            "map": seeds.mean(axis=0).tolist(),
            "std": _spread(seeds).tolist(),
            "pooled": self.pooled.mean(axis=0).tolist(),
            "pooled_std": _spread(self.pooled).tolist(),
            "pooled_by_seed": self.pooled.tolist(),
            "average": float(averages.mean()),
            "average_std": float(_spread(averages)),
            "pooled_average_std": float(_spread(pooled_averages)),
            "chance": self.chance.mean(axis=(0, 1)).tolist(),
            "by_seed_and_fold": self.map.tolist(),
            "classification_by_seed_and_fold": self.classification.tolist(),
            "seconds": self.seconds,
        }


def _spread(by_seed: FloatArray) -> FloatArray:
    """Return the standard deviation over seeds, the first axis; 0 of a single seed."""
    if len(by_seed) == 1:
        return np.zeros(by_seed.shape[1:])
    spread: FloatArray = by_seed.std(axis=0, ddof=1)
    return spread


def cross_validate(
    request: RunRequest,
    *,
    folds: int,
    groups: VideoGroups | None = None,
    seeds: Sequence[int],
    tiou: Sequence[float] = TIOU,
    do_tasks: DoTasks = in_this_process,
    on_run: Callable[[int, int, FloatArray], None] = lambda *_: None,
) -> CrossValidation:
    """Train on all folds but one and score that one, for each fold and seed.

    Folds depend on the videos and their labels alone, so that every seed and every
    setting is measured on the same ones; see `acmnet.validation.folds`. A finished
    training in ``request.out`` is not done again; one that was cut short goes on.

    Parameters
    ----------
    request : RunRequest
        Data, settings and the directory for all runs; its seed is not used.
    folds : int
        From 2 to the number of videos, or of groups where there are groups.
    groups : VideoGroups, optional
        Which videos belong together: those of one group stay in one fold.
    seeds : sequence of int
        One training a fold for each.
    tiou : sequence of float
        Thresholds.
    do_tasks : callable
        Where each fold is trained and localised, see `acmnet.workers.worker_tasks`;
        one after the other in this process when left out.
    on_run : callable
        Called after each fold with seed, fold and its mAP.

    Raises
    ------
    ValueError
        If ``folds`` does not fit the videos, or a seed is given twice.
    DataError
        If the training part of a fold would lack a class: with its name, the fold, and
        how many videos it needs.
    """
    runs = list(folds_of(request, folds=folds, groups=groups, seeds=seeds))
    scored: dict[tuple[int, int], _ScoredFold] = {}
    tasks = [
        Task(
            f"seed {run.seed}, fold {run.fold}",
            functools.partial(_train_and_find, run, request.settings),
        )
        for run in runs
    ]
    for i, outcome in do_tasks(tasks):
        at = runs[i].seed, runs[i].fold
        scored[at] = _score(outcome, runs[i].test, tiou)
        on_run(*at, scored[at].map)
    by_seed = [[scored[seed, fold] for fold in range(folds)] for seed in seeds]
    detections = {
        seed: _detections_of_folds(fold_scores.found.detections for fold_scores in row)
        for seed, row in zip(seeds, by_seed, strict=True)
    }
    trainings = [fold_scores.found.training for fold_scores in scored.values()]
    return CrossValidation(
        tiou=tuple(tiou),
        map=np.array([[fold_scores.map for fold_scores in row] for row in by_seed]),
        pooled=np.array(
            [
                evaluate(request.data.annotations, results, tiou=tiou).map
                for results in detections.values()
            ]
        ),
        chance=np.array(
            [[fold_scores.chance for fold_scores in row] for row in by_seed]
        ),
        classification=np.array([[x.classification for x in row] for row in by_seed]),
        agreement=_agreements(by_seed, [run.test.labels for run in runs[:folds]]),
        seconds=sum(training["seconds"] for training in trainings),
        note_on_marks=marks_trial.sentence_of_trainings(trainings),
        note_on_teachers=silent_teachers.sentence_of_trainings(
            trainings, request.settings.teachers.count
        ),
        detections=detections,
    )


class _LocalizedFold(NamedTuple):
    """What is known of the training of a fold, and what it found in other videos."""

    detections: dict[str, Detections]
    training: Mapping[str, Any]
    """What the checkpoint says of the training: ``seconds``, and what
    `acmnet.runs.marks_trial.Trial` and `acmnet.runs.silent_teachers.Teachers` keep."""


class _ScoredFold(NamedTuple):
    """What a fold was found to hold, and its scores as `CrossValidation` has them."""

    found: _LocalizedFold
    map: FloatArray
    chance: FloatArray
    classification: float


def _train_and_find(fold: "Fold", settings: Settings) -> _LocalizedFold:
    """Train a fold, unless it is done, and find the actions in its held-out videos."""
    train_run(fold.run)
    model = _model(fold.run, settings)
    results = localize_videos(model, fold.test)
    return _LocalizedFold(results, load_config(fold.run.out).training)


def _score(found: _LocalizedFold, test: Data, tiou: Sequence[float]) -> _ScoredFold:
    """Return what the detections of a fold score."""
    report = evaluate(test.annotations, found.detections, tiou=tiou)
    chance = chance_map(test.annotations, found.detections, spans_s(test), tiou)
    return _ScoredFold(found, report.map, chance, report.classification_map)


class EnsembleScores(NamedTuple):
    """What one ensemble of all seeds' models reaches."""

    map: FloatArray
    """Mean over folds of the mAP, (n_tiou,), in [0, 1]."""
    pooled: FloatArray
    """mAP where the detections of all folds share one ranking, (n_tiou,), in [0, 1]."""


def ensemble_scores(
    request: RunRequest,
    *,
    folds: int,
    groups: VideoGroups | None = None,
    seeds: Sequence[int],
    tiou: Sequence[float] = TIOU,
) -> EnsembleScores:
    """Return what one ensemble of all seeds' models reaches.

    `cross_validate`, whose parameters these are, has trained all models.
    """
    runs: dict[int, list[Fold]] = {}
    for fold in folds_of(request, folds=folds, groups=groups, seeds=seeds):
        runs.setdefault(fold.fold, []).append(fold)
    scores, results = [], []
    for same_fold in runs.values():
        model = joined([_model(fold.run, request.settings) for fold in same_fold])
        test = same_fold[0].test
        results.append(localize_videos(model, test))
        scores.append(evaluate(test.annotations, results[-1], tiou=tiou).map)
    mean: FloatArray = np.mean(scores, axis=0)
    pooled = evaluate(
        request.data.annotations, _detections_of_folds(results), tiou=tiou
    ).map
    return EnsembleScores(mean, pooled)


def _model(run: RunRequest, settings: Settings) -> TrainedModel:
    """Load the model of a fold, to localise with the settings that are requested."""
    return load(run.out, settings=lambda _: settings, device=run.device)


def _detections_of_folds(
    parts: Iterable[Mapping[str, Detections]],
) -> dict[str, Detections]:
    """Return the detections of all folds together, by video in order."""
    return dict(sorted(item for part in parts for item in part.items()))


def _agreements(
    by_seed: Sequence[Sequence[_ScoredFold]],
    labels: Sequence[Mapping[str, Sequence[str]]],
) -> FloatArray:
    """Return each seed's mean agreement with the others on each fold, (seeds, folds).

    NaN with a single seed. ``labels`` has the labels of each fold's videos.
    """
    agreements = np.full((len(by_seed), len(labels)), np.nan)
    for fold, labels_of_fold in enumerate(labels):
        results = [row[fold].found.detections for row in by_seed]
        for seed, of_seed in enumerate(results):
            others = results[:seed] + results[seed + 1 :]
            each = [agreement(of_seed, other, labels_of_fold) for other in others]
            if each:
                agreements[seed, fold] = np.mean(each)
    return agreements


class Fold(NamedTuple):
    """One training of a cross-validation, and what it is scored on."""

    seed: int
    fold: int
    run: RunRequest
    test: Data


def folds_of(
    request: RunRequest,
    *,
    folds: int,
    groups: VideoGroups | None = None,
    seeds: Sequence[int],
) -> Iterator[Fold]:
    """Yield every training of a cross-validation; see `cross_validate`."""
    for seed in seeds:
        if list(seeds).count(seed) > 1:
            raise ValueError(
                f"seed {seed} is given twice; give each seed once, as in --seeds 0 "
                "--seeds 1"
            )
    data = request.data
    labels = data.labels
    nothing = no_action(data.annotations)
    if nothing is not None:
        raise DataError(nothing)
    group_of = None if groups is None else groups.group_of
    dealt = stratified_folds(labels, folds, group_of)
    for problem in untrained_problems(dealt, labels, data.annotations.source, groups):
        raise DataError(problem)
    videos = set(labels)
    for seed in seeds:
        for fold, held_out in enumerate(dealt.videos):
            run = dataclasses.replace(
                request,
                out=request.out / f"seed_{seed}" / f"fold_{fold}",
                data=request.data.only(videos - held_out),
                seed=seed,
                resume=True,
            )
            _refuse_other_videos(run, fold)
            yield Fold(seed, fold, run, request.data.only(set(held_out)))


def _refuse_other_videos(run: RunRequest, fold: int) -> None:
    """Refuse a directory whose training had other videos than this fold has."""
    if not has_checkpoint(run.out):
        return
    before = load_config(run.out).trained_on
    if before is not None and set(before) != set(run.data.labels):
        raise RunError(
            f"{run.out} was trained on other videos than fold {fold} leaves to train "
            "on: the videos, their labels, their groups, the number of folds or "
            "acmnet's rule of dealing have changed; give another --out"
        )


def spans_s(data: Data) -> dict[str, float]:
    """Return how long each video is, in seconds, by its features."""
    return {video: data.length_s(video) for video in data.annotations.videos}
