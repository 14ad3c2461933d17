"""How good each round is, scored on videos that it did not learn from.

A video can be scored if a person watched all of it for all classes: then every action
in it is marked. A round is scored on such videos that neither it nor a round before it
learned from.
"""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from acmnet.data.annotations import Annotations, Instance, Video
from acmnet.data.detections import DetectionFileError, read_detections
from acmnet.evaluation.reports import evaluate
from acmnet.files import write_json
from acmnet.messages import counted
from acmnet.segments import Segment
from acmnet.show.bench.bench_labels import Labels
from acmnet.show.bench.bench_mark import BEYOND_S, Mark
from acmnet.show.bench.rounds import DETECTIONS, LABELS, SCORES, Round

TIOU: Final = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)


def truth_of(labels: Labels) -> Annotations:
    """Return the videos of which every action is marked, with their segments.

    Videos with points are not among them, because a point has no start and no end.
    """
    videos = {}
    for video, marks in labels.of_video().items():
        duration_s = labels.videos[video].duration_s
        has_points = any(mark.kind == "point" for mark in marks)
        if has_points or not _is_watched(marks, duration_s, labels.classes):
            continue
        placed = tuple(_instances(marks))
        videos[video] = Video(
            id=video,
            subset=None,
            duration_s=duration_s,
            labels=tuple(dict.fromkeys(x.label for x in placed)),
            instances=placed,
        )
    return Annotations("the marks", videos, labels.classes)


def scores_of(
    one: Round, earlier: Sequence[Round], truth: Annotations
) -> dict[str, Any] | None:
    """Return the scores of a round, and keep them in it; None if there are none.

    Parameters
    ----------
    one : Round
        A round that ended well.
    earlier : sequence of Round
        The rounds before it, whose weights it may have begun with.
    truth : Annotations
        Videos of which every action is known.

    Returns
    -------
    dict or None
        ``average_map``, ``map`` by tIoU, ``videos`` and ``of``, which says in words
        what was scored. None if no video can be scored.
    """
    learned = set().union(*(_learned_from(x) for x in (*earlier, one)))
    videos = {k: v for k, v in truth.videos.items() if k not in learned}
    if not any(video.instances for video in videos.values()):
        return None
    try:
        found = read_detections(one.folder / DETECTIONS)
        report = evaluate(dataclasses.replace(truth, videos=videos), found, tiou=TIOU)
    except (DetectionFileError, ValueError):
        return None
    by_tiou = zip(report.tiou.tolist(), report.map.tolist(), strict=True)
    scores = {
        "average_map": report.average,
        "map": {f"{tiou:g}": value for tiou, value in by_tiou},
        "videos": len(videos),
        "of": f"{counted(len(videos), 'video')} that were watched as a whole and not "
        "learned from",
    }
    if one.scores != scores:
        write_json(one.folder / SCORES, scores)
    return scores


def _learned_from(one: Round) -> set[str]:
    """Return the videos that a round learned from."""
    try:
        values: Mapping[str, Any] = json.loads((one.folder / LABELS).read_bytes())
        return set(values["database"])
    except (OSError, ValueError, KeyError, TypeError):
        return set()


def _is_watched(
    marks: Sequence[Mark], duration_s: float | None, classes: Sequence[str]
) -> bool:
    """Return whether a video was watched from its start to its end for each class."""
    if duration_s is None:
        return False
    for name in classes:
        reached = 0.0
        spans = sorted(
            (mark.start_s or 0.0, mark.end_s or 0.0)
            for mark in marks
            if mark.kind == "watched"
            and (name == mark.label or (mark.label is None and name in mark.classes))
        )
        for start_s, end_s in spans:
            if start_s > reached + BEYOND_S:
                break
            reached = max(reached, end_s)
        if reached < duration_s - BEYOND_S:
            return False
    return bool(classes)


def _instances(marks: Sequence[Mark]) -> list[Instance]:
    """Return the segments among marks."""
    return [
        Instance(mark.label or "", Segment(mark.start_s or 0.0, mark.end_s or 0.0))
        for mark in marks
        if mark.kind == "segment"
    ]
