"""Names: one Unicode form at every door where names come in, and what no name holds."""

import json
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acmnet.data.checks.examination import ExaminedFiles, examine
from acmnet.data.checks.refusals import DataError
from acmnet.data.detections.detection_arrays import DetectionFile
from acmnet.data.detections.detection_files import DetectionFileError, read_detections
from acmnet.data.features.feature_files import FeatureError
from acmnet.data.features.feature_store import open_store, write_features
from acmnet.data.label_files import read_annotations
from acmnet.data.labels.annotations import AnnotationError
from acmnet.evaluation.reports import evaluate
from acmnet.extraction.many_videos.records import forget
from acmnet.extraction.many_videos.video_search import find_videos
from acmnet.fitting.listed_videos import ListedVideos, listed_files
from acmnet.names import one_form, unfit
from acmnet.segments import Detections, SnippetGrid
from acmnet.show.bench.marks.bench_mark import MarkError
from acmnet.show.bench.marks.mark_store import MarkStore

COMPOSED = "K\u00e4fer 1"
APART = unicodedata.normalize("NFD", COMPOSED)
"""As macOS writes it into file names."""
GRID = SnippetGrid(25, 16, 16)


@given(st.text(st.characters(codec="utf-8")))
def test_one_form_is_reached_from_each_form_and_kept(name):
    forms = {unicodedata.normalize(form, name) for form in ("NFC", "NFD")}
    assert {one_form(form) for form in forms} == {one_form(name)}
    assert one_form(one_form(name)) == one_form(name)


@given(st.characters())
def test_names_hold_what_can_be_printed_in_one_line_and_written(letter):
    breaks = len(f"a{letter}b".splitlines()) > 1
    lone = 0xD800 <= ord(letter) <= 0xDFFF
    control = unicodedata.category(letter) == "Cc"
    assert bool(unfit(f"a{letter}b")) == (breaks or lone or control)


def label_file(tmp_path, video, label, segment=(1.0, 2.0)):
    path = tmp_path / "labels.json"
    entry = {"annotations": [{"label": label, "segment": segment}], "subset": label}
    path.write_text(json.dumps({"database": {video: entry}, "classes": [label]}))
    return path


@pytest.fixture(params=[COMPOSED, APART], ids=["composed", "apart"])
def labels(request, tmp_path):
    """Write a label file whose video, label and subset have a name with an umlaut."""
    return label_file(tmp_path, request.param, request.param)


def test_label_files(labels):
    read = read_annotations(labels)
    assert (list(read.videos), read.class_names) == ([COMPOSED], (COMPOSED,))
    assert list(read.subset(APART).videos) == [COMPOSED]
    assert read.videos[COMPOSED].labels == (COMPOSED,)


