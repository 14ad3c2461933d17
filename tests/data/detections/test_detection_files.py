"""Detection files: what is read, that writing loses nothing, how a refusal reads."""

import dataclasses
import json
import math
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acmnet.data.detections.detection_arrays import DetectionFile
from acmnet.data.detections.detection_files import (
    DetectionFileError,
    read_detections,
    write_detections,
)
from acmnet.limits import LARGEST_SECONDS
from acmnet.segments import Detections

ENTRY = {"label": "jump", "score": 0.9, "segment": [1.0, 2.5]}


@pytest.fixture
def write(tmp_path):
    """Return a function that writes content to a file and returns its path."""

    def write(content):
        path = tmp_path / "found.json"
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            text = content if isinstance(content, str) else json.dumps(content)
            path.write_text(text, encoding="utf-8")
        return path

    return write


def assert_same(a, b):
    """Assert that two files hold the same numbers, bit for bit, and names."""
    for field in dataclasses.fields(DetectionFile):
        one, other = getattr(a, field.name), getattr(b, field.name)
        if isinstance(one, np.ndarray):
            assert one.dtype == other.dtype
            assert one.tobytes() == other.tobytes(), field.name
        elif field.name != "source":
            assert one == other, field.name


def test_reads_in_file_order(write):
    path = write(
        {
            "version": "VERSION 1.3",
            "results": {
                "b": [ENTRY, {"label": "run", "score": 1, "segment": [3, 4], "x": 0}],
                "none": [],
                "a": [{"label": "jump", "score": -2.5, "segment": [0, 9]}],
            },
            "external_data": {"used": True},
        }
    )
    file = read_detections(path)
    assert file.source == str(path)
    assert file.video_ids == ("b", "none", "a")
    assert file.video_index.tolist() == [0, 0, 2]
    assert [file.labels[i] for i in file.label_index] == ["jump", "run", "jump"]
    assert file.start_s.tolist() == [1.0, 3.0, 0.0]
    assert file.end_s.tolist() == [2.5, 4.0, 9.0]
    assert file.score.tolist() == [0.9, 1.0, -2.5]
    assert file.external_data == {"used": True}
    assert len(file) == 3


def test_labels_are_in_the_files_order_whatever_is_read_first(write):
    # an entry with a further field is made of its object later than the others
    wordy = {"label": "Ka\u0308fer", "score": 1.0, "segment": [1.0, 2.0], "x": 0}
    plain = {**ENTRY, "label": "K\u00e4fer"}
    extra = {"best": [{"label": "other", "score": 2.0, "segment": [5.0, 6.0]}]}
    path = write(
        {"external_data": extra, "results": {"b": [wordy, ENTRY], "a": [plain]}}
    )
    file = read_detections(path)
    assert file.labels == ("K\u00e4fer", "jump")
    assert file.label_index.tolist() == [0, 1, 0]
    assert file.score.tolist() == [1.0, 0.9, 0.9]
    assert file.external_data == extra


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        pytest.param(ENTRY, (1.0, 2.5, 0.9), id="numbers"),
        pytest.param(
            {"label": "jump", "score": "0.9", "segment": ["1.0", 2.5]},
            (1.0, 2.5, 0.9),
            id="numbers as text",
        ),
        pytest.param(
            {"label": "jump", "score": 10**20, "segment": [1, 2]},
            (1.0, 2.0, 1e20),
            id="whole numbers too large for 64 bits",
        ),
        pytest.param(
            {"label": "jump", "score": 0, "segment": [2.5, 1.0]},
            (2.5, 1.0, 0.0),
            id="ends before it starts: kept",
        ),
        pytest.param(
            {"label": "", "score": 0, "segment": [-1, -1]},
            (-1.0, -1.0, 0.0),
            id="no length, before 0, blank label: kept",
        ),
    ],
)
def test_entries(write, entry, expected):
    file = read_detections(write({"results": {"a": [entry]}}))
    assert (file.start_s[0], file.end_s[0], file.score[0]) == expected


