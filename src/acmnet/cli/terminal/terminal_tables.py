"""Tables of results for the terminal: mAP, detections, comparisons."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from rich.markup import escape
from rich.table import Table

from acmnet.cli.terminal.app import note
from acmnet.data.detections.shown_detections import Shown
from acmnet.evaluation.comparison import tables
from acmnet.evaluation.comparison.bootstrap import Comparison
from acmnet.evaluation.reports import DetectionReport
from acmnet.messages import counted, some
from acmnet.segments import Detections

MOST_ROWS: Final = 20
"""Most rows of a table of one video's detections, unless all are asked for."""


def map_table(
    title: str,
    tiou: Iterable[float],
    rows: Mapping[str, Iterable[float]],
    last: Mapping[str, float] | None = None,
) -> Table:
    """Return a table of mAP in percent, with a column for each tIoU and the average.

    Parameters
    ----------
    title : str
        The title above the table.
    tiou : iterable of float
        The thresholds, one for each column.
    rows : mapping of str to iterable of float
        Name and values of each row, one value in [0, 1] for each threshold.
    last : mapping of str to float, optional
        Values for the column "average" of rows in which it is not the mean of the row,
        such as a row of standard deviations.
    """
    table = Table(title=escape(title), title_justify="left", box=None)
    table.collapse_padding = True
    table.add_column("mAP in %", no_wrap=True)
    for threshold in tiou:
        table.add_column(f"{threshold:g}", justify="right")
    table.add_column("average", justify="right")
    for name, values in rows.items():
        scores = list(values)
        average = (last or {}).get(name, sum(scores) / len(scores))
        cells = (f"{100 * value:.1f}" for value in (*scores, average))
        table.add_row(escape(name), *cells)
    return table


def plain_table(title: str, values: tables.Table) -> Table:
    """Return a table of results: fractions are shown in percent, None as "-"."""
    table = Table(title=escape(title), title_justify="left", box=None)
    table.collapse_padding = True
    for i, name in enumerate(values.columns):
        table.add_column(escape(name), justify="right" if i else "left", no_wrap=not i)
    for row in values.rows:
        cells = [f"{100 * x:.1f}" if isinstance(x, float) else x for x in row]
        table.add_row(*("-" if x is None else escape(str(x)) for x in cells))
    return table


def detections_table(video: str, detections: Detections, most: int | None) -> Table:
    """Return a table of a video's detections with the highest scores, by start time.

    Parameters
    ----------
    video : str
        The id of the video, for the title.
    detections : Detections
        The detections of this video.
    most : int or None
        At most this many rows; None for all.
    """
    best = Shown(top=most).of(detections).by_time()
    hidden = len(detections) - len(best)
    more = f", {hidden} with lower scores not in this table" if hidden else ""
    title = escape(video) + ("" if len(best) else ": nothing found") + more
    table = Table(title=title, title_justify="left", box=None)
    table.add_column("action")
    for name in ("from (s)", "to (s)", "score"):
        table.add_column(name, justify="right")
    for found_one in best:
        times = f"{found_one.start_s:.2f}", f"{found_one.end_s:.2f}"
        table.add_row(escape(found_one.label), *times, f"{found_one.score:.3f}")
    return table


def comparison_lines(comparison: Comparison) -> Iterator[str]:
    """Yield a line per system: its average mAP, and its difference from the first."""
    first = next(iter(comparison.reports))
    for name in comparison.reports:
        interval = comparison.interval(name)
        line = f"{name}: average mAP {100 * interval.value:.2f} "
        line += f"[{100 * interval.low:.2f}, {100 * interval.high:.2f}]"
        if name != first:
            less = comparison.difference(name)
            line += f"; {100 * less.value:+.2f} "
            line += f"[{100 * less.low:+.2f}, {100 * less.high:+.2f}] against {first}"
        yield line
    yield f"in brackets: 95 % intervals, from {comparison.draws} draws of the videos"


def note_unpredicted(report: DetectionReport, prefix: str = "") -> None:
    """Print a note on scored videos that have no entry in the detections."""
    absent = report.unpredicted
    if absent:
        videos = counted(len(absent), "video", ("has", "have"), of=report.videos)
        note(f"{prefix}{videos} no prediction: {some(absent)}")
