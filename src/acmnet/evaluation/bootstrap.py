"""Compare systems on the same videos, with intervals from a paired bootstrap.

A benchmark's videos are a sample. Drawing as many of them again, with replacement, says
how far mAP would move with other videos of the kind; drawing the same ones for every
system says whether the difference between two systems would last.
"""

import dataclasses
from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np

from acmnet.evaluation.ranking import Ranking
from acmnet.evaluation.reports import DetectionReport
from acmnet.segments import FloatArray, IntArray

DRAWS: Final = 1000
LEVEL: Final = 0.95
BATCH: Final = 100
"""Draws computed at a time: a class's detections times this are held at once."""


class Interval(NamedTuple):
    """A figure on the videos as they are, and over the draws."""

    value: float
    """On each video once."""
    mean: float
    """Over the draws."""
    low: float
    """2.5 % of the draws are below."""
    high: float
    """2.5 % of the draws are above."""


@dataclasses.dataclass(frozen=True, eq=False)
class Comparison:
    """Several systems under one protocol, on one ground truth."""

    reports: Mapping[str, DetectionReport]
    """By system; differences are from the first."""
    seed: int
    """Of the draws."""
    samples: FloatArray
    """(S, n_draws, n_tiou) mAP of each of the S systems in each draw."""

    @property
    def draws(self) -> int:
        """How often the videos were drawn."""
        return len(self.samples[0])

    def interval(self, system: str, *, tiou: float | None = None) -> Interval:
        """Return a system's mAP: at one threshold, or averaged over all."""
        place = list(self.reports).index(system)
        value = self._picked(self.reports[system].map, tiou)
        return _interval(float(value), self._picked(self.samples[place], tiou))

    def difference(self, system: str, *, tiou: float | None = None) -> Interval:
        """Return a system's mAP less the first system's, draw by draw.

        The difference is significant at 5 % if the interval leaves out 0.
        """
        place = list(self.reports).index(system)
        first = next(iter(self.reports.values()))
        value = self._picked(self.reports[system].map - first.map, tiou)
        samples = self._picked(self.samples[place] - self.samples[0], tiou)
        return _interval(float(value), samples)

    def to_json(self) -> dict[str, object]:
        """Return plain numbers, lists and texts, as ``json.dumps`` takes them."""
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
        """Return one threshold's values from the last axis, or the mean of all."""
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
    """Return how much systems differ, with 95 % intervals over videos.

    Parameters
    ----------
    reports : mapping from a system's name to its DetectionReport
        Of one ground truth, one protocol and the same thresholds.
    draws : int
        How often as many videos as there are are drawn, with replacement; at least 1.
    seed : int
        Of the draws.

    Returns
    -------
    Comparison

    Raises
    ------
    ValueError
        If the reports are not of the same videos, instances, rules and thresholds.

    Notes
    -----
    Nothing is matched again: a detection meets instances of its own video only, so a
    video drawn twice counts its detections and instances twice, each copy of a
    detection ranked next to the other. A class whose instances were not drawn is left
    out of a draw's mean, as a class without instances always is.

    References
    ----------
    Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13: the
    percentile interval.
    """
    if not reports:
        raise ValueError("there is no report to compare; give at least one")
    if draws < 1:
        raise ValueError(f"draws must be at least 1, got {draws}")
    _refuse_strangers(reports)
    first = next(iter(reports.values()))
    random = np.random.default_rng(seed)
    share = np.full(first.videos, 1 / first.videos)
    counts = random.multinomial(first.videos, share, size=draws)
    samples = [map_of_draws(report.ranking, counts) for report in reports.values()]
    return Comparison(dict(reports), seed, np.stack(samples))


def map_of_draws(ranking: Ranking, counts: IntArray) -> FloatArray:
    """Return the mAP when each video is there as often as it was drawn.

    Parameters
    ----------
    ranking : Ranking
        Of V videos.
    counts : array of shape (n_draws, V)
        How often each video is there.

    Returns
    -------
    array of shape (n_draws, n_tiou)
        NaN for a draw without any instance.
    """
    batches = [
        _map_of_batch(ranking, counts[at : at + BATCH])
        for at in range(0, len(counts), BATCH)
    ]
    return np.concatenate(batches)


