"""acmnet suggest: which videos it takes into account, and what it writes."""

import csv
import json
import shutil

import pytest

from acmnet.checkpoints.checkpoint import load_config
from acmnet.data.label_files import read_annotations
from acmnet.show.bench.reviewed_precision import MARKS_FILE


@pytest.fixture
def run(tiny_run, tmp_path):
    return shutil.copytree(tiny_run, tmp_path / "run")


def suggested(acmnet, run, *options):
    """Return the suggestions that a call writes, and what it prints."""
    code, out, err = acmnet("suggest", run, "--out", "look.json", *options)
    assert code == 0, err
    content = json.loads((run.parent / "look.json").read_text())
    return content["suggestions"], out


def test_videos_that_were_learned_from_are_suggested_with_reasons(acmnet, run):
    found, out = suggested(acmnet, run, "--count", "4")
    trained_on = load_config(run).trained_on
    assert [x["rank"] for x in found] == [1, 2, 3, 4]
    assert {x["video"] for x in found} <= set(trained_on)  # no test video
    for one in found:
        assert one["video"] in out
        for span in one["spans"]:
            assert 0 <= span["start_s"] < span["end_s"]
            assert span["label"] in trained_on[one["video"]]
    assert f"mark them with acmnet view {run}; add --videos and the folder" in out
    assert out.endswith("4 suggestions: look.json\n")
    code, _, _ = acmnet("suggest", run, "--count", "4", "--out", "look.csv")
    assert code == 0
    with (run.parent / "look.csv").open(encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    spans = [(x["video"], y["why"]) for x in found for y in x["spans"]]
    assert [(row["video"], row["why"]) for row in rows] == spans


def test_a_subset_that_is_asked_for_is_suggested(acmnet, run, tiny_world):
    found, _ = suggested(acmnet, run, "--subset", "test", "--count", "99")
    asked = read_annotations(tiny_world[0]).subset("test").videos
    assert {x["video"] for x in found} <= set(asked)
    assert found


def test_marked_videos_are_left_out(acmnet, run):
    found, _ = suggested(acmnet, run, "--count", "99")
    first, second = (x["video"] for x in found[:2])
    point = {"label": found[0]["spans"][0]["label"], "point": 1.0}
    database = {
        first: {"duration": 90.0, "annotations": [point], "watched": True},
        second: {"duration": 90.0, "annotations": [], "watched": True},
    }
    labels = {"classes": list(load_config(run).class_names), "database": database}
    (run / MARKS_FILE).write_text(json.dumps(labels))
    fewer, _ = suggested(acmnet, run, "--count", "99")
    assert {x["video"] for x in found} - {x["video"] for x in fewer} == {first, second}
    # and so are those of another file, in place of the bench's
    (run.parent / "other.json").write_text(
        json.dumps(labels | {"database": {first: database[first]}})
    )
    other, _ = suggested(acmnet, run, "--count", "99", "--marks", "other.json")
    assert {x["video"] for x in found} - {x["video"] for x in other} == {first}


def test_nothing_left_to_look_at_is_said(acmnet, run):
    videos = load_config(run).trained_on
    watched = {"duration": 90.0, "annotations": [], "watched": True}
    labels = {
        "classes": list(load_config(run).class_names),
        "database": dict.fromkeys(videos, watched),
    }
    (run / MARKS_FILE).write_text(json.dumps(labels))
    found, out = suggested(acmnet, run)
    assert found == []
    assert "nothing in 12 videos is worth a look" in out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--count", "0"], "--count must be at least 1, got 0"),
        (["--out", "look.txt"], "--out must be a .json or a .csv file, got look.txt"),
    ],
)
def test_refusals(acmnet, run, options, words):
    code, _, err = acmnet("suggest", run, *options)
    assert code == 2
    assert words in err
