"""Projects of the VGG Image Annotator, version 3 (VIA 3, .json).

The class is the first attribute of temporal segments of a file (anchor
``FILE1_Z2_XY0``), or, in projects without one, the first attribute at all. An entry
with two times is a segment, one with a single time and no region is a point, and one
without a time is an action of which only the name is known. Regions in pictures and
other attributes are not read. Times are seconds.

Written projects have one attribute for segments and points, and one for names of
actions. They hold classes without an example. They hold neither scores, durations nor
subsets. A video's path is not known: VIA asks for the file when the project is opened.

References
----------
VIA, "Structure of VIA Project JSON File" in CodeDoc.md:
https://gitlab.com/vgg/via/-/blob/master/via-3.x.y/CodeDoc.md
"""

import json
import reprlib
import sys
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from acmnet.data.formats.exchange_format import Content, Format, Parsed, Source
from acmnet.data.formats.field_checks import action_name, time_s, video_name, video_of
from acmnet.data.formats.mark_list import MarkList, VideoMarks
from acmnet.data.labels.annotations import AnnotationError, names_alone
from acmnet.limits import finite
from acmnet.messages import counted

SEGMENTS: Final = "FILE1_Z2_XY0"
"""Anchor of attributes of temporal segments."""
WHOLE_FILE: Final = "FILE1_Z0_XY0"
"""Anchor of attributes of whole files."""
CHECKBOX: Final = 2
SELECT: Final = 4
VIDEO: Final = 4
LOCAL: Final = 1


class _Entry(NamedTuple):
    """An entry of the metadata without a region, which takes less than an object."""

    vid: object
    z: list[object]
    av: dict[str, object]


class _Compact:
    """Turns objects of a file into smaller values while the file is read."""

    def __init__(self) -> None:
        self.known: dict[str, dict[str, object]] = {}
        """Values of attributes, each of which is kept once."""

    def __call__(self, entry: dict[str, object]) -> object:
        """Return an entry of the metadata; other objects as they are."""
        if entry.keys() != {"vid", "flg", "z", "xy", "av"} or entry["xy"]:
            return entry
        vid, times, values = entry["vid"], entry["z"], entry["av"]
        if not (
            isinstance(vid, str)
            and isinstance(times, list)
            and all(finite(x) is not None for x in times)
            and isinstance(values, dict)
        ):
            return entry
        values = self.known.setdefault(repr(values), values)
        return _Entry(sys.intern(vid), times, values)


