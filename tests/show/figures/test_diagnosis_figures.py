"""Figures of a diagnosis: what stands below the bars can be read."""

import dataclasses
import itertools

from matplotlib.backends.backend_agg import FigureCanvasAgg

from acmnet.evaluation.diagnosis.diagnosis import diagnose
from acmnet.show.figures import diagnosis_figures
from support.worlds import file_of, truth_of


def test_spans_of_neighbouring_buckets_do_not_overlap(tmp_path, monkeypatch):
    lengths = (1.81, 2.52, 13.62, 14.24, 15.51)
    rows = [("run", 20 * i, 20 * i + length) for i, length in enumerate(lengths)]
    drawn = {}
    monkeypatch.setattr(
        diagnosis_figures,
        "save",
        lambda figure, path: drawn.setdefault(path.name, figure) and (),
    )
    truth = truth_of(a=rows)
    video = dataclasses.replace(truth.videos["a"], duration_s=97.3)
    truth = dataclasses.replace(truth, videos={"a": video})
    found = diagnose(truth, file_of(a=[("run", 0, 3, 1)]))
    diagnosis_figures.write_diagnosis_figures(found, tmp_path)
    figure = drawn["sensitivity"]
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    (axes,) = figure.axes
    boxes = [
        label.get_window_extent(canvas.get_renderer())
        for label in axes.get_xticklabels()
    ]
    for left, right in itertools.pairwise(boxes):
        assert left.x1 < right.x0
    names = [text for text in axes.texts if text.get_text() == "length (s)"]
    assert names[0].get_window_extent(canvas.get_renderer()).y1 < boxes[1].y0
