"""Parquet and Arrow files: the same values as JSON, and sentences on bad files."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from acmnet.data.detections.detection_arrays import DetectionFile
from acmnet.data.detections.detection_files import (
    DetectionFileError,
    read_detections,
    write_detections,
)
from acmnet.data.detections.shown_detections import Shown
from acmnet.data.label_files import read_annotations
from acmnet.data.labels.annotations import AnnotationError
from acmnet.data.labels.json_files.label_json import label_entry
from acmnet.data.labels.tables.arrow_labels import write_arrow_labels
from acmnet.data.tables import arrow_files
from acmnet.evaluation.reports import evaluate
from support.drawn_detections import drawn_detections, drawn_truth

SUFFIXES = [".parquet", ".arrow"]


def as_json(path, truth):
    database = {k: label_entry(v) for k, v in truth.videos.items()}
    content = {"database": database, "classes": list(truth.class_names)}
    path.write_text(json.dumps(content))
    return path


def same_arrays(one, other):
    names = ("video_index", "label_index", "start_s", "end_s", "score")
    return one.labels == other.labels and all(
        getattr(one, x).tobytes() == getattr(other, x).tobytes() for x in names
    )


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_labels_are_those_of_json(tmp_path, suffix):
    plain = read_annotations(as_json(tmp_path / "labels.json", drawn_truth()))
    path = tmp_path / f"labels{suffix}"
    write_arrow_labels(path, plain)
    read = read_annotations(path)
    assert read.class_names == plain.class_names
    assert dict(read.videos) == dict(plain.videos)
    assert list(read.videos) == list(plain.videos)
    for subset in ("test", "training"):
        own = read.subset(subset).videos
        assert dict(own) == dict(plain.subset(subset).videos)
        assert "v0" in own if subset == "test" else "v0" not in own
    with pytest.raises(AnnotationError, match="subsets \\(videos\\) are 'test' \\(10"):
        read.subset("tset")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_rows_are_read_in_parts_as_at_once(tmp_path, monkeypatch, suffix):
    truth = drawn_truth()
    labels, found = (tmp_path / f"{name}{suffix}" for name in ("labels", "found"))
    write_arrow_labels(labels, truth)
    write_detections(found, drawn_detections(truth))
    whole = read_annotations(labels), read_detections(found)
    if suffix == ".arrow":  # each part has a dictionary of its own names
        for path in (labels, found):
            rows = pa.ipc.open_file(path.read_bytes()).read_all()
            plain = {x: rows[x].cast("string") for x in ("video", "label")}
            for name, column in plain.items():
                at = rows.schema.get_field_index(name)
                rows = rows.set_column(at, name, column)
            with pa.ipc.new_file(path, rows.schema) as file:
                file.write_table(rows, max_chunksize=7)
    monkeypatch.setattr(arrow_files, "ROWS_TOGETHER", 7)
    read = read_annotations(labels), read_detections(found)
    assert dict(read[0].videos) == dict(whole[0].videos)
    assert read[0].class_names == whole[0].class_names
    assert same_arrays(read[1], whole[1])
    assert read[1].video_ids == whole[1].video_ids


def test_rows_in_any_order_give_the_videos_of_rows_that_are_sorted(tmp_path):
    plain = drawn_truth()
    write_arrow_labels(tmp_path / "sorted.parquet", plain)
    rows = pq.read_table(tmp_path / "sorted.parquet").to_pylist()
    random = np.random.default_rng(0)
    mixed = [rows[i] for i in random.permutation(len(rows))]
    stated = {}
    for row in mixed:  # the last row of a video alone states what holds for all
        stated[row["video"]] = row["duration"], row["subset"]
        row["duration"] = row["subset"] = None
    for row in reversed(mixed):
        row["duration"], row["subset"] = stated.pop(row["video"], (None, None))
    pq.write_table(pa.Table.from_pylist(mixed), tmp_path / "mixed.parquet")
    read = read_annotations(tmp_path / "mixed.parquet")
    assert list(read.videos) == list(dict.fromkeys(row["video"] for row in mixed))
    for name, video in plain.videos.items():
        found = read.videos[name]
        assert (found.duration_s, found.subset) == (video.duration_s, video.subset)
        assert found.labels == video.labels
        assert sorted(found.instances, key=repr) == sorted(video.instances, key=repr)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_scores_are_those_of_json_to_the_last_bit(tmp_path, suffix):
    truth, extra = drawn_truth(), {"shown_from": 0.5}
    found = drawn_detections(truth)
    labels = as_json(tmp_path / "labels.json", truth)
    write_arrow_labels(tmp_path / f"labels{suffix}", read_annotations(labels))
    for name in ("found.json", f"found{suffix}"):
        write_detections(tmp_path / name, found, external_data=extra)
    plain = read_detections(tmp_path / "found.json")
    read = read_detections(tmp_path / f"found{suffix}")
    assert set(read.video_ids) == set(plain.video_ids)
    assert read.external_data == extra
    # JSON lists the videos without a detection among the others
    by_name = [np.array(x.video_ids)[x.video_index] for x in (plain, read)]
    assert by_name[0].tolist() == by_name[1].tolist()
    for protocol in ("custom", "thumos14-2014"):
        reports = [
            evaluate(tmp_path / f"labels{a}", tmp_path / f"found{b}", protocol=protocol)
            for a, b in ((".json", ".json"), (suffix, suffix))
        ]
        one, other = (x.to_json() | {"ground_truth_sha256": 0} for x in reports)
        told = [x.replace(suffix, ".json") for x in other.pop("notes")]
        assert told == one.pop("notes")
        assert one == other
        assert reports[0].ap.tobytes() == reports[1].ap.tobytes()
        assert 0 < reports[0].average < 1


def test_limits_choose_what_they_choose_of_each_video():
    found = drawn_detections(drawn_truth(), seed=3)
    whole = DetectionFile.of(found)
    for limits in (Shown(), Shown(0.4), Shown(top=2), Shown(0.6, 1), Shown(2.0, 1)):
        own = whole.shown(limits)
        assert same_arrays(own, DetectionFile.of(limits.of_all(found))) or not len(own)
        assert own.video_ids == whole.video_ids


def table(path, **columns):
    pq.write_table(pa.table(columns), path)
    return path


GOOD = {
    "video": ["a", "a"],
    "label": ["x", "y"],
    "start": [0.0, 1.0],
    "end": [1.0, 2.0],
    "score": [0.5, 1.0],
}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"score": None}, "one column 'score', got the columns 'video, label"),
        ({"score": ["1", "2"]}, "'score' must hold numbers, got string"),
        ({"video": [1, 2]}, "'video' must hold text, got int64"),
        ({"score": [0.5, None]}, "row 2, video 'a': score must be finite, got a blank"),
        ({"end": [1.0, 1e8]}, "row 2, video 'a': end must be within 10,000,000 s"),
        ({"label": ["x", None]}, "row 2, video 'a': label is blank"),
        ({"video": [None, "a"]}, "row 1: video is blank"),
        ({"video": ["ä", "a\u0308"]}, "listed twice, in two Unicode forms"),
    ],
)
def test_bad_detections_are_told(tmp_path, change, says):
    columns = {k: v for k, v in (GOOD | change).items() if v is not None}
    path = table(tmp_path / "found.parquet", **columns)
    with pytest.raises(DetectionFileError, match=says):
        read_detections(path)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"end": [1.0, 0.5]}, "row 2, video 'a': the segment must end after it starts"),
        ({"label": ["x", None], "start": [0.0, None]}, "row 2.*without a label is a"),
        ({"kind": ["segment", "span"]}, "row 2.*kind must be name, point, segment"),
        ({"subset": ["test", "train"]}, "video 'a' state two values of subset"),
        ({"duration": [4.0, 5.0]}, "video 'a' state two values of duration"),
        ({"duration": [-4.0, None]}, "row 1.*duration must be seconds from 0 to"),
        ({"label": ["x", " "]}, "a label is blank"),
        ({"video": ["a\n", "b"]}, "holds a line break"),
        ({"start": [50.0, 1.0], "end": [None, 2.0], "duration": 2 * [9.0]}, "at 50 s"),
    ],
)
def test_bad_labels_are_told(tmp_path, change, says):
    columns = {k: v for k, v in (GOOD | change).items() if k != "score"}
    path = table(tmp_path / "labels.parquet", **columns)
    with pytest.raises(AnnotationError, match=says):
        read_annotations(path)


@pytest.mark.parametrize("name", ["found.parquet", "found.arrow"])
def test_damaged_files_are_told(tmp_path, name):
    path = tmp_path / name
    write_detections(path, drawn_detections(drawn_truth()))
    content = path.read_bytes()
    for damaged in (b"", content[:100], content[:-8], b"{}" * 50):
        path.write_bytes(damaged)
        with pytest.raises(DetectionFileError, match="could not be read as a"):
            read_detections(path)
    with pytest.raises(AnnotationError, match="No such file"):
        read_annotations(tmp_path / "none.parquet")


def test_a_table_that_cannot_be_written_is_a_detection_file_error(tmp_path):
    (tmp_path / "file").write_text("")
    why = r"file could not be written: .* is a file"
    for name in ("found.parquet", "found.json"):
        with pytest.raises(DetectionFileError, match=why):
            write_detections(tmp_path / "file" / name, {})


def test_columns_that_labels_do_not_use_are_named(tmp_path):
    path = tmp_path / "labels.parquet"
    columns = {"video": ["v"], "label": ["a"], "score": [0.5]}
    pq.write_table(pa.table(columns), path)
    (sentence,) = read_annotations(path).notes
    assert sentence == f"{path}: 1 column not used: 'score'"


def test_a_table_of_another_program(tmp_path):
    # pandas writes indices and categories; polars large strings
    path = tmp_path / "found.parquet"
    labels = pa.DictionaryArray.from_arrays(
        pa.array([2, None, 0], pa.int8()), pa.array(["a", "unused", "b"])
    )
    columns = {
        "video": pa.array(["v", "empty", "w"], pa.large_string()),
        "score": pa.array([1, None, 2], pa.int32()),
        "end": pa.array([1.5, None, 2.5], pa.float32()),
        "start": [0.0, None, 1.0],
        "label": labels,
    }
    pq.write_table(pa.table(columns), path)
    found = read_detections(path)
    assert found.video_ids == ("v", "empty", "w")
    assert found.labels == ("b", "a")
    assert found.video_index.tolist() == [0, 2]
    assert found.end_s.tolist() == [1.5, 2.5]


def test_convert_filters_detections(acmnet, tmp_path):
    found, extra = drawn_detections(drawn_truth()), {"trained_on": ["v1"]}
    write_detections(tmp_path / "found.json", found, external_data=extra)
    pair = (str(tmp_path / "found.json"), str(tmp_path / "few.parquet"))
    code, out, err = acmnet("convert", *pair, "--min-score", "0.3", "--top", "2")
    assert code == 0, err
    few = read_detections(tmp_path / "few.parquet")
    assert few.external_data == extra
    limits = Shown(0.3, 2)
    expected = read_detections(tmp_path / "found.json").shown(limits)
    for name in ("start_s", "end_s", "score"):
        assert getattr(few, name).tobytes() == getattr(expected, name).tobytes()
    assert f"{len(few)} marks in 30 videos" in out
    code, _, err = acmnet("convert", pair[1], str(tmp_path / "again.json"))
    again = read_detections(tmp_path / "again.json")
    assert sorted(zip(again.start_s, again.score, strict=True)) == sorted(
        zip(few.start_s, few.score, strict=True)
    )
    labels = as_json(tmp_path / "labels.json", drawn_truth())
    code, _, err = acmnet("convert", str(labels), pair[1], "--top", "2")
    assert code == 1
    assert "labels.json holds labels, which have no scores; leave out --min-" in err
