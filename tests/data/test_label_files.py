"""Label files: what is accepted, what is refused, and how a refusal reads."""

import itertools
import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acmnet.data.label_files import read_annotations
from acmnet.data.labels.annotations import (
    AnnotationError,
    Annotations,
    Instance,
    Video,
    weak_labels,
)
from acmnet.names import one_form
from acmnet.segments import Segment
from support.places import SHARED

DATA = SHARED / "data"


def read_json(tmp_path, content, name="labels.json"):
    path = tmp_path / name
    text = content if isinstance(content, str) else json.dumps(content)
    path.write_text(text, encoding="utf-8")
    return read_annotations(path)


def read_csv(tmp_path, text, name="labels.csv"):
    path = tmp_path / name
    path.write_bytes(text.encode("utf-8"))
    return read_annotations(path)


def one_video(**entry):
    return {"database": {"a": {"annotations": [], **entry}}}


def one_entry(**entry):
    return one_video(annotations=[{"label": "jump", "segment": [0, 1]}, entry])


def test_json_is_read_whole(tmp_path):
    annotations = read_json(
        tmp_path,
        {
            "taxonomy": ["run", "jump"],
            "database": {
                "b": {
                    "subset": "test",
                    "duration": "9.5",  # THUMOS14 writes numbers as text
                    "annotations": [
                        {"label": "jump", "segment": ["1.5", "4"]},
                        {"label": "run", "segment": [0, 2]},
                        {"label": "jump", "segment": [5, 7.25]},
                    ],
                },
                "a": {"annotations": []},
            },
        },
    )
    jump = Instance("jump", Segment(1.5, 4.0))
    later = Instance("jump", Segment(5.0, 7.25))
    run = Instance("run", Segment(0.0, 2.0))
    assert annotations == Annotations(
        source=str(tmp_path / "labels.json"),
        videos={  # labels in the order of the class list
            "b": Video(
                id="b",
                subset="test",
                duration_s=9.5,
                labels=("run", "jump"),
                instances=(jump, run, later),
            ),
            "a": Video(id="a", subset=None, duration_s=None, labels=(), instances=()),
        },
        class_names=("run", "jump"),
    )
    assert list(annotations.videos) == ["b", "a"]


@pytest.mark.parametrize(
    "entry",
    [
        pytest.param({"label": "jump"}, id="segment missing"),
        pytest.param({"label": "jump", "segment": None}, id="segment null"),
    ],
)
def test_a_label_without_a_segment_counts(tmp_path, entry):
    video = read_json(tmp_path, one_video(annotations=[entry])).videos["a"]
    assert video.labels == ("jump",)
    assert video.instances == ()


@pytest.mark.parametrize(
    ("segment", "kept"),
    [
        pytest.param([8, 12], Segment(8.0, 12.0), id="past the duration"),
        pytest.param([20, 30], Segment(20.0, 30.0), id="wholly past the duration"),
        pytest.param([-1.5, 2], Segment(-1.5, 2.0), id="before the start"),
        pytest.param([" 1 ", "2e0"], Segment(1.0, 2.0), id="numbers as text"),
    ],
)
def test_a_segment_may_leave_the_video(tmp_path, segment, kept):
    entry = {"label": "jump", "segment": segment}
    video = read_json(tmp_path, one_video(duration=10, annotations=[entry])).videos["a"]
    assert video.instances == (Instance("jump", kept),)


NODES = [
    {"nodeId": 0, "nodeName": "Root", "parentId": None, "parentName": None},
    {"nodeId": 1, "nodeName": "Sports", "parentId": 0, "parentName": "Root"},
    {"nodeId": 2, "nodeName": "run", "parentId": 1, "parentName": "Sports"},
    {"nodeId": 3, "nodeName": "jump", "parentId": 1, "parentName": "Sports"},
]


