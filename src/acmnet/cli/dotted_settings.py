"""Settings of a recipe that are given on the command line by their dotted names."""

import dataclasses
from collections.abc import Iterator
from typing import Annotated, Final

from cyclopts import App, Parameter
from cyclopts.exceptions import UnknownOptionError

from acmnet import recipes
from acmnet.cli.app import UsageError
from acmnet.recipes import RecipeError, Settings, setting_names

Values = Annotated[dict[str, str] | None, Parameter(show=False, negative=())]

MAY_CHANGE: Final = ("localization.", "student.teachers_weight")
"""Settings that still mean something once a network is trained."""


@dataclasses.dataclass(frozen=True)
class RecipeSettings:
    """Any setting of a recipe by its dotted name, such as ``--training.epochs 50``."""

    model: Values = None
    loss: Values = None
    sampling: Values = None
    training: Values = None
    localization: Values = None
    student: Values = None

    def by_name(self) -> dict[str, object]:
        """Return the texts that were given, by dotted name.

        Raises
        ------
        UsageError
            If there is no such setting (the nearest is named), or a text cannot be its
            value.
        """
        given: dict[str, object] = {
            f"{field.name}.{key.replace('-', '_')}": text
            for field in dataclasses.fields(self)
            for key, text in (getattr(self, field.name) or {}).items()
        }
        for name, text in given.items():
            try:
                recipes.override(Settings(), {name: text})
            except RecipeError as error:
                raise UsageError(str(error)) from error
        return given

    def applied(self, trained: Settings) -> Settings:
        """Return a trained run's settings with those that were given.

        Raises
        ------
        UsageError
            If one of them only matters while a network is trained.
        """
        given = self.by_name()
        for name in given:
            if not name.startswith(MAY_CHANGE):
                raise UsageError(
                    f"--{name} only matters while a network is trained, and this run "
                    "is trained already: settings of localization and "
                    "student.teachers_weight can still be given"
                )
        return recipes.override(trained, given)


GivenSettings = Annotated[RecipeSettings, Parameter(name="*")]


def why_unknown(app: App, error: UnknownOptionError) -> str:
    """Return what is wrong with an option that a verb does not know.

    Where the option is the dotted name of a setting, the sentence names the verb and
    the verbs that take settings; where it nearly is one, the nearest setting.
    """
    option = error.token.keyword or error.token.value
    name = option.partition("=")[0].removeprefix("--").replace("-", "_")
    if "." not in name:
        return str(error)
    try:
        recipes.override(Settings(), {name: ""})
    except RecipeError as fault:
        if name not in setting_names():
            return str(fault)
    verb = " ".join(error.command_chain or ())
    takers = ", ".join(sorted(verbs_with_settings(app)))
    return f"{verb} uses no settings, so {option} cannot be given; {takers} take them"


def verbs_with_settings(app: App, chain: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield each verb that takes settings by dotted name, such as ``recipes show``."""
    for name in app:
        if name.startswith("-"):
            continue
        verb, words = app[name], (*chain, name)
        yield from verbs_with_settings(verb, words)
        if verb.default_command is not None and any(
            "--localization" in argument.names
            for argument in verb.assemble_argument_collection()
        ):
            yield " ".join(words)
