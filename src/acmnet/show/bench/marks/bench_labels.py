"""The label file of the bench: what is marked, in the form of ActivityNet's files.

`acmnet.data.labels.annotations` reads it like any label file, and other programs can,
too. Who marked what, when, and by which proposal stand beside the usual fields of each
annotation; for watched spans, in ``watched_marks``, since a span is only two numbers.

A video whose names nobody has given yet does not belong to the ``database``, where a
video without a name is one in which nothing happens. If somebody has watched a part of
such a video, this is kept under ``unnamed``, which readers of label files pass over.
"""

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from acmnet.data.labels.annotations import BENCH, Instance, Point, Video, WatchedSpan
from acmnet.data.labels.contradictions import contradictions, covers_all
from acmnet.data.labels.json_files.watched_json import ALL_CLASSES
from acmnet.files.file_access import digest_of
from acmnet.segments import Segment
from acmnet.show.bench.marks.bench_mark import Mark


class KnownVideo(NamedTuple):
    """What is known of a video besides its marks."""

    duration_s: float | None = None
    """Length in seconds; None if nobody knows it yet."""
    subset: str | None = None
    """Name of its subset in the label file, if that has subsets."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Labels:
    """All that was marked at one moment."""

    journal: str
    """The id of the journal that they are from."""
    revision: int
    """How many changes there were before."""
    classes: tuple[str, ...]
    videos: Mapping[str, KnownVideo]
    marks: tuple[Mark, ...]
    """Marks that are not gone, in the order in which they were first made."""

    def of_video(self) -> dict[str, list[Mark]]:
        """Return the marks of each video that has any, in the order of the videos."""
        by_video: dict[str, list[Mark]] = {video: [] for video in self.videos}
        for mark in self.marks:
            by_video[mark.video].append(mark)
        return {video: marks for video, marks in by_video.items() if marks}


def is_named(marks: Iterable[Mark], duration_s: float | None) -> bool:
    """Return whether it is known which actions a video shows.

    It is if somebody gave a name, also by a point or a segment, or watched the whole
    video for all classes and marked nothing.

    Parameters
    ----------
    marks : iterable of Mark
        The marks of the video.
    duration_s : float or None
        Its length; None if it is unknown, and then no span is known to be all of it.
    """
    spans = []
    for mark in marks:
        if mark.kind != "watched":
            return True
        if mark.label is None and mark.start_s is not None and mark.end_s is not None:
            spans.append(Segment(mark.start_s, mark.end_s))
    return duration_s is not None and covers_all(spans, duration_s)


def label_values(labels: Labels) -> dict[str, Any]:
    """Return the content of the label file, with its digest in ``sha256``."""
    named: dict[str, Any] = {}
    unnamed: dict[str, Any] = {}
    for video, marks in labels.of_video().items():
        known = labels.videos[video]
        into = named if is_named(marks, known.duration_s) else unnamed
        into[video] = _entry(marks, known, labels.classes)
    values: dict[str, Any] = {
        "version": "acmnet bench 1",
        "made_by": BENCH,
        "from_detections": sum(x.proposal is not None for x in labels.marks),
        "journal": labels.journal,
        "revision": labels.revision,
        "classes": list(labels.classes),
        "database": named,
        "unnamed": unnamed,
    }
    return values | {"sha256": digest_of(values)}


def label_text(values: Mapping[str, Any]) -> str:
    """Return the JSON of `label_values`, an annotation a line.

    Examples
    --------
    >>> print(label_text({"classes": ["a"], "database": {}, "unnamed": {}}))
    {
    "classes": ["a"],
    "database": {},
    "unnamed": {}
    }
    """
    parts = []
    for name, value in values.items():
        if name in ("database", "unnamed") and value:
            videos = ",\n".join(
                f" {json.dumps(k)}: {_video_text(v)}" for k, v in value.items()
            )
            parts.append(f"{json.dumps(name)}: {{\n{videos}\n}}")
        else:
            parts.append(f"{json.dumps(name)}: {json.dumps(value)}")
    return "{\n" + ",\n".join(parts) + "\n}"


def _video_text(entry: Mapping[str, Any]) -> str:
    """Return the JSON of one video, with each element of its lists in a line."""
    parts = []
    for name, value in entry.items():
        text = json.dumps(value)
        if value and name in ("annotations", "watched_marks"):
            text = "[\n   " + ",\n   ".join(map(json.dumps, value)) + "]"
        parts.append(f"  {json.dumps(name)}: {text}")
    return "{\n" + ",\n".join(parts) + "}"


def _entry(
    marks: Iterable[Mark], known: KnownVideo, classes: tuple[str, ...]
) -> dict[str, Any]:
    """Return the entry of a video in the label file."""
    marks = _without_repeats(marks)
    entry: dict[str, Any] = {}
    if known.subset is not None:
        entry["subset"] = known.subset
    if known.duration_s is not None:
        entry["duration"] = known.duration_s
    entry["annotations"] = [_annotation(x) for x in marks if x.kind != "watched"]
    watched = [x for x in marks if x.kind == "watched"]
    if watched:
        entry["watched"] = watched_values(watched, classes)
        entry["watched_marks"] = [_beside(x) | _rest(x) for x in watched]
    return entry


def video_of(
    video: str, marks: Iterable[Mark], known: KnownVideo, classes: Sequence[str]
) -> Video:
    """Return what marks say of a video, as a label file is read."""
    marks = _without_repeats(marks)
    names = {x.label for x in marks if x.kind != "watched" and x.label is not None}
    return Video(
        id=video,
        subset=known.subset,
        duration_s=known.duration_s,
        labels=tuple(x for x in classes if x in names),
        instances=tuple(
            Instance(x.label or "", _span(x)) for x in marks if x.kind == "segment"
        ),
        points=tuple(
            Point(x.label or "", x.start_s or 0.0) for x in marks if x.kind == "point"
        ),
        watched=tuple(
            WatchedSpan(label, _span(x))
            for x in marks
            if x.kind == "watched"
            for label in looked_for(x, classes)
        ),
    )


def _without_repeats(marks: Iterable[Mark]) -> list[Mark]:
    """Return marks without those that say again what an earlier one says.

    Such marks were moved to where another one is. Watched spans all stay, because equal
    ones can stand for different classes.
    """
    statements: set[object] = set()
    kept = []
    for mark in marks:
        if mark.kind == "watched" or mark.statement not in statements:
            kept.append(mark)
        statements.add(mark.statement)
    return kept


def looked_for(mark: Mark, classes: Sequence[str]) -> tuple[str | None, ...]:
    """Return the classes that a watched span counts for; None stands for all.

    A span that was watched for all classes counts only for those that there were then.
    """
    if mark.label is not None:
        return (mark.label,)
    return (None,) if not set(classes) - set(mark.classes) else mark.classes


def _span(mark: Mark) -> Segment:
    return Segment(mark.start_s or 0.0, mark.end_s or 0.0)


def watched_values(
    watched: Iterable[Mark], classes: Sequence[str]
) -> list[list[float]] | dict[str, list[list[float]]]:
    """Return watched spans as a label file has them: of all classes, or by class."""
    by_class: dict[str, list[list[float]]] = {}
    for mark in watched:
        span = [float(mark.start_s or 0.0), float(mark.end_s or 0.0)]
        for label in looked_for(mark, classes):
            by_class.setdefault(ALL_CLASSES if label is None else label, []).append(
                span
            )
    return by_class[ALL_CLASSES] if list(by_class) == [ALL_CLASSES] else by_class


def _annotation(mark: Mark) -> dict[str, Any]:
    """Return a name, a point or a segment as a label file has it."""
    values: dict[str, Any] = {"label": mark.label}
    if mark.kind == "point":
        values["point"] = mark.start_s
    elif mark.kind == "segment":
        values["segment"] = [mark.start_s, mark.end_s]
    return values | _beside(mark)


def _beside(mark: Mark) -> dict[str, Any]:
    """Return who made a mark, when and from which proposal."""
    values = mark.to_record()
    names = ("id", "who", "at", "version", "from")
    return {name: values[name] for name in names if name in values}


def _rest(mark: Mark) -> dict[str, Any]:
    """Return what a watched span says, beside who said it."""
    values: dict[str, Any] = {"label": mark.label}
    values |= {"start_s": mark.start_s, "end_s": mark.end_s}
    return values | ({"classes": list(mark.classes)} if mark.classes else {})


def problems_in(labels: Labels) -> list[dict[str, Any]]:
    """Return the first contradiction among the marks of each video that has one.

    Training refuses a label file that has one.

    Returns
    -------
    list of dict
        ``video``, and the ``sentence`` that the page shows.
    """
    problems = []
    for name, marks in labels.of_video().items():
        video = video_of(name, marks, labels.videos[name], labels.classes)
        sentence = next(contradictions(video), None)
        if sentence is not None:
            problems.append({"video": name, "sentence": sentence})
    return problems
