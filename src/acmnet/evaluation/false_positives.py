"""Why a detection is false: its kind, how often each occurs, and what it costs.

After DETAD. Of all instances of its video, whatever their class, a detection is judged
by the one it overlaps most. With the tIoU threshold alpha:

================  ====================  ======================  ==================
tIoU              of its own class      of another class
================  ====================  ======================  ==================
alpha and more    double detection      wrong label
0.1 up to alpha   localisation          confusion
below 0.1         background            background
================  ====================  ======================  ==================
"""

from typing import Final, NamedTuple

import numpy as np

from acmnet.evaluation.matching import overlaps
from acmnet.evaluation.ranking import Ranking
from acmnet.evaluation.sensitivity import false_detections, mean_ap
from acmnet.segments import FloatArray, IntArray

KINDS: Final = (
    "true positive",
    "double detection",
    "wrong label",
    "localisation",
    "confusion",
    "background",
)
"""What a detection is, by its number."""

IGNORED: Final = -1
"""The number of a detection that the protocol does not count."""

LEAST_TIOU: Final = 0.1
"""Below this, a detection shows background."""

DEPTH: Final = 10
"""The profile goes down to so many detections for each instance of their class."""

MISFITS: Final = ("too long", "too short", "shifted")
"""How a localisation error lies to its instance; see `Misfit`."""


class Nearest(NamedTuple):
    """The instance of its video that each of N detections overlaps most."""

    instance: IntArray
    """(N,) index into the truth's instances; -1 where it overlaps none."""
    tiou: FloatArray
    """(N,) 0 where it overlaps none."""


class Misfit(NamedTuple):
    """How the localisation errors of the profile lie to the instances they miss.

    Too long: it contains the whole instance, so what surrounds the action is taken for
    action. Too short: the whole of it is within the instance, so the action is found
    incompletely. Shifted: it ends within the instance, or starts within it, but not
    both. Boundaries that are equal count as contained.
    """

    counts: IntArray
    """(n_tiou, 3) localisation errors, as `MISFITS`."""
    completeness: FloatArray
    """(n_tiou,) mean share of the instance that the detection covers; NaN for none."""
    purity: FloatArray
    """(n_tiou,) mean share of the detection that is the instance; NaN for none."""


def nearest_instances(ranking: Ranking) -> Nearest:
    """Return for each detection the instance of its video that it overlaps most.

    Of equal tIoUs one of its own class, then the first listed. DETAD takes the first
    listed whatever its class, so that of two classes annotated at the same times, as
    Diving and CliffDiving are in THUMOS14, a second detection of the later listed has
    the wrong label; here it is a double detection.
    """
    n_classes, located = ranking.n_classes, ranking.located
    instances = ranking.truth.instances
    detection, instance, tiou = overlaps(
        located._replace(group=located.group // n_classes),
        instances._replace(group=instances.group // n_classes),
    )
    is_other = instances.group[instance] != located.group[detection]
    order = np.lexsort((instance, is_other, -tiou, detection))
    _, first = np.unique(detection[order], return_index=True)
    best = order[first]
    nearest = Nearest(
        np.full(len(located.group), -1), np.zeros(len(located.group), np.float64)
    )
    nearest.instance[detection[best]] = instance[best]
    nearest.tiou[detection[best]] = tiou[best]
    return nearest


def detection_kinds(ranking: Ranking, nearest: Nearest) -> IntArray:
    """Return what each detection is at each threshold.

    Returns
    -------
    array of shape (n_tiou, N)
        Place in `KINDS`; `IGNORED` where the protocol does not count it.

    References
    ----------
    DETAD `src/action_detector_diagnosis.py`: `analyze_fp_error_types`.
    """
    instances, located = ranking.truth.instances, ranking.located
    is_own = instances.group[nearest.instance] == located.group
    alpha = ranking.tiou[:, np.newaxis]
    is_near = (
        nearest.tiou > alpha
        if ranking.truth.protocol.is_strict
        else nearest.tiou >= alpha
    )
    faults = (
        ranking.is_true,
        ~false_detections(ranking),
        is_near & is_own,
        is_near,
        (nearest.tiou >= LEAST_TIOU) & is_own,
        np.broadcast_to(nearest.tiou >= LEAST_TIOU, is_near.shape),
    )
    return np.select(faults, (0, IGNORED, 1, 2, 3, 4), default=5)


def depths(ranking: Ranking) -> IntArray:
    """Return how deep in its class's ranking each detection stands, (N,).

    0 for the first G, where G is the number of the class's instances, 1 for the next G.
    """
    label = ranking.located.group % ranking.n_classes
    place = np.arange(len(label)) - ranking.bounds[label]
    result: IntArray = place // ranking.n_instances[label]
    return result


def profile(ranking: Ranking, kinds: IntArray) -> IntArray:
    """Return how many detections of each kind stand at each depth.

    Returns
    -------
    array of shape (n_tiou, DEPTH, 6)
        From the first G detections of every class to the tenth G. Those that the
        protocol does not count are left out.
    """
    depth = depths(ranking)
    counts = np.zeros((len(kinds), DEPTH, len(KINDS)), np.int64)
    for i, own in enumerate(kinds):
        kept = (depth < DEPTH) & (own != IGNORED)
        np.add.at(counts[i], (depth[kept], own[kept]), 1)
    return counts


def gains(ranking: Ranking, kinds: IntArray, *, is_normalized: bool) -> FloatArray:
    """Return by how much mAP rises without the false detections of each kind.

    Parameters
    ----------
    ranking : Ranking
    kinds : array of shape (n_tiou, N)
        As `detection_kinds` returns it.
    is_normalized : bool
        Whether it is DETAD's figure: mAP_N of the top 10G. Else the protocol's mAP of
        all detections, which `evaluate` prints.

    Returns
    -------
    array of shape (n_tiou, 5)
        In ``[0, 1]``, for `KINDS` without the first. They do not add up: where one
        kind is gone, another costs more or less.
    """
    counted = np.ones(kinds.shape[1], np.bool_)
    if is_normalized:
        counted = depths(ranking) < DEPTH
    is_true, is_false = ranking.is_true & counted, (kinds > 0) & counted
    values = [
        mean_ap(
            ranking,
            is_true,
            is_false & (kinds != gone),
            ranking.n_instances,
            is_normalized=is_normalized,
        )
        for gone in range(len(KINDS))
    ]
    return np.stack(values[1:], axis=1) - values[0][:, np.newaxis]


def misfit(ranking: Ranking, kinds: IntArray, nearest: Nearest) -> Misfit:
    """Return how the localisation errors of the top 10G lie to their instances."""
    located, instances = ranking.located, ranking.truth.instances
    start = located.start_s, instances.start_s[nearest.instance]
    end = located.end_s, instances.end_s[nearest.instance]
    contains = (start[0] <= start[1]) & (end[0] >= end[1])
    is_within = (start[0] >= start[1]) & (end[0] <= end[1])
    how = np.select((contains, is_within), (0, 1), default=2)
    both = np.minimum(*end) - np.maximum(*start)
    is_localisation = (kinds == KINDS.index("localisation")) & (depths(ranking) < DEPTH)
    counts = np.zeros((len(kinds), len(MISFITS)), np.int64)
    shares = np.full((2, len(kinds)), np.nan)
    for i, own in enumerate(is_localisation):
        counts[i] = np.bincount(how[own], minlength=len(MISFITS))
        if own.any():
            shares[0, i] = np.mean(both[own] / (end[1] - start[1])[own])
            shares[1, i] = np.mean(both[own] / (end[0] - start[0])[own])
    return Misfit(counts, *shares)
