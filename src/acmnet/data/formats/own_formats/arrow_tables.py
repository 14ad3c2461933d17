"""Parquet and Arrow tables of labels or of detections, which pandas and polars read.

They hold everything that acmnet knows of labels. What the columns are say
`acmnet.data.labels.tables.arrow_labels` and `acmnet.data.detections.arrow_detections`,
which read the files.
"""

import dataclasses
from pathlib import Path
from typing import Final

from acmnet.data.detections.arrow_detections import write_arrow_detections
from acmnet.data.detections.detection_arrays import DetectionFile
from acmnet.data.formats.exchange_format import Content, Format, as_detections
from acmnet.data.formats.own_formats.activitynet import FORMAT as JSON
from acmnet.data.labels.annotations import AnnotationError, Annotations
from acmnet.data.labels.tables.arrow_labels import write_arrow_labels
from acmnet.data.tables.arrow_files import ARROW, PARQUET, is_arrow


def write(path: Path, content: Content) -> None:
    """Write labels, or detections with their scores, as the suffix of the path says.

    Raises
    ------
    AnnotationError
        If the suffix is not that of a Parquet or Arrow file, or pyarrow is missing.
    """
    if not is_arrow(path):
        raise AnnotationError(
            f"{path} must end with {' or '.join((*PARQUET, *ARROW))}, by which "
            "programs know the file; rename it"
        )
    if content.scores is None:
        videos = {video.id: video for video in content.videos}
        write_arrow_labels(path, Annotations(str(path), videos, content.class_names))
        return
    scores = content.scores
    results = {v.id: as_detections(v, scores[v.id]) for v in content.videos}
    write_arrow_detections(path, DetectionFile.of(results))


PARQUET_FORMAT: Final = Format(
    name="parquet",
    title="a Parquet table",
    suffixes=PARQUET,
    holds=JSON.holds,
    subsets=None,
    write_file=write,
)
ARROW_FORMAT: Final = dataclasses.replace(
    PARQUET_FORMAT, name="arrow", title="an Arrow table", suffixes=ARROW
)
