"""Checkpoints: a directory of three files, none of which can run code.

``model.safetensors`` holds the weights, ``config.json`` says what they are, and
``training_state.pt`` (read with ``weights_only=True``) is for resuming only.
"""

import contextlib
import dataclasses
import json
import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from acmnet.files import one_line, written_whole
from acmnet.segments import SnippetGrid

FORMAT_VERSION: Final = 1
MODEL_FILE: Final = "model.safetensors"
CONFIG_FILE: Final = "config.json"
STATE_FILE: Final = "training_state.pt"


class CheckpointError(ValueError):
    """A checkpoint that cannot be read or written; the message names the file."""


@dataclasses.dataclass(frozen=True)
class CheckpointConfig:
    """What ``config.json`` says of the weights beside it."""

    recipe: str
    profile: str
    seed: int
    settings: Mapping[str, Any]
    """Every setting by room, as plain values."""
    class_names: tuple[str, ...]
    feature_dim: int
    grid: SnippetGrid
    epoch: int
    """Epochs trained."""
    selection: str
    """How this epoch was chosen: ``"last"``, or the subset whose truth chose it."""
    metrics: Mapping[str, Any]
    """Mean losses of the last epoch, and scores where the run was evaluated."""
    versions: Mapping[str, str]
    """Of acmnet, Python, torch and numpy."""
    training: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """Where the data came from and how long training took."""
    format: int = FORMAT_VERSION


def save_checkpoint(
    directory: Path, weights: Mapping[str, Tensor], config: CheckpointConfig
) -> None:
    """Write weights and what they are; whatever interrupts it, the last ones survive.

    Each file is written under a temporary name, flushed to the disk and renamed.

    Raises
    ------
    CheckpointError
        If the disk is full or the directory cannot be written.
    """
    tensors = {
        name: value.detach().cpu().contiguous() for name, value in weights.items()
    }
    text = json.dumps(dataclasses.asdict(config), indent=1, ensure_ascii=False) + "\n"
    epoch = str(config.epoch)
    _write_all(
        directory,
        {
            MODEL_FILE: lambda path: save_file(tensors, path, {"epoch": epoch}),
            CONFIG_FILE: lambda path: _write_text(path, text),
        },
    )


def save_training_state(directory: Path, state: Mapping[str, object]) -> None:
    """Write what training needs to go on, its own weights included.

    So a crash between this file and the model's cannot mix epochs when training goes
    on. Safety and errors are those of `save_checkpoint`.
    """
    _write_all(directory, {STATE_FILE: lambda path: torch.save(dict(state), path)})


def _write_all(directory: Path, writers: Mapping[str, Callable[[Path], None]]) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with contextlib.ExitStack() as renamed_last:
            # the last name entered is renamed first: all are written by then
            for name in reversed(list(writers)):
                writers[name](
                    renamed_last.enter_context(written_whole(directory / name))
                )
    except (OSError, SafetensorError, RuntimeError) as error:
        raise CheckpointError(
            f"cannot write {' and '.join(writers)} to {directory}: {one_line(error)}; "
            "the last good checkpoint there is untouched: free some space, then go on "
            "with --resume"
        ) from error


def load_config(directory: Path) -> CheckpointConfig:
    """Read what a checkpoint is, without its weights.

    Raises
    ------
    CheckpointError
        If there is no checkpoint, it is not ours, or its format is newer.
    """
    path = _existing(directory, CONFIG_FILE)
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        version = values["format"]
        if version > FORMAT_VERSION:
            raise CheckpointError(
                f"{path} has checkpoint format {version}, this acmnet reads up to "
                f"{FORMAT_VERSION}; install a newer acmnet"
            )
        values["grid"] = SnippetGrid(**values["grid"])
        values["class_names"] = tuple(values["class_names"])
        return CheckpointConfig(**values)
    except (KeyError, TypeError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise CheckpointError(
            f"{path} is damaged or not written by acmnet ({one_line(error)}); take "
            "another checkpoint"
        ) from error


def load_weights(directory: Path) -> dict[str, Tensor]:
    """Read a checkpoint's weights.

    Raises
    ------
    CheckpointError
        If the file is missing, truncated, or a pickle, which is refused unread.
    """
    path = _existing(directory, MODEL_FILE)
    _refuse_pickle(path)
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{path} is truncated or damaged ({one_line(error)}); take another "
            "checkpoint, or go on from training_state.pt with --resume"
        ) from error


def load_training_state(directory: Path) -> dict[str, Any]:
    """Read what training needs to go on: tensors and numbers only.

    Raises
    ------
    CheckpointError
        If the file is missing, truncated, or holds anything but plain data.
    """
    path = _existing(directory, STATE_FILE)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError) as error:
        raise CheckpointError(
            f"{path} is truncated or not written by acmnet ({one_line(error)}); "
            "train again with --overwrite"
        ) from error
    if not isinstance(state, dict):
        raise CheckpointError(f"{path} holds a {type(state).__name__}, not a state")
    return state


def has_checkpoint(directory: Path) -> bool:
    """Whether ``directory`` holds any part of a checkpoint."""
    return any((directory / n).exists() for n in (MODEL_FILE, CONFIG_FILE, STATE_FILE))


def _existing(directory: Path, name: str) -> Path:
    """Return the file's path, or say what is there instead."""
    if directory.is_file():
        _refuse_pickle(directory)
        raise CheckpointError(
            f"{directory} is a file; a checkpoint is the directory that holds "
            f"{MODEL_FILE} and {CONFIG_FILE}"
        )
    if not (directory / name).is_file():
        for foreign in sorted(directory.glob("*.p*")):
            if foreign.suffix in (".pt", ".pth", ".pkl", ".pickle"):
                _refuse_pickle(foreign)
        raise CheckpointError(
            f"{directory} holds no {name}; give a directory that acmnet train wrote"
        )
    return directory / name


def _refuse_pickle(path: Path) -> None:
    """Refuse what starts like a pickle or a zip of one, without reading on."""
    if path.name == STATE_FILE:
        return
    with path.open("rb") as file:
        start = file.read(9)
    if start[8:] == b"{":  # safetensors: eight bytes of length, then JSON
        return
    if start[:2] in (b"PK", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"):
        raise CheckpointError(
            f"{path} is a pickle, which can run code when it is opened; it was not "
            f"read. A checkpoint is a directory with {MODEL_FILE} and {CONFIG_FILE}"
        )


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
