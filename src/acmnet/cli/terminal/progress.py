"""Progress of long work: a bar on a terminal, otherwise a line from time to time."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from acmnet.cli.terminal.app import errors, quiet

if TYPE_CHECKING:
    from acmnet.data.labelled_features import Data
    from acmnet.extraction.many_videos.extraction_request import ExtractionProgress
    from acmnet.training.optimisation.tasks import StepRecord

MOST_LINES: Final = 10
"""How many lines report the progress of a job where there is no terminal."""
PAUSE_S: Final = 2.0
"""Least seconds between two of these lines."""
LONG_PAUSE_S: Final = 30.0
"""Least seconds between lines on the progress within a long video."""


class Waiting:
    """Shows how much of a job is done: a bar on a terminal, otherwise some lines.

    Parameters
    ----------
    console : Console
        Where to draw or print.
    what : str
        The job, such as "localising".
    unit : str
        What is counted, such as "videos".
    silent : bool
        Show nothing, as in all processes of torchrun but the first.
    """

    def __init__(self, console: Console, what: str, unit: str, *, silent: bool) -> None:
        self.console, self.what, self.unit = console, what, unit
        self.silent = silent
        self.printed_s, self.has_printed = time.monotonic(), False
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
        """Count one more unit of ``total``."""
        self.done += 1
        self.update(self.done, self.total)

    def update(self, done: int, total: int, note: str = "") -> None:
        """Show that ``done`` of ``total`` units are done."""
        self.progress.update(
            self.task, description=self.what, completed=done, total=total, note=note
        )
        if done * MOST_LINES // total > (done - 1) * MOST_LINES // total:
            # whoever has read "9/10" is told that the job ended, however soon that is
            is_end = done == total and self.has_printed
            self._print(0.0 if is_end else PAUSE_S, done, total, note)

    def _print(self, pause_s: float, done: int, total: int, note: str) -> None:
        """Print a line if no bar is drawn and the last line is ``pause_s`` old."""
        if self.silent or self.console.is_terminal:
            return
        if time.monotonic() - self.printed_s >= pause_s:
            self.printed_s, self.has_printed = time.monotonic(), True
            self.console.print(
                f"{self.what}: {done}/{total} {self.unit} {note}".rstrip()
            )


class ExtractionBar(Waiting):
    """Progress of an extraction: how many videos are done, the speed, the time left."""

    def __init__(self, console: Console, *, silent: bool) -> None:
        super().__init__(console, "extracting", "videos", silent=silent)

    def video(self, _result: object, progress: "ExtractionProgress") -> None:
        """Count a video that was extracted or failed."""
        self.update(progress.done, progress.total, self._note(progress))

    def working(self, progress: "ExtractionProgress") -> None:
        """Show how much of the videos that are being extracted is done."""
        done, total = progress.done, progress.total
        note = f"{_duration(progress.working_s)} of unfinished videos read, "
        note += self._note(progress)
        self.progress.update(self.task, completed=done, total=total, note=note)
        if progress.working_s:
            self._print(LONG_PAUSE_S, done, total, note)

    def _note(self, progress: "ExtractionProgress") -> str:
        note = f"{progress.rate:.1f} x real time"
        if math.isfinite(progress.left_s):
            note += f", {_duration(progress.left_s)} left"
        return note + (f", {progress.failed} failed" if progress.failed else "")


def _duration(seconds: float) -> str:
    """Return a duration in words, in the unit that suits its length.

    Examples
    --------
    >>> _duration(42.4), _duration(600), _duration(9000)
    ('42 s', '10 min', '2.5 h')
    """
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


class TrainingBar(Waiting):
    """Progress of trainings, one after another: epochs done, and the loss."""

    def __init__(self, console: Console, epochs: int, *, silent: bool) -> None:
        super().__init__(console, "training", "epochs", silent=silent)
        self.epochs = epochs
        self.last: StepRecord | None = None

    def step(self, record: "StepRecord", what: str = "training") -> None:
        """Take note of a step; an epoch is shown when the next one begins."""
        if self.last is not None and record.epoch != self.last.epoch:
            self.show_last()
        self.what = what
        self.last = record

    def show_last(self) -> None:
        """Show the last epoch if it is not shown yet: no step comes after it."""
        if self.last is not None:
            loss = self.last.losses["total"]
            total = self.last.of_epochs or self.epochs
            self.update(self.last.epoch, total, f"loss {loss:.3f}")
            self.last = None


@contextmanager
def counting(what: str, data: "Data") -> Iterator[Callable[[str], None]]:
    """Show progress over the videos; yield the function that counts one as done."""
    with Waiting(errors, what, "videos", silent=quiet()) as bar:
        bar.total = len(data.annotations.videos)
        yield bar.one_more
