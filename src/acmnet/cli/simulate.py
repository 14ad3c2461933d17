"""The verb that draws features for real annotations: simulate."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from acmnet.cli.app import app, console, errors, note, quiet
from acmnet.cli.progress import Waiting
from acmnet.data.made_up.simulated_features import simulate
from acmnet.data.made_up.simulation_settings import SimulationSettings
from acmnet.files import refuse_unwritable
from acmnet.messages import counted


@app.command(name="simulate")
def simulate_command(
    *,
    annotations: Path,
    out: Path,
    subset: Annotated[list[str] | None, Parameter(negative=())] = None,
    context: float = 0.5,
    dimension: int = 256,
    videos: int | None = None,
    seed: int = 0,
) -> None:
    """Draw features for real annotations, with as much context as is asked for.

    A score on them is no score on the benchmark: only times and labels are real.

    Parameters
    ----------
    annotations
        Label file with true segments and durations, such as THUMOS-14's.
    out
        Directory that gets features/, annotations.json and simulation.json; where the
        same simulation was cut short, it goes on.
    subset
        Only videos of this subset; once for each subset.
    context
        Amount of context, from 0 (none) to 1.
    dimension
        D of the features.
    videos
        At most so many videos of each subset, picked by the seed.
    seed
        Of everything that is drawn.
    """
    refuse_unwritable(out / "annotations.json")
    settings = SimulationSettings(context=context, dimension=dimension, seed=seed)
    with Waiting(errors, "simulating", "videos", silent=quiet()) as waiting:
        drawn = simulate(
            annotations,
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
