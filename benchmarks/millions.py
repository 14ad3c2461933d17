"""Measure a million videos: tables read, scored and filtered, and a store of shards.

`python -m benchmarks.millions OUT` makes a label file of 1,000,000 videos with two
segments each, 20,000,000 detections (both as Parquet), and shards with tiny features of
1,000,000 videos. Then it runs `acmnet evaluate` and `acmnet convert --min-score --top`
on the tables, and opens the store and reads from it. Each is a process of its own, of
which CPU seconds and peak memory are printed. `--videos` makes a smaller set. `make
bench` does the same with 20,000 videos, against a tenth of them.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from benchmarks.measure import ROOT, Figure, peak_memory_gb, ratio_of

VIDEOS: Final = 1_000_000
INSTANCES: Final = 2
"""Segments of each video."""
DETECTIONS: Final = 20
"""Detections of each video."""
CLASSES: Final = 200
ROWS, COLUMNS = 8, 16
"""The shape of the features of each video, which are tiny: what is measured is what a
video costs besides its bytes."""
READS: Final = 5_000
"""Videos that are read from the store, in a random order."""
LIMIT_S, LIMIT_GB = 120.0, 4.0
"""What reading, scoring and filtering a million videos may take."""
BENCH_VIDEOS: Final = 20_000
FIRST: Final = 200
"""Videos of the set on which each is used first, so that all it needs is loaded."""
FLAT: Final = 1.2
"""A video may cost this many times what it costs in a set of a tenth of the size."""
WORK: Final = ("evaluate", "convert", "store")


class Cost(NamedTuple):
    """What a piece of work cost its process."""

    cpu_s: float
    memory_gb: float
    """Peak resident memory, with all libraries."""
    reads: float = 0.0
    """Videos read from a store in a CPU second."""


def draw(folder: Path, videos: int) -> None:
    """Write labels, detections and a store of shards of so many videos."""
    from acmnet.data.detections.arrow_detections import write_arrow_detections
    from acmnet.data.detections.detection_arrays import DetectionFile
    from acmnet.data.tables.arrow_files import named_column, number_column, write_arrow

    folder.mkdir(parents=True)
    random = np.random.default_rng(0)
    ids = tuple(f"video_{v:07d}" for v in range(videos))
    names = tuple(f"class_{c:03d}" for c in range(CLASSES))
    of = np.repeat(np.arange(videos), INSTANCES)
    label = random.integers(0, CLASSES, len(of))
    start_s = random.uniform(0, 100, len(of)).round(2)
    end_s = start_s + random.uniform(2, 20, len(of)).round(2)
    columns = {
        "video": named_column(ids, of),
        "label": named_column(names, label),
        "start": number_column(start_s),
        "end": number_column(end_s),
    }
    note = {"classes": list(names)}
    write_arrow(folder / "labels.parquet", columns, note, ValueError)
    video = np.repeat(np.arange(videos), DETECTIONS)
    near = random.integers(0, INSTANCES, len(video)) + video * INSTANCES
    shift_s = random.normal(0, 3, (2, len(video)))
    found_s = start_s[near] + shift_s[0]
    is_right = random.random(len(video)) < 0.7
    file = DetectionFile(
        source="made up",
        video_ids=ids,
        labels=names,
        video_index=video,
        label_index=np.where(
            is_right, label[near], random.integers(0, CLASSES, len(video))
        ),
        start_s=found_s,
        end_s=np.maximum(end_s[near] + shift_s[1], found_s + 0.5),
        score=random.random(len(video)),
    )
    write_arrow_detections(folder / "found.parquet", file)
    _draw_store(folder / "features", ids, random)


def _draw_store(
    folder: Path, ids: tuple[str, ...], random: np.random.Generator
) -> None:
    """Write shards with features of so many videos."""
    from acmnet.data.features.feature_manifest import FeatureManifest, write_manifest
    from acmnet.data.features.feature_packing import MOST_VIDEOS
    from acmnet.data.features.feature_shards import shard_name, shard_of
    from acmnet.segments import SnippetGrid

    folder.mkdir()
    manifest = FeatureManifest(grid=SnippetGrid(25, 16, 16), dimension=COLUMNS)
    write_manifest(folder, manifest)
    for first in range(0, len(ids), MOST_VIDEOS):
        own = ids[first : first + MOST_VIDEOS]
        values = random.random((len(own), ROWS, COLUMNS), np.float32)
        content = shard_of(dict(zip(own, values.astype(np.float16), strict=True)), {})
        (folder / shard_name(content)).write_bytes(content)


def use(work: str, folder: Path) -> Cost:
    """Do a piece of work in this process, and return what it cost."""
    labels, found = (str(folder / f"{x}.parquet") for x in ("labels", "found"))
    few = ("--min-score", "0.5", "--top", "5")
    words = {
        "evaluate": ["evaluate", "--ground-truth", labels, "--detections", found],
        "convert": ["convert", found, str(folder / "few.parquet"), *few],
    }
    began_s = time.process_time()
    if work in words:
        from acmnet.cli import main

        main(words[work])
        return Cost(time.process_time() - began_s, peak_memory_gb())
    from acmnet.data.features.feature_store import open_store

    store = open_store(folder / "features")
    opened_s, ids = time.process_time(), store.video_ids
    for i in np.random.default_rng(0).integers(0, len(ids), READS):
        store.read_array(ids[i])
    reads = READS / (time.process_time() - opened_s)
    return Cost(opened_s - began_s, peak_memory_gb(), reads)


def measured(work: str, first: Path, folder: Path) -> Cost:
    """Return what a piece of work costs a process, after a use on a few videos."""
    command = [sys.executable, "-m", "benchmarks.millions", "--child", work]
    done = subprocess.run(
        [*command, str(first), str(folder)],
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
    )
    return Cost(*json.loads(done.stdout.splitlines()[-1]))


def rows(repeats: int = 3) -> Iterator[Figure]:
    """Compare what a video costs in a set with what it costs in a tenth of it."""
    sizes = FIRST, BENCH_VIDEOS // 10, BENCH_VIDEOS
    with tempfile.TemporaryDirectory() as directory:
        first, few, many = (Path(directory, str(n)) for n in sizes)
        for folder, n in zip((first, few, many), sizes, strict=True):
            draw(folder, n)
        for work in WORK:
            pairs = [
                (measured(work, first, few), measured(work, first, many))
                for _ in range(repeats)
            ]
            small_s, large_s = (
                [x.cpu_s for x in own] for own in zip(*pairs, strict=True)
            )
            yield ratio_of(
                f"{work}, a video among {BENCH_VIDEOS:,}",
                [taken / BENCH_VIDEOS for taken in large_s],
                [10 * taken / BENCH_VIDEOS for taken in small_s],
                "of one among a tenth of them",
                limit=FLAT,
            )


def main() -> None:
    """Draw the set unless it is there, and print what each piece of work costs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, nargs="?", default=Path("runs/millions"))
    parser.add_argument("--videos", type=int, default=VIDEOS)
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        work, first, folder = given.child
        use(work, Path(first))
        print(json.dumps(use(work, Path(folder))))
        return
    first, folder = (given.out / f"videos_{n}" for n in (FIRST, given.videos))
    for n, place in ((FIRST, first), (given.videos, folder)):
        if not place.exists():
            draw(place, n)
    for work in WORK:
        cost = measured(work, first, folder)
        reads = f", {cost.reads:,.0f} random reads a CPU second" if cost.reads else ""
        print(
            f"{work}: {cost.cpu_s:.1f} CPU s (limit {LIMIT_S:g}), peak "
            f"{cost.memory_gb:.2f} GB (limit {LIMIT_GB:g}){reads}",
            flush=True,
        )


if __name__ == "__main__":
    main()
