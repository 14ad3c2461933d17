"""Teachers and their student as one run: made, resumed, refused, loaded, in chunks."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
import torch

import acmnet
from acmnet.checkpoints.checkpoint import load_config
from acmnet.data.detections.detection_files import read_detections
from acmnet.data.features.stored_features import FeatureStore
from acmnet.data.labelled_features import DataSource, open_data
from acmnet.data.made_up.feature_world import WorldSettings, make_world, write_world
from acmnet.evaluation.reports import evaluate
from acmnet.inference.localized_videos import localize_videos
from acmnet.localization.detection_scores import KEPT_UP_TO, NEGATIVE_SHARE
from acmnet.localization.from_activations import (
    LEAST_CONTRAST,
    localize_activations,
    scores_of_intervals,
)
from acmnet.localization.from_boundaries import candidate_intervals
from acmnet.models import trained_model
from acmnet.models.stored_model import load_network
from acmnet.models.trained_model import joined
from acmnet.models.training_summary import SUMMARY_FILE, summarize_training
from acmnet.network import video_outputs
from acmnet.recipes import recipe
from acmnet.runs import teacher_training, training_run
from acmnet.runs.network_training import weak_dataset
from acmnet.runs.run_request import RunError, RunRequest
from acmnet.runs.run_state import RunState, run_on_disk
from acmnet.runs.teacher_training import trained_teachers
from acmnet.runs.training_run import train_run
from acmnet.training.first_stage import weak_task
from acmnet.training.optimisation.tasks import StepRecord
from acmnet.training.second_stage import pseudo_labels
from acmnet.validation.cross_validation import (
    chance_map,
    cross_validate,
    shuffled,
    spans_s,
)

FEW = {
    "training.epochs": 2,
    "training.batch_size": 4,
    "training.checkpoint_every": 1,
    "teachers.count": 2,
    "student_training.epochs": 3,
    "student.width": 8,
    "student.layers": 2,
    "student_training.snippets": 20,
}


def request(world, out, **changes):
    settings = recipe("default", profile="best", overrides=FEW | changes.pop("o", {}))
    data = open_data(DataSource(*world, "training"))
    return RunRequest(
        out=out,
        data=data,
        recipe="default",
        profile="best",
        settings=settings,
        **changes,
    )


@pytest.fixture(scope="module")
def trained(tiny_world, tmp_path_factory):
    """Train a run of two stages: its folder, and the record of each step; read only."""
    asked = request(tiny_world, tmp_path_factory.mktemp("best") / "run")
    records = []
    return train_run(asked, on_step=records.append), records


@pytest.fixture(scope="module")
def run(trained):
    return trained[0]


@pytest.fixture(scope="module")
def other_run(tiny_world, tmp_path_factory):
    """Train the run of another seed; read only."""
    out = tmp_path_factory.mktemp("other") / "run"
    return train_run(request(tiny_world, out, seed=1))


def weights_of(run):
    return acmnet.load(run).students[0].state_dict()


def networks(asked):
    model = acmnet.load(asked.out)
    return model.networks + model.students


def are_equal(one, other):
    return all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("is_split", [False, True])
def test_teachers_are_asked_once_about_a_training_video(
    tiny_world, tmp_path, monkeypatch, is_split
):
    asked = request(
        tiny_world, tmp_path / "run", o={"localization.split_at_cuts": is_split}
    )
    monkeypatch.setattr(FeatureStore, "cuts_s", lambda *_: (2.0, 5.0))

    def both(run, model, data, known):
        assert set(known) == set(data.labels)
        literal = summarize_training(run, model, data)
        summary = (run / SUMMARY_FILE).read_bytes()
        with monkeypatch.context() as patched:
            patched.setattr(trained_model, "acm_net_on_video", pytest.fail)
            found = summarize_training(run, model, data, known)
        assert (run / SUMMARY_FILE).read_bytes() == summary
        assert list(found) == list(literal)
        for video, of_video in literal.items():
            assert [*found[video]] == [*of_video]
        compared.append(run)
        return found

    compared = []
    monkeypatch.setattr(training_run, "summarize_training", both)
    assert train_run(asked) == compared[0]


def test_a_run_holds_its_teachers_and_what_they_say(run, tiny_world):
    files = {path.relative_to(run).as_posix() for path in run.rglob("[!.]*.*")}
    kept = ("config.json", "model.safetensors", "training_state.pt", "trained_on.json")
    own = {"log.jsonl", *(f"checkpoint/{name}" for name in kept)}
    teachers = {f"teachers/{k}/{name}" for k in range(2) for name in own}
    # no true segment lies with a teacher
    labels = {"checkpoint/labels.json", "training_summary.json"}
    assert files == own | teachers | labels | {
        "pseudo_labels.json",
        "found.safetensors",
    }
    model = acmnet.load(run)
    one, other = (network.state_dict() for network in model.networks)
    assert not are_equal(one, other)
    said = read_detections(run / "pseudo_labels.json")
    data = open_data(DataSource(*tiny_world, "training"))
    assert set(said.video_ids) == set(data.labels)
    carried = [
        said.labels[label] in data.labels[said.video_ids[video]]
        for video, label in zip(said.video_index, said.label_index, strict=True)
    ]
    assert carried
    assert all(carried)
    log = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert {"total", "classes", "boundaries"} <= set(log[0])
    # pieces of 20 snippets that cover each video, 8 at a time, for 3 epochs
    pieces = sum(-(-data.store.shape(video)[0] // 20) for video in data.labels)
    epochs = [epoch for epoch in (1, 2, 3) for _ in range(-(-pieces // 8))]
    assert [line["epoch"] for line in log] == epochs


def test_a_student_takes_the_share_of_epochs_that_its_teachers_took(
    tiny_world, tmp_path, monkeypatch
):
    monkeypatch.setattr(weak_task, "LEARNED", 9.0)  # in the first epoch
    monkeypatch.setattr(weak_task, "FEWEST_STEPS", 1)
    epochs = {"training.epochs": 4, "training.early_end": 2.0}
    asked = request(tiny_world, tmp_path / "run", o=epochs, resume=True)
    records, notes = [], []
    train_run(asked, on_step=records.append, on_note=notes.append)
    assert notes[-1] == (
        "the teachers learned the names of the videos early, so they took 50% of "
        "their epochs, and the student takes 2 of 3"
    )
    teachers = [load_config(asked.out / f"teachers/{k}").epoch for k in range(2)]
    assert teachers == [2, 2]
    assert load_config(asked.out).epoch == 2  # half of 3, rounded up
    last = records[-1]
    assert last.epoch == last.of_epochs == 2 * 4 + 2
    assert run_on_disk(asked).state is RunState.FINISHED
    again = []
    train_run(asked, on_step=again.append)
    assert not again
    # rounds after it, and rounds after those, are as short beside it
    whole = epochs | {"training.round_share": 1.0}
    for one, before in (("second", "run"), ("third", "second")):
        begin_from = tmp_path / before
        asked = request(tiny_world, tmp_path / one, o=whole, begin_from=begin_from)
        train_run(asked)
        assert load_config(asked.out).epoch == 2


def test_few_videos_give_teachers_more_epochs_and_the_student_as_many(
    tiny_world, tmp_path
):
    # an epoch of 12 videos, 4 a step, has 3 steps: 10 steps take 4 epochs
    few = {"training.epochs": 2, "training.fewest_steps": 10}
    asked = request(tiny_world, tmp_path / "few", o=few, resume=True)
    records, notes, steps = [], [], iter(range(2 * 12 - 3))
    train_run(asked, on_step=records.append, on_note=notes.append)
    assert notes == []
    assert records[-1].epoch == records[-1].of_epochs == 2 * 4 + 3
    same = request(tiny_world, tmp_path / "same", o={"training.epochs": 4})
    train_run(same)
    cut = request(tiny_world, tmp_path / "cut", o=few, resume=True)
    with pytest.raises(StopIteration):  # beyond the 2 epochs of the settings
        train_run(cut, on_step=lambda _: next(steps))
    train_run(cut)
    for other in (same, cut):
        for left, right in zip(networks(asked), networks(other), strict=True):
            assert are_equal(left.state_dict(), right.state_dict())
    assert run_on_disk(asked).state is RunState.FINISHED
    # a round takes a share of the epochs that the settings say
    whole = few | {"training.round_share": 1.0}
    later = request(tiny_world, tmp_path / "later", o=whole, begin_from=asked.out)
    assert later.schedule.training.epochs == 2


def test_few_videos_of_which_the_names_are_learned_end_early(
    tiny_world, tmp_path, monkeypatch
):
    monkeypatch.setattr(weak_task, "LEARNED", 9.0)  # in the first epoch
    monkeypatch.setattr(weak_task, "FEWEST_STEPS", 1)
    settings = {"training.epochs": 2, "training.fewest_steps": 30}
    for factor, epochs, of_student in ((1.0, 1, 2), (2.0, 2, 3), (5.0, 5, 3)):
        changes = settings | {"training.early_end": factor}
        asked = request(tiny_world, tmp_path / str(epochs), o=changes)
        train_run(asked)
        taken = [load_config(asked.out / f"teachers/{k}").epoch for k in range(2)]
        assert taken == [epochs, epochs]
        assert load_config(asked.out).epoch == of_student  # a half of 3, or all


def test_marks_are_learned_in_no_more_epochs_but_names_beside_them_are(
    tiny_world, tmp_path
):
    few = {"training.epochs": 2, "training.fewest_steps": 10}
    asked = request(tiny_world, tmp_path / "run", o=few, supervision="all")
    assert asked.schedule.training.epochs == 2
    few["loss.marks_weight"] = 0.0  # without weight, the student alone learns marks
    asked = request(tiny_world, tmp_path / "run", o=few, supervision="all")
    records = []
    train_run(asked, on_step=records.append)
    assert load_config(asked.out / "teachers/0").epoch == 4
    assert records[-1].epoch == records[-1].of_epochs == 2 * 4 + 3


def test_a_student_learns_marks_in_all_of_its_epochs(tiny_world, tmp_path, monkeypatch):
    monkeypatch.setattr(weak_task, "LEARNED", 9.0)
    monkeypatch.setattr(weak_task, "FEWEST_STEPS", 1)
    epochs = {"training.epochs": 4, "training.early_end": 2.0}
    # without weight, marks are learned by the student alone
    changes = epochs | {"loss.marks_weight": 0.0}
    asked = request(tiny_world, tmp_path / "run", o=changes, supervision="all")
    train_run(asked)
    assert load_config(asked.out / "teachers/0").epoch == 2
    assert load_config(asked.out).epoch == 3


def test_epochs_are_counted_over_all_trainings(trained, tiny_world):
    run, records = trained
    epochs = [record.epoch for record in records]
    assert sorted(set(epochs)) == list(range(1, 2 * 2 + 3 + 1))
    assert epochs == sorted(epochs)
    assert request(tiny_world, run).settings.epochs == 7


def test_teachers_learn_the_same_side_by_side_as_one_after_another(
    run, tiny_world, tmp_path, monkeypatch
):
    monkeypatch.setattr(teacher_training, "threads_of_each", lambda *_: 1)
    asked, records = request(tiny_world, tmp_path), []
    beside = trained_teachers(asked, weak_dataset(asked), dict, records.append, print)
    for k, network in enumerate(beside.networks):
        alone = load_network(run / f"teachers/{k}").state_dict()
        assert are_equal(alone, network.state_dict())
    epochs = [record.epoch for record in records]
    assert epochs == sorted(epochs)
    assert set(epochs) == {1, 2, 3, 4}
    steps = [record.step for record in records]
    assert steps == list(range(1, len(steps) + 1))


def test_teachers_share_threads_and_memory(monkeypatch):
    each, cpu = teacher_training.threads_of_each, torch.device("cpu")
    monkeypatch.setattr(torch, "get_num_threads", lambda: 7)
    monkeypatch.setattr(teacher_training, "memory_bytes", lambda: 1200)
    assert [each(n, cpu, 100) for n in (1, 2, 3)] == [7, 3, 2]
    assert each(3, cpu, 101) == 0
    assert each(3, torch.device("cuda"), 100) == 0
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    assert each(3, cpu, 100) == 0


def test_a_teacher_that_fails_stops_the_others_with_its_own_sentence(
    tiny_world, tmp_path, monkeypatch
):
    taken = []

    def failing(own, _found, _labels, on_step, _dataset, _told):
        if own.out.name == "1":
            raise RunError("no room for teacher 1")
        while len(taken) < 100_000:  # it ends because it is told to
            taken.append(1)
            on_step(StepRecord(1, len(taken), {"total": 1.0}, 1, 0.0))

    monkeypatch.setattr(teacher_training, "train_network", failing)
    monkeypatch.setattr(teacher_training, "threads_of_each", lambda *_: 1)
    asked = request(tiny_world, tmp_path)
    with pytest.raises(RunError, match="no room for teacher 1"):
        trained_teachers(asked, weak_dataset(asked), dict, lambda _: None, print)
    assert len(taken) < 100_000


def test_scores_are_the_mean_of_the_teachers(run):
    model = acmnet.load(run)
    features = np.random.default_rng(0).random((50, model.feature_dim))
    said, one, other = (
        acmnet.load(where).activations(features)
        for where in (run, run / "teachers/0", run / "teachers/1")
    )
    for name in ("instance_cas", "attention", "video_scores", "cas"):
        mean = (getattr(one, name) + getattr(other, name)) / 2
        np.testing.assert_allclose(getattr(said, name), mean, rtol=1e-6)


def test_an_ensemble_says_the_mean_of_its_models(run, other_run):
    one, other = (beside(where, contrast_weight=0.0) for where in (run, other_run))
    both = joined([one, other])
    assert len(both.networks) == len(one.networks) + len(other.networks)
    features = np.random.default_rng(0).random((50, one.feature_dim))
    said, a, b = (model.candidates(features) for model in (both, one, other))
    for name in ("probability", "distance"):
        mean = (getattr(a, name) + getattr(b, name)) / 2
        np.testing.assert_allclose(getattr(said, name), mean, rtol=1e-6)
    alone = joined([one]).localize(features)
    assert alone.score.tolist() == one.localize(features).score.tolist()


def test_models_of_other_classes_make_no_ensemble(run):
    model = acmnet.load(run)
    other = dataclasses.replace(model, class_names=("another",))
    with pytest.raises(ValueError, match="must have the same class_names, got"):
        joined([model, other])


def beside(run, **weights):
    """Return a run's model with other weights of its teachers."""

    def changed(settings):
        teachers = dataclasses.replace(settings.teachers, **weights)
        return dataclasses.replace(settings, teachers=teachers)

    return acmnet.load(run, settings=changed)


