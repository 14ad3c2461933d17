"""Read text, JSON and TOML files strictly.

Files have to be in UTF-8, and within the limits of `acmnet.limits`. A file that is
refused raises the error class that the caller passes, with one sentence that names the
file.
"""

import collections
import json
import math
import os
import re
import reprlib
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from acmnet.files import FileError, one_line, open_regular
from acmnet.garbage_collection import without_collection
from acmnet.limits import (
    DEEPEST_NESTING,
    LARGEST_TEXT_BYTES,
    LONGEST_NUMBER,
    has_strange_numbers,
    is_text,
    is_too_deep,
)

_LONE_SURROGATE: Final = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])"
    r"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F]"
)


_LINE: Final = re.compile(r"[^\r\n]*(?:\r\n?|\n)|[^\r\n]+")


def read_text(
    path: Path,
    kind: str,
    error: type[ValueError],
    empty: str,
    most_bytes: int = LARGEST_TEXT_BYTES,
) -> str:
    """Return the text of a UTF-8 file that is not empty.

    Parameters
    ----------
    path : Path
        The file.
    kind : str
        What the file is, for messages, such as ``"label file"``.
    error : type
        The exception to raise.
    empty : str
        What even the smallest file of this kind holds, for the message on an empty one.
    most_bytes : int
        The largest size that is accepted. For files that acmnet itself writes it is
        `LARGEST_NOTE_BYTES`.
    """
    content = read_content(path, kind, error, most_bytes)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        raise error(
            f"{path} is not UTF-8: byte {fault.object[fault.start]:#04x} at offset "
            f"{fault.start}; save it as UTF-8"
        ) from None
    if not text or text.isspace():  # strip would copy a large text
        raise error(f"{path} is empty; {empty}")
    return text


def read_content(
    path: Path,
    kind: str,
    error: type[ValueError],
    most_bytes: int = LARGEST_TEXT_BYTES,
) -> bytes:
    """Return the bytes of a regular file that is not too large.

    The parameters are those of `read_text`.
    """
    try:
        with open_regular(path, kind) as file:
            size = os.fstat(file.fileno()).st_size
            # no more than the file has, because as much memory is taken for it at once
            content = file.read(size + 1) if size <= most_bytes else b""
            if len(content) > size:  # a file that grows, or that does not say its size
                content += file.read(most_bytes + 1 - len(content))
    except FileError as fault:
        raise error(str(fault)) from None
    except FileNotFoundError:
        raise error(
            f"no {kind} at {path}; check the path, or the working directory "
            f"({Path.cwd()})"
        ) from None
    except OSError as fault:
        raise error(
            f"{path} could not be read: {fault.strerror}; check its permissions"
        ) from fault
    if max(size, len(content)) > most_bytes:
        raise error(
            f"{path} holds more than {most_bytes / 2**20:,.0f} MiB, the most that a "
            f"{kind} may; is it the right file?"
        )
    return content


def lines_with_ends(text: str) -> Iterator[str]:
    r"""Yield the lines of a text with their line breaks, for a reader of CSV.

    Unlike `io.StringIO` this makes no copy of the text, whose every character would
    take four bytes there.

    Examples
    --------
    >>> list(lines_with_ends("a\r\n\rb"))
    ['a\r\n', '\r', 'b']
    """
    return (match[0] for match in _LINE.finditer(text))


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

    ``made_of`` returns what an object is to be replaced with as soon as it was read, or
    the object itself. A file with a million small objects takes less memory so.
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
        found = dict(pairs)
        if len(found) != len(pairs):
            counts = collections.Counter(key for key, _ in pairs)
            twice = next(key for key, n in counts.items() if n > 1)
            name = "video" if is_video(twice, found[twice]) else "key"
            raise error(
                f"{source}: {name} {twice!r} is listed twice; keep one, or merge "
                "the two"
            )
        return found if made_of is None else made_of(found)

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


def parse_toml(
    source: str, text: str, kind: str, error: type[ValueError]
) -> dict[str, Any]:
    """Return the values of a TOML file, nested at most `DEEPEST_NESTING` deep."""
    try:
        value = tomllib.loads(text)
    except (ValueError, RecursionError) as fault:
        reason = one_line(fault) if isinstance(fault, ValueError) else "nested too deep"
        raise error(f"{source} is no {kind} in TOML: {reason}; mend it there") from None
    level: list[object] = [value]
    for _ in range(DEEPEST_NESTING):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
    if level:
        raise error(
            f"{source} is nested more than {DEEPEST_NESTING} deep, which no {kind} is; "
            "check what wrote it"
        )
    return value


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
