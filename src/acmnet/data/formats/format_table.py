"""The table of all formats, and the only place where the format of a file is decided.

The suffix decides; where several formats share a suffix, the content of the file does,
or the name of the format that the user gives.
"""

import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from acmnet.data.formats.annotation_files import (
    boris_project,
    boris_tables,
    caltech,
    cvat,
    elan,
    fiftyone,
    frame_tables,
    label_studio,
    thumos_text,
    via3,
)
from acmnet.data.formats.exchange_format import Format
from acmnet.data.formats.media_editors import (
    audacity,
    audition_markers,
    edit_decisions,
    subtitle_cues,
)
from acmnet.data.formats.own_formats import ARROW, CSV, JSON, PARQUET
from acmnet.data.labels.annotations import AnnotationError
from acmnet.data.labels.json_files.label_json import KIND
from acmnet.data.labels.tables.label_columns import is_header
from acmnet.data.tables.text_encodings import EncodingError, decoded
from acmnet.data.tables.workbooks import is_workbook, read_table_content
from acmnet.files.file_access import FileError, open_regular
from acmnet.files.text_files import lines_with_ends
from acmnet.limits import finite
from acmnet.messages import did_you_mean, quoted

OWN: Final = (JSON, CSV, PARQUET, ARROW)
"""Formats that `acmnet.data.label_files` reads."""
FORMATS: Final[tuple[Format, ...]] = (
    JSON,
    CSV,
    PARQUET,
    ARROW,
    thumos_text.FORMAT,
    boris_project.FORMAT,
    boris_tables.FORMAT,
    elan.FORMAT,
    via3.FORMAT,
    label_studio.FORMAT,
    cvat.FORMAT,
    fiftyone.FORMAT,
    caltech.FORMAT,
    frame_tables.SIMBA,
    frame_tables.DEEPETHOGRAM,
    audacity.FORMAT,
    subtitle_cues.SRT,
    subtitle_cues.WEBVTT,
    edit_decisions.FORMAT,
    audition_markers.FORMAT,
)
"""All formats. If several share a suffix, the first of them is written."""
BY_NAME: Final = {one.name: one for one in FORMATS}
NAMES: Final = tuple(BY_NAME)
HEAD: Final = 2**20
"""How many bytes at the start of a file are read to recognise its format."""
HEADER_ROWS: Final = 60
"""How many lines are searched for the header of a BORIS table."""

_KEY: Final = r'"{}"\s*:'
_TIMES: Final = re.compile(r"-?\d+(\.\d+)?\t-?\d+(\.\d+)?\t")
_VIDEO_AND_TIMES: Final = re.compile(r"\S.*[ \t]\d+(\.\d+)?[ \t]+\d+(\.\d+)?\s*")


class FormatError(ValueError):
    """A format that is not known or cannot do what is requested."""


def format_named(name: str) -> Format:
    """Return the format of a name that a user gave.

    Raises
    ------
    FormatError
        If there is no such format.
    """
    named = BY_NAME.get(name.casefold())
    if named is None:
        raise FormatError(
            f"there is no format {quoted(name)}; the formats are {', '.join(NAMES)}"
        )
    return named


def own_format(path: Path) -> Format:
    """Return which of acmnet's own formats a file has, by its suffix."""
    suffix = path.suffix.lower()
    return next(
        (file_format for file_format in OWN if suffix in file_format.suffixes), CSV
    )


def format_to_write(path: Path) -> Format | None:
    """Return the first format with the suffix of a path; None if there is none."""
    suffix = path.suffix.lower()
    return next(
        (file_format for file_format in FORMATS if suffix in file_format.suffixes), None
    )


def target_format(out: Path, named: str | None) -> Format:
    """Return the format in which to write a file or a folder.

    Parameters
    ----------
    out : Path
        Where it is to be written; its suffix tells the format.
    named : str or None
        The name of the format, which counts more than the suffix.

    Raises
    ------
    FormatError
        If there is no such format, or the suffix does not tell it.
    """
    if named is not None:
        return format_named(named)
    by_suffix = format_to_write(out)
    if by_suffix is None or out.suffix.lower() == ".txt":
        got = f"ends with {out.suffix!r}" if out.suffix else "has no suffix"
        suffixes = [
            suffix for file_format in FORMATS for suffix in file_format.suffixes
        ]
        raise FormatError(
            f"{out} {got}, which does not tell the format to write; "
            f"{did_you_mean(out.suffix, suffixes)}name the format with --to-format, "
            f"one of {', '.join(NAMES)}"
        )
    return by_suffix


