"""Training videos among the scored: left out of the headline, or said aloud."""

import json
import shutil
from dataclasses import astuple, replace
from pathlib import Path

import pytest

from acmnet.checkpoints.checkpoint import load_config
from acmnet.checkpoints.checkpoint_folder import folder_of
from acmnet.cli import main
from acmnet.cli.verb_parts.trained_run import scored as run_score
from acmnet.data.detections.detection_files import read_detections
from acmnet.data.label_files import read_annotations
from acmnet.data.labelled_features import DataSource, open_data
from acmnet.evaluation.held_out import held_out
from acmnet.evaluation.reports import evaluate
from acmnet.inference.localized_videos import localize_videos
from acmnet.models.stored_model import load
from acmnet.segments import Detections
from acmnet.show.bench.marks.bench_labels import KnownVideo
from acmnet.show.bench.marks.mark_store import MarkStore
from acmnet.show.bench.rounds.round_detections import RoundDetections
from support.commands import refused
from support.worlds import file_of, truth_of

TRUTH = truth_of(a=[("run", 0, 10)], b=[("run", 0, 10)])
FOUND = {"a": [("run", 0, 10, 0.9)], "b": [("run", 20, 30, 0.8)]}


def detections(external_data):
    """Return detections that are right in a and wrong in b."""
    file = file_of(**FOUND)
    object.__setattr__(file, "external_data", external_data)
    return file


def scored(external_data, truth=TRUTH, **options):
    file = detections(external_data)
    return held_out(lambda out: {"x": evaluate(truth, file, leave_out=out)}, **options)


def test_held_out_videos_make_the_headline():
    """In a all is found and in b nothing: AP 1/2 of both, 0 of b, 1 of a."""
    reports, extra = scored({"trained_on": ["a", "elsewhere"]})
    report = reports["x"]
    assert (report.average, report.videos, report.instances) == (0.0, 1, 1)
    assert report.dropped == {}  # what is left out is no fault of the detections
    (note,) = report.notes
    assert note.startswith(
        "1 video that was trained on is left out of the scores ('a'); with it"
    )
    assert "50.00 %" in note
    expected = {"left_out": ["a"], "average_with_them": {"x": pytest.approx(0.5)}}
    assert extra == {"trained_on": expected}
    assert scored({"trained_on": ["b"]})[0]["x"].average == 1.0


@pytest.mark.parametrize(
    ("external_data", "note"),
    [
        ({}, None),
        ({"trained_on": []}, None),
        ({"trained_on": ["elsewhere"]}, None),
        ({"trained_on": {"not": "ours"}}, None),
        ({"trained_on": ["a", "b"]}, "2 of 2 scored videos were trained on ('a', 'b')"),
        ({"trained_on": None}, "it is not known which videos the run was trained on"),
    ],
)
def test_all_videos_are_scored_where_none_is_left_or_known(external_data, note):
    reports, extra = scored(external_data)
    assert (reports["x"].average, reports["x"].videos, extra) == (0.5, 2, {})
    assert len(reports["x"].notes) == (note is not None)
    assert note is None or note in reports["x"].notes[0]


def test_videos_that_were_trained_on_are_scored_or_refused_as_asked():
    both = {"trained_on": ["a", "b"]}
    message = (
        r"labels\.json: all 2 videos with true segments were trained on \('a', 'b'\), "
        r"so a score would be better than that of new videos; .* --score-trained-on to"
    )
    with pytest.raises(ValueError, match=message):
        scored(both, trained_on="refuse if alone")
    one = scored({"trained_on": ["a"]}, trained_on="refuse if alone")[0]["x"]
    assert (one.videos, one.average) == (1, 0.0)
    every = scored({"trained_on": ["a"]}, trained_on="score")[0]["x"]
    assert (every.videos, every.average) == (2, 0.5)
    assert "1 of 2 scored videos was trained on ('a')" in every.notes[0]
    taught = {"trained_on": ["a", "b"], "taught_times": ["a"]}
    assert scored(taught, trained_on="score")[0]["x"].videos == 1
    with pytest.raises(
        ValueError, match=r"its only video .* was trained on \('b'\), so"
    ):
        scored(taught, trained_on="refuse if alone")


def test_videos_without_an_instance_make_no_headline():
    truth = truth_of(a=[("run", 0, 10)], b=[])
    report = scored({"trained_on": ["a"]}, truth)[0]["x"]
    assert report.videos == 2
    assert "1 of 2 scored videos was trained on" in report.notes[0]


def test_videos_whose_times_were_given_are_not_scored():
    """In b nothing is found: AP 0, where a alone would have 1 and both 1/2."""
    reports, extra = scored({"trained_on": ["a", "b"], "taught_times": ["a"]})
    report = reports["x"]
    assert (report.average, report.videos, report.taught) == (0.0, 1, ("a",))
    assert report.notes[0] == (
        "1 video is left out, as the training was given its times ('a')"
    )
    assert "1 of 1 scored video was trained on ('b')" in report.notes[1]
    assert extra == {"taught_times": {"left_out": ["a"]}}


