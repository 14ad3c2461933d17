"""Tables of SimBA and DeepEthogram: a row for each frame, a column for a behaviour.

One file is for one video, and its name is that of the video. A cell is 1 while the
behaviour is seen and 0 otherwise. Both tools count frames, so the frame rate has to be
stated when such a table is read or written.

SimBA's tables (``targets_inserted``, ``machine_results``) have columns of positions and
features first and the behaviours last. Where columns ``Probability_X`` exist, the
behaviours are those of that name; otherwise they are the last columns that hold nothing
but 0 and 1. Columns that name themselves ``Low_prob`` are features. Written tables have
the behaviours only, which SimBA appends to its features.

DeepEthogram's tables have a column ``background`` that is 1 where no behaviour is seen.

Tables hold neither scores, points, subsets nor behaviours without a time. Segments of
one behaviour that overlap or touch become one. The duration is that of all rows.

References
----------
SimBA, docs/labelling_mouse_behavior.md, and the files of its ``tests/data``:
https://github.com/sgoldenlab/simba. DeepEthogram, docs/file_structure.md:
https://github.com/jbohnslav/deepethogram
"""

import array
import csv
import dataclasses
import io
from collections.abc import Iterator
from typing import Final

from acmnet.data.formats.exchange_format import Content, Format, Parsed, Source
from acmnet.data.formats.field_checks import action_name, video_name, video_of
from acmnet.data.formats.mark_list import MarkList
from acmnet.data.labels.annotations import AnnotationError
from acmnet.files.text_files import lines_with_ends
from acmnet.limits import finite
from acmnet.messages import counted, quoted, some

BACKGROUND: Final = "background"
PROBABILITY: Final = "probability_"
"""Start of the names of SimBA's columns of probabilities, in lower case."""
FEATURES: Final = ("low_prob", PROBABILITY)
"""Starts of names of columns that are not behaviours though they may hold 0 and 1."""
SEPARATORS: Final = ",\t;"
ONE: Final = frozenset({"1", "1.0"})
ZERO: Final = frozenset({"0", "0.0", ""})
MOST_FRAMES: Final = 10_000_000
"""Rows of a table that is written, at most: 46 hours at 60 frames a second."""


