"""Training videos among the scored: left out of the headline, or said aloud."""

import json
from pathlib import Path

import numpy as np
import pytest

from acmnet.data.detections import read_detections
from acmnet.data.label_files import read_annotations
from acmnet.evaluation.held_out import held_out
from acmnet.evaluation.reports import evaluate
from acmnet.show.view.reviews import ReviewStore
from support.worlds import file_of, truth_of

TRUTH = truth_of(a=[("run", 0, 10)], b=[("run", 0, 10)])
FOUND = {"a": [("run", 0, 10, 0.9)], "b": [("run", 20, 30, 0.8)]}


def detections(external_data):
    """Return detections that are right in a and wrong in b."""
    file = file_of(**FOUND)
    object.__setattr__(file, "external_data", external_data)
    return file


def scored(external_data, truth=TRUTH):
    file = detections(external_data)
    return held_out(lambda out: {"x": evaluate(truth, file, leave_out=out)})


def test_held_out_videos_make_the_headline():
    """In a all is found and in b nothing: AP 1/2 of both, 0 of b, 1 of a."""
    reports, extra = scored({"trained_on": ["a", "elsewhere"]})
    report = reports["x"]
    assert (report.average, report.videos, report.instances) == (0.0, 1, 1)
    assert report.dropped == {}  # what is left out is no fault of the detections
    (note,) = report.notes
    assert note.startswith("1 video that was trained on is left out ('a'); with it")
    assert "50.00 %" in note
    expected = {"left_out": ["a"], "average_with_them": {"x": pytest.approx(0.5)}}
    assert extra == {"trained_on": expected}
    assert scored({"trained_on": ["b"]})[0]["x"].average == 1.0


@pytest.mark.parametrize(
    ("external_data", "note"),
    [
        ({}, None),
        ({"trained_on": []}, None),
        ({"trained_on": ["elsewhere"]}, None),
        ({"trained_on": {"not": "ours"}}, None),
        ({"trained_on": ["a", "b"]}, "2 of 2 scored videos were trained on ('a', 'b')"),
        ({"trained_on": None}, "it is not known which videos the run was trained on"),
    ],
)
def test_all_videos_are_scored_where_none_is_left_or_known(external_data, note):
    reports, extra = scored(external_data)
    assert (reports["x"].average, reports["x"].videos, extra) == (0.5, 2, {})
    assert len(reports["x"].notes) == (note is not None)
    assert note is None or note in reports["x"].notes[0]


def test_videos_without_an_instance_make_no_headline():
    truth = truth_of(a=[("run", 0, 10)], b=[])
    report = scored({"trained_on": ["a"]}, truth)[0]["x"]
    assert report.videos == 2
    assert "1 of 2 scored videos was trained on" in report.notes[0]


@pytest.fixture
def localized(acmnet, tiny_run, tiny_world):
    """Localise all videos, of which 12 were trained on; return the label file."""
    code, _, _ = acmnet(
        *("localize", "--run", tiny_run, "--features", tiny_world[1]),
        *("--annotations", tiny_world[0], "--out", "d.json"),
    )
    assert code == 0
    return tiny_world[0]


def test_evaluate_leaves_them_out(acmnet, localized):
    listed = read_detections("d.json").external_data["trained_on"]
    assert listed == [f"training_{i:03d}" for i in range(12)]
    score = ["evaluate", "--ground-truth", localized, "--detections", "d.json"]
    code, out, err = acmnet(*score, "--json", "s.json", "--csv", "s.csv")
    assert code == 0
    assert "\n6 videos, " in out
    assert "12 videos that were trained on are left out ('training_000'" in err
    held_out_score = json.loads(Path("s.json").read_text())
    assert held_out_score["trained_on"]["left_out"] == listed
    assert "trained on are left out" in Path("s.csv").read_text()
    acmnet(*score, "--subset", "test", "--json", "test.json")
    test_score = json.loads(Path("test.json").read_text())
    assert held_out_score["map"] == test_score["map"]
    assert "trained_on" not in test_score
    _, out, err = acmnet(*score, "--subset", "training")
    assert "\n12 videos, " in out
    assert "12 of 12 scored videos were trained on" in err


def test_diagnose_says_so(acmnet, localized):
    given = ["--ground-truth", localized, "--detections", "d.json"]
    _, _, err = acmnet("diagnose", *given)
    assert "12 of 18 scored videos were trained on" in err


def test_a_truth_that_the_model_made_is_said(acmnet, localized, tiny_run, tiny_world):
    store = ReviewStore(Path("reviews.json"), read_annotations(localized))
    found = read_detections("d.json")
    names = [found.video_ids[i] for i in found.video_index]
    best = int(np.argmax(found.score))
    values = {"label": found.labels[found.label_index[best]], "verdict": "accepted"}
    values |= {"start_s": found.start_s[best], "end_s": found.end_s[best]}
    store.save({"revision": 0, "videos": {names[best]: [values]}})
    assert "model" in json.loads(Path("reviews.json").read_text())["made_of"]
    given = ["--ground-truth", "reviews.json", "--detections", "d.json"]
    for verb in ("evaluate", "diagnose"):
        code, _, err = acmnet(verb, *given)
        assert code == 0
        assert "reviews.json is made from a model's own detections" in err
    given = ["--annotations", "reviews.json", "--features", tiny_world[1]]
    _, _, err = acmnet("calibrate", "--run", tiny_run, *given)
    assert "reviews.json is made from a model's own detections" in err
