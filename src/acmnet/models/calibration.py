"""Calibrate a run's scores on labelled videos.

A detection is correct if the evaluator matches it with an instance; for videos that
have labels only, if its video has the label. Reported figures are cross-fitted over
videos: each video's figures come from curves and thresholds that were fitted on the
others.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple, Self

import numpy as np

from acmnet.data.labels.annotations import Annotations, Video
from acmnet.evaluation.scoring.matching import Located, match_detections
from acmnet.localization.localization_settings import LocalizationSettings
from acmnet.messages import counted
from acmnet.models.calibration_curves import (
    Curve,
    ReliabilityBin,
    calibration_error,
    class_curves,
    lowest_score,
    reliability,
)
from acmnet.models.stored_calibration import (
    Calibration,
    CalibrationError,
    ClassCalibration,
    Refused,
    plain_settings,
)
from acmnet.segments import BoolArray, Detections, FloatArray, IntArray

FOLDS: Final = 5
"""Number of folds of videos; each is scored by curves fitted on the other folds."""


class Threshold(NamedTuple):
    """The lowest score of one class that is kept at the operating point."""

    score: float | None
    """The lowest score; None where the class has no operating point."""
    refused: Refused | None = None
    """Why the class has no operating point; None where it has one."""


class Judged(NamedTuple):
    """N detections of videos and C classes, each known to be correct or not."""

    video: IntArray
    """Index of each detection's video, (N,)."""
    class_index: IntArray
    """Index of each detection's class, (N,), in ``[0, C)``."""
    score: FloatArray
    """Score of each detection, (N,)."""
    is_correct: BoolArray
    """Whether each detection is correct, (N,)."""
    is_finding: BoolArray
    """Whether each detection is the first to find its target, (N,); if so, it is
    correct."""
    targets: IntArray
    """How many targets each class has, (C,): instances, or videos with the label."""
    is_of_videos: bool
    """Whether a detection is correct as soon as its video has the label."""

    def only(self, chosen: BoolArray) -> Self:
        """Return some of the detections, and all targets."""
        return self._replace(
            video=self.video[chosen],
            class_index=self.class_index[chosen],
            score=self.score[chosen],
            is_correct=self.is_correct[chosen],
            is_finding=self.is_finding[chosen],
        )

    def curves(self) -> list[Curve]:
        """Return the curve of each class, (C,)."""
        return class_curves(
            self.score, self.class_index, self.is_correct, len(self.targets)
        )

    def probability(self, curves: list[Curve]) -> FloatArray:
        """Return each detection's probability by the curve of its class, (N,)."""
        result = np.empty(len(self.score))
        for c, curve in enumerate(curves):
            of_class = self.class_index == c
            result[of_class] = curve.strictly_at(self.score[of_class])
        return result

    def thresholds(self, curves: list[Curve], precision: float) -> list[Threshold]:
        """Return the operating point of each class at a wanted precision, (C,).

        If a detection counts as correct when its video has the label, a threshold that
        keeps a detection in every video is rejected: the label is then so frequent that
        the wanted precision is reached whatever the scores are.
        """
        probability = self.probability(curves)
        thresholds = []
        for c in range(len(curves)):
            of_class = self.class_index == c
            least = lowest_score(self.score[of_class], probability[of_class], precision)
            if least is None:
                thresholds.append(Threshold(None, "nothing"))
            elif self.is_of_videos and self._keeps_every_video(of_class, least):
                thresholds.append(Threshold(None, "everything"))
            else:
                thresholds.append(Threshold(least))
        return thresholds

    def _keeps_every_video(self, of_class: BoolArray, least: float) -> bool:
        """Whether each video of the chosen detections has one of that score."""
        kept = self.video[of_class & (self.score >= least)]
        return len(np.unique(kept)) == len(np.unique(self.video[of_class]))


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class CalibrationReport:
    """A calibration and what it was found on."""

    calibration: Calibration
    """What localisation uses."""
    bins: Mapping[str, list[ReliabilityBin]]
    """Reliability of four sets of probabilities, by name. ``"before"``: the scores of
    all detections, cut to [0, 1]. ``"after"``: their probabilities by curves of other
    folds. ``"surest_before"`` and ``"surest_after"``: the same of as many of the surest
    detections as there are targets, because most detections are far from any
    threshold."""
    precision: float | None
    """Precision of all classes together at the operating point, cross-fitted."""
    recall: float
    """Recall of all classes together at the operating point, cross-fitted."""
    left_out: tuple[str, ...]
    """Videos with a label that lacks its segments, where others have them."""

    def to_json(self) -> dict[str, Any]:
        """Return plain values, without the curves."""
        values = self.calibration.to_json()
        for of_class in values["classes"].values():
            del of_class["curve"]
        return values | {
            "reliability": {k: [b._asdict() for b in v] for k, v in self.bins.items()},
            "operating_point": {"precision": self.precision, "recall": self.recall},
            "left_out": list(self.left_out),
        }


