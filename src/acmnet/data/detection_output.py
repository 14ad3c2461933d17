"""Write detections to results JSON, to a CSV table, or to subtitles.

The suffix of the file decides on the format. In a folder, each video gets a file that
is named after it.
"""

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal, get_args

from acmnet.data.detection_csv import csv_of
from acmnet.data.detections import write_detections
from acmnet.data.subtitles import srt_of, webvtt_of
from acmnet.files import make_folder, refuse_unwritable, written_whole
from acmnet.messages import counted
from acmnet.segments import Detections

Format = Literal["json", "csv", "srt", "vtt"]
FORMATS: Final[tuple[Format, ...]] = get_args(Format)
SUBTITLES: Final = {"srt": srt_of, "vtt": webvtt_of}
"""Formats of subtitles, of which each video has its own file, and their writers."""


class OutputError(ValueError):
    """A path to which detections cannot be written; the message says what to give."""


@dataclasses.dataclass(frozen=True)
class Output:
    """Where detections are to be written, and in which format."""

    path: Path
    format: Format
    is_folder: bool
    """Whether the path is a folder that gets a file for each video."""

    def refuse(self, n_videos: int) -> None:
        """Refuse, before work begins, a path to which its result could not be written.

        Raises
        ------
        OutputError
            If the path is one file for the subtitles of several videos. The message
            says to give a folder.
        FileError
            If nothing can be written there.
        """
        if self.format in SUBTITLES and not self.is_folder and n_videos != 1:
            folder = self.path.with_suffix("")
            raise OutputError(
                f"{self.path} can hold the subtitles of one video, and there are "
                f"{n_videos}: give a folder for a file each, such as --out {folder}/ "
                f"--format {self.format}"
            )
        refuse_unwritable(self.path / "a video" if self.is_folder else self.path)

    def write(
        self,
        everything: Mapping[str, Detections],
        shown: Mapping[str, Detections],
        external_data: Mapping[str, object],
    ) -> str:
        """Write the detections; return a sentence on how many were written where.

        Parameters
        ----------
        everything : mapping from video id to Detections
            Written if the format is results JSON, which is for `acmnet evaluate`.
        shown : mapping from video id to Detections
            Written if the format is CSV or subtitles, which people read.
        external_data : mapping
            The JSON's ``external_data``; see
            `acmnet.data.detections.write_detections`.
        """
        chosen = everything if self.format == "json" else shown
        files = {self.path: chosen}
        if self.is_folder:
            make_folder(self.path)
            files = {
                self.path / f"{video}.{self.format}": {video: found}
                for video, found in chosen.items()
            }
        for path, results in files.items():
            self._write_file(path, results, external_data)
        total = counted(sum(map(len, chosen.values())), "detection")
        many = f", {counted(len(files), 'file')}" if self.is_folder else ""
        return f"{total} in {counted(len(chosen), 'video')}: {self.path}{many}"

    def _write_file(
        self,
        path: Path,
        results: Mapping[str, Detections],
        external_data: Mapping[str, object],
    ) -> None:
        if self.format == "json":
            write_detections(path, results, external_data=external_data)
            return
        if self.format == "csv":
            # utf-8-sig: with the byte order mark that tells spreadsheets of UTF-8
            text = "\ufeff" + csv_of(results)
        else:
            text = "".join(SUBTITLES[self.format](own) for own in results.values())
        with written_whole(path) as part:
            part.write_text(text, encoding="utf-8", newline="")


def output_of(text: str, named: Format | None) -> Output:
    """Return where and in which format detections are to be written.

    Parameters
    ----------
    text : str
        The path of a file, whose suffix is that of its format, or of a folder. A path
        is that of a folder if the folder exists, if the path ends with a slash, or if
        it has no suffix and ``named`` is given.
    named : str or None
        The format of the files in a folder, if ``text`` is one.

    Raises
    ------
    OutputError
        If a file's suffix is not known, or no format is named for a folder.
    """
    path = Path(text)
    ends = text.endswith(("/", os.sep)) or path.is_dir()
    if ends or (named is not None and not path.suffix):
        if named is None:
            raise OutputError(
                f"{path} is a folder, which gets a file for each video: say which kind "
                f"with --format {', '.join(FORMATS[:-1])} or {FORMATS[-1]}"
            )
        return Output(path, named, True)
    suffix = path.suffix.lower()
    by_suffix = next((name for name in FORMATS if suffix == f".{name}"), None)
    if by_suffix is None:
        known = ", ".join(f".{name}" for name in FORMATS)
        got = f"the suffix {path.suffix!r}" if path.suffix else "no suffix"
        raise OutputError(
            f"{path} has {got}; detections are written to files that end with {known}, "
            f"or to a folder: --out {path.with_suffix('')}/ --format csv"
        )
    return Output(path, by_suffix, False)
