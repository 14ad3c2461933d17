"""The verb crossvalidate: a recipe scored on your own videos."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from acmnet.cli.options.dotted_settings import TRAINING_EPILOGUE
from acmnet.cli.options.fold_options import (
    AtATime,
    Deal,
    Folding,
    FoldOptions,
    WorkerOptions,
)
from acmnet.cli.options.shared_options import (
    Device,
    JsonPath,
    OutputFolder,
    Seeds,
    fail_for_missing,
)
from acmnet.cli.options.training_options import Training
from acmnet.cli.terminal.app import app, console, errors, note, quiet
from acmnet.cli.terminal.progress import Waiting
from acmnet.cli.terminal.terminal_tables import map_table
from acmnet.data.detections.detection_files import write_detections
from acmnet.evaluation.tiou import parse_tiou
from acmnet.files.file_access import refuse_unwritable, write_json
from acmnet.fitting.fit_request import DETECTIONS
from acmnet.messages import counted
from acmnet.runs.run_request import RunRequest
from acmnet.segments import FloatArray
from acmnet.validation.cross_validation import (
    CrossValidation,
    cross_validate,
    ensemble_scores,
)
from acmnet.workers.worker_tasks import Workers, task_workers

SPREAD: Final = "std over seeds"
"""Name of the row of standard deviations."""
POOLED: Final = "mAP, one ranking for all"
"""Name of the row in which the detections of all folds share one ranking."""
POOLED_SPREAD: Final = "std, one ranking"
"""Name of the row of its standard deviations over seeds."""


@app.command(name="crossvalidate", help_epilogue=TRAINING_EPILOGUE)
def crossvalidate_command(
    *,
    training: Training,
    out: OutputFolder,
    folding: Folding = FoldOptions(),
    seeds: Seeds = (0, 1, 2),
    at_a_time: AtATime = WorkerOptions(),
    tiou: str = "0.1:0.7:0.1",
    json_path: JsonPath = None,
    device: Device = "auto",
) -> None:
    """Score a recipe on your own videos, each by a model that was not trained on it.

    The videos are dealt into folds. For each fold, a model is trained on the labels of
    the videos in the other folds and finds the actions in this one; true segments are
    used for scoring only. The same command again goes on where it stopped.

    Two means are printed. In the mean over folds, each fold is scored alone. In "one
    ranking for all", the detections of all folds are ranked together, as those of many
    new videos would be, though by several networks whose scores differ. Expect a result
    between the two on new videos; the lower one is the careful guess.

    For example: acmnet crossvalidate --annotations labels.csv --features features/
    --folds 5 --out cv/

    Parameters
    ----------
    out
        Directory for the runs, as seed_S/fold_F. Each seed_S/detections.json holds the
        detections of all videos, each by the run that was not trained on it.
    seeds
        Seeds to train every fold with, as in --seeds 0 --seeds 1.
    tiou
        Overlaps at which mAP (mean average precision) is computed: first:last:step, or
        a list such as 0.3,0.5. The overlap of a detection with a true segment is their
        tIoU: the time that both cover, divided by the time that either covers.
    json_path
        Also write the scores to this JSON file, as fractions of 1.
    """
    refuse_unwritable(out / f"seed_0/{DETECTIONS}", json_path)
    request = training.request(out, device)
    deal = folding.deal_with_note(request.data)
    result = _with_bar(request, deal, seeds, parse_tiou(tiou), at_a_time.requested())
    values = result.to_json()
    if len(seeds) > 1:
        ensemble = ensemble_scores(
            request, folds=deal.folds, groups=deal.groups, seeds=seeds, tiou=result.tiou
        )
        values["ensemble"] = ensemble.map.tolist()
        values["ensemble_pooled"] = ensemble.pooled.tolist()
    for seed, results in result.detections.items():
        write_detections(out / f"seed_{seed}" / DETECTIONS, results)
    if json_path is not None:
        write_json(json_path, values)
    each = f"{deal.words}, {counted(len(seeds), 'seed')}"
    title = f"{each}, {training.recipe} ({request.profile})"
    _print_scores(title, result.tiou, values, has_spread=len(seeds) > 1)
    spread = f" ± {100 * values['average_std']:.2f}" if len(seeds) > 1 else ""
    console.print(
        f"average mAP {100 * values['average']:.2f}{spread} %, {result.seconds:.0f} s "
        "of training"
    )
    for sentence in filter(None, (result.note_on_marks, result.note_on_teachers)):
        console.print(sentence, markup=False, highlight=False)
    console.print(
        f"detections of every video, by a run that was not trained on it: {out}/seed_*/"
        f"{DETECTIONS}, for acmnet evaluate and acmnet diagnose"
    )
    fail_for_missing(request.data)


def _with_bar(
    request: RunRequest,
    deal: Deal,
    seeds: Sequence[int],
    tiou: Sequence[float],
    workers: Workers,
) -> CrossValidation:
    """Train and score every fold, with a progress bar that tells each score."""
    runs, n_runs = 0, deal.folds * len(seeds)
    with (
        Waiting(errors, "cross-validating", "runs", silent=quiet()) as bar,
        task_workers(workers, note) as do_tasks,
    ):

        def count(seed: int, fold: int, scores: FloatArray) -> None:
            nonlocal runs
            runs += 1
            average = f"{100 * scores.mean():.1f} %"
            bar.update(runs, n_runs, f"seed {seed} fold {fold}: {average}")

        return cross_validate(
            request,
            folds=deal.folds,
            groups=deal.groups,
            seeds=seeds,
            tiou=tiou,
            do_tasks=do_tasks,
            on_run=count,
        )


def _print_scores(
    title: str, tiou: Sequence[float], values: Mapping[str, Any], *, has_spread: bool
) -> None:
    """Print mAP in both ways of counting, its spread, chance, and the ensemble."""
    rows = {"mAP, mean over folds": values["map"]}
    if has_spread:
        rows[SPREAD] = values["std"]
    rows |= {"chance": values["chance"], POOLED: values["pooled"]}
    if has_spread:
        rows[POOLED_SPREAD] = values["pooled_std"]
    if "ensemble" in values:
        rows["one ensemble of the seeds"] = values["ensemble"]
        rows["the ensemble, one ranking"] = values["ensemble_pooled"]
    spread = {
        SPREAD: values["average_std"],
        POOLED_SPREAD: values["pooled_average_std"],
    }
    console.print(map_table(title, tiou, rows, spread))
