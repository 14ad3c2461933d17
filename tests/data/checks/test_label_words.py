"""What training asks the doctor first: labels that may not be what is meant."""

import dataclasses

import pytest

from acmnet.data.checks.examination import ExaminedFiles, examine
from acmnet.data.checks.label_checks import (
    MOST_SENTENCES_OF_A_KIND,
    few_long_videos,
    suspicions,
)
from acmnet.data.label_files import read_annotations
from acmnet.data.labels.annotations import Annotations, Instance, Video
from acmnet.data.made_up.feature_world import WorldSettings, make_world, write_world
from acmnet.segments import Segment


def made(*rows):
    """Return annotations of a video a row, each with its labels."""
    videos = {
        f"v{i}": Video(
            id=f"v{i}", subset=None, duration_s=None, labels=tuple(row), instances=()
        )
        for i, row in enumerate(rows)
    }
    names = tuple(sorted({label for row in rows for label in row}))
    return Annotations("labels.csv", videos, names)


FIGHTS = [["fight"]] * 8 + [["run"]] * 8 + [[]]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        pytest.param(
            [["none"]] * 12,
            "labels.csv: 'none' is the label of 12 videos: if it means that nothing "
            "happens there, leave the cell empty (in JSON, the list of annotations)",
            id="none",
        ),
        pytest.param([["n/a"]] * 3, "'n/a' is the label of 3 videos: if it m", id="na"),
        pytest.param([["-"]] * 3, "'-' is the label of 3 videos: if it means", id="-"),
        pytest.param([["#N/A"]] * 3, "'#N/A' is the label of 3", id="Excel's fault"),
        pytest.param(
            [["chase; fight"]],
            "'chase; fight' is the label of 1 video: if these are 2 actions, separate "
            "them by | as in 'chase|fight' (in JSON, an entry each)",
            id="semicolon",
        ),
        pytest.param([["run, fight"]], "'run|fight' (in JSON", id="comma of labels"),
        pytest.param([["run, hit"]], "'run|hit' (in JSON", id="comma after a label"),
        pytest.param([["run and fight"]], "'run|fight' (in", id="and between labels"),
        pytest.param(
            [["kick, hit"], ["hit, jump"]], "'kick|hit' (in JSON", id="one part twice"
        ),
        pytest.param(
            [["Fight"]] * 4,
            "the classes 'Fight', 'fight' are spelt nearly alike; if they are one",
            id="case",
        ),
        pytest.param([["r\u00fan"]] * 4, "the classes 'run', 'rún' are", id="accent"),
        pytest.param([["fight "]] * 4, "begins or ends with a blank", id="blank"),
        pytest.param(
            [["figth"]],
            "'figth' is the label of 1 video and 'fight' of 8; if it is misspelt",
            id="slip",
        ),
        pytest.param(
            [["chase"]] * 3 + [["chas\u00e9r"]],
            "'chas\u00e9r' is the label of 1 video and 'chase' of 3; if it is misspelt",
            id="slip beside few",
        ),
        pytest.param(
            [["1"]] * 4 + [["2"]] * 4,
            "2 labels are numbers ('1', '2'): write the name of the action, if one is",
            id="numbers",
        ),
        pytest.param(
            [["jump"]],
            "class 'jump' has only 1 video to learn from; add some, to 3 or more",
            id="one video",
        ),
        pytest.param(
            [["a1", "b1"]] * 3, "'a1' and 'b1' are in the same 3 videos", id="twins"
        ),
    ],
)
def test_suspicions_are_said(rows, words):
    sentences = suspicions(made(*FIGHTS, *rows))
    assert any(words in sentence for sentence in sentences), sentences
    assert len(set(sentences)) == len(sentences)


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param([["long jump, indoor"]] * 3, id="a comma"),
        pytest.param([["run and jerk"]] * 3, id="and"),
        pytest.param([["sit"]] * 3 + [["hit"]] * 9, id="short words"),
        pytest.param([["walking"]] * 5 + [["waking"]] * 5, id="as frequent"),
        pytest.param([["class 1"]] * 3 + [["class 2"]] * 3, id="numbered"),
        pytest.param([["class_1"]] * 3 + [["class_2"]] * 9, id="numbered and rarer"),
        pytest.param([["драка"]] * 3 + [["打架"]] * 3, id="other scripts"),
    ],
)
def test_what_may_well_be_meant_is_not_suspected(rows):
    assert suspicions(made(*FIGHTS, *rows)) == []


