"""The extractor that is taken when none is named: one rule for all who ask."""

import inspect

import pytest

import acmnet
from acmnet.cli.options.extractor_options import ExtractorOptions
from acmnet.data.features.feature_manifest import FeatureManifest, write_manifest
from acmnet.extraction.default_extractor import AUTO, unnamed_extractor
from acmnet.extraction.extractors.i3d_choices import RGB_WEIGHTS
from acmnet.extraction.i3d.i3d_weights import list_weights
from acmnet.segments import SnippetGrid


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("ACMNET_HOME", str(tmp_path / "home"))


def installed():
    (path,) = (entry.path for entry in list_weights() if entry.name == RGB_WEIGHTS)
    path.parent.mkdir(parents=True)
    for part in (path, path.with_suffix(".json")):
        part.write_text("{}")  # whether it is right is seen when it is loaded


def features_of(folder, extractor):
    grid = SnippetGrid(fps=20.0, snippet_frames=8, stride_frames=8)
    settings = {"flow": "mid", "crop": "centre", "precision": "fp32"}
    manifest = FeatureManifest(
        grid=grid, dimension=3, extractor=extractor, settings=settings
    )
    write_manifest(folder, manifest)
    return folder


def test_without_weights_it_is_motion_and_says_what_would_be_better(tmp_path, capsys):
    settings = ExtractorOptions().settings(tmp_path)
    assert settings.extractor == "motion"
    told = capsys.readouterr().err
    assert "i3d-rgb-wide finds more actions: acmnet weights install" in told


def test_with_weights_it_is_the_one_that_finds_most(tmp_path, capsys):
    installed()
    settings = ExtractorOptions(stride_frames=8).settings(tmp_path)
    assert (settings.extractor, settings.stride_frames) == ("i3d-rgb-wide", 8)
    assert capsys.readouterr().err == ""


def test_features_that_are_there_are_gone_on_with_in_order(tmp_path):
    installed()
    own, earlier = tmp_path / "own", features_of(tmp_path / "earlier", "motion")
    told = []
    settings = unnamed_extractor({}, (own, earlier), told.append)
    assert (settings.extractor, settings.fps) == ("motion", 20.0)
    assert told == [f"{earlier} holds features of motion; this goes on with it"]
    features_of(own, "i3d-rgb")
    assert unnamed_extractor({}, (own, earlier), print).extractor == "i3d-rgb"
    asked = unnamed_extractor({"fps": 10.0}, (own, earlier), print)
    assert (asked.extractor, asked.fps) == ("i3d-rgb-wide", 10.0)


def test_the_python_call_follows_the_same_rule(tmp_path):
    assert inspect.signature(acmnet.fit).parameters["extractor"].default == AUTO
    labels, out = tmp_path / "labels.csv", tmp_path / "run"
    labels.write_text("video,labels\na.mp4,jump\n")
    features = features_of(out / "features", "i3d-rgb")
    told = []
    with pytest.raises(ValueError, match="holds no video"):
        acmnet.fit(tmp_path, labels, out, on_note=told.append)
    assert told[0] == f"{features} holds features of i3d-rgb; this goes on with it"
