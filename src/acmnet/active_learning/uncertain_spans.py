"""Find the spans of a video of which the networks of a run are unsure.

Each network of a run says alone where the actions are, and all together say it again
of the video played slower and faster. An action that these passes over the video place
differently, or whose score is near the score that decides whether it is shown, is
uncertain (query by committee: Seung, Opper and Sompolinsky, COLT 1992).
"""

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from typing import Final

import numpy as np

from acmnet.models.trained_model import Cuts, Features, TrainedModel
from acmnet.segments import Detections, FloatArray, Segment, SnippetGrid, temporal_iou

CONFIDENT_SHARE: Final = 0.5
"""What a network alone finds counts if its score is at least this share of its highest
score of the class in the video; what all find together, if its score is at least this
share of the score from which detections are shown."""
SAME_TIOU: Final = 0.5
"""Two passes find the same action if what they find overlaps by at least this tIoU.
Two findings of one class are in the same place if they share at least this part of the
shorter one."""
MOST_SPANS: Final = 200
"""Most uncertain spans of one class in a video; those with the highest scores are kept.
"""
LEAST_ODDS: Final = 1e-6
"""Odds are limited to the range from this to its inverse, so that logarithms are
finite."""


SPEEDS: Final = (0.8, 1.25)
"""How many times as fast a video is played; features between snippets are
interpolated."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class UncertainSpan:
    """One action that may be somewhere in a video."""

    label: str
    segment: Segment
    """Where it may be, in seconds; the whole video for an action that was not found."""
    score: float
    """Its score in [0, 1] by all networks together at the video's own speed; 0 if they
    do not find it."""
    shown_from: float
    """The score from which its class is shown, in [0, 1]."""
    passes: int
    """How many passes over the video there were: of all networks together, of each
    alone if there are several, and of all at each of `other_speeds.SPEEDS`."""
    finding: int
    """How many of them find it there, to within the overlap `SAME_TIOU`."""
    overlap: float
    """Mean overlap (tIoU) of what the others find there, in [0, 1]; 1 if there are no
    others."""

    @property
    def nearness(self) -> float:
        """How near the score is to the one from which its class is shown, in [0, 1].

        It is the ratio of the two odds: 1 where they are equal.
        """
        own_odds, limit_odds = _odds(self.score), _odds(self.shown_from)
        return min(own_odds, limit_odds) / max(own_odds, limit_odds)

    @property
    def informativeness(self) -> float:
        """What a look at it teaches, in [0, 1].

        It is the mean of three shares: of the passes that find it, so that a mark
        will be an example of its class; of the time on which they disagree; and the
        `nearness` of its score.
        """
        is_there = self.finding / self.passes
        return (is_there + 1.0 - self.overlap + self.nearness) / 3.0


def uncertain_spans_of(
    model: TrainedModel,
    features: Features,
    names: Collection[str] | None,
    shown_from: Mapping[str, float],
    *,
    cuts_s: Cuts = None,
) -> list[UncertainSpan]:
    """Return the actions of one video that a person could confirm, correct or reject.

    Parameters
    ----------
    model : TrainedModel
        The run's.
    features : (L, D) array or tensor
        The video's features.
    names : collection of str or None
        All actions that the video shows; None if nobody has named them yet.
    shown_from : mapping from str to float
        For each class, the score in [0, 1] from which its detections are shown.
    cuts_s : tuple of float, optional
        The video's cuts.

    Returns
    -------
    list of UncertainSpan
        Ordered by class. An action that was named but is found nowhere is one, too; an
        action that was not named never is.

    Raises
    ------
    ValueError
        If the shape is not (L, D) or a value is not finite.
    """
    ensemble = _of_unit_scores(model)
    together = ensemble.localize(features, cuts_s=cuts_s, classes=names)
    apart = [
        network.localize(features, cuts_s=cuts_s, classes=names)
        for network in _single_networks(ensemble)
    ]
    at_speeds = [
        localize_at_speed(ensemble, features, x, names, cuts_s) for x in SPEEDS
    ]
    length_s = model.grid.span_s(len(features))
    spans = []
    for name in model.class_names:
        if names is not None and name not in names:
            continue
        least = CONFIDENT_SHARE * shown_from[name]
        joint = _best(together, name, least)
        if names is None and not len(joint):
            continue
        of_passes = [_best(results, name, None) for results in apart]
        of_passes += [_best(results, name, least) for results in at_speeds]
        spans += _of_class(name, joint, of_passes, shown_from[name])
        if not len(joint) and not any(map(len, of_passes)):
            spans.append(
                UncertainSpan(
                    label=name,
                    segment=Segment(0.0, length_s),
                    score=0.0,
                    shown_from=shown_from[name],
                    passes=len(of_passes) + 1,
                    finding=0,
                    overlap=0.0,
                )
            )
    return spans


def _of_unit_scores(model: TrainedModel) -> TrainedModel:
    """Return a model whose scores are in [0, 1]."""
    rules = dataclasses.replace(model.settings.localization, unit_scores=True)
    settings = dataclasses.replace(model.settings, localization=rules)
    return dataclasses.replace(model, settings=settings)


def _single_networks(model: TrainedModel) -> list[TrainedModel]:
    """Return each network of a model as a model of its own; none for a single one."""
    if len(model.networks) + len(model.students) == 1:
        return []
    alone = [
        dataclasses.replace(model, networks=(network,), students=())
        for network in model.networks
    ]
    if len(model.students) > 1:
        alone += [dataclasses.replace(model, students=(x,)) for x in model.students]
    return alone


def _best(results: Detections, name: str, least: float | None) -> FloatArray:
    """Return start, end and score of a class's confident detections, (n, 3)."""
    detections = results.only(results.class_index == results.class_names.index(name))
    if least is None:
        least = max(
            CONFIDENT_SHARE * float(detections.score.max(initial=0.0)), LEAST_ODDS
        )
    detections = detections.only(detections.score >= least)
    detections = detections.only(
        np.argsort(-detections.score, kind="stable")[:MOST_SPANS]
    )
    rows: FloatArray = np.stack(
        [detections.start_s, detections.end_s, detections.score], axis=1
    )
    return rows


