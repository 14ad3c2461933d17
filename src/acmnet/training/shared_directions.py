"""A direction of the features that recordings with a class share and others lack.

Of thousands of directions, some tell a few recordings apart by chance. So each one
begins at a snippet of one recording and is judged by the other recordings, and what is
found counts only if it tells recordings apart better than anything that is found after
the names were dealt out anew.

Notation: V recordings, T snippets of one, E components, M candidates.
"""

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor

CANDIDATES: Final = 400
"""About how many snippets are tried as directions of a class."""
JUDGED_BY: Final = 5
"""A recording is judged by so many snippets, the highest along a direction. Fewer are
moved by a single outlier; more are not there in every recording with the class."""
REFINED: Final = 40
"""How many of the best candidates are moved to what recordings with the class share."""
AVERAGED: Final = 10
"""How many of the best directions are averaged if they are alike."""
ALIKE: Final = 0.7
"""Directions are alike if the cosine between them is above this."""
SHUFFLES: Final = 9
"""How often names are dealt out anew. A direction found by chance passes one in ten
times."""
LEAST_RECORDINGS: Final = 4
"""Fewer recordings than this with a class, or without it, tell nothing of it."""
MOST_RECORDINGS: Final = 30
"""No more recordings than this with a class, and without it, are searched."""


def shared_direction(recordings: Sequence[Tensor], has: Tensor) -> Tensor | None:
    """Return the direction that recordings with a class share and the others lack.

    Parameters
    ----------
    recordings : sequence of (T, E) tensors
        Uncorrelated components of each recording's snippets
        (`acmnet.training.whitened_recordings`).
    has : (V,) tensor of bool, on the CPU
        Which recordings have the class.

    Returns
    -------
    (E,) tensor of norm 1, or None
        None if names do not tell: there are fewer than `LEAST_RECORDINGS` with the
        class or without it, or names that were dealt out anew are told apart as well.
    """
    with_it, without = has.nonzero().ravel(), (~has).nonzero().ravel()
    if min(len(with_it), len(without)) < LEAST_RECORDINGS:
        return None
    chosen = torch.cat([evenly(with_it), evenly(without)])
    searched = [recordings[v] for v in chosen.tolist()]
    of_chosen = has[chosen]
    directions, gap = _searched(searched, of_chosen)
    for seed in range(SHUFFLES):
        order = torch.randperm(
            len(chosen), generator=torch.Generator().manual_seed(seed)
        )
        if _searched(searched, of_chosen[order])[1][0] >= gap[0]:
            return None
    best = directions[:AVERAGED]
    mean = best[best @ best[0] > ALIKE].mean(dim=0)
    unit: Tensor = mean / mean.norm()
    return unit


def evenly(places: Tensor, most: int = MOST_RECORDINGS) -> Tensor:
    """Return at most so many of some places, evenly spread.

    Examples
    --------
    >>> evenly(torch.arange(10), most=4).tolist()
    [0, 2, 5, 7]
    """
    n = min(len(places), most)
    return places[torch.arange(n) * len(places) // max(n, 1)]


def _searched(recordings: Sequence[Tensor], has: Tensor) -> tuple[Tensor, Tensor]:
    """Return directions (M, E), from the best one down, and how well each one tells.

    How well is the difference of the means of the recordings with and without the
    class, divided by how much recordings differ in either.
    """
    with_it = has.nonzero().ravel().tolist()
    directions, origin = _candidates(recordings, with_it)
    level, _ = _top_snippets(recordings, directions)  # (V, M)
    for column, v in enumerate(origin):
        # a snippet is the highest along itself, so its own recording says nothing
        others = [row for row in with_it if row != v]
        level[v, column] = level[others, column].median()
    kept = _gap(level, has).argsort(descending=True, stable=True)[:REFINED]
    _, mean = _top_snippets(recordings, directions[kept])  # (V, M, E)
    moved = mean[has].mean(dim=0) - mean[~has].mean(dim=0)
    moved = moved / moved.norm(dim=1, keepdim=True).clamp(min=1e-9)
    gap = _gap(_top_snippets(recordings, moved)[0], has)
    order = gap.argsort(descending=True, stable=True)
    return moved[order], gap[order]


def _candidates(
    recordings: Sequence[Tensor], with_it: Sequence[int]
) -> tuple[Tensor, list[int]]:
    """Return the most unusual snippets (M, E) of recordings, and where each one lies.

    Unusual snippets are far from the mean of their recording.
    """
    each = max(CANDIDATES // len(with_it), 1)
    found, origin = [], []
    for v in with_it:
        far = recordings[v].norm(dim=1)
        picked = far.argsort(descending=True, stable=True)[:each]
        found.append(recordings[v][picked] / far[picked, None].clamp(min=1e-9))
        origin += [v] * len(picked)
    return torch.cat(found), origin


def _top_snippets(
    recordings: Sequence[Tensor], directions: Tensor
) -> tuple[Tensor, Tensor]:
    """Return what the highest snippets of each recording along directions are.

    Parameters
    ----------
    recordings : sequence of (T, E) tensors
        V recordings.
    directions : (M, E) tensor
        Each of norm 1.

    Returns
    -------
    level : (V, M) tensor, on the CPU
        Mean of the `JUDGED_BY` highest values.
    mean : (V, M, E) tensor, on the CPU
        Mean of the snippets that have them.
    """
    level, mean = [], []
    for own in recordings:
        values, places = (own @ directions.T).topk(min(JUDGED_BY, len(own)), dim=0)
        level.append(values.mean(dim=0).cpu())
        mean.append(own[places].mean(dim=0).cpu())
    return torch.stack(level), torch.stack(mean)


def _gap(level: Tensor, has: Tensor) -> Tensor:
    """Return how far apart the levels (V, M) of the two kinds of recordings are, (M,).

    It is the difference of their means, divided by the root of the sum of variances.
    """
    one, other = level[has], level[~has]
    spread = one.var(dim=0, correction=0) + other.var(dim=0, correction=0)
    gap: Tensor = (one.mean(dim=0) - other.mean(dim=0)) / (spread + 1e-9).sqrt()
    return gap
