"""Whole journeys in Python: check, train, resume, choose, localise, compare."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
import torch

import acmnet
from acmnet.checkpoints.checkpoint import load_config
from acmnet.checkpoints.checkpoint_folder import CheckpointError
from acmnet.data.checks.refusals import DataError, bad_features, problems
from acmnet.data.features.feature_files import FeatureError
from acmnet.data.features.feature_store import write_features
from acmnet.data.label_files import read_annotations
from acmnet.data.labelled_features import DataSource, open_data
from acmnet.data.labels.annotations import Annotations, Instance, Video, weak_labels
from acmnet.data.made_up.feature_world import make_world, write_world
from acmnet.evaluation.reports import evaluate
from acmnet.inference.localized_videos import localize_videos
from acmnet.recipes import override, recipe
from acmnet.runs.run_request import RunError, RunRequest
from acmnet.runs.training_run import train_run
from acmnet.segments import Detections, Segment, SnippetGrid
from acmnet.validation.cross_validation import (
    chance_map,
    cross_validate,
    ensemble_scores,
    shuffled,
)
from acmnet.validation.folds import stratified_folds
from support.runs import edit_config, make_old, weights_file

FEW = {"training.epochs": 4, "training.checkpoint_every": 2, "training.batch_size": 4}


def data_of(world, subset="training"):
    return open_data(DataSource(*world, subset))


def request(world, out, **changes):
    overrides = FEW | changes.pop("overrides", {})
    return RunRequest(
        out=out,
        data=data_of(world),
        recipe="default",
        profile="corrected",
        settings=recipe("default", profile="corrected", overrides=overrides),
        **changes,
    )


def log_of(run):
    lines = (run / "log.jsonl").read_text().splitlines()
    return [{k: v for k, v in json.loads(x).items() if k != "seconds"} for x in lines]


def contents(run):
    return {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}


def copy_world(world, directory):
    shutil.copytree(world[0].parent, directory)
    return directory / "labels.json", directory / "features"


# ---- training


def test_a_run_leaves_what_it_promises(tiny_world, tmp_path):
    run = train_run(request(tiny_world, tmp_path / "run"))
    files = {path.relative_to(run).as_posix() for path in run.rglob("*")}
    kept = ("config.json", "model.safetensors", "training_state.pt", "SHA256SUMS")
    assert files == {
        ".training.lock",
        "log.jsonl",
        "training_summary.json",
        "found.safetensors",
        "checkpoint",
        *(f"checkpoint/{name}" for name in (*kept, "labels.json", "trained_on.json")),
    }
    config = load_config(run)
    assert (config.epoch, config.selection, config.seed) == (4, "last", 0)
    assert config.settings["training"]["epochs"] == 4
    assert config.grid == SnippetGrid(25, 16, 16)
    assert len(log_of(run)) == 4 * 3
    assert {"total", "instance", "sparse", "epoch", "step"} <= set(log_of(run)[0])


def test_resuming_from_any_checkpoint_equals_the_uninterrupted_run(
    tiny_world, tmp_path
):
    keep = {"training.keep_checkpoints": True, "training.checkpoint_every": 1}
    whole = train_run(request(tiny_world, tmp_path / "whole", overrides=keep))
    expected = weights_file(whole).read_bytes()
    for epoch in (1, 3):
        source = whole / "checkpoints" / f"epoch_{epoch:04d}"
        run = train_run(
            request(tiny_world, tmp_path / f"from_{epoch}", resume_from=source)
        )
        assert acmnet.load(run).config.epoch == 4
        assert torch_equal(run, whole)
        assert log_of(run) == log_of(whole)[epoch * 3 :]
    assert expected == weights_file(whole).read_bytes()


def torch_equal(run, other):
    one, two = (acmnet.load(r).networks[0].state_dict() for r in (run, other))
    return all(torch.equal(one[name], two[name]) for name in one)


def test_a_run_cut_short_goes_on(tiny_world, tmp_path):
    whole = train_run(request(tiny_world, tmp_path / "whole"))

    def stop(record):
        if record.step == 8:  # in epoch 3, after the checkpoint of epoch 2
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_run(request(tiny_world, tmp_path / "cut"), on_step=stop)
    with (tmp_path / "cut" / "log.jsonl").open("a") as log:
        log.write('{"epoch": 3, "ste')  # a line cut in two
    run = train_run(request(tiny_world, tmp_path / "cut", resume=True))
    assert torch_equal(run, whole)
    assert log_of(run) == log_of(whole)


def test_a_finished_run_can_be_made_longer(tiny_world, tmp_path):
    short = {"training.epochs": 2}
    train_run(request(tiny_world, tmp_path / "run", overrides=short))
    run = train_run(request(tiny_world, tmp_path / "run", resume=True))
    assert torch_equal(run, train_run(request(tiny_world, tmp_path / "whole")))


def test_no_temporal_truth_reaches_training(tiny_world, tmp_path):
    # other times of any kind, and none at all, give the same bits
    expected = train_run(request(tiny_world, tmp_path / "true"))
    for name, times in (
        ("moved", {"segment": [0.0, 0.5]}),
        ("clicked", {"point": 0.5}),
        ("none", {}),
    ):
        labels, features = copy_world(tiny_world, tmp_path / f"world_{name}")
        values = json.loads(labels.read_text())
        for video in values["database"].values():
            for annotation in video["annotations"]:
                annotation.pop("segment")
                annotation |= times
            if times:
                video["watched"] = [[0.0, 0.25], [0.25, 1.0]]
        labels.write_text(json.dumps(values))
        run = train_run(request((labels, features), tmp_path / name))
        assert torch_equal(run, expected)


def test_unlabelled_videos_and_a_single_class_train(tiny_world, tmp_path):
    labels = tmp_path / "labels.csv"
    rows = ["video,labels"]
    rows += [f"training_{i:03d},{'move' if i % 2 else ''}" for i in range(12)]
    labels.write_text("\n".join(rows))
    data = open_data(DataSource(labels, tiny_world[1]))
    notes = []
    request = RunRequest(
        out=tmp_path / "run",
        data=data,
        recipe="default",
        profile="corrected",
        settings=recipe("default", profile="corrected", overrides=FEW),
    )
    run = train_run(request, on_note=notes.append)
    assert "6 of 12 videos carry no label" in notes[0]
    model = acmnet.load(run)
    assert model.class_names == ("move",)
    assert all(
        np.isfinite(d.score) for d in model.localize(data.store.read("test_000"))
    )


def test_choosing_on_a_subset_is_written_down(tiny_world, tmp_path):
    test = data_of(tiny_world, "test")
    run = train_run(request(tiny_world, tmp_path / "run", selection=test))
    config = load_config(run)
    assert config.selection == "truth of subset 'test'"
    chosen = [entry for entry in log_of(run) if "selected_on" in entry]
    assert [entry["epoch"] for entry in chosen] == [2, 4]
    best = max(chosen, key=lambda entry: entry["average_map"])
    assert config.epoch == best["epoch"]
    assert config.metrics["selection_average_map"] == best["average_map"]
    # the weights kept are those that score it
    results = localize_videos(acmnet.load(run), test)
    assert evaluate(test.annotations, results).average == best["average_map"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, "already holds a run; go on with --resume, replace it with --overwrite"),
        ({"resume": True, "seed": 1}, "was trained with seed = 0, not 1"),
        (
            {"resume": True, "overrides": {"loss.guide_weight": 9.0}},
            r"was trained with loss.guide_weight = 1\.5, not 9\.0",
        ),
    ],
)
def test_a_directory_with_a_run_is_refused(tiny_world, tmp_path, changes, message):
    run = train_run(request(tiny_world, tmp_path / "run"))
    before = weights_file(run).read_bytes()
    with pytest.raises(RunError, match=message):
        train_run(request(tiny_world, run, **changes))
    assert weights_file(run).read_bytes() == before


def test_overwriting_starts_anew(tiny_world, tmp_path):
    train_run(request(tiny_world, tmp_path / "run", seed=1))
    run = train_run(request(tiny_world, tmp_path / "run", overwrite=True))
    assert torch_equal(run, train_run(request(tiny_world, tmp_path / "fresh")))
    assert len(log_of(run)) == 12


def test_overwriting_loses_nothing_if_the_new_run_cannot_start(tiny_world, tmp_path):
    world = copy_world(tiny_world, tmp_path / "world")
    run = train_run(request(world, tmp_path / "run"))
    before = contents(run)
    bad = np.full_like(np.load(world[1] / "training_002.npy"), np.nan)
    np.save(world[1] / "training_002.npy", bad)  # seen only once all is read
    with pytest.raises(FeatureError, match=r"training_002\.npy"):
        train_run(request(world, tmp_path / "run", overwrite=True))
    assert contents(run) == before


def test_other_labels_are_not_resumed_on(tiny_world, tmp_path):
    train_run(request(tiny_world, tmp_path / "run"))
    labels, features = copy_world(tiny_world, tmp_path / "world")
    text = labels.read_text().replace('"label": "bow"', '"label": "clap"', 1)
    labels.write_text(text)
    with pytest.raises(RunError, match="trained on other labels than") as refusal:
        train_run(request((labels, features), tmp_path / "run", resume=True))
    video, before = next(
        (v, x) for v, x in data_of(tiny_world).labels.items() if "bow" in x
    )
    now = data_of((labels, features)).labels[video]
    told = " and ".join(map(repr, before)), " and ".join(map(repr, now))
    assert f"'{video}' was {told[0]}, now it is {told[1]}. " in str(refusal.value)
    assert "run/checkpoint/labels.json), train it anew with" in str(refusal.value)


def test_videos_and_classes_that_came_or_went_are_named(tiny_world, tmp_path):
    train_run(request(tiny_world, tmp_path / "run"))
    labels, features = copy_world(tiny_world, tmp_path / "world")
    values = json.loads(labels.read_text())
    database = values["database"]
    database["test_000"]["subset"] = "training"
    for name in ("training_001", "training_004"):
        database[name]["subset"] = "test"
    values["taxonomy"] = [*read_annotations(labels).class_names, "sit"]
    database["training_000"]["annotations"] = [{"label": "sit"}]
    labels.write_text(json.dumps(values))
    with pytest.raises(RunError) as refusal:
        train_run(request((labels, features), tmp_path / "run", resume=True))
    for words in (
        "no longer listed: 'training_001', 'training_004'; new: 'test_000'",
        "'training_000' was ",
        "now it is 'sit'; a new class: 'sit'. Go on with",
    ):
        assert words in str(refusal.value)


def test_an_old_run_says_that_its_labels_are_others(tiny_world, tmp_path):
    run = train_run(request(tiny_world, tmp_path / "run"))
    make_old(run)
    labels, features = copy_world(tiny_world, tmp_path / "world")
    text = labels.read_text().replace('"label": "bow"', '"label": "clap"', 1)
    labels.write_text(text)
    with pytest.raises(RunError, match="had 12 training videos, now there are 12, or"):
        train_run(request((labels, features), run, resume=True))


def test_a_file_in_the_way_is_refused(tiny_world, tmp_path):
    (tmp_path / "run").write_text("")
    with pytest.raises(RunError, match="is a file; --out must be a directory"):
        train_run(request(tiny_world, tmp_path / "run"))


def test_an_output_that_cannot_be_made_is_refused(tiny_world, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match=r"cannot make .*run: "):
        train_run(request(tiny_world, tmp_path / "file" / "run"))


# ---- what the data can be refused for


def test_a_duration_far_from_the_features_is_refused(tiny_world, tmp_path):
    labels, features = copy_world(tiny_world, tmp_path / "world")
    values = json.loads(labels.read_text())
    values["database"]["training_003"]["duration"] = 500.0
    labels.write_text(json.dumps(values))
    with pytest.raises(
        DataError, match=r"'training_003' lasts 500 s .* cover .* 25 fps"
    ):
        train_run(request((labels, features), tmp_path / "run"))


def test_a_duration_a_little_off_is_mentioned(tiny_world, tmp_path):
    labels, features = copy_world(tiny_world, tmp_path / "world")
    values = json.loads(labels.read_text())
    values["database"]["training_003"]["duration"] *= 1.2  # 30 fps taken for 25
    labels.write_text(json.dumps(values))
    data = data_of((labels, features))
    [(refused, sentence)] = problems(data, for_training=True)
    assert not refused
    assert "durations of 1 video differ" in sentence
    assert "'training_003'" in sentence


def test_a_class_without_a_training_video_is_refused(tiny_world, tmp_path):
    labels, features = copy_world(tiny_world, tmp_path / "world")
    values = json.loads(labels.read_text())
    values["taxonomy"].append("fly")
    labels.write_text(json.dumps(values))
    message = "1 of 7 classes have no training video in subset 'training': 'fly'"
    with pytest.raises(DataError, match=message):
        train_run(request((labels, features), tmp_path / "run"))


def test_all_bad_features_are_named(tiny_world, tmp_path):
    labels, features = copy_world(tiny_world, tmp_path / "world")
    bad = np.load(features / "training_002.npy")
    bad[3, 1] = np.nan
    np.save(features / "training_002.npy", bad)
    (features / "training_005.npy").write_bytes(b"\x93NUMPY")
    first, second = bad_features(data_of((labels, features)))
    assert "training_002.npy" in first
    assert "training_005.npy" in second


# ---- the trained model


@pytest.fixture(scope="module")
def run(tiny_world, tmp_path_factory):
    return train_run(request(tiny_world, tmp_path_factory.mktemp("trained") / "run"))


def test_the_readme_journey_in_python(run, tiny_world):
    model = acmnet.load(run)
    features = np.load(tiny_world[1] / "test_000.npy")
    for detection in model.localize(features):
        assert detection.label in model.class_names
        assert 0 <= detection.start_s < detection.end_s <= 0.64 * len(features) + 1e-9
    data = data_of(tiny_world, "test")
    report = acmnet.evaluate(tiny_world[0], localize_videos(model, data), subset="test")
    assert report.map.shape == (7,)


def test_a_one_snippet_video_is_localised(run):
    found = acmnet.load(run).localize(np.zeros((1, 16), dtype=np.float32))
    assert all(0 <= one.start_s < one.end_s <= 0.64 + 1e-9 for one in found)


def test_sampled_tests_keep_the_clock(run, tiny_world):
    # at half the snippets a detection still ends inside the whole video
    features = np.load(tiny_world[1] / "test_000.npy")
    model = acmnet.load(run)
    local = dataclasses.replace(
        model.settings.localization, test_snippets=len(features) // 2
    )
    sampled = dataclasses.replace(
        model, settings=dataclasses.replace(model.settings, localization=local)
    )
    assert len(sampled.activations(features).attention) == len(features) // 2
    ends = [d.end_s for d in sampled.localize(features)]
    assert 0.5 * 0.64 * len(features) < max(ends) <= 0.64 * len(features) + 1e-9


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (np.zeros((5, 17)), r"shape \(T, 16\) with T >= 1, got \(5, 17\)"),
        (np.zeros((0, 16)), r"got \(0, 16\)"),
        (np.zeros(16), r"got \(16,\)"),
        (np.full((5, 16), np.nan), "must be finite, got NaN or infinity"),
    ],
)
def test_the_model_refuses_features(run, features, message):
    with pytest.raises(ValueError, match=message):
        acmnet.load(run).localize(features)


def test_a_model_refuses_other_dimensions_and_grids(run, tiny_world, tmp_path):
    labels, features = copy_world(tiny_world, tmp_path / "world")
    manifest = json.loads((features / "features.json").read_text())
    manifest.pop("sha256", None)  # as a manifest that was written by hand
    (features / "features.json").write_text(json.dumps(manifest | {"stride_frames": 8}))
    labels.write_text(
        json.dumps({"database": {"test_000": {"annotations": [], "subset": "test"}}})
    )
    with pytest.raises(
        FeatureError, match=r"16 frames every 8 at 25 fps.*trained on 16"
    ):
        localize_videos(acmnet.load(run), data_of((labels, features), "test"))
    (features / "features.json").write_text(json.dumps(manifest | {"dimension": 4}))
    write_features(features, "test_000", np.zeros((9, 4), dtype=np.float16))
    with pytest.raises(FeatureError, match="4 columns, the checkpoint expects 16"):
        localize_videos(acmnet.load(run), data_of((labels, features), "test"))


def test_a_model_refuses_features_of_another_extractor(run, tiny_world, tmp_path):
    """I3D over 16 and over 32 frames have as many columns, on one grid."""
    model = acmnet.load(run)
    world = copy_world(tiny_world, tmp_path / "world")
    path = world[1] / "features.json"
    manifest = json.loads(path.read_text())
    manifest.pop("sha256", None)  # as a manifest that was written by hand
    path.write_text(json.dumps(manifest | {"extractor": "i3d-rgb"}))
    data = data_of(world, "test")

    def trained_on(extractor):
        training = {"manifest": manifest | {"extractor": extractor}}
        config = dataclasses.replace(model.config, training=training)
        return dataclasses.replace(model, config=config)

    with pytest.raises(
        FeatureError, match=r"made by the extractor i3d-rgb, .* those of i3d-rgb-wide;"
    ):
        localize_videos(trained_on("i3d-rgb-wide"), data)
    for extractor in ("i3d-rgb", ""):  # the same, or not known
        assert localize_videos(trained_on(extractor), data)


def test_weights_of_another_shape_are_refused(run, tmp_path):
    other = shutil.copytree(run, tmp_path / "run")
    edit_config(other, lambda values: values["class_names"].pop())
    with pytest.raises(CheckpointError, match=r"do not have the shapes .*\(5 classes"):
        acmnet.load(other)


# ---- floors and controls


def test_chance_keeps_everything_but_the_place():
    # one 1 s detection in 100 s, one instance of 1 s: tIoU 0.1 needs the starts
    # within (1 - 0.1) / (1 + 0.1) = 0.82 s, so chance is below 1.64 / 99 on average
    instance = Instance("bow", Segment(50.0, 51.0))
    video = Video(
        id="v", subset=None, duration_s=100.0, labels=("bow",), instances=(instance,)
    )
    annotations = Annotations("here", {"v": video}, ("bow",))
    results = {"v": Detections.of(["bow"], [(50.0, 51.0, 1.0, 0)])}
    perfect = evaluate(annotations, results, tiou=(0.1,)).map
    assert perfect.tolist() == [1.0]
    chance = chance_map(annotations, results, {"v": 100.0}, (0.1,))
    assert chance[0] <= 0.15


def test_shuffling_deals_the_same_labels(tiny_world):
    data = data_of(tiny_world)
    dealt = shuffled(data, 1)
    assert sorted(dealt.labels.values()) == sorted(data.labels.values())
    assert dealt.labels != data.labels
    assert list(dealt.labels) == list(data.labels)


def is_kept(times):
    """Assert that files were not written since their times were taken."""
    assert {path: path.stat().st_mtime_ns for path in times} == times


def test_cross_validation_covers_every_video_once_and_resumes(tmp_path):
    world = write_world(make_world(3), tmp_path / "world")
    annotations = read_annotations(world[0])
    asked = request(world, tmp_path / "cv", overrides={"training.epochs": 1})
    seen = []

    def note(seed, fold, scores):
        run = load_config(tmp_path / "cv" / f"seed_{seed}" / f"fold_{fold}")
        seen.append((seed, fold, run.training["videos"], scores.shape))

    arguments = {"folds": 2, "seeds": (0, 1), "tiou": (0.1, 0.5), "on_run": note}
    result = cross_validate(asked, **arguments)
    labels = weak_labels(annotations.subset("training"))
    sizes = [len(labels) - len(fold) for fold in stratified_folds(labels, 2).videos]
    assert sum(sizes) == len(labels)
    assert seen == [(s, f, sizes[f], (2,)) for s in (0, 1) for f in (0, 1)]
    assert result.map.shape == result.chance.shape == (2, 2, 2)
    weights = {
        x: x.stat().st_mtime_ns for x in (tmp_path / "cv").rglob("model.safetensors")
    }
    assert len(weights) == 4
    again = cross_validate(asked, **arguments)
    is_kept(weights)  # nothing was trained twice
    assert np.array_equal(again.map, result.map)
    # an ensemble of one seed is what that seed is; of two, their mean localises
    same = {k: arguments[k] for k in ("folds", "tiou")}
    alone = ensemble_scores(asked, seeds=(1,), **same)
    assert alone.map == pytest.approx(result.map[1].mean(axis=0), abs=0)
    assert alone.pooled == pytest.approx(result.pooled[1], abs=0)
    both = ensemble_scores(asked, seeds=(0, 1), **same)
    assert both.map.shape == both.pooled.shape == (2,)
    # pooled is what evaluating the detections of all folds together gives
    training = annotations.subset("training")
    report = evaluate(training, result.detections[0], tiou=(0.1, 0.5))
    assert result.pooled[0] == pytest.approx(report.map, abs=0)
    # another way to localise needs no training; another training is refused
    settings = override(asked.settings, {"localization.nms_tiou": 0.2})
    cross_validate(dataclasses.replace(asked, settings=settings), **arguments)
    is_kept(weights)
    settings = override(asked.settings, {"training.learning_rate": 1e-5})
    with pytest.raises(
        RunError, match=r"trained with training\.learning_rate = 0\.0003"
    ):
        cross_validate(dataclasses.replace(asked, settings=settings), **arguments)
    # another deal of the videos is told from another training of the same ones
    with pytest.raises(RunError, match=r"fold_0 was trained on other videos .* --out"):
        cross_validate(asked, **arguments | {"folds": 3})
    values = result.to_json()
    assert values["map"] == pytest.approx(result.map.mean(axis=(0, 1)))
    assert values["average_std"] == pytest.approx(
        result.map.mean(axis=(1, 2)).std(ddof=1)
    )


def test_cross_validation_refuses_a_seed_that_is_given_twice(tiny_world, tmp_path):
    # its scores counted twice, and the spread over seeds came out too small
    with pytest.raises(ValueError, match="seed 3 is given twice; give each seed once"):
        cross_validate(request(tiny_world, tmp_path), folds=2, seeds=(3, 1, 3))


def test_cross_validation_refuses_more_folds_than_videos(tiny_world, tmp_path):
    with pytest.raises(ValueError, match="folds must be from 2 to 12, got 13"):
        cross_validate(request(tiny_world, tmp_path), folds=13, seeds=(0,))
