"""Figures of a run: what is drawn is what was computed, whatever it is called."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from acmnet.data.labels.annotations import Instance, Video
from acmnet.evaluation.reports import evaluate
from acmnet.localization.video_activations import VideoActivations
from acmnet.segments import Detections, Segment, SnippetGrid
from acmnet.show.figures import figure_style
from acmnet.show.figures import score_figures as scores_room
from acmnet.show.figures import training_figure as training_room
from acmnet.show.figures import video_figure as video_room
from acmnet.show.figures.figure_style import FigureError, fitted_name
from acmnet.show.figures.score_figures import (
    confusion,
    write_class_figure,
    write_confusion_figure,
    write_map_figure,
)
from acmnet.show.figures.training_figure import epoch_means, write_training_figure
from acmnet.show.figures.video_figure import shown_classes, surest_detections
from acmnet.show.figures.video_figure import write_video_figure as draw_video
from support.commands import refused
from support.worlds import file_of, truth_of

HOSTILE = ["$x^2$ & $", "two\nlines", "\\frac{", "x" * 300, "<b>%s</b>", "🤸 turning"]
GRID = SnippetGrid(fps=10.0, snippet_frames=4, stride_frames=2)


@pytest.fixture
def drawn(monkeypatch):
    """Keep each figure that is saved, by its name."""
    kept = {}
    real = figure_style.save

    def save(figure, path):
        kept[path.name] = figure
        return real(figure, path)

    for room in (video_room, scores_room):
        monkeypatch.setattr(room, "save", save)
    return kept


@pytest.fixture
def laid_out(monkeypatch):
    """Lay each figure out and keep it, by its name; nothing is written."""
    kept = {}

    def save(figure, path):
        figure.draw_without_rendering()
        kept[path.name] = figure
        return ()

    for room in (video_room, scores_room, training_room):
        monkeypatch.setattr(room, "save", save)
    return kept


def a_video(names=("run", "jump")):
    instances = (Instance(names[0], Segment(0.5, 1.5)),)
    return Video(
        id="v", subset="test", duration_s=3.0, labels=(names[0],), instances=instances
    )


def some_activations(n=13, n_classes=2):
    random = np.random.default_rng(0)
    cas = random.dirichlet(np.ones(n_classes + 1), n).astype(np.float32)
    attention = random.dirichlet(np.ones(3), n).astype(np.float32)
    return VideoActivations(
        instance_cas=cas,
        attention=attention,
        video_scores=cas.mean(axis=0),
        n_snippets=n,
        grid=GRID,
        class_names=tuple(f"class {c}" for c in range(n_classes)),
        cas=cas,
    )


# ---- a video


def test_curves_and_spans_are_those_of_the_data(drawn, tmp_path):
    """Snippet i of 4 frames every 2 at 10 fps has its middle at 0.2 + 0.2 i s."""
    cas = np.tile([0.5, 0.3, 0.2], (13, 1))
    said = dataclasses.replace(some_activations(), cas=cas)
    found = Detections.of(("run", "jump"), [(0.4, 1.6, 0.8, 0), (2.0, 2.5, 0.3, 0)])
    paths = draw_video(a_video(), said, found, tmp_path / "v")
    assert [path.name for path in paths] == ["v.png", "v.svg", "v.pdf"]
    truth, detections, attention, instance = drawn["v"].axes
    times = 0.2 + 0.2 * np.arange(13)
    for branch, line in enumerate(attention.lines):
        assert line.get_xdata() == pytest.approx(times)
        assert line.get_ydata() == pytest.approx(said.attention[:, branch])
    own, plain = instance.lines
    assert own.get_ydata() == pytest.approx(said.instance_cas[:, 0])
    assert plain.get_ydata() == pytest.approx(cas[:, 0])

    def spans(axes):
        boxes = [path for x in axes.collections for path in x.get_paths()]
        return [(b.vertices[:, 0].min(), b.vertices[:, 0].max()) for b in boxes]

    assert spans(truth) == [pytest.approx((0.5, 1.5))]
    # the second has less than half the score of the first
    assert spans(detections) == [pytest.approx((0.4, 1.6))]


def test_what_is_shown_by_hand():
    names = ("a", "b", "c", "d", "e", "f")
    rows = [(0.0, 1.0, 0.1 * c, c) for c in range(6)]
    found = Detections.of(names, rows)
    video = Video(id="v", subset=None, duration_s=None, labels=("b",), instances=())
    assert shown_classes(video, found) == [1, 5, 4, 3]
    sure = surest_detections(
        Detections.of(names, [(0, 1, 0.8, 0), (1, 2, 0.4, 0), (2, 3, 0.39, 0)])
    )
    assert [(start, share) for _, start, _, share in sure] == [
        (1.0, pytest.approx(0.5)),
        (0.0, pytest.approx(1.0)),
    ]


@pytest.mark.parametrize(
    ("n_labelled", "n_drawn", "said"),
    [
        pytest.param(3, 4, "", id="the surest found joins"),
        pytest.param(5, 5, "", id="all labelled"),
        pytest.param(10, 8, "2 of 10 labelled classes not shown", id="too many"),
    ],
)
def test_no_truth_is_left_out_in_silence(laid_out, tmp_path, n_labelled, n_drawn, said):
    names = tuple("abcdefghijkl")
    labels = names[:n_labelled]
    truth = tuple(Instance(x, Segment(0.0, 1.0)) for x in labels)
    found = Detections.of(names, [(0.0, 1.0, 0.5, 11), (0.0, 1.0, 0.4, 10)])
    activations = some_activations(n_classes=12)
    draw_video(
        Video(id="v", subset=None, duration_s=None, labels=labels, instances=truth),
        activations,
        found,
        tmp_path / "v",
    )
    figure = laid_out["v"]
    assert len(figure.axes[0].collections) == min(n_labelled, n_drawn)
    assert len(figure.axes) - 3 == n_drawn
    assert figure.get_suptitle().partition("\n")[2] == said


def test_a_students_figure_says_whose_curves_they_are(laid_out, tmp_path):
    found = Detections.of(("run", "jump"), [(0.4, 1.6, 0.8, 0)])
    for teachers, said in ((1, "its teacher;"), (3, "the mean of its 3 teachers;")):
        draw_video(a_video(), some_activations(), found, tmp_path / "v", teachers)
        told = f"attention and CAS: {said} detections: the student"
        assert laid_out["v"].get_suptitle() == f"v\n{told}"


def test_branches_differ_in_print_without_colour(laid_out, tmp_path):
    found = Detections.of(("run", "jump"), [])
    draw_video(a_video(), some_activations(), found, tmp_path / "v")
    assert len({x.get_linestyle() for x in laid_out["v"].axes[2].lines}) == 3


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_drawn(tmp_path, name):
    names = (name, "jump")
    found = Detections.of(names, [(0.4, 1.6, 0.8, 0)])
    video = Video(
        id=name,
        subset=None,
        duration_s=None,
        labels=(name,),
        instances=(Instance(name, Segment(0.0, 1.0)),),
    )
    activations = some_activations()
    paths = draw_video(video, activations, found, tmp_path / "v")
    assert all(path.stat().st_size > 1000 for path in paths)


def test_names_are_one_short_line():
    assert fitted_name("two\nlines\x00") == "two lines"
    assert fitted_name("$a$") == r"\$a\$"
    assert len(fitted_name("x" * 300)) == 40


def test_the_cas_before_attention_is_drawn_where_it_is_known(laid_out, tmp_path):
    found = Detections.of(("run", "jump"), [(0.4, 1.6, 0.8, 0)])
    said = some_activations()
    for cas, lines in ((said.cas, 2), (None, 1)):
        known = dataclasses.replace(said, cas=cas)
        draw_video(a_video(), known, found, tmp_path / "v")
        assert len(laid_out["v"].axes[3].lines) == lines


def test_a_video_without_truth_or_detections_is_drawn(tmp_path):
    video = Video(id="v", subset=None, duration_s=None, labels=(), instances=())
    found = Detections.of(("run", "jump"), [])
    activations = some_activations()
    paths = draw_video(video, activations, found, tmp_path / "v")
    assert len(paths) == 3


def test_the_same_numbers_give_the_same_bytes(tmp_path):
    activations = some_activations()
    found = Detections.of(("run", "jump"), [(0.4, 1.6, 0.8, 0)])
    for folder in ("one", "two"):
        draw_video(a_video(), activations, found, tmp_path / folder / "v")
    for kind in ("png", "svg", "pdf"):
        one, two = (tmp_path / x / f"v.{kind}" for x in ("one", "two"))
        assert one.read_bytes() == two.read_bytes()


# ---- scores


def test_confusion_by_hand():
    """One instance each of a and b; a is found as b (surer) and as a, b not at all.

    The third detection is not sure: 0.3 is below half of 0.9.
    """
    truth = truth_of(v=[("a", 0.0, 10.0), ("b", 20.0, 30.0)])
    found = file_of(
        v=[("b", 0.0, 9.0, 0.9), ("a", 0.0, 10.0, 0.8), ("b", 20.0, 30.0, 0.3)]
    )
    report = evaluate(truth, found, tiou=(0.5,))
    assert confusion(report).tolist() == [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    # with a tIoU of 0.95 the one called b is not near enough
    assert confusion(report, 0.95).tolist() == [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]


def test_bars_and_lines_are_the_reports(drawn, tmp_path):
    truth = truth_of(v=[("a", 0.0, 10.0), ("b", 20.0, 30.0)])
    found = file_of(v=[("b", 20.0, 28.0, 0.9), ("a", 0.0, 4.0, 0.8)])
    report = evaluate(truth, found, tiou=(0.3, 0.5, 0.7))
    write_map_figure({"mine": report}, tmp_path / "map")
    line = drawn["map"].axes[0].lines[0]
    assert line.get_xdata() == pytest.approx([0.3, 0.5, 0.7])
    # b is at tIoU 0.8, a at 0.4
    assert line.get_ydata() == pytest.approx([100.0, 50.0, 50.0])
    write_class_figure(report, tmp_path / "classes")
    axes = drawn["classes"].axes[0]
    assert [x.get_text() for x in axes.get_yticklabels()] == ["b", "a"]
    widths = [bar.get_width() for bar in axes.patches]
    assert widths == pytest.approx([100.0, 100 / 3])


@pytest.mark.parametrize("name", ["$x^2$ & $", "x" * 300])
def test_scores_of_hostile_names_leave_room(laid_out, tmp_path, name):
    """A panel that collapses warns, and warnings are errors here."""
    truth = truth_of(v=[(name, 0.0, 10.0), ("b", 20.0, 30.0)])
    report = evaluate(truth, file_of(v=[("b", 20.0, 28.0, 0.9)]), tiou=(0.5,))
    write_map_figure({f"{i}{name}": report for i in range(9)}, tmp_path / "map")
    write_class_figure(report, tmp_path / "classes")
    write_confusion_figure(report, tmp_path / "confusion")
    for stem in ("map", "classes", "confusion"):
        figure = laid_out[stem]
        box = figure.axes[0].get_position()
        width_cm, height_cm = figure.get_size_inches() * 2.54
        assert min(box.width * width_cm, box.height * height_cm) > 1.2


def test_the_confusion_that_is_drawn_is_the_one_computed(laid_out, tmp_path):
    truth = truth_of(v=[("a", 0.0, 10.0), ("b", 20.0, 30.0)])
    report = evaluate(truth, file_of(v=[("b", 0.0, 9.0, 0.9)]), tiou=(0.5,))
    write_confusion_figure(report, tmp_path / "confusion")
    axes = laid_out["confusion"].axes[0]
    drawn_shares = axes.images[0].get_array()
    # a is found as b, b not at all
    assert drawn_shares.tolist() == [[0.0, 100.0, 0.0], [0.0, 0.0, 100.0]]
    texts = {(*x.get_position(), x.get_text()) for x in axes.texts}
    assert texts == {(1, 0, "100"), (2, 1, "100")}


def test_every_system_is_in_the_legend(laid_out, tmp_path):
    """Also one whose name begins as those do that matplotlib hides."""
    report = evaluate(
        truth_of(v=[("a", 0.0, 10.0)]), file_of(v=[("a", 0.0, 9.0, 0.9)]), tiou=(0.5,)
    )
    write_map_figure({"_one": report, "two": report}, tmp_path / "map")
    (legend,) = laid_out["map"].legends
    said = [text.get_text() for text in legend.get_texts()]
    assert said == ["average 100.0: _one", "average 100.0: two"]


# ---- training


def test_epoch_means_weigh_by_videos(tmp_path):
    """Epoch 1: (4 * 1.0 + 2 * 4.0) / 6 = 2; the half-written line is passed over."""
    rows = [
        {"epoch": 1, "step": 1, "total": 1.0, "videos": 4, "seconds": 0.1},
        {"epoch": 1, "step": 2, "total": 4.0, "videos": 2, "seconds": 0.1},
        {"epoch": 2, "step": 3, "total": 0.5, "videos": 4, "seconds": 0.1},
    ]
    log = tmp_path / "log.jsonl"
    log.write_text("".join(json.dumps(row) + "\n" for row in rows) + '{"epoch": 3, "t')
    epochs, terms = epoch_means(log)
    assert epochs.tolist() == [1.0, 2.0]
    assert terms["total"].tolist() == [2.0, 0.5]
    assert list(terms) == ["total"]
    assert len(write_training_figure(log, tmp_path / "t")) == 3


def test_each_panel_can_be_read(laid_out, tmp_path):
    """One epoch is a point; the lowest panel of either column has numbers."""
    row = {"epoch": 1, "videos": 4, "a": 1.0, "b": 2.0, "c": 3.0}
    log = tmp_path / "log.jsonl"
    log.write_text(json.dumps(row) + "\n")
    write_training_figure(log, tmp_path / "t")
    panels = laid_out["t"].axes
    for axes, value in zip(panels[:3], (1.0, 2.0, 3.0), strict=True):
        (line,) = axes.lines
        assert (list(line.get_xdata()), list(line.get_ydata())) == ([1.0], [value])
        assert line.get_marker() == "o"
    has_numbers = [x.xaxis.get_tick_params()["labelbottom"] for x in panels[:3]]
    assert has_numbers == [False, True, True]
    assert not panels[3].get_visible()


def test_a_log_of_two_runs_is_refused(tmp_path):
    log = tmp_path / "log.jsonl"
    for last in ({"epoch": 2, "videos": 4, "other": 1.0}, {}):
        first = {"epoch": 1, "videos": 4} | ({"total": 1.0} if last else {})
        log.write_text(f"{json.dumps(first)}\n{json.dumps(last)}\n")
        with pytest.raises(FigureError, match="all have the same loss terms"):
            epoch_means(log)


def test_what_cannot_be_drawn_is_refused(tmp_path):
    with pytest.raises(
        FigureError, match=r"no log at .*log\.jsonl; give the directory"
    ):
        epoch_means(tmp_path / "log.jsonl")
    (tmp_path / "log.jsonl").write_text("{}\n")
    with pytest.raises(FigureError, match="holds no step of a training"):
        epoch_means(tmp_path / "log.jsonl")
    truth = truth_of(v=[("a", 0.0, 10.0)])
    report = evaluate(truth, file_of(v=[("a", 0.0, 9.0, 0.9)]), tiou=(0.5,))
    with pytest.raises(FigureError, match=r"need a folder, got the file .*log\.jsonl"):
        write_map_figure({"mine": report}, tmp_path / "log.jsonl" / "map")


# ---- the verb


def test_the_verb_draws_a_run(acmnet, tiny_run):
    names = ["--video", "test_000", "--video", "test_001"]
    code, out, err = acmnet("figures", tiny_run, "--out", "f", *names)
    assert code == 0
    assert "12 videos that were trained on are left out" in err
    assert "18 files: f" in out
    stems = {path.stem for path in Path("f").iterdir()}
    assert stems == {
        *("training", "map", "classes", "confusion"),
        *("video_test_000", "video_test_001"),
    }
    result = acmnet("figures", tiny_run, "--out", "f", "--video", "nobody")
    refused(result, "no video 'nobody'", "18", code=2)