def test_many_of_a_kind_are_summed_up():
    rows = [[f"{x}{y}"] for x in "abcdefg" for y in "hijklmn"]
    sentences = suspicions(made(*FIGHTS, *rows))
    few = [x for x in sentences if "to 3 or more" in x]
    assert len(few) == MOST_SENTENCES_OF_A_KIND
    assert sentences[MOST_SENTENCES_OF_A_KIND] == (
        f"labels.csv: {49 - MOST_SENTENCES_OF_A_KIND} more of this kind (few-videos); "
        "acmnet doctor --annotations labels.csv names them all"
    )


def test_many_classes_are_looked_at_soon():
    """No matrix of all classes: 30,000 of them would need 7 GB."""
    rows = [[f"x{i}", f"y{i}"] for i in range(15_000)]
    assert any("in the same 1 video" in x for x in suspicions(made(*rows)))


@pytest.fixture
def suspicious(tmp_path):
    """Write a world whose labels need a question each."""
    settings = WorldSettings(training_videos=12, test_videos=2, dimension=16)
    labels, features = write_world(make_world(0, settings), tmp_path / "world")
    videos = list(read_annotations(labels).subset("training").videos.values())
    rows = [(video.id, "|".join(video.labels)) for video in videos]
    for i, label in enumerate(["none", "none", "chase; fight", "Street fight"]):
        rows[i] = (videos[i].id, label)
    rows[4] = (videos[4].id, "street fight ")
    lines = ["video,labels", *(f"{video},{label}" for video, label in rows)]
    path = tmp_path / "labels.csv"
    path.write_text("\n".join(lines))
    return "--annotations", path, "--features", features


SUSPECTED_HERE = [
    "'none' is the label of 2 videos: if it means that nothing happens there, leave",
    "'chase; fight' is the label of 1 video: if these are 2 actions, separate them",
    "the classes 'Street fight', 'street fight' are spelt nearly alike; if they are",
]


def test_check_and_train_say_what_they_suspect_before_training(acmnet, suspicious):
    few = ["--training.epochs", "1", "--profile", "corrected"]
    for verb in (["check"], ["train", "--out", "run", *few]):
        code, _, err = acmnet(*verb, *suspicious)
        assert code == 0
        for words in SUSPECTED_HERE:
            assert err.count(words) == 1, words
            assert f"note: {suspicious[1]}: {words}" in err


def test_the_doctor_itself_says_the_same(suspicious):
    found = [
        x.sentence for x in examine(ExaminedFiles(annotations=suspicious[1])).findings
    ]
    for words in SUSPECTED_HERE:
        assert sum(words in sentence for sentence in found) == 1


def test_what_names_cannot_tell_is_not_said_of_marked_classes():
    labels = made(*[["sniff", "bite"], ["sniff", "bite", "rest"]] * 2, ["sniff"])
    first = dataclasses.replace(
        labels.videos["v0"], instances=(Instance("sniff", Segment(1.0, 2.0)),)
    )
    labels = dataclasses.replace(labels, videos={**labels.videos, "v0": first})

    def says(words, supervision):
        return any(words in sentence for sentence in suspicions(labels, supervision))

    for supervision in ("names", "points", "segments", "all"):
        is_marked = supervision in ("segments", "all")
        assert says("labelled 'sniff', so nothing", supervision) is not is_marked
        assert says("'bite' is in 4 of 5 videos", supervision)


def test_few_long_videos_are_not_named_for_marked_classes():
    videos = [
        dataclasses.replace(video, duration_s=660.0)
        for video in made(["sniff", "bite"], ["sniff"]).videos.values()
    ]
    said = [few_long_videos(videos, None, marked) for marked in ((), {"sniff"})]
    assert [words[1].split(" have ")[1].split(",")[0] for words in said] == [
        "'sniff'",
        "'bite'",
    ]
    assert few_long_videos(videos, None, {"sniff", "bite"}) is None
