"""Read label files: which actions a video shows and, if known, from when to when.

Two formats are read here: JSON in the form of ActivityNet's files, which THUMOS-14's
files have, too, and BMN's nearly (`acmnet.data.labels.json_files`), and a table of
video names with their labels (`acmnet.data.labels.tables`). Files of other programs are
read by `acmnet.data.formats`.
"""

import codecs
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from acmnet.data.formats.exchange_format import FrameRates
from acmnet.data.formats.reading import foreign_format, read_foreign
from acmnet.data.labels.annotations import AnnotationError, Annotations
from acmnet.data.labels.contradictions import contradictions
from acmnet.data.labels.json_files.label_json import KIND, no_video, read_label_json
from acmnet.data.labels.tables.arrow_labels import read_arrow_labels
from acmnet.data.labels.tables.label_columns import EXAMPLE, LabelTableError, is_header
from acmnet.data.labels.tables.label_tables import read_label_table
from acmnet.data.labels.tables.tabled_videos import WATCHED, TabledVideos
from acmnet.data.tables.arrow_files import is_arrow
from acmnet.data.tables.spreadsheets import SheetError, read_sheet
from acmnet.files.text_files import read_content, read_text
from acmnet.messages import did_you_mean

TABLES = (".csv", ".tsv", ".tab")
"""Suffixes of label files that are read as tables, whatever their content."""

EMPTY = "a label file names at least one video"
"""What messages on an empty file advise."""


def read_annotations(path: str | Path, fps: FrameRates | None = None) -> Annotations:
    """Read a label file, as JSON or as a table by its suffix or else its content.

    Parameters
    ----------
    path : str or Path
        One of these:

        - JSON as ActivityNet's, ``database -> video -> subset, duration, annotations ->
          [{label, segment}]``, with times in seconds, as numbers or as text. A video
          may lack ``subset`` and ``duration``, and may have ``watched``
          (`acmnet.data.labels.json_files.watched_json`). An annotation may have a
          ``point`` in place of the segment, or neither.
        - Such videos without ``database``, as BMN's files of ActivityNet have them
          (`acmnet.data.labels.json_files.bmn_annotations`).
        - A table with the header ``video,labels``, labels separated by ``|``, and
          optional columns ``subset``, ``duration``, ``start`` and ``end``
          (`acmnet.data.labels.tables.row_marks`). A known video suffix is taken off the
          video's name. Other separators, encodings and names of these columns are
          recognised, and the notes of the returned annotations state them. The table
          may be the first sheet of an Excel workbook.
        - A Parquet or Arrow file (`acmnet.data.labels.tables.arrow_labels`), which is
          the one for a million videos.
        - A file in a format of another program, or a folder with such a file for each
          video (`acmnet.data.formats.format_table`).
    fps : float or callable, optional
        Frames per second of the videos, which is needed for labels that count frames;
        or a function that returns them for a video by its id.

    Returns
    -------
    Annotations
        The classes are the JSON's ``taxonomy`` (its leaves, where it is a tree) or
        ``classes``; without either, all labels of the file, sorted.

    Raises
    ------
    AnnotationError
        If the file cannot be read, or contradicts itself: a video is listed twice, a
        label is not in the class list, a segment ends before it starts, or a video's
        marks contradict each other (`acmnet.data.labels.contradictions`).
    """
    path = Path(path)
    if is_arrow(path):
        return read_arrow_labels(path)
    foreign = foreign_format(path)
    if foreign is not None:
        return read_foreign(path, foreign, fps)
    return read_own(path, as_json=is_json(path))


def read_own(path: Path, *, as_json: bool) -> Annotations:
    """Read a label file in one of acmnet's own formats; see `read_annotations`.

    Parameters
    ----------
    path : Path
        The file.
    as_json : bool
        Whether it is read as JSON, or as a table.
    """
    if as_json:
        return read_label_json(str(path), read_text(path, KIND, AnnotationError, EMPTY))
    return read_table(path, refuse_row)


def is_json(path: Path) -> bool:
    """Return whether a label file is JSON, by its suffix or else its first character.

    Raises
    ------
    AnnotationError
        If the file cannot be read.
    """
    suffix = path.suffix.lower()
    if suffix == ".json" or suffix in TABLES:
        return suffix == ".json"
    start = read_content(path, KIND, AnnotationError).removeprefix(codecs.BOM_UTF8)
    return start.lstrip()[:1] in (b"{", b"[")


def read_table(path: Path, on_fault: Callable[[str], None]) -> Annotations:
    """Read a label file that is a table.

    Parameters
    ----------
    path : Path
        The file.
    on_fault : callable
        Called with a sentence on each row that cannot be used. If it raises nothing,
        the row is left out.

    Raises
    ------
    AnnotationError
        If the file, or every row of it, cannot be read.
    """
    return annotations_of_table(
        str(path), read_content(path, KIND, AnnotationError), on_fault
    )


def annotations_of_table(
    source: str, data: bytes, on_fault: Callable[[str], None]
) -> Annotations:
    """Return the labels in the content of a table.

    Parameters
    ----------
    source : str
        The path of the file, for messages.
    data : bytes
        The content.
    on_fault : callable
        As for `read_table`.

    Raises
    ------
    AnnotationError
        If the content, or every row of it, cannot be used.
    """
    if data.removeprefix(codecs.BOM_UTF8).isspace() or data in (b"", codecs.BOM_UTF8):
        raise AnnotationError(f"{source} is empty; {EMPTY}")
    try:
        sheet = read_sheet(source, data, is_header, EXAMPLE)
        del data  # the sheet has the text, and a file may be large
        table = read_label_table(sheet, on_fault)
    except (SheetError, LabelTableError) as error:
        raise AnnotationError(str(error)) from None
    videos = TabledVideos(table.videos)
    gone = set()
    for video in videos.with_spans_or_points():
        contradiction = next(contradictions(video), None)
        if contradiction is not None:
            on_fault(f"{source}: {contradiction}")
            gone.add(video.id)
    if gone:
        videos = TabledVideos(table.videos.without(gone))
    if not videos:
        raise AnnotationError(no_video(source))
    for sentence in _never_named(videos):
        on_fault(f"{source}: {sentence}")
    return Annotations(source, videos, videos.table.class_names, notes=table.notes)


def _never_named(videos: TabledVideos) -> Iterator[str]:
    """Yield watched spans of a table whose class no row names as an action."""
    table = videos.table
    used = np.unique(table.class_index[table.kind != WATCHED])
    named = {table.class_names[c] for c in used.tolist() if c >= 0}
    for video in videos.with_spans_or_points():
        for span in video.watched:
            if span.label is not None and span.label not in named:
                meant = did_you_mean(span.label, named).strip()
                hint = f" ({meant})" if meant else ""
                yield (
                    f"video {video.id!r} was watched for {span.label!r}, which no row "
                    f"names as an action{hint}; correct the class or remove the row"
                )


def refuse_row(sentence: str) -> None:
    """Refuse a table for the first row that cannot be used.

    Raises
    ------
    AnnotationError
        With the sentence on the row.
    """
    raise AnnotationError(sentence)
