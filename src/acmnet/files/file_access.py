"""Open regular files only, write files whole or not at all, and explain what failed.

A file is written under a temporary name and then renamed, so that no reader sees half
of it.
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

from acmnet.limits import LONGEST_NAME_BYTES
from acmnet.messages import one_line

PART: Final = re.compile(r"\.(.+)\.\d+(?:-[0-9a-f]{8})?\.part", re.DOTALL)
"""Pattern of the temporary name of a file that is being written. Its group is the
file's name, as `short_file_name` returns it."""

_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]+:")
"""Pattern of the first part of an address, such as ``s3:``; a drive has one letter."""


class FileError(OSError, ValueError):
    """A file that cannot be read or written; the message says why and what to do.

    It is also an `OSError`, with the ``errno`` of the error that caused it.
    """

    def __init__(self, sentence: str, fault: OSError | None = None) -> None:
        super().__init__(sentence)
        if fault is not None:
            self.errno, self.strerror = fault.errno, fault.strerror

    def __str__(self) -> str:
        """Return the message, without the number of the error."""
        return str(self.args[0])


def open_regular(path: Path, kind: str = "file") -> io.BufferedReader:
    """Open a regular file to read its bytes; refuse pipes and devices without waiting.

    Raises
    ------
    FileError
        If the path is something else, such as a pipe or a directory.
    OSError
        If there is no such file, or it may not be read.
    """
    flags = ("O_RDONLY", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY", "O_NOCTTY")
    try:
        handle = os.open(path, sum(getattr(os, flag, 0) for flag in flags))
    except OSError as fault:
        if fault.errno == errno.ENXIO:  # the error of Linux for a socket
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
    kind_of_file = "a pipe" if stat.S_ISFIFO(mode) else "a socket or device"
    raise FileError(_no_file(path, kind, kind_of_file))


def _no_file(path: Path, kind: str, what: str) -> str:
    return f"{path} is {what}, not a file; save the {kind} to a file and name that"


@contextlib.contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Yield a temporary path to write to, and rename it to ``path`` at the end.

    The temporary file lies in the same folder, which is made if it is missing. Its
    content is on the disk before it is renamed. If anything fails, ``path`` is
    unchanged and no temporary file is left.

    Raises
    ------
    FileError
        If the file cannot be written. The message says why and what to do.
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
            raise  # the error of another file that was used meanwhile
        raise unwritten(path, fault) from fault
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def part_name(path: Path) -> Path:
    """Return a temporary path beside ``path`` that no other process uses."""
    token = f"{os.getpid()}-{secrets.token_hex(4)}"
    return path.with_name(f".{short_file_name(path.name)}.{token}.part")


def short_file_name(name: str) -> str:
    """Return a file's name, or a shorter unique name if it is very long.

    The result leaves space for the rest of a temporary name in `LONGEST_NAME_BYTES`.
    """
    longest = LONGEST_NAME_BYTES - len(".") - len(".4194304-01234567.part")
    content = os.fsencode(name)
    if len(content) <= longest:
        return name
    tail = f"~{hashlib.sha256(content).hexdigest()[:16]}{Path(name).suffix[-16:]}"
    start = content[: longest - len(os.fsencode(tail))].decode("utf-8", "ignore")
    return start + tail


def make_folder(folder: Path) -> None:
    """Make a folder and the folders above it, unless they exist.

    Raises
    ------
    FileError
        If it cannot be made. The message says why and what to do.
    """
    refuse_address(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        raise unwritten(folder, fault) from fault


def refuse_unwritable(*paths: Path | None) -> None:
    """Refuse, before hours of work, paths to which the result could not be written.

    No file is left behind. Paths that are None are ignored. Folders may be missing,
    because `written_whole` makes them. To check a folder, pass the path of a file in
    it.

    Raises
    ------
    FileError
        For the first path that cannot be written.
    """
    for path in paths:
        if path is None:
            continue
        refuse_address(path)
        try:
            nearest = next(p for p in path.absolute().parents if p.exists())
            probe = part_name(nearest / path.name)
            if path.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            probe.touch()
            # another process may tidy this folder at this moment
            probe.unlink(missing_ok=True)
        except OSError as fault:
            raise unwritten(path, fault) from fault


def refuse_address(path: Path) -> None:
    """Refuse to write to an address in object storage, as if it were a folder.

    Raises
    ------
    FileError
        The message names the address and says what to do instead.
    """
    for i, part in enumerate(path.parts[:-1]):
        if _SCHEME.fullmatch(part) and not Path(*path.parts[: i + 1]).exists():
            raise FileError(
                f"{part}//{'/'.join(path.parts[i + 1 :])} is an address, to which only "
                "acmnet pack writes; name a folder on a disk (acmnet pack then takes "
                "features from there to the address)"
            )


def os_error_sentence(fault: OSError) -> str:
    """Return a sentence on an error of the operating system while using a file."""
    if isinstance(fault, FileError) or not fault.strerror:
        return str(fault)
    if fault.filename is None:
        return f"{fault.strerror}; check the disk, then run the command again"
    name = os.fsdecode(fault.filename)
    return f"{name} could not be used: {fault.strerror}; check its path and permissions"


def unwritten(path: Path, fault: OSError) -> FileError:
    """Return the error of a file or folder that could not be written."""
    file = path
    with contextlib.suppress(OSError):  # the name may be too long to be looked up
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
    elif fault.errno is None:  # raised by NumPy when the disk is full
        why = f"{one_line(fault)}; free some space, or name another disk"
    else:
        why = f"{fault.strerror or one_line(fault)}; check the disk"
    return FileError(f"{path} could not be written: {why}", fault)


def write_text(path: Path, text: str, *, newline: str | None = None) -> None:
    """Write a text in UTF-8, whole or not at all; ``newline`` is that of `open`."""
    with written_whole(path) as part:
        part.write_text(text, encoding="utf-8", newline=newline)


def write_json(path: Path, values: object) -> None:
    """Write values as JSON, whole or not at all."""
    write_text(path, json.dumps(values, indent=1) + "\n")


def digest_of(values: Mapping[str, object]) -> str:
    """Return the SHA-256 of JSON values, without the value named ``sha256``."""
    others = {name: value for name, value in values.items() if name != "sha256"}
    return hashlib.sha256(json.dumps(others, sort_keys=True).encode()).hexdigest()


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a whole file, in hexadecimal."""
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
