"""Files of people's tracks: the points of everybody in a video, in its own pixels."""

import dataclasses
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from acmnet.data.tracks.track_arrays import write_track_array
from acmnet.data.tracks.tracks import Tracks
from acmnet.extraction.pose.hand_tracker import HandFinder
from acmnet.extraction.pose.pose_extractor import FRAME_SIDE
from acmnet.extraction.pose.pose_networks import PoseNetworks
from acmnet.extraction.pose.pose_tracker import PoseTracker
from acmnet.video.frames import Frame, FrameReader, VideoError, probe

__all__ = ["TRACKS_FPS", "VideoError", "people_in_frames", "write_pose_tracks"]

TRACKS_FPS: Final = 25.0
"""Frames a second in which people are looked for where the user does not say."""


def write_pose_tracks(
    video: Path,
    out: Path,
    networks: PoseNetworks,
    most_people: int,
    fps: float,
    hands: HandFinder | None,
) -> Tracks:
    """Find the people in a video, write their tracks, and return them.

    Individuals who are never seen are left out, down to one.

    Parameters
    ----------
    video : Path
        The video file.
    out : Path
        The ``.npy`` file to write; its manifest is written beside it.
    networks : PoseNetworks
        What finds people.
    most_people : int
        People who are followed at the same time, from 1.
    fps : float
        Frames a second that are looked at, from 0.01 to 1000.
    hands : HandFinder, optional
        What finds hands. With it, the tracks also have the points of hands.

    Raises
    ------
    VideoError
        If the video cannot be read.
    FileError
        If the tracks cannot be written.
    """
    info = probe(video)
    reader = FrameReader(video, fps=fps, short_side=FRAME_SIDE)
    sizes: set[tuple[int, ...]] = set()  # one: all frames have the size of the first
    tracks = PoseTracker(networks, most_people, fps, hands).tracks(
        _noted(reader, sizes)
    )
    if tracks is None:
        raise VideoError(f"{video} has no frames; leave it out")
    height, width = sizes.pop()
    scale = np.array([info.width / width, info.height / height], np.float32)
    ever = np.flatnonzero(tracks.seen(0.0).any(axis=(0, 2)))
    kept = ever if ever.size else np.array([0])
    tracks = dataclasses.replace(
        tracks,
        positions=tracks.positions[:, kept] * scale,
        individuals=tuple(tracks.individuals[i] for i in kept),
        likelihood=None if tracks.likelihood is None else tracks.likelihood[:, kept],
    )
    write_track_array(out, tracks)
    return tracks


def people_in_frames(tracks: Tracks) -> npt.NDArray[np.int64]:
    """Return (F,): how many people are seen in each frame."""
    return np.asarray(tracks.seen().any(axis=2).sum(axis=1), np.int64)


def _noted(frames: Iterable[Frame], sizes: set[tuple[int, ...]]) -> Iterator[Frame]:
    """Yield the same frames; add their heights and widths to a set."""
    for frame in frames:
        sizes.add(frame.shape[:2])
        yield frame
