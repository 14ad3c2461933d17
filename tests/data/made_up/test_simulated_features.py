"""Simulated features: what follows on paper, whatever the order they are drawn in."""

import dataclasses
import itertools
import json

import numpy as np
import pytest

from acmnet.data.features.feature_store import open_store
from acmnet.data.formats.exchange_format import Source
from acmnet.data.label_files import read_annotations
from acmnet.data.labels.annotations import Instance, Video
from acmnet.data.made_up.simulated_features import chosen_videos, simulate
from acmnet.data.made_up.simulation_settings import SimulationError, SimulationSettings
from acmnet.data.made_up.video_simulator import GRID, Simulator, n_snippets, noise
from acmnet.segments import Segment
from support.commands import refused

SMALL = SimulationSettings(dimension=32)
CLASSES = ("jump", "run", "swim")


def a_video(name="a", seconds=128.0, subset="test"):
    """Return a video of 200 snippets with two instances, each 20 snippets long."""
    instances = (
        Instance("jump", Segment(25.6, 38.4)),
        Instance("jump", Segment(76.8, 89.6)),
    )
    return Video(
        id=name,
        subset=subset,
        duration_s=seconds,
        labels=("jump",),
        instances=instances,
    )


@pytest.fixture
def label_file(tmp_path):
    database = {
        f"{subset}_{i}": {
            "subset": subset,
            "duration": 30.0 + i,
            "annotations": [{"label": CLASSES[i % 3], "segment": [6.0, 12.0]}],
        }
        for subset in ("validation", "test")
        for i in range(4)
    }
    path = tmp_path / "gt.json"
    path.write_text(json.dumps({"taxonomy": CLASSES, "database": database}))
    return path


def content(directory):
    return {p.name: p.read_bytes() for p in sorted(directory.iterdir())}


def test_a_folder_of_label_files_is_simulated(tmp_path):
    folder = tmp_path / "labels"
    folder.mkdir()
    table = ",background,jump\n" + "0,1,0\n" * 30 + "1,0,1\n" * 30 + "2,1,0\n" * 30
    lines = table.splitlines()
    rows = [f"{i - 1}{x[1:]}" for i, x in enumerate(lines[1:], 1)]
    (folder / "a.csv").write_text("\n".join([lines[0], *rows]) + "\n")
    source = Source(folder, 2.0)
    assert simulate(source, tmp_path / "out", SMALL) == 1
    (folder / "b.csv").write_bytes((folder / "a.csv").read_bytes())
    with pytest.raises(SimulationError):  # two files are another simulation
        simulate(source, tmp_path / "out", SMALL)


def test_the_same_video_is_drawn_whenever_it_is_drawn():
    first = Simulator(SMALL, CLASSES)
    alone = first.video(a_video()).features
    other = first.video(a_video("b")).features
    second = Simulator(SMALL, CLASSES)
    assert (second.video(a_video("b")).features == other).all()
    assert (second.video(a_video()).features == alone).all()
    assert not (other == alone).all()
    seeded = Simulator(dataclasses.replace(SMALL, seed=1), CLASSES)
    assert not (seeded.video(a_video()).features == alone).all()


def test_a_video_does_not_depend_on_which_others_are_drawn(label_file, tmp_path):
    simulate(label_file, tmp_path / "all", SMALL)
    simulate(label_file, tmp_path / "some", SMALL, subsets=("test",), videos=2)
    every = content(tmp_path / "all" / "features")
    some = content(tmp_path / "some" / "features")
    # the videos and features.json
    assert len(some) == 3
    assert len(every) == 9
    assert some.items() <= every.items()


def test_fewer_videos_are_among_more(label_file):
    annotations = read_annotations(label_file)
    picked = [set(chosen_videos(annotations, (), n, 0)) for n in (1, 2, 3, None)]
    assert [len(x) for x in picked] == [2, 4, 6, 8]
    assert all(less < more for less, more in itertools.pairwise(picked))


