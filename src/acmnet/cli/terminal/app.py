"""The application acmnet: its consoles, notes and one-sentence refusals."""

import os
import sys
from collections.abc import Sequence
from typing import Final, NoReturn

from cyclopts import App
from rich.console import Console

from acmnet.cli.terminal.exit_codes import EXIT_CODES, LEFT_OUT, NOTHING_DONE
from acmnet.cli.terminal.first_page import PURPOSE
from acmnet.cli.verb_table import COMPLETION
from acmnet.messages import counted
from acmnet.runtime.startup import is_first_process

MOST_NAMED: Final = 20
"""How many left-out videos are named on the terminal when a file lists all of them."""

PIPE_COLUMNS: Final = 1000
"""Columns of a table in a file or a pipe: wide enough that no cell is cut."""


class _PipedConsole(Console):
    """A console that goes quiet when its reader closes the pipe, as `head` does."""

    def on_broken_pipe(self) -> None:
        """Print nothing more, and let the command finish its work."""
        self.quiet = True
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.file.fileno())
        os.close(nowhere)


_in_pipe = sys.stdout is None or not sys.stdout.isatty()
console = _PipedConsole(
    soft_wrap=True, highlight=False, width=PIPE_COLUMNS if _in_pipe else None
)
errors = _PipedConsole(stderr=True, soft_wrap=True, highlight=False)

app = App(
    name="acmnet",
    help=PURPOSE,
    help_epilogue=EXIT_CODES,
    result_action="return_value",
    suppress_keyboard_interrupt=False,
    console=_PipedConsole(),
)
app.register_install_completion_command(COMPLETION)


class UsageError(ValueError):
    """Options that contradict each other, or a value that an option cannot take."""


def note(sentence: str) -> None:
    """Print a remark on stderr that does not stop the command."""
    if not quiet():
        errors.print(f"note: {sentence}", markup=False)


def quiet() -> bool:
    """Return whether this process stays silent: all of torchrun's but the first do."""
    return not is_first_process()


def fail(sentence: str, code: int = NOTHING_DONE) -> NoReturn:
    """Print the reason on stderr in one line, and exit with ``code``."""
    if not quiet():
        errors.print("acmnet: " + " ".join(sentence.split()), markup=False)
    sys.exit(code)


def fail_for_left_out(reasons: Sequence[str], n_done: int, listed: str = "") -> None:
    """Print which videos were left out and why, and exit; return if there are none.

    Parameters
    ----------
    reasons : sequence of str
        One sentence for each left-out video, which names the video and the reason.
    n_done : int
        How many videos the command was done for. With 0, it exits as `NOTHING_DONE`.
    listed : str
        The file that lists all reasons; without one, all of them are printed here.
    """
    if not reasons:
        return
    shown = len(reasons) if not listed else MOST_NAMED
    if not quiet():
        for reason in reasons[:shown]:
            errors.print("left out: " + " ".join(reason.split()), markup=False)
    total = counted(n_done + len(reasons), "video")
    were = "was" if len(reasons) == 1 else "were"
    where = f"; {listed} lists all of them with the reasons" if listed else ""
    fail(
        f"{len(reasons)} of {total} {were} left out{where}",
        LEFT_OUT if n_done else NOTHING_DONE,
    )
