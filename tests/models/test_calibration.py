"""Calibration of a run: what counts as correct, honesty, the file, both verbs."""

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from acmnet.cli import main
from acmnet.data.labels.annotations import Annotations, Instance, Video
from acmnet.evaluation.reports import evaluate
from acmnet.localization.localization_settings import LocalizationSettings
from acmnet.models.calibration import CalibrationTarget, calibrate, judge
from acmnet.models.calibration_curves import calibration_error, reliability
from acmnet.models.stored_calibration import CALIBRATION_FILE, CalibrationError
from acmnet.segments import Detections, Segment
from support.commands import refused
from support.runs import edit_old, make_old
from support.worlds import truth_of

NAMES = ("a", "b")


def calibrated(results, annotations, **wanted):
    return calibrate(
        results,
        annotations,
        CalibrationTarget(**wanted),
        model_sha256="0" * 64,
        localization=LocalizationSettings(),
    )


def overconfident(seed, n_videos=40):
    """Return detections of which a share score ** 3 (class a) or score / 2 is right.

    A video has 20 of each class, each 1 s long at a place of its own; where it is
    right, an instance is there.
    """
    random = np.random.default_rng(seed)
    results, videos = {}, {}
    for v in range(n_videos):
        score, class_index = random.random(40), np.repeat([0, 1], 20)
        chance = np.where(class_index == 0, score**3, score / 2)
        is_correct = random.random(40) < chance
        start = 10.0 * np.arange(40)
        results[f"v{v}"] = Detections(
            start_s=start,
            end_s=start + 1,
            score=score,
            class_index=class_index,
            class_names=NAMES,
        )
        instances = tuple(
            Instance(NAMES[class_index[i]], Segment(start[i], start[i] + 1))
            for i in np.flatnonzero(is_correct)
        )
        labels = tuple(sorted({x.label for x in instances}))
        videos[f"v{v}"] = Video(
            id=f"v{v}", subset=None, duration_s=None, labels=labels, instances=instances
        )
    return results, Annotations("held_out.json", videos, NAMES)


def told_and_true(results, annotations):
    """Return probabilities and correctness of all detections; instances are exact."""
    told, true = [], []
    for video, found in results.items():
        there = {
            (x.label, x.segment.start_s) for x in annotations.videos[video].instances
        }
        told += found.score.tolist()
        true += [(d.label, d.start_s) in there for d in found]
    return np.array(told), np.array(true)


# ---- what is correct


def test_correct_is_what_the_evaluator_matches():
    random = np.random.default_rng(1)
    truth, results = {}, {}
    for v in range(20):
        start = random.uniform(0, 20, (2, 12))
        length = random.uniform(1, 6, (2, 12))
        label = random.integers(0, 2, (2, 12))
        truth[f"v{v}"] = [
            (NAMES[c], s, s + n)
            for c, s, n in zip(label[0], start[0], length[0])  # noqa: B905
        ]
        score = np.round(random.random(12), 1)  # with ties
        end = start[1] + length[1]
        results[f"v{v}"] = Detections(
            start_s=start[1],
            end_s=end,
            score=score,
            class_index=label[1],
            class_names=NAMES,
        )
    annotations = truth_of(**truth)
    report = evaluate(annotations, results, tiou=[0.5])
    judged = judge({annotations.videos[v]: d for v, d in results.items()}, NAMES, 0.5)
    assert 0 < judged.is_correct.sum() < len(judged.score)
    ranking = report.ranking
    of_class = {
        name: ranking.is_true[0][ranking.located.group % 2 == c]
        for c, name in enumerate(report.class_names)
    }
    for c, name in enumerate(NAMES):
        own = judged.is_correct[judged.class_index == c]
        assert own.tolist() == of_class[name].tolist()
    n = dict(zip(report.class_names, ranking.n_instances.tolist(), strict=True))
    assert judged.targets.tolist() == [n["a"], n["b"]]


