"""A person's marks teach: on a small made-up world, from the file to the score."""

import dataclasses
import random
import shutil

import numpy as np
import pytest
import torch

from acmnet.checkpoints.checkpoint import load_config, weights_sha256
from acmnet.data.labelled_features import DataSource, open_data
from acmnet.data.labels.annotations import Point, WatchedSpan
from acmnet.data.made_up.feature_world import WorldSettings, make_world, write_world
from acmnet.evaluation.reports import evaluate
from acmnet.inference.localized_videos import localize_videos
from acmnet.models.stored_model import load
from acmnet.network.acm_net import ACMNet
from acmnet.network.student import Student
from acmnet.recipes import from_values, recipe
from acmnet.runs import student_training, teacher_training
from acmnet.runs.earlier_run import begin_with_earlier
from acmnet.runs.marks_trial import trial_plan
from acmnet.runs.run_request import RunError, RunRequest
from acmnet.runs.training_run import train_run
from acmnet.segments import Segment
from acmnet.training.first_stage import weak_task
from acmnet.training.second_stage.held_out_marks import CLEAR_GAIN
from support.runs import edit_config

FEW = {
    "training.epochs": 40,
    "training.batch_size": 8,
    "training.round_share": 0.5,
    "teachers.count": 1,
    "student_training.epochs": 20,
    "student.width": 32,
    "student.layers": 3,
}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    settings = WorldSettings(
        training_videos=24, test_videos=12, dimension=24, snippets=(40, 60), noise=0.7
    )
    out = tmp_path_factory.mktemp("world")
    return out, write_world(make_world(0, settings), out)


@pytest.fixture(scope="module")
def given(world):
    """Give the training data as names, points, watched segments and moved segments."""
    data = open_data(DataSource(*world[1], "training"))
    draw = random.Random(0)

    def changed(change):
        videos = {key: change(v) for key, v in data.annotations.videos.items()}
        annotations = dataclasses.replace(data.annotations, videos=videos)
        return dataclasses.replace(data, annotations=annotations)

    def as_points(video):
        points = tuple(
            Point(x.label, draw.uniform(x.segment.start_s, x.segment.end_s))
            for x in video.instances
        )
        return dataclasses.replace(video, instances=(), points=points)

    def as_watched(video):
        span = WatchedSpan(None, Segment(0.0, video.duration_s))
        return dataclasses.replace(video, watched=(span,))

    def moved(video):
        instances = []
        for one in video.instances:
            start_s = draw.uniform(0.0, video.duration_s - one.segment.length_s)
            segment = Segment(start_s, start_s + one.segment.length_s)
            instances.append(dataclasses.replace(one, segment=segment))
        return dataclasses.replace(video, instances=tuple(instances))

    return {
        "names": data,
        "points": changed(as_points),
        "segments": changed(as_watched),
        "moved": changed(lambda video: as_watched(moved(video))),
    }


@pytest.fixture(scope="module")
def asked(world, given):
    """Return requests for trainings, by what is given and the profile."""

    def request(kind, profile, **changes):
        few = {k: v for k, v in FEW.items() if profile == "best" or "training." in k}
        return RunRequest(
            out=world[0] / profile / changes.pop("name", kind),
            data=given[kind],
            recipe="default",
            profile=profile,
            settings=recipe("default", profile=profile, overrides=few),
            supervision="names" if kind == "names" else "all",
            **{"resume": True} | changes,
        )

    return request


@pytest.fixture(scope="module")
def score(world):
    test = open_data(DataSource(*world[1], "test"))

    def of_run(request):
        train_run(request)
        found = localize_videos(load(request.out), test)
        return evaluate(test.annotations, found, tiou=(0.1, 0.3, 0.5, 0.7)).average

    return of_run


def test_the_papers_network_learns_points_and_segments(asked, score):
    scores = {
        kind: score(asked(kind, "corrected"))
        for kind in ("names", "points", "segments")
    }
    # measured: 0.30, 0.39 and 0.49
    assert scores["names"] + 0.04 < scores["points"]
    assert scores["points"] + 0.04 < scores["segments"]


@pytest.fixture(scope="module")
def names(asked, score):
    """Give a finished run of two stages that learned from names, and its score."""
    request = asked("names", "best")
    return request, score(request)


