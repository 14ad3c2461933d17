"""Detections and labels to and from arrays, pandas, polars and Arrow."""

import json
import sys

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import acmnet as package
from acmnet.data.detections.detection_files import DetectionFileError, read_detections
from acmnet.data.labels.annotations import AnnotationError
from acmnet.segments import Detections
from support.commands import refused

NAMES = ["v", 'm"us', "a, b", "x;y", "Ünï", "日", "😀", "=1+1"]
times = st.floats(0.0, 36_000.0)
rows = st.tuples(
    times, st.floats(0.001, 100.0), st.floats(-1.0, 2.0), st.integers(0, 2)
)


@st.composite
def results(draw):
    """Draw detections of up to three videos."""
    found = {}
    for name in draw(st.lists(st.sampled_from(NAMES), max_size=3, unique=True)):
        drawn = draw(st.lists(rows, min_size=1, max_size=4))
        found[name] = Detections.of(
            ['x, "y"', "Käfer", "run|jump"],
            [(start, start + lasts, score, c) for start, lasts, score, c in drawn],
        )
    return found


def listed(found):
    return {video: list(own) for video, own in found.items()}


TABLES = {
    "arrays": package.detections_to_arrays,
    "pandas": package.detections_to_pandas,
    "polars": package.detections_to_polars,
    "arrow": lambda found: pa.table(package.detections_to_polars(found)),
    "lists": lambda found: package.detections_to_pandas(found).to_dict("list"),
}


@settings(max_examples=25)
@given(results())
def test_detections_come_back_from_every_kind_of_table(found):
    for make in TABLES.values():
        assert listed(package.detections_from_table(make(found))) == listed(found)


def test_the_columns_are_those_of_the_files(tmp_path):
    found = {"a": Detections.of(["jump"], [(1.0, 2.5, 0.9, 0), (0.5, 1.0, 0.25, 0)])}
    frame = package.detections_to_pandas(found)
    assert frame.columns.tolist() == ["video", "label", "start", "end", "score"]
    assert package.detections_to_polars(found).columns == frame.columns.tolist()
    frame.to_parquet(tmp_path / "found.parquet")
    assert read_detections(tmp_path / "found.parquet").end_s.tolist() == [2.5, 1.0]
    back = package.detections_from_table(pl.read_parquet(tmp_path / "found.parquet"))
    assert listed(back) == listed(found)
    # other names of columns, another type of numbers, and a column more
    other = pd.DataFrame(
        {
            "video_id": ["a"],
            "class_name": pd.Categorical(["jump"]),
            "start_s": np.array([1], np.int64),
            "end_s": np.array([2.5], np.float32),
            "confidence": [0.5],
            "note": ["?"],
        }
    )
    (one,) = package.detections_from_table(other)["a"]
    assert (one.label, one.start_s, one.end_s, one.score) == ("jump", 1.0, 2.5, 0.5)


GOOD = {
    "video": ["a", "a"],
    "label": ["run", "run"],
    "start": [0.0, 1.0],
    "end": [1.0, 2.0],
    "score": [0.5, 0.5],
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"score": None}, "must have a column 'score', got .*'video'"),
        ({"end": [1.0, 1.0]}, "row 2, video 'a': a detection must end after it starts"),
        ({"label": ["run", None]}, "row 2: label must be a name, got None"),
        ({"video": [" ", "a"]}, "row 1: video must be a name, got ' '"),
        ({"score": [0.5, float("nan")]}, "row 2: score must be a finite number, got n"),
        ({"start": ["x", 1.0]}, "row 1: start must be a finite number, got 'x'"),
        ({"end": [1.0, 2e7]}, "row 2: end must be a finite number, got 2"),
        ({"end": [1.0]}, "columns must have one length, got .*'end': 1"),
    ],
)
def test_tables_that_make_no_sense(change, message):
    table = {k: v for k, v in {**GOOD, **change}.items() if v is not None}
    with pytest.raises(DetectionFileError, match=message):
        package.detections_from_table(table)


def test_what_is_no_table_and_what_is_not_installed(monkeypatch):
    with pytest.raises(DetectionFileError, match=r"a table must be .* got a int"):
        package.detections_from_table(3)
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(DetectionFileError, match=r"pip install 'acmnet\[tables\]'"):
        package.detections_to_pandas({})


