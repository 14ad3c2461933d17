"""Tables of docs/results-*.md that no command prints, made from finished trainings.

Each function returns the lines of a Markdown table.
"""

import dataclasses
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from acmnet import recipes
from acmnet.data.detections.detection_files import read_detections
from acmnet.data.label_files import read_annotations
from acmnet.data.labelled_features import Data, DataSource, open_data
from acmnet.data.labels.annotations import Video
from acmnet.evaluation.reports import DetectionReport, evaluate
from acmnet.inference.localized_videos import localize_videos
from acmnet.localization.localization_settings import LocalizationSettings
from acmnet.models.calibration import CalibrationTarget, calibrate
from acmnet.models.stored_model import load
from acmnet.models.trained_model import TrainedModel
from acmnet.network.acm_net import Branch
from acmnet.runs.run_request import RunRequest
from acmnet.segments import BoolArray, Detections, FloatArray
from acmnet.validation.ablation import AblationRequest
from acmnet.validation.ablation_studies import study
from acmnet.validation.cross_validation import TIOU, Fold, folds_of

BF16: Final = {"training.precision": "bf16"}
STEPS: Final[Mapping[str, tuple[str, ...]]] = {
    "as `corrected`": (),
    "soft-NMS": ("nms",),
    "soft-NMS, 18 activation thresholds": ("nms", "activation_thresholds"),
    "the same as shares of the peak": (
        "nms",
        "activation_thresholds",
        "threshold_scale",
    ),
}
"""The settings of the localisation that each step takes over from the profile
`best`."""


class Validated(NamedTuple):
    """A finished cross-validation, and the data and settings that it was made with."""

    name: str
    recipe: str
    source: DataSource
    runs: Path
    folds: int
    seeds: tuple[int, ...]
    changes: dict[str, str]

    def parts(self, profile: str) -> list[Fold]:
        """Return the training and the held-out videos of each seed and fold."""
        used = recipes.recipe(
            self.recipe, profile=profile, overrides=BF16 | self.changes
        )
        request = RunRequest(
            out=self.runs,
            data=open_data(self.source),
            recipe=self.recipe,
            profile=profile,
            settings=used,
        )
        return list(folds_of(request, folds=self.folds, seeds=self.seeds))


def steps(trained: Validated) -> Iterator[str]:
    """Yield a table of what each step of `best`'s localisation gains for `corrected`.

    Parameters
    ----------
    trained : Validated
        A cross-validation of the profile `corrected`.
    """
    strong = recipes.recipe(trained.recipe, profile="best").localization
    of_fold: dict[int, list[Fold]] = defaultdict(list)
    for own in trained.parts("corrected"):
        of_fold[own.fold].append(own)
    yield "| localised with | one network | mean of all seeds' |"
    yield "|---|--:|--:|"
    for name, taken in STEPS.items():
        changes = {f"localization.{key}": getattr(strong, key) for key in taken}
        alone, together = [], []
        for parts in of_fold.values():
            models = [
                load(p.run.out, settings=lambda own: recipes.override(own, changes))  # noqa: B023
                for p in parts
            ]
            every = tuple(network for model in models for network in model.networks)
            mean = dataclasses.replace(models[0], networks=every)
            test = parts[0].test
            alone += [_scored(model, test).average for model in models]
            together.append(_scored(mean, test).average)
        yield f"| {name} | {100 * np.mean(alone):.1f} | {100 * np.mean(together):.1f} |"


TEACHERS_WEIGHTS: Final = (0.0, 0.5, 0.7, 0.8, 0.9, 1.0)


