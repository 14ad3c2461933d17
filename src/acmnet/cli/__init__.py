"""The command line: a module for each verb, and `main`, which runs them.

`verb_table` lists the verbs, and `program` imports and runs the one that was asked for
and says what is wrong with a command line. Each verb is a module in ``verbs``, such as
``verbs.train``. Three folders serve them: ``terminal`` is what all verbs show,
``options`` are the options that several verbs share, and ``verb_parts`` are steps that
verbs share or that are too long for one file. A mistake ends with one sentence on
stderr and a code of `terminal.exit_codes`.
"""

import os
import sys
from collections.abc import Sequence

from acmnet.cli.terminal.first_page import show_first_page
from acmnet.cli.verb_table import HELP, named_verb
from acmnet.runtime.startup import SAFE_PATH, SHORT_WAIT, end_other_process

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line and exit."""
    tokens = list(sys.argv[1:] if argv is None else argv)
    os.environ.update(SAFE_PATH)  # for every process that a verb starts
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault(*SHORT_WAIT)
    try:
        if not tokens or (tokens[0] in HELP and not named_verb(tokens)):
            show_first_page()
        else:
            # the libraries that it imports take longer than the page of help
            from acmnet.cli.program import run

            run(tokens)
            end_other_process()
    except BrokenPipeError:  # the reader of our output, such as head, has left
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
