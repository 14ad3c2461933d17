"""Time: the snippet grid by hand, what is refused, and temporal IoU."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acmnet.segments import Detection, Detections, Segment, SnippetGrid, temporal_iou
from support.twins_localization import tiou_of

repeatable = settings(deadline=None, derandomize=True, database=None)

grids = st.builds(
    SnippetGrid,
    fps=st.floats(1.0, 120.0),
    snippet_frames=st.integers(1, 64),
    stride_frames=st.integers(1, 64),
)


@pytest.mark.parametrize(
    ("window", "stride", "t", "centre_s", "n_snippets", "span_s"),
    [
        # frames [0, 16) at 25 fps: middle 8 / 25; 4 * 16 / 25 in all
        pytest.param(16, 16, 0, 0.32, 4, 2.56, id="edge to edge"),
        # frames [48, 64): middle 56 / 25
        pytest.param(16, 16, 3, 2.24, 1, 0.64, id="edge to edge, last of four"),
        # frames [4, 20): middle 12 / 25; (3 - 1) * 4 + 16 = 24 frames
        pytest.param(16, 4, 1, 0.48, 3, 0.96, id="overlapping windows"),
        # frames [10, 14): middle 12 / 25; (2 - 1) * 10 + 4 = 14 frames
        pytest.param(4, 10, 1, 0.48, 2, 0.56, id="gaps between the windows"),
        # frames [2, 5): middle 3.5 / 25; (2 - 1) * 2 + 3 = 5 frames
        pytest.param(3, 2, 1, 0.14, 2, 0.2, id="odd window"),
    ],
)
def test_grid_tells_the_time(window, stride, t, centre_s, n_snippets, span_s):
    grid = SnippetGrid(fps=25, snippet_frames=window, stride_frames=stride)
    assert grid.window_s == pytest.approx(window / 25)
    assert grid.stride_s == pytest.approx(stride / 25)
    assert grid.centre_s(t) == pytest.approx(centre_s)
    assert grid.span_s(n_snippets) == pytest.approx(span_s)


def test_snippet_at_is_fractional_and_leaves_the_video():
    # window 16, stride 8 at 8 fps: centres at 1, 2, 3 ... seconds
    grid = SnippetGrid(fps=8, snippet_frames=16, stride_frames=8)
    assert [grid.snippet_at(time_s) for time_s in (0.0, 1.0, 2.5)] == [-1.0, 0.0, 1.5]


@repeatable
@given(grids, st.integers(0, 10_000))
def test_centre_and_snippet_are_inverse(grid, t):
    assert grid.snippet_at(grid.centre_s(t)) == pytest.approx(t, abs=1e-6)


@repeatable
@given(grids, st.integers(1, 10_000))
def test_span_ends_half_a_window_after_the_last_centre(grid, n_snippets):
    last_s = grid.centre_s(n_snippets - 1)
    assert grid.span_s(n_snippets) == pytest.approx(last_s + grid.window_s / 2)


@pytest.mark.parametrize("fps", [0, -25.0, float("nan"), float("inf")])
def test_grid_refuses_a_frame_rate(fps):
    with pytest.raises(ValueError, match=f"fps must be positive and finite, got {fps}"):
        SnippetGrid(fps=fps, snippet_frames=16, stride_frames=16)


@pytest.mark.parametrize("name", ["snippet_frames", "stride_frames"])
@pytest.mark.parametrize("value", [0, -1, 1.5, 16.0, True, "16", None])
def test_grid_refuses_a_count(name, value):
    frames = {"snippet_frames": 16, "stride_frames": 16, name: value}
    message = f"{name} must be a whole number from 1, got {value!r}$"
    with pytest.raises(ValueError, match=message):
        SnippetGrid(fps=25, **frames)


def test_segment_has_a_length_and_sorts_by_time():
    segments = [Segment(2.0, 3.0), Segment(0.5, 4.0), Segment(0.5, 1.0)]
    assert [segment.length_s for segment in segments] == [1.0, 3.5, 0.5]
    assert sorted(segments) == [Segment(0.5, 1.0), Segment(0.5, 4.0), Segment(2.0, 3.0)]


def test_segment_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Segment(0.0, 1.0).end_s = 2.0


@pytest.mark.parametrize(
    ("start_s", "end_s", "message"),
    [
        pytest.param(2.0, 1.0, r"end after it starts, got \[2\.0, 1\.0\] s", id="back"),
        pytest.param(1.0, 1.0, r"end after it starts, got \[1\.0, 1\.0\]", id="empty"),
        pytest.param(float("nan"), 1.0, r"be finite, got \[nan, 1\.0\] s", id="nan"),
        pytest.param(0.0, float("inf"), r"be finite, got \[0\.0, inf\] s", id="inf"),
    ],
)
def test_segment_refuses(start_s, end_s, message):
    with pytest.raises(ValueError, match=message):
        Segment(start_s, end_s)


def test_detections_are_rows():
    found = Detections.of(["jump", "run"], [(1.0, 2.5, 0.9, 1), (0.0, 4.0, -0.5, 0)])
    assert len(found) == 2
    assert list(found) == [
        Detection("run", 1.0, 2.5, 0.9),
        Detection("jump", 0.0, 4.0, -0.5),
    ]
    assert found[-1] == Detection("jump", 0.0, 4.0, -0.5)


def test_detections_may_be_none():
    found = Detections.of(["jump", "run"])
    assert len(found) == 0
    assert list(found) == []
    assert found.n_classes == 2
    assert found.score.dtype == np.float64
    assert found.class_index.dtype == np.int64


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ((float("nan"), 2.0, 0.5, 0), "detection 1 has start_s = nan; it must be fin"),
        ((1.0, float("inf"), 0.5, 0), "detection 1 has end_s = inf; it must be finite"),
        ((1.0, 2.0, float("-inf"), 0), "detection 1 has score = -inf; it must be fin"),
        ((3.0, 2.0, 0.5, 0), r"detection 1 must end after .*, got \[3\.0, 2\.0\] s"),
        ((3.0, 3.0, 0.5, 0), r"detection 1 must end after .*, got \[3\.0, 3\.0\] s"),
        ((1.0, 2.0, 0.5, 2), r"class_index must be in \[0, 2\), got 0 to 2"),
        ((1.0, 2.0, 0.5, -1), r"class_index must be in \[0, 2\), got -1 to 0"),
    ],
)
def test_detections_refuse_a_row(row, message):
    with pytest.raises(ValueError, match=message):
        Detections.of(["jump", "run"], [(0.0, 1.0, 0.5, 0), row, (0.0, 2.0, 0.5, 0)])


@pytest.mark.parametrize(
    ("shape", "index_shape", "message"),
    [
        pytest.param((2,), (1,), r"one length, got .*'class_index': \(1,\)", id="len"),
        pytest.param((2, 1), (2, 1), r"one length, got .*'score': \(2, 1\)", id="2-d"),
    ],
)
def test_detections_refuse_shapes(shape, index_shape, message):
    zeros, index = np.zeros(shape), np.zeros(index_shape, dtype=np.int64)
    with pytest.raises(ValueError, match=message):
        Detections(
            start_s=zeros,
            end_s=zeros + 1,
            score=zeros,
            class_index=index,
            class_names=("jump",),
        )


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        pytest.param((1, 3), (1, 3), 1.0, id="identical"),
        pytest.param((0, 1), (1, 2), 0.0, id="touching"),
        pytest.param((0, 1), (5, 9), 0.0, id="disjoint"),
        pytest.param((5, 9), (0, 1), 0.0, id="disjoint, the other way"),
        pytest.param((0, 8), (2, 4), 2 / 8, id="nested"),
        pytest.param((0, 8), (0, 2), 2 / 8, id="nested, one start"),
        pytest.param((0, 4), (2, 6), 2 / 6, id="half"),
        pytest.param((0, 0.5), (0.25, 1.25), 0.25 / 1.25, id="below a second"),
    ],
)
def test_temporal_iou(a, b, expected):
    a, b = np.array(a, dtype=float), np.array(b, dtype=float)
    assert temporal_iou(a[0], a[1], b[0], b[1]) == pytest.approx(expected)
    assert temporal_iou(b[0], b[1], a[0], a[1]) == pytest.approx(expected)


def test_temporal_iou_broadcasts_to_a_table():
    # against [0, 4): 1, 2 / 6; against [5, 6): 0, 1 / 4
    start, end = np.array([0.0, 5.0]), np.array([4.0, 6.0])
    other_start, other_end = np.array([0.0, 2.0]), np.array([4.0, 6.0])
    table = temporal_iou(start[:, None], end[:, None], other_start, other_end)
    assert table == pytest.approx(np.array([[1.0, 1 / 3], [0.0, 1 / 4]]))


intervals = st.tuples(st.integers(0, 12), st.integers(1, 8)).map(
    lambda pair: (pair[0] / 4, (pair[0] + pair[1]) / 4)
)


@repeatable
@given(st.lists(intervals, max_size=6), st.lists(intervals, max_size=6))
def test_temporal_iou_equals_its_twin(some, others):
    a = np.array(some).reshape(-1, 2)
    b = np.array(others).reshape(-1, 2)
    table = temporal_iou(a[:, :1], a[:, 1:], b[:, 0], b[:, 1])
    assert table.tolist() == [[tiou_of(x, y) for y in others] for x in some]


@repeatable
@given(intervals, intervals, st.floats(0.01, 100.0))
def test_temporal_iou_has_no_unit(a, b, scale):
    a, b = np.array(a), np.array(b)
    tiou = float(temporal_iou(*a, *b))
    assert 0.0 <= tiou <= 1.0
    assert temporal_iou(*(scale * a), *(scale * b)) == pytest.approx(tiou, abs=1e-12)
