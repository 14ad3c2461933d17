"""Learn again from the marks: starts rounds, tells how far they are, ends them.

A round runs in a process of its own (`acmnet.show.bench.rounds.round_process`), which
may be started before the round is asked for. Only one round runs at a time.
"""

import contextlib
import json
import shutil
import subprocess
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from filelock import FileLock, Timeout

from acmnet.files.file_access import make_folder, write_text
from acmnet.show.bench.marks.bench_labels import (
    Labels,
    label_text,
    label_values,
    problems_in,
)
from acmnet.show.bench.marks.mark_store import present_time
from acmnet.show.bench.rounds.round_folders import (
    FAILED,
    LABELS,
    LOG,
    STOPPED,
    Request,
    Round,
    last_done,
    round_of,
    rounds_in,
)
from acmnet.show.bench.rounds.round_process import PATIENCE_S, begin, started


class CannotLearnError(ValueError):
    """Learning cannot begin now; the message says why."""


class Method(NamedTuple):
    """How rounds are made."""

    steps: Callable[[Round, Round | None], Sequence[Sequence[str]]]
    """Given a round and the one before, returns the commands that the round consists
    of, each as the words after ``acmnet``."""
    progress: Callable[[Round, str], tuple[float, str]]
    """Given a round and the name of its present command, returns how much of the round
    is done, from 0 to 1, and a sentence."""
    why_not: str = ""
    """Why nothing can be learned here; empty if it can."""


