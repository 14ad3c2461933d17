"""Plain arrays of tracks: a ``.npy`` file, and a JSON manifest that says what it is.

The manifest of ``NAME.npy`` is ``NAME.json`` beside it; what several files share may
stand in ``tracks.json`` in the same folder instead. All of its keys may be left out::

    {"fps": 30, "points": ["nose", "tail"], "individuals": ["resident", "intruder"],
     "times_s": [0.0, 0.034, ...], "has_likelihood": true, "min_likelihood": 0.5}
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final, TypeVar

import numpy as np
import numpy.typing as npt

from acmnet.data.features.feature_files import MAGIC
from acmnet.data.tracks.track_layout import MOST_INDIVIDUALS
from acmnet.data.tracks.tracks import TrackError, Tracks, refuse_size
from acmnet.files.file_access import open_regular, write_json, written_whole
from acmnet.files.strict_json import parse_json
from acmnet.files.text_files import read_text
from acmnet.limits import LARGEST_NOTE_BYTES, finite
from acmnet.messages import counted, quoted, some

FOLDER_MANIFEST: Final = "tracks.json"
"""Manifest of all arrays in its folder."""
KEYS: Final = (
    *("fps", "points", "individuals", "min_likelihood", "times_s", "has_likelihood"),
)
KIND: Final = "manifest of tracks"
LEAST_LIKELIHOOD: Final = 0.5
"""Likelihood below which a point counts as not seen, where the manifest says none."""
Number = TypeVar("Number", float, None)


def is_array(start: bytes) -> bool:
    """Return whether a file that begins so is a ``.npy`` file."""
    return start.startswith(MAGIC)


def read_track_array(path: Path) -> Tracks:
    """Return the tracks of a ``.npy`` file and of its manifest.

    The array has the shape (frames, individuals, points, 2 or 3); (frames, points,
    2 or 3) is one individual. With ``has_likelihood`` the last axis holds the
    likelihood, too, after the coordinates. NaN says that a point is not known.

    Raises
    ------
    TrackError
        If the array has another shape or holds no real numbers, or the manifest says
        what does not fit it.
    """
    stated = _manifest(path)
    has_likelihood = stated.get("has_likelihood", False)
    if not isinstance(has_likelihood, bool):
        raise TrackError(
            f"{path}: has_likelihood in its manifest must be true or false, got "
            f"{quoted(str(has_likelihood))}"
        )
    values = _array(path)
    if values.ndim == 3:
        values = values[:, None]
    n_axes = values.shape[-1] - has_likelihood if values.ndim == 4 else 0
    if n_axes not in (2, 3):
        last = "3 or 4, the likelihood last" if has_likelihood else "2 or 3"
        raise TrackError(
            f"{path} must have the shape (frames, individuals, points, {last}), got "
            f"{values.shape}; put its axes into that order"
        )
    n_frames, n_individuals, n_points, _ = values.shape
    if n_individuals > max(MOST_INDIVIDUALS, n_frames):
        raise TrackError(
            f"{path} has the shape {values.shape}, so {n_individuals} individuals in "
            f"{counted(n_frames, 'frame')}; put its axes into the order (frames, "
            "individuals, points, coordinates)"
        )
    try:
        return Tracks(
            np.ascontiguousarray(values[..., :n_axes]),
            _names(path, stated, "points", n_points, "point_"),
            _names(path, stated, "individuals", n_individuals, "individual_"),
            values[..., n_axes] if has_likelihood else None,
            _number(path, stated, "min_likelihood", LEAST_LIKELIHOOD),
            _number(path, stated, "fps", None),
            _times(path, stated),
        )
    except TrackError as error:
        reason = str(error)
        raise TrackError(
            reason if str(path) in reason else f"{path}: {reason}"
        ) from None


def write_track_array(path: Path, tracks: Tracks) -> None:
    """Write tracks as a ``.npy`` file, and its manifest ``NAME.json`` beside it.

    Raises
    ------
    FileError
        If a file cannot be written.
    """
    values = tracks.positions
    if tracks.likelihood is not None:
        values = np.concatenate([values, tracks.likelihood[..., None]], axis=3)
    with written_whole(path) as part, part.open("wb") as file:
        np.save(file, values.astype(np.float32))
    stated: dict[str, object] = {
        "points": list(tracks.points),
        "individuals": list(tracks.individuals),
        "has_likelihood": tracks.likelihood is not None,
        "min_likelihood": tracks.least_likelihood,
    }
    if tracks.fps is not None:
        stated["fps"] = tracks.fps
    if tracks.times_s is not None:
        stated["times_s"] = tracks.times_s.tolist()
    write_json(path.with_suffix(".json"), stated)


def _array(path: Path) -> npt.NDArray[np.float32]:
    """Return the numbers of a ``.npy`` file; nothing in it is ever run."""
    try:
        with open_regular(path, "array of tracks") as file:
            version = np.lib.format.read_magic(file)
            read = {
                (1, 0): np.lib.format.read_array_header_1_0,
                (2, 0): np.lib.format.read_array_header_2_0,
            }.get(version)
            shape, _, dtype = read(file) if read else ((), False, np.dtype("O"))
            if dtype.kind == "O":
                raise TrackError(
                    f"{path} holds Python objects, as the files of CalMS21 and MABe "
                    "do, not an array of numbers; convert it with "
                    "examples/mouse_tracks.py (docs/tracks.md)"
                )
            if dtype.kind not in "fiu":
                raise TrackError(
                    f"{path} must hold real numbers, got {dtype}; save it with "
                    "np.save as float32"
                )
            refuse_size(shape)
            file.seek(0)
            array = np.load(file, allow_pickle=False)
    except OSError as error:
        raise TrackError(f"{path} could not be read: {error}; check the path") from None
    except TrackError:
        raise
    except ValueError as error:
        raise TrackError(f"{path} is no whole .npy file: {error}; save it again") from (
            None
        )
    return np.asarray(array, np.float32)


def _manifest(path: Path) -> Mapping[str, object]:
    """Return what the folder's manifest and then the file's own say."""
    stated: dict[str, object] = {}
    for manifest in (path.with_name(FOLDER_MANIFEST), path.with_suffix(".json")):
        if not manifest.exists():
            continue
        empty = "write {} there, or remove the file"
        text = read_text(manifest, KIND, TrackError, empty, LARGEST_NOTE_BYTES)
        values = parse_json(str(manifest), text, KIND, TrackError)
        if not isinstance(values, dict):
            raise TrackError(
                f'{manifest} must be a JSON object such as {{"fps": 30}}, got '
                f"{quoted(str(values))}"
            )
        if unknown := [key for key in values if key not in KEYS]:
            raise TrackError(
                f"{manifest} has the unknown key {some(unknown)}; the keys are "
                f"{', '.join(KEYS)}"
            )
        stated |= values
    return stated


def _names(
    path: Path, stated: Mapping[str, object], key: str, n: int, prefix: str
) -> tuple[str, ...]:
    """Return n names, numbered ones where the manifest gives none."""
    names = stated.get(key)
    if names is None:
        return tuple(f"{prefix}{i}" for i in range(n))
    if not isinstance(names, list) or not all(isinstance(x, str) for x in names):
        raise TrackError(
            f"{path}: {key} in its manifest must be a list of names, got "
            f"{quoted(str(names))}"
        )
    return tuple(names)


def _number(
    path: Path, stated: Mapping[str, object], key: str, otherwise: Number
) -> float | Number:
    """Return a number that a manifest gives, or ``otherwise`` where it gives none."""
    if key not in stated:
        return otherwise
    number = finite(stated[key])
    if number is None:
        raise TrackError(
            f"{path}: {key} in its manifest must be a number, got "
            f"{quoted(str(stated[key]))}"
        )
    return number


def _times(path: Path, stated: Mapping[str, object]) -> npt.NDArray[np.float64] | None:
    """Return the times of frames that a manifest gives, if it does."""
    given = stated.get("times_s")
    if given is None:
        return None
    numbers = [finite(x) for x in given] if isinstance(given, list) else [None]
    if any(x is None for x in numbers):
        raise TrackError(
            f"{path}: times_s in its manifest must be a list of seconds, one for each "
            "frame"
        )
    return np.array(numbers, np.float64)
