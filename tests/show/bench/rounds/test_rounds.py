"""Learning again: rounds run in processes of their own, one at a time, and are kept."""

import json
import multiprocessing
import subprocess
import sys
import time

import pytest
from filelock import FileLock, Timeout

from acmnet.data.detections.detection_files import write_detections
from acmnet.data.label_files import read_annotations
from acmnet.recipes import recipe
from acmnet.segments import Detections
from acmnet.show.bench.marks.bench_labels import (
    KnownVideo,
    Labels,
    label_text,
    label_values,
)
from acmnet.show.bench.marks.bench_mark import Mark
from acmnet.show.bench.rounds.learning import CannotLearnError, Learning, Method
from acmnet.show.bench.rounds.round_folders import (
    DETECTIONS,
    Request,
    last_done,
    rounds_in,
)
from acmnet.show.bench.rounds.round_plan import RoundPlan
from acmnet.show.bench.rounds.round_scores import scores_of, truth_of
from support.movies import numbers, write_movie
from support.round_server import learn_until_killed

WHO = {"who": "anna", "at": "2026-11-27T00:00:00Z"}


def name(known_id, video, label):
    return Mark(id=known_id, video=video, kind="name", label=label, **WHO)


def placed(known_id, video, kind, label, start_s, end_s=None, classes=()):
    times = {"start_s": start_s, "end_s": end_s}
    return Mark(
        **{"id": known_id, "video": video, "kind": kind, "label": label},
        **(times | WHO | {"classes": classes}),
    )


def labels_of(*marks, revision=5, classes=("run", "jump")):
    """Return labels of the videos a, b and c, each of ten seconds."""
    videos = {video: KnownVideo(10.0) for video in "abc"}
    return Labels(
        **{"journal": "j", "revision": revision, "classes": classes},
        **{"videos": videos, "marks": marks},
    )


FEW_EPOCHS = {
    "training.epochs": 40,
    "training.round_share": 0.5,
    "teachers.count": 2,
    "student_training.epochs": 20,
}
NAMED = labels_of(name("m1", "a", "run"))


def learning_of(folder, *steps, done=lambda _: None):
    return Learning(folder, Method(lambda *_: steps, lambda *_: (0.5, "at it")), done)


def ended(learning, most_s=60.0):
    """Wait until learning has ended; return its state."""
    ends = time.monotonic() + most_s
    while (state := learning.state())["state"] == "running":
        assert time.monotonic() < ends, state
        time.sleep(0.02)
    return state


@pytest.fixture
def forever(tmp_path):
    """Return the words of a command that ends only when it is stopped."""
    (tmp_path / "videos").mkdir()
    write_movie(tmp_path / "videos" / "a.mp4", numbers(3))
    return ("label", str(tmp_path / "videos"), "--out", str(tmp_path / "own.json"))


def test_a_round_is_kept_with_what_it_learned_from(tmp_path):
    done = []
    learning = learning_of(tmp_path, ("protocols",), done=done.append)
    assert learning.state()["state"] == "idle"
    assert learning.start(NAMED) == 1
    state = ended(learning)
    assert (state["state"], state["round"], state["progress"]) == ("done", 1, 1.0)
    (one,) = rounds_in(tmp_path)
    assert [x.folder for x in done] == [one.folder]
    assert (one.request.n_marks, one.request.revision) == (1, 5)
    assert one.state["seconds"] > 0
    assert "$ acmnet protocols" in (one.folder / "learn.log").read_text()
    kept = json.loads((one.folder / "labels.json").read_text())
    assert kept == label_values(NAMED)
    with pytest.raises(CannotLearnError, match="nothing was marked since round 1"):
        learning.start(NAMED)
    more = labels_of(name("m1", "a", "run"), name("m2", "b", "jump"), revision=6)
    assert learning.start(more) == 2
    ended(learning)
    assert [x.number for x in rounds_in(tmp_path)] == [1, 2]
    again = learning_of(tmp_path)
    assert again.state() | {"message": ""} == {
        **{"state": "idle", "progress": 0.0, "message": "", "round": 2}
    }


def test_a_failed_round_says_its_sentence(tmp_path):
    truth = str(tmp_path / "none.json")
    words = ("evaluate", "--ground-truth", truth, "--detections", truth)
    learning = learning_of(tmp_path / "rounds", ("protocols",), words)
    learning.start(NAMED)
    state = ended(learning)
    assert state["state"] == "failed"
    assert "none.json" in state["message"]
    assert not state["message"].startswith("acmnet")
    assert last_done(rounds_in(tmp_path / "rounds")) is None
    # the same round is tried again, and nothing is left of what went wrong
    better = learning_of(tmp_path / "rounds", ("protocols",))
    assert better.start(NAMED) == 1
    assert ended(better)["state"] == "done"


