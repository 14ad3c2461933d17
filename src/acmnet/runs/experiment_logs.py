"""Losses and scores for TensorBoard, MLflow or Weights & Biases, while a run trains.

Nothing leaves this machine unless the environment variables of MLflow or of Weights &
Biases name a server.
"""

import dataclasses
import importlib.util
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal, Protocol, Self

from acmnet.messages import one_line
from acmnet.recipes import Settings
from acmnet.training.optimisation.tasks import StepRecord

LogName = Literal["tensorboard", "mlflow", "wandb"]
PROJECT: Final = "acmnet"
"""Name of the experiment or project that a run belongs to."""
LONGEST_VALUE: Final = 500
"""Characters of a setting that are logged, as MLflow allows at least."""


class LogError(ValueError):
    """A log that cannot be written; the message says what to do."""


class ExperimentLog(Protocol):
    """A program that shows how trainings go."""

    faults: tuple[type[Exception], ...]
    """What its methods may raise."""

    def values(self, step: int, values: Mapping[str, float]) -> None:
        """Log numbers by name at a step."""

    def close(self) -> None:
        """Write everything that is held back."""


class TensorBoardLog:
    """Event files in the folder ``tensorboard`` of a run."""

    faults: tuple[type[Exception], ...] = (OSError,)

    def __init__(self, out: Path, settings: Mapping[str, str]) -> None:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.plugins.text.summary_v2 import text_pb
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        self._event, self._summary = Event, Summary
        self._writer = EventFileWriter(str(out / "tensorboard"))
        rows = [f"| {name} | {value} |" for name, value in settings.items()]
        table = "\n".join(("| setting | value |", "|---|---|", *rows))
        self._writer.add_event(
            Event(wall_time=time.time(), step=0, summary=text_pb("settings", table))
        )

    def values(self, step: int, values: Mapping[str, float]) -> None:
        """Log numbers by name at a step."""
        parts = [
            self._summary.Value(tag=name, simple_value=value)
            for name, value in values.items()
        ]
        summary = self._summary(value=parts)
        event = self._event(wall_time=time.time(), step=step, summary=summary)
        self._writer.add_event(event)

    def close(self) -> None:
        """Write everything that is held back."""
        self._writer.close()


class MlflowLog:
    """A run of MLflow: in the folder ``mlflow`` of a run, or where MLflow is told."""

    def __init__(self, out: Path, settings: Mapping[str, str]) -> None:
        from mlflow import MlflowClient
        from mlflow.entities import Metric, Param
        from mlflow.exceptions import MlflowException

        self.faults: tuple[type[Exception], ...] = (OSError, MlflowException)
        self._metric = Metric
        place = os.environ.get("MLFLOW_TRACKING_URI")
        if not place:
            place = (out / "mlflow").absolute().as_uri()
            # without it MLflow writes to databases only, which mlflow-skinny lacks
            os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
        self._client = MlflowClient(place)
        found = self._client.get_experiment_by_name(PROJECT)
        experiment = (
            self._client.create_experiment(PROJECT)
            if found is None
            else found.experiment_id
        )
        self._run = self._client.create_run(experiment, run_name=out.name).info.run_id
        params = [Param(name, value) for name, value in settings.items()]
        self._client.log_batch(self._run, params=params)

    def values(self, step: int, values: Mapping[str, float]) -> None:
        """Log numbers by name at a step."""
        now = round(1000 * time.time())
        metrics = [self._metric(name, x, now, step) for name, x in values.items()]
        self._client.log_batch(self._run, metrics=metrics)

    def close(self) -> None:
        """Write everything that is held back."""
        self._client.set_terminated(self._run)


