"""The process of a round: it runs the round's commands one after another.

The server starts this module with ``python -m`` and the folder of the round, and with a
pipe as its input. When the pipe closes, because the server ended or was killed, the
present command is asked to stop and keeps what it has finished; the same round started
again goes on from there. A lock beside the rounds lets one process learn at a time,
whatever server started it.
"""

import contextlib
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import BinaryIO, Final

from filelock import FileLock, Timeout

from acmnet.files.file_access import write_json
from acmnet.show.bench.rounds.round_folders import (
    DONE,
    FAILED,
    LOG,
    STATE,
    STOPPED,
    Round,
)

SUCCESS_CODES: Final = (0, 3)
"""Exit codes of commands that did their work; with 3, some videos were left out."""
PATIENCE_S: Final = 30.0
"""Seconds that a command may take to stop before it is killed."""
BUSY_MESSAGE: Final = (
    "another round of this bench is still learning; wait until it has ended"
)
REASON_PREFIX: Final = "acmnet: "
"""How the line begins in which a command says why it failed."""


def main(folder: Path, orders: BinaryIO) -> None:
    """Run a round, until its end or until ``orders`` is closed."""
    one = Round(folder)
    lock = FileLock(folder.parent / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        _write_state(one, FAILED, "", BUSY_MESSAGE, 0.0)
        return
    stop = threading.Event()
    threading.Thread(target=_wait_for_end, args=(orders, stop), daemon=True).start()
    try:
        _run(one, stop)
    finally:
        lock.release()


def _wait_for_end(orders: BinaryIO, stop: threading.Event) -> None:
    """Set an event when nobody can give orders any more."""
    with contextlib.suppress(OSError, ValueError):
        while orders.read(1):
            pass
    stop.set()


def _run(one: Round, stop: threading.Event) -> None:
    """Run the commands; write how each begins and how the round ended."""
    request, began = one.request, time.monotonic()
    if request is None:
        _write_state(one, FAILED, "", f"{one.folder} says nothing of what to do", 0.0)
        return
    before_s = float(one.state.get("seconds") or 0.0)
    with (one.folder / LOG).open("ab") as log:
        for step in request.steps:
            took_s = before_s + time.monotonic() - began
            _write_state(one, "running", step[0], "", took_s)
            start = log.tell()
            code = _command(step, log, stop)
            took_s = before_s + time.monotonic() - began
            if stop.is_set():
                _write_state(one, STOPPED, step[0], "stopped; it can go on", took_s)
                return
            if code not in SUCCESS_CODES:
                reasons = _reason_of_failure(one.folder / LOG, start)
                why = reasons or f"acmnet {step[0]} ended with exit code {code}"
                _write_state(one, FAILED, step[0], why, took_s)
                return
    last = request.steps[-1][0] if request.steps else ""
    _write_state(one, DONE, last, "", before_s + time.monotonic() - began)


def _command(step: tuple[str, ...], log: BinaryIO, stop: threading.Event) -> int:
    """Run one command to its end, or stop it; return its exit code."""
    log.write(("$ acmnet " + " ".join(step) + "\n").encode())
    log.flush()
    process = subprocess.Popen(
        [sys.executable, "-m", "acmnet", *step],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.wait(0.1)
        if stop.is_set():
            return ended(process, PATIENCE_S)


def ended(process: "subprocess.Popen[bytes]", patience_s: float) -> int:
    """Ask a process to stop, kill it if it takes too long; return its exit code."""
    process.terminate()
    try:
        return process.wait(patience_s)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def _reason_of_failure(log: Path, start: int) -> str:
    """Return the sentence in which the last command said why it failed."""
    with log.open("rb") as file:
        file.seek(start)
        lines = file.read().decode(errors="replace").splitlines()
    reasons = (
        x.removeprefix(REASON_PREFIX)
        for x in reversed(lines)
        if x.startswith(REASON_PREFIX)
    )
    return next(reasons, "")


def _write_state(
    one: Round, state: str, step: str, message: str, seconds: float
) -> None:
    """Write how the round is."""
    values = {"state": state, "step": step, "message": message}
    write_json(one.folder / STATE, values | {"seconds": round(seconds, 1)})


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.stdin.buffer)
