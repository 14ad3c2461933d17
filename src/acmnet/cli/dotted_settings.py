"""Settings of a recipe, given on the command line as options with dotted names."""

import dataclasses
from collections.abc import Iterator
from typing import Annotated, Final

from cyclopts import App, Parameter
from cyclopts.exceptions import UnknownOptionError

from acmnet import recipes
from acmnet.cli.app import EXIT_CODES, UsageError
from acmnet.recipes import RecipeError, Settings, setting_names

GroupValues = Annotated[dict[str, str] | None, Parameter(show=False, negative=())]

AFTER_TRAINING: Final = ("localization.", "teachers.proposal_weight")
"""Beginnings of the settings that still have an effect once a network is trained."""
TRAINING_EPILOGUE: Final = (
    "Every setting of the recipe is an option too, by its dotted name, such as "
    "--training.epochs 50 or --localization.activation-thresholds 0.1,0.2. "
    f"`acmnet recipes show NAME` lists all settings.\n\n{EXIT_CODES}"
)
"""End of the help of verbs that train."""
RUN_EPILOGUE: Final = (
    "Settings of localisation are options too, by their dotted names, such as "
    "--localization.activation-thresholds 0.1,0.2: they replace those that the run was "
    f"trained with. `acmnet recipes show default` lists them.\n\n{EXIT_CODES}"
)
"""End of the help of verbs that use a trained run."""


@dataclasses.dataclass(frozen=True)
class RecipeSettings:
    """The settings that a user gives by dotted name, such as ``--training.epochs 50``.

    Each field is one group of settings: its keys are the names after the dot.
    """

    model: GroupValues = None
    loss: GroupValues = None
    sampling: GroupValues = None
    training: GroupValues = None
    localization: GroupValues = None
    teachers: GroupValues = None
    pseudo_labels: GroupValues = None
    student: GroupValues = None
    student_training: GroupValues = None

    def by_name(self) -> dict[str, object]:
        """Return the given values, as texts, by dotted name.

        Raises
        ------
        UsageError
            If there is no such setting (the nearest name is suggested), or the text is
            no value of it.
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
        """Return a trained run's settings, with the given ones in place of its own.

        Raises
        ------
        UsageError
            If a given setting has no effect after training.
        """
        given = self.by_name()
        for name in given:
            if not name.startswith(AFTER_TRAINING):
                raise UsageError(
                    f"--{name} only matters while a network is trained, and this run "
                    "is trained already; it can still be used with other settings of "
                    "localization and another teachers.proposal_weight"
                )
        return recipes.override(trained, given)


GivenSettings = Annotated[RecipeSettings, Parameter(name="*")]


def why_unknown(app: App, error: UnknownOptionError) -> str:
    """Return a sentence that says why a verb does not take an option.

    If the option is the dotted name of a setting, the sentence lists the verbs that
    take settings; if it resembles one, the sentence suggests the nearest setting.
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
    return (
        f"acmnet {verb} uses no settings of a recipe, so it does not take {option}; "
        f"these verbs do: {takers}"
    )


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
