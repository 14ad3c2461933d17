"""What a format can hold is read back equal, and what it cannot is counted."""

import contextlib
import dataclasses
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acmnet.data.formats.exchange_format import Content
from acmnet.data.formats.format_table import BY_NAME, NAMES
from acmnet.data.formats.held_content import held
from acmnet.data.formats.reading import OWN, read_foreign
from acmnet.data.formats.writing import detections_of, write_labels
from acmnet.data.label_files import read_annotations
from acmnet.data.labels.annotations import (
    AnnotationError,
    Instance,
    Point,
    Video,
    WatchedSpan,
)
from acmnet.segments import Segment
from support.worlds import listed_file

LAST_S = 36_000.0
FRAMES_S = 9.0
"""Where the times of tables with a row for each frame end, which would be long."""
ACTIONS = [
    *("a", 'b "c"', "x, y", "p;q", "Käfer", "日本", "<i>&amp;", "a--->b", "o|o"),
    *("it's", "=1+1", "-->", "{\\an8}z", "\ufffey", "a  b", "x_val", "Ambiguous"),
    *("😀", "background", "Low_prob", "start", "a/b"),
]
VIDEOS = ["v", 'm"us', "a, b", "x;y", "Ünï", "日", "<&>", "a  b", "😀"]
actions = st.sampled_from(ACTIONS)


def times(last_s):
    exact = st.integers(1, int(1000 * last_s)).map(lambda x: x / 1000)
    return st.one_of(st.floats(0.001, last_s), exact, st.just(last_s))


@st.composite
def contents(draw, last_s):
    """Draw labels of up to three videos."""
    videos = []
    for name in draw(st.lists(st.sampled_from(VIDEOS), max_size=3, unique=True)):
        instances = []
        for _ in range(draw(st.integers(0, 4))):
            start_s = draw(times(last_s))
            lasts_s = draw(st.sampled_from([0.001, 0.0004, 1.0, 7.77]))
            found = Segment(start_s, start_s + lasts_s)
            instances.append(Instance(draw(actions), found))
        at = draw(st.lists(st.tuples(actions, times(last_s)), max_size=2))
        points = [Point(*one) for one in at]
        names = [x.label for x in instances] + [x.label for x in points]
        names += draw(st.lists(actions, max_size=2))
        video = Video(
            id=name,
            subset=draw(st.sampled_from([None, "test", "training"])),
            duration_s=draw(st.sampled_from([None, last_s + 9, last_s + 9.013])),
            labels=tuple(dict.fromkeys(names)),
            instances=tuple(instances),
            points=tuple(points),
        )
        videos.append(video)
    classes = {x for v in videos for x in v.labels} | set(draw(st.sets(actions)))
    fps = draw(st.sampled_from([25.0, 30_000 / 1001, 59.94]))
    return Content(videos=videos, class_names=tuple(sorted(classes)), fps=fps)


def read_back(path, file_format, fps=None):
    if file_format in OWN:
        return read_annotations(path)
    return read_foreign(path, file_format, fps)


def told(videos):
    """Return what videos say, without the order in which they say it."""
    return {
        v.id: (
            v.subset,
            v.duration_s,
            set(v.labels),
            sorted((x.label, x.segment) for x in v.instances),
            sorted((x.label, x.time_s) for x in v.points),
            set(v.watched),
        )
        for v in videos
    }


def test_a_spreadsheet_computes_no_name_of_a_label_file(tmp_path):
    video = Video(
        id="@home",
        subset="+all",
        duration_s=None,
        labels=("=1+1", "-wave", "jump"),
        instances=(Instance("=1+1", Segment(2.0, 5.0)),),
        points=(Point("-wave", 7.0),),
    )
    content = Content(videos=[video], class_names=video.labels, fps=None)
    write_labels(tmp_path / "labels.csv", content, BY_NAME["csv"])
    _, *rows = (tmp_path / "labels.csv").read_text("utf-8-sig").splitlines()
    assert rows == [
        "'@home,'=1+1,2.0,5.0,segment,'+all,",
        "'@home,'-wave,7.0,,point,'+all,",
        "'@home,jump,,,name,'+all,",
    ]
    assert told(read_annotations(tmp_path / "labels.csv").videos.values()) == told(
        [video]
    )


@pytest.mark.parametrize("name", NAMES)
def test_what_is_held_comes_back(name, tmp_path_factory):
    file_format = BY_NAME[name]
    last_s = FRAMES_S if "every frame" in file_format.holds else LAST_S

    @settings(max_examples=8)
    @given(contents(last_s))
    def law(content):
        out = tmp_path_factory.mktemp("out") / "files"
        if file_format.one_file == "all":
            out = out.with_suffix(file_format.suffixes[0])
        kept = held(content, file_format)
        if not (kept.content.videos and kept.content.class_names):
            with contextlib.suppress(AnnotationError):
                write_labels(out, content, file_format)
            return
        written = write_labels(out, content, file_format)
        back = read_back(out, file_format, None if name == "caltech" else content.fps)
        assert told(back.videos.values()) == told(kept.content.videos)
        if "classes" in file_format.holds:
            assert set(back.class_names) == set(kept.content.class_names)
        # nothing is lost silently; frames tell a duration that was not known before
        known = {v.id for v in content.videos if v.duration_s is not None}
        same = [
            v if v.id in known else dataclasses.replace(v, duration_s=None)
            for v in kept.content.videos
        ]
        if told(same) != told(content.videos):
            assert written.left_out or written.changed

    law()


