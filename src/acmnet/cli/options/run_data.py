"""Options that name the data on which a trained run is used."""

import dataclasses
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from acmnet.checkpoints.checkpoint import load_config
from acmnet.cli.options.dotted_settings import GivenSettings, RecipeSettings
from acmnet.cli.options.shared_options import LabelFps, note_reading
from acmnet.cli.terminal.app import UsageError, note
from acmnet.data.labelled_features import Data, DataSource, open_data
from acmnet.runs.run_data import annotations_of, features_of, grid_of


@dataclasses.dataclass(frozen=True)
class RunDataOptions:
    """The data that a run is used on: its own, unless others are given."""

    annotations: Path | None = None
    """Label file, with or without true segments. When left out, the copy that was made
    of it when the run was trained: give the file if you have changed it since."""
    features: Path | None = None
    """Directory with the features of the videos. When left out, the directory that the
    run was trained on."""
    subset: str | None = None
    "Only the videos of this subset of the label file."
    label_fps: LabelFps = None
    settings: GivenSettings = RecipeSettings()

    def source(self, run: Path) -> DataSource:
        """Return where the data are: as given, or else where they were for training.

        Raises
        ------
        UsageError
            If the data that the run was trained on are not there any more.
        """
        config = load_config(run)
        annotations = self.annotations or annotations_of(run, config)
        features = self.features or features_of(run, config)
        for name, path in (("annotations", annotations), ("features", features)):
            if path is None and name in config.training:
                raise UsageError(
                    f"the {name} that {run} was trained on are not at "
                    f"{config.training[name]} any more: give them with "
                    f"--{name}"
                )
        if annotations is None or features is None:
            raise UsageError(
                f"{run} does not say what it was trained on: give --annotations and "
                "--features"
            )
        grid = grid_of(features, config)
        return DataSource(annotations, features, self.subset, grid, self.label_fps)

    def opened(self, run: Path) -> Data:
        """Open the data; print a note on videos that could not be extracted."""
        without = load_config(run).training.get("left_out", ())
        return note_reading(
            open_data(self.source(run), on_left_out=note, without=without)
        )


RunData = Annotated[RunDataOptions, Parameter(name="*")]
