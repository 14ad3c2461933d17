"""Options and output of the verb localize: files, or tables on the terminal."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from shlex import quote
from typing import Annotated, Final

from cyclopts import Parameter

from acmnet.cli.options.detection_limits import LimitOptions, left_out_of_all
from acmnet.cli.options.shared_options import refuse_wrong_rate
from acmnet.cli.terminal.app import UsageError, console, note
from acmnet.cli.terminal.terminal_tables import MOST_ROWS, detections_table
from acmnet.data.detection_output import UNFILTERED, Format, Output, output_of
from acmnet.data.detections.shown_detections import Shown
from acmnet.extraction.many_videos.video_search import common_frame_rate
from acmnet.segments import Detections

MOST_NAMED: Final = 3
"""Videos and folders that a proposed command names, at most."""


@dataclasses.dataclass(frozen=True)
class OutputOptions:
    """The files that detections are written to; tables are printed without any."""

    out: Annotated[list[str] | None, Parameter(negative=())] = None
    """File to write: .json (ActivityNet results, which evaluate and render read), .csv
    (for spreadsheets), .parquet or .arrow (for pandas and polars), .srt or .vtt
    (subtitles of one video), .eaf (ELAN, one video), .boris, or another suffix of
    docs/formats.md. Or a folder, which gets one file per video. May be given several
    times. When left out, detections are printed as tables."""
    format: Format | None = None
    """Format of the files in a folder that --out names, or of a file whose suffix
    several formats share, such as .txt or .json; see docs/formats.md."""
    label_fps: Annotated[float | None, Parameter(validator=refuse_wrong_rate)] = None
    """Frames per second of the videos, for files that count frames, such as those of
    CVAT, SimBA and video editors. When left out, that of the video files, if all have
    the same. Other files do not need it."""

    def outputs(self) -> list[Output]:
        """Return the files and folders to write.

        Raises
        ------
        UsageError
            If --format is given and no output is of that format.
        OutputError
            If a file's suffix names no format.
        """
        outputs = [
            output_of(text, self.format, self.label_fps) for text in self.out or []
        ]
        if self.format and all(output.format != self.format for output in outputs):
            raise UsageError(
                "--format is the format of files in a folder, as in --out FOLDER/ "
                f"--format {self.format}; the format of a file is its suffix"
            )
        return outputs


Outputs = Annotated[OutputOptions, Parameter(name="*")]


def features_folder_for(outputs: list[Output]) -> Path | None:
    """Return where to keep the features of video files; None for nowhere."""
    return outputs[0].path.with_suffix(".features") if outputs else None


def with_rate_of(files: Sequence[Path], outputs: Sequence[Output]) -> list[Output]:
    """Return outputs of which those that count frames have the rate of the videos.

    Outputs stay as they are where --label-fps states the rate, or where the videos do
    not all have the same.
    """
    if not any(output.needs_rate for output in outputs):
        return list(outputs)
    fps = common_frame_rate(files)
    return [
        dataclasses.replace(output, fps=fps) if output.needs_rate else output
        for output in outputs
    ]


def write_or_print(
    results: Mapping[str, Detections],
    outputs: list[Output],
    limits: LimitOptions,
    from_score: float | None,
    external_data: Mapping[str, object],
) -> None:
    """Write detections, or print them, and note how many are left out.

    Parameters
    ----------
    results : mapping from video id to Detections
        Everything that was found.
    outputs : list of Output
        The files and folders to write; without any, tables are printed.
    limits : LimitOptions
        Which detections the user wants.
    from_score : float or None
        The default of --min-score for tables, CSV and subtitles. Results JSON has no
        default limit, because scoring needs detections of every score.
    external_data : mapping
        What results JSON tells about the detections, besides what was left out.
    """
    results = dict(sorted(results.items()))
    limits_given = limits.given()
    if limits_given != Shown():
        external_data = {**external_data, "left_out": dataclasses.asdict(limits_given)}
    everything = limits_given.of_all(results)
    rule = limits.shown(from_score)
    shown = rule.of_all(results)
    for output in outputs:
        done = output.write(everything, shown, external_data)
        console.print(done, markup=False)
    if not outputs:
        most = None if limits.everything else MOST_ROWS
        for video, detections in shown.items():
            console.print(detections_table(video, detections, most))
    if all(output.format in UNFILTERED for output in outputs) and outputs:
        shown, rule = everything, limits_given
    left_out = left_out_of_all(results, shown, rule, "shown", "shows")
    if left_out is not None:
        note(left_out)


def print_next(
    videos: Sequence[Path], files: Sequence[Path], outputs: Sequence[Output]
) -> None:
    """Print the command that shows the detections of videos, if JSON was written.

    Parameters
    ----------
    videos : sequence of Path
        The videos and folders that the user named.
    files : sequence of Path
        The files of the videos; empty where these are files of tracks.
    outputs : sequence of Output
        What was written.
    """
    written = next((x.path for x in outputs if x.path.suffix == ".json"), None)
    if written is None or not files:
        return
    written_path, first_video = quote(str(written)), quote(str(files[0]))
    next_one = (
        f"render {first_video} --detections {written_path} --out drawn.mp4 draws them"
    )
    if len(files) > 1:
        named = len(videos) <= MOST_NAMED
        places = " ".join(quote(str(x)) for x in videos) if named else "VIDEOS"
        next_one = f"cut {written_path} {places} --out clips cuts them out"
    console.print(f"next: acmnet {next_one}", markup=False)
