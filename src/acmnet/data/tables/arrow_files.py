"""Read and write tables as Parquet or Arrow files, column by column and part by part.

Files come from anywhere: a damaged one, and one without the columns that are needed, is
refused with a sentence that names it. The library pyarrow is imported only if such a
file is used.
"""

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from acmnet.files.file_access import open_regular, written_whole
from acmnet.files.strict_json import parse_json
from acmnet.limits import LARGEST_NOTE_BYTES
from acmnet.messages import one_line, quoted
from acmnet.names import listed_twice, one_form
from acmnet.segments import FloatArray, IntArray

if TYPE_CHECKING:
    import pyarrow

PARQUET: Final = (".parquet", ".pq")
ARROW: Final = (".arrow", ".feather")
ARROW_SUFFIXES: Final = PARQUET + ARROW
"""Suffixes of the files that are read and written here."""
ROWS_TOGETHER: Final = 2**20
"""At most this many rows of a Parquet file are in memory as Arrow's columns."""
METADATA_KEY: Final = b"acmnet"
"""The key in a file's metadata of what holds for all rows, as JSON."""
Batch = Mapping[str, "pyarrow.Array"]
"""Some successive rows of a table: a column of equal length for each name."""


def is_arrow(path: str | Path) -> bool:
    """Return whether a path has the suffix of a Parquet or an Arrow file.

    Examples
    --------
    >>> is_arrow("found.parquet"), is_arrow("found.json")
    (True, False)
    """
    return Path(path).suffix.lower() in ARROW_SUFFIXES


def column_names(path: Path, error: type[ValueError]) -> tuple[str, ...]:
    """Return the names of the columns of a Parquet or Arrow file."""
    table = ArrowTable(path, "table", texts=(), numbers=(), error=error)
    return tuple(table.schema.names)


