"""Recipes: every room's settings gathered, from strict TOML files and overrides.

A recipe is built in layers, each replacing single values of the one before: the
rooms' own defaults (the profile ``corrected``), what a dataset needs
(``thumos14.toml`` ...), what a profile changes everywhere (``profiles.toml``), what it
changes for that dataset (its ``[profiles.NAME]`` tables), and the caller's overrides.
"""

import ast
import dataclasses
import difflib
import inspect
import reprlib
import textwrap
import tomllib
import typing
from collections.abc import Iterable, Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any, Final

from acmnet.data.datasets import SamplingSettings
from acmnet.limits import LARGEST_NOTE_BYTES, finite
from acmnet.localization.localization_settings import LocalizationSettings
from acmnet.network.acm_net import ModelSettings
from acmnet.network.student import StudentSettings
from acmnet.recipes.older_settings import modernised, outdated
from acmnet.text_files import parse_toml, read_text
from acmnet.training.losses import LossSettings
from acmnet.training.second_stage_settings import (
    PseudoLabelSettings,
    StudentTrainingSettings,
    TeacherSettings,
)
from acmnet.training.training_settings import TrainingSettings

PROFILES: Final = ("best", "corrected", "official", "paper")
CORRECTED: Final = "corrected"
"""The profile that leaves a recipe's own values as they are."""


class RecipeError(ValueError):
    """A recipe or an override that cannot be used, with the key at fault."""


@dataclasses.dataclass(frozen=True)
class Settings:
    """Everything that a run can be set to, section by section.

    The first five sections are those of the paper's network. The other four are those
    of the second stage, which is there when ``teachers.count`` is at least 1.
    """

    model: ModelSettings = ModelSettings()
    loss: LossSettings = LossSettings()
    sampling: SamplingSettings = SamplingSettings()
    training: TrainingSettings = TrainingSettings()
    localization: LocalizationSettings = LocalizationSettings()
    teachers: TeacherSettings = TeacherSettings()
    pseudo_labels: PseudoLabelSettings = PseudoLabelSettings()
    student: StudentSettings = StudentSettings()
    student_training: StudentTrainingSettings = StudentTrainingSettings()

    @property
    def has_student(self) -> bool:
        """Whether a student is trained on what other networks detect."""
        return self.teachers.count > 0

    @property
    def epochs(self) -> int:
        """Epochs of all trainings that make one model."""
        if not self.has_student:
            return self.training.epochs
        return self.teachers.count * self.training.epochs + self.student_training.epochs

    def without_student(self) -> "Settings":
        """Return the settings for one network of the paper and no second stage."""
        return Settings(
            model=self.model,
            loss=self.loss,
            sampling=self.sampling,
            training=self.training,
            localization=self.localization,
        )


SECOND_STAGE: Final = ("teachers", "pseudo_labels", "student", "student_training")
"""The sections of the second stage."""

Layer = Mapping[str, Any]


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
        The paper's network with a second stage behind it, our repaired defaults, the
        authors' code with its quirks, or the paper's equations and numbers as printed.
        When left out, the recipe's own, see `default_profile`.
    overrides : mapping, optional
        Values by dotted name, such as ``{"training.epochs": 50}``; text is read as
        the setting's type.

    Returns
    -------
    Settings

    Raises
    ------
    RecipeError
        If the recipe, the profile or a key is unknown (the nearest known one is
        named), or a value has the wrong type or range.

    Examples
    --------
    >>> recipe("thumos14", profile="official").localization.nms_padding_s
    1.0
    >>> recipe("thumos14", overrides={"training.epoch": 50})
    Traceback (most recent call last):
    ...
    acmnet.recipes.RecipeError: unknown setting 'training.epoch'; did you mean \
'training.epochs'?
    """
    if profile is None:
        profile = default_profile(name)
    _refuse_unknown((profile,), PROFILES, "", "profile")
    source, values = _read(name)
    everywhere = _shipped("profiles.toml")
    own = values.get("profiles", {})
    _refuse_unknown(own, PROFILES, f"{source}: ", "profile")
    base = {key: value for key, value in values.items() if key not in _NOT_SETTINGS}
    layers = (base, everywhere.get(profile, {}), own.get(profile, {}))
    settings = Settings()
    for layer in layers:
        settings = _replace(settings, layer, f"{source}: ")
    return override(settings, overrides or {})


def default_profile(name: str | Path) -> str:
    """Return the profile that a recipe is used with unless another one is asked for.

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
    _refuse_unknown((profile,), PROFILES, f"{source}: ", "profile")
    return profile


