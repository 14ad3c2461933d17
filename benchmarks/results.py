"""Measure the figures of docs/results.md and docs/results-*.md again.

    python -m benchmarks.results --data data --out runs/results [--quick]

--data holds the sets; docs/results.md says where to get each of them. Each figure is
one command of `acmnet`, which is printed before it runs, or a table that
`benchmarks/findings.py` reads off the files of those commands. Finished work is kept in
--out, so that a call that was cut short goes on where it stopped. The whole takes many
hours of one core. --quick takes minutes: it trains for 2 epochs on 2 folds with 1 seed,
uses one set of `motion` features, and leaves out what `NOT_QUICK` lists. It shows that
the commands work; its figures mean nothing.
"""

import argparse
import json
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from acmnet.data.label_files import read_annotations
from acmnet.data.labelled_features import DataSource
from benchmarks import findings
from benchmarks.context_figure import write_context_figure
from benchmarks.findings import Validated
from benchmarks.sets.shrec22 import write_groups

EPOCHS: Final = ["--training.epochs", "2", "--student-training.epochs", "2"]
QUICK: Final = ["--folds", "2", "--seeds", "0", *EPOCHS]
CONTEXTS: Final = (0.0, 0.5, 1.0)
"""Amounts of context in the simulated features."""
# with the authors' sampling an epoch takes six times as long (docs/results-earlier.md)
SHORTER: Final = ["--training.epochs", "60", "--training.checkpoint-every", "20"]
BF16: Final = ["--training.precision", "bf16"]
TABLES: Final = ("III", "IV", "V", "VI", "ideas", "profiles")
TIOU: Final = ["--tiou", "0.1,0.3,0.5,0.7"]
ROUNDS: Final = "shrec22_groups.csv"
"""File of the groups of SHREC'22, which are written first."""
ONE: Final[dict[str, list[str]]] = {
    "without_video_score": ["activation-video-weight=0", "attention-video-weight=0"],
    "soft_nms": ["nms=soft"],
    "full_outer": ["contrast-outer=full"],
    "authors_flanks": ["contrast-flanks=right_rounded_down"],
    "zeroed": ["contrast-zeroed=true"],
    "softmax": ["activation-scale=softmax"],
    "padding": ["nms-padding-s=1"],
    "left": ["time-alignment=left"],
    "one_0.10": ["class-threshold-scale=absolute", "class-threshold=0.1"],
    "one_0.25": ["class-threshold-scale=absolute", "class-threshold=0.25"],
}
"""Single settings of the localisation that are changed for the same trained models."""
NOT_QUICK: Final = frozenset(
    {
        *("features, motion", "shrec22_blocks_official"),
        *("ActivityNet, drawn", "ActivityNet, trained"),
        *("ActivityNet, found", "ActivityNet, scored"),
        *("surveillance_best_dropout", "shrec22_twos", "surveillance_twos"),
        "simulation_0.5_twos",
        *("shrec22_VI", "shrec22_ideas", "shrec22_profiles", "simulation_0.5_ideas"),
        *("simulation at 0", "simulation_0_III", "simulation_0.5_200_III"),
        *("simulation at 1", "simulation_1_III"),
        *(f"shrec22_{name}" for name in list(ONE)[1:]),
    }
)
"""What --quick leaves out: commands that take minutes, need other seeds, or only repeat
a command for another set."""

Named = tuple[str, list[str]]


class SetOfVideos(NamedTuple):
    """A set of videos to cross-validate over."""

    name: str
    given: list[str]
    """Arguments that every command for this set gets."""
    tiou: list[str]
    long: list[str]
    """Further arguments of trainings in which videos are interpolated to hundreds of
    snippets."""


def worlds(data: Path, out: Path) -> tuple[SetOfVideos, SetOfVideos]:
    """Return the two real sets."""
    shrec = data / "shrec22" / "training"
    source = ["--recipe", "shrec22", "--annotations", f"{shrec}/annotations.json"]
    fights = ["--annotations", f"{data}/surveillance/annotations.json"]
    features = ["--features", f"{out}/surveillance_features"]
    return (
        SetOfVideos(
            "shrec22",
            [*source, "--features", f"{shrec}/features", *BF16],
            [],
            [*SHORTER, "--folds", "2"],
        ),
        SetOfVideos("surveillance", [*fights, *features, *BF16], TIOU, []),
    )


