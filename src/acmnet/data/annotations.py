"""Read label files: which actions a video shows and, if known, from when to when.

There are two formats: JSON in the form of ActivityNet's files, which THUMOS-14's files
have, too, and BMN's nearly, and a table of video names with their labels
(`acmnet.data.label_tables`). Nothing here knows features or the network.
"""

import codecs
import collections
import dataclasses
import reprlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from acmnet.data import bmn_annotations
from acmnet.data.class_lists import declared_classes, refuse_unknown_labels
from acmnet.data.label_tables import LabelTableError, read_label_table
from acmnet.data.spreadsheets import SheetError
from acmnet.limits import LARGEST_SECONDS, MOST_CLASSES, seconds
from acmnet.messages import counted
from acmnet.names import checked, is_name, one_form
from acmnet.segments import Segment
from acmnet.text_files import outline, parse_json, read_content, read_text

TABLES = (".csv", ".tsv", ".tab")
"""Suffixes of label files that are read as tables, whatever their content."""

KIND = "label file"
EMPTY = "a label file names at least one video"


class AnnotationError(ValueError):
    """A label file that cannot be used; the message names the place that is wrong."""


@dataclasses.dataclass(frozen=True)
class Instance:
    """One annotated action: its label and its time."""

    label: str
    segment: Segment


@dataclasses.dataclass(frozen=True)
class Point:
    """One instant inside an annotated action, whose start and end are not known."""

    label: str
    time_s: float
    """Seconds from the start of the video, finite."""


@dataclasses.dataclass(frozen=True)
class WatchedSpan:
    """A span that a person watched: what is not marked there is known to be absent."""

    label: str | None
    """The class that was looked for; None if all classes were."""
    segment: Segment


@dataclasses.dataclass(frozen=True, kw_only=True)
class Video:
    """What a label file says about one untrimmed video."""

    id: str
    subset: str | None
    """Name of the subset, such as ``"training"``; None if the file states none."""
    duration_s: float | None
    """Length in seconds, at least 0; None if the file states none."""
    labels: tuple[str, ...]
    """Distinct labels in the order of the class list; empty if the video has none."""
    instances: tuple[Instance, ...]
    """Annotated actions in the file's order; empty if only labels are known.

    A segment may start before 0 or end after the duration, as in THUMOS14.
    """
    points: tuple[Point, ...] = ()
    """Instants inside further actions, in the file's order."""
    watched: tuple[WatchedSpan, ...] = ()
    """Spans that were watched, in the file's order. Outside of them, whatever is not
    marked is unknown."""


@dataclasses.dataclass(frozen=True)
class Annotations:
    """The videos of a label file, and its classes.

    Examples
    --------
    >>> jump = Video(
    ...     id="a", subset="training", duration_s=9.0, labels=("jump",), instances=()
    ... )
    >>> empty = Video(id="b", subset="test", duration_s=9.0, labels=(), instances=())
    >>> both = Annotations("labels.json", {"a": jump, "b": empty}, ("jump", "run"))
    >>> list(both.subset("test").videos), both.subset("test").class_names
    (['b'], ('jump', 'run'))
    """

    source: str
    """The file's path, for messages."""
    videos: Mapping[str, Video]
    """Videos by id, in the file's order."""
    class_names: tuple[str, ...]
    """The C classes. A class index is a position in this tuple."""
    notes: tuple[str, ...] = ()
    """Sentences on how the file was read that the user should be told. Each names the
    file."""

    def subset(self, name: str | None) -> "Annotations":
        """Return the videos of one subset, with the same classes; None means all.

        Raises
        ------
        AnnotationError
            If no video is in the subset, or if a video is in no subset at all.
        """
        if name is None:
            return self
        name = one_form(name)
        counts = collections.Counter(video.subset for video in self.videos.values())
        if None in counts:
            first = next(v.id for v in self.videos.values() if v.subset is None)
            raise AnnotationError(
                f"{self.source}: video {first!r} is in no subset ("
                f"{counted(counts[None], 'video', ('is', 'are'), of=len(self.videos))} "
                f"in none), so {name!r} cannot be picked "
                "out; give each video a subset or ask for all videos"
            )
        if name not in counts:
            present = ", ".join(
                f"{subset!r} ({n})" for subset, n in sorted(counts.items(), key=repr)
            )
            raise AnnotationError(
                f"{self.source} has no subset {name!r}; its subsets (videos) are "
                f"{present or 'none'}"
            )
        kept = {key: v for key, v in self.videos.items() if v.subset == name}
        return dataclasses.replace(self, videos=kept)


def weak_labels(annotations: Annotations) -> dict[str, tuple[str, ...]]:
    """Return each video's labels, which is all that training is given.

    No temporal truth is returned: neither segments nor their number.

    Examples
    --------
    >>> fight = Instance("fight", Segment(2.0, 5.0))
    >>> video = Video(
    ...     id="a",
    ...     subset=None,
    ...     duration_s=9.0,
    ...     labels=("fight",),
    ...     instances=(fight, fight),
    ... )
    >>> weak_labels(Annotations("labels.json", {"a": video}, ("fight",)))
    {'a': ('fight',)}
    """
    return {video.id: video.labels for video in annotations.videos.values()}


