"""Entries of a results JSON: their numbers as arrays, and messages on bad entries."""

import math
import reprlib
from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np

from acmnet.limits import LARGEST_SECONDS, finite, seconds
from acmnet.segments import FloatArray

EXAMPLE_ENTRY: Final = '{"label": "jump", "score": 0.9, "segment": [1.0, 2.5]}'


def numbers(values: list[Any]) -> FloatArray:
    """Return numbers as an array; some may be given as text."""
    if not set(map(type, values)) <= {float, int}:
        values = [_number(value) for value in values]
    return np.array(values, dtype=np.float64)


def times_of(values: list[Any]) -> FloatArray:
    """Return times in seconds as an array; a time beyond the limit is an error."""
    times = numbers(values)
    if not (np.abs(times) <= LARGEST_SECONDS).all():
        raise ValueError(f"a time must be within {LARGEST_SECONDS:g} s of 0")
    return times


def _number(value: object) -> float:
    """Return a number that may be given as text; NaN if ``value`` is no number."""
    number = finite(value, in_quotes=True)
    return math.nan if number is None else number


def faults(source: str, results: Mapping[str, list[object]]) -> Iterator[str]:
    """Yield a message for each entry that cannot be used."""
    for video, entries in results.items():
        for index, entry in enumerate(entries):
            fault = _fault(entry)
            if fault:
                yield f"{source}: video {video!r}, entry {index}: {fault}"


def _fault(entry: object) -> str:
    """Return what is wrong with an entry and what to do; empty if all is right."""
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
