"""Points, segments and watched spans in label files: read, written, refused."""

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acmnet.data.checks.lenient_reading import read_leniently
from acmnet.data.label_files import read_annotations
from acmnet.data.labels.annotations import (
    BENCH,
    AnnotationError,
    Annotations,
    Instance,
    Point,
    Video,
    WatchedSpan,
)
from acmnet.data.labels.contradictions import contradictions
from acmnet.data.labels.json_files.label_json import label_file
from acmnet.limits import LARGEST_SECONDS
from acmnet.segments import Segment

CLASSES = ("fall", "jump", "run")


def read(tmp_path, content, name="labels.json"):
    path = tmp_path / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return read_annotations(path)


def one(tmp_path, *annotations, classes=None, **entry):
    """Return a video of 9 s that a JSON file describes."""
    video = {"duration": 9.0, "annotations": list(annotations), **entry}
    head = {} if classes is None else {"classes": classes}
    return read(tmp_path, {**head, "database": {"a": video}}).videos["a"]


def table(tmp_path, *rows, header="video,label,start,end"):
    """Return the one video of a table."""
    found = read(tmp_path, "\n".join([header, *rows, ""]), "labels.csv").videos
    return found["a"]


def span(start_s, end_s, label=None):
    return WatchedSpan(label, Segment(start_s, end_s))


def test_a_video_may_have_names_points_and_segments(tmp_path):
    video = one(
        tmp_path,
        {"label": "jump", "segment": [1, 2]},
        {"label": "run"},
        {"label": "fall", "point": "5.5"},
        {"label": "jump", "point": 7},
    )
    assert video.labels == CLASSES
    assert video.instances == (Instance("jump", Segment(1.0, 2.0)),)
    assert video.points == (Point("fall", 5.5), Point("jump", 7.0))
    assert video.watched == ()


@pytest.mark.parametrize(
    ("watched", "expected"),
    [
        (True, [span(0, 9)]),
        (False, []),
        (None, []),
        ([[0, 2], ["4", 5.5]], [span(0, 2), span(4, 5.5)]),
        ([], []),
        ({"jump": True, "run": False}, [span(0, 9, "jump")]),
        (
            {"jump": [[1, 2]], "": [[0, 3]], "run": True},
            [span(1, 2, "jump"), span(0, 3), span(0, 9, "run")],
        ),
    ],
)
def test_watched_spans_are_of_all_classes_or_by_class(tmp_path, watched, expected):
    marks = [{"label": name, "segment": [1, 2]} for name in CLASSES]
    video = one(tmp_path, *marks, watched=watched)
    assert video.watched == tuple(expected)


def test_a_whole_video_of_unknown_length_is_watched_to_its_end(tmp_path):
    video = one(tmp_path, watched=True, duration=None)
    assert video.watched == (span(0, LARGEST_SECONDS),)
    assert one(tmp_path, watched=True, duration=0).watched == ()


@pytest.mark.parametrize(
    ("annotation", "message"),
    [
        (
            {"label": "jump", "point": [3]},
            r"annotations\[0\]: point must be one finite number of seconds, within "
            r"10,000,000 s of 0, got \[3\]; correct it, or leave it out to keep",
        ),
        (
            {"label": "jump", "point": 3, "segment": [1, 2]},
            r"annotations\[0\] has a segment, \[1, 2\], and a point, 3; keep the seg",
        ),
        (
            {"label": "jump", "point": 10},
            r"video 'a', class 'jump': the point at 10 s lies outside of the video, "
            r"which ends at 9 s; correct the time or the duration",
        ),
        (
            {"label": "jump", "point": -1},
            "class 'jump': the point at -1 s lies outside of the video",
        ),
    ],
)
def test_points_that_are_refused(tmp_path, annotation, message):
    with pytest.raises(AnnotationError, match=r"labels\.json: .*" + message):
        one(tmp_path, annotation)


