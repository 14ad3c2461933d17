"""Rank detections and match them with the ground truth by the rules of a protocol.

All measures start from the result: the instances that count, the ranked detections that
count, and which of these are true at each threshold.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Final

import numpy as np

from acmnet.data.detections.detection_arrays import DetectionFile
from acmnet.evaluation.protocols import Protocol
from acmnet.evaluation.scoring.matching import (
    Located,
    average_precision,
    group_batches,
    match_detections,
    match_instances,
    stable_order,
    touches,
)
from acmnet.evaluation.scoring.truth import Truth, in_units
from acmnet.segments import BoolArray, FloatArray, IntArray

DROP_REASONS: Final = (
    "video outside the subset",
    "video left out by the protocol",
    "label without ground truth",
    "end not after start",
)
"""Reasons for which a detection is not scored; the first that applies is counted."""

OUTSIDE_SUBSET: Final = -1
"""In place of a video's index: the video is not in the evaluated subset."""
LEFT_OUT: Final = -2
"""In place of a video's index: the protocol leaves the video out."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Ranking:
    """The N detections that count, by class, and from the highest score down."""

    truth: Truth
    tiou: FloatArray
    """(n_tiou,) tIoU thresholds."""
    located: Located
    """The detections' groups and times, in the form of ``truth.instances``."""
    score: FloatArray
    """(N,) score of each detection."""
    place: IntArray
    """(N,) place, from 0, of each detection among those of all classes, from the
    highest score down, and in the order of the file where scores are equal."""
    is_true: BoolArray
    """(n_tiou, N) whether each detection finds an instance."""
    is_ignored: BoolArray | None
    """(n_tiou, N) whether each detection is neither true nor false; None if none is."""
    dropped: Mapping[str, int]
    """Number of detections that do not count, by reason (`DROP_REASONS`)."""

    @property
    def n_classes(self) -> int:
        """Number of classes that have an instance."""
        return len(self.truth.class_names)

    @cached_property
    def bounds(self) -> IntArray:
        """(C + 1,) index of the first detection of each class, and N at the end."""
        label = self.located.group % self.n_classes
        result: IntArray = np.searchsorted(label, np.arange(self.n_classes + 1))
        return result

    @cached_property
    def n_instances(self) -> IntArray:
        """(C,) number of instances of each class."""
        label = self.truth.instances.group % self.n_classes
        return np.bincount(label, minlength=self.n_classes)

    def ap(self) -> FloatArray:
        """Return the AP at each threshold of each class, (n_tiou, C)."""
        columns = []
        for c, n in enumerate(self.n_instances.tolist()):
            of_class = slice(self.bounds[c], self.bounds[c + 1])
            ignored = None if self.is_ignored is None else self.is_ignored[:, of_class]
            columns.append(
                average_precision(
                    self.is_true[:, of_class],
                    n,
                    is_ignored=ignored,
                    is_interpolated=self.truth.protocol.is_interpolated,
                )
            )
        return np.stack(columns, axis=1)


def ranked_detections(
    detected: DetectionFile, truth: Truth, tiou: Sequence[float]
) -> Ranking:
    """Return the detections that count, ranked and matched.

    Raises
    ------
    ValueError
        If no detection is of a scored video although there are detections.
    """
    protocol = truth.protocol
    kept, group, dropped = _kept(detected, truth)
    score = detected.score[kept]
    n_classes = len(truth.class_names)
    # (N,) from the highest score down, and in the order of the file; both sorts are
    # stable, so that the second one leaves each class in this order
    by_score = np.argsort(-score, kind="stable")
    if protocol.matching == "instance":
        names = np.array(truth.video_ids)
        by_name = np.argsort(np.argsort(names, kind="stable"), kind="stable")
        by_score = np.lexsort((by_name[group // n_classes], -score))
    place = stable_order(group[by_score] % n_classes)
    order = by_score[place]
    del by_score
    kept, group, score = kept[order], group[order], score[order]
    del order
    start, end = in_units(detected.start_s[kept], detected.end_s[kept], protocol)
    located = Located(group, start, end)
    thresholds = np.array(tiou, dtype=np.float64)
    is_true = _true(located, truth, thresholds)
    is_ignored = None
    if protocol.forgives_ambiguous:
        by_video = located._replace(group=group // n_classes)
        is_ignored = ~is_true & touches(by_video, truth.ambiguous)
    return Ranking(
        truth=truth,
        tiou=thresholds,
        located=located,
        score=score,
        place=place,
        is_true=is_true,
        is_ignored=is_ignored,
        dropped=dropped,
    )


def _kept(
    detected: DetectionFile, truth: Truth
) -> tuple[IntArray, IntArray, dict[str, int]]:
    """Return which detections are scored, their groups, and why the others are not."""
    protocol = truth.protocol
    names = protocol.ids_of(truth.video_ids)
    video_place = {name: v for v, name in enumerate(names)}
    ids = protocol.ids_of(detected.video_ids)
    known = np.array([video_place.get(v, OUTSIDE_SUBSET) for v in ids], np.int64)
    withheld = {*protocol.left_out, *protocol.unscored}
    is_withheld = np.array([v in withheld for v in ids], np.bool_)
    if len(detected) and (known < 0).all():
        raise ValueError(
            f"{detected.source}: no detection is of a video of {truth.where}; it names "
            f"videos such as {detected.video_ids[0]!r}, the ground truth such as "
            f"{truth.video_ids[0]!r}; check the subset and the videos' names"
        )
    video = np.where(is_withheld, LEFT_OUT, known)[detected.video_index]
    class_place = {name: c for c, name in enumerate(truth.class_names)}
    places = np.array([class_place.get(x, -1) for x in detected.labels], np.int64)
    label = places[detected.label_index]
    is_empty = detected.end_s <= detected.start_s
    faults = (video == OUTSIDE_SUBSET, video == LEFT_OUT, label < 0, is_empty)
    # a byte each, because there may be many millions
    fault = np.select(faults, np.arange(len(faults), dtype=np.int8), np.int8(-1))
    del faults, is_empty
    counts = {name: int((fault == i).sum()) for i, name in enumerate(DROP_REASONS)}
    kept = np.flatnonzero(fault < 0)
    group = video[kept] * len(truth.class_names) + label[kept]
    return kept, group, {name: n for name, n in counts.items() if n}


def _true(located: Located, truth: Truth, thresholds: FloatArray) -> BoolArray:
    """Return which detections find an instance by the protocol's matching."""
    is_true = np.zeros((len(thresholds), len(located.group)), dtype=np.bool_)
    for mine, theirs in group_batches(located, truth.instances):
        detections, instances = located.only(mine), truth.instances.only(theirs)
        is_true[:, mine] = _true_of(detections, instances, truth.protocol, thresholds)
    return is_true


def _true_of(
    located: Located, instances: Located, protocol: Protocol, thresholds: FloatArray
) -> BoolArray:
    """Return which detections find one of these instances, (n_tiou, N)."""
    strict = protocol.is_strict
    if protocol.matching == "detection":
        matched = match_detections(located, instances, thresholds, is_strict=strict)
        is_true: BoolArray = matched >= 0
        return is_true
    taken = match_instances(located, instances, thresholds, is_strict=strict)
    is_true = np.zeros((len(thresholds), len(located.group)), dtype=np.bool_)
    threshold, instance = np.nonzero(taken >= 0)
    is_true[threshold, taken[threshold, instance]] = True
    return is_true
