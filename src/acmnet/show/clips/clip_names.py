"""The clips that are cut out of videos, and the names of their files.

Each class has a folder. In it, the names of the files sort by video and by time.
"""

import dataclasses
import re
from collections.abc import Iterable, Iterator
from pathlib import PurePath
from typing import Final

from acmnet.files.file_access import short_file_name
from acmnet.segments import Segment

FORBIDDEN_IN_NAMES: Final = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]|^[. ]+|[. ]+$')
"""What no name of a folder may hold, on any system: some characters, and dots and
blanks at its ends."""
DEVICE_NAMES: Final = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")
"""Names that mean devices on Windows."""


@dataclasses.dataclass(frozen=True)
class Clip:
    """A part of a video that is to have a file of its own."""

    video: str
    label: str
    segment: Segment
    score: float | None = None
    """None for a true segment."""


def placed_clips(clips: Iterable[Clip]) -> dict[PurePath, Clip]:
    """Return each clip by the path of its file, sorted.

    If several clips have one class, video and time, the one with the highest score
    stays. Two
    classes whose names make one folder are kept apart by numbers.

    Examples
    --------
    >>> found = [Clip("a", "up", Segment(2.5, 4.0)), Clip("a", "in/out", Segment(1, 2))]
    >>> [str(path) for path in placed_clips(found)]
    ['in_out/a_00001.000-00002.000s.mp4', 'up/a_00002.500-00004.000s.mp4']
    """
    clips = sorted(clips, key=lambda clip: clip.score or 0.0)
    folders = dict(_folders(sorted({clip.label for clip in clips})))
    placed = {PurePath(folders[clip.label], _file_name(clip)): clip for clip in clips}
    return dict(sorted(placed.items()))


def _folders(labels: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield each class with the name of its folder; no two folders are alike."""
    taken: set[str] = set()
    for label in labels:
        plain = short_file_name(FORBIDDEN_IN_NAMES.sub("_", label) or "_")
        plain = f"{plain}_" if DEVICE_NAMES.fullmatch(plain) else plain
        name, number = plain, 1
        while name.casefold() in taken:
            number += 1
            name = f"{plain} {number}"
        taken.add(name.casefold())
        yield label, name


def _file_name(clip: Clip) -> str:
    """Return the name of a clip's file."""
    start_s, end_s = max(0.0, clip.segment.start_s), clip.segment.end_s
    times = f"_{start_s:09.3f}-{end_s:09.3f}s.mp4"
    return short_file_name(f"{FORBIDDEN_IN_NAMES.sub('_', clip.video)}{times}")
