"""Compare systems on the same videos, with intervals from a paired bootstrap.

A benchmark's videos are a sample. Drawing as many videos from them, with replacement,
shows how much mAP would change with other videos of the same kind. Drawing the same
videos for every system shows whether the difference between two systems would persist.
"""

import dataclasses
from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np

from acmnet.evaluation.reports import DetectionReport
from acmnet.evaluation.scoring.ranking import Ranking
from acmnet.segments import FloatArray, IntArray

DRAWS: Final = 1000
"""How often videos are drawn at random, with replacement."""
LEVEL: Final = 0.95
"""Share of the draws that lies within an interval."""
DRAWS_AT_ONCE: Final = 100
"""Draws computed at a time. Arrays of this many times the detections of one class are
in memory."""


class Interval(NamedTuple):
    """A figure for the videos as they are, and its 95 % interval over the draws."""

    value: float
    """The figure with each video counted once."""
    mean: float
    """The figure's mean over the draws."""
    low: float
    """Lower end of the interval: 2.5 % of the draws are below."""
    high: float
    """Upper end of the interval: 2.5 % of the draws are above."""


@dataclasses.dataclass(frozen=True, eq=False)
class Comparison:
    """Several systems scored by one protocol on one ground truth."""

    reports: Mapping[str, DetectionReport]
    """The report of each system by name. Differences are taken from the first one."""
    seed: int
    """Seed of the draws."""
    samples: FloatArray
    """(S, n_draws, n_tiou) mAP of each of the S systems in each draw."""

    @property
    def draws(self) -> int:
        """Number of draws."""
        return len(self.samples[0])

    def interval(self, system: str, *, tiou: float | None = None) -> Interval:
        """Return a system's mAP: at one threshold, or averaged over all."""
        place = list(self.reports).index(system)
        value = self._picked(self.reports[system].map, tiou)
        return _interval(float(value), self._picked(self.samples[place], tiou))

    def difference(self, system: str, *, tiou: float | None = None) -> Interval:
        """Return a system's mAP minus the first system's, draw by draw.

        The difference is significant at 5 % if the interval does not contain 0.
        """
        place = list(self.reports).index(system)
        first = next(iter(self.reports.values()))
        value = self._picked(self.reports[system].map - first.map, tiou)
        samples = self._picked(self.samples[place] - self.samples[0], tiou)
        return _interval(float(value), samples)

    def to_json(self) -> dict[str, object]:
        """Return the comparison as values that ``json.dumps`` accepts."""
        tiou = next(iter(self.reports.values())).tiou.tolist()
        return {
            "draws": self.draws,
            "seed": self.seed,
            "level": LEVEL,
            "systems": {
                name: report.to_json()
                | {
                    "average_interval": self.interval(name)._asdict(),
                    "map_intervals": [
                        self.interval(name, tiou=t)._asdict() for t in tiou
                    ],
                    "average_difference": self.difference(name)._asdict(),
                    "map_differences": [
                        self.difference(name, tiou=t)._asdict() for t in tiou
                    ],
                }
                for name, report in self.reports.items()
            },
        }

    def _picked(self, values: FloatArray, tiou: float | None) -> FloatArray:
        """Return the values of one threshold (on the last axis), or their mean."""
        if tiou is None:
            mean: FloatArray = values.mean(axis=-1)
            return mean
        known = next(iter(self.reports.values())).tiou.tolist()
        if tiou not in known:
            raise ValueError(
                f"tiou {tiou:g} was not evaluated; choose one of "
                f"{', '.join(f'{t:g}' for t in known)}"
            )
        picked: FloatArray = values[..., known.index(tiou)]
        return picked


def compare(
    reports: Mapping[str, DetectionReport], *, draws: int = DRAWS, seed: int = 0
) -> Comparison:
    """Return by how much systems differ, with 95 % intervals over videos.

    Parameters
    ----------
    reports : mapping from a system's name to its DetectionReport
        The reports, which have one ground truth, protocol and set of thresholds.
    draws : int
        Number of draws, at least 1. A draw takes as many videos as there are, with
        replacement.
    seed : int
        Seed of the draws.

    Returns
    -------
    Comparison

    Raises
    ------
    ValueError
        If the reports differ in videos, instances, rules or thresholds.

    Notes
    -----
    Detections are not matched again for each draw, because a detection can match only
    instances of its own video. A video that is drawn twice counts its detections and
    instances twice; the copies of a detection are neighbours in the ranking. A class of
    which a draw has no instance is left out of the draw's mean, as is always done with
    classes without instances.

    References
    ----------
    Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13: the
    percentile interval.
    """
    if not reports:
        raise ValueError("there is no report to compare; give at least one")
    if draws < 1:
        raise ValueError(f"draws must be at least 1, got {draws}")
    _refuse_incomparable(reports)
    first = next(iter(reports.values()))
    random = np.random.default_rng(seed)
    share = np.full(first.videos, 1 / first.videos)
    counts = random.multinomial(first.videos, share, size=draws)
    samples = [map_of_draws(report.ranking, counts) for report in reports.values()]
    return Comparison(dict(reports), seed, np.stack(samples))


