"""Read label files: which actions a video shows and, where known, from when to when.

Two formats: ActivityNet-style JSON (THUMOS14's files are such, and BMN's nearly) and a
CSV of video names with their labels. Nothing here knows features or the network.
"""

import collections
import csv
import dataclasses
import difflib
import io
import reprlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from acmnet import bmn
from acmnet.files import VIDEO_SUFFIXES, outline, parse_json, read_text
from acmnet.limits import LARGEST_SECONDS, MOST_CLASSES, seconds
from acmnet.names import one_form, unfit
from acmnet.segments import Segment
from acmnet.wording import quoted

CSV_COLUMNS = ("video", "labels", "subset", "duration")
"""Columns that a CSV may have, in any order; the first two are required."""

SHOWN_UNKNOWN_LABELS = 5

KIND = "label file"
EMPTY = "a label file names at least one video"


class AnnotationError(ValueError):
    """A label file that cannot be used, with the place that is at fault."""


@dataclasses.dataclass(frozen=True)
class Instance:
    """One annotated action: what, and when."""

    label: str
    segment: Segment


@dataclasses.dataclass(frozen=True)
class Video:
    """What a label file says about one untrimmed video."""

    id: str
    subset: str | None
    """Such as ``"training"``; None where the file names none."""
    duration_s: float | None
    """Seconds, at least 0; None where the file names none."""
    labels: tuple[str, ...]
    """Distinct labels in the order of the class list; empty for a video without any."""
    instances: tuple[Instance, ...]
    """In the file's order. Empty where only the labels are known.

    A segment may start before 0 or end after the duration, as in THUMOS14.
    """


@dataclasses.dataclass(frozen=True)
class Annotations:
    """A label file's videos and the classes that they are labelled with.

    Examples
    --------
    >>> jump = Video("a", "training", 9.0, ("jump",), ())
    >>> empty = Video("b", "test", 9.0, (), ())
    >>> both = Annotations("labels.json", {"a": jump, "b": empty}, ("jump", "run"))
    >>> list(both.subset("test").videos), both.subset("test").class_names
    (['b'], ('jump', 'run'))
    """

    source: str
    """The file's path, for messages."""
    videos: Mapping[str, Video]
    """By id, in the file's order."""
    class_names: tuple[str, ...]
    """The C classes; class index c is a place in this tuple."""

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
                f"{self.source}: video {first!r} is in no subset ({counts[None]} of "
                f"{len(self.videos)} videos are in none), so {name!r} cannot be picked "
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
    """Return each video's labels, and nothing else: all that training is given.

    No temporal truth passes here: neither segments nor how many there are.

    Examples
    --------
    >>> fight = Instance("fight", Segment(2.0, 5.0))
    >>> video = Video("a", None, 9.0, ("fight",), (fight, fight))
    >>> weak_labels(Annotations("labels.json", {"a": video}, ("fight",)))
    {'a': ('fight',)}
    """
    return {video.id: video.labels for video in annotations.videos.values()}


def read_annotations(path: str | Path) -> Annotations:
    """Read a label file, as JSON or CSV by its suffix or, failing that, its content.

    Parameters
    ----------
    path : str or Path
        Either ActivityNet-style JSON, ``database -> video -> subset, duration,
        annotations -> [{label, segment}]`` with times in seconds (numbers, or numbers
        as text), in which ``subset``, ``duration`` and ``segment`` may be missing; or
        such videos without ``database``, as BMN's files of ActivityNet have them
        (`acmnet.bmn`). Or a CSV with the header ``video,labels``, labels separated by
        ``|``, and optional columns ``subset`` and ``duration``; a known video suffix
        is taken off the video's name.

    Returns
    -------
    Annotations
        The classes are the JSON's ``taxonomy`` (its leaves, where it is a tree) or
        ``classes``; without either, all labels of the file, sorted.

    Raises
    ------
    AnnotationError
        If the file cannot be read, or says something that cannot be meant: a video
        twice, a label outside the class list, a segment that ends before it starts.
    """
    path = Path(path)
    text = read_text(path, KIND, AnnotationError, EMPTY)
    suffix = path.suffix.lower()
    looks_like_json = text.lstrip()[0] in "{["
    if suffix == ".json" or (suffix != ".csv" and looks_like_json):
        return _read_json(str(path), text)
    return _assembled(str(path), _csv_videos(str(path), text), ())


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
            f"{source} has {len(names):,} classes, the most are {MOST_CLASSES:,}; is "
            "the column or field of labels right?"
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
    """Return what an ActivityNet-style file says."""
    content = parse_json(source, text, KIND, AnnotationError, _is_video)
    if isinstance(content, dict) and bmn.is_flat(content):
        content = bmn.as_database(Path(source), content, AnnotationError)
    database = content.get("database") if isinstance(content, dict) else None
    if not isinstance(content, dict) or not isinstance(database, dict):
        raise AnnotationError(
            f"{source} must be a JSON object with a 'database' of videos, got "
            f"{outline(content, 'database')}; wrap the videos as "
            '{"database": {...}}'
        )
    declared = _declared_classes(source, content)
    videos = [_json_video(source, key, entry) for key, entry in database.items()]
    if declared:
        _refuse_unknown_labels(source, database, declared)
    return _assembled(source, videos, declared)


