"""Measure the peak memory of training on 1,000 videos, in a separate process.

The process is `python -m benchmarks.memory DIRECTORY {read,mapped}`.
"""

import contextlib
import json
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
from benchmarks.measure import ROOT, Figure, peak_memory_gb

VIDEOS: Final = 1_000
SNIPPETS: Final = 300
DIMENSION: Final = 2048
CLASSES: Final = 20
STEPS: Final = 3
"""Training steps: from the second one on, weights, gradients and Adam's moments are in
memory, and later steps need no more."""
LIMIT_GB: Final = 3.0


def rows() -> Iterator[Figure]:
    """Write the videos, and train on them in a child process for each way to read."""
    with tempfile.TemporaryDirectory() as directory:
        _write_videos(Path(directory))
        for reading in ("read", "mapped"):
            peak_gb, step_s = _peak_of_child(directory, reading)
            on_disk = f"features {_features_gb():.2f} GB on disk"
            yield Figure(
                name=f"peak memory of training, {VIDEOS} videos {reading}",
                value=peak_gb,
                unit="GB",
                limit=LIMIT_GB,
                detail=f"{on_disk}, {step_s:.1f} s a step",
            )


def _features_gb() -> float:
    return VIDEOS * SNIPPETS * DIMENSION * 2 / 1e9


def _write_videos(directory: Path) -> None:
    """Write fp16 features; each video has the rows of one random table, rotated."""
    table = np.random.default_rng(0).random((SNIPPETS, DIMENSION), np.float32)
    table = table.astype(np.float16)
    write_manifest(
        directory, FeatureManifest(grid=SnippetGrid(25, 16, 16), dimension=DIMENSION)
    )
    for video in range(VIDEOS):
        write_features(directory, f"video_{video:04d}", np.roll(table, video, axis=1))


def _peak_of_child(directory: str, reading: str) -> tuple[float, float]:
    """Return a child's peak resident memory in GB, and the seconds of its last step."""
    command = [sys.executable, "-m", "benchmarks.memory", directory, reading]
    done = subprocess.run(
        command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
    )
    peak_gb, step_s = json.loads(done.stdout)
    return peak_gb, step_s


class _EnoughError(Exception):
    """Raised to end the training after `STEPS` steps."""


def _train(directory: str, reading: str) -> float:
    """Train for a few steps as `acmnet train --recipe thumos14` does."""
    settings = recipe("thumos14", profile="corrected")
    store = open_store(directory)
    names = [f"class_{i}" for i in range(CLASSES)]
    labels = {video: (names[i % CLASSES],) for i, video in enumerate(store.video_ids)}
    dataset = WeakDataset(store, labels, names, in_memory=reading == "read")
    torch.manual_seed(0)
    model = ACMNet(dataset.dimension, CLASSES, settings.model)
    plan = Plan(
        training=settings.training,
        sampling=settings.sampling,
        loss=settings.loss,
        seed=0,
    )
    taken_s = [0.0]

    def after_step(record: StepRecord) -> None:
        taken_s.append(record.seconds)
        if record.step == STEPS:
            raise _EnoughError

    with contextlib.suppress(_EnoughError):
        train(model, dataset, plan, on_step=after_step)
    return taken_s[-1]


def main() -> None:
    """Train, and print peak memory in GB and seconds of a step as JSON."""
    directory, reading = sys.argv[1:]
    step_s = _train(directory, reading)
    print(json.dumps([peak_memory_gb(), step_s]))


if __name__ == "__main__":
    main()
