"""SLEAP's tracks: its analysis HDF5 files and its analysis CSV files.

Analysis HDF5: ``tracks`` (tracks, 2, nodes, frames), ``node_names``, ``track_names``
and, from SLEAP 1.2 on, ``point_scores`` (tracks, nodes, frames). sleap-io also writes
other orders of axes, which the attribute ``dims`` then names. Analysis CSV: a row for
each instance with the columns ``track``, ``frame_idx``, ``instance.score`` and
``NODE.x``, ``NODE.y``, ``NODE.score`` for each node. sleap-io writes the same with the
columns ``track_score`` and ``score`` in place of ``instance.score`` (its other CSV
formats are read by `acmnet.data.tracks.landmark_tables`). None states a frame rate.

References
----------
https://docs.sleap.ai, "Export Data For Analysis"; sleap/info/write_tracking_h5.py of
https://github.com/talmolab/sleap; sleap_io/io/analysis_h5.py of
https://github.com/talmolab/sleap-io.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
import numpy.typing as npt

from acmnet.data.tracks.number_tables import NumberTable
from acmnet.data.tracks.tracks import TrackError, Tracks, frames_of_video, refuse_size
from acmnet.messages import counted, quoted, some

LEAST_LIKELIHOOD: Final = 0.2
"""``peak_threshold`` of SLEAP's inference, below which it gives no point."""
DIMS: Final = ("track", "xy", "node", "frame")
"""Axes of ``tracks`` where the file does not name them."""
SCORE_DIMS: Final = ("track", "node", "frame")


def is_sleap_table(table: NumberTable) -> bool:
    """Return whether a text table has a row for each instance, as SLEAP writes it.

    Those are SLEAP's analysis CSV and the format "instances" of sleap-io.
    """
    header = set(table.header()[0])
    has_node = any(
        f"{name.removesuffix('.x')}.y" in header
        for name in header
        if name.endswith(".x")
    )
    is_csv = {"track", "frame_idx", "instance.score"} <= header
    return is_csv or ({"track", "frame_idx", "track_score"} <= header and has_node)


def read_sleap_hdf5(path: Path, file: h5py.File) -> Tracks | None:
    """Return the tracks of an analysis HDF5 file; None where it is another kind.

    Raises
    ------
    TrackError
        If it is a SLEAP project or its parts do not fit each other.
    """
    if "pred_points" in file or "instances" in file:
        raise TrackError(
            f"{path} is a SLEAP project; in SLEAP choose File, Export Analysis HDF5, "
            "and name the file that this writes"
        )
    tracks = file.get("tracks")
    if not isinstance(tracks, h5py.Dataset) or tracks.ndim != len(DIMS):
        return None
    refuse_size(tracks.shape)
    order = _dims(path, tracks, DIMS)
    positions = tracks[:].transpose(
        [order.index(x) for x in ("frame", "track", "node")] + [order.index("xy")]
    )
    points = _names(file, "node_names", positions.shape[2], "node_")
    individuals = _names(file, "track_names", positions.shape[1], "track_")
    likelihood = None
    scores = file.get("point_scores")
    if isinstance(scores, h5py.Dataset):
        order = _dims(path, scores, SCORE_DIMS)
        axes = [order.index(x) for x in ("frame", "track", "node")]
        likelihood = scores[:].transpose(axes).astype(np.float32)
    return Tracks(
        np.ascontiguousarray(positions, np.float32),
        points,
        individuals,
        likelihood,
        LEAST_LIKELIHOOD,
        are_fragments=True,
    )


def _dims(path: Path, dataset: h5py.Dataset, usual: tuple[str, ...]) -> list[str]:
    """Return the names of a dataset's axes, in order."""
    stored = dataset.attrs.get("dims")
    if stored is None:
        return list(usual)
    try:
        names = json.loads(stored)
    except (TypeError, ValueError):
        names = None
    if not isinstance(names, list) or sorted(map(str, names)) != sorted(usual):
        raise TrackError(
            f"{path}: the attribute dims of {dataset.name} must name the axes "
            f"{', '.join(usual)}, got {quoted(str(stored))}; export it again"
        )
    return names


