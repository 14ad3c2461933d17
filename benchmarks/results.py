"""Measure again what docs/results.md says of SHREC'22 and of the surveillance videos.

    python benchmarks/results.py --data ../shared/data --out runs/results [--quick]

Each figure is one command of `acmnet`, printed before it runs; what is finished is kept
in --out, so that a call that was cut short goes on. All of it takes many hours of one
core; --quick (2 folds, 1 seed, 3 epochs, `motion` features) shows in minutes that every
command works, and its figures mean nothing.
"""

import argparse
import json
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from acmnet.figures.studies import write_dial_figure

QUICK = [
    "--folds",
    "2",
    "--seeds",
    "0",
    "--training.epochs",
    "3",
    "--student.epochs",
    "3",
]
DIALS = (0.0, 0.5, 1.0)
# the authors' sampling makes an epoch six times as long (docs/results.md)
OFFICIAL = ["--training.epochs", "60", "--training.checkpoint-every", "20"]


def commands(data: Path, out: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield the name of each result and the command that measures it."""
    shrec = data / "shrec22" / "training"
    fights = data / "surveillance"
    features = out / "surveillance_features"
    yield (
        "features of the surveillance videos",
        [
            "extract",
            f"{fights}/videos",
            "--out",
            f"{features}",
            "--extractor",
            "i3d-rgb",
        ],
    )
    worlds = {
        "shrec22": [
            *("--recipe", "shrec22", "--annotations", f"{shrec}/annotations.json"),
            *("--features", f"{shrec}/features"),
        ],
        "surveillance": [
            *("--annotations", f"{fights}/annotations.json"),
            *("--features", f"{features}"),
        ],
    }
    for world, given in worlds.items():
        given = [*given, "--training.precision", "bf16"]
        tiou = ["--tiou", "0.1,0.3,0.5,0.7"] if world == "surveillance" else []
        for profile in ("best", "corrected", "official"):
            name = f"{world}_{profile}"
            yield (
                name,
                ["crossvalidate", *given, "--profile", profile, *tiou]
                + ["--out", f"{out / name}", "--json", f"{out / name}.json"]
                + (OFFICIAL if profile == "official" else []),
            )
        for table in ("III", "V", "ideas"):
            name = f"{world}_{table}"
            yield (
                name,
                [
                    "ablate",
                    table,
                    *given,
                    "--out",
                    f"{out / world}",
                    "--json",
                    f"{out / name}.json",
                ],
            )


def dialled(data: Path, out: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield the commands that test, on simulations, whether modelling context helps."""
    for dial in DIALS:
        world = out / f"simulation_{dial:g}"
        yield (
            f"simulation at dial {dial:g}",
            [
                *("simulate", "--annotations", f"{data}/thumos14/gt_212.json"),
                *("--subset", "validation", "--videos", "100", "--dimension", "128"),
                *("--context", f"{dial:g}", "--out", f"{world}"),
            ],
        )
        yield (
            f"simulation_{dial:g}_III",
            [
                *("ablate", "III", "--annotations", f"{world}/annotations.json"),
                *("--features", f"{world}/features", "--folds", "2"),
                *("--seeds", "0", "--seeds", "1", "--training.epochs", "40"),
                *("--training.precision", "bf16", "--out", f"{out}/dial_{dial:g}"),
                *("--json", f"{out}/dial_{dial:g}.json"),
            ],
        )


def quickened(command: list[str]) -> list[str]:
    """Return a command with what is quick in the place of its own numbers."""
    if command[0] == "extract":
        return ["motion" if word == "i3d-rgb" else word for word in command]
    if command[0] not in ("ablate", "crossvalidate"):
        return command
    kept, skipped = [], False
    for word in command:
        if word in QUICK[::2]:
            skipped = True
        elif skipped:
            skipped = False
        else:
            kept.append(word)
    return [*kept, *QUICK]


def draw_dial(out: Path) -> None:
    """Draw what the dial does, where all of its studies are there."""
    files = {dial: out / f"dial_{dial:g}.json" for dial in DIALS}
    if all(path.exists() for path in files.values()):
        studies = {dial: json.loads(path.read_text()) for dial, path in files.items()}
        write_dial_figure(studies, "amount of context (the dial)", out / "dial")
        print(f"\n{out}/dial.png")


def main() -> int:
    """Run every command; say which failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, default=Path("runs/results"))
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    if not given.data.is_dir():
        parser.error(f"{given.data} is no folder; give the data's with --data")
    out = given.out / "quick" if given.quick else given.out
    out.mkdir(parents=True, exist_ok=True)
    acmnet = Path(sys.executable).with_name("acmnet")
    failed = []
    for name, command in (*commands(given.data, out), *dialled(given.data, out)):
        if given.quick:
            command = quickened(command)
        print(f"\n## {name}\nacmnet {shlex.join(command)}", flush=True)
        began = time.monotonic()
        if subprocess.run([acmnet, *command], check=False).returncode:
            failed.append(name)
        print(f"{(time.monotonic() - began) / 60:.1f} minutes", flush=True)
    draw_dial(out)
    for name in failed:
        print(f"failed: {name}", file=sys.stderr)
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
