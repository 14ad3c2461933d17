"""Times that a person marked, and which of them training is given.

Training learns from the names of the actions in each video. `given_marks` is the only
way by which times reach it, and it returns times only when they were requested.
"""

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from acmnet.data.labels.annotations import (
    BENCH,
    Annotations,
    Instance,
    Point,
    Video,
    WatchedSpan,
)
from acmnet.data.labels.supervision import SUPERVISIONS, Supervision
from acmnet.limits import LARGEST_SECONDS
from acmnet.messages import counted
from acmnet.segments import Segment


@dataclasses.dataclass(frozen=True)
class VideoMarks:
    """The times of one video that training is given."""

    segments: tuple[Instance, ...] = ()
    """Actions from start to end, in the order of the label file."""
    points: tuple[Point, ...] = ()
    """Instants inside further actions, in the order of the label file."""
    watched: tuple[WatchedSpan, ...] = ()
    """Spans in which every action without a segment or a point is absent."""

    def __bool__(self) -> bool:
        """Whether there is any mark."""
        return bool(self.segments or self.points or self.watched)


def given_marks(
    annotations: Annotations, supervision: Supervision
) -> dict[str, VideoMarks]:
    """Return the times that training is given.

    Parameters
    ----------
    annotations : Annotations
        The videos to train on.
    supervision : str
        "names" gives no time. "points" gives points, "segments" gives segments and
        watched spans, and "all" gives the three of them.

    Returns
    -------
    dict of video id to VideoMarks
        Only videos that have such a mark; empty for "names". Empty, too, if only videos
        without any action have marks: that they were watched says no more than their
        names do (D-163).

    Raises
    ------
    ValueError
        If ``supervision`` is not one of the four.

    Examples
    --------
    >>> from acmnet.segments import Segment
    >>> fight = Instance("fight", Segment(2.0, 5.0))
    >>> video = Video(
    ...     id="a",
    ...     duration_s=9.0,
    ...     labels=("fight",),
    ...     instances=(fight,),
    ...     points=(Point("fight", 7.0),),
    ... )
    >>> labels = Annotations("labels.json", {"a": video}, ("fight",))
    >>> given_marks(labels, "names")
    {}
    >>> given_marks(labels, "points")["a"].points
    (Point(label='fight', time_s=7.0),)
    >>> given_marks(labels, "points")["a"].segments
    ()
    """
    if supervision not in SUPERVISIONS:
        raise ValueError(
            f"supervision must be {', '.join(SUPERVISIONS[:-1])} or "
            f"{SUPERVISIONS[-1]}, got {supervision!r}"
        )
    if supervision == "names":
        return {}
    held = held_marks(annotations, supervision)
    is_more_than_names = any(annotations.videos[video].labels for video in held)
    return held if is_more_than_names else {}


def held_marks(
    annotations: Annotations, supervision: Supervision = "all"
) -> dict[str, VideoMarks]:
    """Return the times that a label file holds, of the kinds of a supervision.

    Videos without such a mark are left out.
    """
    marks_of = {
        video.id: _marks(video, supervision) for video in annotations.videos.values()
    }
    return {video: marks for video, marks in marks_of.items() if marks}


def marked_classes(marks: Mapping[str, VideoMarks]) -> frozenset[str]:
    """Return the classes of which training is given a segment or a point.

    Parameters
    ----------
    marks : mapping of video id to VideoMarks
        As `given_marks` returns them.

    Examples
    --------
    >>> given = VideoMarks(points=(Point("fight", 7.0),))
    >>> marked_classes({"a": given, "b": VideoMarks()})
    frozenset({'fight'})
    """
    segments = (mark.label for of_video in marks.values() for mark in of_video.segments)
    points = (mark.label for of_video in marks.values() for mark in of_video.points)
    return frozenset((*segments, *points))