def by_groups(data: Path, out: Path) -> Iterator[Named]:
    """Yield the commands for the figures of docs/results.md: groups are left out."""
    source, where = f"{data}/surveillance_grouped", f"{out}/grouped_features"
    extracted = ["--extractor", "i3d-rgb-wide", "--out", where]
    yield "features by groups", ["extract", f"{source}/videos", *extracted]
    given = ["--annotations", f"{source}/annotations.json", "--features", where]
    given += ["--groups", f"{source}/groups.csv", *BF16]
    given += [word for seed in range(5) for word in ("--seeds", f"{seed}")]
    fights = SetOfVideos("grouped", given, [], [])
    yield _validated(fights, out, "best", "best", ["--profile", "best"])
    gestures, _ = worlds(data, out)
    given = [*gestures.given, "--groups", f"{out}/{ROUNDS}"]
    blocks = SetOfVideos("shrec22_blocks", given, [], [])
    for profile in ("best", "corrected", "official"):
        asked = ["--profile", profile, *(SHORTER if profile == "official" else [])]
        yield _validated(blocks, out, profile, profile, asked)


def features(data: Path, out: Path) -> Iterator[Named]:
    """Yield the commands that extract features of the surveillance videos."""
    source = ["extract", f"{data}/surveillance/videos", "--out"]
    where = f"{out}/surveillance_features"
    yield "features", [*source, where, "--extractor", "i3d-rgb"]
    yield "features, motion", [*source, f"{where}_motion", "--extractor", "motion"]


def real(data: Path, out: Path) -> Iterator[Named]:
    """Yield the commands for the two real sets."""
    for world in worlds(data, out):
        for profile in ("best", "corrected", "official"):
            asked = ["--profile", profile, *world.tiou]
            asked += SHORTER if profile == "official" else []
            yield _validated(world, out, profile, profile, asked)
        for table in TABLES:
            is_long = table in {"VI", "profiles"}
            asked = [*world.long, "--seeds", "0"] if is_long else []
            yield _studied(world, out, table, asked)
    gestures, _ = worlds(data, out)
    tenth = ["--profile", "official", *SHORTER]
    tenth += ["--localization.class-threshold", "0.1"]
    yield _validated(gestures, out, "official_0.10", "official", tenth)
    for name, changes in ONE.items():
        pairs = [change.split("=") for change in changes]
        asked = [w for key, x in pairs for w in (f"--localization.{key}", x)]
        yield _validated(gestures, out, name, "corrected", asked)
    yield from _single_trainings(data, out)


def _single_trainings(data: Path, out: Path) -> Iterator[Named]:
    """Yield the commands for single settings of the training."""
    gestures, fights = worlds(data, out)
    twos = ["--profile", "best", "--student-training.batch-size", "2"]
    yield _validated(gestures, out, "twos", "twos", [*twos, "--seeds", "0"])
    yield _validated(fights, out, "twos", "twos", twos)
    dropped = ["--profile", "best", *TIOU, "--model.input-dropout", "0.3"]
    yield _validated(fights, out, "best_dropout", "best_dropout", dropped)
    plain = ["--profile", "corrected", *TIOU, "--model.standardize", "false"]
    yield _validated(fights, out, "not_standardised", "not_standardised", plain)
    moving = [*fights.given[:3], f"{out}/surveillance_features_motion", *BF16]
    motion = fights._replace(name="surveillance_motion", given=moving)
    yield _validated(motion, out, "corrected", "corrected", TIOU)


