"""Which kinds of instances are found: missed instances and normalised mAP.

The method is that of DETAD (Alwassel et al., ECCV 2018). Instances are put into buckets
by their length, by the share of their video that they cover, and by the number of
instances of their class in the video. For each bucket the share of missed instances and
the normalised mAP are computed. A bucket holds values above its lower edge up to its
upper edge, and the lowest bucket its lower edge, too.
"""

import itertools
from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np

from acmnet.evaluation.scoring.matching import match_detections, match_instances
from acmnet.evaluation.scoring.ranking import Ranking
from acmnet.segments import BoolArray, FloatArray, IntArray

LEAST_PRECISION: Final = 0.05
"""Normalised precision below or at which a detection does not count as finding an
instance."""

BUCKET_NAMES: Final = {
    1: ("M",),
    2: ("S", "L"),
    3: ("S", "M", "L"),
    4: ("XS", "S", "M", "L"),
    5: ("XS", "S", "M", "L", "XL"),
}
"""Names of the buckets, by their number."""

BUCKET_EDGES: Final[Mapping[str, Mapping[str, tuple[float, ...]]]] = {
    "thumos14": {
        "length": (0, 3, 6, 12, 18, np.inf),
        "coverage": (0, 0.02, 0.04, 0.06, 0.08, 1),
        "instances": (0, 1, 40, 80, np.inf),
    },
    "activitynet": {
        "length": (0, 30, 60, 120, 180, np.inf),
        "coverage": (0, 0.2, 0.4, 0.6, 0.8, 1),
        "instances": (0, 1, 4, 8, np.inf),
    },
    "custom": {"instances": (0, 1, 4, 8, np.inf)},
}
"""DETAD's edges of the buckets, by the start of a protocol's name. Other protocols get
fifths of the instances."""


class Characteristic(NamedTuple):
    """The instances in buckets by one property."""

    name: str
    """The property: ``"length"`` in seconds, ``"coverage"`` or ``"instances"``."""
    edges: tuple[float, ...]
    """Edges from the lower edge of the lowest bucket to the upper one of the
    highest."""
    bucket: IntArray
    """(n_instances,) index of each instance's bucket; -1 if it is not known."""

    @property
    def buckets(self) -> tuple[str, ...]:
        """Names of the buckets, such as XS, from the lowest up."""
        return BUCKET_NAMES[len(self.edges) - 1]

    @property
    def spans(self) -> tuple[str, ...]:
        """Range of each bucket as a text; those of coverage are in percent.

        Examples
        --------
        >>> none = np.zeros(0, np.int64)
        >>> Characteristic("instances", (0, 1, 4, np.inf), none).spans
        ('1', '2-4', '>4')
        >>> Characteristic("coverage", (0, 0.02, 0.08, 1), none).spans
        ('<=2', '2-8', '>8')
        """
        if len(self.edges) == 2:
            return ("all",)
        inner = [100 * x if self.name == "coverage" else x for x in self.edges[1:-1]]
        is_count = self.name == "instances"
        first = "1" if is_count and inner[0] == 1 else f"<={inner[0]:.3g}"
        middle = [
            f"{low + is_count:.3g}-{high:.3g}"
            for low, high in itertools.pairwise(inner)
        ]
        return (first, *middle, f">{inner[-1]:.3g}")

    @property
    def counts(self) -> IntArray:
        """(n_buckets,) number of instances in each bucket."""
        known = self.bucket[self.bucket >= 0]
        return np.bincount(known, minlength=len(self.edges) - 1)


