"""Time budgets: derived by hand from a few bouts."""

import csv
import io
import json
from pathlib import Path

import pytest

from acmnet.data.detections.detection_files import write_detections
from acmnet.data.tables.csv_tables import table_csv
from acmnet.evaluation.time_budget import (
    Bout,
    budget_of,
    observed,
    over_videos,
    transitions,
)
from acmnet.segments import Detections, Segment
from support.commands import refused


def seen(*marks, duration_s=None):
    return observed([(x, Segment(a, b)) for x, a, b in marks], duration_s)


MONDAY = seen(
    *[("run", 10, 14), ("rest", 0, 5), ("run", 12, 16), ("rest", 20, 99)],
    *[("run", 16, 18), ("run", 130, 140)],
    duration_s=120.0,
)
TUESDAY = seen(("rest", 30, 60), duration_s=60.0)


def test_bouts_are_merged_and_cut_to_the_video():
    assert MONDAY.bouts == (
        Bout("rest", 0.0, 5),
        Bout("run", 10, 18),  # 10-14, 12-16 and 16-18 overlap or touch
        Bout("rest", 20, 99),
    )
    assert seen(("a", -2, 1)).bouts == (Bout("a", 0.0, 1),)
    # a bout of another class in between does not part them
    both = seen(("a", 0, 5), ("b", 1, 2), ("a", 4, 6))
    assert both.bouts == (Bout("a", 0, 6), Bout("b", 1, 2))


def test_the_budget_of_a_video_and_of_all():
    rest = budget_of(MONDAY, "rest")
    assert (rest.bouts, rest.total_s, rest.mean_s, rest.latency_s) == (2, 84, 42, 0)
    assert (rest.rate_per_min, rest.share_of_time) == (1.0, 0.7)  # 2 in 2 min; 84/120
    run = over_videos([budget_of(MONDAY, "run"), budget_of(TUESDAY, "run")])
    assert (run.bouts, run.total_s, run.latency_s) == (1, 8, 10)
    assert run.rate_per_min == pytest.approx(1 / 3)  # one in 180 s
    both = over_videos([rest, budget_of(TUESDAY, "rest")])
    assert (both.total_s, both.latency_s) == (114, 15)  # the mean of 0 and 30
    none = budget_of(seen(("a", 1, 2)), "b")
    assert (none.mean_s, none.latency_s, none.rate_per_min) == (None, None, None)
    assert over_videos([rest, none]).share_of_time is None


def test_transitions_stay_within_a_video():
    counts = transitions([MONDAY, TUESDAY], ("rest", "run"))
    assert counts.tolist() == [[0, 1], [1, 0]]


@pytest.mark.parametrize("comma", [False, True])
def test_tables_are_for_spreadsheets(comma):
    text = table_csv(["a", "b"], [("=1+1", 0.5), ("x;y,z", None)], decimal_comma=comma)
    assert text.startswith("\ufeff")
    rows = csv.reader(io.StringIO(text[1:]), delimiter=";" if comma else ",")
    half = "0,5" if comma else "0.5"
    assert list(rows) == [["a", "b"], ["'=1+1", half], ["x;y,z", ""]]


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    runs = [(0.0, 30.0, 0.9, 0), (50.0, 60.0, 0.2, 0)]
    found = Detections.of(["run"], runs)
    results = {"mo": found, "tu": Detections.of(["run"])}
    write_detections("found.json", results, external_data={"shown_from": 0.5})
    durations = {"mo": {"duration": 60, "annotations": []}}
    durations["tu"] = {"duration": 60, "annotations": []}
    Path("labels.json").write_text(json.dumps({"database": durations}))


@pytest.mark.usefixtures("files")
def test_the_verb_writes_tables_and_the_ethogram(acmnet):
    command = ("budget", "found.json", "--durations", "labels.json")
    code, out, err = acmnet(*command, "--out", "b", "--decimal-comma")
    assert code == 0
    assert "1 bout of 1 class in 2 videos: b, 6 files" in out
    assert "scores below 0.5 are left out" in err
    budget = Path("b/budget.csv").read_text("utf-8-sig").splitlines()
    assert budget[1] == "mo;run;1;30,0;30,0;0,0;1,0;0,5"
    assert budget[2] == "tu;run;0;0,0;;;0,0;0,0"
    assert budget[3] == "all videos;run;1;30,0;30,0;0,0;0,5;0,25"
    assert Path("b/bouts.csv").read_text("utf-8-sig").splitlines()[1:] == [
        "mo;run;0,0;30,0;30,0"
    ]
    assert {x.name for x in Path("b").iterdir()} >= {
        *("transitions.csv", "ethogram.png", "ethogram.svg", "ethogram.pdf")
    }
    assert "run" in Path("b/ethogram.svg").read_text()


@pytest.mark.usefixtures("files")
def test_the_verb_prints_and_says_what_is_unknown(acmnet):
    code, out, err = acmnet("budget", "found.json", "--min-score", "0")
    assert code == 0
    assert "40" in out  # 30 s and 10 s
    assert "the durations of 2 videos are not known" in err
    assert "--durations FILE names a label file that states them" in err
    Path("lacks.csv").write_text("video,labels\nmo,run\n")
    err = acmnet("budget", "found.json", "--durations", "lacks.csv")[2]
    assert "lacks.csv states no duration of 'mo', 'tu'" in err
    assert "in seconds, in the column duration of a CSV" in err
    refused(acmnet("budget", "labels.json"), "labels.json has no action with a time")


@pytest.mark.usefixtures("files")
def test_durations_that_detections_state_need_no_label_file(acmnet):
    found = Detections.of(["run"], [(0.0, 30.0, 0.9, 0)])
    stated = {"durations_s": {"mo": 120.0, "tu": "long"}}
    none = Detections.of(["run"])
    write_detections("own.json", {"mo": found, "tu": none}, external_data=stated)
    err = acmnet("budget", "own.json", "--out", "b")[2]
    assert "the durations of 1 video are not known" in err
    budget = Path("b/budget.csv").read_text("utf-8-sig").splitlines()
    assert budget[1] == "mo,run,1,30.0,30.0,0.0,0.5,0.25"  # 1 in 2 min; 30/120
    # what is stated by the label file comes first
    acmnet("budget", "own.json", "--durations", "labels.json", "--out", "b")
    assert "mo,run,1,30.0,30.0,0.0,1.0,0.5" in Path("b/budget.csv").read_text()


@pytest.mark.usefixtures("files")
def test_a_file_name_is_not_taken_for_a_folder(acmnet):
    refused(
        acmnet("budget", "found.json", "--out", "b.csv"), "must name a folder", code=2
    )
    assert not Path("b.csv").exists()
