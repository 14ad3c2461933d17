"""A training run on disk: started, logged, checkpointed, resumed, selected."""

import dataclasses
import hashlib
import json
import os
import platform
import shutil
import time
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, Final, TextIO

import numpy as np
import torch
from torch import distributed, nn

from acmnet.checkpoint import (
    CONFIG_FILE,
    MODEL_FILE,
    STATE_FILE,
    CheckpointConfig,
    CheckpointError,
    has_checkpoint,
    load_config,
    load_training_state,
    save_checkpoint,
    save_training_state,
)
from acmnet.datasets import WeakDataset
from acmnet.detections import write_detections
from acmnet.evaluation.reports import evaluate
from acmnet.files import written_whole
from acmnet.model import ACMNet
from acmnet.pipeline.data import Data, refuse_problems
from acmnet.pipeline.trained import TEACHERS, TrainedModel, load, localize_videos
from acmnet.pipeline.training_summary import summarize_training
from acmnet.precision import computed_in
from acmnet.pseudo import PseudoLabels, PseudoTask, pseudo_labels, usual_best
from acmnet.recipes import Settings, as_values
from acmnet.segments import Detections
from acmnet.student import Student, StudentSettings
from acmnet.training import (
    Plan,
    Progress,
    Schedule,
    StepRecord,
    optimize,
    train,
)

LOG_FILE: Final = "log.jsonl"
CHECKPOINTS: Final = "checkpoints"
LAST: Final = "last"
PSEUDO_LABELS: Final = "pseudo_labels.json"
"""What the student of a run learns from, as detections."""
MEMORY_SHARE: Final = 0.5
"""Features beyond this share of the free memory are mapped, not read."""
MAY_CHANGE: Final = (
    "training.epochs",
    "training.checkpoint_every",
    "training.keep_checkpoints",
)
"""Settings that a resumed run may change, with how it is localised afterwards: they
change no number of an epoch."""


AFTER_STUDENT: Final = (
    "localization.soft_nms_sigma",
    "localization.unit_scores",
    "student.teachers_weight",
)
"""The settings of how a student's run is localised, which teach it nothing."""


class RunError(ValueError):
    """A run that cannot be started or resumed; the message names its directory."""


@dataclasses.dataclass(frozen=True)
class RunRequest:
    """Everything that `train_run` needs to know."""

    out: Path
    settings: Settings
    data: Data
    recipe: str = "default"
    profile: str = "corrected"
    seed: int = 0
    device: str = "cpu"
    resume: bool = False
    """Go on from the run's newest checkpoint."""
    resume_from: Path | None = None
    """Go on, in a new run, from this checkpoint directory."""
    overwrite: bool = False
    """Replace a run that is already there."""
    selection: Data | None = None
    """Data whose temporal truth chooses the checkpoint; the last epoch when left out.
    Choosing on the test set is peeking, and is written into the run."""


def train_run(
    request: RunRequest,
    *,
    on_step: Callable[[StepRecord], None] = lambda _: None,
    on_note: Callable[[str], None] = lambda _: None,
) -> Path:
    """Train a model and leave it in ``request.out``.

    The directory then holds the checkpoint's three files, ``log.jsonl`` with every
    loss term of every step, ``checkpoints/`` where they were to be kept, and
    ``training_summary.json``, see `acmnet.pipeline.training_summary`.

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
    if request.settings.student.teachers:
        _train_student(request, on_step)
    else:
        _train_network(request, on_step)
    if is_first_process():
        model = load(request.out, device=request.device)
        summarize_training(request.out, model, request.data)
    return request.out


def _train_network(request: RunRequest, on_step: Callable[[StepRecord], None]) -> None:
    """Train the paper's network."""
    run = _Run(request)
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


def _train_student(request: RunRequest, on_step: Callable[[StepRecord], None]) -> None:
    """Train the teachers, each a run of its own, and then the student on their mean."""
    run = _Run(request)
    run.prepare()
    settings, student = request.settings, request.settings.student
    teachers = [_train_teacher(request, k, on_step) for k in range(student.teachers)]
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
    request: RunRequest, k: int, on_step: Callable[[StepRecord], None]
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
        _train_network(own, _later(on_step, k * settings.training.epochs))
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


