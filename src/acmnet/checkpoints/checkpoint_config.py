"""The ``config.json`` of a checkpoint, which describes the weights beside it."""

import dataclasses
import reprlib
from collections.abc import Mapping
from typing import Any, Final

from acmnet.limits import LARGEST_DIMENSION, MOST_CLASSES
from acmnet.segments import SnippetGrid

FORMAT_VERSION: Final = 2
"""Version of the way in which checkpoints are written; 1 had no folder of its own."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class CheckpointConfig:
    """The content of ``config.json``, which describes the weights beside it."""

    recipe: str
    """Name of the recipe, or of its file."""
    profile: str
    """Name of the recipe's profile."""
    seed: int
    """Seed of the training."""
    settings: Mapping[str, Any]
    """Every setting by section of the recipe, as plain values."""
    class_names: tuple[str, ...]
    """Names of the classes, in the order of the network's outputs."""
    feature_dim: int
    """D, the numbers that describe a snippet."""
    grid: SnippetGrid
    """Where the snippets lie in time."""
    epoch: int
    """Epochs that the weights were trained for."""
    selection: str
    """How this epoch was chosen: ``"last"``, or the subset whose truth chose it."""
    metrics: Mapping[str, Any]
    """Mean losses of the last epoch, and scores where the run was evaluated."""
    versions: Mapping[str, str]
    """Versions of acmnet, Python, torch and numpy."""
    training: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """Where the data came from and how long training took."""
    format: int = FORMAT_VERSION
    """Version of the way in which checkpoints are written."""
    trained_on: Mapping[str, tuple[str, ...]] | None = None
    """Each training video's class names, from ``trained_on.json``; None where the
    checkpoint was written by an older acmnet, which did not keep them."""
    taught_times: Mapping[str, Mapping[str, Any]] = dataclasses.field(
        default_factory=dict
    )
    """The times that the training was given, by video and then by kind of mark, from
    ``taught_times.json``; empty if it was given names alone."""

    @property
    def feature_manifest(self) -> Mapping[str, Any]:
        """The manifest of the training features, as plain values; empty if unknown."""
        manifest = self.training.get("manifest")
        return manifest if isinstance(manifest, dict) else {}


def config_values(config: CheckpointConfig) -> dict[str, Any]:
    """Return what a ``config.json`` holds: all but what lies in files of its own."""
    values = dataclasses.asdict(config)
    del values["trained_on"], values["taught_times"]
    return values


def config_from(values: dict[str, Any]) -> CheckpointConfig:
    """Return the content of a ``config.json``, after checking types and ranges.

    Raises
    ------
    KeyError, TypeError, ValueError
        With the value at fault.
    """
    for kind, names in (
        (str, ("recipe", "profile", "selection")),
        (int, ("seed", "epoch", "feature_dim", "format")),
        (dict, ("settings", "metrics", "versions", "grid")),
        (list, ("class_names",)),
    ):
        for name in names:
            if type(values[name]) is not kind:
                raise TypeError(
                    f"{name} must be {_KINDS[kind]}, got {reprlib.repr(values[name])}"
                )
    if type(values.get("training", {})) is not dict:
        raise TypeError(f"training must be an object, got {values['training']!r}")
    if not 1 <= values["feature_dim"] <= LARGEST_DIMENSION:
        raise ValueError(
            f"feature_dim must be from 1 to {LARGEST_DIMENSION}, got "
            f"{values['feature_dim']}"
        )
    names = values["class_names"]
    if not 1 <= len(names) <= MOST_CLASSES or not are_names(names):
        raise TypeError(
            f"class_names must be a list of names, got {reprlib.repr(names)}"
        )
    if len(set(names)) < len(names):
        twice = next(name for i, name in enumerate(names) if name in names[:i])
        raise ValueError(f"class_names has {twice!r} twice")
    grid = values["grid"]
    if type(grid.get("fps")) not in (int, float):
        raise TypeError(f"fps of the grid must be a number, got {grid.get('fps')!r}")
    kept = {"class_names": tuple(names), "grid": SnippetGrid(**grid)}
    return CheckpointConfig(**(values | kept))


_KINDS: Final = {str: "text", int: "a whole number", dict: "an object", list: "a list"}


def are_names(values: object) -> bool:
    """Whether this is a list of texts that are not blank."""
    return isinstance(values, list) and all(
        isinstance(name, str) and name.strip() for name in values
    )
