"""The loop: batches, steps, epochs; resumes exactly; reports through callbacks."""

import dataclasses
import math
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor, distributed, nn

from acmnet.datasets import SamplingSettings, WeakDataset
from acmnet.losses import LossSettings, LossTerms, video_losses
from acmnet.model import ACMNet, ACMNetOutput


class TrainingError(RuntimeError):
    """Training cannot go on; the message names the step and the cause."""


@dataclasses.dataclass(frozen=True)
class TrainingSettings:
    """How long, how fast, in which precision."""

    epochs: int = 1000
    """Passes over the training videos, from 1."""
    batch_size: int = 16
    """Videos a step, over all processes together, from 1."""
    learning_rate: float = 1e-4
    """Of Adam, constant; above 0."""
    weight_decay: float = 5e-5
    """Of Adam, as an L2 penalty; at least 0."""
    precision: Literal["fp32", "bf16"] = "fp32"
    """Of the network's forward and backward pass; the loss is always fp32."""
    checkpoint_every: int = 50
    """Epochs from one checkpoint to the next, from 1; the last is always written."""
    keep_checkpoints: bool = False
    """Keep each in ``checkpoints/epoch_NNNN``, not only the newest in the run."""

    def __post_init__(self) -> None:
        """Refuse values outside their range."""
        for name in ("epochs", "batch_size", "checkpoint_every"):
            if getattr(self, name) < 1:
                raise ValueError(
                    f"{name} must be at least 1, got {getattr(self, name)}"
                )
        if not self.learning_rate > 0.0:
            raise ValueError(f"learning_rate must be above 0, got {self.learning_rate}")
        if not self.weight_decay >= 0.0:
            raise ValueError(
                f"weight_decay must be at least 0, got {self.weight_decay}"
            )


@dataclasses.dataclass(frozen=True)
class Plan:
    """Everything that fixes a training run but the data and the first weights."""

    training: TrainingSettings
    sampling: SamplingSettings
    loss: LossSettings
    seed: int


class StepRecord(NamedTuple):
    """One optimisation step, as it goes into the log."""

    epoch: int
    """From 1."""
    step: int
    """From 1, over the whole run."""
    losses: Mapping[str, float]
    """Every term of `LossTerms`: the mean over the step's videos."""
    videos: int
    seconds: float


class Progress(NamedTuple):
    """What is needed to go on after an epoch."""

    epoch: int
    """Epochs done."""
    step: int
    """Steps done."""
    model: ACMNet
    optimizer: torch.optim.Optimizer

    def state(self) -> dict[str, object]:
        """Return all of it as plain tensors and numbers, for `torch.save`."""
        return {
            "epoch": self.epoch,
            "step": self.step,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }


def train(
    model: ACMNet,
    dataset: WeakDataset,
    plan: Plan,
    *,
    resume: Mapping[str, object] | None = None,
    on_step: Callable[[StepRecord], None] = lambda _: None,
    on_epoch: Callable[[Progress], None] = lambda _: None,
) -> None:
    """Train ``model`` in place on video-level labels.

    What an epoch draws (order, sampling, dropout) depends on the seed and on its own
    number alone, so that a resumed run equals an uninterrupted one bit for bit, and a
    run split over processes equals a single one within rounding.

    Parameters
    ----------
    model : ACMNet
        On the dataset's device.
    dataset : WeakDataset
        Features and labels.
    plan : Plan
        Settings and seed.
    resume : mapping, optional
        A `Progress.state` to go on from.
    on_step, on_epoch : callables
        Called after each step and each epoch, in every process.

    Raises
    ------
    TrainingError
        If a loss is not finite; the step, the terms and the videos are named and the
        weights are those before the step.

    References
    ----------
    Qu et al. 2021, section IV-A3: Adam; `main_thu.py:25-95`.
    """
    settings = plan.training
    optimizer = torch.optim.Adam(
        model.parameters(),
        lr=settings.learning_rate,
        weight_decay=settings.weight_decay,
        fused=True,
    )
    epoch, step = _restore(model, optimizer, resume) if resume else (0, 0)
    network: nn.Module = model
    if _world() > 1:
        network = nn.parallel.DistributedDataParallel(model)
    while epoch < settings.epochs:
        epoch += 1
        model.train()
        generator = _epoch_generator(plan.seed, epoch)
        for index in _batches(len(dataset), settings.batch_size, generator):
            started = time.perf_counter()
            step += 1
            losses = _step(network, optimizer, dataset, index, plan, generator)
            _refuse_non_finite(losses, dataset, index, epoch, step)
            optimizer.step()
            values = losses.values.tolist()
            named = dict(zip(LossTerms._fields, values, strict=True))
            seconds = time.perf_counter() - started
            on_step(StepRecord(epoch, step, named, len(index), seconds))
        on_epoch(Progress(epoch, step, model, optimizer))


