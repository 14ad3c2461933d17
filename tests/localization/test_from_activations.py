"""Localization: the authors' detections, a literal twin, laws, refusals."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acmnet.localization.from_activations import (
    activation_runs,
    localize_activations,
    score_proposals,
    scores_of_intervals,
)
from acmnet.localization.localization_settings import LocalizationSettings
from acmnet.localization.thresholded_sequences import choose_classes, smoothed
from acmnet.localization.video_activations import VideoActivations
from acmnet.recipes import PROFILES, recipe
from acmnet.segments import SnippetGrid
from support.places import REFERENCE
from support.twins_localization import localize_literally

AUTHORS = json.loads((REFERENCE / "authors_localization.json").read_text())
DATASETS = {"THUMOS": "thumos14", "ActivityNet": "activitynet13"}

CORRECTED = recipe("thumos14").localization
OFFICIAL = recipe("thumos14", profile="official").localization
EDGE_TO_EDGE = SnippetGrid(fps=25, snippet_frames=16, stride_frames=16)
# one threshold on the CAS alone: the proposals can be drawn on paper
PLAIN = replace(CORRECTED, activation_thresholds=(0.5,), attention_thresholds=())

repeatable = settings(deadline=None, derandomize=True, database=None)


def rows_of(detections):
    """Each detection as ``(label, start_s, end_s, score)``."""
    return [(d.label, d.start_s, d.end_s, d.score) for d in detections]


def assert_same(detections, expected, tolerance):
    """Compare detection for detection: labels and order, times and scores."""
    found = rows_of(detections)
    assert [row[0] for row in found] == [row[0] for row in expected]
    numbers = [row[1:] for row in found], [row[1:] for row in expected]
    np.testing.assert_allclose(*numbers, rtol=0, atol=tolerance)


def cas_of(heights, n_classes=1):
    """Return a CAS of which the first class alone is above chance, by 0 to 1."""
    chance = 1 / (n_classes + 1)
    cas = np.full((len(heights), n_classes + 1), chance)
    cas[:, 0] = chance + np.array(heights) * (1 - chance)
    return cas


def detect(heights, rules, *, n_classes=1, attention=None, **given_grid):
    """Localise a video of which only the first class is ever active."""
    given_grid.setdefault("grid", EDGE_TO_EDGE)
    given_grid.setdefault("n_snippets", len(heights))
    quiet = np.zeros((len(heights), 3))
    if attention is not None:
        quiet[:, 0] = attention
    scores = np.zeros(n_classes + 1)
    scores[0] = 1.0
    names = [f"class {c}" for c in range(n_classes)]
    activations = VideoActivations(
        instance_cas=cas_of(heights, n_classes),
        attention=quiet,
        video_scores=scores,
        class_names=tuple(names),
        **given_grid,
    )
    return localize_activations(activations, rules)


def localize(settings=LocalizationSettings(), **said):
    """Localise a video, given what a network says of it as keywords."""
    return localize_activations(VideoActivations(**said), settings)


# --- the authors


@pytest.mark.parametrize("key", AUTHORS["detections"])
def test_agrees_with_the_authors(key):
    with np.load(REFERENCE / "authors_localization.npz") as case:
        found = localize(
            instance_cas=case[f"{key}|cas_instance"],
            attention=case[f"{key}|attention"],
            video_scores=case[f"{key}|video_scores"],
            n_snippets=int(case[f"{key}|snippets_before_sampling"]),
            grid=EDGE_TO_EDGE,
            class_names=tuple(AUTHORS["classes"]),
            settings=recipe(
                DATASETS[key.partition("|")[0]], profile="official"
            ).localization,
        )
    expected = [
        (row["label"], *row["segment"], row["score"])
        for row in AUTHORS["detections"][key]
    ]
    assert len(expected) > 0
    assert_same(found, expected, 1e-5)


# --- by hand


def test_centre_alignment_by_hand():
    # 4 cells a snippet; the middle of cell i is (i + .5) / 4 - .5 snippets from the
    # first centre: cells 3 to 8 lie at .375 .625 .875 1.125 1.375 1.625, so the one
    # active snippet reads .375 .625 .875 .875 .625 .375 there. At or above .5: cells
    # [4, 8), which is the snippet itself: .64 s to 1.28 s.
    # inner (.625 + .875) / 2 = .75; flank ceil(.2 * 4) = 1 cell each: .375
    found = detect([0.0, 1.0, 0.0], replace(PLAIN, upsampling=4))
    assert_same(found, [("class 0", 0.64, 1.28, 0.375)], 1e-12)


def test_left_alignment_by_hand():
    # 4 cells a snippet at 0 .25 .5 .75 | 1 ... snippets: the CAS .5 .9 rises by .1 a
    # cell and goes on past its last sample: .5 .6 .7 .8 .9 1. 1.1 1.2
    # at or above .85: cells [4, 8), .64 s to 1.28 s. inner 4.2 / 4 = 1.05; the flank
    # int(4 - .8) = 3 is set to 0 with all below the threshold
    rules = replace(
        OFFICIAL, upsampling=4, activation_thresholds=(0.85,), attention_thresholds=()
    )
    cas = np.array([[0.5, 0.5], [0.9, 0.1]])
    found = localize(
        instance_cas=cas,
        attention=np.zeros((2, 3)),
        video_scores=np.array([1.0, 0.0]),
        n_snippets=2,
        grid=EDGE_TO_EDGE,
        class_names=("jump",),
        settings=rules,
    )
    assert_same(found, [("jump", 0.64, 1.28, 1.05)], 1e-12)
    # not set to 0, the flank is .8
    unzeroed = detect([0.0, 0.8], replace(rules, contrast_zeroed=False))
    assert_same(unzeroed, [("class 0", 0.64, 1.28, 0.25)], 1e-12)


def test_attention_stands_for_every_chosen_class_and_weighs_in():
    # constant in time, one video-filling run of each: no flanks, contrast = mean.
    # alpha .25: .75 * CAS + .25 * .4; gamma .5 of the video score on attention's run
    rules = replace(
        PLAIN,
        activation_scale="softmax",
        activation_thresholds=(0.5,),
        attention_thresholds=(0.3,),
        attention_weight=0.25,
        attention_video_weight=0.5,
        activation_video_weight=0.1,
    )
    found = localize(
        instance_cas=np.tile([0.2, 0.6, 0.2], (2, 1)),
        attention=np.tile([0.4, 0.6, 0.0], (2, 1)),
        video_scores=np.array([0.4, 0.8, 0.9]),
        n_snippets=2,
        grid=EDGE_TO_EDGE,
        class_names=("jump", "run"),
        settings=rules,
    )
    # jump: .75 * .2 + .1 + .5 * .4 = .45; run: .75 * .6 + .1 + .5 * .8 = .95, which
    # beats the CAS's own .75 * .6 + .1 + .1 * .8 = .63
    expected = [("jump", 0.0, 1.28, 0.45), ("run", 0.0, 1.28, 0.95)]
    assert_same(found, expected, 1e-12)


def test_peak_makes_thresholds_relative():
    # half of the peak .875 * .4 = .35 is the line at .4375 of the height
    faint = [0.0, 0.4, 0.0]
    relative = replace(PLAIN, upsampling=4, threshold_scale="relative_to_peak")
    assert len(detect(faint, replace(PLAIN, upsampling=4))) == 0
    found = detect(faint, relative)
    assert_same(found, [("class 0", 0.64, 1.28, 0.4 * 0.375)], 1e-12)


def test_shortest_cells_drops_short_runs():
    rules = replace(PLAIN, upsampling=4)
    heights = [0.0, 1.0, 0.0]
    assert len(detect(heights, replace(rules, shortest_cells=4))) == 1
    assert len(detect(heights, replace(rules, shortest_cells=5))) == 0


@pytest.mark.parametrize(("runs", "kept"), [(250, 250), (300, 250), (2400, 600)])
def test_soft_nms_returns_so_many_of_a_class_and_the_best(runs, kept):
    # every second snippet is a run of its own, and none overlaps another
    heights = np.zeros(2 * runs)
    heights[::2] = np.random.default_rng(0).permutation(np.linspace(0.6, 1.0, runs))
    every = detect(heights, PLAIN)
    assert len(every) == runs
    found = detect(heights, replace(PLAIN, nms="soft"))
    assert len(found) == kept
    assert found.score.tolist() == sorted(every.score.tolist(), reverse=True)[:kept]


def test_soft_nms_keeps_what_hard_nms_drops():
    # one run of the CAS, one of attention, both fill the video: tIoU 1
    rules = replace(PLAIN, attention_thresholds=(0.5,))
    heights, attention = [0.8, 0.8], [0.8, 0.8]
    hard = detect(heights, rules, attention=attention)
    assert_same(hard, [("class 0", 0.0, 1.28, 0.8)], 1e-12)
    soft = detect(heights, replace(rules, nms="soft"), attention=attention)
    second = 0.8 * np.exp(-1 / 0.5)
    expected = [("class 0", 0.0, 1.28, 0.8), ("class 0", 0.0, 1.28, second)]
    assert_same(soft, expected, 1e-12)


def smoothed_literally(row, deviation):
    reach = math.ceil(3 * deviation)
    result = []
    for t in range(len(row)):
        near = range(max(t - reach, 0), min(t + reach + 1, len(row)))
        weights = [math.exp(-((i - t) ** 2) / (2 * deviation**2)) for i in near]
        total = math.fsum(w * row[i] for w, i in zip(weights, near, strict=True))
        result.append(total / math.fsum(weights))
    return result


@pytest.mark.parametrize("length", [1, 2, 6, 7, 40])
@pytest.mark.parametrize("deviation", [0.4, 1.0, 2.5])
def test_smoothing_equals_its_literal_twin(length, deviation):
    rows = np.random.default_rng(length).random((3, length))
    expected = [smoothed_literally(row.tolist(), deviation) for row in rows]
    np.testing.assert_allclose(smoothed(rows, deviation), expected, rtol=1e-12)


def test_both_cas_and_attention_are_smoothed_before_they_are_cut():
    heights, attention = np.array([[0, 0, 0.9, 0, 0.8, 0], [0, 0.7, 0, 0.9, 0.1, 0]])
    rules = replace(CORRECTED, smoothing_snippets=0.8)
    before = [smoothed(row[None], 0.8)[0] for row in (heights, attention)]
    expected = detect(before[0], CORRECTED, attention=before[1])
    assert_same(detect(heights, rules, attention=attention), rows_of(expected), 1e-12)
    plain = detect(heights, CORRECTED, attention=attention)
    assert rows_of(plain) != rows_of(expected)


# --- the twin

VARIANTS = {
    f"{name}, {profile}": recipe(name, profile=profile).localization
    for name in DATASETS.values()
    for profile in PROFILES
}
VARIANTS |= {
    "defaults": LocalizationSettings(),
    "soft": replace(CORRECTED, nms="soft"),
    "peak": replace(CORRECTED, threshold_scale="relative_to_peak"),
    "soft, peak, official": replace(
        OFFICIAL, nms="soft", threshold_scale="relative_to_peak"
    ),
    "CAS alone": replace(CORRECTED, attention_thresholds=()),
    "attention alone": replace(CORRECTED, activation_thresholds=()),
    "all at once": replace(
        CORRECTED,
        class_threshold=0.0,
        threshold_scale="relative_to_peak",
        upsampling=7,
        shortest_cells=1,
        attention_weight=0.4,
        contrast_outer="full",
        contrast_zeroed=True,
        activation_video_weight=0.3,
        nms_padding_s=0.5,
    ),
}


@st.composite
def videos(draw, grids, stretches, bits, lowest):
    """Draw fields of `VideoActivations`: a small video as the network would see it.

    With values of few bits on a binary grid every sum is exact, and a tie is a tie in
    any order of adding; with many bits no value lies exactly at a threshold. A
    ``lowest`` height below 0 makes snippets lie below chance.
    """
    n_sampled, n_classes = draw(st.integers(1, 7)), draw(st.sampled_from([1, 3]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    one = 2 ** draw(bits)
    heights = rng.integers(int(lowest * one), one, (n_sampled, n_classes + 1)) / one
    chance = 1 / (n_classes + 1)
    return {
        "instance_cas": chance + heights * (1 - chance),
        "attention": rng.integers(0, one, (n_sampled, 3)) / one,
        "video_scores": rng.random(n_classes + 1),
        "n_snippets": max(1, int(n_sampled * draw(stretches))),
        "grid": draw(grids),
        "class_names": tuple(f"class {c}" for c in range(n_classes)),
    }


binary_videos = videos(
    st.builds(
        SnippetGrid,
        fps=st.sampled_from([8.0, 32.0]),
        snippet_frames=st.sampled_from([16, 64]),
        stride_frames=st.sampled_from([4, 8, 16]),
    ),
    st.sampled_from([1, 2]),  # as it is, or sampled from twice as many snippets
    bits=st.sampled_from([3, 10]),
    lowest=-0.25,
)
any_videos = videos(
    st.builds(
        SnippetGrid,
        fps=st.sampled_from([25.0, 30.0, 29.97, 10.0]),
        snippet_frames=st.sampled_from([16, 17, 63, 8]),  # 8: gaps between them
        stride_frames=st.sampled_from([16, 15, 5, 3]),
    ),
    st.sampled_from([1, 1.3, 2.7, 0.5]),
    bits=st.just(40),
    lowest=0.01,
)


@pytest.mark.parametrize("variant", VARIANTS)
@settings(repeatable, max_examples=40)
@given(binary_videos)
def test_equals_its_twin(variant, video):
    rules = replace(VARIANTS[variant], upsampling=16)
    assert_same(
        localize(**video, settings=rules),
        localize_literally(*video.values(), rules),
        1e-12,
    )


@pytest.mark.parametrize("variant", VARIANTS)
@settings(repeatable, max_examples=10)
@given(any_videos)
def test_proposals_equal_their_twin_on_any_grid(variant, video):
    # a tIoU of 1 drops repeated intervals only, so that no rounding decides what stays
    rules = replace(VARIANTS[variant], nms="hard", nms_tiou=1.0, nms_padding_s=0.0)
    found = sorted(rows_of(localize(**video, settings=rules)))
    expected = sorted(localize_literally(*video.values(), rules))
    assert [row[0] for row in found] == [row[0] for row in expected]
    numbers = [row[1:] for row in found], [row[1:] for row in expected]
    np.testing.assert_allclose(*numbers, rtol=0, atol=1e-9)


# --- laws


@pytest.mark.parametrize("variant", VARIANTS)
@settings(repeatable, max_examples=15)
@given(any_videos)
def test_detections_stay_inside_the_video(variant, video):
    found = localize(**video, settings=VARIANTS[variant])
    span_s = video["grid"].span_s(video["n_snippets"])
    assert all(0.0 <= d.start_s < d.end_s <= span_s + 1e-9 for d in found)


@pytest.mark.parametrize("rules", [CORRECTED, OFFICIAL], ids=["corrected", "official"])
def test_detections_stay_inside_a_video_with_gaps_between_its_snippets(rules):
    # windows of 8 frames every 16: the last of two ends at 24 / 25 s
    gaps = SnippetGrid(fps=25, snippet_frames=8, stride_frames=16)
    found = detect([0.8, 0.8], rules, grid=gaps)
    assert [(d.start_s, d.end_s) for d in found] == [(0.0, 0.96)]


@settings(repeatable, max_examples=30)
@given(any_videos, st.randoms(use_true_random=False))
def test_each_class_is_localised_alone(video, random):
    # renaming and reordering the classes reorders the detections and nothing else
    names = video["class_names"]
    order = random.sample(range(len(names)), len(names))
    columns = [*order, len(names)]
    shuffled = video | {
        "instance_cas": video["instance_cas"][:, columns],
        "video_scores": video["video_scores"][columns],
        "class_names": tuple(names[c] for c in order),
    }
    found = sorted(rows_of(localize(**video)), key=lambda row: row[0])
    again = sorted(rows_of(localize(**shuffled)), key=lambda row: row[0])
    assert found == again


@settings(repeatable, max_examples=30)
@given(st.integers(1, 5), st.integers(0, 8), st.integers(0, 8), st.integers(0, 2**32))
def test_a_shifted_activation_shifts_its_detections(n_active, early, late, seed):
    # 4 quiet snippets on either side hold every flank: a run is shorter than 5 + 2
    # snippets, its flank than 1.4. Values of 10 bits keep every sum exact: of two
    # scores that tie, rounding would choose by where they lie in the video.
    grid = SnippetGrid(fps=32, snippet_frames=16, stride_frames=16)
    rules = replace(CORRECTED, upsampling=16)
    rng = np.random.default_rng(seed)
    active = rng.integers(0, 1024, (2, n_active)) / 1024
    tables = np.zeros((2, 2, n_active + 16))
    for table, before in zip(tables, (early, late), strict=True):
        table[:, 4 + before : 4 + before + n_active] = active
    first, second = (
        rows_of(detect(heights, rules, attention=attention, grid=grid))
        for heights, attention in tables
    )
    shift_s = (late - early) * grid.stride_s
    moved = [(name, a + shift_s, b + shift_s, score) for name, a, b, score in first]
    assert [row[:3] for row in second] == [row[:3] for row in moved]
    assert [row[3] for row in second] == pytest.approx([row[3] for row in moved])


@pytest.mark.parametrize("n_classes", [1, 2, 20, 200])
@pytest.mark.parametrize("variant", ["thumos14", "activitynet13"])
def test_corrected_does_not_depend_on_the_number_of_classes(variant, n_classes):
    # the softmax's floor is 1 / (C + 1); the heights above it are the same
    heights = [0.0, 0.03, 0.6, 0.7, 0.03, 0.0, 0.0, 0.4, 0.0]
    attention = [0.1, 0.1, 0.7, 0.8, 0.2, 0.1, 0.1, 0.6, 0.1]
    rules = recipe(variant).localization
    found = detect(heights, rules, n_classes=n_classes, attention=attention)
    reference = detect(heights, rules, n_classes=7, attention=attention)
    assert len(reference) > 1
    assert_same(found, rows_of(reference), 1e-12)


def test_official_selects_the_whole_video_of_one_class():
    # the floor 1 / 2 is above every threshold of the CAS; five classes' 1 / 6 is
    # above .15, twenty classes' 1 / 21 above none
    rules = replace(OFFICIAL, attention_thresholds=())
    heights = [0.0, 0.0, 0.0, 0.9, 0.0, 0.0, 0.0, 0.0]
    whole = [(d.start_s, d.end_s) for d in detect(heights, rules)]
    assert whole == [(0.0, pytest.approx(8 * 0.64))]
    of_twenty = [(d.start_s, d.end_s) for d in detect(heights, rules, n_classes=20)]
    assert all(end_s - start_s < 2.0 for start_s, end_s in of_twenty)
    with_attention = detect(heights, OFFICIAL, attention=heights)
    longest_s = max(d.end_s - d.start_s for d in with_attention)
    assert longest_s == pytest.approx(8 * 0.64)
    corrected = detect(heights, CORRECTED, attention=heights)
    assert all(d.end_s - d.start_s < 2.0 for d in corrected)


@pytest.mark.parametrize("variant", VARIANTS)
def test_one_snippet_is_a_video(variant):
    # attention and CAS hold their one value, which no flank can lower
    found = detect([0.8], VARIANTS[variant], attention=[0.8])
    assert {(d.start_s, d.end_s) for d in found} == {(0.0, 0.64)}


def test_one_snippet_by_hand():
    grid = SnippetGrid(fps=10, snippet_frames=16, stride_frames=5)
    found = detect([0.8], CORRECTED, grid=grid)  # the window, not the stride
    assert_same(found, [("class 0", 0.0, 1.6, 0.8)], 1e-12)


@pytest.mark.parametrize("n_classes", [1, 20])
@pytest.mark.parametrize("n_snippets", [1, 12])
def test_a_quiet_video_has_no_detections(n_classes, n_snippets):
    faint = np.full(n_snippets, 0.14)
    found = detect(faint, CORRECTED, n_classes=n_classes, attention=faint)
    assert len(found) == 0
    assert found.n_classes == n_classes


def test_a_value_exactly_at_the_threshold_is_in():
    rules = replace(PLAIN, activation_scale="softmax")
    assert len(detect([0.0, 0.0], rules)) == 1  # the floor 1 / 2 of one class
    barely_above = replace(rules, activation_thresholds=(np.nextafter(0.5, 1).item(),))
    assert len(detect([0.0, 0.0], barely_above)) == 0


@pytest.mark.parametrize("t", [2, 3, 6])
@pytest.mark.parametrize(
    ("window", "stride"),
    [(16, 16), (16, 8), (16, 5), (16, 3), (64, 8), (15, 4), (8, 16)],
)
def test_one_active_snippet_is_centred_on_its_window(window, stride, t):
    grid = SnippetGrid(fps=25, snippet_frames=window, stride_frames=stride)
    found = detect([float(i == t) for i in range(9)], CORRECTED, grid=grid)
    assert len(found) > 0
    for detection in found:
        # a centre that is on no cell's edge is off by half a cell at most
        middle_s = (detection.start_s + detection.end_s) / 2
        assert middle_s == pytest.approx(
            grid.centre_s(t), abs=grid.stride_s / CORRECTED.upsampling / 2 + 1e-9
        )


def test_one_active_sample_of_a_longer_video_is_centred_on_its_snippets():
    # 18 snippets sampled to 9: sample 3 stands for snippets 6 and 7
    heights = [float(i == 3) for i in range(9)]
    found = detect(heights, CORRECTED, n_snippets=18)
    middle_s = {round((d.start_s + d.end_s) / 2, 9) for d in found}
    assert middle_s == {round(EDGE_TO_EDGE.centre_s(6.5), 9)}


def test_left_alignment_is_half_a_snippet_early():
    # official: the triangle's top is at the left edge of snippet 3
    rules = replace(OFFICIAL, attention_thresholds=(), upsampling=100)
    heights = [float(i == 3) for i in range(9)]
    found = detect(heights, rules, n_classes=20)
    assert len(found) > 0
    for detection in found:
        middle_s = (detection.start_s + detection.end_s) / 2
        assert middle_s == pytest.approx(
            EDGE_TO_EDGE.centre_s(3) - EDGE_TO_EDGE.stride_s / 2, abs=0.0064
        )


# --- classes


@pytest.mark.parametrize(
    ("scores", "threshold", "of", "expected"),
    [
        pytest.param([0.3, 0.1, 0.4], 0.25, "absolute", [0, 2], id="above one"),
        pytest.param(
            [0.25, 0.5], 0.25, "absolute", [1], id="exactly at it is not above"
        ),
        pytest.param(
            [0.1, 0.24, 0.2], 0.25, "absolute", [1], id="none above: the best"
        ),
        pytest.param(
            [0.1, 0.2, 0.2], 0.25, "absolute", [1], id="none above, tied: first"
        ),
        pytest.param([0.25], 0.25, "absolute", [0], id="one class"),
        pytest.param(
            [0.1, 0.2, 0.9], 0.25, "relative_to_best", [2], id="a share of the best"
        ),
        # a quarter of .8 is .2
        pytest.param(
            [0.2, 0.21, 0.8],
            0.25,
            "relative_to_best",
            [1, 2],
            id="exactly at the share",
        ),
        pytest.param(
            [0.02, 0.02], 0.25, "relative_to_best", [0, 1], id="faint and tied"
        ),
        pytest.param(
            [0.0, 0.0], 0.25, "relative_to_best", [0], id="all zero: the first"
        ),
        pytest.param(
            [0.0, 0.1, 1e-9], 0.0, "relative_to_best", [1, 2], id="threshold zero"
        ),
        pytest.param([0.0, 0.1, 1e-9], 0.0, "absolute", [1, 2], id="zero, absolute"),
        pytest.param(
            [0.6, 0.59], 0.999, "relative_to_best", [0], id="threshold near one"
        ),
    ],
)
def test_choose_classes(scores, threshold, of, expected):
    rules = LocalizationSettings(class_threshold=threshold, class_threshold_scale=of)
    assert choose_classes(np.array(scores), rules).tolist() == expected


def test_the_background_is_never_chosen():
    video = {
        "instance_cas": np.array([[0.1, 0.9], [0.1, 0.9]]),
        "attention": np.full((2, 3), 0.5),
        "video_scores": np.array([0.01, 0.99]),
        "n_snippets": 2,
        "grid": EDGE_TO_EDGE,
        "class_names": ("jump",),
    }
    assert {d.label for d in localize(**video)} == {"jump"}


# --- refusals


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"activation_thresholds": (0.2, 0.0)},
            r"activation_t.* in \(0, 1\), got 0\.0",
        ),
        ({"activation_thresholds": (1.0,)}, r"activation_t.* in \(0, 1\), got 1\.0"),
        ({"attention_thresholds": (-0.1,)}, r"attention_t.* in \(0, 1\), got -0\.1"),
        ({"attention_thresholds": (float("nan"),)}, "attention_t.* number .*, got nan"),
        (
            {"activation_thresholds": (), "attention_thresholds": ()},
            "at least one activation or attention threshold is needed",
        ),
        ({"class_threshold": 1.0}, r"class_threshold must be in \[0, 1\), got 1\.0"),
        ({"class_threshold": -0.1}, r"class_threshold must be in \[0, 1\), got -0\.1"),
        ({"attention_weight": 1.1}, r"attention_weight must be in \[0, 1\], got 1\.1"),
        ({"attention_weight": -1.0}, r"attention_weight must be in \[0, 1\], got -1"),
        ({"nms_tiou": 0.0}, r"nms_tiou must be in \(0, 1\], got 0\.0"),
        ({"nms_tiou": 1.01}, r"nms_tiou must be in \(0, 1\], got 1\.01"),
        ({"upsampling": 0}, "upsampling must be at least 1, got 0"),
        ({"shortest_cells": 0}, "shortest_cells must be at least 1, got 0"),
        ({"test_snippets": -1}, "test_snippets must be at least 0, got -1"),
        ({"contrast_margin": 0.0}, r"contrast_margin must be above 0, got 0\.0"),
        ({"nms_padding_s": -1.0}, r"nms_padding_s must be at least 0, got -1\.0"),
        (
            {"smoothing_snippets": -0.1},
            r"smoothing_snippets must be at least 0, got -0\.1",
        ),
        ({"smoothing_snippets": np.inf}, "smoothing_snippets must .*, got inf"),
        ({"soft_nms_sigma": 0.0}, r"soft_nms_sigma must be above 0, got 0\.0"),
        ({"soft_nms_sigma": float("nan")}, "soft_nms_sigma must .*, got nan"),
    ],
)
def test_settings_refuse(changed, message):
    with pytest.raises(ValueError, match=message):
        LocalizationSettings(**changed)


@pytest.mark.parametrize(
    "changed",
    [
        {"class_threshold": 0.0},
        {"attention_weight": 1.0},
        {"attention_weight": 0.0},
        {"nms_tiou": 1.0},
        {"activation_thresholds": ()},
        {"attention_thresholds": ()},
    ],
)
def test_settings_allow_the_edge(changed):
    assert replace(CORRECTED, **changed)


def two_classes():
    """Return a video of 3 snippets and 2 classes, complete."""
    return {
        "instance_cas": np.full((3, 3), 1 / 3),
        "attention": np.full((3, 3), 1 / 3),
        "video_scores": np.full(3, 1 / 3),
        "n_snippets": 3,
        "grid": EDGE_TO_EDGE,
        "class_names": ("jump", "run"),
    }


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        pytest.param(
            {"instance_cas": np.zeros((3, 2))},
            r"instance_cas must have shape \(3, 3\) for 2 classes .*, got \(3, 2\)",
            id="no background column",
        ),
        pytest.param(
            {"instance_cas": np.zeros((4, 3))},
            r"attention must have shape \(4, 3\) for 2 classes .*, got \(3, 3\)",
            id="lengths differ",
        ),
        pytest.param(
            {"attention": np.zeros(3)},
            r"attention must have shape \(3, 3\) for 2 classes .*, got \(3,\)",
            id="instance attention alone",
        ),
        pytest.param(
            {"video_scores": np.zeros(2)},
            r"video_scores must have shape \(3,\) for 2 classes .*, got \(2,\)",
            id="no background score",
        ),
        pytest.param(
            {"class_names": ("jump",)},
            r"instance_cas must have shape \(3, 2\) for 1 classes .*, got \(3, 3\)",
            id="a name too few",
        ),
        pytest.param(
            {"instance_cas": np.zeros((0, 3)), "attention": np.zeros((0, 3))},
            r"instance_cas must have shape .* T >= 1 snippets, got \(0, 3\)",
            id="no snippets",
        ),
        pytest.param(
            {"cas": np.zeros((3, 2))},
            r"cas must have shape \(3, 3\) for 2 classes .*, got \(3, 2\)",
            id="another CAS before attention",
        ),
        pytest.param({"n_snippets": 0}, "n_snippets must be at least 1, got 0", id="0"),
    ],
)
def test_activations_refuse(changed, message):
    with pytest.raises(ValueError, match=message):
        VideoActivations(**(two_classes() | changed))


@pytest.mark.parametrize("name", ["instance_cas", "attention", "video_scores", "cas"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_activations_refuse_what_is_not_finite(name, value):
    video = two_classes() | {"cas": np.full((3, 3), 1 / 3)}
    video[name].flat[1] = value
    with pytest.raises(ValueError, match=f"{name} must be finite, got NaN or infinity"):
        VideoActivations(**video)


def test_no_classes_are_refused():
    none = {"instance_cas": np.ones((3, 1)), "video_scores": np.ones(1)}
    with pytest.raises(ValueError, match="must name at least one class, got none"):
        VideoActivations(**(two_classes() | none | {"class_names": ()}))


def test_a_sample_lies_where_it_is_drawn():
    # windows of 4 frames every 2 at 10 fps: the first middle at 0.2 s, then 0.2 s each;
    # half as many samples as snippets: each stands for two
    grid = SnippetGrid(fps=10, snippet_frames=4, stride_frames=2)
    video = VideoActivations(**(two_classes() | {"grid": grid, "n_snippets": 6}))
    assert video.centres_s == pytest.approx([0.2, 0.6, 1.0])
    assert (video.first_s, video.step_s) == pytest.approx((0.2, 0.4))


def test_nothing_stands_out_of_a_sequence_of_zeros():
    settings = replace(CORRECTED, threshold_scale="relative_to_peak")
    found = localize(
        instance_cas=np.tile([1 / 3, 1 / 3, 1 / 3], (4, 1)),
        attention=np.tile([0.0, 0.5, 0.5], (4, 1)),
        video_scores=np.array([0.9, 0.0, 0.1]),
        n_snippets=4,
        grid=SnippetGrid(25, 16, 16),
        class_names=("a", "b"),
        settings=settings,
    )
    assert len(found) == 0


def test_runs_of_the_activation_by_hand():
    """Two classes, chance 1/3: a CAS of 1 for snippets 2 to 4 of 8 is 1 above chance.

    Upsampled linearly by 4 between the middles of snippets 1 s apart, it is at or above
    0.5 from the middle between the middles of snippets 1 and 2, at 2 s, to 5 s.
    """
    cas = np.full((8, 3), 1 / 3)
    cas[2:5, 1] = 1.0
    settings = LocalizationSettings(activation_thresholds=(0.5, 0.75), upsampling=4)
    grid = SnippetGrid(fps=1.0, snippet_frames=1, stride_frames=1)
    video = VideoActivations(
        instance_cas=cas,
        attention=np.zeros((8, 3)),
        video_scores=np.array([0.1, 0.9, 0.0]),
        n_snippets=8,
        grid=grid,
        class_names=("jump", "run"),
    )
    runs = activation_runs(video, settings)
    assert runs.threshold.tolist() == [0.5, 0.75]
    assert runs.class_index.tolist() == [1, 1]
    assert runs.start_s == pytest.approx([2.0, 2.25])
    assert runs.end_s == pytest.approx([5.0, 4.75])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=9))
@repeatable
def test_an_interval_has_the_score_of_the_proposal_there(heights):
    video = VideoActivations(
        instance_cas=cas_of(heights, 2),
        attention=np.zeros((len(heights), 3)),
        video_scores=np.array([0.5, 0.4, 0.1]),
        n_snippets=len(heights),
        grid=EDGE_TO_EDGE,
        class_names=("a", "b"),
    )
    found = score_proposals(video, PLAIN)
    scores = scores_of_intervals(video, found.start_s, found.end_s, PLAIN)
    assert scores.shape == (len(found), 2)
    own = scores[np.arange(len(found)), found.class_index]
    np.testing.assert_allclose(own, found.score, atol=1e-9)


def test_an_interval_shorter_than_a_cell_has_the_score_of_one_cell():
    video = VideoActivations(**two_classes())
    cell_s = EDGE_TO_EDGE.stride_s / PLAIN.upsampling
    at = np.array([9 * cell_s])
    scores = scores_of_intervals(video, at, at, PLAIN)
    assert np.isfinite(scores).all()
    one_cell = scores_of_intervals(video, at, at + cell_s, PLAIN)
    np.testing.assert_array_equal(scores, one_cell)