def simulated(data: Path, out: Path) -> Iterator[Named]:
    """Yield the commands for simulated features."""
    thumos = [*("--annotations", f"{data}/thumos14/gt_212.json")]
    thumos += ["--subset", "validation", "--videos", "100"]
    for context in CONTEXTS:
        world = f"{out}/simulation_{context:g}"
        amount = ["--dimension", "128", "--context", f"{context:g}"]
        command = ["simulate", *thumos, *amount, "--out", world]
        yield f"simulation at {context:g}", command
        yield _studied(_drawn(out, context), out, "III", ["--training.epochs", "40"])
    longer = ["--training.epochs", "200"]
    trained_longer = _drawn(out, 0.5, 1)._replace(name="simulation_0.5_200")
    yield _studied(trained_longer, out, "III", longer)
    for profile in ("best", "corrected"):
        asked = ["--profile", profile, *longer]
        yield _validated(_drawn(out, 0.5), out, profile, profile, asked)
    twos = ["--profile", "best", "--student-training.batch-size", "2"]
    twos += ["--student-training.epochs", "150"]
    yield _validated(_drawn(out, 0.5, 1), out, "twos", "twos", [*twos, *longer])
    yield _studied(_drawn(out, 0.5), out, "ideas", longer)
    yield from full_size(data, out)


def full_size(data: Path, out: Path) -> Iterator[Named]:
    """Yield the commands for simulated features of the whole of ActivityNet-1.3."""
    source = data / "activitynet13" / "anet13_anno_action_bmn.json"
    world = out / "activitynet"
    labels = ["--annotations", f"{world}/annotations.json"]
    given = [*labels, "--features", f"{world}/features"]
    drawn = ["--annotations", f"{source}", "--dimension", "128"]
    yield "ActivityNet, drawn", ["simulate", *drawn, "--out", f"{world}"]
    run, found = f"{out}/activitynet_run", f"{out}/activitynet.json"
    recipe = ["--recipe", "activitynet13", *given, "--subset", "training"]
    asked = ["--training.epochs", "20", *BF16, "--resume"]
    yield "ActivityNet, trained", ["train", *recipe, *asked, "--out", run]
    held_out = [*given, "--subset", "validation"]
    yield "ActivityNet, found", ["localize", "--run", run, *held_out, "--out", found]
    truth = ["--ground-truth", f"{world}/annotations.json", "--subset", "validation"]
    truth += ["--detections", found, "--tiou", "0.5:0.95:0.05"]
    yield "ActivityNet, scored", ["evaluate", *truth]


def published(data: Path, out: Path) -> Iterator[Named]:
    """Yield the commands for detections that others published."""
    thumos = data / "thumos14"
    detections = ["--detections", f"{thumos}/stpn_detections.json"]
    truth = ["--ground-truth", f"{thumos}/gt_212.json", "--protocol", "thumos14"]
    yield "Table I", ["evaluate", *truth, *detections, "--published"]
    figures = ["--figures", f"{out}/stpn"]
    yield "diagnosis", ["diagnose", *truth, *detections, *figures]


def _drawn(out: Path, context: float, n_seeds: int = 2) -> SetOfVideos:
    where = f"{out}/simulation_{context:g}"
    given = ["--annotations", f"{where}/annotations.json"]
    given += ["--features", f"{where}/features", "--folds", "2"]
    given += [word for seed in range(n_seeds) for word in ("--seeds", f"{seed}")]
    return SetOfVideos(f"simulation_{context:g}", [*given, *BF16], [], [])


def _validated(
    world: SetOfVideos, out: Path, name: str, run: str, asked: list[str]
) -> Named:
    """Return the command of a cross-validation; those of one run share trainings."""
    name, run = (f"{world.name}_{x}" for x in (name, run))
    places = ["--out", f"{out}/{run}", "--json", f"{out}/{name}.json"]
    return name, ["crossvalidate", *world.given, *asked, *places]


def _studied(world: SetOfVideos, out: Path, table: str, asked: list[str]) -> Named:
    """Return the command of an ablation; those of one set share trainings."""
    name = f"{world.name}_{table}"
    places = ["--out", f"{out}/{world.name}", "--json", f"{out}/{name}.json"]
    profile = ["--profile", "corrected"]
    return name, ["ablate", table, *world.given, *profile, *asked, *places]


def commands(data: Path, out: Path) -> list[Named]:
    """Return the name of each result and the command that measures it."""
    each = (by_groups, features, real, simulated, published)
    return [named for part in each for named in part(data, out)]


