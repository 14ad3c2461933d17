"""The exit codes of every verb."""

from typing import Final

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
