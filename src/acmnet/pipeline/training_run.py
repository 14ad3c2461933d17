"""A training run on disk: started, logged, checkpointed, resumed, selected."""

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import torch
from torch import distributed, nn

from acmnet.data.checks.refusals import refuse_problems
from acmnet.data.datasets import WeakDataset
from acmnet.data.detections import write_detections
from acmnet.network.acm_net import ACMNet
from acmnet.network.student import Student, StudentSettings
from acmnet.pipeline.memory_needs import refuse_oversized
from acmnet.pipeline.run_data import label_file
from acmnet.pipeline.run_directory import (
    LOG_FILE,
    PSEUDO_LABELS,
    RunDirectory,
    locked,
    tidy,
)
from acmnet.pipeline.run_identity import (
    LAST,
    RunError,
    RunRequest,
    config_of,
    is_finished,
    refuse_other_run,
)
from acmnet.pipeline.trained_model import TEACHERS, TrainedModel, load
from acmnet.pipeline.training_summary import (
    TrainingSummaryError,
    summarize_training,
    training_summary,
)
from acmnet.recipes import Settings
from acmnet.segments import Detections
from acmnet.startup import is_first_process
from acmnet.training.loop import Plan, Schedule, StepRecord, optimize, train
from acmnet.training.pseudo_labels import (
    PseudoLabels,
    PseudoTask,
    pseudo_labels,
    usual_best,
)

__all__ = [
    "LAST",
    "LOG_FILE",
    "RunError",
    "RunRequest",
    "config_of",
    "is_complete",
    "is_finished",
    "join_processes",
    "refuse_other_run",
    "tidy",
    "train_run",
]

MEMORY_SHARE: Final = 0.5
"""Features beyond this share of the free memory are mapped, not read."""


def train_run(
    request: RunRequest,
    *,
    on_step: Callable[[StepRecord], None] = lambda _: None,
    on_note: Callable[[str], None] = lambda _: None,
) -> Path:
    """Train a model and leave it in ``request.out``.

    The directory then holds ``checkpoint/`` (see `acmnet.training.checkpoint`),
    ``log.jsonl`` with every loss term of every step, ``checkpoints/`` where they were
    to be kept, and ``training_summary.json``, see `acmnet.pipeline.training_summary`.

    Parameters
    ----------
    request : RunRequest
        What to train on, how, and where to.
    on_step : callable
        Called after each step.
    on_note : callable
        Called with each sentence that the user should read before waiting.

    Raises
    ------
    RunError, DataError, CheckpointError, FeatureError, TrainingError
        With one sentence; the last good checkpoint is left in place.
    """
    for note in refuse_problems(request.data, for_training=True):
        on_note(note)
    refuse_oversized(request.settings, request.data, request.device)
    labels = label_file(request.data.whole)
    with locked(request.out):
        if request.settings.student.teachers:
            _train_student(request, labels, on_step, on_note)
        else:
            _train_network(request, labels, on_step, on_note)
        if is_first_process():
            model = load(request.out, device=request.device)
            summarize_training(request.out, model, request.data)
    return request.out


def is_complete(run: Path, settings: Settings) -> bool:
    """Whether `train_run` has nothing left to do: training and its summary are there.

    A kill may fall between the two.
    """
    try:
        return is_finished(run, settings) and training_summary(run) is not None
    except TrainingSummaryError:
        return False  # it is written anew


def _train_network(
    request: RunRequest,
    labels: bytes | None,
    on_step: Callable[[StepRecord], None],
    on_note: Callable[[str], None],
) -> None:
    """Train the paper's network."""
    run = RunDirectory(request, labels, on_note)
    dataset = _dataset(request)
    run.prepare()
    settings = request.settings
    torch.manual_seed(request.seed)
    n_classes = len(request.data.annotations.class_names)
    model = ACMNet(dataset.dimension, n_classes, settings.model)
    if settings.model.standardize and run.state is None:
        model.standardize(*dataset.statistics())
    plan = Plan(settings.training, settings.sampling, settings.loss, request.seed)

    def as_model(network: nn.Module) -> TrainedModel:
        if not isinstance(network, ACMNet):
            raise TypeError(f"expected an ACMNet, got {type(network).__name__}")
        return _trained(request, network)

    with run.opened() as log:
        train(
            model.to(request.device),
            dataset,
            plan,
            resume=run.state,
            on_step=run.logging(log, on_step),
            on_epoch=lambda progress: run.end_epoch(log, progress, as_model),
        )


