"""Read and write label files in the form of ActivityNet's JSON."""

import collections
import contextlib
import dataclasses
import functools
import json
import reprlib
import sys
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from acmnet.data.labels.annotations import (
    AnnotationError,
    Annotations,
    Instance,
    Point,
    Video,
    names_alone,
)
from acmnet.data.labels.contradictions import refuse_contradictions
from acmnet.data.labels.json_files import bmn_annotations
from acmnet.data.labels.json_files.watched_json import (
    times,
    watched_entry,
    watched_spans,
)
from acmnet.files.strict_json import outline, parse_json
from acmnet.limits import LARGEST_SECONDS, MOST_CLASSES, seconds
from acmnet.messages import counted, did_you_mean, quoted
from acmnet.names import checked, is_name, listed_twice, one_form
from acmnet.runtime.garbage_collection import without_collection

KIND = "label file"
OF_VIDEO: Final = ("annotations", "subset", "duration", "watched")
"""Keys of a video's entry that are read; others are left alone."""
OF_MARK: Final = ("label", "segment", "point")
"""Keys of an annotation that are read; others are left alone."""
NEARLY: Final = 0.8
"""How alike a key must be to one that is read to be taken for a misspelling of it, as
difflib's ratio. "segmnt" and "segments" are, "duration_frame" and "label_id" are not.
"""


SHOWN: Final = 5
"""Unknown labels that a message lists, at most."""


def label_file(annotations: Annotations) -> bytes:
    """Return annotations as the JSON that `read_annotations` reads back."""
    origin = {} if annotations.made_by is None else {"made_by": annotations.made_by}
    content = {
        "version": "acmnet labels 1",
        **origin,
        "classes": list(annotations.class_names),
        "database": {
            video.id: label_entry(video) for video in annotations.videos.values()
        },
    }
    return (json.dumps(content, ensure_ascii=False) + "\n").encode()


def label_entry(video: Video) -> dict[str, Any]:
    """Return a video's entry in ActivityNet-style JSON, as `read_label_json` reads it.

    Annotations with a segment come first, then points, then labels without either.

    Examples
    --------
    >>> from acmnet.data.labels.annotations import WatchedSpan
    >>> from acmnet.segments import Segment
    >>> jump = Instance("jump", Segment(1.0, 2.0))
    >>> video = Video(
    ...     id="a",
    ...     duration_s=9.0,
    ...     labels=("jump", "run"),
    ...     instances=(jump,),
    ...     watched=(WatchedSpan("jump", Segment(0.0, 9.0)),),
    ... )
    >>> label_entry(video)["annotations"]
    [{'label': 'jump', 'segment': [1.0, 2.0]}, {'label': 'run'}]
    >>> label_entry(video)["watched"]
    {'jump': True}
    """
    annotations: list[dict[str, Any]] = [
        {"label": x.label, "segment": [x.segment.start_s, x.segment.end_s]}
        for x in video.instances
    ]
    annotations += [{"label": x.label, "point": x.time_s} for x in video.points]
    annotations += [{"label": name} for name in names_alone(video)]
    entry: dict[str, Any] = {"annotations": annotations}
    if video.subset is not None:
        entry["subset"] = video.subset
    if video.duration_s is not None:
        entry["duration"] = video.duration_s
    if video.watched:
        entry["watched"] = watched_entry(video)
    return entry


def read_label_json(source: str, text: str) -> Annotations:
    """Return the annotations of an ActivityNet-style file."""
    content = parse_json(source, text, KIND, AnnotationError, _is_video, _compact)
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
    videos = []
    with without_collection():
        for key in list(database):
            videos.append(_json_video(source, key, database[key]))
            if not declared:
                database[key] = None  # let go, to save memory
    if declared:
        refuse_unknown_labels(source, database, declared, AnnotationError)
    annotations = assembled(source, videos, declared)
    refuse_contradictions(source, annotations.videos.values())
    made_by = content.get("made_by")
    is_text = isinstance(made_by, str)
    return dataclasses.replace(annotations, made_by=made_by if is_text else None)


def _is_video(_key: str, value: object) -> bool:
    """Whether a repeated key's value looks like a video's entry."""
    return isinstance(value, dict) and "annotations" in value


def _compact(entry: dict[str, object]) -> object:
    """Return an object that is a sound annotation as an instance, others as they are.

    An object that is not sound is refused later, when its place is known.
    """
    if entry.keys() == {"label", "segment"}:
        with contextlib.suppress(AnnotationError):
            mark = _mark("", entry)
            return mark if isinstance(mark, Instance) else entry
    return entry


