"""Signal plans: which signals of a frame tracks of a certain layout have, and how many.

Notation as in `acmnet.data.tracks.tracks`; K points of an individual are described one
by one, S signals describe a frame.
"""

from typing import Final, NamedTuple

import numpy as np

from acmnet.data.tracks.track_layout import TrackLayout

MOST_PAIRED: Final = 8
"""Points of an individual whose distances to each other are all signals."""
MOST_DESCRIBED: Final = 32
"""Points described one by one, of one individual or of two together."""
SHARED_RELATIONS: Final = 5
"""Signals of a pair of individuals that are the same seen from either."""
OWN_WHOLE: Final = 5
"""Signals of an individual as a whole: speed, two accelerations, turning, path."""


class SignalPlan(NamedTuple):
    """Which signals describe a frame of tracks.

    Examples
    --------
    >>> SignalPlan(1, 26, 3, False).n_signals, SignalPlan(2, 7, 2, False).n_signals
    (135, 139)
    >>> SignalPlan(12, 7, 2, True).n_signals
    144
    """

    n_individuals: int
    """I, at least 1."""
    n_points: int
    """P, at least 1."""
    n_axes: int
    """A, 2 or 3."""
    are_pooled: bool
    """Whether individuals cannot be told apart, so that their signals are pooled."""
    has_directions: bool = False
    """Whether features also say how bodies lie in the recording; see
    `acmnet.extraction.keypoints.directed_shapes`."""

    @property
    def n_with_columns(self) -> int:
        """Number of individuals with columns of their own: 1 where they are pooled."""
        return 1 if self.are_pooled else self.n_individuals

    @property
    def described(self) -> list[int]:
        """The K points described one by one: all, or evenly spread over their list.

        K is at most `MOST_DESCRIBED`, half of it where there are several individuals,
        and 0 for individuals of one point.
        """
        if self.n_points == 1:
            return []
        return _spread(self.n_points, MOST_DESCRIBED // min(self.n_individuals, 2))

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """Pairs of points whose distance is a signal: all of up to `MOST_PAIRED`."""
        paired = _spread(self.n_points, MOST_PAIRED)
        return [(i, j) for n, i in enumerate(paired) for j in paired[n + 1 :]]

    @property
    def n_own(self) -> int:
        """Signals of one individual: pairs, 3 K, max(0, K - 2) angles, `OWN_WHOLE`."""
        k = len(self.described)
        return len(self.pairs) + 3 * k + max(0, k - 2) + OWN_WHOLE

    @property
    def n_toward(self) -> int:
        """Signals of one individual toward another: 2 K + 1."""
        return 2 * len(self.described) + 1

    @property
    def n_signals(self) -> int:
        """S: all signals of a frame."""
        n = self.n_individuals
        if n == 1:
            return self.n_own
        if self.are_pooled:
            return 2 * (self.n_own + SHARED_RELATIONS + self.n_toward)
        relations = n * (n - 1) // 2 * (SHARED_RELATIONS + 2 * self.n_toward)
        return n * self.n_own + relations


def plan_of(layout: TrackLayout) -> SignalPlan:
    """Return which signals describe a frame of tracks of a layout."""
    pooled = layout.are_pooled and layout.n_individuals > 1
    return SignalPlan(
        layout.n_individuals,
        len(layout.points),
        layout.n_axes,
        pooled,
        layout.has_directions,
    )


def _spread(n: int, most: int) -> list[int]:
    """Return at most ``most`` of n indices, evenly spread, with the first and last."""
    return sorted({round(float(x)) for x in np.linspace(0, n - 1, min(n, most))})
