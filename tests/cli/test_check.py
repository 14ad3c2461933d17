"""``acmnet check`` calls ready what training can do, and nothing else."""

import collections
import dataclasses
import itertools
import json
import math
import shlex
import shutil
import typing

import numpy as np
import pytest

from acmnet.data.checks.refusals import DataError, problems
from acmnet.data.label_files import read_annotations
from acmnet.data.labelled_features import DataSource, open_data
from acmnet.limits import LARGEST_SETTINGS
from acmnet.recipes import RecipeError, Settings, recipe
from acmnet.runs import memory_needs
from acmnet.runs.memory_needs import memory_bytes, needed_bytes, refuse_oversized

ROOMS = typing.get_type_hints(Settings)
NUMBERS = [
    (room, field.name, kind)
    for room, cls in ROOMS.items()
    for field in dataclasses.fields(cls)
    for kind in [typing.get_type_hints(cls)[field.name]]
    if kind in (int, float) or typing.get_origin(kind) is tuple
]
ABSURD = [math.inf, -math.inf, math.nan, 1e308, -1e308, 1e9]


@pytest.fixture
def world(tiny_world, tmp_path):
    """Copy the world, so that a test may damage it: labels, features, options."""
    shutil.copytree(tiny_world[0].parent, tmp_path / "world")
    labels, features = tmp_path / "world/labels.json", tmp_path / "world/features"
    given = ["--annotations", labels, "--features", features, "--subset", "training"]
    return labels, features, given


def refusal(name, value):
    """Return why a setting is refused; empty where it is not."""
    try:
        recipe(overrides={name: value})
    except RecipeError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(("room", "name", "kind"), NUMBERS)
def test_absurd_numbers_of_every_setting(room, name, kind):
    """A learning_rate of infinity was called ready."""
    accepted = []
    for value in ABSURD:
        if kind is int and not math.isfinite(value):
            continue
        given = int(value) if kind is int else value
        if typing.get_origin(kind) is tuple:
            given = (value,)
        says = refusal(f"{room}.{name}", given)
        assert not says or f"{room}.{name} must be" in says, value
        if not says:
            accepted.append(given)
    # "never": a checkpoint every 10^9 epochs takes nothing
    assert accepted == ([10**9] if name == "checkpoint_every" else [])


@pytest.mark.parametrize(("room", "name"), [number[:2] for number in NUMBERS])
def test_limits_leave_the_recipes_alone(room, name):
    """Shipped values lie at least a factor of four below their limits."""
    most = LARGEST_SETTINGS.get(name, 1e6)
    for profile in ("best", "official", "paper"):
        value = getattr(getattr(recipe(profile=profile), room), name)
        for one in value if isinstance(value, tuple) else (value,):
            assert abs(one) <= most / 4


def test_a_network_beyond_memory_is_refused_by_check_and_train(acmnet, world):
    _, features, given = world
    shape = 3, 300_000
    for path in features.glob("*.npy"):
        np.save(path, np.zeros(shape, np.float16))
    manifest = json.loads((features / "features.json").read_text())
    manifest["dimension"] = shape[1]
    manifest.pop("sha256", None)
    (features / "features.json").write_text(json.dumps(manifest))
    labels = json.loads(world[0].read_text())
    for video in labels["database"].values():
        del video["duration"]
    world[0].write_text(json.dumps(labels))
    says = "GB or more for features of dimension 300,000 in"
    # as wide as the features: best would have 128 channels
    wide = ("--profile", "corrected")
    for verb in (["check"], ["train", "--device", "cpu", "--out", "r"]):
        code, out, err = acmnet(*verb, *given, *wide)
        assert code == 1
        assert says in err
        assert "ready" not in out


def test_what_is_needed_is_what_the_weights_take(tiny_world):
    data = open_data(DataSource(*tiny_world, "training"))
    settings = recipe(profile="corrected", overrides={"training.batch_size": 2})
    dimension, n_classes = data.store.dimension, len(data.annotations.class_names)
    layer = 3 * dimension**2 + dimension
    least = 4 * 4 * layer
    longest = max(data.store.shape(v)[0] for v in data.annotations.videos)
    most = 4 * (4 * (2 * layer + 9 * (dimension + 1) * (n_classes + 1)))
    most += 4 * 2 * longest * dimension * 2
    assert least < needed_bytes(settings, data) < most
    assert needed_bytes(settings, data) < memory_bytes()


