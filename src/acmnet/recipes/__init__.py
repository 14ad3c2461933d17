"""Recipes: the settings of a run, from TOML files, profiles and single values.

`recipe` in ``setting_layers.py`` builds them, `Settings` in ``settings.py`` is what
comes out. The recipes that come with acmnet are the TOML files of this folder.
"""

from acmnet.recipes.recipe_text import as_toml
from acmnet.recipes.setting_layers import (
    CORRECTED,
    PROFILES,
    Profile,
    default_profile,
    from_values,
    override,
    recipe,
    recipe_names,
    summary,
)
from acmnet.recipes.setting_values import RecipeError
from acmnet.recipes.settings import SECOND_STAGE, Settings, as_values, setting_names

__all__ = [
    "CORRECTED",
    "PROFILES",
    "SECOND_STAGE",
    "Profile",
    "RecipeError",
    "Settings",
    "as_toml",
    "as_values",
    "default_profile",
    "from_values",
    "override",
    "recipe",
    "recipe_names",
    "setting_names",
    "summary",
]