@pytest.mark.parametrize(
    "content",
    [
        pytest.param({"results": {}}, id="no videos"),
        pytest.param({"results": {"a": []}}, id="no detections"),
        pytest.param({"results": {"a": []}, "external_data": None}, id="null extra"),
        pytest.param(b'\xef\xbb\xbf{"results": {}}', id="byte order mark"),
    ],
)
def test_files_without_detections(write, content):
    file = read_detections(write(content))
    assert len(file) == 0
    assert file.start_s.shape == file.label_index.shape == (0,)
    assert file.external_data == {}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(
            b"",
            r"found\.json is empty; a file without detections is \{\"results\": ",
            id="empty",
        ),
        pytest.param(
            b"\xff{}",
            r"is not UTF-8: byte 0xff at offset 0; save it as UTF-8",
            id="another encoding",
        ),
        pytest.param(
            '{"results":\n {"a" []}}',
            r"not valid JSON: Expecting ':' delimiter at line 2, column 7; mend it",
            id="malformed",
        ),
        pytest.param(
            "[" * 200_000,
            r"is nested more than 100 deep, which no detection file is",
            id="nested without end",
        ),
        pytest.param(
            "[]",
            r"must be a JSON object with 'results' by video, got a list, \[\]",
            id="a list",
        ),
        pytest.param(
            {"result": {}},
            r"'results' by video, got the keys \['result'\]; wrap the detections",
            id="without results",
        ),
        pytest.param(
            {"database": {"a": {"annotations": []}}},
            "is a label file, which holds no detections; give a file of detections",
            id="labels",
        ),
        pytest.param(
            {"results": [1]},
            r"'results' by video, got 'results' \[1\]; wrap the detections",
            id="results in a list",
        ),
        pytest.param(
            {"results": {}, "external_data": [3]},
            r"external_data must be an object, got \[3\]; correct it",
            id="external data in a list",
        ),
        pytest.param(
            {"results": {"a": ENTRY}},
            r"video 'a' must have a list of detections, got \{.*; write \[\]",
            id="a video without a list",
        ),
        pytest.param(
            '{"results": {"a": [], "b": [], "a": []}}',
            r"video 'a' is listed twice; keep one, or merge the two",
            id="a video twice",
        ),
        pytest.param(
            '{"results": {}, "results": {}}',
            r"key 'results' is listed twice; keep one, or merge the two",
            id="a key twice",
        ),
    ],
)
def test_refuses_a_file(write, content, message):
    with pytest.raises(DetectionFileError, match=message):
        read_detections(write(content))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label": None}, r"label must be text, got None; name the class"),
        ({"label": 3}, r"label must be text, got 3"),
        ({"score": "NaN"}, r"score must be a finite number, got 'NaN'; correct it"),
        ({"score": True}, r"score must be a finite number, got True"),
        ({"score": None}, r"score must be a finite number, got None"),
        ({"score": "high"}, r"score must be a finite number, got 'high'"),
        ({"score": 10**399}, r"score must be a finite number, got 10+\.\.\.0+;"),
        ({"segment": "12"}, r"must be two finite numbers \[start, end\], within "),
        ({"segment": [1]}, r"in seconds, got \[1\]; correct it or remove the entry"),
        ({"segment": [1, 2, 3]}, r"in seconds, got \[1, 2, 3\]"),
        ({"segment": [1, 1e308]}, r"in seconds, got \[1, 1e\+308\]"),
        ({"segment": [[1], 2]}, r"in seconds, got \[\[1\], 2\]"),
        ({"segment": {"a": 1, "b": 2}}, r"in seconds, got \{'a': 1, 'b': 2\}"),
    ],
)
def test_refuses_an_entry_and_says_where(write, change, message):
    path = write({"results": {"a": [ENTRY], "b": [ENTRY, ENTRY | change]}})
    with pytest.raises(DetectionFileError, match=message) as refusal:
        read_detections(path)
    assert f"{path}: video 'b', entry 1: " in str(refusal.value)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("field", ["score", "segment"])
def test_refuses_what_json_has_no_number_for(write, field, value):
    entry = ENTRY | {field: value if field == "score" else [1, value]}
    with pytest.raises(
        DetectionFileError, match=f"'b'\\[1\\], '{field}'.* is .*[NI].*, wh"
    ):
        read_detections(write({"results": {"a": [ENTRY], "b": [ENTRY, entry]}}))


@pytest.mark.parametrize("field", list(ENTRY))
def test_refuses_an_entry_without_a_field(write, field):
    entry = {key: value for key, value in ENTRY.items() if key != field}
    with pytest.raises(
        DetectionFileError, match=rf"'a', entry 0: has no '{field}', only \[.*; write "
    ):
        read_detections(write({"results": {"a": [entry]}}))


@pytest.mark.parametrize("entry", [None, 5, "jump", ["jump", 0.9, [1, 2]]])
def test_refuses_an_entry_that_is_no_object(write, entry):
    with pytest.raises(DetectionFileError, match=r"entry 0: must be an object such as"):
        read_detections(write({"results": {"a": [entry]}}))


def test_refuses_a_missing_file(tmp_path):
    with pytest.raises(DetectionFileError, match=r"no detection file at .*nowhere; ch"):
        read_detections(tmp_path / "nowhere")


