"""Sampling worked by hand and against loops; packing; no temporal truth."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from acmnet.data.datasets import (
    WeakDataset,
    drawn_numbers,
    multi_hot,
    rounded_up,
    sampled_positions,
)
from acmnet.data.features.feature_store import open_store
from acmnet.data.label_files import read_annotations
from acmnet.data.labels.annotations import weak_labels
from acmnet.data.sampling_settings import SamplingSettings


def source(seed=0):
    return torch.Generator().manual_seed(seed)


def sample_positions(lengths, n, method, generator):
    """Positions and mask of videos of these lengths, as a batch of them has."""
    numbers = drawn_numbers(len(lengths), n, method, generator)
    longest = min(n, int(lengths.max()))
    return sampled_positions(lengths, n, method, numbers, longest)


def test_uniform_keeps_short_videos_as_they_are():
    position, mask = sample_positions(torch.tensor([2, 3]), 5, "uniform", source())
    assert position.tolist() == [[0.0, 1.0, 0.0], [0.0, 1.0, 2.0]]
    assert mask.tolist() == [[True, True, False], [True, True, True]]


@pytest.mark.parametrize("length", [5, 7, 8, 100, 3000])
def test_uniform_takes_every_l_over_t(length):
    position, mask = sample_positions(torch.tensor([length]), 5, "uniform", source())
    assert position[0].tolist() == [float(i * length // 5) for i in range(5)]
    assert mask.all()


@pytest.mark.parametrize("length", [1, 2, 5, 40, 333])
def test_interpolation_agrees_with_torch(length):
    features = torch.randn(length, 3, dtype=torch.float64)
    position, mask = sample_positions(
        torch.tensor([length]), 50, "interpolate", source()
    )
    low = position[0].long()
    high = (low + 1).clamp(max=length - 1)
    share = (position[0] - low).unsqueeze(1)
    ours = features[low].lerp(features[high], share)
    theirs = functional.interpolate(
        features.T[None], size=50, mode="linear", align_corners=False
    )
    assert torch.allclose(ours, theirs[0].T)
    assert mask.all()


def test_random_is_the_identity_at_equal_length():
    position, _ = sample_positions(torch.tensor([6]), 6, "random", source())
    assert position[0].tolist() == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("length", [7, 11, 100, 1001])
def test_random_draws_from_the_authors_strata(length):
    # stratum i is floor(i L / T) .. floor((i + 1) L / T), both included; the last one
    # begins where the one before was drawn (dataset_class.py:33-37)
    n = 6
    lengths = torch.full((2000,), length)
    position, mask = sample_positions(lengths, n, "random", source())
    for i in range(n - 1):
        first, last = i * length // n, (i + 1) * length // n
        assert position[:, i].min() == first
        assert position[:, i].max() == last
    assert (position[:, -1] >= position[:, -2]).all()
    assert position[:, -1].max() == length - 1
    assert mask.all()


def test_random_draws_evenly_within_a_stratum():
    # L = 12, T = 4: stratum 0 is {0, 1, 2, 3}, each 5000 times in 20,000
    lengths = torch.full((20_000,), 12)
    position, _ = sample_positions(lengths, 4, "random", source())
    counts = position[:, 0].long().bincount()
    # 4.1 standard deviations of a binomial: sqrt(20000 * 1/4 * 3/4) = 61
    assert ((counts - 5000).abs() < 250).all()


def test_random_replaces_in_short_videos():
    position, mask = sample_positions(torch.tensor([3] * 500), 20, "random", source())
    assert (position.diff(dim=1) >= 0).all()
    assert position.unique().tolist() == [0.0, 1.0, 2.0]
    assert mask.all()


@pytest.mark.parametrize("method", ["random", "interpolate", "uniform"])
def test_one_snippet_works(method):
    position, mask = sample_positions(torch.tensor([1, 4]), 3, method, source())
    assert position[0].tolist() == [0.0] * 3
    assert mask[0, 0]


@pytest.mark.parametrize("method", ["random", "interpolate", "uniform"])
def test_t_of_one_works(method):
    position, _ = sample_positions(torch.tensor([9] * 200), 1, method, source())
    assert 0 <= position.min() <= position.max() <= 8


@pytest.mark.parametrize("method", ["random", "interpolate", "uniform", "crop"])
@pytest.mark.parametrize("in_memory", [True, False])
def test_batches_equal_a_loop_over_videos(tiny_world, method, in_memory):
    labels, features = tiny_world
    annotations = read_annotations(labels).subset("training")
    store = open_store(features)
    dataset = WeakDataset(
        store, weak_labels(annotations), annotations.class_names, in_memory=in_memory
    )
    index = torch.tensor([3, 0, 7])
    settings = SamplingSettings(snippets=70, method=method)
    batch = dataset.batch(dataset.draw(index, settings, source(5)), settings)
    position, mask = sample_positions(dataset.lengths[index], 70, method, source(5))
    assert torch.equal(batch.mask, mask)
    assert batch.features.dtype == torch.float32
    for row, i in enumerate(index.tolist()):
        video = np.load(features / f"{dataset.video_ids[i]}.npy").astype(np.float32)
        for t in range(position.shape[1]):
            at = float(position[row, t])
            low, high = int(at), min(int(at) + 1, len(video) - 1)
            share = at - low if method == "interpolate" else 0.0
            expected = (1 - share) * video[low] + share * video[high]
            assert np.allclose(batch.features[row, t].numpy(), expected, atol=1e-5)


def test_a_part_of_a_batch_is_drawn_like_the_whole(tiny_world):
    labels, features = tiny_world
    annotations = read_annotations(labels).subset("training")
    dataset = WeakDataset(
        open_store(features), weak_labels(annotations), annotations.class_names
    )
    index, settings = torch.arange(6), SamplingSettings(50, "random")
    whole, part = (
        dataset.batch(dataset.draw(index, settings, source(), x), settings)
        for x in (slice(None), slice(2, 5))
    )
    for name in whole._fields:
        assert torch.equal(getattr(whole, name)[2:5], getattr(part, name))


def test_a_crop_is_a_stretch_that_begins_anywhere():
    lengths = torch.tensor([5] * 3000 + [2])
    position, mask = sample_positions(lengths, 3, "crop", source())
    assert (position[:-1].diff(dim=1) == 1).all()
    # starts 0, 1, 2 each 1000 times; 4 standard deviations: 4 sqrt(3000 * 2/9) = 103
    assert ((position[:-1, 0].long().bincount() - 1000).abs() < 103).all()
    assert position[-1].tolist() == [0.0, 1.0, 0.0]
    assert mask[-1].tolist() == [True, True, False]


def test_labels_are_refused_by_name():
    message = "video 'v' has the label 'run', which is not one of 1 class"
    with pytest.raises(ValueError, match=message):
        multi_hot({"v": ("run",)}, ["jump"])


def test_nothing_to_train_on_is_refused(tiny_world):
    with pytest.raises(ValueError, match="no video to train on"):
        WeakDataset(open_store(tiny_world[1]), {}, ["jump"])


def test_settings_refuse():
    with pytest.raises(ValueError, match="snippets must be at least 1, got 0"):
        SamplingSettings(snippets=0)


@pytest.mark.parametrize("in_memory", [True, False])
def test_statistics_are_over_every_snippet(tiny_world, in_memory):
    labels, features = tiny_world
    annotations = read_annotations(labels).subset("training")
    store = open_store(features)
    dataset = WeakDataset(
        store, weak_labels(annotations), annotations.class_names, in_memory=in_memory
    )
    every = np.concatenate([store.read(v).numpy() for v in annotations.videos])
    mean, deviation = dataset.statistics()
    assert mean.dtype == deviation.dtype == torch.float32
    np.testing.assert_allclose(mean, every.mean(0, dtype=np.float64), rtol=1e-5)
    np.testing.assert_allclose(deviation, every.std(0, dtype=np.float64), rtol=1e-5)


@pytest.mark.parametrize("method", ["uniform", "crop"])
def test_wider_batches_show_the_same_snippets(method):
    # as on a GPU, where batches are widened to few shapes
    lengths = torch.tensor([5, 9, 70])
    numbers = drawn_numbers(3, 12, method, source())
    tight = sampled_positions(lengths, 12, method, numbers, 12)
    short = sampled_positions(lengths[:2], 12, method, numbers[:2], 9)
    for one, wide in zip(short, tight, strict=True):
        assert torch.equal(one, wide[:2, :9])
        assert not wide[:2, 9:].any()


@given(st.integers(1, 100_000))
def test_batches_are_widened_by_a_quarter_at_most(length):
    wide = rounded_up(length)
    assert length <= wide <= max(1.25 * length, length + 15)
