"""Measuring: rows of the table of figures, timing of calls, ratios, peak memory."""

import dataclasses
import resource
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
"""Folder of the checkout, from which the package `benchmarks` can be imported."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Figure:
    """A measured figure and its limit.

    Examples
    --------
    >>> figure = Figure(name="evaluate", value=0.05, unit="s", limit=0.2)
    >>> figure.ratio, figure.within
    (0.25, True)
    """

    name: str
    value: float
    unit: str
    limit: float | None = None
    """The limit in the same unit; the figure of a slow implementation if one was
    timed."""
    detail: str = ""
    """The numbers from which the figure was computed."""

    @property
    def ratio(self) -> float | None:
        """The value divided by its limit; None if it has none."""
        return None if self.limit is None else self.value / self.limit

    @property
    def within(self) -> bool | None:
        """Whether the value is at or below its limit."""
        return None if self.limit is None else self.value <= self.limit

    def to_json(self) -> dict[str, object]:
        """Return the figure as values that ``json.dumps`` accepts."""
        verdict = {"ratio": self.ratio, "within": self.within}
        return {**dataclasses.asdict(self), **verdict}


def seconds(function: Callable[[], object]) -> float:
    """Return how many seconds one call takes."""
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def processor_seconds(function: Callable[[], object]) -> float:
    """Return the processor seconds of the processes that one call starts and awaits."""
    before = _of_children()
    function()
    return _of_children() - before


def _of_children() -> float:
    """Return the processor seconds of all processes that this one has waited for."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def peak_memory_gb() -> float:
    """Return the peak resident memory of this process in GB, with all libraries."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    unit = 1 if sys.platform == "darwin" else 1024  # Linux counts in KiB
    return peak * unit / 1e9


def interleaved(
    *functions: Callable[[], object],
    repeats: int,
    warm_up: int = 1,
    clock: Callable[[Callable[[], object]], float] = seconds,
) -> list[list[float]]:
    """Return the seconds of the calls of functions that are called in turns: A B A B.

    Other work on the machine then slows down neighbouring calls in the same way. The
    clock calls a function and returns the seconds that it took.
    """
    rounds = [[clock(f) for f in functions] for _ in range(warm_up + repeats)]
    return [list(column) for column in zip(*rounds[warm_up:], strict=True)]


def spread(values: Sequence[float], unit: str = "ms", scale: float = 1e3) -> str:
    """Return the least, the median and the largest value in words.

    Examples
    --------
    >>> spread([0.001, 0.003, 0.002])
    '2 ms (1 to 3)'
    """
    low, middle, high = (
        f"{scale * x:.3g}"
        for x in (min(values), statistics.median(values), max(values))
    )
    return f"{middle} {unit} ({low} to {high})"


def median_ratio(a: Sequence[float], b: Sequence[float]) -> float:
    """Return the median of the ratios of neighbouring calls.

    Examples
    --------
    >>> median_ratio([2.0, 9.0, 6.0], [1.0, 3.0, 3.0])  # 2, 3, 2
    2.0
    """
    return statistics.median(x / y for x, y in zip(a, b, strict=True))


def against_twin(
    name: str, fast: Sequence[float], slow: Sequence[float], *, scale: float = 1.0
) -> Figure:
    """Return the figure that compares a fast function with a slow one.

    Parameters
    ----------
    name : str
        The name of the figure.
    fast, slow : sequences of float
        Seconds of the calls of each function, which were called in turns.
    scale : float
        The work of a call of the fast function divided by that of the slow one.
    """
    share = median_ratio(fast, slow) / scale
    faster = [scale * y / x for x, y in zip(fast, slow, strict=True)]
    value = statistics.median(fast)
    return Figure(
        name=name,
        value=value,
        unit="s",
        limit=value / share,
        detail=f"{spread(faster, 'times', 1)} faster",
    )
