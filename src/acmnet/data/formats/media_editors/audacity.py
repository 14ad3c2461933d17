r"""Audacity's label tracks (.txt): a line ``start<TAB>end<TAB>label`` for each label.

One file is for one video, and its name is that of the video. A label whose start equals
its end is a point. Times are seconds. Lines that start with a backslash hold
frequencies and are not read. Files hold neither scores, durations nor actions without a
time.

References
----------
Audacity manual, "Importing and Exporting Labels":
https://manual.audacityteam.org/man/importing_and_exporting_labels.html
"""

from typing import Final

from acmnet.data.formats.exchange_format import (
    Content,
    Format,
    Parsed,
    Source,
    marked_times,
)
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
from acmnet.messages import quoted

FREQUENCIES: Final = "\\"


def read(source: Source) -> Parsed:
    """Return the video of a label track."""
    marks = MarkList()
    for number, line in lines_of(source.text()):
        if not line.strip() or line.startswith(FREQUENCIES):
            continue
        where = f"{source.path}, line {number}"
        cells = line.split("\t", 2)
        if len(cells) != 3:
            raise AnnotationError(
                f"{where}: a label is start, end and text with tabs between them, got "
                f"{quoted(line)}; correct the line"
            )
        start_s, end_s = (
            time_s(where, "start", cells[0]),
            time_s(where, "end", cells[1]),
        )
        label = action_name(where, cells[2])
        if start_s == end_s:
            marks.add_point(where, label, start_s)
        else:
            marks.add_segment(where, label, start_s, end_s)
    name = video_name(str(source.path), source.path.stem)
    return Parsed([video_of(name, *marks.of_video())])


def write(content: Content) -> str:
    """Return the label track of one video."""
    (video,) = content.videos
    return "".join(
        f"{plain(start)}\t{plain(end)}\t{label}\n"
        for start, end, label in marked_times(video)
    )


FORMAT: Final = Format(
    name="audacity",
    title="an Audacity label track",
    suffixes=(".txt",),
    holds=("points", "points beside segments", "overlaps", "videos without marks"),
    one_file="video",
    read=read,
    write=write,
)
