"""The detections that a run keeps: used while they hold, else found anew."""

import dataclasses
import os
import shutil

import numpy as np
import pytest

from acmnet.checkpoints.checkpoint import load_config
from acmnet.cli.verbs import localize, report
from acmnet.data.detections.detection_files import read_detections
from acmnet.data.features.feature_store import write_features
from acmnet.data.labelled_features import DataSource, open_data
from acmnet.inference import kept_detections
from acmnet.inference.kept_detections import (
    FOUND_FILE,
    KeptDetections,
    code_sha256,
    localize_unless_kept,
)
from acmnet.inference.localized_videos import localize_videos
from acmnet.models.stored_model import load
from acmnet.models.trained_model import TrainedModel
from acmnet.network.acm_net import ACMNet
from acmnet.recipes import from_values
from support.runs import replace_file, weights_file


def copied(run, place):
    """Copy a run without what other tests found with it."""
    return shutil.copytree(run, place, ignore=shutil.ignore_patterns(FOUND_FILE))


@pytest.fixture
def kept(tiny_run, tiny_world, tmp_path):
    """Give the file of a copied run with its test videos, and the model."""
    run = copied(tiny_run, tmp_path / "run")
    shutil.copytree(tiny_world[1], tmp_path / "features")
    data = open_data(DataSource(tiny_world[0], tmp_path / "features", "test"))
    config = load_config(run)
    settings = from_values(config.settings, "the run")
    return KeptDetections(
        run=run, settings=settings, class_names=config.class_names, data=data
    ), load(run)


def refused():
    raise AssertionError("a kept video was localised again")


def same(one, other):
    assert list(one) == list(other)
    for video, found in one.items():
        for name in ("start_s", "end_s", "score", "class_index"):
            assert np.array_equal(getattr(found, name), getattr(other[video], name))
            assert getattr(found, name).dtype == getattr(other[video], name).dtype
        assert found.class_names == other[video].class_names


def test_what_was_found_is_kept_to_the_last_digit(kept):
    file, model = kept
    assert file.read() == {}
    told = []
    first = localize_unless_kept(file, lambda: model, on_video=told.append)
    same(first, localize_videos(model, file.data))
    assert told == list(first)
    again = localize_unless_kept(file, refused, on_video=told.append)
    same(again, first)
    assert told == [*first, *first]


def test_a_training_keeps_what_it_finds_in_its_videos(
    tiny_run, tiny_world, acmnet, monkeypatch
):
    """`localize` then asks the networks about no other videos."""
    data = open_data(DataSource(*tiny_world, "training"))
    model = load(tiny_run)
    found = localize_videos(model, data)
    same(KeptDetections.of(model, tiny_run, data).read(), found)
    asked = []

    def noted(model, data, *given):
        asked.extend(data.annotations.videos)
        return localize_videos(model, data, *given)

    monkeypatch.setattr(localize, "localize_videos", noted)
    given = ("--features", tiny_world[1], "--annotations", tiny_world[0])
    code, _, err = acmnet("localize", "--run", tiny_run, *given, "--out", "found.json")
    assert code == 0, err
    assert not set(asked) & set(found)
    assert set(read_detections("found.json").video_ids) == {*asked, *found}


def test_a_video_whose_features_were_written_again_is_found_anew(kept):
    file, model = kept
    localize_unless_kept(file, lambda: model)
    video = next(iter(file.data.annotations.videos))
    features = file.data.store.read(video)
    write_features(file.data.store.directory, video, features.flip(0))
    changed = dataclasses.replace(file, data=open_data(file.data.source))
    assert set(changed.read()) == set(file.data.annotations.videos) - {video}
    results = localize_unless_kept(changed, lambda: model)
    same({video: results[video]}, {video: model.localize(features.flip(0))})
    assert list(results) == list(file.data.annotations.videos)


