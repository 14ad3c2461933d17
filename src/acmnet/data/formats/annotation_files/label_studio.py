"""Tasks of Label Studio (.json): timeline labels and choices of videos.

Timeline labels (``timelinelabels``) have ranges of frames, counted from 1, both ends
included; for these the frame rate has to be stated. Choices (``choices``) are actions
of which only the name is known. If a task has several annotations that were not
cancelled, the last one counts. Regions of other kinds are not read.

Written tasks have labels as annotations, and detections as predictions with their
scores. They hold neither points, durations nor subsets.

References
----------
Label Studio, "TimelineLabels" tag and "Label Studio JSON format of annotated tasks":
https://labelstud.io/tags/timelinelabels, https://labelstud.io/guide/export
"""

import json
import reprlib
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from acmnet.data.formats.exchange_format import Content, Format, Parsed, Source
from acmnet.data.formats.field_checks import (
    action_name,
    frame,
    segment,
    video_name,
    video_of,
)
from acmnet.data.labels.annotations import AnnotationError, Instance, Video, names_alone
from acmnet.limits import finite
from acmnet.messages import counted

TIMELINE: Final = "timelinelabels"
CHOICES: Final = "choices"


class _Timeline(NamedTuple):
    """The value of a region of the timeline, which takes less than an object."""

    labels: tuple[object, ...]
    ranges: tuple[object, ...]
    """Objects or `_Range`."""


class _Range(NamedTuple):
    """A range of frames."""

    start: object
    end: object


class _Compact:
    """Turns objects of a file into smaller values while the file is read."""

    def __init__(self) -> None:
        self.known: dict[tuple[object, ...], tuple[object, ...]] = {}

    def __call__(self, entry: dict[str, Any]) -> object:
        """Return a range or a region of the timeline; other objects as they are."""
        if entry.keys() == {"start", "end"}:
            numbers = entry["start"], entry["end"]
            is_sound = all(finite(x) is not None for x in numbers)
            return _Range(*numbers) if is_sound else entry
        if entry.keys() == {"ranges", TIMELINE}:
            return self._timeline(entry)
        value = entry.get("value")
        return value if isinstance(value, _Timeline) else entry

    def _timeline(self, entry: dict[str, Any]) -> object:
        ranges, labels = entry["ranges"], entry[TIMELINE]
        if not (
            isinstance(ranges, list)
            and isinstance(labels, list)
            and all(isinstance(x, _Range) for x in ranges)
            and all(isinstance(x, str) for x in labels)
        ):
            return entry
        names = tuple(labels)
        return _Timeline(self.known.setdefault(names, names), tuple(ranges))


