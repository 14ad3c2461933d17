"""Files of tracks, whose format is recognised by their content, not by their name."""

from pathlib import Path
from typing import Final

import h5py

from acmnet.data.tracks.deeplabcut_tracks import (
    is_deeplabcut_table,
    read_deeplabcut_csv,
    read_deeplabcut_hdf5,
)
from acmnet.data.tracks.landmark_tables import read_landmark_table
from acmnet.data.tracks.number_tables import NumberTable
from acmnet.data.tracks.sleap_tracks import (
    is_sleap_table,
    read_sleap_csv,
    read_sleap_hdf5,
)
from acmnet.data.tracks.track_arrays import is_array, read_track_array
from acmnet.data.tracks.tracks import TrackError, Tracks
from acmnet.files.file_access import FileError, open_regular
from acmnet.messages import one_line
from acmnet.names import VIDEO_SUFFIXES

HDF5_START: Final = b"\x89HDF\r\n\x1a\n"
LONGEST_START: Final = 16
"""Bytes of a file that tell an array and HDF5 from text."""


def read_tracks(path: Path, *, needs_clock: bool = True) -> Tracks:
    """Return the tracks of a file of any format that acmnet knows.

    Parameters
    ----------
    path : Path
        DeepLabCut or SLEAP, as CSV or HDF5; a landmark table
        (`acmnet.data.tracks.landmark_tables`); or an array
        (`acmnet.data.tracks.track_arrays`).
    needs_clock : bool
        False where the frame rate is known otherwise, so that a column of times whose
        unit the file does not say need not be understood.

    Raises
    ------
    TrackError
        If the file cannot be read or is no file of tracks.
    """
    try:
        with open_regular(path, "file of tracks") as file:
            start = file.read(LONGEST_START)
    except FileError as error:
        raise TrackError(str(error)) from None
    except OSError as error:
        raise TrackError(
            f"{path} could not be read: {error.strerror}; check the path and its "
            "permissions"
        ) from None
    if path.suffix.lower() in VIDEO_SUFFIXES:
        raise TrackError(
            f"{path} is a video, and a file of tracks is needed; give the file that "
            "your tracking program made of it"
        )
    if start.startswith(HDF5_START):
        return _read_hdf5(path)
    if is_array(start):
        return read_track_array(path)
    if start.lstrip().startswith((b"{", b"[")):
        raise TrackError(
            f"{path} is JSON, and tracks are read from CSV, HDF5 and .npy; convert it: "
            "examples/mouse_tracks.py does so for MARS and CalMS21 (docs/tracks.md)"
        )
    table = NumberTable(path)
    if is_deeplabcut_table(table):
        return read_deeplabcut_csv(table)
    if is_sleap_table(table):
        return read_sleap_csv(table)
    return read_landmark_table(table, needs_clock=needs_clock)


def _read_hdf5(path: Path) -> Tracks:
    """Return the tracks of an HDF5 file of DeepLabCut or SLEAP."""
    try:
        with h5py.File(path, "r") as file:
            tracks = read_sleap_hdf5(path, file) or read_deeplabcut_hdf5(path, file)
            held = sorted(file)
    except TrackError as error:
        named = str(error)
        raise TrackError(named if str(path) in named else f"{path}: {named}") from None
    except (OSError, KeyError, RuntimeError, UnicodeDecodeError) as error:
        raise TrackError(
            f"{path} is no whole HDF5 file: {one_line(error)}; export it again"
        ) from None
    if tracks is None:
        raise TrackError(
            f"{path} is an HDF5 file of neither DeepLabCut nor SLEAP's analysis (it "
            f"holds {', '.join(held) or 'nothing'}); convert it to an array of "
            "(frames, individuals, points, 2 or 3) in a .npy file (docs/tracks.md)"
        )
    return tracks
