"""Keypoint signals: a frame of tracks, independently of size, place and heading.

All signals are made of lengths and of angles between directions within the recording,
never of coordinates, so they stay the same when a whole recording is moved, turned or
scaled. Lengths are in body sizes and times in seconds. The turning speed of 2-D tracks
is the only signal that a mirror changes: it changes its sign.

Notation as in `acmnet.extraction.keypoints.signal_plan`.
"""

from typing import Final, NamedTuple

import numpy as np

from acmnet.extraction.keypoints.body_sizes import Bodies, lengths
from acmnet.extraction.keypoints.signal_plan import SHARED_RELATIONS, SignalPlan
from acmnet.extraction.keypoints.track_gaps import Flags, Places

PATH_S: Final = 0.1
"""How far before and after a frame its direction of travel is compared, in seconds."""
TINY: Final = 1e-6
"""Body sizes below which a length counts as none and has no direction."""
DAMPING: Final = 1e-3
"""Added to moments of inertia, in squared body sizes, so that the turning speed of
points on a line is finite."""


def signals(held: Bodies, plan: SignalPlan, start: int, stop: int) -> Places:
    """Return (stop - start, S) signals of the frames from ``start`` to ``stop``.

    Frames around them are looked at for speeds, so that parts of a recording give the
    same signals as the whole. Order of the signals: those of each individual
    (`_signals_of_individual`), then for each pair i < j what they share and what i does
    toward j, then what j does toward i; pooled, the mean and the largest over
    individuals of their own signals and of those toward the nearest other.
    """
    margin = path_frames(held.fps) + 2
    low, high = max(0, start - margin), min(len(held.positions), stop + margin)
    part = held.part(low, high)
    alone = [_signals_of_individual(part, plan, i) for i in range(plan.n_individuals)]
    if plan.n_individuals == 1:
        blocks = alone
    elif plan.are_pooled:
        blocks = _pooled(part, plan, alone)
    else:
        blocks = alone + _relations(part, plan)
    return np.concatenate(blocks, axis=1)[start - low : stop - low]


def path_frames(fps: float) -> int:
    """Return `PATH_S` in frames, at least 1."""
    return max(1, round(PATH_S * fps))


def _signals_of_individual(held: Bodies, plan: SignalPlan, i: int) -> Places:
    """Return (F, `n_own`) signals of an individual by itself.

    In order: distances of pairs; for each described point its distance to the centre
    of the body; cosines of the angles at each described point between the one before
    and the one after it; each point's speed relative to the centre; the centre's
    velocity in the direction of each point; the centre's speed; the centre's
    acceleration; the mean acceleration of the points relative to the centre; turning
    speed; straightness of the path.
    """
    if held.is_absent[i]:
        return np.zeros((len(held.positions), plan.n_own))
    points = held.positions[:, i]
    centre = points.mean(axis=1)
    arms = points - centre[:, None]
    first, second = np.array(plan.pairs, np.intp).reshape(-1, 2).T
    chosen = plan.described
    travel = _rate(centre, held.fps)
    swing = _rate(arms, held.fps)
    bend = _rate(swing, held.fps)
    push = lengths(_rate(travel, held.fps))
    return np.concatenate(
        [
            _log(lengths(points[:, first] - points[:, second])),
            _log(lengths(arms[:, chosen])),
            _angles(points[:, chosen]),
            _log(lengths(swing[:, chosen])),
            _log(_along(travel[:, None], arms[:, chosen])),
            _log(lengths(travel))[:, None],
            _log(push)[:, None],
            _log(lengths(bend).mean(axis=1))[:, None],
            _log(_turning(arms, swing))[:, None],
            _straightness(travel, path_frames(held.fps))[:, None],
        ],
        axis=1,
    )


def _rate(values: Places, fps: float) -> Places:
    """Return the change of values a second, by central differences along time."""
    if len(values) == 1:
        return np.zeros_like(values)
    return np.asarray(np.gradient(values, axis=0) * fps)


def _log(values: Places) -> Places:
    """Return values compressed, their sign kept: no jump of a tracker outweighs all."""
    return np.asarray(np.sign(values) * np.log1p(np.abs(values)))


def _directions(vectors: Places) -> Places:
    """Return vectors of length 1, or of length 0 where there is no direction."""
    length = lengths(vectors)[..., None]
    return np.where(length > TINY, vectors / np.maximum(length, TINY), 0.0)


def _along(vectors: Places, others: Places) -> Places:
    """Return the part of vectors along the directions of others."""
    return np.asarray((vectors * _directions(others)).sum(axis=-1))


def _angles(points: Places) -> Places:
    """Return (F, K - 2) cosines of the angles at each point but the first and last."""
    before = _directions(points[:, :-2] - points[:, 1:-1])
    after = _directions(points[:, 2:] - points[:, 1:-1])
    return np.asarray((before * after).sum(axis=-1))


def _turning(arms: Places, swing: Places) -> Places:
    """Return (F,) how fast a body turns, in radians a second.

    The angular velocity that fits the points' velocities best; in 2-D its sign is that
    of a turn from the first axis to the second, in 3-D it is a length.
    """
    if arms.shape[-1] == 2:
        moment = arms[..., 0] * swing[..., 1] - arms[..., 1] * swing[..., 0]
        inertia = np.square(arms).sum(axis=(1, 2))
        return np.asarray(moment.sum(axis=1) / (inertia + DAMPING))
    momentum = np.cross(arms, swing).sum(axis=1)
    squares = np.square(arms).sum(axis=(1, 2))[:, None, None]
    inertia = squares * np.eye(3) - np.einsum("fpa,fpb->fab", arms, arms)
    damped = inertia + DAMPING * np.eye(3)
    return lengths(np.linalg.solve(damped, momentum[..., None])[..., 0])


