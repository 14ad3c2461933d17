"""The verb simulate: made-up features for real or made-up annotations."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from acmnet.cli.options.shared_options import LabelFps, OutputFolder
from acmnet.cli.terminal.app import UsageError, app, console, errors, note, quiet
from acmnet.cli.terminal.progress import Waiting
from acmnet.data.formats.exchange_format import Source
from acmnet.data.made_up.drawn_recordings import CLASSES, write_recordings
from acmnet.data.made_up.simulated_features import simulate
from acmnet.data.made_up.simulation_settings import SimulationSettings
from acmnet.files.file_access import refuse_unwritable
from acmnet.messages import counted


@app.command(name="simulate")
def simulate_command(
    *,
    annotations: Path | None = None,
    recordings: int | None = None,
    classes_each: int | None = None,
    out: OutputFolder,
    subset: Annotated[list[str] | None, Parameter(negative=())] = None,
    context: float = 0.5,
    dimension: int = 256,
    videos: int | None = None,
    seed: int = 0,
    label_fps: LabelFps = None,
) -> None:
    """Make up features for real annotations, to test a method without any video.

    Features are drawn at random so that actions, their context and the background can
    be told apart as in real videos. Only times and labels are real: a score on these
    features is no score on the benchmark. With --recordings, times and labels are made
    up as well.

    For example: acmnet simulate --annotations thumos14.json --out simulated/
    --context 0.5

    Parameters
    ----------
    annotations
        Label file with true segments and durations, such as THUMOS-14's.
    recordings
        In place of --annotations: make up so many long recordings of 1,800 snippets (19
        minutes), each with 20 actions of 1 to 3 s, of eight classes that mostly all
        occur. Half of them are of the subset training, half of test.
    classes_each
        With --recordings: how many of the eight classes can occur in each recording;
        which ones is drawn for each. With 4, every class is missing from half of the
        recordings, so that names alone say much more.
    out
        Directory for features/, annotations.json and simulation.json. The same command
        again goes on where it stopped.
    subset
        Only videos of this subset. May be given several times.
    context
        How much context surrounds an action, from 0 (none) to 1. Context is video
        without the action that still tells which action is near.
    dimension
        How many numbers describe a snippet (D, the columns of the features).
    videos
        Draw at most this many videos of each subset, chosen at random.
    seed
        Number that all random choices start from: the same seed, the same features.
    """
    if (annotations is None) == (recordings is None):
        raise UsageError("give either --annotations or --recordings")
    if classes_each is not None and recordings is None:
        raise UsageError("--classes-each is for --recordings alone")
    refuse_unwritable(out / "annotations.json")
    source = annotations
    if source is None:
        each = len(CLASSES) if classes_each is None else classes_each
        source = write_recordings(out, recordings or 0, seed, each)
    settings = SimulationSettings(context=context, dimension=dimension, seed=seed)
    with Waiting(errors, "simulating", "videos", silent=quiet()) as waiting:
        drawn = simulate(
            Source(source, label_fps),
            out,
            settings,
            subsets=tuple(subset or ()),
            videos=videos,
            on_video=waiting.update,
            on_note=note,
        )
    console.print(
        f"{counted(drawn, 'video')} drawn\nannotations: {out / 'annotations.json'}\n"
        f"features: {out / 'features'}",
        markup=False,
    )
