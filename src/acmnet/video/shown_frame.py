"""The frame of a video that is shown at a time: turned, in RGB, in several sizes."""

import math
from fractions import Fraction
from typing import Final

import av
import cv2
import numpy as np
import numpy.typing as npt
from av.video.reformatter import Colorspace, VideoReformatter

from acmnet.video.containers import OpenVideo, VideoError

Frame = npt.NDArray[np.uint8]
"""An RGB picture of shape (H, W, 3), C-contiguous."""
Sizes = tuple[Frame, ...]
"""One picture in several sizes."""
MAX_ASPECT: Final = 4
"""Longest side divided by ``short_side``, at most; a longer picture is squeezed."""


class ShownFrame:
    """The current frame; it is converted to RGB and resized only when asked for."""

    def __init__(self, video: OpenVideo, short_sides: tuple[int | None, ...]) -> None:
        self._video = video
        self._short_sides = short_sides
        self._reformatter = VideoReformatter()
        self._pending: av.VideoFrame | None = None
        self._sizes: list[tuple[int, int]] = []
        self._shown: Sizes | None = None

    def show(self, frame: av.VideoFrame) -> None:
        """Make another frame the current one."""
        self._pending = frame

    def pixels(self) -> Sizes:
        """Return the current frame, or the one before if it cannot be converted."""
        if self._pending is not None:
            frame, self._pending = self._pending, None
            try:
                self._shown = self._converted(frame)
            except av.FFmpegError as error:
                self._video.count.skipped_packets += 1
                if self._shown is None:
                    raise VideoError(
                        f"{self._video.path} has {frame.format.name} frames that "
                        f"cannot be turned into RGB ({error.strerror}); encode it "
                        "again, as H.264 in yuv420p"
                    ) from None
        if self._shown is None:
            raise self._video.no_frame()
        return self._shown

    def _converted(self, frame: av.VideoFrame) -> Sizes:
        """Return a frame as it is displayed, in the sizes of the first frame."""
        pixels = self._rgb(frame)
        turns = quarter_turns(frame)
        if not self._sizes:
            height, width = pixels.shape[:2]
            shown = turned((width, height), turns)
            self._sizes = [_scaled(*shown, side) for side in self._short_sides]
        resized = (_resized(pixels, *turned(size, turns)) for size in self._sizes)
        return tuple(
            np.ascontiguousarray(np.rot90(picture, turns) if turns else picture)
            for picture in resized
        )

    def _rgb(self, frame: av.VideoFrame) -> Frame:
        """Return a frame's pixels in RGB, by the matrix and range that it names."""
        try:
            # in one thread: swscale would wake a thread on each core for 1 ms of work
            rgb = self._reformatter.reformat(frame, format="rgb24", threads=1)
        except av.FFmpegError:
            # swscale refuses a matrix that it does not know, such as YCgCo
            rgb = self._reformatter.reformat(
                frame, format="rgb24", src_colorspace=Colorspace.ITU601, threads=1
            )
        # (height, bytes of a row): rows may be padded. to_ndarray would copy them while
        # it holds Python's lock
        plane = rgb.planes[0]
        rows = np.frombuffer(memoryview(plane), np.uint8)
        pixels: Frame = rows.reshape(rgb.height, -1)[:, : 3 * rgb.width]
        return pixels.reshape(rgb.height, rgb.width, 3)


def quarter_turns(frame: av.VideoFrame) -> int:
    """Return the number of counter-clockwise quarter turns, from 0 to 3."""
    return round(frame.rotation / 90) % 4


def turned(size: tuple[int, int], turns: int) -> tuple[int, int]:
    """Return width and height after a number of quarter turns."""
    return size[::-1] if turns % 2 else size


def _scaled(width: int, height: int, short_side: int | None) -> tuple[int, int]:
    """Return width and height scaled so that the shorter one is ``short_side``."""
    if short_side is None:
        return width, height
    exact = Fraction(max(width, height) * short_side, min(width, height))
    long_side = min(math.floor(exact + Fraction(1, 2)), MAX_ASPECT * short_side)
    return (short_side, long_side) if width < height else (long_side, short_side)


def _resized(pixels: Frame, width: int, height: int) -> Frame:
    """Return pixels at another size; the same array if the size is right."""
    old_height, old_width = pixels.shape[:2]
    if (old_width, old_height) == (width, height):
        return pixels
    is_much = old_width > 2 * width or old_height > 2 * height
    interpolation = cv2.INTER_AREA if is_much else cv2.INTER_LINEAR
    resized = cv2.resize(pixels, (width, height), interpolation=interpolation)
    return np.asarray(resized, np.uint8)