def _marks(video: Video, supervision: Supervision) -> VideoMarks:
    """Return the times of one video that training is given."""
    with_points = supervision in ("points", "all")
    with_segments = supervision in ("segments", "all")
    return VideoMarks(
        segments=video.instances if with_segments else (),
        points=video.points if with_points else (),
        watched=video.watched if with_segments else (),
    )


def default_supervision(annotations: Annotations) -> Supervision:
    """Return the default supervision of `fit`: names, or all of what the bench wrote.

    People who mark times at the bench want them to be learned from.
    """
    return "all" if annotations.made_by == BENCH else "names"


def content_sentence(annotations: Annotations) -> str:
    """Return how many names and marks a label file holds, in words.

    A name is a label of a video. Watched time is given in minutes; a video of unknown
    duration that was watched whole counts as a video instead.

    Examples
    --------
    >>> from acmnet.segments import Segment
    >>> fight = Instance("fight", Segment(2.0, 5.0))
    >>> video = Video(
    ...     id="a",
    ...     duration_s=90.0,
    ...     labels=("fight", "run"),
    ...     instances=(fight, fight),
    ...     watched=(WatchedSpan(None, Segment(0.0, 90.0)),),
    ... )
    >>> content_sentence(Annotations("labels.json", {"a": video}, ("fight", "run")))
    '2 names, 2 segments, 1.5 min watched'
    """
    n_names = sum(len(video.labels) for video in annotations.videos.values())
    marks = _mark_counts(held_marks(annotations))
    return ", ".join([counted(n_names, "name"), *marks])


def given_in_words(annotations: Annotations, supervision: Supervision) -> str:
    """Return what training is given, in words, such as "names and 12 points"."""
    return _listed(["names", *_mark_counts(given_marks(annotations, supervision))])


def supervision_note(annotations: Annotations, supervision: Supervision) -> str | None:
    """Return a sentence on what training is given; None where nothing need be said.

    Parameters
    ----------
    annotations : Annotations
        The videos to train on.
    supervision : str
        What was requested.
    """
    if given_marks(annotations, supervision):
        return (
            f"training is given {given_in_words(annotations, supervision)} of "
            f"{annotations.source} (supervision: {supervision})"
        )
    if supervision != "names":
        what = {"points": "points", "segments": "segments or watched spans"}
        if held_marks(annotations, supervision):
            return (
                f"only videos without an action are marked as watched in "
                f"{annotations.source}, which says no more than names do, so training "
                "is given names alone"
            )
        return (
            f"{annotations.source} holds no {what.get(supervision, 'times')}, so "
            "training is given names alone"
        )
    unused = held_marks(annotations)
    is_benchmark = annotations.made_by != BENCH and not any(
        of_video.points or of_video.watched for of_video in unused.values()
    )
    return None if is_benchmark else unused_times(annotations)


def unused_times(annotations: Annotations) -> str | None:
    """Return a sentence on times that a training from names ignores; None without."""
    unused = held_marks(annotations)
    if not unused:
        return None
    return (
        f"{annotations.source} holds {_listed(_mark_counts(unused))}, of which nothing "
        "is learned here; --supervision all learns from them"
    )


def _mark_counts(marks: Mapping[str, VideoMarks]) -> list[str]:
    """Return how many marks there are of each kind, in words."""
    n_points = sum(len(of_video.points) for of_video in marks.values())
    n_segments = sum(len(of_video.segments) for of_video in marks.values())
    lengths_s = [_watched_s(of_video) for of_video in marks.values()]
    n_whole = lengths_s.count(LARGEST_SECONDS)
    watched_s = sum(x for x in lengths_s if x != LARGEST_SECONDS)
    parts = [counted(n_points, "point")] if n_points else []
    parts += [counted(n_segments, "segment")] if n_segments else []
    parts += [f"{watched_s / 60:.1f} min watched"] if watched_s else []
    parts += [f"{counted(n_whole, 'whole video')} watched"] if n_whole else []
    return parts


