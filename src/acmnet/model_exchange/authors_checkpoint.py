"""Checkpoints of the authors' code (.pth) as runs of acmnet.

Their files hold ``{"epoch": ..., "model_state_dict": ...}`` as `torch.save` writes it,
which is a pickle. It is read by torch's loader for tensors alone, which runs no code.

References
----------
https://github.com/ispc-lab/ACM-Net at 4d38dc6: the names of the weights are those of
`model/ACMNet.py`, the order of the classes is that of `config/model_config.py`.
"""

import hashlib
import io
import pickle
import re
import warnings
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from acmnet import recipes
from acmnet.checkpoints.checkpoint import UNREADABLE, model_files, save_checkpoint
from acmnet.checkpoints.checkpoint_config import CheckpointConfig
from acmnet.checkpoints.checkpoint_folder import FOLDER, CheckpointError
from acmnet.files.text_files import read_content
from acmnet.files.whole_folders import refuse_filled
from acmnet.limits import LARGEST_CHECKPOINT_BYTES
from acmnet.messages import counted, one_line, some
from acmnet.network.acm_net import ACMNet
from acmnet.recipes import as_values
from acmnet.runs.run_request import LAST
from acmnet.segments import SnippetGrid

GRID: Final = SnippetGrid(fps=25.0, snippet_frames=16, stride_frames=16)
"""Where the snippets of the authors' features lie in time, for both data sets."""
OUR_LAYER_NAMES: Final = {
    "feature_embedding": "embedding",
    "att_branch": "attention",
    "snippet_cls": "classifier",
}
"""Our names of the layers, by the authors'."""
_NAME: Final = re.compile(
    rf"(?:module\.)?({'|'.join(OUR_LAYER_NAMES)})(?:\.\d+)?\.(weight|bias)"
)
RECIPES: Final = {"THUMOS": "thumos14", "ActivityNet": "activitynet13"}
"""The recipe of each data set, by its name in the authors' code and in their files."""
CHOSEN_ON_TEST: Final = "best"
"""Part of the names of files whose epoch the authors' code chose on the test set."""


def import_authors_checkpoint(
    file: str | Path,
    out: str | Path,
    class_names: Sequence[str],
    *,
    recipe: str | None = None,
    profile: recipes.Profile = "official",
    grid: SnippetGrid = GRID,
) -> Path:
    """Write a run that localises with the weights of the authors' code.

    Parameters
    ----------
    file : path
        Their ``.pth`` file, or the folder in which it is the only one. No code is run
        from it, whatever it holds.
    out : path
        Directory of the run; it must not exist yet, or be empty.
    class_names : sequence of str
        The names of all classes. Their order does not matter: the authors' code numbers
        the classes by name, capitals before small letters.
    recipe : str, optional
        "thumos14" or "activitynet13", which have the authors' settings, or another one.
        When left out, the name of the file tells which.
    profile : str
        "official" localises as the authors' code does.
    grid : SnippetGrid
        Where the snippets of the features lie in time.

    Returns
    -------
    Path
        The directory of the run.

    Raises
    ------
    CheckpointError
        If the file is not such a checkpoint, or the number of classes is another one.
    RecipeError
        If there is no such recipe.
    """
    file, out = _file(Path(file)), Path(out)
    recipe = recipe or _recipe(file)
    refuse_filled(out, CheckpointError)
    settings = recipes.recipe(recipe, profile=profile).without_student()
    data = read_content(file, "checkpoint", CheckpointError, LARGEST_CHECKPOINT_BYTES)
    content = _loaded(file, data)
    weights = _weights(file, content)
    dimension = weights["embedding.weight"].shape[1]
    names = _classes(file, class_names, len(weights["classifier.weight"]) - 1)
    network = ACMNet(dimension, len(names), settings.model)
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise CheckpointError(
            f"{file}: its weights do not fit recipe {recipe}, profile {profile} "
            f"({' '.join(str(error).split())[:300]}); give another recipe"
        ) from None
    epoch = content.get("epoch")
    config = CheckpointConfig(
        recipe=recipe,
        profile=profile,
        seed=0,
        settings=as_values(settings),
        class_names=names,
        feature_dim=dimension,
        grid=grid,
        epoch=epoch + 1 if isinstance(epoch, int) and epoch >= 0 else 0,
        selection="test" if CHOSEN_ON_TEST in file.stem.casefold() else LAST,
        metrics={},
        versions={"acmnet": metadata.version("acmnet"), "torch": torch.__version__},
        training={
            "imported_from": file.name,
            "imported_sha256": hashlib.sha256(data).hexdigest(),
        },
    )
    save_checkpoint(out / FOLDER, model_files(network.state_dict(), config))
    return out


