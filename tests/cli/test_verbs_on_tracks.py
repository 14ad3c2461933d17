"""The verbs on files of tracks: drawn mice with planted behaviour to detections."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from acmnet.cli import main
from acmnet.data.features.feature_manifest import read_manifest
from acmnet.data.label_files import read_annotations
from acmnet.evaluation.reports import evaluate
from acmnet.extraction.many_videos.records import read_records
from acmnet.segments import Detections
from support.commands import refused
from support.drawn_mice import FPS, LENGTH_S, POINTS, drawn_mice, write_deeplabcut

ONE = ["--workers", "1"]
FIT = ["--extractor", "keypoints", "--profile", "corrected", *ONE]
FIT += ["--training.epochs", "20", "--training.batch-size", "4"]


@pytest.fixture(scope="module")
def mice(tmp_path_factory):
    """Give a folder of tracks and labels of recordings in which one thing happens."""
    folder = tmp_path_factory.mktemp("mice")
    (folder / "tracks").mkdir()
    videos = {}
    for i in range(12):
        behaviour, start_s = ("spin", "chase")[i % 2], 4 + (7 * i) % 28
        name = f"cage{i}"
        file = folder / "tracks" / f"{name}DLC_resnet50_cageMay1shuffle1_500.csv"
        write_deeplabcut(file, drawn_mice(behaviour, start_s, i))
        segments = [{"label": behaviour, "segment": [start_s, start_s + 6]}]
        videos[name] = {
            "subset": "training" if i < 8 else "validation",
            "duration": LENGTH_S,
            "annotations": segments,
        }
    (folder / "labels.json").write_text(json.dumps({"database": videos}))
    return folder


@pytest.fixture(scope="module")
def fitted(mice, tmp_path_factory):
    """Give a run of `acmnet fit` on the drawn mice."""
    out = tmp_path_factory.mktemp("fitted") / "run"
    labels = str(mice / "labels.json")
    main(
        [
            *("fit", str(mice / "tracks"), labels, "--out", str(out), "--fps", "10"),
            *("--subset", "training", *FIT),
        ]
    )
    return out


def found_in(run, videos, shift_s=0.0):
    """Return a run's detections, moved in time round the end of the recording."""
    results = json.loads((run / "detections.json").read_text())["results"]
    names = ("chase", "spin")
    found = {}
    for video in videos:
        rows = []
        for entry in results[video]:
            start, end = entry["segment"]
            moved = (start + shift_s) % LENGTH_S
            index = names.index(entry["label"])
            rows.append((moved, moved + end - start, entry["score"], index))
        found[video] = Detections.of(names, rows)
    return found


@pytest.mark.slow
def test_planted_behaviour_is_found_in_other_recordings(mice, fitted):
    truth = read_annotations(mice / "labels.json").subset("validation")
    found, moved = (
        float(evaluate(truth, found_in(fitted, truth.videos, x), tiou=[0.3]).map[0])
        for x in (0, LENGTH_S / 2)
    )
    assert found > 0.5
    assert moved < 0.2


@pytest.mark.slow
def test_localize_reads_tracks_as_the_run_was_made(acmnet, fitted, tmp_path):
    file = tmp_path / "newDLC_resnet50_cageMay1shuffle1_500.csv"
    write_deeplabcut(file, drawn_mice("spin", 10, seed=99))
    out = ("--out", "d.json", "--out", "d.csv", *ONE)
    code, _, err = acmnet("localize", file, "--run", fitted, *out)
    assert code == 0, err
    results = json.loads(Path("d.json").read_text())["results"]
    best = max(results["new"], key=lambda entry: entry["score"])
    assert best["label"] == "spin"
    assert best["segment"][0] < 13 < best["segment"][1]


@pytest.mark.slow
def test_extract_goes_on_and_sets_broken_tracks_aside(acmnet, mice):
    shutil.copytree(mice / "tracks", "tracks")
    Path("tracks/broken.csv").write_text("frame,nose_x,nose_y\n0,1,left\n")
    np.save("tracks/nothing.npy", np.full((50, 2, 4, 2), np.nan))
    asked = ("extract", "tracks", "--out", "f", "--extractor", "keypoints", *ONE)
    refused(acmnet(*asked), "cage0DLC", "does not state its frame rate; give --fps")
    refused(acmnet(*asked, "--fps", "0"), "fps must be above 0, got 0")
    result = acmnet(*asked, "--fps", "10")
    refused(result, "2 of 14 videos were left out", "f/failed", code=3)
    lines = Path("f/failed.jsonl").read_text().splitlines()
    failed = {x["video"]: x for x in map(json.loads, lines)}
    assert "column 'nose_y' must be a number or blank" in failed["broken"]["reason"]
    assert "it has no points 'nose'" in failed["nothing"]["reason"]
    assert {failure["kind"] for failure in failed.values()} == {"video"}
    code, out, err = acmnet("extract", "tracks", "--out", "f", *ONE)
    assert "holds features of keypoints" in err
    assert ("12 were there" in out, code) == (True, 3)
    assert "failed before and their files are the same" in err
    manifest = read_manifest("f")
    assert manifest.settings["tracks"]["points"] == list(POINTS)
    assert manifest.dimension == np.load("f/cage0.npy").shape[1]
    assert read_records("f")["cage3"].n_frames == LENGTH_S * FPS
    again = (*asked, "--fps", "20")
    refused(acmnet(*again), "features.json says", "fps 10.0", "20.0")


def test_slips_are_refused_with_a_hint(acmnet, mice):
    asked = ("extract", mice / "tracks", "--out", "f")
    refused(acmnet(*asked, "--extractor", "motion"), "give --extractor keypoints")
    options = ("--extractor", "motion", "--individuals", 2)
    result = acmnet(*asked, *options)
    refused(result, "--individuals is for --extractor keypoints or pose", code=2)
    keypoints = ("--extractor", "keypoints", "--fps", 10)
    refused(
        acmnet(*asked, *keypoints, "--points", "nose,paw"),
        "cage0DLC_resnet50_cageMay1shuffle1_500.csv: it has no point 'paw'",
    )
    refused(
        acmnet(*asked, *keypoints, "--individuals", 1),
        "it has 2 individuals, the features are of 1",
    )
    Path("empty").mkdir()
    refused(
        acmnet("extract", "empty", "--out", "f", *keypoints), "holds no file of tracks"
    )