def _map_of_batch(ranking: Ranking, counts: IntArray) -> FloatArray:
    """Return `map_of_draws` of a few draws at once."""
    n_videos, n_classes = counts.shape[1], ranking.n_classes
    group = ranking.truth.instances.group
    per_video = np.bincount(group, minlength=n_videos * n_classes)
    n_instances = counts @ per_video.reshape(n_videos, n_classes)  # (n_draws, C)
    harmonic = _harmonic(ranking, counts)
    total = np.zeros((len(counts), len(ranking.tiou)))
    for c in range(n_classes):
        own = slice(ranking.bounds[c], ranking.bounds[c + 1])
        weight = counts[:, ranking.located.group[own] // n_classes]
        n_seen = weight.cumsum(axis=1)
        for i in range(len(ranking.tiou)):
            if ranking.is_ignored is not None:
                n_seen = (weight * ~ranking.is_ignored[i, own]).cumsum(axis=1)
            hits = np.flatnonzero(ranking.is_true[i, own])
            found = _found(weight[:, hits], n_seen[:, hits], harmonic)
            total[:, i] += found / np.maximum(n_instances[:, c], 1)
    n_present = (n_instances > 0).sum(axis=1, keepdims=True)
    means = np.full_like(total, np.nan)
    np.divide(total, n_present, out=means, where=n_present > 0)
    return means


def _found(
    weight: IntArray, n_seen: IntArray, harmonic: FloatArray | None
) -> FloatArray:
    """Return the sum of precisions at the true detections, for each draw.

    Parameters
    ----------
    weight : array of shape (n_draws, n_hits)
        How often each true detection is there, best first.
    n_seen : array of shape (n_draws, n_hits)
        How many detections there are down to its last copy.
    harmonic : array, optional
        Harmonic numbers, for precisions that are not interpolated.
    """
    n_true = weight.cumsum(axis=1)
    if harmonic is None:
        # No copy of a hit has a higher precision than the last: a false one cannot
        # come between them.
        precision = n_true / np.maximum(n_seen, 1)
        best = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
        result: FloatArray = (best * weight).sum(axis=1)
        return result
    # Sum over copies k of (t + k) / (n + k) = w - (n - t) * sum of 1 / (n + k).
    n_false = n_seen - n_true
    copies: FloatArray = weight - n_false * (
        harmonic[n_seen] - harmonic[n_seen - weight]
    )
    total: FloatArray = copies.sum(axis=1)
    return total


def _harmonic(ranking: Ranking, counts: IntArray) -> FloatArray | None:
    """Return the harmonic numbers from 0 on, if AP is not interpolated."""
    if ranking.truth.protocol.is_interpolated:
        return None
    video = ranking.located.group // ranking.n_classes
    largest = int(counts[:, video].sum(axis=1).max(initial=0))
    return np.concatenate([[0.0], (1 / np.arange(1, largest + 1)).cumsum()])


def _interval(value: float, samples: FloatArray) -> Interval:
    """Return the interval of the draws that had an instance."""
    samples = samples[~np.isnan(samples)]
    if not len(samples):
        return Interval(value, value, value, value)
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(samples, (tail, 1 - tail))
    return Interval(value, float(samples.mean()), float(low), float(high))


def _refuse_strangers(reports: Mapping[str, DetectionReport]) -> None:
    """Refuse reports that cannot be compared draw by draw."""
    (name, first), *others = reports.items()
    for other_name, other in others:
        one, two = first.ranking.truth, other.ranking.truth
        pairs = {
            "protocols": (one.protocol, two.protocol),
            "thresholds": (first.tiou.tolist(), other.tiou.tolist()),
            "videos": (one.video_ids, two.video_ids),
            "classes": (one.class_names, two.class_names),
            "instances": (
                [x.tolist() for x in one.instances],
                [x.tolist() for x in two.instances],
            ),
        }
        for kind, (mine, theirs) in pairs.items():
            if mine != theirs:
                raise ValueError(
                    f"{name!r} and {other_name!r} were scored on different {kind}; "
                    "evaluate both against one ground truth by one protocol"
                )