def quickened(command: list[str]) -> list[str]:
    """Return a command with the quick numbers of folds, seeds and epochs."""
    verb = command[0]
    if verb == "extract":
        return ["motion" if word.startswith("i3d-") else word for word in command]
    # all commands use the same features
    command = [word.replace("_features_motion", "_features") for word in command]
    own = {"ablate": QUICK, "crossvalidate": QUICK, "train": EPOCHS[:2]}.get(verb, [])
    kept, skipped = [], False
    for word in command:
        if word in own[::2]:
            skipped = True
        elif skipped:
            skipped = False
        else:
            kept.append(word)
    return [*kept, *own]


def tables(
    data: Path, out: Path, quick: bool
) -> dict[str, Callable[[], Iterator[str]]]:
    """Return functions that yield the tables of `benchmarks.findings`, by name."""
    folds, seeds = (2, (0,)) if quick else (4, (0, 1, 2))
    quicker = zip(EPOCHS[::2], EPOCHS[1::2], strict=True)
    changes = {key.removeprefix("--"): x for key, x in quicker} if quick else {}

    def validated(world: SetOfVideos, recipe: str, run: str) -> Validated:
        names = ("--annotations", "--features")
        labels, store = (world.given[world.given.index(x) + 1] for x in names)
        source = DataSource(Path(labels), Path(store))
        where = out / f"{world.name}{run}"
        return Validated(
            name=world.name,
            recipe=recipe,
            source=source,
            runs=where,
            folds=folds,
            seeds=seeds,
            changes=changes,
        )

    gestures, fights = worlds(data, out)
    drawn = validated(_drawn(out, 0.5), "default", "_best")._replace(
        folds=2, seeds=seeds[:2], changes=changes or {"training.epochs": "200"}
    )
    shorter = drawn._replace(
        runs=out / "simulation_0.5", changes=changes or {"training.epochs": "40"}
    )
    both = (
        validated(gestures, "shrec22", "_best"),
        validated(fights, "default", "_best"),
        drawn,
    )
    return {
        "steps of best": lambda: findings.steps(
            validated(gestures, "shrec22", "_corrected")
        ),
        "teachers and student": lambda: findings.second_stage(both),
        "attention": lambda: findings.attention(validated(gestures, "shrec22", "")),
        "attention on the simulation": lambda: findings.attention(shorter),
        "calibration": lambda: findings.calibration(data),
    }


def draw_context(out: Path) -> None:
    """Draw mAP over the amount of context, if the studies for it are finished."""
    files = {x: out / f"simulation_{x:g}_III.json" for x in CONTEXTS}
    if all(path.exists() for path in files.values()):
        studies = {x: json.loads(path.read_text()) for x, path in files.items()}
        write_context_figure(studies, out / "context")
        print(f"\n{out}/context.png")


def main() -> int:
    """Run all commands, and print which ones failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--out", type=Path, default=Path("runs/results"))
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    if not given.data.is_dir():
        parser.error(
            f"{given.data} is no folder; docs/results.md says where to get the sets, "
            "and --data names their folder"
        )
    out = given.out / "quick" if given.quick else given.out
    out.mkdir(parents=True, exist_ok=True)
    acmnet = Path(sys.executable).with_name("acmnet")
    sequences = given.data / "shrec22" / "training" / "annotations.json"
    if sequences.is_file():
        write_groups(out / ROUNDS, read_annotations(sequences).videos)
    failed = []
    for name, command in commands(given.data, out):
        if given.quick and name in NOT_QUICK:
            continue
        if given.quick:
            command = quickened(command)
        print(f"\n## {name}\nacmnet {shlex.join(command)}", flush=True)
        began = time.monotonic()
        if subprocess.run([acmnet, *command], check=False).returncode:
            failed.append(name)
        print(f"{(time.monotonic() - began) / 60:.1f} minutes", flush=True)
    for name, table in tables(given.data, out, given.quick).items():
        print(f"\n## {name} (benchmarks/findings.py)", *table(), sep="\n", flush=True)
    draw_context(out)
    for name in failed:
        print(f"failed: {name}", file=sys.stderr)
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
