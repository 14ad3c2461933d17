"""Cut a part out of a video, exact to the frame, with sound exact to the sample.

Each class has a folder. In it, the names of the files sort by video and by time.
"""

import dataclasses
import re
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from pathlib import Path, PurePath
from typing import Final, NamedTuple

import av
import numpy as np

from acmnet.files.file_access import short_file_name, written_whole
from acmnet.segments import Segment
from acmnet.show.clips.clip_sound import ClipSound
from acmnet.show.rendering.encoded_picture import EncodedPicture, opened_target
from acmnet.video.containers import DecodeCount, OpenVideo, VideoError, opened_video
from acmnet.video.frame_seeking import IndexedFrames, opened_at
from acmnet.video.frame_times import StampedTimes, stamped_times

SAME_S: Final = 1e-6
"""Seconds by which a time may miss that of a frame and still mean it: times in files
are rounded."""


FORBIDDEN_IN_NAMES: Final = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]|^[. ]+|[. ]+$')
"""What no name of a folder may hold, on any system: some characters, and dots and
blanks at its ends."""
DEVICE_NAMES: Final = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")
"""Names that mean devices on Windows."""


class ClipError(ValueError):
    """A clip that cannot be cut; the message says why."""


class Span(NamedTuple):
    """The frames of a clip: ``first`` and all up to, without, ``stop``."""

    first: int
    stop: int
    start_s: float
    """When the first frame is shown."""
    end_s: float
    """When the last frame ends."""


class CutClip(NamedTuple):
    """A clip that is there now."""

    span: Span
    is_kept: bool
    """Whether it is there from an earlier call."""
    damaged: int
    """How many packets of the video were left out because of damage."""


def cut_clips(
    video: Path, clips: Mapping[PurePath, Segment], out: Path
) -> Iterator[tuple[PurePath, CutClip]]:
    """Cut clips out of one video, unless they are there and newer than the video.

    Parameters
    ----------
    video : Path
        The video file.
    clips : mapping of PurePath to Segment
        What to cut, by the path of its file within ``out``.
    out : Path
        Folder for the clips.

    Yields
    ------
    PurePath, CutClip
        Each clip, when it is there.

    Raises
    ------
    ClipError
        If the video cannot be read, or a segment lies outside of it.
    """
    try:
        known = stamped_times(video)
        for place, segment in clips.items():
            span = span_of(known, segment)
            if span is None:
                raise ClipError(
                    f"it ends at {known.times.end_s:.3f} s, so nothing can be cut from "
                    f"{segment.start_s:.3f} to {segment.end_s:.3f} s; is it another "
                    "video of this name?"
                )
            path = out / place
            if path.is_file() and path.stat().st_mtime >= video.stat().st_mtime:
                yield place, CutClip(span, is_kept=True, damaged=0)
            else:
                count = cut_clip(video, known, span, path)
                yield place, CutClip(span, False, count.skipped_packets)
    except VideoError as error:
        raise ClipError(str(error)) from error


def span_of(known: StampedTimes, segment: Segment) -> Span | None:
    """Return the frames that are first shown in ``[start, end)``.

    A segment in which no frame begins gets the frame that is shown meanwhile.

    Returns
    -------
    Span or None
        None if the segment lies outside the video.

    Examples
    --------
    >>> from acmnet.video.frame_times import FrameTimes
    >>> times = FrameTimes(np.array([0.0, 0.5, 1.0, 1.5]), 2.0)
    >>> span_of(StampedTimes(times, None), Segment(0.5, 1.5))
    Span(first=1, stop=3, start_s=0.5, end_s=1.5)
    >>> span_of(StampedTimes(times, None), Segment(0.6, 0.7))
    Span(first=1, stop=2, start_s=0.5, end_s=1.0)
    """
    times_s, end_s = known.times
    if segment.start_s >= end_s or segment.end_s <= 0:
        return None
    first, stop = np.searchsorted(
        times_s, [segment.start_s - SAME_S, segment.end_s - SAME_S]
    ).tolist()
    if stop <= first:
        stop = max(first, 1)
        first = stop - 1
    ends_s = end_s if stop == len(times_s) else float(times_s[stop])
    return Span(first, stop, float(times_s[first]), ends_s)


