"""Proposals: runs, contrast and suppression by hand, then against slow twins."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acmnet.localization.proposals import (
    outer_inner_contrast,
    runs_above,
    suppress,
    suppress_softly,
)
from support.twins_localization import (
    contrast_of,
    gathered_softly,
    runs_of,
    suppressed_hard,
    suppressed_softly,
    tiou_of,
)

repeatable = settings(deadline=None, derandomize=True, database=None, max_examples=200)

DOWN = "right_rounded_down"  # as the authors cut their flanks


def runs(values, level, shortest_cells=1):
    """Return the runs of one sequence at one level, as pairs."""
    row, start, end = runs_above(
        np.array([values], dtype=float), np.array([[level]]), shortest_cells
    )
    assert not row.any()
    return list(zip(start.tolist(), end.tolist(), strict=True))


@pytest.mark.parametrize(
    ("values", "level", "expected"),
    [
        pytest.param([0.1, 0.4, 0.1], 0.5, [], id="none"),
        pytest.param([0.6, 0.7, 0.5], 0.5, [(0, 3)], id="all"),
        pytest.param([0.4, 0.5, 0.4], 0.5, [(1, 2)], id="exactly at the level"),
        pytest.param([0.9, 0.1, 0.1], 0.5, [(0, 1)], id="first cell"),
        pytest.param([0.1, 0.1, 0.9], 0.5, [(2, 3)], id="last cell"),
        pytest.param([0.9, 0.1, 0.9], 0.5, [(0, 1), (2, 3)], id="both ends"),
        pytest.param([0.7], 0.5, [(0, 1)], id="one cell"),
        pytest.param([0.0, 0.0], 0.0, [(0, 2)], id="zeros at level zero"),
        pytest.param([0.999, 1.0], 1.0, [(1, 2)], id="level one"),
        pytest.param([-0.2, 0.1], 0.0, [(1, 2)], id="extrapolated below zero"),
    ],
)
def test_runs_above(values, level, expected):
    assert runs(values, level) == expected


@pytest.mark.parametrize(
    ("shortest_cells", "expected"),
    [(1, [(0, 1), (2, 4), (5, 8)]), (2, [(2, 4), (5, 8)]), (3, [(5, 8)]), (4, [])],
)
def test_runs_shorter_than_asked_are_left_out(shortest_cells, expected):
    assert runs([1, 0, 1, 1, 0, 1, 1, 1], 0.5, shortest_cells) == expected


def test_a_run_does_not_go_on_in_the_next_row():
    row, start, end = runs_above(np.ones((2, 3)), np.full((2, 2), 0.5))
    assert row.tolist() == [0, 1, 2, 3]
    assert start.tolist() == [0, 0, 0, 0]
    assert end.tolist() == [3, 3, 3, 3]


# a few values only, so that many lie exactly at a level
tables = st.tuples(
    st.integers(0, 3), st.integers(0, 3), st.integers(1, 9), st.integers(0, 2**32)
)


@repeatable
@given(tables, st.integers(1, 3))
def test_runs_equal_their_twin(table, shortest_cells):
    n_sequences, n_levels, n_cells, seed = table
    rng = np.random.default_rng(seed)
    sequences = rng.integers(0, 4, (n_sequences, n_cells)) / 4
    levels = rng.integers(0, 5, (n_sequences, n_levels)) / 4
    row, start, end = runs_above(sequences, levels, shortest_cells)
    expected = [
        (s * n_levels + k, *run)
        for s in range(n_sequences)
        for k in range(n_levels)
        for run in runs_of(sequences[s].tolist(), levels[s, k], shortest_cells)
    ]
    assert list(zip(row, start, end, strict=True)) == expected


def contrast(values, start, end, **rule):
    """Return the contrast of one proposal on one sequence."""
    one = np.array([0]), np.array([start]), np.array([end])
    return outer_inner_contrast(np.array([values], dtype=float), *one, **rule).item()


def test_contrast_pools_both_flanks():
    # inner [2, 6) = (.8 + .6 + .8 + .6) / 4 = .7 ; flank = .25 * 4 = 1 cell
    # left = {.2}, right = {.4}, pooled mean = .3 ; contrast = .7 - .3 = .4
    values = [0.0, 0.2, 0.8, 0.6, 0.8, 0.6, 0.4, 0.0]
    assert contrast(values, 2, 6, margin=0.25) == pytest.approx(0.4)


RAMP = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]


@pytest.mark.parametrize(
    ("start", "end", "flanks", "outer", "expected"),
    [
        # inner {.4 .5 .6} = .5 ; ceil(.6) = 1 cell each: {.3, .7} = .5
        pytest.param(4, 7, "symmetric", "pooled", 0.0, id="symmetric"),
        # left int(4 - .6) = 3, right int(6 + .6) = 6 is inside: {.3}
        pytest.param(4, 7, DOWN, "pooled", 0.2, id="authors: no right flank"),
        # inner {.3 ... .7} = .5 ; .2 * 5 = 1 cell each: {.2, .8}
        pytest.param(3, 8, DOWN, "pooled", 0.0, id="authors: whole flanks"),
        # inner {0 .1 .2} = .1 ; left outside the video, right {.3}
        pytest.param(0, 3, "symmetric", "pooled", -0.2, id="starts the video"),
        # the same, but .3 over two flanks of one cell = .15
        pytest.param(0, 3, "symmetric", "full", -0.05, id="starts the video, full"),
        # inner {.7 .8 .9} = .8 ; left {.6}
        pytest.param(7, 10, "symmetric", "pooled", 0.2, id="ends the video"),
        pytest.param(7, 10, "symmetric", "full", 0.5, id="ends the video, full"),
        # int(7 - .6) = 6 and int(9 + .6) = 9: left {.6} as well
        pytest.param(7, 10, DOWN, "pooled", 0.2, id="ends the video, authors"),
        # .6 over two flanks of .2 * 3 = .6 cells is .5
        pytest.param(7, 10, DOWN, "full", 0.3, id="authors, full"),
        # no flank in the video: the outer mean counts as 0
        pytest.param(0, 10, "symmetric", "pooled", 0.45, id="fills the video"),
        pytest.param(0, 10, DOWN, "pooled", 0.45, id="fills, authors"),
        pytest.param(0, 10, "symmetric", "full", 0.45, id="fills the video, full"),
        # int(0 - .2) = 0 and int(0 + .2) = 0: nothing beside it
        pytest.param(0, 1, DOWN, "pooled", 0.0, id="authors: first cell"),
        # ceil(.2) = 1: {.1}
        pytest.param(0, 1, "symmetric", "pooled", -0.1, id="first cell"),
    ],
)
def test_contrast_edges(start, end, flanks, outer, expected):
    found = contrast(RAMP, start, end, margin=0.2, flanks=flanks, outer=outer)
    assert found == pytest.approx(expected)


@pytest.mark.parametrize(
    ("margin", "length", "flank"),
    [
        pytest.param(0.2, 5, 1, id="a fifth of 5"),
        pytest.param(0.2, 6, 2, id="a fifth of 6, up"),
        pytest.param(0.15, 20, 3, id="0.15 of 20"),
        # 7 on paper, 7.000000000000001 in floating point: not 8
        pytest.param(0.28, 25, 7, id="0.28 of 25"),
        pytest.param(1.0, 7, 7, id="as long as the proposal"),
        pytest.param(0.01, 1, 1, id="never empty"),
    ],
)
def test_symmetric_flanks_are_rounded_up(margin, length, flank):
    # ones on exactly the two flanks: their mean is 1, and less with a cell more
    start, end = 40, 40 + length
    values = np.zeros(100)
    values[start - flank : start] = values[end : end + flank] = 1.0
    assert contrast(values, start, end, margin=margin) == pytest.approx(-1.0)


@repeatable
@given(
    st.integers(1, 12),
    st.integers(0, 8),
    st.sampled_from([0.1, 0.15, 0.2, 0.25, 0.5, 1.0, 2.0]),
    st.sampled_from(["symmetric", DOWN]),
    st.sampled_from(["pooled", "full"]),
    st.integers(0, 2**32),
)
def test_contrast_equals_its_twin(n_cells, n_proposals, margin, flanks, outer, seed):
    rng = np.random.default_rng(seed)
    sequences = rng.random((3, n_cells))
    row = rng.integers(0, 3, n_proposals)
    start = rng.integers(0, n_cells, n_proposals)
    end = rng.integers(start + 1, n_cells + 1)
    found = outer_inner_contrast(
        sequences, row, start, end, margin=margin, flanks=flanks, outer=outer
    )
    values = sequences.tolist()
    expected = [
        contrast_of(values[r], s, e, margin, flanks, outer)
        for r, s, e in zip(row.tolist(), start.tolist(), end.tolist(), strict=True)
    ]
    assert found == pytest.approx(expected, abs=1e-12)


def kept(intervals, score, **rule):
    """Return the indices that hard NMS keeps."""
    start, end = np.array(intervals, dtype=float).reshape(-1, 2).T
    return suppress(start, end, np.array(score, dtype=float), **rule).tolist()


@pytest.mark.parametrize(
    ("intervals", "score", "tiou", "expected"),
    [
        pytest.param([], [], 0.5, [], id="none"),
        pytest.param([(0, 1)], [-1.0], 0.5, [0], id="one, of negative score"),
        pytest.param([(0, 2)] * 3, [0.1, 0.3, 0.2], 0.5, [1], id="identical"),
        pytest.param([(0, 2)] * 2, [0.3, 0.3], 1.0, [0], id="identical, tied"),
        # 0.1 + 0.2 is a little above 0.3
        pytest.param([(0, 2)] * 2, [0.3, 0.1 + 0.2], 0.5, [0], id="tied but rounded"),
        pytest.param([(0, 1), (1, 2)], [0.1, 0.2], 0.1, [1, 0], id="touching"),
        # overlap 1 of union 2
        pytest.param([(0, 2), (0, 1)], [0.2, 0.1], 0.5, [0], id="exactly at the tIoU"),
        pytest.param([(0, 2), (0, 1)], [0.2, 0.1], 0.51, [0, 1], id="just below it"),
        # the second is 0.3 of the first, and 1.143 - 0.3 is less than 0.843
        pytest.param(
            [(1 / 7, 1 / 7 + 1), (0.8428571428571429, 1 / 7 + 1)],
            [0.2, 0.1],
            0.3,
            [0],
            id="at the tIoU but rounded",
        ),
        # 0-1 and 1-2: 2 / 4; 0-2: 1 / 5. The dropped one drops nothing.
        pytest.param(
            [(0, 3), (1, 4), (2, 5)], [0.3, 0.2, 0.1], 0.5, [0, 2], id="chain"
        ),
        pytest.param(
            [(0, 3), (1, 4), (2, 5)], [0.2, 0.3, 0.1], 0.5, [1], id="middle first"
        ),
        pytest.param(
            [(6, 7), (0, 1), (3, 4)], [0.5, 0.5, 0.5], 0.5, [0, 1, 2], id="tied, apart"
        ),
    ],
)
def test_suppress(intervals, score, tiou, expected):
    assert kept(intervals, score, tiou=tiou) == expected


@pytest.mark.parametrize(
    ("padding_s", "expected"),
    [
        # 1 / 3
        pytest.param(0.0, [0, 1], id="none"),
        # (1 + 1) / (2 + 2 + 2 - 2) = 1 / 2
        pytest.param(1.0, [0], id="a pixel's width"),
    ],
)
def test_padding_makes_intervals_overlap_more(padding_s, expected):
    intervals = [(0, 2), (1, 3)]
    assert kept(intervals, [0.2, 0.1], tiou=0.5, padding_s=padding_s) == expected


def test_padding_makes_disjoint_intervals_overlap():
    # [0, 2) and [2.5, 4.5) with one second more: .5 / (3 + 3 - .5) = 1 / 11
    intervals = [(0, 2), (2.5, 4.5)]
    assert kept(intervals, [0.2, 0.1], tiou=0.09, padding_s=1.0) == [0]
    assert kept(intervals, [0.2, 0.1], tiou=0.1, padding_s=1.0) == [0, 1]


# whole and quarter numbers: ties, identical and touching intervals are common
cases = st.lists(
    st.tuples(st.integers(0, 8), st.integers(1, 6), st.integers(-2, 4)), max_size=12
)
tious = st.sampled_from([0.1, 1 / 3, 0.5, 0.55, 0.9, 1.0])


@repeatable
@given(cases, tious, st.sampled_from([0.0, 0.25, 1.0]))
def test_suppress_equals_its_twin(rows, tiou, padding_s):
    intervals = [(start, start + length) for start, length, _ in rows]
    score = [quarters / 4 for _, _, quarters in rows]
    expected = suppressed_hard(intervals, score, tiou, padding_s)
    assert kept(intervals, score, tiou=tiou, padding_s=padding_s) == expected


@repeatable
@given(cases, tious)
def test_suppress_keeps_classes_apart(rows, tiou):
    intervals = [(start, start + length) for start, length, _ in rows]
    score = [quarters / 4 for _, _, quarters in rows]
    label = np.arange(len(rows)) % 3
    expected = []
    for one in range(3):
        own = np.flatnonzero(label == one).tolist()
        found = kept([intervals[i] for i in own], [score[i] for i in own], tiou=tiou)
        expected += [own[i] for i in found]
    assert kept(intervals, score, tiou=tiou, class_index=label) == expected


@repeatable
@given(cases, tious)
def test_suppress_is_idempotent_and_drops_only_the_overlapped(rows, tiou):
    intervals = [(start, start + length) for start, length, _ in rows]
    score = [quarters / 4 for _, _, quarters in rows]
    once = kept(intervals, score, tiou=tiou)
    again = kept([intervals[i] for i in once], [score[i] for i in once], tiou=tiou)
    assert again == list(range(len(once)))
    for i in set(range(len(rows))) - set(once):
        assert any(
            score[j] >= score[i] and tiou_of(intervals[i], intervals[j]) >= tiou
            for j in once
        )


def softly(intervals, score, sigma=0.5):
    """Return the indices and scores of soft-NMS, as lists."""
    start, end = np.array(intervals, dtype=float).reshape(-1, 2).T
    given_score = np.array(score, dtype=float)
    order, decayed = suppress_softly(start, end, given_score, sigma=sigma)
    assert given_score.tolist() == list(score)  # the caller's scores stay
    return order.tolist(), decayed.tolist()


@pytest.mark.parametrize(
    ("intervals", "score", "expected"),
    [
        pytest.param([], [], [], id="none"),
        pytest.param([(0, 1)], [0.4], [(0, 0.4)], id="one"),
        pytest.param(
            [(0, 1), (1, 2)], [0.1, 0.2], [(1, 0.2), (0, 0.1)], id="touching: no decay"
        ),
        # tIoU 1: exp(-1 / .5)
        pytest.param(
            [(0, 2), (0, 2)],
            [0.5, 0.5],
            [(0, 0.5), (1, 0.5 * math.exp(-2))],
            id="identical, tied",
        ),
        # the second overlaps the first by 1 / 2: .8 exp(-.25 / .5) = .485 < .6
        pytest.param(
            [(0, 2), (0, 1), (5, 6)],
            [0.9, 0.8, 0.6],
            [(0, 0.9), (2, 0.6), (1, 0.8 * math.exp(-0.5))],
            id="overtaken",
        ),
        # decayed by both: tIoU 1 / 2 with the first, 1 with the second
        pytest.param(
            [(0, 2), (0, 1), (0, 1)],
            [0.9, 0.8, 0.7],
            [(0, 0.9), (1, 0.8 * math.exp(-0.5)), (2, 0.7 * math.exp(-0.5 - 2))],
            id="decayed twice",
        ),
        # a negative score times a decay would rise
        pytest.param(
            [(0, 2), (0, 2), (0, 2)],
            [-0.1, 0.5, 0.0],
            [(1, 0.5), (2, 0.0), (0, -0.1)],
            id="not above zero: no decay",
        ),
    ],
)
def test_suppress_softly(intervals, score, expected):
    order, decayed = softly(intervals, score)
    assert order == [i for i, _ in expected]
    assert decayed == pytest.approx([value for _, value in expected])


@repeatable
@given(cases, st.sampled_from([0.1, 0.5, 2.0]), st.integers(0, 2**32))
def test_suppress_softly_equals_its_twin(rows, sigma, seed):
    intervals = [(start, start + length) for start, length, _ in rows]
    # no two scores alike: ties are in the table above
    noise = np.random.default_rng(seed).random(len(rows)) / 8
    score = [row[2] / 4 + own for row, own in zip(rows, noise.tolist(), strict=True)]
    order, decayed = softly(intervals, score, sigma)
    expected_order, expected = suppressed_softly(intervals, score, sigma)
    assert order == expected_order
    assert decayed == pytest.approx(expected)


@repeatable
@given(st.integers(0, 300), st.integers(0, 2**32))
def test_suppress_softly_rounds_as_its_gathering_twin(n, seed):
    draw = np.random.default_rng(seed)
    start = draw.uniform(0, 60, n).round(1)
    end = start + draw.uniform(0.1, 20, n).round(1)
    score = draw.uniform(-0.2, 1, n).round(2)  # some are equal, zero or below
    order, decayed = suppress_softly(start, end, score, sigma=0.5)
    expected_order, expected = gathered_softly(start, end, score, 0.5)
    assert order.tolist() == expected_order.tolist()
    assert decayed.tolist() == expected.tolist()


@repeatable
@given(cases, st.integers(1, 6))
def test_suppress_softly_returns_the_first_of_all(rows, most):
    start, length, quarters = np.array(rows, dtype=float).reshape(-1, 3).T
    every = suppress_softly(start, start + length, quarters / 4, sigma=0.5)
    few = suppress_softly(start, start + length, quarters / 4, sigma=0.5, most=most)
    for whole, part in zip(every, few, strict=True):
        assert part.tolist() == whole[:most].tolist()


@repeatable
@given(cases)
def test_suppress_softly_keeps_all_and_raises_none(rows):
    intervals = [(start, start + length) for start, length, _ in rows]
    score = [quarters / 4 for _, _, quarters in rows]
    order, decayed = softly(intervals, score)
    assert sorted(order) == list(range(len(rows)))
    assert decayed == sorted(decayed, reverse=True)
    assert all(value <= score[i] for i, value in zip(order, decayed, strict=True))
