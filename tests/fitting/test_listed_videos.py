"""Which files `fit` opens before it extracts: those that were not read before."""

import shutil
from pathlib import Path

import pytest

from acmnet.data.label_files import read_annotations
from acmnet.extraction.extractors.extraction_settings import ExtractionSettings
from acmnet.extraction.many_videos.extraction_request import ExtractionRequest
from acmnet.extraction.many_videos.extraction_run import extract_videos
from acmnet.fitting.fit_request import FitRequest
from acmnet.fitting.listed_videos import ListedVideos, listed_files
from acmnet.recipes import recipe


@pytest.fixture
def listed(tiny_scenes, tmp_path):
    """Give three listed videos of which two are extracted."""
    folder, features = tmp_path / "videos", tmp_path / "features"
    folder.mkdir()
    for video in "abc":
        copied = tiny_scenes / "videos" / f"training_00{'abc'.index(video)}.mp4"
        shutil.copy(copied, folder / f"{video}.mp4")
    labels = tmp_path / "labels.csv"
    labels.write_text("video,labels\na,jump\nb,jump\nc,jump\n")
    two = {video: folder / f"{video}.mp4" for video in "ab"}
    settings = ExtractionSettings("motion")
    extract_videos(
        ExtractionRequest(videos=two, out=features, settings=settings, workers=1)
    )
    return ListedVideos(
        labels=labels,
        annotations=read_annotations(labels),
        folder=folder,
        subset=None,
        features=features,
    )


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"extractor": "i3d"}, r"unknown extractor 'i3d'; did you mean 'i3d-rgb'"),
        ({"workers": 0}, "workers must be at least 1, got 0"),
    ],
)
def test_what_cannot_extract_is_refused_before_a_video_is_opened(asked, message):
    """Opening the videos of a large folder takes minutes."""
    with pytest.raises(ValueError, match=message):
        FitRequest(
            videos=Path("videos"),
            labels=Path("labels.csv"),
            out=Path("run"),
            extraction=ExtractionSettings(asked.get("extractor", "motion")),
            recipe="default",
            profile="best",
            settings=recipe("default"),
            workers=asked.get("workers", 1),
        )


def opened(listed):
    """Return how far the opening of files was, each time that it was told."""
    told = []
    listed_files(listed, on_opened=lambda *how_far: told.append(how_far))
    return told


def test_only_files_without_features_are_opened(listed, tmp_path):
    assert opened(listed) == [(1, 1)]
    with (tmp_path / "videos" / "a.mp4").open("ab") as file:
        file.write(b"longer")
    (tmp_path / "features" / "b.npy").unlink()
    assert opened(listed) == [(1, 3), (2, 3), (3, 3)]


def test_a_file_that_was_replaced_by_a_broken_one_is_found_at_once(listed, tmp_path):
    (tmp_path / "videos" / "a.mp4").write_bytes(b"nothing")
    notes = []
    listed_files(listed, notes.append)
    assert "1 file cannot be opened: 'a'; the others go on" in notes[-1]
