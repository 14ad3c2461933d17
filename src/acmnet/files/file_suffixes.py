"""Suffixes by which files of videos and of tracks are found in folders."""

from typing import Final

MP4_SUFFIXES: Final = (".mp4", ".m4v")
"""Suffixes that a video which acmnet writes can have; it is always MP4."""
VIDEO_SUFFIXES: Final = (
    *MP4_SUFFIXES,
    *(".mov", ".3gp", ".mkv", ".webm", ".avi", ".mpg", ".mpeg"),
    *(".ts", ".m2ts", ".mts", ".vob", ".wmv", ".asf", ".flv", ".f4v", ".ogv"),
    *(".mxf", ".gif", ".dv", ".dav", ".h264", ".264", ".hevc", ".ivf"),
)
"""Suffixes of video files. Files with such a suffix are found in folders, and the
suffix is no part of a video's id.

A file that is given by its path is recognised by its content, whatever its suffix.
"""

TRACK_SUFFIXES: Final = (".csv", ".tsv", ".h5", ".hdf5", ".npy")
"""Suffixes of files of tracks, which the extractor ``keypoints`` reads in place of
videos."""
