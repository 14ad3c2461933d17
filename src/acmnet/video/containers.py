"""Containers: opening a video file, and nothing but that file.

What cannot be opened is refused in one sentence. Damaged packets are skipped and
counted.
"""

import contextlib
import dataclasses
import errno
import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from acmnet.files import one_line

CONTAINERS: Final = (
    *("mov", "matroska", "webm", "avi", "mpeg", "mpegts", "mpegvideo", "asf", "flv"),
    *("live_flv", "ogg", "mxf", "gif", "dv", "dhav", "h264", "hevc", "h263", "m4v"),
    *("ivf", "obu", "av1", "vc1", "nut", "rm", "wtv", "yuv4mpegpipe"),
)
"""ffmpeg's names of what may be opened.

No playlist (hls, dash, concat, ...) and no picture (image2, ...) is among them: those
open other files and addresses.
"""

MAX_PIXELS: Final = 1 << 26
"""Of one frame: twice those of 8K (8192 x 4320), 200 MB as RGB."""

# AVFMT_TS_DISCONT of ffmpeg's libavformat/avformat.h
CLOCK_MAY_JUMP: Final = 0x0200
SLOWEST_FPS: Final = Fraction(1, 10)


class VideoError(ValueError):
    """A file that holds no video that can be read."""


@dataclasses.dataclass
class DecodeCount:
    """What was decoded and what was lost so far."""

    n_decoded: int = 0
    """Frames decoded."""
    skipped_packets: int = 0
    """Damaged packets and frames that could not be decoded."""


@dataclasses.dataclass(frozen=True)
class OpenVideo:
    """A file that is open, and the stream of it that is read."""

    path: Path
    container: InputContainer
    stream: VideoStream
    count: DecodeCount

    @property
    def claimed_s(self) -> Fraction:
        """The duration in seconds that the header claims, 0 if it does not."""
        own_s = (self.stream.duration or 0) * (self.stream.time_base or Fraction(0))
        whole_s = Fraction(self.container.duration or 0, av.time_base)
        return max(own_s or whole_s, Fraction(0))

    @property
    def is_in_decoding_order(self) -> bool:
        """Whether the timestamps are those of decoding: AVI has no others."""
        return self.container.format.name == "avi"

    @property
    def bears_out_its_clock(self) -> bool:
        """Whether the claimed duration tells a gap from a damaged timestamp.

        Not where a clock may start anew within a file, as in MPEG, nor where it makes
        for less than a frame in 10 s, as a damaged unit of time does.
        """
        may_jump = bool(self.container.format.flags & CLOCK_MAY_JUMP)
        rate = self.stream.average_rate
        is_slow = rate is not None and rate < SLOWEST_FPS
        return not (may_jump or is_slow)

    def frames(self) -> Iterator[av.VideoFrame]:
        """Yield each frame that can be decoded, in order of presentation."""
        for packet in self._packets():
            try:
                frames = self.stream.decode(packet)
            except av.FFmpegError:
                self.count.skipped_packets += 1
                continue
            for frame in frames:
                self.count.n_decoded += 1
                yield frame

    def no_frame(self) -> VideoError:
        """Return the refusal of a video of which nothing could be decoded."""
        return VideoError(
            f"no frame could be decoded from {self.path} "
            f"({self.count.skipped_packets} damaged packets); play it to see whether "
            "it is whole, or encode it again"
        )

    def _packets(self) -> Iterator["av.Packet[Any] | None"]:
        """Yield the packets of the stream, then None, which empties the decoder."""
        try:
            for packet in self.container.demux(self.stream):
                # An empty one would put the decoder into its last state.
                if packet.size:
                    yield packet
        except IndexError:
            # PyAV at the end of a damaged file that seemed to start a new stream
            pass
        except av.FFmpegError:
            self.count.skipped_packets += 1
        yield None


@contextlib.contextmanager
def opened_video(path: Path, count: DecodeCount) -> Iterator[OpenVideo]:
    """Open a video file by its content, counting into ``count``; close it at the end.

    Raises
    ------
    VideoError
        If there is no such file, or no video in it that can be decoded.

    Notes
    -----
    Decoded by one thread. Of 160 damaged files, frame threads lost 10 frames of 7,599
    and gave other pictures from one time to the next in 8; slice threads gave other
    pictures than one thread in 33. Whole files take the same processor time.
    """
    refuse_no_file(path)
    try:
        container = av.open(
            f"file:{path.absolute()}",
            mode="r",
            options={
                "protocol_whitelist": "file",
                "format_whitelist": ",".join(CONTAINERS),
                "max_pixels": str(MAX_PIXELS),
            },
            metadata_errors="ignore",
        )
    except (av.FFmpegError, ValueError) as error:
        raise VideoError(
            f"{path} is no video that can be read ({_reason(error)}); play it to see "
            "whether it is whole, or encode it again, as H.264 in MP4"
        ) from None
    with container:
        yield OpenVideo(path, container, _video_stream(path, container), count)


def _video_stream(path: Path, container: InputContainer) -> VideoStream:
    """Return the video stream that a player would choose; cover pictures are none."""
    streams = [
        stream
        for stream in container.streams.video
        if not stream.disposition & Disposition.attached_pic
    ]
    if not streams:
        kinds = sorted({stream.type for stream in container.streams})
        raise VideoError(
            f"{path} has no video stream, only {', '.join(kinds) or 'a header'}; leave "
            "it out or name the video itself"
        )
    best = container.streams.best("video")
    stream = next((stream for stream in streams if stream is best), streams[0])
    context = stream.codec_context
    if context is None:
        raise VideoError(
            f"{path} has a video stream of an unknown codec; encode it again, as H.264 "
            "in MP4"
        )
    if context.width * context.height > MAX_PIXELS:
        raise VideoError(
            f"{path} claims frames of {context.width}x{context.height} pixels, more "
            f"than {MAX_PIXELS} in all; scale it down or check its header"
        )
    context.options = {"max_pixels": str(MAX_PIXELS)}
    context.thread_type = "NONE"
    context.thread_count = 1
    return stream


def refuse_no_file(path: Path) -> None:
    """Refuse what is missing, a folder or a pipe, not readable or empty.

    Raises
    ------
    VideoError
        With what to do.
    """
    if os.path.isdir(path):
        raise VideoError(f"{path} is a directory; name the video itself")
    if not os.path.exists(path):
        raise VideoError(
            f"no video at {path}; check the path, or the working directory "
            f"({Path.cwd()})"
        )
    if not os.path.isfile(path):
        raise VideoError(f"{path} is no regular file; name the video itself")
    if not os.access(path, os.R_OK):
        raise VideoError(f"{path} could not be read; check its permissions")
    if not os.path.getsize(path):
        raise VideoError(f"{path} is empty; copy or download it again")


def _reason(error: Exception) -> str:
    """Return in words why ffmpeg did not open a file."""
    # what it answers to a format that is not among CONTAINERS
    if isinstance(error, av.FFmpegError) and error.errno == errno.EINVAL:
        return "a playlist, a picture or another kind of file"
    if isinstance(error, av.InvalidDataError | av.EOFError):
        return "its header is damaged or it is no video at all"
    if isinstance(error, av.FFmpegError):
        return str(error.strerror)
    return one_line(error)
