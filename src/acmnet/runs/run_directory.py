"""The directory of a run: its lock, log and checkpoints, and what a kill left in it."""

import contextlib
import dataclasses
import json
import os
import platform
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, Final, TextIO

import numpy as np
import torch
from filelock import FileLock, Timeout
from torch import distributed, nn

from acmnet.checkpoints.checkpoint import (
    kept_model_files,
    model_files,
    save_checkpoint,
    state_files,
)
from acmnet.checkpoints.checkpoint_config import CheckpointConfig
from acmnet.checkpoints.checkpoint_folder import (
    CONFIG_FILE,
    FOLDER,
    MODEL_FILE,
    STATE_FILE,
    remove_checkpoint,
    remove_loose_files,
)
from acmnet.data.labelled_features import labels_sha256
from acmnet.data.labels.marks import marks_sha256
from acmnet.evaluation.reports import evaluate
from acmnet.files.file_access import make_folder, written_whole
from acmnet.files.whole_folders import recover, recover_all
from acmnet.inference.localized_videos import localize_videos
from acmnet.models.stored_model import TEACHERS, TRIAL
from acmnet.models.trained_model import TrainedModel
from acmnet.recipes import as_values
from acmnet.runs.earlier_run import (
    earlier_videos,
    stated_beginning,
    times_of_all_rounds,
)
from acmnet.runs.run_data import CHECKPOINTS, place_of_features
from acmnet.runs.run_request import RunError, RunRequest
from acmnet.runs.run_state import LOG_FILE, RunOnDisk
from acmnet.runtime.devices import computed_in
from acmnet.runtime.startup import is_first_process
from acmnet.training.optimisation.tasks import StepRecord
from acmnet.training.optimisation.training_loop import Progress

LOCK_FILE: Final = ".training.lock"
PSEUDO_LABELS: Final = "pseudo_labels.json"
"""File of a run with the pseudo labels that its student learns from, as detections."""
OWN_FILES: Final = (LOG_FILE, PSEUDO_LABELS, MODEL_FILE, CONFIG_FILE, STATE_FILE)
"""Files of a run that only a training writes. Their unfinished parts can be removed
while no training runs."""
PART: Final = re.compile(r"\.(.+)\.(\d+)(?:-[0-9a-f]{8})?\.part", re.DOTALL)
"""The temporary name that `written_whole` gives a file: the name of the file, and the
number of the process."""


@contextlib.contextmanager
def locked(out: Path) -> Iterator[None]:
    """Keep every other training out of a run, and what killed ones left out of it.

    Raises
    ------
    RunError
        If the run is being trained, or its directory cannot be made.
    """
    if not is_first_process():
        yield
        return
    if out.exists() and not out.is_dir():
        raise RunError(f"{out} is a file; --out must be a directory of its own")
    was_there = out.exists()
    try:
        make_folder(out)
        lock = FileLock(out / LOCK_FILE)
        lock.acquire(timeout=0)
    except Timeout:
        raise RunError(
            f"{out} is being trained by another acmnet at this moment; wait for it, "
            "or choose another --out"
        ) from None
    except NotImplementedError:  # a file system without locks
        lock = None
    except OSError as error:
        raise RunError(f"cannot make {out}: {error.strerror}") from error
    try:
        _clear(out)
        yield
    finally:
        if lock is not None:
            lock.release()
        if not was_there and {path.name for path in out.iterdir()} <= {LOCK_FILE}:
            shutil.rmtree(out, ignore_errors=True)  # it was refused


def tidy(out: Path) -> None:
    """Remove what killed trainings left in a run, unless one is running there."""
    if out.is_dir():
        with contextlib.suppress(RunError), locked(out):
            pass


def _clear(out: Path) -> None:
    """Remove what killed trainings left in a run; the caller holds its lock."""
    recover(out / FOLDER)
    recover_all(out / CHECKPOINTS)
    for path in out.glob(".*.part"):
        known = PART.fullmatch(path.name)
        if known and (known[1] in OWN_FILES or not _is_running(int(known[2]))):
            path.unlink(missing_ok=True)
    for part in (TEACHERS, TRIAL):
        for network in (out / part).glob("*"):
            _clear(network)