def watched_video():
    return Video(
        id="cage 1/mouse.mp4",
        subset="training",
        duration_s=20.5,
        labels=("jump", "rest", "run"),
        instances=(
            Instance("run", Segment(-1.0, 2.00004)),
            Instance("run", Segment(1.5, 3.0)),
        ),
        points=(Point("run", 7.0), Point("jump", 8.0)),
        watched=(WatchedSpan(None, Segment(0.0, 3.0)),),
    )


ALL = Content(
    videos=[watched_video()],
    class_names=("fly", "jump", "rest", "run"),
    scores={"cage 1/mouse.mp4": (0.123, 0.5)},
    fps=25.0,
)


@pytest.mark.parametrize(
    ("name", "left_out", "changed"),
    [
        ("json", (), ()),
        (
            "elan",
            (
                *("2 points", "1 watched span", "1 name of actions without a time"),
                *("the scores of 2 detections", "the duration of 1 video"),
                *("the subset of 1 video", "3 classes without an example"),
            ),
            (
                *("1 time is rounded to milliseconds", "1 segment is cut at time 0"),
                "1 video is named without folder and suffix",
            ),
        ),
        (
            "simba",
            (
                *("2 points", "1 watched span", "1 name of actions without a time"),
                *("the scores of 2 detections", "the subset of 1 video"),
                "1 segment as such, because they overlap or touch another one of the "
                "same action",
            ),
            (
                "2 times are rounded to frames of 1/25 s",
                "1 duration is rounded to frames, or to the end of an action",
                *("1 segment is cut at time 0",),
                "1 video is named without folder and suffix",
            ),
        ),
        (
            "boris",
            (
                *("1 point", "1 watched span", "1 name of actions without a time"),
                *("the scores of 2 detections", "the subset of 1 video"),
            ),
            (
                "1 segment is cut at time 0",
                "1 video is named without folder and suffix",
            ),
        ),
    ],
)
def test_what_cannot_be_held_is_counted(name, left_out, changed):
    found = held(ALL, BY_NAME[name])
    assert found.left_out == left_out
    assert found.changed == changed


def test_what_is_before_the_video_is_left_out_and_said():
    early = (Instance("run", Segment(-3.0, -1.0)),)
    video = dataclasses.replace(watched_video(), id="m", instances=early)
    kept = held(dataclasses.replace(ALL, videos=[video]), BY_NAME["srt"])
    assert "1 segment before the start of the video" in kept.left_out
    assert "1 video without anything that can be held" not in kept.left_out
    assert kept.content.videos[0].instances == ()


def test_scores_go_where_they_can(tmp_path):
    video = dataclasses.replace(watched_video(), id="m", points=(), watched=())
    content = dataclasses.replace(
        ALL, videos=[video], scores={"m": (0.123, 0.5)}, class_names=("run",)
    )
    assert "0.123" in BY_NAME["fiftyone"].write(
        held(content, BY_NAME["fiftyone"]).content
    )
    written = write_labels(tmp_path / "m.srt", content, BY_NAME["srt"])
    assert "run (0.12)" in (tmp_path / "m.srt").read_text()
    assert "1 score is rounded to 2 digits" in written.changed


@pytest.mark.parametrize(
    "name", ["elan", "cvat", "boris", "boris-table", "via3", "srt", "audacity", "simba"]
)
def test_reading_takes_little_memory(name, tmp_path):
    names, n = ("rears", "grooms itself"), 200 if name == "simba" else 500
    instances = tuple(
        Instance(names[i % 2], Segment(i / 5 + 0.04, i / 5 + 0.08)) for i in range(n)
    )
    video = Video(
        id="cage_03_day_12",
        subset=None,
        duration_s=4e3 if name == "simba" else None,
        labels=names,
        instances=instances,
    )
    file_format = BY_NAME[name]
    path = tmp_path / f"cage_03_day_12{file_format.suffixes[0]}"
    fps = 1.0 if name == "simba" else 25.0
    if name == "simba":
        video = dataclasses.replace(video, instances=instances[:1])
    content = Content(videos=[video], class_names=names, fps=fps)
    write_labels(path, content, file_format)
    read_foreign(path, file_format, fps)  # patterns are compiled, modules imported
    tracemalloc.start()
    read_foreign(path, file_format, fps)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10 * path.stat().st_size


def test_detections_of_a_file_are_those_of_each_video():
    rows = [
        ("c", "jump", 1.0, 2.0, 0.5),
        ("a", "run", 0.0, 3.0, 0.25),
        ("c", "run", 4.0, 4.0, 0.75),  # never ends
        ("a", "jump", 5.0, 6.0, 0.125),
        ("d", "run", 2.0, 9.0, 1.0),
        ("a", "run", 7.0, 8.0, 0.5),
    ]
    found, without_end = detections_of(listed_file("abcd", rows))
    assert without_end == 1
    assert list(found) == list("abcd")
    for video, own in found.items():
        assert [(x.label, x.start_s, x.end_s, x.score) for x in own] == [
            row[1:] for row in rows if row[0] == video and row[3] > row[2]
        ]
