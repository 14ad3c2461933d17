"""The verb report: a run as one page to look at."""

from pathlib import Path

from acmnet import recipes
from acmnet.checkpoint import load_config
from acmnet.cli.app import UsageError, app, console, errors, note, quiet
from acmnet.cli.options import overrides
from acmnet.console import Waiting
from acmnet.evaluation.reports import evaluate
from acmnet.extraction.run import find_videos
from acmnet.pipeline.data import Data, DataSource, open_data
from acmnet.pipeline.experiments import TIOU
from acmnet.pipeline.runs import join_processes
from acmnet.pipeline.trained import load, localize_videos
from acmnet.report.contents import Contents, summary_of, videos_of
from acmnet.report.page import write_page

PAGE = "report.html"


@app.command(name="report")
def report_command(
    run: Path,
    *,
    annotations: Path | None = None,
    features: Path | None = None,
    videos: Path | None = None,
    subset: str | None = None,
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
    annotations
        Labels, with segments where they are known; else those it was trained on.
    features
        Directory with the videos' features; else those it was trained on.
    videos
        Folder of the video files, to play them beside the timeline.
    subset
        Only this subset of the annotations.
    out
        The page; else report.html in the run.
    device
        "auto", "cpu" or "cuda".
    """
    page = run / PAGE if out is None else out
    contents = contents_of(
        run, page, source_of(run, annotations, features, subset), videos, device
    )
    write_page(contents, page)
    console.print(f"{len(contents.videos)} videos: {page}", markup=False)


def contents_of(
    run: Path, page: Path, source: DataSource, videos: Path | None, device: str
) -> Contents:
    """Localise the videos and gather all that a page shows of them."""
    model = load(
        run,
        settings=lambda trained: recipes.override(trained, overrides),
        device=join_processes(device),
    )
    data = open_data(source)
    files = {} if videos is None else find_videos([videos])
    _tell_missing(files, data, videos)
    n = len(data.annotations.videos)
    with Waiting(errors, "localising", "videos", silent=quiet()) as bar:
        bar.total = n
        results = localize_videos(model, data, bar.one_more)
    has_truth = any(video.instances for video in data.annotations.videos.values())
    scored = evaluate(data.annotations, results, tiou=TIOU) if has_truth else None
    with Waiting(errors, "drawing", "videos", silent=quiet()) as bar:
        bar.total = n
        shown = tuple(videos_of(model, data, results, files, page, bar.one_more))
    return Contents(summary_of(run, model, data, scored), shown)


def _tell_missing(files: dict[str, Path], data: Data, videos: Path | None) -> None:
    missing = [video for video in data.annotations.videos if video not in files]
    if videos is not None and missing:
        note(
            f"{len(missing)} of {len(data.annotations.videos)} videos have no file in "
            f"{videos}, such as {missing[0]!r}: their timelines have no picture"
        )


def source_of(
    run: Path, annotations: Path | None, features: Path | None, subset: str | None
) -> DataSource:
    """Return where the data lie: as given, else where the run was trained from.

    Raises
    ------
    UsageError
        If they are not there any more.
    """
    known = load_config(run).training
    found = {}
    for name, given in (("annotations", annotations), ("features", features)):
        path = given or Path(str(known.get(name, "")))
        if given is None and (name not in known or not path.exists()):
            raise UsageError(
                f"the run's own {name} are not at {known.get(name, '?')} any more: "
                f"give them with --{name}"
            )
        found[name] = path
    return DataSource(found["annotations"], found["features"], subset)