class ArrowTable:
    """A Parquet or an Arrow file that is open to be read.

    Parameters
    ----------
    path : Path
        The file.
    kind : str
        What the file is, for messages, such as ``"detection file"``.
    texts, numbers : sequences of str
        Names of the columns that are read, with texts and with numbers in them.
    optional : sequence of str
        Those of them that the file need not have.
    error : type
        The exception of files that cannot be used.
    """

    def __init__(
        self,
        path: Path,
        kind: str,
        *,
        texts: Sequence[str],
        numbers: Sequence[str],
        error: type[ValueError],
        optional: Sequence[str] = (),
    ) -> None:
        arrow = needed_library(path, error)
        self.path, self.kind, self.error = path, kind, error
        self._texts, self._numbers = texts, numbers
        self._is_parquet = path.suffix.lower() in PARQUET
        self._file: Any
        with self._refusing(), open_regular(path, kind):
            pass  # a pipe or a folder is refused before pyarrow opens it
        with self._refusing():
            if self._is_parquet:
                import pyarrow.parquet as parquet

                self._file = parquet.ParquetFile(path)
                self.schema = self._file.schema_arrow
            else:
                self._file = arrow.ipc.open_file(arrow.memory_map(str(path)))
                self.schema = self._file.schema
        self._refuse_other_columns(arrow, optional)
        self._refuse_bomb()
        if self._is_parquet:
            known = [x for x in texts if x in self.schema.names]
            with self._refusing():
                self._file = parquet.ParquetFile(path, read_dictionary=known)

    def note(self) -> dict[str, Any]:
        """Return what acmnet noted for all rows; empty if another program wrote it."""
        text = (
            (self.schema.metadata or {})
            .get(METADATA_KEY, b"{}")
            .decode("utf-8", "replace")
        )
        if len(text) > LARGEST_NOTE_BYTES:
            raise self.error(f"{self.path}: its metadata is too large; write it again")
        values = parse_json(str(self.path), text, self.kind, self.error)
        return values if isinstance(values, dict) else {}

    def n_rows(self) -> int:
        """Return the number of rows."""
        with self._refusing():
            if self._is_parquet:
                return int(self._file.metadata.num_rows)
            return int(self._file.count_rows())

    def batches(self) -> Iterator[Batch]:
        """Yield the rows in their order, some of them at once."""
        names = [x for x in (*self._texts, *self._numbers) if x in self.schema.names]
        if self._is_parquet:
            parts = self._file.iter_batches(ROWS_TOGETHER, columns=names)
        else:
            parts = map(self._file.get_batch, range(self._file.num_record_batches))
        while True:
            with self._refusing():
                part = next(parts, None)
                if part is None:
                    return
                part.validate(full=True)
                columns = {name: self._column(part, name) for name in names}
            yield columns

    def _column(self, part: Any, name: str) -> "pyarrow.Array":
        """Return a column: numbers as float64, texts as indices into a dictionary."""
        import pyarrow

        column = part.column(part.schema.get_field_index(name))
        if name in self._numbers:
            return column.cast(pyarrow.float64())
        is_done = pyarrow.types.is_dictionary(column.type)
        return column if is_done else column.cast(pyarrow.string()).dictionary_encode()

    def _refuse_bomb(self) -> None:
        """Refuse a small file that would fill the memory: far more rows than bytes."""
        rows, size = self.n_rows(), self.path.stat().st_size
        if rows > max(ROWS_TOGETHER, size):
            raise self.error(
                f"{self.path} has {rows:,} rows in {size:,} bytes, which no "
                f"{self.kind} has: nearly all of them must be equal; remove those"
            )

    def _refuse_other_columns(self, arrow: Any, optional: Sequence[str]) -> None:
        """Refuse a file that lacks a column, or has one of another type."""
        types = arrow.types
        for name in (*self._texts, *self._numbers):
            if self.schema.names.count(name) != 1:
                if name in optional and name not in self.schema.names:
                    continue
                raise self.error(
                    f"{self.path} must have one column {name!r}, got the columns "
                    f"{quoted(', '.join(self.schema.names))}; name them as "
                    f"{', '.join((*self._texts, *self._numbers))}"
                )
            actual = self.schema.field(name).type
            value = actual.value_type if types.is_dictionary(actual) else actual
            is_text = types.is_string(value) or types.is_large_string(value)
            is_number = types.is_integer(actual) or types.is_floating(actual)
            is_blank = types.is_null(actual)
            fits = is_text if name in self._texts else is_number
            if not (fits or is_blank):
                what = "text" if name in self._texts else "numbers"
                raise self.error(
                    f"{self.path}: the column {name!r} must hold {what}, got {actual}; "
                    "write it as such"
                )

    @contextlib.contextmanager
    def _refusing(self) -> Iterator[None]:
        """Turn errors on a file that is damaged or cannot be read into a sentence."""
        import pyarrow

        try:
            yield
        except pyarrow.ArrowException as fault:
            raise self._damaged(fault) from None
        except OSError as fault:
            if isinstance(fault, ValueError):
                raise self.error(str(fault)) from None
            raise self._damaged(fault) from None

    def _damaged(self, fault: Exception) -> ValueError:
        why = fault.strerror if isinstance(fault, OSError) else None
        return self.error(
            f"{self.path} could not be read as a {self.kind}: "
            f"{why or one_line(fault)}; write the file again"
        )


def write_arrow(
    path: Path,
    columns: Mapping[str, "pyarrow.Array"],
    note: Mapping[str, object],
    error: type[ValueError],
) -> None:
    """Write a table, whole or not at all, as its suffix says.

    Parameters
    ----------
    path : Path
        The file, with one of `ARROW_SUFFIXES`.
    columns : mapping of name to array
        The columns, of equal length.
    note : mapping
        What holds for all rows, as JSON values; see `ArrowTable.note`.
    error : type
        The exception that is raised if pyarrow is not installed.
    """
    arrow = needed_library(path, error)
    table = arrow.table(dict(columns)).replace_schema_metadata(
        {METADATA_KEY: json.dumps(dict(note), allow_nan=False).encode()}
    )
    with written_whole(path) as part:
        if path.suffix.lower() in PARQUET:
            import pyarrow.parquet as parquet

            parquet.write_table(
                table, part, compression="zstd", row_group_size=ROWS_TOGETHER
            )
            return
        with arrow.ipc.new_file(str(part), table.schema) as file:
            file.write_table(table, max_chunksize=ROWS_TOGETHER)


