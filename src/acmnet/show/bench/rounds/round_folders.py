"""The rounds of learning of a bench, each in a folder of its own that is kept.

``rounds/001`` holds the run of the first round and, beside what `acmnet train` writes:
``labels.json``, what it learned from; ``request.json``, the commands that it consists
of; ``state.json``, how it ended; ``learn.log``, what they printed; ``detections.json``,
what it found in all videos; ``scores.json``, where there was something to score on.
"""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from acmnet.files.file_access import write_json

FOLDER: Final = "rounds"
LABELS: Final = "labels.json"
REQUEST: Final = "request.json"
STATE: Final = "state.json"
LOG: Final = "learn.log"
DETECTIONS: Final = "detections.json"
SCORES: Final = "scores.json"
FEATURES: Final = "features"
"""Folder of a bench with the features that its first round extracts."""

DONE: Final = "done"
FAILED: Final = "failed"
STOPPED: Final = "stopped"
"""How a round ended: it can go on where it was stopped."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Request:
    """What a round learns from, and the commands that it consists of."""

    at: str
    """When it was requested, in UTC."""
    revision: int
    """The revision of the marks that it learns from."""
    n_marks: int
    n_videos: int
    """How many marks and videos it learns from."""
    steps: tuple[tuple[str, ...], ...]
    """Commands of acmnet, each as the words after ``acmnet``."""


@dataclasses.dataclass(frozen=True)
class Round:
    """A round that was begun."""

    folder: Path

    @property
    def number(self) -> int:
        """The number of the round, from 1."""
        return int(self.folder.name)

    @property
    def request(self) -> Request | None:
        """What was requested; None if it cannot be read."""
        values = _read(self.folder / REQUEST)
        try:
            steps = tuple(tuple(map(str, step)) for step in values.pop("steps"))
            return Request(**values, steps=steps)
        except (AttributeError, KeyError, TypeError):
            return None

    @property
    def state(self) -> dict[str, Any]:
        """How it is or how it ended: ``state``, ``step``, ``message``, ``seconds``."""
        values = _read(self.folder / STATE)
        return values if isinstance(values, dict) else {}

    @property
    def is_done(self) -> bool:
        """Whether it ended well."""
        return self.state.get("state") == DONE

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes that it learns."""
        values = _read(self.folder / LABELS)
        known = values.get("classes") if isinstance(values, dict) else None
        return tuple(map(str, known or ()))

    @property
    def learned_from(self) -> frozenset[str]:
        """The videos that it learns from."""
        values = _read(self.folder / LABELS)
        known = values.get("database") if isinstance(values, dict) else None
        return frozenset(map(str, known or ()))

    @property
    def scores(self) -> Any:
        """Its scores; None if there was nothing to score on."""
        return _read(self.folder / SCORES)

    def begin(self, request: Request) -> None:
        """Write what the round is to do."""
        write_json(self.folder / REQUEST, dataclasses.asdict(request))


def rounds_in(folder: Path) -> list[Round]:
    """Return the rounds of a bench in their order, whether they ended or not."""
    if not folder.is_dir():
        return []
    names = (x.name for x in folder.iterdir() if (x / REQUEST).is_file())
    numbers = sorted(int(name) for name in names if name.isdecimal())
    return [round_of(folder, number) for number in numbers]


def round_of(folder: Path, number: int) -> Round:
    """Return the round with a number, whether it is there or not."""
    return Round(folder / f"{number:03}")


def last_done(rounds: Sequence[Round]) -> Round | None:
    """Return the last round that ended well; None if there is none."""
    return next((one for one in reversed(rounds) if one.is_done), None)


def _read(path: Path) -> Any:
    """Return the JSON values of a file; None if it is missing or damaged."""
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