class _StepLosses(NamedTuple):
    """Losses of one step: their means over all processes, and this one's videos."""

    values: Tensor
    """(7,) in the order of `LossTerms`."""
    own: Tensor
    """(7, videos of this process)."""
    part: slice


def _step(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    dataset: WeakDataset,
    index: Tensor,
    plan: Plan,
    generator: torch.Generator,
) -> _StepLosses:
    """Leave the gradient of one global batch on the parameters."""
    part, weight = _own_part(len(index))
    features, mask, labels = dataset.batch(index, plan.sampling, generator, part)
    seeds = torch.randint(2**62, (len(index),), generator=generator)[part]
    bf16 = plan.training.precision == "bf16"
    with torch.autocast(dataset.device.type, torch.bfloat16, enabled=bf16):
        output: ACMNetOutput = network(features, mask, seeds)
    own = torch.stack(video_losses(output, labels, plan.loss))  # (7, own videos)
    means = own.sum(dim=1) * (weight / len(index))
    optimizer.zero_grad(set_to_none=True)
    # DDP averages gradients over processes; the loss is a sum over them
    torch.autograd.backward(means[0] * _world())
    values = means.detach()
    if _world() > 1:
        distributed.all_reduce(values)
    return _StepLosses(values, own.detach(), part)


def _own_part(n: int) -> tuple[slice, float]:
    """Return this process's share of n videos, and what its losses count.

    A process without a share repeats the first video at no weight: DDP needs all.
    """
    world, rank = _world(), _rank()
    start, end = n * rank // world, n * (rank + 1) // world
    return (slice(start, end), 1.0) if end > start else (slice(0, 1), 0.0)


def _refuse_non_finite(
    losses: _StepLosses, dataset: WeakDataset, index: Tensor, epoch: int, step: int
) -> None:
    values = losses.values.tolist()
    if all(map(math.isfinite, values)):
        return
    terms = [
        f"{name} = {value}"
        for name, value in zip(LossTerms._fields, values, strict=True)
        if not math.isfinite(value)
    ]
    culprits = ~losses.own.isfinite().all(dim=0).cpu()
    videos = [dataset.video_ids[i] for i in index[losses.part][culprits].tolist()]
    if _world() > 1:
        shares: list[list[str]] = [[] for _ in range(_world())]
        distributed.all_gather_object(shares, videos)
        videos = sorted({video for share in shares for video in share})
    raise TrainingError(
        f"the loss is not finite at step {step} (epoch {epoch}): {', '.join(terms)}, "
        f"from {', '.join(map(repr, videos))}; try a lower training.learning_rate or "
        "look at these videos' features"
    )


def _batches(
    n_videos: int, batch_size: int, generator: torch.Generator
) -> Iterator[Tensor]:
    """Yield the epoch's batches as indices of videos, each video once."""
    order = torch.randperm(n_videos, generator=generator)
    yield from torch.split(order, batch_size)


def _epoch_generator(seed: int, epoch: int) -> torch.Generator:
    """Return the source of all that one epoch draws."""
    state = np.random.SeedSequence([seed, epoch]).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(state[0] >> np.uint64(1)))


def _restore(
    model: ACMNet, optimizer: torch.optim.Optimizer, state: Mapping[str, object]
) -> tuple[int, int]:
    """Put a `Progress.state` back; return the epochs and steps already done."""
    weights, moments = state["model"], state["optimizer"]
    epoch, step = state["epoch"], state["step"]
    if not (
        isinstance(weights, dict)
        and isinstance(moments, dict)
        and isinstance(epoch, int)
        and isinstance(step, int)
    ):
        raise TrainingError("the training state is not one that training wrote")
    model.load_state_dict(weights)
    optimizer.load_state_dict(moments)
    return epoch, step


def _world() -> int:
    return distributed.get_world_size() if distributed.is_initialized() else 1


def _rank() -> int:
    return distributed.get_rank() if distributed.is_initialized() else 0
