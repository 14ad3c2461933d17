"""The search for what recordings share, against slow twins that take one at a time."""

import math
import statistics

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from acmnet.training.mining import shared_directions
from acmnet.training.mining.shared_directions import (
    AVERAGED_DIRECTIONS,
    CANDIDATES,
    LEAST_COSINE,
    PERMUTATIONS,
    TOP_SNIPPETS,
    shared_direction,
)
from acmnet.training.mining.snippet_mining import FALSE_SHARE, score_limits
from acmnet.training.mining.snippet_mining import TOP_SNIPPETS as TOP_OF_PEAK
from acmnet.training.mining.whitened_recordings import Whitening


def top_snippets(recording, direction):
    """Return the mean value and the mean snippet of a recording's top snippets."""
    best = sorted(recording, key=lambda snippet: -snippet @ direction)[:TOP_SNIPPETS]
    return np.mean([snippet @ direction for snippet in best]), np.mean(best, axis=0)


def separation(levels, has):
    """Return how far apart the levels of recordings with and without a class are."""
    one, other = (
        [x for x, h in zip(levels, has, strict=True) if h is b] for b in (True, False)
    )
    spread = statistics.pvariance(one) + statistics.pvariance(other)
    return (statistics.fmean(one) - statistics.fmean(other)) / math.sqrt(spread + 1e-9)


def searched(recordings, has):
    """Return directions and how well they separate, the best first."""
    with_it = [v for v, h in enumerate(has) if h]
    tried = []
    for v in with_it:
        far = sorted(recordings[v], key=lambda snippet: -np.linalg.norm(snippet))
        for snippet in far[: CANDIDATES // len(with_it)]:
            direction = snippet / np.linalg.norm(snippet)
            levels = [top_snippets(own, direction)[0] for own in recordings]
            # torch's median: of two in the middle, the lower one
            levels[v] = statistics.median_low(levels[w] for w in with_it if w != v)
            tried.append((separation(levels, has), direction))
    tried.sort(key=lambda pair: -pair[0])
    found = []
    for _, direction in tried[: shared_directions.REFINED_CANDIDATES]:
        means = [top_snippets(own, direction)[1] for own in recordings]
        one, other = (
            np.mean([x for x, h in zip(means, has, strict=True) if h is b], axis=0)
            for b in (True, False)
        )
        moved = (one - other) / np.linalg.norm(one - other)
        levels = [top_snippets(own, moved)[0] for own in recordings]
        found.append((separation(levels, has), moved))
    return sorted(found, key=lambda pair: -pair[0])


def shared_slowly(recordings, has):
    best = searched(recordings, has)
    for seed in range(PERMUTATIONS):
        # recordings with the class are taken first, then those without it
        order = sorted(range(len(has)), key=lambda v: not has[v])
        source = torch.Generator().manual_seed(seed)
        dealt = [has[order[i]] for i in torch.randperm(len(has), generator=source)]
        by_chance = searched([recordings[v] for v in order], dealt)
        if by_chance[0][0] >= best[0][0]:
            return None
    first = best[0][1]
    near = [x for _, x in best[:AVERAGED_DIRECTIONS] if x @ first > LEAST_COSINE]
    mean = np.mean(near, axis=0)
    return mean / np.linalg.norm(mean)


@pytest.mark.parametrize(("planted", "refined"), [(0.0, 40), (4.0, 40), (4.0, 2)])
def test_a_shared_direction_is_that_of_a_slow_search(monkeypatch, planted, refined):
    # with few refined ones, it matters which candidates seem to be the best
    monkeypatch.setattr(shared_directions, "REFINED_CANDIDATES", refined)
    random = np.random.default_rng(3)
    # as few snippets as 3, fewer than the top ones, and recordings in no order
    lengths = [6, 9, 3, 8, 7, 10, 5, 8, 6]
    has = [i % 2 == 0 for i in range(len(lengths))]
    recordings = [random.normal(size=(n, 3)) for n in lengths]
    for own, h in zip(recordings, has, strict=True):
        own[:2, 0] += planted * h
    found = shared_direction(
        [torch.from_numpy(own) for own in recordings], torch.tensor(has)
    )
    expected = shared_slowly(recordings, has)
    assert (expected is None) == (planted == 0.0)
    if expected is None:
        assert found is None
    else:
        np.testing.assert_allclose(found.numpy(), expected, atol=1e-9)


values = st.lists(st.integers(0, 6), min_size=1, max_size=8)


@settings(deadline=None)
@given(
    st.lists(values, min_size=1, max_size=4), st.lists(values, min_size=1, max_size=4)
)
def test_limits_are_those_of_trying_every_value(named, others):
    expected = math.inf
    for limit in {x for own in named for x in own}:
        reached = sum(x >= limit for own in named for x in own) / len(named)
        by_others = sum(x >= limit for own in others for x in own) / len(others)
        if by_others <= FALSE_SHARE * reached:
            expected = min(expected, limit)
    tops = [statistics.fmean(sorted(own)[-TOP_OF_PEAK:]) for own in named]
    each = [torch.tensor(own, dtype=torch.float64) for own in (*named, *others)]
    has = torch.arange(len(each)) < len(named)
    least, peak = score_limits(each, has)
    assert least == expected
    assert peak == pytest.approx(statistics.median_low(tops))


@given(st.lists(st.integers(0, 5), min_size=1, max_size=9), values)
def test_ranks_are_those_of_counting(reference, features):
    found = Whitening(
        torch.tensor([sorted(reference)], dtype=torch.float32), torch.eye(1)
    ).recording(torch.tensor(features, dtype=torch.float32).unsqueeze(1))
    normal = statistics.NormalDist()
    quantiles = []
    for value in features:
        lower = sum(x < value for x in reference)
        equal = sum(x == value for x in reference)
        # the middle of the ranks that the value could have
        rank = (lower + equal / 2 + 1 / 2) / (len(reference) + 1)
        quantiles.append(normal.inv_cdf(rank))
    centred = [x - statistics.fmean(quantiles) for x in quantiles]
    assert found.ravel().tolist() == pytest.approx(centred, abs=1e-5)
