"""The doors for a user's files: what no file may do to the command that reads it."""

import json
import os
import shutil
import socket
from pathlib import Path

import pytest

from acmnet.data.checks.lenient_reading import read_leniently
from acmnet.data.detections.detection_files import DetectionFileError, read_detections
from acmnet.data.features.failed_videos import read_failures
from acmnet.data.features.feature_files import FeatureError
from acmnet.data.features.feature_manifest import read_manifest
from acmnet.data.label_files import read_annotations
from acmnet.data.labels.annotations import AnnotationError
from acmnet.evaluation.scoring.truth import read_intervals
from acmnet.extraction.many_videos.records import ExtractionError, read_records
from acmnet.limits import LARGEST_SECONDS, MOST_CLASSES, finite, seconds
from acmnet.localization.localization_settings import LocalizationSettings
from acmnet.models.stored_calibration import (
    CALIBRATION_FILE,
    CalibrationError,
    read_calibration,
)
from acmnet.recipes import RecipeError, recipe
from acmnet.show.bench.rounds.training_progress import state_of


def calibration_in(path):
    return read_calibration(path.parent, LocalizationSettings())


READERS = {
    "labels.json": (read_annotations, AnnotationError),
    "labels.csv": (read_annotations, AnnotationError),
    "detections.json": (read_detections, DetectionFileError),
    "features.json": (lambda path: read_manifest(path.parent), FeatureError),
    "extracted/v.json": (
        lambda path: read_records(path.parent.parent),
        ExtractionError,
    ),
    CALIBRATION_FILE: (calibration_in, CalibrationError),
    "recipe.toml": (recipe, RecipeError),
    "intervals.txt": (read_intervals, ValueError),
}
"""Each reader of a user's text, by the name of its file, and what it raises."""
JSON_READERS = [name for name in READERS if name.endswith(".json")]


def in_place_of(path, make):
    path.parent.mkdir(parents=True, exist_ok=True)
    make(path)
    read, error = READERS[
        str(path.relative_to(path.parents[path.parent.name == "extracted"]))
    ]
    with pytest.raises(error) as caught:
        read(path)
    sentence = str(caught.value)
    assert type(caught.value) is error
    assert str(path) in sentence
    assert "\n" not in sentence
    assert len(sentence) < 500
    return sentence


def make_socket(path):
    here = Path.cwd()
    os.chdir(path.parent)  # a socket's whole path may have 107 bytes only
    try:
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(path.name)
    finally:
        os.chdir(here)


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize(
    ("make", "says"),
    [
        pytest.param(os.mkfifo, "is a pipe, not a file; save the", id="fifo"),
        pytest.param(Path.mkdir, "is a directory; name the", id="directory"),
        pytest.param(make_socket, "is a socket or device, not a file", id="socket"),
        pytest.param(
            lambda path: path.symlink_to("/dev/zero"),
            "is a socket or device, not a file",
            id="endless device",
        ),
    ],
)
def test_only_regular_files_are_opened(tmp_path, name, make, says):
    """Before, a pipe hung every reader, and /dev/zero filled the memory."""
    assert says in in_place_of(tmp_path / name, make)


@pytest.mark.parametrize("name", READERS)
def test_a_file_of_gigabytes_is_refused_unread(tmp_path, name):
    def make(path):
        path.touch()
        os.truncate(path, 5 * 2**30)  # sparse: takes no space

    assert "MiB, the most that a" in in_place_of(tmp_path / name, make)