class _Run:
    """The directory of one run, written by the first process only."""

    def __init__(self, request: RunRequest) -> None:
        self.request = request
        self.writes = is_first_process()
        self.started = time.time()
        self.spent_s = 0.0
        self.best: float | None = None
        self.sums: dict[str, float] = {}
        self.steps = 0
        if self.writes:
            self._refuse_directory()
        self.state = self._state_to_resume()

    def _state_to_resume(self) -> Mapping[str, Any] | None:
        out = self.request.out
        source = self.request.resume_from
        if source is None:
            if not (self.request.resume and has_checkpoint(out)):
                return None
            source = out
        config = load_config(source)
        refuse_other_run(source, self.request)
        if self.request.resume:
            self.best = config.metrics.get("selection_average_map")
            self.spent_s = float(config.training.get("seconds", 0.0))
        return load_training_state(source)

    def _refuse_directory(self) -> None:
        """Refuse a file, and a run that is neither resumed nor overwritten."""
        out, request = self.request.out, self.request
        if out.exists() and not out.is_dir():
            raise RunError(f"{out} is a file; --out must be a directory of its own")
        parts = (out / LOG_FILE, out / TEACHERS)
        exists = has_checkpoint(out) or any(part.exists() for part in parts)
        if exists and not (request.resume or request.overwrite):
            raise RunError(
                f"{out} already holds a run; go on with --resume, replace it with "
                "--overwrite, or choose another --out"
            )

    def prepare(self) -> None:
        """Make room for this run's files, once all that can be refused was not."""
        if self.writes:
            out = self.request.out
            if self.request.resume:
                self._trim_log()
            elif self.request.overwrite:
                for name in (CHECKPOINTS, TEACHERS):
                    shutil.rmtree(out / name, ignore_errors=True)
                for name in (LOG_FILE, MODEL_FILE, CONFIG_FILE, STATE_FILE):
                    (out / name).unlink(missing_ok=True)
            try:
                out.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise RunError(f"cannot make {out}: {error.strerror}") from error
        if distributed.is_initialized():
            distributed.barrier()  # nobody trains in a directory that was refused

    def _trim_log(self) -> None:
        """Drop the log's steps that the resumed run will take again."""
        path = self.request.out / LOG_FILE
        if not path.exists():
            return
        done = int(self.state["epoch"]) if self.state else 0
        with (
            written_whole(path) as part,
            path.open(encoding="utf-8") as old,
            part.open("w", encoding="utf-8") as new,
        ):
            new.writelines(line for line in old if _epoch_of(line) <= done)

    def opened(self) -> TextIO:
        """Open the log to append to; other processes write to nowhere."""
        path = self.request.out / LOG_FILE if self.writes else Path(os.devnull)
        return path.open("a", encoding="utf-8", buffering=1)

    def logging(
        self, log: TextIO, on_step: Callable[[StepRecord], None]
    ) -> Callable[[StepRecord], None]:
        """Return what to call after a step: it is logged, then told."""

        def logged(record: StepRecord) -> None:
            self._log_step(log, record)
            on_step(record)

        return logged

    def _log_step(self, log: TextIO, record: StepRecord) -> None:
        """Write one step as a line of JSON and add it to the epoch's means."""
        entry = {"epoch": record.epoch, "step": record.step, **record.losses}
        entry |= {"videos": record.videos, "seconds": round(record.seconds, 6)}
        self._write_line(log, entry)
        for name, value in record.losses.items():
            self.sums[name] = self.sums.get(name, 0.0) + value
        self.steps += 1

    def _write_line(self, log: TextIO, entry: Mapping[str, Any]) -> None:
        try:
            log.write(json.dumps(entry) + "\n")
        except OSError as error:
            raise RunError(
                f"cannot write {self.request.out / LOG_FILE}: {error.strerror}; the "
                "last good checkpoint is untouched: go on with --resume"
            ) from error

    def end_epoch(
        self,
        log: TextIO,
        progress: Progress,
        as_model: Callable[[nn.Module], TrainedModel],
    ) -> None:
        """Write a checkpoint where one is due."""
        settings = self.request.settings.training
        last = _last_epoch(self.request.settings)
        losses = {name: total / self.steps for name, total in self.sums.items()}
        self.sums, self.steps = {}, 0
        due = progress.epoch % settings.checkpoint_every == 0
        if not self.writes or not (due or progress.epoch == last):
            return
        metrics: dict[str, Any] = {"losses": losses}
        chosen = self._is_chosen(log, progress, metrics, as_model)
        config = config_of(self.request, progress.epoch, metrics, self._spent_s())
        directories = [self.request.out]
        if settings.keep_checkpoints:
            name = f"epoch_{progress.epoch:04d}"
            directories.insert(0, self.request.out / CHECKPOINTS / name)
        for directory in directories:
            if chosen or directory is not self.request.out:
                save_checkpoint(directory, progress.kept.state_dict(), config)
            save_training_state(directory, progress.state())

    def _is_chosen(
        self,
        log: TextIO,
        progress: Progress,
        metrics: dict[str, Any],
        as_model: Callable[[nn.Module], TrainedModel],
    ) -> bool:
        """Whether this epoch's weights become the run's: the last or best so far."""
        selection = self.request.selection
        if selection is None:
            return True
        model = as_model(progress.kept)
        report = evaluate(selection.annotations, localize_videos(model, selection))
        subset = selection.source.subset
        metrics |= {"selection_average_map": report.average}
        entry: dict[str, Any] = {"epoch": progress.epoch, "step": progress.step}
        entry |= {"selected_on": subset, "average_map": report.average}
        self._write_line(log, entry)
        if self.best is not None and report.average <= self.best:
            return False
        self.best = report.average
        return True

    def _spent_s(self) -> float:
        return self.spent_s + time.time() - self.started