@pytest.mark.parametrize("make", [dict, pd.DataFrame, pl.DataFrame, pa.table])
def test_labels_of_a_table(make):
    table = {
        "Video": ["day 1/a.mp4", "day 1/a.mp4", "b", "c"],
        "behaviour": ["jump", "run", "run", None],
        "start": [0.1234567, 3.0, None, None],
        "end": [2.0, None, None, None],
        "duration": [9.5, 9.5, None, 4.0],
        "weather": ["?", "?", "?", "?"],
    }
    found = package.annotations_from_table(make(table))
    a, b, c = (found.videos[name] for name in "abc")
    assert found.class_names == ("jump", "run")
    assert [(x.label, x.segment.start_s, x.segment.end_s) for x in a.instances] == [
        ("jump", 0.1234567, 2.0)
    ]
    assert [(x.label, x.time_s) for x in a.points] == [("run", 3.0)]
    assert (a.duration_s, b.duration_s, c.duration_s) == (9.5, None, 4.0)
    assert (b.labels, c.labels) == (("run",), ())


def test_lists_of_labels_and_refusals():
    frame = pd.DataFrame({"video": ["a", "b"], "labels": [["jump", "run"], []]})
    found = package.annotations_from_table(frame)
    assert [v.labels for v in found.videos.values()] == [("jump", "run"), ()]
    with pytest.raises(AnnotationError, match=r"the table, line 3: .*must end after"):
        package.annotations_from_table(
            {"video": ["a", "b"], "label": ["x", "x"], "start": [1, 5], "end": [2, 4]}
        )


def test_localize_and_convert_write_tables(acmnet, tiny_run, tiny_world, tmp_path):
    given = ["--run", tiny_run, "--features", tiny_world[1]]
    outputs = [
        x for name in ("f.json", "f.parquet", "f.feather") for x in ("--out", name)
    ]
    code, _, err = acmnet("localize", *given, *outputs)
    assert code == 0, err
    files = [
        read_detections(tmp_path / x) for x in ("f.json", "f.parquet", "f.feather")
    ]
    for file in files[1:]:
        assert file.external_data == files[0].external_data
        assert file.video_ids == files[0].video_ids
        for name in ("start_s", "end_s", "score", "video_index"):
            assert getattr(file, name).tolist() == getattr(files[0], name).tolist()
    assert len(pq.read_table(tmp_path / "f.parquet")) >= len(files[0])
    for source, target in (("f.json", "g.parquet"), ("g.parquet", "h.arrow")):
        code, out, err = acmnet("convert", source, target)
        assert code == 0, err
    assert "(parquet to arrow)" in out
    back = read_detections(tmp_path / "h.arrow")
    assert sorted(back.score) == sorted(files[0].score)
    code, out, err = acmnet("convert", tiny_world[0], "labels.parquet")
    assert code == 0, err
    code, out, err = acmnet("convert", "labels.parquet", "labels.json")
    assert code == 0, err
    before, after = (
        package.read_annotations(x) for x in (tiny_world[0], tmp_path / "labels.json")
    )
    assert dict(after.videos) == dict(before.videos)


def test_malformed_tables_are_refused(acmnet, tmp_path):
    (tmp_path / "torn.parquet").write_bytes(b"PAR1 and no more")
    (tmp_path / "text.arrow").write_text(json.dumps({"a": 1}))
    pq.write_table(pa.table({"video": ["a"], "label": [3]}), tmp_path / "odd.parquet")
    for name, words in (
        ("torn.parquet", "torn.parquet could not be read as a"),
        ("text.arrow", "text.arrow could not be read as a"),
        ("odd.parquet", "the column 'label' must hold text, got int64"),
        ("none.parquet", "none.parquet"),
    ):
        refused(acmnet("convert", name, "out.json"), words)
    few = pa.table({"video": ["a"], "label": ["x"], "start": [0.0], "end": [1.0]})
    many = pa.concat_tables([few] * 1100).combine_chunks()
    with pq.ParquetWriter(tmp_path / "bomb.parquet", many.schema) as writer:
        writer.write_table(pa.concat_tables([many] * 1000))
    refused(
        acmnet("convert", "bomb.parquet", "out.json"), "has 1,100,000 rows in", "bytes"
    )
    good = {"video": ["a"], "label": ["x"]}
    pq.write_table(pa.table(good), tmp_path / "good.parquet")
    refused(
        acmnet("convert", "good.parquet", "out.dat", "--to-format", "parquet"),
        "out.dat must end with .parquet or .pq or .arrow or .feather",
    )
