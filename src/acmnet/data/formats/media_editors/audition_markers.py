"""Marker lists of Adobe Audition (.csv): name, start and duration, with tabs between.

One file is for one video, and its name is that of the video. Audition, which Premiere
Pro opens for the sound of a clip, reads and writes these lists in its Markers panel.
Times are decimal, hours, minutes and seconds with milliseconds. A marker without a
duration is a point. Lists hold neither scores, durations of videos, subsets nor actions
without a time.

References
----------
Adobe Audition user guide, "Working with markers", export and import of a CSV file.
"""

import csv
import io
import re
from typing import Final

from acmnet.data.formats.exchange_format import (
    Content,
    Format,
    Parsed,
    Source,
    marked_times,
)
from acmnet.data.formats.field_checks import action_name, video_name, video_of
from acmnet.data.formats.mark_list import MarkList
from acmnet.data.labels.annotations import AnnotationError
from acmnet.files.text_files import lines_with_ends
from acmnet.messages import quoted

HEADER: Final = ("Name", "Start", "Duration", "Time Format", "Type", "Description")
DECIMAL: Final = re.compile(r"(?:(\d+):)?(\d+):(\d\d)\.(\d{3})", re.ASCII)


def _milliseconds(where: str, text: str) -> int:
    """Return a time such as ``1:02:03.004``."""
    match = DECIMAL.fullmatch(text)
    if match is None:
        raise AnnotationError(
            f"{where}: a time must be decimal, such as 0:01.500 or 1:02:03.004, got "
            f"{quoted(text)}; set the time format of Audition to Decimal"
        )
    hours, minutes, seconds, milliseconds = (int(x or 0) for x in match.groups())
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 + milliseconds


def _clock(time_s: float) -> str:
    """Return a time as Audition writes it.

    Examples
    --------
    >>> _clock(1.5), _clock(3723.004)
    ('0:01.500', '1:02:03.004')
    """
    seconds, milliseconds = divmod(round(1000 * time_s), 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    head = f"{hours}:{minutes:02d}" if hours else f"{minutes}"
    return f"{head}:{seconds:02d}.{milliseconds:03d}"


def read(source: Source) -> Parsed:
    """Return the video of a list of markers."""
    lines = lines_with_ends(source.text())
    rows = csv.reader(lines, delimiter="\t", strict=True)
    marks = MarkList()
    try:
        for cells in rows:
            where = f"{source.path}, line {rows.line_num}"
            if rows.line_num == 1:
                if tuple(cells[:3]) != HEADER[:3]:
                    raise AnnotationError(
                        f"{where}: the columns must be {', '.join(HEADER)} with tabs "
                        f"between them, got {quoted(' '.join(cells))}"
                    )
            elif any(cells):
                if len(cells) < 3:
                    raise AnnotationError(
                        f"{where}: a marker has {len(HEADER)} columns, got "
                        f"{len(cells)}; correct the line"
                    )
                label = action_name(where, cells[0])
                start, lasts = (_milliseconds(where, x) for x in cells[1:3])
                if lasts:
                    times = start / 1000, (start + lasts) / 1000
                    marks.add_segment(where, label, *times)
                else:
                    marks.add_point(where, label, start / 1000)
    except csv.Error as error:
        raise AnnotationError(
            f"{source.path}, line {rows.line_num}: {error}; mend the line"
        ) from None
    name = video_name(str(source.path), source.path.stem)
    return Parsed([video_of(name, *marks.of_video())])


def write(content: Content) -> str:
    """Return the list of markers of one video."""
    (video,) = content.videos
    out = io.StringIO()
    writer = csv.writer(out, delimiter="\t")
    writer.writerow(HEADER)
    for start_s, end_s, label in marked_times(video):
        lasts = (round(1000 * end_s) - round(1000 * start_s)) / 1000
        writer.writerow([label, _clock(start_s), _clock(lasts), "decimal", "Cue", ""])
    return out.getvalue()


FORMAT: Final = Format(
    name="audition",
    title="an Audition marker list",
    suffixes=(".csv",),
    holds=("points", "points beside segments", "overlaps", "videos without marks"),
    unit="milliseconds",
    one_file="video",
    read=read,
    write=write,
)