def override(settings: Settings, overrides: Mapping[str, object]) -> Settings:
    """Return settings with single values replaced by dotted name; see `recipe`."""
    for key, value in overrides.items():
        settings = _replace(settings, _nested(key, value), "")
    return settings


_NOT_SETTINGS: Final = ("summary", "profile", "profiles")


def recipe_names() -> tuple[str, ...]:
    """Return the names of the recipes that are shipped."""
    files = resources.files(__package__).iterdir()
    names = (Path(file.name) for file in files if file.name.endswith(".toml"))
    return tuple(sorted(file.stem for file in names if file.stem != "profiles"))


def summary(name: str | Path) -> str:
    """Return one line on what a recipe is for."""
    return str(_read(name)[1].get("summary", ""))


def as_values(settings: Settings) -> dict[str, dict[str, Any]]:
    """Return settings as plain values by room, for JSON."""
    return dataclasses.asdict(settings)


_BEFORE: Final[Layer] = {"localization": {"unit_scores": False}}
"""How runs worked before they wrote these settings down."""


def from_values(values: Layer, source: str) -> Settings:
    """Return the settings that `as_values` wrote, also in an earlier acmnet.

    A run of an earlier version keeps the scores that it gave then.

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
    before = _replace(Settings(), _BEFORE, f"{source}: ")
    try:
        now = modernised(values)
    except ValueError as error:
        raise RecipeError(f"{source}: {error}") from error
    return _replace(before, now, f"{source}: ")


def as_toml(settings: Settings, base: Settings | None = None) -> str:
    """Return settings as a TOML file with a line on each value.

    Values that differ from ``base`` are marked with the base's value.
    """
    lines: list[str] = []
    for room in dataclasses.fields(Settings):
        own = getattr(settings, room.name)
        lines += [f"[{room.name}]"]
        documented = _field_docs(type(own))
        for field in dataclasses.fields(own):
            value = getattr(own, field.name)
            lines += textwrap.wrap(
                documented.get(field.name, ""),
                width=88,
                initial_indent="# ",
                subsequent_indent="# ",
            )
            mark = ""
            if base is not None:
                plain = getattr(getattr(base, room.name), field.name)
                mark = f"  # corrected: {_toml(plain)}" if plain != value else ""
            lines.append(f"{field.name} = {_toml(value)}{mark}")
        lines.append("")
    return "\n".join(lines)


def setting_names() -> tuple[str, ...]:
    """Return the dotted name of every setting."""
    rooms = typing.get_type_hints(Settings)
    return tuple(
        f"{room}.{field.name}"
        for room, cls in rooms.items()
        for field in dataclasses.fields(cls)
    )


def _read(name: str | Path) -> tuple[str, Layer]:
    """Return where a recipe came from and its TOML values."""
    path = Path(name)
    if path.suffix == ".toml":
        empty = "write a section such as [training], or name a recipe that is shipped"
        text = read_text(path, "recipe", RecipeError, empty, LARGEST_NOTE_BYTES)
        return str(path), parse_toml(str(path), text, "recipe", RecipeError)
    known = recipe_names()
    if str(name) not in known:
        hint = _nearest(str(name), known)
        raise RecipeError(f"unknown recipe {str(name)!r}; {hint}")
    return f"{name}.toml", _shipped(f"{name}.toml")


def _shipped(file: str) -> Layer:
    text = resources.files(__package__).joinpath(file).read_text(encoding="utf-8")
    return tomllib.loads(text)


def _nested(key: str, value: object) -> Layer:
    """Turn ``"training.epochs", 50`` into ``{"training": {"epochs": 50}}``."""
    names = setting_names()
    plain = key.replace("-", "_")
    room, _, field = plain.partition(".")
    if changes := outdated({room: {field: value}}):
        raise RecipeError(changes)
    if plain not in names:
        raise RecipeError(f"unknown setting {key!r}; {_nearest(plain, names)}")
    if isinstance(value, str):
        cls = typing.get_type_hints(Settings)[room]
        value = _from_text(value, typing.get_type_hints(cls)[field], plain)
    return {room: {field: value}}


def _replace(settings: Settings, layer: Layer, where: str) -> Settings:
    """Return settings with one layer's values in place, each checked."""
    rooms = typing.get_type_hints(Settings)
    if changes := outdated(layer):
        raise RecipeError(f"{where}{changes}")
    _refuse_unknown(layer, tuple(rooms), where, "section")
    changed: dict[str, Any] = {}
    for room, values in layer.items():
        if not isinstance(values, Mapping):
            raise RecipeError(f"{where}{room} must be a table, got {values!r}")
        hints = typing.get_type_hints(rooms[room])
        known = tuple(f"{room}.{key}" for key in hints)
        _refuse_unknown((f"{room}.{key}" for key in values), known, where, "setting")
        checked = {
            key: _typed(value, hints[key], f"{where}{room}.{key}")
            for key, value in values.items()
        }
        try:
            changed[room] = dataclasses.replace(getattr(settings, room), **checked)
        except ValueError as error:
            raise RecipeError(f"{where}{room}.{error}") from error
    return dataclasses.replace(settings, **changed)


