"""A trained run as a directory in the layout of Hugging Face, to be handed to others.

The directory is a run as well: ``config.json`` and ``model.safetensors`` are those of
its checkpoint, and teachers lie in ``teachers/``. ``README.md`` is a model card.
Nothing is downloaded, and nothing in the directory names a video or a path.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from acmnet.checkpoints.checkpoint import load_config, load_weights, model_files
from acmnet.checkpoints.checkpoint_folder import CheckpointError
from acmnet.checkpoints.exported_file import is_exported
from acmnet.files.file_access import (
    FileError,
    make_folder,
    part_name,
    unwritten,
    write_text,
)
from acmnet.files.whole_folders import refuse_filled, write_folder
from acmnet.model_exchange.model_card import model_card
from acmnet.model_exchange.published_notes import published, published_notes
from acmnet.models.stored_model import TEACHERS, load
from acmnet.models.trained_model import TrainedModel

CARD_FILE: Final = "README.md"


def save_pretrained(
    run: str | Path,
    directory: str | Path,
    *,
    licence: str | None = None,
    figures: Mapping[str, object] | None = None,
) -> Path:
    """Write a trained run as a directory that others can load and publish.

    Parameters
    ----------
    run : path
        What `acmnet train` or `acmnet fit` wrote.
    directory : path
        The directory to write; it must not exist yet, or be empty.
    licence : str, optional
        The licence that you give the weights, such as "cc-by-4.0"; without it, the
        model card says that none was stated.
    figures : mapping, optional
        Measured figures for the model card: the JSON that `acmnet evaluate --json`
        writes.

    Returns
    -------
    Path
        The directory.

    Raises
    ------
    CheckpointError
        If the run has no usable checkpoint, or is an exported file.
    FileError
        If the directory holds something already, or cannot be written.
    """
    run, directory = Path(run), Path(directory)
    if is_exported(run):
        raise CheckpointError(
            f"{run} is an exported file; give the run that it was exported from"
        )
    model = load(run)  # refuses a damaged run before anything is written
    card = model_card(run, model, licence, figures)
    refuse_filled(directory, FileError)
    make_folder(directory.parent)
    part = part_name(directory)
    try:
        _write_model(run, part)
        for k in range(model.settings.teachers.count):
            _write_model(run / TEACHERS / str(k), part / TEACHERS / str(k))
        for name, text in {**published_notes(run), CARD_FILE: card}.items():
            write_text(part / name, text)
        if directory.exists():
            directory.rmdir()
        part.rename(directory)
    except FileError:
        raise
    except OSError as fault:
        raise unwritten(directory, fault) from fault
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return directory


def from_pretrained(directory: str | Path) -> TrainedModel:
    """Load a model from a directory that `save_pretrained` wrote.

    It does what `acmnet.load` does, and refuses names of models on the internet:
    nothing is downloaded.

    Raises
    ------
    CheckpointError
        If there is no such directory, or it holds no usable model. No code is run from
        its files, whatever they hold.
    """
    if not Path(directory).is_dir():
        raise CheckpointError(
            f"there is no directory {str(directory)!r}: models are loaded from local "
            "directories, and nothing is downloaded; fetch it first, for example with "
            "hf download, and give the directory"
        )
    return load(directory)


def _write_model(run: Path, folder: Path) -> None:
    """Write the weights of one checkpoint, and its config without names and paths."""
    config = published(load_config(run))
    write_folder(folder, model_files(load_weights(run), config))
