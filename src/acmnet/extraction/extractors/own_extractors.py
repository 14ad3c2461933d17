"""Imports the class of a user's own extractor and makes an instance of it."""

import importlib
import sys
from pathlib import Path

from acmnet.extraction.extractors.extractor import Extractor
from acmnet.extraction.extractors.extractor_names import (
    MODULE_AND_CLASS,
    ExtractorError,
)


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
    here = str(Path.cwd())
    if is_named and here not in sys.path:
        sys.path.append(here)
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise ExtractorError(
            f"extractor {name!r}: {error}; give module:Class of a module that Python "
            "can import from here"
        ) from error
    made = getattr(module, class_name, None)
    if made is None:
        raise ExtractorError(
            f"extractor {name!r}: {module_name} has no {class_name!r}; it has "
            f"{', '.join(n for n in vars(module) if n[0] != '_') or 'no names'}"
        )
    extractor: Extractor = made()
    wanted = [n for n in vars(Extractor) if n[0] != "_"]
    lacking = [n for n in wanted if not hasattr(extractor, n)]
    if lacking:
        raise ExtractorError(
            f"extractor {name!r} lacks {', '.join(lacking)}; an extractor has "
            f"{', '.join(wanted)} (acmnet.extraction.extractors.extractor.Extractor)"
        )
    return extractor
