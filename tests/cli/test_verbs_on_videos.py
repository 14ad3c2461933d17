"""The verbs that begin with video files, and those that score: run as a user would."""

import contextlib
import csv
import io
import json
import os
import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest

from acmnet.checkpoints.checkpoint import load_config
from acmnet.cli import main
from acmnet.cli.terminal import progress
from acmnet.data.detections.detection_files import read_detections
from acmnet.data.features.feature_manifest import (
    FeatureManifest,
    read_manifest,
    write_manifest,
)
from acmnet.extraction.i3d.i3d_weights import list_weights
from acmnet.models.training_summary import shown_score
from acmnet.segments import SnippetGrid
from support.commands import refused
from support.runs import weights_file

ONE = ["--workers", "1"]
"""Each worker imports torch anew, which takes longer than the drawn videos do."""
FEW = ["--training.epochs", "3", "--training.batch-size", "4"]
FEW += ["--student-training.epochs", "2"]
OWN = """
import numpy as np
from acmnet.segments import SnippetGrid

class Brightness:
    grid = SnippetGrid(fps=5, snippet_frames=5, stride_frames=5)
    frame_side = 32
    dimension = 2
    streams = ("brightness",)
    versions = {}
    settings = {}

    def describe(self, frames):
        seen = []
        for frame in frames:
            seen.append(float(frame.mean()))
            if len(seen) == 5:
                yield np.array([[np.mean(seen), np.std(seen)]], dtype=np.float32)
                seen = []
"""


@pytest.fixture(scope="module")
def fitted(tiny_scenes, tmp_path_factory):
    """Give a run of `acmnet fit` on the drawn videos."""
    out = tmp_path_factory.mktemp("fitted") / "run"
    with contextlib.redirect_stdout(io.StringIO()):
        main(
            [
                *("fit", str(tiny_scenes / "videos"), str(tiny_scenes / "labels.json")),
                *("--subset", "training", "--extractor", "motion", "--out", str(out)),
                *FEW,
                *ONE,
            ]
        )
    return out


def test_fit_takes_the_profile_of_the_recipe(fitted):
    config = load_config(fitted)
    assert (config.recipe, config.profile) == ("default", "best")


def copy_videos(scenes, *names):
    """Copy some of the drawn videos into the working directory; return their folder."""
    Path("videos").mkdir()
    for name in names:
        shutil.copy(scenes / "videos" / f"{name}.mp4", "videos")
    return "videos"


def test_extract_writes_a_store_and_goes_on(acmnet, tiny_scenes):
    videos = copy_videos(tiny_scenes, "test_000", "test_001")
    command = ["extract", videos, "--out", "features", "--extractor", "motion", *ONE]
    code, out, _ = acmnet(*command)
    assert code == 0
    assert "2 videos extracted" in out
    assert "next: acmnet train --annotations LABELS --features features --out" in out
    manifest = read_manifest("features")
    assert manifest.extractor == "motion"
    assert np.load("features/test_000.npy").shape[1] == manifest.dimension
    code, out, _ = acmnet(*command)
    assert (code, "0 videos extracted" in out, "2 were there" in out) == (0, True, True)
    # without a choice it goes on with what is there
    code, _, err = acmnet("extract", videos, "--out", "features", *ONE)
    assert code == 0
    assert "holds features of motion" in err
    other = acmnet(*command, "--stride-frames", "8")
    refused(other, "features.json says", "stride_frames", "16", "8")


def test_extract_sets_a_broken_video_aside(acmnet, tiny_scenes):
    copy_videos(tiny_scenes, "test_000", "test_001")
    Path("videos/broken.mp4").write_text("no video at all")
    result = acmnet("extract", "videos", "--out", "f", "--extractor", "motion", *ONE)
    refused(result, "1 of 3 videos was left out", "f/failed", code=3)
    assert "left out: broken: " in result[2]
    (line,) = Path("f/failed.jsonl").read_text().splitlines()
    assert json.loads(line)["video"] == "broken"
    assert len(list(Path("f").glob("*.npy"))) == 2


def test_extract_takes_a_class_of_ones_own_and_a_shard(acmnet, tiny_scenes):
    Path("my_backbone.py").write_text(OWN)
    command = ["extract", tiny_scenes / "videos", "--out", "f", "--workers", 1]
    command += ["--extractor", "my_backbone:Brightness"]
    for shard, n in (("1/2", 4), ("2/2", 8)):
        code, _, _ = acmnet(*command, "--shard", shard)
        assert code == 0
        assert len(list(Path("f").glob("*.npy"))) == n
    assert read_manifest("f").dimension == 2


