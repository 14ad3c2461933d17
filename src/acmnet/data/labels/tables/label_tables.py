"""Read tables of videos and labels as people keep them in a spreadsheet.

A table has one row for each video with all of its labels, or one row for each label, in
which the video is repeated. With columns for start and end, a row may also say when
(`row_marks`). Columns are recognised by many names (`label_columns`). Notes state what
was recognised that differs from the plain form. A row that makes no sense is a fault,
which names the row's line.
"""

import array
import dataclasses
import itertools
import math
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from acmnet.data.labels.tables.label_columns import (
    TIMED,
    LabelTableError,
    columns_of,
    is_one_each,
)
from acmnet.data.labels.tables.row_marks import RowMarks, not_seconds, row_marks
from acmnet.data.labels.tables.tabled_videos import (
    NAME,
    POINT,
    SEGMENT,
    WATCHED,
    MarkTable,
)
from acmnet.data.tables.csv_tables import unguarded
from acmnet.data.tables.spreadsheets import Sheet, SheetRow
from acmnet.data.tables.workbooks import SAVE_AS
from acmnet.limits import MOST_CLASSES, MOST_VIDEOS_OF_TEXT, seconds, too_many_videos
from acmnet.messages import counted, quoted, some
from acmnet.names import TRACK_SUFFIXES, VIDEO_SUFFIXES, checked

MARK_TYPECODES: Final = {
    "video": "i",
    "kind": "b",
    "class": "i",
    "start": "d",
    "end": "d",
}
"""What is kept of each mark, and as which of the types of `array`."""
_OTHER_SEPARATOR: Final = re.compile(r"[,;|\t]")


@dataclasses.dataclass(frozen=True)
class LabelTable:
    """The videos of a table of labels, and notes on how it was read."""

    videos: MarkTable
    """The videos in the order in which rows first name them, and their marks."""
    notes: tuple[str, ...]
    """Sentences on what was recognised, left out or merged."""


def read_label_table(sheet: Sheet, on_fault: Callable[[str], None]) -> LabelTable:
    """Return the videos and labels of a table.

    Parameters
    ----------
    sheet : Sheet
        The cells of the file, with a header of a column of videos and one of labels.
    on_fault : callable
        Called with a sentence on each row that cannot be used. If it raises nothing,
        the row is left out.

    Raises
    ------
    SheetError, LabelTableError
        If no row can be read, because of the form of the file or of its columns.
    """
    source = sheet.source
    reader = _Reader(source, sheet, columns_of(source, sheet))
    for row in sheet.rows():
        try:
            reader.add(row)
        except LabelTableError as error:
            on_fault(str(error))
        if len(reader.classes) > MOST_CLASSES:
            raise LabelTableError(
                f"{source}, line {row.line}: these are more than {MOST_CLASSES:,} "
                f"different labels, the most that there may be; is "
                f"{quoted(sheet.header.cells[reader.columns['labels']])} the column of "
                "labels?"
            )
    return LabelTable(reader.table(), reader.notes())


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


