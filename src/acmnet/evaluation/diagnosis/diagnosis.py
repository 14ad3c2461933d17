"""Diagnose detections: what is wrong with them, and which instances they miss.

The method is that of Alwassel et al., "Diagnosing Error in Temporal Action Detectors",
ECCV 2018 (their code is called DETAD). For detectors that were trained without times,
the diagnosis also says how often context is taken for action, and action for context.
Detections are read, dropped, ranked and matched as in `acmnet.evaluation.reports`.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from acmnet.data.detections.detection_arrays import DetectionFile
from acmnet.data.formats.exchange_format import Source
from acmnet.data.labels.annotations import Annotations
from acmnet.evaluation.diagnosis.false_positives import (
    KINDS,
    LEAST_TIOU,
    MISFITS,
    Misfit,
    detection_kinds,
    gains,
    misfit,
    nearest_instances,
    profile,
)
from acmnet.evaluation.diagnosis.sensitivity import (
    Characteristic,
    characteristics,
    matched_instances,
    missed_instances,
    normalized_map,
)
from acmnet.evaluation.protocols import Protocol
from acmnet.evaluation.reports import DetectionReport, evaluate
from acmnet.evaluation.scoring.ranking import Ranking
from acmnet.messages import counted
from acmnet.segments import BoolArray, Detections, FloatArray, IntArray

TIOU: Final = (0.5,)
"""The tIoU threshold, unless others are requested."""

SHARED_KEYS: Final = (
    "protocol",
    "tiou",
    "map",
    "average",
    "videos",
    "instances",
    "detections",
    "dropped",
    "ignored",
    "unpredicted",
    "notes",
    "ground_truth_sha256",
)
"""Keys that the JSON of a diagnosis has in common with `DetectionReport.to_json`."""


@dataclasses.dataclass(frozen=True, eq=False)
class BucketResults:
    """How well the instances in each bucket of one characteristic are found."""

    characteristic: Characteristic
    missed: FloatArray
    """(n_tiou, n_buckets) share of missed instances; NaN for an empty bucket."""
    map_n: FloatArray
    """(n_tiou, n_buckets) normalised mAP; NaN for an empty bucket."""


@dataclasses.dataclass(frozen=True, eq=False)
class Diagnosis:
    """What is wrong with detections. All shares are fractions of 1, not percent."""

    report: DetectionReport
    """The score by the same protocol at the same thresholds."""
    kinds: IntArray
    """(n_tiou, N) index in `KINDS` of each ranked detection; -1 if it does not
    count."""
    profile: IntArray
    """(n_tiou, 10, 6) number of detections of each kind among the first G of each
    class, the second G, and so on to the tenth G, where G is the class's number of
    instances."""
    gain: FloatArray
    """(n_tiou, 5) increase of mAP if the false detections of one kind are removed."""
    gain_n: FloatArray
    """(n_tiou, 5) the same as DETAD computes it: the increase of the normalised mAP of
    the first 10 G detections of each class."""
    misfit: Misfit
    """How the localisation errors of the profile lie relative to their instances."""
    missed: FloatArray
    """(n_tiou,) share of all instances that is missed."""
    map_n: FloatArray
    """(n_tiou,) normalised mAP over all instances and detections."""
    buckets: tuple[BucketResults, ...]
    """Results by length, by coverage if durations are known, and by number of
    instances."""
    notes: tuple[str, ...]
    """Sentences that a reader of the buckets should know."""

    @property
    def shares(self) -> FloatArray:
        """(n_tiou, 10, 6) the profile as shares at each depth; NaN if it is empty."""
        return _shares(self.profile)

    @property
    def total_shares(self) -> FloatArray:
        """(n_tiou, 6) share of each kind in the whole profile."""
        return _shares(self.profile.sum(axis=1))

    @property
    def misfit_shares(self) -> FloatArray:
        """(n_tiou, 3) share of each of `MISFITS` in the localisation errors."""
        return _shares(self.misfit.counts)

    def to_json(self) -> dict[str, object]:
        """Return the diagnosis as JSON values; undefined shares are null."""
        scored = self.report.to_json()
        return {
            **{name: scored[name] for name in SHARED_KEYS},
            "map_n": _plain(self.map_n),
            "false_positives": {
                "kinds": list(KINDS),
                "least_tiou": LEAST_TIOU,
                "profile_counts": self.profile.tolist(),
                "profile_shares": _plain(self.shares),
                "top_10g_shares": _plain(self.total_shares),
                "map_gain": _by_kind(self.gain),
                "map_n_gain_top_10g": _by_kind(self.gain_n),
            },
            "localisation": {
                "kinds": list(MISFITS),
                "counts": self.misfit.counts.tolist(),
                "shares": _plain(self.misfit_shares),
                "completeness": _plain(self.misfit.completeness),
                "purity": _plain(self.misfit.purity),
            },
            "missed": _plain(self.missed),
            "characteristics": {
                found.characteristic.name: {
                    "edges": _plain(np.array(found.characteristic.edges)),
                    "buckets": list(found.characteristic.buckets),
                    "instances": found.characteristic.counts.tolist(),
                    "missed": _plain(found.missed),
                    "map_n": _plain(found.map_n),
                }
                for found in self.buckets
            },
            "bucket_notes": list(self.notes),
        }


def diagnose(
    ground_truth: str | Path | Source | Annotations,
    detections: str | Path | DetectionFile | Mapping[str, Detections],
    *,
    subset: str | None = None,
    tiou: Sequence[float] = TIOU,
    protocol: str | Protocol = "custom",
    ambiguous: str | Path | None = None,
) -> Diagnosis:
    """Return what is wrong with detections, and which instances they miss.

    Parameters
    ----------
    ground_truth, detections, subset, protocol, ambiguous
        The same as the parameters of `acmnet.evaluation.reports.evaluate`.
    tiou : sequence of float
        Thresholds in ``[0.1, 1]``; each gets its own diagnosis.

    Returns
    -------
    Diagnosis

    Raises
    ------
    ValueError
        If a threshold is below 0.1, under which everything counts as background, or
        `evaluate` refuses the arguments.

    Examples
    --------
    >>> from acmnet.data.labels.annotations import Instance, Segment, Video
    >>> truth = (Instance("jump", Segment(2.0, 4.0)),)
    >>> video = Video(
    ...     id="a", subset="test", duration_s=10.0, labels=("jump",), instances=truth
    ... )
    >>> labels = Annotations("labels.json", {"a": video}, ("jump",))
    >>> rows = [(0.0, 8.0, 0.9, 0), (2.0, 4.0, 0.8, 0), (6.0, 8.0, 0.1, 0)]
    >>> found = diagnose(labels, {"a": Detections.of(["jump"], rows)})
    >>> [KINDS[i] for i in found.kinds[0]]  # the first contains the instance
    ['localisation', 'true positive', 'background']
    >>> found.gain[0].tolist()  # without the localisation error, mAP is 1, not 1/2
    [0.0, 0.0, 0.5, 0.0, 0.0]
    """
    if any(x < LEAST_TIOU for x in tiou):
        raise ValueError(
            f"tiou must be at least {LEAST_TIOU} to tell errors apart, as below that a "
            f"detection shows background, got {min(tiou):g}; give such as 0.5"
        )
    report = evaluate(
        ground_truth,
        detections,
        subset=subset,
        tiou=tiou,
        protocol=protocol,
        ambiguous=ambiguous,
    )
    ranking = report.ranking
    nearest = nearest_instances(ranking)
    kinds = detection_kinds(ranking, nearest)
    matched = matched_instances(ranking)
    missed = missed_instances(ranking, matched)
    buckets = [
        _bucket_results(characteristic, ranking, matched, missed)
        for characteristic in characteristics(ranking)
    ]
    return Diagnosis(
        report=report,
        kinds=kinds,
        profile=profile(ranking, kinds),
        gain=gains(ranking, kinds, is_normalized=False),
        gain_n=gains(ranking, kinds, is_normalized=True),
        misfit=misfit(ranking, kinds, nearest),
        missed=missed.mean(axis=1),
        map_n=normalized_map(ranking, matched),
        buckets=tuple(buckets),
        notes=_notes(buckets, report.instances),
    )


def _bucket_results(
    characteristic: Characteristic,
    ranking: Ranking,
    matched: IntArray,
    missed: BoolArray,
) -> BucketResults:
    """Return how well the instances in each bucket of a characteristic are found.

    ``matched`` is the result of `matched_instances`, ``missed`` that of
    `missed_instances`.
    """
    chosen = [characteristic.bucket == b for b in range(len(characteristic.buckets))]
    map_n = [normalized_map(ranking, matched, in_bucket) for in_bucket in chosen]
    absent = [_mean_missed(missed, in_bucket) for in_bucket in chosen]
    # lists of (n_tiou,) arrays become (n_tiou, n_buckets)
    return BucketResults(
        characteristic, np.stack(absent, axis=1), np.stack(map_n, axis=1)
    )


def _mean_missed(missed: BoolArray, chosen: BoolArray) -> FloatArray:
    """Return the share of the chosen instances that is missed; NaN without any."""
    if not chosen.any():
        return np.full(len(missed), np.nan)
    result: FloatArray = missed[:, chosen].mean(axis=1)
    return result


def _shares(counts: IntArray) -> FloatArray:
    """Return counts divided by their sum over the last axis; NaN if the sum is 0."""
    total = counts.sum(axis=-1, keepdims=True)
    empty = np.full(counts.shape, np.nan)
    shares: FloatArray = np.divide(counts, total, out=empty, where=total > 0)
    return shares


def _plain(values: FloatArray) -> object:
    """Return an array as nested lists; NaN and infinity become None."""
    if values.ndim:
        return [_plain(value) for value in values]
    return float(values) if math.isfinite(values) else None


def _by_kind(gain: FloatArray) -> dict[str, object]:
    """Return for each kind the gain at each threshold and the average gain."""
    return {
        kind: {"tiou": values.tolist(), "average": float(values.mean())}
        for kind, values in zip(KINDS[1:], gain.T, strict=True)
    }


def _notes(buckets: Sequence[BucketResults], instances: int) -> tuple[str, ...]:
    """Return a note on instances whose coverage is not known, if there are any."""
    known = {x.characteristic.name: int(x.characteristic.counts.sum()) for x in buckets}
    n = known.get("coverage", 0)
    if not n:
        return ("no video's duration is known, so the coverage is left out",)
    if n == instances:
        return ()
    return (
        f"{counted(instances - n, 'instance', ('is', 'are'), of=instances)} in videos "
        "whose duration the "
        "ground truth does not say; coverage does not count them",
    )
