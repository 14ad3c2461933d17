"""Read the first sheet of an Excel workbook (.xlsx) as the text of a CSV.

What reads CSV reads workbooks, too, in this way. The lines of the text are the rows of
the sheet, so that messages name the row that a person sees. Other files of spreadsheet
programs (.xls, .ods, .numbers) are refused.
"""

import csv
import datetime
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from acmnet.files.text_files import read_content
from acmnet.limits import LARGEST_TEXT_BYTES
from acmnet.messages import one_line, quoted

SAVE_AS: Final = (
    'in Excel, File > Save As > "CSV UTF-8 (Comma delimited)"; in LibreOffice, File > '
    'Save As > "Text CSV", character set "Unicode (UTF-8)"; in Google Sheets, File > '
    'Download > "Comma Separated Values"; in Numbers, File > Export To > CSV, encoding '
    '"Unicode (UTF-8)"'
)
"""How to save a table so that it can be read, for messages."""

WORKBOOKS: Final = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")
"""First bytes of the files of spreadsheet programs: of .xlsx, .ods and .numbers, and of
.xls."""


class WorkbookError(ValueError):
    """A workbook that cannot be read; the message names the file and what to do."""


class FirstSheet(NamedTuple):
    """The first sheet of a workbook that is not empty."""

    text: str
    """Its cells as a CSV with commas; a line for each row, blank rows included."""
    read_as: str
    """Which sheet was read, such as ``"sheet 'Labels', one of 2, of an Excel
    workbook"``."""


def is_workbook(data: bytes) -> bool:
    """Return whether bytes are a file of a spreadsheet program."""
    return data.startswith(WORKBOOKS)


def read_table_content(path: Path, kind: str, error: type[ValueError]) -> bytes:
    """Return the bytes of a file, of a workbook its first sheet as a CSV in UTF-8.

    Parameters
    ----------
    path : Path
        The file.
    kind : str
        What the file is, for messages, such as ``"label file"``.
    error : type
        The exception to raise if the file, or the workbook, cannot be read.
    """
    data = read_content(path, kind, error)
    if not is_workbook(data):
        return data
    try:
        return first_sheet(str(path), data).text.encode()
    except WorkbookError as fault:
        raise error(str(fault)) from None


def first_sheet(source: str, data: bytes) -> FirstSheet:
    """Return the first visible sheet of a workbook that is not empty.

    Cells are written as a spreadsheet shows them, as far as that can matter: whole
    numbers without a decimal point, leading zeros of a format such as ``000``, dates
    as ``2026-11-28``, times as ``01:05:00``. A line break within a cell becomes a
    blank.

    Parameters
    ----------
    source : str
        The path of the file, for messages.
    data : bytes
        The content of the file, for which `is_workbook` is true.

    Raises
    ------
    WorkbookError
        If the file is of another kind than .xlsx, is damaged or too large, is empty,
        or has a cell with an error or with a formula whose result was not saved.
    """
    from openpyxl import load_workbook  # 0.2 s, and few commands read a workbook

    _refuse_other_kinds(source, data)
    try:
        results, formulas = (
            load_workbook(io.BytesIO(data), read_only=True, data_only=data_only)
            for data_only in (True, False)
        )
        visible = [x for x in results.worksheets if x.sheet_state == "visible"]
        texts = ((x, _text(source, x, formulas[x.title])) for x in visible)
        found = next(((x, text) for x, text in texts if text.strip(",\r\n")), None)
    except WorkbookError:
        raise
    except Exception as fault:  # noqa: BLE001 - its parsers raise anything
        raise WorkbookError(
            f"{source} is no whole Excel workbook ({one_line(fault)}); save it as CSV: "
            f"{SAVE_AS}"
        ) from None
    if found is None:
        raise WorkbookError(f"{source} has no sheet with cells; fill its first sheet")
    sheet, text = found
    place = f", one of {len(visible)}," if len(visible) > 1 else ""
    return FirstSheet(text, f"sheet {quoted(sheet.title)}{place} of an Excel workbook")


def _refuse_other_kinds(source: str, data: bytes) -> None:
    """Refuse what is no .xlsx, or holds more than a text may."""
    try:
        entries = zipfile.ZipFile(io.BytesIO(data)).infolist()
    except zipfile.BadZipFile:
        entries = []
    if "xl/workbook.xml" not in {entry.filename for entry in entries}:
        raise WorkbookError(
            f"{source} is a spreadsheet's own file, and of those only whole .xlsx are "
            f"read; save it as .xlsx or as CSV: {SAVE_AS}"
        )
    if sum(entry.file_size for entry in entries) > LARGEST_TEXT_BYTES:
        raise WorkbookError(
            f"{source} holds more than {LARGEST_TEXT_BYTES / 2**20:,.0f} MiB when it "
            "is unpacked, the most that a table may; is it the right file?"
        )


def _text(source: str, results: Any, formulas: Any) -> str:
    """Return the cells of a sheet as a CSV.

    ``results`` has the results of formulas, and ``formulas`` the formulas themselves.
    """
    for sheet in (results, formulas):
        sheet.reset_dimensions()  # the size that the file states may be wrong
    pairs = zip(results.rows, formulas.rows, strict=True)
    rows = [[*_cells(source, row, row_formulas)] for row, row_formulas in pairs]
    width = max(map(len, rows), default=0)
    text = io.StringIO()
    csv.writer(text).writerows([*row, *[""] * (width - len(row))] for row in rows)
    return text.getvalue()


def _cells(source: str, row: Any, formulas: Any) -> Iterator[str]:
    """Yield the texts of a row's cells."""
    for cell, formula in zip(row, formulas, strict=True):
        if cell.data_type == "e":
            raise WorkbookError(
                f"{source}: cell {cell.coordinate} holds {cell.value}, the error of a "
                "formula; mend it"
            )
        if cell.value is None and formula.data_type == "f":
            raise WorkbookError(
                f"{source}: the result of the formula in cell {formula.coordinate} was "
                "not saved; open the file in a spreadsheet program and save it there"
            )
        yield _shown(cell)


def _shown(cell: Any) -> str:
    """Return the text of a cell as a spreadsheet shows it."""
    value = cell.value
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, datetime.datetime) and value.time() == datetime.time():
        return value.date().isoformat()
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and set(cell.number_format) == {"0"}:
        return str(value).zfill(len(cell.number_format))
    return " ".join(str(value).splitlines())