def test_a_container_has_what_it_was_given(tmp_path, monkeypatch, tiny_world):
    limit = tmp_path / "memory.max"
    monkeypatch.setattr(memory_needs, "CGROUP", limit)
    limit.write_text("max\n")
    whole = memory_bytes()
    limit.write_text("1000\n")
    assert memory_bytes() == 1000 < whole
    with pytest.raises(DataError, match="there are 0 GB of memory; lower training"):
        refuse_oversized(Settings(), open_data(DataSource(*tiny_world, "training")))


def test_each_damaged_file_is_one_problem(acmnet, world):
    """A file's trailing byte was called ready; a bad header was said twice."""
    _, features, given = world
    paths = sorted(features.glob("train*.npy"))[:2]
    assert len(paths) == 2
    paths[0].write_bytes(paths[0].read_bytes() + b"\0")
    paths[1].write_bytes(paths[1].read_bytes()[:40])
    code, _, err = acmnet("check", *given)
    assert code == 1
    assert err.count("refused: ") == 2
    assert "acmnet: 2 problems would stop training" in err
    code, _, err = acmnet("train", *given, "--out", "r")
    assert code == 1
    assert paths[0].name in err


def test_times_outside_of_their_video_are_said(acmnet, world):
    labels, _, given = world
    content = json.loads(labels.read_text())
    video = next(v for v in content["database"].values() if v["subset"] == "training")
    label = next(
        a["label"] for v in content["database"].values() for a in v["annotations"]
    )
    video["annotations"].append(
        {"label": label, "segment": [video["duration"] + 5, video["duration"] + 9]}
    )
    video["annotations"].append({"label": label, "segment": [-9, -3]})
    labels.write_text(json.dumps(content))
    code, out, err = acmnet("check", *given)
    assert code == 0
    assert "ready: 12 videos" in out
    videos = [v for v in content["database"].values() if v["subset"] == "training"]
    names = sum(len({a["label"] for a in v["annotations"]}) for v in videos)
    segments = sum(len(v["annotations"]) for v in videos)
    assert f"{labels} holds {names} names, {segments} segments\n" in out
    assert "warning: " in err
    assert "after the video's duration of" in err
    assert "before 0, the first at -9 s" in err


@pytest.mark.parametrize(
    ("mark", "what"),
    [
        pytest.param({"point": 900.0}, "the point of {!r}", id="point"),
        pytest.param({"segment": [3.0, 900.0]}, "the segment of {!r}", id="segment"),
        pytest.param(None, "the watched span", id="watched"),
    ],
)
def test_a_mark_past_the_features_is_refused_where_it_is_learned(
    acmnet, world, mark, what
):
    """Tables hold no durations: times in frames would teach nothing, unnoticed."""
    labels, _, given = world
    content = json.loads(labels.read_text())
    database = content["database"]
    name = next(x for x, y in database.items() if y["subset"] == "training")
    for video in database.values():
        del video["duration"]
        video["annotations"] = [{"label": a["label"]} for a in video["annotations"]]
    label = database[name]["annotations"][0]["label"]
    database[name] |= {"watched": [[0.0, 900.0]]} if mark is None else {}
    database[name]["annotations"].append({"label": label} | (mark or {}))
    labels.write_text(json.dumps(content))
    assert acmnet("check", *given)[0] == 0
    code, _, err = acmnet("check", *given, "--supervision", "all")
    assert code == 1
    expected = f"video {name!r}: {what.format(label)} at 900 s lies outside of the"
    assert expected in " ".join(err.split())


def test_the_training_to_start_next_is_told_with_the_same_options(acmnet, world):
    labels, features, _ = world
    apart = features.rename(features.with_name("my features"))
    given = ["--annotations", str(labels), "--features", str(apart)]
    given += ["--subset", "training", "--skip-missing", "--supervision", "points"]
    given += ["--training.learning-rate", "0.002"]
    code, out, _ = acmnet("check", *given)
    assert code == 0
    told = out.splitlines()[-1]
    assert "'" in told
    words = shlex.split(told.removeprefix("next: "))
    assert words == ["acmnet", "train", *given, "--out", "runs/first"]
    assert "next: " not in acmnet("check", *given[:2], "--features", labels.parent)[1]


