"""The training loop: batches, steps and epochs of any network, and exact resumption."""

import copy
import dataclasses
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, distributed, nn

from acmnet.data.datasets import WeakDataset
from acmnet.network.acm_net import ACMNet
from acmnet.runtime.devices import exact_fp32
from acmnet.training.first_stage.weak_task import Plan, WeakTask
from acmnet.training.optimisation.adam import Adam
from acmnet.training.optimisation.device_epochs import DeviceEpochs, Learner, StepPlan
from acmnet.training.optimisation.schedule import Schedule, learning_rate
from acmnet.training.optimisation.tasks import StepRecord, Task
from acmnet.training.optimisation.training_error import TrainingError, not_finite


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
    early_end: int = 0
    """The epoch at which the training ends if it has not ended before; 0 where only the
    number of its epochs ends it."""

    @property
    def kept(self) -> nn.Module:
        """The network with the weights that are worth keeping."""
        return self.averaged or self.model

    def state(self) -> dict[str, object]:
        """Return all of it as plain tensors and numbers, for `torch.save`."""
        return {
            "epoch": self.epoch,
            "step": self.step,
            "early_end": self.early_end,
            "model": self.model.state_dict(),
            "averaged": self.averaged and self.averaged.state_dict(),
            "optimizer": self._moments(),
        }

    def _moments(self) -> dict[str, Any]:
        """Return the state of the optimiser; its rate may be a tensor of the device."""
        state = self.optimizer.state_dict()
        for group in state["param_groups"]:
            group["lr"] = float(group["lr"])
        return state


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
    schedule = _schedule(dataset, plan)
    early = int(plan.loss.background_after * schedule.epochs)
    if early and _epochs_done(resume) < early:
        begun: list[dict[str, object]] = []

        def on_early_epoch(progress: Progress) -> None:
            on_epoch(progress)
            if progress.epoch == early:
                begun.append(copy.deepcopy(progress.state()))

        optimize(
            model,
            WeakTask(dataset, plan, is_early=True),
            dataclasses.replace(schedule, epochs=early),
            plan.seed,
            resume=resume,
            on_step=on_step,
            on_epoch=on_early_epoch,
        )
        resume = begun[0]
    optimize(
        model,
        WeakTask(dataset, plan),
        schedule,
        plan.seed,
        resume=resume,
        on_step=on_step,
        on_epoch=on_epoch,
    )


def _schedule(dataset: WeakDataset, plan: Plan) -> Schedule:
    """Return how long and how fast the paper's network learns from these videos."""
    settings = plan.training
    seen = plan.sampling.mean_snippets(dataset.lengths.tolist())
    return Schedule(
        epochs=settings.epochs,
        batch_size=settings.videos_a_step(seen),
        learning_rate=settings.learning_rate,
        weight_decay=settings.weight_decay,
        averaging=settings.averaging,
    )


def _mean_losses(records: Sequence[StepRecord]) -> dict[str, float]:
    """Return each loss of some steps, in the mean over their videos."""
    videos = sum(record.videos for record in records)
    return {
        name: sum(record.losses[name] * record.videos for record in records) / videos
        for name in records[0].losses
    }


def _early_end(state: Mapping[str, object] | None) -> int:
    """Return `Progress.early_end` from a `Progress.state`; 0 where none is known."""
    end = state.get("early_end", 0) if state else 0
    return end if isinstance(end, int) else 0


def _epochs_done(resume: Mapping[str, object] | None) -> int:
    """Return how many epochs were done before a training goes on."""
    done = resume["epoch"] if resume else 0
    return done if isinstance(done, int) else 0


def optimize(
    model: nn.Module,
    task: Task,
    schedule: Schedule,
    seed: int,
    *,
    resume: Mapping[str, object] | None = None,
    on_step: Callable[[StepRecord], None],
    on_epoch: Callable[[Progress], None] = lambda _: None,
) -> None:
    """Train ``model`` in place on any task; see `train` for what holds."""
    optimizer = Adam(
        model.parameters(),
        lr=schedule.learning_rate,
        weight_decay=schedule.weight_decay,
        fused=True,
    )
    epoch, step = _restore(model, optimizer, resume) if resume else (0, 0)
    end = _early_end(resume) or (schedule.epochs if schedule.is_shortened else 0)
    averaged = _averaged(model, schedule, resume)
    plans = _Plans(task, schedule, seed)
    learner = Learner(model, optimizer, task, averaged)
    is_on_gpu = task.device.type == "cuda" and task.is_on_device
    is_queued = is_on_gpu and _world() == 1
    epochs = DeviceEpochs(learner) if is_queued else _PlainEpochs(learner)
    with exact_fp32(task.device):
        while epoch < min(schedule.epochs, end or schedule.epochs):
            epoch += 1
            model.train()
            records = []
            for record in epochs.run(epoch, step + 1, plans.of_epoch(epoch, step)):
                step = record.step
                records.append(record)
                on_step(record)
            end = end or task.early_end(epoch, len(records), _mean_losses(records))
            on_epoch(Progress(epoch, step, model, optimizer, averaged, end))
    if averaged is not None:
        model.load_state_dict(averaged.state_dict())


