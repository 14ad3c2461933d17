"""The verb protocols: the rules of every evaluation protocol."""

from acmnet.cli.terminal.app import app, console
from acmnet.evaluation.protocols import protocols


@app.command(name="protocols")
def protocols_command() -> None:
    """Print the rules by which each evaluation protocol scores, a paragraph each.

    For example: acmnet protocols
    """
    for known in protocols():
        console.print(f"{known.name}\n  {known.rules}\n", markup=False)