def test_each_file_is_opened_once(acmnet, world, monkeypatch):
    """Check took 3 ms a tiny video: each file was opened four times."""
    opened = []
    real = memory_needs.os.open

    def counted(path, *rest, **more):
        opened.append(str(path))
        return real(path, *rest, **more)

    monkeypatch.setattr("acmnet.files.file_access.os.open", counted)
    assert acmnet("check", *world[2])[0] == 0
    paths = [path for path in opened if path.endswith(".npy")]
    assert len(paths) == len(set(paths)) == 12


def test_copies_are_found_in_blocks_as_one_by_one():
    """The nearest of another group by one product for many videos."""
    from acmnet.data.checks.duplicate_videos import COMPARED_WITH, TwinSearch

    rng = np.random.default_rng(3)
    search = TwinSearch(5)
    for i in range(70):
        features = rng.normal(size=(40, 5)).astype(np.float32) + rng.normal(size=5)
        search.add(f"v{i}", ("a", "b", None)[i % 3], features.astype(np.float32))
    scale = np.ones(5, np.float32)
    means = np.stack(search.means) - np.stack(search.means).mean(axis=0)
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    expected = set()
    for a in range(70):
        others = [b for b in range(70) if search.groups[b] != search.groups[a]]
        others.sort(key=lambda b: -float(means[a] @ means[b]))
        expected |= {(min(a, b), max(a, b)) for b in others[:COMPARED_WITH]}
    assert search._nearest(scale) == sorted(expected)


def test_equal_snippets_are_counted_as_pair_by_pair():
    """Pairs with equal snippets, by one sorting of all snippets of all videos."""
    from acmnet.data.checks.duplicate_videos import (
        FEWEST_SNIPPETS,
        LEAST_SHARED,
        MOST_VIDEOS_OF_SNIPPET,
        TwinSearch,
    )

    rng = np.random.default_rng(1)
    search, rows = TwinSearch(1), {}
    # blocks of snippets, each in two or three videos; one row is in all of them
    blocks = [range(100 * k, 100 * k + 30) for k in range(12)]
    for v in range(MOST_VIDEOS_OF_SNIPPET + 3):
        own = [10_000, 20_000 + v]
        for k in rng.choice(12, 1 + v % 3, replace=False):
            own += [x for x in blocks[k] if rng.random() < 0.9]
        rows[v] = set(own)
        search.add(f"v{v}", "ab"[v % 2], np.array(own, np.float32)[:, None])
    expected = {}
    for a, b in itertools.combinations(rows, 2):
        common = [
            x
            for x in rows[a] & rows[b]
            if sum(x in own for own in rows.values()) <= MOST_VIDEOS_OF_SNIPPET
        ]
        share = len(common) / min(len(rows[a]), len(rows[b]))
        if (b - a) % 2 and len(common) >= FEWEST_SNIPPETS and share >= LEAST_SHARED:
            expected[a, b] = share
    assert len(expected) > 5
    assert dict(search._copies()) == expected


def test_a_training_with_the_accepted_extremes_works(acmnet, world):
    """What is accepted beyond all use must still do something."""
    extremes = ["--training.checkpoint-every", str(10**9), "--training.epochs", "1"]
    extremes += ["--profile", "corrected"]
    code, _, err = acmnet(
        *("train", *world[2], *extremes, "--training.batch-size", str(10**5)),
        *("--out", "r", "--device", "cpu"),
    )
    assert code == 0, err


