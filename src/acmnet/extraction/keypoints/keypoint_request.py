"""What the user asks of features of tracks, and the settings that it comes to."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from acmnet.data.features.feature_manifest import MANIFEST_NAME, read_manifest
from acmnet.data.tracks.track_files import read_tracks
from acmnet.data.tracks.track_layout import TrackLayout, arranged, layout_of
from acmnet.data.tracks.tracks import TrackError, Tracks
from acmnet.extraction.extractors.extraction_settings import (
    ExtractionSettings,
    settings_of,
)
from acmnet.extraction.extractors.extractor_names import (
    KEYPOINTS,
    ExtractorError,
    parts_of,
)
from acmnet.extraction.keypoints.body_sizes import bodies
from acmnet.extraction.keypoints.directed_shapes import STEADY_DIRECTION, steadiness
from acmnet.extraction.keypoints.keypoint_extractor import at_rate, naming
from acmnet.extraction.keypoints.track_gaps import required_fps
from acmnet.messages import counted
from acmnet.video.containers import VideoError
from acmnet.video.frames import probe

SNIPPET_S: Final = 0.6
"""Length of a snippet where the user gives none, in seconds (D-135)."""
STRIDE_S: Final = 0.25
"""Time from one snippet to the next where the user gives none, in seconds."""


@dataclasses.dataclass(frozen=True)
class KeypointRequest:
    """What the user asks of features of tracks; the files say what is left out."""

    extractor: str = KEYPOINTS
    """``keypoints``, alone or beside extractors of videos."""
    beside: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """What was given of the settings of the extractors beside it, by name."""
    fps: float | None = None
    """Frames a second that snippets are cut from, and of recordings that state none.
    Beside a video, tracks that state none have the rate of the video."""
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

    def __post_init__(self) -> None:
        """Refuse extractors that cannot stand side by side, and an impossible rate.

        Raises
        ------
        ExtractorError
            As `acmnet.extraction.extractors.extractor_names.parts_of`, or if the frame
            rate is not above 0.
        """
        parts_of(self.extractor)
        if self.fps is not None and not (math.isfinite(self.fps) and self.fps > 0):
            raise ExtractorError(f"fps must be above 0, got {self.fps}")

    def settings(
        self, files: Mapping[str, Path], tracks: Mapping[str, Path], store: Path
    ) -> ExtractionSettings:
        """Return the settings to describe files of tracks with.

        What is not asked for is as in the store, where it holds features of the same
        extractor already, and otherwise as in the first file that can be read.

        Parameters
        ----------
        files : mapping
            By video id the files of tracks, or the videos that tracks stand beside.
        tracks : mapping
            By video id the file of tracks of each video; empty where there are none.
        store : Path
            Directory of the features, which need not be there.

        Raises
        ------
        TrackError
            If no file can be read, or the frame rate is neither stated nor asked for.
        """
        held = self._stored_settings(store)
        if held:
            return self._with_requested(held)
        beside = [(files[video], path) for video, path in tracks.items()]
        return self._new(beside or [(None, path) for path in files.values()])

    @property
    def _is_alone(self) -> bool:
        """Whether tracks take the place of videos."""
        return self.extractor == KEYPOINTS

    def _stored_settings(self, store: Path) -> ExtractionSettings | None:
        """Return how a store's features were made; None where it has no such ones."""
        if not (store / MANIFEST_NAME).exists():
            return None
        manifest = dataclasses.asdict(read_manifest(store))
        if manifest["extractor"] != self.extractor:
            return None
        return settings_of(manifest, str(store / MANIFEST_NAME), self.extractor)

    def _with_requested(self, held: ExtractionSettings) -> ExtractionSettings:
        """Return the settings of a store, with what is asked for."""
        layout = held.tracks
        requested: dict[str, Any] = {
            "points": self.points,
            "n_individuals": self.individuals,
            "are_pooled": self.pool_individuals or None,
            "unstated_fps": self.fps if self._is_alone else None,
            "min_likelihood": self.min_likelihood,
            "has_directions": self.directions,
        }
        grid: dict[str, Any] = {
            "fps": self.fps,
            "snippet_frames": self.snippet_frames,
            "stride_frames": self.stride_frames,
        }
        if layout is not None:
            layout = dataclasses.replace(layout, **_not_none(requested))
        return dataclasses.replace(
            held, tracks=layout, **_not_none(grid), **self.beside
        )

    def _new(self, files: Sequence[tuple[Path | None, Path]]) -> ExtractionSettings:
        """Return the settings for a new store, from pairs of a video and its tracks."""
        path, tracks, recorded_fps = self._first(files)
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
                unstated_fps=recorded_fps,
            )
            held = arranged(tracks, layout)
            grid = self._grid(tracks, path)
            directions = self._directions(held, grid["fps"], layout)
        except TrackError as error:
            raise TrackError(naming(path, error)) from None
        layout = dataclasses.replace(
            layout,
            has_directions=directions,
            unstated_fps=self.fps if self._is_alone else None,
        )
        return ExtractionSettings(self.extractor, tracks=layout, **grid, **self.beside)

    def _grid(self, tracks: Tracks, path: Path) -> dict[str, Any]:
        """Return the grid's values: what is asked for, and what is usual otherwise."""
        frames = {
            "snippet_frames": self.snippet_frames,
            "stride_frames": self.stride_frames,
        }
        if not self._is_alone:
            usual = {"fps": ExtractionSettings.fps}
            return usual | _not_none({"fps": self.fps, **frames})
        fps = required_fps(tracks, path) if self.fps is None else self.fps
        usual = {
            "snippet_frames": max(2, round(SNIPPET_S * fps)),
            "stride_frames": max(1, round(STRIDE_S * fps)),
        }
        return {"fps": fps, **usual, **_not_none(frames)}

    def _directions(self, held: Tracks, fps: float, layout: TrackLayout) -> bool:
        """Return whether features say how bodies lie, as asked for or by a file."""
        if self.directions is not None:
            return self.directions
        steady = at_rate(held, fps, layout)
        return steadiness(bodies(steady)) >= STEADY_DIRECTION

    def _first(
        self, files: Sequence[tuple[Path | None, Path]]
    ) -> tuple[Path, Tracks, float | None]:
        """Return the first file that can be read, its tracks, and their frame rate.

        The rate is that of tracks which state none.
        """
        refused: list[ValueError] = []
        for video, path in files:
            try:
                rate = self.fps if video is None else probe(video).fps
                return path, read_tracks(path, needs_clock=rate is None), rate
            except (TrackError, VideoError) as error:
                refused.append(error)
        if not refused:
            raise TrackError("there are no files of tracks to describe; name some")
        others = len(refused) - 1
        more = f"; {counted(others, 'other file')} cannot be read either"
        raise TrackError(str(refused[0]) + (more if others else "")) from None


def _not_none(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that are not None."""
    return {name: value for name, value in values.items() if value is not None}


def settled(
    requested: ExtractionSettings | KeypointRequest,
    files: Mapping[str, Path],
    tracks: Mapping[str, Path],
    store: Path,
) -> ExtractionSettings:
    """Return the settings to fill a store with; files of tracks say what is left out.

    ``files`` and ``tracks`` are as of `KeypointRequest.settings`.

    Raises
    ------
    TrackError
        As `KeypointRequest.settings`.
    """
    if isinstance(requested, KeypointRequest):
        return requested.settings(files, tracks, store)
    return requested
