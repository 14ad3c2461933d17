"""Matching, AP and mAP: paper, twins, edges, laws, refusals, and a published row."""

import dataclasses
import hashlib
import json

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from acmnet.data.detections.detection_files import DetectionFileError
from acmnet.data.formats.exchange_format import Source
from acmnet.data.label_files import read_annotations
from acmnet.data.labels.annotations import AnnotationError, Instance, Point, WatchedSpan
from acmnet.evaluation.reports import evaluate
from acmnet.evaluation.scoring.matching import (
    Located,
    average_precision,
    match_detections,
)
from acmnet.evaluation.tiou import parse_tiou
from acmnet.segments import Detections, Segment
from support.twins_evaluation import Row, naive_class_ap, naive_match
from support.worlds import file_of, truth_of


def located(*intervals):
    """Return intervals of one group."""
    start_s, end_s = np.array(intervals, dtype=float).reshape(-1, 2).T
    return Located(np.zeros(len(start_s), np.int64), start_s, end_s)


# Arithmetic on paper


def test_map_by_hand():
    # Jumps: video a [0, 10], video b [0, 10] and [20, 30]. Ranked over both videos:
    #   .9  a [0, 10]    tIoU 1                          true   precision 1
    #   .8  a [0, 9]     a's only instance is taken      false
    #   .7  b [2, 10]    tIoU 8 / 10                     true   precision 2 / 3
    #   .6  b [50, 60]   meets nothing                   false
    #   .5  b [22, 34]   tIoU 8 / (10 + 12 - 8) = .571   true   precision 3 / 5
    # at .5: AP = (1 + 2/3 + 3/5) / 3 = 34/45 ; at .7 the last is false: (1 + 2/3) / 3
    # Run: one instance, no detection: AP 0. Swim: no instance, so no class.
    truth = truth_of(
        a=[("jump", 0, 10), ("run", 0, 10)], b=[("jump", 0, 10), ("jump", 20, 30)]
    )
    found = file_of(
        b=[("jump", 22, 34, 0.5), ("jump", 2, 10, 0.7), ("jump", 50, 60, 0.6)],
        a=[("jump", 0, 9, 0.8), ("jump", 0, 10, 0.9)],
    )
    report = evaluate(truth, found, tiou=(0.5, 0.7))
    assert report.class_names == ("jump", "run")
    assert report.ap == pytest.approx(np.array([[34 / 45, 0], [5 / 9, 0]]))
    assert report.map == pytest.approx([17 / 45, 5 / 18])
    assert report.average == pytest.approx((17 / 45 + 5 / 18) / 2)
    assert (report.videos, report.instances, report.detections) == (2, 4, 5)


def test_a_detection_settles_for_the_next_best_free_instance():
    # Instances A [0, 10], B [4, 14]. The first detection takes A. The second, [1, 11],
    # overlaps A by 9 / 11 = .818 and B by 7 / 13 = .538: A is taken, so B if the
    # threshold allows. PASCAL VOC would call it false at both.
    ranked, truth = located((0, 10), (1, 11)), located((0, 10), (4, 14))
    assert match_detections(ranked, truth, [0.5, 0.6]).tolist() == [[0, 1], [0, -1]]


def test_a_better_rank_ousts_whoever_came_first():
    # Instances A [0, 10], B [4, 14], C [8, 18]. The first detection is A, the third B.
    # The second, refused by A, turns to B at .538 and is ranked above the third, which
    # is left with C at 6 / (10 + 10 - 6) = .429.
    ranked = located((0, 10), (1, 11), (4, 14))
    truth = located((0, 10), (4, 14), (8, 18))
    assert match_detections(ranked, truth, [0.4, 0.5, 0.6]).tolist() == [
        [0, 1, 2],
        [0, 1, -1],
        [0, -1, 1],
    ]


def test_interpolated_precision_by_hand():
    # hits 0 1 1 0 1: precision at the hits 1/2, 2/3, 3/5; the first takes the better
    # 2/3 that follows. Four instances, one never found: (2/3 + 2/3 + 3/5) / 4 = 29/60.
    hits = np.array([[0, 1, 1, 0, 1], [0, 0, 0, 0, 0], [1, 1, 1, 1, 0]], dtype=bool)
    assert average_precision(hits, 4) == pytest.approx([29 / 60, 0, 1])