def label_entry(video: Video) -> dict[str, Any]:
    """Return a video's entry in ActivityNet-style JSON.

    Annotations with a segment come first, then labels without one.

    Examples
    --------
    >>> jump = Instance("jump", Segment(1.0, 2.0))
    >>> video = Video(
    ...     id="a",
    ...     subset=None,
    ...     duration_s=9.0,
    ...     labels=("jump", "run"),
    ...     instances=(jump,),
    ... )
    >>> label_entry(video)["annotations"]
    [{'label': 'jump', 'segment': [1.0, 2.0]}, {'label': 'run'}]
    """
    placed = {instance.label for instance in video.instances}
    annotations: list[dict[str, Any]] = [
        {"label": x.label, "segment": [x.segment.start_s, x.segment.end_s]}
        for x in video.instances
    ]
    annotations += [{"label": name} for name in video.labels if name not in placed]
    entry: dict[str, Any] = {"annotations": annotations}
    if video.subset is not None:
        entry["subset"] = video.subset
    if video.duration_s is not None:
        entry["duration"] = video.duration_s
    return entry


def read_annotations(path: str | Path) -> Annotations:
    """Read a label file, as JSON or as a table by its suffix or else its content.

    Parameters
    ----------
    path : str or Path
        Either ActivityNet-style JSON, ``database -> video -> subset, duration,
        annotations -> [{label, segment}]`` with times in seconds (numbers, or numbers
        as text), in which ``subset``, ``duration`` and ``segment`` may be missing; or
        such videos without ``database``, as BMN's files of ActivityNet have them
        (`acmnet.data.bmn_annotations`). Or a table with the header ``video,labels``,
        labels separated by ``|``, and optional columns ``subset`` and ``duration``; a
        known video suffix is taken off the video's name. Other separators, encodings
        and names of these columns are recognised, and the notes of the returned
        annotations state them.

    Returns
    -------
    Annotations
        The classes are the JSON's ``taxonomy`` (its leaves, where it is a tree) or
        ``classes``; without either, all labels of the file, sorted.

    Raises
    ------
    AnnotationError
        If the file cannot be read, or contradicts itself: a video is listed twice, a
        label is not in the class list, a segment ends before it starts.
    """
    path = Path(path)
    if is_json(path):
        return _read_json(str(path), read_text(path, KIND, AnnotationError, EMPTY))
    return read_table(path, _refuse)


def is_json(path: Path) -> bool:
    """Return whether a label file is JSON, by its suffix or else its first character.

    Raises
    ------
    AnnotationError
        If the file cannot be read.
    """
    suffix = path.suffix.lower()
    if suffix == ".json" or suffix in TABLES:
        return suffix == ".json"
    start = read_content(path, KIND, AnnotationError).removeprefix(codecs.BOM_UTF8)
    return start.lstrip()[:1] in (b"{", b"[")


def read_table(path: Path, on_fault: Callable[[str], None]) -> Annotations:
    """Read a label file that is a table.

    Parameters
    ----------
    path : Path
        The file.
    on_fault : callable
        Called with a sentence on each row that cannot be used. If it raises nothing,
        the row is left out.

    Raises
    ------
    AnnotationError
        If the file, or every row of it, cannot be read.
    """
    data = read_content(path, KIND, AnnotationError)
    if not data.removeprefix(codecs.BOM_UTF8).strip():
        raise AnnotationError(f"{path} is empty; {EMPTY}")
    try:
        table = read_label_table(str(path), data, on_fault)
    except (SheetError, LabelTableError) as error:
        raise AnnotationError(str(error)) from None
    videos = (
        Video(
            id=row.video,
            subset=row.subset,
            duration_s=row.duration_s,
            labels=row.labels,
            instances=(),
        )
        for row in table.rows
    )
    found = _assembled(str(path), videos, ())
    return dataclasses.replace(found, notes=table.notes)


def _refuse(sentence: str) -> None:
    raise AnnotationError(sentence)


def _assembled(
    source: str, videos: Iterable[Video], declared: tuple[str, ...]
) -> Annotations:
    """Return the annotations, with the labels of each video in class order."""
    by_id: dict[str, Video] = {}
    for video in videos:
        if by_id.setdefault(video.id, video) is not video:
            raise AnnotationError(
                f"{source}: video {video.id!r} is listed twice, in two Unicode forms "
                "of one name; keep one, or merge the two"
            )
    if not by_id:
        raise AnnotationError(f"{source} has no video; a label file names at least one")
    names = declared or tuple(sorted({x for v in by_id.values() for x in v.labels}))
    if len(names) > MOST_CLASSES:
        raise AnnotationError(
            f"{source} has more than {MOST_CLASSES:,} classes, namely {len(names):,}; "
            "is the column or field of labels right?"
        )
    place = {name: index for index, name in enumerate(names)}
    ordered = {
        key: dataclasses.replace(
            video, labels=tuple(sorted(set(video.labels), key=place.__getitem__))
        )
        for key, video in by_id.items()
    }
    return Annotations(source, ordered, names)


