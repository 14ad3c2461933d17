"""Which instances are found: false negatives and normalised mAP by characteristic.

After DETAD: the instances are put into buckets by their length, by how much of their
video they cover and by how many of their class are in it. Of each bucket we ask which
share is missed and how precise the detections are. A bucket holds what is above its
lower edge and at most its upper edge; the lowest also holds its lower edge.
"""

import itertools
from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np

from acmnet.evaluation.matching import match_detections, match_instances
from acmnet.evaluation.ranking import Ranking
from acmnet.segments import BoolArray, FloatArray, IntArray

LEAST_PRECISION: Final = 0.05
"""A detection at which the normalised precision is not above this finds nothing."""

NAMES: Final = {
    1: ("M",),
    2: ("S", "L"),
    3: ("S", "M", "L"),
    4: ("XS", "S", "M", "L"),
    5: ("XS", "S", "M", "L", "XL"),
}
"""What the buckets are called, by how many there are."""

EDGES: Final[Mapping[str, Mapping[str, tuple[float, ...]]]] = {
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
"""DETAD's edges by how a protocol's name begins; those not here are fifths."""


class Characteristic(NamedTuple):
    """Buckets of the instances by one of their properties."""

    name: str
    """``"length"`` (s), ``"coverage"`` or ``"instances"``."""
    edges: tuple[float, ...]
    """From the lowest bucket's lower to the highest one's upper edge."""
    bucket: IntArray
    """(n_instances,) index of each instance's bucket; -1 where it is not known."""

    @property
    def buckets(self) -> tuple[str, ...]:
        """Names such as XS, from the lowest up."""
        return NAMES[len(self.edges) - 1]

    @property
    def spans(self) -> tuple[str, ...]:
        """What each bucket holds, in words; of coverage, in percent.

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
        """(n_buckets,) instances in each."""
        known = self.bucket[self.bucket >= 0]
        return np.bincount(known, minlength=len(self.edges) - 1)


def characteristics(
    ranking: Ranking, durations_s: Mapping[str, float | None]
) -> tuple[Characteristic, ...]:
    """Return the instances in buckets, by length, coverage and number in their video.

    The length is in seconds, the coverage is the length by the video's duration, at
    most 1, and the number counts the instances of one class in one video. The edges are
    DETAD's for THUMOS14 or ActivityNet (`EDGES`). A protocol of neither takes lengths
    and coverages in fifths of the instances, with equal edges made one.

    Parameters
    ----------
    ranking : Ranking
        Of which only the ground truth is looked at.
    durations_s : mapping from video to float
        By the ground truth's names. None or 0 where it is not known: the coverage of
        such a video's instances is not, either.

    Returns
    -------
    tuple of Characteristic
        Without the coverage where no duration is known.

    References
    ----------
    Alwassel et al., "Diagnosing Error in Temporal Action Detectors", ECCV 2018. DETAD
    `src/false_negative_analysis.py`: `main`.
    """
    truth = ranking.truth
    grid_s = float(truth.protocol.grid_s or 1)
    length_s = (truth.instances.end_s - truth.instances.start_s) * grid_s
    known = [durations_s.get(video) or np.nan for video in truth.video_ids]
    duration_s = np.array(known, np.float64)[truth.instances.group // ranking.n_classes]
    _, which, count = np.unique(
        truth.instances.group, return_inverse=True, return_counts=True
    )
    values = {
        "length": length_s,
        "coverage": np.minimum(length_s / duration_s, 1.0),
        "instances": count[which].astype(np.float64),
    }
    family = next((x for x in EDGES if truth.protocol.name.startswith(x)), "custom")
    return tuple(
        _bucketed(name, value, EDGES[family].get(name))
        for name, value in values.items()
        if not np.isnan(value).all()
    )


def found_instances(ranking: Ranking) -> IntArray:
    """Return the instance that each detection finds, by the protocol's matching.

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
    found = np.full((len(ranking.tiou), len(located.group)), -1)
    threshold, instance = np.nonzero(taken >= 0)
    found[threshold, taken[threshold, instance]] = instance
    return found


def false_detections(ranking: Ranking) -> BoolArray:
    """Return which detections are false, (n_tiou, N): not true and not ignored."""
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
    """Return mAP when only some detections count, and some instances.

    Parameters
    ----------
    ranking : Ranking
        Whose detections are in order.
    is_true, is_false : arrays of shape (n_tiou, N)
        What each detection counts as; one that is neither does not count.
    n_instances : array of shape (C,)
        Instances of each class. Classes without one are left out.
    is_normalized : bool
        Whether every class is taken to have the average number of instances (all
        instances by all classes): DETAD's mAP_N. Of two classes with equal recall and
        equally many false detections, the precision is then equal.

    Returns
    -------
    array of shape (n_tiou,)
        In ``[0, 1]``; NaN if no class has an instance. Interpolated as the protocol is.

    Notes
    -----
    DETAD's code runs on Python 2, where the average number of instances is rounded
    down to a whole number. Here it is not.
    """
    columns = []
    for c in np.flatnonzero(n_instances):
        own = slice(ranking.bounds[c], ranking.bounds[c + 1])
        precision = _precision(
            is_true[:, own],
            is_false[:, own],
            _weight(ranking, n_instances[c]) if is_normalized else 1.0,
        )
        if ranking.truth.protocol.is_interpolated:
            precision = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
        columns.append((precision * is_true[:, own]).sum(axis=1) / n_instances[c])
    if not columns:
        return np.full(len(ranking.tiou), np.nan)
    result: FloatArray = np.mean(columns, axis=0)
    return result


def normalized_map(
    ranking: Ranking, found: IntArray, chosen: BoolArray | None = None
) -> FloatArray:
    """Return DETAD's mAP_N over all instances, or over the chosen ones.

    A detection that finds an instance which is not chosen does not count; all false
    detections do. The mean is over the classes with a chosen instance.

    Parameters
    ----------
    ranking : Ranking
    found : array of shape (n_tiou, N)
        As `found_instances` returns it.
    chosen : array of shape (n_instances,), optional
        Which instances are to be found.

    Returns
    -------
    array of shape (n_tiou,)
        In ``[0, 1]``; NaN if no instance is chosen.

    References
    ----------
    DETAD `src/sensitivity_analysis.py`: `compute_average_mAP_N_for_characteristic`.
    There, a detection left out at one threshold is left out at all further ones, too.
    """
    label = ranking.truth.instances.group % ranking.n_classes
    if chosen is None:
        chosen = np.ones(len(label), np.bool_)
    return mean_ap(
        ranking,
        (found >= 0) & chosen[found],
        false_detections(ranking),
        np.bincount(label[chosen], minlength=ranking.n_classes),
        is_normalized=True,
    )


def missed_instances(ranking: Ranking, found: IntArray) -> BoolArray:
    """Return which instances are missed, (n_tiou, n_instances).

    Missed is what no detection finds at which the normalised precision of its class is
    above `LEAST_PRECISION`: so far down the ranking, nobody would look.

    References
    ----------
    DETAD `src/action_detector_diagnosis.py`: `compute_average_precision_detection` with
    the threshold of `src/false_negative_analysis.py`.
    """
    is_false = false_detections(ranking)
    missed = np.ones((len(ranking.tiou), len(ranking.truth.instances.group)), np.bool_)
    for c, n in enumerate(ranking.n_instances.tolist()):
        own = slice(ranking.bounds[c], ranking.bounds[c + 1])
        precision = _precision(
            found[:, own] >= 0, is_false[:, own], _weight(ranking, n)
        )
        threshold, place = np.nonzero(
            (found[:, own] >= 0) & (precision > LEAST_PRECISION)
        )
        missed[threshold, found[:, own][threshold, place]] = False
    return missed


def _weight(ranking: Ranking, n_instances: int) -> float:
    """Return how many times its instances a class of average size has."""
    return len(ranking.truth.instances.group) / ranking.n_classes / n_instances


def _precision(is_true: BoolArray, is_false: BoolArray, weight: float) -> FloatArray:
    """Return the precision at each detection of a class; 0 before any counts."""
    n_true = weight * np.cumsum(is_true, axis=1)
    n = n_true + np.cumsum(is_false, axis=1)
    precision: FloatArray = np.divide(n_true, n, out=np.zeros_like(n_true), where=n > 0)
    return precision


def _bucketed(
    name: str, values: FloatArray, edges: tuple[float, ...] | None
) -> Characteristic:
    """Return each value's bucket; in fifths of the values where no edges are given."""
    known = values[~np.isnan(values)]
    if edges is None:
        fifths = np.quantile(known, (0.2, 0.4, 0.6, 0.8), method="inverted_cdf")
        inner = sorted({x for x in fifths.tolist() if x < known.max()})
        edges = (0.0, *inner, 1.0 if name == "coverage" else np.inf)
    bucket = np.searchsorted(edges[1:-1], values, side="left")
    return Characteristic(name, edges, np.where(np.isnan(values), -1, bucket))