class _Reader:
    """Reads the tasks of one file."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.others = 0

    def task(self, index: int, task: object) -> Video:
        """Return the video of a task."""
        where = f"{self.source.path}: task {index}"
        data = task.get("data") if isinstance(task, dict) else None
        if not isinstance(task, dict) or not isinstance(data, dict):
            raise AnnotationError(
                f"{where} must be an object with 'data' and 'annotations', got "
                f"{reprlib.repr(task)}; export the project as JSON"
            )
        named = data.get("video")
        if named is None:
            named = next((x for x in data.values() if isinstance(x, str)), None)
        video = video_name(where, named)
        instances: list[Instance] = []
        names: list[str] = []
        for number, result in enumerate(self._results(where, task)):
            place = f"{where}, result {number}"
            if isinstance(result, _Timeline):
                instances += self._timeline(place, video, result)
                continue
            value = result.get("value") if isinstance(result, dict) else None
            if isinstance(value, _Timeline):
                instances += self._timeline(place, video, value)
                continue
            if not isinstance(value, dict):
                raise AnnotationError(
                    f"{place} must be an object with a 'value', got "
                    f"{reprlib.repr(result)}; export the project as JSON"
                )
            if TIMELINE in value:
                labels = self._list(place, TIMELINE, value[TIMELINE])
                ranges = self._list(place, "ranges", value.get("ranges"))
                timeline = _Timeline(tuple(labels), tuple(ranges))
                instances += self._timeline(place, video, timeline)
            elif CHOICES in value:
                chosen = self._list(place, CHOICES, value[CHOICES])
                names += [action_name(place, x) for x in chosen]
            else:
                self.others += 1
        return video_of(video, instances, names=names)

    def _results(self, where: str, task: Mapping[str, Any]) -> list[Any]:
        """Return the results of the annotation that counts."""
        annotations = task.get("annotations", task.get("completions")) or []
        annotations = self._list(where, "annotations", annotations)
        kept = [
            x
            for x in annotations
            if isinstance(x, dict) and not x.get("was_cancelled", False)
        ]
        results = kept[-1].get("result") if kept else []
        return self._list(where, "result", results)

    def _list(self, where: str, what: str, value: object) -> list[Any]:
        if not isinstance(value, list):
            raise AnnotationError(
                f"{where}: {what} must be a list, got {reprlib.repr(value)}; export "
                "the project as JSON, not as JSON-MIN"
            )
        return value

    def _timeline(self, where: str, video: str, value: _Timeline) -> Iterator[Instance]:
        """Yield the segments of a region of the timeline."""
        fps = self.source.frame_rate(video)
        for part in value.ranges:
            values: object = part._asdict() if isinstance(part, _Range) else part
            if not isinstance(values, dict):
                raise AnnotationError(
                    f"{where}: a range must be an object with start and end, got "
                    f"{reprlib.repr(part)}; export the project as JSON"
                )
            first = frame(where, "start", values.get("start"))
            last = frame(where, "end", values.get("end"))
            marked = segment(where, (first - 1) / fps, last / fps)
            for label in value.labels:
                yield Instance(action_name(where, label), marked)


def read(source: Source) -> Parsed:
    """Return the videos of a file of tasks."""
    content = source.json(_Compact())
    tasks = content if isinstance(content, list) else [content]
    reader = _Reader(source)
    videos = [reader.task(index, task) for index, task in enumerate(tasks)]
    notes = []
    if reader.others:
        regions = counted(reader.others, "region")
        notes.append(
            f"{source.path}: {regions} that are neither timeline labels nor choices, "
            "not read"
        )
    return Parsed(videos, notes=tuple(notes))


def _results(content: Content, video: Video) -> Iterator[dict[str, Any]]:
    """Yield the results of one video."""
    scores = (content.scores or {}).get(video.id)
    for number, instance in enumerate(video.instances):
        first = content.frames(instance.segment.start_s) + 1
        last = content.frames(instance.segment.end_s)
        result = {
            "id": f"s{number}",
            "from_name": "timeline",
            "to_name": "video",
            "type": TIMELINE,
            "value": {
                "ranges": [{"start": first, "end": last}],
                TIMELINE: [instance.label],
            },
        }
        yield result if scores is None else {**result, "score": scores[number]}
    names = names_alone(video)
    if names:
        yield {
            "id": "names",
            "from_name": "names",
            "to_name": "video",
            "type": CHOICES,
            "value": {CHOICES: names},
        }


def write(content: Content) -> str:
    """Return the text of a file of tasks."""
    tasks = []
    for number, video in enumerate(content.videos, start=1):
        results = list(_results(content, video))
        task: dict[str, Any] = {"id": number, "data": {"video": video.id}}
        if content.scores is None:
            task["annotations"] = [{"id": number, "result": results}]
        else:
            task["predictions"] = [{"model_version": "acmnet", "result": results}]
        tasks.append(task)
    return json.dumps(tasks, ensure_ascii=False, indent=1) + "\n"


FORMAT: Final = Format(
    name="label-studio",
    title="Label Studio tasks",
    suffixes=(".json",),
    holds=("scores", "names", "overlaps", "videos without marks"),
    unit="frames",
    read=read,
    write=write,
)