@pytest.mark.parametrize(
    ("instances", "detections", "tiou", "expected"),
    [
        pytest.param([(0, 1)], [(0, 2, 1)], 0.5, 1, id="exactly at the threshold"),
        pytest.param([(0, 1)], [(0, 2.001, 1)], 0.5, 0, id="just below it"),
        pytest.param([(0, 3)], [(0, 10, 1)], 0.3, 1, id="at .3, which is no binary"),
        pytest.param([(0, 1)], [(0, 1, 1)], 1.0, 1, id="identical, threshold 1"),
        pytest.param([(0, 1)], [(1, 2, 1)], 1e-9, 0, id="touching"),
        pytest.param([(0, 9)], [(3, 6, 1)], 0.3, 1, id="nested"),
        pytest.param([(-3, -1)], [(-3, -1, -9)], 0.5, 1, id="before 0, score negative"),
        pytest.param([(0, 1)], [], 0.5, 0, id="no detections"),
        pytest.param([(0, 1)], [(0, 1, 9), (0, 1, 8)], 0.5, 1, id="twice, false last"),
        pytest.param([(0, 1)] * 2, [(0, 1, 9)], 0.5, 0.5, id="instance listed twice"),
        pytest.param([(0, 1)] * 2, [(0, 1, 9)] * 2, 0.5, 1, id="both listed twice"),
        pytest.param([(0, 1)], [(0, 1, 5), (5, 6, 5)], 0.5, 1, id="tie, true first"),
        pytest.param([(0, 1)], [(5, 6, 5), (0, 1, 5)], 0.5, 0.5, id="tie, false first"),
        # [0, 4] meets both halves at .5; only if it takes the second is [0, 2] true.
        pytest.param(
            [(0, 2), (2, 4)], [(0, 4, 9), (0, 2, 8)], 0.5, 0.5, id="equal tIoU: first"
        ),
        pytest.param(
            [(2, 4), (0, 2)], [(0, 4, 9), (0, 2, 8)], 0.5, 1, id="equal tIoU, reversed"
        ),
    ],
)
def test_edges(instances, detections, tiou, expected):
    truth = truth_of(a=[("jump", *x) for x in instances])
    found = file_of(a=[("jump", *x) for x in detections])
    assert evaluate(truth, found, tiou=(tiou,)).map == pytest.approx([expected])


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        pytest.param(
            {"b": [("jump", 0, 10, 9)]}, "video outside the subset", id="another video"
        ),
        pytest.param(
            {"b": [("fly", 9, 1, 9)]}, "video outside the subset", id="first reason"
        ),
        pytest.param(
            {"a": [("fly", 0, 10, 9)]}, "label without ground truth", id="no such class"
        ),
        pytest.param(
            {"a": [("swim", 0, 10, 9)]},
            "label without ground truth",
            id="a class without an instance",
        ),
        pytest.param({"a": [("jump", 4, 4, 9)]}, "end not after start", id="no length"),
        pytest.param({"a": [("jump", 4, 3, 9)]}, "end not after start", id="reversed"),
    ],
)
def test_what_cannot_be_scored_is_dropped_and_counted(rows, reason):
    right = ("jump", 0, 10, 1)
    rows = {**rows, "a": [*rows.get("a", []), right]}
    report = evaluate(truth_of(a=[("jump", 0, 10)]), file_of(**rows), tiou=(0.5,))
    assert report.dropped == {reason: 1}
    assert report.detections == 1
    assert report.map == pytest.approx([1.0])  # better ranked, yet no false positive


def test_classes_that_are_named_otherwise_are_spoken_of():
    truth = truth_of(a=[("jump", 0, 10)])
    (note, *_) = evaluate(truth, file_of(a=[("JUMP", 0, 10, 1)]), tiou=(0.5,)).notes
    assert note.startswith("no class of the detections ('JUMP') has a true segment in")
    assert "(which has 'jump'); are the same classes named otherwise?" in note
    notes = evaluate(truth, file_of(a=[("jump", 0, 10, 1)]), tiou=(0.5,)).notes
    assert not any("named otherwise" in note for note in notes)


