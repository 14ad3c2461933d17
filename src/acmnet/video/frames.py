"""Decode a video file into RGB frames at a fixed rate, one after another.

PyAV decodes with its copy of ffmpeg. Memory does not depend on the length of the video.
"""

import dataclasses
import functools
import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Final

import av

from acmnet.video.containers import DecodeCount, OpenVideo, VideoError, opened_video
from acmnet.video.frame_times import frame_clock
from acmnet.video.shown_frame import Frame, ShownFrame, Sizes, quarter_turns, turned

__all__ = [
    "Frame",
    "FrameReader",
    "Sizes",
    "VideoError",
    "VideoInfo",
    "claimed_duration_s",
    "probe",
]


FPS_RANGE: Final = (0.01, 1000.0)

MOST_REMEMBERED: Final = 10_000
"""Number of files whose result `probe` keeps, the most recent ones."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class VideoInfo:
    """What is known of a video from its headers and its first frame."""

    path: Path
    width: int
    """Width in pixels as displayed, that is after rotation."""
    height: int
    """Height in pixels as displayed, that is after rotation."""
    fps: float | None
    """Mean frame rate that the header claims; None if it claims none."""
    duration_s: float | None
    """Length in seconds that the header claims, which may be wrong; None if it claims
    none."""
    codec: str
    """ffmpeg's name of the decoder, such as ``"h264"``."""
    pixel_format: str
    """ffmpeg's name of the pixel format, such as ``"yuv420p"``."""
    rotation: int
    """Degrees by which the picture is turned counter-clockwise: 0, 90, 180 or 270."""


def probe(path: str | Path) -> VideoInfo:
    """Return what the headers and the first frame of a video say about it.

    The result is kept until the size or the modification time of the file changes.


    Raises
    ------
    VideoError
        If there is no such file, it holds no video, or no frame can be decoded.
    """
    try:
        state = os.stat(path)
    except (OSError, ValueError):
        return _probe(Path(path))  # raises an error that says what is wrong
    return _probe_unchanged(Path(path), state.st_size, state.st_mtime_ns)


@functools.lru_cache(maxsize=MOST_REMEMBERED)
def _probe_unchanged(path: Path, _size: int, _time_ns: int) -> VideoInfo:
    return _probe(path)


def _probe(path: Path) -> VideoInfo:
    with opened_video(path, DecodeCount()) as video:
        frame = next(video.frames(), None)
        if frame is None:
            raise video.no_frame()
        turns = quarter_turns(frame)
        width, height = turned((frame.width, frame.height), turns)
        rate = video.stream.average_rate
        return VideoInfo(
            path=video.path,
            width=width,
            height=height,
            fps=float(rate) if rate else None,
            duration_s=float(video.claimed_s) or None,
            codec=video.stream.codec_context.name,
            pixel_format=frame.format.name,
            rotation=90 * turns,
        )


def claimed_duration_s(path: str | Path) -> float:
    """Return the seconds that a file's header claims; 0 if it claims none.

    It is 0, too, if no video can be read from the file.
    """
    try:
        return probe(path).duration_s or 0.0
    except (VideoError, OSError):
        return 0.0


