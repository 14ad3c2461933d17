"""THUMOS-14's annotation text: a file for each class, a line ``video start end`` each.

The name of a file is the class, followed by the subset: ``Billiards_val.txt`` has the
instances of ``Billiards`` in videos of the subset ``validation``. Without ``_val`` or
``_test`` the videos are in no subset. Times are seconds. Files named ``Ambiguous`` hold
spans that evaluation ignores and are not read as labels. Files hold neither scores,
points, durations, videos without an action nor actions without a time.

References
----------
THUMOS Challenge 2014, "Temporal Action Detection", annotation of the validation and
test sets: http://crcv.ucf.edu/THUMOS14/download.html
"""

import dataclasses
from typing import Final

from acmnet.data.formats.exchange_format import Content, Format, Parsed, Source
from acmnet.data.formats.field_checks import (
    action_name,
    lines_of,
    plain,
    time_s,
    video_name,
    video_of,
)
from acmnet.data.formats.mark_list import MarkList
from acmnet.data.labels.annotations import AnnotationError
from acmnet.limits import MOST_VIDEOS_OF_TEXT, too_many_videos
from acmnet.messages import quoted

SUBSETS: Final = {"_val": "validation", "_test": "test"}
"""Endings of the names of files, and the names of their subsets."""
AMBIGUOUS: Final = "Ambiguous"
"""The class of spans that evaluation ignores."""


def class_and_subset(stem: str) -> tuple[str, str | None]:
    """Return the class and the subset that the name of a file states.

    Examples
    --------
    >>> class_and_subset("Billiards_val"), class_and_subset("jump")
    (('Billiards', 'validation'), ('jump', None))
    """
    for ending, subset in SUBSETS.items():
        if stem.endswith(ending) and stem != ending:
            return stem.removesuffix(ending), subset
    return stem, None


def read(source: Source) -> Parsed:
    """Return the videos of the file of one class."""
    stem, subset = class_and_subset(source.path.stem)
    label = action_name(str(source.path), stem)
    if label == AMBIGUOUS:
        note = f"{source.path}: spans that evaluation ignores, not read as labels"
        return Parsed([], notes=(note,))
    marks, numbers = MarkList(), dict[str, int]()
    for number, line in lines_of(source.text()):
        if not line.strip():
            continue
        where = f"{source.path}, line {number}"
        cells = line.rsplit(None, 2)
        if len(cells) != 3:
            raise AnnotationError(
                f"{where}: a line is the video, start and end with blanks between "
                f"them, got {quoted(line)}; correct it"
            )
        video = video_name(where, cells[0])
        start_s, end_s = (
            time_s(where, "start", cells[1]),
            time_s(where, "end", cells[2]),
        )
        of_video = numbers.setdefault(video, len(numbers))
        if of_video == MOST_VIDEOS_OF_TEXT:
            raise AnnotationError(too_many_videos(where))
        marks.add_segment(where, label, start_s, end_s, of_video)
    names = list(numbers)
    videos = [
        dataclasses.replace(video_of(names[v], *marked), subset=subset)
        for v, marked in marks.by_video()
    ]
    return Parsed(videos)


def write(content: Content) -> str:
    """Return the text of the file of one class."""
    return "".join(
        f"{video.id} {plain(x.segment.start_s)} {plain(x.segment.end_s)}\n"
        for video in content.videos
        for x in video.instances
    )


def file_stem(label: str, subset: str | None) -> str:
    """Return the name of the file of a class, without its suffix."""
    endings = {words: ending for ending, words in SUBSETS.items()}
    return label + endings.get(subset or "", "")


def spelt(name: str) -> str:
    """Return a class as the name of a file can have it.

    Examples
    --------
    >>> spelt("a/b"), spelt("x_val"), spelt("Ambiguous"), spelt("jump")
    ('a_b', 'x_val_', 'Ambiguous_', 'jump')
    """
    name = name.replace("/", "_").replace("\\", "_")
    unclear = name == AMBIGUOUS or name in (".", "..")
    return f"{name}_" if unclear or name.endswith(tuple(SUBSETS)) else name


FORMAT: Final = Format(
    name="thumos",
    title="THUMOS-14 text",
    suffixes=(".txt",),
    holds=("overlaps", "times before 0"),
    subsets=tuple(SUBSETS.values()),
    one_file="class",
    read=read,
    write=write,
    spelt=spelt,
)
