"""The studies of `acmnet ablate`: the tables of the paper and our own, as settings."""

import dataclasses
import tomllib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from acmnet import recipes
from acmnet.evaluation.tiou import parse_tiou
from acmnet.recipes import Settings


class StudyError(ValueError):
    """A study that does not exist; the message names those that do."""


@dataclasses.dataclass(frozen=True)
class Variant:
    """One row: what it changes, and what the paper measured for it."""

    name: str
    terms: tuple[bool, ...] = ()
    """Whether each of the study's terms is on."""
    profile: str | None = None
    """The variant's own profile; None for the profile under study."""
    changes: Mapping[str, object] = dataclasses.field(default_factory=dict)
    """Settings that the variant changes, by dotted name; they are laid over all
    others."""
    paper: tuple[float, ...] = ()
    """The paper's own mAP in %, at each tIoU and on average; empty where there is none.
    """

    def settings(
        self, recipe: str | Path, profile: str, overrides: Mapping[str, object]
    ) -> Settings:
        """Return the settings of this row.

        Parameters
        ----------
        recipe, profile, overrides
            What is under study, as for `acmnet.recipes.recipe`.

        Raises
        ------
        RecipeError
            If one of them is unknown.
        """
        base = recipes.recipe(
            recipe, profile=self.profile or profile, overrides=overrides
        )
        return recipes.override(base, self.changes)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Study:
    """A table of variants, each trained and scored on the same folds."""

    name: str
    title: str
    terms: tuple[str, ...]
    """Names of the parts that a variant may have switched on or off."""
    tiou: tuple[float, ...]
    """The thresholds that the table shows."""
    average_over: tuple[float, ...]
    """The thresholds whose mean it shows last."""
    full: str
    """The variant that the others are compared with."""
    variants: tuple[Variant, ...]


def study_names() -> tuple[str, ...]:
    """Return the names of the studies, the paper's tables first."""
    return tuple(_shipped())


def study(name: str) -> Study:
    """Return a study by its name.

    Raises
    ------
    StudyError
        If there is none of that name.

    Examples
    --------
    >>> third = study("III")
    >>> third.terms
    ('instance', 'context', 'background', 'additional')
    >>> third.variants[-1].paper
    (68.9, 55.0, 34.6, 10.8, 42.6)
    """
    shipped = _shipped()
    if name not in shipped:
        raise StudyError(
            f"there is no table {name!r}; the tables are {', '.join(shipped)}"
        )
    values = shipped[name]
    return Study(
        name=name,
        title=values["title"],
        terms=tuple(values["terms"]),
        tiou=tuple(values["tiou"]),
        average_over=parse_tiou(values["average_over"]),
        full=values["full"],
        variants=tuple(map(_variant, values["variants"])),
    )


def _variant(values: Mapping[str, Any]) -> Variant:
    rooms: Mapping[str, Mapping[str, object]] = values.get("changes", {})
    changes = {
        f"{r}.{key}": x
        for r, of_section in rooms.items()
        for key, x in of_section.items()
    }
    lists = {key: tuple(values.get(key, ())) for key in ("terms", "paper")}
    return Variant(**(dict(values) | lists | {"changes": changes}))


def _shipped() -> Mapping[str, Any]:
    text = resources.files(__package__).joinpath("ablation_studies.toml")
    return tomllib.loads(text.read_text(encoding="utf-8"))
