"""The process of a round: it runs the round's commands one after another.

The server starts this module with ``python -m`` and a pipe as its input, before a round
is asked for: importing the libraries takes longer than half of a short round. Then the
process waits for the folder of the round. When the pipe closes, because the server
ended or was killed, a process that waits ends, and a command that is at work is asked
to stop and keeps what it has finished; the same round started again goes on from there.
A lock beside the rounds lets one process learn at a time, whatever server started it.
"""

import contextlib
import json
import os
import runpy
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, Final

from filelock import FileLock, Timeout

from acmnet.files.file_access import write_json
from acmnet.runtime.startup import SAFE_PATH
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
OF_EVERY_ROUND: Final = ("train", "localize")
"""The commands of which every round consists; printing their help imports all that they
need."""


def started(folder: Path | None = None) -> "subprocess.Popen[bytes]":
    """Start the process of a round; without its folder, it waits for `begin`."""
    return subprocess.Popen(
        [sys.executable, "-m", __name__, *([] if folder is None else [folder])],
        bufsize=0,  # what is written to it is sent at once
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | SAFE_PATH,
    )


def begin(process: "subprocess.Popen[bytes]", folder: Path) -> bool:
    """Let a process that waits run the round of a folder; False if it has ended."""
    if process.stdin is None:
        return False
    try:
        process.stdin.write(json.dumps(str(folder)).encode() + b"\n")
    except OSError:
        process.stdin.close()
        return False
    return True


def main(folder: Path | None, orders: BinaryIO) -> None:
    """Run a round, until its end or until ``orders`` is closed.

    Without a folder, import what a round needs, and wait for the folder.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server
    if folder is None:
        for command in OF_EVERY_ROUND:
            _exit_code((command, "--help"))
        order = orders.readline()
        if not order:
            return
        folder = Path(json.loads(order))
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
    """Stop the command when nobody can give orders any more."""
    with contextlib.suppress(OSError, ValueError):
        while orders.read(1):
            pass
    stop.set()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(PATIENCE_S)
    os._exit(1)


def _run(one: Round, stop: threading.Event) -> None:
    """Run the commands; write how each begins and how the round ended."""
    request, began = one.request, time.monotonic()
    if request is None:
        _write_state(one, FAILED, "", f"{one.folder} says nothing of what to do", 0.0)
        return
    before_s = float(one.state.get("seconds") or 0.0)
    log = one.folder / LOG
    _print_into(log)
    for step in request.steps:
        took_s = before_s + time.monotonic() - began
        _write_state(one, "running", step[0], "", took_s)
        start = log.stat().st_size
        sys.stdout.write("$ acmnet " + " ".join(step) + "\n")
        sys.stdout.flush()
        code = _exit_code(step)
        took_s = before_s + time.monotonic() - began
        if stop.is_set():
            _write_state(one, STOPPED, step[0], "stopped; it can go on", took_s)
            return
        if code not in SUCCESS_CODES:
            reasons = _reason_of_failure(log, start)
            why = reasons or f"acmnet {step[0]} ended with exit code {code}"
            _write_state(one, FAILED, step[0], why, took_s)
            return
    last = request.steps[-1][0] if request.steps else ""
    _write_state(one, DONE, last, "", before_s + time.monotonic() - began)


def _print_into(log: Path) -> None:
    """Append to a file from now on what this process and its workers print."""
    with log.open("ab") as file:
        for stream in (sys.stdout, sys.stderr):
            os.dup2(file.fileno(), stream.fileno())


def _exit_code(words: Sequence[str]) -> int:
    """Run a command as ``python -m acmnet`` does; return its exit code."""
    sys.argv = ["acmnet", *words]
    code: object = None
    try:
        runpy.run_module("acmnet", run_name="__main__")
    except SystemExit as end:
        code = end.code
    sys.stdout.flush()
    return code if isinstance(code, int) else int(code is not None)


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
    write_json(one.folder / STATE, values | {"seconds": round(seconds, 2)})


if __name__ == "__main__":
    main(next(map(Path, sys.argv[1:]), None), sys.stdin.buffer)
    # Python's clean-up would wait a second for the thread that reads the pipe, and fail
    os._exit(0)
