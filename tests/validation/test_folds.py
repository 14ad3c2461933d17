"""Folds of a cross-validation: every class is trained and tested on where it can be."""

import json

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from acmnet.checkpoints.checkpoint import load_config
from acmnet.data.label_files import read_annotations
from acmnet.data.labels.annotations import weak_labels
from acmnet.data.made_up.feature_world import WorldSettings, make_world, write_world
from acmnet.data.video_groups import VideoGroups
from acmnet.validation.folds import fold_problems, stratified_folds
from support.commands import refused


def rare_class(n_videos, rare):
    """Return labels of videos of which the places ``rare`` carry a second class."""
    return {
        f"v{i:02}": ("common", "rare") if i in rare else ("common",)
        for i in range(n_videos)
    }


def test_two_videos_of_a_class_are_never_in_one_fold():
    # dealt by chance alone, they are in one of 4 folds for about a fifth of the pairs
    for first in range(12):
        for second in range(first):
            dealt = stratified_folds(rare_class(12, (first, second)), 4)
            rare = {f"v{first:02}", f"v{second:02}"}
            assert all(len(fold & rare) < 2 for fold in dealt.videos)
            assert not dealt.untrained
            assert [len(fold) for fold in dealt.videos] == [3, 3, 3, 3]
            assert [len(folds) for folds in dealt.untested.values()] == [2]


ONE_EACH = st.lists(st.sampled_from(["a", "b", "c", ""]), min_size=2, max_size=30)


@given(ONE_EACH, st.integers(2, 6))
def test_single_labels_are_everywhere_they_can_be(names, folds):
    labels = {f"v{i}": (x,) if x else () for i, x in enumerate(names)}
    folds = min(folds, len(labels))
    dealt = stratified_folds(labels, folds)
    assert sorted(v for fold in dealt.videos for v in fold) == sorted(labels)
    assert all(fold for fold in dealt.videos)
    for name in {"a", "b", "c"} & set(names):
        counts = [sum(name in labels[v] for v in fold) for fold in dealt.videos]
        assert max(counts) - min(counts) <= 1
        assert (name in dealt.untrained) == (names.count(name) == 1)
        assert (name in dealt.untested) == (names.count(name) < folds)


SOME = st.lists(st.sets(st.sampled_from("abc")), min_size=2, max_size=16)


@given(SOME, st.integers(2, 5), st.randoms())
def test_the_same_videos_are_dealt_alike_in_any_order(names, folds, random):
    labels = {f"v{i}": tuple(sorted(own)) for i, own in enumerate(names)}
    folds = min(folds, len(labels))
    dealt = stratified_folds(labels, folds)
    assert sorted(v for fold in dealt.videos for v in fold) == sorted(labels)
    items = list(labels.items())
    random.shuffle(items)
    assert stratified_folds(dict(items), folds) == dealt
    for name, fold in dealt.untrained.items():
        having = {v for v, own in labels.items() if name in own}
        assert having <= dealt.videos[fold]


def test_real_classes_are_trained_and_tested_in_every_fold(shared_data):
    path = shared_data / "shrec22" / "training" / "annotations.json"
    labels = weak_labels(read_annotations(path))
    dealt = stratified_folds(labels, 4)
    assert not dealt.untrained
    assert not dealt.untested
    sizes = [len(fold) for fold in dealt.videos]
    assert sum(sizes) == len(labels)
    assert max(sizes) - min(sizes) <= 4
    names = sorted({x for own in labels.values() for x in own})
    shares = np.array(
        [[sum(x in labels[v] for v in fold) for x in names] for fold in dealt.videos]
    )
    assert (shares >= 0.6 * shares.mean(axis=0)).all()
    assert np.ptp(shares, axis=0).mean() <= 3.0


def test_what_cannot_be_dealt_is_said():
    (one,) = fold_problems(rare_class(8, (3,)), 4, "labels.csv")
    assert "labels.csv: class 'rare' is in 1 video, which fold" in one
    assert "of 4 tests on" in one
    assert "needs 2 videos or more of every class" in one
    (few,) = fold_problems(rare_class(3, (0, 1)), 4, "labels.csv")
    assert "3 videos cannot be dealt into 4 folds; give from 2 to 3" in few
    (few,) = fold_problems({"a": ["x"], "b": []}, 4, "labels.csv")
    assert "2 videos cannot be dealt into 4 folds; give 2" in few
    (few,) = fold_problems({"a": ["x"]}, 4, "labels.csv")
    assert "1 video cannot be dealt into 4 folds; at least 2 are needed" in few
    assert fold_problems(rare_class(8, (3, 4)), 4, "labels.csv") == []


