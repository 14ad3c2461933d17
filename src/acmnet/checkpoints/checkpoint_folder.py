"""Where the files of a checkpoint lie, and whether they are whole.

The newest checkpoint of a run is its folder ``checkpoint``. Runs of an older acmnet
have its files in the run itself.
"""

from pathlib import Path
from typing import Final

from acmnet.files.whole_folders import (
    DamagedError,
    digests,
    read_file,
    remove_folder,
    whole_folder,
)
from acmnet.messages import counted

FOLDER: Final = "checkpoint"
"""Folder of a run with its newest checkpoint, or the one that a subset chose."""
MODEL_FILE: Final = "model.safetensors"
CONFIG_FILE: Final = "config.json"
STATE_FILE: Final = "training_state.pt"
TRAINED_ON_FILE: Final = "trained_on.json"
TAUGHT_TIMES_FILE: Final = "taught_times.json"
LABELS_FILE: Final = "labels.json"
ADVICE_IF_DAMAGED: Final = "take another checkpoint, or train again with --overwrite"
"""End of every message on a damaged checkpoint."""


class CheckpointError(ValueError):
    """A checkpoint that cannot be read or written; the message names the file."""


def folder_of(directory: Path) -> Path:
    """Return where a checkpoint's files lie: those of a run, or of a checkpoint.

    Parameters
    ----------
    directory : Path
        A run, or the folder of any checkpoint.
    """
    return whole_folder(directory / FOLDER) or whole_folder(directory) or directory


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
    content_of(path)
    return path


def content_of(path: Path) -> bytes:
    """Return the content of a file that has the SHA-256 which the checkpoint keeps."""
    _refuse_pickle(path)
    try:
        return read_file(path)
    except DamagedError as error:
        raise CheckpointError(f"{error}; {ADVICE_IF_DAMAGED}") from error
    except OSError as error:
        raise CheckpointError(
            f"{path} could not be read: {error.strerror}; check its permissions"
        ) from error


def existing_file(directory: Path, name: str) -> Path:
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
        is_run = any((folder / x).exists() for x in (CONFIG_FILE, MODEL_FILE))
        runs = [] if is_run else _runs_in(directory)
        if runs:
            raise CheckpointError(
                f"{directory} is no run, but holds {counted(len(runs), 'run')}; name "
                f"one of them, such as {runs[0]}"
            )
        if not directory.exists():
            raise CheckpointError(
                f"there is no run at {directory}; check the path, or give a directory "
                "that acmnet train or acmnet fit wrote"
            )
        raise CheckpointError(
            f"{directory} is no run: it holds no {name}; give a directory that acmnet "
            "train or acmnet fit wrote"
        )
    return folder / name


def _runs_in(directory: Path) -> list[Path]:
    """Return the runs that a folder holds, such as one for each seed or fold."""
    for depth in ("*", "*/*"):
        inside = sorted(path for path in directory.glob(depth) if path.is_dir())
        runs = [path for path in inside if (folder_of(path) / CONFIG_FILE).is_file()]
        if runs:
            return runs
    return []


def _refuse_pickle(path: Path) -> None:
    """Refuse a file that starts like a pickle or a zip archive, without reading on."""
    if path.name == STATE_FILE or not path.is_file():
        return
    with path.open("rb") as file:
        start = file.read(9)
    if start[8:] == b"{":  # safetensors: eight bytes of length, then JSON
        return
    if path.suffix.lower() == ".pt2":
        raise CheckpointError(
            f"{path} is a program for torch.export.load, which acmnet does not read; "
            "give the run that it was exported from, or an .onnx file that acmnet "
            "export --onnx wrote"
        )
    if start[:2] in (b"PK", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"):
        raise CheckpointError(
            f"{path} is a pickle, which can run code when it is opened; it was not "
            f"read. A checkpoint is a directory with {MODEL_FILE} and {CONFIG_FILE}; "
            "acmnet import makes one of a file of the authors' code"
        )
