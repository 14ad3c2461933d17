"""Find videos that are copies of one another under other names, cut or encoded again.

A copy across subsets is tested on what was learned. Two looks: snippets that are equal
to the last bit, and videos that, snippet by snippet and in step, are closer to each
other than each snippet is to the next.
"""

import collections
import functools
from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from acmnet.data.checks.findings import Finding
from acmnet.data.features.stored_features import FeatureStore
from acmnet.messages import quoted
from acmnet.segments import FloatArray

Features = npt.NDArray[np.float16] | npt.NDArray[np.float32]
"""The features of one video, (T, D)."""
Scaled = npt.NDArray[np.floating]
"""Features of which every dimension has the same scale, so that distances count
alike."""
Pair = tuple[int, int]
"""Two videos that may be copies, by their indices."""
Nearest = tuple[Scaled, npt.NDArray[np.int64], npt.NDArray[np.int64]]
"""Parallel arrays, one entry a pair: likeness, first video, second video."""

FEWEST_SNIPPETS: Final = 8
"""Two videos must share this many equal snippets: fewer may be a common title card."""
FEWEST_IN_STEP: Final = 32
"""Videos of fewer snippets are not compared for running in step, since they do so by
chance: of 400 pairs of random videos in 6 dimensions, the most alike share 1.0 at 8
snippets, 0.61 at 20, 0.34 at 40."""
LEAST_SHARED: Final = 0.5
"""Share of the shorter video that must be in the other. Of the 10,296 pairs of SHREC'22
the most alike share 0.30; a video and its copy with noise of a tenth of each
dimension's standard deviation, or moved by half a snippet, 0.77 at the least."""
MOST_VIDEOS_OF_SNIPPET: Final = 64
"""A snippet that is in more videos than this, such as a black one, is ignored."""
PROBED_SNIPPETS: Final = 64
"""Snippets of the shorter video that are looked up in the other."""
COMPARED_WITH: Final = 3
"""How many of the nearest videos each video is compared with. A copy without its first
ten and last twenty snippets is among the nearest three for 98 % of the videos of
SHREC'22."""
MOST_COMPARED: Final = 2_000
"""Up to this many videos, every pair is compared."""
TREES: Final = 6
"""Beyond `MOST_COMPARED`, videos are divided into small groups, and only videos of one
group are compared. This is how often that is repeated, along other directions. Of 100
copies with noise among 16,000 made-up videos, all were found."""
MOST_IN_GROUP: Final = 128
"""Videos in such a group, at most."""
SNIPPETS_AT_ONCE: Final = 1024
"""Snippets that are compared at once, which limits memory."""


