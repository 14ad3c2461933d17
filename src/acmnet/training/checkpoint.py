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

from acmnet.files import one_line
from acmnet.folders import (
    DIGESTS_FILE,
    DamagedError,
    digests,
    read_file,
    remove_folder,
    whole_folder,
    write_folder,
)
from acmnet.limits import LARGEST_NOTE_BYTES
from acmnet.text_files import parse_json, read_text
from acmnet.training.checkpoint_config import (
    FORMAT_VERSION,
    CheckpointConfig,
    are_names,
    config_from,
    config_values,
)
from acmnet.training.exported_file import (
    SHA256_KEY,
    ExportedFileError,
    is_exported,
    metadata_text,
)

FIRST_WITH_DIGESTS: Final = 2
"""The first format in which a checkpoint is a folder with the SHA-256 of its files."""
FOLDER: Final = "checkpoint"
"""Folder of a run with its newest checkpoint, or the one that a subset chose."""
MODEL_FILE: Final = "model.safetensors"
CONFIG_FILE: Final = "config.json"
STATE_FILE: Final = "training_state.pt"
TRAINED_ON_FILE: Final = "trained_on.json"
TAUGHT_TIMES_FILE: Final = "taught_times.json"
LABELS_FILE: Final = "labels.json"
UNREADABLE: Final = (
    *(RuntimeError, EOFError, OSError, ValueError, KeyError, TypeError),
    *(AttributeError, IndexError),
)
"""What `torch.load` raises of a damaged file, besides `pickle.UnpicklingError`."""
ANOTHER: Final = "take another checkpoint, or train again with --overwrite"


class CheckpointError(ValueError):
    """A checkpoint that cannot be read or written; the message names the file."""


