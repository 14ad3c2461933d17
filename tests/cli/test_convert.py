"""The verb convert, and detections for other programs."""

import json
from pathlib import Path

import pytest

from acmnet.data.detection_output import OutputError, output_of
from acmnet.data.detections.detection_files import write_detections
from acmnet.data.format_conversion import convert
from acmnet.data.label_files import read_annotations
from acmnet.data.labels.annotations import AnnotationError
from acmnet.data.labels.marks import unwatched_note
from acmnet.messages import counted
from acmnet.segments import Detections
from support.commands import refused

LABELS = {
    "database": {
        "a": {"duration": 9.0, "annotations": [{"label": "run", "segment": [1, 2.5]}]},
        "b": {"annotations": [{"label": "run", "segment": [3, 4]}, {"label": "sit"}]},
    }
}


@pytest.fixture
def labels(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("labels.json").write_text(json.dumps(LABELS))
    return "labels.json"


def test_what_is_held_ends_with_0_and_what_is_not_with_3(acmnet, labels):
    code, out, err = acmnet("convert", labels, "labels.csv")
    assert (code, err) == (0, "")
    assert "2 marks and 1 name without a time in 2 videos: labels.csv (json" in out
    assert read_annotations("labels.csv").videos == read_annotations(labels).videos
    result = acmnet("convert", "labels.csv", "p.boris")
    refused(
        result,
        "a BORIS project cannot hold everything, so p.boris is without 1 name of "
        "actions without a time",
        code=3,
    )
    assert "2 marks in 2 videos: p.boris (csv to boris)" in result[1]
    assert read_annotations("p.boris").videos["a"].duration_s == 9.0


def test_a_file_for_each_video_goes_into_a_folder(acmnet, labels):
    refused(
        acmnet("convert", labels, "x.eaf"),
        "x.eaf can hold one video in this format, and there are 2: name a folder, such "
        "as x, and the format elan",
    )
    code, out, _ = acmnet("convert", labels, "x", "--to-format", "elan")
    assert code == 3
    assert "2 files" in out
    assert sorted(x.name for x in Path("x").iterdir()) == ["a.eaf", "b.eaf"]
    found = read_annotations("x").videos
    assert found["b"].instances == read_annotations(labels).videos["b"].instances


def test_frames_need_a_rate(acmnet, labels):
    to_simba = ("convert", labels, "x", "--to-format", "simba")
    refused(acmnet(*to_simba), "a SimBA table counts frames", "--fps, such as --fps 25")
    assert not Path("x").exists()
    code, _, err = acmnet(*to_simba, "--fps", "30")
    assert code == 3
    assert "without 1 name of actions without a time" in err
    refused(
        acmnet("convert", "x/a.csv", "back.json"),
        "x/a.csv counts frames and does not state how many there are in a second",
    )
    code, _, err = acmnet("convert", "x/a.csv", "back.json", "--fps", "30")
    assert (code, err) == (0, "")
    video = read_annotations("back.json").videos["a"]
    assert (video.instances[0].segment.end_s, video.duration_s) == (2.5, 9.0)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["labels.json", "x.txt"], "x.txt ends with '.txt', which does not tell"),
        (["labels.json", "x"], "x has no suffix, which does not tell"),
        (
            ["labels.json", "x.y", "--to-format", "word"],
            "no format 'word'; the formats",
        ),
        (["gone.eaf", "x.json"], "there is no file or folder gone.eaf"),
        (["labels.json", "labels.json"], "labels.json is the file that is read"),
        (["labels.json", "x.csv", "--fps", "0"], "fps must be above 0"),
        (["labels.json", "x.csv", "--from-format", "elan"], "no well-formed XML"),
    ],
)
@pytest.mark.usefixtures("labels")
def test_refusals(acmnet, options, words):
    refused(acmnet("convert", *options), words)


def test_nothing_is_written_if_nothing_can_be_held(labels):
    Path(labels).write_text(json.dumps({"database": {"a": {"annotations": []}}}))
    with pytest.raises(AnnotationError, match=r"THUMOS-14 text can hold none of this"):
        convert(labels, "x", to_format="thumos")
    assert not Path("x").exists()