class _Column:
    """One column of a table: its name, and where its cells are 1."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_binary = not name.casefold().startswith(FEATURES)
        """Whether all cells so far are 0 or 1."""
        self.runs = array.array("l")
        """First row of each run of ones and the row after it, in turn."""
        self.since: int | None = None

    def add(self, row: int, cell: str) -> None:
        """Read the cell of a row."""
        if cell in ONE:
            self.since = row if self.since is None else self.since
        elif cell in ZERO:
            self.stop(row)
        else:
            self.is_binary = False

    def stop(self, row: int) -> None:
        """End the run of ones, if there is one, before a row."""
        if self.since is not None:
            self.runs.extend((self.since, row))
            self.since = None


def _rows(source: Source) -> Iterator[tuple[int, list[str]]]:
    """Yield the number of the line and the cells of each row that is not blank."""
    text = source.text()
    first = text.split("\n", 1)[0]
    separator = max(SEPARATORS, key=first.count)
    reader = csv.reader(lines_with_ends(text), delimiter=separator, strict=True)
    try:
        for cells in reader:
            if any(cells):
                yield reader.line_num, [cell.strip() for cell in cells]
    except csv.Error as error:
        raise AnnotationError(
            f"{source.path}, line {reader.line_num}: not valid CSV: {error}; mend the "
            "line"
        ) from None


def _read_columns(source: Source) -> tuple[list[_Column], int]:
    """Return the columns after the first, which numbers the frames, and their rows."""
    rows = _rows(source)
    _, header = next(rows, (0, []))
    if len(header) < 2:
        raise AnnotationError(
            f"{source.path} must start with a header of the frame's number and of "
            f"behaviours, such as frame,Attack,Sniffing, got {quoted(','.join(header))}"
        )
    columns = [_Column(name) for name in header[1:]]
    binary = [pair for pair in enumerate(columns, start=1) if pair[1].is_binary]
    n = 0
    for line, cells in rows:
        if len(cells) != len(header):
            raise AnnotationError(
                f"{source.path}, line {line}: a row needs {len(header)} cells, got "
                f"{len(cells)}; correct the line, or write the file again"
            )
        for place, column in binary:
            cell = cells[place]
            column.add(n, cell)
            if not column.is_binary and finite(cell, in_quotes=True) is None:
                raise AnnotationError(
                    f"{source.path}, line {line}: {quoted(column.name)} must be a "
                    f"number, got {quoted(cell)}; correct it"
                )
        if not all(column.is_binary for _, column in binary):
            # features, whose further cells need not be looked at
            binary = [pair for pair in binary if pair[1].is_binary]
        n += 1
    for column in columns:
        column.stop(n)
    return columns, n


def _behaviours(columns: list[_Column]) -> list[_Column]:
    """Return the columns of behaviours."""
    named = {x.name.casefold() for x in columns}
    predicted = [x for x in columns if PROBABILITY + x.name.casefold() in named]
    if predicted:
        return predicted
    behaviours: list[_Column] = []
    for column in reversed(columns):
        if not column.is_binary:
            break
        behaviours.insert(0, column)
    return [x for x in behaviours if x.name.casefold() != BACKGROUND]


def read(source: Source) -> Parsed:
    """Return the video of a table."""
    video = video_name(str(source.path), source.path.stem)
    fps = source.frame_rate(video)
    columns, n = _read_columns(source)
    chosen = _behaviours(columns)
    bad = [x for x in chosen if not x.is_binary]
    if not chosen or bad:
        name = bad[0].name if bad else columns[-1].name
        raise AnnotationError(
            f"{source.path}: a column of a behaviour holds nothing but 0 and 1, but "
            f"{quoted(name)} holds other values; correct it, or remove the column"
        )
    names = [action_name(f"{source.path}, line 1", x.name) for x in chosen]
    if len(set(names)) < len(names):
        twice = next(x for x in names if names.count(x) > 1)
        raise AnnotationError(
            f"{source.path}, line 1: the column {quoted(twice)} is there twice; rename "
            "one"
        )
    marks = MarkList()
    for name, column in zip(names, chosen, strict=True):
        where = f"{source.path}: column {quoted(name)}"
        for start, end in zip(column.runs[::2], column.runs[1::2], strict=True):
            marks.add_segment(where, name, start / fps, end / fps)
    others = [x.name for x in columns if x not in chosen and x.name != BACKGROUND]
    notes = []
    if others:
        columns_left = counted(len(others), "column")
        notes.append(
            f"{source.path}: {columns_left} not read as behaviours: {some(others)}"
        )
    marked_video = video_of(video, *marks.of_video(), duration_s=n / fps)
    return Parsed([marked_video], tuple(names), tuple(notes))


def _table(content: Content, first: tuple[str, ...]) -> str:
    """Return a table; ``first`` names columns between the frames and the behaviours."""
    (video,) = content.videos
    n = content.frames(video.duration_s or 0.0)
    if n > MOST_FRAMES:
        raise AnnotationError(
            f"video {quoted(video.id)} has too many frames for a table of frames "
            f"({n:,}, at most {MOST_FRAMES:,} are written); check its "
            "duration and --fps"
        )
    names = content.class_names
    if not names:
        raise AnnotationError(
            "a table with a column for each behaviour can hold none of this, because "
            "no behaviour is named"
        )
    cells = {name: bytearray(b"0") * n for name in names}
    for instance in video.instances:
        start, end = map(
            content.frames, (instance.segment.start_s, instance.segment.end_s)
        )
        cells[instance.label][start:end] = b"1" * (end - start)
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["", *first, *names])
    for row in range(n):
        cells_of_row = [chr(cells[name][row]) for name in names]
        extra = ["0" if "1" in cells_of_row else "1" for _ in first]
        writer.writerow([row, *extra, *cells_of_row])
    return out.getvalue()


def write_simba(content: Content) -> str:
    """Return the table of one video for SimBA."""
    return _table(content, ())


def write_deepethogram(content: Content) -> str:
    """Return the table of one video for DeepEthogram."""
    return _table(content, (BACKGROUND,))


def spelt(name: str) -> str:
    """Return a name that is not taken for a column of features.

    Examples
    --------
    >>> spelt("background"), spelt("Attack")
    ('_background', 'Attack')
    """
    is_other = name.casefold().startswith((BACKGROUND, *FEATURES))
    return f"_{name}" if is_other else name


SIMBA: Final = Format(
    name="simba",
    title="a SimBA table",
    suffixes=(".csv", ".tsv"),
    holds=("every frame", "classes", "videos without marks"),
    unit="frames",
    one_file="video",
    read=read,
    write=write_simba,
    spelt=spelt,
)
DEEPETHOGRAM: Final = dataclasses.replace(
    SIMBA, name="deepethogram", title="a DeepEthogram table", write=write_deepethogram
)
