"""Check the entries of a results JSON, and say what is wrong with bad ones."""

import math
import reprlib
from array import array
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from acmnet.limits import LARGEST_SECONDS, finite, seconds
from acmnet.names import one_form
from acmnet.segments import FloatArray, IntArray

FIELDS: Final = frozenset(("label", "score", "segment"))
"""The fields of an entry that says nothing else."""
EXAMPLE_ENTRY: Final = '{"label": "jump", "score": 0.9, "segment": [1.0, 2.5]}'


class Entry(NamedTuple):
    """What an entry says, when nothing in it has to be refused."""

    label: str
    score: float
    start_s: float
    end_s: float


class Row(int):
    """The number of an entry in `EntryColumns`, in place of the entry itself."""

    __slots__ = ()


class EntryColumns:
    """The entries of a results JSON as columns, filled while the file is read.

    An entry takes 32 bytes here, and its `Row` 40, where an object of JSON takes ten
    times as much.
    """

    def __init__(self) -> None:
        self._places: dict[str, int] = {}
        self._label, self._score = array("q"), array("d")
        self._start_s, self._end_s = array("d"), array("d")

    def compact(self, entry: dict[str, Any]) -> object:
        """Take an object of a results JSON and return its row; others as they are."""
        if entry.keys() != FIELDS:
            return entry
        label, score, segment = entry["label"], entry["score"], entry["segment"]
        if type(segment) is list and len(segment) == 2:
            start_s, end_s = segment
            # nearly every entry: looking at types takes less time than `entry_of`
            if (
                type(label) is str
                and type(score) is float
                and type(start_s) is float
                and type(end_s) is float
                and math.isfinite(score)
                and abs(start_s) <= LARGEST_SECONDS
                and abs(end_s) <= LARGEST_SECONDS
            ):
                return self._add(label, score, start_s, end_s)
        return entry if fault_of(entry) else self.row_of(entry)

    def row_of(self, entry: Any) -> Row:
        """Take an object that may have further fields, and return its row.

        Raises
        ------
        KeyError, TypeError, ValueError
            If it cannot be used; `fault_of` says why.
        """
        if isinstance(entry, Row):
            return entry
        label, (start_s, end_s) = entry["label"], entry["segment"]
        if not isinstance(label, str) or not isinstance(entry["segment"], list):
            raise TypeError("a label must be text and a segment a list")
        row = entry_of(label, entry["score"], start_s, end_s)
        if row is None:
            raise ValueError("a number is not finite or out of range")
        return self._add(*row)

    def _add(self, label: str, score: float, start_s: float, end_s: float) -> Row:
        place = self._places.get(label)
        if place is None:
            label = one_form(label)
            place = self._places.setdefault(label, len(self._places))
        self._label.append(place)
        self._score.append(score)
        self._start_s.append(start_s)
        self._end_s.append(end_s)
        return Row(len(self._label) - 1)

    def as_object(self, row: Row) -> dict[str, object]:
        """Return the object that a row stands for; its numbers are floats."""
        times = [self._start_s[row], self._end_s[row]]
        label = list(self._places)[self._label[row]]
        return {"label": label, "score": self._score[row], "segment": times}

    def restored(self, value: object) -> object:
        """Return a JSON value with the objects that its rows stand for."""
        if isinstance(value, Row):
            return self.as_object(value)
        if isinstance(value, list):
            return [self.restored(inner) for inner in value]
        if isinstance(value, dict):
            return {key: self.restored(inner) for key, inner in value.items()}
        return value

    def rows_of(self, entries: Sequence[Any]) -> IntArray:
        """Return the rows of N entries, of shape (N,); errors are those of `row_of`."""
        if not set(map(type, entries)) <= {Row}:
            entries = [self.row_of(entry) for entry in entries]
        return np.fromiter(entries, np.int64, len(entries))

    def numbers_of(self, rows: IntArray) -> dict[str, FloatArray]:
        """Return ``score``, ``start_s`` and ``end_s`` of N rows, of shape (N,) each."""
        columns = {"score": self._score, "start_s": self._start_s, "end_s": self._end_s}
        return {
            name: np.frombuffer(column, np.float64)[rows]
            for name, column in columns.items()
        }

    def labels_of(self, rows: IntArray) -> tuple[tuple[str, ...], IntArray]:
        """Return the labels of N rows in the order of their first use.

        Also returns, for each row, the index of its label among them, of shape (N,).
        """
        label = np.frombuffer(self._label, np.int64)[rows]
        first = np.full(len(self._places), len(label))
        # of several values for one place, the last stays: that of the first use
        first[label[::-1]] = np.arange(len(label))[::-1]
        used = np.argsort(first)[: np.count_nonzero(first < len(label))]
        place = np.zeros(len(first), np.int64)
        place[used] = np.arange(len(used))
        names = list(self._places)
        return tuple(names[i] for i in used.tolist()), place[label]


def entry_of(label: str, score: Any, start_s: Any, end_s: Any) -> Entry | None:
    """Return an entry of a label and of numbers, which may be text.

    It is None if a number is not finite, or a time is out of range.
    """
    values = (
        finite(score, in_quotes=True),
        seconds(start_s, in_quotes=True),
        seconds(end_s, in_quotes=True),
    )
    if values[0] is None or values[1] is None or values[2] is None:
        return None
    return Entry(one_form(label), values[0], values[1], values[2])


def faults(source: str, results: Mapping[str, list[object]]) -> Iterator[str]:
    """Yield a message for each entry that cannot be used."""
    for video, entries in results.items():
        for index, entry in enumerate(entries):
            fault = fault_of(entry)
            if fault:
                yield f"{source}: video {video!r}, entry {index}: {fault}"


def fault_of(entry: object) -> str:
    """Return what is wrong with an entry and what to do; empty if all is right."""
    if isinstance(entry, Row):
        return ""
    if not isinstance(entry, dict):
        return f"must be an object such as {EXAMPLE_ENTRY}, got {reprlib.repr(entry)}"
    for field in ("label", "score", "segment"):
        if field not in entry:
            return (
                f"has no {field!r}, only {reprlib.repr(list(entry))}; write it as "
                f"{EXAMPLE_ENTRY}"
            )
    label, score, segment = entry["label"], entry["score"], entry["segment"]
    if not isinstance(label, str):
        return f"label must be text, got {reprlib.repr(label)}; name the class"
    times = segment if isinstance(segment, list) else []
    if [seconds(x, in_quotes=True) is None for x in times] != [False, False]:
        return (
            "segment must be two finite numbers [start, end], within "
            f"{LARGEST_SECONDS:,.0f} s of 0 and in seconds, got "
            f"{reprlib.repr(segment)}; correct it or remove the entry"
        )
    if finite(score, in_quotes=True) is None:
        return (
            f"score must be a finite number, got {reprlib.repr(score)}; correct it or "
            "remove the entry"
        )
    return ""
