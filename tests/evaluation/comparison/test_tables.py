"""Tables as CSV, Markdown and LaTeX: read back, and equal to the report."""

import csv
import io
import re

import pytest

from acmnet.evaluation.comparison.bootstrap import compare
from acmnet.evaluation.comparison.tables import (
    Table,
    comparison_table,
    report_table,
    stacked_csv,
)
from acmnet.evaluation.reports import evaluate
from support.worlds import file_of, truth_of

AWKWARD = "50%_of {a} & b|c\\d #1 ~^$<>"


@pytest.fixture
def report():
    """Return a report of two classes at .1 to .7, one with an awkward name."""
    truth = truth_of(a=[(AWKWARD, 0, 10), ("run", 0, 10), ("run", 20, 30)])
    found = file_of(a=[(AWKWARD, 0, 6, 1), ("run", 0, 10, 2), ("fly", 0, 1, 1)])
    return evaluate(truth, found)


def read_markdown(text):
    """Return the rows of the first table, each a list of cells."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    cells = [re.split(r"(?<!\\)\|", line)[1:-1] for line in lines]
    return [
        [re.sub(r"\\([|\\])", r"\1", x.strip()) for x in row]
        for i, row in enumerate(cells)
        if i != 1
    ]


def read_latex(text):
    """Return the rows between the rules, each a list of cells, unescaped."""
    names = {"textbackslash": "\\", "textasciitilde": "~", "textasciicircum": "^"}
    names |= {"textless": "<", "textgreater": ">"}
    rows = []
    for line in text.splitlines():
        if not line.endswith(r" \\"):
            continue
        cells = re.split(r"(?<!\\) & ", line.removesuffix(r" \\"))
        rows.append(
            [
                re.sub(
                    r"\\(text\w+)\{\}|\\([&%$#_{}])",
                    lambda m: names[m[1]] if m[1] else m[2],
                    cell,
                )
                for cell in cells
            ]
        )
    return rows


def test_csv_is_read_back_to_every_digit(report):
    rows = list(csv.DictReader(io.StringIO(stacked_csv([report_table(report)]))))
    assert [row["class"] for row in rows] == [AWKWARD, "run", "mAP"]
    for c, row in enumerate(rows[:-1]):
        for k, threshold in enumerate(report.tiou.tolist()):
            assert float(row[f"{threshold:g}"]) == report.ap[k, c]
    last = rows[-1]
    assert [float(last[f"{t:g}"]) for t in report.tiou] == report.map.tolist()
    assert float(last["average"]) == report.average
    for name, value in report.averages().items():
        assert float(last[f"average {name}"]) == value
    assert {row["protocol"] for row in rows} == {"custom"}
    facts = ("videos", "instances", "detections", "dropped", "ground truth SHA-256")
    assert [last[x] for x in facts] == [
        "1",
        "3",
        "2",
        "1 (label without ground truth)",
        "unknown",
    ]


@pytest.mark.parametrize(
    ("write", "read"),
    [
        pytest.param(Table.to_markdown, read_markdown, id="Markdown"),
        pytest.param(Table.to_latex, read_latex, id="LaTeX"),
    ],
)
def test_text_is_read_back_in_percent(report, write, read):
    # AWKWARD is found at tIoU .6, run has one of two: AP 1/2. mAP .75 to .6, then .25
    head, awkward, run, last = read(write(report_table(report)))
    assert head[:8] == ["class", "0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7"]
    assert head[8:] == [
        "average",
        "average 0.1:0.5",
        "average 0.1:0.7",
        "average 0.3:0.7",
    ]
    assert awkward[:8] == [AWKWARD, *["100.00"] * 6, "0.00"]
    assert run == ["run", *["50.00"] * 11]
    assert last[1:8] == [*["75.00"] * 6, "25.00"]
    # (6 * 75 + 25) / 7, 75, the first again, (4 * 75 + 25) / 5
    assert last[8:] == ["67.86", "75.00", "67.86", "65.00"]


def test_what_every_result_carries_is_in_every_form(report):
    table = report_table(report)
    for text in (stacked_csv([table]), table.to_markdown(), table.to_latex()):
        assert "custom" in text
        assert "1 (label without ground truth)" in text
        assert "SHA-256" in text


def test_latex_needs_nothing_but_booktabs(report):
    text = report_table(report).to_latex()
    lines = text.splitlines()
    assert lines[0] == "% protocol: custom"
    body = [line for line in lines if not line.startswith("%")]
    assert body[0] == r"\begin{tabular}{lrrrrrrrrrrr}"
    assert [x for x in body if x.endswith("rule")] == [
        r"\toprule",
        r"\midrule",
        r"\bottomrule",
    ]
    assert body[-1] == r"\end{tabular}"
    for line in body[2:-2]:
        if line.endswith(r"\\"):
            assert len(re.findall(r"(?<!\\)&", line)) == 11


def test_latex_escapes_what_it_would_read():
    text = Table((AWKWARD,), (), {}).to_latex()
    assert text.splitlines()[2] == (
        r"50\%\_of \{a\} \& b|c\textbackslash{}d \#1 \textasciitilde{}"
        r"\textasciicircum{}\$\textless{}\textgreater{} \\"
    )


def test_line_breaks_stay_in_their_cell():
    table = Table(("class", "0.5"), (("a\nb", 0.5),), {"notes": "one\ntwo"})
    assert read_markdown(table.to_markdown())[1] == ["a b", "50.00"]
    assert "% notes: one two\n" in table.to_latex()
    assert next(csv.DictReader(io.StringIO(stacked_csv([table]))))["class"] == "a\nb"


def test_systems_side_by_side():
    truth = truth_of(a=[("jump", 0, 10)], b=[("jump", 0, 10)])
    good = {v: [("jump", 0, 10, 1)] for v in "ab"}
    bad = {"a": [("jump", 0, 10, 1), ("fly", 0, 1, 1)], "b": []}
    comparison = compare(
        {
            "bad": evaluate(truth, file_of(**bad)),
            "good": evaluate(truth, file_of(**good)),
        },
        draws=50,
    )
    table = comparison_table(comparison)
    first, second = csv.DictReader(io.StringIO(stacked_csv([table])))
    assert (first["system"], second["system"]) == ("bad", "good")
    assert (float(first["0.5"]), float(second["0.5"])) == (0.5, 1.0)
    assert (first["difference"], float(second["difference"])) == ("", 0.5)
    interval = comparison.interval("bad")
    assert float(first["average low"]) == interval.low
    assert float(first["average high"]) == interval.high
    assert (first["detections"], first["dropped"]) == ("1", "1")
    assert first["intervals"] == "95 %, 50 draws of the videos, seed 0"
    head, *rows = read_markdown(table.to_markdown())
    assert [len(row) for row in rows] == [len(head)] * 2
    assert rows[0][head.index("difference")] == ""
    assert rows[1][head.index("difference")] == "50.00"
    assert rows[1][head.index("detections")] == "2"
    assert [row[0] for row in read_latex(table.to_latex())] == ["system", "bad", "good"]