def map_of_draws(ranking: Ranking, counts: IntArray) -> FloatArray:
    """Return the mAP of each draw, in which a video counts as often as it was drawn.

    Parameters
    ----------
    ranking : Ranking
        The ranked detections of V videos.
    counts : array of shape (n_draws, V)
        How often each draw has each video.

    Returns
    -------
    array of shape (n_draws, n_tiou)
        NaN for a draw without any instance.
    """
    batches = [
        _map_of_batch(ranking, counts[at : at + DRAWS_AT_ONCE])
        for at in range(0, len(counts), DRAWS_AT_ONCE)
    ]
    return np.concatenate(batches)


def _map_of_batch(ranking: Ranking, counts: IntArray) -> FloatArray:
    """Return what `map_of_draws` does, for a few draws at once."""
    n_videos, n_classes = counts.shape[1], ranking.n_classes
    group = ranking.truth.instances.group
    per_video = np.bincount(group, minlength=n_videos * n_classes)
    n_instances = counts @ per_video.reshape(n_videos, n_classes)  # (n_draws, C)
    harmonic = _harmonic(ranking, counts)
    total = np.zeros((len(counts), len(ranking.tiou)))
    for c in range(n_classes):
        of_class = slice(ranking.bounds[c], ranking.bounds[c + 1])
        weight = counts[:, ranking.located.group[of_class] // n_classes]
        n_seen = weight.cumsum(axis=1)
        for i in range(len(ranking.tiou)):
            if ranking.is_ignored is not None:
                n_seen = (weight * ~ranking.is_ignored[i, of_class]).cumsum(axis=1)
            hits = np.flatnonzero(ranking.is_true[i, of_class])
            found = _sum_of_precisions(weight[:, hits], n_seen[:, hits], harmonic)
            total[:, i] += found / np.maximum(n_instances[:, c], 1)
    n_present = (n_instances > 0).sum(axis=1, keepdims=True)
    means = np.full_like(total, np.nan)
    np.divide(total, n_present, out=means, where=n_present > 0)
    return means


def _sum_of_precisions(
    weight: IntArray, n_seen: IntArray, harmonic: FloatArray | None
) -> FloatArray:
    """Return for each draw the sum of the precisions at all true detections.

    Parameters
    ----------
    weight : array of shape (n_draws, n_hits)
        How often each draw has each true detection, the highest score first.
    n_seen : array of shape (n_draws, n_hits)
        Number of detections down to the last copy of each true detection.
    harmonic : array, optional
        Harmonic numbers, needed for precisions that are not interpolated.
    """
    n_true = weight.cumsum(axis=1)
    if harmonic is None:
        # Of the copies of a hit the last one has the highest precision, because no
        # false detection can stand between copies.
        precision = n_true / np.maximum(n_seen, 1)
        best = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
        result: FloatArray = (best * weight).sum(axis=1)
        return result
    # The sum over copies k of (t + k) / (n + k) is w - (n - t) * sum of 1 / (n + k).
    n_false = n_seen - n_true
    copies: FloatArray = weight - n_false * (
        harmonic[n_seen] - harmonic[n_seen - weight]
    )
    total: FloatArray = copies.sum(axis=1)
    return total


def _harmonic(ranking: Ranking, counts: IntArray) -> FloatArray | None:
    """Return the harmonic numbers from index 0 on; None if AP is interpolated."""
    if ranking.truth.protocol.is_interpolated:
        return None
    video = ranking.located.group // ranking.n_classes
    largest = int(counts[:, video].sum(axis=1).max(initial=0))
    return np.concatenate([[0.0], (1 / np.arange(1, largest + 1)).cumsum()])


def _interval(value: float, samples: FloatArray) -> Interval:
    """Return the interval over the draws that have an instance."""
    samples = samples[~np.isnan(samples)]
    if not len(samples):
        return Interval(value, value, value, value)
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(samples, (tail, 1 - tail))
    return Interval(value, float(samples.mean()), float(low), float(high))


def _refuse_incomparable(reports: Mapping[str, DetectionReport]) -> None:
    """Refuse reports that cannot be compared draw by draw."""
    (name, first), *others = reports.items()
    for other_name, other in others:
        truth, other_truth = first.ranking.truth, other.ranking.truth
        pairs = {
            "protocols": (truth.protocol, other_truth.protocol),
            "thresholds": (first.tiou.tolist(), other.tiou.tolist()),
            "videos": (truth.video_ids, other_truth.video_ids),
            "classes": (truth.class_names, other_truth.class_names),
            "instances": (
                [x.tolist() for x in truth.instances],
                [x.tolist() for x in other_truth.instances],
            ),
        }
        for kind, (mine, theirs) in pairs.items():
            if mine != theirs:
                raise ValueError(
                    f"{name!r} and {other_name!r} were scored on different {kind}; "
                    "evaluate both against one ground truth by one protocol"
                )