FOUND = {
    "a": Detections.of(["run", "sit"], [(1.0, 2.0, 0.75, 0), (1.5, 3.0, 0.5, 1)]),
    "b": Detections.of(["run"]),
}


@pytest.mark.usefixtures("labels")
def test_detections_are_converted_with_their_scores():
    write_detections("found.json", FOUND)
    done = convert("found.json", "f.json", to_format="fiftyone")
    assert done.written.left_out == ()
    entries = json.loads(Path("f.json").read_text())["labels"]
    assert [x["confidence"] for x in entries["a"]] == [0.75, 0.5]
    assert entries["b"] == []
    convert("found.json", "found.csv")
    done = convert("found.csv", "g.boris")
    assert done.written.left_out == ("the scores of 2 detections",)
    assert len(read_annotations("g.boris").videos["a"].instances) == 2


@pytest.mark.usefixtures("labels")
def test_localize_writes_for_other_programs():
    one = {"a": FOUND["a"]}
    said = output_of("a.eaf", None).write(FOUND, one, {})
    assert said.endswith(
        "2 detections in 1 video: a.eaf; an ELAN file cannot hold the scores of 2 "
        "detections"
    )
    assert len(read_annotations("a.eaf").videos["a"].instances) == 2
    output_of("a.txt", "audacity").write(FOUND, one, {})
    assert Path("a.txt").read_text() == "1.0\t2.0\trun\n1.5\t3.0\tsit\n"
    output_of("all.boris", None).write(FOUND, FOUND, {})
    assert set(read_annotations("all.boris").videos) == {"a", "b"}
    output_of("many/", "elan").write(FOUND, FOUND, {})
    assert sorted(x.name for x in Path("many").iterdir()) == ["a.eaf", "b.eaf"]
    with pytest.raises(
        OutputError, match="the detections of one video, and there are 2"
    ):
        output_of("a.eaf", None).refuse(2)
    with pytest.raises(OutputError, match=r"counts frames, .* such as --label-fps 25"):
        output_of("a.edl", None).refuse(1)
    with pytest.raises(OutputError, match="a file for each class: give a folder"):
        output_of("a.txt", "thumos").refuse(1)
    for name, files in (("thumos", 2), ("edl", 1), ("simba", 1), ("cvat", 1)):
        done = output_of(f"{name}/", name, 10.0).write(FOUND, one, {})
        assert f"2 detections in 1 video: {name}, {counted(files, 'file')};" in done
    output_of("a.edl", None, 10.0).write(FOUND, one, {})
    assert len(read_annotations("a.edl", 10.0).videos["a"].instances) == 2


def test_a_named_format_of_our_own_is_not_recognised_again(acmnet, tmp_path):
    """The suffix says another one: what the user names counts."""
    table = tmp_path / "labels.json"
    table.write_text("video,label,start,end\na,run,1,2\n")
    convert = ("convert", table, tmp_path / "out.boris", "--from-format")
    code, out, err = acmnet(*convert, "csv")
    assert (code, "(csv to boris)" in out) == (0, True), err
    refused(acmnet(*convert, "json"), "labels.json", "JSON")


def test_what_was_watched_is_said_where_a_file_cannot_say_it(acmnet, tmp_path):
    given = tmp_path / "scored.csv"
    given.write_text("video,label,start,end\na,run,1,2.5\nb,sit,,\n")
    labels = read_annotations(given)
    says = "any video was watched, so that what lies outside of the segments in 1 video"
    assert says in (unwatched_note(labels, "all") or "")
    assert unwatched_note(labels, "names") is unwatched_note(labels, "points") is None

    watched = tmp_path / "watched.json"
    code, _, _ = acmnet("convert", given, watched, "--watched")
    found = read_annotations(watched)
    assert code == 0
    assert found.videos["b"] == labels.videos["b"]
    assert found.videos["a"].instances == labels.videos["a"].instances
    assert json.loads(watched.read_text())["database"]["a"]["watched"] is True
    assert unwatched_note(found, "all") is None
