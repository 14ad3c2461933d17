"""The list of a user's own extractor classes that may run if a file names them.

A directory of features and a trained run state which extractor made the features. They
may come from somebody else. Therefore a ``module:Class`` that they state is imported
only if the user names it, too, or has listed it in the file of this module.
"""

import os
from pathlib import Path

from acmnet.extraction.extractors.extractor_names import (
    MODULE_AND_CLASS,
    ExtractorError,
)
from acmnet.messages import quoted


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