def _is_video(_key: str, value: object) -> bool:
    """Whether a repeated key's value looks like a video's entry."""
    return isinstance(value, dict) and "annotations" in value


def _declared_classes(source: str, content: Mapping[str, object]) -> tuple[str, ...]:
    """Return the classes that the file lists, in its order; empty without a list."""
    for key in ("taxonomy", "classes"):
        value = content.get(key)
        if value is None or value == []:
            continue
        if isinstance(value, list) and all(isinstance(node, dict) for node in value):
            value = _leaves(value)
        if not isinstance(value, list) or not all(_is_name(name) for name in value):
            raise AnnotationError(
                f"{source}: {key} must be a list of class names, got "
                f"{reprlib.repr(value)}; correct it or leave it out"
            )
        value = [_name(f"{source}: {key}", "class", name) for name in value]
        twice = [name for name, n in collections.Counter(value).items() if n > 1]
        if twice:
            raise AnnotationError(
                f"{source}: {key} lists the class {twice[0]!r} twice; list it once"
            )
        return tuple(value)
    return ()


def _leaves(nodes: list[dict[str, object]]) -> list[object]:
    """Return the names of ActivityNet's tree that no other node has for a parent."""
    pairs = [(node.get("nodeName"), node.get("parentName")) for node in nodes]
    parents = {repr(parent) for name, parent in pairs if parent != name}
    leaves = {repr(name): name for name, _ in pairs if repr(name) not in parents}
    return list(leaves.values())


def _is_name(value: object) -> bool:
    """Return whether ``value`` is text that is not blank."""
    return isinstance(value, str) and bool(value.strip())


def _name(where: str, what: str, name: str) -> str:
    """Return a name in its composed Unicode form, refused if no name can be such."""
    held = unfit(name)
    if held:
        raise AnnotationError(
            f"{where}: {what} {quoted(name)} holds {held}; names are letters, digits, "
            "blanks and signs in one line: correct it"
        )
    return one_form(name)


def _json_video(source: str, key: str, entry: object) -> Video:
    """Return one video of the database."""
    where = f"{source}: video {key!r}"
    if not key.strip():
        raise AnnotationError(f"{where} has a blank name; name it as its feature file")
    key = _name(source, "video", key)
    if not isinstance(entry, dict):
        raise AnnotationError(
            f"{where} must be an object with 'annotations', got {reprlib.repr(entry)}"
        )
    subset = entry.get("subset")
    if subset is not None and not _is_name(subset):
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
    subset = None if subset is None else _name(where, "subset", subset)
    return Video(key, subset, duration_s, tuple(labels), tuple(instances))


def _entry(where: str, annotation: object) -> tuple[str, Segment | None]:
    """Return one annotation's label and, where it is given, its segment."""
    if not isinstance(annotation, dict):
        raise AnnotationError(
            f"{where} must be an object with 'label' and 'segment', got "
            f"{reprlib.repr(annotation)}"
        )
    label = annotation.get("label")
    if not isinstance(label, str) or not _is_name(label):
        got = reprlib.repr(label) if "label" in annotation else "none"
        raise AnnotationError(
            f"{where}: label must be the name of a class, got {got}; name the action "
            "or remove the entry"
        )
    label = _name(where, "label", label)
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


