"""Read a tracker's own format: skeletons of SHREC'22 become files of tracks.

acmnet reads the formats of DeepLabCut, SLEAP, MediaPipe and Kinect recorders. For any
other format, write a reader such as this one: it saves an array of (frames,
individuals, points, 2 or 3) as ``NAME.npy`` and what is known of it as ``NAME.json``.

The skeletons are those of the SHREC'22 contest on gestures in untrimmed sequences
(Emporio et al. 2022): one file a recording, a line a frame,
``frame;time;x;y;z;x;y;z;...``, with the time in seconds, on a clock that is not steady,
and 26 joints of a hand in metres. Then::

    python examples/shrec22_tracks.py raw_training tracks
    acmnet fit tracks labels.csv --extractor keypoints --fps 20 --out runs/gestures
"""

import gzip
import json
import sys
from pathlib import Path

import numpy as np

JOINTS = 26


def read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the times (F,) in seconds and the joints (F, 1, 26, 3) in metres."""
    with gzip.open(path, "rt") as file:
        rows = [[float(x) for x in line.rstrip(";\n").split(";")] for line in file]
    table = np.array(rows)
    return table[:, 1], table[:, 2:].reshape(len(table), 1, JOINTS, 3)


def main(source: Path, out: Path) -> None:
    """Convert each ``N.txt.gz`` of a folder to ``training_000N.npy`` and ``.json``."""
    out.mkdir(parents=True, exist_ok=True)
    for path in sorted(source.glob("*.txt.gz")):
        times, joints = read(path)
        name = f"training_{int(path.name.partition('.')[0]):04d}"
        np.save(out / f"{name}.npy", joints.astype(np.float32))
        manifest = {"individuals": ["hand"], "times_s": times.tolist()}
        (out / f"{name}.json").write_text(json.dumps(manifest))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