@pytest.mark.parametrize(
    ("options", "words", "code"),
    [
        (["--shard", "2of3"], ["--shard must be i/n such as 3/16, got '2of3'"], 2),
        (["--shard", "3/2"], ["i from 1 to n, got 3/2"], 1),
        (["--extractor", "resnet"], ["unknown extractor 'resnet'", "i3d-rgb"], 1),
        (["--extractor", "no_such:Thing"], ["No module named 'no_such'"], 1),
        (["--workers", "0"], ["workers must be at least 1, got 0"], 1),
        (["--fps", "0", "--extractor", "motion"], ["fps must be above 0"], 1),
    ],
)
def test_extract_refuses(acmnet, tiny_scenes, options, words, code):
    result = acmnet("extract", tiny_scenes / "videos", "--out", "f", *options)
    refused(result, *words, code=code)


def test_fit_names_a_missing_folder_before_faults_of_the_labels(acmnet):
    Path("labels.csv").write_text("video,labels\na,\n")
    result = acmnet("fit", "nosuch/", "labels.csv", "--out", "run", *ONE)
    refused(result, "no video and no folder at nosuch; check the path")
    assert "labels.csv" not in result[2]


def test_nothing_to_extract_is_refused(acmnet):
    Path("empty").mkdir()
    Path("broken.mp4").write_text("no video at all")
    broken = acmnet("extract", "broken.mp4", "--out", "g", "--extractor", "motion")
    refused(broken, "1 of 1 video was left out", "g/failed")
    refused(acmnet("extract", "empty", "--out", "f"), "empty", "no video")
    refused(acmnet("extract", "gone", "--out", "f"), "gone")


def test_flow_weights_are_never_made_up(acmnet, tiny_scenes, monkeypatch, tmp_path):
    monkeypatch.setenv("ACMNET_HOME", str(tmp_path / "home"))
    command = ["extract", tiny_scenes / "videos", "--out", "f", "--extractor"]
    refused(acmnet(*command, "i3d-rgb"), "acmnet weights install i3d-rgb-kinetics400")
    _, out, _ = acmnet("weights")
    assert out.count("not installed") == 5  # I3D's three, pose and phrases
    Path("flow_imagenet.pt").write_bytes(b"no weights")
    wrong = acmnet("weights", "import", "i3d-flow", "flow_imagenet.pt")
    refused(wrong, "flow_imagenet.pt", "not opened")
    refused(acmnet("weights", "install", "i3d"), "i3d")


def test_fit_leaves_a_run_features_detections_scores_and_a_report(fitted, tiny_scenes):
    assert {path.name for path in fitted.iterdir()} >= {
        *("checkpoint", "log.jsonl"),
        *("features", "detections.json", "scores.json", "report.md"),
    }
    scores = json.loads((fitted / "scores.json").read_text())
    assert scores["scored"] == "2 videos that were not trained on"
    found = json.loads((fitted / "detections.json").read_text())
    assert len(found["results"]) == 8
    labels = json.loads((tiny_scenes / "labels.json").read_text())["database"]
    trained_on = sorted(v for v, x in labels.items() if x["subset"] == "training")
    assert found["external_data"]["trained_on"] == trained_on
    assert found["external_data"]["shown_from"] == shown_score(fitted)
    report = (fitted / "report.md").read_text()
    for video in (tiny_scenes / "videos").iterdir():
        assert f"| {video.stem} |" in report


def test_the_help_of_fit_shows_first_what_matters_first(acmnet):
    _, out, _ = acmnet("fit", "--help")
    first, features, training, running = re.split("╭─ (?:Features|Training|How)", out)
    shown = re.findall(r"^│ .{3}(?:[A-Z]+ )?(--[a-z-]+)", first, flags=re.M)
    assert shown == ["--videos", "--labels", "--out"]
    for word, where in (
        ("--extractor", features),
        ("--profile", training),
        ("--retry-failed", running),
    ):
        assert word in where


