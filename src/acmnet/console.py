"""What a person sees while waiting, and tables of results."""

import time
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Final, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from acmnet.training import StepRecord

LINES: Final = 10
"""How often a long wait is reported where there is no terminal to draw a bar on."""


PAUSE_S: Final = 2.0
"""And at most this often."""


class Waiting:
    """A bar on a terminal, a line now and then elsewhere; nothing when silent."""

    def __init__(self, console: Console, what: str, unit: str, *, silent: bool) -> None:
        self.console, self.what, self.unit = console, what, unit
        self.silent = silent
        self.told = time.monotonic()
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

    def update(self, done: int, total: int, note: str = "") -> None:
        """Show that ``done`` of ``total`` units are behind us."""
        self.progress.update(
            self.task, description=self.what, completed=done, total=total, note=note
        )
        tenths = done * LINES // total > (done - 1) * LINES // total
        if self.silent or self.console.is_terminal or not tenths:
            return
        if time.monotonic() - self.told >= PAUSE_S:
            self.told = time.monotonic()
            self.console.print(
                f"{self.what}: {done}/{total} {self.unit} {note}".rstrip()
            )


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
    title: str, tiou: Iterable[float], rows: Mapping[str, Iterable[float]]
) -> Table:
    """Return mAP in percent: a row each, a column for each tIoU, and the average."""
    table = Table(title=title, title_justify="left", box=None)
    table.collapse_padding = True
    table.add_column("mAP in %", no_wrap=True)
    for threshold in tiou:
        table.add_column(f"{threshold:g}", justify="right")
    table.add_column("average", justify="right")
    for name, values in rows.items():
        percent = [100 * value for value in values]
        cells = [f"{value:.1f}" for value in (*percent, sum(percent) / len(percent))]
        table.add_row(name, *cells)
    return table
