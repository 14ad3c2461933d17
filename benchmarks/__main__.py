"""Print the table of measured figures, and write it as JSON; see `--help`."""

import argparse
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

import torch

from benchmarks import (
    evaluation,
    extraction,
    gpu_clock,
    gpu_extraction,
    gpu_training,
    localization,
    memory,
    millions,
    sampling,
    start_up,
    training,
)
from benchmarks.machine import machine
from benchmarks.measure import Figure

TOPICS: Final[dict[str, Callable[[], Iterable[Figure]]]] = {
    # memory comes first, because the peak of a child process includes what its parent
    # had in memory when the child was started
    "memory": memory.rows,
    "start": start_up.rows,
    "extraction": extraction.rows,
    "training": training.rows,
    "localization": localization.rows,
    "evaluation": evaluation.rows,
    "scale": millions.rows,
    "sampling": sampling.rows,
}
GPU_TOPICS: Final[dict[str, Callable[[], Iterable[Figure]]]] = {
    "floors": gpu_clock.rows,
    "training": gpu_training.rows,
    "extraction": gpu_extraction.rows,
}
WIDTH: Final = 76


def main() -> None:
    """Measure the topics that are asked for. A figure beyond its limit is no error."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows here")
    parser.add_argument(
        "--device", choices=("cpu", "cuda"), default="cpu", help="what is measured"
    )
    names = [*TOPICS, *(name for name in GPU_TOPICS if name not in TOPICS)]
    parser.add_argument("--only", nargs="+", choices=names, help="topics to run")
    arguments = parser.parse_args()
    if arguments.device == "cuda" and not torch.cuda.is_available():
        parser.exit(
            1,
            f"benchmarks: torch {torch.__version__} sees no GPU; leave --device cuda "
            "out to measure the CPU, or install with make install TORCH=gpu\n",
        )
    topics = GPU_TOPICS if arguments.device == "cuda" else TOPICS
    on = machine()
    print(", ".join(f"{name} {value}" for name, value in on.items()))
    print(f"{'':{WIDTH}} {'value':>8} {'low':>8} {'high':>8} {'limit':>8}  within")
    rows = []
    for topic in (name for name in topics if name in (arguments.only or topics)):
        for row in topics[topic]():
            print(_line(row), flush=True)
            rows.append(row.to_json())
    if arguments.json:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        content = {"machine": on, "rows": rows}
        arguments.json.write_text(json.dumps(content, indent=1) + "\n")


def _line(row: Figure) -> str:
    numbers = (row.value, row.low, row.high, row.limit)
    values = " ".join(f"{'' if x is None else f'{x:.3g}':>8}" for x in numbers)
    within = {True: "yes", False: "NO", None: ""}[row.within]
    name = f"{row.name}, {row.unit}"
    return f"{name:{WIDTH}} {values}  {within:6} {row.detail}".rstrip()


if __name__ == "__main__":
    main()