def test_a_detection_in_a_video_without_instances_is_false():
    truth = truth_of(a=[("jump", 0, 10)], b=[])
    found = file_of(a=[("jump", 0, 10, 1)], b=[("jump", 0, 10, 2)])
    report = evaluate(truth, found, tiou=(0.5,))
    assert (report.map.tolist(), report.dropped, report.videos) == ([0.5], {}, 2)


def test_only_the_subset_counts():
    truth = truth_of(a=[("jump", 0, 10)], b=[("run", 0, 10)], c=[("jump", 0, 10)])
    other = dataclasses.replace(truth.videos["b"], subset="training")
    truth = dataclasses.replace(truth, videos={**truth.videos, "b": other})
    found = file_of(a=[("jump", 0, 10, 1)], b=[("run", 0, 10, 1)])
    report = evaluate(truth, found, subset="test", tiou=(0.5,))
    assert report.class_names == ("jump",)
    assert (report.videos, report.instances, report.detections) == (2, 2, 1)
    assert report.dropped == {"video outside the subset": 1}
    assert report.unpredicted == ("c",)
    assert evaluate(truth, found, tiou=(0.5,)).class_names == ("jump", "run")


def test_the_subset_of_all_predicted_videos_is_named():
    truth = truth_of(a=[("jump", 0, 10)], b=[("run", 0, 10)], c=[("jump", 0, 10)])
    other = dataclasses.replace(truth.videos["b"], subset="my training")
    truth = dataclasses.replace(truth, videos={**truth.videos, "b": other})
    found = file_of(b=[("run", 0, 10, 1)])
    assert evaluate(truth, found).notes == (
        "all predicted videos are of the subset 'my training'; give --subset 'my "
        "training' (in Python, subset='my training') to score that alone",
    )
    assert evaluate(truth, found, subset="my training").notes == ()
    both = file_of(a=[("jump", 0, 10, 1)], b=[("run", 0, 10, 1)])
    assert evaluate(truth, both).notes == ()


@pytest.mark.parametrize(
    ("found", "unpredicted"),
    [
        pytest.param({}, ("a", "b"), id="no videos"),
        pytest.param({"b": Detections.of(("jump", "run"))}, ("a",), id="an empty list"),
        pytest.param(
            {"x": Detections.of(("jump", "run"))}, ("a", "b"), id="an empty stranger"
        ),
    ],
)
def test_no_detections_score_zero(found, unpredicted):
    truth = truth_of(a=[("jump", 0, 10)], b=[("run", 0, 10)])
    report = evaluate(truth, found)
    assert report.map.tolist() == [0.0] * 7
    assert (report.detections, report.dropped) == (0, {})
    assert report.unpredicted == unpredicted


# Twins

ticks = st.integers(0, 5)
THRESHOLDS = (0.1, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.75, 0.8, 1.0)
SPANS = [(start, end) for end in range(6) for start in range(end)]
instances = st.lists(
    st.builds(
        lambda label, span: (label, *span),
        st.sampled_from(("jump", "run")),
        st.sampled_from(SPANS),
    ),
    max_size=6,
)
rows = st.lists(
    st.builds(Row, st.sampled_from(("jump", "run", "fly")), ticks, ticks, ticks),
    max_size=9,
)


@settings(deadline=None, max_examples=120)
@given(
    truth=st.fixed_dictionaries({"a": instances, "b": instances}),
    found=st.fixed_dictionaries({"b": rows, "a": rows}, optional={"x": rows}),
)
def test_agrees_with_the_naive_evaluation(truth, found):
    present = {label for video in truth.values() for label, _, _ in video}
    assume(present)
    report = evaluate(truth_of(**truth), file_of(**found), tiou=THRESHOLDS)
    assert set(report.class_names) == present
    for k, threshold in enumerate(THRESHOLDS):
        for c, label in enumerate(report.class_names):
            expected = naive_class_ap(truth, found, label, threshold)
            assert report.ap[k, c] == pytest.approx(expected, abs=1e-12)
    assert report.detections + sum(report.dropped.values()) == sum(
        map(len, found.values())
    )
    assert all(report.dropped.values())


