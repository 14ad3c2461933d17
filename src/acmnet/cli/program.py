"""Run one command line: import its verb, run it, and turn errors into one sentence."""

import sys
from collections.abc import Sequence

from cyclopts import CycloptsError

from acmnet.cli.options.dotted_settings import refuse_wrong_settings
from acmnet.cli.terminal.app import UsageError, app, fail
from acmnet.cli.terminal.exit_codes import USAGE
from acmnet.cli.terminal.interrupts import exit_code_of, interruptible, what_is_kept
from acmnet.cli.usage_sentences import usage_sentence
from acmnet.cli.verb_table import (
    COMPLETION,
    HELP,
    VERBS,
    VERSION,
    import_verb,
    named_verb,
)
from acmnet.files.file_access import os_error_sentence
from acmnet.messages import did_you_mean, one_line
from acmnet.training.optimisation.training_error import TrainingError


def run(tokens: Sequence[str]) -> None:
    """Run a command line, and exit unless all is done.

    Raises
    ------
    BrokenPipeError
        If the reader of the output has left.
    """
    try:
        _import_named(tokens)
        with interruptible():
            app(tokens, exit_on_error=False, print_error=False)
    except UsageError as error:
        fail(str(error), code=USAGE)
    except CycloptsError as error:
        fail(usage_sentence(str(error), tokens), code=USAGE)
    except BrokenPipeError:
        raise
    except OSError as error:
        fail(os_error_sentence(error))
    except (ValueError, TrainingError) as error:
        fail(str(error))
    except MemoryError:
        fail("out of memory; give fewer videos at once, or features of fewer columns")
    except RuntimeError as error:
        if not _is_out_of_gpu_memory(error):
            raise
        fail(f"out of GPU memory ({one_line(error)}); lower --training.batch-size")
    except KeyboardInterrupt as interrupt:
        fail(what_is_kept(tokens), code=exit_code_of(interrupt))


def _import_named(tokens: Sequence[str]) -> None:
    """Import the verb of a command line, unless its name or a setting is wrong.

    Raises
    ------
    UsageError
        If there is no such verb or setting.
    """
    if tokens[0] == COMPLETION:
        for verb in VERBS:  # the shell is told the options of each of them
            import_verb(verb)
        return
    name = named_verb(tokens)
    is_first = tokens[0] == name or tokens[0] in HELP
    if name in VERBS and is_first:
        refuse_wrong_settings(tokens)
        import_verb(name)
    elif tokens[0] != VERSION:
        wrong = name if is_first else tokens[0]
        raise UsageError(
            f"there is no verb {wrong!r}; {did_you_mean(wrong, VERBS)}acmnet --help "
            "lists all verbs"
        )


def _is_out_of_gpu_memory(error: RuntimeError) -> bool:
    """Return whether an error is torch's, of which nothing is known without torch."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(error, torch.OutOfMemoryError)
