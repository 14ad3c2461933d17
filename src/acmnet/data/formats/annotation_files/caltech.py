"""Behaviour annotations of Caltech: Bento's files (.annot) and the older text (.txt).

Both are for one video and list bouts of behaviours by channel. Frames are counted from
1, and both ends of a bout are included. Bento's files state their frame rate, and may
have times in seconds with a point in place of frames. Files of the Caltech Behavior
Annotator do not state the rate, so the user has to. There the behaviour ``other`` means
that none is seen, and is not read. Channels are not kept apart. The video is named by
the file.

Bento's files are written, with one channel. They hold classes without an example, and
always state a duration. They hold neither scores, points, subsets nor actions without a
time.

References
----------
Bento: https://github.com/annkennedy/bento, ``saveAnnot.m``. Caltech Behavior Annotator,
in Piotr's Computer Vision Matlab Toolbox: https://github.com/pdollar/toolbox,
``videos/behaviorData.m``.
"""

import re
from collections.abc import Iterator
from typing import Final

from acmnet.data.formats.exchange_format import Content, Format, Parsed, Source
from acmnet.data.formats.field_checks import (
    action_name,
    frame,
    lines_of,
    refuse_unended,
    time_s,
    video_name,
    video_of,
)
from acmnet.data.formats.mark_list import MarkList
from acmnet.data.labels.annotations import AnnotationError
from acmnet.limits import finite
from acmnet.messages import quoted

BENTO: Final = "bento annotation file"
ANNOTATOR: Final = "caltech behavior annotator - annotation file"
NO_BEHAVIOUR: Final = "other"
"""What the Caltech Behavior Annotator writes where no behaviour is seen."""
CHANNEL: Final = "behaviours"

Lines = Iterator[tuple[str, str]]
"""The place of each line, for messages, and its text without blanks around it."""


def _lines(source: Source) -> Lines:
    for number, line in lines_of(source.text()):
        yield f"{source.path}, line {number}", line.strip()


def _cells(where: str, line: str) -> tuple[str, str, str]:
    """Return the three columns of a bout; the last one may hold blanks."""
    cells = line.split(None, 2)
    if len(cells) != 3:
        raise AnnotationError(
            f"{where}: a bout has three columns, got {quoted(line)}; correct the line"
        )
    return cells[0], cells[1], cells[2]


class _Bento:
    """Reads a file of Bento."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.video = video_name(str(source.path), source.path.stem)
        self.fps: float | None = None
        """The rate that the file states."""
        self.last_frame: int | None = None
        self.classes: dict[str, None] = {}
        self.marks = MarkList()
        self.label = ""

    def read(self) -> None:
        section = ""
        for where, line in _lines(self.source):
            words = line.casefold()
            if not line:
                section = ""
            elif section == "classes":
                self.classes[action_name(where, line)] = None
            elif words.startswith("annotation framerate:"):
                self.fps = self._rate(where, line.partition(":")[2])
            elif words.startswith("annotation stop frame:"):
                value = line.partition(":")[2].strip()
                self.last_frame = frame(where, "the stop frame", value)
            elif words.startswith("list of annotations"):
                section = "classes"
            elif words.startswith("list of channels"):
                section = "channels"
            elif line.startswith(">"):
                self.label = action_name(where, line[1:])
                section = "bouts"
            elif section == "bouts" and not words.startswith("start"):
                self._bout(where, line)

    def _rate(self, where: str, text: str) -> float:
        number = finite(text.strip(), in_quotes=True)
        if number is None or number <= 0:
            raise AnnotationError(
                f"{where}: the frame rate must be a number above 0, got "
                f"{quoted(text.strip())}; correct it"
            )
        return number

    def _bout(self, where: str, line: str) -> None:
        first, last, _ = _cells(where, line)
        if "." in first or "." in last:
            start_s, end_s = time_s(where, "start", first), time_s(where, "stop", last)
        else:
            start, end = frame(where, "start", first), frame(where, "stop", last)
            fps = self.fps or self.source.frame_rate(self.video)
            start_s, end_s = (start - 1) / fps, end / fps
        self.marks.add_segment(where, self.label, start_s, end_s)

    def duration_s(self) -> float | None:
        if self.last_frame is None:
            return None
        return self.last_frame / (self.fps or self.source.frame_rate(self.video))


def _read_annotator(source: Source) -> MarkList:
    """Return the bouts of a file of the Caltech Behavior Annotator."""
    fps = source.frame_rate(video_name(str(source.path), source.path.stem))
    in_stream = False
    marks = MarkList()
    for where, line in _lines(source):
        if re.match(r"S\d+:", line):
            in_stream = True
        elif line and in_stream and not line.startswith("---"):
            first, last, label = _cells(where, line)
            start, end = frame(where, "start", first), frame(where, "end", last)
            times = (start - 1) / fps, end / fps
            refuse_unended(where, *times)
            if label != NO_BEHAVIOUR:
                marks.add_segment(where, action_name(where, label), *times)
    return marks


def read(source: Source) -> Parsed:
    """Return the video of a file of either kind."""
    name = video_name(str(source.path), source.path.stem)
    head = source.content()[:200].decode("utf-8", "replace").lstrip("\ufeff").casefold()
    if head.startswith(ANNOTATOR):
        return Parsed([video_of(name, *_read_annotator(source).of_video())])
    if not head.startswith(BENTO):
        raise AnnotationError(
            f"{source.path} must begin with the line 'Bento annotation file' or "
            "'Caltech Behavior Annotator - Annotation File'; check its format"
        )
    reader = _Bento(source)
    reader.read()
    marks = reader.marks.of_video()
    video = video_of(name, *marks, duration_s=reader.duration_s())
    return Parsed([video], tuple(reader.classes))


def write(content: Content) -> str:
    """Return the text of the file of one video."""
    (video,) = content.videos
    names = sorted(content.class_names)
    lines = [
        "Bento annotation file",
        f"Movie file(s): {video.id}",
        "",
        "Stimulus name: ",
        "Annotation start frame: 1",
        f"Annotation stop frame: {content.frames(video.duration_s or 0.0)}",
        f"Annotation framerate: {content.fps!r}",
        "",
        "List of channels:",
        CHANNEL,
        "",
        "List of annotations:",
        *names,
        "",
        f"{CHANNEL}----------",
    ]
    for name in names:
        lines += [f">{name}", "Start\tStop\tDuration"]
        for segment in sorted(x.segment for x in video.instances if x.label == name):
            first, last = (
                content.frames(segment.start_s) + 1,
                content.frames(segment.end_s),
            )
            lines.append(f"{first}\t{last}\t{last - first + 1}")
        lines.append("")
    return "\n".join(lines) + "\n"


FORMAT: Final = Format(
    name="caltech",
    title="a Caltech (Bento) file",
    suffixes=(".annot", ".txt"),
    holds=("every frame", "classes", "overlaps", "videos without marks"),
    unit="frames",
    one_file="video",
    read=read,
    write=write,
)