def test_noise_has_the_variance_and_correlation_of_the_formulas():
    settings = dataclasses.replace(SMALL, dimension=200, smoothness=0.5)
    x = noise(np.random.default_rng(0), 2000, settings) / settings.noise
    # 400,000 values, about 133,000 of them independent: errors below 0.02
    assert x.std() == pytest.approx(1.0, abs=0.02)
    for lag in (1, 2, 3):
        assert (x[lag:] * x[:-lag]).mean() == pytest.approx(0.5**lag, abs=0.02)


def test_features_have_the_tails_of_a_log_normal():
    """Without content, s = (0.5 * 0.8)^2 = 0.16: skewness 1.32, excess kurtosis 3.26.

    (e^0.16 + 2) sqrt(e^0.16 - 1) = 3.1735 * 0.4166 = 1.322;
    e^0.64 + 2 e^0.48 + 3 e^0.32 - 6 = 1.8965 + 3.2321 + 4.1314 - 6 = 3.260.
    """
    bare = {"scene": 0.0, "background": 0.0, "offset": 0.0, "action": 1e-9}
    settings = dataclasses.replace(
        SMALL, dimension=4000, noise=0.8, spread=0.5, smoothness=0.0, **bare
    )
    x = np.concatenate(
        [
            Simulator(settings, CLASSES).video(a_video(f"v{i}")).features.ravel()
            for i in range(3)
        ]
    )
    assert x.min() > 0
    u = (x - x.mean()) / x.std()
    assert (u**3).mean() == pytest.approx(1.322, abs=0.03)
    assert (u**4).mean() - 3 == pytest.approx(3.26, abs=0.25)


def test_context_grows_more_like_the_action_with_the_dial():
    likeness = []
    for context in (0.1, 0.5, 1.0):
        settings = dataclasses.replace(SMALL, dimension=128, context=context)
        simulator = Simulator(settings, CLASSES)
        found = []
        for i in range(12):
            drawn = simulator.video(a_video(f"v{i}"))
            x = drawn.features
            x = x / np.linalg.norm(x, axis=1, keepdims=True)
            mean = x[drawn.action == 1].mean(axis=0)
            beside = np.zeros(len(x), dtype=bool)
            # two snippets before and after the instances at 40 and at 120
            beside[[38, 39, 60, 61, 118, 119, 140, 141]] = True
            found.append((x[beside] @ mean).mean())
        likeness.append(np.mean(found))
    assert likeness[0] < likeness[1] < likeness[2]


def test_no_context_at_dial_0_and_shares_add_up():
    none = Simulator(dataclasses.replace(SMALL, context=0.0), CLASSES)
    assert none.video(a_video()).context.max() == 0
    drawn = Simulator(dataclasses.replace(SMALL, context=1.0), CLASSES).video(a_video())
    # 2 instances of 12.8 s / 0.64 s = 20 snippets each
    assert drawn.action.sum() == pytest.approx(40)
    assert drawn.context.sum() > 0
    assert (drawn.action + drawn.context).max() <= 1 + 1e-12
    assert drawn.features.min() > 0


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        pytest.param(0.64, 1, id="one window"),
        pytest.param(1.27, 1, id="a frame short of two"),
        pytest.param(1.28, 2, id="two"),
        pytest.param(226.63333, 354, id="THUMOS: 5665 frames, 354.06 windows"),
    ],
)
def test_snippets_fill_the_duration(seconds, expected):
    assert n_snippets(a_video(seconds=seconds)) == expected
    assert GRID.span_s(expected) <= seconds + 1e-6 < GRID.span_s(expected + 1)


def test_files_agree_with_the_annotations(label_file, tmp_path):
    assert simulate(label_file, tmp_path / "out", SMALL) == 8
    store = open_store(tmp_path / "out" / "features")
    before = read_annotations(label_file)
    after = read_annotations(tmp_path / "out" / "annotations.json")
    assert after.videos == before.videos
    assert after.class_names == before.class_names
    assert (store.grid, store.dimension) == (GRID, 32)
    for video in after.videos.values():
        assert store.shape(video.id) == (n_snippets(video), 32)
        assert store.read(video.id).element_size() == 2


