"""Entries of a results JSON, and messages on bad ones."""

import reprlib
import sys
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from acmnet.limits import LARGEST_SECONDS, finite, seconds
from acmnet.names import one_form

EXAMPLE_ENTRY: Final = '{"label": "jump", "score": 0.9, "segment": [1.0, 2.5]}'


class Entry(NamedTuple):
    """An entry of which nothing has to be refused, which takes less than an object."""

    label: str
    score: float
    start_s: float
    end_s: float

    def as_object(self) -> dict[str, object]:
        """Return the object of a results JSON that the entry was."""
        times = [self.start_s, self.end_s]
        return {"label": self.label, "score": self.score, "segment": times}


def compact(entry: dict[str, Any]) -> object:
    """Return an object of a results JSON as an `Entry`; others as they are."""
    if entry.keys() != {"label", "score", "segment"} or fault_of(entry):
        return entry
    return entry_of(entry["label"], entry["score"], *entry["segment"])


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
    return Entry(sys.intern(one_form(label)), values[0], values[1], values[2])


def faults(source: str, results: Mapping[str, list[object]]) -> Iterator[str]:
    """Yield a message for each entry that cannot be used."""
    for video, entries in results.items():
        for index, entry in enumerate(entries):
            fault = fault_of(entry)
            if fault:
                yield f"{source}: video {video!r}, entry {index}: {fault}"


def fault_of(entry: object) -> str:
    """Return what is wrong with an entry and what to do; empty if all is right."""
    if isinstance(entry, Entry):
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