def _duration(where: str, value: object) -> float | None:
    """Return a video's duration in seconds."""
    if value is None:
        return None
    duration_s = seconds(value, in_quotes=True)
    if duration_s is None or duration_s < 0:
        raise AnnotationError(
            f"{where}: duration must be seconds from 0, got {reprlib.repr(value)}; "
            f"correct it or leave it out (the most are {LARGEST_SECONDS:,.0f} s)"
        )
    return duration_s


def _read_json(source: str, text: str) -> Annotations:
    """Return the annotations of an ActivityNet-style file."""
    content = parse_json(source, text, KIND, AnnotationError, _is_video)
    if isinstance(content, dict) and bmn_annotations.is_flat(content):
        content = bmn_annotations.as_database(Path(source), content, AnnotationError)
    database = content.get("database") if isinstance(content, dict) else None
    if not isinstance(content, dict) or not isinstance(database, dict):
        raise AnnotationError(
            f"{source} must be a JSON object with a 'database' of videos, got "
            f"{outline(content, 'database')}; wrap the videos as "
            '{"database": {...}}'
        )
    declared = declared_classes(source, content, AnnotationError)
    videos = [_json_video(source, key, entry) for key, entry in database.items()]
    if declared:
        refuse_unknown_labels(source, database, declared, AnnotationError)
    return _assembled(source, videos, declared)


def _is_video(_key: str, value: object) -> bool:
    """Whether a repeated key's value looks like a video's entry."""
    return isinstance(value, dict) and "annotations" in value


def _json_video(source: str, key: str, entry: object) -> Video:
    """Return one video of the database."""
    where = f"{source}: video {key!r}"
    if not key.strip():
        raise AnnotationError(f"{where} has a blank name; name it as its feature file")
    key = checked(source, "video", key, AnnotationError)
    if not isinstance(entry, dict):
        raise AnnotationError(
            f"{where} must be an object with 'annotations', got {reprlib.repr(entry)}"
        )
    subset = entry.get("subset")
    if subset is not None and not is_name(subset):
        raise AnnotationError(
            f"{where}: subset must be text such as 'training', got "
            f"{reprlib.repr(subset)}; correct it or leave it out"
        )
    annotations = entry.get("annotations")
    if not isinstance(annotations, list):
        got = reprlib.repr(annotations) if "annotations" in entry else "none"
        raise AnnotationError(
            f"{where}: annotations must be a list, got {got}; write [] for a video "
            "without actions"
        )
    labels, instances = [], []
    for index, annotation in enumerate(annotations):
        label, segment = _entry(f"{where}, annotations[{index}]", annotation)
        labels.append(label)
        if segment is not None:
            instances.append(Instance(label, segment))
    duration_s = _duration(where, entry.get("duration"))
    if subset is not None:
        subset = checked(where, "subset", subset, AnnotationError)
    return Video(
        id=key,
        subset=subset,
        duration_s=duration_s,
        labels=tuple(labels),
        instances=tuple(instances),
    )


def _entry(where: str, annotation: object) -> tuple[str, Segment | None]:
    """Return one annotation's label and, where it is given, its segment."""
    if not isinstance(annotation, dict):
        raise AnnotationError(
            f"{where} must be an object with 'label' and 'segment', got "
            f"{reprlib.repr(annotation)}"
        )
    label = annotation.get("label")
    if not isinstance(label, str) or not is_name(label):
        got = reprlib.repr(label) if "label" in annotation else "none"
        raise AnnotationError(
            f"{where}: label must be the name of a class, got {got}; name the action "
            "or remove the entry"
        )
    label = checked(where, "label", label, AnnotationError)
    value = annotation.get("segment")
    return label, None if value is None else _segment(where, value)


def _segment(where: str, value: object) -> Segment:
    """Return the segment ``[start, end]`` in seconds."""
    given = value if isinstance(value, list) else []
    numbers = [seconds(x, in_quotes=True) for x in given]
    start_s, end_s = numbers if len(numbers) == 2 else (None, None)
    if start_s is None or end_s is None:
        raise AnnotationError(
            f"{where}: segment must be two finite numbers [start, end], within "
            f"{LARGEST_SECONDS:,.0f} s of 0 and in seconds, got {reprlib.repr(value)}; "
            "correct it, or leave it out to keep the label only"
        )
    if end_s <= start_s:
        raise AnnotationError(
            f"{where}: segment must end after it starts, got [{start_s}, {end_s}]; "
            "correct it, or leave it out to keep the label only"
        )
    return Segment(start_s, end_s)