def a_round(asked, kind, names, **changes):
    return asked(kind, "best", begin_from=names[0].out, **changes)


def test_a_round_learns_points_and_segments(asked, score, names):
    scores = {
        kind: score(a_round(asked, kind, names))
        for kind in ("points", "segments", "moved")
    }
    assert scores["moved"] == names[1]  # a trial found that they do not help
    # measured: 0.64 from names
    assert names[1] + 0.07 < scores["points"]
    assert names[1] + 0.1 < scores["segments"]


def test_a_round_learns_again_what_changed_and_says_what_it_began_with(asked, names):
    request = a_round(asked, "segments", names)
    train_run(request)
    config = load_config(request.out)
    assert config.epoch == 10  # half of 20
    assert config.training["begun_from"] == {
        "run": str(names[0].out),
        "weights_sha256": weights_sha256(names[0].out),
    }
    teacher = load_config(request.out / "teachers" / "0")
    assert teacher.epoch == 6  # after the 14 of the trial, which its weights are from
    began = teacher.training["begun_from"]["run"]
    assert began == str(request.out / "marks_trial" / "without_0")
    again = dataclasses.replace(request, begin_from=None)
    with pytest.raises(RunError, match="began with the weights of "):
        train_run(again)


def test_a_run_keeps_how_much_its_teachers_count_beside_marks(asked, names):
    of_names = load(names[0].out).students[0]
    assert of_names.trust is None
    assert "trust" not in of_names.state_dict()
    request = a_round(asked, "segments", names)
    train_run(request)
    trust = load(request.out).students[0].trust
    n = sum(len(v.instances) for v in request.data.annotations.videos.values())
    # segments that no teacher overlaps say nothing of the teachers
    assert 2 / (2 + n) <= float(trust[0]) < 4 / n
    assert trust[1] == 1.0  # the teachers learned the segments themselves
    # of names alone again, it is a student of names
    again = a_round(asked, "names", names, name="names again")
    again = dataclasses.replace(again, begin_from=request.out)
    train_run(again)
    assert load(again.out).students[0].trust is None


def test_teachers_do_not_learn_marks_that_do_not_help_to_find_others(asked, names):
    notes, records = [], []
    short = FEW | {"student_training.epochs": 2}
    settings = recipe("default", profile="best", overrides=short)
    request = asked("moved", "best", name="moved from nothing")
    request = dataclasses.replace(request, settings=settings)

    def stopped(record):
        if record.epoch == 30:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):  # in the trial, which is gone on with
        train_run(request, on_step=stopped)
    assert (request.out / "marks_trial").exists()
    train_run(request, on_step=records.append, on_note=notes.append)
    # three networks of half the epochs, a teacher, and the student
    assert records[-1].epoch == records[-1].of_epochs == 3 * 20 + 40 + 2
    epochs = [record.epoch for record in records]
    assert epochs == sorted(epochs)
    teachers = [run / "teachers" / "0" for run in (request.out, names[0].out)]
    assert weights_sha256(teachers[0]) == weights_sha256(teachers[1])
    student = load(request.out).students[0]
    assert student.trust.tolist() == [1.0, 1.0]
    kept = load_config(request.out).training
    assert not kept["teachers_learn_marks"]
    assert kept["trial"]["videos"] == 24
    assert kept["trial"]["of_marks"] < kept["trial"]["of_names"]
    assert notes[-1].startswith("in a trial on 24 videos, each of your marks was ")
    assert notes[-1].endswith("only the student learned your marks, not its teachers")
    assert not (request.out / "marks_trial").exists()


def test_a_round_whose_marks_do_not_help_keeps_the_earlier_model(asked, names):
    request, notes = a_round(asked, "moved", names, name="moved round"), []
    train_run(request, on_note=notes.append)
    assert load_config(request.out).training["keeps_student"]
    assert notes[-1].endswith("was kept as it is, and your marks changed nothing")
    (before,), (after,) = load(names[0].out).students, load(request.out).students
    assert after.trust.tolist() == [1.0, 1.0]  # as without any trust
    for name, weights in before.state_dict().items():
        assert torch.equal(after.state_dict()[name], weights)
    for file in ("log.jsonl", "pseudo_labels.json"):
        assert (request.out / file).read_bytes() == (names[0].out / file).read_bytes()
    notes.clear()
    train_run(request, on_note=notes.append)
    assert "is trained" in notes[0]
    # other names teach something
    fewer = request.data.only(sorted(request.data.annotations.videos)[1:])
    other = dataclasses.replace(request, data=fewer, out=request.out / "other names")
    train_run(other)
    told = load_config(other.out).training
    assert not told["teachers_learn_marks"]
    assert "keeps_student" not in told


