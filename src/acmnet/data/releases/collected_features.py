"""Write the features of a release into a directory that acmnet reads."""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import numpy as np

from acmnet.data.features.feature_files import FeatureError
from acmnet.data.features.feature_manifest import FeatureManifest, write_manifest
from acmnet.data.features.feature_store import write_features
from acmnet.data.labels.annotations import Annotations
from acmnet.data.releases.release_files import (
    STREAMS,
    by_video,
    parts_in_files,
    read_video,
)
from acmnet.data.releases.release_table import Release
from acmnet.messages import counted, quoted
from acmnet.segments import SnippetGrid

SLACK_ROWS: Final = 3
"""By how many rows a video may miss what its duration tells: releases round in several
ways, and durations of label files are rounded, too."""
SLACK_SHARE: Final = 0.03
"""The same as a share of the rows."""
PREFIX: Final = "v_"
"""What releases of ActivityNet write before the names of videos, and its labels do
not."""


@dataclasses.dataclass(frozen=True)
class Collected:
    """What was written."""

    videos: int
    dimension: int
    left_out: tuple[str, ...]
    """One sentence for each video that could not be read."""
    unlike: tuple[str, ...]
    """One sentence for each video whose number of rows its duration does not tell."""
    compared: int
    """How many videos were compared with their durations."""


def collect(
    source: Path,
    release: Release,
    out: Path,
    *,
    names: Path | None = None,
    annotations: Annotations | None = None,
    on_video: Callable[[int, int], None],
) -> Collected:
    """Write one ``.npy`` for each video, and ``features.json`` with the grid.

    Parameters
    ----------
    source : Path
        File or folder of the release.
    release : Release
        Which release it is; its grid is known.
    out : Path
        The directory to write.
    names : Path, optional
        See `acmnet.data.releases.release_files.parts_in_files`.
    annotations : Annotations, optional
        Labels with the durations of videos, which numbers of rows are compared with.
    on_video : callable
        Called with the number of videos done and their total.

    Raises
    ------
    FeatureError
        If nothing can be read, the columns are not those of the release, or most
        videos have other numbers of rows than their durations tell.
    """
    grid = release.grid
    if grid is None:
        raise FeatureError(f"the grid of the release {release.name!r} is not known")
    labelled = [] if annotations is None else annotations.videos.values()
    durations = {x.id: x.duration_s for x in labelled if x.duration_s is not None}
    rows = _ComparedRows(grid, durations)
    videos = by_video(parts_in_files(source, names))
    dimension, done = release.dimension, 0
    left_out = []
    for index, (name, streams) in enumerate(videos.items(), start=1):
        video = _labelled_as(name, annotations)
        try:
            features = read_video(streams)
            dimension = _checked_dimension(name, release, features.shape[1], dimension)
            write_features(out, video, features)
        except FeatureError as error:
            left_out.append(f"{quoted(name)}: {error}")
        else:
            done += 1
            rows.compare(video, len(features))
        on_video(index, len(videos))
    if dimension is None or not done:
        raise FeatureError(left_out[0] if left_out else f"{source} has no features")
    if 2 * len(rows.unlike) > len(rows.ratios):
        raise FeatureError(rows.other_grid(release))
    has_streams = any(set(streams) == set(STREAMS) for streams in videos.values())
    write_manifest(
        out,
        FeatureManifest(
            grid=grid,
            dimension=dimension,
            streams=STREAMS if has_streams or dimension == 2048 else (),
            settings={"release": release.name},
        ),
    )
    return Collected(
        done, dimension, tuple(left_out), tuple(rows.unlike), len(rows.ratios)
    )


class _ComparedRows:
    """The numbers of rows of videos, compared with what their durations tell."""

    def __init__(self, grid: SnippetGrid, durations_s: Mapping[str, float]) -> None:
        self.unlike: list[str] = []
        """A sentence on each video that has other rows than its duration tells."""
        self.ratios: list[float] = []
        """Rows divided by those that the duration tells, of each compared video."""
        self._grid, self._durations_s = grid, durations_s

    def compare(self, video: str, rows: int) -> None:
        """Compare the rows of a video, if its duration is known."""
        duration_s = self._durations_s.get(video)
        if duration_s is None:
            return
        expected = self._grid.n_snippets(round(duration_s * self._grid.fps))
        self.ratios.append(rows / expected)
        if abs(rows - expected) > max(SLACK_ROWS, SLACK_SHARE * expected):
            self.unlike.append(
                f"{quoted(video)} has {counted(rows, 'row')}, and its {duration_s:g} s "
                f"make {expected}"
            )

    def other_grid(self, release: Release) -> str:
        """Return the refusal of features that are not on the grid of their release."""
        factor, grid = float(np.median(self.ratios)), self._grid
        return (
            f"{len(self.unlike)} of {counted(len(self.ratios), 'video')} have other "
            f"numbers of rows than their durations tell, such as "
            f"{'; '.join(self.unlike[:2])}: on the grid of {release.name!r}, "
            f"{grid.fps:g} frames a second and a row every {grid.stride_frames}, there "
            f"are {factor:.2f} times as many as there should be; is it another "
            "release, or is the frame rate another one: --fps "
            f"{grid.fps * factor:.4g}?"
        )


def _labelled_as(name: str, annotations: Annotations | None) -> str:
    """Return the name that a video has in the labels."""
    videos = {} if annotations is None else annotations.videos
    short = name.removeprefix(PREFIX)
    return short if name not in videos and short in videos else name


def _checked_dimension(
    video: str, release: Release, got: int, before: int | None
) -> int:
    """Return the number of columns; refuse a video that has others."""
    if before is not None and got != before:
        whose = (
            f"the release {release.name!r} has" if release.dimension else "others have"
        )
        raise FeatureError(
            f"{quoted(video)} has {got} columns, {whose} {before}; is it another "
            "release, or only one of two streams?"
        )
    return got
