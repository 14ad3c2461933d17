"""Measure what a video costs each verb while the number of videos grows.

`python -m benchmarks.scale OUT` draws sets of 100, 1,000, 10,000 and 100,000 videos
(`--sizes` names others), runs the verbs on each, and writes OUT/scale.json, a table as
OUT/scale.md and a plot as OUT/scale.png. What scale.json has of other sizes and verbs
stays. CPU seconds are those of the process itself, in one thread, after its imports
and a first use on a few videos. Each verb and size is a process of its own
(`python -m benchmarks.scale --child ...`), whose peak memory is reported.

Where other work runs, too, a CPU second does more or less from one minute to the next.
Therefore, a verb is used on 1,000 videos again and again while it is used on the
largest set, and the costs of these two are compared.
"""

import argparse
import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks.measure import ROOT, peak_memory_gb

SIZES: Final = (100, 1_000, 10_000, 100_000)
BESIDE: Final = 1_000
"""Videos of the set that the largest one is compared with."""
PAUSE_S: Final = 20.0
"""Seconds between two uses on the small set while the largest one is measured."""
FEW: Final = 12
"""Videos of the set on which a verb is used first, so that all it needs is loaded."""
VERBS: Final = ("check", "train", "localize", "evaluate", "doctor", "report")
"""The verbs in the order in which they need each other's results."""
DIMENSION: Final = 16
SNIPPETS: Final = (20, 40)
LEAST_VIDEOS: Final = 3_000
"""A small set is used again until a verb has seen about this many videos."""
FLAT: Final = 1.2
"""The cost of a video in the largest set may be this many times that in a small one."""
EPOCH: Final = ("--training.epochs", "1", "--training.batch_size", "16")


class Cost(NamedTuple):
    """What a verb cost on a set of videos."""

    verb: str
    videos: int
    cpu_s: float
    """CPU seconds of one use."""
    memory_gb: float
    """Peak resident memory of the process in GB, with all libraries."""
    beside_ms: float | None = None
    """Mean CPU milliseconds for each of `BESIDE` videos, measured meanwhile."""

    @property
    def ms_a_video(self) -> float:
        """CPU milliseconds for each video."""
        return 1000 * self.cpu_s / self.videos


def draw(folder: Path, videos: int) -> None:
    """Write a set of videos with labels, true segments and small features."""
    from acmnet.data.made_up.feature_world import WorldSettings, make_world, write_world

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


def started(verb: str, out: Path, videos: int) -> subprocess.Popen[str]:
    """Start a process that prints the cost of a verb on a set of videos."""
    times = max(1, min(5, LEAST_VIDEOS // videos))
    command = [sys.executable, "-m", "benchmarks.scale", "--child", verb]
    command += [str(first_of(out, videos)), str(set_of(out, videos)), str(times)]
    alone = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=alone
    )


def ended(process: subprocess.Popen[str], verb: str, videos: int) -> Cost:
    """Wait for a process that was `started`, and return the cost."""
    said, _ = process.communicate()
    if process.returncode:
        raise RuntimeError(f"{verb} on {videos} videos ended with an error; see above")
    return Cost(verb, videos, *json.loads(said))


def measured(verb: str, out: Path, videos: int) -> Cost:
    """Return the cost of a verb, measured in a process of its own."""
    return ended(started(verb, out, videos), verb, videos)


def measured_in_turns(verb: str, out: Path, videos: int) -> Cost:
    """Return the cost of a verb on a large set, and meanwhile on a small one."""
    large = started(verb, out, videos)
    beside: list[float] = []
    while not beside or large.poll() is None:
        beside.append(measured(verb, out, BESIDE).ms_a_video)
        with contextlib.suppress(subprocess.TimeoutExpired):
            large.wait(PAUSE_S)
    cost = ended(large, verb, videos)
    return cost._replace(beside_ms=statistics.mean(beside))


def set_of(out: Path, videos: int) -> Path:
    """Return the folder of a set of videos."""
    return out / f"videos_{videos}"


def first_of(out: Path, videos: int) -> Path:
    """Return the folder of the few videos that are used before a set."""
    return out / f"before_{videos}"


def table(costs: Sequence[Cost]) -> str:
    """Return the costs as a table in Markdown: a row for each verb."""
    sizes = sorted({cost.videos for cost in costs})
    heads = ["ms of CPU a video", *(f"{n:,}" for n in sizes)]
    heads += [f"{BESIDE:,}, meanwhile", "last / meanwhile", "peak memory at last"]
    lines = [f"| {' | '.join(heads)} |", "|---|" + "--:|" * (len(heads) - 1)]
    for verb, own in by_verb(costs).items():
        told = [f"{own[n].ms_a_video:.2f}" if n in own else "" for n in sizes]
        most = own[max(own)]
        told.append("" if most.beside_ms is None else f"{most.beside_ms:.2f}")
        cells = [verb, *told, f"{growth(own):.2f}", f"{most.memory_gb:.2f} GB"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def growth(costs: Mapping[int, Cost]) -> float:
    """Return the cost of a video in the largest set, divided by that in a small one.

    The small one is what was measured meanwhile, or else the cheapest of the sets.
    """
    most = costs[max(costs)]
    least = min(x.ms_a_video for x in costs.values())
    return most.ms_a_video / (most.beside_ms or least)


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
    figure.legend(loc="outside right upper")
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
    for n in {*given.sizes, BESIDE}:
        for folder, videos in (
            (set_of(given.out, n), n),
            (first_of(given.out, n), FEW),
        ):
            if not (folder / "labels.json").exists():
                draw(folder, videos)
    record = given.out / "scale.json"
    known = json.loads(record.read_text()) if record.exists() else []
    before = {(x["verb"], x["videos"]): Cost(**x) for x in known}
    for verb in given.verbs:
        for n in sorted({*given.sizes, BESIDE}):
            is_large = n == max(given.sizes) > BESIDE
            cost = (measured_in_turns if is_large else measured)(verb, given.out, n)
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