def test_refuses_a_folder(tmp_path):
    with pytest.raises(DetectionFileError, match=r"is a directory; name the detect"):
        read_detections(tmp_path)


finite = st.floats(allow_nan=False, allow_infinity=False, width=64)


time = st.floats(-LARGEST_SECONDS, LARGEST_SECONDS)


@st.composite
def videos(draw):
    """Draw detections by video, with every kind of float that has a length."""
    names = draw(st.lists(st.text(max_size=3), unique=True, min_size=1, max_size=3))

    def detections():
        row = st.tuples(time, time, finite, st.integers(0, len(names) - 1))
        rows = draw(st.lists(row.filter(lambda row: row[0] < row[1]), max_size=4))
        return Detections.of(names, rows)

    ids = draw(st.lists(st.text(max_size=3), unique=True, max_size=4))
    return {video: detections() for video in ids}


@settings(deadline=None, max_examples=60)
@given(results=videos(), external_data=st.dictionaries(st.text(), finite, max_size=2))
def test_round_trip_is_exact(tmp_path_factory, results, external_data):
    path = tmp_path_factory.mktemp("trip") / "found.json"
    write_detections(path, results, external_data=external_data)
    in_order = {video: found.by_time() for video, found in sorted(results.items())}
    expected = DetectionFile.of(in_order, external_data=external_data)
    assert_same(read_detections(path), expected)
    assert json.loads(path.read_text())["version"] == "acmnet"


@pytest.mark.parametrize("value", [0.1, 1 / 3, 5e-324, sys.float_info.max, -0.0])
def test_every_bit_of_a_score_is_kept(tmp_path, value):
    found = Detections.of(["jump"], [(0.0, 1.0, value, 0)])
    write_detections(tmp_path / "x.json", {"a": found, "empty": Detections.of([])})
    file = read_detections(tmp_path / "x.json")
    assert file.score[0].hex() == value.hex()
    assert file.video_ids == ("a", "empty")


def test_writing_replaces_and_leaves_nothing_else(tmp_path):
    path = tmp_path / "x.json"
    path.write_text("an older file")
    write_detections(path, {})
    assert len(read_detections(path)) == 0
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_write_keeps_the_older_file(tmp_path):
    path = tmp_path / "x.json"
    path.write_text("an older file")
    with pytest.raises(AttributeError):
        write_detections(path, {"a": Detections.of(["jump"]), "b": [ENTRY]})
    assert path.read_text() == "an older file"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("file/x.json", r"file is a file, not a folder; name another folder"),
        ("file/on/x.json", r"file is a file, not a folder; name another folder"),
        ("folder", r"folder could not be written: it is a directory; name a file"),
    ],
)
def test_refuses_to_write_where_it_cannot(tmp_path, where, message):
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(DetectionFileError, match=message):
        write_detections(tmp_path / where, {})
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder"]


@pytest.mark.parametrize("value", [math.nan, {1, 2}])
def test_refuses_external_data_that_json_cannot_hold(tmp_path, value):
    with pytest.raises(DetectionFileError, match=r"must be what JSON can hold: .*; pa"):
        write_detections(tmp_path / "x.json", {}, external_data={"x": value})


def test_labels_are_those_met_whatever_the_class_lists():
    # Class 1 of the first video and class 0 of the second are both "run".
    a = Detections.of(["jump", "run"], [(0.0, 1.0, 0.5, 1)])
    b = Detections.of(["run", "fly"], [(0.0, 1.0, 0.5, 0), (0.0, 1.0, 0.5, 1)])
    file = DetectionFile.of({"a": a, "b": b})
    assert file.labels == ("run", "fly")
    assert file.label_index.tolist() == [0, 0, 1]


def test_refuses_what_is_not_detections():
    with pytest.raises(
        TypeError, match=r"video 'a' must map to Detections, got \[\{'l"
    ):
        DetectionFile.of({"a": [ENTRY]})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"score": np.zeros(2)}, r"arrays of one length, got \{.*'score': \(2,\)"),
        ({"end_s": np.array([np.inf])}, r"detection 0 has end_s = inf; it must be fin"),
        (
            {"label_index": np.array([1])},
            r"label_index must be in \[0, 1\), got 1 to 1",
        ),
        ({"video_ids": ()}, r"video_index must be in \[0, 0\), got 0 to 0"),
    ],
)
def test_refuses_arrays_that_are_no_detections(change, message):
    file = DetectionFile.of({"a": Detections.of(["jump"], [(0.0, 1.0, 0.5, 0)])})
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(file, **change)
