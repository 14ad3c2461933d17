"""Ctrl-C and SIGTERM: how a verb is stopped, and what it then says is kept."""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Final

from acmnet.cli.terminal.exit_codes import INTERRUPTED, TERMINATED
from acmnet.runtime.startup import end_before_it_began

KEPT_AND_RESUMABLE: Final = (
    "what is finished is kept: the same command goes on where it stopped"
)
"""What is printed when a verb is stopped that continues when it is called again."""
KEPT_BY_VERB: Final = {
    "extract": KEPT_AND_RESUMABLE,
    "fit": KEPT_AND_RESUMABLE,
    "crossvalidate": KEPT_AND_RESUMABLE,
    "ablate": KEPT_AND_RESUMABLE,
    "cut": KEPT_AND_RESUMABLE,
    "pack": KEPT_AND_RESUMABLE,
    "simulate": KEPT_AND_RESUMABLE,
    "demo": "the folder that --out names keeps what was made so far, and the same "
    "command writes over it",
    "features": "the videos that were read are kept in the folder that --out names, "
    "but no verb reads it without features.json: the same command writes all of it",
    "pose": "the tracks that were written are kept; the same command writes those of "
    "all videos, so name only the videos that are missing",
    "localize": "no detections were written; features that were extracted into "
    "--features or beside --out are kept, and the same command uses them",
    "label": "all marks are kept, and a round of learning "
    "that was under way goes on with the next click on Learn again",
    "view": "all marks are kept in marks.json of the run, and a round of learning that "
    "was under way goes on with the next click on Learn again",
}
"""What each verb keeps when it is stopped. Verbs that are not listed keep nothing."""
NOTHING_KEPT: Final = "nothing was written yet: give the same command again"
"""What is told on a stop of a verb that writes its files at the end."""


class Terminated(KeyboardInterrupt):
    """Raised where the verb is when SIGTERM arrives."""


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Within the block, make Ctrl-C and SIGTERM exceptions, so that a verb cleans up.

    Ctrl-C raises `KeyboardInterrupt` and SIGTERM raises `Terminated`. A second Ctrl-C
    ends the process at once. A signal that the process ignores stays ignored: shells
    let background jobs ignore Ctrl-C.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread can handle signals
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
    """Raise the exception of a signal, and let the next one not disturb cleaning up."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if number == signal.SIGTERM:
        raise Terminated
    signal.signal(signal.SIGINT, lambda *_: os._exit(INTERRUPTED))
    raise KeyboardInterrupt


def exit_code_of(interrupt: KeyboardInterrupt) -> int:
    """Return the exit code of the signal that raised the exception."""
    return TERMINATED if isinstance(interrupt, Terminated) else INTERRUPTED


def kept_sentence(tokens: Sequence[str]) -> str:
    """Return a sentence that says what the stopped verb keeps, and how to go on.

    Parameters
    ----------
    tokens : sequence of str
        The words of the command line, after ``acmnet``.
    """
    verb = tokens[0] if tokens else ""
    kept = _trained(tokens) if verb == "train" else KEPT_BY_VERB.get(verb, NOTHING_KEPT)
    if kept == KEPT_AND_RESUMABLE and "--overwrite" in tokens:
        kept += ", without --overwrite"
    return f"stopped; {kept}"


def _trained(tokens: Sequence[str]) -> str:
    """Return what `acmnet train` keeps: the newest checkpoint in --out, if any."""
    # imports torch, which is there by then: checkpoints are what `train` writes
    from acmnet.checkpoints.checkpoint_folder import has_checkpoint

    out = ""
    for token, value in zip(tokens, [*tokens[1:], ""], strict=True):
        if token == "--out":
            out = value
        elif token.startswith("--out="):
            out = token.removeprefix("--out=")
    instead = " in place of --overwrite" if "--overwrite" in tokens else ""
    command = f"the same command with --resume{instead}"
    if out and has_checkpoint(Path(out)):
        return f"the newest checkpoint in {out} is kept: {command} goes on from there"
    return (
        "no checkpoint was written yet (--training.checkpoint-every sets how often one "
        f"is): {command} starts from the beginning"
    )
