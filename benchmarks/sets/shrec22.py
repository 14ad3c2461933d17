"""Make the features and labels of SHREC'22 that docs/results.md was measured on.

    python -m benchmarks.sets.shrec22 --raw FOLDER --out data/shrec22/training

FOLDER is the training half as its makers publish it (https://univr-vips.github.io/Shrec22/,
"training data (with annotations)"): a text file for each sequence, ``1.txt`` to
``144.txt``, and the file of annotations. Files may be compressed (``1.txt.gz``). A line
of a sequence is one frame: ``frame;time in s;x;y;z;...`` with the positions of 26 hand
joints in metres. A line of annotations is one sequence:
``sequence;GESTURE;first frame;last frame;GESTURE;first frame;...``.

The features are made of these files alone, as follows.

1. The irregular clock of the headset is replaced by 20 frames a second, starting at the
   first frame; positions in between are interpolated linearly.
2. Positions are taken relative to the first joint, the wrist. Everything is divided by
   the mean distance of the joints from the wrist over the sequence, so that large and
   small hands look alike.
3. A snippet is 16 frames, one every 5 frames. `describe` turns it into 573 numbers.
4. Each of the 573 columns is standardised over all snippets of all sequences, cut off
   at 5 standard deviations, and stored as fp16.

Written are ``features/training_0001.npy`` and so on, ``features/features.json``,
``annotations.json`` with the segments in seconds after the first frame, and
``groups.csv`` with the round of recording that each sequence belongs to. From the
published files this makes ``annotations.json`` equal to the labels of docs/results.md,
and its features up to rounding: 97.7 % of the values are equal, and the others differ
by at most 0.1 %.
"""

import argparse
import csv
import gzip
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from acmnet.data.features.feature_manifest import FeatureManifest, write_manifest
from acmnet.data.features.feature_store import write_features
from acmnet.files.file_access import write_json
from acmnet.segments import SnippetGrid

Array = npt.NDArray[np.float64]

GRID: Final = SnippetGrid(fps=20, snippet_frames=16, stride_frames=5)
N_JOINTS: Final = 26
DIMENSION: Final = 573
SHOWN_FRAMES: Final = (0, 5, 10, 15)
"""Frames of a snippet whose joint positions are part of its features."""
LARGEST: Final = 5.0
"""Features beyond this many standard deviations are cut off."""
IN_A_ROUND: Final = 36
"""Successive sequences that make one round of recording: together they hold every
gesture nine times. Whom they show was not published."""
DECIMALS: Final = 3
"""Digits after the point of times in ``annotations.json``."""


class RawError(ValueError):
    """A file of the published set that cannot be used."""


class Recording(NamedTuple):
    """One sequence of hand joints as it was recorded."""

    time_s: Array
    """(n,) seconds after the first frame; increasing, at irregular steps."""
    joints: Array
    """(n, 26, 3) positions in metres."""


class Gesture(NamedTuple):
    """One annotated gesture."""

    label: str
    first: int
    """First frame of the gesture, counted from 0."""
    last: int
    """Last frame of the gesture."""


def read_sequence(path: Path) -> Recording:
    """Read the text file of one sequence.

    Raises
    ------
    RawError
        If a line is not a frame number, a time and 78 coordinates.
    """
    rows = []
    for number, line in enumerate(_lines(path), start=1):
        cells = [cell for cell in line.split(";") if cell.strip()]
        if len(cells) != 2 + 3 * N_JOINTS:
            raise RawError(
                f"{path}, line {number}: a frame must have {2 + 3 * N_JOINTS} values, "
                f"got {len(cells)}; is it a sequence of SHREC'22?"
            )
        try:
            rows.append([float(cell) for cell in cells[1:]])
        except ValueError as fault:
            raise RawError(f"{path}, line {number}: {fault}; mend the line") from None
    if not rows:
        raise RawError(f"{path} has no frames; download it again")
    # columns: the time, then x, y and z of each joint
    table = np.array(rows)
    joints = table[:, 1:].reshape(len(table), N_JOINTS, 3)
    return Recording(table[:, 0] - table[0, 0], joints)


def read_annotations(path: Path) -> dict[int, list[Gesture]]:
    """Read which gestures each sequence holds.

    Raises
    ------
    RawError
        If a line is not a sequence's number and triples of gesture and two frames.
    """
    found: dict[int, list[Gesture]] = {}
    for number, line in enumerate(_lines(path), start=1):
        cells = [cell.strip() for cell in line.split(";") if cell.strip()]
        try:
            triples = zip(cells[1::3], cells[2::3], cells[3::3], strict=True)
            found[int(cells[0])] = [
                Gesture(label, int(first), int(last)) for label, first, last in triples
            ]
        except ValueError as fault:
            raise RawError(
                f"{path}, line {number}: expected sequence;GESTURE;first;last;..., got "
                f"{line!r} ({fault})"
            ) from None
    return found


