"""A strip of a video's frames, to know it by."""

import itertools
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
import cv2
import numpy as np

from acmnet.video.containers import DecodeCount, OpenVideo, VideoError, opened_video

FRAMES: Final = 12
"""Frames of a strip."""
HEIGHT: Final = 54
WIDTH: Final = 96
QUALITY: Final = 70
REACH: Final = 100
"""Frames decoded at most to reach one of the strip."""


def poster_strip(path: Path, duration_s: float) -> bytes | None:
    """Return frames of a video side by side as a JPEG.

    Frame i of n is that of ``(i + 0.5) duration_s / n``, or the 100th after the key
    frame before it where that is nearer: an hour takes little longer than a minute.

    Parameters
    ----------
    path : Path
        The video.
    duration_s : float
        Seconds that the strip covers.

    Returns
    -------
    bytes or None
        None where no frame can be decoded.
    """
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
    strip = shown.reshape(HEIGHT, FRAMES * WIDTH, 3)
    _, jpeg = cv2.imencode(".jpg", strip, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return jpeg.tobytes()


def _frame_at(video: OpenVideo, stamp: int) -> av.VideoFrame | None:
    """Return the frame shown at a time stamp, or one near it; None for none."""
    frame = None
    try:
        video.container.seek(stamp, stream=video.stream)
        for frame in itertools.islice(video.container.decode(video.stream), REACH):
            if frame.pts is not None and frame.pts >= stamp:
                break
    except av.FFmpegError:
        pass
    return frame
