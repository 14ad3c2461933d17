"""A training from its request to a finished run, or what is missing of it."""

import atexit
import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

import torch
from torch import distributed
from torch.distributed.distributed_c10d import PrefixStore
from torch.distributed.rendezvous import rendezvous

from acmnet.data.checks.refusals import refuse_problems
from acmnet.data.labels.json_files.label_json import label_file
from acmnet.inference.kept_detections import KeptDetections, keep
from acmnet.localization.video_activations import VideoActivations
from acmnet.messages import some
from acmnet.models.stored_model import load
from acmnet.models.training_summary import summarize_training
from acmnet.runs.earlier_run import refuse_unlike
from acmnet.runs.memory_needs import refuse_oversized
from acmnet.runs.network_training import train_network
from acmnet.runs.run_directory import locked
from acmnet.runs.run_request import RunError, RunRequest
from acmnet.runs.run_state import RunOnDisk, RunState, starting_point
from acmnet.runs.student_training import train_student
from acmnet.runtime.startup import is_first_process
from acmnet.training.optimisation.tasks import StepRecord

RESTARTS: Final = "TORCHELASTIC_RESTART_COUNT"
"""Environment variable of a process of torchrun: how often all were started anew."""
LOST: Final = ("gloo", "nccl")
"""Words of torch's error where another process of the training cannot be reached."""


def train_run(
    request: RunRequest,
    *,
    on_step: Callable[[StepRecord], None] = lambda _: None,
    on_note: Callable[[str], None] = lambda _: None,
) -> Path:
    """Train a model and leave it in ``request.out``.

    The directory then holds ``checkpoint/`` (see `acmnet.checkpoints.checkpoint`),
    ``log.jsonl`` with every loss term of every step, ``checkpoints/`` where they were
    to be kept, ``training_summary.json``, see `acmnet.models.training_summary`, and
    what the model finds in these videos, see `acmnet.inference.kept_detections`.

    With ``request.resume`` it may be called again and again: it trains the epochs that
    are missing and writes the files that are missing. A finished run is left as it is.

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
    with locked(request.out):
        found = starting_point(request)
        if found.state is RunState.FINISHED:
            on_note(f"{request.out} is trained; --overwrite trains it anew")
            return request.out
        known: Mapping[str, VideoActivations] = {}
        if not found.is_trained:
            with _told_of_lost_processes(request.out):
                known = _train(request, found, on_step, on_note)
        if is_first_process():
            model = load(request.out, device=request.device)
            results = summarize_training(request.out, model, request.data, known)
            keep(KeptDetections.of(model, request.out, request.data), results, on_note)
    return request.out


def _train(
    request: RunRequest,
    found: RunOnDisk,
    on_step: Callable[[StepRecord], None],
    on_note: Callable[[str], None],
) -> Mapping[str, VideoActivations]:
    """Train the epochs that are missing, once the data is known to allow it.

    Returns what `train_student` does, or nothing where there is no student.
    """
    _refuse_taught_selection(request)
    refuse_unlike(request)
    marks = request.marks
    for note in refuse_problems(request.data, for_training=True, marks=marks):
        on_note(note)
    refuse_oversized(request.settings, request.data, request.device)
    if found.note:
        on_note(found.note)
    labels = label_file(request.data.whole)
    if request.settings.has_student:
        return train_student(request, found, labels, on_step, on_note)
    train_network(request, found, labels, on_step, on_note=on_note)
    return {}


@contextlib.contextmanager
def _told_of_lost_processes(out: Path) -> Iterator[None]:
    """Say in one sentence that another process of torchrun has ended, if it has."""
    try:
        yield
    except RuntimeError as error:
        is_lost = any(word in str(error).casefold() for word in LOST)
        if not (distributed.is_initialized() and is_lost):
            raise
        raise RunError(
            f"another process of the training of {out} has ended, so this one cannot "
            "go on; the same command with --resume goes on from the last checkpoint"
        ) from error


def _refuse_taught_selection(request: RunRequest) -> None:
    """Refuse to choose the checkpoint on videos whose times the training is given."""
    if request.selection is None:
        return
    taught = sorted(set(request.selection.annotations.videos) & set(request.marks))
    if taught:
        raise RunError(
            f"the checkpoint cannot be chosen on the {request.selected_by}: the "
            f"training is given the times of {some(taught)} of it; choose on other "
            "videos, or give --supervision names"
        )


def join_processes(device: str) -> str:
    """Join torchrun's other processes, if it started this one; return the device.

    ``auto`` becomes "cuda" where there is a GPU, else "cpu". If torchrun started this
    process, "cuda" becomes the process's own GPU, such as "cuda:1". Otherwise it stays
    as it is, so that trainings side by side can each take another GPU.
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
        device = "cuda" if cuda else "cpu"
    if device == "cuda" and "LOCAL_RANK" in os.environ:
        device = f"cuda:{os.environ['LOCAL_RANK']}"
    if int(os.environ.get("WORLD_SIZE", "1")) > 1 and not distributed.is_initialized():
        backend = "nccl" if device.startswith("cuda") else "gloo"
        store, rank, size = next(rendezvous("env://"))
        # torchrun keeps one store for all restarts, with addresses of the dead in it
        store = PrefixStore(os.environ.get(RESTARTS, "0"), store)
        distributed.init_process_group(backend, store=store, rank=rank, world_size=size)
        # its threads may abort a process that ends while they run
        atexit.register(distributed.destroy_process_group)
    return device