@pytest.mark.parametrize(
    ("watched", "message"),
    [
        (
            "yes",
            r"watched must be true, a list of spans \[\[start, end\], ...\] in seconds"
            r", or an object with one of the two for each class, got 'yes'; correct it",
        ),
        ([0, 2], r"watched\[0\] must be two finite numbers \[start, end\].*, got 0;"),
        (
            [[0, 1], [5, 2]],
            r"watched\[1\] must end after it starts, got \[5\.0, 2\.0\]; correct it",
        ),
        (
            {"jump": [[5, 5]]},
            r"watched\['jump'\]\[0\] must end after it starts, got \[5\.0, 5\.0\]",
        ),
        ({" ": True}, r'watched has a blank class; name it, or write "" for all'),
        (
            {"jmup": True},
            r"not in the file's list of 3 classes: 'jmup' \(video 'a', watched, did "
            r"you mean 'jump'\?\)",
        ),
        (
            [[5, 12]],
            r"video 'a': the watched span 5 to 12 s lies outside of the video, which "
            r"ends at 9 s; correct the times or the duration",
        ),
        (
            {"run": [[-3, 2]]},
            r"video 'a', class 'run': the watched span -3 to 2 s lies outside of the",
        ),
    ],
)
def test_watched_spans_that_are_refused(tmp_path, watched, message):
    with pytest.raises(AnnotationError, match=r"labels\.json: .*" + message):
        one(tmp_path, watched=watched, classes=list(CLASSES))


SEGMENT, POINT = {"label": "jump", "segment": [1, 2]}, {"label": "jump", "point": 5}


@pytest.mark.parametrize(
    ("marks", "watched", "message"),
    [
        pytest.param(
            [SEGMENT, POINT],
            True,
            r"the point at 5 s lies in a watched span \(0 to 9 s\) but outside of "
            r"every segment of the class; remove the point, or give it its segment",
            id="outside of its class's segment",
        ),
        pytest.param(
            [SEGMENT, {"label": "jump", "point": 10 / 3}],
            [[1 / 30, 9]],
            r"the point at 3\.333 s lies in a watched span \(0\.033 to 9 s\)",
            id="times of frames",
        ),
        pytest.param(
            [SEGMENT, POINT],
            {"jump": [[1.5, 6]]},
            r"the point .* \(1\.5 to 6 s\) but",
            id="by class",
        ),
        pytest.param(
            [{"label": "jump"}],
            [[0, 4], [4, 9]],
            "the whole video was watched and the class is marked nowhere in it; mark",
            id="a name without a place",
        ),
        pytest.param([SEGMENT, POINT], {"run": True}, None, id="another class"),
        pytest.param([SEGMENT, POINT], [[0, 4]], None, id="outside of the span"),
        pytest.param([SEGMENT, POINT], [[2, 9]], None, id="a span without a segment"),
        pytest.param([POINT], True, None, id="points alone"),
        pytest.param([{"label": "jump"}], [[0, 8]], None, id="not the whole video"),
        pytest.param(
            [SEGMENT, {"label": "jump", "point": 2}], True, None, id="at its end"
        ),
    ],
)
def test_contradictions(tmp_path, marks, watched, message):
    others = [{"label": "run", "segment": [6, 7]}, {"label": "run", "point": 6.5}]
    if message is None:
        assert one(tmp_path, *marks, *others, watched=watched).watched
        return
    where = r"labels\.json: video 'a', class 'jump': "
    with pytest.raises(AnnotationError, match=where + message):
        one(tmp_path, *marks, *others, watched=watched)


def test_each_contradiction_of_a_video_is_told():
    points = tuple(Point("jump", float(t)) for t in (1, 4, 6, 20))
    video = Video(
        id="a",
        subset=None,
        duration_s=9.0,
        labels=("jump", "run"),
        instances=(Instance("jump", Segment(0.5, 2.0)),),
        points=points,
        watched=(span(0, 9),),
    )
    told = [sentence.partition(";")[0] for sentence in contradictions(video)]
    assert [x[: x.index(" s")].rpartition(" ")[2] for x in told[:3]] == ["20", "4", "6"]
    assert told[3].startswith("video 'a', class 'run': the whole video was watched")
    assert len(told) == 4


