"""Measuring on a GPU: seconds between events, spreads, and the two floors of a chip."""

import statistics
from collections.abc import Callable, Iterator
from typing import Any, Final

import torch
from torch import Tensor

from benchmarks.measure import Figure, spread

DEVICE: Final = "cuda"
MATRIX_SIDE: Final = 8192
"""Rows and columns of the matrices whose product tells a matrix rate."""
COPIED_BYTES: Final = 4 * 1024**3
"""Bytes that are copied on the chip to tell its bandwidth; many times its cache."""
RATES: Final = ("fp32", "tf32", "bf16")


def in_turns(
    *functions: Callable[[], object], repeats: int, warm_up: int = 2
) -> list[list[float]]:
    """Return the seconds of the GPU for calls that are made in turns: A B A B."""
    spent: list[list[float]] = [[] for _ in functions]
    event: Any = torch.cuda.Event
    for n in range(warm_up + repeats):
        for column, function in zip(spent, functions, strict=True):
            start, end = (event(enable_timing=True) for _ in range(2))
            start.record()
            function()
            end.record()
            end.synchronize()
            if n >= warm_up:
                column.append(start.elapsed_time(end) / 1000)
    return spent


def product(number: str) -> Callable[[], object]:
    """Return a function that multiplies two large random matrices."""
    kind = torch.bfloat16 if number == "bf16" else torch.float32
    one, other, out = (
        torch.randn(MATRIX_SIDE, MATRIX_SIDE, device=DEVICE, dtype=kind)
        for _ in range(3)
    )

    def multiply() -> Tensor:
        torch.backends.cuda.matmul.allow_tf32 = number == "tf32"
        try:
            return torch.mm(one, other, out=out)
        finally:
            torch.backends.cuda.matmul.allow_tf32 = False

    return multiply


def matrix_rates(repeats: int = 5) -> dict[str, list[float]]:
    """Return multiplications and additions a second, by format of numbers."""
    work = 2 * MATRIX_SIDE**3
    spent = in_turns(*map(product, RATES), repeats=repeats)
    return {
        number: [work / s for s in column]
        for number, column in zip(RATES, spent, strict=True)
    }


def copied_a_second(repeats: int = 5) -> list[float]:
    """Return the bytes a second, read and written, of a copy on the GPU."""
    source = torch.empty(COPIED_BYTES, dtype=torch.uint8, device=DEVICE).random_()
    target = torch.empty_like(source)
    (spent,) = in_turns(lambda: target.copy_(source), repeats=repeats)
    return [2 * COPIED_BYTES / s for s in spent]


def rows() -> Iterator[Figure]:
    """Give the floors that other rows are compared with."""
    for number, found in matrix_rates().items():
        yield Figure(
            name=f"matrix rate, {number}, {MATRIX_SIDE}³",
            value=statistics.median(found) / 1e12,
            unit="TFLOP/s",
            detail=spread(found, "", 1e-12),
        )
    found = copied_a_second()
    yield Figure(
        name="copy on the GPU, bytes read and written",
        value=statistics.median(found) / 1e12,
        unit="TB/s",
        detail=spread(found, "", 1e-12),
    )


def peak_gb() -> float:
    """Return the peak of the GPU's memory since the last call, and begin anew."""
    peak = torch.cuda.max_memory_allocated() / 1e9
    torch.cuda.reset_peak_memory_stats()
    return peak