class WandbLog:
    """A run of Weights & Biases: offline, in the folder ``wandb`` of a run."""

    def __init__(self, out: Path, settings: Mapping[str, str]) -> None:
        import wandb

        self.faults: tuple[type[Exception], ...] = (OSError, wandb.Error)
        self._run = wandb.init(
            project=PROJECT,
            name=out.name,
            dir=str(out),
            config=dict(settings),
            mode=None if os.environ.get("WANDB_MODE") else "offline",
            settings=wandb.Settings(silent=True, console="off"),
        )

    def values(self, step: int, values: Mapping[str, float]) -> None:
        """Log numbers by name at a step."""
        self._run.log(dict(values), step=step)

    def close(self) -> None:
        """Write everything that is held back."""
        self._run.finish()


LOGS: Final[Mapping[LogName, Callable[[Path, Mapping[str, str]], ExperimentLog]]] = {
    "tensorboard": TensorBoardLog,
    "mlflow": MlflowLog,
    "wandb": WandbLog,
}
"""All programs, by the names of their packages, which are those of the extras."""


class ExperimentLogs:
    """Logs the steps of a run for several programs; a context manager.

    A program that fails while the run trains is left out from then on, with a note: the
    training goes on.

    Parameters
    ----------
    names : sequence of str
        Which programs; may be empty.
    out : Path
        Directory of the run.
    settings : Settings
        The settings of the run, which are logged with it.
    on_note : callable
        Told in a sentence that a program failed.

    Raises
    ------
    LogError
        If a program is not installed.
    """

    def __init__(
        self,
        names: Sequence[LogName],
        out: Path,
        settings: Settings,
        on_note: Callable[[str], None],
    ) -> None:
        for name in names:
            if importlib.util.find_spec(name) is None:
                raise LogError(
                    f"--log {name} needs {name}, which is not installed; run: pip "
                    f"install 'acmnet[{name}]'"
                )
        self._names, self._out = tuple(dict.fromkeys(names)), out
        self._settings, self._on_note = settings, on_note
        self._open: dict[LogName, ExperimentLog] | None = None
        self._last = self._before = 0

    def __enter__(self) -> Self:
        """Return itself; nothing is opened before the first step."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let each program write what it holds back."""
        self._each(lambda log: log.close())

    def on_step(self, record: StepRecord) -> None:
        """Log the losses of a step.

        A run may have several trainings, one after another, that each count from 1;
        their steps are counted on.
        """
        if not self._names:
            return
        if self._open is None:
            self._open = self._opened()
        if record.step + self._before <= self._last:
            self._before = self._last
        self._last = record.step + self._before
        values = {f"loss/{name}": value for name, value in record.losses.items()}
        values["epoch"] = float(record.epoch)
        self._each(lambda log: log.values(self._last, values))

    def on_scores(self, scores: Mapping[str, float]) -> None:
        """Log numbers that tell how good the run is, at its last step."""
        if self._open is not None:
            self._each(lambda log: log.values(self._last, scores))

    def _opened(self) -> dict[LogName, ExperimentLog]:
        """Open all programs; note which cannot be opened."""
        settings = _by_name(self._settings)
        opened: dict[LogName, ExperimentLog] = {}
        for name in self._names:
            try:
                opened[name] = LOGS[name](self._out, settings)
            except Exception as error:  # noqa: BLE001 - their errors have no common class
                self._on_note(f"nothing is logged for {name}: {one_line(error)}")
        return opened

    def _each(self, action: Callable[[ExperimentLog], None]) -> None:
        """Do something with each program; leave out the one that fails."""
        running = self._open or {}
        for name, log in list(running.items()):
            try:
                action(log)
            except log.faults as error:
                self._on_note(
                    f"{name} failed ({one_line(error)}), so nothing more is logged "
                    "there; the training goes on"
                )
                del running[name]


def _by_name(settings: Settings) -> dict[str, str]:
    """Return all settings as text by their dotted names."""
    found: dict[str, str] = {}

    def add(prefix: str, values: Mapping[str, Any]) -> None:
        for name, value in values.items():
            if isinstance(value, Mapping):
                add(f"{prefix}{name}.", value)
            else:
                found[f"{prefix}{name}"] = str(value)[:LONGEST_VALUE]

    add("", dataclasses.asdict(settings))
    return found
