"""The journal of a label file: what was stored, in order, one line of JSON a change.

A line is on the disk before anybody is told that it was stored. After a crash the lines
are read again, so nothing that was acknowledged is lost. A last line that was not
written to its end was never acknowledged: it is left out, and the user is told.
"""

import contextlib
import json
import os
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from acmnet.files.file_access import FileError, make_folder, open_regular, unwritten

JOURNAL_FILE: Final = "journal.jsonl"
"""Name of the journal in the folder of a bench."""
FORMAT: Final = "acmnet journal 1"
"""Value of ``format`` in the first line of a journal."""
REMEDY: Final = "mend that line, or move the file away to begin from the label file"


class JournalError(ValueError):
    """A journal that cannot be read; the message names the file and the line."""


class Journal:
    """A file that grows by one line for each change.

    Parameters
    ----------
    path : Path
        The file; it is made with the first change.

    Attributes
    ----------
    notes : list of str
        Sentences on what was left out, once `entries` was called.
    id : str
        What tells this journal from others; the label file repeats it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.notes: list[str] = []
        self.id = uuid.uuid4().hex
        self._file: int | None = None
        self._size = 0
        """Length in bytes of what was read or acknowledged."""

    def entries(self) -> Iterator[dict[str, Any]]:
        """Yield the changes in order; ready to append afterwards.

        Raises
        ------
        JournalError
            If a line other than the last cannot be read.
        """
        if self.path.is_symlink():
            raise JournalError(
                f"{self.path} is a link, which is not followed; {REMEDY}"
            )
        if not self.path.exists():
            return
        with open_regular(self.path, "journal") as file:
            content = file.read()
        lines = content.split(b"\n")
        last_good = max(
            (i for i, line in enumerate(lines[:-1]) if _entry(line) is not None),
            default=-1,
        )
        for i, line in enumerate(lines[: last_good + 1]):
            entry = _entry(line)
            if entry is None or (i == 0) != ("format" in entry):
                raise JournalError(
                    f"{self.path}, line {i + 1} is no entry of a journal; {REMEDY}"
                )
            if i == 0 and entry["format"] != FORMAT:
                raise JournalError(
                    f"{self.path} is of the format {entry['format']!r}, this acmnet "
                    f"reads {FORMAT!r}; use the acmnet that wrote it"
                )
            self._size += len(line) + 1
            if i:
                yield entry
            else:
                self.id = str(entry.get("id", ""))
        torn = len(content) - self._size
        if torn:
            self.notes.append(
                f"the last entry of {self.path} ({torn} bytes) was not written to its "
                "end and is left out; the page was never told that it was stored"
            )

    def append(self, entry: Mapping[str, Any]) -> None:
        """Write a change, and return once it is on the disk.

        Raises
        ------
        FileError
            If it cannot be written; then nothing of it is kept.
        """
        line = json.dumps(entry, separators=(",", ":"), allow_nan=False) + "\n"
        try:
            file = self._opened()
            _write_all(file, line.encode())
            os.fsync(file)
        except OSError as fault:
            self._undo()
            raise unwritten(self.path, fault) from fault
        self._size += len(line.encode())

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _opened(self) -> int:
        """Return the open file, cut to what was acknowledged; a new one gets a head."""
        if self._file is not None:
            return self._file
        make_folder(self.path.parent)
        flags = ("O_WRONLY", "O_CREAT", "O_NOFOLLOW", "O_CLOEXEC", "O_BINARY")
        self._file = os.open(
            self.path, sum(getattr(os, flag, 0) for flag in flags), 0o666
        )
        os.ftruncate(self._file, self._size)
        os.lseek(self._file, 0, os.SEEK_END)
        if not self._size:
            head = json.dumps({"format": FORMAT, "id": self.id}).encode() + b"\n"
            _write_all(self._file, head)
            self._size = len(head)
            with contextlib.suppress(OSError):  # some systems open no folders
                folder = os.open(self.path.parent, os.O_RDONLY)
                os.fsync(folder)
                os.close(folder)
        return self._file

    def _undo(self) -> None:
        """Cut off what a failed write left; the file is opened anew for the next."""
        with contextlib.suppress(OSError):
            self.close()
        with contextlib.suppress(OSError, FileError):
            os.truncate(self.path, self._size)


def _write_all(file: int, content: bytes) -> None:
    """Write all bytes, however many a single call takes."""
    left = memoryview(content)
    while left:
        left = left[os.write(file, left) :]


def _entry(line: bytes) -> dict[str, Any] | None:
    """Return a line's values; None if it is no whole JSON object."""
    try:
        values = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return values if isinstance(values, dict) else None