def marked(draw_time):
    """Return a strategy of videos of 60 s; segments lie at other times than points."""
    label = st.sampled_from(CLASSES)
    pair = st.tuples(draw_time, draw_time).filter(lambda x: x[0] != x[1])
    segment = pair.map(lambda x: Segment(min(x), max(x)))
    return st.builds(
        Video,
        id=st.just("a"),
        subset=st.sampled_from([None, "training"]),
        duration_s=st.just(60.0),
        labels=st.sets(label).map(lambda x: tuple(sorted(x))),
        instances=st.lists(st.builds(Instance, label, segment)).map(tuple),
        points=st.lists(st.builds(Point, label, draw_time)).map(tuple),
        watched=st.lists(
            st.builds(WatchedSpan, st.sampled_from([None, *CLASSES]), segment)
        ).map(lambda x: tuple(sorted(x, key=lambda y: y.label or ""))),
    )


@given(marked(st.floats(0.0, 60.0, width=32)), st.sampled_from([None, BENCH]))
def test_what_is_written_is_read_again(tmp_path_factory, video, made_by):
    marks = (*video.instances, *video.points)
    names = tuple(sorted({*video.labels, *(mark.label for mark in marks)}))
    path = tmp_path_factory.getbasetemp() / "law.json"
    complete = dataclasses.replace(video, labels=names)
    labels = Annotations(str(path), {"a": complete}, CLASSES, made_by=made_by)
    path.write_bytes(label_file(labels))
    if (first := next(contradictions(complete), None)) is None:
        assert read_annotations(path) == labels
    else:
        with pytest.raises(AnnotationError) as refusal:
            read_annotations(path)
        assert str(refusal.value) == f"{path}: {first}"


def test_a_table_says_when(tmp_path):
    video = table(
        tmp_path,
        "a.mp4,jump,1.5,2",
        "a.mp4,fall,,",
        "a.mp4,jump,5,",
        "a.mp4,run,,7",
        "a.mp4,,2.5,4.5",
    )
    assert video.labels == CLASSES
    assert video.instances == (Instance("jump", Segment(1.5, 2.0)),)
    assert video.points == (Point("jump", 5.0), Point("run", 7.0))
    assert video.watched == (span(2.5, 4.5),)


def test_a_column_kind_says_what_was_watched_for_one_class(tmp_path):
    video = table(
        tmp_path,
        "a,jump,1,2,",
        "a,jump,0,5,Watched",
        "a,,0,3,watched",
        "a,run,4,,point",
        "a,fall,,,name",
        header="video,label,start,end,kind",
    )
    assert video.labels == CLASSES
    assert video.watched == (span(0, 5, "jump"), span(0, 3))
    assert video.points == (Point("run", 4.0),)


@pytest.mark.parametrize(
    "header",
    [
        "Videodatei;Ereignis;von;bis",
        "Aufnahme;Kategorie;Start [s];Stop [s]",
        "recording;category;from;to",
        "Nom du fichier;Comportement;Début;Fin",
    ],
)
def test_columns_are_known_by_the_names_that_people_give_them(tmp_path, header):
    path = tmp_path / "labels.csv"
    path.write_text(f"{header}\na.mp4;jump;1,5;2,25\n", encoding="utf-8")
    (instance,) = read_annotations(path).videos["a"].instances
    assert (instance.label, instance.segment) == ("jump", Segment(1.5, 2.25))