def test_a_class_that_is_nowhere_is_wrong_and_no_instance_is_found_twice():
    annotations = truth_of(x=[("a", 0, 10)])
    rows = [(0, 10, 0.9, 0), (0, 9, 0.8, 0), (0, 10, 0.7, 1)]
    video = annotations.videos["x"]
    judged = judge({video: Detections.of(NAMES, rows)}, NAMES, 0.5)
    assert judged.is_correct.tolist() == [True, False, False]
    assert judged.targets.tolist() == [1, 0]


def test_with_labels_only_correct_is_the_class_and_found_once():
    video = Video(id="x", subset=None, duration_s=None, labels=("a",), instances=())
    rows = [(0, 1, 0.2, 0), (5, 6, 0.9, 0), (0, 1, 0.8, 1)]
    judged = judge({video: Detections.of(NAMES, rows)}, NAMES, None)
    assert judged.score.tolist() == [0.9, 0.2, 0.8]
    assert judged.is_correct.tolist() == [True, True, False]
    assert judged.is_finding.tolist() == [True, False, False]
    assert judged.targets.tolist() == [1, 0]


def test_videos_whose_labels_lack_segments_are_left_out():
    results, annotations = overconfident(0)
    videos = dict(annotations.videos)
    videos["v3"] = dataclasses.replace(videos["v3"], instances=(), labels=("a",))
    annotations = dataclasses.replace(annotations, videos=videos)
    report = calibrated(results, annotations)
    assert report.left_out == ("v3",)
    assert report.calibration.videos == 39


# ---- honesty


def test_held_out_videos_are_better_calibrated():
    fitted = calibrated(*overconfident(0))
    ece = fitted.calibration.ece
    assert ece["after"] < ece["before"] / 4
    assert ece["surest_after"] < ece["surest_before"] / 2
    results, annotations = overconfident(1)
    told = {v: fitted.calibration.apply(found) for v, found in results.items()}
    before, after = (
        calibration_error(reliability(*told_and_true(found, annotations)))
        for found in (results, told)
    )
    # E|s - s^3| = 1/4 and E|s - s/2| = 1/4, on s in [0, 1]
    assert before == pytest.approx(0.25, abs=0.03)
    assert after < 0.06
    # what the cross-fit says of other videos is what they show
    assert ece["after"] == pytest.approx(after, abs=0.02)


def test_the_cross_fit_does_not_flatter():
    # scores say nothing: in-sample curves would find something all the same
    results, annotations = overconfident(0)
    random = np.random.default_rng(5)
    noise = {
        v: dataclasses.replace(d, score=random.random(len(d)))
        for v, d in results.items()
    }
    report = calibrated(noise, annotations, precision=0.5)
    # nothing reaches 0.5 where everything is correct in 1/4 of the cases, but for luck
    assert (report.precision or 0.0) < 0.5


def test_the_operating_point_has_the_wanted_precision_on_held_out_videos():
    fitted = calibrated(*overconfident(0, 150), precision=0.7)
    results, annotations = overconfident(1, 150)
    # of class a, P(correct | score > t) = (1 - t^4) / (4 (1 - t)): 0.7 at t = 0.755;
    # of class b, where it is at most 1/2, never but by the luck of the very first
    assert fitted.calibration.classes["a"].threshold == pytest.approx(0.755, abs=0.06)
    assert (fitted.calibration.classes["b"].threshold or 1) > 0.99
    kept = {
        v: fitted.calibration.apply(found, operating_point=True)
        for v, found in results.items()
    }
    _, true = told_and_true(kept, annotations)
    assert true.mean() == pytest.approx(0.7, abs=0.06)
    assert fitted.precision == pytest.approx(0.7, abs=0.06)
    # recall of a: correct above t over all correct = 1 - t^4 = 0.675
    assert fitted.calibration.classes["a"].recall == pytest.approx(0.675, abs=0.1)
    assert fitted.calibration.classes["b"].recall < 0.01


def test_map_does_not_change():
    results, annotations = overconfident(2)
    fitted = calibrated(*overconfident(0)).calibration
    told = {v: fitted.apply(found) for v, found in results.items()}
    np.testing.assert_array_equal(
        evaluate(annotations, results).ap, evaluate(annotations, told).ap
    )


