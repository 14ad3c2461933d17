"""The shots of an edited video, at whose ends proposals are split.

A cut is a place where one shot ends and the next begins.
"""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from acmnet.segments import FloatArray, IntArray


@dataclasses.dataclass(frozen=True, eq=False)
class Shots:
    """The K shots of one video, in seconds; one shot for a video without cuts."""

    edge_s: FloatArray
    """(K + 1,). Shot k lasts from edge k to edge k + 1, ascending from 0."""

    @classmethod
    def between(cls, cuts_s: Sequence[float], span_s: float) -> "Shots":
        """Return the shots that cuts leave of a video of ``span_s`` seconds.

        Cuts outside the video are ignored; their order does not matter.

        Examples
        --------
        >>> Shots.between((4.0, 2.5, 99.0), 6.0).edge_s
        array([0. , 2.5, 4. , 6. ])
        """
        inside = {float(cut) for cut in cuts_s if 0.0 < cut < span_s}
        return cls(np.array([0.0, *sorted(inside), span_s]))

    def clip(
        self, start_s: FloatArray, end_s: FloatArray, inside_s: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Return intervals clipped to the shot in which a given time of each lies.

        Parameters
        ----------
        start_s, end_s : arrays of shape (P,)
            The intervals, in seconds.
        inside_s : array of shape (P,)
            A time in each interval. At a cut, it belongs to the shot after the cut.

        Returns
        -------
        start_s, end_s : arrays of shape (P,)
        """
        shot = np.searchsorted(self.edge_s[1:-1], inside_s, side="right")
        return (
            np.maximum(start_s, self.edge_s[shot]),
            np.minimum(end_s, self.edge_s[shot + 1]),
        )

    def on_cells(self, cell_s: float, n_cells: int) -> "ShotCells":
        """Return the shots on a grid of cells of ``cell_s`` seconds.

        A cut inside a cell is moved to the nearer edge of the cell.
        """
        inner = np.round(self.edge_s[1:-1] / cell_s).astype(np.int64)
        edge = np.concatenate(([0], inner.clip(0, n_cells), [n_cells]))
        return ShotCells(edge, self.edge_s)


class Pieces(NamedTuple):
    """P parts of intervals of cells, each inside one shot."""

    of: IntArray
    """(P,). The interval that the part comes from."""
    start: IntArray
    """(P,) cells."""
    end: IntArray
    """(P,) cells, exclusive."""


@dataclasses.dataclass(frozen=True, eq=False)
class ShotCells:
    """The K shots of one video on its cells. A shot may have no cell."""

    edge: IntArray
    """(K + 1,). Shot k has the cells from edge k up to edge k + 1, which is
    exclusive."""
    edge_s: FloatArray
    """(K + 1,). When these shots begin and end, in seconds."""

    def split(self, start: IntArray, end: IntArray) -> Pieces:
        """Return the parts of intervals of cells that lie in one shot each.

        Parameters
        ----------
        start, end : arrays of shape (R,)
            Cells ``[start, end)`` of each interval, not empty.

        Examples
        --------
        >>> shots = ShotCells(np.array([0, 4, 9]), np.array([0.0, 2.0, 4.5]))
        >>> of, start, end = shots.split(np.array([1, 5]), np.array([6, 7]))
        >>> of, start, end
        (array([0, 0, 1]), array([1, 4, 5]), array([4, 6, 7]))
        """
        first = self._shot_of(start)
        n_parts = self._shot_of(end - 1) - first + 1
        of = np.repeat(np.arange(len(start)), n_parts)
        begins = np.cumsum(n_parts) - n_parts  # (R,): where the parts of each begin
        shot = first[of] + np.arange(len(of)) - begins[of]
        low = np.maximum(start[of], self.edge[shot])
        high = np.minimum(end[of], self.edge[shot + 1])
        has_cells = low < high
        return Pieces(of[has_cells], low[has_cells], high[has_cells])

    def bounds(self, start: IntArray) -> tuple[IntArray, IntArray]:
        """Return the first cell, and that after the last, of the shot of each cell."""
        shot = self._shot_of(start)
        return self.edge[shot], self.edge[shot + 1]

    def snap(
        self, start: IntArray, end: IntArray, start_s: FloatArray, end_s: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Return times, exactly at a cut where the cells end at the cell of the cut.

        Parameters
        ----------
        start, end : arrays of shape (P,)
            Cells of parts that `split` returned.
        start_s, end_s : arrays of shape (P,)
            The times of these cells' edges.
        """
        shot = self._shot_of(start)
        low_s, high_s = self.edge_s[shot], self.edge_s[shot + 1]
        is_last = shot == len(self.edge) - 2  # the video's end is no cut
        begins, ends = start == self.edge[shot], (end == self.edge[shot + 1]) & ~is_last
        return (
            np.where(begins, low_s, np.maximum(start_s, low_s)),
            np.where(ends, high_s, np.minimum(end_s, high_s)),
        )

    def _shot_of(self, cell: IntArray) -> IntArray:
        """Return the shot to which each cell belongs."""
        shot: IntArray = np.searchsorted(self.edge[1:-1], cell, side="right")
        return shot
