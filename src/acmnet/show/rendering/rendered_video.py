"""A copy of a video with its detections or tracks drawn into the picture.

Every frame keeps its time, also if the frame rate varies, and the sound is copied. Only
one frame is in memory, besides those that decoder and encoder keep.
"""

import difflib
import os
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Final, NamedTuple

import av
import numpy as np

from acmnet.data.detections.detection_arrays import DetectionFile
from acmnet.data.labels.annotations import Instance
from acmnet.data.tracks.tracks import Tracks
from acmnet.files.file_access import written_whole
from acmnet.messages import some
from acmnet.names import MP4_SUFFIXES
from acmnet.segments import Detection
from acmnet.show.rendering.encoded_picture import EncodedPicture, opened_target
from acmnet.show.rendering.frame_overlay import Frame, Overlay
from acmnet.show.rendering.sound_copy import Sound, packets
from acmnet.show.rendering.track_overlay import TrackOverlay
from acmnet.video.containers import DecodeCount, OpenVideo, opened_video
from acmnet.video.frame_clock import FrameClock, nominal_duration

MOST_DRAWN: Final = 20
"""How many detections are drawn by default: those with the highest scores."""


class RenderError(ValueError):
    """A video that cannot be rendered; the message says why."""


class Rendered(NamedTuple):
    """What was written, and what was left out."""

    frames: int
    """How many frames were written: all that could be decoded."""
    duration_s: float
    """Seconds from the first frame to the end of the last one."""
    skipped_packets: int
    """How many packets of the picture were left out, because they were damaged."""
    dropped_sound: int
    """How many packets of the sound were left out: damaged ones and duplicates."""


class _Timing(NamedTuple):
    """What the packets of a video tell before any frame is decoded."""

    frames: int
    duration_s: Fraction


