"""Detections without a row: every verb scores them as 0 and loses no file."""

import json
from pathlib import Path

import pytest

from commands import refused

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
    code, out, _ = acmnet("diagnose", *given, "--figures", "why")
    assert code == 0
    assert "100.0 % are missed" in out
    assert json.loads(Path("why.json").read_text())["missed"] == [1.0]
    assert {path.suffix for path in Path("why").iterdir()} == {".png", ".svg", ".pdf"}


def test_detections_of_other_videos_are_refused(acmnet, truth):
    result = {"results": {"x": FOUND["results"]["v"]}}
    Path("other.json").write_text(json.dumps(result))
    refused(
        acmnet("evaluate", *truth, "--detections", "other.json"),
        "no detection is of a video of",
    )
