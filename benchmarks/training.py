"""Time a training step against its convolution alone, which it cannot do without."""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import numpy as np
import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)

from acmnet.data.datasets import WeakDataset
from acmnet.data.features.feature_manifest import FeatureManifest, write_manifest
from acmnet.data.features.feature_store import open_store, write_features
from acmnet.data.sampling_settings import SamplingSettings
from acmnet.network.acm_net import ACMNet
from acmnet.runtime.devices import computed_in
from acmnet.segments import SnippetGrid
from acmnet.training.first_stage.training_settings import LossSettings, TrainingSettings
from acmnet.training.first_stage.weak_task import Plan
from acmnet.training.optimisation.tasks import StepRecord
from acmnet.training.optimisation.training_loop import train
from benchmarks.measure import Figure, ratio_of, seconds

VIDEOS: Final = 4
SNIPPETS: Final = 750
DIMENSION: Final = 2048
CLASSES: Final = 20
WARM_UP: Final = 2

STEP_LIMIT: Final = 1.15
BF16_LIMIT: Final = 1.4


class Steps(NamedTuple):
    """Seconds of each measured step, of a part of it, and of the convolution alone."""

    whole: list[float]
    """Seconds of a whole step: batch, forward, loss, backward and Adam."""
    adam: list[float]
    """Seconds of Adam in the same step."""
    convolution: list[float]
    """Seconds of the convolution alone in fp32, which runs once after each step."""
    products: list[float]
    """Seconds of the products of that convolution in bf16, after each bf16 step."""


def rows(repeats: int = 9) -> Iterator[Figure]:
    """Measure the step in fp32, and in bf16 if this CPU supports it."""
    with tempfile.TemporaryDirectory() as directory:
        dataset = _dataset(Path(directory))
        fp32 = _steps(dataset, "fp32", repeats)
        bf16 = None
        if computed_in("bf16", "cpu") == "bf16":
            bf16 = _steps(dataset, "bf16", repeats)
    shape = f"B {VIDEOS}, T {SNIPPETS}, D {DIMENSION}, C {CLASSES}"
    yield ratio_of(
        f"training step, fp32, {shape}",
        fp32.whole,
        fp32.convolution,
        "of its convolution",
        limit=STEP_LIMIT,
    )
    yield ratio_of("fused Adam's part of that step", fp32.adam, fp32.whole, "of it")
    if bf16 is None:
        return
    yield ratio_of(
        "the same step under bf16 autocast",
        bf16.whole,
        bf16.products,
        "of its convolution's products in bf16",
        limit=BF16_LIMIT,
    )
    yield ratio_of(
        "the same step under bf16 autocast",
        bf16.whole,
        bf16.convolution,
        "of its convolution in fp32",
    )


def _dataset(directory: Path) -> WeakDataset:
    """Return one batch of videos longer than T, so that nothing is padded."""
    random = np.random.default_rng(0)
    write_manifest(
        directory, FeatureManifest(grid=SnippetGrid(25, 16, 16), dimension=DIMENSION)
    )
    labels = {}
    for video in range(VIDEOS):
        length = SNIPPETS + 100 * (video + 1)
        features = random.random((length, DIMENSION), np.float32).astype(np.float16)
        write_features(directory, f"video_{video}", features)
        labels[f"video_{video}"] = (f"class_{video}",)
    names = [f"class_{i}" for i in range(CLASSES)]
    return WeakDataset(open_store(directory), labels, names)


def _steps(
    dataset: WeakDataset, precision: Literal["fp32", "bf16"], repeats: int
) -> Steps:
    """Train as usual, and run the convolution alone after each step.

    Both number formats are compared with the same fp32 convolution, so that their own
    ratio does not depend on when each of them ran. Training convolves in tiles, which
    need a third fewer products than the convolution alone.
    """
    torch.manual_seed(0)
    plan = Plan(
        training=TrainingSettings(
            epochs=WARM_UP + repeats, batch_size=VIDEOS, precision=precision
        ),
        sampling=SamplingSettings(SNIPPETS, "random"),
        loss=LossSettings(),
        seed=0,
    )
    steps, marks = Steps([], [], [], []), [0.0]
    convolution, products = _Convolution(), _Products()

    def before_adam(optimizer: Optimizer, args: Any, kwargs: Any) -> None:  # noqa: ARG001
        marks.append(time.perf_counter())

    def after_adam(optimizer: Optimizer, args: Any, kwargs: Any) -> None:  # noqa: ARG001
        steps.adam.append(time.perf_counter() - marks[-1])

    def after_step(record: StepRecord) -> None:
        steps.whole.append(record.seconds)
        steps.convolution.append(seconds(convolution))
        if precision == "bf16":
            steps.products.append(seconds(products))

    hooks = (
        register_optimizer_step_pre_hook(before_adam),
        register_optimizer_step_post_hook(after_adam),
    )
    train(ACMNet(DIMENSION, CLASSES), dataset, plan, on_step=after_step)
    for hook in hooks:
        hook.remove()
    return Steps(*(column[WARM_UP:] for column in steps))


class _Convolution:
    """Forward and backward of the embedding's convolution, and nothing else."""

    def __init__(self) -> None:
        self.layer = nn.Conv1d(DIMENSION, DIMENSION, kernel_size=3, padding=1)
        self.features = torch.randn(VIDEOS, DIMENSION, SNIPPETS)
        self.gradient = torch.randn(VIDEOS, DIMENSION, SNIPPETS)

    def __call__(self) -> None:
        # as in training, no gradient is computed for the features
        self.layer.zero_grad(set_to_none=True)
        torch.autograd.backward(self.layer(self.features), self.gradient)


class _Products:
    """The products of that convolution, forward and backward, as two in bf16."""

    def __init__(self) -> None:
        rows = VIDEOS * SNIPPETS
        self.features = torch.randn(rows, DIMENSION, dtype=torch.bfloat16)
        self.weights = torch.randn(DIMENSION, 3 * DIMENSION, dtype=torch.bfloat16)
        self.gradient = torch.randn(rows, 3 * DIMENSION, dtype=torch.bfloat16)

    def __call__(self) -> None:
        self.features @ self.weights
        self.features.t() @ self.gradient
