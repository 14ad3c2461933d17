"""acmnet's own formats: ActivityNet's JSON, CSV tables, and Parquet or Arrow tables.

What is written here is read by `acmnet.data.labels` and `acmnet.data.detections`.

JSON and the tables of pandas and polars (Parquet, Arrow) hold everything that acmnet
knows of labels: subsets, durations, points, watched spans, classes without an example,
and actions of which only the name is known. A CSV table has a row for each mark, with
the columns ``video,label,start,end,kind``, and ``subset`` and ``duration`` where a
video has them. Its names are written without ``|``, which separates labels, and it does
not hold classes without an example. Detections are written with their scores.

References
----------
Caba Heilbron et al., "ActivityNet: A Large-Scale Video Benchmark for Human Activity
Understanding", CVPR 2015: https://github.com/activitynet/ActivityNet
"""

import csv
import dataclasses
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from acmnet.data.detections.arrow_detections import write_arrow_detections
from acmnet.data.detections.detection_arrays import DetectionFile
from acmnet.data.detections.detection_csv import csv_of
from acmnet.data.formats.exchange_format import (
    Content,
    Format,
    as_detections,
    without_bars,
)
from acmnet.data.formats.field_checks import plain
from acmnet.data.labels.annotations import (
    AnnotationError,
    Annotations,
    Video,
    names_alone,
)
from acmnet.data.labels.json_files.label_json import label_entry
from acmnet.data.labels.tables.arrow_labels import write_arrow_labels
from acmnet.data.tables import arrow_files
from acmnet.data.tables.csv_tables import guarded

HEADER: Final = ("video", "label", "start", "end", "kind", "subset", "duration")
"""Columns of a CSV table of labels."""


def write_json(content: Content) -> str:
    """Return labels, or detections with their scores, as JSON."""
    if content.scores is None:
        values: dict[str, object] = {
            "version": "acmnet labels 1",
            "classes": list(content.class_names),
            "database": {video.id: label_entry(video) for video in content.videos},
        }
    else:
        results = {
            video.id: [
                {
                    "label": instance.label,
                    "score": score,
                    "segment": [instance.segment.start_s, instance.segment.end_s],
                }
                for instance, score in zip(
                    video.instances, content.scores[video.id], strict=True
                )
            ]
            for video in content.videos
        }
        values = {"version": "acmnet", "external_data": {}, "results": results}
    return json.dumps(values, ensure_ascii=False) + "\n"


def write_csv(content: Content) -> str:
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


def write_table(path: Path, content: Content) -> None:
    """Write labels or detections as Parquet or Arrow, as the suffix of the path says.

    Raises
    ------
    AnnotationError
        If the suffix is not that of a Parquet or Arrow file, or pyarrow is missing.
    """
    if not arrow_files.is_arrow(path):
        suffixes = " or ".join((*arrow_files.PARQUET, *arrow_files.ARROW))
        raise AnnotationError(
            f"{path} must end with {suffixes}, by which programs know the file; rename "
            "it"
        )
    if content.scores is None:
        videos = {video.id: video for video in content.videos}
        write_arrow_labels(path, Annotations(str(path), videos, content.class_names))
        return
    scores = content.scores
    results = {v.id: as_detections(v, scores[v.id]) for v in content.videos}
    write_arrow_detections(path, DetectionFile.of(results))


JSON: Final = Format(
    name="json",
    title="ActivityNet JSON",
    suffixes=(".json",),
    holds=(
        *("names", "points", "points beside segments", "watched", "durations"),
        *("scores", "classes", "overlaps", "times before 0", "any video name"),
        "videos without marks",
    ),
    subsets=None,
    write=write_json,
)
CSV: Final = Format(
    name="csv",
    title="a CSV table",
    suffixes=(".csv", ".tsv", ".tab"),
    holds=(
        *("names", "points", "points beside segments", "watched", "durations"),
        *("scores", "overlaps", "times before 0", "videos without marks"),
    ),
    subsets=None,
    write=write_csv,
    spelt=without_bars,
)
PARQUET: Final = Format(
    name="parquet",
    title="a Parquet table",
    suffixes=arrow_files.PARQUET,
    holds=JSON.holds,
    subsets=None,
    write_file=write_table,
)
ARROW: Final = dataclasses.replace(
    PARQUET, name="arrow", title="an Arrow table", suffixes=arrow_files.ARROW
)
