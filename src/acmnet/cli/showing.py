"""Verbs to look around: recipes, demo."""

from pathlib import Path

from cyclopts import App

from acmnet import recipes
from acmnet.cli.app import app, console, errors, note, quiet
from acmnet.cli.console import ExtractionBar, TrainingBar, Waiting, map_table
from acmnet.cli.options import Profile
from acmnet.cli.settings import GivenSettings, RecipeSettings
from acmnet.extraction.engines import cores
from acmnet.files import refuse_unwritable
from acmnet.pipeline.demo import DemoHooks, demo
from acmnet.pipeline.fit_videos import REPORT
from acmnet.recipes import Settings

recipes_app = App(
    name="recipes",
    help="List the recipes, or show all of one's values.",
    result_action="return_value",
)
app.command(recipes_app)


@app.command(name="demo")
def demo_command(
    *, out: Path = Path("runs/demo"), seed: int = 0, workers: int = cores()
) -> None:
    """Draw videos, learn from their labels alone, localise, evaluate, compare.

    Parameters
    ----------
    out
        Directory that gets the videos, the trained model, detections and scores.
    seed
        Of the videos and of the training.
    workers
        Processes that extract features; they share the cores.
    """
    refuse_unwritable(out / "labels.json")
    epochs = recipes.recipe("default").training.epochs
    with (
        Waiting(errors, "drawing", "videos", silent=quiet()) as drawing,
        ExtractionBar(errors, silent=quiet()) as extracting,
        TrainingBar(errors, epochs, silent=quiet()) as training,
    ):
        hooks = DemoHooks(
            note,
            extracting.video,
            training.step,
            extracting.working,
            on_drawn=drawing.update,
        )
        result = demo(out, seed=seed, workers=workers, hooks=hooks)
        training.show_last()
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


@recipes_app.default
def list_recipes() -> None:
    """List the recipes that are shipped."""
    width = max(map(len, recipes.recipe_names()))
    for name in recipes.recipe_names():
        console.print(f"{name:{width}}  {recipes.summary(name)}")


@recipes_app.command
def show(
    name: str,
    *,
    profile: Profile = "corrected",
    given: GivenSettings = RecipeSettings(),
) -> None:
    """Print all values of a recipe as TOML; a copy of it is a recipe of your own.

    Parameters
    ----------
    name
        A name from `acmnet recipes`, or a TOML file.
    profile
        Values that differ from the corrected profile are marked.
    """
    settings = recipes.recipe(name, profile=profile, overrides=given.by_name())
    base: Settings | None = None
    if profile != "corrected":
        base = recipes.recipe(name)
    console.print(recipes.as_toml(settings, base), markup=False)
