"""The application: its consoles, its exit codes, and how it says no in one sentence."""

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
"""Exit code of a command line that makes no sense."""
LEFT_OUT: Final = 3
"""Exit code of a command whose result is there, without the videos that it lists."""
INTERRUPTED: Final = 130
"""Exit code after Ctrl-C (128 + SIGINT), as shells have it."""
TERMINATED: Final = 143
"""Exit code after SIGTERM (128 + SIGTERM), as shells have it."""
EXIT_CODES: Final = (
    f"Exit codes: 0 done; {LEFT_OUT} done, with videos left out, which are listed; "
    f"{NOTHING_DONE} nothing done; {USAGE} wrong usage; {INTERRUPTED} after Ctrl-C; "
    f"{TERMINATED} after SIGTERM."
)
"""The rule for all verbs: what can be done is done, and the rest is listed."""
SHOWN: Final = 20
"""At most this many videos are named on the terminal where a file lists all of them."""

OVERRIDES_HELP = (
    "Any setting of a recipe can be given by its dotted name, such as "
    "--training.epochs 50 or --localization.activation-thresholds 0.1,0.2; "
    "`acmnet recipes show NAME` lists them all."
)

PIPE_COLUMNS: Final = 1000
"""Width of tables that go to a file or another program: no cell is cut there."""


class _PipedConsole(Console):
    """A console whose reader may leave before the command has ended, as head does."""

    def on_broken_pipe(self) -> None:
        """Print nothing more; the command itself goes on to its end."""
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
    help_epilogue=f"{OVERRIDES_HELP}\n\n{EXIT_CODES}",
    result_action="return_value",
    suppress_keyboard_interrupt=False,
    console=_PipedConsole(),
)


class UsageError(ValueError):
    """A combination of options that makes no sense."""


def note(sentence: str) -> None:
    """Tell the user something that does not stop the command."""
    if not quiet():
        errors.print(f"note: {sentence}", markup=False)


def quiet() -> bool:
    """Whether this is one of torchrun's further processes."""
    return not is_first_process()


def fail(sentence: str, code: int = NOTHING_DONE) -> NoReturn:
    """Say why on stderr, in one line, and exit."""
    if not quiet():
        errors.print("acmnet: " + " ".join(sentence.split()), markup=False)
    sys.exit(code)


def fail_for_left_out(reasons: Sequence[str], n_done: int, listed: str = "") -> None:
    """Name the videos that were left out, with reasons, and exit; return if none were.

    Parameters
    ----------
    reasons : sequence of str
        One sentence for each video, which names it.
    n_done : int
        Videos that the command was done for. Where there is none, nothing was done.
    listed : str
        The file that lists all of them; without one, all are printed.
    """
    if not reasons:
        return
    shown = len(reasons) if not listed else SHOWN
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
