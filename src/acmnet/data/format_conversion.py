"""Convert a file of labels or of detections from one format to another."""

import dataclasses
from pathlib import Path

from acmnet.data.detections.arrow_detections import write_arrow_detections
from acmnet.data.detections.detection_arrays import DetectionFile
from acmnet.data.detections.detection_csv import COLUMNS
from acmnet.data.detections.detection_files import read_detections
from acmnet.data.detections.shown_detections import Shown
from acmnet.data.formats.exchange_format import Format
from acmnet.data.formats.format_table import (
    OWN,
    FormatError,
    format_named,
    is_results_json,
    own_format,
    start_of,
    target_format,
)
from acmnet.data.formats.own_formats import ARROW, CSV, JSON, PARQUET
from acmnet.data.formats.reading import foreign_format, read_foreign
from acmnet.data.formats.writing import (
    Written,
    content_of_detections,
    content_of_labels,
    detections_of,
    write_labels,
)
from acmnet.data.label_files import read_annotations, read_own
from acmnet.data.labels.annotations import AnnotationError, Annotations
from acmnet.data.labels.marks import watched_where_marked
from acmnet.data.tables.arrow_files import column_names, is_arrow
from acmnet.messages import counted


@dataclasses.dataclass(frozen=True)
class Conversion:
    """What was converted."""

    source: Format
    target: Format
    written: Written
    notes: tuple[str, ...]
    """Sentences on how the file was read."""


def convert(
    source: str | Path,
    out: str | Path,
    *,
    from_format: str | None = None,
    to_format: str | None = None,
    fps: float | None = None,
    limits: Shown = Shown(),
    watched: bool = False,
) -> Conversion:
    """Convert a file, or a folder with a file for each video, to another format.

    Parameters
    ----------
    source : str or Path
        The file or folder. Results JSON, the CSV that localize writes, and tables with
        a column of scores are read as detections, everything else as labels.
    out : str or Path
        The file to write; or a folder, for formats of which each video has a file.
    from_format, to_format : str, optional
        Names of formats from `acmnet.data.formats.format_table`. Without them the
        suffix, and the content where several formats share a suffix, decides.
    fps : float, optional
        Frames per second of the videos, for formats that count frames.
    limits : Shown
        Which detections are written.
    watched : bool
        Whether each video of the labels that has a segment was watched from start to
        end, so that it is without all actions that are not marked.

    Raises
    ------
    FormatError
        If a format is not known, a suffix does not tell it, or there are limits on
        labels, which have no scores.
    AnnotationError, DetectionFileError
        If the file cannot be read, or nothing of it can be written.
    """
    source, out = Path(source), Path(out)
    if fps is not None and not 0 < fps <= 10_000:
        raise FormatError(f"fps must be above 0 and at most 10,000, got {fps:g}")
    target = target_format(out, to_format)
    if source.exists() and out.exists() and source.samefile(out):
        raise FormatError(f"{out} is the file that is read; name another one to write")
    named_format = None if from_format is None else format_named(from_format)
    if holds_detections(source) and named_format in (None, *OWN):
        if watched:
            raise FormatError(
                f"{source} holds detections, of which nobody says what was watched; "
                "leave out --watched, or give labels"
            )
        file = read_detections(source).shown(limits)
        return _converted_detections(file, own_format(source), out, target, fps)
    if limits != Shown():
        raise FormatError(
            f"{source} holds labels, which have no scores; leave out --min-score and "
            "--top, or give detections"
        )
    annotations, origin = _labels(source, named_format, fps)
    notes = annotations.notes
    if watched:
        annotations = watched_where_marked(annotations)
    written = write_labels(out, content_of_labels(annotations, fps), target)
    return Conversion(origin, target, written, notes)


def holds_detections(path: Path) -> bool:
    """Return whether a file holds detections, with scores, and not labels.

    Raises
    ------
    AnnotationError
        If the path is the folder of a run.
    """
    if path.is_dir():
        file = path / "detections.json"
        if file.is_file() and (path / "checkpoint").is_dir():
            raise AnnotationError(
                f"{path} is a run, not a file of detections or labels; give {file}"
            )
        return False
    suffix = path.suffix.lower()
    if is_arrow(path):
        return path.exists() and "score" in column_names(path, AnnotationError)
    head = start_of(path)
    if suffix == ".csv":
        return head.lstrip().startswith(",".join(COLUMNS))
    return suffix == ".json" and is_results_json(head)


def _converted_detections(
    file: DetectionFile, origin: Format, out: Path, target: Format, fps: float | None
) -> Conversion:
    """Write the detections of a file in another format."""
    if is_arrow(out) and target in (PARQUET, ARROW):
        # without an object for each detection, of which there may be millions
        write_arrow_detections(out, file)
        written = Written((out,), len(file.video_ids), len(file), (), ())
        return Conversion(origin, target, written, ())
    results, n = detections_of(file)
    do = "does" if n == 1 else "do"
    left_out = f"{counted(n, 'detection')} that {do} not end after the start"
    notes = (f"{file.source}: {left_out}, not converted",) if n else ()
    written = write_labels(out, content_of_detections(results, fps), target)
    return Conversion(origin, target, written, notes)


def _labels(
    path: Path, named_format: Format | None, fps: float | None
) -> tuple[Annotations, Format]:
    """Return the labels of a file or a folder, and their format."""
    if not path.exists():
        raise AnnotationError(f"there is no file or folder {path}; check the path")
    if named_format is not None and named_format in (CSV, JSON):
        return read_own(path, as_json=named_format == JSON), named_format
    foreign = foreign_format(path) if named_format is None else named_format
    if foreign is None or foreign in OWN:
        return read_annotations(path), own_format(path)
    return read_foreign(path, foreign, fps), foreign
