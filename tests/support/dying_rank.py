"""``acmnet`` in a process of torchrun, the second of which dies once.

The first word is the file that says that it has died; the others are for ``acmnet``.
"""

import os
import signal
import sys
from pathlib import Path

from acmnet.cli import main
from acmnet.runs.run_directory import RunDirectory

LAST_EPOCH = 2
"""The epoch at whose end the process dies."""


def _dying(end_epoch, flag):
    """Return `RunDirectory.end_epoch`, before which this process dies once."""

    def end_or_die(self, log, progress, as_model):
        if progress.epoch == LAST_EPOCH and not flag.exists():
            flag.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        end_epoch(self, log, progress, as_model)

    return end_or_die


if __name__ == "__main__":
    if os.environ["RANK"] == "1":
        RunDirectory.end_epoch = _dying(RunDirectory.end_epoch, Path(sys.argv[1]))
    main(sys.argv[2:])
