"""The picture of a new video file: decoded frames become RGB, and RGB is encoded.

Every frame is given the time at which the new file shows it.
"""

from fractions import Fraction
from pathlib import Path
from typing import Final

import av
import cv2
import numpy as np
from av.container import OutputContainer
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter

from acmnet.show.rendering.frame_overlay import Frame
from acmnet.show.rendering.sound_copy import start_s
from acmnet.video.containers import OpenVideo, VideoError
from acmnet.video.frame_clock import nominal_duration

FINEST_CLOCK: Final = 1_000_000
"""Most ticks per second of the new file's clock; finer clocks become `CLOCK`."""
CLOCK: Final = Fraction(1, 90_000)
"""A tick of the new file's clock, in seconds, if that of the video is too fine."""

# some builds of ffmpeg lack x264, because it is under the GPL
CODEC: Final = "libx264" if "libx264" in av.codecs_available else "mpeg4"
"""Codec of new videos."""
QUALITY: Final = {"preset": "veryfast", "crf": "20"}
"""Options of the codec."""


class EncodedPicture:
    """Converts decoded frames to RGB, and RGB to the picture of the new file.

    Parameters
    ----------
    video : OpenVideo
        The file whose frames are converted.
    target : OutputContainer
        The MP4 file to write; see `opened_target`.
    begins_at_once : bool
        Whether the first frame is shown at the start of the new file. Otherwise it is
        shown as long after the start as in ``video``.
    """

    def __init__(
        self, video: OpenVideo, target: OutputContainer, *, begins_at_once: bool = False
    ) -> None:
        self._begins_at_once = begins_at_once
        self._video, self._target = video, target
        self._unit_s = video.stream.time_base or Fraction(1)
        self._tick_s = tick_s(video)
        # one converter for each direction: it keeps what it prepared, half of the time
        self._to_rgb, self._to_coded = VideoReformatter(), VideoReformatter()
        self._size: tuple[int, int] | None = None
        self._shown: Frame | None = None
        self._last = -1
        rates = video.stream.average_rate, video.stream.guessed_rate
        rate = (1 / nominal_duration(rates)).limit_denominator(10_000)
        # added before the sound, because some players take the first for the picture
        self._stream = target.add_stream(CODEC, rate=rate, options=dict(QUALITY))
        self.first_s = Fraction(0)
        """The time of the first frame, in seconds from the start of the file."""

    def pixels(self, frame: av.VideoFrame) -> Frame:
        """Return a frame as displayed, at the size of the first one, to be drawn on.

        A frame that cannot be converted to RGB is replaced by the one before it.
        """
        turns = round(frame.rotation / 90) % 4
        try:
            pixels = np.asarray(self._rgb(frame).to_ndarray(), np.uint8)
        except av.FFmpegError as error:
            if self._shown is None:
                raise VideoError(
                    f"{self._video.path} has {frame.format.name} frames that cannot be "
                    f"turned into RGB ({error.strerror}); encode it again, as H.264 in "
                    "yuv420p"
                ) from None
            return self._shown.copy()
        pixels = np.ascontiguousarray(np.rot90(pixels, turns))
        if self._size is None:
            self._size = pixels.shape[1], pixels.shape[0]
        if pixels.shape[1::-1] != self._size:
            pixels = np.asarray(cv2.resize(pixels, self._size), np.uint8)
        self._shown = pixels.copy()
        return pixels

    def _rgb(self, frame: av.VideoFrame) -> av.VideoFrame:
        """Convert a frame to RGB, by the colour matrix and range that it names."""
        try:
            return self._to_rgb.reformat(frame, format="rgb24")
        except av.FFmpegError:
            # swscale refuses colour matrices that it does not know, such as YCgCo
            return self._to_rgb.reformat(
                frame, format="rgb24", src_colorspace=Colorspace.ITU601
            )

    def write(self, pixels: Frame, frame: av.VideoFrame, time_s: Fraction) -> None:
        """Encode pixels at a time after the first frame, for the frame's duration."""
        if self._last < 0:
            self._open(frame)
        below, right = (side % 2 for side in pixels.shape[:2])
        if below or right:
            border = cv2.BORDER_REPLICATE
            padded = cv2.copyMakeBorder(pixels, 0, below, 0, right, border)
            pixels = np.asarray(padded, np.uint8)
        drawn = self._to_coded.reformat(
            av.VideoFrame.from_ndarray(pixels, format="rgb24"),
            format="yuv420p",
            dst_colorspace=Colorspace.ITU601,
            dst_color_range=ColorRange.MPEG,
        )
        # each frame needs a later tick than the one before, also on a coarse clock
        self._last = max(self._last + 1, round((self.first_s + time_s) / self._tick_s))
        drawn.pts, drawn.time_base = self._last, self._tick_s
        drawn.duration = round((frame.duration or 0) * self._unit_s / self._tick_s)
        self._target.mux(self._stream.encode(drawn))

    def close(self) -> None:
        """Write the frames that the encoder still holds."""
        self._target.mux(self._stream.encode(None))

    def _open(self, frame: av.VideoFrame) -> None:
        """Set the size, colours and start of the new picture by the first frame."""
        video, context = self._video, self._stream.codec_context
        width, height = self._size or (0, 0)
        context.width, context.height = width + width % 2, height + height % 2
        context.pix_fmt = "yuv420p"
        context.time_base = self._tick_s
        context.colorspace = Colorspace.ITU601
        context.color_range = ColorRange.MPEG
        aspect = video.stream.sample_aspect_ratio
        if aspect:
            is_turned = round(frame.rotation / 90) % 2
            context.sample_aspect_ratio = 1 / aspect if is_turned else aspect
        # in decoding order, frames have the time stamps of later packets
        stamp = video.stream.start_time if video.is_in_decoding_order else frame.pts
        if stamp is not None and not self._begins_at_once:
            first_s = stamp * self._unit_s - start_s(video.container)
            self.first_s = max(Fraction(0), first_s)


def tick_s(video: OpenVideo) -> Fraction:
    """Return the tick of the new file's clock: the video's own unless too fine."""
    unit_s = video.stream.time_base or Fraction(1)
    return unit_s if unit_s.denominator <= FINEST_CLOCK else CLOCK


def opened_target(path: Path, video: OpenVideo) -> OutputContainer:
    """Open the MP4 file in which a new picture of a video is written."""
    # without a fine scale, the picture could only start at a whole millisecond
    scale = max(1000, tick_s(video).denominator)
    return av.open(
        f"file:{path.absolute()}",
        "w",
        format="mp4",
        container_options={"movflags": "faststart", "movie_timescale": str(scale)},
    )