def _train_student(
    request: RunRequest,
    given: bytes,
    on_step: Callable[[StepRecord], None],
    on_note: Callable[[str], None],
) -> None:
    """Train the teachers, each a run of its own, and then the student on their mean."""
    run = RunDirectory(request, given, on_note)
    run.prepare()
    settings, student = request.settings, request.settings.student
    teachers = [
        _train_teacher(request, k, on_step, on_note) for k in range(student.teachers)
    ]
    taught = _trained(request, teachers[0], tuple(teachers[1:]))

    dataset = _dataset(request)
    labels = _pseudo_labels(request, taught, run.writes)
    torch.manual_seed(request.seed)
    model = Student(dataset.dimension, len(taught.class_names), student)
    if run.state is None:
        model.standardize(*dataset.statistics())
        model.teachers_best.fill_(usual_best(labels.values()))
    task = PseudoTask(dataset, labels, student, settings.training.precision)
    schedule = Schedule(
        student.epochs,
        student.batch_size,
        student.learning_rate,
        settings.training.weight_decay,
        student.averaging,
        is_cosine=True,
    )

    def as_model(network: nn.Module) -> TrainedModel:
        if not isinstance(network, Student):
            raise TypeError(f"expected a Student, got {type(network).__name__}")
        return dataclasses.replace(taught, student=network)

    before = student.teachers * settings.training.epochs
    with run.opened() as log:
        optimize(
            model.to(request.device),
            task,
            schedule,
            request.seed,
            resume=run.state,
            on_step=run.logging(log, _later(on_step, before)),
            on_epoch=lambda progress: run.end_epoch(log, progress, as_model),
        )


def _train_teacher(
    request: RunRequest,
    k: int,
    on_step: Callable[[StepRecord], None],
    on_note: Callable[[str], None],
) -> ACMNet:
    """Train teacher ``k``, or what is missing of it."""
    settings, n = request.settings, request.settings.student.teachers
    own = dataclasses.replace(
        request,
        out=request.out / TEACHERS / str(k),
        settings=dataclasses.replace(settings, student=StudentSettings()),
        seed=request.seed * n + k,
        resume=True,
        overwrite=False,
        selection=None,
    )
    if is_finished(own.out, own.settings):
        refuse_other_run(own.out, own)
    else:
        # no label file: a teacher is no run to report on
        later = _later(on_step, k * settings.training.epochs)
        _train_network(own, None, later, on_note)
    if distributed.is_initialized():
        distributed.barrier()  # the first process has written it
    return load(own.out, device=request.device).network


def _later(
    on_step: Callable[[StepRecord], None], epochs: int
) -> Callable[[StepRecord], None]:
    """Count the epochs of the trainings before this one."""
    return lambda record: on_step(record._replace(epoch=record.epoch + epochs))


def _trained(
    request: RunRequest, network: ACMNet, further: tuple[ACMNet, ...] = ()
) -> TrainedModel:
    names, grid = request.data.annotations.class_names, request.data.store.grid
    return TrainedModel(network, request.settings, names, grid, further=further)


def _pseudo_labels(
    request: RunRequest, taught: TrainedModel, writes: bool
) -> dict[str, PseudoLabels]:
    """Return what the teachers say of each training video; leave it to be looked at."""
    names, grid, store = taught.class_names, taught.grid, request.data.store
    column = {name: c for c, name in enumerate(names)}
    labels: dict[str, PseudoLabels] = {}
    seen: dict[str, Detections] = {}
    for video, carried in request.data.labels.items():
        features = store.read(video)
        labels[video] = pseudo_labels(
            taught.scores(features),
            [column[name] for name in carried],
            len(features),
            grid,
            request.settings.localization,
            request.settings.student,
        )
        rows = [
            (grid.centre_s(x.start), grid.centre_s(x.end), x.weight, x.class_index)
            for x in labels[video].instances
        ]
        seen[video] = Detections.of(names, rows)
    if writes:
        write_detections(request.out / PSEUDO_LABELS, seen)
    return labels


def _dataset(request: RunRequest) -> WeakDataset:
    data = request.data
    fits = data.store.total_bytes(data.labels) < MEMORY_SHARE * _free_memory()
    return WeakDataset(
        data.store,
        data.labels,
        data.annotations.class_names,
        device=request.device,
        in_memory=fits,
    )


def _free_memory() -> int:
    """Return the bytes that can be had without swapping, or half of all there are."""
    meminfo = Path("/proc/meminfo")
    if meminfo.exists():
        for line in meminfo.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2


def join_processes(device: str) -> str:
    """Join torchrun's other processes, if it started this one; return the device.

    ``auto`` becomes this process's GPU where there is one, else the CPU.
    """
    cuda = torch.cuda.is_available()
    try:
        kind = "" if device == "auto" else torch.device(device).type
    except RuntimeError:
        raise RunError(f"unknown device {device!r}; give auto, cpu or cuda") from None
    if kind == "cuda" and not cuda:
        raise RunError(
            f"device {device!r} was asked for, but torch {torch.__version__} sees no "
            "GPU; give --device cpu, or install with make install TORCH=gpu"
        )
    if device == "auto":
        device = f"cuda:{os.environ.get('LOCAL_RANK', '0')}" if cuda else "cpu"
    if int(os.environ.get("WORLD_SIZE", "1")) > 1 and not distributed.is_initialized():
        distributed.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    return device
