import dataclasses

import pytest
import torch

from acmnet import recipes
from acmnet.data.features.feature_manifest import FeatureManifest, write_manifest
from acmnet.extraction.extractors.extraction_settings import ExtractionSettings
from acmnet.extraction.many_videos.extraction_request import ExtractionRequest
from acmnet.extraction.shipped_extractors import make_extractor
from acmnet.fitting import duration_forecast as forecasts
from acmnet.fitting.duration_forecast import Forecast, forecast, trained_in
from support.extractions import write_movie


def small(profile, **changes):
    values = {
        "training.batch_size": 2,
        "training.epochs": 10,
        "sampling.snippets": 50,
        "model.width": 8,
    }
    return recipes.recipe("default", profile=profile, overrides=values | changes)


def extraction(files, folder):
    """Ask for the movement in some videos, in one process."""
    motion = ExtractionSettings("motion")
    return ExtractionRequest(
        videos=files, out=folder / "features", settings=motion, workers=1
    )


def stepping(monkeypatch):
    """Make each step take a second; return what was tried, in order."""
    tried = []

    def step_s(network, task, batch_size):
        tried.append((type(network).__name__, len(task.video_ids), batch_size))
        return 1.0

    monkeypatch.setattr(forecasts, "_step_s", step_s)
    return tried


def test_training_is_the_steps_of_all_networks(monkeypatch):
    tried = stepping(monkeypatch)
    settings = small("best", **{"student_training.batch_size": 4})
    assert settings.has_student
    # 5 videos in batches of 2 are 3 steps; those of the student are in one piece each
    student = settings.student_training
    longest = student.snippets
    expected = 10 * 3 * settings.teachers.count + student.epochs * 2
    assert trained_in([longest] * 5, 6, 3, settings) == expected
    # a video of two pieces more: 6 + 2 pieces make 2 steps of 4, 10 make 3
    more = trained_in([longest] * 5 + [2 * longest, 3 * longest], 6, 3, settings)
    assert more == 10 * 4 * settings.teachers.count + student.epochs * 3
    assert [name for name, *_ in tried[:2]] == ["ACMNet", "Student"]


def test_steps_are_really_taken():
    settings = small("corrected")
    once = trained_in([20, 30], 6, 2, settings)
    training = dataclasses.replace(settings.training, epochs=1_000_000)
    settings = dataclasses.replace(settings, training=training)
    assert 0 < once < 60 < trained_in([20, 30], 6, 2, settings)


def test_a_forecast_counts_only_videos_without_features(tmp_path, monkeypatch):
    stepping(monkeypatch)
    monkeypatch.setattr(forecasts, "LEAST_VIDEO_S", 1.0)
    monkeypatch.setattr(forecasts, "_seconds_of_a_second", lambda *_: 10.0)
    files = {
        name: write_movie(tmp_path / f"{name}.mp4", n_frames=50) for name in ("a", "b")
    }
    asked = extraction(files, tmp_path)
    for missing, expected_s in ((files, 40.0), ({"b": files["b"]}, 20.0)):
        found = forecast(missing, asked, small("corrected"), 2)
        assert found is not None
        assert found.extraction_s == pytest.approx(expected_s)
        # one batch in each of 10 epochs, and a single network is checked for as long
        assert found.training_s == 20.0


def test_nothing_is_set_up_where_all_videos_have_features(tmp_path, monkeypatch):
    stepping(monkeypatch)
    monkeypatch.setattr(forecasts, "LEAST_VIDEO_S", 1.0)
    monkeypatch.delattr(forecasts, "make_extractor")
    files = {"a": write_movie(tmp_path / "a.mp4", n_frames=50)}
    asked = extraction(files, tmp_path)
    grid = asked.settings.grid
    write_manifest(asked.out, FeatureManifest(grid=grid, dimension=6))
    found = forecast({}, asked, small("corrected"), 2)
    assert found == Forecast(0.0, 20.0)
    # names are learned before the last epoch, but not marks
    early = small("corrected", **{"training.early_end": 2.0})
    assert forecast({}, asked, early, 2) == Forecast(0.0, 20.0, may_end_early=True)
    assert forecast({}, asked, early, 2, has_marks=True) == found
    words = "this will take about 1 minute: 1 for features, at most 1 for training"
    assert Forecast(0.0, 20.0, may_end_early=True).sentence() == words


def test_teachers_that_share_the_cores_take_their_share_of_the_time(monkeypatch):
    stepping(monkeypatch)
    settings = small("best")
    alone = trained_in([20] * 5, 6, 3, settings)
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:  # three teachers of one thread each on two cores
        together = trained_in([20] * 5, 6, 3, settings)
    finally:
        torch.set_num_threads(threads)
    steps = 10 * 3 * settings.teachers.count
    assert settings.teachers.count == 3
    assert alone - together == steps / 2


def test_a_forecast_knows_that_few_videos_take_more_epochs(monkeypatch):
    stepping(monkeypatch)
    settings = small("corrected", **{"training.fewest_steps": 44})
    # 3 steps an epoch: 15 epochs instead of 10
    assert trained_in([20] * 5, 6, 3, settings) == 45
    assert trained_in([20] * 5, 6, 3, small("corrected")) == 30


def test_the_trial_describes_a_video_that_can_be_read(tmp_path):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    good = write_movie(tmp_path / "good.mp4", n_frames=60)
    motion = ExtractionSettings("motion")
    extractors = [make_extractor(motion) for _ in range(2)]
    recordings = [(broken,), (good,)]
    assert 0 < forecasts._seconds_of_a_second(recordings, extractors) < 10
    assert forecasts._seconds_of_a_second(recordings[:1], extractors) == 0


def test_little_video_gets_no_forecast(tmp_path):
    path = write_movie(tmp_path / "a.mp4")
    files = {"a": path}
    asked = extraction(files, tmp_path)
    assert forecast(files, asked, small("corrected"), 2) is None


def test_the_sentence():
    words = "this will take about 1 minute: 1 for features, 1 for training"
    assert Forecast(20.0, 10.0).sentence() == words