@pytest.mark.parametrize(
    ("listed", "class_names"),
    [
        pytest.param({}, ("jump", "swim"), id="none: the labels sorted"),
        pytest.param({"taxonomy": []}, ("jump", "swim"), id="empty taxonomy is none"),
        pytest.param({"taxonomy": None}, ("jump", "swim"), id="null taxonomy is none"),
        pytest.param({"taxonomy": ["swim", "run", "jump"]}, None, id="its own order"),
        pytest.param({"classes": ["swim", "run", "jump"]}, None, id="classes"),
        pytest.param(
            {"taxonomy": [], "classes": ["swim", "run", "jump"]},
            None,
            id="classes beside an empty taxonomy",
        ),
        pytest.param(
            {"taxonomy": [*NODES, {"nodeName": "swim", "parentName": "Root"}]},
            ("run", "jump", "swim"),
            id="ActivityNet's tree: its leaves",
        ),
        pytest.param(
            {
                "taxonomy": [
                    *NODES,
                    {"nodeName": "swim", "parentName": "swim"},
                    {"nodeName": "jump", "parentName": "Root"},
                ]
            },
            ("run", "jump", "swim"),
            id="a tree with a leaf named as its parent, and a leaf twice",
        ),
    ],
)
def test_class_list(tmp_path, listed, class_names):
    database = {
        "a": {"subset": "test", "annotations": [{"label": "swim"}]},
        "b": {"subset": "training", "annotations": [{"label": "jump"}]},
    }
    annotations = read_json(tmp_path, {**listed, "database": database})
    assert annotations.class_names == (class_names or ("swim", "run", "jump"))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        pytest.param("labels.JSON", '{"database": {"a": %s}}', id="suffix in capitals"),
        pytest.param("labels", '\n {"database": {"a": %s}}', id="no suffix"),
        pytest.param("labels.json", '\ufeff{"database": {"a": %s}}', id="a BOM"),
    ],
)
def test_json_is_known_by_suffix_or_content(tmp_path, name, text):
    annotations = read_json(tmp_path, text % '{"annotations": []}', name)
    assert list(annotations.videos) == ["a"]


