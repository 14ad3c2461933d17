"""Run one command line: import its verb, run it, and turn errors into one sentence.

What cyclopts says of a wrong command line is put into the words of acmnet's messages.
"""

import re
import sys
from collections.abc import Sequence
from typing import Final

from cyclopts import CycloptsError

from acmnet.cli.options.dotted_settings import refuse_wrong_settings, verb_of
from acmnet.cli.terminal.app import UsageError, app, fail
from acmnet.cli.terminal.exit_codes import USAGE
from acmnet.cli.terminal.interrupts import exit_code_of, interruptible, kept_sentence
from acmnet.cli.verb_table import (
    COMPLETION,
    HELP,
    SECOND_WORDS,
    VERBS,
    VERSION,
    WITH_SETTINGS,
    import_verb,
    named_verb,
)
from acmnet.files.file_access import os_error_sentence
from acmnet.messages import did_you_mean, one_line, quoted
from acmnet.recipes import setting_names
from acmnet.training.optimisation.training_error import TrainingError

KINDS: Final = {"int": "a whole number", "float": "a number"}
"""Words for the types of values that texts are converted to."""
_LACKING: Final = re.compile(
    r'Command "(?P<verb>[^"]+)" parameter (?P<name>\S+) requires an argument\.'
    r"(?P<rest>.*)",
    re.DOTALL,
)
_UNUSED: Final = re.compile(r"Unused Tokens: \[(?P<words>.*)\]\.?")
_UNFIT: Final = re.compile(
    r'Invalid value for (?P<name>\S+): unable to convert "(?P<value>.*)" into '
    r"(?P<kind>\w+)\."
)
_REPEATED: Final = re.compile(r"Parameter (?P<name>--\S+) specified multiple times\.")
_REFUSED: Final = re.compile(
    r'Invalid value "(?P<value>.*)" for (?P<name>\S+)\. (?P<why>must .*)', re.DOTALL
)
"""What our own validators refuse: their messages begin with "must"."""
_UNKNOWN: Final = re.compile(
    r'Unknown option: "?(?P<name>[^"\s=]+)[^"\s]*?"?\.'
    r"(?: Did you mean (?P<near>\S+)\?)?"
)
_CHOICE: Final = re.compile(
    r'Invalid value "(?P<value>.*)" for (?P<name>\S+)\. Choose from: '
    r'(?P<known>.*?)\.(?: Did you mean "(?P<near>.*)"\?)?'
)


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
        fail(kept_sentence(tokens), code=exit_code_of(interrupt))


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


def usage_sentence(message: str, tokens: Sequence[str]) -> str:
    """Return a sentence of cyclopts in plain words, or unchanged if it is not known.

    Parameters
    ----------
    message : str
        The message of cyclopts.
    tokens : sequence of str
        The words of the command line.

    Examples
    --------
    >>> message = 'Command "fit" parameter --out requires an argument.'
    >>> usage_sentence(message, ["fit", "videos", "labels.csv"])
    'acmnet fit needs --out; acmnet fit --help explains it'
    >>> usage_sentence(message, ["fit", "videos", "labels.csv", "--out"])
    '--out needs a value; acmnet fit --help explains it'
    >>> usage_sentence('Invalid value for --top: unable to convert "x" into int.', [])
    "--top must be a whole number, got 'x'"
    >>> usage_sentence('Invalid value "c.csv" for --out. must name a folder', [])
    "--out must name a folder, got 'c.csv'"
    """
    if match := _LACKING.fullmatch(message):
        verb, name, rest = match["verb"], match["name"], match["rest"].strip()
        choice = (
            f"{name} needs a value" if name in tokens else f"acmnet {verb} needs {name}"
        )
        return f"{choice}; acmnet {verb} --help explains it" + (
            f". {rest}" if rest else ""
        )
    if match := _UNUSED.fullmatch(message):
        return _wrong_second_word(tokens) or (
            f"more words were given than acmnet {_called(tokens)} takes: "
            f"{match['words']}; put names that have blanks into quotes"
        )
    if (match := _UNFIT.fullmatch(message)) and match["kind"] in KINDS:
        return f"{match['name']} must be {KINDS[match['kind']]}, got {match['value']!r}"
    if match := _UNKNOWN.fullmatch(message):
        verb = verb_of(tokens)
        near = _setting_called(match["name"], verb) or match["near"]
        meant = f"did you mean {near}? " if near else ""
        return (
            f"acmnet {verb} has no option {match['name']}; {meant}acmnet {verb} --help "
            "lists all options"
        )
    if match := _CHOICE.fullmatch(message):
        near = match["near"]
        meant = f"; did you mean {near!r}?" if near else ""
        known = match["known"].replace('"', "")
        return f"{match['name']} must be one of {known}, got {match['value']!r}{meant}"
    if match := _REFUSED.fullmatch(message):
        return f"{match['name']} {match['why']}, got {match['value']!r}"
    if match := _REPEATED.fullmatch(message):
        return f"{match['name']} is given more than once; keep one of them"
    return message


def _wrong_second_word(tokens: Sequence[str]) -> str | None:
    """Return a sentence on a second word that its verb does not know, or None."""
    verb, *words = tokens
    known = SECOND_WORDS.get(verb, ())
    if not known or not words or words[0] in known or words[0].startswith("-"):
        return None
    can = " or ".join(f"acmnet {verb} {word}" for word in known)
    meant = did_you_mean(words[0], known)
    return f"there is no acmnet {verb} {quoted(words[0])}; {meant}there is {can}"


def _called(tokens: Sequence[str]) -> str:
    """Return the words of a command line that name what is called."""
    is_of_two = tokens[1:2] and tokens[1] in SECOND_WORDS.get(tokens[0], ())
    return " ".join(tokens[: 2 if is_of_two else 1])


def _setting_called(option: str, verb: str) -> str | None:
    """Return the option of a setting that was given without its group.

    That of ``--epochs`` is ``--training.epochs``. None where no setting is called so,
    or the verb takes no settings.
    """
    name = option.removeprefix("--").replace("-", "_")
    named = (x for x in setting_names() if x.rpartition(".")[2] == name)
    setting = next(named, None) if verb in WITH_SETTINGS else None
    return None if setting is None else "--" + setting.replace("_", "-")
