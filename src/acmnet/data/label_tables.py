"""Read tables of videos and labels as people keep them in a spreadsheet.

A table has one row for each video with all of its labels, or one row for each label, in
which the video is repeated. With columns for start and end, a row may also say when
(`acmnet.data.row_marks`). Columns are recognised by many names
(`acmnet.data.label_columns`). Notes state what was recognised that differs from the
plain form. A row that makes no sense is a fault, which names the row's line.
"""

import dataclasses
import re
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from acmnet.data.annotations import Instance, Point, WatchedSpan
from acmnet.data.label_columns import (
    EXAMPLE,
    TIMED,
    LabelTableError,
    columns_of,
    is_header,
    is_one_each,
)
from acmnet.data.row_marks import not_seconds, row_marks
from acmnet.data.spreadsheets import SAVE_AS, Sheet, SheetRow, read_sheet
from acmnet.files import TRACK_SUFFIXES, VIDEO_SUFFIXES
from acmnet.limits import MOST_CLASSES, seconds
from acmnet.messages import counted, quoted, some
from acmnet.names import checked

_OTHER_SEPARATOR: Final = re.compile(r"[,;|\t]")


class LabelRow(NamedTuple):
    """What a table states about one video."""

    video: str
    """Id of the video: the name of its file without folders and a known suffix."""
    labels: tuple[str, ...]
    subset: str | None
    duration_s: float | None
    instances: tuple[Instance, ...]
    points: tuple[Point, ...]
    watched: tuple[WatchedSpan, ...]


@dataclasses.dataclass(frozen=True)
class LabelTable:
    """The videos of a table of labels, and notes on how it was read."""

    rows: tuple[LabelRow, ...]
    """One row for each video, in the order of the file."""
    notes: tuple[str, ...]
    """Sentences on what was recognised, left out or merged."""


def read_label_table(
    source: str, data: bytes, on_fault: Callable[[str], None]
) -> LabelTable:
    """Return the videos and labels of a table.

    Parameters
    ----------
    source : str
        The path of the file, for messages.
    data : bytes
        The content of the file.
    on_fault : callable
        Called with a sentence on each row that cannot be used. If it raises nothing,
        the row is left out.

    Raises
    ------
    SheetError, LabelTableError
        If no row can be read, because of the form of the file or of its columns.
    """
    sheet = read_sheet(source, data, is_header, EXAMPLE)
    reader = _Reader(source, sheet, columns_of(source, sheet))
    for row in sheet.rows():
        try:
            reader.add(row)
        except LabelTableError as error:
            on_fault(str(error))
        if len(reader.labels) > MOST_CLASSES:
            raise LabelTableError(
                f"{source}, line {row.line}: these are more than {MOST_CLASSES:,} "
                f"different labels, the most that there may be; is "
                f"{quoted(sheet.header.cells[reader.columns['labels']])} the column of "
                "labels?"
            )
    return LabelTable(tuple(x.row for x in reader.found.values()), reader.notes())


def video_id(where: str, cell: str) -> str:
    """Return the id of the video that a cell names by a file, a path or its id.

    Parameters
    ----------
    where : str
        The file and the line, for the message.
    cell : str
        The cell, such as ``"day 1/mouse.mp4"``, whose video is ``"mouse"``.

    Raises
    ------
    LabelTableError
        If the cell is blank or has a character that names must not have.
    """
    name = checked(where, "video", cell, LabelTableError)
    name = re.split(r"[\\/]", name)[-1].strip()
    stem, _, suffix = name.rpartition(".")
    if stem and f".{suffix.lower()}" in (*VIDEO_SUFFIXES, *TRACK_SUFFIXES):
        name = stem
    if not name:
        held = f", got {quoted(cell)}" if cell else ""
        raise LabelTableError(
            f"{where}: video is blank{held}; name the video or remove the row"
        )
    return name


class _Found(NamedTuple):
    """A video of the table, and the line that names it first."""

    line: int
    cell: str
    row: LabelRow


