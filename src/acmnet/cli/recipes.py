"""The verb recipes: lists the recipes, or shows all values of one."""

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
    profile: Profile | None = None,
    given: GivenSettings = RecipeSettings(),
) -> None:
    """Print all values of a recipe as TOML; a copy of it is a recipe of your own.

    Your own recipe is trained with the values that stand in it, unless you give
    --profile, which lays its values over them.

    Parameters
    ----------
    name
        A name from `acmnet recipes`, or a TOML file.
    profile
        best, corrected, official or paper; when left out, the profile that the recipe
        names. Values that differ from the corrected profile are marked.
    """
    used = profile or recipes.default_profile(name)
    settings = recipes.recipe(name, profile=used, overrides=given.by_name())
    base: Settings | None = None
    if used != recipes.CORRECTED:
        base = recipes.recipe(name, profile=recipes.CORRECTED)
    console.print(f"# The recipe {name} with the profile {used}.\n", markup=False)
    console.print(recipes.as_toml(settings, base), markup=False)
