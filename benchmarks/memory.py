"""Measure the peak memory of training on 1,000 videos, in a separate process.

The process is `python -m benchmarks.memory DIRECTORY WAY`, see `WAYS`.
"""

import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import torch

from acmnet.data.datasets import WeakDataset
from acmnet.data.features.feature_manifest import FeatureManifest, write_manifest
from acmnet.data.features.feature_store import open_store, write_features
from acmnet.network.acm_net import ACMNet
from acmnet.recipes import recipe
from acmnet.segments import SnippetGrid
from acmnet.training.first_stage.weak_task import Plan
from acmnet.training.optimisation.tasks import StepRecord
from acmnet.training.optimisation.training_loop import train
from benchmarks.measure import ROOT, Figure, peak_memory_gb, ratio_of

VIDEOS: Final = 1_000
SNIPPETS: Final = 300
DIMENSION: Final = 2048
CLASSES: Final = 20
STEPS: Final = 3
"""Training steps: from the second one on, weights, gradients and Adam's moments are in
memory, and later steps need no more."""
WAYS: Final = ("one batch", "read", "mapped")
"""What a child process trains on: the videos of one batch, or all of them, with
features that are read, or mapped from their files."""


def rows(repeats: int = 3) -> Iterator[Figure]:
    """Write the videos, and train on them in a child process for each of `WAYS`."""
    with tempfile.TemporaryDirectory() as directory:
        _write_videos(Path(directory))
        rounds = [
            [_peak_of_child(directory, way) for way in WAYS] for _ in range(repeats)
        ]
    batch, read, mapped = (list(column) for column in zip(*rounds, strict=True))
    features_gb = VIDEOS * SNIPPETS * DIMENSION * 2 / 1e9
    yield ratio_of(
        f"peak memory of training, {VIDEOS} videos read",
        read,
        [peak + features_gb for peak in batch],
        "of that on one batch and the features",
        detail=f"features {features_gb:.2f} GB",
        measure="GB",
    )
    yield ratio_of(
        f"peak memory of training, {VIDEOS} videos mapped",
        mapped,
        batch,
        "of that on one batch",
        measure="GB",
    )


def _write_videos(directory: Path) -> None:
    """Write fp16 features; each video has the rows of one random table, rotated."""
    table = np.random.default_rng(0).random((SNIPPETS, DIMENSION), np.float32)
    table = table.astype(np.float16)
    write_manifest(
        directory, FeatureManifest(grid=SnippetGrid(25, 16, 16), dimension=DIMENSION)
    )
    for video in range(VIDEOS):
        write_features(directory, f"video_{video:04d}", np.roll(table, video, axis=1))


def _peak_of_child(directory: str, way: str) -> float:
    """Return a child's peak resident memory in GB."""
    command = [sys.executable, "-m", "benchmarks.memory", directory, way]
    done = subprocess.run(
        command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
    )
    return float(done.stdout)


class _EnoughError(Exception):
    """Raised to end the training after `STEPS` steps."""


def _train(directory: str, way: str) -> None:
    """Train for a few steps as `acmnet train --recipe thumos14` does."""
    settings = recipe("thumos14", profile="corrected")
    store = open_store(directory)
    names = [f"class_{i}" for i in range(CLASSES)]
    most = settings.training.batch_size if way == "one batch" else None
    videos = store.video_ids[:most]
    labels = {video: (names[i % CLASSES],) for i, video in enumerate(videos)}
    dataset = WeakDataset(store, labels, names, in_memory=way != "mapped")
    torch.manual_seed(0)
    model = ACMNet(dataset.dimension, CLASSES, settings.model)
    plan = Plan(
        training=settings.training,
        sampling=settings.sampling,
        loss=settings.loss,
        seed=0,
    )

    def after_step(record: StepRecord) -> None:
        if record.step == STEPS:
            raise _EnoughError

    with contextlib.suppress(_EnoughError):
        train(model, dataset, plan, on_step=after_step)


def main() -> None:
    """Train, and print peak memory in GB."""
    directory, way = sys.argv[1:]
    _train(directory, way)
    print(peak_memory_gb())


if __name__ == "__main__":
    main()
