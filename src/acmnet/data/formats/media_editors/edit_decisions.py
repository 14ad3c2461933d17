"""Edit decision lists for video editors (.edl, CMX 3600), with markers for Resolve.

One file is for one video, whose name is the title. Every segment is an event. Its times
are time codes: hours, minutes, seconds and frames. The line below it is a marker with
the name of the action, which Resolve reads with Import > Timeline Markers from EDL.
Other programs show the events. Time codes count from 00:00:00:00, so the timeline has
to start there. The frame rate has to be stated; drop-frame time codes are not read.

Lists hold points, as markers of one frame do not differ from them: a marker that lasts
no frame (``D:0``) is a point. They hold neither scores, durations, subsets nor actions
without a time, and no time from 100 hours on.

References
----------
CMX 3600 edit decision list, as documented by the Library of Congress:
https://www.loc.gov/preservation/digital/formats/fdd/fdd000634.shtml. Blackmagic Design,
DaVinci Resolve Reference Manual, "Importing and Exporting Marker EDLs".
"""

import re
from typing import Final

from acmnet.data.formats.exchange_format import (
    Content,
    Format,
    Parsed,
    Source,
    without_bars,
)
from acmnet.data.formats.field_checks import action_name, lines_of, video_name, video_of
from acmnet.data.formats.mark_list import MarkList
from acmnet.data.labels.annotations import AnnotationError
from acmnet.messages import quoted

CODE: Final = r"(\d\d):([0-5]\d):([0-5]\d)([:;])(\d\d+)"
EVENT: Final = re.compile(
    rf"(\d+)\s+.*\s{CODE}\s+{CODE}\s+{CODE}\s+{CODE}\s*", re.ASCII
)
MARKER: Final = re.compile(r"\|C:(\w*) \|M:(.*) \|D:(\d+)")
CLIP: Final = re.compile(r"\* (?:FROM CLIP NAME|COMMENT):(.*)")
DROP: Final = "FCM: DROP FRAME"
MOST_HOURS: Final = 100


def _time_code(frames: int, nominal: int) -> str:
    """Return frames as a time code.

    Examples
    --------
    >>> _time_code(90061 * 25 + 7, 25)
    '25:01:01:07'
    """
    seconds, rest = divmod(frames, nominal)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    if hours >= MOST_HOURS:
        raise AnnotationError(
            f"an edit decision list holds times below {MOST_HOURS} hours, got "
            f"{frames / nominal:,.0f} s; write another format"
        )
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}:{rest:02d}"


def _frames(where: str, parts: tuple[str, ...], nominal: int) -> int:
    """Return a time code as frames."""
    hours, minutes, seconds, sign, rest = parts
    if sign == ";" or int(rest) >= nominal:
        why = (
            "is a drop-frame time code" if sign == ";" else f"needs over {rest} frames"
        )
        code = "".join((hours, ":", minutes, ":", seconds, sign, rest))
        raise AnnotationError(
            f"{where}: {code} {why}, which does not fit {nominal} frames a second; "
            "export a non-drop-frame list, or state another --fps"
        )
    total = (int(hours) * 60 + int(minutes)) * 60 + int(seconds)
    return total * nominal + int(rest)


class _Reader:
    """Reads the lines of one list."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.title = ""
        self.fps = 0.0
        """Frames per second; 0 before the first event."""
        self.event: tuple[str, int, int] | None = None
        """Place, first frame and end of the event whose name is still to come."""
        self.marks = MarkList()

    def video(self) -> str:
        """Return the id of the video, as far as it is known."""
        path = self.source.path
        return video_name(str(path), self.title or path.stem)

    def line(self, where: str, text: str) -> None:
        event, marker = EVENT.fullmatch(text), MARKER.search(text)
        clip = CLIP.match(text)
        if text.startswith("TITLE:"):
            self.title = text.removeprefix("TITLE:").strip()
        elif text.startswith(DROP):
            raise AnnotationError(
                f"{where}: drop-frame time codes are not read; export a "
                "non-drop-frame list"
            )
        elif event is not None:
            self.refuse_nameless()
            parts = event.groups()
            self.fps = self.fps or self.source.frame_rate(self.video())
            nominal = max(1, round(self.fps))
            start = _frames(where, parts[11:16], nominal)
            end = _frames(where, parts[16:21], nominal)
            self.event = where, start, end
        elif self.event is not None and marker is not None:
            self._name(marker[2], int(marker[3]))
        elif self.event is not None and clip is not None:
            self._name(clip[1], None)

    def _name(self, text: str, lasts: int | None) -> None:
        """Keep the event with its name, and with the length that a marker states."""
        where, start, end = self.event or ("", 0, 0)
        self.event = None
        label = action_name(where, text)
        if lasts == 0:
            self.marks.add_point(where, label, start / self.fps)
            return
        end = end if lasts is None else start + lasts
        self.marks.add_segment(where, label, start / self.fps, end / self.fps)

    def refuse_nameless(self) -> None:
        """Refuse an event that no line names."""
        if self.event is not None:
            raise AnnotationError(
                f"{self.event[0]}: no line below names this event, such as "
                "|C:ResolveColorBlue |M:jump |D:25; add its name"
            )


def read(source: Source) -> Parsed:
    """Return the video of an edit decision list."""
    reader = _Reader(source)
    for number, line in lines_of(source.text()):
        reader.line(f"{source.path}, line {number}", line.strip())
    reader.refuse_nameless()
    if not (reader.title or reader.marks):
        raise AnnotationError(
            f"{source.path} has neither a TITLE nor an event with time codes, got "
            f"{quoted(source.text()[:40])}; check that it is an edit decision list"
        )
    return Parsed([video_of(reader.video(), *reader.marks.of_video())])


def write(content: Content) -> str:
    """Return the edit decision list of one video."""
    (video,) = content.videos
    nominal = max(1, round(content.fps or 0.0))
    rows = [
        (content.frames(x.segment.start_s), content.frames(x.segment.end_s), x.label)
        for x in video.instances
    ]
    rows += [
        (content.frames(x.time_s), content.frames(x.time_s), x.label)
        for x in video.points
    ]
    lines = [f"TITLE: {video.id}", "FCM: NON-DROP FRAME", ""]
    for number, (start, end, label) in enumerate(sorted(rows), start=1):
        shown = max(end, start + 1)
        times = f"{_time_code(start, nominal)} {_time_code(shown, nominal)}"
        lines += [
            f"{number:03d}  AX       V     C        {times} {times}",
            f"|C:ResolveColorBlue |M:{label} |D:{end - start}",
            "",
        ]
    return "\r\n".join(lines) + "\r\n"


FORMAT: Final = Format(
    name="edl",
    title="an edit decision list",
    suffixes=(".edl",),
    holds=("points", "points beside segments", "overlaps", "videos without marks"),
    unit="frames",
    one_file="video",
    read=read,
    write=write,
    spelt=without_bars,
)