def test_fit_goes_on_where_it_stopped(acmnet, fitted, tiny_scenes):
    shutil.copytree(fitted, "my run")
    before = weights_file(Path("my run")).read_bytes()
    command = ["fit", tiny_scenes / "videos", tiny_scenes / "labels.json"]
    command += ["--subset", "training", "--out", "my run"]
    code, out, err = acmnet(*command, *FEW)
    assert code == 0
    (line,) = (x for x in out.splitlines() if x.startswith("next: acmnet report"))
    report = line.removeprefix("next: ").partition(" shows")[0]  # as it is pasted
    folder = str(tiny_scenes / "videos")
    assert shlex.split(report) == ["acmnet", "report", "my run", "--videos", folder]
    assert "8 videos finished before" in err
    assert "run is trained; --overwrite trains it anew" in err
    assert weights_file(Path("my run")).read_bytes() == before
    code, _, _ = acmnet(*command, "--overwrite", "--seed", 1, *FEW)
    assert code == 0
    assert weights_file(Path("my run")).read_bytes() != before


def test_fit_that_finds_nothing_says_why_and_what_to_try(acmnet, fitted, tiny_scenes):
    shutil.copytree(fitted / "features", "run/features")
    command = ["fit", tiny_scenes / "videos", tiny_scenes / "labels.json"]
    command += ["--subset", "training", "--out", "run", "--profile", "corrected"]
    command += ["--localization.activation-thresholds", "0.999"]
    command += ["--localization.attention-thresholds", "0.999"]
    code, out, err = acmnet(*command, *FEW)
    assert code == 0, err
    assert "nothing was found in 8 videos" in err
    assert "lower the thresholds: --localization.activation-thresholds" in err
    assert "0 detections in 8 videos" in out
    assert set(json.loads(Path("run/scores.json").read_text())["map"]) == {0.0}
    assert read_detections("run/detections.json").score.size == 0


