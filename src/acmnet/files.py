"""Files: text, JSON and TOML read strictly, everything written whole or not at all.

A refusal of what a file says is raised as the calling room's own error, in one sentence
that names the file. What a file may hold is stated in `acmnet.limits`.
"""

import collections
import contextlib
import errno
import hashlib
import io
import json
import math
import os
import re
import reprlib
import secrets
import stat
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from acmnet.limits import (
    DEEPEST,
    LARGEST_TEXT_BYTES,
    LONGEST_NAME_BYTES,
    LONGEST_NUMBER,
    has_strange_numbers,
    is_text,
    is_too_deep,
)

VIDEO_SUFFIXES: Final = (
    *(".mp4", ".m4v", ".mov", ".3gp", ".mkv", ".webm", ".avi", ".mpg", ".mpeg"),
    *(".ts", ".m2ts", ".mts", ".vob", ".wmv", ".asf", ".flv", ".f4v", ".ogv"),
    *(".mxf", ".gif", ".dv", ".dav", ".h264", ".264", ".hevc", ".ivf"),
)
"""Of video files: what is looked for in a folder, and what is no part of a video's id.

A file that is named is read by its content, whatever its suffix.
"""

PART: Final = re.compile(r"\.(.+)\.\d+(?:-[0-9a-f]{8})?\.part", re.DOTALL)
"""The temporary name of a file that is being written; its group is the file's name, as
`shortened` gives it."""

_LONE_SURROGATE: Final = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])"
    r"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F]"
)


class FileError(OSError, ValueError):
    """A file that cannot be read or written; the message names it and the remedy.

    It is an `OSError`, too, with the ``errno`` of the one that caused it.
    """

    def __init__(self, sentence: str, fault: OSError | None = None) -> None:
        super().__init__(sentence)
        if fault is not None:
            self.errno, self.strerror = fault.errno, fault.strerror

    def __str__(self) -> str:
        """Return the sentence."""
        return str(self.args[0])