def second_stage(trained: Sequence[Validated]) -> Iterator[str]:
    """Yield a table of what teachers and student find alone and together.

    Parameters
    ----------
    trained : sequence of Validated
        Cross-validations of the profile `best`.
    """
    columns = [f"{t:g}" for t in TIOU[::2]] + ["average"]
    yield f"| | | {' | '.join(columns)} |"
    yield "|---|---|" + "--:|" * len(columns)
    for own in trained:
        found: dict[str, list[FloatArray]] = {}
        for part in own.parts("best"):
            best = load(part.run.out)
            models = {"teachers": dataclasses.replace(best, students=())}
            for weight in TEACHERS_WEIGHTS:
                name = f"both, weight {weight:g}" if weight else "student"
                changes = {"teachers.proposal_weight": weight}
                changed = recipes.override(best.settings, changes)
                models[name] = dataclasses.replace(best, settings=changed)
            for name, model in models.items():
                scored = _scored(model, part.test)
                row = np.append(scored.map[::2], scored.average)
                found.setdefault(name, []).append(row)
        for name, rows in found.items():
            values = 100 * np.mean(rows, axis=0)
            cells = " | ".join(f"{x:.1f}" for x in values.tolist())
            yield f"| {own.name} | {name} | {cells} |"


def _scored(model: TrainedModel, test: Data) -> DetectionReport:
    """Return the cells with the scores of a model on videos."""
    found = localize_videos(model, test)
    return evaluate(test.annotations, found, tiou=TIOU)


def attention(trained: Validated) -> Iterator[str]:
    """Yield a table of each branch's attention inside and outside of true instances.

    It has the rows of the paper's Table III, for the held-out videos of fold 0 and seed
    0.

    Parameters
    ----------
    trained : Validated
        The study of Table III.
    """
    base = RunRequest(
        out=trained.runs,
        data=open_data(trained.source),
        recipe=trained.recipe,
        profile="corrected",
        settings=recipes.recipe(trained.recipe, profile="corrected"),
    )
    third = study("III")
    request = AblationRequest(
        study=third,
        base=base,
        overrides=BF16 | trained.changes,
        folds=trained.folds,
        seeds=(0,),
    )
    names = [branch.name.lower() for branch in Branch]
    yield f"| Exp | {' | '.join(f'{name}: inside, outside' for name in names)} |"
    yield "|---|---|---|---|"
    for variant in third.variants:
        if variant.name == "no attention":
            continue
        run = request.run_of(variant)
        own = next(folds_of(run, folds=trained.folds, seeds=(0,)))
        model = load(own.run.out, settings=lambda _: run.settings)  # noqa: B023
        seen: dict[bool, list[FloatArray]] = {True: [], False: []}
        for video in own.test.annotations.videos.values():
            said = model.activations(own.test.store.read(video.id)).attention
            middle_s = [model.grid.centre_s(t) for t in range(len(said))]
            inside = _within(video, np.array(middle_s))
            for where in (True, False):
                seen[where].append(said[inside == where].astype(np.float64))
        within, without = (np.concatenate(seen[x]).mean(axis=0) for x in (True, False))
        cells = [f"{a:.2f}, {b:.2f}" for a, b in zip(within, without, strict=True)]
        yield f"| {variant.name} | {' | '.join(cells)} |"


def _within(video: Video, time_s: FloatArray) -> BoolArray:
    """Return (n,) which of n times lie within an instance."""
    spans = [(own.segment.start_s, own.segment.end_s) for own in video.instances]
    return np.array([any(a <= t < b for a, b in spans) for t in time_s.tolist()])


def calibration(data: Path) -> Iterator[str]:
    """Yield a table of the calibration of STPN's detections, cross-fitted."""
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
                CalibrationTarget(tiou, wanted),
                model_sha256="",
                localization=LocalizationSettings(),
            )
            error = report.calibration.ece
            yield (
                f"| {tiou} | {100 * error['before']:.1f} | {100 * error['after']:.1f} "
                f"| {wanted} | {report.precision or 0.0:.3f} | {report.recall:.3f} |"
            )


def _by_video(path: Path) -> dict[str, Detections]:
    """Return a file's detections by video; those of no length are left out."""
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
