"""Score detections against annotated instances: matching, AP, mAP.

The rules are those of ActivityNet's `eval_detection.py`, which THUMOS14 papers use
too: seconds, no pixel added to a length, all-point interpolated AP per class, and the
unweighted mean over the classes that have an instance. Anyone's detections can be
scored; nothing here knows how they were made. An ``*_ap`` is to be maximised.
"""

import dataclasses
import decimal
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from acmnet.annotations import Annotations, read_annotations
from acmnet.detections import DetectionFile, read_detections
from acmnet.matching import Located, average_precision, match_detections
from acmnet.segments import BoolArray, Detections, FloatArray, IntArray

DEFAULT_TIOU: Final = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
"""THUMOS14's thresholds."""

AVERAGES: Final = (
    "0.1:0.5:0.1",
    "0.1:0.7:0.1",
    "0.3:0.7:0.1",
    "0.1:0.9:0.1",
    "0.5:0.95:0.05",
)
"""The ranges over which papers average mAP: THUMOS14's, then ActivityNet's."""

DROP_REASONS: Final = (
    "video outside the subset",
    "label without ground truth",
    "end not after start",
)
"""Why a detection is not scored; the first that applies is counted."""

MAX_THRESHOLDS: Final = 1000
TIOU_EXAMPLE: Final = "write such as 0.5, 0.1,0.3,0.5 or 0.1:0.7:0.1"


@dataclasses.dataclass(frozen=True, eq=False)
class DetectionReport:
    """How well detections agree with the ground truth. Fractions of 1, not percent."""

    tiou: FloatArray
    """(n_tiou,) thresholds, in the order asked for."""
    map: FloatArray
    """(n_tiou,) unweighted mean of ``ap`` over the classes."""
    ap: FloatArray
    """(n_tiou, C) average precision."""
    class_names: tuple[str, ...]
    """The C classes with an instance in the evaluated videos, in annotation order."""
    videos: int
    """Evaluated videos, also those without instances or detections."""
    instances: int
    """Instances in the evaluated videos."""
    detections: int
    """Detections that were scored."""
    dropped: Mapping[str, int]
    """How many were not, by reason (`DROP_REASONS`); only reasons that occurred."""
    unpredicted: tuple[str, ...]
    """Evaluated videos without an entry, not even an empty one, in the detections."""
    ground_truth_sha256: str | None
    """Of the annotation file; None when it was not given by its path."""
    external_data: Mapping[str, object]
    """What the detections say about data used beyond the benchmark's."""

    @property
    def average(self) -> float:
        """Mean of ``map`` over all thresholds."""
        return float(self.map.mean())

    def averages(self) -> dict[str, float]:
        """Return the mean mAP of each customary range whose thresholds are all here.

        By names such as ``"0.1:0.7"``: papers quote different ones, unlabelled.
        """
        found = dict(zip(self.tiou.tolist(), self.map.tolist(), strict=True))
        return {
            text.rpartition(":")[0]: float(np.mean([found[t] for t in wanted]))
            for text in AVERAGES
            if set(wanted := parse_tiou(text)) <= set(found)
        }

    def to_json(self) -> dict[str, object]:
        """Return plain numbers, lists and texts, as ``json.dumps`` takes them."""
        per_class = zip(self.class_names, self.ap.T.tolist(), strict=True)
        return {
            "tiou": self.tiou.tolist(),
            "map": self.map.tolist(),
            "average": self.average,
            "per_class": dict(per_class),
            "videos": self.videos,
            "instances": self.instances,
            "detections": self.detections,
            "dropped": dict(self.dropped),
            "unpredicted": list(self.unpredicted),
            "ground_truth_sha256": self.ground_truth_sha256,
        }

    def __str__(self) -> str:
        """Return a small table, in percent."""
        heads = [*(f"{t:g}" for t in self.tiou), "average"]
        cells = [f"{100 * value:.1f}" for value in (*self.map, self.average)]
        widths = [max(map(len, pair)) for pair in zip(heads, cells, strict=True)]
        lines = [
            "  ".join([name, *map(str.rjust, row, widths)])
            for name, row in (("tIoU ", heads), ("mAP %", cells))
        ]
        parts = [f"{name} {100 * value:.1f}" for name, value in self.averages().items()]
        if parts:
            lines.append(f"average over {', '.join(parts)}")
        lines.append(
            f"videos {self.videos}, instances {self.instances}, "
            f"classes {len(self.class_names)}, detections {self.detections}"
        )
        lines += [f"dropped: {n} ({reason})" for reason, n in self.dropped.items()]
        if self.unpredicted:
            lines.append(
                f"videos without an entry in the detections: {len(self.unpredicted)}, "
                f"such as {self.unpredicted[0]!r}"
            )
        return "\n".join(lines)