class _Reader:
    """Reads the rows of a table one after another, and collects the videos."""

    def __init__(self, source: str, sheet: Sheet, columns: Mapping[str, int]) -> None:
        self.source, self.sheet, self.columns = source, sheet, columns
        self.found: dict[str, _Found] = {}
        self.has_times = bool(columns.keys() & set(TIMED))
        self.is_one_each = is_one_each(self._header("labels"))
        self.labels: set[str] = set()
        self.repeated: dict[str, None] = {}
        self.in_folders: list[tuple[str, str]] = []
        """Cells that have a path, and the video's id."""
        self.has_decimal_commas = False

    def _header(self, meaning: str) -> str:
        return self.sheet.header.cells[self.columns[meaning]]

    def add(self, row: SheetRow) -> None:
        """Read one row.

        Raises
        ------
        LabelTableError
            If the row cannot be used.
        """
        where = f"{self.source}, line {row.line}"
        self._refuse_other_length(where, row)
        cells = {
            meaning: row.cells[place] if place < len(row.cells) else ""
            for meaning, place in self.columns.items()
        }
        duration_s = self._seconds(where, "duration", cells)
        if duration_s is not None and duration_s < 0:
            raise not_seconds(where, "duration", cells["duration"])
        marks = row_marks(
            where,
            _labels(where, cells["labels"]),
            self._seconds(where, "start", cells),
            self._seconds(where, "end", cells),
            cells.get("kind", ""),
        )
        made = LabelRow(
            self._video(where, cells["video"]),
            marks.labels,
            checked(where, "subset", cells.get("subset", ""), LabelTableError) or None,
            duration_s,
            marks.instances,
            marks.points,
            marks.watched,
        )
        self.labels.update(made.labels)
        before = self.found.get(made.video)
        if before is None:
            self.found[made.video] = _Found(row.line, cells["video"], made)
        elif before.cell != cells["video"] or not (self.is_one_each or self.has_times):
            raise LabelTableError(
                f"{where}: video {quoted(cells['video'])} was listed before, as "
                f"{quoted(before.cell)} in line {before.line}; keep one row a video, "
                "with its labels separated by |"
            )
        else:
            self.repeated[made.video] = None
            merged = _merged(where, before, made)
            self.found[made.video] = before._replace(row=merged)

    def _refuse_other_length(self, where: str, row: SheetRow) -> None:
        """Refuse a row with more cells than columns, or with an unsplit cell."""
        needed, separator = len(self.sheet.header.cells), self.sheet.separator
        cells = row.cells
        sticks = row.width == 1 < needed and _OTHER_SEPARATOR.search(cells[0])
        if len(cells) > needed or sticks:
            name = {",": "comma", ";": "semicolon", "\t": "tab"}.get(separator, "sign")
            raise LabelTableError(
                f"{where}: a row needs {needed} cells "
                f"({separator.join(self.sheet.header.cells)}), got {len(cells)}: "
                f"{quoted(separator.join(cells))}; put a cell with a {name} in quotes"
            )

    def _video(self, where: str, cell: str) -> str:
        """Return the id of the video that a cell names."""
        name = video_id(where, cell)
        if "/" in cell or "\\" in cell:
            self.in_folders.append((cell, name))
        return name

    def _seconds(
        self, where: str, meaning: str, cells: Mapping[str, str]
    ) -> float | None:
        """Return a number of seconds; None if the cell is blank."""
        cell = cells.get(meaning, "")
        if not cell:
            return None
        comma = "," in cell and self.sheet.separator != ","
        number = seconds(cell.replace(",", ".") if comma else cell, in_quotes=True)
        if number is None:
            raise not_seconds(where, meaning, cell)
        self.has_decimal_commas |= comma
        return number

    def notes(self) -> tuple[str, ...]:
        """Return sentences on what was recognised, left out or merged."""
        notes = [self._form(), self._doubt(), self._unused()]
        if self.in_folders:
            cell, video = self.in_folders[0]
            rows = counted(len(self.in_folders), "row")
            notes.append(
                f"{self.source}: {rows} with the path of a video: the file's name is "
                f"taken, such as {quoted(video)} of {quoted(cell)}"
            )
        if self.repeated and not self.has_times:
            videos = counted(len(self.repeated), "video")
            notes.append(
                f"{self.source}: {videos} with several rows, whose labels are put "
                f"together: {some(self.repeated)}"
            )
        return tuple(filter(None, notes))

    def _form(self) -> str:
        """Return a sentence on how the table was read; empty for the plain form."""
        named = [
            f"{quoted(self._header(meaning))} for {meaning}"
            for meaning in self.columns
            if self._header(meaning).casefold() != meaning
        ]
        parts = [
            f"as {', '.join(self.sheet.recognised)}" if self.sheet.recognised else "",
            "with decimal commas" if self.has_decimal_commas else "",
            f"with the column{'s' * (len(named) > 1)} {', '.join(named)}"
            if named
            else "",
        ]
        read = ", ".join(filter(None, parts))
        return f"{self.source}: read {read}" if read else ""

    def _doubt(self) -> str:
        """Return a sentence on other encodings that fit; empty if none does."""
        if not self.sheet.doubt:
            return ""
        return (
            f"{self.source}: {self.sheet.doubt}; if that is right, save the file as "
            f"CSV in UTF-8: {SAVE_AS}"
        )

    def _unused(self) -> str:
        """Return a sentence on the columns that are left out; empty if none is."""
        used = self.columns.values()
        names = [x for i, x in enumerate(self.sheet.header.cells) if i not in used]
        names = [name for name in names if name]
        columns = counted(len(names), "column")
        return f"{self.source}: {columns} not used: {some(names)}" if names else ""


def _labels(where: str, cell: str) -> tuple[str, ...]:
    """Return the labels of a cell."""
    labels = [part.strip() for part in cell.split("|")] if cell else []
    if "" in labels:
        raise LabelTableError(
            f"{where}: labels has a blank label, got {quoted(cell)}; remove the extra |"
        )
    return tuple(checked(where, "label", x, LabelTableError) for x in labels)


def _merged(where: str, before: _Found, row: LabelRow) -> LabelRow:
    """Return what two rows together state about one video; refuse contradictions."""
    values = before.row._asdict()
    for name in ("labels", "instances", "points", "watched"):
        values[name] = (*values[name], *getattr(row, name))
    for name, column in (("subset", "subset"), ("duration_s", "duration")):
        a, b = getattr(before.row, name), getattr(row, name)
        if a is not None and b is not None and a != b:
            raise LabelTableError(
                f"{where}: {column} of video {quoted(row.video)} is {b!r} here and "
                f"{a!r} in line {before.line}; correct one"
            )
        values[name] = b if a is None else a
    return LabelRow(**values)
