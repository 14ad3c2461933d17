"""What a run is: asked for, written down, and told from another."""

import dataclasses
import hashlib
import json
import os
import platform
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from acmnet.data.labelled_features import Data
from acmnet.devices import computed_in
from acmnet.messages import quoted, some
from acmnet.pipeline.run_data import place_of_features
from acmnet.recipes import Settings, as_values
from acmnet.recipes.older_settings import modernised
from acmnet.training.checkpoint import (
    LABELS_FILE,
    CheckpointConfig,
    CheckpointError,
    folder_of,
    has_checkpoint,
    is_left_of_a_kill,
    load_config,
    load_training_state,
)

LAST: Final = "last"
MAY_CHANGE: Final = (
    "training.epochs",
    "training.checkpoint_every",
    "training.keep_checkpoints",
)
"""Settings that a resumed run may change, with how it is localised afterwards: they
change no number of an epoch."""


AFTER_STUDENT: Final = (
    "localization.soft_nms_sigma",
    "localization.unit_scores",
    "student.teachers_weight",
)
"""The settings of how a student's run is localised, which teach it nothing."""


class RunError(ValueError):
    """A run that cannot be started or resumed; the message names its directory."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunRequest:
    """Everything that `train_run` needs to know."""

    out: Path
    """Directory of the run."""
    data: Data
    """Features and video-level labels to train on."""
    recipe: str
    """Name of the recipe, which the run keeps beside its settings."""
    profile: str
    """Name of the recipe's profile, which the run keeps beside its settings."""
    settings: Settings
    """Values of that recipe in that profile, with what the caller changed."""
    seed: int = 0
    device: str = "cpu"
    resume: bool = False
    """Go on from the run's newest checkpoint."""
    resume_from: Path | None = None
    """Go on, in a new run, from this checkpoint directory."""
    overwrite: bool = False
    """Replace a run that is already there."""
    selection: Data | None = None
    """Data whose temporal truth chooses the checkpoint; the last epoch when left out.
    Choosing on the test set is peeking, and is written into the run."""


def config_of(
    request: RunRequest, epoch: int, metrics: Mapping[str, Any], seconds: float
) -> CheckpointConfig:
    """Return what a checkpoint of this run says of itself."""
    annotations, store = request.data.annotations, request.data.store
    chooser = request.selection
    return CheckpointConfig(
        recipe=request.recipe,
        profile=request.profile,
        seed=request.seed,
        settings=as_values(request.settings),
        class_names=annotations.class_names,
        feature_dim=store.dimension,
        grid=store.grid,
        epoch=epoch,
        selection=LAST if chooser is None else f"truth of {_subset(chooser)}",
        metrics=metrics,
        versions=_versions(),
        training={
            "annotations": annotations.source,
            **place_of_features(request.out, store.directory),
            "manifest": store.manifest and dataclasses.asdict(store.manifest),
            "subset": request.data.source.subset,
            "videos": len(annotations.videos),
            "left_out": list(request.data.left_out),
            "labels_sha256": _labels_sha256(request.data),
            "seconds": round(seconds, 3),
            "processes": int(os.environ.get("WORLD_SIZE", "1")),
            "device": request.device,
            "precision": computed_in(
                request.settings.training.precision, request.device
            ),
        },
        trained_on=request.data.labels,
    )


def refuse_other_run(source: Path, request: RunRequest) -> None:
    """Refuse a checkpoint of other settings, classes, data or seed than asked for.

    Raises
    ------
    RunError
        Naming the first difference that would change a number of the training; which
        videos and labels changed, where those are others. Also if the checkpoint used
        a setting that acmnet no longer has.
    """
    config, asked = load_config(source), config_of(request, 0, {}, 0.0)
    try:
        stored = modernised(config.settings)
    except ValueError as error:
        raise RunError(f"{source}: {error}") from error
    # a setting that an older acmnet did not have counts as its default value
    before = _flat(as_values(Settings())) | _flat(stored) | _identity(config)
    now = _flat(asked.settings) | _identity(asked)
    for key, value in now.items():
        if before.get(key) != value and not _may_change(key, request):
            if key in ("class_names", "labels_sha256"):
                raise RunError(_other_labels(source, config, request))
            raise RunError(
                f"{source} was trained with {key} = {before.get(key)!r}, now it is "
                f"{value!r}; resume with the same, or start anew in another --out"
            )


