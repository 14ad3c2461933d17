"""Options on the data that verbs read; what they say of videos without features."""

import dataclasses
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from acmnet.cli.app import UsageError, fail_for_left_out, note
from acmnet.data.labelled_features import Data
from acmnet.messages import quoted
from acmnet.segments import SnippetGrid

JsonPath = Annotated[Path | None, Parameter(name="--json")]


@dataclasses.dataclass(frozen=True)
class GridOptions:
    """Where the features have no features.json, all three of these are needed."""

    fps: float | None = None
    "Frames a second of the frames that the features describe."
    snippet_frames: int | None = None
    "Frames that one row of features describes: a short piece of video, a snippet."
    stride_frames: int | None = None
    "Frames from the start of one snippet to the start of the next."

    def grid(self) -> SnippetGrid | None:
        """Return the grid, or None where no option was given."""
        given = dataclasses.asdict(self)
        missing = [name for name, value in given.items() if value is None]
        if len(missing) == len(given):
            return None
        if missing:
            options = ", ".join("--" + name.replace("_", "-") for name in missing)
            raise UsageError(
                f"a grid needs all three of its options; missing: {options}"
            )
        return SnippetGrid(**given)


SkipMissing = Annotated[bool, Parameter(negative=())]
Grid = Annotated[GridOptions, Parameter(name="*")]


def told(data: Data) -> Data:
    """Say how a table of labels was read, where it is no plain CSV; return the data."""
    for sentence in data.annotations.notes:
        note(sentence)
    return data


def missing_videos(data: Data) -> list[str]:
    """Return a sentence on each video that was left out for want of features."""
    where = data.store.directory
    return [
        f"{quoted(video)}: it has no features in {where}" for video in data.left_out
    ]


def fail_for_missing(data: Data) -> None:
    """Exit as a command does that left out the videos without features, if any."""
    fail_for_left_out(missing_videos(data), len(data.annotations.videos))