@pytest.mark.parametrize("weight", [0.25, 1.0])
def test_a_candidate_counts_what_the_teachers_say_of_its_time(run, weight):
    features = np.random.default_rng(0).random((50, acmnet.load(run).feature_dim))
    alone, heard = (
        beside(run, contrast_weight=w, proposal_weight=0.0).candidates(features)
        for w in (0.0, weight)
    )
    model = acmnet.load(run)
    said = model.activations(features)
    given = scores_of_intervals(
        said, *candidate_intervals(alone), model.settings.localization
    )
    best = float(model.students[0].teachers_best)
    expected = alone.probability ** (1 - weight) * (
        np.maximum(given / best, LEAST_CONTRAST) ** weight
    )
    np.testing.assert_allclose(heard.probability, expected, rtol=1e-6)
    np.testing.assert_array_equal(heard.distance, alone.distance)
    assert (given > LEAST_CONTRAST).any()  # else the teachers said nothing


def test_teachers_proposals_are_divided_by_their_mean_best_score(
    tiny_world, tmp_path, monkeypatch
):
    # every score that a teachers' proposal has is weight / usual best of what they say;
    # two epochs make nobody sure
    monkeypatch.setattr(pseudo_labels, "LEAST_MEAN_BEST_SCORE", 0.0)
    run = train_run(request(tiny_world, tmp_path / "run"))
    data = open_data(DataSource(*tiny_world, "training"))
    model = acmnet.load(run)
    assert model.settings.teachers.proposal_weight > 0
    teachers = dataclasses.replace(model, students=())
    best = []
    for video, labels in data.labels.items():
        # known labels alone are looked for, all of them
        said = teachers.activations(data.store.read(video))
        known = np.array([name in labels for name in model.class_names])
        only = np.append(said.video_scores[:-1] * known, 0.0)
        found = localize_activations(
            dataclasses.replace(said, video_scores=only),
            dataclasses.replace(model.settings.localization, class_threshold=0.0),
        )
        best += [
            found.score[found.class_index == c].max() for c in np.flatnonzero(known)
        ]
    usual = float(model.students[0].teachers_best)
    assert usual == pytest.approx(np.mean(best), rel=1e-6)

    features = data.store.read(next(iter(data.labels)))
    alone, both = (
        beside(run, proposal_weight=w, contrast_weight=0.0).localize(features)
        for w in (0.0, 0.5)
    )
    said = teachers.localize(features)  # its surest of a class is not decayed
    surest = said.score.argmax()
    expected = 0.5 * (said.score[surest] - NEGATIVE_SHARE) / usual
    assert expected > alone.score.max()  # else nothing below is of the teachers
    place = both.score.argmax()
    # a score up to the knee keeps its value, but for a millionth
    assert expected < KEPT_UP_TO
    assert both.score[place] == pytest.approx(expected, rel=1e-6, abs=2e-6)
    assert both.start_s[place] == said.start_s[surest]
    assert both.end_s[place] == said.end_s[surest]
    assert len(both) > len(alone) > 0


