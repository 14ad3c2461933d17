"""Render: a video becomes the same video with its detections drawn into the picture.

Every frame keeps its time, also where the rate varies, and the sound is copied. One
frame, and those that decoder and encoder keep, are in memory.
"""

import difflib
import os
import reprlib
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Final, NamedTuple

import av
import cv2
import numpy as np
from av.container import OutputContainer
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter

from acmnet.data.annotations import Instance
from acmnet.data.detections import DetectionFile
from acmnet.files import written_whole
from acmnet.segments import Detection
from acmnet.show.frame_overlay import Frame, Overlay
from acmnet.show.sound_copy import Sound, packets, start_s
from acmnet.video.containers import DecodeCount, OpenVideo, VideoError, opened_video
from acmnet.video.frame_clock import FrameClock, nominal_duration

TOP: Final = 20
"""Detections of a video that are drawn, the surest ones, unless told otherwise."""
FINEST: Final = 1_000_000
"""Ticks a second: a file with a finer clock is rendered with `CLOCK`."""
CLOCK: Final = Fraction(1, 90_000)

# not every build of ffmpeg has x264, which is under the GPL
_CODEC: Final = "libx264" if "libx264" in av.codecs_available else "mpeg4"
_QUALITY: Final = {"preset": "veryfast", "crf": "20"}


class RenderError(ValueError):
    """A video that cannot be rendered so, and why."""


class Rendered(NamedTuple):
    """What was written, and what was lost."""

    frames: int
    """Frames written: all that could be decoded."""
    duration_s: float
    """From the first frame to the end of the last."""
    skipped_packets: int
    """Damaged packets of the picture."""
    dropped_sound: int
    """Packets of the sound that were damaged or came again."""


class _Timing(NamedTuple):
    """What the packets tell before any frame is decoded."""

    frames: int
    duration_s: Fraction


def detections_of(
    file: DetectionFile,
    video: str,
    *,
    min_score: float | None = None,
    top: int | None = TOP,
) -> tuple[Detection, ...]:
    """Return the detections of one video to draw, the surest first.

    Those that do not end after they start cannot be drawn and are left out.

    Parameters
    ----------
    file : DetectionFile
        Of one or many videos.
    video : str
        Its id in the file.
    min_score : float, optional
        Leave out what has a lower score.
    top : int or None
        At most this many, from 1; of equal scores the first in the file. All when None.

    Raises
    ------
    RenderError
        If the video is not in the file, or ``top`` is less than 1.
    """
    if top is not None and top < 1:
        raise RenderError(f"top must be at least 1 detection, got {top}")
    if video not in file.video_ids:
        raise RenderError(not_among(video, file.video_ids, file.source))
    is_drawn = file.video_index == file.video_ids.index(video)
    is_drawn &= file.end_s > file.start_s
    if min_score is not None:
        is_drawn &= file.score >= min_score
    rows = np.flatnonzero(is_drawn)
    best = rows[np.argsort(-file.score[rows], kind="stable")][:top]
    return tuple(
        Detection(
            file.labels[int(file.label_index[i])],
            float(file.start_s[i]),
            float(file.end_s[i]),
            float(file.score[i]),
        )
        for i in best
    )


def not_among(video: str, videos: Sequence[str], source: str) -> str:
    """Return the refusal of a video that a file does not have."""
    near = difflib.get_close_matches(video, videos, n=1, cutoff=0.5)
    example = f", such as {near[0]!r}" if near else f": {reprlib.repr(list(videos))}"
    return (
        f"{source} has no video {video!r} among its {len(videos)}{example}; name the "
        "right one with --video"
    )


