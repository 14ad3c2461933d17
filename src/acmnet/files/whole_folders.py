"""Folders that are written whole or not at all, with the SHA-256 of each file.

A new folder is written under a temporary name and then renamed. The old folder is
renamed away just before; if the process is killed between the two renames, `recover`
puts the old folder back. Each folder has a file ``SHA256SUMS``, which ``sha256sum -c``
can check.
"""

import contextlib
import hashlib
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from acmnet.files.file_access import open_regular
from acmnet.limits import LARGEST_CHECKPOINT_BYTES, LARGEST_NOTE_BYTES

DIGESTS_FILE: Final = "SHA256SUMS"
_NEW: Final = ".new"
_OLD: Final = ".old"
_DIGEST: Final = re.compile(r"([0-9a-f]{64})  (\S.*)")


class DamagedError(ValueError):
    """A file whose content is not the one that was written; the message names it."""


def write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files into a folder, which replaces the folder of that name.

    If this is interrupted, `whole_folder` returns either the old folder or the new one,
    and either is whole. Only one process may write a folder at a time.

    Parameters
    ----------
    folder : Path
        The folder to write; its parents are made if they are missing.
    files : mapping of str to bytes
        The content of each file by its name. ``SHA256SUMS`` is added.

    Raises
    ------
    OSError
        If a file cannot be written. The old folder is unchanged then.
    """
    new, old = _beside(folder, _NEW), _beside(folder, _OLD)
    folder.parent.mkdir(parents=True, exist_ok=True)
    recover(folder)
    sums = [f"{hashlib.sha256(x).hexdigest()}  {name}\n" for name, x in files.items()]
    try:
        new.mkdir()
        for name, content in {**files, DIGESTS_FILE: "".join(sums).encode()}.items():
            with (new / name).open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        _fsync(new)
        if folder.exists():
            folder.rename(old)
        new.rename(folder)
        _fsync(folder.parent)
    except BaseException:
        with contextlib.suppress(OSError):
            recover(folder)
        raise
    with contextlib.suppress(OSError):
        recover(folder)  # removes the old folder


def recover(folder: Path) -> None:
    """Clean up after a writer that was killed: put the old folder back, or remove it.

    Raises
    ------
    OSError
        If a folder cannot be renamed or removed.
    """
    new, old = _beside(folder, _NEW), _beside(folder, _OLD)
    _remove(new)
    if folder.exists():
        _remove(old)
    elif old.exists():
        old.rename(folder)


def recover_all(parent: Path) -> None:
    """Call `recover` for each folder in ``parent`` that was being written."""
    for path in list(parent.glob("*")):
        if path.suffix in (_NEW, _OLD):
            recover(path.with_suffix(""))


def refuse_filled(folder: Path, error: type[ValueError]) -> None:
    """Raise the error if there is anything in a folder, or something else there."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise error(f"{folder} holds something already; name a new directory")


def remove_folder(folder: Path) -> None:
    """Remove a folder; if killed meanwhile, it is whole or no longer found."""
    with contextlib.suppress(OSError):
        recover(folder)
        folder.rename(_beside(folder, _NEW))
    with contextlib.suppress(OSError):
        recover(folder)


def whole_folder(folder: Path) -> Path | None:
    """Return the path at which a whole folder lies now; None if there is none."""
    for path in (folder, _beside(folder, _OLD), folder):
        if path.is_dir():
            return path
    return None


def read_file(path: Path) -> bytes:
    """Return a file's content, after comparing it with its SHA-256.

    Without ``SHA256SUMS`` in the folder there is nothing to compare it with.

    Raises
    ------
    DamagedError
        If its SHA-256 is another one than in ``SHA256SUMS``, or the file is too large.
    OSError
        If it cannot be read.
    """
    with open_regular(path) as file:
        if os.fstat(file.fileno()).st_size > LARGEST_CHECKPOINT_BYTES:
            raise DamagedError(
                f"{path} has more than {LARGEST_CHECKPOINT_BYTES >> 30} GiB, which no "
                "network of acmnet needs"
            )
        content = file.read()
    known = digests(path.parent)
    if known is None:
        return content
    if known.get(path.name) != hashlib.sha256(content).hexdigest():
        raise DamagedError(
            f"{path} is truncated, damaged or was changed after it was written: its "
            f"SHA-256 is not the one in {DIGESTS_FILE} beside it"
        )
    return content


def digests(folder: Path) -> dict[str, str] | None:
    """Return each file's SHA-256, in hexadecimal, as ``SHA256SUMS`` states it.

    Returns None if the folder has no ``SHA256SUMS``. Lines that cannot be read are
    skipped.
    """
    try:
        with open_regular(folder / DIGESTS_FILE) as file:
            lines = file.read(LARGEST_NOTE_BYTES).decode(errors="replace")
    except OSError:
        return None
    matches = map(_DIGEST.fullmatch, lines.splitlines())
    return {match[2]: match[1] for match in matches if match}


def _remove(path: Path) -> None:
    """Remove a folder, file or link; the target of a link is not touched."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _beside(folder: Path, suffix: str) -> Path:
    return folder.with_name(folder.name + suffix)


def _fsync(folder: Path) -> None:
    """Force the list of a folder's files to the disk, if the system can do that."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