def test_teachers_of_a_student_that_learned_from_marks_count_less(run):
    model = acmnet.load(run)
    features = np.random.default_rng(0).random((50, model.feature_dim))
    weights = {"contrast_weight": 0.5, "proposal_weight": 0.9}
    for trust, as_if in (
        ((1.0, 1.0), weights),
        ((0.25, 0.5), {"contrast_weight": 0.125, "proposal_weight": 0.45}),
    ):
        marked = beside(run, **weights)
        marked.students[0].trust = torch.tensor(trust)
        found = marked.candidates(features)
        expected = beside(run, **as_if).candidates(features)
        np.testing.assert_array_equal(found.probability, expected.probability)
        np.testing.assert_array_equal(
            found.of_teachers.score, expected.of_teachers.score
        )


def test_teachers_who_are_seldom_sure_are_not_raised(run):
    assert float(acmnet.load(run).students[0].teachers_best) == 0.5


def test_teachers_seeds_are_their_own(other_run):
    # seeds 0 and 1 with two teachers each: 0, 1 and 2, 3
    teachers = [other_run / "teachers" / str(k) for k in range(2)]
    seeds = [acmnet.load(teacher).config.seed for teacher in teachers]
    assert seeds == [2, 3]


@pytest.mark.parametrize("stop_at", [1, 4, 8, 15, 17])
def test_a_run_cut_short_anywhere_goes_on(run, tiny_world, tmp_path, stop_at):
    steps = 0

    def stop(_):
        nonlocal steps
        steps += 1
        if steps == stop_at:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_run(request(tiny_world, tmp_path / "cut"), on_step=stop)
    with pytest.raises(RunError, match="already holds a run"):
        train_run(request(tiny_world, tmp_path / "cut"))
    again = train_run(request(tiny_world, tmp_path / "cut", resume=True))
    assert are_equal(weights_of(again), weights_of(run))


