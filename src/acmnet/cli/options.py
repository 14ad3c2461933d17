"""Options that several verbs share."""

import dataclasses
from pathlib import Path
from typing import Annotated, Final, Literal

from cyclopts import Group, Parameter

from acmnet import recipes
from acmnet.cli.app import UsageError, fail_for_left_out, note
from acmnet.cli.settings import GivenSettings, RecipeSettings
from acmnet.devices import IMITATED, computed_in
from acmnet.doctor.label_checks import suspicions
from acmnet.messages import quoted
from acmnet.pipeline.labelled_features import Data, DataSource, open_data
from acmnet.pipeline.training_run import RunRequest, join_processes
from acmnet.recipes import Settings
from acmnet.segments import SnippetGrid

FIRST: Final = Group("Parameters", sort_key=1)
FEATURES: Final = Group("Features", sort_key=2)
TRAINING: Final = Group("Training", sort_key=3)
PROCESSES: Final = Group("How it runs", sort_key=4)
"""Groups of options in the help of a verb, in the order in which they matter."""

Profile = Literal["best", "corrected", "official", "paper"]
JsonPath = Annotated[Path | None, Parameter(name="--json")]


@dataclasses.dataclass(frozen=True)
class GridOptions:
    """Where the features have no features.json, all three of these are needed."""

    fps: float | None = None
    "Frames a second of the frames that the features describe."
    snippet_frames: int | None = None
    "Frames that one row of features describes: a short piece of video, a snippet."
    stride_frames: int | None = None
    "Frames from the start of one snippet to the start of the next."

    def grid(self) -> SnippetGrid | None:
        """Return the grid, or None where no option was given."""
        given = dataclasses.asdict(self)
        missing = [name for name, value in given.items() if value is None]
        if len(missing) == len(given):
            return None
        if missing:
            options = ", ".join("--" + name.replace("_", "-") for name in missing)
            raise UsageError(
                f"a grid needs all three of its options; missing: {options}"
            )
        return SnippetGrid(**given)


SkipMissing = Annotated[bool, Parameter(negative=())]
Grid = Annotated[GridOptions, Parameter(name="*")]


@dataclasses.dataclass(frozen=True)
class TrainingOptions:
    """Labels, features and the recipe that is trained on them."""

    annotations: Path
    "Label file: ActivityNet-style JSON, or CSV with the columns video,labels."
    features: Path
    "Directory with one .npy or .safetensors a video and features.json."
    recipe: str = "default"
    "A name from `acmnet recipes`, or a TOML file."
    profile: Profile = "corrected"
    "Two stages, repaired defaults, the authors' code, or the paper as printed."
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
            out,
            settings,
            self.data(),
            recipe=self.recipe,
            profile=self.profile,
            device=device,
        )


Training = Annotated[TrainingOptions, Parameter(name="*")]


def told(data: Data) -> Data:
    """Say how a table of labels was read, where it is no plain CSV; return the data."""
    for sentence in data.annotations.notes:
        note(sentence)
    return data


def _opened(source: DataSource, skip_missing: bool) -> Data:
    """Open data; what an extraction set aside is refused unless all are skipped."""
    on_left_out = note if skip_missing else None
    return open_data(source, on_left_out, skip_missing=skip_missing)


def missing_videos(data: Data) -> list[str]:
    """Return a sentence on each video that was left out for want of features."""
    where = data.store.directory
    return [
        f"{quoted(video)}: it has no features in {where}" for video in data.left_out
    ]


def fail_for_missing(data: Data) -> None:
    """Exit as a command does that left out the videos without features, if any."""
    fail_for_left_out(missing_videos(data), len(data.annotations.videos))


def say_precision(settings: Settings, device: str) -> None:
    """Say where training will not compute in the precision that is asked for."""
    asked = settings.training.precision
    if computed_in(asked, device) != asked:
        note(IMITATED)
