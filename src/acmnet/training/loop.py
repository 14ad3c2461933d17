"""The training loop: batches, steps and epochs of any network, and exact resumption."""

import copy
import dataclasses
import math
import time
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor, distributed, nn

from acmnet.data.datasets import WeakDataset
from acmnet.data.sampling_settings import SamplingSettings
from acmnet.devices import computed_in
from acmnet.network.acm_net import ACMNet, ACMNetOutput
from acmnet.training.loss_settings import LossSettings
from acmnet.training.losses import terms_of, video_losses
from acmnet.training.marked_snippets import (
    KnownLabels,
    SnippetMarks,
    known_labels,
    marked_loss,
)
from acmnet.training.schedule import Schedule, learning_rate
from acmnet.training.training_error import TrainingError
from acmnet.training.training_settings import TrainingSettings


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plan:
    """What fixes a training of the paper's network beside data and first weights."""

    training: TrainingSettings
    sampling: SamplingSettings
    loss: LossSettings
    seed: int
    """Seed of the order of videos, of sampling and of dropout."""
    marks: Mapping[str, SnippetMarks] = dataclasses.field(default_factory=dict)
    """What a person marked in some of the videos; empty if names alone are learned."""


class Task(Protocol):
    """What is learned: videos, and what a network loses on them."""

    video_ids: tuple[str, ...]
    """The videos, in the order of the indices that `losses` is given."""
    device: torch.device
    """Where the network computes."""
    terms: tuple[str, ...]
    """Names of the losses; the first one is minimised, the others are logged."""

    def losses(
        self, network: nn.Module, index: Tensor, part: slice, generator: torch.Generator
    ) -> Tensor:
        """Return each loss of each video of this process, (terms, videos).

        Parameters
        ----------
        network : Module
            The network that learns.
        index : (B,) tensor
            Indices of the videos of the whole batch, also of those that other processes
            compute: so what is drawn does not depend on the number of processes.
        part : slice
            The share of ``index`` that this process computes.
        generator : Generator
            The source of everything that is drawn.
        """


class StepRecord(NamedTuple):
    """One optimisation step, as it goes into the log."""

    epoch: int
    """Number of the epoch, from 1."""
    step: int
    """Number of the step, from 1, counted over the whole run."""
    losses: Mapping[str, float]
    """Every loss by name, such as those of `LossTerms`: the mean over the videos."""
    videos: int
    """Videos in the step."""
    seconds: float
    """How long the step took."""