def test_what_was_found_and_cannot_be_read_is_told(tmp_path):
    def broken(_):
        raise ValueError("detections.json is damaged")

    learning = learning_of(tmp_path, ("protocols",), done=broken)
    learning.start(NAMED)
    state = ended(learning)
    assert (state["state"], state["message"]) == (
        "failed",
        "detections.json is damaged",
    )


def test_only_one_round_at_a_time_and_it_can_be_stopped(tmp_path, forever):
    learning = learning_of(tmp_path / "rounds", forever)
    learning.start(NAMED)
    log = tmp_path / "rounds" / "001" / "learn.log"
    while not (log.exists() and "http://" in log.read_text()):
        time.sleep(0.02)
    assert learning.state() == {
        **{"state": "running", "progress": 0.5, "message": "at it", "round": 1}
    }
    with pytest.raises(CannotLearnError, match="a round is being learned already"):
        learning.start(NAMED)
    other = learning_of(tmp_path / "rounds", ("protocols",))
    with pytest.raises(CannotLearnError, match="a round is being learned already"):
        other.start(NAMED)
    assert other.state()["message"] == "another server learns this round"
    learning.stop()
    state = ended(learning)
    assert (state["state"], state["message"]) == (
        "idle",
        "round 1 was stopped; it can go on",
    )
    assert "acmnet: stopped; all marks are kept" in log.read_text()
    assert other.state()["message"] == "round 1 was stopped; it can go on"
    assert other.start(NAMED) == 1  # on the same labels it goes on
    assert ended(other)["state"] == "done"
    assert "http://" in log.read_text()


def test_a_process_waits_for_the_round_and_ends_with_the_bench(tmp_path):
    learning = learning_of(tmp_path, ("protocols",))
    learning.prepare()
    waiting = learning._next_process
    learning.prepare()
    assert learning._next_process is waiting
    assert waiting.poll() is None
    learning.start(NAMED)
    assert learning._process is waiting
    learning.prepare()  # while a round is learned, nothing is prepared for the next
    assert learning._next_process is None
    assert ended(learning)["state"] == "done"
    assert waiting.returncode == 0  # it had failed at its end, after a second
    log = (tmp_path / "001" / "learn.log").read_text()
    assert log.startswith("$ acmnet protocols\n"), "what it imported by is not logged"
    learning.prepare()
    second = learning._next_process
    learning.stop()
    assert second.poll() is not None
    learning_of(tmp_path, ("protocols",)).stop()  # nothing waits, nothing is learned


def test_a_round_is_learned_though_the_process_that_waited_was_killed(tmp_path):
    learning = learning_of(tmp_path, ("protocols",))
    learning.prepare()
    learning._next_process.kill()
    learning._next_process.wait()
    learning.start(NAMED)
    assert ended(learning)["state"] == "done"


def test_nothing_waits_where_nothing_can_be_learned(tmp_path):
    method = Method(lambda *_: [], lambda *_: (0.0, ""), "nothing can be learned here")
    learning = Learning(tmp_path, method, lambda _: None)
    learning.prepare()
    assert learning._next_process is None


def test_a_round_finds_what_its_commands_find_each_in_a_process_of_its_own(
    tiny_world, tmp_path
):
    """Byte for byte: weights, losses and detections of teachers and their student."""
    world, features = tiny_world
    truth = read_annotations(world).subset("training")
    labels = Labels(
        **{"journal": "j", "revision": 1, "classes": truth.class_names},
        videos={
            video: KnownVideo(own.duration_s) for video, own in truth.videos.items()
        },
        marks=tuple(
            name(f"m{video}{label}", video, label)
            for video, own in truth.videos.items()
            for label in own.labels
        ),
    )
    few = ("--teachers.count", "2", "--student-training.epochs", "1")
    few += ("--training.epochs", "2", "--training.fewest-steps", "0")
    plan = RoundPlan(features=features, options=("--profile", "best", *few))
    method = Method(plan.steps, lambda *_: (0.5, ""))
    learning = Learning(tmp_path / "rounds", method, lambda _: None)
    learning.prepare()
    learning.start(labels)
    assert ended(learning, 240)["state"] == "done", learning.state()
    (one,) = rounds_in(tmp_path / "rounds")
    in_one_process = found_in(one.folder)
    assert len(in_one_process) == 8, sorted(in_one_process)
    steps, kept = one.request.steps, one.folder.rename(tmp_path / "kept")
    one.folder.mkdir()
    (one.folder / "labels.json").write_bytes((kept / "labels.json").read_bytes())
    for words in steps:
        subprocess.run([sys.executable, "-m", "acmnet", *words], check=True)
    assert found_in(one.folder) == in_one_process


