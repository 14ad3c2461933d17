"""The ground truth as arrays: the instances that a protocol scores."""

import re
from array import array
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from acmnet.data.labels.annotations import Annotations, Video
from acmnet.data.labels.contradictions import covers_all
from acmnet.data.labels.tables.tabled_videos import (
    POINT,
    SEGMENT,
    WATCHED,
    TabledVideos,
)
from acmnet.evaluation.protocols import Protocol
from acmnet.evaluation.scoring.matching import Located
from acmnet.files.file_access import open_regular
from acmnet.files.text_files import read_text
from acmnet.limits import seconds
from acmnet.messages import counted, some
from acmnet.segments import BoolArray, FloatArray, IntArray, Segment

Intervals = Mapping[str, Sequence[Segment]]
"""Ambiguous intervals by video, in seconds."""


class Truth(NamedTuple):
    """The instances that a protocol scores, of V videos and C classes.

    An instance of class c in video v has the group ``v * C + c``.
    """

    protocol: Protocol
    where: str
    """The file and the subset, for messages."""
    video_ids: tuple[str, ...]
    """Names of the V scored videos in the ground truth."""
    durations_s: FloatArray
    """(V,) length of each video in seconds; NaN where it is not known."""
    class_names: tuple[str, ...]
    """The C classes with an instance in the scored videos, in annotation order."""
    instances: Located
    """The instances' groups and times, in the order of the annotations. Times are in
    seconds, or in units of the protocol's grid if it has one."""
    labelled: BoolArray
    """(V, C) whether each video has each label, with or without a known segment."""
    ambiguous: Located
    """Ambiguous intervals, with videos as groups and times in the same units."""
    notes: tuple[str, ...]
    """Sentences on how the ground truth differs from the protocol's usual one."""


_REVIEWS: Final = re.compile(rb'"from_detections"\s*:\s*[1-9]')
"""Pattern of a label file of the bench with what people made of detections."""
_BEGINNING_BYTES: Final = 4096
"""Bytes at the start of a label file in which its version stands."""


def reviews_note(path: str | Path) -> str | None:
    """Return a note if a label file was made from detections; else None."""
    try:
        with open_regular(Path(path)) as file:
            beginning = file.read(_BEGINNING_BYTES)
    except OSError:
        return None
    if not _REVIEWS.search(beginning):
        return None
    return (
        f"{path} is made from a model's own detections, as people accepted and "
        "corrected them: an action that the model missed is in it only if somebody "
        "added it, so scores of that model are better than they should be"
    )


def read_intervals(path: str | Path) -> dict[str, list[Segment]]:
    """Read a file of ambiguous intervals such as THUMOS14's ``Ambiguous_test.txt``.

    A line has a video, a start and an end in seconds, separated by spaces.

    Raises
    ------
    ValueError
        If the file cannot be read or a line is not of this form.
    """
    text = read_text(Path(path), "list of intervals", ValueError, "leave it out")
    intervals: dict[str, list[Segment]] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            video, start_s, end_s = line.split()
            times = [seconds(time, in_quotes=True) for time in (start_s, end_s)]
            segment = Segment(*(float("nan") if x is None else x for x in times))
        except ValueError:
            raise ValueError(
                f"{path}, line {number}: must be a video, a start and a later end in "
                f"seconds, separated by blanks, got {line.strip()!r}; correct the line"
            ) from None
        intervals.setdefault(video, []).append(segment)
    return intervals


def located_truth(
    annotations: Annotations,
    protocol: Protocol,
    subset: str | None,
    intervals: Intervals | None,
) -> Truth:
    """Return the instances that a protocol scores.

    Parameters
    ----------
    annotations : Annotations
        The annotations of all subsets.
    protocol : Protocol
        The rules. They name the subset that is scored; if no video is in a subset, all
        videos are scored.
    subset : str, optional
        The subset to score in place of the protocol's.
    intervals : mapping, optional
        Ambiguous intervals beyond those that the annotations label so.

    Raises
    ------
    ValueError
        If there is no such subset, no scored video has an instance, or two names stand
        for one video.
    """
    chosen, named = _of_subset(annotations, protocol, subset)
    where = annotations.source + (f", subset {named!r}" if named is not None else "")
    gathered = _gathered(chosen, protocol, intervals or {})
    if not gathered.video:
        raise ValueError(
            f"{where}: no video has a true segment, so nothing can be scored; add the "
            "start and the end of actions, or choose another subset"
        )
    ids, present = gathered.ids, set(np.unique(gathered.label).tolist())
    class_names = tuple(
        name for name in annotations.class_names if gathered.place.get(name) in present
    )
    # of each label, in the order of first use, the index of its class; -1 for none
    place = {name: c for c, name in enumerate(class_names)}
    classes = np.array([place.get(name, -1) for name in gathered.place], np.int64)
    group = np.array(gathered.video, np.int64) * len(place)
    group += classes[np.array(gathered.label, np.int64)]
    n_ambiguous = len(gathered.ambiguous_video)
    notes = _notes(protocol, subset, named, len(ids), len(group), len(place))
    if protocol.forgives_ambiguous and not n_ambiguous:
        notes.append(f"no {protocol.ambiguous_label} intervals were given")
    notes += gathered.unknown(annotations.source)
    return Truth(
        protocol=protocol,
        where=where,
        video_ids=tuple(ids),
        durations_s=np.array(gathered.durations_s, np.float64),
        class_names=class_names,
        instances=_located(group, gathered.times, protocol),
        labelled=gathered.is_labelled(classes, len(place)),
        ambiguous=_located(
            gathered.ambiguous_video, gathered.ambiguous_times, protocol
        ),
        notes=tuple(notes),
    )


