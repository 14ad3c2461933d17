"""How a page gets a video, embedded or as a link, and the strip of frames below it."""

import dataclasses
import itertools
import os
from fractions import Fraction
from pathlib import Path
from typing import Final
from urllib.parse import quote

import av
import cv2
import numpy as np

from acmnet.video.containers import DecodeCount, OpenVideo, VideoError, opened_video

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


FRAMES: Final = 12
"""How many frames a strip has."""
HEIGHT: Final = 54
"""Height of a frame in the strip, in pixels."""
WIDTH: Final = 96
"""Width of a frame in the strip, in pixels."""
QUALITY: Final = 70
"""Quality of the JPEG, from 0 to 100."""
REACH: Final = 100
"""At most this many frames are decoded to reach one frame of the strip."""


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


def poster_strip(path: Path, duration_s: float) -> bytes | None:
    """Return frames of a video side by side as a JPEG.

    Frame i of n is the one shown at ``(i + 0.5) duration_s / n``. If it is further than
    100 frames from the key frame before it, the 100th is taken, so that a strip of an
    hour takes little longer than one of a minute.

    Parameters
    ----------
    path : Path
        The video file.
    duration_s : float
        The time that the strip covers, in seconds from the start of the video.

    Returns
    -------
    bytes or None
        The JPEG; None if no frame can be decoded.
    """
    # axes: row, frame, column of the frame, colour
    shown = np.zeros((HEIGHT, FRAMES, WIDTH, 3), dtype=np.uint8)
    decoded = 0
    try:
        with opened_video(path, DecodeCount()) as video:
            begin = video.stream.start_time or 0
            base = video.stream.time_base or Fraction(1, av.time_base)
            for i in range(FRAMES):
                time_s = (i + 0.5) * duration_s / FRAMES
                frame = _frame_at(video, begin + int(time_s / base))
                if frame is None:
                    continue
                pixels = frame.to_ndarray(format="bgr24")
                shown[:, i] = cv2.resize(
                    pixels, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA
                )
                decoded += 1
    except (VideoError, av.FFmpegError):
        return None
    if not decoded:
        return None
    strip = shown.reshape(HEIGHT, FRAMES * WIDTH, 3)  # frames side by side
    _, jpeg = cv2.imencode(".jpg", strip, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return jpeg.tobytes()


def _frame_at(video: OpenVideo, stamp: int) -> av.VideoFrame | None:
    """Return the frame at a time stamp, or one near it; None if none is decoded."""
    frame = None
    try:
        video.container.seek(stamp, stream=video.stream)
        for frame in itertools.islice(video.container.decode(video.stream), REACH):
            if frame.pts is not None and frame.pts >= stamp:
                break
    except av.FFmpegError:
        pass
    return frame