class TwinSearch:
    """Looks for copies among videos that are shown to it one at a time.

    Keeps D numbers of each video, and 8 bytes of each snippet.
    """

    def __init__(self, dimension: int) -> None:
        rng = np.random.default_rng(0)
        # odd multipliers: rows that differ in one value never share a hash
        self.weights = rng.integers(2**63, size=dimension, dtype=np.uint64) * 2 + 1
        self.videos: list[str] = []
        self.groups: list[str | None] = []
        self.means: list[npt.NDArray[np.float32]] = []
        self.hashes: list[npt.NDArray[np.uint64]] = []
        self.lengths: list[int] = []

    def add(self, video: str, group: str | None, features: Features) -> None:
        """Note a video of shape (T, D); pairs of one group are of no interest."""
        self.videos.append(video)
        self.groups.append(group)
        self.means.append(features.mean(axis=0, dtype=np.float64).astype(np.float32))
        unsigned = np.uint16 if features.dtype == np.float16 else np.uint32
        parts = np.split(
            features, range(SNIPPETS_AT_ONCE, len(features), SNIPPETS_AT_ONCE)
        )
        bits = [part.view(unsigned).astype(np.uint64) @ self.weights for part in parts]
        self.hashes.append(np.unique(np.concatenate(bits)))
        self.lengths.append(len(features))

    def findings(
        self,
        store: FeatureStore,
        scale: FloatArray,
        on_pair: Callable[[int, int], None] = lambda *_: None,
    ) -> Iterator[Finding]:
        """Yield the pairs that are one video.

        Parameters
        ----------
        store : FeatureStore
            Where the videos lie; candidates are read again.
        scale : array of shape (D,)
            Standard deviation of each dimension, over all snippets.
        on_pair : callable
            Told how many pairs were compared, and of how many.
        """
        if len(self.videos) < 2:
            return
        if len(set(self.groups)) < 2:
            self.groups = list(self.videos)
        copies = {}
        for pair, share in self._copies():
            copies[pair] = share
            why = f"{share:.0%} of the shorter one's features are equal"
            yield self._finding(store, pair, why, is_copy=True)
        scale = np.where(scale > 0, scale, np.inf).astype(np.float32)
        candidates = [pair for pair in self._nearest(scale) if pair not in copies]

        # pairs of one first video come one after another: it is read once for them
        @functools.lru_cache(maxsize=1)
        def first(v: int) -> Scaled:
            return scaled(v)

        def scaled(v: int) -> Scaled:
            return store.read_array(self.videos[v]).astype(np.float32) / scale

        for done, pair in enumerate(candidates, start=1):
            on_pair(done, len(candidates))
            share = shared(first(pair[0]), scaled(pair[1]))
            if share >= LEAST_SHARED:
                why = f"{share:.0%} of the shorter one's features run in step with it"
                yield self._finding(store, pair, why, is_copy=False)

    def _finding(
        self, store: FeatureStore, pair: Pair, why: str, *, is_copy: bool
    ) -> Finding:
        names = []
        for v in pair:
            group = self.groups[v]
            known = group is not None and group != self.videos[v]
            subset = f" (subset {quoted(group)})" if group and known else ""
            names.append(quoted(self.videos[v]) + subset)
        return Finding(
            level="error" if is_copy else "warning",
            kind="twins",
            sentence=f"{store.place}: videos {' and '.join(names)} look like one "
            f"video: {why}; a test on what was trained on measures nothing, so leave "
            "one out or put both into one subset or fold",
            source=store.place,
            video=self.videos[pair[0]],
        )

    def _copies(self) -> Iterator[tuple[Pair, float]]:
        """Yield pairs with equal snippets, and their share of the shorter video."""
        lengths = [len(found) for found in self.hashes]
        video = np.repeat(np.arange(len(lengths)), lengths)
        every = np.concatenate(self.hashes)
        order = np.argsort(every, kind="stable")
        every, video = every[order], video[order]
        is_again = np.diff(every) == 0
        is_many = np.append(is_again, False) | np.append(False, is_again)
        every, video = every[is_many], video[is_many]
        counts: collections.Counter[Pair] = collections.Counter()
        for run in np.split(video, np.flatnonzero(np.diff(every)) + 1):
            if len(run) <= MOST_VIDEOS_OF_SNIPPET:
                found = run.tolist()
                counts.update((a, b) for a in found for b in found if a < b)
        for (a, b), n in sorted(counts.items()):
            share = n / min(lengths[a], lengths[b])
            is_across = self.groups[a] != self.groups[b]
            if is_across and n >= FEWEST_SNIPPETS and share >= LEAST_SHARED:
                yield (a, b), share

    def _nearest(self, scale: Scaled) -> list[Pair]:
        """Return each video paired with those of another group that it is most like."""
        means = np.stack(self.means)
        means = (means - means.mean(axis=0)) / scale
        means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)
        is_long = np.array(self.lengths) >= FEWEST_IN_STEP
        place = {group: i for i, group in enumerate(dict.fromkeys(self.groups))}
        groups = np.array([place[group] for group in self.groups])
        return _nearest_pairs(means, groups, np.flatnonzero(is_long))


