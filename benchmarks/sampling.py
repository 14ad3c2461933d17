"""Time the sampling of T snippets of each video of a batch, and of simple loops."""

import random
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor

from acmnet.data.datasets import WeakDataset, drawn_numbers, sampled_positions
from acmnet.data.features.feature_manifest import FeatureManifest, write_manifest
from acmnet.data.features.feature_store import open_store, write_features
from acmnet.data.sampling_settings import SamplingSettings
from acmnet.segments import SnippetGrid
from benchmarks.measure import LOOP, Figure, interleaved, ratio_of

VIDEOS: Final = 32
BATCH: Final = 16
SNIPPETS: Final = 750
DIMENSION: Final = 2048


def rows(repeats: int = 15) -> Iterator[Figure]:
    """Time the drawing of positions, and batches from memory and from mapped files."""
    lengths = torch.from_numpy(np.random.default_rng(0).integers(100, 2000, BATCH))
    draw = torch.Generator().manual_seed(0)
    fast_s, slow_s = interleaved(
        lambda: sampled_positions(
            lengths,
            SNIPPETS,
            "random",
            drawn_numbers(BATCH, SNIPPETS, "random", draw),
            SNIPPETS,
        ),
        lambda: [_positions_slowly(n) for n in lengths.tolist()],
        repeats=repeats,
    )
    shape = f"B {BATCH}, T {SNIPPETS}"
    yield ratio_of(f"draw random snippets, {shape}", fast_s, slow_s, LOOP)
    with tempfile.TemporaryDirectory() as directory:
        yield from _batch_rows(Path(directory), shape, repeats)


def _batch_rows(directory: Path, shape: str, repeats: int) -> Iterator[Figure]:
    videos, labels = _written_videos(directory)
    in_memory, mapped = (
        WeakDataset(open_store(directory), labels, ["jump"], in_memory=kept)
        for kept in (True, False)
    )
    settings = SamplingSettings(SNIPPETS, "random")
    index = torch.arange(0, VIDEOS, VIDEOS // BATCH)
    draw = torch.Generator().manual_seed(0)
    memory_s, mapped_s, slow_s = interleaved(
        lambda: in_memory.batch(in_memory.draw(index, settings, draw), settings),
        lambda: mapped.batch(mapped.draw(index, settings, draw), settings),
        lambda: _batch_slowly([videos[i] for i in index.tolist()]),
        repeats=repeats,
    )
    name = f"batch of {shape}, D {DIMENSION}"
    yield ratio_of(name, memory_s, slow_s, LOOP)
    yield ratio_of(f"{name}, from mapped files", mapped_s, slow_s, LOOP)


def _written_videos(directory: Path) -> tuple[list[Tensor], dict[str, tuple[str, ...]]]:
    """Write fp16 features as a store; return them and their labels."""
    made = np.random.default_rng(0)
    write_manifest(
        directory, FeatureManifest(grid=SnippetGrid(25, 16, 16), dimension=DIMENSION)
    )
    videos: list[Tensor] = []
    labels: dict[str, tuple[str, ...]] = {}
    for i in range(VIDEOS):
        length = int(made.integers(200, 1000))
        features = made.random((length, DIMENSION), np.float32).astype(np.float16)
        write_features(directory, f"video_{i:02d}", features)
        videos.append(torch.from_numpy(features))
        labels[f"video_{i:02d}"] = ("jump",)
    return videos, labels


def _positions_slowly(length: int) -> list[int]:
    """Draw the snippets of a video as `sampled_positions` does, one after another."""
    if length <= SNIPPETS:
        same = length == SNIPPETS
        drawn = (i if same else random.randrange(length) for i in range(SNIPPETS))
        return sorted(drawn)
    positions: list[int] = []
    first = 0
    for i in range(SNIPPETS - 1):
        first = i * length // SNIPPETS
        positions.append(random.randint(first, (i + 1) * length // SNIPPETS))
    positions.append(random.randrange(positions[-1], length))
    return positions


def _batch_slowly(videos: Sequence[Tensor]) -> Tensor:
    """Return a batch that is copied snippet by snippet."""
    gathered = []
    for video in videos:
        positions = _positions_slowly(len(video))
        gathered.append(torch.stack([video[t].float() for t in positions]))
    return torch.stack(gathered)
