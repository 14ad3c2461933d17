"""Folders that are there whole or not at all, each with the SHA-256 of its files.

A folder is written beside its place under a temporary name and renamed. The one that
was there is kept until then, and is found again where a kill fell between the two
renames. ``SHA256SUMS`` in it is what ``sha256sum -c`` reads.
"""

import contextlib
import hashlib
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from acmnet.files import open_regular
from acmnet.limits import LARGEST_CHECKPOINT_BYTES, LARGEST_NOTE_BYTES

DIGESTS_FILE: Final = "SHA256SUMS"
_NEW: Final = ".new"
_OLD: Final = ".old"
_DIGEST: Final = re.compile(r"([0-9a-f]{64})  (\S.*)")


class DamagedError(ValueError):
    """A file that is not what was written; the message names it."""


def write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files into a folder that replaces the one that is there.

    Whatever interrupts it, `standing` then returns the folder as it was before, or the
    new one, and each is whole. Only one process may write a folder at a time.

    Parameters
    ----------
    folder : Path
        The place; its parents are made where they are missing.
    files : mapping of str to bytes
        The content of each file by name. ``SHA256SUMS`` is added.

    Raises
    ------
    OSError
        If something cannot be written; the folder that is there is untouched then.
    """
    new, old = _beside(folder, _NEW), _beside(folder, _OLD)
    folder.parent.mkdir(parents=True, exist_ok=True)
    recover(folder)
    try:
        new.mkdir()
        for name, content in {**files, DIGESTS_FILE: _digests(files)}.items():
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
        recover(folder)  # takes the old one away


def recover(folder: Path) -> None:
    """Put back, or take away, what a writer that was killed left beside its place.

    Raises
    ------
    OSError
        If the disk does not let it.
    """
    new, old = _beside(folder, _NEW), _beside(folder, _OLD)
    _remove(new)
    if folder.exists():
        _remove(old)
    elif old.exists():
        old.rename(folder)


def recover_all(parent: Path) -> None:
    """Do what `recover` does for every folder in ``parent`` that was being written."""
    for path in list(parent.glob("*")):
        if path.suffix in (_NEW, _OLD):
            recover(path.with_suffix(""))


def remove_folder(folder: Path) -> None:
    """Remove a folder; a kill leaves it whole, or nothing that `standing` finds."""
    with contextlib.suppress(OSError):
        recover(folder)
        folder.rename(_beside(folder, _NEW))
    with contextlib.suppress(OSError):
        recover(folder)


def standing(folder: Path) -> Path | None:
    """Return where the whole folder lies at the moment; None where there is none."""
    for path in (folder, _beside(folder, _OLD), folder):
        if path.is_dir():
            return path
    return None


def read_file(path: Path) -> bytes:
    """Return a file's content, compared with what was written.

    In a folder without ``SHA256SUMS``, nothing is compared.

    Raises
    ------
    DamagedError
        If its SHA-256 is not the one that the folder says, or it is too large.
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
    """Return each file's SHA-256, in hexadecimal, as ``SHA256SUMS`` says.

    None where the folder has no such file. Lines that cannot be read say nothing.
    """
    try:
        with open_regular(folder / DIGESTS_FILE) as file:
            lines = file.read(LARGEST_NOTE_BYTES).decode(errors="replace")
    except OSError:
        return None
    found = map(_DIGEST.fullmatch, lines.splitlines())
    return {match[2]: match[1] for match in found if match}


def _digests(files: Mapping[str, bytes]) -> bytes:
    lines = (f"{hashlib.sha256(x).hexdigest()}  {name}\n" for name, x in files.items())
    return "".join(lines).encode()


def _remove(path: Path) -> None:
    """Remove a folder, or what lies in its place; a link's target stays."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _beside(folder: Path, suffix: str) -> Path:
    return folder.with_name(folder.name + suffix)


def _fsync(folder: Path) -> None:
    """Bring a folder's list of names to the disk, where the system can do that."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
