"""Folds of a cross-validation: videos dealt so that every fold has every class."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

from acmnet.messages import counted

ORDERS: Final = 50
"""Orders of the videos that are tried until every class is where it can be."""
LEAST_VIDEOS: Final = 2
"""Videos that a class needs: one to be tested on while another is trained on."""

Labels = Mapping[str, Sequence[str]]


class Folds(NamedTuple):
    """The videos of each fold, and the classes that are not everywhere."""

    videos: tuple[frozenset[str], ...]
    """Of each fold: they are tested on, and the other folds' are trained on."""
    untrained: Mapping[str, int]
    """Classes whose videos are all in one fold, so that its training lacks them, with
    that fold."""
    untested: Mapping[str, tuple[int, ...]]
    """Classes that are not in every fold, with the folds that lack them."""


def stratified_folds(labels: Labels, folds: int) -> Folds:
    """Deal videos into folds of about equal size with about equal shares of each class.

    The same videos and labels are always dealt alike.

    Parameters
    ----------
    labels : mapping of video id to class names
        What each video carries.
    folds : int
        From 2 to the number of videos.

    Returns
    -------
    Folds
        A class with two videos or more is in the training part of every fold, and one
        with as many videos as folds in every fold, unless videos with several labels
        cannot be dealt so (`ORDERS` orders are tried).

    Raises
    ------
    ValueError
        If ``folds`` is out of its range.

    References
    ----------
    Sechidis et al., "On the Stratification of Multi-Label Data", ECML PKDD 2011.

    Examples
    --------
    >>> found = stratified_folds({"a": ["x"], "b": ["x"], "c": [], "d": []}, 2)
    >>> [len(fold & {"a", "b"}) for fold in found.videos]
    [1, 1]
    """
    if not 2 <= folds <= len(labels):
        raise ValueError(f"folds must be from 2 to {len(labels)}, got {folds}")
    names = sorted(labels)
    n_videos = {
        label: sum(label in labels[video] for video in names)
        for label in sorted({x for own in labels.values() for x in own})
    }
    lacking = sum(max(folds - n, 0) for n in n_videos.values())
    unavoidable = sum(n < LEAST_VIDEOS for n in n_videos.values()), lacking
    best, fewest = None, (len(n_videos) + 1, 0)
    for seed in range(ORDERS):
        dealt = _checked(_dealt(names, labels, folds, seed), labels)
        missing = len(dealt.untrained), sum(map(len, dealt.untested.values()))
        if missing < fewest:
            best, fewest = dealt, missing
        if missing == unavoidable:
            break
    if best is None:
        raise RuntimeError("no order of the videos was tried")
    return best


def fold_problems(labels: Labels, folds: int, source: str) -> list[str]:
    """Return a sentence for each class that some fold's training would lack.

    Parameters
    ----------
    labels, folds
        As for `stratified_folds`.
    source : str
        The label file, for the sentences.
    """
    if not 2 <= folds <= len(labels):
        return [
            f"{source}: {counted(len(labels), 'video')} cannot be dealt into {folds} "
            f"folds; give from 2 to {len(labels)}"
        ]
    dealt = stratified_folds(labels, folds)
    problems = []
    for name, fold in dealt.untrained.items():
        n = sum(name in own for own in labels.values())
        told = f"{source}: class {name!r} is in {counted(n, 'video')}, "
        if n < LEAST_VIDEOS:
            told += (
                f"which fold {fold} of {folds} tests on, so that its training would "
                f"lack the class; cross-validation needs {LEAST_VIDEOS} videos or more "
                "of every class"
            )
        else:
            told += (
                f"all of them in fold {fold} of {folds}, as their other classes allow "
                "no better deal; add a video of it, or give another number of folds"
            )
        problems.append(told)
    return problems


def _dealt(
    ids: list[str], labels: Labels, folds: int, seed: int
) -> tuple[frozenset[str], ...]:
    """Deal videos: those of the rarest label first, else in an order by the seed."""
    random = np.random.default_rng(seed)
    videos = [ids[i] for i in random.permutation(len(ids))]
    names = sorted({label for video in videos for label in labels[video]})
    carries = np.array([[x in labels[v] for x in names] for v in videos], dtype=bool)
    carries = carries.reshape(len(videos), len(names))
    # (folds, labels): videos that each fold should still get
    wanted = np.tile(carries.sum(axis=0) / folds, (folds, 1))
    room = np.full(folds, len(videos) / folds)
    fold_of = np.full(len(videos), -1)

    def put(i: int, fold: int) -> None:
        fold_of[i] = fold
        wanted[fold] -= carries[i]
        room[fold] -= 1.0

    while (left := carries[fold_of < 0].sum(axis=0)).any():
        rarest = np.where(left > 0, left, np.inf).argmin()
        for i in np.flatnonzero(carries[:, rarest] & (fold_of < 0)).tolist():
            keys = random.random(folds), room, wanted[:, rarest]
            put(i, int(np.lexsort(keys)[-1]))
    for i in np.flatnonzero(fold_of < 0).tolist():
        put(i, int(room.argmax()))
    return tuple(
        frozenset(videos[i] for i in np.flatnonzero(fold_of == fold))
        for fold in range(folds)
    )


def _checked(videos: tuple[frozenset[str], ...], labels: Labels) -> Folds:
    """Return dealt videos with the classes that are not everywhere."""
    inside = [{x for video in fold for x in labels[video]} for fold in videos]
    untrained, untested = {}, {}
    for name in sorted(set().union(*inside)):
        having = [fold for fold, own in enumerate(inside) if name in own]
        if len(having) == 1:
            untrained[name] = having[0]
        if len(having) < len(videos):
            lacking = set(range(len(videos))) - set(having)
            untested[name] = tuple(sorted(lacking))
    return Folds(videos, untrained, untested)