intervals = st.tuples(st.integers(0, 12), st.integers(1, 6)).map(
    lambda x: (x[0], x[0] + x[1])
)


@settings(deadline=None, max_examples=120)
@given(
    ranked=st.lists(intervals, max_size=15),
    truth=st.lists(intervals, min_size=1, max_size=8),
)
def test_matches_as_the_naive_walk(ranked, truth):
    matched = match_detections(located(*ranked), located(*truth), THRESHOLDS)
    for threshold, row in zip(THRESHOLDS, matched.tolist(), strict=True):
        assert row == naive_match(ranked, truth, threshold)


def test_matches_as_the_naive_walk_in_a_crowd():
    # 200 detections compete for 30 overlapping instances: long chains of refusals.
    random = np.random.default_rng(0)
    start = random.uniform(0, 20, 230).round(1)
    pairs = list(zip(start, start + random.uniform(1, 8, 230).round(1), strict=True))
    matched = match_detections(located(*pairs[30:]), located(*pairs[:30]), THRESHOLDS)
    for threshold, row in zip(THRESHOLDS, matched.tolist(), strict=True):
        assert row == naive_match(pairs[30:], pairs[:30], threshold)


def test_no_detections_or_no_instances_match_nothing():
    assert match_detections(located(), located((0, 1)), [0.5]).shape == (1, 0)
    assert match_detections(located((0, 1)), located(), [0.5]).tolist() == [[-1]]


# Laws


@st.composite
def scored_worlds(draw):
    """Draw a truth and detections with distinct scores."""
    truth = draw(st.fixed_dictionaries({"a": instances, "b": instances}))
    assume(truth["a"] or truth["b"])
    found = draw(st.fixed_dictionaries({"a": rows, "b": rows}))
    total = sum(map(len, found.values()))
    scores = iter(draw(st.permutations(range(total))))
    ranked = {v: [x._replace(score=next(scores)) for x in r] for v, r in found.items()}
    return truth_of(**truth), ranked


@settings(deadline=None, max_examples=60)
@given(world=scored_worlds(), scale=st.sampled_from([0.125, 0.5, 2.0, 1024.0]))
def test_map_keeps_its_value_when_time_is_scaled(world, scale):
    truth, found = world
    videos = {
        name: dataclasses.replace(
            video,
            instances=tuple(
                Instance(
                    x.label, Segment(x.segment.start_s * scale, x.segment.end_s * scale)
                )
                for x in video.instances
            ),
        )
        for name, video in truth.videos.items()
    }
    scaled = {
        v: [x._replace(start=x.start * scale, end=x.end * scale) for x in r]
        for v, r in found.items()
    }
    one = evaluate(truth, file_of(**found))
    other = evaluate(dataclasses.replace(truth, videos=videos), file_of(**scaled))
    assert one.ap.tolist() == other.ap.tolist()


@settings(deadline=None, max_examples=60)
@given(world=scored_worlds())
def test_map_keeps_its_value_when_scores_pass_an_increasing_map(world):
    truth, found = world
    mapped = {
        v: [x._replace(score=-np.exp(-x.score)) for x in r] for v, r in found.items()
    }
    one, other = evaluate(truth, file_of(**found)), evaluate(truth, file_of(**mapped))
    assert one.ap.tolist() == other.ap.tolist()


@settings(deadline=None, max_examples=60)
@given(world=scored_worlds(), data=st.data())
def test_map_keeps_its_value_when_distinct_scores_are_shuffled(world, data):
    truth, found = world
    order = data.draw(st.permutations(sorted(found)))
    shuffled = {v: data.draw(st.permutations(found[v])) for v in order}
    one, other = evaluate(truth, file_of(**found)), evaluate(truth, file_of(**shuffled))
    assert one.ap.tolist() == other.ap.tolist()


