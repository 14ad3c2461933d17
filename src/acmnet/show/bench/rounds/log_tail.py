"""The last line of a log that a training may be writing to at this moment."""

import json
import os
from pathlib import Path
from typing import Any, Final

from acmnet.files.file_access import open_regular

TAIL_BYTES: Final = 4096
"""How much of the end of a log is read to find its last line."""


def last_line(path: Path) -> dict[str, Any]:
    """Return the last complete line of a log; a half-written one is skipped."""
    try:
        with open_regular(path) as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - TAIL_BYTES))
            whole = file.read().decode(errors="replace").rpartition("\n")[0]
    except OSError:  # removed meanwhile, or no regular file
        return {}
    for line in reversed(whole.splitlines()):
        if values := values_of(line):
            return values
    return {}


def values_of(line: str) -> dict[str, Any]:
    """Return the JSON object of a line; empty if it is none."""
    try:
        values = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}
