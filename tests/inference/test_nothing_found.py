"""Detections without a row: every verb scores them as 0 and loses no file."""

import dataclasses
import json
from pathlib import Path

import pytest
import torch

import acmnet as acmnet_package
from acmnet.cli.terminal.app import console
from acmnet.cli.verbs.diagnose import diagnose_command
from acmnet.cli.verbs.evaluate import FileOptions, evaluate_command
from acmnet.data.labelled_features import DataSource, open_data
from acmnet.inference.localized_videos import localize_videos
from acmnet.inference.why_nothing_found import why_nothing
from acmnet.network.network_settings import StudentSettings
from acmnet.network.student import Student
from acmnet.segments import Detections
from acmnet.training.second_stage.second_stage_settings import TeacherSettings
from support.commands import refused

GROUND_TRUTH = {
    "database": {
        "v": {
            "subset": "test",
            "duration": 20,
            "annotations": [{"label": "run", "segment": [0.0, 5.0]}],
        },
        "w": {
            "subset": "test",
            "annotations": [{"label": "[/jump]", "segment": [1.0, 5.0]}],
        },
    }
}
FOUND = {"results": {"v": [{"label": "run", "segment": [0, 4], "score": 0.5}]}}
WRITTEN = {"--json": "s.json", "--csv": "s.csv", "--latex": "s.tex"}
WRITTEN |= {"--markdown": "s.md"}


@pytest.fixture
def truth(tmp_path):
    """Write the ground truth, and detections that find something."""
    (tmp_path / "found.json").write_text(json.dumps(FOUND))
    path = tmp_path / "gt.json"
    path.write_text(json.dumps(GROUND_TRUTH))
    return ["--ground-truth", path]


EMPTY = [
    pytest.param({"results": {}}, id="no video"),
    pytest.param({"results": {"v": [], "w": []}}, id="no detection"),
]


@pytest.mark.parametrize("protocol", ["custom", "thumos14-2014", "activitynet13"])
@pytest.mark.parametrize("content", EMPTY)
def test_nothing_scores_0_and_every_file_is_written(acmnet, truth, content, protocol):
    Path("none.json").write_text(json.dumps(content))
    options = [x for pair in WRITTEN.items() for x in pair]
    options += ["--protocol", protocol, "--score-threshold", "0.5"]
    if protocol == "activitynet13":
        options += ["--subset", "test"]
    code, out, err = acmnet("evaluate", *truth, "--detections", "none.json", *options)
    assert code == 0
    assert "average mAP 0.00 %" in out
    assert "there is no detection to score, so every score is 0 %" in err
    scores = json.loads(Path("s.json").read_text())
    assert set(scores["map"]) == {0.0}
    assert set(scores["average_recall"].values()) == {0.0}
    assert {(x["f1"], x["score"]) for x in scores["best_f1"]} == {(0.0, None)}
    assert scores["per_class"].keys() == {"run", "[/jump]"}
    for name in WRITTEN.values():
        assert Path(name).stat().st_size
    assert "mAP,0.0" in Path("s.csv").read_text()


@pytest.mark.parametrize("content", EMPTY)
@pytest.mark.parametrize("is_first", [True, False])
def test_nothing_is_compared(acmnet, truth, content, is_first):
    Path("none.json").write_text(json.dumps(content))
    names = ["none.json", "found.json"] if is_first else ["found.json", "none.json"]
    given = [x for name in names for x in ("--detections", name)]
    code, _, err = acmnet("evaluate", *truth, *given, "--json", "s.json")
    assert code == 0
    assert "none: there is no detection to score" in err
    systems = json.loads(Path("s.json").read_text())["systems"]
    assert systems["none"]["average_interval"]["high"] == 0.0
    # run is found at tIoU 4 / 5 and [/jump] is not: 1/2 of at all seven thresholds
    assert systems["found"]["average"] == 0.5


def test_nothing_stands_beside_the_published(acmnet, truth):
    Path("none.json").write_text('{"results": {}}')
    given = [*truth, "--detections", "none.json", "--protocol", "thumos14"]
    code, out, _ = acmnet("evaluate", *given, "--published", "--csv", "s.csv")
    assert code == 0
    (line,) = (x for x in out.splitlines() if "measured" in x)
    assert line.split()[-8:] == ["0.0"] * 8


