"""How far a training has come, from the files that it writes."""

import json
import math
import os
import time
from pathlib import Path
from typing import Any, Final

from acmnet.files import open_regular
from acmnet.limits import finite
from acmnet.pipeline.run_state import LOG_FILE
from acmnet.pipeline.stored_model import TEACHERS
from acmnet.training.checkpoint import written_at

QUIET_S: Final = 60.0
"""A log that was not written to for so long is of no training that goes on."""
TAIL_BYTES: Final = 4096


def state_of(run: Path) -> dict[str, Any]:
    """Return what is going on in a run, as the page asks for it.

    Returns
    -------
    dict
        ``sentence``, empty where nothing is trained at the moment, and ``checkpoint``,
        which changes with each new one.
    """
    logs = [run / LOG_FILE, *run.glob(f"{TEACHERS}/*/{LOG_FILE}")]
    written = {path: time_s for path in logs if (time_s := _written(path)) is not None}
    sentence = ""
    if written:
        newest = max(written, key=lambda path: written[path])
        last = _last_line(newest)
        if time.time() - written[newest] < QUIET_S and last:
            of = "" if newest.parent == run else f" of teacher {newest.parent.name}"
            sentence = (
                f"training: epoch {last.get('epoch', '?')}{of}, loss "
                f"{finite(last.get('total')) or math.nan:.4g}"
            )
    return {"sentence": sentence, "checkpoint": written_at(run)}


def _written(path: Path) -> float | None:
    """Return when a file was last written to; None where there is none."""
    try:
        return path.stat().st_mtime
    except OSError:
        return None


def _last_line(path: Path) -> dict[str, Any]:
    """Return the last whole line of a log; the one after it may be half written."""
    try:
        with open_regular(path) as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - TAIL_BYTES))
            whole = file.read().decode(errors="replace").rpartition("\n")[0]
    except OSError:  # gone by now, or no file
        return {}
    for line in reversed(whole.splitlines()):
        try:
            values = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(values, dict):
            return values
    return {}
