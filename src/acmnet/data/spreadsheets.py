"""Tables as spreadsheets save them: separators, encodings, blank rows and columns.

Nothing here knows what the columns mean; whoever reads a table says what its header
looks like, and the separator is the one under which the first row is such a header.
"""

import csv
import dataclasses
import io
import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from acmnet.data.text_encodings import PLAIN, EncodingError, decoded
from acmnet.messages import quoted

SAVE_AS: Final = (
    'in Excel, File > Save As > "CSV UTF-8 (Comma delimited)"; in LibreOffice, File > '
    'Save As > "Text CSV", character set "Unicode (UTF-8)"; in Google Sheets, File > '
    'Download > "Comma Separated Values"; in Numbers, File > Export To > CSV, encoding '
    '"Unicode (UTF-8)"'
)
"""How to save what can be read."""

SEPARATORS: Final = {
    ",": "comma-separated",
    ";": "semicolon-separated",
    "\t": "tab-separated",
}

WORKBOOKS: Final = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")
"""How the files of spreadsheets start: of .xlsx, .ods and .numbers, and of .xls."""

_DECLARED: Final = re.compile(r'"?sep=(.)"?[,;\t]*(?:\r\n?|\n|$)', re.IGNORECASE)


class SheetError(ValueError):
    """A table that cannot be read, with its file, its line and what to do."""


@dataclasses.dataclass(frozen=True)
class Row:
    """A row that is not blank."""

    line: int
    """Of the file, from 1; the last one where cells hold line breaks."""
    cells: tuple[str, ...]
    """Without blanks around them and without blank cells at the end; one or more."""
    width: int
    """Cells, those at the end included."""


@dataclasses.dataclass(frozen=True)
class Sheet:
    """A table of cells."""

    source: str
    """The file, for messages."""
    text: str
    """Without a line that declares the separator."""
    first_line: int
    """Of the file, where the text starts."""
    header: Row
    separator: str
    recognised: tuple[str, ...]
    """What is not as in a plain CSV, such as ``("semicolon-separated",)``."""
    doubt: str
    """What else the text could be, in words; empty where nothing else fits."""

    def rows(self) -> Iterator[Row]:
        """Yield each row below the header, one at a time: a table may be large.

        Raises
        ------
        SheetError
            At a line whose quotes make no cells.
        """
        rows = _rows(self.source, self.text, self.separator, self.first_line)
        return itertools.islice(rows, 1, None)


def read_sheet(
    source: str, data: bytes, is_header: Callable[[Sequence[str]], bool], example: str
) -> Sheet:
    """Return the cells of a table in any separator and encoding that can be told.

    Parameters
    ----------
    source : str
        The file, for messages.
    data : bytes
        What it holds.
    is_header : callable
        Whether cells are the names of columns.
    example : str
        A header, for the refusal of a table without any.

    Raises
    ------
    SheetError
        If it is a spreadsheet's own file, no text, or has no such header.
    """
    if data.startswith(WORKBOOKS):
        raise SheetError(
            f"{source} is a spreadsheet's own file, not a CSV; save it as one: "
            f"{SAVE_AS}"
        )
    try:
        found = decoded(data)
    except EncodingError as error:
        raise SheetError(
            f"{source} {error}; save it as CSV in UTF-8: {SAVE_AS}"
        ) from None
    declared = _DECLARED.match(found.text)
    text = found.text[declared.end() :] if declared else found.text
    first_line = 2 if declared else 1
    candidates = declared[1] if declared else "".join(SEPARATORS)
    separator = _separator(text, candidates, is_header)
    if separator is None:
        got = next((x.strip() for x in text.splitlines() if x.strip(" ,;\t")), "")
        raise SheetError(
            f"{source} must start with the header {example}, got {quoted(got)}; add "
            "it, with commas, semicolons or tabs between the columns"
        )
    header = next(_rows(source, text, separator, first_line))
    recognised = []
    if separator != ",":
        name = SEPARATORS.get(separator, f"separated by {separator!r}")
        recognised.append(name)
    if found.encoding != PLAIN:
        recognised.append(found.encoding)
    form = (separator, tuple(recognised), found.doubt)
    return Sheet(source, text, first_line, header, *form)


def _separator(
    text: str, candidates: str, is_header: Callable[[Sequence[str]], bool]
) -> str | None:
    """Return the separator under which the first row is a header; None without one."""
    for separator in candidates:
        try:
            row = next(_rows("", text, separator, 1), None)
        except SheetError:
            continue
        if row is not None and is_header(row.cells):
            return separator
    return None


def _rows(source: str, text: str, separator: str, first_line: int) -> Iterator[Row]:
    """Yield each row that is not blank."""
    lines = io.StringIO(text, newline="")
    reader = csv.reader(lines, delimiter=separator, strict=True)
    try:
        for cells in reader:
            stripped = [cell.strip() for cell in cells]
            while stripped and not stripped[-1]:
                del stripped[-1]
            if stripped:
                line = reader.line_num + first_line - 1
                yield Row(line, tuple(stripped), len(cells))
    except csv.Error as error:
        raise SheetError(
            f"{source}, line {reader.line_num + first_line - 1}: not valid CSV: "
            f"{error}; mend the line"
        ) from None
