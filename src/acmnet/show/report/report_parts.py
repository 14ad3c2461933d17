"""The parts of a large report: files beside the page that it loads as they are needed.

A page that held 100,000 videos would take a browser minutes to open. So such a page has
a line for each video and the surest detections of all; whatever else is shown of a
video is in a part, a small script that the page loads when the video is looked at.
"""

import base64
import dataclasses
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from acmnet.files.file_access import make_folder, write_text
from acmnet.show.report.page_contents import VideoContents

MOST_IN_ONE: Final = 2_000
"""A report of more videos than this has parts."""
PART_VIDEOS: Final = 100
"""Videos in a part."""
MOST_LISTED: Final = 20_000
"""At most this many detections are listed in the page itself: the surest of all."""
PART: Final = re.compile(r"part-\d+-[0-9a-f]{16}\.js")
"""Pattern of the name of a part. It ends with a digest, so that a page that is open
keeps the parts that it was written with until it is replaced."""
FIELDS_IN_PAGE: Final = (
    *("id", "labels", "duration_s", "instances", "detections", "best", "left_out"),
)
"""What the page itself has of each video."""

Row = list[Any]
"""A detection: index of the video, class, start, end, score, and rank in its video."""


@dataclasses.dataclass
class ReportParts:
    """The parts of a report, and what the page itself shows of them."""

    folder: Path
    """The folder of the parts, beside the page."""
    class_names: tuple[str, ...]
    names: list[str] = dataclasses.field(default_factory=list)
    """Names of the parts, in the order of the videos."""
    listed: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    """The line of each video."""
    rows: list[Row] = dataclasses.field(default_factory=list)
    """At least the `MOST_LISTED` surest detections."""
    n_rows: int = 0
    """Number of detections in all parts."""
    low: float = float("inf")
    """Lowest score of any of them."""

    def add_all(self, videos: Iterable[VideoContents]) -> None:
        """Write the parts of all videos, one after the other."""
        part: list[VideoContents] = []
        for video in videos:
            part.append(video)
            if len(part) == PART_VIDEOS:
                self._write(part)
                part = []
        if part:
            self._write(part)

    def contents(self) -> dict[str, Any]:
        """Return what the page needs to know, before any part is loaded."""
        rows = surest(self.rows)
        high = rows[0][4] if rows else None
        return {
            "videos": self.listed,
            "detections": rows,
            "parts": {
                "files": [quote(f"{self.folder.name}/{name}") for name in self.names],
                "size": PART_VIDEOS,
                "detections": self.n_rows,
                "range": [self.low if rows else None, high],
            },
        }

    def remove_others(self) -> None:
        """Remove the parts of an earlier report of this name."""
        if self.folder.is_dir():
            for path in self.folder.iterdir():
                if PART.fullmatch(path.name) and path.name not in self.names:
                    path.unlink(missing_ok=True)

    def _write(self, videos: list[VideoContents]) -> None:
        """Write a part, and note what the page lists of its videos."""
        place = {name: c for c, name in enumerate(self.class_names)}
        first = len(self.listed)
        parts = []
        for v, video in enumerate(videos, start=first):
            rows = [[place[d[0]], *d[1:]] for d in video.detections]
            parts.append(_shown(video, rows))
            self.listed.append({name: video.summary[name] for name in FIELDS_IN_PAGE})
            self.rows += [[v, *row, rank] for rank, row in enumerate(rows)]
            self.n_rows += len(rows)
            self.low = min([self.low, *(row[3] for row in rows)])
        if len(self.rows) > 2 * MOST_LISTED:
            self.rows = surest(self.rows)
        text = json.dumps(parts, separators=(",", ":"), allow_nan=False)
        digest = hashlib.sha256(text.encode()).hexdigest()[:16]
        name = f"part-{len(self.names)}-{digest}.js"
        make_folder(self.folder)
        write_text(self.folder / name, f"acmnetPart({first},{text});\n")
        self.names.append(name)


def surest(rows: list[Row]) -> list[Row]:
    """Return the detections with the highest scores, highest first."""
    return sorted(rows, key=lambda row: -row[4])[:MOST_LISTED]


def _shown(video: VideoContents, rows: list[list[Any]]) -> Mapping[str, Any]:
    """Return what the page shows of a video beside its line."""
    return {
        "rows": rows,
        "truth": video.summary["truth"],
        "poster_frames": video.summary["poster_frames"],
        **video.files(),
        "poster_text": base64.b64encode(video.poster or b"").decode(),
        "insides_text": json.dumps(video.insides),
    }