def _is_running(process: int) -> bool:
    """Whether there is a process of this number on this machine."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        pass
    return True


class RunDirectory:
    """What one training writes into its run, by the first process only.

    Parameters
    ----------
    request : RunRequest
        What is trained, and where.
    found : RunOnDisk
        What the training begins with.
    labels : bytes, optional
        The label file, to be kept in the checkpoints.
    """

    def __init__(
        self, request: RunRequest, found: RunOnDisk, labels: bytes | None
    ) -> None:
        self.request = request
        self.state = found.training_state
        self.labels = labels
        self.writes = is_first_process()
        self.started = time.time()
        self.spent_s = 0.0
        self.best: float | None = None
        self.sums: dict[str, float] = {}
        self.steps = 0
        self.facts: dict[str, Any] = {}  # what its checkpoints keep besides
        if request.resume and found.config is not None:
            self.best = found.config.metrics.get("selection_average_map")
            self.spent_s = float(found.config.training.get("seconds", 0.0))

    def prepare(self) -> None:
        """Remove or trim files of an earlier training, after everything was checked."""
        if self.writes:
            out = self.request.out
            try:
                if self.request.resume:
                    self._trim_log()
                elif self.request.overwrite:
                    remove_checkpoint(out)
                    for name in (CHECKPOINTS, TEACHERS, TRIAL):
                        shutil.rmtree(out / name, ignore_errors=True)
                    (out / LOG_FILE).unlink(missing_ok=True)
                make_folder(out)
            except OSError as error:
                raise RunError(f"cannot write to {out}: {error.strerror}") from error
        if distributed.is_initialized():
            distributed.barrier()  # nobody trains in a directory that was refused

    def _trim_log(self) -> None:
        """Remove from the log the steps that the resumed training will take again."""
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

    def take_student_files(self) -> None:
        """Copy what the training of the earlier run's student left, which is kept.

        What is no longer in the earlier run is left out.
        """
        earlier = self.request.begin_from
        if not self.writes or earlier is None:
            return
        for name in (LOG_FILE, PSEUDO_LABELS):
            if (earlier / name).is_file():
                with written_whole(self.request.out / name) as part:
                    shutil.copyfile(earlier / name, part)

    def opened(self) -> TextIO:
        """Open the log to append to; only the first process writes to it."""
        path = self.request.out / LOG_FILE if self.writes else Path(os.devnull)
        return path.open("a", encoding="utf-8", buffering=1)

    def logging(
        self, log: TextIO, on_step: Callable[[StepRecord], None]
    ) -> Callable[[StepRecord], None]:
        """Return a function that logs a step and then calls ``on_step``."""

        def logged(record: StepRecord) -> None:
            self._log_step(log, record)
            on_step(record)

        return logged

    def _log_step(self, log: TextIO, record: StepRecord) -> None:
        """Write one step as a line of JSON, and add its losses to the epoch's sums."""
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
                "last good checkpoint is untouched: free some space, then give the "
                "same command again (acmnet train: with --resume)"
            ) from error

    def end_epoch(
        self,
        log: TextIO,
        progress: Progress,
        as_model: Callable[[nn.Module], TrainedModel],
    ) -> None:
        """Write a checkpoint where one is due."""
        settings = self.request.settings.training
        losses = {name: total / self.steps for name, total in self.sums.items()}
        self.sums, self.steps = {}, 0
        due = progress.epoch % settings.checkpoint_every == 0
        ends = progress.epoch in (self.request.last_epoch, progress.early_end)
        if not self.writes or not (due or ends):
            return
        metrics: dict[str, Any] = {"losses": losses}
        chosen = self._is_chosen(log, progress, metrics, as_model)
        config = self._config(progress.epoch, metrics)
        learnt = model_files(progress.kept.state_dict(), config, self.labels)
        state = state_files(progress.state())
        out = self.request.out
        if settings.keep_checkpoints:
            name = f"epoch_{progress.epoch:04d}"
            save_checkpoint(out / CHECKPOINTS / name, learnt | state)
        best = learnt if chosen else kept_model_files(out)
        save_checkpoint(out / FOLDER, best | state)
        remove_loose_files(out)

    def _is_chosen(
        self,
        log: TextIO,
        progress: Progress,
        metrics: dict[str, Any],
        as_model: Callable[[nn.Module], TrainedModel],
    ) -> bool:
        """Whether this epoch has the weights to keep: the last, or the best so far."""
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

    def _config(self, epoch: int, metrics: Mapping[str, Any]) -> CheckpointConfig:
        """Return the ``config.json`` of an epoch's checkpoint."""
        request = self.request
        annotations, store = request.data.annotations, request.data.store
        seconds = self.spent_s + time.time() - self.started
        earlier = earlier_videos(request)
        return CheckpointConfig(
            recipe=request.recipe,
            profile=request.profile,
            seed=request.seed,
            settings=as_values(request.settings),
            class_names=annotations.class_names,
            feature_dim=store.dimension,
            grid=store.grid,
            epoch=epoch,
            selection=request.selected_by,
            metrics=metrics,
            versions=_versions(),
            training={
                "annotations": annotations.source,
                **place_of_features(request.out, store.directory),
                "manifest": store.manifest and dataclasses.asdict(store.manifest),
                "subset": request.data.source.subset,
                "videos": len(annotations.videos),
                "left_out": list(request.data.left_out),
                "labels_sha256": labels_sha256(request.data),
                "supervision": request.supervision,
                "marks_sha256": marks_sha256(request.marks),
                "begun_from": stated_beginning(request),
                **({"earlier_videos": earlier} if earlier else {}),
                "seconds": round(seconds, 3),
                "processes": int(os.environ.get("WORLD_SIZE", "1")),
                "device": request.device,
                "precision": computed_in(
                    request.settings.training.precision, request.device
                ),
                **self.facts,
            },
            trained_on=request.data.labels,
            taught_times=times_of_all_rounds(request),
        )


def _versions() -> dict[str, str]:
    """Return the versions that the numbers of a training depend on."""
    return {
        "acmnet": metadata.version("acmnet"),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
    }


def _epoch_of(line: str) -> float:
    try:
        return float(json.loads(line)["epoch"])
    except (ValueError, KeyError, TypeError):
        return float("inf")  # a line cut short by a crash