def _section(source: Source, project: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return one of the objects of which a project consists."""
    value = project.get(name)
    if not isinstance(value, dict) or not all(
        isinstance(entry, dict | _Entry) for entry in value.values()
    ):
        raise AnnotationError(
            f"{source.path}: {name!r} must be an object of objects, got "
            f"{reprlib.repr(value)}; check that it is a project of VIA 3"
        )
    return value


class _Reader:
    """Collects the entries of each view."""

    def __init__(self, source: Source, project: Mapping[str, Any]) -> None:
        self.source = source
        self.attributes = _section(source, project, "attribute")
        self.files = _section(source, project, "file")
        self.views = _section(source, project, "view")
        anchors = {key: x.get("anchor_id") for key, x in self.attributes.items()}
        temporal = [key for key, anchor in anchors.items() if anchor == SEGMENTS]
        self.main = next(iter(temporal or anchors), None)
        whole_file = [key for key, anchor in anchors.items() if anchor == WHOLE_FILE]
        self.used = [self.main, *whole_file[:1]]
        self.regions = 0
        self.marks = MarkList()
        self.names: dict[str, list[str]] = {}
        self.videos = {key: self._video(key, view) for key, view in self.views.items()}
        ids = dict.fromkeys(self.videos.values())
        self.numbers = {video: number for number, video in enumerate(ids)}

    def _video(self, key: str, view: Mapping[str, Any]) -> str:
        """Return the id of the video that a view shows."""
        where = f"{self.source.path}: view {key!r}"
        files = view.get("fid_list")
        first = str(files[0]) if isinstance(files, list) and files else ""
        if first not in self.files:
            raise AnnotationError(
                f"{where}: fid_list must name a file of the project, got "
                f"{reprlib.repr(files)}; save the project in VIA again"
            )
        file = self.files[first]
        return video_name(where, file.get("fname") or file.get("src"))

    def add(self, key: str, values: Mapping[str, Any] | _Entry) -> None:
        """Read one entry of the metadata."""
        entry = values._asdict() if isinstance(values, _Entry) else values
        where = f"{self.source.path}: metadata {key!r}"
        video = self.videos.get(str(entry.get("vid")))
        if video is None:
            raise AnnotationError(
                f"{where}: vid must name a view of the project, got "
                f"{reprlib.repr(entry.get('vid'))}; save the project in VIA again"
            )
        if entry.get("xy"):
            self.regions += 1
            return
        times = entry.get("z")
        if not isinstance(times, list) or len(times) > 2:
            raise AnnotationError(
                f"{where}: z must be a list of up to two times, got "
                f"{reprlib.repr(times)}; save the project in VIA again"
            )
        z = [time_s(where, "z", x) for x in times]
        for label in self._labels(where, entry.get("av")):
            number = self.numbers[video]
            if len(z) == 2:
                self.marks.add_segment(where, label, z[0], z[1], number)
            elif z:
                self.marks.add_point(where, label, z[0], number)
            else:
                self.names.setdefault(video, []).append(label)

    def _labels(self, where: str, values: object) -> Iterator[str]:
        """Yield the names of the actions that the values of attributes state."""
        if not isinstance(values, dict):
            raise AnnotationError(
                f"{where}: av must be an object of values, got {reprlib.repr(values)}; "
                "save the project in VIA again"
            )
        for key in self.used:
            value = values.get(key)
            if key is None or not isinstance(value, str) or not value.strip():
                continue
            attribute = self.attributes[key]
            options = attribute.get("options") or {}
            is_list = attribute.get("type") == CHECKBOX
            for part in value.split(",") if is_list else [value]:
                if part:
                    yield action_name(where, options.get(part, part))
            return

    def classes(self) -> tuple[str, ...]:
        """Return the options of the attributes that are read."""
        where = f"{self.source.path}: attribute"
        names = [
            action_name(where, x)
            for key in self.used
            if key is not None
            for x in (self.attributes[key].get("options") or {}).values()
        ]
        return tuple(dict.fromkeys(names))


def read(source: Source) -> Parsed:
    """Return the videos of a project."""
    project = source.json(_Compact())
    if not isinstance(project, dict):
        raise AnnotationError(
            f"{source.path} must be a JSON object, got {reprlib.repr(project)}; check "
            "that it is a project of VIA 3"
        )
    reader = _Reader(source, project)
    metadata = _section(source, project, "metadata")
    for key in list(metadata):
        reader.add(key, metadata.pop(key))  # let go, to save memory
    marks = dict(reader.marks.by_video())
    nothing = VideoMarks([], [])
    videos = [
        video_of(name, *marks.pop(number, nothing), reader.names.get(name, []))
        for name, number in reader.numbers.items()
    ]
    notes = []
    if reader.regions:
        regions = counted(reader.regions, "region")
        notes.append(f"{source.path}: {regions} in pictures, not read")
    return Parsed(videos, reader.classes(), tuple(notes))


def _entries(content: Content) -> Iterator[dict[str, Any]]:
    """Yield the entries of the metadata."""
    option = {name: str(n) for n, name in enumerate(content.class_names, start=1)}

    def entry(vid: int, z: list[float], attribute: str, label: str) -> dict[str, Any]:
        av = {attribute: option[label]}
        return {"vid": str(vid), "flg": 0, "z": z, "xy": [], "av": av}

    for vid, video in enumerate(content.videos, start=1):
        for instance in video.instances:
            times = [instance.segment.start_s, instance.segment.end_s]
            yield entry(vid, times, "1", instance.label)
        for point in video.points:
            yield entry(vid, [point.time_s], "1", point.label)
        for name in names_alone(video):
            yield entry(vid, [], "2", name)


def _attribute(name: str, anchor: str, options: dict[str, str]) -> dict[str, Any]:
    """Return an attribute that is chosen from the names of the classes."""
    return {
        "aname": name,
        "anchor_id": anchor,
        "type": SELECT,
        "desc": name,
        "options": options,
        "default_option_id": "",
    }


def write(content: Content) -> str:
    """Return the text of a project."""
    numbers = {str(n): video.id for n, video in enumerate(content.videos, start=1)}
    options = {str(n): name for n, name in enumerate(content.class_names, start=1)}
    project = {
        "project": {
            "pid": "__VIA_PROJECT_ID__",
            "rev": "__VIA_PROJECT_REV_ID__",
            "rev_timestamp": "__VIA_PROJECT_REV_TIMESTAMP__",
            "pname": "acmnet",
            "creator": "acmnet",
            "created": 0,
            "vid_list": list(numbers),
        },
        "config": {
            "file": {"loc_prefix": {str(n): "" for n in range(1, 5)}},
            "ui": {
                "file_content_align": "center",
                "file_metadata_editor_visible": True,
                "spatial_metadata_editor_visible": False,
                "temporal_segment_metadata_editor_visible": True,
                "spatial_region_label_attribute_id": "",
                "gtimeline_visible_row_count": "4",
            },
        },
        "attribute": {
            "1": _attribute("action", SEGMENTS, options),
            "2": _attribute("action without a time", WHOLE_FILE, options),
        },
        "file": {
            key: {"fid": key, "fname": name, "type": VIDEO, "loc": LOCAL, "src": ""}
            for key, name in numbers.items()
        },
        "view": {key: {"fid_list": [key]} for key in numbers},
        "metadata": {
            f"acmnet{n:06d}": entry
            for n, entry in enumerate(_entries(content), start=1)
        },
    }
    return json.dumps(project, ensure_ascii=False) + "\n"


FORMAT: Final = Format(
    name="via3",
    title="a VIA 3 project",
    suffixes=(".json",),
    holds=(
        *("names", "points", "points beside segments", "classes", "overlaps"),
        *("times before 0", "videos without marks"),
    ),
    read=read,
    write=write,
)