def test_they_are_refused_by_name_where_no_other_has_a_segment():
    message = (
        r"labels\.json: the training was given the times of all 2 videos with true "
        r"segments \('a', 'b'\), so a score would not tell how good the run is; score"
    )
    with pytest.raises(ValueError, match=message):
        scored({"taught_times": ["b", "a"]})
    truth = truth_of(a=[("run", 0, 10)], b=[])
    with pytest.raises(ValueError, match=r"the times of its only video .* \('a'\)"):
        scored({"taught_times": ["a"]}, truth)


def test_two_systems_are_scored_on_the_same_videos():
    truth = truth_of(**{name: [("run", 0, 10)] for name in "abcd"})
    found = {name: [("run", 0, 10, 0.9)] for name in "abcd"}
    files = {}
    for name, given in (
        ("one", {"taught_times": ["a"], "trained_on": ["a", "c"]}),
        ("other", {"taught_times": ["b"]}),
    ):
        files[name] = file_of(**found)
        object.__setattr__(files[name], "external_data", given)
    reports, extra = held_out(
        lambda out: {k: evaluate(truth, x, leave_out=out) for k, x in files.items()}
    )
    for report in reports.values():
        assert report.ranking.truth.video_ids == ("d",)
        assert report.notes[0] == (
            "2 videos are left out, as the training was given their times ('a', 'b')"
        )
        assert (
            "1 video that was trained on is left out of the scores ('c')"
            in report.notes[1]
        )
    assert extra["taught_times"] == {"left_out": ["a", "b"]}
    assert extra["trained_on"]["left_out"] == ["c"]


@pytest.fixture
def localized(acmnet, tiny_run, tiny_world):
    """Localise all videos, of which 12 were trained on; return the label file."""
    code, _, _ = acmnet(
        *("localize", "--run", tiny_run, "--features", tiny_world[1]),
        *("--annotations", tiny_world[0], "--out", "d.json"),
    )
    assert code == 0
    return tiny_world[0]


def test_evaluate_leaves_them_out(acmnet, localized):
    listed = read_detections("d.json").external_data["trained_on"]
    assert listed == [f"training_{i:03d}" for i in range(12)]
    score = ["evaluate", "--ground-truth", localized, "--detections", "d.json"]
    code, out, err = acmnet(*score, "--json", "s.json", "--csv", "s.csv")
    assert code == 0
    assert "\n6 videos, " in out
    assert (
        "12 videos that were trained on are left out of the scores ('training_000'"
        in err
    )
    held_out_score = json.loads(Path("s.json").read_text())
    assert held_out_score["trained_on"]["left_out"] == listed
    assert "trained on are left out" in Path("s.csv").read_text()
    acmnet(*score, "--subset", "test", "--json", "test.json")
    test_score = json.loads(Path("test.json").read_text())
    assert held_out_score["map"] == test_score["map"]
    assert "trained_on" not in test_score
    code, _, err = acmnet(*score, "--subset", "training")
    assert code == 1
    assert "all 12 videos with true segments were trained on ('training_000'" in err
    score += ["--score-trained-on"]
    _, out, err = acmnet(*score, "--subset", "training")
    assert "\n12 videos, " in out
    assert "12 of 12 scored videos were trained on" in err
    assert "\n18 videos, " in acmnet(*score)[1]


def test_diagnose_says_so(acmnet, localized):
    given = ["--ground-truth", localized, "--detections", "d.json"]
    _, _, err = acmnet("diagnose", *given)
    assert "12 of 18 scored videos were trained on" in err


@pytest.mark.usefixtures("localized")
def test_a_truth_that_the_model_made_is_said(acmnet, tiny_run, tiny_world):
    found = read_detections("d.json")
    detections = RoundDetections()
    detections.show(0, found)
    video, row = next(
        (video, rows[0]) for video in found.video_ids if (rows := detections.of(video))
    )
    shown = {video: KnownVideo()}
    store = MarkStore(
        Path("reviews.json"), Path("bench"), shown, (), detections.proposal
    )
    known = {"id": "m", "video": video, "kind": "segment", "from": row["id"]}
    known |= {name: row[name] for name in ("label", "start_s", "end_s")}
    store.put({"who": "anna", "marks": [known]})
    store.close()
    given = ["--ground-truth", "reviews.json", "--detections", "d.json"]
    for verb in ("evaluate", "diagnose"):
        code, _, err = acmnet(verb, *given)
        assert code == 0
        assert "reviews.json is made from a model's own detections" in err
    given = ["--annotations", "reviews.json", "--features", tiny_world[1]]
    shutil.copytree(tiny_run, "run")  # which gets the calibration
    _, _, err = acmnet("calibrate", "--run", "run", *given)
    assert "reviews.json is made from a model's own detections" in err