def format_of_file(path: Path) -> Format:
    """Return the format of a label file; that of a table if none is recognised."""
    suffix = path.suffix.lower()
    shared = [file_format for file_format in FORMATS if suffix in file_format.suffixes]
    if len(shared) == 1 and suffix != ".xml":
        return shared[0]
    head = start_of(path)
    fits = [
        file_format
        for file_format in _by_content(head)
        if file_format in shared or not shared
    ]
    return [*fits, JSON if suffix == ".json" else CSV][0]


def start_of(path: Path) -> str:
    """Return the start of a file as text; empty if it is no text.

    Of an Excel workbook it is the text of its first sheet.
    """
    try:
        with open_regular(path, KIND) as file:
            data = file.read(HEAD)
        if is_workbook(data):
            data = read_table_content(path, KIND, AnnotationError)
    except (FileError, OSError, AnnotationError):
        return ""
    try:
        return decoded(data).text
    except EncodingError:
        return data.decode("latin-1")


def _by_content(head: str) -> Iterator[Format]:
    """Yield the formats that a file may have that starts so, the likeliest first."""
    start = head.lstrip()
    if start[:1] in ("{", "["):
        yield _of_json(start)
    elif start.startswith("<"):
        yield elan.FORMAT if "<ANNOTATION_DOCUMENT" in start else cvat.FORMAT
    elif start.startswith("WEBVTT"):
        yield subtitle_cues.WEBVTT
    elif start.casefold().startswith((caltech.BENTO, caltech.ANNOTATOR)):
        yield caltech.FORMAT
    else:
        yield from _of_table(start)


def is_results_json(head: str) -> bool:
    """Return whether JSON that starts so is ActivityNet's results, not labels."""
    has_labels = re.search(_KEY.format("database"), head)
    return not has_labels and re.search(_KEY.format("results"), head) is not None


def _of_json(head: str) -> Format:
    """Return the format of JSON that starts so."""

    def has(*keys: str) -> bool:
        return all(re.search(_KEY.format(key), head) for key in keys)

    if head.startswith("["):
        return label_studio.FORMAT if has("data") else JSON
    if has("database") or is_results_json(head):
        return JSON
    if has("observations") or has("project_format_version"):
        return boris_project.FORMAT
    if "__VIA_PROJECT_ID__" in head or has("attribute", "view"):
        return via3.FORMAT
    if has("labels") and (has("timestamps") or has("support") or has("classes")):
        return fiftyone.FORMAT
    if has("data") and has("annotations", "result"):
        return label_studio.FORMAT
    return JSON


def _of_table(head: str) -> Iterator[Format]:
    """Yield the formats of a table that starts so."""
    filled = (line for line in lines_with_ends(head) if line.strip())
    lines = [line.rstrip("\r\n") for line in itertools.islice(filled, HEADER_ROWS)]
    first = lines[0] if lines else ""
    separator = max(",\t;", key=first.count)
    rows = [
        [cell.strip().strip('"') for cell in line.split(separator)] for line in lines
    ]
    if any(boris_tables.columns_of(cells) for cells in rows):
        yield boris_tables.FORMAT
    if rows and is_header(rows[0]):
        yield CSV
    if tuple(rows[0][:3] if rows else ()) == audition_markers.HEADER[:3]:
        yield audition_markers.FORMAT
    if len(rows) > 1 and len(rows[0]) > 1 and _are_frames(rows[0], rows[1]):
        names = [x.casefold() for x in rows[0]]
        is_with_background = frame_tables.BACKGROUND in names
        yield frame_tables.DEEPETHOGRAM if is_with_background else frame_tables.SIMBA
    if _TIMES.match(first):
        yield audacity.FORMAT
    if _VIDEO_AND_TIMES.fullmatch(first):
        yield thumos_text.FORMAT


def _are_frames(header: list[str], row: list[str]) -> bool:
    """Return whether a row has nothing but numbers, below names of columns."""
    numbers = [finite(cell or 0, in_quotes=True) is not None for cell in row]
    names = [finite(cell, in_quotes=True) is None for cell in header[1:]]
    return len(row) == len(header) and all(numbers) and all(names)
