"""Kinds of false detections: how often each occurs, and how much mAP it costs.

The kinds are those of DETAD (Alwassel et al., ECCV 2018). A detection is compared with
the instance of its video that it overlaps most, whatever its class. Its kind depends on
their tIoU and on the threshold alpha:

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

from acmnet.evaluation.diagnosis.sensitivity import false_detections, mean_ap
from acmnet.evaluation.scoring.matching import overlaps
from acmnet.evaluation.scoring.ranking import Ranking
from acmnet.segments import FloatArray, IntArray

KINDS: Final = (
    "true positive",
    "double detection",
    "wrong label",
    "localisation",
    "confusion",
    "background",
)
"""Kinds of detections; the position of a kind is its number."""

IGNORED: Final = -1
"""Number in place of a kind for detections that the protocol does not count."""

LEAST_TIOU: Final = 0.1
"""tIoU below which a detection counts as background."""

DETECTIONS_PER_INSTANCE: Final = 10
"""Depth of the profile: detections of a class for each of its instances."""

MISFITS: Final = ("too long", "too short", "shifted")
"""Ways in which a localisation error differs from its instance; see `Misfit`."""


class Nearest(NamedTuple):
    """For each of N detections, the instance of its video that it overlaps most."""

    instance: IntArray
    """(N,) index into the truth's instances; -1 for a detection that overlaps none."""
    tiou: FloatArray
    """(N,) tIoU with that instance; 0 for a detection that overlaps none."""


class Misfit(NamedTuple):
    """How the localisation errors of the profile differ from the instances they miss.

    A detection is too long if it contains the whole instance, so that what surrounds
    the action is taken for the action. It is too short if it lies within the instance,
    so that only a part of the action is found. It is shifted if it only starts or only
    ends within the instance. Equal boundaries count as contained.
    """

    counts: IntArray
    """(n_tiou, 3) number of localisation errors of each of `MISFITS`."""
    completeness: FloatArray
    """(n_tiou,) mean share of the instance that the detection covers; NaN without
    errors."""
    purity: FloatArray
    """(n_tiou,) mean share of the detection that lies in the instance; NaN without
    errors."""


def nearest_instances(ranking: Ranking) -> Nearest:
    """Return for each detection the instance of its video that it overlaps most.

    Where tIoUs are equal, an instance of the detection's own class is taken, and then
    the one listed first. DETAD takes the one listed first, whatever its class. In
    THUMOS14, Diving and CliffDiving are annotated at the same times; there a second
    detection of the class listed later gets the kind "wrong label" from DETAD, but
    "double detection" here.
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
    """Return the kind of each detection at each threshold.

    Returns
    -------
    array of shape (n_tiou, N)
        Index in `KINDS`; `IGNORED` for a detection that the protocol does not count.

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
    """Return (N,) how deep each detection stands in the ranking of its class.

    It is 0 for the first G detections, where G is the number of the class's instances,
    1 for the next G, and so on.
    """
    label = ranking.located.group % ranking.n_classes
    place = np.arange(len(label)) - ranking.bounds[label]
    result: IntArray = place // ranking.n_instances[label]
    return result


def profile(ranking: Ranking, kinds: IntArray) -> IntArray:
    """Return the number of detections of each kind at each depth of the ranking.

    Returns
    -------
    array of shape (n_tiou, DETECTIONS_PER_INSTANCE, 6)
        The second axis goes from the first G detections of every class to the tenth G.
        Detections that the protocol does not count are left out.
    """
    depth = depths(ranking)
    counts = np.zeros((len(kinds), DETECTIONS_PER_INSTANCE, len(KINDS)), np.int64)
    for i, at_tiou in enumerate(kinds):
        kept = (depth < DETECTIONS_PER_INSTANCE) & (at_tiou != IGNORED)
        np.add.at(counts[i], (depth[kept], at_tiou[kept]), 1)
    return counts


def gains(ranking: Ranking, kinds: IntArray, *, is_normalized: bool) -> FloatArray:
    """Return by how much mAP rises if the false detections of one kind are removed.

    Parameters
    ----------
    ranking : Ranking
        The ranked detections.
    kinds : array of shape (n_tiou, N)
        The result of `detection_kinds`.
    is_normalized : bool
        True returns DETAD's figure, for the normalised mAP of the top 10 G. False
        returns the figure for the protocol's mAP of all detections, which
        `acmnet evaluate` prints.

    Returns
    -------
    array of shape (n_tiou, 5)
        Gains in ``[0, 1]`` for all of `KINDS` but the first. Their sum means nothing,
        because what one kind costs depends on whether the others are present.
    """
    counted = np.ones(kinds.shape[1], np.bool_)
    if is_normalized:
        counted = depths(ranking) < DETECTIONS_PER_INSTANCE
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
    """Return how localisation errors of the top 10 G differ from their instances."""
    located, instances = ranking.located, ranking.truth.instances
    start = located.start_s, instances.start_s[nearest.instance]
    end = located.end_s, instances.end_s[nearest.instance]
    contains = (start[0] <= start[1]) & (end[0] >= end[1])
    is_within = (start[0] >= start[1]) & (end[0] <= end[1])
    kind = np.select((contains, is_within), (0, 1), default=2)
    shared_s = np.minimum(*end) - np.maximum(*start)
    is_localisation = (kinds == KINDS.index("localisation")) & (
        depths(ranking) < DETECTIONS_PER_INSTANCE
    )
    counts = np.zeros((len(kinds), len(MISFITS)), np.int64)
    shares = np.full((2, len(kinds)), np.nan)
    for i, at_tiou in enumerate(is_localisation):
        counts[i] = np.bincount(kind[at_tiou], minlength=len(MISFITS))
        if at_tiou.any():
            shares[0, i] = np.mean(shared_s[at_tiou] / (end[1] - start[1])[at_tiou])
            shares[1, i] = np.mean(shared_s[at_tiou] / (end[0] - start[0])[at_tiou])
    return Misfit(counts, *shares)
