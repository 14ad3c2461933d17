"""Recordings of tracks without video, drawn as videos: points on a plain ground.

At the bench, actions can then be marked in it as in any other video.
"""

import dataclasses
import math
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
import cv2
import numpy as np
import numpy.typing as npt

from acmnet.data.tracks.tracks import TrackError, Tracks
from acmnet.files.file_access import written_whole
from acmnet.show.rendering.encoded_picture import CODEC, QUALITY
from acmnet.show.rendering.frame_overlay import Frame, class_colour
from acmnet.show.rendering.track_overlay import FARTHEST, TrackOverlay

LONGER_SIDE: Final = 640
"""Pixels of the longer side of the picture."""
SHORTER_SIDE: Final = 160
"""Least pixels of the shorter side, for individuals that move along a line."""
MARGIN: Final = 0.05
"""Empty border, as a share of the longer side of what the tracks cover."""
OUTLIERS: Final = 0.001
"""Share of the points, at either end of an axis, that may lie outside of the picture:
a tracker that jumps away must not make everything else tiny."""
MOST_FPS: Final = 60.0
"""Frames a second of the video at most; of faster tracks, every second, third, ...
frame is drawn."""
GROUND: Final = 24
"""Grey level of the ground, from 0 to 255."""
LIGHT: Final = (230, 230, 230)
"""Colour of the ring around the first point of an individual."""
RING_SHARE: Final = 80
"""The ring's radius is this fraction (1/80) of the height of the picture."""
Flags = npt.NDArray[np.bool_]


def draw_tracks(
    tracks: Tracks,
    out: Path,
    fps: float,
    *,
    on_frame: Callable[[int, int], None] = lambda *_: None,
) -> int:
    """Write an MP4 video that shows tracks, and return its number of frames.

    The first two coordinates become right and down, as in pictures. The video lasts as
    long as the tracks.

    Parameters
    ----------
    tracks : Tracks
        In any unit.
    out : Path
        The video; it appears completely or not at all.
    fps : float
        Frames a second of the tracks, where they have no clock.
    on_frame : callable
        Called after each frame with the number of frames done and the number expected.

    Raises
    ------
    TrackError
        If no point is ever seen.
    FileError
        If the file cannot be written.
    """
    placed, width, height = _placed(tracks)
    overlay, seen = TrackOverlay(dataclasses.replace(placed, fps=fps)), placed.seen()
    rate = fps / math.ceil(fps / MOST_FPS)
    n_frames = max(1, round(_length_s(tracks, fps) * rate))
    with written_whole(out) as part, av.open(part, "w", format="mp4") as container:
        shown = Fraction(rate).limit_denominator(10_000)
        stream = container.add_stream(CODEC, rate=shown, options=dict(QUALITY))
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for index in range(n_frames):
            pixels = np.full((height, width, 3), GROUND, np.uint8)
            _outline(pixels, placed, seen, overlay.row(index, index / rate))
            overlay.draw(pixels, index, index / rate)
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            container.mux(stream.encode(frame))
            on_frame(index + 1, n_frames)
        container.mux(stream.encode(None))
    return n_frames


def _outline(pixels: Frame, placed: Tracks, seen: Flags, row: int | None) -> None:
    """Draw a line around each individual, and a ring around the first of its points."""
    if row is None:
        return
    ring = max(2, len(pixels) // RING_SHARE)
    for i in range(len(placed.individuals)):
        places = placed.positions[row, i, seen[row, i]]
        inside = np.asarray(places[np.abs(places).max(axis=1, initial=0) < FARTHEST])
        if len(inside) > 2:
            hull = cv2.convexHull(inside.round().astype(np.int32))
            cv2.polylines(pixels, [hull], True, class_colour(i), 1, cv2.LINE_AA)
        if seen[row, i, 0] and np.abs(placed.positions[row, i, 0]).max() < FARTHEST:
            x, y = placed.positions[row, i, 0]
            cv2.circle(pixels, (round(float(x)), round(float(y))), ring, LIGHT, 1)


def _length_s(tracks: Tracks, fps: float) -> float:
    """Return how long tracks last, in seconds, their last frame included."""
    if tracks.times_s is None:
        return tracks.n_frames / fps
    return float(tracks.times_s[-1] - tracks.times_s[0]) + 1 / fps


def _placed(tracks: Tracks) -> tuple[Tracks, int, int]:
    """Return tracks in pixels of a picture, and its even width and height."""
    seen = tracks.seen()
    if not seen.any():
        raise TrackError(
            "no point of any individual is seen in any frame, so that there is nothing "
            "to draw; track the recording again"
        )
    places = tracks.positions[..., :2]
    low, high = np.quantile(places[seen], [OUTLIERS, 1 - OUTLIERS], axis=0)
    border = MARGIN * float((high - low).max())
    extent = high - low + 2 * border
    scale = LONGER_SIDE / float(extent.max() or 1.0)
    width, height = (
        2 * round(max(SHORTER_SIDE, float(side)) / 2) for side in extent * scale
    )
    centre = (np.array([width, height]) - 1) / 2
    positions = (places - (low + high) / 2) * scale + centre
    return (
        dataclasses.replace(tracks, positions=positions.astype(np.float32)),
        width,
        height,
    )
