"""The command line: a module for each verb, and `main`, which runs them.

A mistake ends with one sentence on stderr and a code of `acmnet.cli.app.EXIT_CODES`.
"""

import os
import sys
from collections.abc import Sequence
from typing import Final

import torch
from cyclopts import CycloptsError
from cyclopts.exceptions import UnknownOptionError

from acmnet.cli import (
    ablate,
    calibrate,
    check,
    crossvalidate,
    demo,
    diagnose,
    doctor,
    evaluate,
    extract,
    figures,
    fit,
    localize,
    pose,
    protocols,
    recipes,
    render,
    report,
    simulate,
    train,
    view,
    weights,
)
from acmnet.cli.app import USAGE, UsageError, app, fail
from acmnet.cli.dotted_settings import why_unknown
from acmnet.cli.interrupts import exit_code_of, interruptible, what_is_kept
from acmnet.files import one_line, said
from acmnet.startup import SAFE_PATH
from acmnet.training.loop import TrainingError

__all__ = ["main"]

VERBS: Final = (
    ablate,
    calibrate,
    check,
    crossvalidate,
    demo,
    diagnose,
    doctor,
    evaluate,
    extract,
    figures,
    fit,
    localize,
    pose,
    protocols,
    recipes,
    render,
    report,
    simulate,
    train,
    view,
    weights,
)
"""The modules of the verbs: importing one makes its verb known to `app`."""


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line and exit."""
    tokens = list(sys.argv[1:] if argv is None else argv)
    os.environ.update(SAFE_PATH)  # for every process that a verb starts
    try:
        with interruptible():
            app(tokens, exit_on_error=False, print_error=False)
    except UnknownOptionError as error:
        fail(why_unknown(app, error), code=USAGE)
    except (UsageError, CycloptsError) as error:
        fail(str(error), code=USAGE)
    except BrokenPipeError:  # the reader of our output, such as head, has left
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        fail(said(error))
    except (ValueError, TrainingError) as error:
        fail(str(error))
    except MemoryError:
        fail("out of memory; give fewer videos at once, or features of fewer columns")
    except torch.OutOfMemoryError as error:
        fail(f"out of GPU memory ({one_line(error)}); lower --training.batch-size")
    except KeyboardInterrupt as interrupt:
        fail(what_is_kept(tokens), code=exit_code_of(interrupt))
