"""What all topics share: a row of the table, and how seconds become a ratio."""

import dataclasses
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
"""The checkout; processes start here so that `benchmarks` can be imported."""


@dataclasses.dataclass(frozen=True)
class Row:
    """One figure and what it is held against.

    Examples
    --------
    >>> row = Row("evaluate", 0.05, "s", limit=0.2)
    >>> row.ratio, row.within
    (0.25, True)
    """

    name: str
    value: float
    unit: str
    limit: float | None = None
    """In the same unit; where a slow twin was timed, the twin's figure."""
    detail: str = ""
    """What the figure was made of."""

    @property
    def ratio(self) -> float | None:
        """The value over its limit; at most 1 is within it."""
        return None if self.limit is None else self.value / self.limit

    @property
    def within(self) -> bool | None:
        """Whether the value is at or below its limit."""
        return None if self.limit is None else self.value <= self.limit

    def to_json(self) -> dict[str, object]:
        """Return the row as ``json.dumps`` takes it."""
        verdict = {"ratio": self.ratio, "within": self.within}
        return {**dataclasses.asdict(self), **verdict}


def seconds(function: Callable[[], object]) -> float:
    """Return how long one call takes."""
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def interleaved(
    *functions: Callable[[], object], repeats: int, warm_up: int = 1
) -> list[list[float]]:
    """Return the seconds of each function's calls, taken in turns: A B A B.

    What the machine does meanwhile then hits neighbouring calls alike.
    """
    rounds = [[seconds(f) for f in functions] for _ in range(warm_up + repeats)]
    return [list(column) for column in zip(*rounds[warm_up:], strict=True)]


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
) -> Row:
    """Return the row of a fast function beside its slow twin.

    Parameters
    ----------
    name : str
        Of the row.
    fast, slow : sequences of seconds
        Taken in turns.
    scale : float
        How many times more work the fast one did.
    """
    share = median_ratio(fast, slow) / scale
    value = statistics.median(fast)
    return Row(name, value, "s", value / share, f"{1 / share:.3g} times faster")
