"""The estimator for arrays in memory, by scikit-learn's own checks and by its use."""

import os
import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import estimator_checks

from acmnet import ACMNetLocalizer, Detections, SnippetGrid

FEW = {"training.epochs": 1, "model.width": 4, "sampling.snippets": 4}
NO_NUMBERS = "predict returns detections, which cannot be subtracted from each other"
EXPECTED = {
    "check_estimators_pickle": NO_NUMBERS,
    "check_methods_sample_order_invariance": NO_NUMBERS,
    "check_methods_subset_invariance": NO_NUMBERS,
    "check_fit_idempotent": NO_NUMBERS,
}
"""scikit-learn's checks that do not apply, and why. They are made without predict."""


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch):
    """Let the 80 fits not wait for the disk: their folders are removed at once."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


def quick(**given):
    return ACMNetLocalizer(
        profile="corrected", overrides=FEW, **{"random_state": 0, **given}
    )


def test_scikit_learns_checks():
    results = estimator_checks.check_estimator(
        quick(), expected_failed_checks=EXPECTED, on_fail=None, on_skip=None
    )
    status = {}
    for result in results:
        status.setdefault(result["status"], set()).add(result["check_name"])
    assert set(status) == {"passed", "xfail", "skipped"}
    assert status["xfail"] == set(EXPECTED)
    # scikit-learn makes this one only where SCIPY_ARRAY_API is set
    assert status["skipped"] == {"check_array_api_input"}
    assert len(status["passed"]) > 30


class NumbersAlone(ACMNetLocalizer):
    """The estimator without predict, so that checks compare its numbers."""

    @property
    def predict(self):
        """Hide that the estimator predicts."""
        raise AttributeError("predict")


@pytest.mark.parametrize("name", EXPECTED)
def test_the_other_checks_hold_for_the_scores_of_videos(name):
    estimator = NumbersAlone(**quick().get_params())
    assert not hasattr(estimator, "predict")
    getattr(estimator_checks, name)("NumbersAlone", estimator)


def two_actions(n=12, seed=0):
    """Return videos of different lengths in which jump or run happens, and names."""
    rng = np.random.default_rng(seed)
    videos, names = [], []
    for i in range(n):
        video = rng.normal(size=(30 + i, 8))
        video[10:20, :4] += 3 * (i % 2)
        video[10:20, 4:] += 3 * (1 - i % 2)
        videos.append(video)
        names.append([["run", "jump"][i % 2]])
    return videos, names


def learner():
    epochs = {"training.epochs": 100, "training.learning_rate": 1e-3}
    return ACMNetLocalizer(profile="corrected", overrides=epochs, random_state=3)


def test_it_learns_from_names_and_finds_times():
    videos, names = two_actions()
    grid = SnippetGrid(fps=10, snippet_frames=10, stride_frames=10)
    found = learner().set_params(grid=grid).fit(videos, names)
    assert found.classes_.tolist() == ["jump", "run"]
    assert found.n_features_in_ == 8
    others, truth = two_actions(6, seed=1)
    predicted = found.predict(others)
    assert all(isinstance(one, Detections) for one in predicted)
    for one, (name,) in zip(predicted, truth, strict=True):
        best = one[int(one.score.argmax())]
        assert best.label == name
        assert 5 <= best.start_s < best.end_s <= 25  # of the true 10 to 20 s
    assert found.score(others, truth) == 1.0
    assert found.decision_function(others).shape == (6, 2)
    assert found.score(others, [["jump" if x == ["run"] else "run"] for x in truth]) < 1
    again = pickle.loads(pickle.dumps(found))  # noqa: S301 - made here
    assert again.decision_function(others).tolist() == (
        found.decision_function(others).tolist()
    )


def test_one_seed_gives_one_model_and_clones_forget_theirs():
    videos = np.random.default_rng(0).normal(size=(4, 6, 5))
    names = [["a"], ["a", "b"], [], ["b"]]
    one, other, different = (
        quick(random_state=seed).fit(videos, names).decision_function(videos)
        for seed in (1, 1, 2)
    )
    assert one.tolist() == other.tolist() != different.tolist()
    fitted = quick().fit(videos, names)
    fresh = clone(fitted)
    assert fresh.get_params() == fitted.get_params()
    with pytest.raises(NotFittedError):
        fresh.predict(videos)


@pytest.mark.parametrize("make", [np.array, pd.DataFrame])
def test_an_indicator_array_names_classes_by_their_numbers(make):
    videos = np.random.default_rng(0).normal(size=(3, 6, 5))
    found = quick().fit(videos, make([[1, 0, 1], [0, 0, 1], [0, 0, 0]]))
    assert found.classes_.tolist() == ["0", "2"]


@pytest.mark.parametrize(
    ("given", "names", "message"),
    [
        (np.zeros((2, 3, 4, 5)), ["a", "b"], r"must have shape \(videos, T, D\), got"),
        ([np.zeros((3, 4)), np.zeros((3, 5))], ["a", "b"], r"columns, got \[4, 5\]"),
        (np.zeros((2, 3, 4)), ["a"], r"inconsistent numbers of samples: \[2, 1\]"),
        (np.zeros((2, 3, 4)), "ab", "got the text 'ab'"),
        (np.zeros((2, 3, 4)), np.array([[1, 2], [0, 1]]), "must hold 0 and 1 alone"),
        (np.zeros((2, 3, 4)), [[None], ["b"]], "Unknown label type: .* got None"),
        (np.zeros((2, 3, 4)), None, "requires y to be passed"),
        (np.full((2, 3, 4), np.nan), ["a", "b"], "contains NaN"),
    ],
)
def test_what_fit_refuses(given, names, message):
    with pytest.raises(ValueError, match=message):
        quick().fit(given, names)


def test_other_columns_and_no_names_are_refused():
    videos = np.zeros((2, 3, 4))
    found = quick().fit(videos, ["a", "b"])
    with pytest.raises(ValueError, match="X has 5 features, but ACMNetLocalizer is"):
        found.predict(np.zeros((2, 3, 5)))
    with pytest.raises(ValueError, match="y names no action in any video"):
        found.score(videos, [[], []])


def test_without_scikit_learn_one_sentence_says_how_to_install_it():
    code = "import sys; sys.modules['sklearn'] = None; import acmnet\n"
    code += "try:\n    acmnet.ACMNetLocalizer\nexcept ImportError as e:\n    print(e)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == (
        "ACMNetLocalizer needs scikit-learn, which is not installed: pip install "
        "'acmnet[sklearn]'"
    )
