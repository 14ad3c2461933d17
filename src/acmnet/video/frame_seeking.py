"""Decode a few frames of a long video, without decoding all frames before them."""

import contextlib
import itertools
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np

from acmnet.video.containers import DecodeCount, OpenVideo, opened_video
from acmnet.video.frame_times import StampedTimes

IndexedFrames = Iterator[tuple[int, av.VideoFrame]]
"""Decoded frames in the order in which they are shown, each with its index."""


@contextlib.contextmanager
def opened_at(
    path: Path, known: StampedTimes, first: int, count: DecodeCount
) -> Iterator[tuple[OpenVideo, IndexedFrames]]:
    """Open a video, and decode it from a frame on.

    Decoding begins at the last key frame before it if the time stamps of the video are
    reliable, and otherwise at the start of the file.

    Parameters
    ----------
    path : Path
        The video file.
    known : StampedTimes
        What `acmnet.video.frame_times.stamped_times` returns for the file.
    first : int
        Index of the first frame that is wanted.
    count : DecodeCount
        Counts decoded frames and lost packets.

    Yields
    ------
    OpenVideo, iterator of (int, VideoFrame)
        The open file, and the frames from ``first`` on, with their indices.

    Raises
    ------
    VideoError
        If there is no such file, or no video in it.
    """
    with contextlib.ExitStack() as stack:
        video = stack.enter_context(opened_video(path, count))
        frames = (
            None
            if known.stamps is None
            else _frames_from_key_frame(video, known.stamps[first])
        )
        if frames is None:
            stack.close()
            video = stack.enter_context(opened_video(path, count))
            frames = video.frames()
        yield video, _indexed(frames, known, first)


def _frames_from_key_frame(
    video: OpenVideo, stamp: int
) -> Iterator[av.VideoFrame] | None:
    """Return frames from a key frame before a time stamp on; None if none is found."""
    try:
        video.container.seek(int(stamp), stream=video.stream, backward=True)
    except av.FFmpegError:
        return None
    frames = video.frames()
    head = next(frames, None)
    if head is None or head.pts is None or head.pts > stamp:
        return None
    return itertools.chain((head,), frames)


def _indexed(
    frames: Iterator[av.VideoFrame], known: StampedTimes, first: int
) -> IndexedFrames:
    """Yield the frames from an index on, each with its index."""
    for place, frame in enumerate(frames):
        index = place
        if known.stamps is not None:
            if frame.pts is None:
                continue
            index = int(np.searchsorted(known.stamps, frame.pts))
        if index >= first:
            yield index, frame