def test_tables_of_labels(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text(f"video,labels\n{APART}.mp4,{APART}\n", encoding="utf-8")
    read = read_annotations(path)
    assert (list(read.videos), read.class_names) == ([COMPOSED], (COMPOSED,))


def test_video_files(tmp_path):
    (tmp_path / f"{APART}.mp4").touch()
    assert find_videos([tmp_path]) == {COMPOSED: tmp_path / f"{APART}.mp4"}
    (tmp_path / f"{COMPOSED}.avi").touch()
    with pytest.raises(ValueError, match="two videos have the id"):
        find_videos([tmp_path])


def test_feature_files(tmp_path):
    write_features(tmp_path, APART, np.ones((2, 3), np.float32))
    store = open_store(tmp_path, grid=GRID)
    assert store.video_ids == (COMPOSED,)
    assert store.read(COMPOSED).shape == store.read(APART).shape == (2, 3)
    store.require([APART])


def test_a_video_done_again_leaves_no_file_in_the_other_form(tmp_path):
    """As an earlier acmnet wrote it: two files of one video would be refused."""
    write_features(tmp_path, APART, np.ones((2, 3), np.float32))
    forget(tmp_path, COMPOSED)
    write_features(tmp_path, COMPOSED, np.ones((2, 3), np.float32))
    assert open_store(tmp_path, grid=GRID).video_ids == (COMPOSED,)


def test_a_name_that_differs_by_case_is_asked_about_and_not_matched(tmp_path):
    write_features(tmp_path, "Holiday", np.ones((2, 3), np.float32))
    store = open_store(tmp_path, grid=GRID)
    with pytest.raises(FeatureError, match="is 'holiday' meant to be 'Holiday'\\?"):
        store.require(["holiday"])


def test_detections_are_scored_against_truth_in_another_form(labels, tmp_path):
    for i, name in enumerate((COMPOSED, APART)):
        path = tmp_path / f"found{i}.json"
        entry = {"label": name, "score": 0.5, "segment": [1, 2]}
        path.write_text(json.dumps({"results": {name: [entry]}}))
        assert evaluate(labels, path, tiou=[0.5]).average == 1.0
        found = {name: Detections.of([name], [(1.0, 2.0, 0.5, 0)])}
        assert DetectionFile.of(found).video_ids == (COMPOSED,)
        assert evaluate(read_annotations(labels), found, tiou=[0.5]).average == 1.0


def test_one_video_in_two_forms_is_twice(tmp_path):
    path = tmp_path / "x.json"
    path.write_text(json.dumps({"results": {COMPOSED: [], APART: []}}))
    with pytest.raises(DetectionFileError, match="listed twice, in two Unicode forms"):
        read_detections(path)
    empty = {"annotations": []}
    path.write_text(json.dumps({"database": {COMPOSED: empty, APART: empty}}))
    with pytest.raises(AnnotationError, match="listed twice, in two Unicode forms"):
        read_annotations(path)


def test_lists_of_a_split(labels, tmp_path):
    path = tmp_path / "split.txt"
    path.write_text(f"{APART}\n", encoding="utf-8")
    kinds = {
        x.kind for x in examine(ExaminedFiles(annotations=labels, split=path)).findings
    }
    assert not kinds & {"unknown-video", "never-predicted"}


def test_the_doctor_asks_about_names_that_differ_by_case(tmp_path):
    labels = label_file(tmp_path, "Holiday", "jump")
    (tmp_path / "split.txt").write_text("HOLIDAY\n")
    entries = {"results": {"holiday": []}}
    (tmp_path / "found.json").write_text(json.dumps(entries))
    write_features(tmp_path / "features", "holidaY", np.ones((9, 3), np.float32))
    files = {"split": "split.txt", "detections": "found.json", "features": "features"}
    patient = ExaminedFiles(
        annotations=labels,
        **{x: tmp_path / path for x, path in files.items()},
        grid=GRID,
    )
    said = " ".join(finding.sentence for finding in examine(patient).findings)
    assert "(is 'HOLIDAY' meant to be 'Holiday'?)" in said
    assert "(is 'holiday' meant to be 'Holiday'?)" in said
    assert "(is 'Holiday' meant to be 'holidaY'?)" in said


def test_fit_asks_about_a_file_whose_name_differs_by_case(tmp_path):
    for name in ("Holiday.mp4", "b.mp4"):
        (tmp_path / name).touch()
    (tmp_path / "labels.csv").write_text("video,labels\nholiday,jump\nb.mp4,jump\n")
    labels, notes = tmp_path / "labels.csv", []
    listed = ListedVideos(
        labels=labels,
        annotations=read_annotations(labels),
        folder=tmp_path,
        subset=None,
        features=tmp_path / "features",
    )
    with pytest.raises(DataError):  # no file opens
        listed_files(listed, notes.append)
    assert "'holiday' (is 'holiday' meant to be 'Holiday'?); the others" in notes[-1]


def test_marks(labels, tmp_path):
    one = {"id": "m", "video": APART, "kind": "point", "label": APART, "start_s": 0}
    for _ in range(2):
        store = MarkStore(labels, tmp_path / "bench", {})
        store.put({"who": "anna", "marks": [one]})
        kept = {(x.video, x.label) for x in store.snapshot().marks}
        store.close()
        assert kept == {(COMPOSED, COMPOSED)}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        pytest.param("a\tb", "holds a tab", id="tab"),
        pytest.param("a\nb", "holds a line break", id="line break"),
        pytest.param("a\0b", "holds a NUL", id="NUL"),
        pytest.param("a\x1b[1m", "holds the control character U\\+001B", id="escape"),
        pytest.param("a\u2028b", "holds the control char.* U\\+2028", id="separator"),
    ],
)
@pytest.mark.parametrize("place", ["video", "label", "class", "subset"])
def test_names_that_no_name_can_be(tmp_path, name, words, place):
    entry = {"label": name if place == "label" else "jump", "segment": [0, 1]}
    video = {"annotations": [entry], "subset": name if place == "subset" else "x"}
    content = {
        "database": {name if place == "video" else "a": video},
        "classes": ["jump", name] if place == "class" else None,
    }
    path = tmp_path / "labels.json"
    path.write_text(json.dumps(content))
    with pytest.raises(AnnotationError, match=f"{words}; names are") as caught:
        read_annotations(path)
    assert str(path) in str(caught.value)
    assert repr(name) in str(caught.value)


@pytest.mark.parametrize("label", ["two\nlines", "a\ud800"])
def test_the_bench_takes_no_such_label(labels, tmp_path, label):
    one = {"id": "m", "video": COMPOSED, "kind": "name", "label": label}
    store = MarkStore(labels, tmp_path / "bench", {})
    before = store.revision
    with pytest.raises(MarkError, match=r"holds (a line break|half a char)"):
        store.put({"who": "anna", "marks": [one]})
    assert store.revision == before
    store.close()
