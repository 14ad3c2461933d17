"""What a run keeps of its training videos: the score that detections are shown from."""

import dataclasses
import itertools
import shutil

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from acmnet.data.labelled_features import DataSource, open_data
from acmnet.inference.localized_videos import localize_videos
from acmnet.localization.detection_scores import separating_score
from acmnet.models.stored_model import load
from acmnet.models.training_summary import (
    SUMMARY_FILE,
    TrainingSummaryError,
    shown_score,
)
from acmnet.recipes import override, recipe
from acmnet.runs.run_request import RunRequest
from acmnet.runs.training_run import train_run
from support.runs import edit_config

SCORES = st.lists(st.floats(0.0, 1.0).map(lambda x: round(x, 3)), max_size=8)


def f1(carried, absent, threshold):
    found, wrong = (
        sum(x >= threshold for x in carried),
        sum(x >= threshold for x in absent),
    )
    return 2 * found / (len(carried) + found + wrong)


@given(SCORES, SCORES)
def test_no_other_score_separates_better(carried, absent):
    score = separating_score(np.array(carried), np.array(absent))
    if not carried or max(carried) == 0.0:
        assert score is None
        return
    assert 0.0 < score < 1.0
    levels = sorted({0.0, *carried, *absent})
    tried = [(a + b) / 2 for a, b in itertools.pairwise(levels)]
    best = max(f1(carried, absent, x) for x in tried)
    if any(x < score for x in absent) and f1(carried, absent, score) == best:
        return
    # everything would be kept: half of the usual best instead
    assert max(f1(carried, absent, x) for x in tried if x < min(absent, default=1)) == (
        pytest.approx(best)
    )
    assert score == pytest.approx(0.5 * np.median([x for x in carried if x > 0]))


def test_the_middle_of_the_widest_gap_is_taken():
    # any threshold from above 0.2 to 0.6 tells all videos apart
    found = separating_score(np.array([0.6, 0.9]), np.array([0.1, 0.2, -np.inf]))
    assert found == pytest.approx(0.4)


def best_request(tiny_world, out):
    few = {"training.epochs": 2, "teachers.count": 2, "student_training.epochs": 2}
    settings = recipe("default", profile="best", overrides=few | {"student.width": 8})
    data = open_data(DataSource(*tiny_world, "training"))
    return RunRequest(
        out=out, data=data, recipe="default", profile="best", settings=settings
    )


@pytest.fixture(scope="module")
def runs(tiny_world, tiny_run, tmp_path_factory):
    """Give a run of each kind: one network, and teachers with a student."""
    out = tmp_path_factory.mktemp("best") / "run"
    return {"corrected": tiny_run, "best": train_run(best_request(tiny_world, out))}


@pytest.mark.parametrize("profile", ["corrected", "best"])
def test_the_best_score_is_that_of_the_surest_detection(runs, tiny_world, profile):
    few = {"localization.class_threshold": 0.99}  # so that a class is not found

    model = load(runs[profile], settings=lambda trained: override(trained, few))
    data = open_data(DataSource(*tiny_world))
    missing = 0
    for video, found in localize_videos(model, data).items():
        expected = np.full(len(model.class_names), -np.inf)
        np.maximum.at(expected, found.class_index, found.score)
        missing += np.isinf(expected).sum()
        features = data.store.read(video)
        best = model.best_scores(features)
        np.testing.assert_allclose(best, expected, atol=1e-8)
        same, at_once = model.detections_and_best_scores(features)
        assert np.array_equal(at_once, best)
        for name in ("start_s", "end_s", "score", "class_index"):
            assert np.array_equal(getattr(same, name), getattr(found, name))
    assert missing > 0 or profile == "best"  # a student speaks of every class


@pytest.mark.parametrize("profile", ["corrected", "best"])
def test_a_run_knows_from_which_score_its_detections_are_shown(
    runs, tiny_world, profile
):
    data = open_data(DataSource(*tiny_world, "training"))
    model = load(runs[profile])
    carried, absent = [], []
    for video, found in localize_videos(model, data).items():
        for c, name in enumerate(model.class_names):
            best = found.score[found.class_index == c].max(initial=-np.inf)
            (carried if name in data.labels[video] else absent).append(best)
    expected = separating_score(np.array(carried), np.array(absent))
    assert shown_score(runs[profile]) == pytest.approx(expected, abs=1e-8)
    assert shown_score(runs[profile], model.settings) == shown_score(runs[profile])


def test_the_score_is_of_its_own_scale_and_training_only(tiny_run, tmp_path):
    model = load(tiny_run)
    rules = dataclasses.replace(model.settings.localization, unit_scores=False)
    other = dataclasses.replace(
        model, settings=dataclasses.replace(model.settings, localization=rules)
    )
    assert shown_score(tiny_run) is not None
    assert shown_score(tiny_run, other.settings) is None
    run = tmp_path / "run"
    shutil.copytree(tiny_run, run)
    edit_config(run, lambda config: config.update(epoch=config["epoch"] + 1))
    assert shown_score(run) is None
    (run / SUMMARY_FILE).unlink()
    assert shown_score(run) is None


@pytest.mark.parametrize(
    "text", ["[]", "{}", '{"format": 1, "unit_scores": true, "shown_from": "high"}']
)
def test_a_damaged_summary_is_refused(tiny_run, tmp_path, text):
    run = tmp_path / "run"
    shutil.copytree(tiny_run, run)
    (run / SUMMARY_FILE).write_text(text)
    with pytest.raises(TrainingSummaryError, match=r"json is damaged .*delete"):
        shown_score(run)