def render_detections(
    path: str | Path,
    found: Sequence[Detection],
    out: str | Path,
    *,
    truth: Sequence[Instance] = (),
    on_frame: Callable[[int, int], None] = lambda *_: None,
) -> Rendered:
    """Write a video with labels, scores and a strip of the time drawn into it.

    The file is H.264 (yuv420p) in MP4 and appears whole or not at all. A picture of odd
    width or height gets one more column or row. Pictures are turned as the file says.

    Parameters
    ----------
    path : str or Path
        The video file.
    found : sequence of Detection
        What is drawn, in seconds after the first frame; see `detections_of`.
    out : str or Path
        The MP4 file to write, another one than ``path``.
    truth : sequence of Instance
        Annotated instances, drawn in a lane of their own.
    on_frame : callable
        Called after each frame with how many are done and how many are expected.

    Returns
    -------
    Rendered

    Raises
    ------
    VideoError
        If there is no such file or no video in it, or no frame of it can be decoded.
    RenderError
        If ``out`` is the video itself or cannot be written.

    Notes
    -----
    Times are those of the file; where a clock may start anywhere, as in MPEG streams,
    they count from its start. Sound is copied packet by packet; only a codec that MP4
    cannot hold is encoded anew, as AAC.
    """
    path, out = Path(path), Path(out)
    timing = _timing(path)
    _refuse_out(path, out)
    try:
        with (
            written_whole(out) as part,
            opened_video(path, DecodeCount()) as video,
            opened_video(path, DecodeCount()) as sound_file,
            av.open(
                f"file:{part.absolute()}",
                "w",
                format="mp4",
                container_options=_container_options(video),
            ) as target,
        ):
            picture = _Picture(video, target)
            sound = Sound(sound_file.container, target)
            overlay: Overlay | None = None
            for done, (frame, time_s) in enumerate(_timed(video), start=1):
                pixels = picture.pixels(frame)
                if overlay is None:
                    size = pixels.shape[1], pixels.shape[0]
                    overlay = Overlay(*size, float(timing.duration_s), found, truth)
                overlay.draw(pixels, float(time_s))
                picture.write(pixels, frame, time_s)
                sound.copy_until(picture.first_s + time_s)
                on_frame(done, max(done, timing.frames))
            if overlay is None:
                raise video.no_frame()
            picture.close()
            sound.copy_until(None)
    except av.FFmpegError as error:
        raise RenderError(
            f"{out} could not be written ({error.strerror}); name a file in a folder "
            "that exists, that you may write to and that has room for it"
        ) from error
    return Rendered(
        video.count.n_decoded,
        float(timing.duration_s),
        video.count.skipped_packets,
        sound.dropped,
    )


class _Picture:
    """Turns decoded frames into RGB, and RGB into the new file's picture."""

    def __init__(self, video: OpenVideo, target: OutputContainer) -> None:
        self._video, self._target = video, target
        self._unit_s = video.stream.time_base or Fraction(1)
        self._tick_s = _tick_s(video)
        # each keeps what it has prepared for frames of one kind: half of all the time
        self._to_rgb, self._to_coded = VideoReformatter(), VideoReformatter()
        self._size: tuple[int, int] | None = None
        self._shown: Frame | None = None
        self._last = -1
        rates = video.stream.average_rate, video.stream.guessed_rate
        rate = (1 / nominal_duration(rates)).limit_denominator(10_000)
        # before the sound's streams, as some players take the first for the picture
        self._stream = target.add_stream(_CODEC, rate=rate, options=dict(_QUALITY))
        self.first_s = Fraction(0)
        """When the first frame is shown, counted from the start of the file."""

    def pixels(self, frame: av.VideoFrame) -> Frame:
        """Return a frame as displayed, at the size of the first; it may be drawn on.

        A frame that cannot be turned into RGB is replaced by the one before.
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
        """Return a frame in RGB, by the matrix and range that it names."""
        try:
            return self._to_rgb.reformat(frame, format="rgb24")
        except av.FFmpegError:
            # swscale refuses a matrix that it does not know, such as YCgCo
            return self._to_rgb.reformat(
                frame, format="rgb24", src_colorspace=Colorspace.ITU601
            )

    def write(self, pixels: Frame, frame: av.VideoFrame, time_s: Fraction) -> None:
        """Encode pixels, so long after the first frame and as long as the frame."""
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
        # a late frame comes half a frame later, which a coarse clock may not have
        self._last = max(self._last + 1, round((self.first_s + time_s) / self._tick_s))
        drawn.pts, drawn.time_base = self._last, self._tick_s
        drawn.duration = round((frame.duration or 0) * self._unit_s / self._tick_s)
        self._target.mux(self._stream.encode(drawn))

    def close(self) -> None:
        """Write what the encoder still has."""
        self._target.mux(self._stream.encode(None))

    def _open(self, frame: av.VideoFrame) -> None:
        """Set what the first frame decides."""
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
        # a frame in decoding order bears the time of a later packet
        stamp = video.stream.start_time if video.is_in_decoding_order else frame.pts
        if stamp is not None:
            first_s = stamp * self._unit_s - start_s(video.container)
            self.first_s = max(Fraction(0), first_s)


def _tick_s(video: OpenVideo) -> Fraction:
    """Return the step of the new file's times: that of the video where it can be."""
    unit_s = video.stream.time_base or Fraction(1)
    return unit_s if unit_s.denominator <= FINEST else CLOCK