def evaluate(
    ground_truth: str | Path | Annotations,
    detections: str | Path | DetectionFile | Mapping[str, Detections],
    *,
    subset: str | None = None,
    tiou: Sequence[float] = DEFAULT_TIOU,
) -> DetectionReport:
    """Return the mAP of detections, with all that is needed to quote it.

    Parameters
    ----------
    ground_truth : path or Annotations
        Videos with their instances. Instances listed twice count twice, as in the
        authors' code.
    detections : path, DetectionFile or mapping from video id to Detections
        Their order decides between equal scores.
    subset : str, optional
        Evaluate only the annotations' videos of this subset.
    tiou : sequence of float
        Thresholds in ``(0, 1]``, each evaluated on its own. One within rounding of
        a decimal of three places, as ``0.1 + 0.2``, is taken for that decimal.

    Returns
    -------
    DetectionReport

    Raises
    ------
    ValueError
        If a file cannot be read (`AnnotationError`, `DetectionFileError`), a threshold
        cannot be used, no evaluated video has an instance, or all detections are of
        other videos.

    Notes
    -----
    Of two equal scores the earlier detection ranks first, and of two instances with
    equal tIoU the earlier is taken. The official code leaves both to an unstable sort,
    which can move mAP by 0.0005 (docs/decisions.md, D-010). Detections of videos or
    labels outside the ground truth are dropped and counted, and so are those that do
    not end after they start (docs/decisions.md, D-011).

    References
    ----------
    ActivityNet `eval_detection.py`: `compute_average_precision_detection`.

    Examples
    --------
    >>> from acmnet.annotations import Instance, Segment, Video
    >>> truth = (Instance("jump", Segment(2.0, 4.0)),)
    >>> video = Video("a", "test", 9.0, ("jump",), truth)
    >>> found = Detections.of(["jump"], [(2.0, 3.0, 0.9, 0), (6.0, 8.0, 0.1, 0)])
    >>> labels = Annotations("labels.json", {"a": video}, ("jump",))
    >>> print(evaluate(labels, {"a": found}, tiou=(0.3, 0.5, 0.7)))
    tIoU     0.3    0.5  0.7  average
    mAP %  100.0  100.0  0.0     66.7
    videos 1, instances 1, classes 1, detections 2
    """
    thresholds = np.array(_checked_tiou(tiou))
    annotations, sha256 = _read_truth(ground_truth)
    annotations = annotations.subset(subset)
    found = _read_found(detections)
    where = annotations.source + (f", subset {subset!r}" if subset is not None else "")
    class_names, truth = _located_truth(annotations, where)
    kept, group, dropped = _kept(found, annotations, class_names, where)
    # By class, then score; the sort is stable, so ties stay in the file's order.
    order = np.lexsort((-found.score[kept], group % len(class_names)))
    kept, group = kept[order], group[order]
    ranked = Located(group, found.start_s[kept], found.end_s[kept])
    is_true = match_detections(ranked, truth, thresholds) >= 0
    ap = _class_ap(is_true, ranked, truth, len(class_names))
    predicted = set(found.video_ids)
    return DetectionReport(
        tiou=thresholds,
        map=ap.mean(axis=1),
        ap=ap,
        class_names=class_names,
        videos=len(annotations.videos),
        instances=len(truth.group),
        detections=len(kept),
        dropped=dropped,
        unpredicted=tuple(v for v in annotations.videos if v not in predicted),
        ground_truth_sha256=sha256,
        external_data=found.external_data,
    )


def parse_tiou(text: str) -> tuple[float, ...]:
    """Return the thresholds that a text lists, each the float nearest its decimal.

    Parameters
    ----------
    text : str
        One threshold, several with commas, or ``start:stop:step`` with its stop.

    Raises
    ------
    ValueError
        If it lists no thresholds in ``(0, 1]``, or a range that misses its stop.

    Examples
    --------
    >>> parse_tiou("0.1:0.5:0.1")  # np.arange gives 0.30000000000000004
    (0.1, 0.2, 0.3, 0.4, 0.5)
    >>> parse_tiou("0.5"), parse_tiou("0.1,0.3,0.5")
    ((0.5,), (0.1, 0.3, 0.5))
    """
    is_range = ":" in text
    try:
        parts = [decimal.Decimal(x) for x in text.split(":" if is_range else ",")]
    except decimal.InvalidOperation:
        raise ValueError(
            f"tiou must be decimal numbers, got {text!r}; {TIOU_EXAMPLE}"
        ) from None
    if is_range and not _is_range(parts):
        raise ValueError(
            "a tiou range must be start:stop:step in (0, 1] that meets its stop, got "
            f"{text!r}; {TIOU_EXAMPLE}"
        )
    if is_range:
        start, stop, step = parts
        parts = [start + i * step for i in range(int((stop - start) / step) + 1)]
    return _checked_tiou([float(part) for part in parts])


