"""Read JSON strictly: refuse what JSON does not allow, or what must be a mistake."""

import collections
import itertools
import json
import math
import re
import reprlib
from collections.abc import Callable, Iterator
from typing import Final

from acmnet.limits import DEEPEST_NESTING, LONGEST_NUMBER, is_text
from acmnet.runtime.garbage_collection import without_collection

_LONE_SURROGATE: Final = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])"
    r"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F]"
)
_STRING: Final = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_NOT_BRACKETS: Final = bytes(set(range(256)) - set(b"[]{}"))
_SHAPE: Final = bytes(
    ord("0") if chr(x).isdigit() and x < 128 else ord("e") if x in b"eE" else x
    for x in range(256)
)
"""Translation that turns every digit into one digit, and E into e, so that long numbers
can be searched for as text."""
_LARGE_EXPONENT: Final = re.compile(r"(?:^|[\[:,\s])-?\d+(?:\.\d+)?[eE]\+?\d{3}")
_LOOKED_AT: Final = 2**17
"""Characters of a text that are checked at a time, so that no whole copy is made, and
what is made of them stays in the processor's cache."""
_STEP: Final = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}


def parse_json(
    source: str,
    text: str,
    kind: str,
    error: type[ValueError],
    is_video: Callable[[str, object], bool] = lambda *_: False,
    made_of: Callable[[dict[str, object]], object] | None = None,
) -> object:
    r"""Return a JSON value; refuse what JSON does not allow or what must be a mistake.

    Refused are a key that an object has twice, NaN and infinity, numbers with more than
    `LONGEST_NUMBER` characters, half a character (a lone surrogate such as ``\ud800``),
    and lists and objects that are nested more than `DEEPEST_NESTING` deep.

    ``is_video`` returns for a key and its value whether the key is the name of a video.
    The message on a repeated key then calls it a video.

    ``made_of`` is called with each object as soon as it was read, and returns what
    replaces it, or the object itself. Smaller values in place of a million small
    objects save memory.
    """
    strange: list[_NoNumber] = []

    def number(spelt: str) -> object:
        value = _number(spelt)
        if isinstance(value, _NoNumber):
            strange.append(value)
        return value

    # calling a function for each number takes time, so it is done only if needed
    checked = number if has_strange_numbers(text) else None
    if is_too_deep(text):
        raise error(
            f"{source} is nested more than {DEEPEST_NESTING} deep, which no {kind} is; "
            "check what wrote it"
        )
    try:
        with without_collection():
            value: object = json.loads(
                text,
                object_pairs_hook=_unique(source, error, is_video, made_of),
                parse_int=checked,
                parse_float=checked,
                parse_constant=number,
            )
    except error:
        raise
    except json.JSONDecodeError as fault:
        raise error(
            f"{source} is not valid JSON: {fault.msg} at line {fault.lineno}, column "
            f"{fault.colno}; mend it there or write the file again"
        ) from None
    except (RecursionError, ValueError) as fault:
        raise error(f"{source} is no {kind}: {fault}; check what wrote it") from None
    may_be_cut = "\\ud" in text or "\\uD" in text
    if strange or (may_be_cut and _LONE_SURROGATE.search(text)):
        for sentence in _strange(value):
            raise error(f"{source}: {sentence}")
    return value


def _unique(
    source: str,
    error: type[ValueError],
    is_video: Callable[[str, object], bool],
    made_of: Callable[[dict[str, object]], object] | None,
) -> Callable[[list[tuple[str, object]]], object]:
    """Return a function that makes an object of pairs, and refuses repeated keys."""

    def unique(pairs: list[tuple[str, object]]) -> object:
        values = dict(pairs)
        if len(values) != len(pairs):
            counts = collections.Counter(key for key, _ in pairs)
            twice = next(key for key, n in counts.items() if n > 1)
            name = "video" if is_video(twice, values[twice]) else "key"
            raise error(
                f"{source}: {name} {twice!r} is listed twice; keep one, or merge "
                "the two"
            )
        return values if made_of is None else made_of(values)

    return unique


class _NoNumber:
    """Stands for a number in a file that is too long or not finite."""

    def __init__(self, spelt: str) -> None:
        self.spelt = reprlib.repr(spelt)[1:-1]


def _number(spelt: str) -> "int | float | _NoNumber":
    """Return the number that a text spells, or `_NoNumber`."""
    if len(spelt) > LONGEST_NUMBER:
        return _NoNumber(spelt)
    if spelt.lstrip("-").isdigit():
        return int(spelt)
    value = float(spelt)
    return value if math.isfinite(value) else _NoNumber(spelt)


def _strange(value: object, where: str = "") -> Iterator[str]:
    """Yield a message on each bad number and bad text in a JSON value."""
    place = where or "the whole file"
    if isinstance(value, _NoNumber):
        yield (
            f"{place} is {value.spelt}, which is no finite number; correct it or leave "
            "it out"
        )
    elif isinstance(value, str):
        if not is_text(value):
            yield (
                f"{place} is {reprlib.repr(value)}, which holds half a character (a "
                "lone surrogate); write the name again"
            )
    elif isinstance(value, dict):
        for key, inner in value.items():
            shown = f"{where}, {reprlib.repr(key)}".removeprefix(", ")
            if not is_text(key):
                yield (
                    f"the name {shown} holds half a character (a lone surrogate); "
                    "write the name again"
                )
            yield from _strange(inner, shown)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _strange(inner, f"{where}[{index}]")


def outline(content: object, key: str) -> str:
    """Return a short description of a JSON value that is no object with ``key``.

    Examples
    --------
    >>> outline([1, 2], "results"), outline({"a": 1}, "results")
    ('a list, [1, 2]', "the keys ['a']")
    """
    if not isinstance(content, dict):
        return f"a {type(content).__name__}, {reprlib.repr(content)}"
    if key in content:
        return f"{key!r} {reprlib.repr(content[key])}"
    return f"the keys {reprlib.repr(list(content))}"


def has_strange_numbers(text: str) -> bool:
    """Return whether a JSON text may spell a number that is too long or not finite.

    Examples
    --------
    >>> has_strange_numbers('{"ve123": [1e10, 1.5e-300]}')
    False
    >>> has_strange_numbers("[1e999]")
    True
    """
    has_exponent = False
    for start in range(0, len(text), _LOOKED_AT):
        # what begins at the end of a part is found in that part, too
        part = text[start : start + _LOOKED_AT + LONGEST_NUMBER]
        shape = part.encode("utf-8", "replace").translate(_SHAPE)
        if b"0" * LONGEST_NUMBER in shape:
            return True
        has_exponent |= b"0e000" in shape or b"0e+000" in shape
    return has_exponent and _LARGE_EXPONENT.search(text) is not None


def is_too_deep(text: str) -> bool:
    """Return whether a JSON text is nested more than `DEEPEST_NESTING` deep."""
    return (
        _depth(text) > DEEPEST_NESTING
        and _depth(_STRING.sub("", text)) > DEEPEST_NESTING
    )


def _depth(text: str) -> int:
    """Return how many brackets are open at most; those in strings count, too."""
    depth = most = 0
    for start in range(0, len(text), _LOOKED_AT):
        part = text[start : start + _LOOKED_AT].encode("utf-8", "replace")
        steps = map(_STEP.__getitem__, part.translate(None, _NOT_BRACKETS))
        levels = list(itertools.accumulate(steps, initial=depth))
        depth, most = levels[-1], max(most, max(levels))
    return most
