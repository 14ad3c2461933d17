"""The verb report: a run as one HTML page that needs no network."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from acmnet.cli.options.detection_limits import LimitOptions, Limits
from acmnet.cli.options.dotted_settings import RUN_EPILOGUE
from acmnet.cli.options.run_data import RunData, RunDataOptions
from acmnet.cli.options.shared_options import Device, missing_videos
from acmnet.cli.terminal.app import app, console, fail_for_left_out, note
from acmnet.cli.terminal.progress import counting
from acmnet.cli.verb_parts.run_page import RunPage, opened_page
from acmnet.cli.verb_parts.trained_run import (
    note_reviewed_precision,
    refuse_nothing_left,
)
from acmnet.data.features.feature_files import FeatureError
from acmnet.data.labelled_features import Data
from acmnet.files.file_access import refuse_unwritable
from acmnet.inference.kept_detections import KeptDetections, keep
from acmnet.inference.localized_videos import refuse_other_features
from acmnet.messages import counted
from acmnet.models.trained_model import TrainedModel
from acmnet.segments import Detections
from acmnet.show.report.html_page import write_page, write_paged
from acmnet.show.report.page_contents import (
    Contents,
    VideoContents,
    insides_of,
    video_contents,
)
from acmnet.show.report.page_media import EMBEDDED_TOTAL, media_of
from acmnet.show.report.report_parts import MOST_IN_ONE, ReportParts

PAGE: Final = "report.html"
"""Name of the page in the directory of the run."""


@app.command(name="report", help_epilogue=RUN_EPILOGUE)
def report_command(
    run: Path,
    *,
    run_data: RunData = RunDataOptions(),
    videos: Path | None = None,
    out: Path | None = None,
    limits: Limits = LimitOptions(),
    device: Device = "auto",
) -> None:
    """Write a run as one HTML page: scores, lists, and a timeline beside each video.

    The page opens in a browser without any server or network. It shows at first the
    detections that --min-score, --top or --all choose, and all of them on demand. Small
    videos are stored in the page; to large ones it has links relative to itself, so
    move the page and the videos together. The page of more than 2,000 videos has parts
    in a folder beside it, which it loads as they are looked at.

    For example: acmnet report runs/first --videos videos/

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
    page = opened_page(run, run_data, videos, limits, device)
    failures: list[FeatureError] = []
    n_videos, beside = _write(page, path, failures)
    size = f"{path.stat().st_size / 1e6:.1f} MB"
    written = f"{counted(n_videos, 'video')}: {path} ({size}){beside}"
    console.print(written, markup=False)
    note_reviewed_precision(run)
    left_out = [*missing_videos(page.data), *map(str, failures)]
    fail_for_left_out(left_out, n_videos)


def _write(page: RunPage, path: Path, failures: list[FeatureError]) -> tuple[int, str]:
    """Write the page; each network runs once per video.

    Returns how many videos are on it, and what else belongs to it. A video whose
    features cannot be used is left out, and its error is added to ``failures``.
    """
    config, settings = page.used_settings()
    model = page.model()
    kept = KeptDetections(
        run=page.run, settings=settings, class_names=model.class_names, data=page.data
    )
    refuse_other_features(model, page.data.store)
    results: dict[str, Detections] = {}
    looks = _looks(model, page.data, kept.read(), failures)
    has_parts = len(page.data.annotations.videos) > MOST_IN_ONE
    room = 0 if has_parts else EMBEDDED_TOTAL
    shown = _with_pictures(page, path, looks, results, room)
    parts = ReportParts(path.with_name(f"{path.stem}.parts"), config.class_names)
    videos: list[VideoContents] = []
    if has_parts:
        parts.add_all(shown)
    else:
        videos = list(shown)
    refuse_nothing_left(results, failures)
    keep(kept, results, note)
    summary = page.summary(results, config, settings)
    if has_parts:
        write_paged(summary, parts, path)
        return len(results), f", with its parts in {parts.folder}"
    write_page(Contents(summary, tuple(videos)), path)
    parts.remove_others()
    return len(results), ""


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
    detections = model.localize(features, activations) if kept is None else kept
    truth, rules = data.annotations.videos[video], model.settings.localization
    return detections, insides_of(truth, detections, activations, rules)


def _with_pictures(
    page: RunPage,
    path: Path,
    looks: Iterable[tuple[str, Detections, dict[str, Any]]],
    results: dict[str, Detections],
    room: int,
) -> Iterator[VideoContents]:
    """Yield each video's part of the page, with its file embedded or linked.

    The detections of each video are added to ``results``, and up to ``room`` bytes of
    video files are embedded.
    """
    for video, detections, insides in looks:
        results[video] = detections
        media = media_of(page.files.get(video), path, room)
        if media is not None and media.url is None:
            room -= media.path.stat().st_size
        yield video_contents(
            page.data.annotations.videos[video],
            page.data,
            detections,
            media=media,
            insides=insides,
            poster=page.poster(video),
        )
