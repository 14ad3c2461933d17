"""What names tell of the snippets of long recordings; on tiny planted recordings."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from acmnet.data.datasets import WeakDataset
from acmnet.data.features.feature_store import open_store, write_features
from acmnet.network.network_settings import ModelSettings
from acmnet.recipes import recipe
from acmnet.runs import network_training
from acmnet.segments import SnippetGrid
from acmnet.training.first_stage.marked_snippets import (
    MarkedInstance,
    SnippetMarks,
    known_labels,
)
from acmnet.training.mining.shared_directions import LEAST_RECORDINGS, shared_direction
from acmnet.training.mining.snippet_mining import (
    mine_snippets,
    mining_bytes,
    mining_note,
)
from acmnet.training.mining.whitened_recordings import whitening_of

GRID = SnippetGrid(fps=25, snippet_frames=16, stride_frames=16)
RECORDINGS, SNIPPETS, COLUMNS = 16, 200, 6
BEST = ModelSettings(most_pooled=20)
"""What `best` has: 200 // 8 snippets are more than 20, so 200 are a long recording."""
AT = np.array([40, 41, 42, 120, 121, 150, 151])
"""The snippets that show the planted class, in every second recording."""


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """Write features with heavy tails, and in every second recording a rare class."""
    folder = tmp_path_factory.mktemp("planted")
    random = np.random.default_rng(0)
    for i in range(RECORDINGS):
        x = random.normal(size=(SNIPPETS, COLUMNS)) + random.normal(size=COLUMNS)
        if i % 2 == 0:
            x[AT] += 9.0 * np.array([0.6, 0.8, 0.0, 0.0, 0.0, 0.0])
        write_features(folder, f"v{i:02d}", np.exp(0.5 * x).astype(np.float32))
    return folder


def named(folder, has):
    labels = {f"v{i:02d}": ("jump",) if own else () for i, own in enumerate(has)}
    return WeakDataset(open_store(folder, grid=GRID), labels, ["jump", "run"])


@pytest.fixture(scope="module")
def dataset(planted):
    return named(planted, [i % 2 == 0 for i in range(RECORDINGS)])


def test_a_planted_class_is_found_snippet_by_snippet(dataset):
    mined = mine_snippets(dataset, BEST)
    assert set(mined) == {f"v{i:02d}" for i in range(RECORDINGS)[::2]}
    right, shown = 0, 0
    for marks in mined.values():
        known = known_labels(marks, torch.arange(float(SNIPPETS)), 2)
        right += int(known.label[AT, 0].sum())
        shown += int(known.label[:, 0].sum())
        # 'run' is not among the names: it is known to be nowhere
        assert not known.label[:, 1].any()
        assert known.is_known[:, 1].all()
        assert known.is_known[:, 0].float().mean() > 0.95
    assert right > 0.9 * len(mined) * len(AT)
    assert right > 0.9 * shown
    told = []
    assert mined == mine_snippets(dataset, BEST, lambda *n: told.append(n))
    assert told == [(1, 2), (2, 2)]


def test_the_search_says_how_far_it_has_come(dataset, monkeypatch):
    monkeypatch.setattr(network_training, "MINING_PAUSE_S", 0.0)
    settings = dataclasses.replace(recipe(profile="best"), model=BEST)
    told = []
    request = SimpleNamespace(settings=settings)
    assert network_training.snippets_mined_from_names(request, dataset, told.append)
    assert [sentence[-21:] for sentence in told] == [": 1 of 2 classes done"]


def test_memory_of_the_search_is_that_of_long_recordings():
    assert mining_bytes([SNIPPETS] * RECORDINGS, COLUMNS, BEST) == (
        4 * RECORDINGS * SNIPPETS * COLUMNS
    )
    assert mining_bytes([SNIPPETS, 100], COLUMNS, BEST) == 4 * SNIPPETS * COLUMNS
    assert mining_bytes([SNIPPETS], COLUMNS, ModelSettings()) == 0
    assert mining_bytes([10_000] * 1_000, 2_048, BEST) == 512_000_000


def test_names_that_were_dealt_out_anew_tell_nothing(planted):
    order = np.random.default_rng(1).permutation(RECORDINGS)
    assert mine_snippets(named(planted, order < RECORDINGS // 2), BEST) == {}


def test_a_direction_of_the_other_recordings_is_no_class(planted):
    # recordings without the name have what the others lack
    assert mine_snippets(named(planted, np.arange(RECORDINGS) % 2 == 1), BEST) == {}


@pytest.mark.parametrize("settings", [ModelSettings(), ModelSettings(most_pooled=25)])
def test_short_recordings_are_learned_as_before(dataset, settings):
    assert mine_snippets(dataset, settings) == {}


def test_too_few_recordings_tell_nothing(dataset):
    videos = [dataset.video(v) for v in range(RECORDINGS)]
    whitening = whitening_of(videos)
    recordings = [whitening.recording(video) for video in videos]
    has = torch.arange(RECORDINGS) % 2 == 0
    assert shared_direction(recordings, has) is not None
    few = has.cumsum(0) < LEAST_RECORDINGS
    assert shared_direction(recordings, has & few) is None


def test_mapped_features_tell_the_same(dataset, planted):
    labels = {
        name: ("jump",) if own[0] else ()
        for name, own in zip(dataset.video_ids, dataset.labels, strict=True)
    }
    mapped = WeakDataset(
        open_store(planted, grid=GRID), labels, ["jump", "run"], in_memory=False
    )
    assert mine_snippets(mapped, BEST) == mine_snippets(dataset, BEST)


def test_whitening_looks_at_ranks_alone(dataset):
    videos = [dataset.video(v) for v in range(RECORDINGS)]
    one = whitening_of(videos).recording(videos[0])
    other = whitening_of([v**3 for v in videos]).recording(videos[0] ** 3)
    torch.testing.assert_close(one, other)


def test_a_column_that_does_not_vary_is_left_out():
    x = torch.randn(300, 4, generator=torch.Generator().manual_seed(0))
    x[:, 2] = 7.0
    whitened = whitening_of([x]).recording(x)
    assert whitened.shape == (300, 3)
    torch.testing.assert_close(
        torch.cov(whitened.T, correction=0), torch.eye(3), atol=1e-4, rtol=0
    )


def test_marked_classes_are_not_asked_to_be_marked():
    told = {"monday": SnippetMarks(instances=(MarkedInstance(0, 2.5, 4.5),))}
    names = ["jump", "run", "rest"]
    assert "they do not tell where 'run', 'rest'" in mining_note(told, names)
    assert "tell where 'rest' may be:" in mining_note(told, names, {"run"})
    assert mining_note(told, names, {"run", "rest"}).endswith("may be: 'jump'")
