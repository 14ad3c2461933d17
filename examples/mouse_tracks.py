"""Read the mice of MARS, CalMS21 and MABe: they become files of tracks, and a table.

acmnet reads one recording a file. These files hold many, as nested lists or as a
dictionary: ``calms21_task1_train.json`` (or ``.npy``), ``mouse_triplet_train.npy`` of
MABe, or the ``..._top_v1_8.json`` of a video that MARS has looked at. Behaviours that
are scored frame by frame become a table with the times of each; a row without a label
says that the recording was watched from start to end. Then::

    python examples/mouse_tracks.py calms21_task1_train.json tracks labels.csv
    acmnet fit tracks labels.csv --extractor keypoints --fps 30 --supervision all \
      --out runs/mice

A ``.npy`` file with a dictionary is a Python pickle, which can run any code when it is
opened: open only files whose source you trust.
"""

import csv
import json
import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

FPS = 30.0
"""Frames per second of recordings that do not state it, as those of all three."""
NOTHING = ("other", "none", "background")
"""Names of frames in which none of the behaviours happens."""


def read(path: Path) -> Any:
    """Return what a JSON file, or a NumPy file with a dictionary, holds."""
    if path.suffix == ".json":
        return json.loads(path.read_text())
    return np.load(path, allow_pickle=True).item()


def recordings(held: Any, name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each recording with its name, wherever in the dictionary it is."""
    if "keypoints" in held:
        yield name.replace("/", "-"), held
        return
    shared = {"vocabulary": held.get("vocabulary", {})}
    for key, value in held.items():
        if isinstance(value, dict) and key != "vocabulary":
            for name_of_one, one in recordings(value, key):
                yield name_of_one, shared | one


def tracks(one: dict[str, Any]) -> tuple[np.ndarray, bool]:
    """Return points as (frames, mice, points, 2 or 3), and whether 3 is a score."""
    points = np.asarray(one["keypoints"], dtype=np.float32)
    if points.shape[2] == 2 and points.shape[3] != 2:  # MARS, CalMS21: x and y first
        points = points.transpose(0, 1, 3, 2)
    if "scores" not in one:
        return points, False
    scores = np.asarray(one["scores"], dtype=np.float32)
    return np.concatenate([points, scores[..., None]], axis=3), True


def bouts(one: dict[str, Any]) -> Iterator[tuple[str, float, float]]:
    """Yield name, start and end in seconds of each behaviour scored frame by frame.

    The first has no name: it is the time that was watched, from 0 to the end.
    """
    scored = np.asarray(one.get("annotations", ()))
    if scored.ndim != 1 or not len(scored):
        return
    about = one.get("metadata", {})
    known = about.get("vocab") or one.get("vocabulary", {})
    names = (
        dict(enumerate(known))
        if isinstance(known, list)
        else dict(zip(known.values(), known, strict=True))
    )
    fps, frame = about.get("fps", FPS), 0
    yield "", 0.0, round(len(scored) / fps, 3)
    for number, run in groupby(scored.tolist()):
        start, frame = frame, frame + len(list(run))
        name = names.get(number, f"behaviour {number}")
        if name not in NOTHING:
            yield name, round(start / fps, 3), round(frame / fps, 3)


def main(source: Path, out: Path, labels: Path) -> None:
    """Convert every recording of a file; the table is only written of scored ones."""
    out.mkdir(parents=True, exist_ok=True)
    rows = []
    for name, one in recordings(read(source), source.stem):
        points, has_scores = tracks(one)
        np.save(out / f"{name}.npy", points)
        about = {"has_likelihood": has_scores}
        (out / f"{name}.json").write_text(json.dumps(about))
        rows += [(name, *bout) for bout in bouts(one)]
    if rows:
        with labels.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("video", "label", "start", "end"), *rows])


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
