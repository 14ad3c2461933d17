"""The application acmnet: its consoles, exit codes, notes and one-sentence refusals."""

import os
import sys
from collections.abc import Sequence
from typing import Final, NoReturn

from cyclopts import App
from rich.console import Console

from acmnet.messages import counted
from acmnet.startup import is_first_process

NOTHING_DONE: Final = 1
"""Exit code of a command that was refused or failed: it leaves no result."""
USAGE: Final = 2
"""Exit code of a command line with unknown or contradictory options."""
LEFT_OUT: Final = 3
"""Exit code of a command that wrote its result but had to leave out some videos."""
INTERRUPTED: Final = 130
"""Exit code after Ctrl-C: 128 + SIGINT, as shells define it."""
TERMINATED: Final = 143
"""Exit code after SIGTERM: 128 + SIGTERM, as shells define it."""
EXIT_CODES: Final = (
    f"Exit codes: 0 done; {LEFT_OUT} done, with videos left out, which are listed; "
    f"{NOTHING_DONE} nothing done; {USAGE} wrong usage; {INTERRUPTED} after Ctrl-C; "
    f"{TERMINATED} after SIGTERM."
)
"""What the exit codes of every verb mean, for the help."""
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
    help="Learn when actions happen in videos from nothing but their names.",
    help_epilogue=EXIT_CODES,
    result_action="return_value",
    suppress_keyboard_interrupt=False,
    console=_PipedConsole(),
)


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