# ---- refusals


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"tiou": 0.0}, r"tiou must be in \(0, 1\], got 0.0"),
        ({"tiou": 1.1}, r"tiou must be in \(0, 1\], got 1.1"),
        ({"tiou": float("nan")}, "got nan"),
        ({"precision": 0.0}, r"precision must be in \(0, 1\), got 0.0"),
        ({"precision": 1.0}, r"precision must be in \(0, 1\), got 1.0"),
    ],
)
def test_what_cannot_be_wanted(wanted, words):
    with pytest.raises(CalibrationError, match=words):
        CalibrationTarget(**wanted)


def test_nothing_to_learn_from():
    results, annotations = overconfident(0)
    with pytest.raises(CalibrationError, match=r"held_out.json: only 1 of the usable"):
        calibrated({"v0": results["v0"]}, annotations)
    none = {v: Detections.of(NAMES) for v in results}
    with pytest.raises(CalibrationError, match="only 0 of the usable videos"):
        calibrated(none, annotations)
    moved = {
        v: dataclasses.replace(d, start_s=d.start_s + 5, end_s=d.end_s + 5)
        for v, d in results.items()
    }
    with pytest.raises(CalibrationError, match=r"none of 1600 .* at tIoU 0.5; check"):
        calibrated(moved, annotations)


# ---- no operating point


def labelled(scores, carries):
    """Return a detection of class a for each video, and whether it has the label."""
    results, videos = {}, {}
    for v, (score, has_label) in enumerate(zip(scores, carries, strict=True)):
        labels = ("a",) if has_label else ()
        videos[f"v{v}"] = Video(
            id=f"v{v}", subset=None, duration_s=None, labels=labels, instances=()
        )
        results[f"v{v}"] = Detections.of(("a",), [(0, 1, score, 0), (2, 3, 0.001, 0)])
    return results, Annotations("labels.csv", videos, ("a",))


def test_a_threshold_that_keeps_every_video_is_none():
    # 28 of 40 videos carry the label: 70 % of whatever is kept is right
    random = np.random.default_rng(0)
    carries = np.arange(40) % 10 < 7
    told = calibrated(*labelled(random.random(40), carries)).calibration
    assert (told.classes["a"].threshold, told.classes["a"].refused) == (
        None,
        "everything",
    )
    assert not told.has_operating_point
    assert told.to_json()["classes"]["a"]["refused"] == "everything"
    # scores that tell the videos apart have a threshold between them
    scores = np.where(carries, 0.8, 0.3) + random.random(40) / 10
    own = calibrated(*labelled(scores, carries), precision=0.9).calibration.classes
    assert 0.3 <= own["a"].threshold <= 0.8
    assert own["a"].refused is None
    # and nothing of what is always wrong is kept
    wrong = calibrated(*labelled(random.random(40), np.arange(40) < 2))
    assert wrong.calibration.classes["a"].refused == "nothing"
    assert wrong.precision is None


def test_true_segments_may_keep_everything():
    random = np.random.default_rng(0)
    results, annotations = labelled(random.random(20), [True] * 20)
    found = {v: x.only(np.array([0])) for v, x in results.items()}
    one = (Instance("a", Segment(0.0, 1.0)),)
    videos = {
        v: dataclasses.replace(x, instances=one) for v, x in annotations.videos.items()
    }
    annotations = dataclasses.replace(annotations, videos=videos)
    told = calibrated(found, annotations).calibration.classes["a"]
    assert told.threshold == min(x.score.min() for x in found.values())
    assert told.refused is None


def test_calibrate_says_why_there_is_no_threshold(acmnet, run, data, tiny_world):
    content = json.loads(tiny_world[0].read_text())
    rows = ["video,labels,subset"]
    every = "|".join(content["taxonomy"])
    rows += [f"{v},{every},{x['subset']}" for v, x in content["database"].items()]
    Path("labels.csv").write_text("\n".join(rows))
    data[1] = "labels.csv"
    code, out, err = acmnet(*calibrating(run, data, "--json", "c.json"))
    assert code == 0
    assert "would keep every video" in out
    assert "at the thresholds" not in out
    assert "keeping every video reaches precision 0.7" in err
    said = json.loads(Path("c.json").read_text())
    assert {x["refused"] for x in said["classes"].values()} == {"everything"}
    answer = acmnet(*localizing(run, data, "d.json", "--operating-point"))
    refused(answer, "no threshold for any class", "another --precision")
    assert acmnet(*localizing(run, data, "d.json"))[0] == 0  # probabilities stay