def test_the_length_of_each_action_in_place_of_its_end_is_refused(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text("video,label,start,duration\na,jump,3,2\na,jump,8,1\n")
    with pytest.raises(AnnotationError, match="column end in its place: start plus"):
        read_annotations(path)


def test_a_misspelt_column_of_ends_is_not_passed_over(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text("video,label,start,endd\na,jump,3,5\n")
    with pytest.raises(AnnotationError, match=r"the column 'endd'; is 'end' meant\?"):
        read_annotations(path)


def test_a_german_table_of_onsets(tmp_path):
    text = "Datei;Verhalten;Beginn (s);Ende (s)\na.mp4;jump;1,5;2,25\nb.mp4;jump;;\n"
    found = read(tmp_path, text, "labels.csv")
    assert found.videos["a"].instances == (Instance("jump", Segment(1.5, 2.25)),)
    assert found.notes == (
        f"{tmp_path}/labels.csv: read as semicolon-separated, with decimal commas, "
        "with the columns 'Datei' for video, 'Verhalten' for labels, 'Beginn (s)' for "
        "start, 'Ende (s)' for end",
    )


def test_the_length_of_actions_is_not_taken_for_that_of_the_video(tmp_path):
    header = "Media file name,Behavior,Start (s),Stop (s),Duration (s)"
    rows = ["a.mp4,run,1,2.5,1.5", "a.mp4,jump,4,4.333,0.33"]
    assert table(tmp_path, *rows, header=header).duration_s is None
    rows = ["a.mp4,run,1,2.5,60", "a.mp4,jump,4,4.333,60"]
    assert table(tmp_path, *rows, header=header).duration_s == 60
    header = f"{header},Media duration (s)"
    rows = ["a.mp4,run,1,2.5,7,60", "a.mp4,jump,4,4.333,7,60"]
    assert table(tmp_path, *rows, header=header).duration_s == 60


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("a,jump,x,2,", "start must be seconds, such as 83.5, got 'x'; correct it or"),
        (
            "a,jump,5,3,",
            "the segment must end after it starts, got start 5 and end 3; correct it, "
            "or leave the end out for a point",
        ),
        ("a,,5,5,", "the watched span must end after it starts, got start 5 and end 5"),
        (
            "a,,5,,",
            "a row without a label is a span that was watched and needs both start and "
            "end; name the action, or give both times",
        ),
        ("a,jump|run,1,2,", r"a row with a time has one label, got 'jump\|run'; write"),
        (
            "a,jump,1,2,STATE",
            "kind must be name, point, segment or watched, got 'state'; correct it, le",
        ),
        ("a,jump,1,,watched", "kind watched needs a start and an end, got one; corr"),
        ("a,,1,2,segment", "a row of kind segment needs a label; name the action"),
    ],
)
def test_rows_that_are_refused(tmp_path, row, message):
    with pytest.raises(AnnotationError, match=rf"labels\.csv, line 3: .*{message}"):
        table(tmp_path, "b,jump,,,", row, header="video,label,start,end,kind")


def test_contradictions_of_a_table_are_told_and_the_rest_is_read(tmp_path):
    rows = ["a,jump,1,2", "a,jump,5,", "a,,0,9", "b,jump,1,2"]
    outside = r"labels\.csv: video 'a', class 'jump': the point at 5 s lies in a watche"
    with pytest.raises(AnnotationError, match=outside):
        table(tmp_path, *rows)
    reading = read_leniently(tmp_path / "labels.csv")
    assert list(reading.annotations.videos) == ["b"]
    assert "the point at 5 s lies in a watched" in reading.findings[0].sentence


def test_a_class_that_is_watched_for_and_never_named_is_misspelt(tmp_path):
    rows = ["a,jump,1,2,", "a,jmup,0,9,watched"]
    message = (
        r"labels\.csv: video 'a' was watched for 'jmup', which no row names as an "
        r"action \(did you mean 'jump'\?\); correct the class or remove the row"
    )
    with pytest.raises(AnnotationError, match=message):
        table(tmp_path, *rows, header="video,label,start,end,kind")


def test_a_column_kind_without_times_means_nothing(tmp_path):
    found = read(tmp_path, "video,label,kind\na,jump,wild\n", "labels.csv")
    assert found.videos["a"].labels == ("jump",)
    assert (
        found.notes[-1]
        == f"{tmp_path}/labels.csv: 1 column not read as labels or times: 'kind'"
    )


def test_marks_in_the_form_of_bmn(tmp_path):
    entry = {"duration_second": 9.0, "annotations": [POINT], "watched": [[0, 3]]}
    video = read(tmp_path, {"a": entry}).videos["a"]
    assert (video.points, video.watched) == ((Point("jump", 5.0),), (span(0, 3),))


def test_a_file_says_that_the_bench_made_it(tmp_path):
    content = {"made_by": BENCH, "database": {"a": {"annotations": []}}}
    assert read(tmp_path, content).made_by == "acmnet bench"
    assert read(tmp_path, {**content, "made_by": 3}).made_by is None
