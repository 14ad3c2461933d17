"""Options that several verbs share."""

import dataclasses
from pathlib import Path
from typing import Annotated, Final, Literal

from cyclopts import Parameter

from acmnet import recipes
from acmnet.cli.app import note
from acmnet.cli.data_options import Grid, GridOptions, SkipMissing, told
from acmnet.cli.dotted_settings import GivenSettings, RecipeSettings
from acmnet.data.checks.label_checks import suspicions
from acmnet.data.labelled_features import Data, DataSource, open_data
from acmnet.devices import IMITATED, computed_in
from acmnet.pipeline.run_request import RunRequest
from acmnet.pipeline.training_run import join_processes
from acmnet.recipes import Settings

FOLDS: Final = 4
"""Folds of `crossvalidate` and `ablate` unless told otherwise."""

Profile = Literal["best", "corrected", "official", "paper"]


@dataclasses.dataclass(frozen=True)
class TrainingOptions:
    """Labels, features and the recipe that is trained on them."""

    annotations: Path
    "Label file: ActivityNet-style JSON, or CSV with the columns video,labels."
    features: Path
    "Directory with one .npy or .safetensors a video and features.json."
    recipe: str = "default"
    "A name from `acmnet recipes`, or a TOML file."
    profile: Profile | None = None
    """"best" trains in two stages, "corrected" in one, "official" as the authors' code,
    "paper" as the paper is printed. When left out, the profile that the recipe names:
    best for the recipe default, corrected for the others."""
    subset: str | None = None
    "Train on this subset of the annotations only; else on every video."
    grid: Grid = GridOptions()
    skip_missing: SkipMissing = False
    "Leave out videos that have no features, as in a partial release of features."
    given: GivenSettings = RecipeSettings()

    def settings(self) -> Settings:
        """Return the recipe's settings with those given by dotted name."""
        given = self.given.by_name()
        return recipes.recipe(self.recipe, profile=self.profile, overrides=given)

    def used_profile(self) -> str:
        """Return the profile that is asked for, or else the recipe's own."""
        return self.profile or recipes.default_profile(self.recipe)

    def data(self) -> Data:
        """Open annotations and features; say what the labels look wrong in."""
        grid = self.grid.grid()
        source = DataSource(self.annotations, self.features, self.subset, grid)
        data = told(_opened(source, self.skip_missing))
        for sentence in suspicions(data.annotations):
            note(sentence)
        return data

    def request(self, out: Path, device: str) -> RunRequest:
        """Return what is to be trained into a directory."""
        device, settings = join_processes(device), self.settings()
        say_precision(settings, device)
        return RunRequest(
            out=out,
            data=self.data(),
            recipe=self.recipe,
            profile=self.used_profile(),
            settings=settings,
            device=device,
        )


Training = Annotated[TrainingOptions, Parameter(name="*")]


def _opened(source: DataSource, skip_missing: bool) -> Data:
    """Open data; what an extraction set aside is refused unless all are skipped."""
    on_left_out = note if skip_missing else None
    return open_data(source, on_left_out, skip_missing=skip_missing)


def say_precision(settings: Settings, device: str) -> None:
    """Say where training will not compute in the precision that is asked for."""
    asked = settings.training.precision
    if computed_in(asked, device) != asked:
        note(IMITATED)