def test_perfect_detections_score_one():
    truth = truth_of(a=[("jump", 0, 3), ("jump", 1, 4)], b=[("run", 5, 6)])
    found = {
        v: [(x.label, x.segment.start_s, x.segment.end_s, 1) for x in video.instances]
        for v, video in truth.videos.items()
    }
    report = evaluate(truth, file_of(**found), tiou=(0.5, 1.0))
    assert report.ap.tolist() == [[1.0, 1.0]] * 2


# What the report says


@pytest.fixture
def files(tmp_path):
    """Return paths of a label file and a detection file."""
    database = {
        "a": {
            "subset": "test",
            "annotations": [{"label": "jump", "segment": [2.0, 4.0]}],
        },
        "b": {"subset": "test", "annotations": []},
    }
    rows = [
        {"label": "jump", "score": 0.9, "segment": [2.0, 3.0]},
        {"label": "fly", "score": 0.9, "segment": [2.0, 3.0]},
    ]
    labels, found = tmp_path / "labels.json", tmp_path / "found.json"
    labels.write_text(json.dumps({"database": database}))
    extra = {"used": True}
    found.write_text(json.dumps({"results": {"a": rows}, "external_data": extra}))
    return labels, found


def test_report_as_json(files):
    labels, found = files
    report = evaluate(labels, found, subset="test", tiou=(0.3, 0.7))
    assert report.external_data == {"used": True}
    best = {"score": 0.9, "f1": 1.0, "precision": 1.0, "recall": 1.0}
    none = {"score": 0.9, "f1": 0.0, "precision": 0.0, "recall": 0.0}
    assert json.loads(json.dumps(report.to_json())) == {
        "protocol": "custom",
        "tiou": [0.3, 0.7],
        "map": [1.0, 0.0],
        "average": 0.5,
        "averages": {},
        "per_class": {"jump": [1.0, 0.0]},
        "videos": 2,
        "instances": 1,
        "detections": 1,
        "dropped": {"label without ground truth": 1},
        "ignored": [0, 0],
        "unpredicted": ["b"],
        "notes": [],
        "ground_truth_sha256": hashlib.sha256(labels.read_bytes()).hexdigest(),
        "classification": {"map": 1.0, "per_class": {"jump": 1.0}},
        "average_recall": dict.fromkeys(("1", "5", "10", "50", "100"), 0.5),
        "best_f1": [{"tiou": 0.3, **best}, {"tiou": 0.7, **none}],
    }


def test_the_digest_is_told_with_a_frame_rate_and_of_a_folder(tmp_path):
    is_jump = [int(2 <= i < 4) for i in range(8)]
    rows = "".join(f"{i},{1 - x},{x}\n" for i, x in enumerate(is_jump))
    folder = tmp_path / "labels"
    folder.mkdir()
    for name in "ba":
        (folder / f"{name}.csv").write_text(f",background,jump\n{rows}")
    (folder / "readme.md").write_text("not a label file")
    found = file_of(a=[("jump", 1, 2, 1)])
    report = evaluate(Source(folder, 2.0), found)
    names = "a.csv", "b.csv"
    own = {name: hashlib.sha256((folder / name).read_bytes()) for name in names}
    lines = "".join(f"{sha.hexdigest()}  {name}\n" for name, sha in own.items())
    assert report.ground_truth_sha256 == hashlib.sha256(lines.encode()).hexdigest()
    one = evaluate(Source(folder / "a.csv", 2.0), found)
    assert one.ground_truth_sha256 == own["a.csv"].hexdigest()
    assert one.map[0] == 1.0


def test_paths_may_be_text_and_content_may_be_read_before(files):
    labels, found = files
    by_path = evaluate(str(labels), str(found)).to_json()
    read = evaluate(read_annotations(labels), found).to_json()
    assert by_path.pop("ground_truth_sha256") is not None
    assert read.pop("ground_truth_sha256") is None
    assert by_path == read


