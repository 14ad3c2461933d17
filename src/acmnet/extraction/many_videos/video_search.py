"""Find the files of videos, or of tracks, below folders, and give each its id."""

import contextlib
import functools
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from acmnet.extraction.extractors.extractor_names import (
    KEYPOINTS,
    PLUS,
    reads_tracks,
    reads_videos,
)
from acmnet.extraction.many_videos.records import ExtractionError
from acmnet.messages import counted, some
from acmnet.names import TRACK_SUFFIXES, VIDEO_SUFFIXES, one_form
from acmnet.video.containers import VideoError
from acmnet.video.frames import probe

HDF5_SUFFIXES: Final = (".h5", ".hdf5")
SLEAP_PROJECT: Final = (".slp",)
"""Suffix of files that are no tracks but are kept beside them, or instead of them."""
TRACKER_NAMES: Final = (
    re.compile(r"(.+?)_?DLC_.*shuffle\d.*", re.DOTALL),
    re.compile(r".+\.\d{3}_(.+)\.analysis", re.DOTALL),
    re.compile(
        r"(.+?)(?:\.(?:avi|mkv|mov|mp4))?"
        r"(?:\.predictions|\.analysis|\.predictions\.analysis)",
        re.DOTALL,
    ),
)
"""Names, without suffix, that DeepLabCut and SLEAP give to the tracks of a video, whose
own name is the group: ``mouse1DLC_resnet50_openfieldOct30shuffle1_100000_filtered``,
``labels.v001.000_mouse1.analysis``, ``mouse1.mp4.predictions.analysis``."""


def find_videos(
    paths: Sequence[str | Path], hint: str = "give --extractor keypoints"
) -> dict[str, Path]:
    """Return each video's file by its id, the file's name without the suffix; sorted.

    The id is brought to its composed Unicode form, whichever form the file system has.

    Parameters
    ----------
    paths : sequence of paths
        Files, which are taken whatever their suffix, and folders, which are searched
        with all their subfolders for files with the suffix of a video. Hidden files and
        folders are skipped.
    hint : str
        What to do about a folder that holds files of tracks instead; empty to say
        nothing.

    Raises
    ------
    ExtractionError
        If a path does not exist, a folder holds no video, or two files have one id.
    """
    videos: dict[str, Path] = {}
    for path in map(Path, paths):
        if not path.exists():
            raise ExtractionError(f"no video and no folder at {path}; check the path")
        files = _files_in(path, VIDEO_SUFFIXES) if path.is_dir() else [path]
        if not files:
            has_tracks = next(iter(_files_in(path, TRACK_SUFFIXES)), None)
            advice = (
                f"; it has {has_tracks.name}: if that is a file of tracks, {hint}"
                if has_tracks and hint
                else ""
            )
            raise ExtractionError(
                f"{path} holds no video ({', '.join(VIDEO_SUFFIXES[:4])} and the like);"
                f" name the folder of the videos, or the files themselves{advice}"
            )
        _add(videos, {file: one_form(file.stem) for file in files}, "videos")
    return dict(sorted(videos.items()))


def find_tracks(
    paths: Sequence[str | Path],
    hint: str = "name the folder of the tracks, or the files themselves",
) -> dict[str, Path]:
    """Return each file of tracks by the id of its recording; sorted.

    The id is the file's name without the suffix, and without what DeepLabCut and SLEAP
    add to the name of the video (`TRACKER_NAMES`). Where a folder has the same tracks
    as HDF5 and as text under one name, as DeepLabCut writes them, HDF5 is read.

    Parameters
    ----------
    paths : sequence of paths
        Files, taken whatever their suffix, and folders, searched with all they hold
        for `acmnet.names.TRACK_SUFFIXES`.
    hint : str
        What to do about a folder without files of tracks.

    Raises
    ------
    ExtractionError
        If a path does not exist, a folder holds no such file, or two files have one id.
    """
    tracks: dict[str, Path] = {}
    for path in map(Path, paths):
        if not path.exists():
            raise ExtractionError(f"no file of tracks at {path}; check the path")
        files = _files_in(path, TRACK_SUFFIXES) if path.is_dir() else [path]
        # a reader says of projects how to export them
        files = files or _files_in(path, SLEAP_PROJECT)
        if not files:
            raise ExtractionError(
                f"{path} holds no file of tracks ({', '.join(TRACK_SUFFIXES)}); {hint}"
            )
        binary = {f.with_suffix("") for f in files if f.suffix.lower() in HDF5_SUFFIXES}
        kept = [
            file
            for file in files
            if file.suffix.lower() in HDF5_SUFFIXES
            or file.with_suffix("") not in binary
        ]
        _add(tracks, {file: _recording(file) for file in kept}, "files of tracks")
    return dict(sorted(tracks.items()))


