"""How far a run's training has come, and whether a request asks for the same one.

Before a training starts, this module answers: is the directory empty, is its training
finished, can it go on, or does it hold another training, which is refused?
"""

import contextlib
import dataclasses
import enum
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from acmnet.checkpoints.checkpoint import load_config, load_training_state
from acmnet.checkpoints.checkpoint_config import CheckpointConfig
from acmnet.checkpoints.checkpoint_folder import (
    LABELS_FILE,
    CheckpointError,
    folder_of,
    has_checkpoint,
    is_left_of_a_kill,
)
from acmnet.data.labelled_features import labels_sha256
from acmnet.data.labels.marks import marks_sha256
from acmnet.messages import quoted, some
from acmnet.models.stored_model import TEACHERS, TRIAL
from acmnet.models.training_summary import TrainingSummaryError, training_summary
from acmnet.recipes import RecipeError, Settings, as_values, from_values
from acmnet.runs.earlier_run import stated_beginning
from acmnet.runs.run_request import RunError, RunRequest
from acmnet.runtime.startup import is_first_process

LOG_FILE: Final = "log.jsonl"
"""The file of a run with the losses of every step, one line of JSON a step."""
LENGTH: Final = ("training.epochs", "training.fewest_steps")
"""Settings that say how many epochs a training takes."""
MAY_CHANGE: Final = (*LENGTH, "training.checkpoint_every", "training.keep_checkpoints")
"""Settings that a resumed training of the paper's network may change: they change no
number within an epoch. It may change those of localisation, too, unless localisation
chooses the checkpoint."""
MAY_CHANGE_WITH_STUDENT: Final = (
    "training.checkpoint_every",
    "training.keep_checkpoints",
    "localization.soft_nms_sigma",
    "localization.unit_scores",
    "teachers.contrast_weight",
    "teachers.proposal_weight",
)
"""Settings that a resumed training of a student may change. Its teachers localise what
the student learns, so that most settings of localisation change what is learned."""


ROUND_SHARE: Final = "training.round_share"
"""The setting that shortens a training from an earlier run, and changes no other. The
learning rate of a student follows the number of its epochs, so that a student that
began with an earlier run is resumed with the same value only."""