def test_partial_features_are_used_when_asked_for(acmnet, world, tmp_path):
    """What is missing is listed, and the code is 3, whatever the verb."""
    labels, features, given = world
    shown = read_annotations(labels).subset("training").videos.values()
    counts = collections.Counter(name for video in shown for name in video.labels)
    often = max(counts, key=lambda name: counts[name])
    gone = [video.id for video in shown if video.labels == (often,)][:2]
    assert len(gone) == 2
    for video in gone:
        (features / f"{video}.npy").unlink()
    few = ["--training.epochs", "1", "--device", "cpu", "--profile", "corrected"]
    train = ["train", *given, *few, "--out", "r"]
    verbs = {
        "check": ["check", *given],
        "train": train,
        "crossvalidate": [
            *("crossvalidate", *given, *few, "--folds", "2", "--seeds", "0"),
            *("--out", "cv"),
        ],
        "localize": ["localize", "--run", "r", *given, "--out", "found.json"],
        "calibrate": ["calibrate", "--run", "r", *given],
    }
    for verb, arguments in verbs.items():
        code, _, err = acmnet(*arguments)
        assert code == 1, (verb, err)
        assert "2 of 12 videos have no features in" in err, verb
        assert "; --skip-missing leaves them out" in err, verb
        code, out, err = acmnet(*arguments, "--skip-missing")
        assert code == 3, (verb, err)
        assert "±" not in out, verb  # one seed has no spread
        assert "std over seeds" not in out, verb
        assert "note: 2 of 12 videos have no features in" in err, verb
        assert all(f"left out: '{video}': it has no" in err for video in gone), verb
        assert "acmnet: 2 of 12 videos were left out" in err, verb
    found = json.loads((tmp_path / "found.json").read_text())["results"]
    assert len(found) == 10
    assert not set(gone) & set(found)


def test_with_no_features_at_all_nothing_is_skipped(acmnet, world):
    _, features, given = world
    for path in features.glob("train*.npy"):
        path.unlink()
    code, out, err = acmnet("check", *given, "--skip-missing")
    assert code == 1
    assert "12 of 12 videos have no features in" in err
    assert "ready" not in out


def test_labels_that_name_no_action_are_refused_before_any_work(acmnet, world):
    """`check` said "ready", and `fit` told after hours of extraction."""
    labels, features, _ = world
    given = ["--annotations", labels, "--features", features]
    videos = json.loads(labels.read_text())["database"]
    nothing = {video: {**one, "annotations": []} for video, one in videos.items()}
    labels.write_text(json.dumps({"database": nothing}))
    (labels.parent / "made.mp4").write_text("no video, which nobody notices")
    for verb in (
        ["check", *given],
        ["train", *given, "--out", "run"],
        ["crossvalidate", *given, "--out", "run"],
        ["fit", labels.parent, labels, "--out", "run"],
        ["doctor", *given],
    ):
        code, out, err = acmnet(*verb)
        assert code == 1
        told = f"{labels} names no action in 18 videos, so there is nothing to learn;"
        assert told in out + err
        assert "ready" not in out
    assert not (labels.parent.parent / "run").exists()


def test_few_long_videos_of_a_class_are_mentioned(tmp_path):
    # a row of features for 40 s: 7 rows are under 5 min
    grid = {"fps": 25.0, "snippet_frames": 1000, "stride_frames": 1000}
    (tmp_path / "f").mkdir()
    (tmp_path / "f/features.json").write_text(json.dumps({"dimension": 2, **grid}))
    rows = {"a": 7, "b": 7, "unlabelled": 500}
    for name, n in rows.items():
        np.save(tmp_path / f"f/{name}.npy", np.ones((n, 2), dtype=np.float16))
    labels = tmp_path / "labels.csv"

    def told(second):
        labels.write_text(f"video,labels\na,x\nb,{second}\nunlabelled,\n")
        data = open_data(DataSource(labels, tmp_path / "f"))
        said = [says for _, says in problems(data, for_training=True)]
        return [says for says in said if "a name stands for" in says]

    assert told("x") == []
    np.save(tmp_path / "f/b.npy", np.ones((10, 2), dtype=np.float16))
    (says,) = told("x")
    assert "stands for 6 minutes of video, and fewer than 40 videos have 'x', " in says
    # "y" is in the longer one alone, and both classes are in one sentence
    (says,) = told("x|y")
    assert "fewer than 40 videos have 'x', 'y', so that names may say little" in says
    (says,) = told("z")
    assert "stands for 7 minutes of video, and fewer than 40 videos have 'z', " in says
