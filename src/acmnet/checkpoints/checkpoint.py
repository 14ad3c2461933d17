"""Checkpoints: folders of files, none of which can run code.

``model.safetensors`` holds the weights, and ``config.json`` says what they are.
``training_state.pt`` (read with ``weights_only=True``) is what training goes on from.
``trained_on.json`` names the videos and labels that were trained on, and
``taught_times.json`` the times, if the training was given any. ``labels.json`` is
the label file, which reports read. The newest checkpoint of a run is its folder
``checkpoint``. Runs of an older acmnet have the first three files in the run itself.
"""

import dataclasses
import hashlib
import io
import json
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError
from safetensors import torch as safetensors
from torch import Tensor

from acmnet.checkpoints.checkpoint_config import (
    FORMAT_VERSION,
    CheckpointConfig,
    are_names,
    config_from,
    config_values,
)
from acmnet.checkpoints.checkpoint_folder import (
    ADVICE_IF_DAMAGED,
    CONFIG_FILE,
    LABELS_FILE,
    MODEL_FILE,
    STATE_FILE,
    TAUGHT_TIMES_FILE,
    TRAINED_ON_FILE,
    CheckpointError,
    content_of,
    existing_file,
    folder_of,
)
from acmnet.checkpoints.exported_file import (
    SHA256_KEY,
    ExportedFileError,
    is_exported,
    metadata_text,
)
from acmnet.files.strict_json import parse_json
from acmnet.files.text_files import read_text
from acmnet.files.whole_folders import DIGESTS_FILE, digests, write_folder
from acmnet.limits import LARGEST_NOTE_BYTES
from acmnet.messages import one_line

FIRST_WITH_DIGESTS: Final = 2
"""The first format in which a checkpoint is a folder with the SHA-256 of its files."""
UNREADABLE: Final = (
    *(RuntimeError, EOFError, OSError, ValueError, KeyError, TypeError),
    *(AttributeError, IndexError),
)
"""What `torch.load` raises of a damaged file, besides `pickle.UnpicklingError`."""


def model_files(
    weights: Mapping[str, Tensor], config: CheckpointConfig, labels: bytes | None = None
) -> dict[str, bytes]:
    """Return the files of a checkpoint that say what was learnt, by name.

    Parameters
    ----------
    weights : mapping of str to tensor
        The weights of the network, by name.
    config : CheckpointConfig
        What the weights are.
    labels : bytes, optional
        The label file as JSON, with true segments where they are known. Reports read
        it; training never does.
    """
    tensors = {
        name: value.detach().cpu().contiguous() for name, value in weights.items()
    }
    files = {
        MODEL_FILE: safetensors.save(tensors, {"epoch": str(config.epoch)}),
        CONFIG_FILE: _json(config_values(config), indent=1),
    }
    if config.trained_on is not None:
        files[TRAINED_ON_FILE] = _json(config.trained_on, indent=0)
    if config.taught_times:
        files[TAUGHT_TIMES_FILE] = _json(config.taught_times, indent=0)
    if labels is not None:
        files[LABELS_FILE] = labels
    return files


def state_files(state: Mapping[str, object]) -> dict[str, bytes]:
    """Return the file that training goes on from, by name.

    It holds the weights of the last epoch; where a subset chooses the checkpoint, the
    weights of the model may be of an earlier one. Equal states give equal bytes.
    """
    written = io.BytesIO()
    torch.save(dict(state), written)
    return {STATE_FILE: written.getvalue()}


def kept_model_files(directory: Path) -> dict[str, bytes]:
    """Return the files of `model_files` as they lie in a checkpoint.

    Raises
    ------
    CheckpointError
        If one is damaged.
    """
    folder = folder_of(directory)
    names = (MODEL_FILE, CONFIG_FILE, TRAINED_ON_FILE, TAUGHT_TIMES_FILE, LABELS_FILE)
    return {
        name: content_of(folder / name) for name in names if (folder / name).exists()
    }


