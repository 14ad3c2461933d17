"""Number tables: text files of separated cells, read quickly into columns."""

import array
import csv
import itertools
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from acmnet.data.tables.workbooks import read_table_content
from acmnet.data.tracks.tracks import MOST_NUMBERS, TrackError
from acmnet.files.text_files import as_text
from acmnet.messages import quoted

KIND: Final = "file of tracks"
SEPARATORS: Final = (",", ";", "\t")
NO_NUMBER: Final = frozenset(("", "nan", "na", "n/a", "null", "none", "-", "#n/a"))
"""Cells, in lower case, that say that a number is not known."""


class NumberTable:
    """A text table: rows of cells, the first of which are headers.

    Parameters
    ----------
    path : Path
        The file: UTF-8, with cells separated by comma, semicolon or tab, whichever the
        first line has most of; or an Excel workbook, of which the first sheet is read.
    """

    def __init__(self, path: Path) -> None:
        remedy = "it needs a header and rows of numbers"
        content = read_table_content(path, KIND, TrackError)
        text = as_text(path, content, TrackError, remedy)
        self.path = path
        self.lines = text.splitlines()
        self.n_before = 0
        """Lines of the file before the first of `lines`."""
        places = (i for i, line in enumerate(self.lines) if line.strip())
        blank = next(places, len(self.lines))
        if blank == len(self.lines):
            raise TrackError(f"{path} is empty; {remedy}")
        self.begins_after(blank)

    def begins_after(self, n_lines: int) -> None:
        """Leave the first lines out, which some recorders write before the header."""
        self.lines = self.lines[n_lines:]
        self.n_before += n_lines
        self.separator = _separator(self.lines[0])

    def rows(self, start: int = 0, end: int | None = None) -> Iterator[list[str]]:
        """Yield the cells of lines that are not blank, by their place in the file."""
        lines = itertools.islice(self.lines, start, end)
        reader = csv.reader(lines, delimiter=self.separator, strict=True)
        try:
            yield from (row for row in reader if any(map(str.strip, row)))
        except csv.Error as error:
            raise TrackError(
                f"{self.path}: a line after line {start + self.n_before} is no row of "
                f"a table ({error}); save it as CSV again"
            ) from None

    def header(self, n_lines: int = 1) -> list[list[str]]:
        """Return the first lines' cells, without blanks around them."""
        return [[cell.strip() for cell in row] for row in self.rows(0, n_lines)]

    def numbers(self, columns: Iterable[int], n_header: int) -> npt.NDArray[np.float64]:
        """Return (rows, columns) numbers of the lines after the header.

        Parameters
        ----------
        columns : iterable of int
            Which cells of each row.
        n_header : int
            Lines before the first row.

        Raises
        ------
        TrackError
            If a cell is neither a number nor one of `NO_NUMBER` (which gives NaN), a
            row is shorter than the header, or there is no row.
        """
        wanted = list(columns)
        values = array.array("d")
        for number, row in enumerate(self.rows(n_header), self.n_before + n_header + 1):
            try:
                values.extend([self._number(row[i]) for i in wanted])
            except (ValueError, IndexError):
                self._refuse_row(number, row, wanted, n_header)
            if len(values) > MOST_NUMBERS:
                raise TrackError(
                    f"{self.path} holds more than {MOST_NUMBERS:,} numbers; cut it "
                    "into parts"
                )
        if not values:
            raise TrackError(f"{self.path} has a header and no row; track it again")
        return np.frombuffer(values, np.float64).reshape(-1, len(wanted))

    def texts(self, column: int, n_header: int) -> list[str]:
        """Return one column's cells as they stand, blanks around them taken off."""
        return [
            row[column].strip() if column < len(row) else ""
            for row in self.rows(n_header)
        ]

    def _number(self, cell: str) -> float:
        try:
            return float(cell)
        except ValueError:
            if cell.strip().lower() in NO_NUMBER:
                return float("nan")
            if self.separator != "," and cell.count(",") == 1:
                return float(cell.replace(",", "."))  # 0,5 as a German sheet has it
            raise

    def _refuse_row(
        self, number: int, row: list[str], wanted: list[int], n_header: int
    ) -> None:
        """Refuse a row that lacks a cell, or has a cell that is no number."""
        rows = self.header(n_header)
        header = rows[-1]
        for i in wanted:
            if i >= len(row):
                raise TrackError(
                    f"{self.path}: row {number} has {len(row)} cells, the header has "
                    f"{len(header)}; was the file cut off?"
                )
            try:
                self._number(row[i])
            except ValueError:
                # of several lines the first names the network that tracked
                named = " ".join(x[i] for x in rows[1:] or rows if i < len(x))
                raise TrackError(
                    f"{self.path}: row {number}, column {quoted(named)} must be a "
                    f"number or blank, got {quoted(row[i])}; correct it"
                ) from None


def _separator(line: str) -> str:
    return max(SEPARATORS, key=line.count)


def cells_of(line: str) -> list[str]:
    """Return the cells of one line, whatever separates them, without blanks around.

    Examples
    --------
    >>> cells_of("frame; nose_x ;nose_y")
    ['frame', 'nose_x', 'nose_y']
    """
    try:
        reader = csv.reader([line], delimiter=_separator(line))
        return [cell.strip() for row in reader for cell in row]
    except csv.Error:  # a cell that no header has
        return []


_WORDS: Final = re.compile(r"[^a-z0-9µ]+")


def plain_name(cell: str) -> str:
    """Return a column's name in lower case, words joined by ``_``.

    Examples
    --------
    >>> plain_name("Timestamp (ms)"), plain_name("Tracking-State")
    ('timestamp_ms', 'tracking_state')
    """
    return _WORDS.sub("_", cell.lower()).strip("_")
