"""Training of the paper's network in a run's directory."""

import math
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

import torch
from torch import nn

from acmnet.data.datasets import WeakDataset
from acmnet.messages import counted
from acmnet.models.trained_model import TrainedModel
from acmnet.network.acm_net import ACMNet
from acmnet.runs.earlier_run import begin_with_earlier
from acmnet.runs.marks_on_grid import marks_on_grid
from acmnet.runs.run_directory import RunDirectory
from acmnet.runs.run_request import RunRequest
from acmnet.runs.run_state import RunOnDisk
from acmnet.training.first_stage.marked_snippets import SnippetMarks
from acmnet.training.first_stage.silent_networks import guessing, mean_spread
from acmnet.training.first_stage.weak_task import Plan
from acmnet.training.mining.snippet_mining import mine_snippets
from acmnet.training.optimisation.tasks import StepRecord
from acmnet.training.optimisation.training_loop import Progress, train

DRAWING_LOCK: Final = threading.Lock()
"""Held while first weights are drawn from torch's one generator for all threads."""
MINING_PAUSE_S: Final = 10.0
"""Least seconds between two sentences on how far the mining of snippets has come."""
BACKGROUND_AFTER: Final = 0.15
"""`LossSettings.background_after` of trainings that a network did not start in. On
SHREC'22 it starts every network that was tried, two that never start among them."""
FEWEST_EPOCHS: Final = math.ceil(1.0 / BACKGROUND_AFTER)
"""A network of fewer epochs is not said to have failed to start."""
MEMORY_SHARE: Final = 0.5
"""Features that take more than this share of the free memory are mapped from their
files rather than read into memory."""


def train_network(
    request: RunRequest,
    found: RunOnDisk,
    labels: bytes | None,
    on_step: Callable[[StepRecord], None],
    dataset: WeakDataset | None = None,
    mined: Mapping[str, SnippetMarks] | None = None,
    on_note: Callable[[str], None] = lambda _: None,
) -> None:
    """Train the paper's network, or the epochs that are missing of it.

    Parameters
    ----------
    request : RunRequest
        What to train on, how, and where to.
    found : RunOnDisk
        What the training begins with.
    labels : bytes, optional
        The label file that the checkpoints keep for reports.
    on_step : callable
        Called after each step.
    dataset : WeakDataset, optional
        Features and labels of the request, which are read if they are not given.
    mined : mapping of video id to SnippetMarks, optional
        Snippets that were mined from names; `snippets_mined_from_names` is called if
        they are not given.
    on_note : callable
        Called with sentences on how far this mining has come, and on a network that
        did not start to learn.
    """
    run = RunDirectory(request, found, labels)
    dataset = dataset or weak_dataset(request)
    run.prepare()
    model = _begun(request, run, dataset)
    if mined is None:
        mined = snippets_mined_from_names(request, dataset, on_note)
    plan = Plan(
        training=request.schedule.training,
        sampling=request.settings.sampling,
        loss=request.settings.loss,
        seed=request.seed,
        marks={**mined, **marks_on_grid(request)},
    )

    def as_model(network: nn.Module) -> TrainedModel:
        if not isinstance(network, ACMNet):
            raise TypeError(f"expected an ACMNet, got {type(network).__name__}")
        return trained_model(request, (network,))

    taken = 0

    def on_epoch(progress: Progress) -> None:
        nonlocal taken
        taken = progress.epoch
        run.end_epoch(log, progress, as_model)

    with run.opened() as log:
        train(
            model.to(request.device),
            dataset,
            plan,
            resume=run.state,
            on_step=run.logging(log, on_step),
            on_epoch=on_epoch,
        )
    is_teacher = labels is None
    if run.writes and not is_teacher:
        for sentence in _on_training(model, dataset, taken, plan.training.epochs):
            on_note(sentence)


def _begun(request: RunRequest, run: RunDirectory, dataset: WeakDataset) -> ACMNet:
    """Return the network that a training begins with."""
    settings = request.settings.model
    n_classes = len(request.data.annotations.class_names)
    with DRAWING_LOCK:
        torch.manual_seed(request.seed)
        model = ACMNet(dataset.dimension, n_classes, settings)
    is_new = run.state is None and not begin_with_earlier(request, model)
    if is_new and settings.standardize:
        model.standardize(*dataset.statistics())
    return model


def _on_training(
    model: ACMNet, dataset: WeakDataset, taken: int, epochs: int
) -> Iterator[str]:
    """Yield sentences on a training that took fewer epochs or did not start to learn.

    ``taken`` is its last epoch; 0 if nothing was left to train.
    """
    if 0 < taken < epochs:
        yield (
            "the network learned the names of the videos early, so it took "
            f"{taken} of {epochs} epochs"
        )
    if epochs >= FEWEST_EPOCHS and guessing([mean_spread(model, dataset)]):
        yield (
            "the network did not start to learn what tells the classes apart; train "
            f"it with --loss.background-after {BACKGROUND_AFTER:g}, or with another "
            "--seed, and look at labels and features with acmnet doctor"
        )


def snippets_mined_from_names(
    request: RunRequest, dataset: WeakDataset, on_note: Callable[[str], None]
) -> dict[str, SnippetMarks]:
    """Return the snippets of long recordings that show a class, mined from names.

    ``on_note`` is told from time to time how far the search has come, because it takes
    about a second of a core for each class.
    """
    settings = request.settings
    if not settings.loss.marks_weight:
        return {}
    told = time.monotonic()

    def tell(done: int, of: int) -> None:
        nonlocal told
        if done < of and time.monotonic() - told >= MINING_PAUSE_S:
            told = time.monotonic()
            on_note(
                "long recordings are searched for snippets that only their names "
                f"tell of: {done} of {counted(of, 'class')} done"
            )

    return mine_snippets(dataset, settings.model, tell)


def trained_model(request: RunRequest, networks: tuple[ACMNet, ...]) -> TrainedModel:
    """Return the model that networks of a run make together."""
    return TrainedModel(
        networks=networks,
        settings=request.settings,
        class_names=request.data.annotations.class_names,
        grid=request.data.store.grid,
    )


def weak_dataset(request: RunRequest) -> WeakDataset:
    """Return features and labels to train on, in the device's memory if they fit."""
    data = request.data
    free = _free_memory(torch.device(request.device))
    fits = data.store.total_bytes(data.labels) < MEMORY_SHARE * free
    return WeakDataset(
        data.store,
        data.labels,
        data.annotations.class_names,
        device=request.device,
        in_memory=fits,
    )


def _free_memory(device: torch.device) -> int:
    """Return the bytes of a device that are free.

    For a CPU this is the memory that is available without swapping; half of all memory
    where the system does not tell.
    """
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    meminfo = Path("/proc/meminfo")
    if meminfo.exists():
        for line in meminfo.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
