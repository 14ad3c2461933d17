"""The verb report: a run as one HTML page that needs no network."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from acmnet.cli.app import app, console, fail_for_left_out, note
from acmnet.cli.detection_limits import LimitOptions, Limits
from acmnet.cli.dotted_settings import RUN_EPILOGUE
from acmnet.cli.progress import counting
from acmnet.cli.run_page import RunPage, opened_page
from acmnet.cli.shared_options import Device, missing_videos
from acmnet.cli.trained_run import (
    RunData,
    RunDataOptions,
    note_reviewed_precision,
    refuse_nothing_left,
)
from acmnet.data.feature_files import FeatureError
from acmnet.data.labelled_features import Data
from acmnet.files import refuse_unwritable
from acmnet.messages import counted
from acmnet.pipeline.kept_detections import FoundFile, keep
from acmnet.pipeline.trained_model import TrainedModel, refuse_other_features
from acmnet.segments import Detections
from acmnet.show.report.html_page import write_page
from acmnet.show.report.network_curves import insides_of
from acmnet.show.report.page_contents import Contents, VideoContents, video_contents
from acmnet.show.report.page_media import EMBEDDED_TOTAL, media_of

PAGE: Final = "report.html"
"""Name of the page in the directory of the run."""


@app.command(name="report", help_epilogue=RUN_EPILOGUE)
def report_command(
    run: Path,
    *,
    given: RunData = RunDataOptions(),
    videos: Path | None = None,
    out: Path | None = None,
    limits: Limits = LimitOptions(),
    device: Device = "auto",
) -> None:
    """Write a run as one HTML page: scores, lists, and a timeline beside each video.

    The page opens in a browser without any server or network. It shows at first the
    detections that --min-score, --top or --all choose, and all of them on demand. Small
    videos are stored in the page; to large ones it has links relative to itself, so
    move the page and the videos together.

    Parameters
    ----------
    run
        Directory that `acmnet train` or `acmnet fit` wrote.
    videos
        Folder of the video files, to play them beside the timeline.
    out
        The file to write. When left out, report.html in the run.
    """
    path = run / PAGE if out is None else out
    refuse_unwritable(path)
    page = opened_page(run, given, videos, limits, device)
    failures: list[FeatureError] = []
    contents = _contents(page, path, failures)
    write_page(contents, path)
    size = f"{path.stat().st_size / 1e6:.1f} MB"
    written = f"{counted(len(contents.videos), 'video')}: {path} ({size})"
    console.print(written, markup=False)
    note_reviewed_precision(run)
    left_out = [*missing_videos(page.data), *map(str, failures)]
    fail_for_left_out(left_out, len(contents.videos))


def _contents(page: RunPage, path: Path, failures: list[FeatureError]) -> Contents:
    """Return all that the page shows; each network runs once per video.

    A video whose features cannot be used is left out, and its error is added to
    ``failures``.
    """
    config, settings = page.used_settings()
    model = page.model()
    kept = FoundFile(
        run=page.run, settings=settings, class_names=model.class_names, data=page.data
    )
    refuse_other_features(model, page.data.store)
    looks = list(_looks(model, page.data, kept.read(), failures))
    results = {video: found for video, found, _ in looks}
    refuse_nothing_left(results, failures)
    keep(kept, results, note)
    summary = page.summary(results, config, settings)
    return Contents(summary, tuple(_with_pictures(page, path, looks)))


def _looks(
    model: TrainedModel,
    data: Data,
    kept: Mapping[str, Detections],
    failures: list[FeatureError],
) -> Iterator[tuple[str, Detections, dict[str, Any]]]:
    """Yield each video with its detections and the curves of the networks."""
    with counting("looking at", data) as one_more:
        for video in data.annotations.videos:
            try:
                yield video, *_look(model, data, video, kept.get(video))
            except FeatureError as error:
                failures.append(error)
            one_more(video)


def _look(
    model: TrainedModel, data: Data, video: str, kept: Detections | None
) -> tuple[Detections, dict[str, Any]]:
    """Return a video's detections, kept or found anew, and the networks' curves."""
    features = data.store.read(video)
    activations = model.activations(features, data.store.cuts_s(video))
    found = model.localize(features, activations) if kept is None else kept
    truth, rules = data.annotations.videos[video], model.settings.localization
    return found, insides_of(truth, found, activations, rules)


def _with_pictures(
    page: RunPage,
    path: Path,
    looks: Sequence[tuple[str, Detections, dict[str, Any]]],
) -> Iterator[VideoContents]:
    """Yield each video's part of the page, with its file embedded or linked."""
    room = EMBEDDED_TOTAL
    data = page.data.only({video for video, _, _ in looks})
    with counting("drawing", data) as one_more:
        for video, found, insides in looks:
            media = media_of(page.files.get(video), path, room)
            if media is not None and media.url is None:
                room -= media.path.stat().st_size
            yield video_contents(
                data.annotations.videos[video],
                data,
                found,
                media=media,
                insides=insides,
                poster=page.poster(video),
            )
            one_more(video)