@pytest.fixture
def lone_class(tmp_path):
    """Give labels, of which one class is in one video only, and features."""
    settings = WorldSettings(training_videos=24, test_videos=1, dimension=8)
    path, features = write_world(make_world(0, settings), tmp_path / "world")
    content = json.loads(path.read_text())
    first = next(iter(content["database"].values()))
    first["annotations"] += [{"label": "somersault"}]
    content["taxonomy"] += ["somersault"]
    path.write_text(json.dumps(content))
    given = ["--annotations", path, "--features", features, "--subset", "training"]
    return [*given, "--training.epochs", "1", "--profile", "corrected"]


def test_crossvalidate_refuses_before_it_trains(acmnet, lone_class, tmp_path):
    words = ["'somersault' is in 1 video", "of 4 tests on", "needs 2 videos or more"]
    refused(acmnet("crossvalidate", *lone_class, "--out", "cv"), *words)
    assert not (tmp_path / "cv").exists()


def test_check_knows_of_folds(acmnet, lone_class):
    code, out, err = acmnet("check", *lone_class)
    assert code == 0  # training is possible
    assert "ready" in out
    assert "note: crossvalidate with 4 folds would be refused: " in err
    assert "'somersault' is in 1 video" in err
    code, _, err = acmnet("check", *lone_class, "--folds", "2")
    assert code == 1
    assert "refused: " in err
    assert "of 2 tests on" in err
    assert "1 problem would stop training" in err


# -- groups ----------------------------------------------------------------------------

GROUPED = st.lists(
    st.tuples(st.sets(st.sampled_from("abc")), st.integers(0, 5)),
    min_size=2,
    max_size=16,
)


@given(GROUPED, st.integers(2, 5))
def test_videos_of_a_group_are_never_apart_and_no_fold_is_empty(videos, folds):
    labels = {f"v{i}": tuple(sorted(own)) for i, (own, _) in enumerate(videos)}
    group_of = {f"v{i}": f"g{group}" for i, (_, group) in enumerate(videos)}
    n_groups = len(set(group_of.values()))
    if n_groups < 2:
        return
    folds = min(folds, n_groups)
    dealt = stratified_folds(labels, folds, group_of)
    assert sorted(v for fold in dealt.videos for v in fold) == sorted(labels)
    for fold in dealt.videos:
        inside = {group_of[v] for v in fold}
        assert inside
        assert fold == {v for v in labels if group_of[v] in inside}


def test_as_many_folds_as_groups_hold_out_one_group_each():
    labels = {f"{group}{i}": ("x",) for group in "abcde" for i in range(8)}
    group_of = {video: video[0] for video in labels}
    dealt = stratified_folds(labels, 5, group_of)
    assert sorted(sorted(fold)[0][0] for fold in dealt.videos) == list("abcde")
    assert {len(fold) for fold in dealt.videos} == {8}


def test_a_group_of_its_own_for_each_video_keeps_videos_and_classes_even():
    labels = rare_class(12, (3, 7))
    dealt = stratified_folds(labels, 4, {video: video for video in labels})
    assert [len(fold) for fold in dealt.videos] == [3, 3, 3, 3]
    assert not dealt.untrained


def test_a_class_of_one_group_is_refused_with_what_to_do():
    labels = {"a": ("jump",), "b": ("jump", "run"), "c": ("run",), "d": ("run",)}
    groups = VideoGroups("g.csv", {"a": "1", "b": "1", "c": "2", "d": "3"})
    (problem,) = fold_problems(labels, 2, "labels.csv", groups)
    assert "labels.csv: class 'jump' is in 2 videos, all of group '1', " in problem
    assert "needs every class in 2 groups or more" in problem
    (problem,) = fold_problems(labels, 4, "labels.csv", groups)
    assert problem == ("g.csv: 3 groups cannot be dealt into 4 folds; give from 2 to 3")


def test_crossvalidate_keeps_groups_together(tiny_world, acmnet, tmp_path):
    labels, features = tiny_world
    videos = read_annotations(labels).subset("training").videos
    rows = [f"{video},{i // 4}" for i, video in enumerate(videos)]
    (tmp_path / "groups.csv").write_text("\n".join(["video,group", *rows]))
    given = ["--annotations", labels, "--features", features, "--subset", "training"]
    few = ["--seeds", 0, "--training.epochs", 1, "--profile", "corrected"]
    code, out, err = acmnet(
        "crossvalidate", *given, *few, "--groups", "groups.csv", "--out", "cv"
    )
    assert (code, "several folds" in err) == (0, False)
    assert "3 folds of 3 groups" in out
    runs = sorted((tmp_path / "cv/seed_0").glob("fold_*"))
    trained = [load_config(run).trained_on for run in runs]
    assert len(trained) == 3
    for own in trained:
        held_out = {row for row in rows if row.split(",")[0] not in own}
        assert len({row.split(",")[1] for row in held_out}) == 1
