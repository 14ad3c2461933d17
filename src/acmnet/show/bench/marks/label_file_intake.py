"""Read a label file of any origin, to be continued at the bench.

A file that the bench wrote, and that was not changed since, says who marked what. Any
other label file has the marks, but not who made them.
"""

import dataclasses
import uuid
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from acmnet.data.label_files import read_annotations
from acmnet.data.labels.annotations import AnnotationError, Annotations, names_alone
from acmnet.files.file_access import digest_of
from acmnet.files.strict_json import parse_json
from acmnet.files.text_files import read_text
from acmnet.segments import Segment
from acmnet.show.bench.marks.bench_labels import KnownVideo, Labels
from acmnet.show.bench.marks.bench_mark import DIGITS, Kind, Mark

KIND: Final = "label file"
REMEDY: Final = "mend it, or name another file"
FROM_FILE: Final = "label file"
"""Who said what a label file says without telling who."""


class UnsignedMark(NamedTuple):
    """What a mark says, without who said it; the fields are those of `Mark`."""

    video: str
    kind: Kind
    label: str | None
    start_s: float | None
    end_s: float | None


class FileContent(NamedTuple):
    """What a label file holds."""

    classes: tuple[str, ...]
    videos: Mapping[str, KnownVideo]
    marked: Mapping[UnsignedMark, Mark | None]
    """What is marked, each with the mark that says it if the bench wrote the file."""
    revision: int = 0
    """The revision that the file is of; 0 if another program wrote it."""
    journal: str = ""
    """The journal that the file is from; empty if another program wrote it."""
    notes: tuple[str, ...] = ()
    """Sentences on how the file was read."""


def read_label_file(path: Path) -> FileContent:
    """Return what a label file holds.

    Raises
    ------
    AnnotationError
        If it cannot be read.
    """
    content = read_own(path)
    if content is not None:
        marked: dict[UnsignedMark, Mark | None] = {
            content_of(mark): mark for mark in content.marks
        }
        return FileContent(
            content.classes, content.videos, marked, content.revision, content.journal
        )
    annotations = read_annotations(path)
    videos = {
        k: KnownVideo(v.duration_s, v.subset) for k, v in annotations.videos.items()
    }
    return FileContent(
        annotations.class_names,
        videos,
        dict.fromkeys(marks_in_annotations(annotations)),
        notes=annotations.notes,
    )


def changes_to(
    content: FileContent, marks: Iterable[Mark], known: Mapping[str, Mark], at: str
) -> list[Mark]:
    """Return the marks that make others say what a label file says.

    Parameters
    ----------
    content : FileContent
        What the file holds.
    marks : iterable of Mark
        The present marks, without those that are gone. Those of videos that the file
        does not list stay as they are.
    known : mapping of str to Mark
        All marks that ever were, by id.
    at : str
        The present time, for new marks.
    """
    left = {content_of(mark): mark for mark in marks}
    changed = []
    for unsigned, theirs in content.marked.items():
        if left.pop(unsigned, None) is not None:
            continue
        mark = theirs or new_mark(unsigned, FROM_FILE, at, content.classes)
        if mark.id in known:
            mark = dataclasses.replace(mark, version=known[mark.id].version + 1)
        changed.append(mark)
    gone = (mark for mark in left.values() if mark.video in content.videos)
    return changed + [
        dataclasses.replace(mark, gone=True, version=mark.version + 1) for mark in gone
    ]


def content_of(mark: Mark) -> UnsignedMark:
    """Return what a mark says."""
    return UnsignedMark(mark.video, mark.kind, mark.label, mark.start_s, mark.end_s)


def new_mark(unsigned: UnsignedMark, who: str, at: str, classes: Iterable[str]) -> Mark:
    """Return a new mark that says something; ``classes`` are those that there are."""
    is_for_all = unsigned.kind == "watched" and unsigned.label is None
    return Mark(
        id=uuid.uuid4().hex,
        **unsigned._asdict(),
        who=who,
        at=at,
        classes=tuple(classes) if is_for_all else (),
    )


def read_own(path: Path) -> Labels | None:
    """Return what the bench wrote to a label file; None if somebody changed it since.

    Files of other programs give None, too.

    Raises
    ------
    AnnotationError
        If the file is no JSON.
    """
    text = read_text(path, KIND, AnnotationError, REMEDY)
    content = parse_json(str(path), text, KIND, AnnotationError)
    if not isinstance(content, dict) or content.get("sha256") != digest_of(content):
        return None
    try:
        return _bench_labels(content)
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


def marks_in(path: Path) -> tuple[Mark, ...]:
    """Return the marks of a label file of the bench, also if somebody edited it.

    Raises
    ------
    AnnotationError
        If the file is no JSON.
    """
    text = read_text(path, KIND, AnnotationError, REMEDY)
    content: Any = parse_json(str(path), text, KIND, AnnotationError)
    try:
        return _bench_labels(content).marks
    except (AttributeError, KeyError, TypeError, ValueError):
        return ()


def _bench_labels(content: Mapping[str, Any]) -> Labels:
    """Return what a file of the bench holds; fails where it is none."""
    videos, marks = {}, []
    for video, entry in {**content["database"], **content["unnamed"]}.items():
        videos[video] = KnownVideo(entry.get("duration"), entry.get("subset"))
        marks += [_mark(video, x) for x in entry["annotations"]]
        marks += [
            Mark.from_record(x | {"video": video, "kind": "watched"})
            for x in entry.get("watched_marks", ())
        ]
    return Labels(
        journal=str(content["journal"]),
        revision=int(content["revision"]),
        classes=tuple(content["classes"]),
        videos=videos,
        marks=tuple(marks),
    )


def _mark(video: str, entry: Mapping[str, Any]) -> Mark:
    """Return the mark that an annotation of the bench is."""
    values = dict(entry) | {"video": video, "kind": "name"}
    if "segment" in values:
        values["start_s"], values["end_s"] = values.pop("segment")
        values["kind"] = "segment"
    elif "point" in values:
        values["start_s"] = values.pop("point")
        values["kind"] = "point"
    return Mark.from_record(values)


def marks_in_annotations(annotations: Annotations) -> Iterator[UnsignedMark]:
    """Yield the marks that a label file holds.

    A label that a segment or a point gives already is no name of its own. A video
    without any label is watched as a whole, if its length is known. What begins before
    a video, as some segments of THUMOS14 do, begins with it here.
    """
    for video in annotations.videos.values():
        for label in names_alone(video):
            yield UnsignedMark(video.id, "name", label, None, None)
        for instance in video.instances:
            yield UnsignedMark(
                video.id, "segment", instance.label, *_span(instance.segment)
            )
        for point in video.points:
            yield UnsignedMark(
                video.id, "point", point.label, _rounded(point.time_s), None
            )
        for span in video.watched:
            yield UnsignedMark(video.id, "watched", span.label, *_span(span.segment))
        if not (video.labels or video.watched) and video.duration_s:
            end_s = _rounded(video.duration_s)
            yield UnsignedMark(video.id, "watched", None, 0.0, end_s)


def _span(segment: Segment) -> tuple[float, float]:
    """Return start and end as marks have them."""
    return _rounded(segment.start_s), _rounded(segment.end_s)


def _rounded(time_s: float) -> float:
    return round(max(time_s, 0.0), DIGITS)
