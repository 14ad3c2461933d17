"""What is drawn onto a frame of tracks: dots, lines between them, a colour for each.

This module knows neither files nor codecs.
"""

from typing import Final

import cv2
import numpy as np

from acmnet.data.tracks.person_points import BONES, HAND_BONES
from acmnet.data.tracks.tracks import Tracks
from acmnet.show.rendering.frame_overlay import Frame, class_colour

THICKNESS_SHARE: Final = 240
"""Lines are as thick as this fraction (1/240) of the height of the picture."""
FARTHEST: Final = 30_000
"""Pixels from the corner beyond which a point cannot be drawn."""


class TrackOverlay:
    """Draws the points of all individuals onto the frames of one video.

    Points of a person are joined by lines (`BONES` and `HAND_BONES` of
    `acmnet.data.tracks.person_points`), others are dots. A point that the tracker is
    not sure of is not drawn.

    Parameters
    ----------
    tracks : Tracks
        In pixels of the video. Without a frame rate or a clock of their own, they have
        one frame for each of the video.
    """

    def __init__(self, tracks: Tracks) -> None:
        self._tracks = tracks
        self._seen = tracks.seen()
        places = {name: i for i, name in enumerate(tracks.points)}
        self._bones = [
            (places[a], places[b])
            for a, b in (*BONES, *HAND_BONES)
            if a in places and b in places
        ]

    def row(self, index: int, time_s: float) -> int | None:
        """Return the frame of the tracks at a frame of the video; None after the end.

        Parameters
        ----------
        index : int
            Number of the video's frame, from 0.
        time_s : float
            Its time in seconds after the first frame.
        """
        tracks = self._tracks
        if tracks.times_s is not None:
            times = tracks.times_s - tracks.times_s[0]
            row = int(np.abs(times - time_s).argmin())
            return row if time_s <= times[-1] + 1 else None
        # a frame lasts until the next begins; the margin is for rounded times
        row = index if tracks.fps is None else int(time_s * tracks.fps + 1e-3)
        return row if row < tracks.n_frames else None

    def draw(self, frame: Frame, index: int, time_s: float) -> None:
        """Draw onto the frame that the video shows at this time."""
        row = self.row(index, time_s)
        if row is None:
            return
        thick = max(1, round(frame.shape[0] / THICKNESS_SHARE))
        for i in range(len(self._tracks.individuals)):
            places = np.nan_to_num(self._tracks.positions[row, i, :, :2])
            seen = self._seen[row, i] & (np.abs(places) < FARTHEST).all(axis=1)
            dots = [(round(float(x)), round(float(y))) for x, y in places]
            colour = class_colour(i)
            for a, b in self._bones:
                if seen[a] and seen[b]:
                    cv2.line(frame, dots[a], dots[b], colour, thick, cv2.LINE_AA)
            for p in np.flatnonzero(seen):
                cv2.circle(frame, dots[p], thick, colour, cv2.FILLED, cv2.LINE_AA)