@dataclasses.dataclass(frozen=True)
class CalibrationTarget:
    """What to calibrate for.

    Raises
    ------
    CalibrationError
        If a number is out of its range.
    """

    tiou: float = 0.5
    """The tIoU from which a detection finds a true segment, in ``(0, 1]``."""
    precision: float = 0.7
    """The precision that is wanted at the operating point, in ``(0, 1)``."""

    def __post_init__(self) -> None:
        """Refuse what no detection can have."""
        if not 0 < self.tiou <= 1:
            raise CalibrationError(
                f"tiou must be in (0, 1], got {self.tiou}; 0.5 is usual"
            )
        if not 0 < self.precision < 1:
            raise CalibrationError(
                f"precision must be in (0, 1), got {self.precision}; give a share "
                "such as 0.7"
            )


def calibrate(
    results: Mapping[str, Detections],
    annotations: Annotations,
    wanted: CalibrationTarget,
    *,
    model_sha256: str,
    localization: LocalizationSettings,
) -> CalibrationReport:
    """Return the calibration of a run's scores, and how well it holds.

    Parameters
    ----------
    results : mapping from video id to Detections
        The detections of each video, of all of the run's classes.
    annotations : Annotations
        Labels of these videos, and of others or not. A detection is correct if the
        evaluator matches it with an instance; where no video has a segment, if its
        class is among its video's labels.
    wanted : CalibrationTarget
        The tIoU and the precision to calibrate for.
    model_sha256 : str
        Digest of the weights, as `weights_sha256` returns it.
    localization : LocalizationSettings
        The settings that the detections were made with.

    Raises
    ------
    CalibrationError
        If fewer than two videos have detections, or none is correct.
    """
    videos = [annotations.videos[video] for video in results]
    has_segments = any(video.instances for video in videos)
    kept = [video for video in videos if not has_segments or _is_complete(video)]
    tiou = wanted.tiou if has_segments else None
    names = next((found.class_names for found in results.values()), ())
    judged = judge({video: results[video.id] for video in kept}, names, tiou)
    _refuse_nothing(judged, annotations.source, tiou)
    probability, is_kept = _cross_fitted(judged, wanted.precision)
    curves = judged.curves()
    thresholds = judged.thresholds(curves, wanted.precision)
    bins = _bins(judged, {"before": judged.score.clip(0, 1), "after": probability})
    everything = np.ones(len(judged.score), dtype=np.bool_)
    precision, recall = _operating_point(
        judged, is_kept, everything, judged.targets.sum()
    )
    calibration = Calibration(
        kind="segments" if has_segments else "labels",
        tiou=tiou,
        precision=wanted.precision,
        classes=_by_class(names, judged, curves, thresholds, is_kept),
        videos=len(kept),
        ece={name: calibration_error(of_set) for name, of_set in bins.items()},
        source=annotations.source,
        model_sha256=model_sha256,
        localization=plain_settings(localization),
    )
    ids = {video.id for video in kept}
    left_out = tuple(video.id for video in videos if video.id not in ids)
    return CalibrationReport(
        calibration=calibration,
        bins=bins,
        precision=precision,
        recall=recall or 0.0,
        left_out=left_out,
    )


def _by_class(
    names: Sequence[str],
    judged: Judged,
    curves: Sequence[Curve],
    thresholds: Sequence[Threshold],
    is_kept: BoolArray,
) -> dict[str, ClassCalibration]:
    """Return the calibration of each class, by its name."""
    classes = {}
    for c, name in enumerate(names):
        of_class = judged.class_index == c
        precision, recall = _operating_point(
            judged, is_kept, of_class, judged.targets[c]
        )
        classes[name] = ClassCalibration(
            curve=curves[c],
            threshold=thresholds[c].score,
            detections=int(of_class.sum()),
            correct=int(judged.is_correct[of_class].sum()),
            targets=int(judged.targets[c]),
            precision=precision,
            recall=recall,
            refused=thresholds[c].refused,
        )
    return classes


def _bins(
    judged: Judged, probabilities: Mapping[str, FloatArray]
) -> dict[str, list[ReliabilityBin]]:
    """Return the bins of all and of the surest detections, for each probability."""
    bins = {
        name: reliability(p, judged.is_correct) for name, p in probabilities.items()
    }
    for name, p in probabilities.items():
        surest = np.argsort(-p, kind="stable")[: judged.targets.sum()]
        bins[f"surest_{name}"] = reliability(p[surest], judged.is_correct[surest])
    return bins