@pytest.fixture(scope="module")
def taught_run(tiny_world, tmp_path_factory):
    """Train on times of all training videos but two; give the run and the labels."""
    folder = tmp_path_factory.mktemp("taught")
    content = json.loads(tiny_world[0].read_text())
    for video in ("training_000", "training_001"):
        for annotation in content["database"][video]["annotations"]:
            annotation.pop("segment")
    labels, features = folder / "labels.json", str(tiny_world[1])
    labels.write_text(json.dumps(content))
    given = ["--annotations", str(labels), "--features", features]
    few = ["--subset", "training", "--profile", "corrected", "--training.epochs", "1"]
    given += ["--supervision", "segments", "--out", str(folder / "run")]
    main(["train", *given, *few])
    return folder / "run", labels


def test_a_run_keeps_the_times_that_it_was_given(taught_run, tiny_run):
    run, labels = taught_run
    config = load_config(run)
    videos = read_annotations(labels).videos
    assert list(config.taught_times) == [f"training_{i:03d}" for i in range(2, 12)]
    assert len(config.trained_on) == 12
    for video, marks in config.taught_times.items():
        times = [(x.label, *astuple(x.segment)) for x in videos[video].instances]
        assert marks == {"segments": sorted(map(list, times))}
    assert load_config(tiny_run).taught_times == {}
    assert not (folder_of(tiny_run) / "taught_times.json").exists()


def test_no_verb_scores_videos_whose_times_were_given(acmnet, taught_run, tiny_world):
    (run, labels), (truth, features) = taught_run, tiny_world
    names = "training_002', 'training_003', 'training_004', 'training_005', "
    code, _, _ = acmnet(
        *("localize", "--run", run, "--features", features),
        *("--annotations", truth, "--out", "d.json"),
    )
    assert code == 0
    score = ["--ground-truth", truth, "--detections", "d.json"]
    left_out = (
        "10 videos are left out, as the training was given their times ('" + names
    )
    code, out, err = acmnet("evaluate", *score, "--json", "s.json")
    assert code == 0
    assert "\n6 videos, " in out
    assert left_out in err
    assert (
        "2 videos that were trained on are left out of the scores ('training_000'"
        in err
    )
    values = json.loads(Path("s.json").read_text())
    assert len(values["taught_times"]["left_out"]) == 10
    training = [*score, "--subset", "training"]
    words = "all 2 videos with true segments were trained on ('training_000'"
    refused(acmnet("evaluate", *training), words)
    _, out, err = acmnet("evaluate", *training, "--score-trained-on")
    assert "\n2 videos, " in out  # by their names alone
    assert left_out in err
    assert left_out in acmnet("diagnose", *score)[2]
    given = ["--ground-truth", labels, "--detections", "d.json", "--subset", "training"]
    for verb in ("evaluate", "diagnose"):
        words = "the times of all 10 videos with true segments ('", names, "crossval"
        refused(acmnet(verb, *given), *words)


def test_neither_calibration_nor_selection_uses_them(acmnet, taught_run, tiny_world):
    (run, labels), (truth, features) = taught_run, tiny_world
    shutil.copytree(run, "run")
    given = ["--run", "run", "--annotations", truth, "--features", features]
    code, _, err = acmnet("calibrate", *given, "--tiou", 0.1)
    assert code == 0, err
    assert "10 videos are left out, as the training was given their times" in err
    content = json.loads(labels.read_text())
    for video in ("training_000", "training_001"):
        content["database"].pop(video)
    Path("taught.json").write_text(json.dumps(content))
    given[3] = "taught.json"
    words = "times of every video ('training_002'", "calibrate on other videos"
    refused(acmnet("calibrate", *given, "--subset", "training"), *words)
    train = ["train", "--annotations", labels, "--features", features, "--out", "new"]
    train += ["--subset", "training", "--select", "training", "--supervision", "all"]
    words = "cannot be chosen on the truth of subset 'training'", "'training_002'"
    refused(acmnet(*train), *words, "choose on other videos, or give --supervision na")


def test_pages_and_figures_have_no_score_of_them(taught_run, tiny_world, capsys):
    run, labels = taught_run
    data = open_data(DataSource(labels, tiny_world[1]))
    config, nothing = load_config(run), Detections.of([])
    found = dict.fromkeys(data.annotations.videos, nothing)
    report = run_score(data, found, config)
    assert report.videos == 6  # those that were not trained on
    training = data.only({v for v in found if v.startswith("training")})
    only = {video: nothing for video in training.annotations.videos}
    assert run_score(training, only, config) is None
    assert "the times of all 10 videos with true segments" in capsys.readouterr().err


def test_pages_and_figures_score_no_video_with_names_alone(tiny_run, tiny_world):
    """As `acmnet fit` does, so that both tell the same score."""
    data = open_data(DataSource(*tiny_world, "training"))
    results = localize_videos(load(tiny_run), data)
    config, videos = load_config(tiny_run), dict(data.annotations.videos)
    whole = run_score(data, results, config)
    for video in list(videos)[:4]:
        videos[video] = replace(videos[video], instances=())
    some = replace(data, annotations=replace(data.annotations, videos=videos))
    report = run_score(some, results, config)
    assert (whole.videos, report.videos) == (12, 8)
    only = data.only(set(list(videos)[4:]))
    found = {video: results[video] for video in only.annotations.videos}
    assert report.map.tolist() == run_score(only, found, config).map.tolist()
