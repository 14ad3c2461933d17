"""How good each round is, scored on videos that it did not learn from.

A video can be scored if a person watched all of it for all classes: then every action
in it is marked. A round is scored on such videos that neither it nor a round before it
learned from.
"""

import dataclasses
from collections.abc import Collection, Sequence
from typing import Any, Final

from acmnet.data.detections.detection_files import DetectionFileError, read_detections
from acmnet.data.labels.annotations import Annotations, Video
from acmnet.data.labels.contradictions import covers_all
from acmnet.evaluation.reports import evaluate
from acmnet.files.file_access import write_json
from acmnet.messages import counted
from acmnet.show.bench.marks.bench_labels import Labels, video_of
from acmnet.show.bench.rounds.round_folders import DETECTIONS, SCORES, Round

TIOU: Final = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)


def truth_of(labels: Labels) -> Annotations:
    """Return the videos of which every action is marked, with their segments.

    Videos with points are not among them, because a point has no start and no end.
    """
    videos = {}
    for name, marks in labels.of_video().items():
        video = video_of(name, marks, labels.videos[name], labels.classes)
        if not video.points and _is_watched(video, labels.classes):
            placed = {x.label for x in video.instances}
            names = tuple(x for x in labels.classes if x in placed)
            videos[name] = dataclasses.replace(video, labels=names, subset=None)
    return Annotations("the marks", videos, labels.classes)


def scores_of(
    one: Round, learned_from: Collection[str], truth: Annotations
) -> dict[str, Any] | None:
    """Return the scores of a round, and keep them in it; None if there are none.

    Parameters
    ----------
    one : Round
        A round that ended well.
    learned_from : collection of str
        The videos that it learned from, and those of the rounds before it, whose
        weights it may have begun with.
    truth : Annotations
        Videos of which every action is known.

    Returns
    -------
    dict or None
        ``average_map``, ``map`` by tIoU, ``videos`` and ``of``, which says in words
        what was scored. None if no video can be scored.
    """
    videos = {k: v for k, v in truth.videos.items() if k not in learned_from}
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
        "of": f"{counted(len(videos), 'video')} that "
        f"{'was' if len(videos) == 1 else 'were'} watched as a whole and not learned "
        "from",
    }
    if one.scores != scores:
        write_json(one.folder / SCORES, scores)
    return scores


def _is_watched(video: Video, classes: Sequence[str]) -> bool:
    """Return whether a video was watched from its start to its end for each class."""
    spans = (
        [x.segment for x in video.watched if x.label in (None, name)]
        for name in classes
    )
    is_known = video.duration_s is not None and bool(classes)
    return is_known and all(covers_all(own, video.duration_s) for own in spans)
