"""Write the features of a release into a directory that acmnet reads."""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import numpy as np

from acmnet.data.features.feature_manifest import FeatureManifest, write_manifest
from acmnet.data.features.feature_store import FeatureError, write_features
from acmnet.data.labels.annotations import Annotations
from acmnet.data.releases.release_files import (
    STREAMS,
    by_video,
    found_parts,
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
    on_video: Callable[[int, int], None] = lambda *_: None,
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
        See `acmnet.data.releases.release_files.found_parts`.
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
    known = {} if annotations is None else _durations(annotations)
    videos = by_video(found_parts(source, names))
    dimension, done = release.dimension, 0
    left_out, unlike, ratios = [], [], []
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
            if video in known:
                expected = grid.n_snippets(round(known[video] * grid.fps))
                ratios.append(len(features) / expected)
                if abs(len(features) - expected) > max(
                    SLACK_ROWS, SLACK_SHARE * expected
                ):
                    unlike.append(_unlike(video, len(features), expected, known[video]))
        on_video(index, len(videos))
    if dimension is None or not done:
        raise FeatureError(left_out[0] if left_out else f"{source} has no features")
    if 2 * len(unlike) > len(ratios):
        raise FeatureError(_other_grid(release, grid, unlike, ratios))
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
    return Collected(done, dimension, tuple(left_out), tuple(unlike), len(ratios))


def _durations(annotations: Annotations) -> Mapping[str, float]:
    """Return the durations that labels state, in seconds."""
    videos = annotations.videos.values()
    return {x.id: x.duration_s for x in videos if x.duration_s is not None}


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


def _unlike(video: str, rows: int, expected: int, duration_s: float) -> str:
    return (
        f"{quoted(video)} has {counted(rows, 'row')}, and its {duration_s:g} s make "
        f"{expected}"
    )


def _other_grid(
    release: Release, grid: SnippetGrid, unlike: list[str], ratios: list[float]
) -> str:
    """Return the refusal of features that are not on the grid of their release."""
    factor = float(np.median(ratios))
    return (
        f"{len(unlike)} of {counted(len(ratios), 'video')} have other numbers of rows "
        f"than their durations tell, such as {'; '.join(unlike[:2])}: on the grid of "
        f"{release.name!r}, {grid.fps:g} frames a second and a row every "
        f"{grid.stride_frames}, there are {factor:.2f} times as many as there should "
        "be; is it another release, or is the frame rate another one: --fps "
        f"{grid.fps * factor:.4g}?"
    )
