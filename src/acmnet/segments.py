"""Time: segments in seconds, the snippet grid, detections, temporal IoU (tIoU).

A snippet is a short piece of video, such as 16 successive frames, that one row of
features describes. Notation, used in every module of the package:
    B  videos in a batch
    T  snippets in one video
    D  feature dimension
    C  action classes; index C, where present, is the background
    N  detections

Intervals are half-open, ``[start, end)``. Names end in ``_s`` for seconds and in
``_frames`` for frames; an index ``t`` counts snippets.
"""

import dataclasses
import html
import io
import math
import warnings
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final, TypeVar

import numpy as np
import numpy.typing as npt

from acmnet.messages import counted

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
Time = TypeVar("Time", float, FloatArray)

MOST_SHOWN: Final = 20
"""Largest number of detections that a notebook's table shows, and of classes that its
picture shows."""


@dataclasses.dataclass(frozen=True, order=True, slots=True)
class Segment:
    """A time interval ``[start_s, end_s)`` in seconds, finite and not empty.

    Examples
    --------
    >>> Segment(1.5, 4.0).length_s
    2.5
    >>> Segment(4.0, 1.5)
    Traceback (most recent call last):
    ...
    ValueError: a segment must end after it starts, got [4.0, 1.5] s
    """

    start_s: float
    end_s: float

    def __post_init__(self) -> None:
        """Refuse times that are not finite, or an end that is not after the start."""
        if not (math.isfinite(self.start_s) and math.isfinite(self.end_s)):
            raise ValueError(
                f"a segment must be finite, got [{self.start_s}, {self.end_s}] s"
            )
        if self.end_s <= self.start_s:
            raise ValueError(
                f"a segment must end after it starts, got "
                f"[{self.start_s}, {self.end_s}] s"
            )

    @property
    def length_s(self) -> float:
        """Length in seconds, positive."""
        return self.end_s - self.start_s