def _gathered(
    chosen: Annotations, protocol: Protocol, intervals: Intervals
) -> "_Gathered":
    """Return what a protocol scores of the chosen videos."""
    gathered, videos = _Gathered(protocol, intervals), chosen.videos
    is_plain = not protocol.has_youtube_ids and not intervals
    if isinstance(videos, TabledVideos) and is_plain:
        gathered.add_table(videos.only(lambda name, _: name not in protocol.left_out))
        return gathered
    for video in videos.values():
        gathered.add(chosen.source, video)
    return gathered


class _Gathered:
    """The scored videos, added one after the other; none is kept as an object."""

    def __init__(self, protocol: Protocol, intervals: Intervals) -> None:
        self.protocol, self.intervals = protocol, intervals
        self.ids: list[str] = []
        self.durations_s = array("d")
        """Length of each video in seconds; NaN where it is not known."""
        self.place: dict[str, int] = {}
        """The labels by name, numbered in the order of first use."""
        self.video, self.label = array("q"), array("q")
        """Index of the video and number of the label, for each instance."""
        self.times = array("d")
        """Start and end of each instance, in seconds, one after the other."""
        self.labelled = array("q"), array("q")
        """Index of the video and number of the label, for each label of a video."""
        self.ambiguous_video, self.ambiguous_times = array("q"), array("d")
        """What ``video`` and ``times`` are for instances, for ambiguous intervals."""
        self.n_points = 0
        self.pointed: set[int] = set()
        """Indices of the videos with points."""
        self.in_part: list[str] = []
        """Ids of the videos that were watched in part only."""
        self._by_key: dict[str, str] = {}

    def add(self, source: str, video: Video) -> None:
        """Add a video, unless the protocol leaves it out.

        Raises
        ------
        ValueError
            If a video that was added before is the same under the protocol.
        """
        key = self.protocol.video_id(video.id)
        if self._by_key.setdefault(key, video.id) != video.id:
            raise ValueError(
                f"{source}: {self._by_key[key]!r} and {video.id!r} are one video under "
                f"protocol {self.protocol.name!r}; keep one of them"
            )
        if key in self.protocol.left_out:
            return
        v = len(self.ids)
        self.ids.append(video.id)
        self.durations_s.append(video.duration_s or np.nan)
        for instance in video.instances:
            segment = instance.segment
            if instance.label == self.protocol.ambiguous_label:
                self._add_ambiguous(v, segment)
            else:
                self.video.append(v)
                self.label.append(self._number(instance.label))
                self.times.extend((segment.start_s, segment.end_s))
        for segment in self.intervals.get(video.id, ()):
            self._add_ambiguous(v, segment)
        for name in video.labels:
            self.labelled[0].append(v)
            self.labelled[1].append(self._number(name))
        self.n_points += len(video.points)
        if video.points:
            self.pointed.add(v)
        if video.watched:
            self._add_watched(video)

    def add_table(self, videos: TabledVideos) -> None:
        """Add the videos of a table, without an object for each of them.

        It does what `add` does with each video, for a protocol in which each name is
        another video, and without intervals beyond those of the table.
        """
        table, (rows, of) = videos.table, videos.rows()
        number = np.array([self._number(x) for x in table.class_names], np.int64)
        kind, label = table.kind[rows], table.class_index[rows]
        has_label = label >= 0
        is_segment = (kind == SEGMENT) & has_label
        is_ambiguous = np.array(
            [*(x == self.protocol.ambiguous_label for x in table.class_names), False]
        )[label]
        times = np.stack([table.start_s[rows], table.end_s[rows]], axis=1)
        lengths_s = videos.durations_s()
        is_sure, unsure = is_segment & ~is_ambiguous, is_segment & is_ambiguous
        named = (kind != WATCHED) & has_label
        for kept, values in (
            (self.durations_s, np.where(lengths_s > 0, lengths_s, np.nan)),
            (self.video, of[is_sure]),
            (self.label, number[label[is_sure]]),
            (self.times, times[is_sure]),
            (self.labelled[0], of[named]),
            (self.labelled[1], number[label[named]]),
            (self.ambiguous_video, of[unsure]),
            (self.ambiguous_times, times[unsure]),
        ):
            kept.frombytes(values.tobytes())
        self.ids.extend(videos)
        is_point = (kind == POINT) & has_label
        self.n_points += int(is_point.sum())
        self.pointed.update(of[is_point].tolist())
        for v in np.unique(of[kind == WATCHED]).tolist():
            self._add_watched(videos.at(v))

    def _add_watched(self, video: Video) -> None:
        """Take note of a video that was watched in part only."""
        spans = (x.segment for x in video.watched)
        if not covers_all(spans, video.duration_s):
            self.in_part.append(video.id)

    def _number(self, label: str) -> int:
        """Return the number of a label."""
        return self.place.setdefault(label, len(self.place))

    def _add_ambiguous(self, v: int, segment: Segment) -> None:
        """Add an ambiguous interval of a video."""
        self.ambiguous_video.append(v)
        self.ambiguous_times.extend((segment.start_s, segment.end_s))

    def is_labelled(self, classes: IntArray, n_classes: int) -> BoolArray:
        """Return (V, C) whether each video has each label.

        ``classes`` has the index of each label's class; -1 for none.
        """
        labelled = np.zeros((len(self.ids), n_classes), dtype=np.bool_)
        v, label = (np.array(x, np.int64) for x in self.labelled)
        is_scored = classes[label] >= 0
        labelled[v[is_scored], classes[label[is_scored]]] = True
        return labelled

    def unknown(self, source: str) -> Iterator[str]:
        """Yield sentences on actions that the videos may hold besides segments."""
        if self.n_points:
            yield (
                f"{source}: {counted(self.n_points, 'point', ('has', 'have'))} no "
                "start and end and cannot be found, so detections there count as "
                "wrong: score videos whose actions all have segments"
            )
        marked = self.pointed.union(self.video, self.ambiguous_video)
        alone = [self.ids[v] for v in sorted(set(self.labelled[0]) - marked)]
        if alone:
            which = counted(len(alone), "video", ("carries", "carry"))
            yield (
                f"{source}: {which} names but no segment ({some(alone)}), so all that "
                "is found there counts as wrong: score videos whose actions all have "
                "segments"
            )
        n = len(self.in_part)
        if n:
            yield (
                f"{source}: {counted(n, 'video', ('was', 'were'))} watched in part "
                f"only ({some(self.in_part)}), and detections elsewhere count as "
                "wrong, though nobody knows: score videos that were watched whole"
            )