def test_a_finished_run_trains_nothing_again(run, tiny_world):
    records = []
    asked = request(tiny_world, run, resume=True)
    assert run_on_disk(asked).state is RunState.FINISHED
    train_run(asked, on_step=records.append)
    assert records == []


def test_overwriting_leaves_nothing_of_the_old_run(run, tiny_world, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    one = {"teachers.count": 1}
    again = train_run(request(tiny_world, tmp_path / "run", o=one, overwrite=True))
    assert [path.name for path in (again / "teachers").iterdir()] == ["0"]


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("training.epochs", 3),
        ("student.width", 16),
        ("pseudo_labels.relative_score", 0.7),
        ("localization.threshold_scale", "absolute"),
    ],
)
def test_what_changes_a_number_is_refused(run, tiny_world, setting, value):
    with pytest.raises(RunError, match=f"was trained with {setting} = "):
        run_on_disk(request(tiny_world, run, o={setting: value}))


def test_a_run_of_an_earlier_acmnet_is_told_how_to_go_on(run, tiny_world):
    # settings that came later have values of their own in the profile
    now = {"training.early_end": 9.0, "localization.activation_thresholds": (0.2,)}
    with pytest.raises(RunError) as refused:
        run_on_disk(request(tiny_world, run, o=now))
    told = str(refused.value)
    assert "training.early_end = " in told
    assert ", not 9.0 and localization.activation_thresholds = (" in told
    words = told.partition("; go on with --")[2].partition(", train it anew")[0]
    given = dict(option.split(" ") for option in words.split(" --"))
    again = request(tiny_world, run, o=now | given)
    assert run_on_disk(again).state is RunState.FINISHED


