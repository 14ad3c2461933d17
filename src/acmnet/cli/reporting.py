"""The verb report: a run as one page to look at."""

from collections.abc import Callable
from pathlib import Path

from acmnet.cli.app import app, console, fail_for_left_out, note
from acmnet.cli.applying import (
    RunData,
    RunDataOptions,
    counting,
    loaded,
    localised,
    scored,
)
from acmnet.extraction.run import find_videos
from acmnet.features import FeatureError
from acmnet.pipeline.data import Data, open_data
from acmnet.report.contents import Contents, summary_of, videos_of
from acmnet.report.page import write_page
from acmnet.wording import counted

PAGE = "report.html"


@app.command(name="report")
def report_command(
    run: Path,
    *,
    given: RunData = RunDataOptions(),
    videos: Path | None = None,
    out: Path | None = None,
    device: str = "auto",
) -> None:
    """Write a run as one page: scores, lists, and a timeline beside each video.

    The page opens from the disk and needs no network. Small videos are inside it, large
    ones are linked relative to it: keep them where they are, or move both alike.

    Parameters
    ----------
    run
        Directory that `acmnet train` or `acmnet fit` wrote.
    videos
        Folder of the video files, to play them beside the timeline.
    out
        The page; else report.html in the run.
    device
        "auto", "cpu" or "cuda".
    """
    page = run / PAGE if out is None else out
    data = open_data(given.source(run))
    failures: list[FeatureError] = []
    files = files_of(data, videos)
    contents = contents_of(run, page, data, files, device, failures.append)
    write_page(contents, page)
    console.print(f"{counted(len(contents.videos), 'video')}: {page}", markup=False)
    fail_for_left_out(list(map(str, failures)), len(contents.videos))


def contents_of(
    run: Path,
    page: Path,
    data: Data,
    files: dict[str, Path],
    device: str,
    on_failure: Callable[[FeatureError], None],
) -> Contents:
    """Localise the videos and gather all that a page shows of them.

    A video whose features cannot be used is reported to ``on_failure`` and left out.
    """
    model = loaded(run, device)
    results = localised(model, data, on_failure)
    data = data.only(results)
    with counting("drawing", data) as one_more:
        shown = tuple(videos_of(model, data, results, files, page, one_more))
    return Contents(summary_of(run, model, data, scored(data, results)), shown)


def files_of(data: Data, folder: Path | None) -> dict[str, Path]:
    """Return the files of the videos in a folder; say which videos have none."""
    if folder is None:
        return {}
    found = find_videos([folder])
    files = {name: found[name] for name in data.annotations.videos if name in found}
    missing = [video for video in data.annotations.videos if video not in files]
    if missing:
        note(
            f"{len(missing)} of {len(data.annotations.videos)} videos have no file in "
            f"{folder}, such as {missing[0]!r}: their timelines have no picture"
        )
    return files
