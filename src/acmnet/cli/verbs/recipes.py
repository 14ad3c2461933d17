"""The verb recipes: lists the recipes, or shows all values of one."""

from cyclopts import App

from acmnet import recipes
from acmnet.cli.options.dotted_settings import (
    TRAINING_EPILOGUE,
    GivenSettings,
    ProfileName,
    RecipeSettings,
)
from acmnet.cli.terminal.app import app, console
from acmnet.recipes import Settings

recipes_app = App(
    name="recipes",
    help="List the recipes, or show all settings of one recipe.\n\n"
    "For example: acmnet recipes show default",
    result_action="return_value",
)
app.command(recipes_app)


@recipes_app.default
def list_recipes() -> None:
    """List the recipes that come with acmnet."""
    width = max(map(len, recipes.recipe_names()))
    for name in recipes.recipe_names():
        console.print(f"{name:{width}}  {recipes.summary(name)}")


@recipes_app.command(help_epilogue=TRAINING_EPILOGUE)
def show(
    name: str, *, profile: ProfileName = None, given: GivenSettings = RecipeSettings()
) -> None:
    """Print all settings of a recipe as TOML, each with what it does.

    Save the output as a file, change values in it, and give the file as --recipe: it is
    a recipe of your own. It is trained with the values in the file, unless you also
    give --profile, whose values replace those in the file. Values that differ from the
    profile "corrected" are marked.

    Parameters
    ----------
    name
        A recipe that `acmnet recipes` lists, or the path of a TOML file.
    """
    used = profile or recipes.default_profile(name)
    settings = recipes.recipe(name, profile=used, overrides=given.by_name())
    base: Settings | None = None
    if used != recipes.CORRECTED:
        base = recipes.recipe(name, profile=recipes.CORRECTED)
    console.print(f"# The recipe {name} with the profile {used}.\n", markup=False)
    console.print(recipes.as_toml(settings, base), markup=False)
