"""Collect segments and points in arrays while a file is read; make objects at its end.

A file that is refused in its last line has then taken little more memory than its text.
"""

import array
import itertools
from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np

from acmnet.data.formats.field_checks import refuse_unended
from acmnet.data.labels.annotations import AnnotationError, Instance, Point
from acmnet.segments import Segment

MOST_MARKS: Final = 2_000_000
"""Segments and points of one file, at most, as each of them becomes an object: one for
each second of 23 days. Parquet and Arrow files may hold more."""


class VideoMarks(NamedTuple):
    """The marks of one video."""

    instances: list[Instance]
    points: list[Point]


class MarkList:
    """The segments and points of one file, in the order in which they are added."""

    def __init__(self) -> None:
        self._class: dict[str, int] = {}
        self._class_index = array.array("i")
        self._video_index = array.array("i")
        self._start_s = array.array("d")
        self._end_s = array.array("d")

    def __len__(self) -> int:
        """Return the number of segments and points."""
        return len(self._start_s)

    def add_segment(
        self, where: str, label: str, start_s: float, end_s: float, video: int = 0
    ) -> None:
        """Add a segment.

        Parameters
        ----------
        where : str
            The file and the place in it, for messages.
        label : str
            The action.
        start_s, end_s : float
            Its times in seconds.
        video : int
            The number of the video, from 0, in files of several videos.

        Raises
        ------
        AnnotationError
            If it does not end after it starts, or the file has too many.
        """
        refuse_unended(where, start_s, end_s)
        self._add(where, label, start_s, end_s, video)

    def add_point(self, where: str, label: str, time_s: float, video: int = 0) -> None:
        """Add a point; the parameters and errors are those of `add_segment`."""
        self._add(where, label, time_s, time_s, video)

    def _add(
        self, where: str, label: str, start_s: float, end_s: float, video: int
    ) -> None:
        if len(self) == MOST_MARKS:
            raise AnnotationError(
                f"{where}: these are more than {MOST_MARKS:,} segments and points, the "
                "most that a file of this format may hold; deal them to several "
                "files, or write them as a Parquet table"
            )
        self._class_index.append(self._class.setdefault(label, len(self._class)))
        self._video_index.append(video)
        self._start_s.append(start_s)
        self._end_s.append(end_s)

    def of_video(self, video: int = 0) -> VideoMarks:
        """Return the marks of one video; see `by_video` for many."""
        return dict(self.by_video()).get(video, VideoMarks([], []))

    def by_video(self) -> Iterator[tuple[int, VideoMarks]]:
        """Yield the number and the marks of each video that has any."""
        names = list(self._class)
        order = np.argsort(np.array(self._video_index), kind="stable")
        rows = (
            (
                self._video_index[i],
                names[self._class_index[i]],
                self._start_s[i],
                self._end_s[i],
            )
            for i in order.tolist()
        )
        for video, of_video in itertools.groupby(rows, key=lambda row: row[0]):
            marks = VideoMarks([], [])
            for _, label, start_s, end_s in of_video:
                if start_s == end_s:
                    marks.points.append(Point(label, start_s))
                else:
                    marks.instances.append(Instance(label, Segment(start_s, end_s)))
            yield video, marks