def _refuse_unknown(
    given: Iterable[str], known: tuple[str, ...], where: str, what: str
) -> None:
    for key in given:
        if key not in known:
            raise RecipeError(f"{where}unknown {what} {key!r}; {_nearest(key, known)}")


def _nearest(name: str, known: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"


def _typed(value: object, wanted: object, where: str) -> object:
    """Check a value against its field's type; a whole number may be a float."""
    if typing.get_origin(wanted) is typing.Literal:
        choices = typing.get_args(wanted)
        if value not in choices:
            raise RecipeError(
                f"{where} must be one of {', '.join(map(repr, choices))}, got {value!r}"
            )
        return value
    if typing.get_origin(wanted) is tuple:
        if not isinstance(value, list | tuple):
            raise RecipeError(f"{where} must be a list of numbers, got {value!r}")
        return tuple(_typed(item, typing.get_args(wanted)[0], where) for item in value)
    if wanted is float and type(value) is int:
        return float(value)
    if type(value) is not wanted:
        name = getattr(wanted, "__name__", str(wanted))
        raise RecipeError(
            f"{where} must be {name}, got {type(value).__name__} {value!r}"
        )
    return value


def _from_text(text: str, wanted: object, where: str) -> object:
    """Read a command line's text as the field's type."""
    origin = typing.get_origin(wanted)
    if origin is tuple:
        return tuple(_number(item, float, where) for item in text.split(",") if item)
    if origin is typing.Literal or wanted is str:
        return text
    if wanted is bool:
        if text.lower() not in ("true", "false"):
            raise RecipeError(f"{where} must be true or false, got {text!r}")
        return text.lower() == "true"
    return _number(text, wanted, where)


def _number(text: str, wanted: object, where: str) -> float | int:
    number = finite(text, in_quotes=True)
    if wanted is int:
        is_whole = number is not None and text.strip().lstrip("+-").isdigit()
        number = int(text) if is_whole else None
    if number is None:
        kind = "a whole number" if wanted is int else "a number"
        raise RecipeError(f"{where} must be {kind}, got {reprlib.repr(text)}")
    return number


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, tuple):
        return f"[{', '.join(map(_toml, value))}]"
    return repr(value)


def _field_docs(cls: type) -> dict[str, str]:
    """Return the docstring under each field of a settings class."""
    body = ast.parse(textwrap.dedent(inspect.getsource(cls))).body[0]
    return dict(_documented(body.body)) if isinstance(body, ast.ClassDef) else {}


def _documented(body: list[ast.stmt]) -> Iterator[tuple[str, str]]:
    pending: list[str] = []
    for statement in body:
        if isinstance(statement, ast.AnnAssign) and isinstance(
            statement.target, ast.Name
        ):
            pending.append(statement.target.id)
        elif isinstance(statement, ast.Expr) and pending:
            if isinstance(statement.value, ast.Constant):
                yield pending[-1], " ".join(str(statement.value.value).split())
            pending = []
