"""Read tables that a spreadsheet saved, with any separator and encoding.

Nothing here knows what the columns mean. The caller states what a header looks like;
the separator is the one with which the first row is such a header. Blank rows are
skipped. Of an Excel workbook the first sheet is read.
"""

import csv
import dataclasses
import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from acmnet.data.tables.text_encodings import PLAIN, Decoded, EncodingError, decoded
from acmnet.data.tables.workbooks import (
    SAVE_AS,
    WorkbookError,
    first_sheet,
    is_workbook,
)
from acmnet.files.text_files import lines_with_ends
from acmnet.messages import quoted

SEPARATORS: Final = {
    ",": "comma-separated",
    ";": "semicolon-separated",
    "\t": "tab-separated",
}

_DECLARED: Final = re.compile(r'"?sep=(.)"?[,;\t]*(?:\r\n?|\n|$)', re.IGNORECASE)


class SheetError(ValueError):
    """A table that cannot be read; the message names file and line, and what to do."""


@dataclasses.dataclass(frozen=True)
class SheetRow:
    """A row of a table that is not blank."""

    line: int
    """Number of the row's line in the file, from 1; its last line, if the row has
    several because cells hold line breaks."""
    cells: tuple[str, ...]
    """The cells, at least one, without blanks around them. Blank cells at the end are
    left out."""
    width: int
    """Number of cells, blank ones at the end included."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sheet:
    """A table of cells."""

    source: str
    """The path of the file, for messages."""
    text: str
    """The text of the table, without a line that declares the separator."""
    first_line: int
    """Number of the file's line at which the text starts."""
    header: SheetRow
    separator: str
    recognised: tuple[str, ...]
    """How the file differs from a plain CSV, such as ``("semicolon-separated",)``."""
    doubt: str
    """A sentence on other encodings that would fit, too; empty if none would."""

    def rows(self) -> Iterator[SheetRow]:
        """Yield the rows below the header, one at a time, because a table may be large.

        Raises
        ------
        SheetError
            At a line that is no valid CSV, such as one with a quote that is not closed.
        """
        rows = _rows(self.source, self.text, self.separator, self.first_line)
        return itertools.islice(rows, 1, None)


def read_sheet(
    source: str, data: bytes, is_header: Callable[[Sequence[str]], bool], example: str
) -> Sheet:
    """Return a table, whatever its separator and encoding, if they can be recognised.

    Parameters
    ----------
    source : str
        The path of the file, for messages.
    data : bytes
        The content of the file.
    is_header : callable
        Returns whether cells are names of columns.
    example : str
        A header to show in the message on a table without one.

    Raises
    ------
    SheetError
        If the file is a workbook that cannot be read, is no text, or has no header.
    """
    found, recognised = _decoded(source, data)
    declared = _DECLARED.match(found.text)
    text = found.text[declared.end() :] if declared else found.text
    first_line = 2 if declared else 1
    candidates = declared[1] if declared else "".join(SEPARATORS)
    separator = _separator(text, candidates, is_header)
    if separator is None:
        got = next((x.strip() for x in text.splitlines() if x.strip(" ,;\t")), "")
        raise SheetError(
            f"{source} must start with the header {example}, got {quoted(got)}"
            + _how_to_mend(got, candidates, example)
        )
    header = next(_rows(source, text, separator, first_line))
    if separator != ",":
        name = SEPARATORS.get(separator, f"separated by {separator!r}")
        recognised.insert(0, name)
    return Sheet(
        source=source,
        text=text,
        first_line=first_line,
        header=header,
        separator=separator,
        recognised=tuple(recognised),
        doubt=found.doubt,
    )


def _decoded(source: str, data: bytes) -> tuple[Decoded, list[str]]:
    """Return the text of a file, and how the file differs from a CSV in UTF-8."""
    try:
        if is_workbook(data):
            sheet = first_sheet(source, data)
            return Decoded(sheet.text, PLAIN), [sheet.read_as]
        text = decoded(data)
    except WorkbookError as error:
        raise SheetError(str(error)) from None
    except EncodingError as error:
        raise SheetError(
            f"{source} {error}; save it as CSV in UTF-8: {SAVE_AS}"
        ) from None
    return text, [] if text.encoding == PLAIN else [text.encoding]


def _how_to_mend(first_row: str, candidates: str, example: str) -> str:
    """Return the end of the message on a first row that is no header.

    Where the row has one of the columns of the example, the others are named.
    """
    cells = re.split(f"[{re.escape(candidates)}]", first_row)
    cells = [cell.strip(' "').casefold() for cell in cells]
    wanted = example.split(",")
    missing = [name for name in wanted if name not in cells]
    if len(missing) in (0, len(wanted)):
        return (
            "; give the columns these names in the first line, separated by commas, "
            "semicolons or tabs"
        )
    columns = " and ".join(map(quoted, missing))
    return f", which has no column {columns}; add the column"


def _separator(
    text: str, candidates: str, is_header: Callable[[Sequence[str]], bool]
) -> str | None:
    """Return the separator with which the first row is a header; None if none does."""
    for separator in candidates:
        try:
            row = next(_rows("", text, separator, 1), None)
        except SheetError:
            continue
        if row is not None and is_header(row.cells):
            return separator
    return None


def _rows(
    source: str, text: str, separator: str, first_line: int
) -> Iterator[SheetRow]:
    """Yield each row that is not blank."""
    reader = csv.reader(lines_with_ends(text), delimiter=separator, strict=True)
    try:
        for cells in reader:
            stripped = [cell.strip() for cell in cells]
            while stripped and not stripped[-1]:
                del stripped[-1]
            if stripped:
                line = reader.line_num + first_line - 1
                yield SheetRow(line, tuple(stripped), len(cells))
    except csv.Error as error:
        raise SheetError(
            f"{source}, line {reader.line_num + first_line - 1}: not valid CSV: "
            f"{error}; mend the line"
        ) from None
