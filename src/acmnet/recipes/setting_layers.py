"""The settings of a run, built in layers from a recipe, a profile and single values.

Each layer replaces single values of the layer before it:

1. the defaults of the settings' classes, which are the profile ``corrected``;
2. the values of the recipe, such as ``thumos14.toml``;
3. the values of the profile for every recipe, in ``profiles.toml``;
4. the values of the profile for this recipe, in its ``[profiles.NAME]`` tables;
5. single values that the caller gives.
"""

import dataclasses
import tomllib
import typing
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any, Final, Literal

from acmnet.files.text_files import parse_toml, read_text
from acmnet.limits import LARGEST_NOTE_BYTES
from acmnet.recipes.older_settings import modernised, outdated
from acmnet.recipes.setting_values import (
    RecipeError,
    nearest,
    refuse_unknown,
    typed_value,
    value_of_text,
)
from acmnet.recipes.settings import Settings, setting_names

Profile = Literal["best", "corrected", "official", "paper"]
"""The name of a way to train a recipe."""
PROFILES: Final[tuple[str, ...]] = typing.get_args(Profile)
CORRECTED: Final = "corrected"
"""The profile that changes no value of a recipe."""
Layer = Mapping[str, Any]
"""Some values of settings, by section and name."""


def recipe(
    name: str | Path = "default",
    *,
    profile: str | None = None,
    overrides: Mapping[str, object] | None = None,
) -> Settings:
    """Return the settings of a recipe.

    Parameters
    ----------
    name : str or path
        One of `recipe_names`, or a TOML file of your own.
    profile : {"best", "corrected", "official", "paper"}
        "best": several networks of the paper, and a second network that learns
        boundaries from their detections. "corrected": the authors' code with its
        defects repaired. "official": the authors' code, number for number. "paper": the
        equations and numbers of the paper as printed. When left out, the profile that
        the recipe names, see `default_profile`.
    overrides : mapping, optional
        Single values by dotted name, such as ``{"training.epochs": 50}``. A text is
        read as the type of its setting.

    Returns
    -------
    Settings

    Raises
    ------
    RecipeError
        If the recipe, the profile or a setting does not exist (the message names the
        one most like it), or a value has a wrong type or is outside its range.

    Examples
    --------
    >>> recipe("thumos14", profile="official").localization.nms_padding_s
    1.0
    >>> recipe("thumos14", overrides={"training.epoch": 50})
    Traceback (most recent call last):
    ...
    acmnet.recipes.setting_values.RecipeError: unknown setting 'training.epoch'; did \
you mean 'training.epochs'?
    """
    if profile is None:
        profile = default_profile(name)
    refuse_unknown((profile,), PROFILES, "", "profile")
    source, values = _read(name)
    everywhere = _shipped("profiles.toml")
    of_recipe = values.get("profiles", {})
    refuse_unknown(of_recipe, PROFILES, f"{source}: ", "profile")
    base = {key: value for key, value in values.items() if key not in _NOT_SETTINGS}
    layers = (base, everywhere.get(profile, {}), of_recipe.get(profile, {}))
    settings = Settings()
    for layer in layers:
        settings = _replace(settings, layer, f"{source}: ")
    return override(settings, overrides or {})


def default_profile(name: str | Path) -> str:
    """Return the profile that a recipe is used with unless another one is requested.

    A recipe names it in the field ``profile``. A recipe that names none is used with
    ``corrected``, which leaves every value of the recipe as it is.

    Parameters
    ----------
    name : str or path
        One of `recipe_names`, or a TOML file of your own.

    Raises
    ------
    RecipeError
        If the recipe is unknown, or names a profile that does not exist.

    Examples
    --------
    >>> default_profile("default"), default_profile("thumos14")
    ('best', 'corrected')
    """
    source, values = _read(name)
    profile = values.get("profile", CORRECTED)
    if not isinstance(profile, str):
        raise RecipeError(f"{source}: profile must be a name, got {profile!r}")
    refuse_unknown((profile,), PROFILES, f"{source}: ", "profile")
    return profile


