"""The first page of help, which is shown before any library is imported."""

import os
import sys
from typing import Final

from acmnet.cli.terminal.exit_codes import EXIT_CODES
from acmnet.cli.verb_table import COMPLETION, HELP, VERBS, VERSION

PURPOSE: Final = "Learn when actions happen in videos from nothing but their names."
"""What the program is for."""
MOST_COLUMNS: Final = 100
"""Columns of the page, at most: longer lines are hard to read."""
USUAL_COLUMNS: Final = 80
"""Columns of the page where nothing says how wide the terminal is."""


def show_first_page() -> None:
    """Print the first page of help, as wide as the terminal."""
    sys.stdout.write(first_page(_columns()))
    sys.stdout.flush()


def first_page(columns: int) -> str:
    """Return what acmnet is for, its verbs with their purposes, and its exit codes.

    Parameters
    ----------
    columns : int
        Longest line, at least 40.
    """
    options = {
        ", ".join(HELP): "Show this page; after a verb, show the help of that verb.",
        VERSION: "Show the version.",
        COMPLETION: "Let the Tab key complete verbs and options in new shells (bash, "
        "zsh, fish, PowerShell).",
    }
    verbs, others = (max(map(len, names)) for names in (VERBS, options))
    return "\n".join(
        (
            "Usage: acmnet VERB [OPTIONS]\n",
            *_wrapped(PURPOSE, columns),
            "\nVerbs:",
            *(_entry(name, purpose, verbs, columns) for name, purpose in VERBS.items()),
            "\nOptions:",
            *(
                _entry(name, purpose, others, columns)
                for name, purpose in options.items()
            ),
            "",
            *_wrapped(EXIT_CODES, columns),
            "",
        )
    )


def _entry(name: str, purpose: str, left: int, columns: int) -> str:
    """Return a name and, in a column of its own, what it is for."""
    indent = " " * (left + 4)
    lines = _wrapped(purpose, columns - len(indent))
    return f"  {name:{left}}  " + f"\n{indent}".join(lines)


def _wrapped(text: str, columns: int) -> list[str]:
    """Return a text in lines; textwrap would be imported longer than this page takes.

    Examples
    --------
    >>> _wrapped("no data and no weights are needed", 16)
    ['no data and no', 'weights are', 'needed']
    """
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > columns:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}".lstrip()
    return lines


def _columns() -> int:
    """Return how wide the page is: as COLUMNS says, or as the terminal is."""
    wanted = os.environ.get("COLUMNS", "")
    if wanted.isdecimal() and int(wanted):
        columns = int(wanted)
    else:
        try:
            columns = os.get_terminal_size(sys.stdout.fileno()).columns
        except (ValueError, OSError):  # no terminal
            columns = USUAL_COLUMNS
    return max(40, min(columns, MOST_COLUMNS))