def _file(path: Path) -> Path:
    """Return the checkpoint that a path is, or that is alone in a folder."""
    if not path.is_dir():
        return path
    files = sorted(path.glob("*.pth"))
    if len(files) != 1:
        names = some([x.name for x in files]) or "none"
        raise CheckpointError(
            f"{path} must hold one .pth file, got {names}; give the file itself"
        )
    return files[0]


def _recipe(file: Path) -> str:
    """Return the recipe for the data set that the name of a file begins with."""
    for start, recipe in RECIPES.items():
        if file.name.casefold().startswith(start.casefold()):
            return recipe
    raise CheckpointError(
        f"the name of {file} does not begin with {' or '.join(RECIPES)}, as the "
        "authors' code names its files; say what it was trained on, such as --recipe "
        "thumos14"
    )


def _loaded(file: Path, content: bytes) -> dict[str, Any]:
    """Return what a file of `torch.save` holds, if that is tensors and plain values."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about old ways of writing pickles
            values = torch.load(
                io.BytesIO(content), map_location="cpu", weights_only=True
            )
    except pickle.UnpicklingError:
        raise CheckpointError(
            f"{file} holds more than tensors and plain values, or is no file of "
            "torch.save; it was not read, because that could run code. Give the .pth "
            "file that the authors' training wrote"
        ) from None
    except UNREADABLE as error:
        raise CheckpointError(
            f"{file} is truncated or no file of torch.save ({one_line(error)[:200]}); "
            "download it again"
        ) from None
    if not isinstance(values, dict):
        raise CheckpointError(
            f"{file} must hold model_state_dict, got a {type(values).__name__}; give a "
            "checkpoint of the authors' code"
        )
    return values


def _weights(file: Path, content: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return the weights under our names."""
    state = content.get("model_state_dict", content)
    state = state if isinstance(state, Mapping) else {}
    weights: dict[str, Tensor] = {}
    strange = []
    for name, value in state.items():
        known = _NAME.fullmatch(str(name))
        if known is None or not isinstance(value, Tensor):
            strange.append(str(name))
            continue
        weights[f"{OUR_LAYER_NAMES[known[1]]}.{known[2]}"] = (
            value.detach().float().contiguous()
        )
    wanted = {
        f"{layer}.{part}" for layer in OUR_LAYER_NAMES.values() for part in _PARTS
    }
    if strange or set(weights) != wanted or weights["embedding.weight"].ndim != 3:
        raise CheckpointError(
            f"{file} is no checkpoint of the authors' code: it must hold weights and "
            f"biases of {', '.join(OUR_LAYER_NAMES)}, got "
            f"{some(list(map(str, state))) or 'none'}; give one that main_thu.py or "
            "main_act.py wrote"
        )
    return weights


_PARTS: Final = ("weight", "bias")


def _classes(file: Path, given: Sequence[str], n_classes: int) -> tuple[str, ...]:
    """Return the names of the classes in the order of the authors' code."""
    names = tuple(sorted(set(given)))
    if len(names) != n_classes:
        raise CheckpointError(
            f"{file} was trained on {counted(n_classes, 'class')}, and "
            f"{len(names)} are named ({some(names)}); give the label file of its data "
            "set, with the classes that it was trained on"
        )
    return names
