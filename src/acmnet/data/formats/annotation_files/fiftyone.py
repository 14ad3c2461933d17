"""Temporal detections of FiftyOne (labels.json).

The file is that of a FiftyOneTemporalDetectionDataset.

A detection has ``timestamps`` in seconds, or ``support``, the numbers of its first and
last frame, counted from 1; for these the frame rate has to be stated. The files are
written with timestamps and with ``confidence`` for scores, for a folder whose ``data``
has the videos. They hold classes without an example. They hold neither points,
durations, subsets nor actions without a time.

References
----------
FiftyOne user guide, "FiftyOneTemporalDetectionDataset":
https://docs.voxel51.com/user_guide/import_datasets.html
"""

import json
import reprlib
import sys
from typing import Any, Final, NamedTuple

from acmnet.data.formats.exchange_format import Content, Format, Parsed, Source
from acmnet.data.formats.field_checks import (
    action_name,
    frame,
    segment,
    time_s,
    video_name,
    video_of,
)
from acmnet.data.labels.annotations import AnnotationError, Instance
from acmnet.limits import finite
from acmnet.messages import counted
from acmnet.segments import Segment


class _Detection(NamedTuple):
    """A detection with a label and finite times, which takes less than an object."""

    label: object
    start_s: object
    end_s: object


def _compact(entry: dict[str, object]) -> object:
    """Return an object as a detection if it is one with timestamps."""
    if "label" not in entry or not isinstance(entry.get("timestamps"), list):
        return entry
    label = entry["label"]
    label = sys.intern(label) if isinstance(label, str) else label
    times = entry["timestamps"]
    if isinstance(times, list) and len(times) == 2:
        start_s, end_s = times
        if finite(start_s) is not None and finite(end_s) is not None:
            return _Detection(label, start_s, end_s)
    return entry


def _pair(where: str, what: str, value: object) -> tuple[object, object]:
    """Return the two values of a list."""
    if not isinstance(value, list) or len(value) != 2:
        raise AnnotationError(
            f"{where}: {what} must be two numbers [first, last], got "
            f"{reprlib.repr(value)}; correct it"
        )
    return value[0], value[1]


def _segment(source: Source, where: str, video: str, entry: dict[str, Any]) -> Segment:
    """Return the time of one detection."""
    if "timestamps" in entry:
        start, end = _pair(where, "timestamps", entry["timestamps"])
        start_s, end_s = time_s(where, "start", start), time_s(where, "stop", end)
        return segment(where, start_s, end_s)
    first, last = _pair(where, "support", entry.get("support"))
    start, end = frame(where, "first frame", first), frame(where, "last frame", last)
    fps = source.frame_rate(video)
    return segment(where, (start - 1) / fps, end / fps)


def _label(where: str, target: object, classes: list[object] | None) -> str:
    """Return the name of the action of a detection."""
    if classes is None or isinstance(target, str):
        return action_name(where, target)
    if isinstance(target, bool) or not isinstance(target, int):
        raise AnnotationError(
            f"{where}: label must be the number of a class, got "
            f"{reprlib.repr(target)}; correct it"
        )
    if not 0 <= target < len(classes):
        raise AnnotationError(
            f"{where}: label must be the number of one of "
            f"{counted(len(classes), 'class')}, counted from 0, got {target}; correct "
            "it"
        )
    return action_name(where, classes[target])


def read(source: Source) -> Parsed:
    """Return the videos of a file of temporal detections."""
    content = source.json(_compact)
    videos = content.get("labels") if isinstance(content, dict) else None
    classes = content.get("classes") if isinstance(content, dict) else None
    if not isinstance(videos, dict) or not isinstance(classes, list | None):
        raise AnnotationError(
            f"{source.path} must be a JSON object with 'labels' by video and a list of "
            f"'classes', got {reprlib.repr(content)}; export a "
            "FiftyOneTemporalDetectionDataset"
        )
    found = []
    for name in list(videos):
        entries, videos[name] = videos[name], None  # let go, to save memory
        where = f"{source.path}: video {name!r}"
        video = video_name(where, name)
        if not isinstance(entries, list | None):
            raise AnnotationError(
                f"{where} must have a list of detections, got "
                f"{reprlib.repr(entries)}; write null for a video without any"
            )
        instances = []
        for index, entry in enumerate(entries or []):
            place = f"{where}, detection {index}"
            if isinstance(entry, _Detection):
                label, *times = entry
                entry = {"label": label, "timestamps": times}
            if not isinstance(entry, dict):
                raise AnnotationError(
                    f"{place} must be an object with label and timestamps, got "
                    f"{reprlib.repr(entry)}; correct it"
                )
            label = _label(place, entry.get("label"), classes)
            instances.append(Instance(label, _segment(source, place, video, entry)))
        found.append(video_of(video, instances))
    names = [action_name(f"{source.path}: classes", x) for x in classes or []]
    return Parsed(found, tuple(dict.fromkeys(names)))


def write(content: Content) -> str:
    """Return the text of a file of temporal detections."""
    number = {name: n for n, name in enumerate(content.class_names)}
    labels: dict[str, list[dict[str, Any]]] = {}
    for video in content.videos:
        labels[video.id] = [
            {
                "label": number[instance.label],
                "timestamps": [instance.segment.start_s, instance.segment.end_s],
            }
            for instance in video.instances
        ]
        scores = (content.scores or {}).get(video.id, ())
        for entry, score in zip(labels[video.id], scores, strict=False):
            entry["confidence"] = score
    values = {"classes": list(content.class_names), "labels": labels}
    return json.dumps(values, ensure_ascii=False, indent=1) + "\n"


FORMAT: Final = Format(
    name="fiftyone",
    title="FiftyOne temporal detections",
    suffixes=(".json",),
    holds=("scores", "classes", "overlaps", "times before 0", "videos without marks"),
    read=read,
    write=write,
)