def test_a_round_after_one_whose_teachers_learned_marks_tries_nothing(asked, names):
    first = a_round(asked, "segments", names)
    train_run(first)
    assert load_config(first.out).training["trial"]["errors"] > CLEAR_GAIN
    second = a_round(asked, "segments", (first,), name="second segments")
    assert trial_plan(first).epochs == 2 * 14
    assert trial_plan(second) is None
    new = renamed(a_round(asked, "segments", names, name="new class"), "yawn")
    assert trial_plan(new) is None


def test_a_trial_is_a_part_of_the_round_of_three_teachers(asked, names):
    three = recipe("default", profile="best", overrides=FEW | {"teachers.count": 3})
    request = a_round(asked, "segments", names, name="of three")
    request = dataclasses.replace(request, settings=three)
    plan = trial_plan(request)
    assert [one.seed for one in plan.of_marks] == [0, 1, 2]
    assert [*map(set, plan.parts)] == [
        set(request.marks) - set(one.marks) for one in plan.of_marks
    ]
    after = plan.request_after(request).schedule.training.epochs
    assert plan.epochs + 3 * after == 3 * request.schedule.training.epochs
    # what a trial tried, its teachers go on from
    trial = request.out / "marks_trial"
    assert plan.beginnings() == {k: trial / f"without_{k}" for k in range(3)}


def test_a_round_after_a_round_takes_as_many_epochs(asked, names):
    first = a_round(asked, "names", names, name="the same names")
    train_run(first)
    config = load_config(first.out)
    # as `acmnet view` asks for it: with the settings that the run keeps
    second = dataclasses.replace(
        first,
        out=first.out / "second",
        settings=from_values(config.settings, "the first"),
        begin_from=first.out,
    )
    epochs = []
    train_run(second, on_step=lambda record: epochs.append(record.epoch))
    assert config.epoch == load_config(second.out).epoch == 10
    assert max(epochs) == second.schedule.epochs == 20 + 10
    assert first.settings.epochs == second.settings.epochs == 40 + 20
    longer = recipe(
        "default", profile="best", overrides=FEW | {"training.round_share": 0.7}
    )
    with pytest.raises(RunError, match=r"round_share = 0\.5, not 0\.7"):
        train_run(dataclasses.replace(second, settings=longer))


def test_teachers_that_nothing_concerns_are_kept(asked, names):
    request = a_round(asked, "names", names, name="the same names")
    train_run(request)
    kept, before = (run / "teachers" / "0" for run in (request.out, names[0].out))
    assert weights_sha256(kept) == weights_sha256(before)
    assert weights_sha256(request.out) != weights_sha256(names[0].out)


def test_of_kept_teachers_those_are_silent_that_were_before(asked, names, tmp_path):
    """The networks and the videos are the same, so they are not asked again."""
    earlier = shutil.copytree(names[0].out, tmp_path / "earlier")
    edit_config(earlier, lambda config: config["training"].update(silent_teachers=[0]))
    request = a_round(asked, "names", names, name="silent")
    train_run(dataclasses.replace(request, begin_from=earlier))
    assert load_config(request.out).training["silent_teachers"] == [0]


def test_with_other_names_teachers_are_not_kept(asked, names):
    request = a_round(asked, "names", names)
    assert teacher_training.keeps_teachers(request)
    videos = list(request.data.labels)[1:]
    fewer = dataclasses.replace(request, data=request.data.only(set(videos)))
    assert not teacher_training.keeps_teachers(fewer)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ({"student.width": 16}, "student.width = 32, now it is 16;"),
        ({"model.width": 64}, "model.width = 128, now it is 64;"),
        ({"teachers.count": 2}, "teachers.count = 1, now it is 2;"),
    ],
)
def test_other_networks_are_no_beginning(asked, names, override, words):
    request = a_round(asked, "names", names, name="refused")
    settings = recipe("default", profile="best", overrides=FEW | override)
    with pytest.raises(RunError, match=f"was trained with {words}.* leave --from out"):
        train_run(dataclasses.replace(request, settings=settings))