# ---- the verbs


@pytest.fixture(scope="module")
def trained(tiny_world, tmp_path_factory):
    """Give a run on the training videos; read only."""
    run = tmp_path_factory.mktemp("trained") / "run"
    labels, features = map(str, tiny_world)
    arguments = ["train", "--annotations", labels, "--features", features]
    arguments += ["--subset", "training", "--training.epochs", "20", "--out", str(run)]
    arguments += ["--training.batch-size", "4", "--profile", "corrected"]
    main(arguments)
    return run


@pytest.fixture
def run(trained, tmp_path):
    shutil.copytree(trained, tmp_path / "run")
    return Path("run")


@pytest.fixture
def data(tiny_world):
    return ["--annotations", tiny_world[0], "--features", tiny_world[1]]


def calibrating(run, data, *more):
    return ["calibrate", "--run", run, *data, "--subset", "test", *more]


def localizing(run, data, out, *more):
    end = ["--subset", "test", "--out", out]
    return ["localize", "--run", run, *data, *end, *more]


def results_of(path):
    return json.loads(Path(path).read_text())["results"]


def test_calibrate_then_localize(acmnet, run, data):
    acmnet(*localizing(run, data, "plain.json"))
    code, out, err = acmnet(
        *calibrating(run, data, "--tiou", 0.1, "--precision", 0.4, "--json", "c.json")
    )
    assert code == 0, err
    assert "a detection finding an action at tIoU 0.1" in out
    assert "expected calibration error" in out
    assert f"{run / CALIBRATION_FILE}: acmnet localize --run run uses it" in out
    assert "training videos" not in err
    written = json.loads((run / CALIBRATION_FILE).read_text())
    said = json.loads(Path("c.json").read_text())
    assert (written["format"], written["kind"], written["tiou"]) == (1, "segments", 0.1)
    assert said["ece"] == written["ece"]
    assert f"{100 * said['ece']['after']:.1f} % after" in out
    assert sum(b["detections"] for b in said["reliability"]["after"]) == sum(
        own["detections"] for own in written["classes"].values()
    )
    code, _, err = acmnet(*localizing(run, data, "told.json"))
    assert code == 0
    assert "probabilities that an action is found at tIoU 0.1" in err
    acmnet(*localizing(run, data, "again.json", "--no-calibration"))
    plain, told = results_of("plain.json"), results_of("told.json")
    assert results_of("again.json") == plain
    assert told != plain
    assert all(0 < d["score"] < 1 for found in told.values() for d in found)
    external = json.loads(Path("told.json").read_text())["external_data"]
    assert external["calibration"] == {"kind": "segments", "tiou": 0.1}
    assert external["shown_from"] == 0.5  # more often right than not
    code, _, _ = acmnet(*localizing(run, data, "point.json", "--operating-point"))
    assert code == 0
    external = json.loads(Path("point.json").read_text())["external_data"]
    assert "shown_from" not in external  # what is below the thresholds is gone
    thresholds = {name: own["threshold"] for name, own in written["classes"].items()}
    assert any(x is not None for x in thresholds.values())
    # equal segments are in another order where their scores are others
    place = lambda d: (d["label"], *d["segment"])  # noqa: E731
    for video, found in results_of("point.json").items():
        after = {place(d): d for d in told[video]}
        expected = [
            after[place(before)]
            for before in plain[video]
            if thresholds[before["label"]] is not None
            and before["score"] >= thresholds[before["label"]]
        ]
        assert sorted(found, key=place) == sorted(expected, key=place)


def test_calibrating_twice_writes_the_same_bytes(acmnet, run, data):
    acmnet(*calibrating(run, data, "--tiou", 0.1))
    first = (run / CALIBRATION_FILE).read_bytes()
    acmnet(*calibrating(run, data, "--tiou", 0.1))
    assert (run / CALIBRATION_FILE).read_bytes() == first


