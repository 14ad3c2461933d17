"""Write detections to results JSON, a CSV table, subtitles, or for other programs.

The suffix of the file decides on the format; where several formats share a suffix, the
name of the format does. In a folder, each video gets a file that is named after it.
"""

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal, get_args

from acmnet.data.detections.detection_csv import csv_of
from acmnet.data.detections.detection_files import DetectionFileError, write_detections
from acmnet.data.detections.subtitles import srt_of, webvtt_of
from acmnet.data.formats.exchange_format import RATE_OPTION
from acmnet.data.formats.format_table import BY_NAME
from acmnet.data.formats.writing import Written, content_of_detections, write_labels
from acmnet.data.tables.arrow_files import needed_library
from acmnet.files.file_access import make_folder, refuse_unwritable, written_whole
from acmnet.limits import LARGEST_TEXT_BYTES
from acmnet.messages import counted
from acmnet.segments import Detections

Format = Literal[
    "json",
    "csv",
    "parquet",
    "arrow",
    "srt",
    "vtt",
    "elan",
    "boris",
    "audacity",
    "via3",
    "fiftyone",
    "boris-table",
    "audition",
    "label-studio",
    "cvat",
    "caltech",
    "simba",
    "deepethogram",
    "edl",
    "thumos",
]
"""All formats of `acmnet.data.formats.format_table`. If several share a suffix, the
first of them is written."""
FORMATS: Final[tuple[Format, ...]] = get_args(Format)
SUBTITLES: Final = {"srt": srt_of, "vtt": webvtt_of}
"""Formats of subtitles and their writers."""
UNFILTERED: Final = ("json", "parquet", "arrow")
"""Formats that get detections of every score, because programs read them."""
MOST_VIDEOS_OF_JSON: Final = 20_000
"""With more videos than this, the JSON of their detections may be larger than acmnet
reads: `LARGEST_TEXT_BYTES` leaves 26 kB, 300 detections, for each of so many."""
AMBIGUOUS_SUFFIXES: Final = (".txt",)
"""Suffixes that do not tell how a file is to be written."""


class OutputError(ValueError):
    """A path to which detections cannot be written; the message says what to give."""