class Progress(NamedTuple):
    """What a training needs to go on after an epoch."""

    epoch: int
    """Epochs done."""
    step: int
    """Steps done."""
    model: nn.Module
    """The network that is optimised."""
    optimizer: torch.optim.Optimizer
    averaged: nn.Module | None
    """The same network with the running mean of the weights; None where no mean is
    kept."""

    @property
    def kept(self) -> nn.Module:
        """The network with the weights that are worth keeping."""
        return self.averaged or self.model

    def state(self) -> dict[str, object]:
        """Return all of it as plain tensors and numbers, for `torch.save`."""
        return {
            "epoch": self.epoch,
            "step": self.step,
            "model": self.model.state_dict(),
            "averaged": self.averaged and self.averaged.state_dict(),
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
        weights are those before the step. If a batch that must stay whole would be
        split over processes.

    References
    ----------
    Qu et al. 2021, section IV-A3: Adam; `main_thu.py:25-95`.
    """
    if plan.loss.coactivity_weight and _world() > 1:
        raise TrainingError(
            "loss.coactivity_weight compares the videos of a batch, which may not be "
            f"split, got {_world()} processes; train in one, without torchrun"
        )
    settings = plan.training
    seen = dataset.lengths.clamp(max=plan.sampling.snippets).double().mean()
    schedule = Schedule(
        epochs=settings.epochs,
        batch_size=settings.videos_a_step(float(seen)),
        learning_rate=settings.learning_rate,
        weight_decay=settings.weight_decay,
        averaging=settings.averaging,
    )
    task = WeakTask(dataset, plan)
    optimize(
        model,
        task,
        schedule,
        plan.seed,
        resume=resume,
        on_step=on_step,
        on_epoch=on_epoch,
    )


class WeakTask:
    """The paper's training: video-level labels and the losses of `acm_loss`.

    Where a person marked times, `marked_loss` is added; see
    `acmnet.training.marked_snippets`.
    """

    def __init__(self, dataset: WeakDataset, plan: Plan) -> None:
        self.video_ids = dataset.video_ids
        self.device = dataset.device
        self._dataset = dataset
        self._plan = plan
        # what marks determine of every snippet of a video, by its place in the dataset
        self._known = self._known_labels() if plan.loss.marks_weight else {}
        self.terms = terms_of(plan.loss) + (("marks",) if self._known else ())
        precision = computed_in(plan.training.precision, self.device)
        self._is_bf16 = precision == "bf16"

    def losses(
        self, network: nn.Module, index: Tensor, part: slice, generator: torch.Generator
    ) -> Tensor:
        """Return the terms of `LossTerms` of each video of this process."""
        plan = self._plan
        batch = self._dataset.batch(index, plan.sampling, generator, part)
        seeds = torch.randint(2**62, (len(index),), generator=generator)[part]
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self._is_bf16):
            output: ACMNetOutput = network(batch.features, batch.mask, seeds)
        losses = video_losses(output, batch.labels, plan.loss)._asdict()
        if self._known:
            known = self._known_in(index[part], batch.position)
            losses["marks"] = marked_loss(output, known)
            losses["total"] = losses["total"] + plan.loss.marks_weight * losses["marks"]
        return torch.stack([losses[name] for name in self.terms])

    def _known_labels(self) -> dict[int, KnownLabels]:
        """Return what marks determine of all snippets of each video that has some."""
        n_classes = self._dataset.labels.shape[1]
        known = {}
        for i, video in enumerate(self.video_ids):
            if video in self._plan.marks:
                position = torch.arange(float(self._dataset.lengths[i]))
                found = known_labels(self._plan.marks[video], position, n_classes)
                known[i] = KnownLabels(*(x.to(self.device) for x in found))
        return known

    def _known_in(self, index: Tensor, position: Tensor) -> KnownLabels:
        """Return what marks determine of the snippets (B, T) of some videos."""
        shape = (*position.shape, self._dataset.labels.shape[1])
        label = torch.zeros(shape, device=self.device)
        is_known = torch.zeros(shape, dtype=torch.bool, device=self.device)
        for row, i in enumerate(index.tolist()):
            if i in self._known:
                at = position[row].round().long()
                label[row], is_known[row] = (x[at] for x in self._known[i])
        return KnownLabels(label, is_known)


def optimize(
    model: nn.Module,
    task: Task,
    schedule: Schedule,
    seed: int,
    *,
    resume: Mapping[str, object] | None = None,
    on_step: Callable[[StepRecord], None] = lambda _: None,
    on_epoch: Callable[[Progress], None] = lambda _: None,
) -> None:
    """Train ``model`` in place on any task; see `train` for what holds."""
    optimizer = torch.optim.Adam(
        model.parameters(),
        lr=schedule.learning_rate,
        weight_decay=schedule.weight_decay,
        fused=True,
    )
    epoch, step = _restore(model, optimizer, resume) if resume else (0, 0)
    averaged = _averaged(model, schedule, resume)
    network = model
    if _world() > 1:
        network = nn.parallel.DistributedDataParallel(model)
    n_videos = len(task.video_ids)
    steps = schedule.epochs * math.ceil(n_videos / schedule.batch_size)
    while epoch < schedule.epochs:
        epoch += 1
        model.train()
        generator = _epoch_generator(seed, epoch)
        for index in _batches(n_videos, schedule.batch_size, generator):
            started = time.perf_counter()
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(schedule, step, steps)
            step += 1
            losses = _step(network, optimizer, task, index, generator)
            _refuse_non_finite(losses, task, index, epoch, step)
            optimizer.step()
            if averaged is not None:
                decay = min(schedule.averaging, step / (step + 9))
                _move(averaged, model, 1.0 - decay)
            named = dict(zip(task.terms, losses.values.tolist(), strict=True))
            seconds = time.perf_counter() - started
            on_step(StepRecord(epoch, step, named, len(index), seconds))
        on_epoch(Progress(epoch, step, model, optimizer, averaged))
    if averaged is not None:
        model.load_state_dict(averaged.state_dict())


def _averaged(
    model: nn.Module, schedule: Schedule, resume: Mapping[str, object] | None
) -> nn.Module | None:
    """Return the network that holds the running mean, if one is to be kept."""
    if not schedule.averaging:
        return None
    averaged = copy.deepcopy(model)
    weights = resume.get("averaged") if resume else None
    if isinstance(weights, dict):
        averaged.load_state_dict(weights)
    return averaged


@torch.no_grad()
def _move(averaged: nn.Module, model: nn.Module, share: float) -> None:
    """Move the running mean towards the model's weights."""
    for mean, weight in zip(averaged.parameters(), model.parameters(), strict=True):
        mean.lerp_(weight, share)


class _StepLosses(NamedTuple):
    """Losses of one step: their means over all processes, and this one's videos."""

    values: Tensor
    """(terms,)."""
    own: Tensor
    """(terms, videos of this process)."""
    part: slice


def _step(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    task: Task,
    index: Tensor,
    generator: torch.Generator,
) -> _StepLosses:
    """Leave the gradient of one global batch on the parameters."""
    part, weight = _own_part(len(index))
    own = task.losses(network, index, part, generator)
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
    losses: _StepLosses, task: Task, index: Tensor, epoch: int, step: int
) -> None:
    values = losses.values.tolist()
    if all(map(math.isfinite, values)):
        return
    terms = [
        f"{name} = {value}"
        for name, value in zip(task.terms, values, strict=True)
        if not math.isfinite(value)
    ]
    culprits = ~losses.own.isfinite().all(dim=0).cpu()
    videos = [task.video_ids[i] for i in index[losses.part][culprits].tolist()]
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
    model: nn.Module, optimizer: torch.optim.Optimizer, state: Mapping[str, object]
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