TAXONOMY = {"taxonomy": ["jump", "run"]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param("", r"labels\.json is empty; a label file names", id="empty"),
        pytest.param(" \n", r"labels\.json is empty", id="only white space"),
        pytest.param(
            '{"database":\n  {"a": ]}',
            r"labels\.json is not valid JSON: Expecting value at line 2, column 9;",
            id="malformed",
        ),
        pytest.param(
            "[" * 100_000, r"json is nested more than 100 deep, ", id="too deep"
        ),
        pytest.param(
            '{"database": ' + "9" * 5000 + "}",
            r"labels\.json: 'database' is 999.*, which is no finite number",
            id="a number of 5000 digits",
        ),
        pytest.param(
            [1, 2],
            r"must be a JSON object with a 'database' of videos, got a list, \[1, 2\]",
            id="not an object",
        ),
        pytest.param(
            {"v_1": {}, "v_2": {}},
            r"'database' of videos, got the keys \['v_1', 'v_2'\]; wrap the videos",
            id="no database",
        ),
        pytest.param(
            {"database": ["a"]},
            r"'database' of videos, got 'database' \['a'\]; wrap",
            id="database is a list",
        ),
        pytest.param({"database": {}}, r"json has no video; a label", id="no video"),
        pytest.param(
            '{"database": {"a": {"annotations": []}, "a": {"annotations": []}}}',
            r"labels\.json: video 'a' is listed twice; keep one, or merge the two",
            id="a video twice",
        ),
        pytest.param(
            '{"database": {"a": {"subset": "x", "subset": "y", "annotations": []}}}',
            r"labels\.json: key 'subset' is listed twice; keep one",
            id="a key twice",
        ),
        pytest.param(
            {"database": {" ": {"annotations": []}}},
            r"video ' ' has a blank name; name it",
            id="blank video name",
        ),
        pytest.param(
            {"database": {"a": [1]}},
            r"video 'a' must be an object with 'annotations', got \[1\]",
            id="video is a list",
        ),
        pytest.param(
            one_video(subset=3),
            r"video 'a': subset must be text such as 'training', got 3; correct",
            id="subset is a number",
        ),
        pytest.param(
            one_video(duration=-2),
            r"video 'a': duration must be seconds from 0, got -2; correct it or leave",
            id="negative duration",
        ),
        pytest.param(
            one_video(duration="long"),
            r"duration must be seconds from 0, got 'long'",
            id="duration is a word",
        ),
        pytest.param(
            one_video(duration=float("nan")),
            r"'duration' is NaN, which is no finite number",
            id="duration is NaN",
        ),
        pytest.param(
            one_video(duration=True),
            r"duration must be seconds from 0, got True",
            id="duration is a truth value",
        ),
        pytest.param(
            one_video(annotations={"label": "jump"}),
            r"video 'a': annotations must be a list, got \{'label': 'jump'\}; write \[",
            id="annotations is an object",
        ),
        pytest.param(
            {"database": {"a": {"subset": "test"}}},
            r"video 'a': annotations must be a list, got none; write \[\] for a video",
            id="annotations missing",
        ),
        pytest.param(
            one_video(annotations=["jump"]),
            r"'a', annotations\[0\] must be an object with 'label' and .*, got 'jump'",
            id="annotation is text",
        ),
        pytest.param(
            one_entry(segment=[0, 1]),
            r"'a', annotations\[1\]: label must be the name of a class, got none; name",
            id="label missing",
        ),
        pytest.param(
            one_entry(label=7),
            r"annotations\[1\]: label must be the name of a class, got 7",
            id="label is a number",
        ),
        pytest.param(
            one_entry(label=" "),
            r"annotations\[1\]: label must be the name of a class, got ' '",
            id="label is blank",
        ),
        pytest.param(
            one_entry(label="jump", segment=[1]),
            r"'a', annotations\[1\]: segment must be two finite numbers .*, got \[1\];",
            id="segment of one number",
        ),
        pytest.param(
            one_entry(label="jump", segment=[1, 2, 3]),
            r"segment must be two finite numbers .*, got \[1, 2, 3\];",
            id="segment of three numbers",
        ),
        pytest.param(
            one_entry(label="jump", segment="1-2"),
            r"segment must be two finite numbers .*, got '1-2'; correct it, or leave",
            id="segment is text",
        ),
        pytest.param(
            one_entry(label="jump", segment=[0, "end"]),
            r"segment must be two finite numbers .*, got \[0, 'end'\];",
            id="segment with a word",
        ),
        pytest.param(
            one_entry(label="jump", segment=[0, None]),
            r"segment must be two finite numbers .*, got \[0, None\];",
            id="segment with null",
        ),
        pytest.param(
            one_entry(label="jump", segment=[0, float("inf")]),
            r"'segment'\[1\] is Infinity, which is no finite",
            id="segment without end",
        ),
        pytest.param(
            one_entry(label="jump", segment=[0, 10**400]),
            r"'segment'\[1\] is 1000.*, which is no finite",
            id="segment beyond floats",
        ),
        pytest.param(
            one_entry(label="jump", segment=[4, 1.5]),
            r"annotations\[1\]: segment must end after it starts, got \[4\.0, 1\.5\];",
            id="segment backwards",
        ),
        pytest.param(
            one_entry(label="jump", segment=[4, "4.0"]),
            r"segment must end after it starts, got \[4\.0, 4\.0\]; correct it, or",
            id="segment of no length",
        ),
        pytest.param(
            one_entry(label="jump", segmnt=[0, 1]),
            r"video 'a', annotations\[1\] has the key 'segmnt', which is not read; "
            "write 'segment', or remove it",
            id="key misspelt",
        ),
        pytest.param(
            one_video(durations=9.5),
            r"video 'a' has the key 'durations', which is not read; write 'duration'",
            id="key of the video misspelt",
        ),
        pytest.param(
            {**one_entry(label="jum"), **TAXONOMY},
            r"json: label not in the file's list of 2 classes: 'jum' \(video 'a', "
            r"annotations\[1\], did you mean 'jump'\?\); correct the label or add it",
            id="label misspelt",
        ),
        pytest.param(
            {**one_video(annotations=[{"label": x} for x in "AABCDEFG"]), **TAXONOMY},
            r"'A' \(video 'a', annotations\[0\]\), .*, 'E' \(.*\[5\]\), and 2 more",
            id="many labels misspelt",
        ),
        pytest.param(
            {**one_video(), "taxonomy": "jump"},
            r"json: taxonomy must be a list of class names, got 'jump'; correct it",
            id="taxonomy is text",
        ),
        pytest.param(
            {**one_video(), "classes": ["jump", ""]},
            r"classes must be a list of class names, got \['jump', ''\]",
            id="a class is blank",
        ),
        pytest.param(
            {**one_video(), "taxonomy": [{"name": "jump"}]},
            r"taxonomy must be a list of class names, got \[",
            id="taxonomy of unknown objects",
        ),
        pytest.param(
            {**one_video(), "taxonomy": ["jump", "run", "jump"]},
            r"taxonomy lists the class 'jump' twice; list it once",
            id="a class twice",
        ),
    ],
)
def test_json_refusals(tmp_path, content, message):
    with pytest.raises(AnnotationError, match=message) as caught:
        read_json(tmp_path, content)
    assert "\n" not in str(caught.value)
    assert str(tmp_path / "labels.json") in str(caught.value)


