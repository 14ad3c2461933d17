"""Training in two processes of torchrun, also where one of them is killed."""

import json
import os
import subprocess
import sys

import pytest

from acmnet.cli import main
from support import dying_rank
from support.runs import weights_file

TORCHRUN = [
    *(sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"),
    "--standalone",  # takes a port that is free
]


@pytest.fixture(scope="module")
def train(tiny_world):
    """Give the words of a training of 12 videos in batches of 5.

    So the second process's last batch is its smallest, 1.
    """
    labels, features = map(str, tiny_world)
    return [
        *("train", "--annotations", labels, "--features", features),
        *("--subset", "training", "--profile", "corrected", "--training.epochs=4"),
        *("--training.batch-size=5", "--sampling.method=random"),
        "--training.checkpoint-every=1",
    ]


def on_torchrun(*words):
    """Run torchrun with two processes of one thread each; return what it told."""
    known = {k: v for k, v in os.environ.items() if k not in ("RANK", "WORLD_SIZE")}
    done = subprocess.run(
        [*TORCHRUN, *map(str, words)],
        check=False,
        capture_output=True,
        text=True,
        env=known | {"OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


@pytest.fixture(scope="module")
def two(train, tmp_path_factory):
    """Give the run of two processes."""
    out = tmp_path_factory.mktemp("torchrun") / "two"
    on_torchrun("-m", "acmnet", *train, "--out", out)
    return out


def losses(run):
    """Return each line of a run's log without its time."""
    lines = map(json.loads, (run / "log.jsonl").read_text().splitlines())
    return [{k: v for k, v in line.items() if k != "seconds"} for line in lines]


def test_two_processes_give_the_losses_of_one(train, two, tmp_path):
    main([*train, "--out", str(tmp_path / "one")])
    alone, together = losses(tmp_path / "one"), losses(two)
    assert len(alone) == len(together) == 12
    for one, other in zip(alone, together, strict=True):
        assert one == pytest.approx(other, rel=1e-5)


def test_a_killed_process_changes_nothing(train, two, tmp_path):
    """Torchrun starts both anew, and ``--resume`` goes on from their checkpoint."""
    flag, out = tmp_path / "killed", tmp_path / "out"
    words = [dying_rank.__file__, flag, *train, "--resume", "--out", out]
    told = on_torchrun("--max-restarts", "1", *words)
    assert flag.exists()
    assert "another process of the training of" in told
    assert "Traceback" not in told
    assert weights_file(out).read_bytes() == weights_file(two).read_bytes()
    assert losses(out) == losses(two)
