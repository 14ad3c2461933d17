"""Read text and TOML files strictly.

Files have to be in UTF-8, and within the limits of `acmnet.limits`. A file that is
refused raises the error class that the caller passes, with one sentence that names the
file.
"""

import os
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from acmnet.files.file_access import FileError, open_regular
from acmnet.limits import DEEPEST_NESTING, LARGEST_TEXT_BYTES
from acmnet.messages import one_line

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
    return as_text(path, read_content(path, kind, error, most_bytes), error, empty)


def as_text(path: Path, content: bytes, error: type[ValueError], empty: str) -> str:
    """Return the text of a file's content in UTF-8, which is not empty.

    The parameters are those of `read_text`.
    """
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
    path: Path, kind: str, error: type[ValueError], most_bytes: int = LARGEST_TEXT_BYTES
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