def _is_range(parts: Sequence[decimal.Decimal]) -> bool:
    """Return whether the parts are start, stop and step, and meet the stop."""
    if len(parts) != 3 or not all(part.is_finite() for part in parts):
        return False
    start, stop, step = parts
    ordered = 0 < start <= stop <= 1 and step > 0
    return (
        ordered
        and stop - start < MAX_THRESHOLDS * step
        and ((stop - start) % step == 0)
    )


def _checked_tiou(tiou: Sequence[float]) -> tuple[float, ...]:
    """Return thresholds as the decimals they mean, or refuse them."""
    checked: list[float] = []
    for given in tiou:
        near = round(float(given), 3)
        value = near if abs(near - given) < 1e-12 else float(given)
        if not 0 < value <= 1:
            raise ValueError(f"tiou must be in (0, 1], got {given:g}; {TIOU_EXAMPLE}")
        if value in checked:
            raise ValueError(f"tiou {value:g} is listed twice; list it once")
        checked.append(value)
    if not checked:
        raise ValueError(f"tiou lists no threshold; {TIOU_EXAMPLE}")
    return tuple(checked)


def _read_truth(
    ground_truth: str | Path | Annotations,
) -> tuple[Annotations, str | None]:
    """Return the annotations and, for a file, its SHA-256."""
    if isinstance(ground_truth, Annotations):
        return ground_truth, None
    annotations = read_annotations(ground_truth)
    return annotations, hashlib.sha256(Path(ground_truth).read_bytes()).hexdigest()


def _read_found(
    detections: str | Path | DetectionFile | Mapping[str, Detections],
) -> DetectionFile:
    """Return the detections of all videos as arrays."""
    if isinstance(detections, DetectionFile):
        return detections
    if isinstance(detections, Mapping):
        return DetectionFile.of(detections)
    return read_detections(detections)


def _located_truth(
    annotations: Annotations, where: str
) -> tuple[tuple[str, ...], Located]:
    """Return the classes that have an instance, and all instances.

    The group of video v's class c is ``v * C + c``, for detections too.
    """
    instances = [
        (v, instance)
        for v, video in enumerate(annotations.videos.values())
        for instance in video.instances
    ]
    if not instances:
        raise ValueError(
            f"{where}: no video has an instance, so nothing can be evaluated; "
            "give labels their segments, or choose another subset"
        )
    present = {instance.label for _, instance in instances}
    class_names = tuple(name for name in annotations.class_names if name in present)
    place = {name: c for c, name in enumerate(class_names)}
    group = [v * len(place) + place[instance.label] for v, instance in instances]
    times = [(i.segment.start_s, i.segment.end_s) for _, i in instances]
    start_s, end_s = np.array(times, dtype=np.float64).T
    return class_names, Located(np.array(group), start_s, end_s)


def _kept(
    found: DetectionFile,
    annotations: Annotations,
    class_names: tuple[str, ...],
    where: str,
) -> tuple[IntArray, IntArray, dict[str, int]]:
    """Return which detections are scored, their groups, and why others are not."""
    video_place = {video: v for v, video in enumerate(annotations.videos)}
    class_place = {name: c for c, name in enumerate(class_names)}
    places = np.array([video_place.get(v, -1) for v in found.video_ids], np.int64)
    if len(found) and (places < 0).all():
        raise ValueError(
            f"{found.source}: no detection is of a video of {where}; it names videos "
            f"such as {found.video_ids[0]!r}, the ground truth such as "
            f"{next(iter(video_place))!r}; check the subset and the videos' names"
        )
    video = places[found.video_index]
    places = np.array([class_place.get(x, -1) for x in found.labels], np.int64)
    label = places[found.label_index]
    faults = (video < 0, label < 0, found.end_s <= found.start_s)
    fault = np.select(faults, range(len(faults)), default=-1)
    counts = {name: int((fault == i).sum()) for i, name in enumerate(DROP_REASONS)}
    kept = np.flatnonzero(fault < 0)
    group = video[kept] * len(class_names) + label[kept]
    return kept, group, {name: n for name, n in counts.items() if n}


def _class_ap(
    is_true: BoolArray, ranked: Located, truth: Located, n_classes: int
) -> FloatArray:
    """Return the AP of each threshold and class, from detections sorted by class."""
    bounds = np.searchsorted(ranked.group % n_classes, np.arange(n_classes + 1))
    n_instances = np.bincount(truth.group % n_classes, minlength=n_classes)
    columns = [
        average_precision(is_true[:, low:high], int(n))
        for low, high, n in zip(bounds[:-1], bounds[1:], n_instances, strict=True)
    ]
    return np.stack(columns, axis=1)
