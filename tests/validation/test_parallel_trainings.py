"""Which device each of several trainings computes on."""

import pytest

from acmnet.data.labelled_features import DataSource, open_data
from acmnet.recipes import recipe
from acmnet.runs.run_request import RunRequest
from acmnet.runs.training_run import join_processes
from acmnet.validation.ablation import train_all
from acmnet.workers.worker_tasks import in_this_process


def has_gpus(monkeypatch, n):
    monkeypatch.setattr("torch.cuda.is_available", lambda: n > 0)
    monkeypatch.setattr("torch.cuda.device_count", lambda: n)


@pytest.mark.parametrize(
    ("n_gpus", "expected"),
    [
        (0, ["cpu", "cpu", "cpu"]),
        (1, ["cuda:0", "cuda:0", "cuda:0"]),
        (2, ["cuda:0", "cuda:1", "cuda:0"]),
    ],
)
def test_trainings_take_gpus_in_turn_without_device(
    monkeypatch, tiny_world, tmp_path, n_gpus, expected
):
    has_gpus(monkeypatch, n_gpus)
    trained = []
    monkeypatch.setattr(
        "acmnet.validation.ablation.train_run",
        lambda training: trained.append(training.device),
    )
    asked = RunRequest(
        out=tmp_path,
        data=open_data(DataSource(*tiny_world, "training")),
        recipe="default",
        profile="corrected",
        settings=recipe("default", profile="corrected"),
        device=join_processes("auto"),
    )
    train_all({"whole": asked}, in_this_process, folds=3, seeds=(0,))
    assert trained == expected


@pytest.mark.parametrize("device", ["auto", "cuda"])
def test_each_process_of_torchrun_takes_its_own_gpu(monkeypatch, device):
    has_gpus(monkeypatch, 2)
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert join_processes(device) == "cuda:1"
    assert join_processes("cuda:0") == "cuda:0"
