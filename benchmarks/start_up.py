"""Time whole processes from their start: help, the import, and one evaluation.

Seconds are those of the processor, so that other work on the machine hardly matters.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from acmnet.data.detections.detection_files import write_detections
from acmnet.data.labels.json_files.label_json import label_entry
from acmnet.files.file_access import write_json
from benchmarks.evaluation import made_up_thumos
from benchmarks.measure import ROOT, Figure, interleaved, processor_seconds, ratio_of

HELP_LIMIT: Final = 6.0
"""How many times as long as a Python that does nothing the page of help may take."""
IMPORT_LIMIT: Final = 1.0
"""How many times as long as importing NumPy importing acmnet may take."""
ACMNET: Final = ("-m", "acmnet")


def rows(repeats: int = 9) -> Iterator[Figure]:
    """Time each process and, in turns with it, the process it is compared with."""
    bare = "of python -c pass"
    help_page = (*ACMNET, "--help")
    yield _against("acmnet --help", help_page, "pass", bare, repeats, HELP_LIMIT)
    numpy = "of python -c 'import numpy'"
    import_ = ("-c", "import acmnet")
    yield _against(
        "import acmnet", import_, "import numpy", numpy, repeats, IMPORT_LIMIT
    )
    with tempfile.TemporaryDirectory() as directory:
        words = (*ACMNET, *_evaluation(Path(directory)))
        files = [f"{directory}/{name}.json" for name in ("labels", "found")]
        reads = f"import json, numpy; [json.load(open(file)) for file in {files}]"
        yield _against(
            "acmnet evaluate",
            words,
            reads,
            "of reading both files with NumPy imported",
            repeats,
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
    name: str,
    arguments: tuple[str, ...],
    code: str,
    unit: str,
    repeats: int,
    limit: float | None = None,
) -> Figure:
    """Time a process in turns with ``python -c CODE``; the figure is their ratio."""
    ours, bare = interleaved(
        lambda: run_python(*arguments),
        lambda: run_python("-c", code),
        repeats=repeats,
        clock=processor_seconds,
    )
    return ratio_of(f"{name}, whole process", ours, bare, unit, limit=limit)


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