def open_regular(path: Path, kind: str = "file") -> io.BufferedReader:
    """Open a regular file to read its bytes; never wait for a pipe or a device.

    Raises
    ------
    FileError
        If there is something else under this name, such as a pipe or a directory.
    OSError
        If there is nothing, or it may not be read.
    """
    flags = ("O_RDONLY", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY", "O_NOCTTY")
    try:
        handle = os.open(path, sum(getattr(os, flag, 0) for flag in flags))
    except OSError as fault:
        if fault.errno == errno.ENXIO:  # what Linux says of a socket
            raise FileError(_no_file(path, kind, "a socket or device"), fault) from None
        raise
    except ValueError:
        raise FileError(f"{str(path)!r} is no file's name; check it") from None
    mode = os.fstat(handle).st_mode
    if stat.S_ISREG(mode):
        return os.fdopen(handle, "rb")
    os.close(handle)
    if stat.S_ISDIR(mode):
        raise FileError(f"{path} is a directory; name the {kind} itself")
    what = "a pipe" if stat.S_ISFIFO(mode) else "a socket or device"
    raise FileError(_no_file(path, kind, what))


def _no_file(path: Path, kind: str, what: str) -> str:
    return f"{path} is {what}, not a file; save the {kind} to a file and name that"


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
        What it should be, such as ``"label file"``.
    error : type
        What to raise.
    empty : str
        What a file of this kind holds at the least, for the refusal of an empty one.
    most_bytes : int
        The most that it may hold: `LARGEST_NOTE_BYTES` for a file of acmnet's own.
    """
    content = read_content(path, kind, error, most_bytes)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        raise error(
            f"{path} is not UTF-8: byte {fault.object[fault.start]:#04x} at offset "
            f"{fault.start}; save it as UTF-8"
        ) from None
    if not text.strip():
        raise error(f"{path} is empty; {empty}")
    return text


def read_content(
    path: Path,
    kind: str,
    error: type[ValueError],
    most_bytes: int = LARGEST_TEXT_BYTES,
) -> bytes:
    """Return the bytes of a regular file that is not too large; see `read_text`."""
    try:
        with open_regular(path, kind) as file:
            size = os.fstat(file.fileno()).st_size
            content = file.read(most_bytes + 1) if size <= most_bytes else b""
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


def parse_json(
    source: str,
    text: str,
    kind: str,
    error: type[ValueError],
    is_video: Callable[[str, object], bool] = lambda *_: False,
) -> object:
    r"""Return a JSON value; refuse what JSON does not have or nobody means.

    Refused are a key that one object has twice, NaN and infinity, numbers of more than
    `LONGEST_NUMBER` characters, half a character (a lone surrogate such as
    ``\ud800``), and values that are more than `DEEPEST` deep.

    ``is_video`` tells from a key and its value whether the key names a video, so that
    the refusal can call it one.
    """
    strange: list[_NoNumber] = []

    def number(spelt: str) -> object:
        value = _number(spelt)
        if isinstance(value, _NoNumber):
            strange.append(value)
        return value

    # a call for each number takes time: only where one is too long or too large
    checked = number if has_strange_numbers(text) else None
    if is_too_deep(text):
        raise error(
            f"{source} is nested more than {DEEPEST} deep, which no {kind} is; check "
            "what wrote it"
        )
    try:
        value: object = json.loads(
            text,
            object_pairs_hook=_unique(source, error, is_video),
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
    source: str, error: type[ValueError], is_video: Callable[[str, object], bool]
) -> Callable[[list[tuple[str, object]]], dict[str, object]]:
    """Return what makes an object of its pairs, and refuses a key twice."""

    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        found = dict(pairs)
        if len(found) != len(pairs):
            counts = collections.Counter(key for key, _ in pairs)
            twice = next(key for key, n in counts.items() if n > 1)
            name = "video" if is_video(twice, found[twice]) else "key"
            raise error(
                f"{source}: {name} {twice!r} is listed twice; keep one, or merge "
                "the two"
            )
        return found

    return unique


class _NoNumber:
    """Stands for what is spelt like a number in a file and is none."""

    def __init__(self, spelt: str) -> None:
        self.spelt = reprlib.repr(spelt)[1:-1]


def _number(spelt: str) -> "int | float | _NoNumber":
    """Return the number that JSON spells, unless it is too long or not finite."""
    if len(spelt) > LONGEST_NUMBER:
        return _NoNumber(spelt)
    if spelt.lstrip("-").isdigit():
        return int(spelt)
    value = float(spelt)
    return value if math.isfinite(value) else _NoNumber(spelt)


def _strange(value: object, where: str = "") -> Iterator[str]:
    """Yield what a JSON value holds that is no number or no text, with its place."""
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
    """Return the values of a TOML file, none of them more than `DEEPEST` deep."""
    try:
        value = tomllib.loads(text)
    except (ValueError, RecursionError) as fault:
        says = one_line(fault) if isinstance(fault, ValueError) else "nested too deep"
        raise error(f"{source} is no {kind} in TOML: {says}; mend it there") from None
    level: list[object] = [value]
    for _ in range(DEEPEST):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
    if level:
        raise error(
            f"{source} is nested more than {DEEPEST} deep, which no {kind} is; check "
            "what wrote it"
        )
    return value


def outline(content: object, key: str) -> str:
    """Return a few words about a JSON value that is no object with ``key``.

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


@contextlib.contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Give a name in the same folder to write to; rename it to ``path`` at the end.

    The data is on the disk before the name changes. If anything fails, ``path`` keeps
    what it held and nothing temporary is left. A missing folder is made.

    Raises
    ------
    FileError
        If the file cannot be written: it says why, and what to do.
    """
    make_folder(path.parent)
    temporary = part_name(path)
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        temporary.replace(path)
    except FileError:
        raise
    except OSError as fault:
        if fault.filename not in (None, str(temporary), temporary, str(path), path):
            raise  # of another file, which was read or written meanwhile
        raise unwritten(path, fault) from fault
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def part_name(path: Path) -> Path:
    """Return a temporary name beside ``path`` that no other writer has; see `PART`."""
    token = f"{os.getpid()}-{secrets.token_hex(4)}"
    return path.with_name(f".{shortened(path.name)}.{token}.part")


def shortened(name: str) -> str:
    """Return a file's name, or a shorter one of its own if it is very long.

    The parts of a temporary name around it still fit into `LONGEST_NAME_BYTES`.
    """
    longest = LONGEST_NAME_BYTES - len(".") - len(".4194304-01234567.part")
    content = os.fsencode(name)
    if len(content) <= longest:
        return name
    tail = f"~{hashlib.sha256(content).hexdigest()[:16]}{Path(name).suffix[-16:]}"
    start = content[: longest - len(os.fsencode(tail))].decode("utf-8", "ignore")
    return start + tail


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, unless they are there.

    Raises
    ------
    FileError
        If it cannot be made: it says why, and what to do.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        raise unwritten(folder, fault) from fault


def refuse_unwritable(*paths: Path | None) -> None:
    """Refuse, before hours of work, files that could not be written at their end.

    Nothing is left behind; paths that are None are passed over. Folders may be missing,
    as `written_whole` makes them. To ask for a folder, name a file in it.

    Raises
    ------
    FileError
        For the first of them that cannot be written.
    """
    for path in paths:
        if path is None:
            continue
        try:
            nearest = next(p for p in path.absolute().parents if p.exists())
            probe = part_name(nearest / path.name)
            if path.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            probe.touch()
            probe.unlink()
        except OSError as fault:
            raise unwritten(path, fault) from fault


def said(fault: OSError) -> str:
    """Return a sentence on a file that the system did not give, or did not take."""
    if isinstance(fault, FileError) or not fault.strerror:
        return str(fault)
    if fault.filename is None:
        return f"{fault.strerror}; check the disk, then run the command again"
    name = os.fsdecode(fault.filename)
    return f"{name} could not be used: {fault.strerror}; check its path and permissions"


def unwritten(path: Path, fault: OSError) -> FileError:
    """Return the refusal of a file or folder that could not be written."""
    file = path
    with contextlib.suppress(OSError):  # of a name that is too long to be looked up
        file = next((folder for folder in path.parents if folder.is_file()), path)
    if fault.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        why = f"{fault.strerror}; free some space, or name another disk"
    elif fault.errno == errno.EISDIR:
        why = "it is a directory; name a file"
    elif fault.errno in (errno.ENOTDIR, errno.EEXIST):
        why = f"{file} is a file, not a folder; name another folder"
    elif fault.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        why = f"{fault.strerror}; name a folder that you may write to"
    elif fault.errno == errno.ENAMETOOLONG:
        why = f"a name may have {LONGEST_NAME_BYTES} bytes; give it a shorter one"
    elif fault.errno == errno.ENOENT:
        why = "its folder is gone; make it again"
    elif fault.errno is None:  # NumPy, of a disk that became full
        why = f"{one_line(fault)}; free some space, or name another disk"
    else:
        why = f"{fault.strerror or one_line(fault)}; check the disk"
    return FileError(f"{path} could not be written: {why}", fault)


def one_line(error: BaseException) -> str:
    """Return the first line of an error's text, to put into a sentence."""
    lines = str(error).splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__


def write_text(path: Path, text: str) -> None:
    """Write a text as UTF-8."""
    with written_whole(path) as part:
        part.write_text(text, encoding="utf-8")


def write_json(path: Path, values: object) -> None:
    """Write values as JSON."""
    write_text(path, json.dumps(values, indent=1) + "\n")


def digest_of(values: Mapping[str, object]) -> str:
    """Return the SHA-256 of JSON values by name, that under ``sha256`` left out."""
    others = {name: value for name, value in values.items() if name != "sha256"}
    return hashlib.sha256(json.dumps(others, sort_keys=True).encode()).hexdigest()