def _of_class(
    name: str, joint: FloatArray, apart: Sequence[FloatArray], shown_from: float
) -> list[UncertainSpan]:
    """Return the uncertain spans of one class.

    Parameters
    ----------
    name : str
        The class.
    joint : (n, 3) array
        What all networks find together: start, end, score.
    apart : sequence of (m, 3) arrays
        What each other pass finds.
    shown_from : float
        The score from which the class is shown.
    """
    spans = []
    results = [joint, *apart]
    kept = np.zeros((0, 3))
    for i, rows in enumerate(results):
        overlaps = [_best_overlap(rows, other) for other in results]  # (n,) each
        for k, row in enumerate(rows):
            if len(kept) and _shared(row, kept) >= SAME_TIOU:
                continue
            kept = np.concatenate([kept, row[None]])
            others = [overlap[k] for j, overlap in enumerate(overlaps) if j != i]
            spans.append(
                UncertainSpan(
                    label=name,
                    segment=Segment(*row[:2].tolist()),
                    score=0.0 if i else float(row[2]),
                    shown_from=shown_from,
                    passes=len(results),
                    finding=sum(float(overlap[k]) >= SAME_TIOU for overlap in overlaps),
                    overlap=float(np.mean(others)) if others else 1.0,
                )
            )
    return spans[:MOST_SPANS]


def _shared(row: FloatArray, others: FloatArray) -> float:
    """Return the largest part of the shorter of two segments that both cover."""
    (start, end), (starts, ends) = row[:2], others.T[:2]
    shared_s = np.minimum(end, ends) - np.maximum(start, starts)
    return float((shared_s / np.minimum(end - start, ends - starts)).max())


def _best_overlap(rows: FloatArray, others: FloatArray) -> FloatArray:
    """Return the best tIoU of each row with any other, (n,); 0 where there are none."""
    if not len(rows) or not len(others):
        return np.zeros(len(rows))
    overlap = temporal_iou(
        rows[:, None, 0], rows[:, None, 1], others[None, :, 0], others[None, :, 1]
    )
    best: FloatArray = overlap.max(axis=1)
    return best


def _odds(score: float) -> float:
    """Return the odds of a score, kept within reason."""
    return float(np.clip(score / max(1.0 - score, LEAST_ODDS), LEAST_ODDS, 1e6))


def localize_at_speed(
    model: TrainedModel,
    features: Features,
    speed: float,
    names: Collection[str] | None,
    cuts_s: Cuts = None,
) -> Detections:
    """Return what a model finds in a video at another speed, at times of the video.

    Parameters
    ----------
    model : TrainedModel
        The model.
    features : (L, D) array or tensor
        The video's features, with L from 1.
    speed : float
        How many times as fast the video is played, above 0.
    names : collection of str or None
        The classes to look for; None for all.
    cuts_s : tuple of float, optional
        The video's cuts.
    """
    grid = model.grid
    known = np.asarray(features, dtype=np.float32)
    places = np.arange(0.0, len(known) - 0.5, speed).clip(max=len(known) - 1)
    below = places.astype(np.int64)
    above = np.minimum(below + 1, len(known) - 1)
    part = (places - below)[:, None].astype(np.float32)
    played = known[below] * (1.0 - part) + known[above] * part
    cuts = cuts_s and tuple(_scaled(np.array(cuts_s), grid, 1.0 / speed).tolist())
    detections = model.localize(played, cuts_s=cuts, classes=names)
    length_s = grid.span_s(len(known))
    start_s, end_s = (
        _scaled(times_s, grid, speed).clip(0.0, length_s)
        for times_s in (detections.start_s, detections.end_s)
    )
    kept = detections.only(start_s < end_s)
    return dataclasses.replace(
        kept, start_s=start_s[start_s < end_s], end_s=end_s[start_s < end_s]
    )


def _scaled(times_s: FloatArray, grid: SnippetGrid, factor: float) -> FloatArray:
    """Return times after their snippets were moved apart by a factor."""
    first_s = grid.centre_s(0)
    scaled: FloatArray = first_s + factor * (times_s - first_s)
    return scaled