def _other_labels(source: Path, config: CheckpointConfig, request: RunRequest) -> str:
    """Return the refusal of other videos or labels than a run was trained on."""
    before, now = config.trained_on, request.data.labels
    names = request.data.annotations.class_names
    changes = []
    if before is not None:
        changes = [
            *_told("no longer listed", [v for v in before if v not in now]),
            *_told("new", [v for v in now if v not in before]),
        ]
        other = [v for v in now if v in before and set(before[v]) != set(now[v])]
        for video in other[:1]:
            more = f" (and {len(other) - 1} more)" if other[1:] else ""
            changes.append(
                f"{quoted(video)} was {_listed(before[video])}, now it is "
                f"{_listed(now[video])}{more}"
            )
    classes = config.class_names
    if set(classes) != set(names):
        changes += [
            *_told("no longer a class", [x for x in classes if x not in names]),
            *_told("a new class", [x for x in names if x not in classes]),
        ]
    elif classes != names:
        changes.append("the classes come in another order")
    if not changes:
        changes = [
            f"it had {config.training.get('videos', '?')} training videos, now there "
            f"are {len(now)}, or their labels are others"
        ]
    kept = folder_of(source) / LABELS_FILE
    restore = f" (it keeps them in {kept})" if kept.exists() else ""
    return (
        f"{source} was trained on other labels than those in "
        f"{request.data.annotations.source}: {'; '.join(changes)}. Go on with the "
        f"labels that it was trained on{restore}, train it anew with --overwrite, or "
        "choose another --out"
    )


def _told(what: str, names: list[str]) -> list[str]:
    """Return what became of some names, if there are any."""
    return [f"{what}: {some(names)}"] if names else []


def _listed(labels: Sequence[str]) -> str:
    return " and ".join(map(quoted, labels)) or "without a label"


def _may_change(key: str, request: RunRequest) -> bool:
    """Whether a run may be resumed with another value of a setting.

    Teachers localise what their student learns: with one, most values are fixed.
    """
    if request.settings.student.teachers:
        return key in (*MAY_CHANGE[1:], *AFTER_STUDENT)
    chooses = key.startswith("localization.") and request.selection is None
    return chooses or key in MAY_CHANGE


def is_finished(run: Path, settings: Settings) -> bool:
    """Whether a run's training has all its epochs behind it."""
    try:
        is_whole = has_checkpoint(run) and not is_left_of_a_kill(run)
        done = int(load_training_state(run)["epoch"]) if is_whole else 0
    except CheckpointError:
        return False
    return done >= last_epoch(settings)


def last_epoch(settings: Settings) -> int:
    """Return the last epoch of what is trained last."""
    if settings.student.teachers:
        return settings.student.epochs
    return settings.training.epochs


def _flat(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings by dotted name, tuples as lists (as JSON gives them back)."""
    flat = {f"{r}.{k}": v for r, values in settings.items() for k, v in values.items()}
    return {key: list(v) if isinstance(v, tuple) else v for key, v in flat.items()}


def _identity(config: CheckpointConfig) -> dict[str, Any]:
    return {
        "seed": config.seed,
        "class_names": config.class_names,
        "feature_dim": config.feature_dim,
        "grid": config.grid,
        "selection": config.selection,
        "labels_sha256": config.training.get("labels_sha256"),
    }


def _labels_sha256(data: Data) -> str:
    text = json.dumps(sorted((k, list(v)) for k, v in data.labels.items()))
    return hashlib.sha256(text.encode()).hexdigest()


def _subset(data: Data) -> str:
    subset = data.source.subset
    return "all videos" if subset is None else f"subset {subset!r}"


def _versions() -> dict[str, str]:
    return {
        "acmnet": metadata.version("acmnet"),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
    }
