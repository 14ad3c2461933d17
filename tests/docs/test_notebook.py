"""Objects show themselves in notebooks; the example notebook runs, cell by cell."""

import ast
import json
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest

from acmnet.data.labels.annotations import Annotations, Instance, Video
from acmnet.evaluation.reports import DetectionReport, evaluate
from acmnet.segments import MOST_SHOWN, Detections, Segment
from support.places import ROOT

NOTEBOOK = ROOT / "examples" / "detections.ipynb"
HOSTILE = '<script>alert(1)</script> & "🎉" $x_1$ \\frac\n' + "w" * 300


class _Tables(HTMLParser):
    """The cells of tables, and every tag."""

    def __init__(self):
        super().__init__()
        self.rows, self.tags = [], []

    def handle_starttag(self, tag, attrs):
        del attrs
        self.tags.append(tag)
        if tag == "tr":
            self.rows.append([])

    def handle_data(self, data):
        if self.tags[-1] in ("td", "th"):
            self.rows[-1].append(data)


def parsed(text):
    tables = _Tables()
    tables.feed(text)
    tables.close()
    return tables


def picture(png):
    return cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)


def a_report(label="jump"):
    instances = (Instance(label, Segment(2.0, 4.0)),)
    video = Video(
        id="<b>", subset="test", duration_s=9.0, labels=(label,), instances=instances
    )
    found = Detections.of([label], [(2.0, 3.0, 0.9, 0), (6.0, 8.0, 0.1, 0)])
    annotations = Annotations("labels.json", {"<b>": video}, (label,))
    return evaluate(annotations, {"<b>": found}, tiou=(0.3, 0.5, 0.7))


def test_detections_show_a_table_the_surest_first():
    found = Detections.of(["a", HOSTILE], [(0, 1.5, 0.25, 0), (2, 3, 0.75, 1)])
    shown = parsed(found._repr_html_())
    assert shown.rows[1:] == [
        [HOSTILE, "2.00", "3.00", "0.750"],
        ["a", "0.00", "1.50", "0.250"],
    ]
    assert "script" not in shown.tags


def test_detections_show_no_more_than_fits():
    found = Detections.of(["a"], [(i, i + 1, i / 100, 0) for i in range(50)])
    shown = found._repr_html_()
    assert len(parsed(shown).rows) == 1 + MOST_SHOWN
    assert f"50 detections, the first {MOST_SHOWN} by score" in shown


@pytest.mark.parametrize(
    "found",
    [
        pytest.param(Detections.of([]), id="none"),
        pytest.param(Detections.of(["a"], [(0, 1, -3.0, 0)]), id="one"),
        pytest.param(Detections.of([HOSTILE], [(0, 1, 0.5, 0)]), id="hostile"),
        pytest.param(
            Detections.of(
                [str(i) for i in range(99)], [(0, 1, i / 99, i) for i in range(99)]
            ),
            id="many-classes",
        ),
    ],
)
def test_detections_show_a_picture(found):
    lanes = min(max(1, len(set(found.class_index.tolist()))), MOST_SHOWN)
    # 0.8 + 0.3 a lane, in inches of 100 pixels
    assert picture(found._repr_png_()).shape == (80 + 30 * lanes, 700, 3)


def test_a_surer_detection_is_less_transparent():
    found = Detections.of(["a"], [(0, 1, 0.9, 0), (9, 10, 0.1, 0)])
    pixels = picture(found._repr_png_()).astype(int)
    # blue is the first colour: red (the last of BGR) is the least where it is opaque
    blue = pixels[:, :, 0] - pixels[:, :, 2]
    columns = np.flatnonzero((blue > 20).any(axis=0))
    middle = (columns[0] + columns[-1]) // 2
    left, right = blue[:, :middle].max(), blue[:, middle:].max()
    assert left > 2 * right > 0


def test_a_report_shows_percent_and_its_facts():
    shown = parsed(a_report()._repr_html_())
    # found at tIoU 0.3 and 0.5, as 1 s of 2 s overlap; (100 + 100 + 0) / 3
    assert shown.rows == [
        ["tIoU", "0.3", "0.5", "0.7", "average"],
        ["mAP %", "100.0", "100.0", "0.0", "66.7"],
    ]
    assert "protocol custom, videos 1" in a_report()._repr_html_()
    assert "script" not in parsed(a_report(HOSTILE)._repr_html_()).tags
    assert picture(a_report(HOSTILE)._repr_png_()).shape == (300, 400, 3)


def shown_by(source, names):
    """Run a cell as a notebook does: the value of its last line, or None."""
    tree = ast.parse(source)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, str(NOTEBOOK), "exec"), names)
    if last is None:
        return None
    return eval(compile(ast.Expression(last.value), str(NOTEBOOK), "eval"), names)


def test_the_notebook_runs(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.mkdtemp", lambda: str(tmp_path))
    content = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    cells = [cell for cell in content["cells"] if cell["cell_type"] == "code"]
    # outputs would go stale: they are made, not kept
    assert all(cell["outputs"] == [] for cell in cells)
    names = {"__name__": "__main__"}
    shown = [shown_by("".join(cell["source"]), names) for cell in cells]
    values = [value for value in shown if value is not None]
    assert [type(value).__name__ for value in values] == [
        "Detections",
        "tuple",
        "DetectionReport",
        "Rendered",
    ]
    assert all(
        value._repr_html_().startswith("<table>") and value._repr_png_()
        for value in values
        if isinstance(value, Detections | DetectionReport)
    )
    assert len(values[0]) > 0
    assert values[2].videos == 6
    assert values[2].average > 0.2  # it has learned something
    assert (tmp_path / "training_000.mp4").stat().st_size > 1000
