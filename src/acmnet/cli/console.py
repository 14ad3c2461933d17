"""What a person sees while waiting, and tables of results."""

import math
import time
from collections.abc import Iterable, Iterator, Mapping
from types import TracebackType
from typing import Final, Self

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from acmnet.data.shown_detections import Shown
from acmnet.evaluation import tables
from acmnet.evaluation.bootstrap import Comparison
from acmnet.extraction.run import ExtractionProgress
from acmnet.segments import Detections
from acmnet.training.loop import StepRecord

LINES: Final = 10
"""How often a long wait is reported where there is no terminal to draw a bar on."""


PAUSE_S: Final = 2.0
"""And at most this often."""
LONG_PAUSE_S: Final = 30.0
"""Between lines on what a long video has come to."""
SHOWN: Final = 20
"""Detections of one video in a table, at the most."""


class Waiting:
    """A bar on a terminal, a line now and then elsewhere; nothing when silent."""

    def __init__(self, console: Console, what: str, unit: str, *, silent: bool) -> None:
        self.console, self.what, self.unit = console, what, unit
        self.silent = silent
        self.told = time.monotonic()
        self.done, self.total = 0, 1
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn(unit + "  {task.fields[note]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
            disable=silent or not console.is_terminal,
            transient=True,
        )
        self.task = self.progress.add_task(what, total=None, note="")

    def __enter__(self) -> Self:
        """Start drawing."""
        self.progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop drawing, whatever happened."""
        self.progress.stop()

    def one_more(self, _name: str = "") -> None:
        """Count one of ``total``."""
        self.done += 1
        self.update(self.done, self.total)

    def update(self, done: int, total: int, note: str = "") -> None:
        """Show that ``done`` of ``total`` units are behind us."""
        self.progress.update(
            self.task, description=self.what, completed=done, total=total, note=note
        )
        if done * LINES // total > (done - 1) * LINES // total:
            self._print(PAUSE_S, done, total, note)

    def _print(self, pause_s: float, done: int, total: int, note: str) -> None:
        """Print a line where no bar is drawn, unless one was just printed."""
        if self.silent or self.console.is_terminal:
            return
        if time.monotonic() - self.told >= pause_s:
            self.told = time.monotonic()
            self.console.print(
                f"{self.what}: {done}/{total} {self.unit} {note}".rstrip()
            )


class ExtractionBar(Waiting):
    """Progress of an extraction: videos done, how fast, how long yet."""

    def __init__(self, console: Console, *, silent: bool) -> None:
        super().__init__(console, "extracting", "videos", silent=silent)

    def video(self, _result: object, progress: ExtractionProgress) -> None:
        """Note a video, done or failed."""
        self.update(progress.done, progress.total, self._note(progress))

    def working(self, progress: ExtractionProgress) -> None:
        """Note how far the videos in work have come."""
        done, total = progress.done, progress.total
        note = f"{_duration(progress.working_s)} of video in work, "
        note += self._note(progress)
        self.progress.update(self.task, completed=done, total=total, note=note)
        if progress.working_s:
            self._print(LONG_PAUSE_S, done, total, note)

    def _note(self, progress: ExtractionProgress) -> str:
        note = f"{progress.rate:.1f} x real time"
        if math.isfinite(progress.left_s):
            note += f", {_duration(progress.left_s)} left"
        return note + (f", {progress.failed} failed" if progress.failed else "")


def _duration(seconds: float) -> str:
    """Return seconds as a person says them.

    Examples
    --------
    >>> _duration(42.4), _duration(600), _duration(9000)
    ('42 s', '10 min', '2.5 h')
    """
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


class TrainingBar(Waiting):
    """Progress of one training after another, epoch by epoch, with the loss."""

    def __init__(self, console: Console, epochs: int, *, silent: bool) -> None:
        super().__init__(console, "training", "epochs", silent=silent)
        self.epochs = epochs
        self.last: StepRecord | None = None

    def step(self, record: StepRecord, what: str = "training") -> None:
        """Note a step; an epoch is shown once the next one begins."""
        if self.last is not None and record.epoch != self.last.epoch:
            self.show_last()
        self.what = what
        self.last = record

    def show_last(self) -> None:
        """Show the epoch of the last step."""
        if self.last is not None:
            loss = self.last.losses["total"]
            self.update(self.last.epoch, self.epochs, f"loss {loss:.3f}")


def map_table(
    title: str,
    tiou: Iterable[float],
    rows: Mapping[str, Iterable[float]],
    last: Mapping[str, float] | None = None,
) -> Table:
    """Return mAP in percent: a row each, a column for each tIoU, and the average.

    ``last`` has what stands below the average in a row that is no mAP, such as one of
    standard deviations, whose mean is not that of the average.
    """
    table = Table(title=escape(title), title_justify="left", box=None)
    table.collapse_padding = True
    table.add_column("mAP in %", no_wrap=True)
    for threshold in tiou:
        table.add_column(f"{threshold:g}", justify="right")
    table.add_column("average", justify="right")
    for name, values in rows.items():
        own = list(values)
        average = (last or {}).get(name, sum(own) / len(own))
        cells = (f"{100 * value:.1f}" for value in (*own, average))
        table.add_row(escape(name), *cells)
    return table


def plain_table(title: str, values: tables.Table) -> Table:
    """Return a table of results for a terminal: fractions in percent, blank as -."""
    table = Table(title=escape(title), title_justify="left", box=None)
    table.collapse_padding = True
    for i, name in enumerate(values.columns):
        table.add_column(escape(name), justify="right" if i else "left", no_wrap=not i)
    for row in values.rows:
        cells = [f"{100 * x:.1f}" if isinstance(x, float) else x for x in row]
        table.add_row(*("-" if x is None else escape(str(x)) for x in cells))
    return table


def detections_table(video: str, found: Detections, most: int | None = SHOWN) -> Table:
    """Return a video's best detections in the order of time.

    Parameters
    ----------
    video : str
        Its name, for the title.
    found : Detections
        Of this video.
    most : int or None
        Rows at the most: those with the highest scores; None for all.
    """
    best = Shown(top=most).of(found).by_time()
    hidden = len(found) - len(best)
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
    """Yield each system's average mAP and how it differs from the first, in %."""
    first = next(iter(comparison.reports))
    for name in comparison.reports:
        own = comparison.interval(name)
        line = f"{name}: average mAP {100 * own.value:.2f} "
        line += f"[{100 * own.low:.2f}, {100 * own.high:.2f}]"
        if name != first:
            less = comparison.difference(name)
            line += f"; {100 * less.value:+.2f} "
            line += f"[{100 * less.low:+.2f}, {100 * less.high:+.2f}] against {first}"
        yield line
    yield f"in brackets: 95 %, {comparison.draws} draws of the videos"
