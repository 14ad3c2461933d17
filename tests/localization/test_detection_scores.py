"""Scores in [0, 1] for one's own videos, in the order of those before."""

import dataclasses
import shutil

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from acmnet.checkpoints.checkpoint import weights_sha256
from acmnet.data.labelled_features import DataSource, open_data
from acmnet.evaluation.reports import evaluate
from acmnet.inference.localized_videos import localize_videos
from acmnet.localization.detection_scores import KEPT_UP_TO, NEGATIVE_SHARE, unit_scores
from acmnet.models.calibration_curves import Curve
from acmnet.models.stored_calibration import (
    Calibration,
    CalibrationError,
    ClassCalibration,
    plain_settings,
    read_calibration,
    write_calibration,
)
from acmnet.models.stored_model import load
from acmnet.recipes import PROFILES, recipe
from acmnet.segments import Detections
from acmnet.validation.ablation import training_id
from support.runs import edit_config
from support.worlds import truth_of

REACHED = st.floats(-1.0, 2.25)


@given(REACHED, st.floats(1e-13, 3.0))
def test_a_higher_score_stays_higher(score, more):
    low, high = unit_scores(np.array([score, min(score + more, 2.25)]))
    if score + more <= 2.25:
        assert 0.0 <= low < high <= 1.0


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(0, 1e300))
def test_no_score_falls_or_leaves_its_range(score, more):
    low, high = unit_scores(np.array([score, score + more]))
    assert 0.0 <= low <= high <= 1.0


def test_neighbouring_floats_never_change_places():
    # around every change of the formula
    for at in (-1.0, 0.0, KEPT_UP_TO, KEPT_UP_TO / (1 - NEGATIVE_SHARE), 1.0, 2.25):
        near = [at]
        for _ in range(200):
            near = [np.nextafter(near[0], -9), *near, np.nextafter(near[-1], 9)]
        assert (np.diff(unit_scores(np.array(near))) >= 0).all()


@given(st.floats(0.0, KEPT_UP_TO))
def test_most_scores_keep_their_value(score):
    assert unit_scores(np.array(score)) == pytest.approx(score, abs=NEGATIVE_SHARE)


@pytest.mark.parametrize("profile", PROFILES)
def test_only_the_authors_profiles_keep_their_scores(profile):
    settings = recipe("default", profile=profile).localization
    assert settings.unit_scores == (profile in ("best", "corrected"))


WIDE = {
    "activation_thresholds": (0.001, 0.01),
    "activation_video_weight": 6.0,
    "attention_video_weight": -0.5,
}
"""A short training gives scores near 0: these spread them over the whole map."""


def both_ways(run, tiny_world, rules=WIDE):
    """Return the test videos, and their detections with scores before and after."""
    labels, features = tiny_world
    data = open_data(DataSource(labels, features, "test"))
    found = []
    for is_unit in (False, True):

        def changed(trained, is_unit=is_unit):
            own = dataclasses.replace(
                trained.localization, unit_scores=is_unit, **rules
            )
            return dataclasses.replace(trained, localization=own)

        found.append(localize_videos(load(run, settings=changed), data))
    return data.annotations, *found


def test_a_runs_ranking_and_map_stay_to_the_last_bit(tiny_run, tiny_world):
    truth, before, after = both_ways(tiny_run, tiny_world)
    scores = [np.concatenate([x.score for x in y.values()]) for y in (before, after)]
    assert scores[0].min() < 0.0 < KEPT_UP_TO < scores[0].max()  # both ends are bent
    assert 0.0 <= scores[1].min() <= scores[1].max() <= 1.0
    ranks = [np.unique(x, return_inverse=True)[1] for x in scores]
    np.testing.assert_array_equal(*ranks)  # ties included
    for video, found in before.items():
        np.testing.assert_array_equal(found.start_s, after[video].start_s)
        np.testing.assert_array_equal(found.class_index, after[video].class_index)
    reports = [evaluate(truth, x, tiou=(0.1, 0.3, 0.5)) for x in (before, after)]
    np.testing.assert_array_equal(reports[0].ap, reports[1].ap)


@given(st.lists(REACHED, min_size=1, max_size=12), st.integers(0, 2**32 - 1))
def test_map_stays_to_the_last_bit_on_random_scores(scores, seed):
    # scores as close as a map could confuse are no part of the law
    scores = np.round(scores, 12)
    random = np.random.default_rng(seed)
    start = random.uniform(0, 20, len(scores))
    label = random.integers(0, 2, len(scores))
    truth = truth_of(a=[("jump", 0, 5), ("run", 8, 15)], b=[("run", 2, 9)])
    average = []
    for own in (scores, unit_scores(scores)):
        rows = list(zip(start, start + 5, own, label, strict=True))
        found = {
            v: Detections.of(("jump", "run"), rows[i::2]) for i, v in enumerate("ab")
        }
        average.append(evaluate(truth, found, tiou=(0.1, 0.5)).ap)
    np.testing.assert_array_equal(*average)


def test_a_run_of_an_earlier_version_keeps_its_scores(tiny_run, tiny_world, tmp_path):
    old = tmp_path / "old"
    shutil.copytree(tiny_run, old)
    edit_config(old, lambda x: x["settings"]["localization"].pop("unit_scores"))
    assert load(tiny_run).settings.localization.unit_scores
    labels, features = tiny_world
    data = open_data(DataSource(labels, features, "test"))
    _, before, after = both_ways(tiny_run, tiny_world, {})
    for video, found in localize_videos(load(old), data).items():
        np.testing.assert_array_equal(found.score, before[video].score)
        assert (found.score != after[video].score).any()


def test_a_calibration_of_an_earlier_version_is_of_the_scores_before(
    tiny_run, tmp_path
):
    run = tmp_path / "run"
    shutil.copytree(tiny_run, run)
    now = load(run).settings.localization
    before = plain_settings(now)
    del before["unit_scores"]
    # the names of that version
    assert before.pop("class_threshold_scale") == "relative_to_best"
    assert before.pop("threshold_scale") == "absolute"
    before |= {"class_threshold_of": "best", "threshold_of": "one"}
    curve = Curve(np.array([0.1]), np.array([0.5]))
    known = ClassCalibration(
        curve=curve,
        threshold=None,
        detections=1,
        correct=1,
        targets=1,
        precision=None,
        recall=None,
    )
    write_calibration(
        run,
        Calibration(
            kind="labels",
            tiou=None,
            precision=0.7,
            classes={"jump": known},
            videos=2,
            ece={},
            source="",
            model_sha256=weights_sha256(run),
            localization=before,
        ),
    )
    old = dataclasses.replace(now, unit_scores=False)
    assert read_calibration(run, old) is not None
    with pytest.raises(CalibrationError, match="unit_scores = False, now it is True"):
        read_calibration(run, now)


def test_the_map_trains_nothing_again():
    names = set()
    for is_unit in (False, True):
        settings = recipe(
            "default", profile="best", overrides={"localization.unit_scores": is_unit}
        )
        names.add(training_id(settings))
    assert len(names) == 1