class _Plans:
    """What each step of a training is given, drawn as it is requested."""

    def __init__(self, task: Task, schedule: Schedule, seed: int) -> None:
        self._task, self._schedule, self._seed = task, schedule, seed

    def of_epoch(self, epoch: int, step: int) -> Iterator[StepPlan]:
        """Yield the steps of an epoch, before which ``step`` steps were taken."""
        schedule, n_videos = self._schedule, len(self._task.video_ids)
        steps = schedule.epochs * math.ceil(n_videos / schedule.batch_size)
        generator = _epoch_generator(self._seed, epoch)
        for n, index in enumerate(_batches(n_videos, schedule.batch_size, generator)):
            done = step + n
            part, _ = _own_part(len(index))
            yield StepPlan(
                videos=index,
                drawn=self._task.draw(index, part, generator),
                rate=learning_rate(schedule, done, steps),
                share=1.0 - min(schedule.averaging, (done + 1) / (done + 10)),
            )


class _PlainEpochs:
    """Trains a network step by step, in one process or several; reads every loss."""

    def __init__(self, learner: Learner) -> None:
        self._optimizer, self._task = learner.optimizer, learner.task
        self._means = learner.means()
        self._network = (
            learner.model
            if _world() == 1
            else nn.parallel.DistributedDataParallel(learner.model)
        )

    def run(
        self, epoch: int, first_step: int, plans: Iterator[StepPlan]
    ) -> Iterator[StepRecord]:
        """Train an epoch, and yield the record of each step once it was taken."""
        optimizer, task = self._optimizer, self._task
        while True:
            started = time.perf_counter()
            plan = next(plans, None)
            if plan is None:
                return
            for group in optimizer.param_groups:
                group["lr"] = plan.rate
            losses = self._gradients(plan)
            values = losses.values.tolist()
            named = dict(zip(task.terms, values, strict=True))
            if not all(map(math.isfinite, values)):
                videos = _culprits(losses, task, plan.videos)
                raise not_finite(named, videos, epoch, first_step)
            optimizer.step()
            with torch.no_grad():
                for mean, weight in self._means:
                    mean.lerp_(weight, plan.share)
            seconds = time.perf_counter() - started
            yield StepRecord(epoch, first_step, named, len(plan.videos), seconds)
            first_step += 1

    def _gradients(self, plan: StepPlan) -> "_StepLosses":
        """Leave the gradient of one global batch on the parameters."""
        part, weight = _own_part(len(plan.videos))
        losses = self._task.losses(self._network, plan.drawn)
        means = losses.sum(dim=1) * (weight / len(plan.videos))
        self._optimizer.zero_grad(set_to_none=True)
        # DDP averages gradients over processes; the loss is a sum over them
        torch.autograd.backward(means[0] * _world())
        values = means.detach()
        if _world() > 1:
            distributed.all_reduce(values)
        return _StepLosses(values, losses.detach(), part)


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


class _StepLosses(NamedTuple):
    """Losses of one step: their means over all processes, and this one's videos."""

    values: Tensor
    """(terms,)."""
    own: Tensor
    """(terms, videos of this process)."""
    part: slice


def _own_part(n: int) -> tuple[slice, float]:
    """Return this process's share of n videos, and what its losses count.

    A process without a share repeats the first video at no weight: DDP needs all.
    """
    world, rank = _world(), _rank()
    start, end = n * rank // world, n * (rank + 1) // world
    return (slice(start, end), 1.0) if end > start else (slice(0, 1), 0.0)


def _culprits(losses: _StepLosses, task: Task, index: Tensor) -> list[str]:
    """Return the videos of all processes that have a loss which is not finite."""
    wrong = ~losses.own.isfinite().all(dim=0).cpu()
    videos = [task.video_ids[i] for i in index[losses.part][wrong].tolist()]
    if _world() > 1:
        shares: list[list[str]] = [[] for _ in range(_world())]
        distributed.all_gather_object(shares, videos)
        videos = sorted({video for share in shares for video in share})
    return videos


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
    for group in optimizer.param_groups:  # what a run on another device has set
        group["capturable"] = False
    return epoch, step


def _world() -> int:
    return distributed.get_world_size() if distributed.is_initialized() else 1


def _rank() -> int:
    return distributed.get_rank() if distributed.is_initialized() else 0
