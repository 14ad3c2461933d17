"""Labels as a Parquet or Arrow table: a row for each mark of a video.

The columns are ``video`` and ``label``, and any of ``subset``, ``duration``, ``start``
and ``end``, in seconds, and ``kind``. What a row says about times is what a row of a
CSV file says (`row_marks`); a row with nothing but a video states that there is such a
video. The classes are in the metadata of the table; without them they are all labels,
sorted.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, TypeVar

import numpy as np

from acmnet.data.labels.annotations import (
    AnnotationError,
    Annotations,
    Video,
    names_alone,
)
from acmnet.data.labels.contradictions import refuse_contradictions
from acmnet.data.labels.tables.label_columns import LabelTableError
from acmnet.data.labels.tables.row_marks import TIMES_NEEDED, row_marks
from acmnet.data.labels.tables.tabled_videos import (
    NAME,
    NO_MARK,
    POINT,
    SEGMENT,
    WATCHED,
    MarkTable,
    TabledVideos,
)
from acmnet.data.tables.arrow_files import (
    ArrowTable,
    Names,
    named_column,
    needed_library,
    number_column,
    numbers_of,
    write_arrow,
)
from acmnet.limits import LARGEST_SECONDS, MOST_CLASSES
from acmnet.messages import counted, quoted, some
from acmnet.names import checked
from acmnet.segments import BoolArray, FloatArray, IntArray

KIND: Final = "label file"
TEXTS: Final = ("video", "label", "subset", "kind")
NUMBERS: Final = ("start", "end", "duration")
KINDS: Final = tuple(TIMES_NEEDED)
"""Kinds of rows, in the order of their codes in `tabled_videos`."""
NEEDED: Final = np.array([*TIMES_NEEDED.values(), 0])
"""How many times a row of each kind has."""
UNKNOWN: Final = -2
"""The code of a kind that is not in `KINDS`."""
Value = TypeVar("Value", IntArray, FloatArray)
"""A column of indices, in which -1 is a blank, or of numbers, in which NaN is."""


def read_arrow_labels(path: Path) -> Annotations:
    """Read labels from a Parquet or Arrow file, without an object for each mark.

    Returns
    -------
    Annotations
        Videos are in the order in which rows first name them. They are made when they
        are looked at.

    Raises
    ------
    AnnotationError
        If the file cannot be read, lacks a column, or a row makes no sense or
        contradicts another one.
    """
    table = ArrowTable(
        path,
        KIND,
        texts=TEXTS,
        numbers=NUMBERS,
        optional=(*TEXTS[2:], *NUMBERS),
        error=AnnotationError,
    )
    names = {
        name: Names(path, AnnotationError if name == "video" else None)
        for name in TEXTS
    }
    texts, numbers = _columns(table, names)
    kinds = _kinds(names["kind"].distinct, texts["kind"], texts["label"], numbers)
    _refuse_unusable(path, kinds, texts, numbers, names)
    note = table.note()
    videos = TabledVideos(
        _sorted_by_video(path, kinds, texts, numbers, names, note.get("classes"))
    )
    refuse_contradictions(str(path), videos.with_spans_or_points())
    made_by = note.get("made_by")
    return Annotations(
        str(path),
        videos,
        videos.table.class_names,
        notes=tuple(_unused(path, table.schema.names)),
        made_by=made_by if isinstance(made_by, str) else None,
    )


def _unused(path: Path, columns: Iterable[str]) -> Iterator[str]:
    """Yield a sentence on the columns of a file that are not read, if there are any."""
    others = [name for name in columns if name not in (*TEXTS, *NUMBERS)]
    if others:
        stated = counted(len(others), "column")
        yield f"{path}: {stated} not used: {some(others)}"


def _sorted_by_video(
    path: Path,
    kinds: IntArray,
    texts: Mapping[str, IntArray],
    numbers: Mapping[str, FloatArray],
    names: Mapping[str, Names],
    declared: object,
) -> MarkTable:
    """Return the rows of a file sorted by video.

    ``kinds``, ``texts`` and ``numbers`` have a value for each row, ``names`` the names
    that ``texts`` are indices into, and ``declared`` are the classes that the file's
    metadata has, None without any.
    """
    spelt = names["video"].distinct
    if not spelt:
        raise AnnotationError(f"{path} has no video; a label file names at least one")
    ids = tuple(checked(str(path), "video", x, AnnotationError) for x in spelt)
    class_names, place = _classes(path, names["label"].distinct, declared)
    order = np.argsort(texts["video"], kind="stable")
    first = np.searchsorted(texts["video"][order], np.arange(len(ids) + 1))
    # a point may stand in the column of ends
    start_s = np.where(
        (kinds == POINT) & np.isnan(numbers["start"]), numbers["end"], numbers["start"]
    )
    return MarkTable(
        ids=ids,
        class_names=class_names,
        subsets=tuple(names["subset"].distinct),
        subset_index=_of_videos(path, "subset", texts["subset"][order], first, ids),
        duration_s=_of_videos(path, "duration", numbers["duration"][order], first, ids),
        first=first,
        kind=kinds[order],
        class_index=place[texts["label"][order]],
        start_s=start_s[order],
        end_s=numbers["end"][order],
    )


def write_arrow_labels(path: Path, annotations: Annotations) -> None:
    """Write labels as a Parquet or Arrow file, whole or not at all.

    Reading the file returns equal annotations.
    """
    needed_library(path, AnnotationError)
    videos = list(annotations.videos.values())
    of_video, kind, label, start_s, end_s = zip(*_rows(videos), strict=True)
    index = np.array(of_video, np.int64)
    place = {name: c for c, name in enumerate(annotations.class_names)}
    subsets = tuple(dict.fromkeys(v.subset for v in videos if v.subset is not None))
    known = {name: i for i, name in enumerate(subsets)}
    of_subset = np.array([known.get(v.subset or "", -1) for v in videos], np.int64)
    duration_s = np.array(
        [np.nan if v.duration_s is None else v.duration_s for v in videos]
    )
    columns = {
        "video": named_column(tuple(annotations.videos), index),
        "label": named_column(
            annotations.class_names, np.array([place.get(x, -1) for x in label])
        ),
        "start": number_column(np.array(start_s, np.float64)),
        "end": number_column(np.array(end_s, np.float64)),
        "subset": named_column(subsets, of_subset[index]),
        "duration": number_column(duration_s[index]),
        "kind": named_column(KINDS, np.array(kind, np.int64)),
    }
    note = {"classes": list(annotations.class_names), "made_by": annotations.made_by}
    write_arrow(path, columns, note, AnnotationError)


Row = tuple[int, int, str, float, float]
"""Index of the video, code of the kind or -1, label or blank, start and end."""


def _rows(videos: Iterable[Video]) -> Iterator[Row]:
    """Yield a row for each mark, and one for each video without any."""
    nan = float("nan")
    for v, video in enumerate(videos):
        marks = list(_marks(video))
        for row in marks or [(-1, "", nan, nan)]:
            yield (v, *row)


def _marks(video: Video) -> Iterator[tuple[int, str, float, float]]:
    """Yield kind, label, start and end of each mark of a video."""
    nan = float("nan")
    for instance in video.instances:
        yield SEGMENT, instance.label, instance.segment.start_s, instance.segment.end_s
    for point in video.points:
        yield POINT, point.label, point.time_s, nan
    for name in names_alone(video):
        yield NAME, name, nan, nan
    for span in video.watched:
        yield WATCHED, span.label or "", span.segment.start_s, span.segment.end_s


def _columns(
    table: ArrowTable, names: Mapping[str, Names]
) -> tuple[dict[str, IntArray], dict[str, FloatArray]]:
    """Return the columns of a file: indices of names, and numbers.

    A column that the file lacks has blanks only: -1 or NaN.
    """
    texts: dict[str, list[IntArray]] = {name: [] for name in TEXTS}
    numbers: dict[str, list[FloatArray]] = {name: [] for name in NUMBERS}
    for batch in table.batches():
        n = len(batch["video"])
        for name in TEXTS:
            texts[name].append(
                names[name].index(batch[name]) if name in batch else np.full(n, -1)
            )
        for name in NUMBERS:
            numbers[name].append(
                numbers_of(batch[name]) if name in batch else np.full(n, np.nan)
            )
    none = np.zeros(0, np.int64)
    return (
        {name: np.concatenate([none, *parts]) for name, parts in texts.items()},
        {name: np.concatenate([np.zeros(0), *x]) for name, x in numbers.items()},
    )


def _kinds(
    spelt: Sequence[str],
    given: IntArray,
    label: IntArray,
    numbers: Mapping[str, FloatArray],
) -> IntArray:
    """Return the kind of each row, `UNKNOWN` for one that is misspelt.

    ``spelt`` are the kinds as the file spells them, ``given`` is for each row an index
    into them, and ``label`` and ``numbers`` are the row's other columns.
    """
    n_times = (~np.isnan([numbers["start"], numbers["end"]])).sum(axis=0)
    stated = np.array(
        [KINDS.index(x.casefold()) if x.casefold() in KINDS else UNKNOWN for x in spelt]
        + [-1],
        np.int64,
    )[given]
    has_label = label >= 0
    span_kind = np.where(has_label, SEGMENT, WATCHED)
    inferred = np.select([n_times == 0, n_times == 1], [NAME, POINT], span_kind)
    kinds = np.where(stated == -1, inferred, stated)
    return np.where((kinds == NAME) & ~has_label & (n_times == 0), NO_MARK, kinds)


def _refuse_unusable(
    path: Path,
    kinds: IntArray,
    texts: Mapping[str, IntArray],
    numbers: Mapping[str, FloatArray],
    names: Mapping[str, Names],
) -> None:
    """Refuse the first row that makes no sense, with the words for tables of labels."""
    start_s, end_s, duration_s = (numbers[name] for name in NUMBERS)
    times = np.stack([start_s, end_s])
    n_times = (~np.isnan(times)).sum(axis=0)
    needs_label = (kinds == POINT) | (kinds == SEGMENT)
    has_both = (kinds == SEGMENT) | (kinds == WATCHED)
    bad: BoolArray = (texts["video"] < 0) | (kinds == UNKNOWN)
    bad |= n_times != NEEDED[kinds]
    bad |= needs_label & (texts["label"] < 0)
    bad |= has_both & ~(end_s > start_s)
    far = (np.abs(times) > LARGEST_SECONDS).any(axis=0)
    no_length = (duration_s < 0) | (duration_s > LARGEST_SECONDS)
    bad |= far | no_length
    if not bad.any():
        return
    i = int(bad.argmax())
    where = f"{path}, row {i + 1}"
    if texts["video"][i] < 0:
        raise AnnotationError(f"{where}: video is blank; name it or remove the row")
    where += f", video {quoted(names['video'].distinct[texts['video'][i]])}"
    for name in NUMBERS:
        value = float(numbers[name][i])
        least = 0.0 if name == "duration" else -LARGEST_SECONDS
        if value < least or value > LARGEST_SECONDS:
            raise AnnotationError(
                f"{where}: {name} must be seconds from {least:,.0f} to "
                f"{LARGEST_SECONDS:,.0f}, got {value:g}; correct it or leave it blank"
            )
    label, kind = (
        names[name].distinct[index] if (index := texts[name][i]) >= 0 else ""
        for name in ("label", "kind")
    )
    start, end = (None if np.isnan(x[i]) else float(x[i]) for x in (start_s, end_s))
    try:
        row_marks(where, (label,) if label else (), start, end, kind)
    except LabelTableError as error:
        raise AnnotationError(str(error)) from None
    raise AnnotationError(f"{where}: the row makes no sense; correct it or remove it")


def _classes(
    path: Path, labels: Sequence[str], declared: object
) -> tuple[tuple[str, ...], IntArray]:
    """Return the classes, and the class of each label by its index; -1 for a blank."""
    found = [checked(str(path), "label", x, AnnotationError) for x in labels]
    if not all(x.strip() for x in found):
        raise AnnotationError(
            f"{path}: a label is blank; name the action, or write no label at all"
        )
    names = tuple(sorted(set(found)))
    if isinstance(declared, list) and all(isinstance(x, str) for x in declared):
        names = tuple(declared)
    if len(names) > MOST_CLASSES:
        raise AnnotationError(
            f"{path} has {counted(len(names), 'class')}, and there may be "
            f"{MOST_CLASSES:,}; is the column of labels right?"
        )
    place = {name: c for c, name in enumerate(names)}
    unknown = [x for x in found if x not in place]
    if unknown:
        raise AnnotationError(
            f"{path}: the label {quoted(unknown[0])} is not among the "
            f"{counted(len(names), 'class')} in the file's metadata; correct the "
            "label, or write the file without metadata"
        )
    return names, np.array([*(place[x] for x in found), -1], np.int64)


def _of_videos(
    path: Path, what: str, values: Value, first: IntArray, ids: Sequence[str]
) -> Value:
    """Return the one value of each video; refuse rows that contradict each other.

    ``values`` are those of the rows, sorted by video, and ``first`` has the first row
    of each video.
    """
    highest: Value = np.fmax.reduceat(values, first[:-1])
    of_row = np.repeat(highest, np.diff(first))
    differs = (values != of_row) & ~np.isnan(values) & (values != -1)
    if differs.any():
        row = int(differs.argmax())
        v = int(np.searchsorted(first, row, side="right")) - 1
        raise AnnotationError(
            f"{path}: the rows of video {quoted(ids[v])} state two values of {what}; "
            "keep one of them"
        )
    return highest
