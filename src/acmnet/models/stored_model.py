"""Read a trained model from a run, from a checkpoint or from an exported file."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, TypeVar

import torch
from torch import Tensor, nn

from acmnet.checkpoints.checkpoint import load_config, load_weights
from acmnet.checkpoints.checkpoint_config import CheckpointConfig
from acmnet.checkpoints.checkpoint_folder import (
    ADVICE_IF_DAMAGED,
    CONFIG_FILE,
    CheckpointError,
    folder_of,
)
from acmnet.checkpoints.exported_file import is_exported, metadata_text, session_of
from acmnet.limits import finite
from acmnet.messages import counted, one_line, some
from acmnet.models.trained_model import TrainedModel
from acmnet.network.acm_net import ACMNet
from acmnet.network.exported_networks import (
    STUDENT_OUTPUTS,
    TEACHER_OUTPUTS,
    ExportedRunner,
    ExportedStudents,
    ExportedTeachers,
)
from acmnet.network.student import Student
from acmnet.recipes import RecipeError, Settings, from_values

MOST_TRIES: Final = 3
"""How often a checkpoint is read again because a training has just replaced it."""
TEACHERS: Final = "teachers"
"""Folder in a run of the networks that taught its student, each a run of its own."""
SILENT_TEACHERS: Final = "silent_teachers"
"""What a run keeps the places of teachers under whose instance branch guesses."""
TRIAL: Final = "marks_trial"
"""Folder in a run of the networks that try whether teachers should learn marks; it is
removed once the run is trained."""
TRUST: Final = "teachers_trust"
"""Key of the factors on the teachers' part, in the metadata of an exported file."""
TEACHERS_BEST: Final = "teachers_best"
"""Key of the teachers' mean best score, in the metadata of an exported file."""


def load(
    run: str | Path,
    *,
    settings: Callable[[Settings], Settings] = lambda trained: trained,
    device: torch.device | str = "cpu",
) -> TrainedModel:
    """Load a trained model from a run or any checkpoint directory.

    Parameters
    ----------
    run : path
        What `acmnet train` or `acmnet fit` wrote, the folder of any checkpoint, or an
        .onnx file that `acmnet export` wrote, which ONNX Runtime computes on the CPU.
    settings : callable, optional
        Given the settings that the run was trained with, returns those to localise
        with.
    device : torch.device or str
        Where the networks compute.

    Raises
    ------
    CheckpointError
        If there is no usable checkpoint. No code is run from its files, whatever they
        hold.
    """
    directory = Path(run)
    if is_exported(directory):
        return _exported(directory, settings)
    for _ in range(MOST_TRIES):
        before = _identity(directory)
        try:
            return _loaded(directory, settings, device)
        except CheckpointError:
            if _identity(directory) == before:
                raise
    return _loaded(directory, settings, device)


def load_network(run: Path, *, device: torch.device | str = "cpu") -> ACMNet:
    """Load the first of the paper's networks of a run.

    Raises
    ------
    CheckpointError
        If there is no usable checkpoint.
    """
    network = load(run, device=device).networks[0]
    if not isinstance(network, ACMNet):
        raise CheckpointError(
            f"{run} is an exported file, whose networks cannot be trained; give the "
            "run that it was exported from"
        )
    return network


def teaching(config: CheckpointConfig, teachers: int) -> list[int]:
    """Return the places of those of a run's teachers that its student learned from.

    Teachers that never started to learn are left out, unless all of them are.
    """
    silent = config.training.get(SILENT_TEACHERS)
    places = [*range(teachers)]
    if not isinstance(silent, list):
        return places
    return [k for k in places if k not in silent] or places


def _exported(path: Path, settings: Callable[[Settings], Settings]) -> TrainedModel:
    """Return the model in an exported file, which ONNX Runtime computes."""
    config = load_config(path)
    used = settings(_trained_with(path, config))
    runner = ExportedRunner(session_of(path))
    wanted = {*TEACHER_OUTPUTS, *(STUDENT_OUTPUTS if used.has_student else ())}
    if set(runner.names) != wanted:
        raise CheckpointError(
            f"{path} gives {some(runner.names)}, where its settings call for "
            f"{some(sorted(wanted))}; export the run again"
        )
    students: tuple[ExportedStudents, ...] = ()
    if used.has_student:
        students = (ExportedStudents(runner, _teachers_best(path), _trust(path)),)
    return TrainedModel(
        networks=(ExportedTeachers(runner, config.feature_dim),),
        settings=used,
        class_names=config.class_names,
        grid=config.grid,
        config=config,
        students=students,
    )