def renamed(request, *new_names):
    """Return a request whose last classes have other names, which come first."""
    old = request.data.annotations.class_names[-len(new_names) :]
    new = dict(zip(old, new_names, strict=True))

    def of_video(video):
        instances = tuple(
            dataclasses.replace(x, label=new.get(x.label, x.label))
            for x in video.instances
        )
        labels = tuple(new.get(x, x) for x in video.labels)
        return dataclasses.replace(video, labels=labels, instances=instances)

    annotations = request.data.annotations
    kept = annotations.class_names[: -len(new_names)]
    annotations = dataclasses.replace(
        annotations,
        class_names=(*new_names, *kept),
        videos={k: of_video(v) for k, v in annotations.videos.items()},
    )
    data = dataclasses.replace(request.data, annotations=annotations)
    return dataclasses.replace(request, data=data)


def test_a_round_learns_a_class_that_the_earlier_run_did_not_have(asked, world, names):
    request = renamed(a_round(asked, "segments", names, name="new class"), "yawn")
    train_run(request)
    model = load(request.out)
    classes = request.data.annotations.class_names
    assert model.class_names == classes
    test = open_data(DataSource(*world[1], "test"))
    test = renamed(dataclasses.replace(request, data=test), "yawn").data
    report = evaluate(test.annotations, localize_videos(model, test), tiou=(0.5,))
    ap = dict(zip(report.class_names, report.ap[0], strict=True))
    assert ap["yawn"] > 0.6  # measured: 0.94


@pytest.mark.parametrize("kind", ["network", "student"])
def test_known_classes_begin_with_their_weights_and_new_ones_anew(asked, names, kind):
    request = renamed(a_round(asked, "names", names, name="new class"), "yawn")
    earlier = load(names[0].out)
    (n_known, *_), now = np.shape(earlier.class_names), request.data.annotations
    if kind == "network":
        before, layer = earlier.networks[0], "classifier"
        fresh = ACMNet(earlier.feature_dim, n_known, before.settings)
    else:
        before, layer = earlier.students[0], "classes"
        fresh = Student(earlier.feature_dim, n_known, request.settings.student)
    first = {key: x.clone() for key, x in fresh.state_dict().items()}
    assert begin_with_earlier(request, fresh)
    for key, known in before.state_dict().items():
        found = fresh.state_dict()[key]
        if not key.startswith(layer):
            assert torch.equal(found, known)
            continue
        assert torch.equal(found[0], first[key][0])
        assert not torch.equal(found[0], known[n_known - 1])
        assert torch.equal(found[1:n_known], known[: n_known - 1])
        assert torch.equal(found[n_known:], known[n_known:])  # the background
    assert now.class_names[0] == "yawn"


def test_a_run_without_a_common_class_is_no_beginning(asked, names):
    request = a_round(asked, "names", names, name="refused")
    others = [f"other {c}" for c in request.data.annotations.class_names]
    with pytest.raises(RunError, match=r"no class in common with .* leave --from out"):
        train_run(renamed(request, *others))


def test_names_alone_never_come_to_what_marks_teach(asked, monkeypatch):
    def never(*_):
        raise AssertionError

    monkeypatch.setattr(weak_task, "marked_loss", never)
    monkeypatch.setattr(student_training, "learned_with_marks", never)
    few = FEW | {"training.epochs": 1, "student_training.epochs": 1}
    request = asked("segments", "best", name="names of segments")
    request = dataclasses.replace(
        request,
        supervision="names",
        settings=recipe("default", profile="best", overrides=few),
    )
    train_run(request)
    # the weight of what is not there changes no bit
    other = recipe(
        "default", profile="best", overrides=few | {"loss.marks_weight": 7.0}
    )
    heavier = dataclasses.replace(request, out=request.out / "other", settings=other)
    train_run(heavier)
    assert weights_sha256(request.out) == weights_sha256(heavier.out)
    learning = dataclasses.replace(
        request, supervision="all", resume=False, overwrite=True
    )
    with pytest.raises(AssertionError):
        train_run(learning)
