"""Read labels in any format, from a file or from a folder of files."""

import collections
import dataclasses
import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from acmnet.data.formats.exchange_format import Format, FrameRates, Parsed, Source
from acmnet.data.formats.format_table import FORMATS, OWN, format_of_file
from acmnet.data.labels.annotations import AnnotationError, Annotations, Video
from acmnet.data.labels.contradictions import refuse_contradictions
from acmnet.data.labels.json_files.label_json import assembled
from acmnet.files.file_access import sha256_of
from acmnet.messages import some


def foreign_format(path: Path) -> Format | None:
    """Return the format of a label file or a folder of them; None for acmnet's own.

    Raises
    ------
    AnnotationError
        If a folder has files of several formats.
    """
    if not path.is_dir():
        named = format_of_file(path)
        return None if named in OWN else named
    formats = {file_format.name: file_format for file_format, _ in _files(path)}
    foreign = [
        file_format for file_format in formats.values() if file_format not in OWN
    ]
    if len(foreign) > 1:
        raise AnnotationError(
            f"{path} has files of several formats, {some(list(formats))}; keep those "
            "of one, or name it with acmnet convert --from-format"
        )
    return foreign[0] if foreign else None


def _files(folder: Path, wanted: Format | None = None) -> Iterator[tuple[Format, Path]]:
    """Yield the files of a folder that may be labels, and their formats, sorted."""
    suffixes = {x for file_format in FORMATS for x in file_format.suffixes}
    for path in sorted(folder.iterdir()):
        suffix = path.suffix.lower()
        if not path.is_file() or suffix not in suffixes:
            continue
        if wanted is None:
            yield format_of_file(path), path
        elif suffix in wanted.suffixes:
            yield wanted, path


def read_foreign(
    path: Path, file_format: Format, fps: FrameRates | None
) -> Annotations:
    """Read the labels of a file, or of all files of a folder.

    Parameters
    ----------
    path : Path
        The file, or a folder with a file for each video or each class.
    file_format : Format
        The format of the files; not one of `OWN`.
    fps : float or callable, optional
        Frames per second, for formats that count frames; see `FrameRates`.

    Raises
    ------
    AnnotationError
        If a file cannot be read or contradicts itself, or the folder has none.
    """
    read = file_format.read
    if read is None:
        raise AnnotationError(f"{file_format.title} is only written, not read: {path}")
    paths = [path]
    if path.is_dir():
        paths = [file for _, file in _files(path, file_format)]
    if not paths:
        suffixes = " or ".join(file_format.suffixes)
        raise AnnotationError(f"{path} has no file that ends with {suffixes}")
    parsed = []
    for file in paths:
        parsed.append(read(Source(file, fps)))
    return _annotations(str(path), parsed, file_format)


def sha256_of_labels(path: Path) -> str:
    """Return the SHA-256 of a label file, or of a folder's label files together.

    That of a folder is the one of a text with a line for each file, by name: the file's
    own SHA-256, two blanks, and its name, as the command sha256sum prints them.
    """
    if not path.is_dir():
        return sha256_of(path)
    files = [file for _, file in _files(path, foreign_format(path))]
    lines = [f"{sha256_of(file)}  {file.name}\n" for file in files]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _annotations(
    source: str, parsed: Iterable[Parsed], file_format: Format
) -> Annotations:
    """Return what several files say together."""
    parsed = list(parsed)
    videos = [video for part in parsed for video in part.videos]
    if file_format.one_file == "class":
        videos = _merged(source, videos)
    names = dict.fromkeys(x for part in parsed for x in part.classes)
    if names:
        names |= dict.fromkeys(sorted({x for v in videos for x in v.labels}))
    twice = {video.id for video in videos}
    if len(twice) < len(videos):
        count = collections.Counter(video.id for video in videos)
        again = next(name for name, n in count.items() if n > 1)
        raise AnnotationError(
            f"{source}: video {again!r} is there twice; keep one, or merge the two"
        )
    annotations = assembled(source, videos, tuple(names))
    refuse_contradictions(source, annotations.videos.values())
    notes = tuple(note for part in parsed for note in part.notes)
    return dataclasses.replace(annotations, notes=notes)


def _merged(source: str, videos: Iterable[Video]) -> list[Video]:
    """Return one video for each id, with the segments of all classes."""
    by_id: dict[str, Video] = {}
    for video in videos:
        before = by_id.get(video.id)
        if before is not None:
            if before.subset != video.subset:
                raise AnnotationError(
                    f"{source}: video {video.id!r} is in the subsets "
                    f"{before.subset!r} and {video.subset!r}; keep one"
                )
            video = dataclasses.replace(
                before,
                labels=(*before.labels, *video.labels),
                instances=(*before.instances, *video.instances),
            )
        by_id[video.id] = video
    return list(by_id.values())