def cut_clip(path: Path, known: StampedTimes, span: Span, out: Path) -> DecodeCount:
    """Write a part of a video as H.264 and AAC in MP4.

    The file appears completely or not at all. Each frame keeps the time from the first
    one. Pictures are turned as the video file says.

    Parameters
    ----------
    path : Path
        The video file.
    known : StampedTimes
        What `acmnet.video.frame_times.stamped_times` tells of it.
    span : Span
        The frames to cut out.
    out : Path
        The file to write.

    Returns
    -------
    DecodeCount
        How many frames were decoded on the way, and how many packets were damaged.

    Raises
    ------
    VideoError
        If no frame of the clip can be decoded, or the clip cannot be encoded.
    """
    count = DecodeCount()
    try:
        with (
            written_whole(out) as part,
            opened_at(path, known, span.first, count) as (video, frames),
            opened_video(path, DecodeCount()) as sound_file,
            opened_target(part, video) as target,
        ):
            picture = EncodedPicture(video, target, begins_at_once=True)
            zero_s = _zero_s(video, known)
            sound = ClipSound(
                sound_file.container,
                target,
                zero_s + Fraction(span.start_s),
                zero_s + Fraction(span.end_s),
                seeks=known.stamps is not None,
            )
            _write(known, span, frames, picture, sound)
    except av.FFmpegError as error:
        raise VideoError(
            f"{out} could not be encoded ({error.strerror}); check the free space of "
            "its disk, or encode the video again"
        ) from error
    return count


def _zero_s(video: OpenVideo, known: StampedTimes) -> Fraction:
    """Return when the first frame is shown, by the clock of the file."""
    stamp = video.stream.start_time if known.stamps is None else int(known.stamps[0])
    return (stamp or 0) * (video.stream.time_base or Fraction(1))


def _write(
    known: StampedTimes,
    span: Span,
    frames: IndexedFrames,
    picture: EncodedPicture,
    sound: ClipSound,
) -> None:
    """Write the frames of a span, and the sound meanwhile."""
    written = 0
    for index, frame in frames:
        if index >= span.stop:
            break
        at_s = Fraction(float(known.times.times_s[index]) - span.start_s)
        picture.write(picture.pixels(frame), frame, at_s)
        sound.write_until(at_s)
        written += 1
    if not written:
        raise VideoError(
            f"no frame from {span.start_s:.3f} to {span.end_s:.3f} s could be decoded; "
            "encode the video again"
        )
    picture.close()
    sound.write_until(None)


@dataclasses.dataclass(frozen=True)
class Clip:
    """A part of a video that is to have a file of its own."""

    video: str
    label: str
    segment: Segment
    score: float | None = None
    """None for a true segment."""


def placed_clips(clips: Iterable[Clip]) -> dict[PurePath, Clip]:
    """Return each clip by the path of its file, sorted.

    If several clips have one class, video and time, the one with the highest score
    stays. Two
    classes whose names make one folder are kept apart by numbers.

    Examples
    --------
    >>> found = [Clip("a", "up", Segment(2.5, 4.0)), Clip("a", "in/out", Segment(1, 2))]
    >>> [str(path) for path in placed_clips(found)]
    ['in_out/a_00001.000-00002.000s.mp4', 'up/a_00002.500-00004.000s.mp4']
    """
    clips = sorted(clips, key=lambda clip: clip.score or 0.0)
    folders = dict(_folders(sorted({clip.label for clip in clips})))
    placed = {PurePath(folders[clip.label], _file_name(clip)): clip for clip in clips}
    return dict(sorted(placed.items()))


def _folders(labels: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield each class with the name of its folder; no two folders are alike."""
    taken: set[str] = set()
    for label in labels:
        plain = short_file_name(FORBIDDEN_IN_NAMES.sub("_", label) or "_")
        plain = f"{plain}_" if DEVICE_NAMES.fullmatch(plain) else plain
        name, number = plain, 1
        while name.casefold() in taken:
            number += 1
            name = f"{plain} {number}"
        taken.add(name.casefold())
        yield label, name


def _file_name(clip: Clip) -> str:
    """Return the name of a clip's file."""
    start_s, end_s = max(0.0, clip.segment.start_s), clip.segment.end_s
    times = f"_{start_s:09.3f}-{end_s:09.3f}s.mp4"
    return short_file_name(f"{FORBIDDEN_IN_NAMES.sub('_', clip.video)}{times}")