def unwatched_note(annotations: Annotations, supervision: Supervision) -> str | None:
    """Return a sentence if segments are learned from and no span was watched.

    Files of other programs cannot say what was watched, although most hold all actions
    of each video.
    """
    marks = given_marks(annotations, supervision)
    n = sum(bool(of_video.segments) for of_video in marks.values())
    if not n or any(of_video.watched for of_video in marks.values()):
        return None
    return (
        f"{annotations.source} does not say that any video was watched, so that what "
        f"lies outside of the segments in {counted(n, 'video')} counts as unknown; if "
        "they hold all actions of these videos, acmnet convert FILE watched.json "
        "--watched says so, and teaches more"
    )


def watched_where_marked(annotations: Annotations) -> Annotations:
    """Return labels that say that each video with a segment was watched whole.

    Examples
    --------
    >>> from acmnet.segments import Segment
    >>> fight = Instance("fight", Segment(2.0, 5.0))
    >>> video = Video(id="a", duration_s=9.0, labels=("fight",), instances=(fight,))
    >>> labels = Annotations("labels.json", {"a": video}, ("fight",))
    >>> watched_where_marked(labels).videos["a"].watched
    (WatchedSpan(label=None, segment=Segment(start_s=0.0, end_s=9.0)),)
    """

    def watched(video: Video) -> Video:
        if not video.instances:
            return video
        end_s = LARGEST_SECONDS if video.duration_s is None else video.duration_s
        whole_video = WatchedSpan(None, Segment(0.0, end_s))
        return dataclasses.replace(video, watched=(whole_video,))

    videos = {video.id: watched(video) for video in annotations.videos.values()}
    return dataclasses.replace(annotations, videos=videos)


def _listed(parts: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(parts[:-1]), parts[-1]]))


def _watched_s(marks: VideoMarks) -> float:
    """Return how long a video was watched, in seconds, for whichever classes."""
    watched_s = reached_s = 0.0
    for span in sorted(x.segment for x in marks.watched):
        watched_s += max(span.end_s - max(span.start_s, reached_s), 0.0)
        reached_s = max(reached_s, span.end_s)
    return watched_s


def marks_values(marks: Mapping[str, VideoMarks]) -> dict[str, dict[str, list[Any]]]:
    """Return the times that training is given as JSON values, each kind in order.

    Examples
    --------
    >>> marks_values({"a": VideoMarks(points=(Point("jump", 3.0),))})
    {'a': {'points': [['jump', 3.0]]}}
    """
    values: dict[str, dict[str, list[Any]]] = {}
    for video, of_video in marks.items():
        kinds = {
            "segments": [
                [x.label, x.segment.start_s, x.segment.end_s] for x in of_video.segments
            ],
            "points": [[x.label, x.time_s] for x in of_video.points],
            "watched": [
                [x.label or "", x.segment.start_s, x.segment.end_s]
                for x in of_video.watched
            ],  # "" stands for all classes, as in a label file
        }
        values[video] = {kind: sorted(rows) for kind, rows in kinds.items() if rows}
    return values


def marks_from_values(
    values: Mapping[str, Mapping[str, Sequence[Any]]],
) -> dict[str, VideoMarks]:
    """Return the times that `marks_values` gave as JSON values.

    Examples
    --------
    >>> marks = {"a": VideoMarks(points=(Point("jump", 3.0),))}
    >>> marks_from_values(marks_values(marks)) == marks
    True
    """
    return {
        video: VideoMarks(
            segments=tuple(
                Instance(label, Segment(start_s, end_s))
                for label, start_s, end_s in kinds.get("segments", ())
            ),
            points=tuple(Point(*row) for row in kinds.get("points", ())),
            watched=tuple(
                WatchedSpan(label or None, Segment(start_s, end_s))
                for label, start_s, end_s in kinds.get("watched", ())
            ),
        )
        for video, kinds in values.items()
    }


def marks_sha256(marks: Mapping[str, VideoMarks]) -> str:
    """Return a digest, in hexadecimal, of the times that training is given.

    Neither the order of the videos nor that of the marks in a video counts.
    """
    text = json.dumps(marks_values(marks), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