def save_checkpoint(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write a checkpoint; whatever interrupts it, the last one survives.

    Raises
    ------
    CheckpointError
        If the disk is full or the folder cannot be written.
    """
    try:
        write_folder(folder, files)
    except OSError as error:
        raise CheckpointError(
            f"cannot write the checkpoint {folder}: {error.strerror or error}; the "
            "last good checkpoint is untouched: free some space, then give the same "
            "command again (acmnet train: with --resume)"
        ) from error


def load_config(directory: Path) -> CheckpointConfig:
    """Read what a checkpoint, or the checkpoint of an exported file, is.

    Weights are not read.

    Raises
    ------
    CheckpointError
        If there is no checkpoint, it is not ours, it is damaged, or its format is
        newer.
    """
    if is_exported(directory):
        return _exported_config(directory)
    path = existing_file(directory, CONFIG_FILE)
    values = _plain(path, "config")
    config = _config(path, values)
    if config.format >= FIRST_WITH_DIGESTS and digests(path.parent) is None:
        raise CheckpointError(
            f"{path.parent} has lost its {DIGESTS_FILE}, so nothing tells whether the "
            f"other files are whole; {ADVICE_IF_DAMAGED}"
        )
    return dataclasses.replace(
        config,
        trained_on=_trained_on(path.parent),
        taught_times=_taught_times(path.parent),
    )


def _exported_config(path: Path) -> CheckpointConfig:
    """Return what the checkpoint was that a file was exported from."""
    text = _metadata(path, CONFIG_FILE)
    values = parse_json(str(path), text, "config", CheckpointError)
    if not isinstance(values, dict):
        raise _foreign(path, f"its {CONFIG_FILE} holds a {type(values).__name__}")
    return _config(path, values)


def _metadata(path: Path, name: str) -> str:
    """Return a text that every exported file of acmnet has in its metadata."""
    try:
        text = metadata_text(path, name)
    except ExportedFileError as error:
        raise CheckpointError(str(error)) from None
    if text is None:
        raise CheckpointError(
            f"{path} was not exported by acmnet: its metadata have no {name}; give a "
            "file that acmnet export wrote"
        )
    return text


def _config(path: Path, values: dict[str, Any]) -> CheckpointConfig:
    """Return what the values of a ``config.json`` say, in a format that is known."""
    version = values.get("format")
    if type(version) is not int or version < 1:
        raise _foreign(path, f"its format is {version!r}")
    if version > FORMAT_VERSION:
        raise CheckpointError(
            f"{path} has checkpoint format {version}, this acmnet reads up to "
            f"{FORMAT_VERSION}; install a newer acmnet"
        )
    try:
        return config_from(values)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise _foreign(path, one_line(error)) from error


def load_weights(directory: Path) -> dict[str, Tensor]:
    """Read a checkpoint's weights.

    Raises
    ------
    CheckpointError
        If the file is missing, damaged, or a pickle, which is refused unread.
    """
    path = existing_file(directory, MODEL_FILE)
    content = content_of(path)
    try:
        return safetensors.load(content)
    except (SafetensorError, ValueError, KeyError) as error:
        raise CheckpointError(
            f"{path} is truncated or damaged ({one_line(error)}); {ADVICE_IF_DAMAGED}"
        ) from error


def load_training_state(directory: Path) -> dict[str, Any]:
    """Read what training needs to go on: tensors and numbers only.

    Raises
    ------
    CheckpointError
        If the file is missing, damaged, or holds anything but plain data.
    """
    path = existing_file(directory, STATE_FILE)
    content = content_of(path)
    try:
        if not content.startswith(b"PK"):
            raise pickle.UnpicklingError("it is no archive of torch.save")
        state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, *UNREADABLE) as error:
        raise CheckpointError(
            f"{path} is truncated or not written by acmnet ({one_line(error)}); "
            "train again with --overwrite"
        ) from error
    if not isinstance(state, dict):
        raise CheckpointError(f"{path} holds a {type(state).__name__}, not a state")
    return state


def weights_sha256(directory: Path) -> str:
    """Return the SHA-256 of a checkpoint's weights, in hexadecimal.

    That of an exported file is that of the checkpoint that it was made from.

    Raises
    ------
    CheckpointError
        If they are missing or damaged.
    """
    if is_exported(directory):
        return _metadata(directory, SHA256_KEY)
    path = existing_file(directory, MODEL_FILE)
    known = digests(path.parent)
    if known is not None and path.name in known:
        return known[path.name]
    return hashlib.sha256(content_of(path)).hexdigest()


def _json(values: object, indent: int) -> bytes:
    return (json.dumps(values, indent=indent, ensure_ascii=False) + "\n").encode()


def _plain(path: Path, kind: str) -> dict[str, Any]:
    """Return the JSON object in a file of a checkpoint."""
    content_of(path)
    try:
        text = read_text(
            path, kind, CheckpointError, "it says what it is", LARGEST_NOTE_BYTES
        )
        values = parse_json(str(path), text, kind, CheckpointError)
    except CheckpointError as error:
        raise _foreign(path, one_line(error)) from error
    if not isinstance(values, dict):
        raise _foreign(path, f"it holds a {type(values).__name__}")
    return values


def _foreign(path: Path, why: str) -> CheckpointError:
    """Return the error for a file that acmnet did not write."""
    return CheckpointError(
        f"{path} is damaged or not written by acmnet ({why}); {ADVICE_IF_DAMAGED}"
    )


def _trained_on(folder: Path) -> dict[str, tuple[str, ...]] | None:
    """Return the labels of each training video, if the checkpoint keeps them."""
    path = folder / TRAINED_ON_FILE
    if not path.exists():
        return None
    videos = {}
    for video, labels in _plain(path, "list of training videos").items():
        if not are_names(labels):
            raise _foreign(path, f"video {video!r} has the labels {labels!r}")
        videos[video] = tuple(labels)
    return videos


def _taught_times(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the times that the training was given, by video; empty if it had none."""
    path = folder / TAUGHT_TIMES_FILE
    if not path.exists():
        return {}
    times = _plain(path, "list of times that were learned from")
    for video, marks in times.items():
        if not isinstance(marks, dict):
            raise _foreign(path, f"video {video!r} has the marks {marks!r}")
    return times
