"""Files: text, JSON and TOML read strictly, everything written whole or not at all.

A refusal of what a file says is raised as the calling room's own error, in one sentence
that names the file. What a file may hold is stated in `acmnet.limits`.
"""

import contextlib
import errno
import hashlib
import io
import json
import os
import re
import secrets
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from acmnet.limits import (
    LONGEST_NAME_BYTES,
)

VIDEO_SUFFIXES: Final = (
    *(".mp4", ".m4v", ".mov", ".3gp", ".mkv", ".webm", ".avi", ".mpg", ".mpeg"),
    *(".ts", ".m2ts", ".mts", ".vob", ".wmv", ".asf", ".flv", ".f4v", ".ogv"),
    *(".mxf", ".gif", ".dv", ".dav", ".h264", ".264", ".hevc", ".ivf"),
)
"""Of video files: what is looked for in a folder, and what is no part of a video's id.

A file that is named is read by its content, whatever its suffix.
"""

TRACK_SUFFIXES: Final = (".csv", ".tsv", ".h5", ".hdf5", ".npy")
"""Of files of tracks, which the extractor keypoints reads in place of videos."""

PART: Final = re.compile(r"\.(.+)\.\d+(?:-[0-9a-f]{8})?\.part", re.DOTALL)
"""The temporary name of a file that is being written; its group is the file's name, as
`shortened` gives it."""


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
