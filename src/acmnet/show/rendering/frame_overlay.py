"""What is drawn onto a frame: labels with scores at the top, a timeline at the bottom.

This module knows neither files nor codecs. The timeline has a lane for each detected
class, in alphabetical order, then one for the true segments. Its width stands for the
length of the video, and a white line marks the current time.
"""

import colorsys
import functools
import warnings
from collections.abc import Iterable, Sequence
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from acmnet.data.labels.annotations import Instance
from acmnet.segments import Detection

Frame = npt.NDArray[np.uint8]
"""A picture, (H, W, 3), in RGB."""
Mask = npt.NDArray[np.uint8]
"""How much each pixel is covered, (h, w), from 0 to 255 for completely."""
Colour = tuple[int, int, int]
"""Red, green and blue, each from 0 to 255."""

STRIP_SHARE: Final = 3
"""The timeline has at most this fraction (1/3) of the height of the picture, and so
have the labels."""
LANE_SHARE: Final = 30
"""A lane has this fraction (1/30) of the height of the picture if there is room."""
SHORTEST_LANE: Final = 6
"""Least height of a lane in pixels, if there is room."""
LIGHT_LEFT: Final = 0.35
"""The picture behind timeline and labels is darkened to this share of its light."""
LINE_GREY: Final = 200
"""Grey value of the line between detections and true segments."""
LONGEST_TEXT: Final = 200
"""Longer labels are cut to this many characters before they are measured."""

# Fonts for the characters that matplotlib's own font, DejaVu Sans, does not have.
_FALLBACKS: Final = (
    *("Noto Sans CJK SC", "Noto Sans CJK JP", "WenQuanYi Zen Hei", "Microsoft YaHei"),
    *("PingFang SC", "Hiragino Sans", "Arial Unicode MS", "Unifont"),
    *("Noto Emoji", "Symbola", "Noto Sans Devanagari", "Noto Sans Arabic"),
)
_GOLDEN: Final = 0.618033988749895  # of a turn between hues: neighbours differ most


def class_colour(index: int) -> Colour:
    """Return the colour of the class with this index among the drawn labels.

    Examples
    --------
    >>> class_colour(0), class_colour(1)
    ((255, 64, 64), (64, 120, 255))
    """
    parts = colorsys.hsv_to_rgb(index * _GOLDEN % 1, 0.75, 1.0)
    red, green, blue = (round(255 * part) for part in parts)
    return red, green, blue