class _Reader:
    """Reads the rows of a table one after another, and collects them in arrays.

    A table may have a row for each of a million videos, so nothing is kept as an object
    but the names of the videos.
    """

    def __init__(self, source: str, sheet: Sheet, columns: Mapping[str, int]) -> None:
        self.source, self.sheet, self.columns = source, sheet, columns
        self.has_times = bool(columns.keys() & set(TIMED))
        self.is_one_each = is_one_each(self._header("labels"))
        self.place: dict[str, int] = {}
        """The number of each video."""
        self.first_line = array.array("i")
        """Line of the table that names a video first, for each video."""
        self.spellings: dict[tuple[str, ...], int] = {}
        """What stands before and after the id in the cell of a video, such as ``""``
        and ``".mp4"``; or the whole cell, if the id is not in it. These are few."""
        self.spelling = array.array("i")
        """Which of them that line has, for each video."""
        self.is_repeated = bytearray()
        """Whether a video has several rows, for each video."""
        self.subsets: dict[str, int] = {}
        self.subset_index = array.array("i")
        self.duration_s = array.array("d")
        self.classes: dict[str, int] = {}
        self.marks: dict[str, array.array[Any]] = {
            name: array.array(code) for name, code in MARK_TYPECODES.items()
        }
        self.named_video, self.named_class = array.array("i"), array.array("i")
        """Video and class of each name without a time."""
        self.in_folders = 0
        """Rows whose video is named by a path."""
        self.in_folder = ("", "")
        """The cell of the first of them, and its video's id."""
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
            meaning: unguarded(row.cells[place]) if place < len(row.cells) else ""
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
        subset = checked(where, "subset", cells.get("subset", ""), LabelTableError)
        video = self._video(where, cells["video"])
        of_video = self._number(where, row.line, video, cells["video"])
        self._keep_subset(where, of_video, subset)
        self._keep_duration(where, of_video, duration_s)
        self._keep_marks(of_video, marks)

    def _number(self, where: str, line: int, video: str, cell: str) -> int:
        """Return the number of a video that a row names by a cell."""
        parts = tuple(cell.rsplit(video, 1))
        spelling = self.spellings.setdefault(parts, len(self.spellings))
        known = self.place.get(video)
        if known is None:
            known = self.place[video] = len(self.place)
            if known == MOST_VIDEOS_OF_TEXT:
                raise LabelTableError(too_many_videos(where))
            self.first_line.append(line)
            self.is_repeated.append(False)
            self.subset_index.append(-1)
            self.duration_s.append(math.nan)
            self.spelling.append(spelling)
            return known
        before = self.spelling[known]
        if before != spelling or not (self.is_one_each or self.has_times):
            cell_before = video.join(list(self.spellings)[before])
            what_to_do = "keep one row a video, with its labels separated by |"
            if cell != cell_before:
                what_to_do = (
                    "a video is called by its file name, without folder and suffix: if "
                    "these are two videos, rename one of the files; otherwise spell it "
                    "the same in all rows"
                )
            raise LabelTableError(
                f"{where}: video {quoted(cell)} was listed before, as "
                f"{quoted(cell_before)} in line {self.first_line[known]}; {what_to_do}"
            )
        self.is_repeated[known] = True
        return known

    def _keep_subset(self, where: str, video: int, subset: str) -> None:
        """Keep the subset of a video; empty if the row states none."""
        if not subset:
            return
        index = self.subsets.setdefault(subset, len(self.subsets))
        before = self.subset_index[video]
        if before not in (-1, index):
            names = list(self.subsets)
            raise self._contradiction(where, "subset", video, subset, names[before])
        self.subset_index[video] = index

    def _keep_duration(self, where: str, video: int, duration_s: float | None) -> None:
        """Keep the duration of a video; None if the row states none."""
        if duration_s is None:
            return
        before = self.duration_s[video]
        if not (math.isnan(before) or before == duration_s):
            wrong = self._contradiction(where, "duration", video, duration_s, before)
            if "start" in self.columns and "end" not in self.columns:
                raise LabelTableError(
                    f"{wrong}, or, if it is how long each action lasts, give a "
                    "column end in its place: start plus duration"
                )
            raise wrong
        self.duration_s[video] = duration_s

    def _contradiction(
        self, where: str, column: str, video: int, now: object, before: object
    ) -> LabelTableError:
        """Return the error for two rows that state two values for one video."""
        name = list(self.place)[video]
        return LabelTableError(
            f"{where}: {column} of video {quoted(name)} is {now!r} here and "
            f"{before!r} in line {self.first_line[video]}; correct one"
        )

    def _keep_marks(self, video: int, marks: RowMarks) -> None:
        """Keep what a row says about a video."""
        nan = math.nan
        for instance in marks.instances:
            times = instance.segment.start_s, instance.segment.end_s
            self._keep_mark(video, SEGMENT, instance.label, *times)
        for point in marks.points:
            self._keep_mark(video, POINT, point.label, point.time_s, nan)
        for span in marks.watched:
            times = span.segment.start_s, span.segment.end_s
            self._keep_mark(video, WATCHED, span.label, *times)
        if not (marks.instances or marks.points):
            for label in marks.labels:
                self.named_video.append(video)
                self.named_class.append(self._class(label))

    def _keep_mark(
        self, video: int, kind: int, label: str | None, start_s: float, end_s: float
    ) -> None:
        index = -1 if label is None else self._class(label)
        values = (video, kind, index, start_s, end_s)
        for column, value in zip(self.marks.values(), values, strict=True):
            column.append(value)

    def _class(self, label: str) -> int:
        return self.classes.setdefault(label, len(self.classes))

    def table(self) -> MarkTable:
        """Return all rows, sorted by video."""
        names = tuple(sorted(self.classes))
        place = {name: c for c, name in enumerate(names)}
        new_index = np.array([*(place[x] for x in self.classes), -1], np.int64)
        video = np.array(self.marks["video"] + self.named_video)
        order = np.argsort(video, kind="stable")
        first = np.searchsorted(video[order], np.arange(len(self.place) + 1))
        n = len(self.named_video)

        def column(name: str, of_names: npt.NDArray[Any]) -> npt.NDArray[Any]:
            """Return a column of all marks, and what it has for names without times."""
            return np.concatenate([np.array(self.marks[name]), of_names])[order]

        return MarkTable(
            ids=tuple(self.place),
            class_names=names,
            subsets=tuple(self.subsets),
            subset_index=np.array(self.subset_index, np.int64),
            duration_s=np.array(self.duration_s, np.float64),
            first=first,
            kind=column("kind", np.full(n, NAME, np.int8)).astype(np.int64),
            class_index=new_index[column("class", np.array(self.named_class))],
            start_s=column("start", np.full(n, math.nan)),
            end_s=column("end", np.full(n, math.nan)),
        )

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
            self.in_folder = self.in_folder if self.in_folders else (cell, name)
            self.in_folders += 1
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
            cell, video = self.in_folder
            rows = counted(self.in_folders, "row")
            notes.append(
                f"{self.source}: {rows} with the path of a video: the file's name is "
                f"taken, such as {quoted(video)} of {quoted(cell)}"
            )
        if any(self.is_repeated) and not self.has_times:
            repeated = list(itertools.compress(self.place, self.is_repeated))
            videos = counted(len(repeated), "video")
            notes.append(
                f"{self.source}: {videos} with several rows, whose labels are put "
                f"together: {some(repeated)}"
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
        sentence = (
            f"{self.source}: {columns} not read as labels or times: {some(names)}"
        )
        return sentence if names else ""


def _labels(where: str, cell: str) -> tuple[str, ...]:
    """Return the labels of a cell."""
    labels = [part.strip() for part in cell.split("|")] if cell else []
    if "" in labels:
        raise LabelTableError(
            f"{where}: labels has a blank label, got {quoted(cell)}; remove the extra |"
        )
    return tuple(checked(where, "label", x, LabelTableError) for x in labels)