def test_fit_takes_a_spreadsheet_and_leaves_out_what_is_broken(
    acmnet, fitted, tiny_scenes
):
    shutil.copytree(tiny_scenes / "videos", "videos")
    shutil.copytree(fitted / "features", "run/features")
    Path("videos/broken.mp4").write_bytes(b"nothing")
    with (tiny_scenes / "labels.csv").open() as file:
        rows = list(csv.reader(file))
    rows += [["broken.mp4", rows[1][1]], ["ghost.mp4", rows[1][1]]]
    with Path("labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    command = ["fit", "videos", "labels.csv", "--extractor", "motion", "--out", "run"]
    command += FEW + ONE
    result = acmnet(*command)
    refused(result, "2 of 8 videos were left out", "run/report.md", code=3)
    assert "videos: 2 files are not listed in labels.csv" in result[2]
    assert "labels.csv: 1 of 8 videos has no file in videos" in result[2]
    assert "left out: ghost: it has no file in videos" in result[2]
    assert "detections in 6 videos with a score of" in result[1]
    assert "Names: " in result[1]
    assert "Where: its networks, trained apart from each other, " in result[1]
    assert "to measure the precision" in result[1]
    written = Path("run/report.md").read_text()
    assert "`acmnet view run --videos videos`, which tells the precision" in written
    shown_from = json.loads(Path("run/detections.json").read_text())["external_data"]
    assert 0.0 < shown_from["shown_from"] < 1.0
    assert "- Left out: ghost" in Path("run/report.md").read_text()
    assert "- Left out: broken" in Path("run/report.md").read_text()
    assert not Path("run/scores.json").exists()  # no true segments are known
    again = acmnet(*command, "--retry-failed")
    refused(again, "2 of 8 videos were left out", code=3)
    assert "names are checked" not in result[2]  # a class is in one video only
    (failure,) = Path("run/features/failed.jsonl").read_text().splitlines()
    assert json.loads(failure)["calls"] == 2


def test_fit_expects_by_groups_also_where_segments_are_known(
    acmnet, fitted, tiny_scenes, monkeypatch
):
    content = json.loads((tiny_scenes / "labels.json").read_text())
    for video in content["database"].values():
        for one in video["annotations"]:  # every class in two videos or more
            one["label"] = {"jump": "jump", "kick": "kick"}.get(one["label"], "move")
    content.pop("taxonomy", None)
    Path("labels.json").write_text(json.dumps(content))
    rows = [f"{video},{'ab'[i % 2]}" for i, video in enumerate(content["database"])]
    Path("g.csv").write_text("\n".join(["video,group", *rows[1:]]))
    command = ["fit", tiny_scenes / "videos", "labels.json", "--out", "run"]
    command += ["--groups", "g.csv", "--profile", "corrected", *FEW]
    result = acmnet(*command)
    refused(result, "g.csv: 1 of 8 videos without a group", "name the group of each")
    assert not Path("run").exists()
    Path("g.csv").write_text("\n".join(["video,group", *rows]))
    shutil.copytree(fitted / "features", "run/features")
    monkeypatch.setattr(progress, "PAUSE_S", 0.0)  # every epoch is told of
    code, out, err = acmnet(*command)
    assert code == 0, err
    unused = r"labels\.json holds \d+ segments, of which nothing is learned here"
    assert re.search(unused, " ".join(err.split()))
    told = " ".join(out.split())
    assert "learned from half of the videos" in told
    assert "Segments: on the same held-out videos the average mAP was" in told
    assert "review these" not in told  # the true segments are known
    told = [x for x in err.splitlines() if x.startswith(("training: ", "note: names"))]
    assert re.match(r"training: (\d+)/\1 epochs", told[-2])
    assert told[-1].startswith("note: names are checked on held-out videos")
    code, again, err = acmnet(*command)
    assert "names are checked on held-out videos" not in err
    assert again == out


def test_fit_refuses_rows_without_a_file(acmnet, tiny_scenes):
    Path("labels.csv").write_text("video,labels\nghost,jump\nphantom,jump\n")
    result = acmnet("fit", tiny_scenes / "videos", "labels.csv", "--out", "run")
    assert "2 of 2 videos have no file" in result[2]
    refused(result, "labels.csv", "no video is left", "'ghost': it has no file", "add")
    rows = "training_000,jump\ntraining_001,run\nghost,hide\nphantom,hide\n"
    Path("labels.csv").write_text("video,labels\n" + rows)
    result = acmnet("fit", tiny_scenes / "videos", "labels.csv", "--out", "run")
    refused(result, "1 class loses all its videos", "'hide'", "'phantom'", "labels.csv")
    assert not Path("run").exists()


def test_localize_leaves_no_folder_of_features_where_no_video_is_read(acmnet, fitted):
    Path("broken.mp4").write_bytes(b"nothing")
    localize = ["localize", "broken.mp4", "--run", fitted, "--out", "d.json", *ONE]
    refused(acmnet(*localize), "broken.mp4 is no video that can be read")
    assert list(Path().iterdir()) == [Path("broken.mp4")]
    Path("d.features").mkdir()  # a folder of the user's own stays
    refused(acmnet(*localize), "broken.mp4 is no video that can be read")
    assert Path("d.features").exists()


def test_localize_tries_again_what_failed(acmnet, fitted, tiny_scenes):
    copy_videos(tiny_scenes, "test_001")
    Path("videos/broken.mp4").write_bytes(b"nothing")
    localize = ["localize", "videos", "--run", fitted, "--out", "d.json", *ONE]
    assert "tries them" not in acmnet(*localize)[2]
    assert "--retry-failed tries them" in acmnet(*localize)[2]
    result = acmnet(*localize, "--retry-failed")
    assert "tries them" not in result[2]
    (failure,) = Path("d.features/failed.jsonl").read_text().splitlines()
    assert json.loads(failure)["calls"] == 2


def test_localizing_a_file_equals_localizing_its_features(acmnet, fitted, tiny_scenes):
    video = tiny_scenes / "videos" / "test_000.mp4"
    code, out, _ = acmnet("localize", video, "--run", fitted, "--out", "holiday.json")
    assert (code, "in 1 video: holiday.json" in out) == (0, True)
    then = f"next: acmnet render {video} --detections holiday.json --out drawn.mp4"
    assert then in out
    mine = json.loads(Path("holiday.json").read_text())
    theirs = json.loads((fitted / "detections.json").read_text())
    assert mine["results"] == {"test_000": theirs["results"]["test_000"]}
    durations_s = theirs["external_data"]["durations_s"]
    own = mine["external_data"]["durations_s"]["test_000"]
    assert own == pytest.approx(durations_s["test_000"], abs=1.0)  # to a snippet
    assert Path("holiday.features/test_000.npy").exists()
    # without --out it is printed, and nothing is left behind
    before = set(Path().iterdir())
    code, out, _ = acmnet("localize", video, "--run", fitted)
    assert (code, "from (s)" in out) == (0, True)
    assert set(Path().iterdir()) == before


def test_localizing_a_folder_goes_on_past_a_broken_video(
    acmnet, fitted, tiny_scenes, monkeypatch
):
    walked, walk = [], os.walk

    def counted(top, **options):
        walked.append(Path(top))
        return walk(top, **options)

    monkeypatch.setattr(os, "walk", counted)
    copy_videos(tiny_scenes, "test_001")
    Path("videos/broken.mp4").write_bytes(b"nothing")
    result = acmnet("localize", "videos", "--run", fitted, "--out", "d.json", *ONE)
    refused(result, "1 of 2 videos was left out", code=3)
    assert "left out: broken: " in result[2]
    assert "next: acmnet cut d.json videos --out clips" in result[1]
    assert list(json.loads(Path("d.json").read_text())["results"]) == ["test_001"]
    assert walked.count(Path("videos")) == 1


def test_files_that_count_frames_take_the_rate_of_the_videos(
    acmnet, fitted, tiny_scenes
):
    copy_videos(tiny_scenes, "test_000", "test_001")
    localize = ["localize", "videos", "--run", fitted, *ONE, "--all"]
    code, out, _ = acmnet(*localize, "--out", "cuts/", "--format", "edl")
    assert (code, "2 files" in out) == (0, True)
    stated = ["--out", "stated/", "--format", "edl"]
    assert acmnet(*localize, *stated, "--label-fps", str(25))[0] == 0
    for name in ("test_000.edl", "test_001.edl"):
        taken = Path("cuts", name).read_text()
        assert taken == Path("stated", name).read_text() != ""


def test_localize_refuses_what_makes_no_sense(acmnet, fitted, tiny_scenes):
    video = tiny_scenes / "videos" / "test_000.mp4"
    point = ["--run", fitted, "--operating-point", "--out", "found.json"]
    refused(acmnet("localize", video, *point), "holds no calibration.json")
    assert not Path("found.features").exists()  # said before features are extracted
    for options in ([], ["--run", fitted, "--kinetics"]):
        refused(acmnet("localize", video, *options), "--run", "--kinetics", code=2)
    refused(acmnet("localize", "--run", fitted), "--features", code=2)
    command = ["localize", video, "--kinetics", "--classes"]
    refused(acmnet(*command, "clean and jrek"), "did you mean 'clean and jerk'")
    few = acmnet("localize", video, "--kinetics", "--top-classes", 0)
    refused(few, "top must be at least")


def test_a_run_on_features_of_unknown_origin_cannot_take_videos(
    acmnet, tiny_world, tiny_scenes
):
    data = ["--annotations", tiny_world[0], "--features", tiny_world[1]]
    acmnet("train", *data, *FEW, "--profile", "corrected", "--out", "run")
    video = tiny_scenes / "videos" / "test_000.mp4"
    result = acmnet("localize", video, "--run", "run", "--out", "d.json")
    refused(result, "acmnet.data.made_up.feature_world")


@pytest.fixture
def kinetics(shared_data):
    """Give the folder of real videos; skip where I3D's weights are not installed."""
    if not any(w.installed for w in list_weights() if w.name == "i3d-rgb-kinetics400"):
        pytest.skip("i3d-rgb-kinetics400 is not installed")
    return shared_data / "videos"


def test_kinetics_finds_clean_and_jerk_without_training(acmnet, kinetics):
    video = "v_GGSY1Qvo990"
    # three seconds of the video, to compute few snippets
    Path("labels.csv").write_text(f"video,labels,start,end\n{video},jerk,8,11\n")
    acmnet("cut", "labels.csv", kinetics / f"{video}.mp4", "--out", "clips")
    clips = ("clips", "--kinetics", "--out", "d.json")
    refused(acmnet("localize", *clips, "--fps", 5), "leave them out when", code=2)
    assert acmnet("localize", *clips)[0] == 0
    (found,) = json.loads(Path("d.json").read_text())["results"].values()
    assert max(found, key=lambda x: x["score"])["label"] == "clean and jerk"
    # all of it, with the features that others have computed
    grid = SnippetGrid(981 / 50, 16, 16)
    Path("f").mkdir()
    write_manifest("f", FeatureManifest(grid=grid, dimension=1024, extractor="i3d-rgb"))
    shutil.copy(kinetics / f"{video}_i3d_rgb_16f.npy", f"f/{video}.npy")
    code, _, _ = acmnet("localize", "--features", "f", "--kinetics", "--out", "d.json")
    assert code == 0
    found = json.loads(Path("d.json").read_text())["results"][video]
    assert len({entry["label"] for entry in found}) <= 3
    own = [entry for entry in found if entry["label"] == "clean and jerk"]
    start_s, end_s = max(own, key=lambda entry: entry["score"])["segment"]
    # annotated from 5.82 to 16.20 s
    overlap = min(end_s, 16.20) - max(start_s, 5.82)
    assert overlap / (max(end_s, 16.20) - min(start_s, 5.82)) >= 0.3


@pytest.mark.usefixtures("kinetics")
def test_i3d_on_a_cpu_without_bf16_says_fp32(acmnet, tiny_scenes, monkeypatch):
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "avx2")  # torch in the worker obeys
    video = tiny_scenes / "videos" / "test_000.mp4"
    command = ["extract", video, "--extractor", "i3d-rgb", "--fps", "5", "--out"]
    code, _, err = acmnet(*command, "f")
    assert code == 0
    assert "this processor has no bf16: fp32 is used instead" in err
    assert read_manifest("f").settings["precision"] == "fp32"
    _, _, err = acmnet(*command, "g", "--precision", "fp32")
    assert "bf16" not in err
    for path in Path("f").glob("*.npy"):
        assert path.read_bytes() == Path("g", path.name).read_bytes()


