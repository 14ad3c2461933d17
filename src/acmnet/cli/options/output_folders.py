"""Options that name a folder to write to, where the name of a file is refused."""

from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter

from acmnet.names import TRACK_SUFFIXES, VIDEO_SUFFIXES

FILE_SUFFIXES: Final = (
    *(".csv", ".tsv", ".xlsx", ".json", ".jsonl", ".parquet", ".toml", ".txt", ".md"),
    *(".html", ".png", ".svg", ".pdf", ".jpg", ".srt", ".vtt", ".safetensors"),
    *(".onnx", ".pt2", ".pt", ".pth", ".zip"),
    *(*VIDEO_SUFFIXES, *TRACK_SUFFIXES),
)
"""Suffixes that people give to files, and to no folder."""


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
