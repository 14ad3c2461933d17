"""The extractor `keypoints`: files of tracks in, snippet features out."""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from acmnet.data.features.feature_manifest import MANIFEST_NAME, read_manifest
from acmnet.data.tracks.track_files import read_tracks
from acmnet.data.tracks.track_layout import TrackLayout, arranged, layout_of
from acmnet.data.tracks.tracks import TrackError, Tracks
from acmnet.extraction.extractors.extraction_settings import (
    ExtractionSettings,
    settings_of,
)
from acmnet.extraction.extractors.extractor_names import KEYPOINTS, ExtractorError
from acmnet.extraction.keypoints.body_sizes import bodies
from acmnet.extraction.keypoints.keypoint_features import keypoint_features, n_columns
from acmnet.extraction.keypoints.signal_plan import plan_of
from acmnet.extraction.keypoints.steady_bodies import STEADY_DIRECTION, steadiness
from acmnet.extraction.keypoints.track_gaps import FilledTracks, filled, required_fps
from acmnet.messages import counted

SNIPPET_S: Final = 0.6
"""Length of a snippet where the user gives none, in seconds (D-135)."""
STRIDE_S: Final = 0.25
"""Time from one snippet to the next where the user gives none, in seconds."""


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
            self.tracks = _at_rate(arranged(tracks, layout), fps, layout)
        except TrackError as error:
            raise TrackError(_named(path, error)) from None
        self.n_frames = len(self.tracks.positions)
        """Frames at the fixed rate."""
        self.n_decoded = tracks.n_frames
        """Frames that the file holds."""
        self.duration_s = self.claimed_s = self.n_frames / fps

    def __iter__(self) -> Iterator[FilledTracks]:
        """Return all frames as one item."""
        return iter([self.tracks])


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


@dataclasses.dataclass(frozen=True)
class KeypointRequest:
    """What the user asks of features of tracks; the files say what is left out."""

    fps: float | None = None
    """Frames a second that snippets are cut from, and of recordings that state none."""
    snippet_frames: int | None = None
    stride_frames: int | None = None
    points: tuple[str, ...] | None = None
    """Names of the points that are described, where not all are."""
    individuals: int | None = None
    """Individuals that are described."""
    pool_individuals: bool = False
    """Whether two individuals cannot be told apart."""
    min_likelihood: float | None = None
    """Likelihood below which a point counts as not seen."""
    directions: bool | None = None
    """Whether features also say how bodies lie in the recording; None lets the first
    file decide by how much bodies keep their direction in it."""

    @property
    def extractor(self) -> str:
        """The extractor's name."""
        return KEYPOINTS

    def settings(self, files: Mapping[str, Path], store: Path) -> ExtractionSettings:
        """Return the settings to describe files of tracks with.

        What is not asked for is as in the store, where it holds features of tracks
        already, and otherwise as in the first file that can be read.

        Parameters
        ----------
        files : mapping
            Files by video id.
        store : Path
            Directory of the features, which need not be there.

        Raises
        ------
        TrackError
            If no file can be read, or the frame rate is neither stated nor asked for.
        """
        held = _held(store)
        return self._changed(held) if held else self._new(files)

    def _changed(self, held: ExtractionSettings) -> ExtractionSettings:
        """Return the settings of a store, with what is asked for."""
        layout = held.tracks
        asked: dict[str, Any] = {
            "points": self.points,
            "n_individuals": self.individuals,
            "are_pooled": self.pool_individuals or None,
            "unstated_fps": self.fps,
            "min_likelihood": self.min_likelihood,
            "has_directions": self.directions,
        }
        grid: dict[str, Any] = {
            "fps": self.fps,
            "snippet_frames": self.snippet_frames,
            "stride_frames": self.stride_frames,
        }
        if layout is not None:
            layout = dataclasses.replace(layout, **_given(asked))
        return dataclasses.replace(held, tracks=layout, **_given(grid))

    def _new(self, files: Mapping[str, Path]) -> ExtractionSettings:
        """Return the settings for a new store."""
        path, tracks = self._first(files)
        try:
            layout = layout_of(
                tracks,
                points=self.points,
                n_individuals=self.individuals,
                min_likelihood=self.min_likelihood,
            )
            layout = dataclasses.replace(
                layout,
                are_pooled=self.pool_individuals or layout.are_pooled,
                unstated_fps=self.fps,
            )
            held = arranged(tracks, layout)
            fps = self.fps or required_fps(tracks, path)
            directions = self._directions(held, fps, layout)
        except TrackError as error:
            raise TrackError(_named(path, error)) from None
        layout = dataclasses.replace(layout, has_directions=directions)
        return ExtractionSettings(
            KEYPOINTS,
            fps=fps,
            snippet_frames=self.snippet_frames or max(2, round(SNIPPET_S * fps)),
            stride_frames=self.stride_frames or max(1, round(STRIDE_S * fps)),
            tracks=layout,
        )

    def _directions(self, held: Tracks, fps: float, layout: TrackLayout) -> bool:
        """Return whether features say how bodies lie, as asked for or by a file."""
        if self.directions is not None:
            return self.directions
        steady = _at_rate(held, fps, layout)
        return steadiness(bodies(steady)) >= STEADY_DIRECTION

    def _first(self, files: Mapping[str, Path]) -> tuple[Path, Tracks]:
        """Return the first file that can be read, with its tracks."""
        refused: list[TrackError] = []
        for path in files.values():
            try:
                return path, read_tracks(path, needs_clock=self.fps is None)
            except TrackError as error:
                refused.append(error)
        if not refused:
            raise TrackError("there are no files of tracks to describe; name some")
        others = len(refused) - 1
        more = f"; {counted(others, 'other file')} cannot be read either"
        raise TrackError(str(refused[0]) + (more if others else "")) from None


def _at_rate(held: Tracks, fps: float, layout: TrackLayout) -> FilledTracks:
    """Return arranged tracks at a fixed rate, their gaps filled as a layout says."""
    return filled(
        held,
        fps,
        unstated_fps=layout.unstated_fps,
        least_likelihood=layout.min_likelihood,
    )


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that are not None."""
    return {name: value for name, value in values.items() if value is not None}


def _held(store: Path) -> ExtractionSettings | None:
    """Return how a store's features of tracks were made; None where it has none."""
    if not (store / MANIFEST_NAME).exists():
        return None
    manifest = dataclasses.asdict(read_manifest(store))
    if manifest["extractor"] != KEYPOINTS:
        return None
    return settings_of(manifest, str(store / MANIFEST_NAME))


def settled(
    asked: ExtractionSettings | KeypointRequest, files: Mapping[str, Path], store: Path
) -> ExtractionSettings:
    """Return the settings to fill a store with; files of tracks say what is left out.

    Raises
    ------
    TrackError
        As `KeypointRequest.settings`.
    """
    if isinstance(asked, KeypointRequest):
        return asked.settings(files, store)
    return asked


def _named(path: Path, error: TrackError) -> str:
    """Return a refusal that names the file."""
    sentence = str(error)
    return sentence if str(path) in sentence else f"{path}: {sentence}"
