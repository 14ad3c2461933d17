"""Deal videos into the folds of a cross-validation, every class into every fold.

Videos that belong together (one person, one camera, one day) stay in one fold, where
their groups are given.
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

from acmnet.data.video_groups import VideoGroups
from acmnet.messages import counted, quoted
from acmnet.segments import IntArray

ORDERS_TRIED: Final = 50
"""Orders of the videos that are tried until every class is where it can be."""
LEAST_UNITS: Final = 2
"""Videos, or groups of videos, that a class needs: one to be tested on while another is
trained on."""

Labels = Mapping[str, Sequence[str]]


class Folds(NamedTuple):
    """The videos of each fold, and the classes that some fold lacks."""

    videos: tuple[frozenset[str], ...]
    """The videos that each fold tests on; it trains on those of all other folds."""
    untrained: Mapping[str, int]
    """Classes whose videos all lie in one fold, with that fold: its training has no
    video of them."""
    untested: Mapping[str, tuple[int, ...]]
    """Classes that are not in every fold, with the folds that lack them."""


def stratified_folds(
    labels: Labels, folds: int, group_of: Mapping[str, str] | None = None
) -> Folds:
    """Deal videos into folds of about equal size with about equal shares of each class.

    The same videos, labels and groups are always dealt alike.

    Parameters
    ----------
    labels : mapping of video id to class names
        What each video carries.
    folds : int
        From 2 to the number of videos, or of groups where there are groups.
    group_of : mapping of video id to str, optional
        The group of each video. Videos of one group stay in one fold.

    Returns
    -------
    Folds
        A class with two videos or more is in the training part of every fold. A class
        with as many videos as there are folds is in every fold. With groups, what
        counts is how many groups have the class. Videos with several labels may make
        this impossible; `ORDERS_TRIED` orders of dealing are tried, and of equally good
        ones the one whose folds are most even in size is taken.

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
    >>> labels = {"a": ["x"], "b": [], "c": ["x"], "d": []}
    >>> persons = {"a": "Ada", "b": "Ada", "c": "Bo", "d": "Bo"}
    >>> [sorted(fold) for fold in stratified_folds(labels, 2, persons).videos]
    [['a', 'b'], ['c', 'd']]
    """
    units = _units(labels, group_of)
    if not 2 <= folds <= len(units):
        unit = "group" if group_of else "video"
        raise ValueError(
            f"folds must be from 2 to {len(units)}, got {folds}; each fold needs a "
            f"{unit} of its own"
        )
    carries = _carried(units, labels)
    n_units = (carries > 0).sum(axis=0)  # (labels,)
    lacking = int(np.maximum(folds - n_units, 0).sum())
    unavoidable = int((n_units < LEAST_UNITS).sum()), lacking
    best: Folds | None = None
    fewest: tuple[float, ...] = (np.inf,)
    for seed in range(ORDERS_TRIED):
        dealt = _checked(_dealt(units, carries, folds, seed), labels)
        missing = len(dealt.untrained), sum(map(len, dealt.untested.values()))
        uneven = 0.0 if group_of is None else float(np.var([*map(len, dealt.videos)]))
        if (*missing, uneven) < fewest:
            best, fewest = dealt, (*missing, uneven)
        if missing == unavoidable and group_of is None:
            break
    if best is None:
        raise RuntimeError("no order of the videos was tried")
    return best


def fold_problems(
    labels: Labels, folds: int, source: str, groups: VideoGroups | None = None
) -> list[str]:
    """Return a sentence for each class that some fold's training would lack.

    Parameters
    ----------
    labels : mapping of video id to class names
        What each video carries.
    folds : int
        The number of folds that is requested.
    source : str
        The label file, for the sentences.
    groups : VideoGroups, optional
        Which videos must stay in one fold.
    """
    group_of = None if groups is None else groups.group_of
    n_units = len(_units(labels, group_of))
    if not 2 <= folds <= n_units:
        most = "2" if n_units == 2 else f"from 2 to {n_units}"
        units = counted(n_units, "video" if groups is None else "group")
        return [
            f"{source if groups is None else groups.source}: {units} cannot be dealt "
            f"into {folds} folds; "
            + ("at least 2 are needed" if n_units < 2 else f"give {most}")
        ]
    dealt = stratified_folds(labels, folds, group_of)
    return untrained_problems(dealt, labels, source, groups)


def untrained_problems(
    dealt: Folds, labels: Labels, source: str, groups: VideoGroups | None
) -> list[str]:
    """Return what `fold_problems` returns, of videos that are dealt already."""
    folds = len(dealt.videos)
    return [
        f"{source}: {_why_untrained(name, labels, fold, folds, groups)}"
        for name, fold in dealt.untrained.items()
    ]


def _why_untrained(
    name: str, labels: Labels, fold: int, folds: int, groups: VideoGroups | None
) -> str:
    """Return why the training of a fold has no video of a class, and what to do."""
    videos = [video for video, names in labels.items() if name in names]
    known = f"class {quoted(name)} is in {counted(len(videos), 'video')}, "
    of = f"fold {fold} of {folds}"
    of_groups = [] if groups is None else [groups.group_of[x] for x in videos]
    if len(set(of_groups)) == 1:
        return (
            f"{known}all of group {quoted(of_groups[0])}, which {of} tests on, so that "
            "its training would lack the class; a cross-validation by groups needs "
            f"every class in {LEAST_UNITS} groups or more"
        )
    if len(videos) < LEAST_UNITS:
        return (
            f"{known}which {of} tests on, so that its training would lack the class; "
            f"cross-validation needs {LEAST_UNITS} videos or more of every class"
        )
    return (
        f"{known}all of them in {of}, as their other classes allow no better deal; add "
        "a video of it, or give another number of folds"
    )


def _units(labels: Labels, group_of: Mapping[str, str] | None) -> list[tuple[str, ...]]:
    """Return what is dealt as a whole: each group's videos, or each video alone."""
    if group_of is None:
        return [(video,) for video in sorted(labels)]
    together: dict[str, list[str]] = {}
    for video in sorted(labels):
        together.setdefault(group_of[video], []).append(video)
    return [tuple(videos) for _, videos in sorted(together.items())]


