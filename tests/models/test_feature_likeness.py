"""Videos that look unlike those that a run was trained on get a warning."""

import json
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from acmnet.data.labelled_features import DataSource, open_data
from acmnet.models.training_summary import Likeness, unlike_training

WORDS = "these videos look unlike those that the run was trained on"


def videos_of(seed, n, dimension=32, snippets=40):
    """Return features of a place: dimensions of their own scale, mixed by a matrix."""
    mixed = np.random.default_rng(99).normal(size=(dimension, dimension))
    scale = np.linspace(0.1, 3.0, dimension)
    random = np.random.default_rng(seed)
    own = random.normal(size=(n, 1, dimension)) / 2
    return (own + random.normal(size=(n, snippets, dimension))) @ mixed * scale


def test_like_videos_are_like_and_others_are_not():
    known, others = Likeness.of(videos_of(0, 40)), videos_of(1, 40)
    assert sum(map(known.is_unlike, others)) == 0
    assert all(known.is_unlike(10 * video) for video in others)
    assert all(known.is_unlike(video + 20.0) for video in others)


@settings(max_examples=25)
@given(st.integers(0, 1000), st.floats(1e-3, 1e3))
def test_the_unit_of_features_does_not_matter(seed, unit):
    videos = videos_of(seed, 8, 6, 5)
    more = np.concatenate([videos_of(seed + 1, 4, 6, 5), videos[:2] * 3])
    plain, scaled = Likeness.of(videos), Likeness.of(videos * unit)
    found = [(plain.is_unlike(x), scaled.is_unlike(x * unit)) for x in more]
    assert all(one == other for one, other in found)


def test_a_video_is_compared_with_the_others_only():
    # one that lies far off widens what is usual, but is not among its own measure
    videos = videos_of(0, 6, 4)
    expected = []
    for i in range(6):
        rest = np.delete(videos, i, axis=0)
        deviation = rest.reshape(-1, 4).std(axis=0)
        away = (videos[i].mean(axis=0) - rest.reshape(-1, 4).mean(axis=0)) / deviation
        expected.append(np.sqrt(np.square(away).mean()))
    assert Likeness.of(videos).usual == pytest.approx(np.quantile(expected, 0.95))


def test_a_constant_feature_and_too_few_videos():
    videos = videos_of(0, 6, 4)
    videos[:, :, 2] = 1.0
    known = Likeness.of(videos)
    assert not known.is_unlike(videos[0])
    assert known.is_unlike(np.full((3, 4), np.nan))
    assert Likeness.of(videos[:1]) is None
    again = Likeness.from_json(json.loads(json.dumps(known.to_json())))
    np.testing.assert_allclose(again.mean, known.mean, rtol=1e-5, atol=1e-6)
    for wrong in (None, {}, {"mean": [1], "deviation": [0], "usual": 1}):
        with pytest.raises(ValueError, match="statistics of features"):
            Likeness.from_json(wrong)


def test_real_gestures_of_the_other_half_are_like(shared_data):
    folder = shared_data / "shrec22" / "training" / "features"
    videos = [np.load(path) for path in sorted(folder.glob("*.npy"))]
    known, others = Likeness.of(videos[::2]), videos[1::2]
    assert sum(map(known.is_unlike, others)) <= 1
    assert all(known.is_unlike(10.0 * video.astype(np.float32)) for video in others)
    # another extractor of as many columns
    order = np.random.default_rng(0).permutation(videos[0].shape[1])
    assert all(known.is_unlike(video[:, order]) for video in others)


@pytest.fixture
def scaled(tiny_world, tmp_path):
    """Give the test videos, of which one has ten times the features."""
    labels, features = tiny_world
    data = open_data(DataSource(labels, features, "test"))
    folder = tmp_path / "scaled"
    folder.mkdir()
    (folder / "features.json").write_bytes((features / "features.json").read_bytes())
    for i, video in enumerate(data.annotations.videos):
        values = data.store.read(video).numpy()
        np.save(folder / f"{video}.npy", values * (10.0 if i == 2 else 1.0))
    return ["--annotations", labels, "--subset", "test", "--features", folder]


def test_localize_and_report_warn(acmnet, tiny_run, tiny_world, scaled):
    third = sorted(open_data(DataSource(*tiny_world, "test")).annotations.videos)[2]
    where = ["localize", "--run", tiny_run, "--out", "d.json"]
    code, _, err = acmnet(*where, *scaled)
    assert code == 0
    assert f"{WORDS} (1 of 6 looked at): '{third}'" in err
    labels, features = tiny_world
    plain = ["--annotations", labels, "--subset", "test", "--features", features]
    assert WORDS not in acmnet(*where, *plain)[2]
    assert WORDS in acmnet("report", tiny_run, "--out", "page.html", *scaled)[2]
    # on the page, too, where it starts a sentence
    assert WORDS[1:] in Path("page.html").read_text()


def test_training_videos_are_passed_over(tiny_run, tiny_world):
    assert unlike_training(tiny_run, open_data(DataSource(*tiny_world))) is None
