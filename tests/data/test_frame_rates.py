"""Labels that count frames are read at the rate of the videos, wherever it is known."""

import csv

import av
import numpy as np
import pytest

from acmnet.data.label_files import read_annotations
from acmnet.data.labelled_features import DataSource, open_data
from acmnet.data.labels.annotations import AnnotationError
from acmnet.extraction.many_videos.video_search import frame_rates
from support.movies import plain, write_movie

FRAMES = 40


def write_table(path, first, after):
    """Write a table of DeepEthogram whose frames show ``run`` from first to after."""
    path.parent.mkdir(exist_ok=True)
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["", "background", "run"])
        for i in range(FRAMES):
            seen = int(first <= i < after)
            rows.writerow([i, 1 - seen, seen])


def first_picture(movie):
    with av.open(str(movie)) as container:
        return next(container.decode(video=0)).to_ndarray(format="rgb24")


def times(annotations, video):
    (one,) = annotations.videos[video].instances
    return one.segment.start_s, one.segment.end_s


def test_the_rate_of_each_video_is_that_of_its_file(tmp_path):
    for name, fps in (("slow", 10), ("fast", 40)):
        write_table(tmp_path / "labels" / f"{name}.csv", 10, 20)
        folder = tmp_path / "videos"
        folder.mkdir(exist_ok=True)
        write_movie(folder / f"{name}.mp4", plain(32, 32), fps=fps)
    write_table(tmp_path / "labels" / "left_out.csv", 10, 20)
    rates = frame_rates(tmp_path / "videos")
    found = read_annotations(tmp_path / "labels", rates)
    assert times(found, "slow") == (1.0, 2.0)
    assert times(found, "fast") == (0.25, 0.5)
    assert found.class_names == ("run",)
    nowhere = frame_rates(tmp_path / "nowhere")
    with pytest.raises(
        AnnotationError, match=r"counts frames .* give --label-fps RATE"
    ):
        read_annotations(tmp_path / "labels", nowhere)


def test_without_a_rate_that_of_the_features_is_taken_and_said(tiny_world, tmp_path):
    labels, features = tiny_world
    video = next(iter(open_data(DataSource(labels, features)).annotations.videos))
    write_table(tmp_path / "labels" / f"{video}.csv", 10, 20)
    source = DataSource(tmp_path / "labels", features)
    data = open_data(source)
    fps = data.store.grid.fps
    assert times(data.annotations, video) == (10 / fps, 20 / fps)
    (sentence,) = data.annotations.notes
    assert f"{fps:g} a second" in sentence
    assert "--label-fps" in sentence
    stated = open_data(DataSource(tmp_path / "labels", features, label_fps=20.0))
    assert times(stated.annotations, video) == (0.5, 1.0)
    assert stated.annotations.notes == ()


def test_verbs_that_read_labels_are_told_the_rate(acmnet, tiny_world, tmp_path):
    features = tiny_world[1]
    video = next(iter(open_data(DataSource(*tiny_world)).annotations.videos))
    write_table(tmp_path / "truth" / f"{video}.csv", 10, 20)
    budget = ("budget", "truth", "--out", "b")
    doctor = ("doctor", "--annotations", "truth")
    release = ("features", "other", features, "--annotations", "truth", "--out", "f")
    release += ("--fps", 25, "--snippet-frames", 16, "--stride-frames", 16)
    for asked in (budget, doctor, release):
        told = " ".join("".join(acmnet(*asked)[1:]).split())
        assert "give --label-fps RATE" in told
        told = " ".join("".join(acmnet(*asked, "--label-fps", 20)[1:]).split())
        assert "RATE" not in told
    rows = (tmp_path / "b" / "bouts.csv").read_text("utf-8-sig").splitlines()
    assert rows[1] == f"{video},run,0.5,1.0,0.5"
    told = acmnet(*doctor, "--features", features)[1]  # as training reads it
    assert "1 instance" in told
    assert "RATE" not in told


def test_evaluate_is_told_the_rate(acmnet, tmp_path):
    write_table(tmp_path / "truth" / "a.csv", 10, 20)
    found = tmp_path / "found.csv"
    found.write_text("video,label,start,end,score\na,run,0.5,1.0,0.9\n")
    asked = ("evaluate", "--ground-truth", "truth", "--detections", "found.csv")
    code, _, err = acmnet(*asked)
    assert code == 1
    assert "give --label-fps RATE" in err
    code, out, _ = acmnet(*asked, "--label-fps", 20, "--tiou", "0.9")
    assert code == 0
    assert "100.0" in out
    assert acmnet(*asked, "--label-fps", 0)[0] == 2


def test_diagnose_simulate_and_import_are_told_the_rate(acmnet, tmp_path):
    write_table(tmp_path / "truth" / "a.csv", 10, 20)
    found = tmp_path / "found.csv"
    found.write_text("video,label,start,end,score\na,run,0.5,1.0,0.9\n")
    diagnose = ("diagnose", "--ground-truth", "truth", "--detections", "found.csv")
    simulate = ("simulate", "--annotations", "truth/a.csv", "--out", "made")
    brought = ("import", "no.pth", "--labels", "truth", "--out", "run")
    for asked in (diagnose, simulate, brought):
        code, _, err = acmnet(*asked)
        assert code == 1
        assert "give --label-fps RATE" in err
    code, out, _ = acmnet(*diagnose, "--label-fps", 20, "--tiou", "0.9")
    assert code == 0
    assert "mAP 100.00 %" in out
    assert acmnet(*simulate, "--label-fps", 20)[0] == 0
    made = read_annotations(tmp_path / "made" / "annotations.json")
    assert times(made, "a") == (0.5, 1.0)
    code, _, err = acmnet(*simulate, "--label-fps", 25)
    assert code == 1
    assert "its label_fps is 20.0, 25.0 was asked for" in err
    assert "no.pth" in acmnet(*brought, "--label-fps", 20)[2]


def test_render_takes_the_rate_of_the_video_for_true_segments(acmnet, tmp_path):
    write_table(tmp_path / "truth" / "a.csv", 10, 20)
    write_movie(tmp_path / "a.mp4", plain(32, 32, 1) * 20, fps=20)
    found = tmp_path / "found.csv"
    found.write_text("video,label,start,end,score\na,run,0.25,0.5,0.9\n")
    asked = ("render", "a.mp4", "--detections", "found.csv", "--annotations", "truth")
    for i, more in enumerate([(), ("--label-fps", 20), ("--label-fps", 40)]):
        assert acmnet(*asked, "--out", f"{i}.mp4", *more)[0] == 0
    by_file, as_stated, faster = (first_picture(tmp_path / f"{i}.mp4") for i in "012")
    assert np.array_equal(by_file, as_stated)
    assert not np.array_equal(by_file, faster)


def test_marks_for_suggest_are_read_at_the_rate_that_is_given(
    acmnet, tiny_world, tiny_run, tmp_path
):
    video = next(iter(open_data(DataSource(*tiny_world)).annotations.videos))
    write_table(tmp_path / "marks" / f"{video}.csv", 10, 20)
    asked = ("suggest", tiny_run, "--marks", "marks")
    code, _, err = acmnet(*asked)
    assert code == 1
    assert "give --label-fps RATE" in err
    assert acmnet(*asked, "--label-fps", 20)[0] == 0