def test_report_as_text(files):
    # mAP .1 to .5 is 1 and .6, .7 are 0: 5 / 7 = 71.4 %; of .3 to .7, 3 / 5 = 60 %
    assert str(evaluate(*files)).splitlines() == [
        "tIoU     0.1    0.2    0.3    0.4    0.5  0.6  0.7  average",
        "mAP %  100.0  100.0  100.0  100.0  100.0  0.0  0.0     71.4",
        "average over 0.1:0.5 100.0, 0.1:0.7 71.4, 0.3:0.7 60.0",
        "protocol custom, videos 2, instances 1, classes 1, detections 1",
        "dropped: 1 (label without ground truth)",
        "videos without an entry in the detections: 1, such as 'b'",
    ]


@pytest.mark.parametrize(
    ("tiou", "names"),
    [
        ("0.5", []),
        ("0.1:0.5:0.1", ["0.1:0.5"]),
        ("0.1:0.9:0.1", ["0.1:0.5", "0.1:0.7", "0.3:0.7", "0.1:0.9"]),
        ("0.05:0.95:0.05", ["0.1:0.5", "0.1:0.7", "0.3:0.7", "0.1:0.9", "0.5:0.95"]),
    ],
)
def test_averages_are_of_ranges_wholly_there(files, tiou, names):
    averages = evaluate(*files, tiou=parse_tiou(tiou)).averages()
    assert list(averages) == names


def test_thresholds_are_exact_decimals(files):
    report = evaluate(*files, tiou=np.arange(0.1, 0.75, 0.1))
    assert report.to_json()["tiou"] == [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]
    # A third is no decimal of three places and stays what it is.
    assert evaluate(*files, tiou=(1 / 3,)).tiou.tolist() == [1 / 3]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.5", (0.5,)),
        (" 0.5, 0.1 ", (0.5, 0.1)),
        ("1", (1.0,)),
        ("0.1:0.7:0.1", (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)),
        ("0.5:0.95:0.05", (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)),
        ("0.5:0.5:0.1", (0.5,)),
    ],
)
def test_parses_thresholds(text, expected):
    assert parse_tiou(text) == expected


# Refusals


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"tiou must be decimal numbers, got ''; write one value such as 0\.5"),
        ("half", r"tiou must be decimal numbers, got 'half'; write one value"),
        ("0.1,,0.3", r"decimal numbers, got '0\.1,,0\.3'"),
        ("50", r"tiou must be in \(0, 1\], got 50; write one value"),
        ("nan", r"tiou must be in \(0, 1\], got nan"),
        ("0.5,0", r"tiou must be in \(0, 1\], got 0;"),
        ("0.5,0.50", r"tiou 0\.5 is listed twice; list it once"),
        ("0.1:0.7", r"range must be start:stop:step .* its stop, got '0\.1:0\.7'; wr"),
        ("0.1:0.75:0.1", r"that meets its stop, got '0\.1:0\.75:0\.1'"),
        ("0.7:0.1:0.1", r"got '0\.7:0\.1:0\.1'"),
        ("0.1:0.7:0", r"got '0\.1:0\.7:0'"),
        ("0.1:0.7:-0.1", r"got '0\.1:0\.7:-0\.1'"),
        ("0:0.7:0.1", r"range must be start:stop:step in \(0, 1\] .*'0:0\.7:0\.1'"),
        ("0.1:nan:0.1", r"got '0\.1:nan:0\.1'"),
        ("0.1:0.7:1e-40", r"got '0\.1:0\.7:1e-40'"),
    ],
)
def test_refuses_thresholds(text, message):
    with pytest.raises(ValueError, match=message):
        parse_tiou(text)


@pytest.mark.parametrize(
    ("tiou", "message"),
    [
        ((), r"tiou lists no threshold; write one value such as"),
        ((0.5, 1.5), r"tiou must be in \(0, 1\], got 1\.5;"),
        ((0.3, 0.1 + 0.2), r"tiou 0\.3 is listed twice"),
    ],
)
def test_evaluate_refuses_thresholds(tiou, message):
    with pytest.raises(ValueError, match=message):
        evaluate(truth_of(a=[("jump", 0, 1)]), {}, tiou=tiou)