@pytest.mark.parametrize("name", JSON_READERS)
@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("[" * 100_000, "nested more than 100 deep", id="lists"),
        pytest.param('{"a":' * 500 + "1" + "}" * 500, "nested more", id="objects"),
        pytest.param(
            '{"a": [1, ' + "9" * 5000 + "]}", "'a'[1] is 999", id="huge integer"
        ),
        pytest.param('{"a": {"b": NaN}}', "'a', 'b' is NaN, which is no", id="NaN"),
        pytest.param('{"a": [0, -Infinity]}', "'a'[1] is -Infinity", id="infinity"),
        pytest.param('{"a": 1e999}', "'a' is 1e999, which is no finite", id="1e999"),
        pytest.param(
            '{"a": ["x\\ud800"]}',
            "'a'[0] is 'x\\ud800', which holds half a",
            id="value",
        ),
        pytest.param('{"\\udfff": 1}', "the name '\\udfff' holds half a", id="key"),
        pytest.param('{"a": 1, "a": 2}', "'a' is listed twice", id="twice"),
    ],
)
def test_json_that_nobody_means(tmp_path, name, text, says):
    path = tmp_path / name
    assert says in in_place_of(path, lambda path: path.write_text(text))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a = " + "[" * 100_000, "nested too deep; mend"),
        ("a = " + "[" * 200 + "]" * 200, "nested more than 100 deep"),
        ("[" + "a." * 20_000 + "a]", "nested more than 100 deep"),
        ("a = " + "9" * 5000, "Exceeds the limit"),
        ('a = "\\ud800"', "no recipe in TOML"),
        ("training = 3", "training must be a table"),
        ('[training]\nepochs = "3"', "training.epochs must be a whole number, got '3'"),
    ],
)
def test_toml_that_nobody_means(tmp_path, text, says):
    path = tmp_path / "recipe.toml"
    assert says in in_place_of(path, lambda path: path.write_text(text))


@pytest.mark.parametrize(
    "spelt",
    [
        "1_000",
        "inf",
        "nan",
        "0x10",
        "",
        " ",
        "1e",
        "\N{ARABIC-INDIC DIGIT ONE}",
        "1 2",
        "1,5",
    ],
)
def test_text_that_spells_no_plain_number_is_refused_everywhere(tmp_path, spelt):
    labels, found = tmp_path / "labels.json", tmp_path / "detections.json"
    one = {"label": "x", "segment": ["0", spelt], "score": 1}
    labels.write_text(json.dumps({"database": {"v": {"annotations": [one]}}}))
    with pytest.raises(AnnotationError, match=r"video 'v', annotations\[0\]: segment"):
        read_annotations(labels)
    found.write_text(json.dumps({"results": {"v": [one]}}))
    with pytest.raises(DetectionFileError, match=r"video 'v', entry 0: segment must"):
        read_detections(found)
    one |= {"segment": ["0", "1.5"], "score": spelt}
    found.write_text(json.dumps({"results": {"v": [one]}}))
    with pytest.raises(DetectionFileError, match=r"video 'v', entry 0: score must"):
        read_detections(found)
    for setting in ("training.epochs", "training.learning_rate"):
        with pytest.raises(RecipeError, match=f"{setting} must be a"):
            recipe(overrides={setting: spelt})
    if spelt.strip():
        intervals = tmp_path / "intervals.txt"
        intervals.write_text(f"v 0 {spelt}\n")
        with pytest.raises(ValueError, match="line 1: must be a video, a start"):
            read_intervals(intervals)


def test_plain_numbers_in_quotes_stay_readable_in_labels_and_detections(tmp_path):
    """THUMOS-14's published ground truth writes its times so."""
    one = {"label": "x", "segment": ["0.5", " 1e1 "], "score": "0.25"}
    path = tmp_path / "both.json"
    video = {"annotations": [one], "duration": "20"}
    path.write_text(json.dumps({"database": {"v": video}, "results": {"v": [one]}}))
    video = read_annotations(path).videos["v"]
    assert (video.instances[0].segment.end_s, video.duration_s) == (10.0, 20.0)
    assert read_detections(path).start_s.tolist() == [0.5]