def _shown(value: object) -> str:
    """Return a value as a message shows it, an instance as the object it was."""
    if isinstance(value, Instance):
        times = [value.segment.start_s, value.segment.end_s]
        value = {"label": value.label, "segment": times}
    return reprlib.repr(value)


def _json_video(source: str, key: str, entry: object) -> Video:
    """Return one video of the database."""
    where = f"{source}: video {key!r}"
    if not key.strip():
        raise AnnotationError(f"{where} has a blank name; name it as its feature file")
    key = checked(source, "video", key, AnnotationError)
    if not isinstance(entry, dict):
        raise AnnotationError(
            f"{where} must be an object with 'annotations', got {_shown(entry)}"
        )
    _refuse_misspelt(where, entry, OF_VIDEO)
    subset = entry.get("subset")
    if subset is not None and not is_name(subset):
        raise AnnotationError(
            f"{where}: subset must be text such as 'training', got "
            f"{reprlib.repr(subset)}; correct it or leave it out"
        )
    annotations = entry.get("annotations")
    if not isinstance(annotations, list):
        got = _shown(annotations) if "annotations" in entry else "none"
        raise AnnotationError(
            f"{where}: annotations must be a list, got {got}; write [] for a video "
            "without actions"
        )
    marks = [
        _mark(f"{where}, annotations[{index}]", annotation)
        for index, annotation in enumerate(annotations)
    ]
    duration_s = _duration(where, entry.get("duration"))
    if subset is not None:
        subset = checked(where, "subset", subset, AnnotationError)
    return Video(
        id=key,
        subset=subset,
        duration_s=duration_s,
        labels=tuple(x if isinstance(x, str) else x.label for x in marks),
        instances=tuple(x for x in marks if isinstance(x, Instance)),
        points=tuple(x for x in marks if isinstance(x, Point)),
        watched=watched_spans(where, entry.get("watched"), duration_s),
    )


def _mark(where: str, annotation: object) -> Instance | Point | str:
    """Return one annotation: a segment, a point, or a label alone."""
    if isinstance(annotation, Instance):
        return annotation
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
    # one object for each name, however often a large file has it
    label = sys.intern(checked(where, "label", label, AnnotationError))
    _refuse_misspelt(where, annotation, OF_MARK)
    segment, point = annotation.get("segment"), annotation.get("point")
    if segment is not None and point is not None:
        raise AnnotationError(
            f"{where} has a segment, {reprlib.repr(segment)}, and a point, "
            f"{reprlib.repr(point)}; keep the segment, or write two annotations"
        )
    if segment is not None:
        remedy = "correct it, or leave it out to keep the label only"
        return Instance(label, times(f"{where}: segment", segment, remedy))
    if point is None:
        return label
    time_s = seconds(point, in_quotes=True)
    if time_s is None:
        raise AnnotationError(
            f"{where}: point must be one finite number of seconds, within "
            f"{LARGEST_SECONDS:,.0f} s of 0, got {reprlib.repr(point)}; correct it, or "
            "leave it out to keep the label only"
        )
    return Point(label, time_s)


def _refuse_misspelt(
    where: str, entry: dict[str, object], known: tuple[str, ...]
) -> None:
    """Refuse an object with a key that is nearly one that is read, but not quite.

    It would be left alone without a word, and with it the times that it holds.
    """
    for key in entry:
        if key not in known:
            meant = _nearly(key, known)
            if meant is not None and meant not in entry:
                raise AnnotationError(
                    f"{where} has the key {quoted(key)}, which is not read; write "
                    f"{meant!r}, or remove it"
                )


@functools.lru_cache(maxsize=1024)
def _nearly(key: str, known: tuple[str, ...]) -> str | None:
    """Return the key that a misspelt one stands for; None where it is like none."""
    return next(iter(get_close_matches(key, known, n=1, cutoff=NEARLY)), None)


def _duration(where: str, value: object) -> float | None:
    """Return a video's duration in seconds."""
    if value is None:
        return None
    duration_s = seconds(value, in_quotes=True)
    if duration_s is None or duration_s < 0:
        raise AnnotationError(
            f"{where}: duration must be seconds from 0, got {reprlib.repr(value)}; "
            f"correct it or leave it out (at most {LARGEST_SECONDS:,.0f} s)"
        )
    return duration_s


