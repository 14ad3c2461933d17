"""Kill commands that train, give them again, and compare with one left in peace.

``python tests/support/killed.py 100`` kills each of `JOURNEYS` in turn, at random
moments, 100 times in all; `test_run_kills.py` does the same at a few chosen writes. A
world for them is drawn in a temporary folder. Each command runs in a process of its
own, forked from one that has imported everything, so that a kill costs no start.
"""

import contextlib
import json
import multiprocessing
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

import torch

from acmnet.checkpoints.checkpoint import load_training_state
from acmnet.checkpoints.checkpoint_folder import FOLDER
from acmnet.cli import main
from acmnet.cli.verb_table import VERBS
from acmnet.data.made_up.drawn_videos import SceneSettings, write_scenes
from acmnet.data.made_up.feature_world import WorldSettings, make_world, write_world

FEW = [
    *("--training.epochs", "2", "--training.batch-size", "16"),
    *("--training.checkpoint-every", "1", "--student-training.epochs", "2"),
]
LABELS = ["--annotations", "world/labels.json", "--features", "world/features"]
TRAIN = ["train", *LABELS, "--subset", "training", "--out", "OUT", *FEW]
CORRECTED = ["--profile", "corrected"]
JOURNEYS = {
    "train": [*TRAIN, *CORRECTED],
    "train best": [*TRAIN, "--profile", "best", "--teachers.count", "2"],
    "train, kept": [
        *(*TRAIN, *CORRECTED, "--training.keep-checkpoints", "true"),
        *("--select", "test"),
    ],
    "train, from": [
        *(*TRAIN, "--profile", "best", "--teachers.count", "1"),
        *("--training.round-share", "1", "--from", "earlier"),
    ],
    "fit": [
        *("fit", "scenes/videos", "scenes/labels.csv"),
        *("--extractor", "motion", "--workers", "1", "--out", "OUT", *FEW),
        *("--teachers.count", "1"),
    ],
    "crossvalidate": [
        *("crossvalidate", *LABELS, "--folds", "2", "--seeds", "0", "--out", "OUT"),
        *(*FEW, *CORRECTED),
    ],
    "ablate": [
        *("ablate", "VI", *LABELS, "--folds", "2", "--seeds", "0", "--out", "OUT"),
        *(*FEW, *CORRECTED),
    ],
}
"""Commands by name; OUT is where they write."""
WRITES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir")
PRELOADED = [f"acmnet.cli.verbs.{verb}" for verb in VERBS]
"""What the process has imported that all others are forked from. Modules of the tests
cannot be named: that process does not find them, and says nothing."""


def write_worlds(directory):
    """Write the labels, features and videos that the journeys begin with."""
    settings = WorldSettings(training_videos=16, test_videos=6, dimension=8)
    write_world(make_world(0, settings), directory / "world")
    scenes = SceneSettings(training_videos=3, test_videos=1, video_s=(3.0, 4.0))
    write_scenes(directory / "scenes", 0, scenes)
    earlier = [*TRAIN, "--profile", "best", "--teachers.count", "1"]
    with contextlib.chdir(directory):
        main(["earlier" if x == "OUT" else x for x in earlier])


