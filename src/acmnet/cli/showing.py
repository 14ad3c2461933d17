"""Verbs to look around: recipes, demo."""

from pathlib import Path

from cyclopts import App

from acmnet import recipes
from acmnet.cli.app import app, console, errors, quiet
from acmnet.cli.options import Profile, overrides
from acmnet.console import TrainingBar, map_table
from acmnet.pipeline.experiments import demo
from acmnet.recipes import Settings

recipes_app = App(
    name="recipes",
    help="List the recipes, or show all of one's values.",
    result_action="return_value",
)
app.command(recipes_app)


@app.command(name="demo")
def demo_command(*, out: Path = Path("runs/demo"), seed: int = 0) -> None:
    """Make a small world, learn from its labels alone, localise, evaluate, compare.

    Parameters
    ----------
    out
        Directory that gets the world, the trained model, detections and scores.
    seed
        Of the world and of the training.
    """
    epochs = recipes.recipe("default").training.epochs
    with TrainingBar(errors, epochs, silent=quiet()) as bar:
        result = demo(out, seed=seed, on_step=bar.step)
        bar.show_last()
    rows = {
        "ACM-Net": result.report.map.tolist(),
        "labels shuffled": result.control.map.tolist(),
        "random places": result.chance.tolist(),
    }
    console.print(map_table("A small world, test videos", result.report.tiou, rows))
    console.print(f"detections: {result.detections}\nscores: {result.scores}")


@recipes_app.default
def list_recipes() -> None:
    """List the recipes that are shipped."""
    width = max(map(len, recipes.recipe_names()))
    for name in recipes.recipe_names():
        console.print(f"{name:{width}}  {recipes.summary(name)}")


@recipes_app.command
def show(name: str, *, profile: Profile = "corrected") -> None:
    """Print all values of a recipe as TOML; a copy of it is a recipe of your own.

    Parameters
    ----------
    name
        A name from `acmnet recipes`, or a TOML file.
    profile
        Values that differ from the corrected profile are marked.
    """
    settings = recipes.recipe(name, profile=profile, overrides=overrides)
    base: Settings | None = None
    if profile != "corrected":
        base = recipes.recipe(name)
    console.print(recipes.as_toml(settings, base), markup=False)
