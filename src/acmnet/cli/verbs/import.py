"""The verb import: a checkpoint of the authors' code becomes a run."""

# ruff: noqa: N999 - a file is named like its verb

from pathlib import Path

from acmnet.checkpoints.checkpoint import load_config
from acmnet.cli.options.shared_options import LabelFps, OutputFolder
from acmnet.cli.terminal.app import app, console, note
from acmnet.data.label_files import read_annotations
from acmnet.messages import counted
from acmnet.model_exchange.authors_checkpoint import import_authors_checkpoint
from acmnet.recipes import Profile
from acmnet.runs.run_request import LAST


@app.command(name="import")
def import_command(
    file: Path,
    /,
    *,
    labels: Path,
    out: OutputFolder,
    recipe: str | None = None,
    profile: Profile = "official",
    label_fps: LabelFps = None,
) -> None:
    """Make a run of a checkpoint that the authors' code wrote (.pth).

    The file is read without running any code from it. The run localises as the authors'
    code does, and takes their features: 25 frames a second, 16 frames a snippet.

    For example: acmnet import THUMOS_best_checkpoint.pth --labels gt.json --out
    runs/authors

    Parameters
    ----------
    file
        The .pth file, or the folder in which it is the only one.
    labels
        Label file of its data set, for the names of the classes.
    out
        Directory of the run to write.
    recipe
        Recipe with the settings of its training, such as thumos14. When left out, the
        name of the file tells it: it begins with THUMOS or ActivityNet.
    profile
        Profile of the recipe; official is the authors' code.
    """
    names = read_annotations(labels, label_fps).class_names
    run = import_authors_checkpoint(file, out, names, recipe=recipe, profile=profile)
    config = load_config(run)
    if config.selection != LAST:
        note(
            f"the authors' code chose the epoch of {file.name} on the test set, as its "
            "name says: scores on that set are too high"
        )
    console.print(
        f"{run}: {counted(len(config.class_names), 'class')}, "
        f"{counted(config.feature_dim, 'feature column')}, "
        f"{counted(config.epoch, 'epoch')}",
        markup=False,
    )
