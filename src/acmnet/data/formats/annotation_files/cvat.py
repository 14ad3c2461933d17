"""CVAT's XML for videos, version 1.1: tracks, whose label is the action.

A track is seen from a shape that is not ``outside`` until the next one that is, and
every such span is a segment. The boxes themselves are not read. Frames are counted from
0, so the frame rate has to be stated. The video is the ``source`` of the task, or else
the task's name, or else the name of the file. Tags of single frames are not read.

One written file is for one video; its tracks have a box of one pixel, and the picture
is said to have this size, which is required, because where in the picture an action
happens is not known. Files hold classes without an example. They
hold neither scores, points, durations, subsets nor actions without a time.

References
----------
CVAT, "XML annotation format", version 1.1, interpolation:
https://docs.cvat.ai/docs/dataset_management/formats/xml_format/
"""

from collections.abc import Iterator, Mapping
from typing import Final

from acmnet.data.formats.annotation_files.xml_events import (
    attribute,
    escaped,
    read_xml,
    xml_name,
)
from acmnet.data.formats.exchange_format import Content, Format, Parsed, Source
from acmnet.data.formats.field_checks import action_name, frame, video_name, video_of
from acmnet.data.formats.mark_list import MarkList
from acmnet.data.labels.annotations import AnnotationError
from acmnet.messages import counted

SHAPES: Final = frozenset(
    {
        *("box", "polygon", "polyline", "points", "ellipse", "cuboid", "skeleton"),
        *("mask", "rectangle"),
    }
)
TASK_NAME: Final = ("annotations", "meta", "task", "name")
SOURCES: Final = (
    ("annotations", "meta", "task", "source"),
    ("annotations", "meta", "source"),
    ("annotations", "meta", "job", "source"),
)


class _Reader:
    """Collects the tracks of one file."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.path: list[str] = []
        self.named, self.media = "", ""
        self.classes: dict[str, None] = {}
        self.marks = MarkList()
        self.label: str | None = None
        self.shapes: list[tuple[int, bool]] = []
        """Frame of each shape of the track, and whether it is outside."""
        self.tags = 0
        self.tasks = 0

    def start(self, where: str, name: str, values: Mapping[str, str]) -> None:
        self.path.append(name)
        if self.path[0] != "annotations":
            raise AnnotationError(
                f"{where}: the first element must be <annotations>, got <{name}>; "
                "export the task as CVAT for video 1.1"
            )
        if name == "image":
            raise AnnotationError(
                f"{where}: this is CVAT's format for images; export the task as CVAT "
                "for video 1.1"
            )
        if name == "task":
            self.tasks += 1
            if self.tasks > 1:
                raise AnnotationError(
                    f"{where}: the file has several tasks; export each task on its own"
                )
        elif name == "track":
            label = attribute(where, name, values, "label")
            self.label, self.shapes = action_name(where, label), []
        elif name == "tag":
            self.tags += 1
        elif name in SHAPES and self.path[-2] == "track":
            at = frame(where, "frame", attribute(where, name, values, "frame"))
            self.shapes.append((at, values.get("outside", "0") == "1"))

    def video(self) -> str:
        """Return the id of the video, as far as it is known."""
        path = self.source.path
        return self.media or self.named or video_name(str(path), path.stem)

    def end(self, where: str, name: str, text: str) -> None:
        path = tuple(self.path)
        self.path.pop()
        if path in SOURCES and text.strip():
            self.media = self.media or video_name(where, text)
        elif path == TASK_NAME and text.strip():
            self.named = video_name(where, text)
        elif name == "name" and path[-3:-1] == ("labels", "label"):
            self.classes[action_name(where, text)] = None
        elif name == "track" and self.label is not None:
            fps = self.source.frame_rate(self.video())
            for first, after in _spans(sorted(self.shapes)):
                times = first / fps, after / fps
                self.marks.add_segment(where, self.label, *times)
            self.label = None


def _spans(shapes: list[tuple[int, bool]]) -> Iterator[tuple[int, int]]:
    """Yield the first frame of each span of a track, and the frame after it.

    Examples
    --------
    >>> list(_spans([(2, False), (3, False), (5, True), (8, False)]))
    [(2, 5), (8, 9)]
    """
    first: int | None = None
    last = 0
    for at, is_outside in shapes:
        if first is None and not is_outside:
            first = at
        elif first is not None and is_outside:
            yield first, at
            first = None
        last = at
    if first is not None:
        yield first, last + 1


def read(source: Source) -> Parsed:
    """Return the video of a CVAT file."""
    reader = _Reader(source)
    read_xml(source, reader.start, reader.end)
    notes = []
    if reader.tags:
        tags = counted(reader.tags, "tag")
        notes.append(f"{source.path}: {tags} of single frames, not read")
    video = video_of(reader.video(), *reader.marks.of_video())
    return Parsed([video], tuple(reader.classes), tuple(notes))


def write(content: Content) -> str:
    """Return the text of the CVAT file of one video."""
    (video,) = content.videos
    name = escaped(video.id)
    lines = [
        '<?xml version="1.0" encoding="utf-8"?>',
        "<annotations>",
        "  <version>1.1</version>",
        "  <meta>",
        "    <task>",
        f"      <name>{name}</name>",
        "      <mode>interpolation</mode>",
        "      <labels>",
        *(
            f"        <label><name>{escaped(x)}</name><attributes/></label>"
            for x in content.class_names
        ),
        "      </labels>",
        "      <original_size><width>1</width><height>1</height></original_size>",
        f"      <source>{name}</source>",
        "    </task>",
        "  </meta>",
    ]
    for number, instance in enumerate(video.instances):
        label = escaped(instance.label)
        lines.append(f'  <track id="{number}" label="{label}" source="manual">')
        times = instance.segment.start_s, instance.segment.end_s
        for outside, time_s in enumerate(times):
            lines.append(
                f'    <box frame="{content.frames(time_s)}" outside="{outside}"'
                ' occluded="0" keyframe="1" xtl="0.0" ytl="0.0" xbr="1.0" ybr="1.0"'
                ' z_order="0"/>'
            )
        lines.append("  </track>")
    return "\n".join([*lines, "</annotations>"]) + "\n"


FORMAT: Final = Format(
    name="cvat",
    title="a CVAT file",
    suffixes=(".xml",),
    holds=("classes", "overlaps", "videos without marks"),
    unit="frames",
    one_file="video",
    read=read,
    write=write,
    spelt=xml_name,
)
