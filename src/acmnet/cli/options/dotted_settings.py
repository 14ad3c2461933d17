"""A recipe, its profile, and its settings as options with dotted names."""

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Annotated, Final

from cyclopts import Parameter

from acmnet import recipes
from acmnet.cli.terminal.app import UsageError
from acmnet.cli.terminal.exit_codes import EXIT_CODES
from acmnet.cli.verb_table import HELP, SECOND_WORDS, WITH_SETTINGS
from acmnet.data.labels.supervision import Supervision
from acmnet.recipes import Profile, RecipeError, Settings, setting_names

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


RecipeName = Annotated[
    str,
    Parameter(help="A recipe that `acmnet recipes` lists, or the path of a TOML file."),
]
ProfileName = Annotated[
    Profile | None,
    Parameter(
        help='How the recipe is trained: "best" trains in two stages, "corrected" in '
        'one stage with our corrections to the method, "official" as the authors\' '
        'code does, "paper" as the paper is printed. When left out, the recipe\'s own '
        "profile: best for the recipe default, corrected for the others."
    ),
]
SupervisionName = Annotated[
    Supervision,
    Parameter(
        help="What training is given of the label file: names alone; points: also "
        "single instants; segments: also segments and the spans that were watched; "
        "all: all of it. Times teach nothing unless they are asked for here."
    ),
]


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
        values: dict[str, object] = {
            f"{field.name}.{key.replace('-', '_')}": text
            for field in dataclasses.fields(self)
            for key, text in (getattr(self, field.name) or {}).items()
        }
        for name, text in values.items():
            _refuse_wrong(name, text)
        return values

    def applied(self, trained: Settings) -> Settings:
        """Return a trained run's settings, with the given ones in place of its own.

        Raises
        ------
        UsageError
            If a given setting has no effect after training.
        """
        overrides = self.by_name()
        for name in overrides:
            if not name.startswith(AFTER_TRAINING):
                raise UsageError(
                    f"--{name} only matters while a network is trained, and this run "
                    "is trained already; it can still be used with other settings of "
                    "localization and another teachers.proposal_weight"
                )
        return recipes.override(trained, overrides)


GivenSettings = Annotated[RecipeSettings, Parameter(name="*")]


def refuse_wrong_settings(tokens: Sequence[str]) -> None:
    """Refuse settings on a command line that are wrong, before its verb is imported.

    Importing a verb that trains takes seconds, and a mistake is told at once.

    Parameters
    ----------
    tokens : sequence of str
        The words of the command line, after ``acmnet``.

    Raises
    ------
    UsageError
        If there is no such setting (the nearest name is suggested), the text is no
        value of it, or the verb takes no settings. That sentence lists the verbs that
        do.
    """
    verb = verb_of(tokens)
    for token, after in zip(tokens, [*tokens[1:], "--"], strict=True):
        option, has_value, value = token.partition("=")
        if token == "--":
            return
        if not option.startswith("--") or "." not in option:
            continue
        name = option.removeprefix("--").replace("-", "_")
        if name not in setting_names():
            _refuse_wrong(name, "")
        if verb not in WITH_SETTINGS:
            takers = ", ".join(WITH_SETTINGS)
            raise UsageError(
                f"acmnet {verb} uses no settings of a recipe, so it does not take "
                f"{option}; these verbs do: {takers}"
            )
        if has_value or not after.startswith("--"):
            _refuse_wrong(name, value if has_value else after)


def _refuse_wrong(name: str, text: object) -> None:
    """Refuse a setting that does not exist, or a text that is no value of it."""
    try:
        recipes.override(Settings(), {name: text})
    except RecipeError as error:
        raise UsageError(str(error)) from error


def verb_of(tokens: Sequence[str]) -> str:
    """Return the verb of a command line: of several words, such as ``recipes show``."""
    given = list(itertools.dropwhile(HELP.__contains__, tokens))
    words = list(itertools.takewhile(lambda word: not word.startswith("-"), given))
    return " ".join(words[: 2 if set(words[:1]) & SECOND_WORDS.keys() else 1])
