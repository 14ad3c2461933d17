"""The extractor `keypoints`: files of tracks in, snippet features out.

It reads them in place of videos, or, beside extractors of videos, each video's own.
"""

import dataclasses
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from acmnet.data.tracks.track_files import read_tracks
from acmnet.data.tracks.track_layout import TrackLayout, arranged
from acmnet.data.tracks.tracks import TrackError, Tracks
from acmnet.extraction.extractors.extraction_settings import ExtractionSettings
from acmnet.extraction.extractors.extractor_names import ExtractorError
from acmnet.extraction.keypoints.keypoint_features import keypoint_features, n_columns
from acmnet.extraction.keypoints.signal_plan import plan_of
from acmnet.extraction.keypoints.track_gaps import FilledTracks, filled
from acmnet.video.frames import probe

MOST_APART_S: Final = 0.5
"""Seconds by which tracks may be longer or shorter than their video (D-168)."""


class TrackReader:
    """The tracks of one file at a fixed rate: one item, which holds all frames.

    It is to an extractor of tracks what `acmnet.video.frames.FrameReader` is to one of
    pictures.

    Raises
    ------
    TrackError
        If the file cannot be read, or has not the points, axes and individuals of the
        layout.
    """

    skipped_packets: Final = 0

    def __init__(self, path: Path, fps: float, layout: TrackLayout) -> None:
        try:
            tracks = read_tracks(path, needs_clock=layout.unstated_fps is None)
            self.tracks = at_rate(arranged(tracks, layout), fps, layout)
        except TrackError as error:
            raise TrackError(naming(path, error)) from None
        self.n_frames = len(self.tracks.positions)
        """Frames at the fixed rate."""
        self.n_decoded = tracks.n_frames
        """Frames that the file holds."""
        self.duration_s = self.claimed_s = self.n_frames / fps

    def __iter__(self) -> Iterator[FilledTracks]:
        """Return all frames as one item."""
        return iter([self.tracks])


class VideoTracks(NamedTuple):
    """The tracks of a video, at the rate at which its frames are looked at."""

    path: Path
    """The file of the tracks."""
    tracks: FilledTracks

    def refuse_length(self, duration_s: float) -> None:
        """Refuse a video that is not as long as its tracks.

        Raises
        ------
        TrackError
            If the two differ by more than `MOST_APART_S`.
        """
        held_s = len(self.tracks.positions) / self.tracks.fps
        if abs(held_s - duration_s) > MOST_APART_S:
            raise TrackError(
                f"{self.path} holds {held_s:.2f} s of tracks, its video lasts "
                f"{duration_s:.2f} s; are they of the same recording, and is the frame "
                "rate right that the file of tracks states?"
            )


class Keypoints:
    """Features of tracks: `acmnet.extraction.keypoints.keypoint_features`."""

    frame_side: Final = 0
    streams: Final = ("keypoints",)

    def __init__(self, settings: ExtractionSettings) -> None:
        if settings.tracks is None:
            raise ExtractorError(
                "the extractor keypoints needs files of tracks; name them"
            )
        self.layout = settings.tracks
        self.grid = settings.grid
        self.dimension = n_columns(plan_of(self.layout))
        self.versions: Mapping[str, str] = {"numpy": np.__version__}
        self.settings: Mapping[str, Any] = {"tracks": self.layout.to_json()}

    def reader(self, path: Path) -> TrackReader:
        """Return the tracks of a file at the grid's rate."""
        return TrackReader(path, self.grid.fps, self.layout)

    def describe(self, frames: Iterable[Any]) -> Iterator[npt.NDArray[np.float32]]:
        """Yield (n, D) blocks of the features of what `reader` gives."""
        for tracks in frames:
            yield from keypoint_features(tracks, plan_of(self.layout), self.grid)

    def read_beside(self, path: Path, video: Path) -> VideoTracks:
        """Return the tracks of a video at the grid's rate.

        Where the file states no frame rate, its frames are those of the video (D-168).

        Raises
        ------
        TrackError
            As `TrackReader`, or if neither the tracks nor the video state a frame rate.
        """
        layout = dataclasses.replace(self.layout, unstated_fps=probe(video).fps)
        return VideoTracks(path, TrackReader(path, self.grid.fps, layout).tracks)

    def describe_beside(
        self, frames: Iterable[VideoTracks]
    ) -> Iterator[npt.NDArray[np.float32]]:
        """Yield (n, D) blocks, after the last frame of the video was read.

        Parameters
        ----------
        frames : iterable of VideoTracks
            The tracks of the whole video, once for each frame of the video.
        """
        counted_frames = deque(enumerate(frames, start=1), maxlen=1)
        for n_frames, held in counted_frames:  # the last one; none of an empty video
            tracks = _of_length(held.tracks, n_frames)
            yield from keypoint_features(tracks, plan_of(self.layout), self.grid)


def _of_length(tracks: FilledTracks, n_frames: int) -> FilledTracks:
    """Return tracks cut to ``n_frames``; their last frame is held where they end."""
    rows = np.arange(n_frames).clip(max=len(tracks.positions) - 1)
    missing = tracks.missing[rows]
    missing[len(tracks.positions) :] = True
    return FilledTracks(tracks.positions[rows], missing, tracks.fps)


def at_rate(held: Tracks, fps: float, layout: TrackLayout) -> FilledTracks:
    """Return arranged tracks at a fixed rate, their gaps filled as a layout says."""
    return filled(
        held,
        fps,
        unstated_fps=layout.unstated_fps,
        least_likelihood=layout.min_likelihood,
    )


def naming(path: Path, error: TrackError) -> str:
    """Return a refusal that names the file."""
    sentence = str(error)
    return sentence if str(path) in sentence else f"{path}: {sentence}"
