"""The options that name a recipe and its profile."""

from typing import Annotated

from cyclopts import Parameter

from acmnet.data.labels.supervision import Supervision
from acmnet.recipes import Profile

RecipeName = Annotated[
    str,
    Parameter(help="A recipe that `acmnet recipes` lists, or the path of a TOML file."),
]
ProfileName = Annotated[
    Profile | None,
    Parameter(
        help='How the recipe is trained: "best" trains in two stages, "corrected" in '
        'one stage with our corrections to the method, "official" as the authors\' '
        'code does, "paper" as the paper is printed. When left out, the recipe\'s own '
        "profile: best for the recipe default, corrected for the others."
    ),
]
SupervisionName = Annotated[
    Supervision,
    Parameter(
        help="What training is given of the label file: names alone; points: also "
        "single instants; segments: also segments and the spans that were watched; "
        "all: all of it. Times teach nothing unless they are asked for here."
    ),
]