def _straightness(travel: Places, reach: int) -> Places:
    """Return (F,) the cosine between the directions of travel before and after.

    It fades to 0 below a speed of one body size a second.
    """
    ahead = _directions(travel)
    padded = np.pad(ahead, ((reach, reach), (0, 0)), mode="edge")
    cosine = (padded[: len(ahead)] * padded[2 * reach :]).sum(axis=-1)
    return np.asarray(cosine * np.minimum(1.0, lengths(travel)))


class _Relation(NamedTuple):
    """What there is between two individuals."""

    shared: Places
    """(F, `SHARED_RELATIONS`): distance of the centres, distance of the nearest points,
    how fast the centres near each other, relative speed, likeness of the poses."""
    toward: Places
    """(F, `n_toward`): of the first toward the second; see `_toward`."""
    back: Places
    """(F, `n_toward`): of the second toward the first."""


def _relations(held: Bodies, plan: SignalPlan) -> list[Places]:
    """Return the signals between all pairs of individuals, pair by pair."""
    blocks: list[Places] = []
    for i in range(plan.n_individuals):
        for j in range(i + 1, plan.n_individuals):
            blocks += _relation(held, plan, i, j)
    return blocks


def _relation(held: Bodies, plan: SignalPlan, i: int, j: int) -> _Relation:
    """Return the signals between two individuals; 0 where one was never seen."""
    n = len(held.positions)
    if held.is_absent[[i, j]].any():
        nothing = np.zeros((n, plan.n_toward))
        return _Relation(np.zeros((n, SHARED_RELATIONS)), nothing, nothing)
    chosen = plan.described
    arms = [
        (held.positions[:, k] - held.positions[:, k].mean(axis=1, keepdims=True))
        * held.spans[k]
        for k in (i, j)
    ]
    between = held.centres[:, j] - held.centres[:, i]
    travels = [_rate(held.centres[:, k], held.fps) for k in (i, j)]
    shown = [x[:, chosen] if chosen else x for x in arms]
    # axes: frame, point of the first, point of the second, coordinate
    gaps = lengths(shown[0][:, :, None] - shown[1][:, None] - between[:, None, None])
    alike = (_directions(arms[0]) * _directions(arms[1])).sum(axis=-1).mean(axis=1)
    shared = np.stack(
        [
            _log(lengths(between)),
            _log(gaps.min(axis=(1, 2))),
            _log(_along(travels[0] - travels[1], between)),
            _log(lengths(travels[0] - travels[1])),
            alike,
        ],
        axis=1,
    )
    k = len(chosen)
    return _Relation(
        shared,
        _toward(shown[0][:, :k], between, travels[0], gaps.min(axis=2)[:, :k]),
        _toward(shown[1][:, :k], -between, travels[1], gaps.min(axis=1)[:, :k]),
    )


def _toward(arms: Places, between: Places, travel: Places, gaps: Places) -> Places:
    """Return (F, 2 K + 1) signals of one individual toward another.

    In order: for each described point the cosine of the angle, at the centre of the
    body, between it and the other individual; its distance to the nearest point of
    the other; how fast the centre approaches the other.
    """
    facing = (_directions(arms) * _directions(between)[:, None]).sum(axis=-1)
    approach = _along(travel, between)[:, None]
    return np.concatenate([facing, _log(gaps), _log(approach)], axis=1)


def _pooled(held: Bodies, plan: SignalPlan, alone: list[Places]) -> list[Places]:
    """Return the mean and the largest of each signal over the individuals seen.

    The signals are each individual's own, and those toward its nearest other. They are
    0 where nobody is seen.
    """
    n = plan.n_individuals
    is_present = np.asarray(~held.missing.all(axis=2))  # (F, I)
    apart = lengths(held.centres[:, :, None] - held.centres[:, None])
    apart[~(is_present[:, :, None] & is_present[:, None])] = np.inf
    apart[:, np.arange(n), np.arange(n)] = np.inf
    nearest = apart.argmin(axis=2)
    has_other = np.asarray(np.isfinite(apart.min(axis=2)))
    with_other = [
        np.zeros((len(is_present), SHARED_RELATIONS + plan.n_toward)) for _ in range(n)
    ]
    for i in range(n):
        for j in range(i + 1, n):
            if not ((nearest[:, i] == j) | (nearest[:, j] == i)).any():
                continue
            relation = _relation(held, plan, i, j)
            for one, other, view in ((i, j, relation.toward), (j, i, relation.back)):
                rows = (nearest[:, one] == other) & has_other[:, one]
                with_other[one][rows, :SHARED_RELATIONS] = relation.shared[rows]
                with_other[one][rows, SHARED_RELATIONS:] = view[rows]
    return [
        *_mean_and_largest(alone, is_present),
        *_mean_and_largest(with_other, has_other),
    ]


def _mean_and_largest(values: list[Places], counts: Flags) -> list[Places]:
    """Return the mean and largest over individuals, those that count; 0 for none."""
    stacked = np.stack(values, axis=1)  # (F, I, n)
    weights = counts[:, :, None]
    n = weights.sum(axis=1)
    mean = (stacked * weights).sum(axis=1) / np.maximum(n, 1)
    largest = np.where(weights, stacked, -np.inf).max(axis=1)
    return [mean, np.where(n > 0, largest, 0.0)]