def test_protocols_are_printed_and_applied(acmnet, shared_data):
    _, out, _ = acmnet("protocols")
    for name in ("thumos14-2014", "thumos14-rounded", "activitynet12", "custom"):
        assert name in out
    thumos = shared_data / "thumos14"
    score = ["evaluate", "--ground-truth", thumos / "gt_212.json", "--detections"]
    score += [thumos / "stpn_detections.json", "--protocol"]
    code, out, _ = acmnet(
        *(*score, "thumos14", "--json", "s.json", "--score-threshold", "0.1"),
        *("--csv", "s.csv", "--markdown", "s.md", "--latex", "s.tex"),
    )
    assert code == 0
    # the published row
    map_percent = [
        100 * value for value in json.loads(Path("s.json").read_text())["map"]
    ]
    row = [52.1, 44.2, 34.7, 26.1, 17.7, 10.1, 5.0, 1.3, 0.1]
    assert map_percent == pytest.approx(row, abs=0.05)
    assert "210 videos" in out
    assert "F1" in out
    assert "SHA-256" in out
    assert Path("s.csv").read_text().startswith("class,0.1")
    assert "| mAP |" in Path("s.md").read_text()
    assert r"\toprule" in Path("s.tex").read_text()
    refused(acmnet(*score, "thumos15"), "thumos15", "did you mean")


