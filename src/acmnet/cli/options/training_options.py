"""Options of the verbs that train: labels, features, recipe, settings, logs."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from acmnet import recipes
from acmnet.cli.options.dotted_settings import (
    GivenSettings,
    ProfileName,
    RecipeName,
    RecipeSettings,
    SupervisionName,
)
from acmnet.cli.options.shared_options import (
    Grid,
    GridOptions,
    LabelFps,
    SkipMissing,
    note_reading,
)
from acmnet.cli.terminal.app import note, quiet
from acmnet.data.checks.label_checks import suspicions
from acmnet.data.labelled_features import Data, DataSource, open_data
from acmnet.data.labels.marks import supervision_note, unwatched_note
from acmnet.recipes import Settings
from acmnet.runs.experiment_logs import ExperimentLogs, LogName
from acmnet.runs.run_request import RunRequest
from acmnet.runs.training_run import join_processes
from acmnet.runtime.devices import NO_BF16_NOTE, computed_in

if TYPE_CHECKING:
    from acmnet.training.optimisation.tasks import StepRecord


Logs = Annotated[
    tuple[LogName, ...],
    Parameter(
        negative=(),
        help="Also log the losses of every step, the settings and the scores for "
        "tensorboard, mlflow or wandb (Weights & Biases, offline): into a folder of "
        "that name in --out. May be given several times. Each needs the extra of its "
        "name, such as acmnet[tensorboard].",
    ),
]


@dataclasses.dataclass(frozen=True)
class TrainingOptions:
    """Labels, features, and the recipe to train on them."""

    annotations: Path
    """Label file: ActivityNet-style JSON, or CSV with the columns video,labels and, if
    times are known, start,end."""
    features: Path
    """Directory with features.json and one .npy or .safetensors file per video, as
    `acmnet extract` writes it."""
    recipe: RecipeName = "default"
    profile: ProfileName = None
    subset: str | None = None
    "Train only on this subset of the label file. When left out, on every video."
    grid: Grid = GridOptions()
    skip_missing: SkipMissing = False
    supervision: SupervisionName = "names"
    label_fps: LabelFps = None
    given: GivenSettings = RecipeSettings()

    def settings(self) -> Settings:
        """Return the settings of the recipe, with those given by dotted name."""
        overrides = self.given.by_name()
        return recipes.recipe(self.recipe, profile=self.profile, overrides=overrides)

    def words(self) -> list[str]:
        """Return the options that were given, as the words of a command line."""
        values: dict[str, object] = {
            "annotations": self.annotations,
            "features": self.features,
            "recipe": self.recipe,
            "profile": self.profile,
            "subset": self.subset,
            **dataclasses.asdict(self.grid),
            "skip_missing": self.skip_missing,
            "supervision": self.supervision,
            "label_fps": self.label_fps,
            **self.given.by_name(),
        }
        usual = {field.name: field.default for field in dataclasses.fields(self)}
        words: list[str] = []
        for name, value in values.items():
            if value in (None, usual.get(name)):
                continue
            words.append("--" + name.replace("_", "-"))
            words += [] if value is True else [str(value)]
        return words

    def used_profile(self) -> str:
        """Return the given profile, or else the profile that the recipe names."""
        return self.profile or recipes.default_profile(self.recipe)

    def data(self) -> Data:
        """Open labels and features, and print a note on labels that look wrong."""
        grid = self.grid.grid()
        paths = self.annotations, self.features
        source = DataSource(*paths, self.subset, grid, self.label_fps)
        on_left_out = note if self.skip_missing else None
        opened = open_data(source, on_left_out, skip_missing=self.skip_missing)
        data = note_reading(opened)
        annotations, supervision = data.annotations, self.supervision
        for sentence in (
            *suspicions(annotations, supervision),
            supervision_note(annotations, supervision),
            unwatched_note(annotations, supervision),
        ):
            if sentence is not None:
                note(sentence)
        return data

    def request(self, out: Path, device: str) -> RunRequest:
        """Return the request to train this recipe on this data into a directory."""
        device, settings = join_processes(device), self.settings()
        note_missing_bf16(settings, device)
        return RunRequest(
            out=out,
            data=self.data(),
            recipe=self.recipe,
            profile=self.used_profile(),
            settings=settings,
            device=device,
            supervision=self.supervision,
        )


Training = Annotated[TrainingOptions, Parameter(name="*")]


def note_missing_bf16(settings: Settings, device: str) -> None:
    """Print a note if bf16 is asked for on a machine that has to use fp32 instead."""
    precision = settings.training.precision
    if computed_in(precision, device) != precision:
        note(NO_BF16_NOTE)


def logging(
    names: tuple[LogName, ...], out: Path, settings: Settings
) -> ExperimentLogs:
    """Return the logs of a run; only the first of several processes logs.

    Raises
    ------
    LogError
        If a program is not installed.
    """
    return ExperimentLogs(() if quiet() else names, out, settings, note)


def call_both(
    first: "Callable[[StepRecord], None]", second: "Callable[[StepRecord], None]"
) -> "Callable[[StepRecord], None]":
    """Return a function that tells two others of each step."""

    def log_too(record: "StepRecord") -> None:
        first(record)
        second(record)

    return log_too
