"""A user's own extractor: which class may run, and how an instance of it is made.

A directory of features and a trained run state which extractor made the features. They
may come from somebody else. Therefore a ``module:Class`` that they state is imported
only if the user names it, too, or has listed it as trusted.
"""

import importlib
import os
import sys
from pathlib import Path

from acmnet.extraction.extractors.extractor import Extractor
from acmnet.extraction.extractors.extractor_names import (
    MODULE_AND_CLASS,
    ExtractorError,
)
from acmnet.messages import quoted


def own_extractor(name: str, *, is_named: bool = True) -> Extractor:
    """Return an instance of a user's own class, made without arguments.

    Parameters
    ----------
    name : str
        ``module:Class``.
    is_named : bool
        Whether the user has named the class, rather than a file. Its module is then
        searched for in the working directory, too, after Python's path.

    Raises
    ------
    ExtractorError
        If there is no such module or class, the instance cannot be made, or it lacks an
        attribute of `Extractor`.
    """
    if not MODULE_AND_CLASS.fullmatch(name):
        raise ExtractorError(
            f"an extractor of your own is named as module:Class, got {name!r}"
        )
    module_name, _, class_name = name.partition(":")
    directory = str(Path.cwd())
    if is_named and directory not in sys.path:
        sys.path.append(directory)
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise ExtractorError(
            f"extractor {name!r}: {error}; give module:Class of a module that Python "
            "can import from here"
        ) from error
    cls = getattr(module, class_name, None)
    if cls is None:
        raise ExtractorError(
            f"extractor {name!r}: {module_name} has no {class_name!r}; it has "
            f"{', '.join(n for n in vars(module) if n[0] != '_') or 'no names'}"
        )
    extractor: Extractor = cls()
    wanted = [n for n in vars(Extractor) if n[0] != "_"]
    lacking = [n for n in wanted if not hasattr(extractor, n)]
    if lacking:
        raise ExtractorError(
            f"extractor {name!r} lacks {', '.join(lacking)}; an extractor has "
            f"{', '.join(wanted)} (acmnet.extraction.extractors.extractor.Extractor)"
        )
    return extractor


def trusted_file() -> Path:
    """Return the file in which users list the extractors that they trust, one a line.

    It is ``$XDG_CONFIG_HOME/acmnet/trusted_extractors``, or, where that variable is not
    set, ``~/.config/acmnet/trusted_extractors``.
    """
    given = Path(os.environ.get("XDG_CONFIG_HOME", ""))
    home = given if given.is_absolute() else Path("~/.config").expanduser()
    return home / "acmnet" / "trusted_extractors"


def is_trusted(extractor: str) -> bool:
    """Return whether the user has listed ``module:Class`` as trusted.

    Raises
    ------
    OSError
        If the file exists but cannot be read.
    """
    path = trusted_file()
    if not (path.is_absolute() and path.is_file()):
        return False
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return extractor in {line.strip() for line in lines}


def refuse_untrusted(part: str, extractor: str, source: str) -> None:
    """Refuse a class that only a file names, unless the user has listed it as trusted.

    Parameters
    ----------
    part : str
        One of the extractors that ``extractor`` joins; those of acmnet are trusted.
    extractor : str
        What the file names.
    source : str
        The file, for messages.

    Raises
    ------
    ExtractorError
        The message says which class the file asks for, and how to allow it.
    """
    if ":" not in part:
        return
    asks = f"{source} asks for the extractor {quoted(part)}"
    if not MODULE_AND_CLASS.fullmatch(part):
        raise ExtractorError(f"{asks}, which is not of the form module:Class")
    if not is_trusted(part):
        raise ExtractorError(
            f"{asks}, which is code that does not belong to acmnet; nothing of it was "
            f"run; if you trust it, give --extractor {extractor}, or add the line "
            f"{part} to {trusted_file()}"
        )
