"""BORIS's tables of events: the tabular export, and the export of aggregated events.

In tabular exports a behaviour starts in one row and stops in another; older versions
put a description of the observation above the table. In aggregated exports each row has
start and stop. The columns are recognised by their names, in any version since 4. Rows
of type ``POINT`` are points. The video is the media file, or else the observation.
Modifiers, subjects and comments are not read, except that a behaviour of one subject
does not stop that of another.

Written tables are aggregated ones. They hold neither scores, subsets, videos without an
action nor actions without a time. BORIS itself reads projects, not its exports.

References
----------
BORIS user guide, "Export events", and `tests/files` of
https://github.com/olivierfriard/BORIS.
"""

import array
import csv
import io
from collections.abc import Mapping, Sequence
from typing import Final

from acmnet.data.formats.annotation_files.state_events import StateEvents
from acmnet.data.formats.exchange_format import Content, Format, Parsed, Source
from acmnet.data.formats.field_checks import (
    action_name,
    plain,
    time_s,
    video_name,
    video_of,
)
from acmnet.data.formats.mark_list import MarkList, VideoMarks
from acmnet.data.labels.annotations import AnnotationError
from acmnet.files.text_files import lines_with_ends
from acmnet.limits import MOST_VIDEOS_OF_TEXT, seconds, too_many_videos
from acmnet.messages import quoted

COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "observation": ("observation id",),
    "media": ("media file", "media file path", "media file name"),
    "length": ("total length", "media duration (s)", "observation duration"),
    "subject": ("subject",),
    "behavior": ("behavior",),
    "modifiers": ("modifiers",),
    "type": ("behavior type", "status"),
    "time": ("time",),
    "start": ("start (s)",),
    "stop": ("stop (s)",),
}
"""Names of the columns that are read, in lower case. Where two are there, the first
counts."""
HEADER_ROWS: Final = 200
"""Rows above the table, at most, that describe the observation."""
HEADER: Final = (
    *("Observation id", "Media file", "Total length", "Subject", "Behavior"),
    *("Behavior type", "Start (s)", "Stop (s)", "Duration (s)"),
)


def columns_of(cells: Sequence[str]) -> dict[str, int] | None:
    """Return the position of each column that is read; None if this is no header.

    Examples
    --------
    >>> columns_of(["Time", "Behavior", "Status"])
    {'behavior': 1, 'type': 2, 'time': 0}
    >>> columns_of(["video", "labels"]) is None
    True
    """
    named = {cell.strip().casefold(): i for i, cell in reversed([*enumerate(cells)])}
    places = {
        meaning: next(named[name] for name in names if name in named)
        for meaning, names in COLUMNS.items()
        if any(name in named for name in names)
    }
    has_times = "time" in places or {"start", "stop"} <= set(places)
    return places if {"behavior", "type"} <= set(places) and has_times else None


class _Reader:
    """Collects the events of each video."""

    def __init__(self, source: Source, columns: Mapping[str, int], given: str) -> None:
        self.source, self.columns, self.given = source, columns, given
        self.marks = MarkList()
        self.videos: dict[str, int] = {}
        """The number of each video."""
        self.lengths = array.array("d")
        """The length of each video in seconds; 0 where it is not known."""
        self.states: dict[int, StateEvents] = {}

    def _cell(self, cells: Sequence[str], meaning: str) -> str:
        place = self.columns.get(meaning, len(cells))
        return cells[place].strip() if place < len(cells) else ""

    def add(self, line: int, cells: Sequence[str]) -> None:
        """Read one row."""
        where = f"{self.source.path}, line {line}"
        media = self._cell(cells, "media")
        named = media if media not in ("", "NA", "-") else self.given
        named = named or self._cell(cells, "observation") or self.source.path.stem
        video = video_name(where, named)
        label = action_name(where, self._cell(cells, "behavior"))
        number = self.videos.setdefault(video, len(self.videos))
        if number == MOST_VIDEOS_OF_TEXT:
            raise AnnotationError(too_many_videos(where))
        length = seconds(self._cell(cells, "length"), in_quotes=True) or 0.0
        if number == len(self.lengths):
            self.lengths.append(0.0)
        self.lengths[number] = max(length, self.lengths[number])
        kind = self._cell(cells, "type").upper()
        if kind == "POINT":
            meaning = "time" if "time" in self.columns else "start"
            at = time_s(where, "the time", self._cell(cells, meaning))
            self.marks.add_point(where, label, at, number)
        elif kind == "STATE":
            start_s = time_s(where, "start", self._cell(cells, "start"))
            end_s = time_s(where, "stop", self._cell(cells, "stop"))
            self.marks.add_segment(where, label, start_s, end_s, number)
        elif kind in ("START", "STOP"):
            at = time_s(where, "the time", self._cell(cells, "time"))
            key = self._cell(cells, "subject"), label, self._cell(cells, "modifiers")
            if number not in self.states:
                self.states[number] = StateEvents(self.marks, number)
            states = self.states[number]
            states.add(where, key, at, "START" if kind == "START" else "STOP")
        else:
            raise AnnotationError(
                f"{where}: the type of an event must be START, STOP, STATE or POINT, "
                f"got {quoted(kind)}; correct it"
            )

    def parsed(self) -> Parsed:
        for states in self.states.values():
            states.refuse_open()
        names = list(self.videos)
        marks = dict(self.marks.by_video())
        nothing = VideoMarks([], [])
        return Parsed(
            [
                video_of(
                    name,
                    *marks.pop(number, nothing),
                    duration_s=self.lengths[number] or None,
                )
                for number, name in enumerate(names)
            ]
        )


def read(source: Source) -> Parsed:
    """Return the videos of a table of events."""
    text = source.text()
    separator = "\t" if text.count("\t") > text.count(",") else ","
    rows = csv.reader(lines_with_ends(text), delimiter=separator, strict=True)
    reader: _Reader | None = None
    video = ""
    try:
        for cells in rows:
            if not any(cell.strip() for cell in cells):
                continue
            if reader is not None:
                reader.add(rows.line_num, cells)
                continue
            columns = columns_of(cells)
            if columns is not None:
                reader = _Reader(source, columns, video)
            elif cells[0].startswith("Player #1") and len(cells) > 1:
                video = cells[1].strip()
            elif rows.line_num > HEADER_ROWS:
                break
    except csv.Error as error:
        raise AnnotationError(
            f"{source.path}, line {rows.line_num}: not valid CSV: {error}; mend it"
        ) from None
    if reader is None:
        raise AnnotationError(
            f"{source.path} has no header with the columns Behavior, Status and Time, "
            "or Behavior, Behavior type, Start (s) and Stop (s); export the events "
            "from BORIS again"
        )
    return reader.parsed()


def write(content: Content) -> str:
    """Return the aggregated events of all videos."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(HEADER)
    for video in content.videos:
        length = "" if video.duration_s is None else plain(video.duration_s)
        rows = [
            (x.segment.start_s, x.segment.end_s, x.label, "STATE")
            for x in video.instances
        ]
        rows += [(x.time_s, x.time_s, x.label, "POINT") for x in video.points]
        for start_s, end_s, label, kind in sorted(rows):
            lasts = plain(round(end_s - start_s, 9)) if kind == "STATE" else "NA"
            times = plain(start_s), plain(end_s), lasts
            head = video.id, video.id, length, "No focal subject"
            writer.writerow([*head, label, kind, *times])
    return out.getvalue()


FORMAT: Final = Format(
    name="boris-table",
    title="a BORIS table",
    suffixes=(".csv", ".tsv"),
    holds=("points", "points beside segments", "durations", "overlaps"),
    read=read,
    write=write,
)
