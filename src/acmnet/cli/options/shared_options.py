"""Options that several verbs share: device, JSON file, output folder, time grid."""

import dataclasses
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter

from acmnet.cli.terminal.app import UsageError, fail_for_left_out, note
from acmnet.data.labelled_features import Data
from acmnet.messages import quoted
from acmnet.names import TRACK_SUFFIXES, VIDEO_SUFFIXES
from acmnet.segments import SnippetGrid

JsonPath = Annotated[Path | None, Parameter(name="--json")]
Device = Annotated[
    str,
    Parameter(
        help='Where the networks run: "auto" (a GPU if there is one), "cpu" or "cuda".'
    ),
]
SkipMissing = Annotated[
    bool,
    Parameter(
        negative=(),
        help="Leave out videos that have no features instead of refusing to start.",
    ),
]
Seeds = Annotated[tuple[int, ...], Parameter(negative=())]


FASTEST_FPS: Final = 10_000
"""The highest frame rate of labels that is taken for one."""
FILE_SUFFIXES: Final = (
    *(".csv", ".tsv", ".xlsx", ".json", ".jsonl", ".parquet", ".toml", ".txt", ".md"),
    *(".html", ".png", ".svg", ".pdf", ".jpg", ".srt", ".vtt", ".safetensors"),
    *(".onnx", ".pt2", ".pt", ".pth", ".zip"),
    *(*VIDEO_SUFFIXES, *TRACK_SUFFIXES),
)
"""Suffixes that people give to files, and to no folder."""


@dataclasses.dataclass(frozen=True)
class GridOptions:
    """The time grid of features without features.json: give all three options."""

    fps: float | None = None
    """Frame rate at which the features were computed, in frames per second. Only needed
    when the feature directory has no features.json."""
    snippet_frames: int | None = None
    "Frames in a snippet, a short piece of video that one row of features describes."
    stride_frames: int | None = None
    "Frames from the start of one snippet to the start of the next."

    def grid(self) -> SnippetGrid | None:
        """Return the grid, or None where no option was given.

        Raises
        ------
        UsageError
            If only one or two of the three options were given.
        """
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


def refuse_wrong_rate(_: object, fps: float | None) -> None:
    """Refuse a frame rate that no video has; cyclopts calls this with a value.

    Raises
    ------
    ValueError
        cyclopts puts the name of the option before the message.
    """
    if fps is not None and not 0 < fps <= FASTEST_FPS:
        raise ValueError(f"must be more than 0 and at most {FASTEST_FPS}")


LabelFps = Annotated[
    float | None,
    Parameter(
        help="Frames per second of the videos, for labels that count frames, such as "
        "SimBA's, DeepEthogram's and CVAT's. Other labels do not need it.",
        validator=refuse_wrong_rate,
    ),
]


Grid = Annotated[GridOptions, Parameter(name="*")]


def note_reading(data: Data) -> Data:
    """Print how the label file was read where it is no plain CSV; return the data."""
    for sentence in data.annotations.notes:
        note(sentence)
    return data


def missing_videos(data: Data) -> list[str]:
    """Return one sentence for each video that was left out for lack of features."""
    where = data.store.place
    return [
        f"{quoted(video)}: it has no features in {where}" for video in data.left_out
    ]


def fail_for_missing(data: Data) -> None:
    """Exit with the code for left-out videos if any video has no features."""
    fail_for_left_out(missing_videos(data), len(data.annotations.videos))


def refuse_file_name(_: object, out: Path | str | None) -> None:
    """Refuse the name of a file where several files are written into a folder.

    A folder that exists already may have any name. cyclopts calls this with the type of
    an option and its value, and puts the name of the option before the message.

    Raises
    ------
    ValueError
        The message suggests the name without the suffix.
    """
    if out is None:
        return
    folder = Path(out)
    if folder.suffix.lower() in FILE_SUFFIXES and not folder.is_dir():
        raise ValueError(
            "must name a folder, into which all files are written, such as "
            f"{folder.with_suffix('')}"
        )


OutputFolder = Annotated[Path, Parameter(validator=refuse_file_name)]
