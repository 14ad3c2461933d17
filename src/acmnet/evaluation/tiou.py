"""Thresholds of temporal IoU (tIoU) as exact decimals, and ranges to average over."""

import decimal
from collections.abc import Sequence
from typing import Final

import numpy as np

from acmnet.segments import FloatArray

AVERAGES: Final = (
    "0.1:0.5:0.1",
    "0.1:0.7:0.1",
    "0.3:0.7:0.1",
    "0.1:0.9:0.1",
    "0.5:0.95:0.05",
)
"""Ranges over which papers average mAP: those of THUMOS14, then ActivityNet's."""

MAX_THRESHOLDS: Final = 1000
TIOU_EXAMPLE: Final = (
    "write one value such as 0.5, a list such as 0.1,0.3,0.5, or a range such as "
    "0.1:0.7:0.1"
)


def parse_tiou(text: str) -> tuple[float, ...]:
    """Return the thresholds that a text lists, each the float nearest to its decimal.

    Parameters
    ----------
    text : str
        One threshold, several separated by commas, or ``start:stop:step``, which
        includes the stop.

    Raises
    ------
    ValueError
        If the text lists no thresholds in ``(0, 1]``, or the steps of a range do not
        reach its stop exactly.

    Examples
    --------
    >>> parse_tiou("0.1:0.5:0.1")  # np.arange gives 0.30000000000000004
    (0.1, 0.2, 0.3, 0.4, 0.5)
    >>> parse_tiou("0.5"), parse_tiou("0.1,0.3,0.5")
    ((0.5,), (0.1, 0.3, 0.5))
    """
    is_range = ":" in text
    try:
        parts = [decimal.Decimal(x) for x in text.split(":" if is_range else ",")]
    except decimal.InvalidOperation:
        raise ValueError(
            f"tiou must be decimal numbers, got {text!r}; {TIOU_EXAMPLE}"
        ) from None
    if is_range and not _is_range(parts):
        raise ValueError(
            "a tiou range must be start:stop:step in (0, 1] that meets its stop, got "
            f"{text!r}; {TIOU_EXAMPLE}"
        )
    if is_range:
        start, stop, step = parts
        parts = [start + i * step for i in range(int((stop - start) / step) + 1)]
    return checked_tiou([float(part) for part in parts])


def checked_tiou(tiou: Sequence[float]) -> tuple[float, ...]:
    """Return thresholds as the decimals that they stand for, or refuse them.

    A number that equals a decimal of three places up to rounding, such as ``0.1 +
    0.2``, stands for that decimal.

    Raises
    ------
    ValueError
        If there is no threshold, one is not in ``(0, 1]``, or one is listed twice.
    """
    checked: list[float] = []
    for threshold in tiou:
        near = round(float(threshold), 3)
        value = near if abs(near - threshold) < 1e-12 else float(threshold)
        if not 0 < value <= 1:
            raise ValueError(
                f"tiou must be in (0, 1], got {threshold:g}; {TIOU_EXAMPLE}"
            )
        if value in checked:
            raise ValueError(f"tiou {value:g} is listed twice; list it once")
        checked.append(value)
    if not checked:
        raise ValueError(f"tiou lists no threshold; {TIOU_EXAMPLE}")
    return tuple(checked)


def labelled_averages(tiou: FloatArray, values: FloatArray) -> dict[str, float]:
    """Return the mean over each usual range whose thresholds are all given.

    Keys are names such as ``"0.1:0.7"``. Papers average over different ranges, often
    without saying so.

    Parameters
    ----------
    tiou, values : arrays of shape (n_tiou,)
        Thresholds that `checked_tiou` returned, and the value measured at each.

    Examples
    --------
    >>> tiou = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    >>> labelled_averages(tiou, np.array([0.75, 0.5, 0.5, 0.5, 0.25, 0.125]))
    {'0.1:0.5': 0.5}
    """
    value_at = dict(zip(tiou.tolist(), values.tolist(), strict=True))
    return {
        text.rpartition(":")[0]: float(np.mean([value_at[t] for t in wanted]))
        for text in AVERAGES
        if set(wanted := parse_tiou(text)) <= set(value_at)
    }


def _is_range(parts: Sequence[decimal.Decimal]) -> bool:
    """Return whether numbers are start, stop and step, and steps reach the stop."""
    if len(parts) != 3 or not all(part.is_finite() for part in parts):
        return False
    start, stop, step = parts
    ordered = 0 < start <= stop <= 1 and step > 0
    return (
        ordered
        and stop - start < MAX_THRESHOLDS * step
        and ((stop - start) % step == 0)
    )
