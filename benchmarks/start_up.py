"""Time whole processes from their start: help, the import, and one evaluation.

Seconds are those of the processor, so that other work on the machine hardly matters.
"""

import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from acmnet.data.detections.detection_files import write_detections
from acmnet.data.labels.label_json import label_entry
from acmnet.files.file_access import write_json
from benchmarks.evaluation import made_up_thumos
from benchmarks.measure import (
    ROOT,
    Figure,
    interleaved,
    median_ratio,
    processor_seconds,
    spread,
)

HELP_LIMIT: Final = 6.0
"""How many times as long as a Python that does nothing the page of help may take."""
IMPORT_LIMIT: Final = 1.0
"""How many times as long as importing NumPy importing acmnet may take."""
EVALUATION_LIMIT_S: Final = 1.0
"""Seconds that an evaluation of about 20,000 detections may take, start included."""


def rows(repeats: int = 9) -> Iterator[Figure]:
    """Time each process and, in turns with it, the process it is compared with."""
    acmnet = ("-m", "acmnet")
    yield _against("acmnet --help", (*acmnet, "--help"), "pass", HELP_LIMIT, repeats)
    yield _against(
        "import acmnet", ("-c", "import acmnet"), "import numpy", IMPORT_LIMIT, repeats
    )
    with tempfile.TemporaryDirectory() as directory:
        options = _evaluation(Path(directory))
        (taken,) = interleaved(
            lambda: run_python(*acmnet, *options),
            repeats=repeats,
            clock=processor_seconds,
        )
    yield Figure(
        name="acmnet evaluate, the whole process",
        value=statistics.median(taken),
        unit="s",
        limit=EVALUATION_LIMIT_S,
        detail=spread(taken, "s", 1),
    )


def run_python(*arguments: str) -> None:
    """Run a Python process with these arguments, and wait for it."""
    path = {"PYTHONPATH": str(ROOT / "src")}
    subprocess.run(
        (sys.executable, *arguments),
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | path,
    )


def _against(
    name: str, arguments: tuple[str, ...], code: str, limit: float, repeats: int
) -> Figure:
    """Time a process in turns with ``python -c CODE``; the figure is their ratio."""
    ours, bare = interleaved(
        lambda: run_python(*arguments),
        lambda: run_python("-c", code),
        repeats=repeats,
        clock=processor_seconds,
    )
    return Figure(
        name=f"{name} against python -c {code!r}",
        value=median_ratio(ours, bare),
        unit="times",
        limit=limit,
        detail=f"{spread(ours)} over {spread(bare)}",
    )


def _evaluation(folder: Path) -> list[str]:
    """Write made-up labels and detections; return the words that evaluate them."""
    truth, found = made_up_thumos()
    labels = {name: label_entry(video) for name, video in truth.videos.items()}
    write_json(folder / "labels.json", {"database": labels})
    write_detections(folder / "found.json", found)
    return [
        *("evaluate", "--ground-truth", str(folder / "labels.json")),
        *("--detections", str(folder / "found.json"), "--tiou", "0.1:0.9:0.1"),
    ]
