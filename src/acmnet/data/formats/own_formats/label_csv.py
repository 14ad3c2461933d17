"""Labels and detections as tables for spreadsheets.

`acmnet.data.labels.tables.label_tables` reads labels. They have a row for each mark,
with the columns ``video,label,start,end,kind``, and ``subset`` and ``duration`` where a
video has them. Names are written without ``|``, which separates labels. Classes without
an example are not held. Detections have the columns ``video,label,start,end,score``
(`acmnet.data.detections.detection_csv`).
"""

import csv
import io
from collections.abc import Iterator
from typing import Final

from acmnet.data.detections.detection_csv import csv_of
from acmnet.data.formats.exchange_format import (
    Content,
    Format,
    as_detections,
    without_bars,
)
from acmnet.data.formats.field_checks import plain
from acmnet.data.labels.annotations import Video, names_alone
from acmnet.data.tables.csv_tables import guarded

HEADER: Final = ("video", "label", "start", "end", "kind", "subset", "duration")


def _rows(video: Video) -> Iterator[tuple[str, str, str, str]]:
    """Yield label, start, end and kind of each mark of a video."""
    for instance in video.instances:
        start, end = plain(instance.segment.start_s), plain(instance.segment.end_s)
        yield instance.label, start, end, "segment"
    for point in video.points:
        yield point.label, plain(point.time_s), "", "point"
    for name in names_alone(video):
        yield name, "", "", "name"
    for span in video.watched:
        start, end = plain(span.segment.start_s), plain(span.segment.end_s)
        yield span.label or "", start, end, "watched"


def write(content: Content) -> str:
    """Return labels, or detections with their scores, as CSV with a byte order mark."""
    if content.scores is not None:
        results = {v.id: as_detections(v, content.scores[v.id]) for v in content.videos}
        return "\ufeff" + csv_of(results)
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(HEADER)
    for video in content.videos:
        lasts = "" if video.duration_s is None else plain(video.duration_s)
        names = guarded(video.id), guarded(video.subset or "")
        for label, *when in list(_rows(video)) or [("", "", "", "name")]:
            writer.writerow([names[0], guarded(label), *when, names[1], lasts])
    return "\ufeff" + out.getvalue()


FORMAT: Final = Format(
    name="csv",
    title="a CSV table",
    suffixes=(".csv", ".tsv", ".tab"),
    holds=(
        *("names", "points", "points beside segments", "watched", "durations"),
        *("scores", "overlaps", "times before 0", "videos without marks"),
    ),
    subsets=None,
    write=write,
    spelt=without_bars,
)