def _carried(units: Sequence[tuple[str, ...]], labels: Labels) -> IntArray:
    """Return how many videos of each unit carry each label, (units, labels)."""
    names = sorted({x for unit in units for video in unit for x in labels[video]})
    place = {name: i for i, name in enumerate(names)}
    carries = np.zeros((len(units), len(names)), dtype=np.int64)
    for row, unit in zip(carries, units, strict=True):
        for video in unit:
            row[[place[name] for name in set(labels[video])]] += 1
    return carries


def _dealt(
    units: Sequence[tuple[str, ...]], carries: IntArray, folds: int, seed: int
) -> tuple[frozenset[str], ...]:
    """Deal units: those of the rarest label first, else in an order by the seed."""
    random = np.random.default_rng(seed)
    order_of_units = random.permutation(len(units))
    shuffled = [units[i] for i in order_of_units]
    carries = carries[order_of_units]
    sizes = np.array([len(unit) for unit in shuffled])
    # (folds, labels): videos that each fold should still get
    wanted = np.tile(carries.sum(axis=0) / folds, (folds, 1))
    room = np.full(folds, sizes.sum() / folds)
    fold_of = np.full(len(shuffled), -1)
    empty = list(range(folds))
    n_left = len(shuffled)

    def put(i: int, fold: int) -> None:
        nonlocal n_left
        fold_of[i] = fold
        wanted[fold] -= carries[i]
        room[fold] -= sizes[i]
        n_left -= 1
        if fold in empty:
            empty.remove(fold)

    def open_folds() -> list[int]:
        """Return the folds that may get the next unit: no fold stays empty."""
        return list(empty if n_left <= len(empty) else range(folds))

    while (left := carries[fold_of < 0].sum(axis=0)).any():
        rarest = np.where(left > 0, left, np.inf).argmin()
        for i in np.flatnonzero((carries[:, rarest] > 0) & (fold_of < 0)).tolist():
            order = np.lexsort((random.random(folds), room, wanted[:, rarest]))
            allowed = open_folds()
            put(i, int(next(fold for fold in order[::-1] if fold in allowed)))
    for i in np.flatnonzero(fold_of < 0).tolist():
        put(i, max(open_folds(), key=lambda fold: room[fold]))
    return tuple(
        frozenset(video for i in np.flatnonzero(fold_of == f) for video in shuffled[i])
        for f in range(folds)
    )


def _checked(videos: tuple[frozenset[str], ...], labels: Labels) -> Folds:
    """Return dealt videos with the classes that are not everywhere."""
    inside = [{x for video in fold for x in labels[video]} for fold in videos]
    untrained, untested = {}, {}
    for name in sorted(set().union(*inside)):
        having = [fold for fold, classes in enumerate(inside) if name in classes]
        if len(having) == 1:
            untrained[name] = having[0]
        if len(having) < len(videos):
            lacking = set(range(len(videos))) - set(having)
            untested[name] = tuple(sorted(lacking))
    return Folds(videos, untrained, untested)
