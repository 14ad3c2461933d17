"""acmnet label on recordings with tracks: the videos are found beside them."""

import socket

import pytest

from acmnet.cli.options.extractor_options import ExtractorOptions
from acmnet.cli.verbs.label import videos_of_tracks
from acmnet.data.label_files import read_annotations
from support.commands import refused

TRACKS = "{}DLC_resnet50_cageMay1shuffle1_500.csv"
KEYPOINTS = ("--extractor", "keypoints", "--fps", "10")


@pytest.fixture
def cages(tmp_path):
    """Give a folder of tracks of three recordings, and one of videos of two."""
    for folder, names in (("tracks", "abc"), ("videos", "bcd")):
        (tmp_path / folder).mkdir()
        for name in names:
            file = TRACKS.format(name) if folder == "tracks" else f"{name}.mp4"
            (tmp_path / folder / file).write_text("")
    return tmp_path


def test_videos_are_found_by_the_names_of_their_recordings(cages, capsys):
    found = videos_of_tracks(cages / "videos", cages / "tracks")
    assert found == {name: cages / "videos" / f"{name}.mp4" for name in "bc"}
    told = " ".join(capsys.readouterr().err.split())
    assert "1 of 3 recordings has no video in" in told
    assert "cannot be marked here: 'a'" in told
    assert "1 of 3 videos has no tracks in" in told
    for name in "abc":  # both in one folder
        (cages / "videos" / TRACKS.format(name)).write_text("")
    beside = videos_of_tracks(cages / "videos", cages / "videos")
    assert set(beside) == {"b", "c"}


def test_without_any_video_the_refusal_says_what_to_do(acmnet, cages):
    asked = ("label", cages / "tracks", "--out", "labels.json")
    words = "no video in", "is called a.mp4", "--tracks"
    refused(acmnet(*asked, *KEYPOINTS), *words)
    result = acmnet(*asked)
    refused(result, "holds no video", "give --extractor keypoints")
    result = acmnet(*asked, "--tracks", cages / "tracks")
    refused(result, "--tracks is for --extractor keypoints", code=2)


@pytest.mark.parametrize(
    ("out", "named", "words"),
    [
        ("x.eaf", (), ("for one video, so --out must be a folder: --out x/ ", "elan")),
        ("x/", ("--to-format", "cvat"), ("counts frames", "one known frame rate")),
        ("x.boriss", (), ("does not tell the format", "did you mean '.boris'? name")),
    ],
)
def test_a_label_file_that_could_not_be_written_is_refused(
    acmnet, cages, out, named, words
):
    """The files have no frames, so nobody knows how many there are in a second."""
    asked = acmnet("label", cages / "videos", "--out", out, *named)
    refused(asked, *words, code=1 if out == "x.boriss" else 2)


def test_an_empty_folder_gets_the_labels_that_are_given(acmnet, cages):
    (cages / "labels.csv").write_text("video,labels,start,end\nb,run,1,2\n")
    (cages / "elan").mkdir()
    asked = ("label", "videos", "--labels", "labels.csv", "--out", "elan/")
    asked += ("--to-format", "elan")
    with socket.create_server(("127.0.0.1", 0)) as taken:  # so that it ends by itself
        result = acmnet(*asked, "--port", taken.getsockname()[1])
    refused(result, "of this machine cannot be used", code=2)
    kept = (cages / "elan.bench" / "labels.json", cages / "elan" / "b.eaf")
    for path in kept:
        (one,) = read_annotations(path).videos["b"].instances
        assert (one.label, one.segment.start_s, one.segment.end_s) == ("run", 1, 2)
    refused(acmnet(*asked), "elan is there already", "leave out --labels", code=2)


def test_the_folder_of_a_run_on_tracks_may_hold_no_video(acmnet, tiny_run, cages):
    result = acmnet("view", tiny_run, "--videos", cages / "tracks")
    refused(result, "give the folder of the videos", "or leave --videos out")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, ["--extractor", "auto"]),
        (
            {"extractor": "keypoints", "points": ["nose", "tail"], "individuals": 2},
            [*KEYPOINTS[:2], "--points", "nose,tail", "--individuals", "2"],
        ),
        (
            {"extractor": "keypoints", "pool_individuals": True, "directions": False},
            [*KEYPOINTS[:2], "--pool-individuals", "--no-directions"],
        ),
        (
            {"extractor": "keypoints+motion", "tracks": "tracks"},
            ["--extractor", "keypoints+motion", "--tracks", "tracks"],
        ),
    ],
)
def test_options_of_extraction_reach_each_round(given, words):
    assert list(ExtractorOptions(**given).words()) == words
