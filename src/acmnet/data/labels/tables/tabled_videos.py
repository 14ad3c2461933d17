"""Labels of a million videos as arrays; a video becomes an object when asked for."""

import dataclasses
import itertools
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Final

import numpy as np

from acmnet.data.labels.annotations import (
    Instance,
    ManyVideos,
    Point,
    Video,
    WatchedSpan,
)
from acmnet.data.labels.tables.row_marks import TIMES_NEEDED
from acmnet.segments import BoolArray, FloatArray, IntArray, Segment

NAME, POINT, SEGMENT, WATCHED = range(len(TIMES_NEEDED))
NO_MARK: Final = len(TIMES_NEEDED)
"""The kind of a row that says only that there is a video."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class MarkTable:
    """The R marks of V videos, sorted by video."""

    ids: tuple[str, ...]
    """Ids of the V videos."""
    class_names: tuple[str, ...]
    subsets: tuple[str, ...]
    """The distinct names of subsets."""
    subset_index: IntArray
    """(V,) index into ``subsets``; -1 for none."""
    duration_s: FloatArray
    """(V,) length of each video; NaN where it is not known."""
    first: IntArray
    """(V + 1,) index of the first mark of each video, and R."""
    kind: IntArray
    """(R,) `NAME`, `POINT`, `SEGMENT`, `WATCHED` or `NO_MARK`."""
    class_index: IntArray
    """(R,) index into ``class_names``; -1 for none."""
    start_s: FloatArray
    """(R,) where a segment or a watched span starts, and where a point is."""
    end_s: FloatArray
    """(R,) where a segment or a watched span ends."""

    def video(self, v: int) -> Video:
        """Return a video by its index."""
        rows = slice(int(self.first[v]), int(self.first[v + 1]))
        names = self.class_names
        labels: set[int] = set()
        instances, points, watched = [], [], []
        for kind, c, start_s, end_s in zip(
            self.kind[rows].tolist(),
            self.class_index[rows].tolist(),
            self.start_s[rows].tolist(),
            self.end_s[rows].tolist(),
            strict=True,
        ):
            if kind == WATCHED:
                of = names[c] if c >= 0 else None
                watched.append(WatchedSpan(of, Segment(start_s, end_s)))
            elif c >= 0:
                labels.add(c)
                if kind == SEGMENT:
                    instances.append(Instance(names[c], Segment(start_s, end_s)))
                elif kind == POINT:
                    points.append(Point(names[c], start_s))
        subset, duration_s = int(self.subset_index[v]), float(self.duration_s[v])
        return Video(
            id=self.ids[v],
            subset=self.subsets[subset] if subset >= 0 else None,
            duration_s=duration_s if duration_s >= 0 else None,
            labels=tuple(names[c] for c in sorted(labels)),
            instances=tuple(instances),
            points=tuple(points),
            watched=tuple(watched),
        )

    def without(self, videos: Collection[str]) -> "MarkTable":
        """Return the table without some videos and the classes that only they have."""
        stays = np.array([x not in videos for x in self.ids], np.bool_)
        lengths = np.diff(self.first)
        rows = np.repeat(stays, lengths)
        used = np.unique(self.class_index[rows])
        used = used[used >= 0]
        new_index = np.full(len(self.class_names) + 1, -1)
        new_index[used] = np.arange(len(used))
        return dataclasses.replace(
            self,
            ids=tuple(itertools.compress(self.ids, stays)),
            class_names=tuple(self.class_names[c] for c in used.tolist()),
            subset_index=self.subset_index[stays],
            duration_s=self.duration_s[stays],
            first=np.concatenate([[0], np.cumsum(lengths[stays])]),
            kind=self.kind[rows],
            class_index=new_index[self.class_index[rows]],
            start_s=self.start_s[rows],
            end_s=self.end_s[rows],
        )


class TabledVideos(ManyVideos):
    """Videos by id, each of them made from a table whenever it is requested.

    Parameters
    ----------
    table : MarkTable
        The marks of all videos.
    chosen : array of shape (n,), optional
        Indices of the videos that there are; all of the table if it is left out.
    """

    def __init__(self, table: MarkTable, chosen: IntArray | None = None) -> None:
        self.table = table
        self._chosen = np.arange(len(table.ids)) if chosen is None else chosen
        ids = [table.ids[v] for v in self._chosen.tolist()]
        self._place: Mapping[str, int] = dict(
            zip(ids, self._chosen.tolist(), strict=True)
        )

    def __getitem__(self, video_id: str) -> Video:
        """Return a video by its id."""
        return self.table.video(self._place[video_id])

    def __contains__(self, video_id: object) -> bool:
        """Return whether there is a video of this id; none is made."""
        return video_id in self._place

    def __iter__(self) -> Iterator[str]:
        """Yield the ids in the order of the file."""
        return iter(self._place)

    def __len__(self) -> int:
        """Return the number of videos."""
        return len(self._place)

    def subsets(self) -> Iterator[str | None]:
        """Yield the subset of each video."""
        names = (*self.table.subsets, None)  # the index of None is -1
        return (names[i] for i in self.table.subset_index[self._chosen].tolist())

    def only(self, keep: Callable[[str, str | None], bool]) -> "TabledVideos":
        """Return some of the videos, by their ids and subsets."""
        pairs = zip(self._place, self.subsets(), strict=True)
        stays = np.fromiter((keep(*pair) for pair in pairs), np.bool_, len(self))
        return TabledVideos(self.table, self._chosen[stays])

    def rows(self) -> tuple[IntArray, IntArray]:
        """Return the rows of the table that these videos have, and whose each is.

        Returns
        -------
        rows : array of shape (n_rows,)
            Indices into the table's marks, video by video.
        video : array of shape (n_rows,)
            The index of each row's video among these videos.
        """
        first, last = self.table.first[self._chosen], self.table.first[self._chosen + 1]
        n_rows = last - first
        video = np.repeat(np.arange(len(n_rows)), n_rows)
        before = np.cumsum(n_rows) - n_rows
        rows: IntArray = np.arange(len(video)) + (first - before)[video]
        return rows, video

    def durations_s(self) -> FloatArray:
        """Return the length of each video in seconds; NaN where it is not known."""
        return self.table.duration_s[self._chosen]

    def at(self, i: int) -> Video:
        """Return a video by its index among these videos."""
        return self.table.video(int(self._chosen[i]))

    def with_spans_or_points(self) -> Iterator[Video]:
        """Yield the videos with points or watched spans, which may contradict."""
        table = self.table
        special: BoolArray = (table.kind == POINT) | (table.kind == WATCHED)
        rows = np.flatnonzero(special)
        videos = np.unique(np.searchsorted(table.first, rows, side="right") - 1)
        for v in videos.tolist():
            yield table.video(v)