def plain(value):
    """Return a state with lists for its tensors, to be compared."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return value.tolist() if isinstance(value, torch.Tensor) else value


class Journey:
    """One command in a folder with worlds."""

    def __init__(self, name, directory, out):
        self.name = name
        self.directory = directory
        self.out = directory / out
        self.command = [x.replace("OUT", out) for x in JOURNEYS[name]]

    def start(self, *, again=False, writes=None, fails=False):
        """Start it in a process; die, or find the disk full, at a write by its number.

        ``again`` goes on where it stopped.
        """
        command = list(self.command)
        if again and command[0] == "train":
            command.append("--resume")
        job = (command, str(self.directory), str(self.out), writes, fails)
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(PRELOADED)
        process = context.Process(target=_call, args=job)
        process.start()
        return process

    def begin(self, whole=None):
        """Remove what it left; with the features that another call has extracted."""
        shutil.rmtree(self.out, ignore_errors=True)
        if whole is not None and (whole.out / "features").is_dir():
            shutil.copytree(whole.out / "features", self.out / "features")

    def finish(self, **how):
        """Run it to its end, and return its exit code."""
        process = self.start(**how)
        process.join()
        return process.exitcode

    def told(self):
        """Return what the last process printed, and the number of its writes."""
        told = self.directory / "told.txt"
        return told.read_text() if told.exists() else ""

    def writes(self):
        """Return how many writes the last process came to."""
        return int((self.directory / "writes.txt").read_text())

    def ends(self):
        """Return what it leaves that must not depend on kills, by relative name."""
        ends = {}
        for path in sorted(self.out.rglob("*")):
            name = path.relative_to(self.out).as_posix()
            if path.suffix in (".part", ".new", ".old"):
                ends[name] = "left over"
            elif path.name == "training_state.pt":
                # equal values: pickles of equal texts differ by which are one object
                ends[name] = plain(load_training_state(path.parent))
            elif path.parent.name == FOLDER or "checkpoints" in path.parts:
                if path.is_file() and path.name not in ("config.json", "SHA256SUMS"):
                    ends[name] = path.read_bytes()
            elif path.name in ("detections.json", "pseudo_labels.json"):
                found = json.loads(path.read_text())
                ends[name] = json.dumps(found["results"])
            elif path.name == "log.jsonl":
                lines = map(json.loads, path.read_text().splitlines())
                ends[name] = [
                    {k: v for k, v in x.items() if k != "seconds"} for x in lines
                ]
            elif path.name == "training_summary.json":
                ends[name] = json.loads(path.read_text())["shown_from"]
        return ends


def _call(command, directory, out, writes, fails):
    """Run a command in this process, which dies at a write."""
    os.chdir(directory)
    with Path("told.txt").open("w") as told:
        os.dup2(told.fileno(), 1)
        os.dup2(told.fileno(), 2)
    torch.set_num_threads(1)
    counted = 0

    def count(event, args):
        nonlocal counted
        if event not in (*WRITES, "open"):
            return
        if not isinstance(args[0], str | bytes | os.PathLike):
            return
        if event == "open":
            flags = args[2] if isinstance(args[2], int) else 0
            is_write = flags & (os.O_WRONLY | os.O_RDWR) and not flags & os.O_DIRECTORY
        else:
            is_write = event in WRITES
        if not is_write or out not in os.path.abspath(os.fsdecode(args[0])):
            return
        counted += 1
        if counted == writes and fails:
            raise OSError(28, "No space left on device", args[0])
        if counted == writes:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)
    code = 0
    try:
        main(command)
    except SystemExit as stop:
        code = stop.code or 0
    sys.stdout.flush()
    sys.stderr.flush()
    Path("writes.txt").write_text(str(counted))
    os._exit(code)


def kill_at_random(kills, directory, seed=0):
    """Kill and repeat; return a line of text on each, those that differ marked.

    Features of videos are there: `test_extraction_kills.py` is about those.
    """
    write_worlds(directory)
    draw = random.Random(seed)
    whole, ends, lasts = {}, {}, {}
    for name in JOURNEYS:
        journey = whole[name] = Journey(name, directory, f"whole-{len(whole)}")
        if journey.finish():
            raise RuntimeError(f"{name}: {journey.told()}")
        ends[name] = journey.ends()
        again = Journey(name, directory, "again")
        again.begin(journey)
        began = time.monotonic()
        again.finish()
        lasts[name] = time.monotonic() - began
    names = list(JOURNEYS)
    lines = []
    for i in range(kills):
        name = names[i % len(names)]
        journey = Journey(name, directory, "killed")
        journey.begin(whole[name])
        process = journey.start()
        wait_s = draw.uniform(0.0, lasts[name])
        process.join(wait_s)
        is_cut = process.exitcode is None
        if is_cut:
            process.kill()
            process.join()
        code = journey.finish(again=True)
        same = code == 0 and journey.ends() == ends[name]
        cut = f"killed after {wait_s:.2f} s" if is_cut else "finished before"
        why = "" if code == 0 else f" (exit code {code}: {journey.told()[-300:]})"
        lines.append(f"{'same' if same else 'DIFFERS'}: {name}, {cut}{why}")
        print(lines[-1], flush=True)  # noqa: T201
    return lines


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch, contextlib.suppress(BrokenPipeError):
        lines = kill_at_random(int(sys.argv[1]), Path(scratch), *map(int, sys.argv[2:]))
        n_same = sum(line.startswith("same") for line in lines)
        n_cut = sum("killed after" in line for line in lines)
        print(f"{n_same} of {len(lines)} end the same, {n_cut} were killed")  # noqa: T201