def override(settings: Settings, overrides: Mapping[str, object]) -> Settings:
    """Return settings with single values replaced.

    A training takes exactly the ``training.epochs`` that are given here: few videos do
    not make it longer unless ``training.fewest_steps`` is given as well (D-158).

    Parameters
    ----------
    settings : Settings
        What the other values are taken from.
    overrides : mapping
        Values by dotted name, as for `recipe`.

    Raises
    ------
    RecipeError
        If a setting does not exist, or a value has a wrong type or is outside its
        range.
    """
    for key, value in overrides.items():
        settings = _replace(settings, _nested(key, value), "")
    names = {key.replace("-", "_") for key in overrides}
    if "training.epochs" in names and "training.fewest_steps" not in names:
        settings = settings.of_exactly(settings.training.epochs)
    return settings


_NOT_SETTINGS: Final = ("summary", "profile", "profiles")


def recipe_names() -> tuple[str, ...]:
    """Return the names of the recipes that come with acmnet."""
    files = resources.files(__package__).iterdir()
    names = (Path(file.name) for file in files if file.name.endswith(".toml"))
    return tuple(sorted(file.stem for file in names if file.stem != "profiles"))


def summary(name: str | Path) -> str:
    """Return one line that says what a recipe is for."""
    return str(_read(name)[1].get("summary", ""))


_BEFORE: Final[Layer] = {"localization": {"unit_scores": False}}
"""What runs of the first versions did, which did not store these settings."""


def from_values(values: Layer, source: str) -> Settings:
    """Return the settings that `as_values` wrote, in this or an earlier version.

    A run that an earlier version trained keeps giving the scores that it gave then.

    Parameters
    ----------
    values : mapping
        Plain values by section, such as the ``settings`` of a run's ``config.json``.
    source : str
        Where they were read from, for errors.

    Raises
    ------
    RecipeError
        If a setting is unknown or has a wrong type or range, or if the run used a
        setting that was removed since.
    """
    defaults = _replace(Settings(), _BEFORE, f"{source}: ")
    try:
        modern = modernised(values)
    except ValueError as error:
        raise RecipeError(f"{source}: {error}") from error
    return _replace(defaults, modern, f"{source}: ")


def _read(name: str | Path) -> tuple[str, Layer]:
    """Return the name of a recipe's file, for messages, and its TOML values."""
    path = Path(name)
    if path.suffix == ".toml":
        empty = "write a section such as [training], or name a recipe of acmnet"
        text = read_text(path, "recipe", RecipeError, empty, LARGEST_NOTE_BYTES)
        return str(path), parse_toml(str(path), text, "recipe", RecipeError)
    known = recipe_names()
    if str(name) not in known:
        hint = nearest(str(name), known)
        raise RecipeError(f"unknown recipe {str(name)!r}; {hint}")
    return f"{name}.toml", _shipped(f"{name}.toml")


def _shipped(file: str) -> Layer:
    text = resources.files(__package__).joinpath(file).read_text(encoding="utf-8")
    return tomllib.loads(text)


def _nested(key: str, value: object) -> Layer:
    """Turn ``"training.epochs", 50`` into ``{"training": {"epochs": 50}}``."""
    names = setting_names()
    plain = key.replace("-", "_")
    section, _, field = plain.partition(".")
    if changes := outdated({section: {field: value}}):
        raise RecipeError(changes)
    if plain not in names:
        raise RecipeError(f"unknown setting {key!r}; {nearest(plain, names)}")
    if isinstance(value, str):
        cls = typing.get_type_hints(Settings)[section]
        value = value_of_text(value, typing.get_type_hints(cls)[field], plain)
    return {section: {field: value}}


def _replace(settings: Settings, layer: Layer, where: str) -> Settings:
    """Return settings with one layer's values in place, each checked."""
    sections = typing.get_type_hints(Settings)
    if changes := outdated(layer):
        raise RecipeError(f"{where}{changes}")
    refuse_unknown(layer, tuple(sections), where, "section")
    changed: dict[str, Any] = {}
    for section, values in layer.items():
        if not isinstance(values, Mapping):
            raise RecipeError(f"{where}{section} must be a table, got {values!r}")
        hints = typing.get_type_hints(sections[section])
        known = tuple(f"{section}.{key}" for key in hints)
        refuse_unknown((f"{section}.{key}" for key in values), known, where, "setting")
        checked = {
            key: typed_value(value, hints[key], f"{where}{section}.{key}")
            for key, value in values.items()
        }
        try:
            changed[section] = dataclasses.replace(
                getattr(settings, section), **checked
            )
        except ValueError as error:
            raise RecipeError(f"{where}{section}.{error}") from error
    return dataclasses.replace(settings, **changed)