def config_of(
    request: RunRequest, epoch: int, metrics: Mapping[str, Any], seconds: float
) -> CheckpointConfig:
    """Return what a checkpoint of this run says of itself."""
    annotations, store = request.data.annotations, request.data.store
    chooser = request.selection
    return CheckpointConfig(
        recipe=request.recipe,
        profile=request.profile,
        seed=request.seed,
        settings=as_values(request.settings),
        class_names=annotations.class_names,
        feature_dim=store.dimension,
        grid=store.grid,
        epoch=epoch,
        selection=LAST if chooser is None else f"truth of {_subset(chooser)}",
        metrics=metrics,
        versions=_versions(),
        training={
            "annotations": annotations.source,
            "features": str(store.directory),
            "manifest": store.manifest and dataclasses.asdict(store.manifest),
            "subset": request.data.source.subset,
            "videos": len(annotations.videos),
            "labels_sha256": _labels_sha256(request.data),
            "seconds": round(seconds, 3),
            "processes": int(os.environ.get("WORLD_SIZE", "1")),
            "device": request.device,
            "precision": computed_in(
                request.settings.training.precision, request.device
            ),
        },
    )


def refuse_other_run(source: Path, request: RunRequest) -> None:
    """Refuse a checkpoint of other settings, classes, data or seed than asked for.

    Raises
    ------
    RunError
        Naming the first difference that would change a number of the training.
    """
    config, asked = load_config(source), config_of(request, 0, {}, 0.0)
    # what an older acmnet did not know is what it is now when it is not set
    before = _flat(as_values(Settings())) | _flat(config.settings) | _identity(config)
    now = _flat(asked.settings) | _identity(asked)
    for key, value in now.items():
        if before.get(key) != value and not _may_change(key, request):
            raise RunError(
                f"{source} was trained with {key} = {before.get(key)!r}, now it is "
                f"{value!r}; resume with the same, or start anew in another --out"
            )


def _may_change(key: str, request: RunRequest) -> bool:
    """Whether a run may be resumed with another value of a setting.

    Teachers localise what their student learns: with one, most values are fixed.
    """
    if request.settings.student.teachers:
        return key in (*MAY_CHANGE[1:], *AFTER_STUDENT)
    chooses = key.startswith("localization.") and request.selection is None
    return chooses or key in MAY_CHANGE


def is_finished(run: Path, settings: Settings) -> bool:
    """Whether a run's training has all its epochs behind it."""
    try:
        done = int(load_training_state(run)["epoch"]) if has_checkpoint(run) else 0
    except CheckpointError:
        return False
    return done >= _last_epoch(settings)


def _last_epoch(settings: Settings) -> int:
    """Return the last epoch of what is trained last."""
    if settings.student.teachers:
        return settings.student.epochs
    return settings.training.epochs


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


def _flat(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings by dotted name, tuples as lists (as JSON gives them back)."""
    flat = {f"{r}.{k}": v for r, values in settings.items() for k, v in values.items()}
    return {key: list(v) if isinstance(v, tuple) else v for key, v in flat.items()}


def _identity(config: CheckpointConfig) -> dict[str, Any]:
    return {
        "seed": config.seed,
        "class_names": config.class_names,
        "feature_dim": config.feature_dim,
        "grid": config.grid,
        "selection": config.selection,
        "labels_sha256": config.training.get("labels_sha256"),
    }


def _labels_sha256(data: Data) -> str:
    text = json.dumps(sorted((k, list(v)) for k, v in data.labels.items()))
    return hashlib.sha256(text.encode()).hexdigest()


def _subset(data: Data) -> str:
    subset = data.source.subset
    return "all videos" if subset is None else f"subset {subset!r}"


def _epoch_of(line: str) -> float:
    try:
        return float(json.loads(line)["epoch"])
    except (ValueError, KeyError, TypeError):
        return float("inf")  # a line cut short by a crash


def _versions() -> dict[str, str]:
    return {
        "acmnet": metadata.version("acmnet"),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
    }


def is_first_process() -> bool:
    """Whether this is the one of torchrun's processes that writes files."""
    return int(os.environ.get("RANK", "0")) == 0


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