class RunState(enum.Enum):
    """How far the training in a directory has come."""

    EMPTY = enum.auto()
    """Nothing of a training is there."""
    BEGUN = enum.auto()
    """A training was begun, but there is no checkpoint that it could go on from."""
    CUT_SHORT = enum.auto()
    """There is a checkpoint, and epochs are missing."""
    TRAINED = enum.auto()
    """No epoch is missing, but what is written after the last epoch is."""
    FINISHED = enum.auto()
    """Nothing is left to do."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class RunOnDisk:
    """What is there of the training that is asked for."""

    state: RunState
    config: CheckpointConfig | None = None
    """The ``config.json`` of the checkpoint; None where there is no checkpoint."""
    training_state: Mapping[str, Any] | None = None
    """The state from which training continues; None where there is none."""
    note: str = ""
    """A sentence for the user where something is not as expected."""

    @property
    def is_trained(self) -> bool:
        """Whether no epoch is missing."""
        return self.state in (RunState.TRAINED, RunState.FINISHED)


def starting_point(request: RunRequest) -> RunOnDisk:
    """Return what a training begins with, as its request asks for.

    Raises
    ------
    RunError
        If the directory holds a run that is neither to be resumed nor to be replaced,
        or what is to be resumed is another training.
    CheckpointError
        If the checkpoint to go on from is missing or damaged.
    """
    is_free = request.resume or request.overwrite
    if is_first_process() and not is_free and _holds_a_run(request.out):
        raise RunError(
            f"{request.out} already holds a run; go on with --resume, replace it with "
            "--overwrite, or choose another --out"
        )
    if request.resume_from is not None:
        return _checkpoint(request.resume_from, request)
    if request.resume:
        return run_on_disk(request)
    return RunOnDisk(state=RunState.EMPTY)


def run_on_disk(request: RunRequest) -> RunOnDisk:
    """Return how far the training that is asked for has come in its directory.

    Raises
    ------
    RunError
        If the directory holds a training with other settings, classes, data or seed.
    CheckpointError
        If its checkpoint is damaged.
    """
    out = request.out
    if not _holds_a_run(out):
        return RunOnDisk(state=RunState.EMPTY)
    if not has_checkpoint(out):
        return RunOnDisk(state=RunState.BEGUN)
    if is_left_of_a_kill(out):
        with contextlib.suppress(CheckpointError):
            refuse_other_training(out, request)
        return RunOnDisk(
            state=RunState.BEGUN,
            note=f"the first checkpoint in {out} was never finished: its training "
            "begins anew",
        )
    found = _checkpoint(out, request)
    if found.training_state is None:
        return found
    end = int(found.training_state.get("early_end", 0)) or request.last_epoch
    if int(found.training_state["epoch"]) < min(end, request.last_epoch):
        return found
    state = RunState.FINISHED if _is_summarized(out) else RunState.TRAINED
    return dataclasses.replace(found, state=state)


def _holds_a_run(out: Path) -> bool:
    """Whether any part of a training is in a directory."""
    parts = (out / LOG_FILE, out / TEACHERS, out / TRIAL)
    return has_checkpoint(out) or any(part.exists() for part in parts)


def _checkpoint(source: Path, request: RunRequest) -> RunOnDisk:
    """Return a checkpoint to go on from, once it is known to be of this training."""
    refuse_other_training(source, request)
    return RunOnDisk(
        state=RunState.CUT_SHORT,
        config=load_config(source),
        training_state=load_training_state(source),
    )


def _is_summarized(run: Path) -> bool:
    """Whether a run has the summary of its present weights, which is written last."""
    try:
        return training_summary(run) is not None
    except TrainingSummaryError:
        return False  # it is written anew


def refuse_other_training(source: Path, request: RunRequest) -> None:
    """Refuse a checkpoint of other settings, classes, data or seed than asked for.

    Raises
    ------
    RunError
        Naming what differs and would change a number of the training. Also if the
        checkpoint used a setting that acmnet no longer has.
    CheckpointError
        If there is no checkpoint, or it is damaged.
    """
    config, now = load_config(source), _identity_asked_for(request)
    try:
        before = _identity_of_checkpoint(config, source)
    except RecipeError as error:
        raise RunError(str(error)) from error
    changed = [
        key
        for key, value in now.items()
        if before[key] != value and not _may_change(key, request)
    ]
    for key in changed[:1]:
        if key in ("class_names", "labels_sha256"):
            raise RunError(_other_labels(source, config, request))
        if key == "marks_sha256":
            raise RunError(_other_times(source, request))
        if key == "begun_from":
            raise RunError(_other_beginning(source, config))
        raise RunError(_other_settings(source, changed, before, now))


def _identity_asked_for(request: RunRequest) -> dict[str, Any]:
    """Return everything that fixes the numbers of a training, by name."""
    return {
        # compared first: a training from another run also takes other epochs
        "begun_from": (stated_beginning(request) or {}).get("weights_sha256"),
        **_flat(request.settings),
        "seed": request.seed,
        "class_names": request.data.annotations.class_names,
        "feature_dim": request.data.store.dimension,
        "grid": request.data.store.grid,
        "selection": request.selected_by,
        "labels_sha256": labels_sha256(request.data),
        "supervision": request.supervision,
        "marks_sha256": marks_sha256(request.marks),
    }


def _identity_of_checkpoint(config: CheckpointConfig, source: Path) -> dict[str, Any]:
    """Return what `_identity_asked_for` returned for the training of a checkpoint.

    Settings that the acmnet of that time did not know have the values that they have
    when nobody sets them.
    """
    return {
        **_flat(from_values(config.settings, str(source))),
        "seed": config.seed,
        "class_names": config.class_names,
        "feature_dim": config.feature_dim,
        "grid": config.grid,
        "selection": config.selection,
        "labels_sha256": config.training.get("labels_sha256"),
        "supervision": config.training.get("supervision", "names"),
        "marks_sha256": config.training.get("marks_sha256", marks_sha256({})),
        "begun_from": (config.training.get("begun_from") or {}).get("weights_sha256"),
    }


def _flat(settings: Settings) -> dict[str, Any]:
    """Return settings by dotted name, such as ``training.epochs``."""
    return {
        f"{room}.{name}": value
        for room, values in as_values(settings).items()
        for name, value in values.items()
    }


def _may_change(key: str, request: RunRequest) -> bool:
    """Whether a run may be resumed with another value of a setting."""
    if key == ROUND_SHARE:
        return request.begin_from is None or not request.settings.has_student
    if request.settings.has_student:
        return key in MAY_CHANGE_WITH_STUDENT
    if key in LENGTH and request.settings.loss.background_after:
        return False  # the first epochs, a share of all, have another loss
    chooses = key.startswith("localization.") and request.selection is None
    return chooses or key in MAY_CHANGE


def _other_settings(
    source: Path,
    changed: Sequence[str],
    before: Mapping[str, Any],
    now: Mapping[str, Any],
) -> str:
    """Return the refusal of other settings than a run was trained with.

    They may differ although nobody gave one: a run that an earlier acmnet began may
    have been trained before the setting was there, or when its value was another.
    """
    differs = " and ".join(f"{x} = {before[x]!r}, not {now[x]!r}" for x in changed)
    same = "with the same"
    if all("." in key or key in ("seed", "supervision") for key in changed):
        same = "with " + " ".join(
            f"--{key.replace('_', '-')} {_as_option(before[key])}" for key in changed
        )
    return (
        f"{source} was trained with {differs}; go on {same}, train it anew with "
        "--overwrite, or choose another --out"
    )


def _as_option(value: object) -> str:
    """Return a setting's value as it is given on the command line.

    Examples
    --------
    >>> _as_option((0.1, 0.2)), _as_option(True), _as_option(4.0)
    ('0.1,0.2', 'true', '4.0')
    """
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _other_labels(source: Path, config: CheckpointConfig, request: RunRequest) -> str:
    """Return the refusal of other videos or labels than a run was trained on."""
    now = request.data.labels
    changes = [
        *_changed_videos(config.trained_on, now),
        *_changed_classes(config.class_names, request.data.annotations.class_names),
    ]
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


def _other_times(source: Path, request: RunRequest) -> str:
    """Return the refusal of other times than a run was trained on."""
    return (
        f"{source} was trained on other times than those in "
        f"{request.data.annotations.source} (--supervision {request.supervision}): "
        "marks were added, moved or removed. Go on with the times that it was trained "
        "on, train it anew with --overwrite, or choose another --out"
    )


def _other_beginning(source: Path, config: CheckpointConfig) -> str:
    """Return the refusal of another earlier run than a run began with."""
    before = config.training.get("begun_from") or {}
    began = f"the weights of {before['run']}" if before else "weights of its own"
    same = f"with --from {before['run']}" if before else "without --from"
    return (
        f"{source} began with {began}, not with those that are there now; go on "
        f"{same}, train it anew with --overwrite, or choose another --out"
    )


def _changed_videos(
    before: Mapping[str, Sequence[str]] | None, now: Mapping[str, Sequence[str]]
) -> list[str]:
    """Return what became of the videos that a run was trained on, where it is known."""
    if before is None:
        return []
    changes = [
        *_difference("no longer listed", [v for v in before if v not in now]),
        *_difference("new", [v for v in now if v not in before]),
    ]
    other = [v for v in now if v in before and set(before[v]) != set(now[v])]
    for video in other[:1]:
        more = f" (and {len(other) - 1} more)" if other[1:] else ""
        changes.append(
            f"{quoted(video)} was {_listed(before[video])}, now it is "
            f"{_listed(now[video])}{more}"
        )
    return changes


def _changed_classes(before: Sequence[str], now: Sequence[str]) -> list[str]:
    """Return what became of the classes that a run was trained on."""
    if set(before) != set(now):
        return [
            *_difference("no longer a class", [x for x in before if x not in now]),
            *_difference("a new class", [x for x in now if x not in before]),
        ]
    return [] if before == now else ["the classes come in another order"]


def _difference(what: str, names: list[str]) -> list[str]:
    """Return what became of some names, if there are any."""
    return [f"{what}: {some(names)}"] if names else []


def _listed(labels: Sequence[str]) -> str:
    """Return the labels of a video in words."""
    return " and ".join(map(quoted, labels)) or "without a label"