def test_other_weights_settings_or_classes_keep_nothing(kept):
    file, model = kept
    localize_unless_kept(file, lambda: model)
    rules = dataclasses.replace(file.settings.localization, nms_tiou=0.4)
    other = dataclasses.replace(file.settings, localization=rules)
    assert dataclasses.replace(file, settings=other).read() == {}
    names = tuple(reversed(file.class_names))
    assert dataclasses.replace(file, class_names=names).read() == {}
    assert len(file.read()) == 6
    content = bytearray(weights_file(file.run).read_bytes())
    content[-1] ^= 1
    replace_file(file.run, "model.safetensors", bytes(content))
    assert file.read() == {}


def test_code_that_finds_otherwise_keeps_nothing(kept, tmp_path, monkeypatch):
    """The digest follows what a file of these folders says, and what it is called."""
    (tmp_path / "localization").mkdir()
    (tmp_path / "localization" / "nms.py").write_text("LIMIT = 0.5")
    (tmp_path / "cli.py").write_text("")
    before = code_sha256.__wrapped__(tmp_path)
    (tmp_path / "cli.py").write_text("PAGE = 1")
    assert code_sha256.__wrapped__(tmp_path) == before
    (tmp_path / "localization" / "nms.py").write_text("LIMIT = 0.4")
    changed = code_sha256.__wrapped__(tmp_path)
    assert changed != before
    (tmp_path / "localization" / "nms.py").rename(tmp_path / "localization/soft.py")
    assert code_sha256.__wrapped__(tmp_path) not in (before, changed)
    file, model = kept
    localize_unless_kept(file, lambda: model)
    monkeypatch.setattr(kept_detections, "code_sha256", lambda: changed)
    assert file.read() == {}


def test_videos_of_another_subset_stay_kept(kept):
    file, model = kept
    localize_unless_kept(file, lambda: model)
    source = dataclasses.replace(file.data.source, subset="training")
    localize_unless_kept(
        dataclasses.replace(file, data=open_data(source)), lambda: model
    )
    whole = dataclasses.replace(source, subset=None)
    everything = dataclasses.replace(file, data=open_data(whole))
    assert len(localize_unless_kept(everything, refused)) == 18


@pytest.mark.parametrize("at", [0, 9, 100, -1])
def test_a_damaged_file_is_found_anew(kept, at):
    file, model = kept
    localize_unless_kept(file, lambda: model)
    path = file.run / FOUND_FILE
    content = bytearray(path.read_bytes())
    path.write_bytes(content[:at] if at else b"")
    same(localize_unless_kept(file, lambda: model), localize_videos(model, file.data))
    assert len(file.read()) == 6


def test_a_file_in_the_way_is_said_and_loses_nothing(kept):
    file, model = kept
    (file.run / FOUND_FILE).mkdir()
    told = []
    assert len(localize_unless_kept(file, lambda: model, on_note=told.append)) == 6
    assert FOUND_FILE in told[0]
    assert "found anew each time" in told[0]


def test_a_report_runs_each_network_once_a_video(
    acmnet, tiny_run, tmp_path, monkeypatch
):
    """A video's features are read once, and seen once by each network."""
    run = copied(tiny_run, tmp_path / "run")
    seen, localised = [], []
    says, localize = ACMNet.snippet_outputs, TrainedModel.localize

    def counted(self, features):
        seen.append(features.shape)
        return says(self, features)

    def located(self, *given):
        localised.append(given)
        return localize(self, *given)

    monkeypatch.setattr(ACMNet, "snippet_outputs", counted)
    monkeypatch.setattr(TrainedModel, "localize", located)
    code, out, _ = acmnet("report", run, "--out", "page.html")
    assert code == 0
    assert len(seen) == len(localised) == 18
    size = (tmp_path / "page.html").stat().st_size
    assert f"18 videos: page.html ({size / 1e6:.1f} MB)" in out
    first = (tmp_path / "page.html").read_bytes()
    acmnet("report", run, "--out", "page.html")
    assert (len(seen), len(localised)) == (36, 18)  # what was found is kept
    assert (tmp_path / "page.html").read_bytes() == first
    assert report.PAGE not in os.listdir(run)
