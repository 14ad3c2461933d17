"""A folder of large files on a disk or in object storage, read in parts.

Addresses such as ``s3://bucket/features`` or ``memory://features`` are opened by
fsspec, which needs a package for most of them, such as s3fs. Any other name is a folder
on a disk.
"""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from acmnet.files.file_access import open_regular, os_error_sentence, written_whole
from acmnet.messages import one_line

_ADDRESS: Final = re.compile(r"([a-z][a-z0-9+.-]+):/+(.*)", re.DOTALL)
"""Pattern of an address, also of one that a `Path` has made a single slash of."""
ON_DISK: Final = ("file", "local")
"""Addresses that begin so are absolute paths on a disk."""


def address_of(place: str | Path) -> str | None:
    """Return the address in object storage that a path stands for; None for a disk.

    Examples
    --------
    >>> address_of(Path("s3://bucket/features")), address_of("runs/features")
    ('s3://bucket/features', None)
    """
    match = _ADDRESS.fullmatch(Path(place).as_posix())
    if match is None or match[1] in ON_DISK:
        return None
    return f"{match[1]}://{match[2]}"


def on_disk(place: str | Path) -> Path:
    """Return the path of a folder on a disk, also of an address such as file:///data.

    Examples
    --------
    >>> str(on_disk("file:///data/features")), str(on_disk("runs"))
    ('/data/features', 'runs')
    """
    match = _ADDRESS.fullmatch(Path(place).as_posix())
    return Path("/", match[2]) if match and match[1] in ON_DISK else Path(place)


class Storage:
    """A folder whose files are read in parts and written whole.

    Parameters
    ----------
    place : str or Path
        A folder, which may be missing, or an address that fsspec knows.
    error : type
        The exception for what cannot be read or written.
    """

    def __init__(self, place: str | Path, error: type[ValueError]) -> None:
        self.error = error
        self.address = address_of(place)
        self.folder = on_disk(place)
        self._remote: Any = None
        if self.address is not None:
            with self._refusing(self.address):
                import fsspec

                self._remote, self._root = fsspec.core.url_to_fs(self.address)

    def __str__(self) -> str:
        """Return the address or the folder, for messages."""
        return self.address or str(self.folder)

    def where(self, name: str) -> str:
        """Return the address or the path of a file."""
        return f"{self.address}/{name}" if self.address else str(self.folder / name)

    def names(self) -> list[str]:
        """Return the names of the files, sorted; none if the folder is missing."""
        with self._refusing(str(self)):
            if self._remote is None:
                paths = self.folder.iterdir() if self.folder.is_dir() else ()
                return sorted(path.name for path in paths)
            self._remote.invalidate_cache()
            try:
                entries = self._remote.ls(self._root, detail=False)
            except FileNotFoundError:
                return []
            return sorted(name.rstrip("/").rpartition("/")[2] for name in entries)

    def size(self, name: str) -> int:
        """Return the size of a file in bytes."""
        with self._refusing(self.where(name)):
            if self._remote is None:
                return (self.folder / name).stat().st_size
            return int(self._remote.size(f"{self._root}/{name}"))

    def read(self, name: str, start: int, end: int) -> bytearray:
        """Return the bytes of a file from ``start`` up to ``end``."""
        with self._refusing(self.where(name)):
            if self._remote is None:
                content = bytearray(end - start)
                with open_regular(self.folder / name) as file:
                    file.seek(start)
                    n = file.readinto(content)
            else:
                path = f"{self._root}/{name}"
                content = bytearray(self._remote.cat_file(path, start=start, end=end))
                n = len(content)
        if n != end - start:
            raise self.error(
                f"{self.where(name)} ends before byte {end:,}; write the file again"
            )
        return content

    def write(self, name: str, content: bytes) -> None:
        """Write a file, whole or not at all."""
        if self._remote is None:
            with written_whole(self.folder / name) as part:
                part.write_bytes(content)
            return
        with self._refusing(self.where(name)):
            self._remote.makedirs(self._root, exist_ok=True)
            # readers of object storage see a new object once it is complete
            self._remote.pipe_file(f"{self._root}/{name}", content)

    @contextlib.contextmanager
    def _refusing(self, where: str) -> Iterator[None]:
        """Turn what a disk, a network or fsspec says into one sentence."""
        try:
            yield
        except self.error:
            raise
        except ImportError as fault:
            raise self.error(
                f"{where} cannot be opened: {one_line(fault)}; install that package"
            ) from None
        except OSError as fault:
            raise self.error(
                f"{where} could not be used: {os_error_sentence(fault)}"
            ) from None
        except Exception as fault:  # noqa: BLE001 - each storage raises errors of its own
            raise self.error(
                f"{where} could not be used: {one_line(fault)}; check the address and "
                "your access to it"
            ) from None
