"""The extractor that is taken when none is named."""

import pytest

from acmnet.cli.extractor_options import ExtractorOptions
from acmnet.extraction.i3d_choices import RGB_WEIGHTS
from acmnet.extraction.i3d_weights import list_weights


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("ACMNET_HOME", str(tmp_path / "home"))


def test_without_weights_it_is_motion_and_says_what_would_be_better(tmp_path, capsys):
    settings = ExtractorOptions().settings(tmp_path)
    assert settings.extractor == "motion"
    told = capsys.readouterr().err
    assert "i3d-rgb+motion finds more actions: acmnet weights install" in told


def test_with_weights_it_is_the_two_that_find_most(tmp_path, capsys):
    (path,) = (entry.path for entry in list_weights() if entry.name == RGB_WEIGHTS)
    path.parent.mkdir(parents=True)
    for part in (path, path.with_suffix(".json")):
        part.write_text("{}")  # whether it is right is seen when it is loaded
    settings = ExtractorOptions(stride_frames=8).settings(tmp_path)
    assert (settings.extractor, settings.stride_frames) == ("i3d-rgb+motion", 8)
    assert capsys.readouterr().err == ""