def test_systems_are_compared(acmnet, fitted, tiny_scenes):
    values = json.loads((fitted / "detections.json").read_text())
    for entries in values["results"].values():
        del entries[1:]
    Path("fewer.json").write_text(json.dumps(values))
    code, out, _ = acmnet(
        *("evaluate", "--ground-truth", tiny_scenes / "labels.json"),
        *("--detections", fitted / "detections.json", "--detections", "fewer.json"),
        *("--draws", "50", "--json", "s.json", "--csv", "s.csv"),
    )
    assert code == 0
    assert "against detections" in out
    assert set(json.loads(Path("s.json").read_text())["systems"]) == {
        "detections",
        "fewer",
    }


def test_fit_takes_all_that_was_marked_at_the_bench(acmnet, fitted, tiny_scenes):
    content = json.loads((tiny_scenes / "labels.json").read_text())
    content["made_by"] = "acmnet bench"
    for video in content["database"].values():
        if video["subset"] != "training":  # found in, but never scored
            video["annotations"] = [{"label": x["label"]} for x in video["annotations"]]
    Path("labels.json").write_text(json.dumps(content))
    command = ["fit", tiny_scenes / "videos", "labels.json", "--subset", "training"]
    command += ["--out", "run", "--profile", "corrected", *FEW]
    shutil.copytree(fitted / "features", "run/features")
    code, _, err = acmnet(*command)
    assert code == 0, err
    plain = " ".join(err.split())
    assert (
        "labels.json was made by acmnet label, so all that it holds is learned from; "
        "--supervision names leaves the times out"
    ) in plain
    assert "training is given names and " in plain
    taught = load_config(Path("run")).taught_times
    training = [k for k, v in content["database"].items() if v["subset"] == "training"]
    assert sorted(taught) == sorted(training)
    written = read_detections("run/detections.json").external_data
    assert written["taught_times"] == sorted(training)
    assert not Path("run/scores.json").exists()
    assert "nothing is scored: 6 videos are left out, as the training was" in plain
    written = Path("run/report.md").read_text()
    assert "It was given names and " in written
    assert "Nothing is scored: 6 videos are left out, as the" in written
    refused(
        acmnet(*command, "--supervision", "names"),
        "trained with supervision = 'all', not 'names'",
    )
