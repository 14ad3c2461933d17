"""What a training takes over from an earlier run beside its weights."""

import os

import numpy as np
import pytest

from acmnet.data.features.feature_manifest import FeatureManifest, write_manifest
from acmnet.data.features.feature_store import open_store, write_features
from acmnet.runs import earlier_run
from acmnet.runs.earlier_run import earlier_features, take_features
from acmnet.runs.run_request import RunError
from acmnet.segments import SnippetGrid


@pytest.fixture
def features(tmp_path):
    """Give a directory with the features and the records of two videos."""
    there = tmp_path / "there"
    grid = SnippetGrid(fps=10, snippet_frames=10, stride_frames=10)
    write_manifest(there, FeatureManifest(grid=grid, dimension=4))
    for video in ("a", "b"):
        write_features(there, video, np.ones((5, 4), np.float16))
        (there / "extracted").mkdir(exist_ok=True)
        (there / "extracted" / f"{video}.json").write_text("{}")
    (there / "failed.jsonl").write_text('{"video": "c"}\n')
    return there


def test_features_are_taken_without_space_of_their_own(features, tmp_path):
    here = tmp_path / "run" / "features"
    take_features(features, here)
    assert sorted(open_store(here).video_ids) == ["a", "b"]
    for name in ("a.npy", "extracted/a.json"):
        assert (here / name).samefile(features / name)
    # what extraction appends to, or a person may edit, is another file
    for name in ("failed.jsonl", "features.json"):
        assert not (here / name).samefile(features / name)


def test_features_that_are_there_stay(features, tmp_path):
    here = tmp_path / "run" / "features"
    write_features(here, "a", np.zeros((3, 4), np.float16))
    take_features(features, here)
    assert len(np.load(here / "a.npy")) == 3
    assert len(np.load(here / "b.npy")) == 5


def test_without_links_features_are_copied(features, tmp_path, monkeypatch):
    def link(*_):
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(earlier_run.os, "link", link)
    here = tmp_path / "run" / "features"
    take_features(features, here)
    assert (here / "b.npy").read_bytes() == (features / "b.npy").read_bytes()
    assert not os.path.samefile(here / "b.npy", features / "b.npy")


def test_a_record_comes_after_its_features(features, tmp_path, monkeypatch):
    here = tmp_path / "run" / "features"

    def stopped(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(earlier_run.os, "link", stopped)
    with pytest.raises(KeyboardInterrupt):
        take_features(features, here)
    assert not [path for path in here.rglob("*") if path.is_file()]


def test_features_that_are_gone_are_named(tiny_run, monkeypatch):
    monkeypatch.setattr(earlier_run, "features_of", lambda *_: None)
    with pytest.raises(RunError, match="no longer there; put them back, or leave --fr"):
        earlier_features(tiny_run)
