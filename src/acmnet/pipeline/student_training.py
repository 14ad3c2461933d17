"""Training of the second stage in a run's directory: teachers and their student."""

import dataclasses
from collections.abc import Callable

import torch
from torch import distributed, nn

from acmnet.data.detections import write_detections
from acmnet.network.acm_net import ACMNet
from acmnet.network.student import Student
from acmnet.pipeline.network_training import (
    train_network,
    trained_model,
    weak_dataset,
)
from acmnet.pipeline.run_directory import PSEUDO_LABELS, RunDirectory
from acmnet.pipeline.run_request import RunRequest
from acmnet.pipeline.run_state import RunOnDisk, run_on_disk
from acmnet.pipeline.stored_model import TEACHERS, load
from acmnet.pipeline.trained_model import TrainedModel
from acmnet.segments import Detections
from acmnet.training.loop import StepRecord, optimize
from acmnet.training.pseudo_labels import (
    PseudoLabels,
    StudentTask,
    pseudo_labels,
    usual_best,
)
from acmnet.training.schedule import Schedule


def train_student(
    request: RunRequest,
    found: RunOnDisk,
    given: bytes,
    on_step: Callable[[StepRecord], None],
    on_note: Callable[[str], None],
) -> None:
    """Train the teachers, each in a run of its own, and then the student on their mean.

    Teachers that are trained are not trained again.

    Parameters
    ----------
    request : RunRequest
        What to train on, how, and where to.
    found : RunOnDisk
        What the training of the student begins with.
    given : bytes
        The label file that the checkpoints keep for reports.
    on_step, on_note : callables
        As for `acmnet.pipeline.training_run.train_run`.
    """
    run = RunDirectory(request, found, given)
    run.prepare()
    n_teachers = request.settings.teachers.count
    networks = tuple(
        _train_teacher(request, k, on_step, on_note) for k in range(n_teachers)
    )
    taught = trained_model(request, networks)
    model, task = _student(request, taught, run)

    def as_model(network: nn.Module) -> TrainedModel:
        if not isinstance(network, Student):
            raise TypeError(f"expected a Student, got {type(network).__name__}")
        return dataclasses.replace(taught, students=(network,))

    before = n_teachers * request.settings.training.epochs
    with run.opened() as log:
        optimize(
            model.to(request.device),
            task,
            _schedule(request),
            request.seed,
            resume=run.state,
            on_step=run.logging(log, _later(on_step, before)),
            on_epoch=lambda progress: run.end_epoch(log, progress, as_model),
        )


def _student(
    request: RunRequest, taught: TrainedModel, run: RunDirectory
) -> tuple[Student, StudentTask]:
    """Return the student before its first step, and what it learns."""
    settings = request.settings
    dataset = weak_dataset(request)
    labels = _pseudo_labels(request, taught, run.writes)
    torch.manual_seed(request.seed)
    model = Student(dataset.dimension, len(taught.class_names), settings.student)
    if run.state is None:
        model.standardize(*dataset.statistics())
        model.teachers_best.fill_(usual_best(labels.values()))
    task = StudentTask(
        dataset,
        labels,
        central_share=settings.pseudo_labels.central_share,
        snippets=settings.student_training.snippets,
        precision=settings.training.precision,
    )
    return model, task


def _schedule(request: RunRequest) -> Schedule:
    """Return how the student is optimised."""
    settings = request.settings.student_training
    return Schedule(
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        learning_rate=settings.learning_rate,
        weight_decay=request.settings.training.weight_decay,
        averaging=settings.averaging,
        is_cosine=True,
    )


def _train_teacher(
    request: RunRequest,
    k: int,
    on_step: Callable[[StepRecord], None],
    on_note: Callable[[str], None],
) -> ACMNet:
    """Train teacher ``k``, or what is missing of it, and return it."""
    settings, n = request.settings, request.settings.teachers.count
    own = dataclasses.replace(
        request,
        out=request.out / TEACHERS / str(k),
        settings=settings.without_student(),
        seed=request.seed * n + k,
        resume=True,
        resume_from=None,
        overwrite=False,
        selection=None,
    )
    found = run_on_disk(own)
    if not found.is_trained:
        if found.note:
            on_note(found.note)
        # no label file: a teacher is no run to report on
        later = _later(on_step, k * settings.training.epochs)
        train_network(own, found, None, later)
    if distributed.is_initialized():
        distributed.barrier()  # the first process has written it
    return load(own.out, device=request.device).networks[0]


def _later(
    on_step: Callable[[StepRecord], None], epochs: int
) -> Callable[[StepRecord], None]:
    """Return ``on_step`` for records that also count epochs of earlier trainings."""
    return lambda record: on_step(record._replace(epoch=record.epoch + epochs))


def _pseudo_labels(
    request: RunRequest, taught: TrainedModel, writes: bool
) -> dict[str, PseudoLabels]:
    """Return what the teachers say of each training video; leave it to be looked at."""
    names, grid, store = taught.class_names, taught.grid, request.data.store
    column = {name: c for c, name in enumerate(names)}
    labels: dict[str, PseudoLabels] = {}
    seen: dict[str, Detections] = {}
    for video, carried in request.data.labels.items():
        labels[video] = pseudo_labels(
            taught.activations(store.read(video)),
            [column[name] for name in carried],
            request.settings.localization,
            request.settings.pseudo_labels,
        )
        rows = [
            (grid.centre_s(x.start), grid.centre_s(x.end), x.weight, x.class_index)
            for x in labels[video].instances
        ]
        seen[video] = Detections.of(names, rows)
    if writes:
        write_detections(request.out / PSEUDO_LABELS, seen)
    return labels
