"""How a page gets a video file: embedded in the page, or as a link."""

import dataclasses
import os
from pathlib import Path
from typing import Final
from urllib.parse import quote

EMBEDDED_BYTES: Final = 8 << 20
"""Videos of more bytes than this are linked."""
EMBEDDED_TOTAL: Final = 64 << 20
"""At most this many bytes of videos are embedded in one page; the rest is linked."""

MEDIA_TYPES: Final = {
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".mov": "video/mp4",
    ".webm": "video/webm",
    ".mkv": "video/webm",
    ".ogv": "video/ogg",
}
"""Media types of the suffixes that browsers may play; the page offers no others."""


@dataclasses.dataclass(frozen=True)
class Media:
    """A video file, and how the page gets it."""

    type: str
    url: str | None
    """Address relative to the page; None if the video is embedded."""
    path: Path


def media_of(file: Path | None, page: Path, room: int) -> Media | None:
    """Return how a page gets a video file; None if browsers do not play it.

    Parameters
    ----------
    file : Path or None
        The video file; None if there is none.
    page : Path
        The file of the page: links are relative to it.
    room : int
        How many more bytes may be embedded.
    """
    if file is None or file.suffix.lower() not in MEDIA_TYPES:
        return None
    kind = MEDIA_TYPES[file.suffix.lower()]
    if file.stat().st_size <= min(EMBEDDED_BYTES, room):
        return Media(kind, None, file)
    relative = os.path.relpath(file.resolve(), page.resolve().parent)
    return Media(kind, quote(Path(relative).as_posix()), file)
