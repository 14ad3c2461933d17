"""The application: its consoles, and how it says no in one sentence."""

import os
import sys
from typing import NoReturn

from cyclopts import App
from rich.console import Console

OVERRIDES_HELP = (
    "Any setting of a recipe can be given by its dotted name, such as "
    "--training.epochs 50 or --localization.activation-thresholds 0.1,0.2; "
    "`acmnet recipes show NAME` lists them all."
)

app = App(
    name="acmnet",
    help="Learn when actions happen in videos from nothing but their names.",
    help_epilogue=OVERRIDES_HELP,
    result_action="return_value",
)

console = Console(soft_wrap=True, highlight=False)
errors = Console(stderr=True, soft_wrap=True, highlight=False)


class UsageError(ValueError):
    """A combination of options that makes no sense."""


def note(sentence: str) -> None:
    """Tell the user something that does not stop the command."""
    if not quiet():
        errors.print(f"note: {sentence}", markup=False)


def quiet() -> bool:
    """Whether this is one of torchrun's further processes."""
    return os.environ.get("RANK", "0") != "0"


def fail(sentence: str, code: int = 1) -> NoReturn:
    """Say why on stderr, in one line, and exit."""
    if not quiet():
        errors.print("acmnet: " + " ".join(sentence.split()), markup=False)
    sys.exit(code)
