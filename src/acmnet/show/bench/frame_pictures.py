"""Pictures of a video for the bench: a strip of small ones, and single frames."""

import itertools
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av
import cv2
import numpy as np
import numpy.typing as npt

from acmnet.video.containers import DecodeCount, OpenVideo, VideoError, opened_video
from acmnet.video.frame_times import FrameTimes

PICTURES: Final = 32
"""How many pictures a strip has."""
HEIGHT: Final = 54
"""Height of a picture in the strip, in pixels."""
NARROWEST: Final = 24
WIDEST: Final = 128
"""Width of a picture in the strip, in pixels: least and most."""
QUALITY: Final = 70
"""Quality of the JPEG of a strip, from 0 to 100."""
REACH: Final = 100
"""At most this many frames are decoded to reach one picture of the strip."""
LONGEST_SIDE: Final = 960
"""Longest side of a single frame, in pixels."""
FRAME_QUALITY: Final = 85
"""Quality of the JPEG of a single frame, from 0 to 100."""
FRAME_REACH: Final = 2000
"""At most this many frames are decoded to reach a single frame."""

Pixels = npt.NDArray[np.uint8]


def picture_strip(path: Path, duration_s: float) -> bytes | None:
    """Return 32 pictures of a video side by side as a JPEG.

    Picture i is the frame that is shown at ``(i + 0.5) duration_s / 32``. If it is
    further than 100 frames from the key frame before it, the 100th is taken, so that a
    strip of an hour takes little longer than one of a minute.

    Parameters
    ----------
    path : Path
        The video file.
    duration_s : float
        Length of the video in seconds.

    Returns
    -------
    bytes or None
        The JPEG, 54 pixels high and 32 pictures of one width wide; None if no frame can
        be decoded.
    """
    try:
        with opened_video(path, DecodeCount()) as video:
            frames = list(_spread(video, duration_s))
    except (VideoError, av.FFmpegError):
        return None
    sizes = [picture.shape[:2] for picture in frames if picture is not None]
    if not sizes:
        return None
    height, width = sizes[0]
    width = int(np.clip(round(HEIGHT * width / height), NARROWEST, WIDEST))
    black = np.zeros((HEIGHT, width, 3), np.uint8)
    # (54, 32 * width, 3): pictures side by side
    strip = np.concatenate(
        [black if x is None else _scaled(x, width, HEIGHT) for x in frames], axis=1
    )
    return _jpeg(strip, QUALITY)


def frame_picture(path: Path, times: FrameTimes, index: int) -> bytes | None:
    """Return one frame of a video as a JPEG; None if it cannot be decoded.

    Parameters
    ----------
    path : Path
        The video file.
    times : FrameTimes
        When its frames are shown.
    index : int
        Which frame, from 0 to n - 1.
    """
    later = times.times_s[index + 1] if index + 1 < len(times.times_s) else times.end_s
    middle_s = (float(times.times_s[index]) + float(later)) / 2
    try:
        with opened_video(path, DecodeCount()) as video:
            frame = _frame_at(video, middle_s, FRAME_REACH)
            if frame is None:
                return None
            pixels = _upright(frame)
    except (VideoError, av.FFmpegError):
        return None
    height, width = pixels.shape[:2]
    scale = min(1.0, LONGEST_SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return _jpeg(_scaled(pixels, *size), FRAME_QUALITY)


def _spread(video: OpenVideo, duration_s: float) -> Iterator[Pixels | None]:
    """Yield the pictures of a strip; None for each that cannot be decoded."""
    for i in range(PICTURES):
        frame = _frame_at(video, (i + 0.5) * duration_s / PICTURES, REACH)
        yield None if frame is None else _upright(frame)


def _frame_at(video: OpenVideo, time_s: float, most: int) -> av.VideoFrame | None:
    """Return the frame shown at a time, or one near it; None if none is decoded."""
    unit_s = video.stream.time_base or Fraction(1, av.time_base)
    stamp = (video.stream.start_time or 0) + int(Fraction(time_s) / unit_s)
    before = None
    try:
        video.container.seek(stamp, stream=video.stream)
        for frame in itertools.islice(video.container.decode(video.stream), most):
            if frame.pts is not None and frame.pts > stamp:
                return before or frame
            before = frame
    except av.FFmpegError:
        pass
    return before


def _upright(frame: av.VideoFrame) -> Pixels:
    """Return the pixels of a frame as it is displayed, in the order of OpenCV."""
    turns = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(frame.to_ndarray(format="bgr24"), turns))


def _scaled(pixels: Pixels, width: int, height: int) -> Pixels:
    resized: Any = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(resized, np.uint8)


def _jpeg(pixels: Pixels, quality: int) -> bytes:
    _, jpeg = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return jpeg.tobytes()
