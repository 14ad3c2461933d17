"""Epochs on a GPU that never wait for the GPU: steps are queued as CUDA graphs.

The host draws what a step needs, copies it through pinned memory, and queues the step;
losses stay on the GPU until the end of the epoch. A CUDA graph is all work of a step,
from sampling to Adam, recorded once for each shape of batch and then started as one.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, NamedTuple

import torch
from torch import Tensor, nn

from acmnet.data.datasets import Draws
from acmnet.training.optimisation.tasks import StepRecord, Task
from acmnet.training.optimisation.training_error import not_finite

WARM_UPS: Final = 2
"""Times that a step is computed before it is recorded, so that libraries choose and
prepare their kernels. These passes change no weight."""


class StepPlan(NamedTuple):
    """One step before it is computed."""

    videos: Tensor
    """(B,). Its videos, by their places in `Task.video_ids`; on the CPU."""
    drawn: Draws
    """What chance decided; on the CPU."""
    rate: float
    """The learning rate."""
    share: float
    """How far the running mean of the weights moves towards them, in [0, 1]."""


class Learner(NamedTuple):
    """What a training changes, step by step, and what it learns."""

    model: nn.Module
    """The network, on the device of the task."""
    optimizer: torch.optim.Adam
    """Its optimiser."""
    task: Task
    """What is learned."""
    averaged: nn.Module | None
    """The network with the running mean of the weights; None where no mean is kept."""

    def means(self) -> list[tuple[Tensor, Tensor]]:
        """Return each running mean with the weights that it follows; [] without any."""
        if self.averaged is None:
            return []
        followed = self.model.parameters()
        return [*zip(self.averaged.parameters(), followed, strict=True)]


class DeviceEpochs:
    """Trains a network epoch by epoch on one GPU.

    Losses are read once an epoch. Where one is not finite, the GPU itself leaves out
    that step and those after it, so that weights stay as they were before that step.
    On a CPU the same steps are computed one by one without a graph, for tests.

    Parameters
    ----------
    learner : Learner
        What is trained. Its optimiser must be fused, and everything that the losses of
        its task read must be on the device.
    """

    def __init__(self, learner: Learner) -> None:
        self._task = task = learner.task
        self._is_cuda = task.device.type == "cuda"
        self._work = _Work(learner)
        self._steps: dict[tuple[int, int], _Step] = {}
        self._pool: Any = torch.cuda.graph_pool_handle() if self._is_cuda else None

    def run(
        self, epoch: int, first_step: int, plans: Iterable[StepPlan]
    ) -> Iterator[StepRecord]:
        """Train an epoch, and then yield the record of each step.

        Parameters
        ----------
        epoch : int
            Its number, from 1.
        first_step : int
            The number of its first step, from 1.
        plans : iterable of StepPlan
            The steps, drawn as they are requested.

        Raises
        ------
        TrainingError
            If a loss was not finite; the weights are those before that step.
        """
        started = time.perf_counter()
        videos, losses = self.queue(plans)
        losses_on_cpu = [terms.cpu() for terms in losses]  # waits for the device
        seconds = (time.perf_counter() - started) / len(losses_on_cpu)
        for step, (index, terms) in enumerate(
            zip(videos, losses_on_cpu, strict=True), start=first_step
        ):
            means = (terms.sum(dim=1) / terms.shape[1]).tolist()
            named = dict(zip(self._task.terms, means, strict=True))
            wrong = ~terms.isfinite().all(dim=0)
            if wrong.any():
                names = [self._task.video_ids[i] for i in index[wrong].tolist()]
                raise not_finite(named, names, epoch, step)
            yield StepRecord(epoch, step, named, len(index), seconds)

    def queue(self, plans: Iterable[StepPlan]) -> tuple[list[Tensor], list[Tensor]]:
        """Queue steps without waiting; return their videos, and losses on the device.

        It waits only where a step has a shape that none before it had.
        """
        videos: list[Tensor] = []
        losses: list[Tensor] = []
        for plan in plans:
            step = self._step_for(plan)
            losses.append(step.take(plan).clone())
            videos.append(plan.videos)
        return videos, losses

    def _step_for(self, plan: StepPlan) -> "_Step":
        """Return the step of this plan's shape, recorded if it is a new one."""
        shape = (len(plan.videos), plan.drawn.snippets)
        if shape not in self._steps:
            step = _Step(self._work, plan)
            if self._is_cuda:
                step.record(self._pool)
            self._steps[shape] = step
        return self._steps[shape]


