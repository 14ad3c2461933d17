"""Ctrl-C and SIGTERM: what a verb that is stopped by them says and leaves."""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Final

from acmnet.cli.app import INTERRUPTED, TERMINATED
from acmnet.startup import end_before_it_began
from acmnet.training.checkpoint import has_checkpoint

GOES_ON: Final = "what is finished is kept: the same command goes on where it stopped"
KEPT: Final = {
    "extract": GOES_ON,
    "fit": GOES_ON,
    "crossvalidate": GOES_ON,
    "ablate": GOES_ON,
    "localize": "no detections were written; features that lie beside --out are kept: "
    "the same command goes on with them",
    "view": "reviews that were saved are kept in reviews.json of the run",
}
"""What is kept, and how to go on, by verb; other verbs write their files at the end."""
NOTHING: Final = "it was not done yet: give the same command again"


class Terminated(KeyboardInterrupt):
    """SIGTERM has come."""


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Let SIGINT and SIGTERM raise where the verb is, so that it can clean up.

    SIGTERM raises `Terminated`. A second Ctrl-C ends the process at once. A signal that
    is ignored stays so: a shell has what it runs in the background ignore Ctrl-C.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are another thread's business
        return
    ours = (signal.SIG_DFL, signal.default_int_handler, end_before_it_began)
    before = {
        number: signal.getsignal(number)
        for number in (signal.SIGINT, signal.SIGTERM)
        if signal.getsignal(number) in ours
    }
    for number in before:
        signal.signal(number, _raise)
    try:
        yield
    finally:
        for number, handler in before.items():
            is_early = handler is end_before_it_began
            signal.signal(number, signal.SIG_DFL if is_early else handler)


def _raise(number: int, _frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if number == signal.SIGTERM:
        raise Terminated
    signal.signal(signal.SIGINT, lambda *_: os._exit(INTERRUPTED))
    raise KeyboardInterrupt


def exit_code_of(interrupt: KeyboardInterrupt) -> int:
    """Return the code to exit with after a signal."""
    return TERMINATED if isinstance(interrupt, Terminated) else INTERRUPTED


def what_is_kept(tokens: Sequence[str]) -> str:
    """Return a sentence on what a verb that was stopped keeps, and how to go on.

    Parameters
    ----------
    tokens : sequence of str
        The command line.
    """
    verb = tokens[0] if tokens else ""
    kept = _trained(tokens) if verb == "train" else KEPT.get(verb, NOTHING)
    if kept == GOES_ON and "--overwrite" in tokens:
        kept += ", without --overwrite"
    return f"stopped; {kept}"


def _trained(tokens: Sequence[str]) -> str:
    """Return what a training keeps: its newest checkpoint, if there is one."""
    out = ""
    for token, value in zip(tokens, [*tokens[1:], ""], strict=True):
        if token == "--out":
            out = value
        elif token.startswith("--out="):
            out = token.removeprefix("--out=")
    instead = " in place of --overwrite" if "--overwrite" in tokens else ""
    how = f"the same command with --resume{instead}"
    if out and has_checkpoint(Path(out)):
        return f"the newest checkpoint in {out} is kept: {how} goes on from there"
    return (
        "no checkpoint was written yet (--training.checkpoint-every says how often): "
        f"{how} begins anew"
    )