def _is_complete(video: Video) -> bool:
    """Whether each of a video's labels has its segments."""
    return set(video.labels) <= {instance.label for instance in video.instances}


def judge(
    results: Mapping[Video, Detections],
    class_names: tuple[str, ...],
    tiou: float | None,
) -> Judged:
    """Return all detections, by class from the highest score down, and what is true.

    Parameters
    ----------
    results : mapping from Video to Detections
    class_names : tuple of str
        The C classes of the detections; instances of others cannot be found.
    tiou : float or None
        As `Calibration.tiou`.
    """
    n_classes = len(class_names)
    place = {name: c for c, name in enumerate(class_names)}
    sizes = [len(detections) for detections in results.values()]
    video = np.repeat(np.arange(len(sizes)), np.array(sizes, dtype=np.int64))
    class_index, score, start, end = (
        np.concatenate(
            [*(getattr(detections, name) for detections in results.values()), []]
        )
        for name in ("class_index", "score", "start_s", "end_s")
    )
    order = np.lexsort((-score, class_index))
    video, class_index = video[order], class_index[order].astype(np.int64)
    group = video * n_classes + class_index
    if tiou is None:
        targets = [
            v * n_classes + place[label]
            for v, known in enumerate(results)
            for label in known.labels
            if label in place
        ]
        is_correct = np.isin(group, targets)
        is_first = np.zeros(len(group), dtype=np.bool_)
        is_first[np.unique(group, return_index=True)[1]] = True
        is_finding = is_correct & is_first
    else:
        truth = [
            (v * n_classes + place[x.label], x.segment.start_s, x.segment.end_s)
            for v, known in enumerate(results)
            for x in known.instances
            if x.label in place
        ]
        table = np.array(truth, dtype=np.float64).reshape(-1, 3)
        instances = Located(table[:, 0].astype(np.int64), table[:, 1], table[:, 2])
        ranked = Located(group, start[order], end[order])
        is_correct = match_detections(ranked, instances, [tiou])[0] >= 0
        is_finding, targets = is_correct, [row[0] for row in truth]
    of_class = np.array(targets, dtype=np.int64) % max(n_classes, 1)
    counts = np.bincount(of_class, minlength=n_classes)
    return Judged(
        video, class_index, score[order], is_correct, is_finding, counts, tiou is None
    )


def _refuse_nothing(judged: Judged, source: str, tiou: float | None) -> None:
    """Refuse detections that no probability can be learnt from."""
    n_videos = len(np.unique(judged.video))
    if n_videos < 2:
        raise CalibrationError(
            f"{source}: only {n_videos} of the usable videos have detections, and "
            "calibration needs two or more; give more videos, or a run that finds "
            "something"
        )
    if not judged.is_correct.any():
        at = "" if tiou is None else f" at tIoU {tiou:g}"
        raise CalibrationError(
            f"{source}: none of {counted(len(judged.score), 'detection')} is "
            f"correct{at}; check "
            "that its labels are the run's classes, or lower --tiou"
        )


def _cross_fitted(judged: Judged, precision: float) -> tuple[FloatArray, BoolArray]:
    """Return each detection's probability and whether it is above the threshold.

    The curves and thresholds are those of the other folds. The n-th video with
    detections is in fold n mod `FOLDS`: files often list videos by class, which
    spreads each class.
    """
    probability = np.empty(len(judged.score))
    is_kept = np.zeros(len(judged.score), dtype=np.bool_)
    place = np.unique(judged.video, return_inverse=True)[1]
    for fold in range(min(FOLDS, int(place.max()) + 1)):
        is_own = place % FOLDS == fold
        in_fold, others = judged.only(is_own), judged.only(~is_own)
        curves = others.curves()
        probability[is_own] = in_fold.probability(curves)
        thresholds = others.thresholds(curves, precision)
        least = np.array([np.inf if x.score is None else x.score for x in thresholds])
        is_kept[is_own] = in_fold.score >= least[in_fold.class_index]
    return probability, is_kept


def _operating_point(
    judged: Judged, is_kept: BoolArray, chosen: BoolArray, targets: int
) -> tuple[float | None, float | None]:
    """Return precision and recall of the kept among the chosen detections."""
    kept = chosen & is_kept
    precision = float(judged.is_correct[kept].mean()) if kept.any() else None
    recall = float(judged.is_finding[kept].sum() / targets) if targets else None
    return precision, recall