def detections_of(
    file: DetectionFile,
    video: str,
    *,
    min_score: float | None = None,
    top: int | None = MOST_DRAWN,
) -> tuple[Detection, ...]:
    """Return the detections of one video to draw, highest score first.

    Detections that do not end after they start cannot be drawn and are left out.

    Parameters
    ----------
    file : DetectionFile
        Detections of this video, and perhaps of others.
    video : str
        The id of the video in the file.
    min_score : float, optional
        Leave out detections with a lower score.
    top : int or None
        At most this many, 1 or more; None for all. Of equal scores, the first in the
        file count.

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
    """Return a sentence that refuses a video which a file does not have."""
    near = difflib.get_close_matches(video, videos, n=1, cutoff=0.5)
    example = f", such as {near[0]!r}" if near else f": {some(list(videos))}"
    return (
        f"{source} has no video {video!r} among its {len(videos)}{example}; name the "
        "right one with --video"
    )


def render_detections(
    path: str | Path,
    detections: Sequence[Detection],
    out: str | Path,
    *,
    truth: Sequence[Instance] = (),
    tracks: Tracks | None = None,
    on_frame: Callable[[int, int], None] = lambda *_: None,
) -> Rendered:
    """Write a video with labels, scores and a strip of the time drawn into it.

    The new file is H.264 (yuv420p) in MP4 and appears completely or not at all. Odd
    widths and heights grow by one. Pictures are rotated as the video file says.

    Parameters
    ----------
    path : str or Path
        The video file.
    detections : sequence of Detection
        The detections to draw, in seconds after the first frame; see `detections_of`.
    out : str or Path
        The MP4 file to write, other than ``path``.
    truth : sequence of Instance
        True segments, drawn in a lane of their own.
    tracks : Tracks, optional
        Points of individuals in pixels of the video, drawn where they are.
    on_frame : callable
        Called after each frame with the number of frames done and the number expected.

    Raises
    ------
    VideoError
        If there is no such file or no video in it, or no frame of it can be decoded.
    RenderError
        If ``out`` is the video itself or cannot be written.

    Notes
    -----
    Times are those of the video file. In formats whose clock may start anywhere, such
    as MPEG streams, they count from the start of the clock. Sound is copied packet by
    packet; only sound in a codec that MP4 cannot hold is encoded again, as AAC.
    """
    path, out = Path(path), Path(out)
    timing = _timing(path)
    _refuse_out(path, out)
    try:
        with (
            written_whole(out) as part,
            opened_video(path, DecodeCount()) as video,
            opened_video(path, DecodeCount()) as sound_file,
            opened_target(part, video) as target,
        ):
            picture = EncodedPicture(video, target)
            sound = Sound(sound_file.container, target)

            def overlay_of(pixels: Frame) -> Overlay:
                size = pixels.shape[1], pixels.shape[0]
                return Overlay(*size, float(timing.duration_s), detections, truth)

            points = None if tracks is None else TrackOverlay(tracks)
            for done in _drawn_frames(video, picture, sound, overlay_of, points):
                on_frame(done, max(done, timing.frames))
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


def _drawn_frames(
    video: OpenVideo,
    picture: EncodedPicture,
    sound: Sound,
    overlay_of: Callable[[Frame], Overlay],
    points: TrackOverlay | None,
) -> Iterator[int]:
    """Write every frame with what is drawn onto it, and the sound until then.

    Yields how many frames are written, after each of them.
    """
    overlay: Overlay | None = None
    for done, (frame, time_s) in enumerate(_timed(video), start=1):
        pixels = picture.pixels(frame)
        overlay = overlay or overlay_of(pixels)
        if points is not None:
            points.draw(pixels, done - 1, float(time_s))
        overlay.draw(pixels, float(time_s))
        picture.write(pixels, frame, time_s)
        sound.copy_until(picture.first_s + time_s)
        yield done
    if overlay is None:
        raise video.no_frame()
    picture.close()
    sound.copy_until(None)


def _stamp(video: OpenVideo, timed: "av.VideoFrame | av.Packet[Any]") -> int | None:
    """Return the time stamp of a frame or packet, in units of the stream."""
    return timed.dts if video.is_in_decoding_order else timed.pts


def _clock(video: OpenVideo) -> FrameClock:
    """Return the clock by which features are extracted from the video."""
    return FrameClock(
        nominal_duration((video.stream.average_rate, video.stream.guessed_rate)),
        video.claimed_s if video.has_reliable_duration else Fraction(0),
    )


def _timed(video: OpenVideo) -> Iterator[tuple[av.VideoFrame, Fraction]]:
    """Yield each decoded frame with its time in seconds after the first."""
    clock, unit_s = _clock(video), video.stream.time_base or Fraction(1)
    for frame in video.frames():
        stamp = _stamp(video, frame)
        yield frame, clock.time_of(None if stamp is None else stamp * unit_s)


def _timing(path: Path) -> _Timing:
    """Return how many frames to expect and their duration, without decoding any."""
    with opened_video(path, DecodeCount()) as video:
        unit_s = video.stream.time_base or Fraction(1)
        clock = _clock(video)
        stamps = [
            (_stamp(video, packet), packet.duration or 0)
            for packet in packets(video.container, [video.stream])
        ]
        if all(stamp is not None for stamp, _ in stamps):
            stamps.sort()  # in the order in which they are shown
        end_s = Fraction(0)
        for stamp, duration in stamps:
            clock.time_of(None if stamp is None else stamp * unit_s)
            end_s = clock.end_of(duration * unit_s)
        return _Timing(len(stamps), end_s)


def _refuse_out(path: Path, out: Path) -> None:
    """Refuse to overwrite the video, or to write where there is no folder."""
    if out.exists() and os.path.samefile(path, out):
        raise RenderError(
            f"{out} is the video itself, which is never overwritten; name another file"
        )
    if out.is_dir():
        raise RenderError(f"{out} is a directory; name the MP4 file itself")
    if out.suffix.lower() not in MP4_SUFFIXES:
        raise RenderError(f"{out} must end in .mp4, because MP4 is written")
    if not out.parent.is_dir():
        raise RenderError(
            f"the folder of {out} does not exist; make it, or name another one"
        )
