"""What each round of learning found, as the page gets it."""

import hashlib
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from acmnet.data.detections.detection_arrays import DetectionFile
from acmnet.data.detections.detection_files import read_detections
from acmnet.show.bench.marks.bench_mark import Proposal

MOST_DETECTIONS: Final = 500
"""Most detections of a video that the page gets: the highest scores."""

Row = dict[str, Any]
"""A detection on the page: id, label, start_s, end_s, score."""


def rows_of(file: DetectionFile) -> dict[str, list[Row]]:
    """Return the detections of each video, highest score first.

    A detection has the same id wherever it is read, because the id is a digest of the
    video, the label, the times and the score.
    """
    rows: dict[str, list[Row]] = {video: [] for video in file.video_ids}
    for i in (-file.score).argsort(kind="stable").tolist():
        own = rows[file.video_ids[int(file.video_index[i])]]
        start_s, end_s = float(file.start_s[i]), float(file.end_s[i])
        if len(own) < MOST_DETECTIONS and start_s < end_s:
            own.append(
                {
                    "label": file.labels[int(file.label_index[i])],
                    "start_s": start_s,
                    "end_s": end_s,
                    "score": float(file.score[i]),
                }
            )
    for video, own in rows.items():
        for row in own:
            row["id"] = detection_id(video, row)
    return rows


def detection_id(video: str, row: Mapping[str, Any]) -> str:
    """Return the id of a detection."""
    numbers = (f"{row[name]:.6f}" for name in ("start_s", "end_s", "score"))
    text = "\0".join([video, row["label"], *numbers])
    return "d" + hashlib.sha256(text.encode()).hexdigest()[:16]


class RoundDetections:
    """The detections of all rounds that were shown since the server started.

    Detections of earlier rounds are remembered, because a page may still show them
    while those of a new round are swapped in.
    """

    def __init__(self) -> None:
        self.round: int | None = None
        """The round whose detections are shown; None while there are none."""
        self.shown_from: float | None = None
        """Score from which they are shown at first; None for all."""
        self.version = 0
        """How often they were swapped."""
        self._rows: dict[str, list[Row]] = {}
        self._proposals: dict[tuple[str, str], Proposal] = {}
        self._lock = threading.Lock()

    def show(self, number: int, file: DetectionFile) -> None:
        """Show the detections of a round from now on."""
        rows = rows_of(file)
        with self._lock:
            self._rows, self.round, self.shown_from = rows, number, file.shown_from
            self._proposals |= {
                (video, row["id"]): Proposal(**row, round=number)
                for video, own in rows.items()
                for row in own
            }
            self.version += 1

    def renew(self) -> None:
        """Let pages ask again, for what is suggested beside the detections."""
        with self._lock:
            self.version += 1

    def show_file(self, number: int, path: Path) -> None:
        """Show the detections that a round wrote.

        Raises
        ------
        DetectionFileError
            If the file cannot be read.
        """
        self.show(number, read_detections(path))

    def of(self, video: str) -> list[Row]:
        """Return the shown detections of a video."""
        return self._rows.get(video, [])

    def proposal(self, video: str, known_id: str) -> Proposal | None:
        """Return a detection that is or was shown; None if there was no such one."""
        return self._proposals.get((video, known_id))
