"""The ground truth as arrays: the instances that a protocol scores."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from acmnet.data.annotations import Annotations, Video
from acmnet.data.contradictions import covers_all
from acmnet.evaluation.matching import Located
from acmnet.evaluation.protocols import Protocol
from acmnet.files import open_regular
from acmnet.limits import seconds
from acmnet.messages import counted, some
from acmnet.segments import BoolArray, FloatArray, Segment
from acmnet.text_files import read_text

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


_REVIEWS: Final = re.compile(
    rb'"version"\s*:\s*"acmnet reviews|"from_detections"\s*:\s*[1-9]'
)
"""Pattern of a label file with what people made of detections: that of an earlier
version, and that of the bench."""
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
    found: dict[str, list[Segment]] = {}
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
        found.setdefault(video, []).append(segment)
    return found


def located_truth(
    annotations: Annotations,
    protocol: Protocol,
    subset: str | None = None,
    intervals: Intervals | None = None,
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
    videos, named = _scored(annotations, protocol, subset)
    where = annotations.source + (f", subset {named!r}" if named is not None else "")
    pairs = [
        (v, instance)
        for v, video in enumerate(videos)
        for instance in video.instances
        if instance.label != protocol.ambiguous_label
    ]
    if not pairs:
        raise ValueError(
            f"{where}: no video has an instance, so nothing can be evaluated; "
            "give labels their segments, or choose another subset"
        )
    present = {instance.label for _, instance in pairs}
    class_names = tuple(name for name in annotations.class_names if name in present)
    place = {name: c for c, name in enumerate(class_names)}
    labelled = np.zeros((len(videos), len(place)), dtype=np.bool_)
    for v, video in enumerate(videos):
        labelled[v, [place[x] for x in video.labels if x in place]] = True
    group = [v * len(place) + place[instance.label] for v, instance in pairs]
    instances = _located(group, [x.segment for _, x in pairs], protocol)
    ambiguous = _ambiguous(videos, protocol, intervals or {})
    notes = _notes(protocol, subset, named, len(videos), len(pairs), len(place))
    if protocol.forgives_ambiguous and not len(ambiguous.group):
        notes.append(f"no {protocol.ambiguous_label} intervals were given")
    notes += _unknown(annotations.source, videos)
    ids = tuple(video.id for video in videos)
    return Truth(
        protocol=protocol,
        where=where,
        video_ids=ids,
        class_names=class_names,
        instances=instances,
        labelled=labelled,
        ambiguous=ambiguous,
        notes=tuple(notes),
    )


def videos_with_instances(truth: Truth) -> set[str]:
    """Return the scored videos that have an instance."""
    return {
        truth.video_ids[group // len(truth.class_names)]
        for group in truth.instances.group.tolist()
    }


def _scored(
    annotations: Annotations, protocol: Protocol, subset: str | None
) -> tuple[list[Video], str | None]:
    """Return the scored videos and the name of their subset."""
    named = subset
    if named is None and protocol.subsets:
        present = {video.subset for video in annotations.videos.values()}
        fitting = [x for x in present if x and x.lower() in protocol.subsets]
        named = fitting[0] if fitting else protocol.subsets[0]
        if present == {None}:
            named = None
    videos: dict[str, Video] = {}
    for video in annotations.subset(named).videos.values():
        key = protocol.video_id(video.id)
        if key in videos:
            raise ValueError(
                f"{annotations.source}: {videos[key].id!r} and {video.id!r} are one "
                f"video under protocol {protocol.name!r}; keep one of them"
            )
        if key not in protocol.left_out:
            videos[key] = video
    return list(videos.values()), named


def _located(
    group: Sequence[int], segments: Sequence[Segment], protocol: Protocol
) -> Located:
    """Return segments as arrays, rounded to the protocol's grid if it has one."""
    times = np.array([(s.start_s, s.end_s) for s in segments], dtype=np.float64)
    columns = times.reshape(-1, 2)
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


def _ambiguous(
    videos: Sequence[Video], protocol: Protocol, intervals: Intervals
) -> Located:
    """Return the ambiguous intervals of the scored videos, those of a file last."""
    pairs = []
    for v, video in enumerate(videos):
        own = [x for x in video.instances if x.label == protocol.ambiguous_label]
        pairs += [(v, instance.segment) for instance in own]
        pairs += [(v, segment) for segment in intervals.get(video.id, ())]
    return _located([v for v, _ in pairs], [s for _, s in pairs], protocol)


def _unknown(source: str, videos: Sequence[Video]) -> Iterator[str]:
    """Yield sentences on actions that the scored videos may hold besides segments."""
    n_points = sum(len(video.points) for video in videos)
    if n_points:
        yield (
            f"{source}: {counted(n_points, 'point', ('has', 'have'))} no start and end "
            "and cannot be found, so detections there count as wrong: score videos "
            "whose actions all have segments"
        )
    in_part = [
        video.id
        for video in videos
        if video.watched
        and not covers_all((x.segment for x in video.watched), video.duration_s)
    ]
    if in_part:
        yield (
            f"{source}: {counted(len(in_part), 'video', ('was', 'were'))} watched in "
            f"part only ({some(in_part)}), and detections elsewhere count as wrong, "
            "though nobody knows: score videos that were watched whole"
        )


def _notes(
    protocol: Protocol,
    subset: str | None,
    named: str | None,
    *sizes: int,
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
