"""Find a direction of the features that separates recordings with a class from others.

Among thousands of directions, some separate a few recordings by chance. So each
candidate is a snippet of one recording and is scored on the other recordings, and the
best one counts only if it passes a permutation test: it has to separate the recordings
better than the best one that is found after the names were permuted among the
recordings.

Notation: V recordings, T snippets of one, E components, M candidates.
"""

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor

CANDIDATES: Final = 400
"""About how many snippets are tried as directions of a class."""
TOP_SNIPPETS: Final = 5
"""Number of snippets whose mean value along a direction is the score of a recording:
those with the highest values. With fewer, single outliers decide; with more, some
recordings do not have enough snippets of the class."""
REFINED_CANDIDATES: Final = 40
"""Number of best candidates that are refined: replaced by the difference between the
mean top snippets of recordings with the class and without it."""
AVERAGED_DIRECTIONS: Final = 10
"""Number of best directions that may be averaged."""
LEAST_COSINE: Final = 0.7
"""Least cosine between the best direction and those that are averaged with it."""
PERMUTATIONS: Final = 9
"""Number of permutations of the names in the test. A direction that was found by chance
passes in one of ten cases."""
LEAST_RECORDINGS: Final = 4
"""Least number of recordings with a class, and of recordings without it."""
MOST_RECORDINGS: Final = 30
"""Largest number of recordings with a class, and of recordings without it, that are
searched."""


def shared_direction(recordings: Sequence[Tensor], has: Tensor) -> Tensor | None:
    """Return the direction that recordings with a class share and the others lack.

    Parameters
    ----------
    recordings : sequence of (T, E) tensors
        Uncorrelated components of each recording's snippets
        (`acmnet.training.mining.whitened_recordings`).
    has : (V,) tensor of bool, on the CPU
        Which recordings have the class.

    Returns
    -------
    (E,) tensor of norm 1, or None
        None if fewer than `LEAST_RECORDINGS` have the class or lack it, or if the
        permutation test fails.
    """
    with_it, without = has.nonzero().ravel(), (~has).nonzero().ravel()
    if min(len(with_it), len(without)) < LEAST_RECORDINGS:
        return None
    chosen = torch.cat([spread_evenly(with_it), spread_evenly(without)])
    searched = [recordings[v] for v in chosen.tolist()]
    of_chosen = has[chosen]
    directions, gap = _search(searched, of_chosen)
    for seed in range(PERMUTATIONS):
        order = torch.randperm(
            len(chosen), generator=torch.Generator().manual_seed(seed)
        )
        if _search(searched, of_chosen[order])[1][0] >= gap[0]:
            return None
    best = directions[:AVERAGED_DIRECTIONS]
    mean = best[best @ best[0] > LEAST_COSINE].mean(dim=0)
    unit: Tensor = mean / mean.norm()
    return unit


def spread_evenly(places: Tensor, most: int = MOST_RECORDINGS) -> Tensor:
    """Return at most ``most`` of some indices, evenly spread.

    Examples
    --------
    >>> spread_evenly(torch.arange(10), most=4).tolist()
    [0, 2, 5, 7]
    """
    n = min(len(places), most)
    return places[torch.arange(n) * len(places) // max(n, 1)]


def _search(recordings: Sequence[Tensor], has: Tensor) -> tuple[Tensor, Tensor]:
    """Return directions (M, E), from the best one down, and the separation of each."""
    with_it = has.nonzero().ravel().tolist()
    directions, origin = _candidates(recordings, with_it)
    level, _ = _top_snippets(recordings, directions)  # (V, M)
    for column, v in enumerate(origin):
        # a snippet has the highest value along itself, so its own recording is left out
        others = [row for row in with_it if row != v]
        level[v, column] = level[others, column].median()
    kept = _separation(level, has).argsort(descending=True, stable=True)[
        :REFINED_CANDIDATES
    ]
    _, mean = _top_snippets(recordings, directions[kept])  # (V, M, E)
    moved = mean[has].mean(dim=0) - mean[~has].mean(dim=0)
    moved = moved / moved.norm(dim=1, keepdim=True).clamp(min=1e-9)
    gap = _separation(_top_snippets(recordings, moved)[0], has)
    order = gap.argsort(descending=True, stable=True)
    return moved[order], gap[order]


def _candidates(
    recordings: Sequence[Tensor], with_it: Sequence[int]
) -> tuple[Tensor, list[int]]:
    """Return the most unusual snippets (M, E) of recordings, and where each one lies.

    Unusual snippets are far from the mean of their recording.
    """
    each = max(CANDIDATES // len(with_it), 1)
    candidates, origin = [], []
    for v in with_it:
        far = recordings[v].norm(dim=1)
        picked = far.argsort(descending=True, stable=True)[:each]
        candidates.append(recordings[v][picked] / far[picked, None].clamp(min=1e-9))
        origin += [v] * len(picked)
    return torch.cat(candidates), origin


def _top_snippets(
    recordings: Sequence[Tensor], directions: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the top snippets of each recording along each direction.

    Parameters
    ----------
    recordings : sequence of (T, E) tensors
        V recordings.
    directions : (M, E) tensor
        Each of norm 1.

    Returns
    -------
    level : (V, M) tensor, on the CPU
        Mean of the `TOP_SNIPPETS` highest values.
    mean : (V, M, E) tensor, on the CPU
        Mean of the snippets that have them.
    """
    level, mean = [], []
    for recording in recordings:
        values, places = (recording @ directions.T).topk(
            min(TOP_SNIPPETS, len(recording)), dim=0
        )
        level.append(values.mean(dim=0).cpu())
        mean.append(recording[places].mean(dim=0).cpu())
    return torch.stack(level), torch.stack(mean)


def _separation(level: Tensor, has: Tensor) -> Tensor:
    """Return how well levels (V, M) separate recordings with the class, (M,).

    It is the difference of the two means, divided by the root of the sum of the
    variances.
    """
    inside, outside = level[has], level[~has]
    spread = inside.var(dim=0, correction=0) + outside.var(dim=0, correction=0)
    gap: Tensor = (inside.mean(dim=0) - outside.mean(dim=0)) / (spread + 1e-9).sqrt()
    return gap
