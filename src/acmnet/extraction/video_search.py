"""Find the video files below folders, and give each its id."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from acmnet.extraction.records import ExtractionError
from acmnet.files import VIDEO_SUFFIXES
from acmnet.names import one_form


def find_videos(paths: Sequence[str | Path]) -> dict[str, Path]:
    """Return each video's file by its id, the file's name without the suffix; sorted.

    The id is brought to its composed Unicode form, whichever form the file system has.

    Parameters
    ----------
    paths : sequence of paths
        Files, which are taken whatever their suffix, and folders, which are searched
        with all their subfolders for files with the suffix of a video. Hidden files and
        folders are skipped.

    Raises
    ------
    ExtractionError
        If a path does not exist, a folder holds no video, or two files have one id.
    """
    found: dict[str, Path] = {}
    for path in map(Path, paths):
        if not path.exists():
            raise ExtractionError(f"no video and no folder at {path}; check the path")
        files = sorted(_videos_in(path)) if path.is_dir() else [path]
        if not files:
            raise ExtractionError(
                f"{path} holds no video ({', '.join(VIDEO_SUFFIXES[:4])} and the like);"
                " name the folder of the videos, or the files themselves"
            )
        for file in files:
            video = one_form(file.stem)
            other = found.setdefault(video, file)
            if other != file and not other.samefile(file):
                raise ExtractionError(
                    f"two videos have the id {video!r}: {other} and {file}; rename "
                    "one, or leave it out"
                )
    return dict(sorted(found.items()))


def _videos_in(folder: Path) -> Iterator[Path]:
    for root, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name[0] != "."]
        for name in files:
            if name[0] != "." and Path(name).suffix.lower() in VIDEO_SUFFIXES:
                yield Path(root, name)