def test_a_label_can_be_read_off_but_not_a_shuffled_one():
    """Nearest class mean of action snippets, on videos that it was not made of."""
    simulator = Simulator(dataclasses.replace(SMALL, dimension=64), CLASSES)
    rows, labels = [], []
    for i in range(60):
        label = CLASSES[i % 3]
        video = a_video(f"v{i}")
        own = tuple(Instance(label, one.segment) for one in video.instances)
        video = dataclasses.replace(video, labels=(label,), instances=own)
        drawn = simulator.video(video)
        rows.append(drawn.features[drawn.action == 1].mean(axis=0))
        labels.append(i % 3)
    x, y = np.array(rows), np.array(labels)

    def accuracy(taught):
        means = np.stack([x[:30][taught == c].mean(axis=0) for c in range(3)])
        apart = ((x[30:, None] - means) ** 2).sum(axis=2)
        return (apart.argmin(axis=1) == y[30:]).mean()

    assert accuracy(y[:30]) > 0.8
    shuffled = [
        accuracy(np.random.default_rng(i).permutation(y[:30])) for i in range(20)
    ]
    assert np.mean(shuffled) < 0.55  # chance is 1/3


def test_tails_beyond_fp16_are_held_at_its_limit(label_file, tmp_path):
    # of ActivityNet's 19,218 videos one reached exp(11.1) > 65504 at the defaults
    wild = dataclasses.replace(SMALL, spread=3.0)
    simulate(label_file, tmp_path, wild)
    values = np.concatenate([np.load(p) for p in (tmp_path / "features").glob("*.npy")])
    assert values.max() == np.finfo(np.float16).max
    assert np.isfinite(values).all()


def test_a_finished_video_is_not_drawn_again(label_file, tmp_path):
    out = tmp_path / "out"
    simulate(label_file, out, SMALL)
    whole = content(out / "features")
    (out / "features" / "test_1.npy").unlink()
    seen = []
    drawn = simulate(label_file, out, SMALL, on_video=lambda *x: seen.append(x))
    assert (drawn, seen) == (1, [(7, 8), (8, 8)])
    assert content(out / "features") == whole


@pytest.mark.parametrize(
    ("change", "word"),
    [
        pytest.param({"context": 0.6}, "context", id="dial"),
        pytest.param({"seed": 1}, "seed", id="seed"),
        pytest.param({"dimension": 33}, "dimension", id="dimension"),
    ],
)
def test_another_simulation_is_refused(label_file, tmp_path, change, word):
    simulate(label_file, tmp_path / "out", SMALL)
    before = content(tmp_path / "out" / "features")
    with pytest.raises(SimulationError, match=f"another simulation: its {word} is"):
        simulate(label_file, tmp_path / "out", dataclasses.replace(SMALL, **change))
    assert content(tmp_path / "out" / "features") == before


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("context", -0.1),
        ("context", 1.1),
        ("context", float("nan")),
        ("dimension", 1),
        ("spread", 0.0),
        ("smoothness", 1.0),
        ("hardest", 0.0),
        ("noise", 0.0),
    ],
)
def test_settings_refuse_what_no_world_is_like(field, value):
    with pytest.raises(SimulationError, match=field):
        SimulationSettings(**{field: value})


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        pytest.param({"duration_s": None}, "no duration", id="no duration"),
        pytest.param({"duration_s": 0.5}, "less than one snippet", id="too short"),
        pytest.param({"instances": ()}, "without a segment", id="weak labels"),
    ],
)
def test_a_video_that_cannot_be_drawn_is_refused(changes, word):
    video = dataclasses.replace(a_video(), **changes)
    with pytest.raises(SimulationError, match=f"'a' .*{word}"):
        Simulator(SMALL, CLASSES).video(video)


