"""Measure what a video costs each verb while the number of videos grows.

`python -m benchmarks.scale OUT` draws sets of 100, 1,000 and 10,000 videos (`--sizes`
names others), runs the verbs on each, and writes OUT/scale.json, a table as
OUT/scale.md and a plot as OUT/scale.png. What scale.json has of other sizes and verbs
stays. CPU seconds are those of the process itself,
after its imports and a first use on a few videos. Each verb and size is a process of
its own (`python -m benchmarks.scale --child ...`), whose peak memory is reported.
"""

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks.measure import ROOT, peak_memory_gb

SIZES: Final = (100, 1_000, 10_000)
FIRST: Final = 12
"""Videos of the set on which a verb is used first, so that all it needs is loaded."""
VERBS: Final = ("check", "train", "localize", "evaluate", "doctor", "report")
"""The verbs in the order in which they need each other's results."""
DIMENSION: Final = 16
SNIPPETS: Final = (20, 40)
LEAST_VIDEOS: Final = 3_000
"""A small set is used again until a verb has seen about this many videos."""
FLAT: Final = 1.2
"""The cost of a video in the largest set may be this many times the lowest."""
EPOCH: Final = ("--training.epochs", "1", "--training.batch_size", "16")


class Cost(NamedTuple):
    """What a verb cost on a set of videos."""

    verb: str
    videos: int
    cpu_s: float
    """CPU seconds of one use."""
    memory_gb: float
    """Peak resident memory of the process in GB, with all libraries."""

    @property
    def ms_a_video(self) -> float:
        """CPU milliseconds for each video."""
        return 1000 * self.cpu_s / self.videos


def draw(folder: Path, videos: int) -> None:
    """Write a set of videos with labels, true segments and small features."""
    from acmnet.data.made_up.feature_world import (
        WorldSettings,
        make_world,
        write_world,
    )

    size = WorldSettings(
        training_videos=videos, test_videos=0, dimension=DIMENSION, snippets=SNIPPETS
    )
    write_world(make_world(0, size), folder)


def words(verb: str, folder: Path) -> list[str]:
    """Return the command of a verb on a set of videos."""
    labels, run = str(folder / "labels.json"), str(folder / "run")
    data = ["--annotations", labels, "--features", str(folder / "features")]
    recipe = ["--recipe", "default", "--profile", "corrected", *EPOCH]
    found = str(folder / "found.json")
    given = {
        "check": ["check", *recipe, *data],
        "train": ["train", *recipe, *data, "--out", run],
        "localize": ["localize", "--run", run, *data, "--out", found],
        "evaluate": ["evaluate", "--ground-truth", labels, "--detections", found],
        "doctor": ["doctor", *data],
        "report": ["report", run],
    }
    return given[verb]


def use(verb: str, folder: Path) -> float:
    """Use a verb in this process and return its CPU seconds."""
    from acmnet.cli import main

    if verb == "train":
        shutil.rmtree(folder / "run", ignore_errors=True)
    if verb == "report":  # what an earlier report found would be used again
        (folder / "run" / "found.safetensors").unlink(missing_ok=True)
    began = time.process_time()
    with (
        open(os.devnull, "w") as nowhere,
        contextlib.redirect_stdout(nowhere),
        contextlib.redirect_stderr(nowhere),
    ):
        try:
            main(words(verb, folder))
        except SystemExit as end:
            if end.code not in (None, 0):
                raise RuntimeError(f"{verb} on {folder} ended with {end.code}") from end
    return time.process_time() - began


def child(verb: str, first: Path, folder: Path, times: int) -> None:
    """Use a verb on a few videos and then several times on many; print the costs."""
    use(verb, first)
    cpu_s = min(use(verb, folder) for _ in range(times))
    print(json.dumps([cpu_s, peak_memory_gb()]))


def measured(verb: str, first: Path, folder: Path, videos: int) -> Cost:
    """Return the cost of a verb, measured in a process of its own."""
    times = max(1, min(5, LEAST_VIDEOS // videos))
    command = [sys.executable, "-m", "benchmarks.scale", "--child", verb]
    command += [str(first), str(folder), str(times)]
    done = subprocess.run(
        command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
    )
    return Cost(verb, videos, *json.loads(done.stdout))


def table(costs: Sequence[Cost]) -> str:
    """Return the costs as a table in Markdown: a row for each verb."""
    sizes = sorted({cost.videos for cost in costs})
    heads = ["ms of CPU a video", *(f"{n:,}" for n in sizes), "last / least"]
    heads.append("peak memory at last")
    lines = [f"| {' | '.join(heads)} |", "|---|" + "--:|" * (len(heads) - 1)]
    for verb, own in by_verb(costs).items():
        told = [f"{own[n].ms_a_video:.2f}" if n in own else "" for n in sizes]
        most = own[max(own)]
        cells = [verb, *told, f"{growth(own):.2f}", f"{most.memory_gb:.2f} GB"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def growth(costs: Mapping[int, Cost]) -> float:
    """Return the cost of a video in the largest set, divided by the lowest cost."""
    return costs[max(costs)].ms_a_video / min(x.ms_a_video for x in costs.values())


def by_verb(costs: Sequence[Cost]) -> dict[str, dict[int, Cost]]:
    """Return the costs by verb and by the number of videos."""
    found: dict[str, dict[int, Cost]] = {}
    for cost in costs:
        found.setdefault(cost.verb, {})[cost.videos] = cost
    return found


def plot(costs: Mapping[str, Mapping[int, Cost]], path: Path) -> None:
    """Draw the cost of a video over the number of videos, a line for each verb."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot(
        xlabel="videos", ylabel="ms of CPU a video", xscale="log", yscale="log"
    )
    for verb, own in costs.items():
        axes.plot(list(own), [x.ms_a_video for x in own.values()], "o-", label=verb)
    axes.legend(ncols=2)
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=150)


def main() -> int:
    """Measure all verbs on all sizes; return 1 if a cost is not flat."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, nargs="?", default=Path("runs/scale"))
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--verbs", nargs="+", default=list(VERBS), choices=VERBS)
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        verb, first, folder, times = given.child
        child(verb, Path(first), Path(folder), int(times))
        return 0
    folders = {n: given.out / f"videos_{n}" for n in (FIRST, *given.sizes)}
    for n, folder in folders.items():
        if not (folder / "labels.json").exists():
            draw(folder, n)
    record = given.out / "scale.json"
    known = json.loads(record.read_text()) if record.exists() else []
    before = {(x["verb"], x["videos"]): Cost(**x) for x in known}
    for n in given.sizes:
        for verb in given.verbs:
            cost = measured(verb, folders[FIRST], folders[n], n)
            print(f"{verb}, {n:,} videos: {cost.cpu_s:.2f} s", flush=True)
            before[verb, n] = cost
            values = [x._asdict() for x in before.values()]
            record.write_text(json.dumps(values))
    costs = sorted(before.values(), key=lambda x: (VERBS.index(x.verb), x.videos))
    (given.out / "scale.md").write_text(table(costs))
    plot(by_verb(costs), given.out / "scale.png")
    print(table(costs))
    return int(any(growth(own) > FLAT for own in by_verb(costs).values()))


if __name__ == "__main__":
    sys.exit(main())