def test_labels_alone(acmnet, run, data, tiny_world):
    rows = ["video,labels,subset"]
    for video, entry in json.loads(tiny_world[0].read_text())["database"].items():
        labels = dict.fromkeys(x["label"] for x in entry["annotations"])
        rows.append(f"{video},{'|'.join(labels)},{entry['subset']}")
    Path("labels.csv").write_text("\n".join(rows))
    data[1] = "labels.csv"
    code, out, err = acmnet(*calibrating(run, data))
    assert code == 0, err
    assert "the label file has no segments" in out
    written = json.loads((run / CALIBRATION_FILE).read_text())
    assert (written["kind"], written["tiou"]) == ("labels", None)
    _, _, err = acmnet(*localizing(run, data, "d.json"))
    assert "probabilities that the video has the label" in err


def test_training_videos_are_said(acmnet, run, data):
    _, _, err = acmnet("calibrate", "--run", run, *data, "--tiou", 0.1)
    assert "12 of 18 scored videos were trained on" in err
    assert "'training_000'" in err
    # a run of an older acmnet only says where its label file was
    make_old(run)
    edit_old(run, lambda values: values["training"].update(annotations="gone.json"))
    _, _, err = acmnet(*calibrating(run, data, "--tiou", 0.1))
    assert "not known which videos the run was trained on" in err


def test_refusals_of_calibrate(acmnet, run, data):
    refused(acmnet(*calibrating("no/run", data)), "there is no run at no/run; check")
    refused(acmnet(*calibrating(run, data, "--precision", 1.5)), "in (0, 1), got 1.5")
    refused(acmnet(*calibrating(run, data, "--tiou", 0)), "in (0, 1], got 0.0")
    refused(
        acmnet(*calibrating(run, data, "--localization.shortest-cells", 10**6)),
        "only 0 of the usable videos have detections",
    )
    assert not (run / CALIBRATION_FILE).exists()


def test_refusals_of_localize(acmnet, run, data):
    refused(
        acmnet(*localizing(run, data, "d.json", "--operating-point")),
        "run holds no calibration.json",
        "run acmnet calibrate",
    )
    refused(
        acmnet(
            *localizing(run, data, "d.json", "--operating-point", "--no-calibration")
        ),
        "--operating-point needs a run and its calibration",
        code=2,
    )
    acmnet(*calibrating(run, data, "--tiou", 0.1))
    path = run / CALIBRATION_FILE
    whole = path.read_text()
    good = json.loads(whole)
    del good["sha256"]
    refused(
        acmnet(*localizing(run, data, "d.json", "--localization.nms-tiou", 0.3)),
        "localization.nms_tiou = 0.55, now it is 0.3",
        "--no-calibration",
    )
    for text, words in [
        (json.dumps(good | {"model_sha256": "1" * 64}), "is of other weights"),
        (json.dumps(good | {"format": 2}), "format 2, this acmnet reads up to 1"),
        (json.dumps(good | {"classes": 3}), "is damaged or not written by acmnet"),
        ("{}", "is damaged or not written by acmnet"),
        ("[1]", "is damaged or not written by acmnet"),
        (whole.replace("0.7", "0.8", 1), "is not as it was written"),
        ("{", "is not valid JSON"),
        ("", "is empty"),
    ]:
        path.write_text(text)
        result = acmnet(*localizing(run, data, "d.json"))
        refused(result, path, words)
    assert acmnet(*localizing(run, data, "d.json", "--no-calibration"))[0] == 0


def test_another_training_makes_the_calibration_stale(acmnet, run, data):
    acmnet(*calibrating(run, data, "--tiou", 0.1))
    train = ["train", *data, "--subset", "training", "--training.epochs", 1]
    train += ["--profile", "corrected"]
    acmnet(*train, "--seed", 1, "--out", run, "--overwrite")
    if (run / CALIBRATION_FILE).exists():
        refused(acmnet(*localizing(run, data, "d.json")), "is of other weights")
    refused(
        acmnet(*localizing(run, data, "d.json", "--operating-point")),
        "acmnet calibrate",
    )