def _teachers_best(path: Path) -> float:
    """Return the teachers' mean best score from the file's metadata."""
    value = finite(metadata_text(path, TEACHERS_BEST), in_quotes=True)
    if value is None or value <= 0.0:
        raise CheckpointError(
            f"{path}: its metadata must have {TEACHERS_BEST} above 0, got {value}; "
            "export the run again"
        )
    return value


def _trust(path: Path) -> torch.Tensor:
    """Return the factors on the teachers' part, (2,), from the file's metadata."""
    text = metadata_text(path, TRUST) or "[1.0, 1.0]"
    parts = text.strip("[]").split(",")
    values = [finite(part.strip(), in_quotes=True) for part in parts]
    known = [x for x in values if x is not None and 0.0 < x <= 1.0]
    if len(values) != 2 or len(known) != 2:
        raise CheckpointError(
            f"{path}: its metadata must have two numbers in {TRUST}, above 0 and at "
            f"most 1, got {text}; export the run again"
        )
    return torch.tensor(known)


def _identity(directory: Path) -> int | None:
    """Return a value that changes when a training replaces the checkpoint."""
    try:
        return folder_of(directory).stat().st_ino
    except OSError:
        return None


def _loaded(
    directory: Path,
    settings: Callable[[Settings], Settings],
    device: torch.device | str,
) -> TrainedModel:
    """Load a model once; see `load`."""
    config = load_config(directory)
    used = settings(_trained_with(directory, config))
    networks, student = _networks(directory, config, used)
    return TrainedModel(
        networks=tuple(network.to(device) for network in networks),
        settings=used,
        class_names=config.class_names,
        grid=config.grid,
        config=config,
        students=() if student is None else (student.to(device),),
    )


def _trained_with(directory: Path, config: CheckpointConfig) -> Settings:
    """Return the settings that a checkpoint was trained with."""
    try:
        return from_values(config.settings, str(folder_of(directory) / CONFIG_FILE))
    except RecipeError as error:
        raise CheckpointError(f"{error}; {ADVICE_IF_DAMAGED}") from error


def _networks(
    directory: Path, config: CheckpointConfig, used: Settings
) -> tuple[list[ACMNet], Student | None]:
    """Return the networks in a run's folder, and its student where there is one."""
    weights = load_weights(directory)
    dimension, n_classes = config.feature_dim, len(config.class_names)
    if not used.has_student:
        network = _filled(
            lambda: ACMNet(dimension, n_classes, used.model), weights, directory, config
        )
        return [network], None

    def empty_student() -> Student:
        student = Student(dimension, n_classes, used.student)
        if "trust" in weights:  # it learned from marks
            student.trust = torch.ones(2)
        return student

    student = _filled(empty_student, weights, directory, config)
    teachers = [
        _teacher(directory / TEACHERS / str(k), config)
        for k in teaching(config, used.teachers.count)
    ]
    return teachers, student


def _teacher(directory: Path, student: CheckpointConfig) -> ACMNet:
    """Load one of the networks that taught a student."""
    config = load_config(directory)
    values = (config.class_names, config.feature_dim, config.grid)
    if values != (student.class_names, student.feature_dim, student.grid):
        raise CheckpointError(
            f"{directory} has other classes or other features than the run that it is "
            f"a teacher of; {ADVICE_IF_DAMAGED}"
        )
    if _trained_with(directory, config).has_student:
        raise CheckpointError(
            f"{directory} has teachers itself, and is no teacher of a run; "
            f"{ADVICE_IF_DAMAGED}"
        )
    return load_network(directory)


Network = TypeVar("Network", bound=nn.Module)


def _filled(
    build: Callable[[], Network],
    weights: Mapping[str, Tensor],
    directory: Path,
    config: CheckpointConfig,
) -> Network:
    """Return a network with a checkpoint's weights, if they fit its settings.

    Their shapes are compared on a network without memory: a damaged ``config.json``
    can ask for any size.
    """
    try:
        with torch.device("meta"):
            network = build()
    except (ValueError, RuntimeError, MemoryError, OverflowError) as error:
        raise CheckpointError(
            f"{directory}: its settings make no network ({one_line(error)}); "
            f"{ADVICE_IF_DAMAGED}"
        ) from error
    expected, actual = (
        {name: (value.shape, value.dtype) for name, value in named.items()}
        for named in (network.state_dict(), weights)
    )
    if expected != actual:
        raise CheckpointError(
            f"{directory}: the weights do not have the shapes and the precision that "
            f"{CONFIG_FILE} calls for ({counted(len(config.class_names), 'class')}, "
            "dimension "
            f"{config.feature_dim}); {ADVICE_IF_DAMAGED}"
        )
    # memory as torch aligns it: results depend on that in their last bits.
    # Module.to_empty would import sympy, which takes as long as reading twenty networks
    aligned = {name: value.clone() for name, value in weights.items()}
    network.load_state_dict(aligned, assign=True)
    return network