class Names:
    """The distinct names of a column, in the order of their first use.

    Names are brought to their composed Unicode form.

    Parameters
    ----------
    path : Path
        The file, for messages.
    error : type, optional
        The exception if one name is spelt in two Unicode forms, which for videos is
        most likely a mistake. Without it such names are one.
    """

    def __init__(self, path: Path, error: type[ValueError] | None = None) -> None:
        self.path, self.error = path, error
        self.distinct: list[str] = []
        """The names, by their index."""
        self._place: dict[str, int] = {}
        self._spelt: dict[str, str] = {}

    def index(self, column: "pyarrow.Array") -> IntArray:
        """Return the index of each row's name; -1 for a blank."""
        codes, texts = _codes_of(column)
        place = np.full(len(texts) + 1, -1, np.int64)  # the last one is that of -1
        for code in _by_first_use(codes, len(texts)):
            spelt = texts[code]
            if spelt is not None:
                place[code] = self._place_of(spelt)
        return place[codes]

    def _place_of(self, spelt: str) -> int:
        """Return the index of a name, which is added if it is new."""
        name = one_form(spelt)
        is_new_form = (
            not name.isascii() and self._spelt.setdefault(name, spelt) != spelt
        )
        if is_new_form and self.error is not None:
            raise self.error(listed_twice(str(self.path), name))
        place = self._place.setdefault(name, len(self.distinct))
        if place == len(self.distinct):
            self.distinct.append(name)
        return place


def _by_first_use(codes: IntArray, n: int) -> list[int]:
    """Return the codes from 0 to n - 1 that are used, in the order of their first use.

    Examples
    --------
    >>> _by_first_use(np.array([2, -1, 0, 2]), 4)
    [2, 0]
    """
    first = np.full(n + 1, len(codes))
    first[codes[::-1]] = np.arange(len(codes))[::-1]  # the first one is written last
    used = np.flatnonzero(first[:n] < len(codes))
    order: list[int] = used[np.argsort(first[used])].tolist()
    return order


def _codes_of(column: "pyarrow.Array") -> tuple[IntArray, list[str | None]]:
    """Return the index of each row's text, -1 for a blank, and the distinct texts."""
    import pyarrow.compute as compute

    index = compute.fill_null(column.indices.cast("int64"), -1)
    return index.to_numpy(zero_copy_only=False), column.dictionary.to_pylist()


def numbers_of(column: "pyarrow.Array") -> FloatArray:
    """Return the numbers of a column as float64, NaN for a blank."""
    result: FloatArray = np.asarray(column.to_numpy(zero_copy_only=False), np.float64)
    return result


def named_column(names: Sequence[str], index: IntArray) -> "pyarrow.Array":
    """Return a column of texts: for each row an index into names, -1 for a blank."""
    import pyarrow

    codes = pyarrow.array(index, pyarrow.int32(), mask=index < 0)
    return pyarrow.DictionaryArray.from_arrays(
        codes, pyarrow.array(list(names), pyarrow.string())
    )


def number_column(values: FloatArray) -> "pyarrow.Array":
    """Return a column of numbers; NaN is a blank."""
    import pyarrow

    return pyarrow.array(values, pyarrow.float64(), from_pandas=True)


def needed_library(path: Path, error: type[ValueError]) -> Any:
    """Import pyarrow, or say how it is installed."""
    try:
        import pyarrow
        import pyarrow.ipc
    except ImportError:
        raise error(
            f"{path} needs pyarrow, which is not installed: pip install "
            "'acmnet[tables]', or give the file as JSON"
        ) from None
    return pyarrow
