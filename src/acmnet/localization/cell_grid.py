"""The fine time grid of one video, on which proposals begin and end."""

import numpy as np

from acmnet.localization.localization_settings import LocalizationSettings
from acmnet.localization.shots import Shots
from acmnet.localization.video_activations import VideoActivations
from acmnet.segments import FloatArray, IntArray


class CellGrid:
    """One video's time in N cells of equal length, several to a snippet.

    Scores of snippets are interpolated to the cells, so that a proposal can begin and
    end inside a snippet; cells become seconds here and nowhere else.

    Parameters
    ----------
    activations : VideoActivations
        Number of snippets and their times are read from them.
    settings : LocalizationSettings
        ``upsampling`` is the number of cells in a snippet, and ``time_alignment`` says
        where in the snippet its score lies. The video is one shot unless
        ``split_at_cuts`` is set.
    """

    def __init__(
        self, activations: VideoActivations, settings: LocalizationSettings
    ) -> None:
        n_sampled, n_snippets = len(activations.attention), activations.n_snippets
        grid = activations.grid
        stretch = n_snippets / n_sampled  # snippets of the video in one of the T
        self.cell_s = grid.stride_s * stretch / settings.upsampling
        self.span_s = grid.span_s(n_snippets)
        self.n_cells = int(np.ceil(self.span_s / self.cell_s - 1e-6))
        if settings.time_alignment == "left":
            # as in the authors' code: score t lies at the left edge of its snippet, and
            # scores go on beyond the last one in a straight line (D-003)
            self.n_cells = min(self.n_cells, n_sampled * settings.upsampling)
            position = np.arange(self.n_cells) / settings.upsampling
        else:
            middle_s = self.cell_s * np.arange(0.5, self.n_cells, dtype=np.float64)
            snippet = grid.snippet_at(middle_s)
            position = ((snippet + 0.5) / stretch - 0.5).clip(0, n_sampled - 1)
        cuts_s = activations.cuts_s if settings.split_at_cuts else ()
        shots = Shots.between(cuts_s, self.span_s)
        self.shots = shots.on_cells(self.cell_s, self.n_cells)
        # (N,): each cell lies between two of the T snippets, this share of the way
        self.left = position.astype(int).clip(max=max(n_sampled - 2, 0))
        self.right = (self.left + 1).clip(max=n_sampled - 1)
        self.share = position - self.left

    def upsample(self, sequences: FloatArray) -> FloatArray:
        """Return scores of snippets (S, T), linearly interpolated to cells (S, N)."""
        low = sequences[:, self.left]
        result: FloatArray = low + (sequences[:, self.right] - low) * self.share
        return result

    def seconds(self, cell: IntArray) -> FloatArray:
        """Return the time of each cell's left edge, never past the video's end."""
        time_s: FloatArray = np.minimum(cell * self.cell_s, self.span_s)
        return time_s

    def interval_s(
        self, start: IntArray, end: IntArray
    ) -> tuple[FloatArray, FloatArray]:
        """Return start and end (P,) in seconds of intervals of cells inside one shot.

        An interval that begins or ends at the cell of a cut begins or ends at the cut.
        """
        return self.shots.snap(start, end, self.seconds(start), self.seconds(end))
