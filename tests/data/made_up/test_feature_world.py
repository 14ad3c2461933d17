"""The small world: the same for a seed, and as hard as it claims to be."""

import numpy as np

from acmnet.data.features.feature_store import open_store
from acmnet.data.label_files import read_annotations
from acmnet.data.made_up.feature_world import (
    CLASS_NAMES,
    GRID,
    WorldSettings,
    make_world,
    write_world,
)


def test_a_seed_gives_the_same_world():
    one, same, other = make_world(1), make_world(1), make_world(2)
    assert one.annotations == same.annotations != other.annotations
    for video, features in one.features.items():
        assert np.array_equal(features, same.features[video])


def test_what_is_written_reads_back(tmp_path):
    world = make_world(0, WorldSettings(training_videos=6, test_videos=6))
    labels, features = write_world(world, tmp_path)
    annotations, store = read_annotations(labels), open_store(features)
    assert annotations.class_names == CLASS_NAMES
    assert store.grid == GRID
    for video, values in world.features.items():
        assert np.array_equal(store.read(video).numpy(), values)
        duration_s = annotations.videos[video].duration_s
        assert duration_s == round(GRID.span_s(len(values)), 3)


def test_every_class_occurs_in_both_subsets_and_inside_its_video():
    for seed in range(5):
        for subset in ("training", "test"):
            seen = set()
            for video in make_world(seed).annotations["database"].values():
                if video["subset"] == subset:
                    for instance in video["annotations"]:
                        seen.add(instance["label"])
                        start_s, end_s = instance["segment"]
                        assert 0 <= start_s < end_s <= video["duration"]
            assert seen == set(CLASS_NAMES)


def test_context_shares_the_scene_but_not_the_action():
    # the mean feature of a class's instances is action + scene; of two classes in one
    # scene (0 and 1) the means are closer than of two in different scenes (0 and 2)
    world = make_world(0)
    sums = {name: [] for name in CLASS_NAMES}
    for video, entry in world.annotations["database"].items():
        for instance in entry["annotations"]:
            start, end = (round(s / GRID.stride_s) for s in instance["segment"])
            sums[instance["label"]].append(
                world.features[video][start:end].mean(axis=0)
            )
    means = [np.mean(sums[name], axis=0) for name in CLASS_NAMES]
    same_scene = np.linalg.norm(means[0] - means[1])
    other_scene = np.linalg.norm(means[0] - means[2])
    assert same_scene < 0.9 * other_scene
