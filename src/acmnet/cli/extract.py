"""The verb extract: video files become features."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from acmnet.cli.app import (
    UsageError,
    app,
    console,
    errors,
    fail_for_left_out,
    note,
    quiet,
)
from acmnet.cli.extractor_options import (
    FIRST,
    Extracting,
    ExtractorOptions,
    Running,
    RunningFlag,
)
from acmnet.cli.progress import ExtractionBar
from acmnet.extraction.extraction_request import Engine, ExtractionRequest
from acmnet.extraction.extraction_run import extract_videos
from acmnet.extraction.video_search import find_videos
from acmnet.extraction.worker_engines import cores
from acmnet.messages import counted
from acmnet.pipeline.training_run import join_processes


@app.command(group_parameters=FIRST)
def extract(
    videos: Annotated[list[Path], Parameter(negative=())],
    *,
    out: Path,
    given: Extracting = ExtractorOptions(),
    workers: Annotated[int, Running] = cores(),
    engine: Annotated[Engine, Running] = "local",
    shard: Annotated[str | None, Running] = None,
    retry_failed: Annotated[bool, RunningFlag] = False,
    device: Annotated[str, Running] = "auto",
) -> None:
    """Turn video files into features: numbers that describe each short piece of them.

    Finished videos are not done again. A video that cannot be read is listed in
    failed.jsonl with the reason; the others go on.

    Parameters
    ----------
    videos
        Video files, and folders that are searched for them.
    out
        Directory for the features; the same one again goes on where it stopped.
    workers
        Processes; they share the cores.
    engine
        "local", or "ray" for a Ray cluster (pip install 'acmnet[ray]').
    shard
        i/n: only the i-th of n parts of the videos, for job arrays.
    retry_failed
        Try again what could not be read before.
    device
        Where I3D computes: "auto", "cpu" or "cuda".
    """
    request = ExtractionRequest(
        find_videos(videos),
        out,
        given.settings(out),
        workers,
        engine,
        _shard(shard),
        retry_failed,
        device=join_processes(device),
    )
    with ExtractionBar(errors, silent=quiet()) as bar:
        summary = extract_videos(
            request, on_video=bar.video, on_note=note, on_working=bar.working
        )
    rate = summary.video_s / summary.wall_s if summary.wall_s else 0.0
    console.print(
        f"{counted(summary.done, 'video')} extracted ({summary.video_s:.0f} s in "
        f"{summary.wall_s:.0f} s, {rate:.1f} x real time), {summary.already} were "
        f"there: {out}"
    )
    reasons = [f"{failure.video}: {failure.reason}" for failure in summary.failures]
    n_done = summary.done + summary.already
    fail_for_left_out(reasons, n_done, listed=f"{out}/failed*.jsonl")


def _shard(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    i, _, n = text.partition("/")
    if not (i.isdecimal() and n.isdecimal()):
        raise UsageError(f"--shard must be i/n such as 3/16, got {text!r}")
    return int(i), int(n)