@pytest.mark.parametrize("far", [1e308, -1.1e7, 10**300])
def test_times_beyond_all_videos_are_refused(tmp_path, far):
    path = tmp_path / "both.json"
    one = {"label": "x", "segment": sorted([0, far]), "score": 1}
    path.write_text(
        json.dumps({"database": {"v": {"annotations": [one]}}, "results": {"v": [one]}})
    )
    with pytest.raises(
        AnnotationError, match="within 10,000,000 s of 0 and in seconds, got"
    ):
        read_annotations(path)
    with pytest.raises(
        DetectionFileError, match="within 10,000,000 s of 0 and in seconds, got"
    ):
        read_detections(path)
    video = {"annotations": [], "duration": abs(far)}
    path.write_text(json.dumps({"database": {"v": video}}))
    with pytest.raises(
        AnnotationError, match=r"duration must be seconds from 0, got .*10,000,000 s"
    ):
        read_annotations(path)


def test_the_limit_of_times_is_a_time_still():
    assert seconds(LARGEST_SECONDS) == -seconds(-LARGEST_SECONDS) == LARGEST_SECONDS
    assert seconds(LARGEST_SECONDS * 1.001) is None
    assert finite(10**5000) is None


def test_more_class_names_than_anyone_has_are_refused(tmp_path):
    names = [f"c{i}" for i in range(MOST_CLASSES + 1)]
    tree = [{"nodeName": name, "parentName": "Root"} for name in names]
    for key, value in (("classes", names), ("taxonomy", tree)):
        path = tmp_path / f"{key}.json"
        path.write_text(
            json.dumps({key: value, "database": {"v": {"annotations": []}}})
        )
        with pytest.raises(
            AnnotationError, match="more than 100,000 classes, namely 100,001"
        ):
            read_annotations(path)


def test_numbers_in_quotes_are_refused_in_a_manifest(tmp_path):
    """Our own files are written by us, with numbers."""
    whole = {"fps": 25, "snippet_frames": 16, "stride_frames": 16, "dimension": 4}
    for field in whole:
        (tmp_path / "features.json").write_text(json.dumps(whole | {field: "16"}))
        with pytest.raises(FeatureError, match=f"features.json: {field} must be"):
            read_manifest(tmp_path)


def test_failures_that_are_none_say_nothing(tmp_path):
    kept = {
        "video": "v",
        "file": "v.mp4",
        "reason": "torn",
        "kind": "video",
        "when": "2026-01-01",
    }
    lines = [
        "[" * 100_000,
        "[1]",
        '{"a": NaN}',
        "9" * 9999,
        json.dumps(kept),
        '{"x": 1}',
    ]
    (tmp_path / "failed.jsonl").write_text("\n".join(lines))
    assert read_failures(tmp_path)["v"].reason == "torn"


def test_doctor_says_it_too(tmp_path):
    path = tmp_path / "labels.json"
    for text, says in (("[" * 100_000, "nested more"), ('{"a": NaN}', "is NaN")):
        path.write_text(text)
        (finding,) = read_leniently(path).findings
        assert says in finding.sentence


@pytest.mark.parametrize("name", ["SHA256SUMS", "config.json", "model.safetensors"])
def test_a_pipe_in_a_checkpoint_stops_nothing(acmnet, tiny_run, tiny_world, name):
    """A pipe named SHA256SUMS was waited for without end."""
    shutil.copytree(tiny_run, "run")
    (path,) = Path("run").rglob(name)
    path.unlink()
    os.mkfifo(path)
    code, _, err = acmnet(
        *("localize", "--run", "run", "--features", tiny_world[1]),
        *("--out", "found.json", "--device", "cpu"),
    )
    assert code == 1
    assert name in err


def test_a_pipe_in_place_of_a_log_is_not_waited_for(tmp_path):
    log = tmp_path / "log.jsonl"
    os.mkfifo(log)
    assert state_of(tmp_path)["sentence"] == ""
    log.unlink()
    log.write_text("[" * 100_000 + '\n{"epoch": 3, "total": "x"}\n')
    assert state_of(tmp_path)["sentence"] == "training: epoch 3, loss nan"
