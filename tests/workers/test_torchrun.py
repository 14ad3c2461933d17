"""Training in two processes of torchrun, one of which is killed."""

import json
import os
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file

from acmnet.cli import main
from acmnet.runs import training_run
from acmnet.runs.run_request import RunError
from support import dying_rank
from support.runs import weights_file

TORCHRUN = [
    *(sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"),
    "--standalone",  # takes a port that is free
]


def on_torchrun(logs, *words):
    """Run torchrun with two processes of one thread each; return what it told.

    Its own logs go into the folder ``logs``.
    """
    known = {k: v for k, v in os.environ.items() if k not in ("RANK", "WORLD_SIZE")}
    done = subprocess.run(
        [*TORCHRUN, "--log-dir", str(logs), *map(str, words)],
        check=False,
        capture_output=True,
        text=True,
        env=known | {"OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


def losses(run):
    """Return each line of a run's log without its time."""
    lines = map(json.loads, (run / "log.jsonl").read_text().splitlines())
    return [{k: v for k, v in line.items() if k != "seconds"} for line in lines]


def test_two_processes_of_which_one_is_killed_learn_what_one_does(tiny_world, tmp_path):
    """Torchrun starts both anew, and ``--resume`` goes on from their checkpoint.

    Of 12 videos in batches of 5, the second process's last batch is its smallest, 1.
    """
    labels, features = map(str, tiny_world)
    train = [
        *("train", "--annotations", labels, "--features", features),
        *("--subset", "training", "--profile", "corrected", "--training.epochs=4"),
        *("--training.batch-size=5", "--sampling.method=random"),
        "--training.checkpoint-every=1",
    ]
    flag, two = tmp_path / "killed", tmp_path / "two"
    words = [dying_rank.__file__, flag, *train, "--resume", "--out", two]
    told = on_torchrun(tmp_path / "logs", "--max-restarts", "1", *words)
    assert flag.exists()
    assert "Traceback" not in told
    main([*train, "--out", str(tmp_path / "one")])
    alone, together = losses(tmp_path / "one"), losses(two)
    assert len(alone) == len(together) == 12
    for one, other in zip(alone, together, strict=True):
        assert one == pytest.approx(other, rel=1e-5)
    weights, others = (load_file(weights_file(tmp_path / x)) for x in ("one", "two"))
    for name, values in weights.items():
        torch.testing.assert_close(others[name], values, rtol=1e-3, atol=1e-5)


def test_a_process_whose_other_has_died_says_so(monkeypatch):
    """So does one of torchrun, unless torchrun finds out earlier and ends it."""
    monkeypatch.setattr(training_run.distributed, "is_initialized", lambda: True)
    said = training_run._told_of_lost_processes("run")
    sentence = "another process of the training of run has ended, so this one cannot"
    with pytest.raises(RunError, match=sentence), said:
        raise RuntimeError("[../gloo/transport/tcp/pair.cc] Connection closed by peer")
    said = training_run._told_of_lost_processes("run")
    with pytest.raises(RuntimeError, match="shapes differ"), said:
        raise RuntimeError("shapes differ")
