"""Write CSV for spreadsheets, in which names stay names and decimals stay decimals."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Final

Cell = str | int | float | None
"""A cell of a table; None becomes a blank cell."""
FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""Characters at the start of a cell that make a spreadsheet compute it as a formula. A
name that starts with one is written with an apostrophe in front."""


def table_csv(
    columns: Sequence[str],
    rows: Iterable[Sequence[Cell]],
    *,
    decimal_comma: bool = False,
) -> str:
    """Return a table for spreadsheets, with a byte order mark.

    Parameters
    ----------
    columns : sequence of str
        The header.
    rows : iterable of sequences of cells
        The rows. Numbers with a fraction get up to six digits after the point.
    decimal_comma : bool
        Write decimal commas, and semicolons between the cells, for spreadsheets in
        languages that have decimal commas.
    """

    def cell(value: Cell) -> str:
        if value is None:
            return ""
        if isinstance(value, str):
            return guarded(value)
        text = str(round(value, 6))
        return text.replace(".", ",") if decimal_comma else text

    out = io.StringIO()
    writer = csv.writer(out, delimiter=";" if decimal_comma else ",")
    writer.writerow([guarded(x) for x in columns])
    writer.writerows([cell(x) for x in row] for row in rows)
    return "\ufeff" + out.getvalue()


def guarded(name: str) -> str:
    """Return a name that spreadsheets do not take for a formula.

    Tables for other programs have names as they are: such a program would take the
    apostrophe for a part of the name.

    Examples
    --------
    >>> guarded("=1+1"), guarded("jump")
    ("'=1+1", 'jump')
    """
    return f"'{name}" if name.lstrip("'").startswith(FORMULA) else name


def unguarded(name: str) -> str:
    """Return a name without the apostrophe that `guarded` put in front."""
    is_guarded = name[:1] == "'" and name.lstrip("'").startswith(FORMULA)
    return name[1:] if is_guarded else name
