"""Cuts: no detection bridges one; without them, nothing changes."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acmnet.localization.from_activations import activation_runs, localize_activations
from acmnet.localization.from_boundaries import VideoCandidates, localize_candidates
from acmnet.localization.localization_settings import LocalizationSettings
from acmnet.localization.video_activations import VideoActivations
from acmnet.models.trained_model import TrainedModel
from acmnet.network.acm_net import ACMNet
from acmnet.network.student import Student
from acmnet.recipes import PROFILES, recipe
from acmnet.segments import SnippetGrid

GRID = SnippetGrid(fps=10, snippet_frames=10, stride_frames=10)
# one snippet a second; of one threshold on the CAS alone
PLAIN = LocalizationSettings(
    activation_thresholds=(0.5,), attention_thresholds=(), split_at_cuts=True
)
cuts = st.lists(st.floats(-1.0, 14.0), max_size=5).map(tuple)
fast = settings(deadline=None, derandomize=True, database=None, max_examples=40)


def said(heights, cuts_s=(), grid=GRID):
    """Return what a network says of a video in which one class is ever active."""
    cas = np.column_stack((0.5 + np.array(heights) / 2, 0.5 * np.ones(len(heights))))
    return VideoActivations(
        instance_cas=cas,
        attention=np.column_stack((heights, heights, heights)),
        video_scores=np.array([1.0, 0.0]),
        n_snippets=len(heights),
        grid=grid,
        class_names=("a",),
        cuts_s=tuple(cuts_s),
    )


def bridged(found, cuts_s):
    return [(d, c) for d in found for c in cuts_s if d.start_s < c < d.end_s]


@pytest.mark.parametrize("cut_s", [4.01, 3.99])
def test_a_run_is_split_and_its_flanks_end_at_the_cut(cut_s):
    # active in [2, 6] s
    video = said([0, 0, 1, 1, 1, 1, 0, 0], cuts_s=(cut_s,))
    runs = activation_runs(video, PLAIN)
    np.testing.assert_allclose(runs.start_s, [2.0, cut_s], atol=0.03)
    np.testing.assert_allclose(runs.end_s, [cut_s, 6.0], atol=0.03)
    # the cut, not the edge of the cell, which is at 4
    assert runs.end_s[0] == runs.start_s[1] == cut_s
    found = localize_activations(video, PLAIN)
    whole = localize_activations(said([0, 0, 1, 1, 1, 1, 0, 0]), PLAIN)
    assert len(found) == 2
    # a flank beyond the cut, where the action goes on, would halve the contrast
    assert found.score.min() > whole.score[0] - 0.15


def test_the_profiles_leave_cuts_alone_unless_asked():
    for profile in PROFILES:
        rules = recipe("default", profile=profile).localization
        heights = [0, 0.2, 0.9, 0.8, 0.9, 0.1, 0]
        plain, cut = (localize_activations(said(heights, c), rules) for c in ((), (3,)))
        assert [*plain] == [*cut]
        assert len(plain)
        split = localize_activations(
            said(heights, (3,)), replace(rules, split_at_cuts=True)
        )
        assert bridged(cut, (3,))
        assert not bridged(split, (3,))


@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=12),
    cuts,
    st.sampled_from(["thumos14", "default"]),
    st.sampled_from(PROFILES),
    st.sampled_from([GRID, SnippetGrid(fps=25, snippet_frames=16, stride_frames=5)]),
)
@fast
def test_no_detection_of_a_network_bridges_a_cut(heights, cuts_s, name, profile, grid):
    rules = replace(recipe(name, profile=profile).localization, split_at_cuts=True)
    video = said(heights, cuts_s, grid)
    found = localize_activations(video, rules)
    assert not bridged(found, cuts_s)
    assert found.end_s.max(initial=0.0) <= grid.span_s(len(heights))
    uncut = replace(video, cuts_s=())
    assert [*localize_activations(uncut, rules)] == [
        *localize_activations(uncut, replace(rules, split_at_cuts=False))
    ]


@given(st.integers(1, 12), cuts, st.integers(0, 2**32 - 1))
@fast
def test_no_candidate_of_a_student_bridges_a_cut(n, cuts_s, seed):
    rng = np.random.default_rng(seed)
    candidates = VideoCandidates(
        probability=rng.random((n, 2)),
        distance=4 * rng.random((n, 2)),
        grid=GRID,
        class_names=("a", "b"),
        cuts_s=cuts_s,
    )
    found = localize_candidates(candidates, sigma=0.5)
    assert not bridged(found, cuts_s)
    assert found.score.max() == pytest.approx(candidates.probability.max(), abs=1e-6)


def test_a_candidate_is_cut_off_at_the_cut_on_its_side():
    # snippet 2 (2.5 s) says [1, 4.5] s: the cuts at 2 and 4 s leave [2, 4] s
    probability = np.array([[0.0], [0.0], [0.75], [0.0], [0.0], [0.0]])
    distance = np.tile([1.5, 2.0], (6, 1))
    candidates = VideoCandidates(
        probability=probability,
        distance=distance,
        grid=GRID,
        class_names=("a",),
        cuts_s=(2.0, 4.0),
    )
    assert [(d.start_s, d.end_s) for d in localize_candidates(candidates, 0.5)] == [
        (2.0, 4.0)
    ]


@pytest.mark.parametrize("with_student", [False, True])
def test_a_model_heeds_cuts_only_with_the_setting(with_student):
    torch_features = np.random.default_rng(0).normal(size=(12, 8)).astype(np.float32)
    base = recipe("default", profile="best")
    model = TrainedModel(
        networks=(ACMNet(feature_dim=8, n_classes=2),),
        students=(Student(feature_dim=8, n_classes=2),) if with_student else (),
        settings=base,
        class_names=("jump", "run"),
        grid=GRID,
    )
    cut = tuple(np.arange(0.7, 12.0))
    plain = model.localize(torch_features)
    assert [*model.localize(torch_features, cuts_s=cut)] == [*plain]
    assert bridged(plain, cut)
    rules = replace(base.localization, split_at_cuts=True)
    splitting = replace(model, settings=replace(base, localization=rules))
    assert [*splitting.localize(torch_features)] == [*plain]
    found = splitting.localize(torch_features, cuts_s=cut)
    assert len(found)
    assert not bridged(found, cut)
    given_curves = splitting.activations(torch_features, cut)
    assert [*splitting.localize(torch_features, given_curves)] == [*found]
    best = splitting.best_scores(torch_features, cuts_s=cut)
    for c in np.unique(found.class_index):
        assert found.score[found.class_index == c].max() == pytest.approx(best[c])