def assembled(
    source: str, videos: Iterable[Video], declared: tuple[str, ...]
) -> Annotations:
    """Return the annotations, with the labels of each video in class order."""
    by_id: dict[str, Video] = {}
    for video in videos:
        if by_id.setdefault(video.id, video) is not video:
            raise AnnotationError(listed_twice(source, video.id))
    if not by_id:
        raise AnnotationError(no_video(source))
    found = {x for v in by_id.values() for x in v.labels}
    found |= {x.label for v in by_id.values() for x in v.watched if x.label is not None}
    names = declared or tuple(sorted(found))
    if len(names) > MOST_CLASSES:
        raise AnnotationError(
            f"{source} has more than {MOST_CLASSES:,} classes, namely {len(names):,}; "
            "is the column or field of labels right?"
        )
    place = {name: index for index, name in enumerate(names)}
    orders: dict[tuple[str, ...], tuple[str, ...]] = {}
    for key, video in by_id.items():
        labels = orders.get(video.labels)
        if labels is None:
            labels = tuple(sorted(set(video.labels), key=place.__getitem__))
            orders[video.labels] = labels
        if labels is not video.labels:
            by_id[key] = dataclasses.replace(video, labels=labels)
    return Annotations(source, by_id, names)


def no_video(source: str) -> str:
    """Return the sentence that refuses a file without a video."""
    return f"{source} has no video; a label file names at least one"


def declared_classes(
    source: str, content: Mapping[str, object], error: type[ValueError]
) -> tuple[str, ...]:
    """Return the class list of a label file, in its order; empty if it has none.

    Parameters
    ----------
    source : str
        The path of the file, for messages.
    content : mapping
        The content of the file. Class names stand under ``classes`` or ``taxonomy``;
        where the latter is a tree of nodes, the leaves are the classes.
    error : type
        The exception to raise if the list has something else than names, or one name
        twice.
    """
    for key in ("taxonomy", "classes"):
        value = content.get(key)
        if value is None or value == []:
            continue
        if isinstance(value, list) and all(isinstance(node, dict) for node in value):
            value = _leaves(value)
        if not isinstance(value, list) or not all(is_name(name) for name in value):
            raise error(
                f"{source}: {key} must be a list of class names, got "
                f"{reprlib.repr(value)}; correct it or leave it out"
            )
        where = f"{source}: {key}"
        value = [checked(where, "class", name, error) for name in value]
        twice = [name for name, n in collections.Counter(value).items() if n > 1]
        if twice:
            raise error(
                f"{source}: {key} lists the class {twice[0]!r} twice; list it once"
            )
        return tuple(value)
    return ()


def _leaves(nodes: list[dict[str, object]]) -> list[object]:
    """Return the names of the leaves of ActivityNet's tree: nodes without children."""
    pairs = [(node.get("nodeName"), node.get("parentName")) for node in nodes]
    parents = {repr(parent) for name, parent in pairs if parent != name}
    leaves = {repr(name): name for name, _ in pairs if repr(name) not in parents}
    return list(leaves.values())


def refuse_unknown_labels(
    source: str,
    database: Mapping[str, dict[str, Any]],
    declared: tuple[str, ...],
    error: type[ValueError],
) -> None:
    """Refuse labels that are not in the file's class list; the first few are named.

    Classes that a video was watched for count as labels.
    """
    first: dict[str, str] = {}
    known = set(declared)
    for key, entry in database.items():
        for index, annotation in enumerate(entry["annotations"]):
            is_read = isinstance(annotation, Instance)
            label = annotation.label if is_read else one_form(annotation["label"])
            if label not in known:
                first.setdefault(label, f"video {key!r}, annotations[{index}]")
        watched = entry.get("watched")
        for name in watched if isinstance(watched, dict) else ():
            if name and one_form(name) not in known:
                first.setdefault(one_form(name), f"video {key!r}, watched")
    if not first:
        return
    shown = []
    for label, where in list(first.items())[:SHOWN]:
        meant = did_you_mean(label, declared).strip()
        shown.append(f"{label!r} ({', '.join(filter(None, (where, meant)))})")
    if len(first) > len(shown):
        shown.append(f"and {len(first) - len(shown)} more")
    raise error(
        f"{source}: label not in the file's list of {counted(len(declared), 'class')}: "
        f"{', '.join(shown)}; correct the label or add it to the list"
    )