class Learning:
    """The rounds of one bench.

    Parameters
    ----------
    folder : Path
        Where the rounds are kept.
    method : Method
        How rounds are made.
    on_done : callable
        Called with each round that ended well, before it counts as done.
    on_given_up : callable
        Called when a round was stopped or has failed.
    """

    def __init__(
        self,
        folder: Path,
        method: Method,
        on_done: Callable[[Round], None],
        on_given_up: Callable[[], None] = lambda: None,
    ) -> None:
        self.folder, self.method = folder, method
        self._on_done, self._on_given_up = on_done, on_given_up
        self._process: subprocess.Popen[bytes] | None = None
        self._next_process: subprocess.Popen[bytes] | None = None
        self._round: Round | None = None
        self._last_state: dict[str, Any] | None = None
        self._lock = threading.Lock()

    def prepare(self) -> None:
        """Start the process of the next round, which then waits for `start`.

        Nothing is started while a round is being learned, or where none can be.
        """
        with self._lock:
            if self.method.why_not or self._is_running():
                return
            if self._next_process is None:
                self._next_process = started()

    def start(self, labels: Labels) -> int:
        """Begin a round, or go on with one that was stopped; return its number.

        Raises
        ------
        CannotLearnError
            If it cannot begin; the message says why.
        """
        with self._lock:
            if self.method.why_not:
                raise CannotLearnError(self.method.why_not)
            if self._is_running() or self._is_busy():
                raise CannotLearnError(
                    "a round is being learned already; wait for it, or stop it first"
                )
            rounds = rounds_in(self.folder)
            one, before = self._next(rounds), last_done(rounds)
            text = _learned_from(labels, before)
            self._prepare(one, before, labels, text)
            waiting, self._next_process = self._next_process, None
            is_told = waiting is not None and begin(waiting, one.folder)
            self._process = waiting if is_told else started(one.folder)
            self._round, self._last_state = one, None
            threading.Thread(
                target=self._wait, args=(self._process, one), daemon=True
            ).start()
            return one.number

    def stop(self) -> None:
        """End the present round, so that it can go on later; wait for its end.

        A process that waits for a round ends, too.
        """
        if self._next_process is not None:
            with self._next_process as waiting:
                waiting.kill()
            self._next_process = None
        process = self._process
        if process is None or process.stdin is None:
            return
        with contextlib.suppress(OSError):
            process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(PATIENCE_S + 10.0)

    def state(self) -> dict[str, Any]:
        """Return how learning is: ``state``, ``progress``, ``message``, ``round``."""
        one, process = self._round, self._process
        if one is not None and process is not None and self._is_running():
            step = str(one.state.get("step") or "")
            done, sentence = self.method.progress(one, step)
            return _values("running", min(max(done, 0.0), 1.0), sentence, one.number)
        if self._last_state is not None:
            return self._last_state
        rounds = rounds_in(self.folder)
        if self._is_busy():
            number = rounds[-1].number if rounds else 0
            return _values("running", 0.0, "another server learns this round", number)
        if rounds and not rounds[-1].is_done:
            number = rounds[-1].number
            return _values(
                "idle", 0.0, f"round {number} was stopped; it can go on", number
            )
        return _values("idle", 0.0, "", rounds[-1].number if rounds else 0)

    def _next(self, rounds: Sequence[Round]) -> Round:
        """Return the round to begin: one that did not end is begun once more."""
        if rounds and not rounds[-1].is_done:
            return rounds[-1]
        return round_of(self.folder, rounds[-1].number + 1 if rounds else 1)

    def _prepare(
        self, one: Round, before: Round | None, labels: Labels, text: str
    ) -> None:
        """Write the round's labels and commands; anew if other marks are there now."""
        kept = one.folder / LABELS
        is_same = kept.is_file() and kept.read_text(encoding="utf-8") == text
        if one.folder.exists() and not is_same:
            shutil.rmtree(one.folder)  # a part of a training on other labels
        make_folder(one.folder)
        write_text(kept, text)
        named = json.loads(text)["database"]
        one.begin(
            Request(
                at=present_time(),
                revision=labels.revision,
                n_marks=sum(mark.video in named for mark in labels.marks),
                n_videos=len(named),
                steps=tuple(tuple(x) for x in self.method.steps(one, before)),
            )
        )

    def _wait(self, process: "subprocess.Popen[bytes]", one: Round) -> None:
        """Wait for the end of a round, and swap in what it found."""
        process.wait()
        was_told_to_stop = process.stdin is None or process.stdin.closed
        if process.stdin is not None:
            with contextlib.suppress(OSError):
                process.stdin.close()
        state = one.state
        if one.is_done:
            try:
                self._on_done(one)
            except (OSError, ValueError) as error:
                self._last_state = _values(FAILED, 1.0, str(error), one.number)
            else:
                self._last_state = _values("done", 1.0, "", one.number)
        elif was_told_to_stop or state.get("state") == STOPPED:
            message = f"round {one.number} was stopped; it can go on"
            self._last_state = _values("idle", 0.0, message, one.number)
            self._on_given_up()
        else:
            died = f"the process of learning died; {one.folder / LOG} may say why"
            message = str(state.get("message") or died)
            self._last_state = _values(FAILED, 0.0, message, one.number)
            self._on_given_up()

    def _is_running(self) -> bool:
        """Whether this server's round is being learned, or its end is being read."""
        return self._process is not None and self._last_state is None

    def _is_busy(self) -> bool:
        """Whether any process learns in these rounds."""
        if not self.folder.is_dir():
            return False
        lock = FileLock(self.folder / ".lock")
        try:
            with lock.acquire(timeout=0):
                return False
        except Timeout:
            return True


def _learned_from(labels: Labels, before: Round | None) -> str:
    """Return the label file of a round; refuse what nothing can be learned from.

    Raises
    ------
    CannotLearnError
        If no video has a name, or nothing was marked since the last round.
    """
    values = label_values(labels)
    if not values["database"]:
        raise CannotLearnError(
            "no video has a name yet; say of some videos what they show, then learn"
        )
    if not any(entry["annotations"] for entry in values["database"].values()):
        raise CannotLearnError("no class was marked in any video yet")
    for problem in problems_in(labels)[:1]:
        raise CannotLearnError(problem["sentence"])
    request = None if before is None else before.request
    if before and request and request.revision == labels.revision:
        raise CannotLearnError(
            f"nothing was marked since round {before.number}; mark something first"
        )
    return label_text(values) + "\n"


def _values(state: str, progress: float, message: str, number: int) -> dict[str, Any]:
    """Return how learning is, for the page."""
    return {
        "state": state,
        "progress": round(progress, 4),
        "message": message,
        "round": number,
    }