def test_what_does_not_is_not(run, tiny_world):
    free = {"localization.soft_nms_sigma": 0.3, "training.checkpoint_every": 5}
    free |= {"teachers.proposal_weight": 0.0, "teachers.contrast_weight": 0.0}
    found = run_on_disk(request(tiny_world, run, o=free))
    assert found.state is RunState.FINISHED


@pytest.mark.parametrize("length", [1, 6, 7, 15, 100])
def test_chunks_equal_the_whole(run, monkeypatch, length):
    model = acmnet.load(run)
    features = np.random.default_rng(length).random((length, model.feature_dim))
    whole = model.localize(features)
    monkeypatch.setattr(video_outputs, "CHUNK_SNIPPETS", 7)
    parts = model.localize(features)
    assert len(parts) == len(whole) > 0
    for name in ("start_s", "end_s", "score"):
        np.testing.assert_allclose(
            getattr(parts, name), getattr(whole, name), rtol=1e-4, atol=1e-5
        )


def test_the_checkpoint_can_be_chosen(tiny_world, tmp_path):
    selection = open_data(DataSource(*tiny_world, "test"))
    run = train_run(request(tiny_world, tmp_path / "run", selection=selection))
    config = acmnet.load(run).config
    assert config.selection == "truth of subset 'test'"
    assert 0 <= config.metrics["selection_average_map"] <= 1