def _refuse_unknown_labels(
    source: str,
    database: Mapping[str, dict[str, list[dict[str, str]]]],
    declared: tuple[str, ...],
) -> None:
    """Refuse labels that the file's own class list lacks, the first few by name."""
    first: dict[str, str] = {}
    known = set(declared)
    for key, entry in database.items():
        for index, annotation in enumerate(entry["annotations"]):
            label = one_form(annotation["label"])
            if label not in known:
                first.setdefault(label, f"video {key!r}, annotations[{index}]")
    if not first:
        return
    shown = []
    for label, where in list(first.items())[:SHOWN_UNKNOWN_LABELS]:
        near = difflib.get_close_matches(label, declared, n=1)
        hint = f", did you mean {near[0]!r}?" if near else ""
        shown.append(f"{label!r} ({where}{hint})")
    if len(first) > len(shown):
        shown.append(f"and {len(first) - len(shown)} more")
    raise AnnotationError(
        f"{source}: label not in the file's list of {len(declared)} classes: "
        f"{', '.join(shown)}; correct the label or add it to the list"
    )


def _csv_videos(source: str, text: str) -> Iterator[Video]:
    """Yield the video of each row of a CSV."""
    rows = _csv_rows(source, text)
    _, header = next(rows, (0, [""]))
    columns = _csv_columns(source, header)
    first: dict[str, tuple[int, str]] = {}
    for line, cells in rows:
        where = f"{source}, line {line}"
        if len(cells) != len(columns):
            raise AnnotationError(
                f"{where}: a row needs {len(columns)} cells ({','.join(columns)}), got "
                f"{len(cells)}: {','.join(cells)!r}; put a cell with a comma in quotes"
            )
        row = dict(zip(columns, cells, strict=True))
        video = _csv_video(where, row)
        if video.id in first:
            line_before, name_before = first[video.id]
            raise AnnotationError(
                f"{where}: video {row['video']!r} was listed before, as "
                f"{name_before!r} in line {line_before}; keep one row a video, with "
                "its labels separated by |"
            )
        first[video.id] = (line, row["video"])
        yield video


def _csv_rows(source: str, text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield each row that is not blank, with the number of its (last) line."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        for cells in reader:
            stripped = [cell.strip() for cell in cells]
            if any(stripped):
                yield reader.line_num, stripped
    except csv.Error as error:
        raise AnnotationError(
            f"{source}, line {reader.line_num}: not valid CSV: {error}; mend the line"
        ) from None


def _csv_columns(source: str, header: list[str]) -> list[str]:
    """Return the names of the columns, checked."""
    got = ",".join(header)
    if not {"video", "labels"} <= set(header):
        raise AnnotationError(
            f"{source} must start with the header video,labels, got {got!r}; add it, "
            "with commas between the columns"
        )
    unknown = [name for name in header if name not in CSV_COLUMNS]
    if unknown:
        raise AnnotationError(
            f"{source} has the column {unknown[0]!r}; known columns are "
            f"{', '.join(CSV_COLUMNS)}: remove or rename it"
        )
    if len(set(header)) != len(header):
        raise AnnotationError(f"{source} has a column twice: {got!r}; keep one")
    return header


def _csv_video(where: str, row: Mapping[str, str]) -> Video:
    """Return the video of one row."""
    if not row["video"]:
        raise AnnotationError(f"{where}: video is blank; name the video or remove it")
    labels = [part.strip() for part in row["labels"].split("|")]
    if labels == [""]:
        labels = []
    if "" in labels:
        raise AnnotationError(
            f"{where}: labels has a blank label, got {row['labels']!r}; remove the "
            "extra |"
        )
    name = _name(where, "video", row["video"])
    stem, _, suffix = name.rpartition(".")
    is_file = bool(stem) and f".{suffix.lower()}" in VIDEO_SUFFIXES
    return Video(
        id=stem if is_file else name,
        subset=row.get("subset") or None,
        duration_s=_duration(where, row.get("duration") or None),
        labels=tuple(_name(where, "label", label) for label in labels),
        instances=(),
    )