def _nearest_pairs(
    means: Scaled, groups: npt.NDArray[np.int64], chosen: npt.NDArray[np.int64]
) -> list[Pair]:
    """Return pairs of videos that are near each other.

    Up to `MOST_COMPARED` videos are all compared. More of them are halved again and
    again by their place along random directions, until few are left together, and each
    is compared with those. This is done for several sets of directions, because a
    border may fall between two videos that are alike.

    Parameters
    ----------
    means : array of shape (V, D)
        The mean of each video, of length 1.
    groups : array of shape (V,)
        The group of each video; only pairs of two groups are returned.
    chosen : array of shape (n,)
        The videos that are compared.
    """
    random = np.random.default_rng(0)
    if not len(chosen):
        return []
    is_few = len(means) <= MOST_COMPARED
    nearest: list[Nearest] = []
    for _ in range(1 if is_few else TREES):
        leaves = [chosen]
        while not is_few and len(leaves[0]) > MOST_IN_GROUP:
            direction = random.standard_normal(means.shape[1], np.float32)
            along = means @ direction
            halves = []
            for leaf in leaves:
                order = leaf[np.argsort(along[leaf], kind="stable")]
                halves += np.array_split(order, 2)
            leaves = halves
        nearest += [_nearest_of(means, groups, leaf) for leaf in leaves]
    share, first, second = (
        np.concatenate(column) for column in zip(*nearest, strict=True)
    )
    order = np.lexsort((second, first, share))[::-1]  # those most alike come first
    # several sets of directions find the same pair: it is looked at once
    pair = first[order] * len(means) + second[order]
    order = order[np.sort(np.unique(pair, return_index=True)[1])]
    taken = [0] * len(means)
    pairs: list[Pair] = []
    for a, b in zip(first[order].tolist(), second[order].tolist(), strict=True):
        if taken[a] < COMPARED_WITH or taken[b] < COMPARED_WITH:
            taken[a] += 1
            taken[b] += 1
            pairs.append((a, b))
    return sorted(pairs)


def _nearest_of(
    means: Scaled, groups: npt.NDArray[np.int64], leaf: npt.NDArray[np.int64]
) -> Nearest:
    """Return each video of a few with its nearest, and how alike the two are."""
    leaf_means = means[leaf]
    alike = np.where(
        groups[leaf, None] != groups[leaf], leaf_means @ leaf_means.T, -np.inf
    )
    n = min(COMPARED_WITH, len(leaf))
    best = np.argpartition(-alike, n - 1, axis=1)[:, :n]
    share = np.take_along_axis(alike, best, 1)
    is_other = share > -np.inf
    here = np.broadcast_to(leaf[:, None], best.shape)[is_other]
    there = leaf[best][is_other]
    return share[is_other], np.minimum(here, there), np.maximum(here, there)


def shared(a: Scaled, b: Scaled) -> float:
    """Return which share of the shorter video runs in step with the other.

    For up to `PROBED_SNIPPETS` snippets of the shorter video, the nearest snippet of
    the other one is found. A snippet counts if the features of the two differ no more
    than those of its own neighbours in time do on average, and if the two are shifted
    in time by the median shift, within two snippets.

    Parameters
    ----------
    a, b : arrays of shape (T, D) and (T', D)
        Of comparable dimensions, such as those divided by their standard deviation.

    Returns
    -------
    float
        In ``[0, 1]``; 0 if a video is too short to say.

    Examples
    --------
    >>> steps = np.random.default_rng(0).normal(size=(60, 8))
    >>> shared(steps, steps[10:50]), shared(steps, steps[::-1]) < 0.2
    (1.0, True)
    """
    a, b = sorted((a, b), key=len)
    if len(a) < FEWEST_IN_STEP:
        return 0.0
    probes = _probes(len(a))
    nearest, gap = _nearest_rows(a[probes], b)
    steps = [np.linalg.norm(a[probes] - a[probes + i], axis=1) for i in (-1, 1)]
    is_close = gap <= (steps[0] + steps[1]) / 2
    offset = nearest - probes
    if not is_close.any():
        return 0.0
    ranked = np.sort(offset[is_close])  # NumPy's median takes five times as long
    median = (ranked[(len(ranked) - 1) // 2] + ranked[len(ranked) // 2]) / 2
    in_step = np.abs(offset - median) <= 2
    return float((is_close & in_step).mean())


@functools.lru_cache(maxsize=4096)
def _probes(n: int) -> npt.NDArray[np.int64]:
    """Return the snippets of a video of n that are looked up, from the second on."""
    return np.unique(np.linspace(1, n - 2, PROBED_SNIPPETS).astype(np.int64))


def _nearest_rows(probes: Scaled, rows: Scaled) -> tuple[npt.NDArray[np.int64], Scaled]:
    """Return which row is nearest to each probe, and how far off it is."""
    squared = (rows**2).sum(axis=1) - 2 * probes @ rows.T
    nearest: npt.NDArray[np.int64] = squared.argmin(axis=1)
    gap: Scaled = np.linalg.norm(probes - rows[nearest], axis=1)
    return nearest, gap