class FrameReader:
    """An iterator over the frames of one video at a fixed rate.

    Frame ``k`` of the result is what a viewer sees at the time ``k / fps`` after the
    first frame: the last decoded frame that is shown at or before that time. The frames
    end when ``k / fps`` reaches `duration_s`. One frame, and those that the decoder
    keeps, are in memory. A reader can be iterated over once.

    Parameters
    ----------
    path : str or Path
        The video file. Its format is recognised by its content, not by its suffix.
    fps : float or None
        Frames a second to yield, from 0.01 to 1000. The number is replaced by the
        nearest fraction with a denominator of at most 10,000, so that 29.97002997... is
        30000/1001. None yields every decoded frame once.
    short_side : int or None
        Pixels of the shorter side of the frames. The other side is scaled by the same
        factor and rounded, to ``4 * short_side`` at most; a longer picture is squeezed.
        None keeps the size.

    Raises
    ------
    ValueError
        If ``fps`` or ``short_side`` is out of range.
    VideoError
        While iterating, if there is no such file, it holds no video, no frame can be
        decoded, or the reader is iterated over for a second time.

    Notes
    -----
    A frame that is shown for longer is the same array each time. Copy it before writing
    to it.

    Pictures are turned by quarter turns as the file says. They are resized by bilinear
    interpolation, or by averaging over areas if a side shrinks to less than half. All
    have the size of the first. Pixels that are not square stay as they are stored.
    Colours are converted by the matrix and range that the file names, or else, as in
    ffmpeg, by BT.601 with limited range.

    Frames are shown at the times of their timestamps. `FrameClock` describes what
    happens if those are missing or impossible.

    Examples
    --------
    >>> reader = FrameReader("video.mp4", fps=25.0, short_side=256)
    >>> reader.n_frames, reader.duration_s
    (0, 0.0)
    """

    def __init__(
        self,
        path: str | Path,
        *,
        fps: float | None = 25.0,
        short_side: int | None = None,
    ) -> None:
        low, high = FPS_RANGE
        if fps is not None and not low <= fps <= high:
            raise ValueError(
                f"fps must be from {low} to {high:.0f}, or None for every frame, got "
                f"{fps}"
            )
        _refuse_side(short_side)
        self.path = Path(path)
        self.short_side = short_side
        self.n_frames = 0
        """Number of frames yielded so far."""
        self._count = DecodeCount()
        self._fps = fps
        self._rate = None if fps is None else Fraction(fps).limit_denominator(10_000)
        self._end_s = self._claimed_s = Fraction(0)
        self._is_used = False

    @property
    def n_decoded(self) -> int:
        """Number of frames decoded from the file so far."""
        return self._count.n_decoded

    @property
    def skipped_packets(self) -> int:
        """Number of damaged packets, and of frames that could not be decoded, so far.

        Frames that are lost because the container's index or structure is damaged
        cannot be counted. They are only missing from `n_decoded`.
        """
        return self._count.skipped_packets

    @property
    def duration_s(self) -> float:
        """Seconds from the start of the first to the end of the last decoded frame.

        It is taken from the times of the frames that were decoded so far.
        """
        return float(self._end_s)

    @property
    def claimed_s(self) -> float:
        """Seconds that the header claims; 0 before it is read, or if it claims none."""
        return float(self._claimed_s)

    @property
    def fps(self) -> float:
        """Frame rate of the yielded frames; their mean rate if every frame is yielded.

        In that case it is 0 until a frame has been decoded.
        """
        if self._fps is not None:
            return self._fps
        return float(self.n_decoded / self._end_s) if self._end_s else 0.0

    def __iter__(self) -> Iterator[Frame]:
        """Return the frames; the file is closed when iterating ends for any reason."""
        return (frame for (frame,) in self.in_sizes((self.short_side,)))

    def in_sizes(self, short_sides: tuple[int | None, ...]) -> Iterator[Sizes]:
        """Return the frames in several sizes at once; iterate over this or the reader.

        Each frame is decoded and turned into RGB once, and then resized from that to
        each of the sizes. So the pixels are those that a reader with that
        ``short_side`` yields.

        Parameters
        ----------
        short_sides : tuple of int or None
            Pixels of the shorter side, once for each size, in place of the reader's own
            ``short_side``.

        Raises
        ------
        ValueError
            If one of ``short_sides`` is out of range.
        VideoError
            If the reader is iterated over for a second time.
        """
        for short_side in short_sides:
            _refuse_side(short_side)
        if self._is_used:
            raise VideoError(
                f"the frames of {self.path} were iterated over already; make another "
                "FrameReader"
            )
        self._is_used = True
        return self._frames(short_sides)

    def _frames(self, short_sides: tuple[int | None, ...]) -> Iterator[Sizes]:
        """Yield the frames of the result, up to the end of the last decoded frame."""
        with opened_video(self.path, self._count) as video:
            self._claimed_s = video.claimed_s
            picture = ShownFrame(video, short_sides)
            for frame, time_s in self._timed(video):
                yield from self._pictures_until(picture, time_s)
                picture.show(frame)
                if self._rate is None:
                    self.n_frames += 1
                    yield picture.pixels()
            yield from self._pictures_until(picture, self._end_s)
            if not self.n_frames:
                raise video.no_frame()

    def _timed(self, video: OpenVideo) -> Iterator[tuple[av.VideoFrame, Fraction]]:
        """Yield each decoded frame with its time in seconds after the first frame."""
        unit_s = video.stream.time_base or Fraction(1)
        clock = frame_clock(video)
        for frame in video.frames():
            stamp = frame.dts if video.is_in_decoding_order else frame.pts
            time_s = clock.time_of(None if stamp is None else stamp * unit_s)
            self._end_s = clock.end_of((frame.duration or 0) * unit_s)
            yield frame, time_s

    def _pictures_until(self, picture: ShownFrame, end_s: Fraction) -> Iterator[Sizes]:
        """Yield the current picture at each time ``k / fps`` before ``end_s``."""
        if self._rate is None:
            return
        while self.n_frames / self._rate < end_s:
            self.n_frames += 1
            yield picture.pixels()


def _refuse_side(short_side: int | None) -> None:
    """Refuse a size that no frame can have.

    Raises
    ------
    ValueError
        If it is below one pixel.
    """
    if short_side is not None and short_side < 1:
        raise ValueError(
            "short_side must be at least 1 pixel, or None to keep the size, got "
            f"{short_side}"
        )
