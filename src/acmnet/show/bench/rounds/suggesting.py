"""Finds out in the background which videos are worth a look next, for the page.

Each time the detections of another run are shown, `acmnet suggest` is run in a process
of its own, and what it wrote is kept. The page itself sees from the marks which of the
suggested spans were looked at since.
"""

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from acmnet.files.file_access import make_folder
from acmnet.runtime.startup import SAFE_PATH

SUGGESTIONS: Final = "suggestions.json"
"""The file with what is suggested, in the folder of a round or of the bench."""
MOST_SUGGESTED: Final = 50
"""Most videos that are suggested: more than anybody looks at before learning again."""
NICENESS: Final = 10
"""How far the process stands back behind others, as the command ``nice`` counts."""
PATIENCE_S: Final = 10.0
"""Seconds that the process may take to stop before it is killed."""


class Suggesting:
    """What is worth a look by the run whose detections are shown.

    Nothing is run before `begin`.

    Parameters
    ----------
    among : collection of str, optional
        The videos that may be suggested; all if left out.
    on_found : callable
        Called, from another thread, when something was found.
    """

    def __init__(
        self,
        among: Collection[str] | None = None,
        on_found: Callable[[], None] = lambda: None,
    ) -> None:
        self._among, self._on_found = among, on_found
        self._process: subprocess.Popen[bytes] | None = None
        self._wanted: tuple[Sequence[str], Path] | None = None
        self._found: dict[str, dict[str, Any]] = {}
        self._has_begun = False
        self._lock = threading.Lock()  # of what is wanted and found
        self._turn = threading.Lock()  # to start or to stop the process

    def look(self, words: Sequence[str], file: Path) -> None:
        """Suggest from now on what a run suggests, which is found out if need be.

        Parameters
        ----------
        words : sequence of str
            The command, as the words after ``acmnet``. It writes ``file``.
        file : Path
            The JSON file with what the run suggests.
        """
        self.stop()
        with self._lock:
            self._wanted, self._found = (words, file), _read(file)
        self._start()

    def begin(self) -> None:
        """Find out what is suggested, now and whenever another run is shown."""
        self._has_begun = True
        self._start()

    def resume(self) -> None:
        """Go on with what was stopped, unless it was ended or never begun."""
        self._start()

    def end(self) -> None:
        """Find out nothing more; a process that is at work ends."""
        self._has_begun = False
        self.stop()

    def of_videos(self) -> Mapping[str, Mapping[str, Any]]:
        """Return rank, why and spans of each suggested video, by its id."""
        found = self._found
        if self._among is None:
            return found
        return {video: own for video, own in found.items() if video in self._among}

    def stop(self) -> None:
        """End the process, if it is at work; what it would have found is lost."""
        with self._turn:
            if self._process is not None and self._is_at_work():
                _end(self._process)

    def _is_at_work(self) -> bool:
        """Whether a process is finding out what is suggested."""
        return self._process is not None and self._process.poll() is None

    def _start(self) -> None:
        """Start the process that finds out, unless it is at work or has found out."""
        with self._turn:
            if not self._has_begun or self._wanted is None or self._is_at_work():
                return
            words, file = self._wanted
            if file.exists():
                return
            make_folder(file.parent)
            self._process = process = subprocess.Popen(
                [sys.executable, "-m", "acmnet", *words],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=os.environ | SAFE_PATH,
            )
        if hasattr(os, "setpriority"):
            with contextlib.suppress(OSError):  # it may have ended already
                os.setpriority(os.PRIO_PROCESS, process.pid, NICENESS)
        wait = threading.Thread(target=self._wait, args=(process, file), daemon=True)
        wait.start()

    def _wait(self, process: "subprocess.Popen[bytes]", file: Path) -> None:
        """Wait for the process, and take what it found if that is still wanted."""
        process.wait()
        found = _read(file)
        with self._lock:
            if self._wanted is None or self._wanted[1] != file or not found:
                return
            self._found = found
        self._on_found()


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Ask a process to stop, kill it if it takes too long, and wait for its end."""
    process.terminate()
    try:
        process.wait(PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _read(file: Path) -> dict[str, dict[str, Any]]:
    """Return the suggestions of a file by video; none if it cannot be read."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
        suggestions = json.loads(file.read_bytes())["suggestions"]
        return {
            str(one["video"]): {
                "rank": int(one["rank"]),
                "why": str(one["why"]),
                "spans": [
                    {
                        "label": str(span["label"]),
                        "start_s": float(span["start_s"]),
                        "end_s": float(span["end_s"]),
                        "why": str(span["why"]),
                    }
                    for span in one["spans"]
                ],
            }
            for one in suggestions
        }
    return {}
