"""The median over the 25 pixels around each pixel, by comparisons alone."""

from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

SORTED_BY_5: Final = (
    (0, 3),
    (1, 4),
    (0, 2),
    (1, 3),
    (0, 1),
    (2, 4),
    (1, 2),
    (3, 4),
    (2, 3),
)
"""Nine comparisons that sort five numbers."""


def median_of_25(planes: Tensor) -> Tensor:
    """Return the median over the 5 x 5 pixels around each pixel; edges are repeated.

    First the five values of each column of a window are sorted; windows that share a
    column share this work. Then the values of each row are sorted. In the resulting
    table the entry in row i and column j, counted from 1, is at least as large as
    ``i j - 1`` others and at most as large as ``(6 - i) (6 - j) - 1`` others. So six
    entries are too small to be the median, six are too large, and the median of the
    remaining 13 is the median of all 25.
    """
    height, width = planes.shape[-2:]
    edged = functional.pad(planes, (2, 2, 2, 2), mode="replicate")
    ranks = _sorted_by_5([edged[..., i : i + height, :] for i in range(5)])
    bag: list[Tensor] = []
    for i, rank in enumerate(ranks, start=1):
        row = _sorted_by_5([rank[..., j : j + width] for j in range(5)])
        bag += [
            entry
            for j, entry in enumerate(row, start=1)
            if i * j <= 13 and (6 - i) * (6 - j) <= 13
        ]
    # of any 8 of the 13, neither the smallest nor the largest is the median of the 13:
    # both are dropped and another takes their place, until one is left
    kept, waiting = bag[:8], bag[8:]
    while True:
        for j in range(1, len(kept)):
            kept[0], kept[j] = _in_order(kept[0], kept[j])
        for j in range(1, len(kept) - 1):
            kept[j], kept[-1] = _in_order(kept[j], kept[-1])
        kept = kept[1:-1]
        if not waiting:
            return kept[0]
        kept.append(waiting.pop())


def _sorted_by_5(planes: list[Tensor]) -> list[Tensor]:
    """Return five planes sorted pixel by pixel."""
    planes = list(planes)
    for i, j in SORTED_BY_5:
        planes[i], planes[j] = _in_order(planes[i], planes[j])
    return planes


def _in_order(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Return the smaller and the larger of two planes, pixel by pixel."""
    return torch.minimum(first, second), torch.maximum(first, second)
