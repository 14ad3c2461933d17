"""Names of extractors: acmnet's, a user's ``module:Class``, and several joined by +.

The features of several extractors stand side by side if their names are joined by
``+``, such as ``i3d-rgb+motion`` (`acmnet.extraction.extractors.side_by_side`).
"""

import re
from typing import Final

KEYPOINTS: Final = "keypoints"
"""The extractor of files of tracks, which take the place of videos. Beside extractors
of videos, it reads the file of tracks of each video."""

POSE: Final = "pose"
"""The extractor that finds people's points in videos and describes those as tracks."""

MODULE_AND_CLASS: Final = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")
"""Form of the name of a user's own extractor, such as ``my_module:MyExtractor``."""

PLUS: Final = "+"
"""Joins the names of extractors whose features stand side by side."""


class ExtractorError(ValueError):
    """An extractor that cannot be made; the message says what to do."""


def parts_of(name: str) -> tuple[str, ...]:
    """Return the names of the extractors that a name joins by ``+``, in order.

    Raises
    ------
    ExtractorError
        If a name is missing or given twice, or if both ``keypoints`` and ``pose`` are
        named, which share their settings of points and individuals.

    Examples
    --------
    >>> parts_of("i3d-rgb+motion"), parts_of("motion")
    (('i3d-rgb', 'motion'), ('motion',))
    """
    parts = tuple(name.split(PLUS))
    if len(parts) == 1:
        return parts
    joined = f"the extractors {name!r} cannot stand side by side"
    if not all(parts):
        raise ExtractorError(
            f"{joined}: a name beside a + is missing; write motion+NAME"
        )
    if twice := next((part for part in parts if parts.count(part) > 1), None):
        raise ExtractorError(f"{joined}: {twice} is named twice; name it once")
    if KEYPOINTS in parts and POSE in parts:
        raise ExtractorError(
            f"{joined}: both {KEYPOINTS} and {POSE} describe points of individuals; "
            "name one of the two"
        )
    return parts


def reads_tracks(name: str) -> bool:
    """Return whether an extractor, or one of several, reads files of tracks.

    Examples
    --------
    >>> reads_tracks("keypoints+motion"), reads_tracks("pose")
    (True, False)
    """
    return KEYPOINTS in name.split(PLUS)


def reads_videos(name: str) -> bool:
    """Return whether an extractor, or one of several, reads videos.

    Examples
    --------
    >>> reads_videos("keypoints+motion"), reads_videos("keypoints")
    (True, False)
    """
    return name != KEYPOINTS
