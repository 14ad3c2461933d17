"""Which classes of their own users let run although only a file names them.

A store of features and a trained run say which extractor made their features. They may
come from somebody else, so a ``module:Class`` in them is not imported unless the user
names it too, or has listed it in a file of their own.
"""

import os
from pathlib import Path


def trusted_file() -> Path:
    """Return where users list the extractors that they trust, one a line.

    ``$XDG_CONFIG_HOME/acmnet/trusted_extractors``, else
    ``~/.config/acmnet/trusted_extractors``.
    """
    given = Path(os.environ.get("XDG_CONFIG_HOME", ""))
    home = given if given.is_absolute() else Path("~/.config").expanduser()
    return home / "acmnet" / "trusted_extractors"


def is_trusted(extractor: str) -> bool:
    """Return whether the user has listed ``module:Class`` as trusted.

    Raises
    ------
    OSError
        If the list is there but cannot be read.
    """
    path = trusted_file()
    if not (path.is_absolute() and path.is_file()):
        return False
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return extractor in {line.strip() for line in lines}
