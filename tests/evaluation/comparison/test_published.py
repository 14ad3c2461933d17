"""The published rows beside a measured one."""

import csv
import dataclasses
import json
import math
import tomllib
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from acmnet.evaluation.comparison.published import ComparisonError, table_with_measured
from acmnet.evaluation.protocols import protocols
from acmnet.evaluation.reports import evaluate
from support.commands import refused
from support.worlds import file_of, truth_of

SOURCE = resources.files("acmnet.evaluation.comparison").joinpath("published.toml")
BENCHMARKS = tomllib.loads(SOURCE.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", BENCHMARKS)
def test_published_rows_have_their_columns_and_fall_with_tiou(name):
    known = BENCHMARKS[name]
    names = {protocol.name for protocol in protocols()}
    for row in known["rows"]:
        *each, _ = row["map"]
        assert len(each) == len(known["tiou"])
        reported = [x for x in each if not math.isnan(x)]
        assert reported == sorted(reported, reverse=True), row["name"]
        assert row.get("protocol", name) in names
        assert row["source"] in ("paper", "list", "readme", "abstract")


def test_published_averages_are_those_of_their_rows():
    """Of THUMOS14's complete rows, Avg is the mean of seven, to its rounding."""
    checked = 0
    for row in BENCHMARKS["thumos14"]["rows"]:
        if not any(map(math.isnan, row["map"])):
            *each, average = row["map"]
            # STPN's and EM-MIL's rows are printed with averages 0.6 and 0.1 away
            assert np.mean(each) == pytest.approx(average, abs=0.65), row["name"]
            checked += 1
    assert checked >= 15


def test_a_measured_system_is_the_last_row():
    """One instance of 10 s, found with 5 s: AP 1 up to tIoU 0.5 and 0 above: 5 / 7."""
    truth = truth_of(v=[("run", 0.0, 10.0)])
    found = file_of(v=[("run", 0.0, 5.0, 0.9)])
    report = evaluate(truth, found, tiou=(0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7))
    rules = next(p for p in protocols() if p.name == "thumos14")
    table = table_with_measured({"mine": dataclasses.replace(report, protocol=rules)})
    name, labels, protocol, *values = table.rows[-1]
    assert (name, labels, protocol) == ("mine, measured", "video", "thumos14")
    assert values == [1.0] * 5 + [0.0] * 2 + [pytest.approx(5 / 7)]
    # what was not scored is left blank, and so is its average
    report = evaluate(truth, found, tiou=(0.5,))
    table = table_with_measured({"mine": dataclasses.replace(report, protocol=rules)})
    assert table.rows[-1][3:] == (*[None] * 4, 1.0, None, None, None)
    with pytest.raises(ComparisonError, match="the protocol 'custom'; give --protocol"):
        table_with_measured({"mine": report})


def test_stpn_stands_beside_its_published_row(acmnet, shared_data):
    thumos = shared_data / "thumos14"
    code, out, _ = acmnet(
        *("evaluate", "--protocol", "thumos14", "--published"),
        *("--ground-truth", thumos / "gt_210.json"),
        *("--detections", thumos / "stpn_detections.json", "--markdown", "t.md"),
    )
    assert code == 0
    lines = [line.split() for line in out.splitlines()]
    measured = next(line for line in lines if "measured" in line)
    assert measured[-8:-1] == ["52.1", "44.2", "34.7", "26.1", "17.7", "10.1", "5.0"]
    assert any(line[0] == "ACM-Net" and line[-1] == "42.6" for line in lines if line)


def test_another_benchmark_is_refused(acmnet, tmp_path):
    truth = {"database": {"v": {"subset": "test", "annotations": []}}}
    truth["database"]["v"]["annotations"] = [{"label": "run", "segment": [0.0, 1.0]}]
    found = {"results": {"v": [{"label": "run", "segment": [0.0, 1.0], "score": 1.0}]}}
    (tmp_path / "gt.json").write_text(json.dumps(truth))
    (tmp_path / "found.json").write_text(json.dumps(found))
    result = acmnet(
        *("evaluate", "--ground-truth", "gt.json", "--detections", "found.json"),
        "--published",
    )
    refused(result, "protocol 'custom'", "leave --published out")


@pytest.fixture
def thumos(tmp_path):
    """Write a video with an action of 10 s and 5 s of it found: AP 1 up to 0.5."""
    instance = {"label": "run", "segment": [0.0, 10.0]}
    truth = {"database": {"v": {"subset": "test", "annotations": [instance]}}}
    found = {"results": {"v": [{"label": "run", "segment": [0, 5], "score": 1.0}]}}
    (tmp_path / "gt.json").write_text(json.dumps(truth))
    (tmp_path / "mine.json").write_text(json.dumps(found))
    given = ["--ground-truth", "gt.json", "--detections", "mine.json"]
    return ["evaluate", "--protocol", "thumos14", "--published", *given]


def test_csv_keeps_the_classes_and_the_printed_digits(acmnet, thumos):
    assert acmnet(*thumos, "--csv", "t.csv")[0] == 0
    rows = list(csv.DictReader(Path("t.csv").read_text().splitlines()))
    n_published = len(BENCHMARKS["thumos14"]["rows"])
    assert [row["class"] for row in rows] == ["run", *["mAP"] * (1 + n_published)]
    own, published = rows[:2], rows[2:]
    sha = "ground truth SHA-256"
    assert [row["system"] for row in own] == ["mine", "mine"]
    assert all(len(row[sha]) == 64 for row in own)
    assert {row[sha] for row in published} == {""}  # not theirs
    assert own[1]["0.5"] == "1.0"
    assert own[1]["average 0.1:0.7"] == str(5 / 7)
    ssn, bmn = (
        next(row for row in published if row["system"].startswith(name))
        for name in ("SSN", "BMN")
    )
    # printed as 66.0, 59.4 and 38.8, and nothing where nothing is printed
    assert (ssn["0.1"], ssn["0.2"], bmn["0.5"]) == ("0.660", "0.594", "0.388")
    assert (ssn["0.6"], ssn["average 0.1:0.7"], ssn["protocol"]) == ("", "", "")


@pytest.mark.parametrize(
    ("option", "ssn", "mine"),
    [
        pytest.param(
            "--markdown",
            "| SSN (ICCV 2017) | full |  | 66.0 | 59.4 | 51.9 | 41.0 | 29.8 |  |  |  |",
            "| mine, measured | video | thumos14 | 100.00 | 100.00 | 100.00 | 100.00 | "
            "100.00 | 0.00 | 0.00 | 71.43 |",
            id="Markdown",
        ),
        pytest.param(
            "--latex",
            r"SSN (ICCV 2017) & full &  & 66.0 & 59.4 & 51.9 & 41.0 & 29.8 &  &  &  \\",
            r"mine, measured & video & thumos14 & 100.00 & 100.00 & 100.00 & 100.00 & "
            r"100.00 & 0.00 & 0.00 & 71.43 \\",
            id="LaTeX",
        ),
    ],
)
def test_text_keeps_the_classes_and_the_printed_digits(
    acmnet, thumos, option, ssn, mine
):
    assert acmnet(*thumos, option, "t.txt")[0] == 0
    lines = Path("t.txt").read_text().splitlines()
    assert ssn in lines
    assert mine in lines
    (own,) = (x for x in lines if x.startswith(("| run |", "run & ")))
    # its own thresholds go on to 0.9, and their average is 5 / 9
    head = own.replace("| ", "& ").split(" & ")[-14:-4]
    assert head == [*["100.00"] * 5, *["0.00"] * 4, "55.56"]
    assert sum("ground truth SHA-256 of what was measured" in x for x in lines) == 1


def test_nothing_is_cut_in_a_pipe(acmnet, thumos, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    _, out, _ = acmnet(*thumos)
    assert "…" not in out
    for row in BENCHMARKS["thumos14"]["rows"]:
        (line,) = (x for x in out.splitlines() if row["name"] in x)
        assert row.get("protocol", "") in line
        assert row.get("labels", "video") in line.split()