def test_refuses_detections_of_other_videos_only():
    found = file_of(x=[("jump", 0, 1, 1)])
    with pytest.raises(
        ValueError,
        match=r"found\.json: no detection is of a video of labels\.json, subset 'test';"
        r" it names videos such as 'x', the ground truth such as 'a'; check the subset",
    ):
        evaluate(truth_of(a=[("jump", 0, 1)]), found, subset="test")


def test_refuses_a_truth_without_instances():
    with pytest.raises(
        ValueError, match=r"labels\.json: no video has a true segment, so nothing can"
    ):
        evaluate(truth_of(a=[]), {})


def test_refuses_files_as_their_rooms_do(files, tmp_path):
    labels, found = files
    with pytest.raises(AnnotationError, match=r"no subset 'val'"):
        evaluate(labels, found, subset="val")
    with pytest.raises(AnnotationError, match=r"nowhere"):
        evaluate(tmp_path / "nowhere", found)
    with pytest.raises(DetectionFileError, match=r"nowhere"):
        evaluate(labels, tmp_path / "nowhere")


# The published row of STPN's detections

NINE = parse_tiou("0.1:0.9:0.1")


PUBLISHED = {
    "gt_210.json": [52.1, 44.2, 34.7, 26.1, 17.7, 10.1, 5.0, 1.3, 0.1],
    "gt_212.json": [51.44, 43.61, 34.18, 25.61, 17.34, 9.84, 4.84],
}


@pytest.mark.parametrize(
    ("name", "digits", "size"),
    [("gt_210.json", 1, (210, 3311)), ("gt_212.json", 2, (212, 3358))],
)
def test_gives_the_published_row(stpn, name, digits, size):
    tiou = NINE[: len(PUBLISHED[name])]
    found, truth = stpn / "stpn_detections.json", read_annotations(stpn / name)
    report = evaluate(truth, found, subset="test", tiou=tiou)
    assert (report.videos, report.instances, report.dropped) == (*size, {})
    assert (100 * report.map).round(digits).tolist() == PUBLISHED[name]


def test_of_equal_overlaps_the_nearer_boundary_wins():
    # both instances lie inside [0, 10] and have tIoU 2/10; the second one ends 1 s
    # before the detection does, the first starts 3 s after it (D-010)
    truth = located((3, 5), (7, 9))
    assert match_detections(located((0, 10)), truth, [0.1]).tolist() == [[1]]
    # equally near: the first listed
    truth = located((1, 3), (7, 9))
    assert match_detections(located((0, 10)), truth, [0.1]).tolist() == [[0]]


def test_what_nobody_knows_of_the_scored_videos_is_said():
    truth = truth_of(a=[("run", 0, 2)], b=[("run", 0, 2)], c=[])
    videos = dict(truth.videos)
    whole, part = (WatchedSpan(None, Segment(0, end)) for end in (9, 5))
    for name, watched, points in (("a", whole, ()), ("b", part, (Point("run", 7),))):
        video = dataclasses.replace(videos[name], duration_s=9.0, points=points)
        videos[name] = dataclasses.replace(video, watched=(watched,))
    notes = evaluate(dataclasses.replace(truth, videos=videos), file_of(a=[])).notes
    assert notes == (
        "labels.json: 1 point has no start and end and cannot be found, so detections "
        "there count as wrong: score videos whose actions all have segments",
        "labels.json: 1 video was watched in part only ('b'), and detections elsewhere "
        "count as wrong, though nobody knows: score videos that were watched whole",
    )


@pytest.mark.parametrize("as_table", [False, True])
def test_scored_videos_with_names_alone_are_said(tmp_path, as_table):
    """In b the same is found as in a, but nobody knows when it happened."""
    file = tmp_path / "labels.csv"
    rows = "a,run,0,2\nb,run,,\nc,,,\n"
    file.write_text("video,label,start,end\n" + rows)
    truth = read_annotations(file)
    if not as_table:
        truth = dataclasses.replace(truth, videos=dict(truth.videos))
    found = [("run", 0, 2, 0.9)]
    report = evaluate(truth, file_of(a=found, b=found))
    assert report.notes == (
        f"{file}: 1 video carries names but no segment ('b'), so all that is found "
        "there counts as wrong: score videos whose actions all have segments",
    )
