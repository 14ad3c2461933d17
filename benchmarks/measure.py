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
LOOP: Final = "of a simple loop"
"""What a figure is compared with where a plain loop does the same."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Figure:
    """A measured figure and its limit.

    Examples
    --------
    >>> Figure(name="a step", value=1.08, unit="of its convolution", limit=1.15).within
    True
    """

    name: str
    value: float
    unit: str
    low: float | None = None
    """The smallest value of the repeats; None if there is one value."""
    high: float | None = None
    """The largest value of the repeats; None if there is one value."""
    limit: float | None = None
    """The largest value that is wanted, in the same unit."""
    detail: str = ""
    """The numbers from which the figure was computed."""

    @property
    def within(self) -> bool | None:
        """Whether the value is at or below its limit; None if it has none."""
        return None if self.limit is None else self.value <= self.limit

    def to_json(self) -> dict[str, object]:
        """Return the figure as values that ``json.dumps`` accepts."""
        return {**dataclasses.asdict(self), "within": self.within}


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


def ratio_of(
    name: str,
    ours: Sequence[float],
    others: Sequence[float],
    unit: str,
    *,
    limit: float | None = None,
    detail: str = "",
    measure: str = "s",
) -> Figure:
    """Return the figure that compares values with what was measured in turns with them.

    Parameters
    ----------
    name : str
        What was measured.
    ours, others : sequences of float
        What each round measured: of it, and of what it is compared with.
    unit : str
        What it is compared with, such as "of its convolution".
    limit : float, optional
        The largest ratio that is wanted.
    detail : str
        What else is to be known.
    measure : str
        The unit of ``ours`` and ``others``.

    Examples
    --------
    >>> found = ratio_of("a step", [2.0, 9.0, 6.0], [1.0, 3.0, 3.0], "of its floor")
    >>> found.value, found.low, found.high, found.detail
    (2.0, 2.0, 3.0, '6 s (2 to 9) over 3 s (1 to 3)')
    """
    ratios = [x / y for x, y in zip(ours, others, strict=True)]
    values = f"{spread(ours, measure, 1)} over {spread(others, measure, 1)}"
    return Figure(
        name=name,
        value=statistics.median(ratios),
        unit=unit,
        low=min(ratios),
        high=max(ratios),
        limit=limit,
        detail=f"{values}; {detail}" if detail else values,
    )