class Overlay:
    """Draws detections onto the frames of one video.

    Parameters
    ----------
    width, height : int
        Size of the frames in pixels.
    duration_s : float
        Length of the video in seconds, which the timeline shows.
    detections : sequence of Detection
        The detections to draw. What lies beyond the end of the video is cut off.
    truth : sequence of Instance
        True segments, drawn in one more lane, the last; no lane if there are none.

    Notes
    -----
    Time ``t`` is at column ``round(t / duration_s * width)``. With ``n`` lanes, each is
    ``max(1, min(max(6, height // 30), height // 3 // n))`` pixels high. In lanes of 4
    pixels or more, the lowest row of pixels is left blank, and the highest row of the
    lane of true segments is a grey line. The last lane ends at the lower edge. If the
    picture is too low for all lanes, it shows the last ones.
    """

    def __init__(
        self,
        width: int,
        height: int,
        duration_s: float,
        detections: Sequence[Detection],
        truth: Sequence[Instance] = (),
    ) -> None:
        self.width, self.height, self.duration_s = width, height, duration_s
        self.found = sorted(detections, key=lambda detection: -detection.score)
        lanes = sorted({detection.label for detection in detections})
        names = sorted({*lanes, *(instance.label for instance in truth)})
        self.colours = {name: class_colour(i) for i, name in enumerate(names)}
        self._text_height = max(12, height // 20)
        bars = [(lanes.index(d.label), d.label, d.start_s, d.end_s) for d in detections]
        bars += [
            (
                len(lanes),
                instance.label,
                instance.segment.start_s,
                instance.segment.end_s,
            )
            for instance in truth
        ]
        self._bars, self._covered = self._strip(
            bars, len(lanes) + bool(truth), bool(truth)
        )

    def draw(self, frame: Frame, time_s: float) -> None:
        """Draw onto the frame that the video shows at this time."""
        self._draw_strip(frame, time_s)
        limit = self.height // STRIP_SHARE
        top = 0
        for detection in self.found:
            if not detection.start_s <= time_s < detection.end_s:
                continue
            if top and top + self._text_height > limit:
                break
            self._draw_label(frame, detection, top)
            top += self._text_height

    def column(self, time_s: float) -> int:
        """Return the column of a time in the timeline, from 0 to the width."""
        share = time_s / self.duration_s if self.duration_s > 0 else 0.0
        return round(min(max(share, 0.0), 1.0) * self.width)

    def _strip(
        self,
        bars: Iterable[tuple[int, str, float, float]],
        n_lanes: int,
        has_truth: bool,
    ) -> tuple[Frame, Mask]:
        """Return the timeline's bars, and which pixels they cover."""
        lane = max(SHORTEST_LANE, self.height // LANE_SHARE)
        lane = max(1, min(lane, self.height // STRIP_SHARE // max(1, n_lanes)))
        shape = (lane * n_lanes, self.width)
        strip, covered = np.zeros((*shape, 3), np.uint8), np.zeros(shape, np.uint8)
        for place, label, start_s, end_s in bars:
            left = min(self.column(start_s), self.width - 1)
            columns = slice(left, max(left + 1, self.column(end_s)))
            rows = slice(lane * place, lane * (place + 1) - (lane >= 4))
            if start_s < self.duration_s and end_s > 0:
                strip[rows, columns] = self.colours[label]
                covered[rows, columns] = 255
        if has_truth and lane >= 4:
            strip[-lane], covered[-lane] = LINE_GREY, 255
        return strip[-self.height :], covered[-self.height :]

    def _draw_strip(self, frame: Frame, time_s: float) -> None:
        """Darken the bottom, and draw the bars and the white line there."""
        if not len(self._bars):
            return
        below = frame[-len(self._bars) :]
        below[:] = cv2.convertScaleAbs(below, alpha=LIGHT_LEFT)
        is_bar = self._covered > 0
        below[is_bar] = self._bars[is_bar]
        at = min(self.column(time_s), self.width - 1)
        below[:, at : at + max(1, self.width // 320)] = 255

    def _draw_label(self, frame: Frame, detection: Detection, top: int) -> None:
        """Draw a square in the colour of the class, the label and the score."""
        size = self._text_height
        room = self.width - size
        if room < size:
            return
        mask = text_mask(detection.label, f" {detection.score:.2f}", size, room)
        box = frame[top : top + size, : size + mask.shape[1]]
        box[:] = cv2.convertScaleAbs(box, alpha=LIGHT_LEFT)
        edge = max(1, size // 5)
        box[edge : size - edge, edge : size - edge] = self.colours[detection.label]
        text = box[:, size:].astype(np.uint16)
        cover = mask[: len(box), :, None].astype(np.uint16)
        box[:, size:] = (text * (255 - cover) + 255 * cover) // 255


@functools.lru_cache(maxsize=256)
def text_mask(text: str, end: str, height: int, limit: int) -> Mask:
    """Return a line of text, cut to a width in pixels.

    Parameters
    ----------
    text : str
        Any text. Characters that cannot be printed, such as a line break, become
        blanks. If the text is too wide, it is cut and ends with an ellipsis.
    end : str
        What follows the text and is never cut.
    height : int
        Height of the line in pixels, at least 8.
    limit : int
        Greatest width in pixels.

    Returns
    -------
    array of shape (height, w)
        The width ``w`` is at most ``limit``. A character that no font has is a box.
    """
    text = "".join(c if c.isprintable() else " " for c in text[: LONGEST_TEXT + 1])
    n_letters = len(text)
    mask, width = _drawn(text + end, height, limit)
    while width > limit and n_letters:
        n_letters = min(n_letters - 1, int(n_letters * limit / width))
        mask, width = _drawn(text[:n_letters] + "…" + end, height, limit)
    return mask[:, : max(1, int(width) + height // 4)]


def _drawn(text: str, height: int, limit: int) -> tuple[Mask, float]:
    """Return a text as drawn, cut off at the limit, and how wide it would be."""
    # imported here, because it takes 0.3 s that other verbs need not wait
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    dpi = 72  # so that a point is a pixel
    figure = Figure(figsize=(limit / dpi, height / dpi), dpi=dpi)
    figure.patch.set_alpha(0)
    canvas = FigureCanvasAgg(figure)
    line = figure.text(
        0,
        0.25,
        text,
        fontsize=0.7 * height,
        family=_families(),
        parse_math=False,
        va="baseline",
    )
    with warnings.catch_warnings():
        # a character that no font has is drawn as a box
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        warnings.filterwarnings("ignore", message="Matplotlib currently does not")
        width = line.get_window_extent(canvas.get_renderer()).width  # type: ignore[no-untyped-call]
        canvas.draw()  # type: ignore[no-untyped-call]
    pixels = np.asarray(canvas.buffer_rgba())[:, :, 3]  # type: ignore[no-untyped-call]
    # rounding may make a figure one pixel smaller than asked for
    mask = np.zeros((height, limit), np.uint8)
    rows, columns = min(height, len(pixels)), min(limit, pixels.shape[1])
    mask[:rows, :columns] = pixels[:rows, :columns]
    return mask, width


@functools.cache
def _families() -> list[str]:
    """Return matplotlib's own font, and the installed ones that have other scripts."""
    from matplotlib.font_manager import fontManager

    installed = set(fontManager.get_font_names())
    return ["DejaVu Sans", *(name for name in _FALLBACKS if name in installed)]