@dataclasses.dataclass(frozen=True)
class SnippetGrid:
    """Where each snippet of a video lies in time.

    All conversions between a snippet's index ``t`` and seconds are made here.

    Snippet ``t`` is made of the frames ``[t * stride_frames, t * stride_frames +
    snippet_frames)`` of a video that runs at ``fps``.

    Examples
    --------
    >>> grid = SnippetGrid(fps=25, snippet_frames=16, stride_frames=16)
    >>> grid.centre_s(0), grid.stride_s, grid.span_s(100)
    (0.32, 0.64, 64.0)
    >>> overlapping = SnippetGrid(fps=20, snippet_frames=16, stride_frames=5)
    >>> overlapping.centre_s(2), overlapping.span_s(3)
    (0.9, 1.3)
    """

    fps: float
    """Frame rate of the frames that the snippets were cut from, above 0."""
    snippet_frames: int
    """Frames in one snippet (the window), at least 1."""
    stride_frames: int
    """Frames from the start of one snippet to the start of the next, at least 1."""

    def __post_init__(self) -> None:
        """Refuse values out of range."""
        if not (math.isfinite(self.fps) and self.fps > 0):
            raise ValueError(f"fps must be positive and finite, got {self.fps}")
        for name in ("snippet_frames", "stride_frames"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ValueError(f"{name} must be a whole number from 1, got {value!r}")

    @property
    def stride_s(self) -> float:
        """Seconds from one snippet's start to the next one's."""
        return self.stride_frames / self.fps

    @property
    def window_s(self) -> float:
        """Seconds that one snippet covers."""
        return self.snippet_frames / self.fps

    def centre_s(self, t: float) -> float:
        """Return the time of snippet ``t``: the middle of its window, in seconds."""
        return (t * self.stride_frames + self.snippet_frames / 2) / self.fps

    def snippet_at(self, time_s: Time) -> Time:
        """Return the (fractional) snippet index centred at ``time_s``.

        It is the inverse of `centre_s`. Near the ends of a video it can be below 0 or
        above T - 1.
        """
        return (time_s * self.fps - self.snippet_frames / 2) / self.stride_frames

    def span_s(self, n_snippets: int) -> float:
        """Return the seconds from a video's start to the end of its last snippet."""
        frames = (n_snippets - 1) * self.stride_frames + self.snippet_frames
        return frames / self.fps

    def n_snippets(self, n_frames: int) -> int:
        """Return how many snippets so many frames give, at least one.

        Examples
        --------
        >>> grid = SnippetGrid(fps=25, snippet_frames=16, stride_frames=8)
        >>> [grid.n_snippets(n) for n in (1, 16, 23, 24)]
        [1, 1, 1, 2]
        """
        return max(1, (n_frames - self.snippet_frames) // self.stride_frames + 1)


@dataclasses.dataclass(frozen=True)
class Detection:
    """One scored action: its label, its start and end in seconds, and its score."""

    label: str
    start_s: float
    end_s: float
    score: float


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Detections:
    """The N detections of one video as parallel arrays, checked when made.

    Raises
    ------
    ValueError
        If the arrays' lengths differ, a number is not finite, a detection does not
        end after it starts, or a class index has no name.

    Examples
    --------
    >>> found = Detections.of(["jump"], [(1.0, 2.5, 0.9, 0)])
    >>> [(d.label, d.end_s - d.start_s) for d in found]
    [('jump', 1.5)]
    """

    start_s: FloatArray
    """(N,) seconds."""
    end_s: FloatArray
    """(N,) seconds, each after its start."""
    score: FloatArray
    """(N,) any finite number; higher is surer."""
    class_index: IntArray
    """(N,) index into ``class_names``."""
    class_names: tuple[str, ...]

    def __post_init__(self) -> None:
        """Refuse arrays that do not describe N detections."""
        shapes = {
            name: getattr(self, name).shape
            for name in ("start_s", "end_s", "score", "class_index")
        }
        if len(set(shapes.values())) != 1 or self.start_s.ndim != 1:
            raise ValueError(f"detections need arrays of one length, got {shapes}")
        for name in ("start_s", "end_s", "score"):
            bad = ~np.isfinite(getattr(self, name))
            if bad.any():
                i = int(bad.argmax())
                raise ValueError(
                    f"detection {i} has {name} = {getattr(self, name)[i]}; "
                    "it must be finite"
                )
        empty = self.end_s <= self.start_s
        if empty.any():
            i = int(empty.argmax())
            raise ValueError(
                f"detection {i} must end after it starts, got "
                f"[{self.start_s[i]}, {self.end_s[i]}] s"
            )
        if len(self) and not (
            0 <= self.class_index.min() <= self.class_index.max() < self.n_classes
        ):
            raise ValueError(
                f"class_index must be in [0, {self.n_classes}), got "
                f"{int(self.class_index.min())} to {int(self.class_index.max())}"
            )

    @classmethod
    def of(
        cls,
        class_names: Sequence[str],
        rows: Sequence[tuple[float, float, float, int]] = (),
    ) -> "Detections":
        """Make detections from rows of ``(start_s, end_s, score, class_index)``."""
        # (N, 3): start, end and score of each detection
        table = np.array([row[:3] for row in rows], dtype=np.float64).reshape(-1, 3)
        return cls(
            start_s=table[:, 0],
            end_s=table[:, 1],
            score=table[:, 2],
            class_index=np.array([row[3] for row in rows], dtype=np.int64),
            class_names=tuple(class_names),
        )

    @property
    def n_classes(self) -> int:
        """Number of classes that have a name, found or not."""
        return len(self.class_names)

    def only(self, chosen: IntArray | BoolArray) -> "Detections":
        """Return some of the detections.

        ``chosen`` is an array of indices, whose order is kept, or an array of N
        booleans.

        Examples
        --------
        >>> found = Detections.of(["a"], [(0, 1, 0.2, 0), (2, 3, 0.9, 0)])
        >>> [d.score for d in found.only(found.score > 0.5)]
        [0.9]
        """
        return Detections(
            start_s=self.start_s[chosen],
            end_s=self.end_s[chosen],
            score=self.score[chosen],
            class_index=self.class_index[chosen],
            class_names=self.class_names,
        )

    def by_time(self) -> "Detections":
        """Return the detections from the earliest start to the latest.

        Where starts are equal, the earlier end comes first; where ends are equal, too,
        the lower class index; and then the higher score.
        """
        keys = -self.score, self.class_index, self.end_s, self.start_s
        return self.only(np.lexsort(keys))

    def __len__(self) -> int:
        """Return N."""
        return len(self.start_s)

    def __iter__(self) -> Iterator[Detection]:
        """Yield each `Detection` in the order of the arrays."""
        for i in range(len(self)):
            yield self[i]

    def __getitem__(self, i: int) -> Detection:
        """Return detection ``i``."""
        return Detection(
            self.class_names[int(self.class_index[i])],
            float(self.start_s[i]),
            float(self.end_s[i]),
            float(self.score[i]),
        )

    def _repr_html_(self) -> str:
        """Return the detections with the highest scores as a table, for notebooks."""
        best = np.argsort(-self.score, kind="stable")[:MOST_SHOWN]
        rows = "".join(
            f"<tr><td>{html.escape(detection.label)}</td><td>{detection.start_s:.2f}</td>"
            f"<td>{detection.end_s:.2f}</td><td>{detection.score:.3f}</td></tr>"
            for detection in (self[int(i)] for i in best)
        )
        more = f", the first {MOST_SHOWN} by score" if len(self) > MOST_SHOWN else ""
        heads = "<th>action</th><th>from (s)</th><th>to (s)</th><th>score</th>"
        return (
            f"<table><caption>{counted(len(self), 'detection')}{more}</caption>"
            f"<thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"
        )

    def _repr_png_(self) -> bytes:
        """Return a PNG of the detections over time, with a lane for each class.

        A higher score is drawn less transparent. At most `MOST_SHOWN` classes are
        drawn: those with the highest scores.
        """
        # imported here, because the import takes 0.3 s and only this needs it
        from matplotlib.figure import Figure

        order = np.argsort(-self.score, kind="stable").tolist()
        lanes = list(dict.fromkeys(int(self.class_index[i]) for i in order))[
            :MOST_SHOWN
        ]
        low, high = (f(self.score, initial=0.0) for f in (np.min, np.max))
        figure = Figure(figsize=(7, 0.8 + 0.3 * max(1, len(lanes))), layout="tight")
        axes = figure.add_subplot(xlabel="time (s)")
        for i in order:
            detection = self[i]
            if int(self.class_index[i]) in lanes:
                lane = lanes.index(int(self.class_index[i]))
                sure = 0.2 + 0.8 * float(
                    (detection.score - low) / ((high - low) or 1.0)
                )
                span = (detection.start_s, detection.end_s - detection.start_s)
                axes.broken_barh(
                    [span], (lane - 0.4, 0.8), color=f"C{lane % 10}", alpha=sure
                )
        names = [" ".join(self.class_names[c].split())[:40] for c in lanes]
        axes.set_yticks(range(len(lanes)), names, parse_math=False)
        axes.set_ylim(max(1, len(lanes)) - 0.5, -0.5)
        return figure_png(figure)


def figure_png(figure: "Figure") -> bytes:
    """Return a figure as a PNG, for notebooks."""
    file = io.BytesIO()
    with warnings.catch_warnings():
        # the warning about characters that no font has, which are drawn as boxes
        warnings.simplefilter("ignore", UserWarning)
        figure.savefig(file, format="png", dpi=100)
    return file.getvalue()


def temporal_iou(
    start_a: FloatArray, end_a: FloatArray, start_b: FloatArray, end_b: FloatArray
) -> FloatArray:
    """Return the temporal intersection over union of intervals, broadcasting.

    Parameters
    ----------
    start_a, end_a, start_b, end_b : arrays that broadcast together
        Start and end of the intervals, all in one unit, each end after its start.

    Returns
    -------
    array of the broadcast shape
        In ``[0, 1]``; 0 when two intervals only touch.

    Notes
    -----
    The paper's authors add 1 to every length in their NMS, as is right for pixels
    but not for seconds (`net_evaluation.py:299,309`). Here nothing is added; see
    docs/decisions.md, D-004.

    Examples
    --------
    >>> one = np.array([0.0]), np.array([4.0])
    >>> float(temporal_iou(*one, np.array([2.0]), np.array([6.0]))[0])  # 2 / 6
    0.3333333333333333
    """
    overlap = np.maximum(np.minimum(end_a, end_b) - np.maximum(start_a, start_b), 0.0)
    union = (end_a - start_a) + (end_b - start_b) - overlap
    result: FloatArray = overlap / union
    return result
