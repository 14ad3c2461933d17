"""Pair the events at which a behaviour starts and stops."""

from typing import Literal

from acmnet.data.formats.mark_list import MarkList
from acmnet.data.labels.annotations import AnnotationError
from acmnet.messages import quoted

Key = tuple[str, str, str]
"""Subject, behaviour and modifiers: the events of one key start and stop in turn."""


class StateEvents:
    """Pairs starts and stops of one video, in the order in which they come."""

    def __init__(self, marks: MarkList, video: int = 0) -> None:
        self.marks, self.video = marks, video
        """What gets each pair, and the number of the video in it."""
        self.open: dict[Key, tuple[str, float]] = {}
        """Where, and at which second, the behaviours that last started."""

    def add(
        self, where: str, key: Key, time_s: float, kind: Literal["", "START", "STOP"]
    ) -> None:
        """Take one event; with ``kind`` empty it starts or stops, whichever is due.

        Raises
        ------
        AnnotationError
            If a start follows a start, or a stop follows no start.
        """
        kind = kind or ("STOP" if key in self.open else "START")
        if kind == "START":
            self.refuse_open(key)
            self.open[key] = where, time_s
            return
        if key not in self.open:
            raise AnnotationError(
                f"{where}: {quoted(key[1])} stops at {time_s:g} s but did not start; "
                "add its start, or remove the row"
            )
        _, start_s = self.open.pop(key)
        if time_s != start_s:
            self.marks.add_segment(where, key[1], start_s, time_s, self.video)

    def refuse_open(self, key: Key | None = None) -> None:
        """Refuse behaviours that started and did not stop: this one, or any.

        Raises
        ------
        AnnotationError
            For the first of them.
        """
        for open_key, (where, start_s) in self.open.items():
            if key in (None, open_key):
                raise AnnotationError(
                    f"{where}: {quoted(open_key[1])} starts at {start_s:g} s and does "
                    "not stop before it starts again or the observation ends; add its "
                    "stop, or remove the start"
                )