def _container_options(video: OpenVideo) -> dict[str, str]:
    """Return the options of MP4's muxer."""
    # else a picture that starts late does so at a whole millisecond
    scale = max(1000, _tick_s(video).denominator)
    return {"movflags": "faststart", "movie_timescale": str(scale)}


def _stamp(video: OpenVideo, timed: "av.VideoFrame | av.Packet[Any]") -> int | None:
    """Return a frame's or packet's timestamp, in units of the stream."""
    return timed.dts if video.is_in_decoding_order else timed.pts


def _clock(video: OpenVideo) -> FrameClock:
    """Return the clock that the video's frames were extracted by."""
    return FrameClock(
        nominal_duration((video.stream.average_rate, video.stream.guessed_rate)),
        video.claimed_s if video.bears_out_its_clock else Fraction(0),
    )


def _timed(video: OpenVideo) -> Iterator[tuple[av.VideoFrame, Fraction]]:
    """Yield each decoded frame with its time in seconds after the first."""
    clock, unit_s = _clock(video), video.stream.time_base or Fraction(1)
    for frame in video.frames():
        stamp = _stamp(video, frame)
        yield frame, clock.time_of(None if stamp is None else stamp * unit_s)


def _timing(path: Path) -> _Timing:
    """Return how many frames there should be and how long, without decoding any."""
    with opened_video(path, DecodeCount()) as video:
        unit_s = video.stream.time_base or Fraction(1)
        clock = _clock(video)
        stamps = [
            (_stamp(video, packet), packet.duration or 0)
            for packet in packets(video.container, [video.stream])
        ]
        if all(stamp is not None for stamp, _ in stamps):
            stamps.sort()  # by presentation
        end_s = Fraction(0)
        for stamp, duration in stamps:
            clock.time_of(None if stamp is None else stamp * unit_s)
            end_s = clock.end_of(duration * unit_s)
        return _Timing(len(stamps), end_s)


def _refuse_out(path: Path, out: Path) -> None:
    """Refuse to write over the video, or where there is no folder."""
    if out.exists() and os.path.samefile(path, out):
        raise RenderError(
            f"{out} is the video itself, which is not written over; name another file"
        )
    if out.is_dir():
        raise RenderError(f"{out} is a directory; name the MP4 file itself")
    if out.suffix.lower() not in (".mp4", ".m4v"):
        raise RenderError(
            f"{out} must end in .mp4, which is what is written; name it so"
        )
    if not out.parent.is_dir():
        raise RenderError(
            f"{out} is in no folder that exists; make it, or name another"
        )