def model_files(
    weights: Mapping[str, Tensor],
    config: CheckpointConfig,
    labels: bytes | None = None,
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
    return {name: _content(folder / name) for name in names if (folder / name).exists()}


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


def folder_of(directory: Path) -> Path:
    """Return where a checkpoint's files lie: those of a run, or of a checkpoint.

    Parameters
    ----------
    directory : Path
        A run, or the folder of any checkpoint.
    """
    return whole_folder(directory / FOLDER) or whole_folder(directory) or directory


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
    path = _existing(directory, CONFIG_FILE)
    values = _plain(path, "config")
    config = _config(path, values)
    if config.format >= FIRST_WITH_DIGESTS and digests(path.parent) is None:
        raise CheckpointError(
            f"{path.parent} has lost its {DIGESTS_FILE}, so nothing tells whether the "
            f"other files are whole; {ANOTHER}"
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
        found = metadata_text(path, name)
    except ExportedFileError as error:
        raise CheckpointError(str(error)) from None
    if found is None:
        raise CheckpointError(
            f"{path} was not exported by acmnet: its metadata have no {name}; give a "
            "file that acmnet export wrote"
        )
    return found


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
    path = _existing(directory, MODEL_FILE)
    content = _content(path)
    try:
        return safetensors.load(content)
    except (SafetensorError, ValueError, KeyError) as error:
        raise CheckpointError(
            f"{path} is truncated or damaged ({one_line(error)}); {ANOTHER}"
        ) from error


def load_training_state(directory: Path) -> dict[str, Any]:
    """Read what training needs to go on: tensors and numbers only.

    Raises
    ------
    CheckpointError
        If the file is missing, damaged, or holds anything but plain data.
    """
    path = _existing(directory, STATE_FILE)
    content = _content(path)
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


def has_checkpoint(directory: Path) -> bool:
    """Whether ``directory`` holds any part of a checkpoint."""
    folder = folder_of(directory)
    return any((folder / n).exists() for n in (MODEL_FILE, CONFIG_FILE, STATE_FILE))


def is_left_of_a_kill(directory: Path) -> bool:
    """Whether an older acmnet was killed here while it wrote its first checkpoint.

    An older acmnet wrote the three files one after another. A checkpoint in a folder of
    its own is there whole or not at all.
    """
    folder = folder_of(directory)
    missing = [
        n for n in (MODEL_FILE, CONFIG_FILE, STATE_FILE) if not (folder / n).exists()
    ]
    return digests(folder) is None and 0 < len(missing) < 3


def remove_checkpoint(directory: Path) -> None:
    """Remove a run's checkpoint, also that of an older acmnet."""
    remove_folder(directory / FOLDER)
    remove_loose_files(directory)


def remove_loose_files(directory: Path) -> None:
    """Remove the files that an older acmnet left in the run itself."""
    for name in (MODEL_FILE, CONFIG_FILE, STATE_FILE):
        (directory / name).unlink(missing_ok=True)


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
    path = _existing(directory, MODEL_FILE)
    known = digests(path.parent)
    if known is not None and path.name in known:
        return known[path.name]
    return hashlib.sha256(_content(path)).hexdigest()


def written_at(directory: Path) -> float | None:
    """Return when a checkpoint's weights were written; None where there are none."""
    try:
        return (folder_of(directory) / MODEL_FILE).stat().st_mtime
    except OSError:
        return None


def labels_file(directory: Path) -> Path | None:
    """Return the label file that a checkpoint holds; None where it holds none.

    Raises
    ------
    CheckpointError
        If it is damaged.
    """
    path = folder_of(directory) / LABELS_FILE
    if not path.is_file():
        return None
    _content(path)
    return path


def _json(values: object, indent: int) -> bytes:
    return (json.dumps(values, indent=indent, ensure_ascii=False) + "\n").encode()


def _plain(path: Path, kind: str) -> dict[str, Any]:
    """Return the JSON object in a file of a checkpoint."""
    _content(path)
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
        f"{path} is damaged or not written by acmnet ({why}); {ANOTHER}"
    )


def _trained_on(folder: Path) -> dict[str, tuple[str, ...]] | None:
    """Return the labels of each training video, if the checkpoint keeps them."""
    path = folder / TRAINED_ON_FILE
    if not path.exists():
        return None
    found = {}
    for video, labels in _plain(path, "list of training videos").items():
        if not are_names(labels):
            raise _foreign(path, f"video {video!r} has the labels {labels!r}")
        found[video] = tuple(labels)
    return found


def _taught_times(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the times that the training was given, by video; empty if it had none."""
    path = folder / TAUGHT_TIMES_FILE
    if not path.exists():
        return {}
    found = _plain(path, "list of times that were learned from")
    for video, marks in found.items():
        if not isinstance(marks, dict):
            raise _foreign(path, f"video {video!r} has the marks {marks!r}")
    return found


def _content(path: Path) -> bytes:
    """Return the content of a file that has the SHA-256 which the checkpoint keeps."""
    _refuse_pickle(path)
    try:
        return read_file(path)
    except DamagedError as error:
        raise CheckpointError(f"{error}; {ANOTHER}") from error
    except OSError as error:
        raise CheckpointError(
            f"{path} could not be read: {error.strerror}; check its permissions"
        ) from error


def _existing(directory: Path, name: str) -> Path:
    """Return the path of a file of a checkpoint, or say what is there instead."""
    if directory.is_file():
        _refuse_pickle(directory)
        raise CheckpointError(
            f"{directory} is a file; a checkpoint is the directory that holds "
            f"{MODEL_FILE} and {CONFIG_FILE}"
        )
    folder = folder_of(directory)
    if not (folder / name).is_file():
        for foreign in sorted(folder.glob("*.p*")):
            if foreign.suffix in (".pt", ".pth", ".pkl", ".pickle"):
                _refuse_pickle(foreign)
        raise CheckpointError(
            f"{directory} holds no {name}; give a directory that acmnet train wrote"
        )
    return folder / name


def _refuse_pickle(path: Path) -> None:
    """Refuse a file that starts like a pickle or a zip archive, without reading on."""
    if path.name == STATE_FILE or not path.is_file():
        return
    with path.open("rb") as file:
        start = file.read(9)
    if start[8:] == b"{":  # safetensors: eight bytes of length, then JSON
        return
    if start[:2] in (b"PK", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"):
        raise CheckpointError(
            f"{path} is a pickle, which can run code when it is opened; it was not "
            f"read. A checkpoint is a directory with {MODEL_FILE} and {CONFIG_FILE}; "
            "acmnet import makes one of a file of the authors' code"
        )