def test_keys_of_other_programs_are_left_alone(tmp_path):
    """As in the label files of ActionFormer, BMN and ActivityNet."""
    entry = {"label": "jump", "segment": [0, 1], "segment(frames)": [0, 25]}
    entry |= {"label_id": 3, "points": None}
    video = {"duration": 9.5, "duration_second": 9.5, "duration_frame": 237, "fps": 25}
    content = {"database": {"a": {"annotations": [entry | {"point": None}], **video}}}
    assert read_json(tmp_path, content).videos["a"].duration_s == 9.5


def test_csv_is_read_whole(tmp_path):
    annotations = read_csv(
        tmp_path,
        "\ufeffvideo, labels, duration ,subset\r\n"
        'b.MP4,"run | jump|run, fast",9.5,training\r\n'
        "\r\n"
        " a.b , ,,\r\n",
    )
    labels = ("jump", "run", "run, fast")
    assert annotations.class_names == labels
    assert annotations.videos == {
        "b": Video(
            id="b", subset="training", duration_s=9.5, labels=labels, instances=()
        ),
        "a.b": Video(
            id="a.b", subset=None, duration_s=None, labels=(), instances=()
        ),  # .b is no video suffix
    }


@pytest.mark.parametrize(
    ("name", "video_id"),
    [
        pytest.param("training_000.mp4", "training_000", id="mp4"),
        pytest.param("x.webm", "x", id="webm"),
        pytest.param("x.WMV", "x", id="wmv, in capitals"),
        pytest.param("x.mp4.mkv", "x.mp4", id="only the last suffix"),
        pytest.param("-_x", "-_x", id="no suffix"),
        pytest.param("x.txt", "x.txt", id="no video suffix"),
        pytest.param(".mp4", ".mp4", id="nothing but a suffix"),
        pytest.param("spiel é 1.avi", "spiel é 1", id="spaces and accents"),
    ],
)
def test_csv_video_names(tmp_path, name, video_id):
    annotations = read_csv(tmp_path, f"video,labels\n{name},jump\n", "labels.txt")
    assert list(annotations.videos) == [video_id]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", r"labels\.csv is empty; a label", id="empty"),
        pytest.param("video,labels\n", r"labels\.csv has no video; a", id="no video"),
        pytest.param(
            "a.mp4,jump\nb.mp4,run\n",
            r"must start with the header video,labels, got 'a\.mp4,jump'; give the",
            id="no header",
        ),
        pytest.param(
            "video:labels\na:jump\n",
            r"header video,labels, got 'video:labels'; give the columns these names",
            id="colons",
        ),
        pytest.param(
            "video\na.mp4\n",
            r"video,labels, got 'video', which has no column 'labels'; add the column$",
            id="no column of labels",
        ),
        pytest.param(
            "start;labels\n1;jump\n",
            r"got 'start;labels', which has no column 'video'; add the column$",
            id="no column of videos",
        ),
        pytest.param(",\n", r"header video,labels, got ''", id="nothing but commas"),
        pytest.param(
            "video,labels,Start (frames)\na,jump,1\n",
            r"times are read in seconds, but their column is 'Start \(frames\)'; conv",
            id="times in frames",
        ),
        pytest.param(
            "video,label,segment\na,jump,1-2\n",
            r"labels\.csv has the column 'segment', but times of actions are read from "
            r"two columns, start and end, in seconds; split it into the two, or remove",
            id="both times in one column",
        ),
        pytest.param(
            "video,labels,subest\na,jump,x\n",
            r"has the column 'subest'; is 'subset' meant\? known columns are video, "
            r"labels, subset, duration, start, end, kind: rename or remove it",
            id="misspelt column",
        ),
        pytest.param(
            "video,labels,length (min)\na,jump,2\n",
            r"durations are read in seconds, but their column is 'length \(min\)'; con",
            id="minutes",
        ),
        pytest.param(
            ",video,labels\n,a,jump\nlate,b,jump\n",
            r"line 3: 'late' is in column 1, which has no name; name the column, or",
            id="a column without a name",
        ),
        pytest.param(
            "video,labels,behaviour\na,jump,run\n",
            r"has a column twice: 'labels', 'behaviour' all name the labels; keep one",
            id="a column twice",
        ),
        pytest.param(
            "video,labels\na,jump\n\nb,jump,run\n",
            r"labels\.csv, line 4: a row needs 2 cells \(video,labels\), got 3: "
            r"'b,jump,run'; put a cell with a comma in quotes",
            id="too many cells",
        ),
        pytest.param(
            "video,labels\na;jump\n",
            r"line 2: a row needs 2 cells \(video,labels\), got 1: 'a;jump'; put",
            id="another separator in a row",
        ),
        pytest.param(
            "video,labels,duration\na,jump,1e8\n",
            r"line 2: duration must be seconds from 0, got '1e8'; correct .*10,000,000",
            id="a duration of years",
        ),
        pytest.param(
            'video,labels,duration\na,jump,"1,5"\n',
            r"line 2: duration must be seconds from 0, got '1,5'; correct",
            id="a decimal comma between commas",
        ),
        pytest.param(
            "video,labels\nfilms/,jump\n",
            r"line 2: video is blank, got 'films/'; name the video",
            id="a folder for a video",
        ),
        pytest.param(
            "video,labels\nx/a.mp4,jump\ny/a.mp4,run\n",
            r"line 3: video 'y/a\.mp4' was listed before, as 'x/a\.mp4' in line 2; .*"
            "if these are two videos, rename one of the files",
            id="one name in two folders",
        ),
        pytest.param(
            "video,label\na.mp4,jump\na.avi,run\n",
            r"line 3: video 'a\.avi' was listed before, as 'a\.mp4' in line 2",
            id="one name of two files, a row a label",
        ),
        pytest.param(
            "video,label,split\na,jump,test\na,run,train\n",
            r"line 3: subset of video 'a' is 'train' here and 'test' in line 2; cor",
            id="two subsets of a video",
        ),
        pytest.param(
            'video,labels\na,"jump\nrun"\n',
            r"line 3: label 'jump\\nrun' holds a line break; names are letters",
            id="a line break in a label",
        ),
        pytest.param(
            "video,labels\na\tb,jump\n",
            r"line 2: video 'a\\tb' holds a tab; names are letters",
            id="a tab in a video",
        ),
        pytest.param(
            "video,labels\na,x\0y\n",
            r"line 2: label 'x\\x00y' holds a NUL; names are letters",
            id="a NUL",
        ),
        pytest.param(
            "video,labels\na,jump\nb,\na,run\n",
            r"line 4: video 'a' was listed before, as 'a' in line 2; keep one row",
            id="a video twice",
        ),
        pytest.param(
            "video,labels\na.mp4,jump\na.avi,jump\n",
            r"line 3: video 'a\.avi' was listed before, as 'a\.mp4' in line 2",
            id="a video twice but for its suffix",
        ),
        pytest.param(
            "video,labels\n,jump\n", r"line 2: video is blank; name", id="no video name"
        ),
        pytest.param(
            "video,labels\na,jump||run\n",
            r"line 2: labels has a blank label, got 'jump\|\|run'; remove the extra",
            id="blank label",
        ),
        pytest.param(
            "video,labels,duration\na,jump,-1\n",
            r"line 2: duration must be seconds from 0, got '-1'; correct",
            id="negative duration",
        ),
        pytest.param(
            'video,labels\na,"jump\n',
            r"line 2: not valid CSV: unexpected end of data; mend the line",
            id="open quote",
        ),
    ],
)
def test_csv_refusals(tmp_path, text, message):
    with pytest.raises(AnnotationError, match=message) as caught:
        read_csv(tmp_path, text)
    assert "\n" not in str(caught.value)
    assert str(tmp_path / "labels.csv") in str(caught.value)


