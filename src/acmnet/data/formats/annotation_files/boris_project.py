"""BORIS's project files (.boris), which hold ethogram and observations as JSON.

An observation of media files is an observation of the first file of its first player;
where several files play one after another, their lengths tell in which one an event
is. A live observation is a video named after the observation. A video with several
observations gets the events of all of them. Modifiers and comments are not read;
subjects only keep apart whose behaviour stops.

Written projects have an observation for each video, and a subject ``overlap 1`` and so
on for segments that overlap another one of their class. They hold classes without an
example. They hold neither scores, subsets, actions without a time, nor points of a
class that also has segments.

References
----------
BORIS user guide, "Projects", and `tests/files/*.boris` of
https://github.com/olivierfriard/BORIS; project format version 7.0.
"""

import json
import reprlib
from collections.abc import Iterator, Mapping
from typing import Any, Final

from acmnet.data.formats.annotation_files.elan import lanes
from acmnet.data.formats.annotation_files.state_events import StateEvents
from acmnet.data.formats.exchange_format import Content, Format, Parsed, Source
from acmnet.data.formats.field_checks import (
    action_name,
    segment,
    time_s,
    video_name,
    video_of,
)
from acmnet.data.formats.mark_list import MarkList
from acmnet.data.labels.annotations import AnnotationError, Instance, Point, Video
from acmnet.limits import seconds
from acmnet.messages import quoted

VERSION: Final = "7.0"
DATE: Final = "2000-01-01T00:00:00"
"""Date of written projects and observations, which need one; when videos were scored
is not known."""
POINT: Final = "Point event"
STATE: Final = "State event"
FIELDS: Final = 4
"""Values of an event that are read: time, subject, behaviour, modifiers."""


def _objects(where: str, what: str, value: object) -> dict[str, Any]:
    """Return a JSON object, in which an empty list counts as empty, as BORIS has it."""
    if value in ([], None):
        return {}
    if not isinstance(value, dict):
        raise AnnotationError(
            f"{where}: {what} must be an object, got {reprlib.repr(value)}; check that "
            "it is a project of BORIS"
        )
    return value


def _ethogram(source: Source, project: Mapping[str, Any]) -> dict[str, bool]:
    """Return each behaviour of the project, and whether it is a point event."""
    is_point: dict[str, bool] = {}
    conf = _objects(str(source.path), "behaviors_conf", project.get("behaviors_conf"))
    for number, entry in conf.items():
        where = f"{source.path}: behaviors_conf {number!r}"
        entry = _objects(where, "a behaviour", entry)
        code = action_name(where, entry.get("code"))
        is_point[code] = str(entry.get("type", "")).startswith("Point")
    return is_point


class _Observation:
    """Reads the events of one observation."""

    def __init__(self, source: Source, name: str, entry: Mapping[str, Any]) -> None:
        self.where = f"{source.path}: observation {quoted(name)}"
        self.entry = entry
        files = _objects(self.where, "file", entry.get("file")).get("1") or []
        if not isinstance(files, list):
            raise AnnotationError(
                f"{self.where}: the files of player 1 must be a list, got "
                f"{reprlib.repr(files)}; open and save the project in BORIS"
            )
        info = _objects(self.where, "media_info", entry.get("media_info"))
        lengths = _objects(self.where, "length", info.get("length"))
        self.media = [
            (video_name(self.where, x), seconds(lengths.get(x))) for x in files
        ] or [(video_name(self.where, name), None)]

    def read(self, ethogram: Mapping[str, bool]) -> Iterator[Video]:
        """Yield the videos of the observation."""
        marks = MarkList()
        states = StateEvents(marks)
        events = self.entry.get("events")
        if not isinstance(events, list):
            raise AnnotationError(
                f"{self.where}: events must be a list, got {reprlib.repr(events)}; "
                "open and save the project in BORIS"
            )
        n = len(events)
        events.reverse()
        while events:  # each event is let go when it was read, to save memory
            event = events.pop()
            where = f"{self.where}, events[{n - len(events) - 1}]"
            if not isinstance(event, list) or len(event) < FIELDS:
                raise AnnotationError(
                    f"{where} must be a list of time, subject, behaviour and "
                    f"modifiers, got {reprlib.repr(event)}; write the file again"
                )
            at = time_s(where, "the time", event[0])
            label = action_name(where, event[2])
            if ethogram.get(label, False):
                marks.add_point(where, label, at)
            else:
                key = str(event[1]), label, str(event[3])
                states.add(where, key, at, "")
        states.refuse_open()
        yield from self._by_file(*marks.of_video())

    def _by_file(
        self, instances: list[Instance], points: list[Point]
    ) -> Iterator[Video]:
        """Yield each media file with its share of the events."""
        begin = 0.0
        for index, (name, length_s) in enumerate(self.media):
            is_last = index == len(self.media) - 1
            if length_s is None and not is_last:
                raise AnnotationError(
                    f"{self.where}: the length of video {quoted(name)} is not known, "
                    "so events cannot be dealt to the files after it; open the media "
                    "in BORIS and save the project"
                )
            end = float("inf") if is_last else begin + (length_s or 0.0)
            of_file = [
                Instance(
                    instance.label,
                    segment(
                        self.where,
                        instance.segment.start_s - begin,
                        min(instance.segment.end_s, end) - begin,
                    ),
                )
                for instance in instances
                if begin <= instance.segment.start_s < end
            ]
            at = [Point(x.label, x.time_s - begin) for x in points]
            at = [x for x in at if 0 <= x.time_s < end - begin]
            yield video_of(name, of_file, at, duration_s=length_s)
            begin = end