def test_the_verb(acmnet, label_file, tmp_path):
    call = ("simulate", "--annotations", label_file, "--out", tmp_path / "out")
    code, out, err = acmnet(*call, "--subset", "test", "--dimension", "8")
    assert (code, err) == (0, "")
    assert "4 videos drawn" in out
    assert acmnet(*call, "--subset", "test", "--dimension", "8")[1].startswith("0 ")
    refused(acmnet(*call, "--subset", "test"), "another simulation", "dimension")
    refused(acmnet(*call, "--subset", "train"), "no subset 'train'")
    refused(acmnet(*call, "--videos", "0"), "videos", "0")
    refused(acmnet(*call, "--context", "2"), "context", "[0, 1]")


@pytest.mark.parametrize(
    ("duration", "words"),
    [
        (None, "2 of 8 videos have no duration ('validation_0', 'validation_1'); add"),
        (0.5, "video 'validation_0' has duration 0.5 s, less than one snippet"),
    ],
)
def test_lengths_that_cannot_be_drawn_are_refused_by_file(
    acmnet, label_file, tmp_path, duration, words
):
    values = json.loads(label_file.read_text())
    for video in list(values["database"].values())[:2]:
        video |= {"duration": duration, "annotations": []}
        if duration is None:
            del video["duration"]
    label_file.write_text(json.dumps(values))
    call = ("simulate", "--annotations", label_file, "--out", tmp_path / "out")
    refused(acmnet(*call), f"{label_file}: {words}")
    assert not (tmp_path / "out").exists()


def test_the_real_annotations_can_be_drawn(shared_data, tmp_path):
    source = shared_data / "thumos14" / "gt_212.json"
    small = dataclasses.replace(SMALL, dimension=8)
    assert simulate(source, tmp_path, small, videos=3) == 6
    store = open_store(tmp_path / "features")
    after = read_annotations(tmp_path / "annotations.json")
    for video in after.videos.values():
        length, _ = store.shape(video.id)
        assert 0 <= video.duration_s - GRID.span_s(length) + 1e-6 < GRID.stride_s


def test_contexts_of_neighbours_do_not_add_up_to_more_than_the_action():
    # instances of 6.4 s every 9 s: at dial 1 the contexts of neighbours overlap
    times = (20.0, 29.0, 38.0, 47.0)
    own = tuple(Instance("a", Segment(t, t + 6.4)) for t in times)
    video = Video(id="v", subset="test", duration_s=128.0, labels=("a",), instances=own)
    settings = dataclasses.replace(
        SimulationSettings(context=1.0, dimension=4096, noise=1e-6, phase_share=0.0),
        scene=0.0,
        background=0.0,
        offset=0.0,
    )
    simulator = Simulator(settings, ("a", "b"))
    drawn = simulator.video(video)
    direction = simulator._action("a", np.zeros(1))[0]
    shown = np.log(drawn.features) / settings.spread @ direction
    amount = shown / simulator._strength("a")
    # gains are in [0.7, 1.2]; a partial action is 0.7 of its instance's
    assert amount[drawn.action == 0].max() <= 0.7 * 1.2 + 1e-3
    assert amount[drawn.action == 1].max() <= 1.2 + 1e-3


def test_videos_without_a_segment_are_left_out_and_named(label_file, tmp_path):
    content = json.loads(label_file.read_text())
    first = next(iter(content["database"]))
    for annotation in content["database"][first]["annotations"]:
        del annotation["segment"]
    source = tmp_path / "some.json"
    source.write_text(json.dumps(content))
    notes = []
    simulate(source, tmp_path / "out", SMALL, on_note=notes.append)
    (told,) = notes
    assert told.startswith("1 of 8 videos is left out")
    assert first in told
    assert not (tmp_path / "out" / "features" / f"{first}.npy").exists()


def test_activitynet_is_drawn(shared_data, tmp_path):
    source = shared_data / "activitynet13" / "anet13_anno_action_bmn.json"
    notes = []
    small = dataclasses.replace(SMALL, dimension=2)
    simulate(
        source, tmp_path, small, subsets=("validation",), videos=3, on_note=notes.append
    )
    assert len(list((tmp_path / "features").glob("*.npy"))) == 3
    assert notes[0].startswith("10 of 19228 videos are left out")