def test_missing_file(tmp_path):
    with pytest.raises(AnnotationError, match=r"no label file at .*gone\.json; check"):
        read_annotations(tmp_path / "gone.json")


def test_directory(tmp_path):
    with pytest.raises(AnnotationError, match="is a directory; name the label file"):
        read_annotations(str(tmp_path))


def test_not_utf8(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_bytes(b"video,labels\na\x81\xfe,jump\n")
    message = r"labels\.csv is not UTF-8 nor text .*\(byte 0x81 in line 2\); save it as"
    with pytest.raises(AnnotationError, match=message):
        read_annotations(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_file(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text("video,labels\n")
    path.chmod(0)
    with pytest.raises(AnnotationError, match="could not be read: Permission denied;"):
        read_annotations(path)


def test_a_path_that_leads_through_a_file(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(AnnotationError, match="could not be read: Not a directory;"):
        read_annotations(tmp_path / "file" / "labels.json")


def made(*videos):
    by_id = {
        name: Video(id=name, subset=subset, duration_s=None, labels=(), instances=())
        for name, subset in videos
    }
    return Annotations("labels.json", by_id, ("jump",))


def test_subset():
    annotations = made(("a", "training"), ("b", "test"), ("c", "training"))
    training = annotations.subset("training")
    assert list(training.videos) == ["a", "c"]
    assert training.class_names == ("jump",)
    assert annotations.subset(None) is annotations


@pytest.mark.parametrize(
    ("videos", "message"),
    [
        pytest.param(
            [("a", "training"), ("b", "test"), ("c", "training")],
            r"labels\.json has no subset 'validation'; its subsets \(videos\) are "
            r"'test' \(1\), 'training' \(2\)",
            id="unknown",
        ),
        pytest.param(
            [("a", "validation"), ("b", None)],
            r"json: video 'b' is in no subset \(1 of 2 videos is in none\), so "
            r"'validation' cannot be picked out; give each video a subset",
            id="a video in no subset",
        ),
        pytest.param([], r"its subsets \(videos\) are none", id="no videos"),
    ],
)
def test_subset_refusals(videos, message):
    with pytest.raises(AnnotationError, match=message):
        made(*videos).subset("validation")


def test_weak_labels_are_names_alone(tmp_path):
    content = one_entry(label="jump", segment=[3, 4])
    content["database"]["b"] = {"annotations": []}
    weak = weak_labels(read_json(tmp_path, content))
    assert weak == {"a": ("jump",), "b": ()}  # neither when nor how often


names = (
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp"]))
    .filter(str.strip)
    .map(one_form)
)
times = st.floats(-1e6, 1e6, allow_nan=False)
segments = st.tuples(times, times).filter(lambda pair: pair[0] < pair[1])
instances = st.builds(Instance, names, segments.map(lambda pair: Segment(*pair)))
entries = st.tuples(
    st.none() | names, st.none() | st.floats(0, 1e6), st.lists(instances, max_size=4)
)


@given(st.dictionaries(names, entries, min_size=1, max_size=4), st.booleans())
def test_json_round_trip(tmp_path_factory, world, as_text):
    """What is written is what is read, whatever the names and however the numbers."""
    number = repr if as_text else float
    database = {
        key: {
            "subset": subset,
            "duration": None if duration is None else number(duration),
            "annotations": [
                {
                    "label": instance.label,
                    "segment": [
                        number(instance.segment.start_s),
                        number(instance.segment.end_s),
                    ],
                }
                for instance in found
            ],
        }
        for key, (subset, duration, found) in world.items()
    }
    read = read_json(tmp_path_factory.mktemp("world"), {"database": database})
    labels = sorted({x.label for _, _, found in world.values() for x in found})
    assert read.class_names == tuple(labels)
    assert read.videos == {
        key: Video(
            id=key,
            subset=subset,
            duration_s=duration,
            labels=tuple(sorted({x.label for x in found})),
            instances=tuple(found),
        )
        for key, (subset, duration, found) in world.items()
    }


def flat(**entries):
    """Return videos as BMN's files have them, of 9 s where nothing else is said."""
    return {
        name: {"duration_second": 9, "annotations": [], **entry}
        for name, entry in entries.items()
    }


SWIM = {"label": "swim", "segment": [1, 2]}


def test_videos_at_the_top_take_their_subsets_from_the_list_beside_them(tmp_path):
    # as BMN keeps ActivityNet: no database, no subset, some segments empty
    empty = {"label": "jump", "segment": [3, 3]}
    content = flat(a={"annotations": [empty, SWIM]}, b={"duration_second": 4.5}, c={})
    (tmp_path / "video_info_new.csv").write_text(
        "video,numFrame,subset\na,10,validation\nb,20,training\nx,1,testing\n"
    )
    videos = read_json(tmp_path, content).videos
    swim = Instance("swim", Segment(1, 2))
    assert videos["a"] == Video(
        id="a",
        subset="validation",
        duration_s=9,
        labels=("jump", "swim"),
        instances=(swim,),
    )
    assert videos["b"] == Video(
        id="b", subset="training", duration_s=4.5, labels=(), instances=()
    )
    assert videos["c"].subset is None


@pytest.mark.parametrize("lists", [(), ("video_info.csv", "video_info_new.csv")])
def test_videos_at_the_top_without_one_list_have_no_subset(tmp_path, lists):
    for name in lists:
        (tmp_path / name).write_text("video,subset\na,validation\n")
    read = read_json(tmp_path, flat(a={"annotations": [SWIM]}))
    assert read.videos["a"].subset is None


def test_a_subset_of_its_own_counts_more_than_the_list(tmp_path):
    (tmp_path / "video_info.csv").write_text("video,subset\na,validation\n")
    read = read_json(tmp_path, flat(a={"subset": "test"}))
    assert read.videos["a"].subset == "test"


def test_a_reversed_segment_at_the_top_is_refused(tmp_path):
    content = flat(a={"annotations": [{"label": "swim", "segment": [2, 1]}]})
    with pytest.raises(
        AnnotationError, match=r"'a', annotations\[0\]: segment must end after it st"
    ):
        read_json(tmp_path, content)


@pytest.mark.parametrize(
    ("file", "subsets", "n_classes", "n_instances"),
    [
        pytest.param("thumos14/gt_210.json", {"test": 210}, 20, 3311, id="THUMOS 210"),
        pytest.param(
            "thumos14/gt_212.json",
            {"test": 212, "validation": 200},
            20,
            6365,
            id="THUMOS 212",
        ),
        pytest.param(
            "shrec22/training/annotations.json",
            {"training": 144},
            16,
            576,
            id="SHREC22",
        ),
        pytest.param(
            "surveillance/annotations.json", {"training": 40}, 1, 39, id="surveillance"
        ),
        pytest.param("surveillance/labels.csv", {None: 40}, 1, 0, id="labels alone"),
        # 14859 + 7293 annotations, of which 9 + 3 are empty
        pytest.param(
            "activitynet13/anet13_anno_action_bmn.json",
            {"training": 9649, "validation": 4728, "testing": 4851},
            200,
            22140,
            id="ActivityNet-1.3",
        ),
    ],
)
def test_real_files(file, subsets, n_classes, n_instances):
    if not (DATA / file).exists():
        pytest.skip(f"{DATA / file} is not here")
    annotations = read_annotations(DATA / file)
    videos = annotations.videos.values()
    assert {x: sum(v.subset == x for v in videos) for x in subsets} == subsets
    assert len(videos) == sum(subsets.values())
    assert len(annotations.class_names) == n_classes
    assert sum(len(v.instances) for v in videos) == n_instances


def test_the_two_surveillance_files_agree():
    if not (DATA / "surveillance").exists():
        pytest.skip(f"{DATA / 'surveillance'} is not here")
    by_json = read_annotations(DATA / "surveillance" / "annotations.json")
    by_csv = read_annotations(DATA / "surveillance" / "labels.csv")
    assert weak_labels(by_json) == weak_labels(by_csv)


@pytest.mark.parametrize("declared", [None, ["run", "jump", "rest"]])
def test_labels_of_each_video_are_its_own_in_the_order_of_classes(tmp_path, declared):
    # every list of labels that may follow another one, some of them several times
    names = ["jump", "run", "rest"]
    lists = [own for n in range(4) for own in itertools.permutations(names, n)] * 2
    content = {
        "database": {
            f"v{i}": {"annotations": [{"label": x} for x in (*own, *own[:1])]}
            for i, own in enumerate(lists)
        }
    }
    if declared:
        content["classes"] = declared
    read = read_json(tmp_path, content)
    order = declared or sorted(names)
    assert read.class_names == tuple(order)
    assert [video.labels for video in read.videos.values()] == [
        tuple(name for name in order if name in own) for own in lists
    ]
