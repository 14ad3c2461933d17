"""The verb convert: labels and detections of other programs, to and from."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from acmnet.cli.options.detection_limits import LimitOptions
from acmnet.cli.terminal.app import app, console, fail, note
from acmnet.cli.terminal.exit_codes import LEFT_OUT
from acmnet.data.format_conversion import convert
from acmnet.messages import counted


@app.command(name="convert")
def convert_command(
    source: Path,
    out: Path,
    /,
    *,
    from_format: str | None = None,
    to_format: str | None = None,
    fps: float | None = None,
    min_score: float | None = None,
    top: int | None = None,
    watched: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Turn labels or detections into the format of another program.

    Formats: json, csv, parquet, arrow, thumos, boris, boris-table, elan, via3,
    label-studio, cvat, fiftyone, caltech, simba, deepethogram, audacity, srt, vtt, edl,
    audition. Exits with 3 if the format cannot hold everything, and says what and how
    much is missing.

    For example: acmnet convert labels.json scored.boris

    Parameters
    ----------
    source
        File to read, or a folder with a file for each video.
    out
        File to write; or a folder, for formats that have a file for each video or
        class.
    from_format
        Format to read. When left out, the suffix and the content of the file tell it.
    to_format
        Format to write. When left out, the suffix tells it.
    fps
        Frames per second of the videos. Needed for formats that count frames.
    min_score
        Leave out detections with a lower score.
    top
        Keep at most this many detections of a video, those with the highest scores.
    watched
        All actions of each video that has a segment are marked: the video counts as
        watched from start to end. Other programs cannot write this into their files.
    """
    limits = LimitOptions(min_score, top).given()
    done = convert(
        source,
        out,
        from_format=from_format,
        to_format=to_format,
        fps=fps,
        limits=limits,
        watched=watched,
    )
    for sentence in done.notes:
        note(sentence)
    written = done.written
    for sentence in written.changed:
        note(f"{out}: {sentence}")
    n = len(written.files)
    files = "" if n == 1 else f", {counted(n, 'file')}"
    parts = [counted(written.marks, "mark")] * (written.marks > 0 or not written.names)
    if written.names:
        parts.append(f"{counted(written.names, 'name')} without a time")
    console.print(
        f"{' and '.join(parts)} in {counted(written.videos, 'video')}: "
        f"{out}{files} ({done.source.name} to {done.target.name})",
        markup=False,
    )
    if written.left_out:
        fail(
            f"{done.target.title} cannot hold everything, so {out} is without "
            f"{', '.join(written.left_out)}",
            LEFT_OUT,
        )