def characteristics(ranking: Ranking) -> tuple[Characteristic, ...]:
    """Return the instances in buckets, by length, coverage and number in their video.

    The length is in seconds. The coverage is the length divided by the video's
    duration, at most 1. The number is that of the instances of the same class in the
    same video. For THUMOS14 and ActivityNet the edges are DETAD's (`BUCKET_EDGES`). For
    other protocols, lengths and coverages are divided into fifths of the instances;
    equal edges are merged.

    Parameters
    ----------
    ranking : Ranking
        The ranked detections; only their ground truth is used.

    Returns
    -------
    tuple of Characteristic
        Coverage is left out if no duration is known. Where only some are, instances in
        the other videos are in no bucket of it.

    References
    ----------
    Alwassel et al., "Diagnosing Error in Temporal Action Detectors", ECCV 2018. DETAD
    `src/false_negative_analysis.py`: `main`.
    """
    truth = ranking.truth
    grid_s = float(truth.protocol.grid_s or 1)
    length_s = (truth.instances.end_s - truth.instances.start_s) * grid_s
    duration_s = truth.durations_s[truth.instances.group // ranking.n_classes]
    _, which, count = np.unique(
        truth.instances.group, return_inverse=True, return_counts=True
    )
    values = {
        "length": length_s,
        "coverage": np.minimum(length_s / duration_s, 1.0),
        "instances": count[which].astype(np.float64),
    }
    family = next(
        (x for x in BUCKET_EDGES if truth.protocol.name.startswith(x)), "custom"
    )
    return tuple(
        _bucketed(name, value, BUCKET_EDGES[family].get(name))
        for name, value in values.items()
        if not np.isnan(value).all()
    )


def matched_instances(ranking: Ranking) -> IntArray:
    """Return the instance that each detection finds by the protocol's matching.

    Returns
    -------
    array of shape (n_tiou, N)
        Index into the truth's instances; -1 for none.
    """
    truth, located = ranking.truth, ranking.located
    strict = truth.protocol.is_strict
    if truth.protocol.matching == "detection":
        return match_detections(
            located, truth.instances, ranking.tiou, is_strict=strict
        )
    taken = match_instances(located, truth.instances, ranking.tiou, is_strict=strict)
    matched = np.full((len(ranking.tiou), len(located.group)), -1)
    threshold, instance = np.nonzero(taken >= 0)
    matched[threshold, taken[threshold, instance]] = instance
    return matched


def false_detections(ranking: Ranking) -> BoolArray:
    """Return (n_tiou, N) which detections are false: not true and not ignored."""
    if ranking.is_ignored is None:
        return ~ranking.is_true
    return ~ranking.is_true & ~ranking.is_ignored


def mean_ap(
    ranking: Ranking,
    is_true: BoolArray,
    is_false: BoolArray,
    n_instances: IntArray,
    *,
    is_normalized: bool,
) -> FloatArray:
    """Return the mAP if only some detections and some instances count.

    Parameters
    ----------
    ranking : Ranking
        The ranked detections.
    is_true, is_false : arrays of shape (n_tiou, N)
        Whether each detection counts as true or as false. One that is neither does not
        count.
    n_instances : array of shape (C,)
        Number of instances of each class. Classes without any are left out.
    is_normalized : bool
        Whether to return DETAD's normalised mAP, mAP_N. It computes precision as if
        every class had the average number of instances. Then two classes with equal
        recall and equally many false detections have equal precision.

    Returns
    -------
    array of shape (n_tiou,)
        In ``[0, 1]``; NaN if no class has an instance. Interpolated if the protocol's
        AP is.

    Notes
    -----
    DETAD's code is written for Python 2, where division rounds the average number of
    instances down. Here it is not rounded.
    """
    columns = []
    for c in np.flatnonzero(n_instances):
        of_class = slice(ranking.bounds[c], ranking.bounds[c + 1])
        precision = _precision(
            is_true[:, of_class],
            is_false[:, of_class],
            _weight(ranking, n_instances[c]) if is_normalized else 1.0,
        )
        if ranking.truth.protocol.is_interpolated:
            precision = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
        columns.append((precision * is_true[:, of_class]).sum(axis=1) / n_instances[c])
    if not columns:
        return np.full(len(ranking.tiou), np.nan)
    result: FloatArray = np.mean(columns, axis=0)
    return result


def normalized_map(
    ranking: Ranking, matched: IntArray, chosen: BoolArray | None = None
) -> FloatArray:
    """Return DETAD's normalised mAP over all instances, or over chosen ones.

    Detections that find an instance which is not chosen do not count. All false
    detections count. The mean is taken over the classes that have a chosen instance.

    Parameters
    ----------
    ranking : Ranking
        The ranked detections.
    matched : array of shape (n_tiou, N)
        The result of `matched_instances`.
    chosen : array of shape (n_instances,), optional
        Which instances are chosen; all when left out.

    Returns
    -------
    array of shape (n_tiou,)
        In ``[0, 1]``; NaN if no instance is chosen.

    References
    ----------
    DETAD `src/sensitivity_analysis.py`: `compute_average_mAP_N_for_characteristic`.
    There, a detection that is left out at one threshold is left out at all later ones.
    """
    label = ranking.truth.instances.group % ranking.n_classes
    if chosen is None:
        chosen = np.ones(len(label), np.bool_)
    return mean_ap(
        ranking,
        (matched >= 0) & chosen[matched],
        false_detections(ranking),
        np.bincount(label[chosen], minlength=ranking.n_classes),
        is_normalized=True,
    )


def missed_instances(ranking: Ranking, matched: IntArray) -> BoolArray:
    """Return (n_tiou, n_instances) which instances are missed.

    An instance is missed unless a detection finds it at which the normalised precision
    of the class is above `LEAST_PRECISION`. Nobody would look further down the ranking.

    References
    ----------
    DETAD `src/action_detector_diagnosis.py`: `compute_average_precision_detection` with
    the threshold of `src/false_negative_analysis.py`.
    """
    is_false = false_detections(ranking)
    missed = np.ones((len(ranking.tiou), len(ranking.truth.instances.group)), np.bool_)
    for c, n in enumerate(ranking.n_instances.tolist()):
        of_class = slice(ranking.bounds[c], ranking.bounds[c + 1])
        precision = _precision(
            matched[:, of_class] >= 0, is_false[:, of_class], _weight(ranking, n)
        )
        threshold, place = np.nonzero(
            (matched[:, of_class] >= 0) & (precision > LEAST_PRECISION)
        )
        missed[threshold, matched[:, of_class][threshold, place]] = False
    return missed


def _weight(ranking: Ranking, n_instances: int) -> float:
    """Return the average number of instances divided by that of each class."""
    return len(ranking.truth.instances.group) / ranking.n_classes / n_instances


def _precision(is_true: BoolArray, is_false: BoolArray, weight: float) -> FloatArray:
    """Return the precision at each detection of a class; 0 if none counts yet."""
    n_true = weight * np.cumsum(is_true, axis=1)
    n = n_true + np.cumsum(is_false, axis=1)
    precision: FloatArray = np.divide(n_true, n, out=np.zeros_like(n_true), where=n > 0)
    return precision


def _bucketed(
    name: str, values: FloatArray, edges: tuple[float, ...] | None
) -> Characteristic:
    """Return the bucket of each value; without edges, buckets are fifths."""
    known = values[~np.isnan(values)]
    if edges is None:
        fifths = np.quantile(known, (0.2, 0.4, 0.6, 0.8), method="inverted_cdf")
        inner = sorted({x for x in fifths.tolist() if x < known.max()})
        edges = (0.0, *inner, 1.0 if name == "coverage" else np.inf)
    bucket = np.searchsorted(edges[1:-1], values, side="left")
    return Characteristic(name, edges, np.where(np.isnan(values), -1, bucket))
