"""Label files of made-up long recordings, in which short actions are rare.

Such recordings are what laboratories have: many minutes, a few seconds of each
behaviour, and most behaviours in most recordings, so that names alone tell little. With
fewer classes in each recording, names tell more.
"""

import json
from pathlib import Path
from typing import Any, Final

import numpy as np

from acmnet.data.made_up.simulation_settings import SimulationError
from acmnet.data.made_up.video_simulator import GRID
from acmnet.files.file_access import make_folder, write_json
from acmnet.files.strict_json import parse_json
from acmnet.files.text_files import read_text
from acmnet.segments import FloatArray

RECORDINGS_FILE: Final = "recordings.json"
"""Name of the label file in the folder of a simulation."""
SNIPPETS: Final = 1800
"""Length of a recording, in snippets."""
INSTANCES: Final = 20
"""Actions in a recording."""
CLASSES: Final = tuple(f"behaviour {i}" for i in range(1, 9))
"""The actions, from the most frequent to the rarest."""
NEXT_CLASS_SHARE: Final = 0.8
"""How often a class occurs, as a share of how often the one before it does."""
SHORTEST_S: Final = 1.0
LONGEST_S: Final = 3.0
"""Lengths of actions lie between these two, in seconds."""


def draw_recordings(
    recordings: int, seed: int, classes_each: int = len(CLASSES)
) -> dict[str, Any]:
    """Return a label file with the true segments of made-up recordings.

    Every second recording is of the subset ``test``, the others of ``training``.

    Parameters
    ----------
    recordings : int
        How many, at least 2.
    seed : int
        Of all random choices. Recording i is the same in a file of more recordings.
    classes_each : int
        How many of `CLASSES` can occur in each recording, at least 1. Which ones is
        drawn for each recording. With all of them, the most frequent is in nearly every
        recording, and the rarest in about half.

    Raises
    ------
    SimulationError
        If there are fewer than two recordings, or ``classes_each`` is not from 1 to the
        number of classes.

    Examples
    --------
    >>> drawn = draw_recordings(2, seed=0)["database"]["recording_002"]
    >>> drawn["subset"], len(drawn["annotations"])
    ('test', 20)
    """
    if recordings < 2:
        raise SimulationError(
            f"recordings must be a whole number from 2, got {recordings}: one is "
            "trained on and one is left for the test"
        )
    if not 1 <= classes_each <= len(CLASSES):
        raise SimulationError(
            f"classes-each must be a whole number from 1 to {len(CLASSES)}, got "
            f"{classes_each}"
        )
    database = {
        f"recording_{i:03d}": {
            "subset": ("training", "test")[(i - 1) % 2],
            "duration": GRID.span_s(SNIPPETS),
            "annotations": _instances(np.random.default_rng((seed, i)), classes_each),
        }
        for i in range(1, recordings + 1)
    }
    return {
        "version": "acmnet recordings",
        "taxonomy": list(CLASSES),
        "database": database,
    }


def write_recordings(
    out: Path, recordings: int, seed: int, classes_each: int = len(CLASSES)
) -> Path:
    """Write the label file of `draw_recordings` into a folder and return its path.

    Raises
    ------
    SimulationError
        If the folder holds another such file, or `draw_recordings` refuses.
    """
    path = out / RECORDINGS_FILE
    drawn = draw_recordings(recordings, seed, classes_each)
    if path.exists():
        text = read_text(path, "label file", SimulationError, "name another folder")
        if parse_json(str(path), text, "label file", SimulationError) != json.loads(
            json.dumps(drawn)
        ):
            raise SimulationError(
                f"{path} holds other recordings than the {recordings} of seed {seed} "
                f"with {classes_each} classes each that were asked for; name another "
                "folder"
            )
        return path
    make_folder(out)
    write_json(path, drawn)
    return path


def _instances(random: np.random.Generator, classes_each: int) -> list[dict[str, Any]]:
    """Return the annotations of one recording, in the order of time."""
    often = NEXT_CLASS_SHARE ** np.arange(len(CLASSES))
    if classes_each < len(CLASSES):
        left_out = random.permutation(len(CLASSES))[classes_each:]
        often[left_out] = 0.0
    labels = random.choice(len(CLASSES), INSTANCES, p=often / often.sum())
    length_s = random.uniform(SHORTEST_S, LONGEST_S, INSTANCES)
    # what is free of actions is cut at random, so that none overlaps another
    free_s = GRID.span_s(SNIPPETS) - length_s.sum()
    before_s = np.sort(random.uniform(0.0, free_s, INSTANCES))
    start_s: FloatArray = before_s + np.cumsum(length_s) - length_s
    return [
        {"label": CLASSES[c], "segment": [round(a, 2), round(a + n, 2)]}
        for c, a, n in zip(labels, start_s.tolist(), length_s.tolist(), strict=True)
    ]
