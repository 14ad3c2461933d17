"""The verb extract: video files become features."""

from pathlib import Path
from shlex import quote
from typing import Annotated

from cyclopts import Parameter

from acmnet.cli.options.extractor_options import (
    FIRST_OPTIONS,
    Extracting,
    ExtractorOptions,
    Running,
    RunningFlag,
)
from acmnet.cli.options.shared_options import Device, OutputFolder
from acmnet.cli.terminal.app import (
    UsageError,
    app,
    console,
    errors,
    fail_for_left_out,
    note,
    quiet,
)
from acmnet.cli.terminal.progress import ExtractionBar
from acmnet.cli.terminal.terminal_tables import plain_table
from acmnet.evaluation.comparison.tables import Table
from acmnet.extraction.i3d.speed.fastest_precision import with_fastest
from acmnet.extraction.keypoints.keypoint_request import settled
from acmnet.extraction.many_videos.extraction_request import (
    ExtractionRequest,
    ExtractionSummary,
)
from acmnet.extraction.many_videos.extraction_run import extract_videos
from acmnet.extraction.many_videos.video_search import find_recordings, find_videos
from acmnet.messages import counted
from acmnet.runs.training_run import join_processes
from acmnet.workers.worker_engines import Engine, cores


@app.command(group_parameters=FIRST_OPTIONS)
def extract(
    videos: Annotated[list[Path], Parameter(negative=())],
    *,
    out: OutputFolder | None = None,
    extracting: Extracting = ExtractorOptions(),
    workers: Annotated[int, Running] = cores(),
    engine: Annotated[Engine, Running] = "local",
    shard: Annotated[str | None, Running] = None,
    retry_failed: Annotated[bool, RunningFlag] = False,
    benchmark: Annotated[bool, RunningFlag] = False,
    device: Annotated[Device, Running] = "auto",
) -> None:
    """Turn video files into features, which training and localisation read.

    A video is cut into snippets, short pieces of some frames. Each row of its features
    describes one snippet with numbers. The same command again extracts only what is
    missing. A video that cannot be read is listed in failed.jsonl with the reason, and
    the other videos are extracted.

    For example: acmnet extract videos/ --out features/

    Parameters
    ----------
    videos
        Video files, or folders that are searched for video files; with --extractor
        keypoints alone, files of tracks (DeepLabCut, SLEAP, MediaPipe, Kinect, arrays).
    out
        Directory for the features. If it holds features already, only the missing
        videos are extracted.
    workers
        How many processes extract at the same time; they share the cores.
    engine
        "local" runs the processes on this machine, "ray" on a Ray cluster (needs
        pip install 'acmnet[ray]').
    shard
        i/n, such as 3/16: extract only the i-th of n parts of the videos, to divide the
        work among the jobs of a cluster.
    retry_failed
        Try the videos again that could not be read in an earlier call.
    benchmark
        Extract nothing; print how fast and how exact each way to compute I3D is on this
        machine, measured on snippets of the videos (some minutes). Needs no --out.
    """
    if benchmark:
        _print_back_ends(videos)
        return
    if out is None:
        raise UsageError("--out is missing: name a directory for the features")
    requested = extracting.settings(out)
    files, tracks = find_recordings(
        videos, requested.extractor, extracting.tracks, note
    )
    device = join_processes(device)
    settings = with_fastest(
        settled(requested, files, tracks, out),
        files,
        out,
        note,
        device=device,
        is_alone=engine == "local" and shard is None,
    )
    request = ExtractionRequest(
        videos=files,
        tracks=tracks,
        out=out,
        settings=settings,
        workers=workers,
        engine=engine,
        shard=_shard(shard),
        retry_failed=retry_failed,
        device=device,
    )
    with ExtractionBar(errors, silent=quiet()) as bar:
        summary = extract_videos(
            request, on_video=bar.video, on_note=note, on_working=bar.working
        )
    _print_summary(summary, out)
    reasons = [f"{failure.video}: {failure.reason}" for failure in summary.failures]
    n_done = summary.done + summary.already
    fail_for_left_out(reasons, n_done, listed=f"{out}/failed*.jsonl")


def _print_summary(summary: ExtractionSummary, out: Path) -> None:
    """Print how many videos were extracted, how fast, and what to do next."""
    rate = summary.video_s / summary.wall_s if summary.wall_s else 0.0
    console.print(
        f"{counted(summary.done, 'video')} extracted ({summary.video_s:.0f} s in "
        f"{summary.wall_s:.0f} s, {rate:.1f} x real time), {summary.already} were "
        f"there already: {out}"
    )
    if summary.done + summary.already:
        console.print(
            f"next: acmnet train --annotations LABELS --features {quote(str(out))} "
            "--out runs/first learns from them",
            markup=False,
        )


def _print_back_ends(videos: list[Path]) -> None:
    """Print a table of what can compute I3D here, measured on some snippets."""
    from acmnet.extraction.i3d.speed.back_end_table import COLUMNS, back_end_table

    files = find_videos(videos)
    with errors.status("measuring"):
        measured = back_end_table([*files.values()])
    table = Table(COLUMNS, measured.rows, {})
    console.print(plain_table("I3D on one core of this machine", table))
    for sentence in measured.notes:
        console.print(sentence, markup=False)


def _shard(text: str | None) -> tuple[int, int] | None:
    """Return i and n of a text such as 3/16; None for None."""
    if text is None:
        return None
    i, _, n = text.partition("/")
    if not (i.isdecimal() and n.isdecimal()):
        raise UsageError(f"--shard must be i/n such as 3/16, got {text!r}")
    return int(i), int(n)
