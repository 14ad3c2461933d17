"""How far a training is, read from the files that it writes."""

import math
import time
from pathlib import Path
from typing import Any, Final

from acmnet.checkpoints.checkpoint_folder import written_at
from acmnet.limits import finite
from acmnet.models.stored_model import TEACHERS, TRIAL
from acmnet.runs.run_state import LOG_FILE
from acmnet.show.bench.rounds.log_tail import last_line

QUIET_S: Final = 60.0
"""If a log was not written to for this long, its training no longer runs."""


def state_of(run: Path) -> dict[str, Any]:
    """Return whether a run is being trained at the moment, for the page.

    Returns
    -------
    dict
        ``sentence`` says how far the training is, and is empty if there is none.
        ``checkpoint`` is the time of the newest checkpoint, None if there is none.
    """
    parts = {TEACHERS: " of teacher ", TRIAL: " of the trial of marks, network "}
    logs = [
        run / LOG_FILE,
        *(x for part in parts for x in run.glob(f"{part}/*/{LOG_FILE}")),
    ]
    written = {path: time_s for path in logs if (time_s := _written(path)) is not None}
    sentence = ""
    if written:
        newest = max(written, key=lambda path: written[path])
        last = last_line(newest)
        if time.time() - written[newest] < QUIET_S and last:
            of = ""
            if newest.parent != run:
                of = f"{parts[newest.parent.parent.name]}{newest.parent.name}"
            sentence = (
                f"training: epoch {last.get('epoch', '?')}{of}, loss "
                f"{finite(last.get('total')) or math.nan:.4g}"
            )
    return {"sentence": sentence, "checkpoint": written_at(run)}


def _written(path: Path) -> float | None:
    """Return when a file was last written to; None if there is no such file."""
    try:
        return path.stat().st_mtime
    except OSError:
        return None