def test_nothing_is_diagnosed(acmnet, truth):
    Path("none.json").write_text('{"results": {}}')
    given = [*truth, "--detections", "none.json", "--json", "why.json"]
    code, out, _ = acmnet("diagnose", *given)
    assert code == 0
    assert "100.0 % are missed" in out
    assert json.loads(Path("why.json").read_text())["missed"] == [1.0]


@pytest.mark.parametrize("command", [evaluate_command, diagnose_command])
def test_files_are_written_before_anything_is_printed(
    truth, monkeypatch, tmp_path, command
):
    def closed(*_, **__):
        raise BrokenPipeError

    monkeypatch.setattr(console, "print", closed)  # as where `head` reads the output
    path, found = tmp_path / "s.json", tmp_path / "found.json"
    given = {"ground_truth": truth[1], "detections": found, "json_path": path}
    if command is evaluate_command:
        files = FileOptions(json_path=given.pop("json_path"))
        given |= {"detections": [found], "written": files}
    with pytest.raises(BrokenPipeError):
        command(**given)
    assert json.loads(path.read_text())["videos"] == 2


def test_detections_of_other_videos_are_refused(acmnet, truth):
    result = {"results": {"x": FOUND["results"]["v"]}}
    Path("other.json").write_text(json.dumps(result))
    refused(
        acmnet("evaluate", *truth, "--detections", "other.json"),
        "no detection is of a video of",
    )


@pytest.fixture
def localize(acmnet, tiny_run, tiny_world):
    """Run localize on the test videos of the tiny world."""
    command = ["localize", "--run", tiny_run, "--features", tiny_world[1]]
    command += ["--annotations", tiny_world[0], "--subset", "test", "--out", "d.json"]
    return lambda *options: acmnet(*command, *options)


HIGH = ["--localization.activation-thresholds", "0.999"]
HIGH += ["--localization.attention-thresholds", "0.999"]


def test_localize_says_why_nothing_was_found_and_what_helps(localize):
    code, out, err = localize(*HIGH)
    assert (code, out) == (0, "0 detections in 6 videos: d.json\n")
    assert "nothing was found in 6 videos: the activation of an action (" in err
    assert "its lowest threshold 0.999 (localization.activation_thresholds)" in err
    assert "the attention to actions (" in err
    assert "train longer than its 2 epochs" in err
    words = err.split("lower the thresholds: ")[1].split()
    assert words[0] == "--localization.activation-thresholds"
    assert words[2] == "--localization.attention-thresholds"
    code, out, err = localize(*words[:4])  # what was to be tried helps
    assert code == 0
    assert int(out.split()[0]) > 0
    assert "nothing was found" not in err


def test_localize_says_what_is_too_short_and_never_looked_for(localize, tiny_run):
    code, _, err = localize(
        *("--localization.shortest-cells", 10**6),
        *("--localization.class-threshold", 0.999),
    )
    assert code == 0
    assert "is shorter than 1000000 cells" in err
    assert "--localization.shortest-cells 1" in err
    # each video's best class only
    names = acmnet_package.load(tiny_run).class_names
    assert "looked for in none, as the score in the whole video is not above" in err
    assert any(repr(name) in err for name in names)


def test_the_second_stage_says_why(tiny_run, tiny_world):
    model = acmnet_package.load(tiny_run)
    data = open_data(DataSource(*tiny_world, "test"))
    settings = StudentSettings(width=4, layers=1)
    student = Student(model.feature_dim, len(model.class_names), settings)
    torch.nn.init.zeros_(student.classes.weight)
    torch.nn.init.constant_(student.classes.bias, -7.0)  # 1 / (1 + e^7) = 0.000911
    settings = dataclasses.replace(
        model.settings, student=settings, teachers=TeacherSettings(count=1)
    )
    model = dataclasses.replace(model, settings=settings, students=(student,))
    results = localize_videos(model, data)
    reason = why_nothing(model, data, results)
    assert "a probability of being in an action of 0.01 or more" in reason
    assert "(at most 0.000911)" in reason
    found = Detections.of(["x"], [(0.0, 1.0, 0.5, 0)])
    assert why_nothing(model, data, {"a": found}) is None


def test_localize_says_that_all_is_below(localize):
    _, out, err = localize("--out", "d.csv", "--min-score", "5")
    assert "0 detections in 6 videos: d.csv" in out
    assert "and scores below 5 are left out" in err
    assert "--all shows all of them" in err
