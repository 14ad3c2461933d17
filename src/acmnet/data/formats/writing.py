"""Write labels or detections in any format, to a file or to a folder of files."""

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from acmnet.data.detections.detection_arrays import DetectionFile
from acmnet.data.formats.annotation_files import thumos_text
from acmnet.data.formats.exchange_format import Content, Format
from acmnet.data.formats.held_content import Held, held
from acmnet.data.labels.annotations import (
    AnnotationError,
    Annotations,
    Instance,
    Video,
    names_alone,
)
from acmnet.data.labels.tables.label_columns import LabelTableError
from acmnet.data.labels.tables.label_tables import video_id
from acmnet.files.file_access import make_folder, written_whole
from acmnet.limits import LONGEST_NAME_BYTES
from acmnet.messages import counted, quoted
from acmnet.names import one_form
from acmnet.segments import Detections, Segment


class EmptyContentError(AnnotationError):
    """Labels or detections of which a format can hold nothing."""


@dataclasses.dataclass(frozen=True)
class Written:
    """What was written, and what was not."""

    files: tuple[Path, ...]
    videos: int
    marks: int
    """Segments, points and watched spans."""
    left_out: tuple[str, ...]
    """See `acmnet.data.formats.held_content.Held`."""
    changed: tuple[str, ...]
    names: int = 0
    """Names of actions without a time."""


def content_of_labels(annotations: Annotations, fps: float | None) -> Content:
    """Return labels as they can be written."""
    return Content(
        videos=tuple(annotations.videos.values()),
        class_names=annotations.class_names,
        fps=fps,
    )


def content_of_detections(
    results: Mapping[str, Detections], fps: float | None
) -> Content:
    """Return detections as they can be written."""
    videos, scores = [], {}
    for name, detections in results.items():
        instances = tuple(
            Instance(
                one_form(detection.label), Segment(detection.start_s, detection.end_s)
            )
            for detection in detections
        )
        labels = tuple(dict.fromkeys(x.label for x in instances))
        videos.append(Video(id=name, labels=labels, instances=instances))
        scores[name] = tuple(detection.score for detection in detections)
    used = sorted({x for video in videos for x in video.labels})
    return Content(
        videos=tuple(videos), class_names=tuple(used), scores=scores, fps=fps
    )


def detections_of(file: DetectionFile) -> tuple[dict[str, Detections], int]:
    """Return the detections of a file by video, and how many never end.

    A detection that does not end after it starts can stand in no other format.
    """
    lasts = file.end_s > file.start_s
    kept = np.flatnonzero(lasts)
    kept = kept[np.argsort(file.video_index[kept], kind="stable")]
    bounds = np.searchsorted(file.video_index[kept], np.arange(1, len(file.video_ids)))
    results = {}
    for name, of_video in zip(file.video_ids, np.split(kept, bounds), strict=False):
        results[name] = Detections(
            start_s=file.start_s[of_video],
            end_s=file.end_s[of_video],
            score=file.score[of_video],
            class_index=file.label_index[of_video],
            class_names=file.labels,
        )
    return results, int((~lasts).sum())


def write_labels(path: Path, content: Content, file_format: Format) -> Written:
    """Write labels or detections.

    Parameters
    ----------
    path : Path
        The file; or a folder, for formats of which each video or class has a file.
    content : Content
        What to write.
    file_format : Format
        The format.

    Raises
    ------
    AnnotationError, FileError
        As `contents_of_files` and `write_files` do.
    """
    kept, parts = contents_of_files(path, content, file_format)
    write_files(parts, file_format)
    return _written(kept, tuple(parts))


