"""How a page takes a video file: inside itself, or as a link."""

import dataclasses
import os
from pathlib import Path
from typing import Final
from urllib.parse import quote

EMBEDDED_BYTES: Final = 8 << 20
"""A larger video is linked."""
EMBEDDED_TOTAL: Final = 64 << 20
"""Bytes of all embedded videos together; those beyond are linked."""

MEDIA_TYPES: Final = {
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".mov": "video/mp4",
    ".webm": "video/webm",
    ".mkv": "video/webm",
    ".ogv": "video/ogg",
}
"""Files that a browser may be able to play; others are not offered to it."""


@dataclasses.dataclass(frozen=True)
class Media:
    """A video file as the page takes it."""

    type: str
    url: str | None
    """Relative to the page; None where it is embedded."""
    path: Path


def media_of(file: Path | None, page: Path, room: int) -> Media | None:
    """Return how a page takes a file; None where a browser cannot play it.

    Parameters
    ----------
    file : Path or None
        The video; None where there is none.
    page : Path
        Where the page will lie: links are relative to it.
    room : int
        Bytes that may still be embedded.
    """
    if file is None or file.suffix.lower() not in MEDIA_TYPES:
        return None
    kind = MEDIA_TYPES[file.suffix.lower()]
    if file.stat().st_size <= min(EMBEDDED_BYTES, room):
        return Media(kind, None, file)
    relative = os.path.relpath(file.resolve(), page.resolve().parent)
    return Media(kind, quote(Path(relative).as_posix()), file)


def served_media(file: Path | None, place: int) -> Media | None:
    """Return how a page takes a file from a server, by its place there."""
    if file is None or file.suffix.lower() not in MEDIA_TYPES:
        return None
    return Media(MEDIA_TYPES[file.suffix.lower()], f"media/{place}", file)