class _Work:
    """What a step of any shape does on the device, from sampling to Adam."""

    def __init__(self, learner: Learner) -> None:
        self.task = task = learner.task
        self._model, self._optimizer = learner.model, learner.optimizer
        self._means = learner.means()
        # Adam on a GPU reads its rate in fp32; a CPU takes the exact one
        kind = torch.float32 if task.device.type == "cuda" else torch.float64
        self.rate = torch.zeros((), dtype=kind, device=task.device)
        self.failed, self.share = (
            torch.zeros((), device=task.device) for _ in range(2)
        )
        for group in learner.optimizer.param_groups:
            group["lr"] = self.rate
            group["capturable"] = task.device.type == "cuda"
        # Adam leaves out its step where this is 1, as after an overflow
        learner.optimizer.found_inf = self.failed  # type: ignore[attr-defined]

    def compute(self, drawn: Draws) -> Tensor:
        """Take a step, unless one has failed; return the losses (terms, videos)."""
        losses = self.task.losses(self._model, drawn)
        self._optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(losses[0].sum() * (1.0 / losses.shape[1]))
        with torch.no_grad():
            is_wrong = ~losses.isfinite().all()
            self.failed.copy_(torch.maximum(self.failed, is_wrong.float()))
            self._optimizer.step()
            share = self.share * (1.0 - self.failed)
            for mean, weight in self._means:
                mean.lerp_(weight, share)
        return losses.detach()


class _Step:
    """A step of one shape: where its draws lie on the device, and its graph."""

    def __init__(self, work: _Work, plan: StepPlan) -> None:
        device, drawn = work.task.device, plan.drawn
        self._work = work
        self._generators = tuple(torch.Generator(device) for _ in drawn.videos)
        self._drawn = Draws(
            videos=drawn.videos.to(device),
            numbers=drawn.numbers.to(device),
            seeds=self._generators,
            snippets=drawn.snippets,
        )
        self._own: Tensor | None = None
        self._start: Callable[[], None] | None = None

    def take(self, plan: StepPlan) -> Tensor:
        """Queue the step; return its losses, which the next one of it overwrites."""
        self._work.rate.fill_(plan.rate)
        self._work.share.fill_(plan.share)
        _send(plan.drawn.videos, self._drawn.videos)
        _send(plan.drawn.numbers, self._drawn.numbers)
        seeds = plan.drawn.seeds
        if not isinstance(seeds, Tensor):
            raise TypeError("a planned step needs seeds, not generators")
        for generator, seed in zip(self._generators, seeds.tolist(), strict=True):
            generator.manual_seed(seed)
        if self._start is not None and self._own is not None:
            self._start()
            return self._own
        return self._work.compute(self._drawn)

    def record(self, pool: Any) -> None:
        """Record the step as a CUDA graph, after some passes that change nothing."""
        device, failed = self._work.task.device, self._work.failed
        before = failed.clone()
        failed.fill_(1.0)  # so that no pass before the recording changes a weight
        with torch.cuda.device(device):
            own_stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
            own_stream.wait_stream(torch.cuda.current_stream(device))
            with torch.cuda.stream(own_stream):
                for _ in range(WARM_UPS):
                    self._work.compute(self._drawn)
            torch.cuda.current_stream(device).wait_stream(own_stream)
            failed.copy_(before)
            graph = torch.cuda.CUDAGraph()
            for generator in self._generators:
                graph.register_generator_state(generator)
            with torch.cuda.graph(graph, pool=pool):
                self._own = self._work.compute(self._drawn)
        self._start = graph.replay


def _send(values: Tensor, place: Tensor) -> None:
    """Copy from the CPU to a tensor of any device without waiting for the device."""
    if place.device.type == "cuda" and values.numel():
        values = values.pin_memory()
    place.copy_(values, non_blocking=True)
