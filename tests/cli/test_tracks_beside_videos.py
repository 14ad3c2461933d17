"""Videos and their tracks side by side: ``--extractor keypoints+motion``."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import acmnet
from acmnet.data.features.feature_manifest import read_manifest
from acmnet.extraction.many_videos.records import read_records
from support.commands import refused
from support.drawn_mice import FPS, POINTS, drawn_mice, write_deeplabcut, write_video_of

ONE = ("--workers", "1")
BOTH = ("--extractor", "keypoints+motion")
EXTRACT = ("extract", "videos", *BOTH, "--out", "f", *ONE)
SHORT_S = 4
"""Of a recording; extraction of the pictures takes most of the time of these tests."""


def recording(name, behaviour="spin", start_s=2, seed=0, length_s=SHORT_S):
    """Write the video and the tracks of one recording; they do not state their rate."""
    mice = drawn_mice(behaviour, start_s, seed, length_s)
    for folder in ("videos", "tracks"):
        Path(folder).mkdir(exist_ok=True)
    write_video_of(Path(f"videos/{name}.mp4"), mice)
    write_deeplabcut(Path(f"tracks/{name}DLC_resnet50_cageMay1shuffle1_500.csv"), mice)


def reasons():
    """Return why videos were left out of the directory of features, by id."""
    files = Path("f").glob("failed*.jsonl")
    lines = [json.loads(x) for file in files for x in file.read_text().splitlines()]
    return {line["video"]: line["reason"] for line in lines}


@pytest.fixture(autouse=True)
def two_recordings(tmp_path, monkeypatch):
    """Give a folder with videos and tracks of two recordings."""
    monkeypatch.chdir(tmp_path)
    recording("m1")
    recording("m2", "chase", seed=1)


def test_columns_are_those_of_each_alone_with_one_decoding(acmnet):
    code, out, err = acmnet(*EXTRACT, "--tracks", "tracks")
    assert (code, "2 videos extracted" in out) == (0, True), err
    # 25 frames a second of a recording at 10: its tracks are resampled, as frames are
    grid = ("--fps", FPS, "--snippet-frames", 16, "--stride-frames", 16)
    acmnet("extract", "videos", "--extractor", "motion", "--out", "m", *ONE)
    acmnet(*EXTRACT[:-4], "--tracks", "tracks", *grid, "--out", "at10", *ONE)
    keypoints = ("--extractor", "keypoints", *grid, "--out", "k", *ONE)
    acmnet("extract", "tracks", *keypoints)
    together, at_10 = read_manifest("f"), read_manifest("at10")
    assert together.columns == {
        "keypoints": read_manifest("k").dimension,
        "motion": read_manifest("m").dimension,
    }
    assert together.grid == read_manifest("m").grid
    assert together.streams == ("keypoints", "appearance", "motion")
    assert at_10.settings["tracks"]["points"] == list(POINTS)
    n = together.columns["keypoints"]
    for video in ("m1", "m2"):
        both, alone = np.load(f"f/{video}.npy"), np.load(f"m/{video}.npy")
        np.testing.assert_array_equal(both[:, n:], alone)
        slow, tracks = np.load(f"at10/{video}.npy"), np.load(f"k/{video}.npy")
        np.testing.assert_array_equal(slow[:, :n], tracks)
    record = read_records("f")["m1"]
    assert record.source == "m1.mp4 + m1DLC_resnet50_cageMay1shuffle1_500.csv"
    assert record.cuts_s is not None


def test_it_goes_on_and_notices_tracks_that_changed(acmnet):
    asked = (*EXTRACT, "--tracks", "tracks")
    acmnet(*asked)
    # without --extractor, it goes on with what the directory holds
    again = ("extract", "videos", "--tracks", "tracks", "--out", "f", *ONE)
    _, out, err = acmnet(*again)
    assert "2 were there already" in out, err
    recording("m1", seed=5)
    _, out, err = acmnet(*again)
    assert "1 video extracted" in out, err


def test_a_video_without_tracks_is_left_out_until_it_has_some(acmnet):
    [file] = Path("tracks").glob("m2*")
    file.rename("m2.csv")
    asked = (*EXTRACT, "--tracks", "tracks")
    refused(acmnet(*asked), "1 of 2 videos was left out", code=3)
    assert "m2.mp4 has no file of tracks" in reasons()["m2"]
    Path("m2.csv").rename(file)
    code, out, err = acmnet(*asked)
    assert (code, "1 video extracted" in out) == (0, True), err


def test_tracks_without_a_video_are_told_and_not_used(acmnet):
    shutil.copytree("tracks", "more")
    shutil.copy(next(Path("tracks").glob("m2*")), "more/m3.csv")
    code, _, err = acmnet(*EXTRACT, "--tracks", "more")
    assert code == 0
    assert "1 file of tracks has no video and is not used: 'm3'" in err


def test_tracks_of_another_length_are_refused(acmnet):
    recording("m3")
    write_deeplabcut(
        next(Path("tracks").glob("m3*")), drawn_mice("spin", 2, 0, length_s=SHORT_S - 1)
    )
    refused(acmnet(*EXTRACT, "--tracks", "tracks"), "1 of 3 videos", code=3)
    told = "holds 3.00 s of tracks, its video lasts 4.00 s; are they of the same"
    assert told in reasons()["m3"]


def test_tracks_that_state_another_rate_are_refused(acmnet):
    [file] = Path("tracks").glob("m1*")
    file.unlink()
    np.save("tracks/m1.npy", drawn_mice("spin", 2, 0, length_s=SHORT_S))
    layout = {"fps": 2 * FPS, "points": list(POINTS)}
    Path("tracks/m1.json").write_text(json.dumps(layout))
    refused(acmnet(*EXTRACT, "--tracks", "tracks"), "1 of 2 videos", code=3)
    assert "holds 2.00 s of tracks, its video lasts 4.00 s" in reasons()["m1"]


def test_half_a_second_of_difference_is_filled_up(acmnet):
    mice = drawn_mice("spin", 2, 0, length_s=SHORT_S)
    write_deeplabcut(next(Path("tracks").glob("m1*")), mice[: -FPS // 2])
    code, _, err = acmnet(*EXTRACT, "--tracks", "tracks")
    assert code == 0, err
    assert len(np.load("f/m1.npy")) == len(np.load("f/m2.npy"))


def test_tracks_may_lie_beside_the_videos(acmnet):
    for file in Path("tracks").iterdir():
        shutil.move(file, "videos")
    code, out, err = acmnet(*EXTRACT)
    assert (code, "2 videos extracted" in out) == (0, True), err
    one = ("extract", "videos/m1.mp4", *BOTH, "--out", "one", *ONE)
    code, out, err = acmnet(*one)
    assert (code, "1 video extracted" in out) == (0, True), err


@pytest.mark.parametrize(
    ("words", "sentence", "code"),
    [
        (("--extractor", "keypoints+pose"), "both keypoints and pose describe", 1),
        (
            ("--extractor", "motion", "--tracks", "tracks"),
            "--tracks is for --extractor keypoints",
            2,
        ),
        (
            ("--extractor", "auto", "--tracks", "tracks"),
            "reads no tracks, got tracks; leave --tracks out, or name --extractor "
            "keypoints+",
            1,
        ),
        (
            (*BOTH, "--tracks", "others"),
            "none of 2 videos has tracks: others/m9.csv is of a video called 'm9'",
            1,
        ),
        ((*BOTH,), "name the folder of the tracks with --tracks", 1),
    ],
)
def test_what_does_not_fit_is_refused(acmnet, words, sentence, code):
    Path("others").mkdir()
    shutil.copy(next(Path("tracks").glob("m1*")), "others/m9.csv")
    result = acmnet("extract", "videos", *words, "--out", "f", *ONE)
    refused(result, sentence, code=code)
    assert not Path("f").exists()


@pytest.fixture
def cages():
    """Give videos, tracks and labels of recordings in which one thing happens."""
    for folder in ("videos", "tracks"):  # of two_recordings, which come first
        shutil.rmtree(folder)
    lines = ["video,labels"]
    for i in range(6):
        behaviour = ("spin", "chase")[i % 2]
        recording(f"cage{i}", behaviour, 1 + (2 * i) % 5, i, length_s=12)
        lines.append(f"cage{i},{behaviour}")
    Path("labels.csv").write_text("\n".join(lines) + "\n")


@pytest.mark.slow
@pytest.mark.usefixtures("cages")
def test_fit_learns_from_both_and_localize_reads_both(acmnet):
    asked = ("fit", "videos", "labels.csv", *BOTH, "--tracks", "tracks", *ONE)
    short = ("--profile", "corrected", "--training.epochs", 20, "--model.width", 32)
    code, out, err = acmnet(*asked, *short, "--out", "run")
    assert code == 0, err
    assert "acmnet localize VIDEO --tracks TRACKS --run run" in out
    _, _, err = acmnet(*asked, *short, "--out", "run")
    assert "6 videos finished before and not done again" in err
    recording("new", "spin", 4, 99, length_s=12)
    new = ("localize", "videos/new.mp4", "--run", "run", "--out", "d.json", *ONE)
    refused(acmnet(*new), "videos holds no file of tracks")
    code, _, err = acmnet(*new, "--tracks", "tracks")
    assert code == 0, err
    found = json.loads(Path("d.json").read_text())["results"]["new"]
    assert max(found, key=lambda one: one["score"])["label"] == "spin"


@pytest.mark.slow
def test_python_fits_both():
    Path("labels.csv").write_text("video,labels\nm1,spin\nm2,chase\n")
    result = acmnet.fit(
        "videos",
        "labels.csv",
        "run",
        extractor="keypoints+motion",
        tracks="tracks",
        profile="corrected",
        overrides={"training.epochs": 2},
    )
    assert len(result.results) == 2