def videos_with_instances(truth: Truth) -> set[str]:
    """Return the scored videos that have an instance."""
    return {
        truth.video_ids[group // len(truth.class_names)]
        for group in truth.instances.group.tolist()
    }


def _of_subset(
    annotations: Annotations, protocol: Protocol, subset: str | None
) -> tuple[Annotations, str | None]:
    """Return the videos of the subset that is scored, and its name."""
    named = subset
    if named is None and protocol.subsets:
        present = set(annotations.subsets())
        fitting = [x for x in present if x and x.lower() in protocol.subsets]
        named = fitting[0] if fitting else protocol.subsets[0]
        if present == {None}:
            named = None
    return annotations.subset(named), named


def _located(group: npt.ArrayLike, times: npt.ArrayLike, protocol: Protocol) -> Located:
    """Return intervals as arrays, rounded to the protocol's grid if it has one.

    ``times`` has start and end of each interval, one after the other.
    """
    columns = np.array(times, dtype=np.float64).reshape(-1, 2)
    start, end = in_units(columns[:, 0], columns[:, 1], protocol)
    if protocol.grid_s is not None:
        start, end = np.rint(start), np.rint(end)
    return Located(np.array(group, dtype=np.int64), start, end)


def in_units(
    start_s: FloatArray, end_s: FloatArray, protocol: Protocol
) -> tuple[FloatArray, FloatArray]:
    """Return times in units of the protocol's grid, or in seconds if it has none."""
    grid_s = protocol.grid_s
    if grid_s is None:
        return start_s, end_s
    # multiplied before divided, as in round(t * 25 / 16), so that 33.6 s are exactly
    # 52.5 snippets, which is rounded to even
    up, down = grid_s.denominator, grid_s.numerator
    return start_s * up / down, end_s * up / down


def _notes(
    protocol: Protocol, subset: str | None, named: str | None, *sizes: int
) -> list[str]:
    """Return sentences on how the ground truth differs from the protocol's."""
    notes = []
    if protocol.subsets and subset is not None:
        if subset.lower() not in protocol.subsets:
            notes.append(f"subset {subset!r} instead of {protocol.subsets[0]!r}")
    elif protocol.subsets and named is None:
        notes.append("no video names its subset, so all are scored")
    for kind, size in zip(("videos", "instances", "classes"), sizes, strict=True):
        known = getattr(protocol, kind)
        if known is not None and size != known:
            notes.append(f"{size} {kind}; the complete ground truth has {known}")
    return notes