def contents_of_files(
    path: Path, content: Content, file_format: Format
) -> tuple[Held, dict[Path, Content]]:
    """Return what a format can hold, and what each file has of it.

    The arguments are those of `write_labels`. The folder is made.

    Raises
    ------
    EmptyContentError
        If the format can hold nothing of it; nothing is written then.
    AnnotationError
        If the format cannot be written, counts frames and no frame rate is stated, or
        would need several files where one is named.
    FileError
        If a file cannot be written.
    """
    if file_format.write is None and file_format.write_file is None:
        raise AnnotationError(f"{file_format.title} is only read, not written")
    if file_format.unit == "frames" and content.fps is None:
        raise AnnotationError(
            f"{file_format.title} counts frames, so the frame rate of the videos is "
            "needed: --fps, such as --fps 25"
        )
    kept = held(content, file_format)
    parts = dict(_parts(kept.content, file_format))
    if not parts or not kept.content.videos:
        raise EmptyContentError(
            f"{file_format.title} can hold none of this, so {path} is not written"
            + (f": without {', '.join(kept.left_out)}" if kept.left_out else "")
        )
    files = _places(path, list(parts), file_format)
    return kept, dict(zip(files, parts.values(), strict=True))


def write_files(parts: Mapping[Path, Content], file_format: Format) -> None:
    """Write each file; none of them if the text of one cannot be made.

    Raises
    ------
    FileError
        If a file cannot be written.
    """
    if file_format.write_file is not None:
        for place, part in parts.items():
            file_format.write_file(place, part)
    if file_format.write is not None:
        texts = {place: file_format.write(part) for place, part in parts.items()}
        for place, text in texts.items():
            with written_whole(place) as part_path:
                part_path.write_text(text, encoding="utf-8", newline="")


def _written(kept: Held, files: tuple[Path, ...]) -> Written:
    videos = kept.content.videos
    marks = sum(len(x.instances) + len(x.points) + len(x.watched) for x in videos)
    names = sum(len(names_alone(video)) for video in videos)
    return Written(files, len(videos), marks, kept.left_out, kept.changed, names)


def _parts(content: Content, file_format: Format) -> Iterator[tuple[str, Content]]:
    """Yield the name without suffix and the content of each file."""
    if file_format.one_file == "all":
        yield "", content
    elif file_format.one_file == "video":
        for video in content.videos:
            yield video.id, dataclasses.replace(content, videos=(video,))
    else:
        yield from _by_class(content)


def _by_class(content: Content) -> Iterator[tuple[str, Content]]:
    """Yield the instances of each class and subset."""
    for name in content.class_names:
        subsets = dict.fromkeys(v.subset for v in content.videos if name in v.labels)
        for subset in subsets:
            videos = tuple(
                dataclasses.replace(
                    video,
                    instances=tuple(x for x in video.instances if x.label == name),
                )
                for video in content.videos
                if video.subset == subset and name in video.labels
            )
            part = dataclasses.replace(content, videos=videos)
            yield thumos_text.file_stem(name, subset), part


def _places(path: Path, stems: list[str], file_format: Format) -> list[Path]:
    """Return where each file is to be written."""
    suffix = file_format.suffixes[0]
    is_file = path.suffix.lower() in file_format.suffixes and not path.is_dir()
    if file_format.one_file == "all":
        return [path / f"labels{suffix}" if path.is_dir() else path]
    if is_file:
        if len(stems) != 1:
            owner = {"video": "video", "class": "class"}[file_format.one_file]
            raise AnnotationError(
                f"{path} can hold one {owner} in this format, and there are "
                f"{len(stems)}: name a folder, such as {path.with_suffix('')}, and the "
                f"format {file_format.name}"
            )
        return [path]
    for stem in stems:
        _refuse_unfit(stem, suffix)
    make_folder(path)
    return [path / f"{stem}{suffix}" for stem in stems]


def _refuse_unfit(stem: str, suffix: str) -> None:
    """Refuse a name that no file can have."""
    try:
        fits = video_id("", stem) != "" and stem not in (".", "..")
    except LabelTableError:
        fits = False
    long = len(f"{stem}{suffix}".encode()) > LONGEST_NAME_BYTES
    if not fits or long or "/" in stem:
        raise AnnotationError(
            f"{quoted(stem)} cannot be the name of a file ("
            f"{counted(len(stem), 'character')}); rename it, or write a format that "
            "has one file for all videos"
        )
