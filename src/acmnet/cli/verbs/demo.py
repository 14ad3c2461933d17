"""The verb demo: the whole journey on videos that it draws itself."""

from pathlib import Path

from acmnet import recipes
from acmnet.cli.options.shared_options import OutputFolder
from acmnet.cli.terminal.app import app, console, errors, note, quiet
from acmnet.cli.terminal.progress import ExtractionBar, TrainingBar, Waiting
from acmnet.cli.terminal.terminal_tables import map_table
from acmnet.files.file_access import refuse_unwritable
from acmnet.fitting.demo import PROFILE, DemoHooks, demo
from acmnet.fitting.fit_request import REPORT
from acmnet.workers.worker_engines import cores


@app.command(name="demo")
def demo_command(
    *, out: OutputFolder = Path("runs/demo"), seed: int = 0, workers: int = cores()
) -> None:
    """Try everything on small made-up videos: no data and no weights are needed.

    Draws videos, trains on their labels alone, finds the actions in other drawn videos,
    and scores them beside two baselines: a training on shuffled labels, and random
    places.

    For example: acmnet demo --out runs/demo

    Parameters
    ----------
    out
        Directory for the videos, the trained run, its detections and its scores.
    seed
        Number that all random choices start from: the same seed draws the same videos.
    workers
        How many processes extract features at the same time; they share the cores.
    """
    refuse_unwritable(out / "labels.json")
    epochs = recipes.recipe("default", profile=PROFILE).training.epochs
    with (
        Waiting(errors, "drawing", "videos", silent=quiet()) as drawing,
        ExtractionBar(errors, silent=quiet()) as extracting,
        TrainingBar(errors, epochs, silent=quiet()) as training,
    ):
        hooks = DemoHooks(
            on_note=note,
            on_video=extracting.video,
            on_step=training.step,
            on_trained=training.show_last,
            on_working=extracting.working,
            on_drawn=drawing.update,
        )
        result = demo(out, seed=seed, workers=workers, hooks=hooks)
    rows = {
        "ACM-Net": result.report.map.tolist(),
        "labels shuffled": result.control.map.tolist(),
        "random places": result.chance.tolist(),
    }
    console.print(map_table("Drawn videos, test", result.report.tiou, rows))
    console.print(
        f"videos: {out / 'scenes'}\nreport: {result.run / REPORT}\n"
        f"scores: {result.scores}"
    )