def _names(file: h5py.File, key: str, n: int, prefix: str) -> tuple[str, ...]:
    """Return names that a file lists, or numbered ones where it lists none."""
    listed = file.get(key)
    if not isinstance(listed, h5py.Dataset) or listed.ndim != 1 or len(listed) != n:
        return tuple(f"{prefix}{i}" for i in range(n))
    return tuple(x.decode() if isinstance(x, bytes) else str(x) for x in listed[:])


def read_sleap_csv(table: NumberTable) -> Tracks:
    """Return the tracks of an analysis CSV file.

    Instances without a track are one track in each frame; a frame in which several
    have none is refused. Tracks are ordered by name, so that they stand in the same
    order in all files. Rows in which nothing is seen only lengthen the recording.

    Raises
    ------
    TrackError
        If no node has an x and a y, a cell is no number, or a frame has two instances
        of one track.
    """
    header = table.header()[0]
    nodes = _nodes(table.path, header)
    wanted = ["frame_idx"]
    wanted += [f"{node}.{axis}" for node in nodes for axis in ("x", "y")]
    scores = [f"{node}.score" for node in nodes]
    has_scores = set(scores) <= set(header)
    wanted += scores if has_scores else []
    values = table.numbers([header.index(name) for name in wanted], 1)
    names = [name or "track" for name in table.texts(header.index("track"), 1)]
    frames = frames_of_video(str(table.path), values[:, 0], "frame_idx")
    n_frames = int(frames.max()) + 1
    held = np.asarray(np.isfinite(values[:, 1:]).any(axis=1))
    if held.any():  # a frame without instances is a row without a track
        names = [name for name, is_held in zip(names, held, strict=True) if is_held]
        frames, values = frames[held], values[held]
    tracks = tuple(sorted(set(names), key=lambda name: (len(name), name)))
    place = {name: i for i, name in enumerate(tracks)}
    which = np.array([place[name] for name in names])
    _refuse_twice(table.path, frames, which, tracks)
    n = len(nodes)
    shape = (n_frames, len(tracks), n, 2)
    refuse_size(shape)
    positions = np.full(shape, np.nan, np.float32)
    positions[frames, which] = values[:, 1 : 2 * n + 1].reshape(-1, n, 2)
    likelihood = None
    if has_scores:
        likelihood = np.full(shape[:3], np.nan, np.float32)
        likelihood[frames, which] = values[:, 2 * n + 1 :]
    return Tracks(
        positions,
        tuple(nodes),
        tracks,
        likelihood,
        LEAST_LIKELIHOOD,
        are_fragments=True,
    )


def _nodes(path: Path, header: Sequence[str]) -> list[str]:
    """Return the nodes that have both coordinates among the columns of a table."""
    nodes = [x.removesuffix(".x") for x in header if x.endswith(".x")]
    nodes = [node for node in nodes if f"{node}.y" in header]
    if not nodes:
        raise TrackError(
            f"{path}: no node has the columns NODE.x and NODE.y (the columns are "
            f"{some(header)}); export the file again"
        )
    return nodes


def _refuse_twice(
    path: Path,
    frames: npt.NDArray[np.int64],
    which: npt.NDArray[Any],
    tracks: tuple[str, ...],
) -> None:
    """Refuse a frame with two instances of one track."""
    keys = np.stack([frames, which], axis=1)
    order = np.lexsort(keys.T)
    same = np.flatnonzero((np.diff(keys[order], axis=0) == 0).all(axis=1))
    if same.size:
        frame, track = keys[order][same[0]]
        raise TrackError(
            f"{path}: frame {frame} has two instances of {quoted(tracks[track])} "
            f"({counted(len(same), 'such case')}); track the instances in SLEAP, then "
            "export again"
        )