def describe(sequence: Recording) -> Array:
    """Return the (T, 573) features of a sequence, not standardised yet.

    The numbers of a snippet are, in this order,

    - the joints' mean, standard deviation and mean absolute velocity over the snippet,
      all relative to the wrist (3 * 78 numbers),
    - the wrist's place in every second frame, relative to its mean place (24),
    - the wrist's mean absolute velocity (3),
    - the joints relative to the wrist in each of the frames `SHOWN_FRAMES` (4 * 78).

    Raises
    ------
    RawError
        If the sequence is shorter than one snippet.
    """
    # a hair more, so that a last frame exactly on the grid is kept
    n_frames = int(sequence.time_s[-1] * GRID.fps + 1e-9) + 1
    n_snippets = (n_frames - GRID.snippet_frames) // GRID.stride_frames + 1
    if n_snippets < 1:
        raise RawError(
            f"a sequence of {sequence.time_s[-1]:.2f} s is shorter than one snippet "
            f"({GRID.window_s} s); leave it out"
        )
    grid_s = np.arange(n_frames) / GRID.fps
    flat = sequence.joints.reshape(len(sequence.joints), -1)
    # (n, 78) at the recorded times becomes (frames, 78) on the regular clock
    regular = np.stack([np.interp(grid_s, sequence.time_s, x) for x in flat.T], axis=1)
    joints = regular.reshape(n_frames, N_JOINTS, 3)
    relative = joints - joints[:, :1]
    size = np.linalg.norm(relative, axis=-1).mean()
    hand = relative.reshape(n_frames, -1) / size
    wrist = joints[:, 0] / size
    speeds = np.abs(np.gradient(hand, axis=0)), np.abs(np.gradient(wrist, axis=0))
    starts = range(0, n_snippets * GRID.stride_frames, GRID.stride_frames)
    windows = [slice(start, start + GRID.snippet_frames) for start in starts]
    return np.stack(
        [_row(hand[w], wrist[w], speeds[0][w], speeds[1][w]) for w in windows]
    )


def _row(hand: Array, wrist: Array, hand_speed: Array, wrist_speed: Array) -> Array:
    """Return the (573,) features of the 16 frames of one snippet."""
    moved = wrist - wrist.mean(0)
    parts = [hand.mean(0), hand.std(0), hand_speed.mean(0)]
    parts += [moved[::2].ravel(), wrist_speed.mean(0)]
    return np.concatenate([*parts, *(hand[frame] for frame in SHOWN_FRAMES)])


def standardised(features: Sequence[Array]) -> list[npt.NDArray[np.float16]]:
    """Return the features of all videos with columns of mean 0 and deviation 1."""
    # axis 0 of the whole: the snippets of all videos, one after another
    whole = np.concatenate(features)
    mean, deviation = whole.mean(0), whole.std(0)
    # the wrist relative to itself does not move
    deviation[deviation < 1e-9] = 1.0
    return [
        np.clip((x - mean) / deviation, -LARGEST, LARGEST).astype(np.float16)
        for x in features
    ]


def make(raw: Path, annotations: Path, out: Path) -> int:
    """Write features and labels of all annotated sequences; return how many.

    Raises
    ------
    RawError
        If a sequence is missing, or a file cannot be used.
    """
    gestures = read_annotations(annotations)
    sequences = {n: read_sequence(_existing(raw, n)) for n in sorted(gestures)}
    features = standardised([describe(sequence) for sequence in sequences.values()])
    names = {n: f"training_{n:04d}" for n in sequences}
    for n, values in zip(sequences, features, strict=True):
        write_features(out / "features", names[n], values)
    manifest = FeatureManifest(
        grid=GRID,
        dimension=DIMENSION,
        streams=("hand skeleton",),
        extractor="window statistics of 26 hand joints, z-scored on the training half",
    )
    write_manifest(out / "features", manifest)
    database = {
        names[n]: {
            "subset": "training",
            "duration": round(float(sequence.time_s[-1]), DECIMALS),
            "annotations": [_entry(one, sequence.time_s) for one in gestures[n]],
        }
        for n, sequence in sequences.items()
    }
    classes = sorted({one.label for found in gestures.values() for one in found})
    content = {"version": "SHREC'22", "taxonomy": classes, "database": database}
    write_json(out / "annotations.json", content)
    write_groups(out / "groups.csv", names.values())
    return len(sequences)


def write_groups(path: Path, videos: Iterable[str]) -> None:
    """Write the round of recording of each video, such as ``training_0037``: 1."""
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["video", "group"])
        for video in videos:
            number = int(video.rpartition("_")[2])
            rows.writerow([video, (number - 1) // IN_A_ROUND])


def _entry(gesture: Gesture, time_s: Array) -> dict[str, object]:
    """Return a gesture as ActivityNet's files write it."""
    times = (float(time_s[frame]) for frame in (gesture.first, gesture.last))
    return {
        "label": gesture.label,
        "segment": [round(time, DECIMALS) for time in times],
    }


def _existing(raw: Path, number: int) -> Path:
    for name in (f"{number}.txt", f"{number}.txt.gz"):
        if (raw / name).is_file():
            return raw / name
    raise RawError(
        f"{raw} has no {number}.txt (nor {number}.txt.gz), which the annotations name; "
        "unpack the whole training half there"
    )


def _lines(path: Path) -> list[str]:
    content = path.read_bytes()
    text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode()
    return [line for line in text.splitlines() if line.strip()]


def main() -> int:
    """Make the set."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--raw", type=Path, required=True, help="the sequences' folder")
    parser.add_argument(
        "--annotations", type=Path, help="the annotations; else annotations.txt in it"
    )
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    annotations = given.annotations or given.raw / "annotations.txt"
    try:
        done = make(given.raw, annotations, given.out)
    except (RawError, OSError) as error:
        print(f"shrec22: {error}", file=sys.stderr)
        return 1
    print(f"{done} sequences: features, annotations.json, groups.csv in {given.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