@dataclasses.dataclass(frozen=True)
class Output:
    """Where detections are to be written, and in which format."""

    path: Path
    format: Format
    is_folder: bool
    """Whether the path is a folder that gets a file for each video."""
    fps: float | None = None
    """Frames per second of the videos; needed by formats that count frames."""

    @property
    def needs_rate(self) -> bool:
        """Whether the format counts frames, and the frame rate is not stated yet."""
        return BY_NAME[self.format].unit == "frames" and self.fps is None

    def refuse(self, n_videos: int) -> None:
        """Refuse, before work begins, a path to which its result could not be written.

        Raises
        ------
        OutputError
            If the path is one file and the format has a file for each video or class,
            or if the format counts frames and the frame rate is not stated.
        FileError
            If nothing can be written there.
        """
        target = BY_NAME[self.format]
        if self.needs_rate:
            raise OutputError(
                f"{self.path}: {target.title} counts frames, so the frame rate of the "
                f"videos is needed: {RATE_OPTION}, such as {RATE_OPTION} 25"
            )
        folder = self.path.with_suffix("")
        if target.one_file == "class" and not self.is_folder:
            raise OutputError(
                f"{self.path}: {target.title} has a file for each class: give a "
                f"folder, such as --out {folder}/ --format {self.format}"
            )
        if target.one_file == "video" and not self.is_folder and n_videos != 1:
            what = "subtitles" if self.format in SUBTITLES else "detections"
            raise OutputError(
                f"{self.path} can hold the {what} of one video, and there are "
                f"{n_videos}: give a folder for a file each, such as --out {folder}/ "
                f"--format {self.format}"
            )
        if self.format in ("parquet", "arrow"):
            needed_library(self.path, DetectionFileError)
        refuse_unwritable(self.path / "a video" if self.is_folder else self.path)

    def advice(self, n_videos: int) -> str:
        """Return, before work begins, what the user should know; empty if nothing."""
        if self.format != "json" or self.is_folder or n_videos <= MOST_VIDEOS_OF_JSON:
            return ""
        table, many = self.path.with_suffix(".parquet"), f"{n_videos:,}"
        return (
            f"{self.path} may become larger than {LARGEST_TEXT_BYTES / 2**20:,.0f} MB "
            f"with {many} videos, and acmnet reads no larger JSON; --out {table} "
            "is smaller and has no limit (pip install 'acmnet[tables]')"
        )

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
            Written if the format is one of `UNFILTERED`, which programs such as `acmnet
            evaluate` read.
        shown : mapping from video id to Detections
            Written if the format is another one, which people look at.
        external_data : mapping
            What JSON, Parquet and Arrow files keep as ``external_data``; see
            `acmnet.data.detections.detection_files.write_detections`.
        """
        chosen = everything if self.format in UNFILTERED else shown
        files = {self.path: chosen}
        is_split = self.format in (*UNFILTERED, "csv", *SUBTITLES)
        if self.is_folder and (is_split or BY_NAME[self.format].one_file == "all"):
            make_folder(self.path)
            files = {
                self.path / f"{video}{self.suffix}": {video: detections}
                for video, detections in chosen.items()
            }
        n_files, lost = 0, dict[str, None]()
        for path, results in files.items():
            done = self._write_file(path, results, external_data)
            n_files += len(done.files)
            lost |= dict.fromkeys(done.left_out)
        total = counted(sum(map(len, chosen.values())), "detection")
        many = f", {counted(n_files, 'file')}" if self.is_folder else ""
        title = BY_NAME[self.format].title
        without = f"; {title} cannot hold {', '.join(lost)}" if lost else ""
        if self.format == "json" and not self.is_folder:
            without = self._parquet_for_large_json(everything, external_data)
        return f"{total} in {counted(len(chosen), 'video')}: {self.path}{many}{without}"

    def _parquet_for_large_json(
        self, results: Mapping[str, Detections], external_data: Mapping[str, object]
    ) -> str:
        """Write a JSON file that is too large to be read as Parquet, too; say so."""
        size = self.path.stat().st_size
        if size <= LARGEST_TEXT_BYTES:
            return ""
        large = f"; its {size / 2**20:,.0f} MB are more than acmnet reads of JSON"
        table = self.path.with_name(f"{self.path.name}.parquet")
        try:
            write_detections(table, results, external_data=external_data)
        except DetectionFileError as error:
            return f"{large}, and it could not be written as Parquet, too: {error}"
        return f"{large}, so {table} holds the same detections"

    @property
    def suffix(self) -> str:
        """Suffix of the files that a folder gets."""
        return BY_NAME[self.format].suffixes[0]

    def _write_file(
        self,
        path: Path,
        results: Mapping[str, Detections],
        external_data: Mapping[str, object],
    ) -> Written:
        """Write one file, or all files of a folder; return what the format held."""
        written = Written((path,), len(results), 0, (), ())
        if self.format in UNFILTERED:
            write_detections(path, results, external_data=external_data)
            return written
        if self.format not in ("csv", *SUBTITLES):
            content = content_of_detections(results, self.fps)
            return write_labels(path, content, BY_NAME[self.format])
        if self.format == "csv":
            # utf-8-sig: with the byte order mark that tells spreadsheets of UTF-8
            text = "\ufeff" + csv_of(results)
        else:
            text = "".join(
                SUBTITLES[self.format](detections) for detections in results.values()
            )
        with written_whole(path) as part:
            part.write_text(text, encoding="utf-8", newline="")
        return written


def output_of(text: str, named: Format | None, fps: float | None = None) -> Output:
    """Return where and in which format detections are to be written.

    Parameters
    ----------
    text : str
        The path of a file, whose suffix is that of its format, or of a folder. A path
        is that of a folder if the folder exists, if the path ends with a slash, or if
        it has no suffix and ``named`` is given.
    named : str or None
        The format of the files in a folder, if ``text`` is one, or of a file whose
        suffix several formats share.
    fps : float or None
        Frames per second of the videos, for formats that count frames.

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
        return Output(path, named, True, fps)
    suffix = path.suffix.lower()
    if named is not None and suffix in BY_NAME[named].suffixes:
        return Output(path, named, False, fps)
    by_suffix = next((x for x in FORMATS if suffix in _distinctive_suffixes(x)), None)
    if by_suffix is None or suffix in AMBIGUOUS_SUFFIXES:
        raise OutputError(_why_not(path))
    return Output(path, by_suffix, False, fps)


def _distinctive_suffixes(name: Format) -> tuple[str, ...]:
    """Return the suffixes that tell a format by themselves."""
    suffixes = BY_NAME[name].suffixes
    return suffixes if name in ("parquet", "arrow") else suffixes[:1]


def _why_not(path: Path) -> str:
    """Return why the suffix of a file does not tell how to write it."""
    suffix = path.suffix.lower()
    if suffix in AMBIGUOUS_SUFFIXES:
        return (
            f"{path} has the suffix {path.suffix!r}, which files of several programs "
            "have; say which is meant, such as --format audacity"
        )
    suffixes = dict.fromkeys(BY_NAME[name].suffixes[0] for name in FORMATS)
    listed = ", ".join(x for x in suffixes if x not in AMBIGUOUS_SUFFIXES)
    got = f"the suffix {path.suffix!r}" if path.suffix else "no suffix"
    return (
        f"{path} has {got}; detections are written to files that end with {listed}, "
        f"or to a folder: --out {path.with_suffix('')}/ --format csv"
    )