def _put_together(videos: Iterator[Video]) -> tuple[list[Video], list[str]]:
    """Return one video for each name, and the names that had several observations."""
    by_id: dict[str, Video] = {}
    several: dict[str, None] = {}
    for video in videos:
        before = by_id.get(video.id)
        if before is not None:
            several[video.id] = None
            video = video_of(
                video.id,
                [*before.instances, *video.instances],
                [*before.points, *video.points],
                duration_s=video.duration_s or before.duration_s,
            )
        by_id[video.id] = video
    return list(by_id.values()), list(several)


def read(source: Source) -> Parsed:
    """Return the videos of a project."""
    project = _objects(str(source.path), "the file", source.json())
    ethogram = _ethogram(source, project)
    path = str(source.path)
    observations = _objects(path, "observations", project.get("observations"))
    if not observations:
        raise AnnotationError(f"{source.path} has no observation, so no video")

    def all_videos() -> Iterator[Video]:
        for name, entry in observations.items():
            entry = _objects(f"{path}: observation {quoted(name)}", "it", entry)
            yield from _Observation(source, name, entry).read(ethogram)

    videos, several = _put_together(all_videos())
    notes = [
        f"{path}: video {quoted(name)} has several observations, whose events are put "
        "together"
        for name in several
    ]
    return Parsed(videos, tuple(ethogram), tuple(notes))


def _behaviour(code: str, is_point: bool) -> dict[str, Any]:
    """Return the entry of a behaviour in the ethogram."""
    return {
        "type": POINT if is_point else STATE,
        "key": "",
        "code": code,
        "description": "",
        "color": "",
        "category": "",
        "modifiers": "",
        "excluded": "",
        "coding map": "",
    }


Lanes = dict[tuple[str, int], list[Instance]]
"""Segments by action and lane, as `lanes` returns them."""


def _observation(video: Video, own_lanes: Lanes) -> dict[str, Any]:
    """Return the observation of one video, whose segments are in lanes."""
    events: list[tuple[float, int, list[Any]]] = []
    for (label, lane), in_lane in own_lanes.items():
        subject = f"overlap {lane}" if lane else ""
        for number, instance in enumerate(in_lane):
            for order, at in enumerate(
                (instance.segment.start_s, instance.segment.end_s)
            ):
                events.append(
                    (at, 2 * number + order, [at, subject, label, "", "", "NA"])
                )
    events += [
        (x.time_s, 0, [x.time_s, "", x.label, "", "", "NA"]) for x in video.points
    ]
    events.sort(key=lambda x: (x[0], x[1]))
    known = {} if video.duration_s is None else {video.id: video.duration_s}
    return {
        "file": {str(n): [video.id] if n == 1 else [] for n in range(1, 9)},
        "type": "MEDIA",
        "date": DATE,
        "description": "",
        "time offset": 0.0,
        "events": [event for *_, event in events],
        "observation time interval": [0, 0],
        "independent_variables": {},
        "visualize_spectrogram": False,
        "visualize_waveform": False,
        "close_behaviors_between_videos": False,
        "scan_sampling_time": 0,
        "media_info": {
            "length": known,
            "fps": {},
            "hasVideo": {video.id: True},
            "hasAudio": {},
            "offset": {"1": 0.0},
        },
    }


def write(content: Content) -> str:
    """Return the text of a project."""
    points = {x.label for video in content.videos for x in video.points}
    by_video = {video.id: lanes(video.instances) for video in content.videos}
    most = max(
        (lane for of_video in by_video.values() for _, lane in of_video), default=0
    )
    subjects = [f"overlap {lane}" for lane in range(1, most + 1)]
    project = {
        "time_format": "hh:mm:ss",
        "project_date": DATE,
        "project_name": "acmnet",
        "project_description": "",
        "project_format_version": VERSION,
        "subjects_conf": {
            str(n): {"key": "", "name": name, "description": ""}
            for n, name in enumerate(subjects)
        },
        "behaviors_conf": {
            str(n): _behaviour(name, name in points)
            for n, name in enumerate(content.class_names)
        },
        "behavioral_categories": [],
        "independent_variables": {},
        "coding_map": {},
        "behaviors_coding_map": [],
        "converters": {},
        "observations": {
            video.id: _observation(video, by_video[video.id])
            for video in content.videos
        },
    }
    return json.dumps(project, ensure_ascii=False, indent=1) + "\n"


FORMAT: Final = Format(
    name="boris",
    title="a BORIS project",
    suffixes=(".boris",),
    holds=("points", "durations", "classes", "overlaps", "videos without marks"),
    read=read,
    write=write,
)