def found_in(folder):
    """Return the content of the files of a run that hold no time of day."""
    paths = [x for x in folder.rglob("*.safetensors") if "found" not in x.name]
    names = ("detections.json", "pseudo_labels.json")
    found = {x: x.read_bytes() for x in (*paths, *(folder / name for name in names))}
    for log in folder.rglob("log.jsonl"):
        rows = map(json.loads, log.read_text().splitlines())
        found[log] = [{k: v for k, v in x.items() if k != "seconds"} for x in rows]
    return {str(path.relative_to(folder)): own for path, own in found.items()}


def test_a_killed_round_names_its_log_and_can_be_learned_again(tmp_path, forever):
    learning = learning_of(tmp_path / "rounds", forever)
    learning.start(NAMED)
    learning._process.kill()
    state = ended(learning)
    assert state["state"] == "failed"
    assert state["message"].endswith("001/learn.log may say why")
    again = learning_of(tmp_path / "rounds", ("protocols",))
    assert again.start(NAMED) == 1
    assert ended(again)["state"] == "done"


def test_a_killed_server_takes_its_round_with_it(tmp_path, forever):
    """SIGKILL tells nobody; the round sees that its pipe is closed."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["acmnet.show.bench.rounds.learning"])
    rounds = tmp_path / "rounds"
    server = context.Process(target=learn_until_killed, args=(str(rounds), forever))
    server.start()
    log = rounds / "001" / "learn.log"
    while not (log.exists() and "http://" in log.read_text()):
        time.sleep(0.02)
    lock = FileLock(rounds / ".lock")
    with pytest.raises(Timeout), lock.acquire(timeout=0):
        pass
    server.kill()
    server.join()
    with lock.acquire(timeout=30):
        pass
    (one,) = rounds_in(rounds)
    assert one.state["state"] == "stopped"
    assert "acmnet: stopped" in log.read_text()


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        pytest.param(labels_of(), "no video has a name yet", id="nothing"),
        pytest.param(
            labels_of(placed("m", "a", "watched", "run", 0.0, 3.0)),
            "no video has a name yet",
            id="watched in part",
        ),
        pytest.param(
            labels_of(placed("m", "a", "watched", None, 0.0, 10.0, ("run", "jump"))),
            "no class was marked in any video",
            id="empty videos alone",
        ),
        pytest.param(
            labels_of(
                placed("1", "a", "point", "run", 9.0),
                placed("2", "a", "segment", "run", 1.0, 2.0),
                placed("3", "a", "watched", "run", 0.0, 10.0),
            ),
            "outside of every segment of the class",
            id="contradiction",
        ),
    ],
)
def test_what_nothing_can_be_learned_from_is_refused(tmp_path, labels, message):
    learning = learning_of(tmp_path / "rounds", ("protocols",))
    with pytest.raises(CannotLearnError, match=message):
        learning.start(labels)
    assert rounds_in(tmp_path / "rounds") == []


def begun(folder, number, labels, steps=(("train",),)):
    """Return a round of some labels, as learning leaves it."""
    one = rounds_in(folder)
    path = folder / f"{number:03}"
    path.mkdir(parents=True)
    (path / "labels.json").write_text(label_text(label_values(labels)))
    (path / "state.json").write_text('{"state": "done", "seconds": 1.0}')
    request = Request(at="", revision=1, n_marks=1, n_videos=1, steps=steps)
    (path / "request.json").write_text(json.dumps(vars(request)))
    one = rounds_in(folder)[-1]
    assert one.number == number
    return one


def test_extraction_is_of_what_is_missing_and_weights_of_known_classes(tmp_path):
    features = tmp_path / "features"
    plan = RoundPlan(
        features=features,
        videos=tmp_path / "videos",
        files={"a": tmp_path / "a.mp4", "b": tmp_path / "b.mp4"},
        extracting=("--extractor", "motion"),
        options=("--profile", "best"),
    )
    first = begun(tmp_path / "rounds", 1, NAMED)
    extract, train, localize = plan.steps(first, None)
    assert extract[:2] == ["extract", str(tmp_path / "videos")]
    assert extract[extract.index("--extractor") + 1] == "motion"
    assert train[train.index("--supervision") + 1] == "all"
    assert train[-2:] == ["--profile", "best"]
    assert localize[localize.index("--out") + 1] == str(first.folder / DETECTIONS)
    (features / "extracted").mkdir(parents=True)
    (features / "extracted" / "a.json").write_text("{}")
    (features / "failed.jsonl").write_text('{"video": "b", "reason": "damaged"}\n')
    second = begun(tmp_path / "rounds", 2, NAMED)
    train, _ = plan.steps(second, first)
    assert train[-2:] == ["--from", str(first.folder)]
    more = labels_of(name("m", "a", "run"), classes=("run", "jump", "fall"))
    third = begun(tmp_path / "rounds", 3, more)
    assert plan.steps(third, second)[0][-2:] == ["--from", str(second.folder)]
    other = labels_of(name("m", "a", "fall"), classes=("fall",))
    fourth = begun(tmp_path / "rounds", 4, other)
    assert "--from" not in plan.steps(fourth, second)[0]


def test_what_a_round_was_watched_in_is_not_suggested_after_it(tmp_path):
    plan = RoundPlan(features=tmp_path)
    one, run = begun(tmp_path / "rounds", 1, NAMED), tmp_path / "run"
    words = plan.suggest(one.folder, tmp_path / "suggestions.json")
    assert words[words.index("--marks") + 1] == str(one.folder / "labels.json")
    assert "--marks" not in plan.suggest(run, tmp_path / "suggestions.json")


def test_progress_counts_videos_and_epochs(tmp_path):
    steps = (("extract",), ("train",), ("localize",))
    one = begun(tmp_path / "rounds", 1, NAMED, steps)
    features = tmp_path / "features"
    (features / "extracted").mkdir(parents=True)
    files = {"a": tmp_path / "a.mp4", "b": tmp_path / "b.mp4"}
    overrides = {
        "training.epochs": 40,
        "teachers.count": 1,
        "student_training.epochs": 20,
    }
    settings = recipe("default", profile="best", overrides=overrides)
    plan = RoundPlan(features=features, files=files, settings=settings)
    assert plan.progress(one, "") == (0.0, "starting")
    (features / "extracted" / "b.json").write_text("{}")
    done, sentence = plan.progress(one, "extract")
    assert done == pytest.approx(0.75 / 2)
    assert sentence == "extracting features: 1 of 2 videos"
    teacher = one.folder / "teachers" / "0" / "log.jsonl"
    teacher.parent.mkdir(parents=True)
    teacher.write_text('{"epoch": 9}\n{"epoch": 10}\n{"epoch": 11')
    done, sentence = plan.progress(one, "train")
    assert (done, sentence) == (
        pytest.approx(0.75 + 0.22 / 6),
        "training: 10 of at most 60 epochs",
    )
    assert plan.progress(one, "localize")[0] == pytest.approx(0.97)


def test_progress_counts_the_epochs_that_few_videos_take(tmp_path):
    overrides = {
        **{"training.epochs": 40, "training.fewest_steps": 150},
        **{"teachers.count": 2, "student_training.epochs": 20},
    }
    settings = recipe("default", profile="best", overrides=overrides)
    plan = RoundPlan(features=tmp_path, settings=settings)
    one = begun(tmp_path / "rounds", 1, NAMED, (("train",),))
    teacher = one.folder / "teachers" / "0" / "log.jsonl"
    teacher.parent.mkdir(parents=True)
    # the second of 2 steps an epoch, which are 75 epochs
    for epoch, step in ((10, 19), (10, 20)):
        teacher.write_text(f'{{"epoch": {epoch}, "step": {step}}}\n')
        sentence = plan.progress(one, "train")[1]
        assert sentence == "training: 10 of at most 170 epochs"
    other = one.folder / "teachers" / "1" / "log.jsonl"
    other.parent.mkdir()
    for log in (teacher, other):
        log.write_text('{"epoch": 75, "step": 150}\n')
    (one.folder / "log.jsonl").write_text('{"epoch": 5, "step": 5}\n')
    assert plan.progress(one, "train")[1] == "training: 155 of 170 epochs"


def test_few_videos_with_marks_take_the_epochs_of_the_settings(tmp_path):
    overrides = {
        **{"training.epochs": 40, "training.fewest_steps": 150},
        **{"teachers.count": 2, "student_training.epochs": 20},
    }
    settings = recipe("default", profile="best", overrides=overrides)
    plan = RoundPlan(features=tmp_path, settings=settings)
    one = begun(tmp_path / "rounds", 1, NAMED, (("train",),))
    teacher = one.folder / "teachers" / "0" / "log.jsonl"
    teacher.parent.mkdir(parents=True)
    teacher.write_text('{"epoch": 10, "step": 20, "marks": 0.7}\n')
    assert plan.progress(one, "train")[1] == "training: 10 of 100 epochs"


def test_progress_of_a_round_counts_the_epochs_of_a_round(tmp_path):
    settings = recipe("default", profile="best", overrides=FEW_EPOCHS)
    plan = RoundPlan(features=tmp_path, settings=settings)
    one = begun(tmp_path / "rounds", 1, NAMED, (("train", "--from", "RUN"),))
    assert plan.progress(one, "train") == (0.0, "training: 0 of 50 epochs")
    for k, epoch in enumerate((40, 10)):  # the first teacher was kept
        teacher = one.folder / "teachers" / str(k) / "log.jsonl"
        teacher.parent.mkdir(parents=True)
        teacher.write_text(f'{{"epoch": {epoch}}}\n')
    assert plan.progress(one, "train") == (0.6, "training: 30 of 50 epochs")


def logged(run, epoch):
    run.mkdir(parents=True, exist_ok=True)
    (run / "log.jsonl").write_text(f'{{"epoch": {epoch}}}\n')


def test_progress_follows_a_training_that_ends_early(tmp_path):
    """Teachers take 20 and 30 of 40 epochs, so the student takes 5/8 of its own 20."""
    settings = recipe("default", profile="best", overrides=FEW_EPOCHS)
    plan = RoundPlan(features=tmp_path, settings=settings)
    one = begun(tmp_path / "rounds", 1, NAMED, (("train",),))
    logged(one.folder / "teachers" / "0", 20)
    logged(one.folder / "teachers" / "1", 30)
    assert plan.progress(one, "train") == (0.5, "training: 50 of at most 100 epochs")
    logged(one.folder, 3)
    done, sentence = plan.progress(one, "train")
    assert (done, sentence) == (pytest.approx(53 / 63), "training: 53 of 63 epochs")
    logged(one.folder, 13)
    assert plan.progress(one, "train")[0] == 1.0
    checkpoint = one.folder / "checkpoint"
    checkpoint.mkdir()
    told = {"training": {"share_of_epochs": 5 / 8}}
    (checkpoint / "config.json").write_text(json.dumps(told))
    # teachers take 5/8 of the 20 epochs of a round, rounded up, the student of 10
    steps = (("train", "--from", str(one.folder)),)
    second = begun(tmp_path / "rounds", 2, NAMED, steps)
    logged(second.folder / "teachers" / "0", 13)
    done, sentence = plan.progress(second, "train")
    assert (done, sentence) == (pytest.approx(13 / 33), "training: 13 of 33 epochs")


def test_a_round_is_scored_on_watched_videos_that_it_did_not_learn_from(tmp_path):
    """Of two segments of 'run' in b, one is found exactly: AP is 1/2 at each tIoU."""
    classes = ("run",)
    marks = [
        placed("1", "a", "segment", "run", 1.0, 2.0),
        placed("2", "b", "segment", "run", 1.0, 2.0),
        placed("3", "b", "segment", "run", 5.0, 6.0),
        *(
            placed(f"w{x}", x, "watched", None, 0.0, 10.0, classes)
            for x in ("a", "b", "c")
        ),
        placed("4", "c", "point", "run", 5.0),
    ]
    labels = labels_of(*marks, classes=classes)
    truth = truth_of(labels)
    assert set(truth.videos) == {"a", "b"}  # of c only an instant is known
    one = begun(tmp_path, 1, labels_of(name("1", "a", "run"), classes=classes))
    found = Detections.of(["run"], [(5.0, 6.0, 0.9, 0), (8.0, 9.0, 0.1, 0)])
    write_detections(one.folder / DETECTIONS, {"a": found, "b": found})
    scores = scores_of(one, one.learned_from, truth)
    assert scores["average_map"] == pytest.approx(0.5)
    assert scores["videos"] == 1
    assert scores["of"].startswith("1 video that was")
    assert one.scores == scores
    both = begun(tmp_path, 2, labels)
    assert scores_of(both, one.learned_from | both.learned_from, truth) is None
    later = labels_of(*marks[:1], *marks[3:], classes=("run", "jump"))
    assert truth_of(later).videos == {}  # nobody looked for the new class
