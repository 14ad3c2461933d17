"""Losses for TensorBoard, MLflow and Weights & Biases, read back with their code."""

import importlib.util
import json
from pathlib import Path

import pytest

from acmnet.recipes import Settings
from acmnet.runs import experiment_logs
from acmnet.runs.experiment_logs import ExperimentLogs, LogError
from acmnet.training.optimisation.tasks import StepRecord
from support.commands import refused

FEW = ("--training.epochs", 2, "--profile", "corrected", "--model.width", 8)


@pytest.fixture
def data(tiny_world):
    return ("--annotations", tiny_world[0], "--features", tiny_world[1])


def steps(path):
    lines = Path(path, "log.jsonl").read_text().splitlines()
    return [x for x in map(json.loads, lines) if "total" in x]


def test_tensorboard_and_mlflow_have_the_losses_of_the_log(
    acmnet, data, tmp_path, monkeypatch
):
    """Both are read with the programs' own readers."""
    from mlflow import MlflowClient
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    run = tmp_path / "r"
    logs = ("--log", "tensorboard", "--log", "mlflow")
    code, _, err = acmnet("train", *data, *FEW, *logs, "--out", run)
    assert code == 0, err
    want = [(x["step"], pytest.approx(x["total"], rel=1e-5)) for x in steps(run)]
    events = EventAccumulator(str(run / "tensorboard")).Reload()
    assert [(x.step, x.value) for x in events.Scalars("loss/total")] == want
    text = events.Tensors("settings")[0].tensor_proto.string_val[0]
    assert b"| training.epochs | 2 |" in text
    client = MlflowClient((run / "mlflow").as_uri())
    experiment = client.get_experiment_by_name("acmnet").experiment_id
    (kept,) = client.search_runs([experiment])
    assert (kept.info.run_name, kept.info.status) == ("r", "FINISHED")
    assert kept.data.params["training.epochs"] == "2"
    found = client.get_metric_history(kept.info.run_id, "loss/total")
    assert sorted((x.step, x.value) for x in found) == want


def test_a_log_that_is_not_installed_is_refused_before_the_training(
    acmnet, data, monkeypatch
):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    result = acmnet("train", *data, *FEW, "--log", "wandb", "--out", "r")
    refused(result, "--log wandb needs wandb", "pip install 'acmnet[wandb]'")
    assert not Path("r").exists()
    code, _, err = acmnet("train", *data, *FEW, "--log", "wand", "--out", "r")
    assert code == 2
    assert "tensorboard" in err


class Kept:
    """A log that keeps what it is given, and may fail at a step."""

    faults = (OSError,)

    def __init__(self, fails_at=None):
        self.got, self.fails_at, self.closed = [], fails_at, False

    def values(self, step, values):
        """Keep the values of a step."""
        if step == self.fails_at:
            raise OSError("disk full")
        self.got.append((step, values))

    def close(self):
        """Keep that it was closed."""
        self.closed = True


def record(step, epoch=1):
    return StepRecord(epoch, step, {"total": 1.5}, 2, 0.1)


def test_steps_of_several_trainings_are_counted_on_and_a_fault_stops_one_log_only(
    monkeypatch, tmp_path
):
    kept = {"mlflow": Kept(fails_at=3), "wandb": Kept()}
    for name, log in kept.items():
        monkeypatch.setitem(experiment_logs.LOGS, name, lambda *_, log=log: log)
    notes = []
    with ExperimentLogs(
        ("mlflow", "wandb"), tmp_path, Settings(), notes.append
    ) as logs:
        for step in (1, 2, 1, 2):
            logs.on_step(record(step))
        logs.on_scores({"mAP/0.50": 0.25})
    values = {"loss/total": 1.5, "epoch": 1.0}
    want = [(1, values), (2, values), (3, values), (4, values), (4, {"mAP/0.50": 0.25})]
    assert kept["wandb"].got == want
    assert kept["wandb"].closed
    assert kept["mlflow"].got == want[:2]
    assert notes == [
        "mlflow failed (disk full), so nothing more is logged there; the training goes "
        "on"
    ]


def test_a_log_that_cannot_be_opened_is_noted(monkeypatch, tmp_path):
    def fails(*_):
        raise ConnectionError("no server")

    monkeypatch.setitem(experiment_logs.LOGS, "mlflow", fails)
    notes = []
    with ExperimentLogs(("mlflow",), tmp_path, Settings(), notes.append) as logs:
        logs.on_step(record(1))
    assert notes == ["nothing is logged for mlflow: no server"]


def test_without_steps_no_log_is_opened(tmp_path):
    def refuse(*_):
        raise AssertionError

    with ExperimentLogs((), tmp_path, Settings(), refuse) as logs:
        logs.on_step(record(1))
        logs.on_scores({"x": 1.0})
    with pytest.raises(LogError, match="needs nothing_like_it"):
        ExperimentLogs(("nothing_like_it",), tmp_path, Settings(), refuse)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_wandb_is_written_offline(tmp_path, monkeypatch):
    wandb = pytest.importorskip("wandb")
    for name in ("WANDB_MODE", "WANDB_DIR"):
        monkeypatch.delenv(name, raising=False)
    with ExperimentLogs(("wandb",), tmp_path, Settings(), print) as logs:
        logs.on_step(record(1))
    wandb.teardown()  # its process has ended then, as at the end of a command
    (file,) = tmp_path.glob("wandb/offline-run-*/*.wandb")
    content = file.read_bytes()
    assert b"loss/total" in content
    assert b"training.epochs" in content
