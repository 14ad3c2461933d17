"""Verbs to look around: recipes, demo."""

from cyclopts import App

from acmnet import recipes
from acmnet.cli.app import app, console
from acmnet.cli.dotted_settings import GivenSettings, RecipeSettings
from acmnet.cli.training_options import Profile
from acmnet.recipes import Settings

recipes_app = App(
    name="recipes",
    help="List the recipes, or show all of one's values.",
    result_action="return_value",
)
app.command(recipes_app)


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