class Recordings(NamedTuple):
    """The files that an extractor reads."""

    files: Mapping[str, Path]
    """By id: the videos, or the files of tracks where no video is read."""
    tracks: Mapping[str, Path]
    """By id: the file of tracks of each video, where an extractor reads both; videos
    without one are not in it."""

    def of(self, video: str) -> tuple[Path, ...]:
        """Return the files of a recording: its only one, or its video and its tracks.

        The second is missing where a video has no tracks.
        """
        paths = self.files[video], self.tracks.get(video)
        return tuple(path for path in paths if path is not None)


def find_recordings(
    paths: Sequence[Path],
    extractor: str,
    tracks: Path | None,
    on_note: Callable[[str], None] = lambda _: None,
) -> Recordings:
    """Return the files that an extractor reads: videos, tracks, or both.

    Parameters
    ----------
    paths : sequence of Path
        As of `find_videos`, or of `find_tracks` for ``keypoints`` alone.
    extractor : str
        Its name, or several joined by ``+``.
    tracks : Path, optional
        File or folder of the tracks; when left out, they are looked for in ``paths``,
        or beside them where those are video files.
    on_note : callable
        Called with each sentence that the user should read.

    Raises
    ------
    ExtractionError
        As `find_videos` and `find_tracks`, if no video has tracks, or if there are
        ``tracks`` for an extractor that reads none.
    """
    if not reads_tracks(extractor):
        if tracks is not None:
            raise ExtractionError(
                f"the extractor {extractor} reads no tracks, got {tracks}; leave "
                f"--tracks out, or name --extractor {KEYPOINTS}{PLUS}{extractor}"
            )
        return Recordings(find_videos(paths), {})
    if not reads_videos(extractor):
        return Recordings(find_tracks(paths if tracks is None else [tracks]), {})
    files = find_videos(paths, hint="")
    beside = {path if path.is_dir() else path.parent: None for path in paths}
    found_tracks = find_tracks(
        [*beside] if tracks is None else [tracks],
        hint="name the folder of the tracks with --tracks",
    )
    unused = [name for name in found_tracks if name not in files]
    own = {video: path for video, path in found_tracks.items() if video in files}
    if not own:
        name, file = next(iter(found_tracks.items()))
        raise ExtractionError(
            f"none of {counted(len(files), 'video')} has tracks: {file} is of a video "
            f"called {name!r}, the videos are {some(files)}; give a video and its "
            "tracks the same name, and name the folder of the tracks with --tracks"
        )
    if unused:
        have = counted(len(unused), "file of tracks", ("has", "have"))
        on_note(
            f"{have} no video and {'is' if len(unused) == 1 else 'are'} not used: "
            f"{some(unused)}"
        )
    return Recordings(files, own)


def frame_rates(*places: Path) -> Callable[[str], float | None]:
    """Return a function that returns the frames per second of a video by its id.

    The videos are files, or those of folders. The rate is what the file claims, or
    None where it claims none or cannot be read. A video without a file, of which
    nothing is used, gets the rate of the first file. No file is looked for before the
    first video is requested.
    """

    @functools.cache
    def files() -> dict[str, Path]:
        try:
            return find_videos(places, hint="")
        except ExtractionError:
            return {}

    @functools.cache
    def rate(video: str) -> float | None:
        file = files().get(video) or next(iter(files().values()), None)
        try:
            return None if file is None else probe(file).fps
        except (VideoError, OSError):
            return None

    return rate


def common_frame_rate(files: Iterable[Path]) -> float | None:
    """Return the frames per second of videos; None if they differ or are not known.

    Files that cannot be read, of which nothing is used, are passed over.
    """
    rates = set()
    for file in files:
        with contextlib.suppress(VideoError, OSError):
            rates.add(probe(file).fps)
        if len(rates) > 1:
            return None
    return next(iter(rates), None)


def _recording(file: Path) -> str:
    """Return the id of the recording that a file of tracks is of.

    Examples
    --------
    >>> _recording(Path("m1DLC_resnet50_cageMay1shuffle1_500_el.h5"))
    'm1'
    >>> _recording(Path("labels.v1.000_m1.analysis.h5")), _recording(Path("m1.csv"))
    ('m1', 'm1')
    >>> _recording(Path("m1.mp4.predictions.analysis.h5"))
    'm1'
    """
    name = one_form(file.stem)
    matches = (pattern.fullmatch(name) for pattern in TRACKER_NAMES)
    return next((match[1] for match in matches if match), name)


def _add(by_id: dict[str, Path], files: dict[Path, str], kind: str) -> None:
    """Add files under their ids, or refuse a second file of one id."""
    for file, video in files.items():
        other = by_id.setdefault(video, file)
        if other != file and not other.samefile(file):
            raise ExtractionError(
                f"two {kind} have the id {video!r}: {other} and {file}; rename "
                "one, or leave it out"
            )


def _files_in(folder: Path, suffixes: Sequence[str]) -> list[Path]:
    """Return the files below a folder that have one of these suffixes, sorted."""
    return sorted(_walked(folder, suffixes))


def _walked(folder: Path, suffixes: Sequence[str]) -> Iterator[Path]:
    for root, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name[0] != "."]
        for name in files:
            if name[0] != "." and Path(name).suffix.lower() in suffixes:
                yield Path(root, name)
