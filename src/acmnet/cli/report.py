"""The verb report: a run as one page to look at."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from acmnet.cli.app import app, console, fail_for_left_out, note
from acmnet.cli.detection_limits import LimitOptions, Limits
from acmnet.cli.dotted_settings import RecipeSettings
from acmnet.cli.progress import counting
from acmnet.cli.run_page import (
    files_of,
    poster_of,
    used_settings,
)
from acmnet.cli.shared_options import missing_videos
from acmnet.cli.trained_run import (
    RunData,
    RunDataOptions,
    loaded,
    note_precision,
    note_unlike,
    refuse_nothing_left,
    scored,
)
from acmnet.data.feature_files import FeatureError
from acmnet.data.labelled_features import Data
from acmnet.files import refuse_unwritable
from acmnet.messages import counted
from acmnet.pipeline.kept_detections import FoundFile, keep
from acmnet.pipeline.trained_model import TrainedModel, refuse_other_features
from acmnet.pipeline.training_summary import shown_score
from acmnet.segments import Detections
from acmnet.show.report.html_page import write_page
from acmnet.show.report.network_curves import insides_of
from acmnet.show.report.page_contents import (
    Contents,
    VideoContents,
    summary_of,
    video_contents,
)
from acmnet.show.report.page_media import EMBEDDED_TOTAL, media_of

PAGE = "report.html"


@app.command(name="report")
def report_command(
    run: Path,
    *,
    given: RunData = RunDataOptions(),
    videos: Path | None = None,
    out: Path | None = None,
    first: Limits = LimitOptions(),
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
    refuse_unwritable(page)
    data = given.opened(run)
    failures: list[FeatureError] = []
    files = files_of(data, videos)
    contents = contents_of(
        run, page, data, files, device, failures, first, given.settings
    )
    write_page(contents, page)
    size = f"{page.stat().st_size / 1e6:.1f} MB"
    told = f"{counted(len(contents.videos), 'video')}: {page} ({size})"
    console.print(told, markup=False)
    note_precision(run)
    left_out = [*missing_videos(data), *map(str, failures)]
    fail_for_left_out(left_out, len(contents.videos))


def contents_of(
    run: Path,
    page: Path,
    data: Data,
    files: dict[str, Path],
    device: str,
    failures: list[FeatureError],
    first: LimitOptions,
    given: RecipeSettings,
) -> Contents:
    """Return all that a page of its own shows of a run, from one look at each video.

    A video whose features cannot be used is added to ``failures`` and left out.
    """
    config, settings = used_settings(run, given)
    model = loaded(run, device, given)
    file = FoundFile(run, settings, model.class_names, data)
    refuse_other_features(model, data.store)
    looks = list(_looks(model, data, file.read(), failures))
    results = {video: found for video, found, _ in looks}
    refuse_nothing_left(results, failures)
    keep(file, results, note)
    data = data.only(results)
    report, warning = scored(data, results, config), note_unlike(run, data)
    shown = first.shown(shown_score(run, settings))
    summary = summary_of(run, config, settings, data, report, shown, warning)
    return Contents(summary, tuple(_with_pictures(data, looks, files, page)))


def _looks(
    model: TrainedModel,
    data: Data,
    kept: Mapping[str, Detections],
    failures: list[FeatureError],
) -> Iterator[tuple[str, Detections, dict[str, Any]]]:
    """Yield each video with its detections and what the networks say of it."""
    with counting("looking at", data) as one_more:
        for video in data.annotations.videos:
            try:
                yield video, *_looked_at(model, data, video, kept.get(video))
            except FeatureError as error:
                failures.append(error)
            one_more(video)


def _with_pictures(
    data: Data,
    looks: Iterable[tuple[str, Detections, dict[str, Any]]],
    files: dict[str, Path],
    page: Path,
) -> Iterator[VideoContents]:
    """Yield each video's part of a page: small files are inside it, others linked."""
    room = EMBEDDED_TOTAL
    with counting("drawing", data) as one_more:
        for video, found, insides in looks:
            media = media_of(files.get(video), page, room)
            if media is not None and media.url is None:
                room -= media.path.stat().st_size
            yield video_contents(
                data.annotations.videos[video],
                data,
                found,
                media=media,
                insides=insides,
                poster=poster_of(data, video, files),
            )
            one_more(video)


def _looked_at(
    model: TrainedModel, data: Data, video: str, kept: Detections | None
) -> tuple[Detections, dict[str, Any]]:
    """Return what is found in a video and what the networks say of it.

    The features are read and each network runs once.
    """
    features = data.store.read(video)
    activations = model.activations(features)
    found = model.localize(features, activations) if kept is None else kept
    truth, rules = data.annotations.videos[video], model.settings.localization
    return found, insides_of(truth, found, activations, rules)
