"""What docs/results.md says that no verb prints: read off finished trainings.

Each function returns the lines of a Markdown table.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import numpy as np

from acmnet import recipes
from acmnet.annotations import Video, read_annotations
from acmnet.detections import read_detections
from acmnet.evaluation.reports import evaluate
from acmnet.localization import LocalizationSettings
from acmnet.model import Branch
from acmnet.pipeline.ablation import AblationRequest
from acmnet.pipeline.calibrating import Wanted, calibrate
from acmnet.pipeline.data import Data, DataSource, open_data
from acmnet.pipeline.experiments import TIOU, Fold, folds_of
from acmnet.pipeline.runs import RunRequest
from acmnet.pipeline.trained import TrainedModel, load, localize_videos
from acmnet.segments import BoolArray, Detections, FloatArray
from acmnet.studies import study

BF16: Final = {"training.precision": "bf16"}
STEPS: Final[Mapping[str, tuple[str, ...]]] = {
    "as `corrected`": (),
    "soft-NMS": ("nms",),
    "soft-NMS, 18 activation thresholds": ("nms", "activation_thresholds"),
    "the same as shares of the peak": ("nms", "activation_thresholds", "threshold_of"),
}
"""Which of the localisation's settings each step takes over from `best`."""


def shrec(data: Path) -> Data:
    """Return the training half of SHREC'22."""
    world = data / "shrec22" / "training"
    return open_data(DataSource(world / "annotations.json", world / "features"))


def steps(
    data: Path, runs: Path, folds: int, seeds: tuple[int, ...], changes: dict[str, str]
) -> Iterator[str]:
    """Yield what each step of `best`'s localisation is worth, of trained networks.

    Parameters
    ----------
    data : Path
        The folder with ``shrec22``.
    runs : Path
        A finished cross-validation of `corrected` there.
    folds, seeds, changes
        That it was made with.
    """
    weak = recipes.recipe("shrec22", overrides=BF16 | changes)
    strong = recipes.recipe("shrec22", profile="best").localization
    request = RunRequest(runs, weak, shrec(data), recipe="shrec22")
    of_fold: dict[int, list[Fold]] = defaultdict(list)
    for own in folds_of(request, folds=folds, seeds=seeds):
        of_fold[own.fold].append(own)
    yield "| localised with | one network | mean of all seeds' |"
    yield "|---|--:|--:|"
    for name, taken in STEPS.items():
        values = {key: getattr(strong, key) for key in taken}
        used = recipes.override(
            weak, {f"localization.{key}": x for key, x in values.items()}
        )
        alone, together = [], []
        for parts in of_fold.values():
            models = [load(p.run.out, settings=lambda _: used) for p in parts]  # noqa: B023
            first, *others = (model.network for model in models)
            mean = TrainedModel(
                first, used, models[0].class_names, models[0].grid, None, tuple(others)
            )
            test = parts[0].test
            alone += [_average(model, test) for model in models]
            together.append(_average(mean, test))
        yield f"| {name} | {np.mean(alone):.1f} | {np.mean(together):.1f} |"


def _average(model: TrainedModel, test: Data) -> float:
    """Return the average mAP of a model on videos, in %."""
    found = localize_videos(model, test)
    return 100 * evaluate(test.annotations, found, tiou=TIOU).average


def attention(
    data: Path, runs: Path, folds: int, changes: dict[str, str]
) -> Iterator[str]:
    """Yield each branch's attention inside and outside of true instances.

    Of the held-out videos of fold 0, seed 0, for the rows of Table III; parameters are
    those of `steps`, ``runs`` the folder of the study.
    """
    base = RunRequest(runs, recipes.recipe("shrec22"), shrec(data), recipe="shrec22")
    third = study("III")
    request = AblationRequest(third, base, BF16 | changes, folds, (0,))
    names = [branch.name.lower() for branch in Branch]
    yield f"| Exp | {' | '.join(f'{name}: inside, outside' for name in names)} |"
    yield "|---|---|---|---|"
    for variant in third.variants:
        if variant.name == "no attention":
            continue
        run = request.run_of(variant)
        own = next(folds_of(run, folds=folds, seeds=(0,)))
        model = load(own.run.out, settings=lambda _: run.settings)  # noqa: B023
        seen: dict[bool, list[FloatArray]] = {True: [], False: []}
        for video in own.test.annotations.videos.values():
            said = model.scores(own.test.store.read(video.id)).attention
            middle_s = [model.grid.centre_s(t) for t in range(len(said))]
            inside = _within(video, np.array(middle_s))
            for where in (True, False):
                seen[where].append(said[inside == where].astype(np.float64))
        within, without = (np.concatenate(seen[x]).mean(axis=0) for x in (True, False))
        cells = [f"{a:.2f}, {b:.2f}" for a, b in zip(within, without, strict=True)]
        yield f"| {variant.name} | {' | '.join(cells)} |"


def _within(video: Video, time_s: FloatArray) -> BoolArray:
    """Return which of (n,) times lie within an instance, (n,)."""
    spans = [(own.segment.start_s, own.segment.end_s) for own in video.instances]
    return np.array([any(a <= t < b for a, b in spans) for t in time_s.tolist()])


def calibration(data: Path) -> Iterator[str]:
    """Yield what calibrating STPN's released detections does, cross-fitted."""
    thumos = data / "thumos14"
    annotations = read_annotations(thumos / "gt_212.json")
    results = _by_video(thumos / "stpn_detections.json")
    known = {v: found for v, found in results.items() if v in annotations.videos}
    yield "| tIoU | error before | after | precision wanted | got | recall |"
    yield "|--:|--:|--:|--:|--:|--:|"
    for tiou in (0.5, 0.3):
        for wanted in (0.5, 0.7):
            report = calibrate(
                known,
                annotations,
                Wanted(tiou, wanted),
                model_sha256="",
                localization=LocalizationSettings(),
            )
            error = report.calibration.ece
            yield (
                f"| {tiou} | {100 * error['before']:.1f} | {100 * error['after']:.1f} "
                f"| {wanted} | {report.precision or 0.0:.3f} | {report.recall:.3f} |"
            )


def _by_video(path: Path) -> dict[str, Detections]:
    """Return a file's detections, those that end after they start."""
    file = read_detections(path)
    rows: dict[str, list[tuple[float, float, float, int]]]
    rows = {video: [] for video in file.video_ids}
    for i, start_s, end_s, score, label in zip(
        file.video_index.tolist(),
        file.start_s.tolist(),
        file.end_s.tolist(),
        file.score.tolist(),
        file.label_index.tolist(),
        strict=True,
    ):
        if end_s > start_s:
            rows[file.video_ids[i]].append((start_s, end_s, score, label))
    return {video: Detections.of(file.labels, own) for video, own in rows.items()}