def test_folds_train_and_score_it(tiny_world, tmp_path):
    data = open_data(DataSource(*tiny_world))
    asked = dataclasses.replace(request(tiny_world, tmp_path / "cv"), data=data)
    found = cross_validate(asked, folds=2, seeds=[0])
    assert found.map.shape == (1, 2, 7)


def test_the_student_learns_when_from_labels_alone(tmp_path):
    # its places must beat random ones by far, and labels that were dealt to other
    # videos must teach it nothing
    size = WorldSettings(
        training_videos=48, test_videos=12, dimension=24, noise=0.5, snippets=(30, 60)
    )
    world = write_world(make_world(0, size), tmp_path / "world")
    overrides = {
        "training.epochs": 15,
        "training.batch_size": 6,
        "training.learning_rate": 2e-3,
        "teachers.count": 1,
        "student_training.epochs": 15,
        "student_training.snippets": 256,
        "student.width": 32,
    }
    asked, test = (
        request(world, tmp_path, o=overrides),
        open_data(DataSource(*world, "test")),
    )
    scores = {}
    for name, data in (("true", asked.data), ("shuffled", shuffled(asked.data, 0))):
        one = dataclasses.replace(asked, data=data, out=tmp_path / name)
        found = localize_videos(acmnet.load(train_run(one)), test)
        scores[name] = evaluate(test.annotations, found).average
        scores[f"{name}, moved"] = chance_map(
            test.annotations, found, spans_s(test)
        ).mean()
    # measured: 0.81, moved 0.22, shuffled 0.04
    assert scores["true"] > 0.5
    assert scores["true"] > 3 * scores["true, moved"]
    assert scores["true"] > 3 * scores["shuffled"]
