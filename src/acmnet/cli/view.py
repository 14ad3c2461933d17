"""The verb view: a run in the browser, which follows a training, to be reviewed."""

import contextlib
import dataclasses
import functools
import hashlib
import webbrowser
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final

from cyclopts import Parameter

from acmnet.cli.app import UsageError, app, console, note
from acmnet.cli.detection_limits import LimitOptions, Limits
from acmnet.cli.dotted_settings import RUN_EPILOGUE
from acmnet.cli.progress import counting
from acmnet.cli.run_page import RunPage, opened_page
from acmnet.cli.shared_options import Device
from acmnet.cli.trained_run import (
    RunData,
    RunDataOptions,
    note_reviewed_precision,
    refuse_nothing_left,
)
from acmnet.data.annotations import Annotations
from acmnet.data.feature_files import FeatureError
from acmnet.data.labelled_features import Data
from acmnet.files import one_line
from acmnet.pipeline.kept_detections import FoundFile, found_videos
from acmnet.pipeline.trained_model import TrainedModel
from acmnet.segments import Detections
from acmnet.show.bench.page_server import Site, SiteServer
from acmnet.show.bench.training_progress import state_of
from acmnet.show.report.network_curves import insides_of
from acmnet.show.report.page_contents import Contents, VideoContents, video_contents
from acmnet.show.report.page_media import served_media
from acmnet.show.view.reviews import REVIEWS_FILE, ReviewStore
from acmnet.show.view.run_pages import Look, RunPages
from acmnet.show.view.run_site import RunSite

FIRST_PORT: Final = 20_000
"""The lowest of the ports that runs are given."""
PORTS: Final = 10_000
"""How many ports runs are given, all below those that systems hand out themselves."""

LOOKED_AT: Final = 20
"""Most videos that are compared with the training videos before the page opens, for a
warning if they look unlike them."""


@app.command(name="view", help_epilogue=RUN_EPILOGUE)
def view_command(
    run: Path,
    *,
    given: RunData = RunDataOptions(),
    videos: Path | None = None,
    port: int = 0,
    browser: Annotated[bool, Parameter(negative=())] = False,
    limits: Limits = LimitOptions(),
    device: Device = "auto",
) -> None:
    """Show a run in the browser, to review its detections.

    You can accept, reject, move, relabel and add segments. Your reviews are saved to
    reviews.json in the run, a label file that `train` and `evaluate` read; a video with
    at least one review counts as reviewed completely. The detections of the model
    itself are never changed. While the run is still training, the page tells how
    far it is. Any local user can open the page, no other machine can. Ctrl-C ends it.

    Parameters
    ----------
    run
        Directory that `acmnet train` or `acmnet fit` wrote, or is writing.
    videos
        Folder of the video files, to play them beside the timeline.
    port
        Port on 127.0.0.1. 0 chooses one that is the same each time for this run, or a
        free one if that is in use.
    browser
        Open the page in the default browser.
    """
    page = opened_page(run, given, videos, limits, device)
    store = ReviewStore(run / REVIEWS_FILE, _with_durations(page.data))
    store.to_json()  # a damaged file is refused now, not when somebody saves
    names = list(page.files)
    pages = RunPages(
        lambda: _look(page),
        lambda: state_of(run)["checkpoint"],
        lambda place: page.poster(names[place]),
    )
    site = RunSite(
        pages.page,
        pages.insides,
        pages.poster,
        tuple(page.files.values()),
        lambda: state_of(run),
        store,
    )
    pages.page(site.token)  # slow work and errors come before the browser is opened
    note_reviewed_precision(run)
    with _server(site, port, run) as server:
        console.print(f"{server.address}  (Ctrl-C ends it)", markup=False)
        if browser:
            webbrowser.open(server.address)
        server.serve_forever()


def _server(site: Site, port: int, run: Path) -> SiteServer:
    """Return a server on the given port, or on the run's own, or on a free one.

    A browser keeps unsaved reviews by address, so a run has the same address each time.
    """
    if port:
        try:
            return SiteServer(site, port)
        except (OSError, OverflowError) as error:
            raise UsageError(
                f"port {port} of this machine cannot be used ({one_line(error)}); give "
                "another with --port, or leave it out"
            ) from None
    digest = hashlib.sha256(str(run.resolve()).encode()).digest()
    try:
        return SiteServer(site, FIRST_PORT + int.from_bytes(digest[:4]) % PORTS)
    except OSError:  # in use, perhaps by another view of this run
        return SiteServer(site)


def _look(page: RunPage) -> Look:
    """Return the page by the newest checkpoint, which is loaded only when it is needed.

    A video whose features cannot be used is named in a note and left out.
    """
    config, settings = page.used_settings()
    model = functools.cache(page.model)
    kept = FoundFile(
        run=page.run, settings=settings, class_names=config.class_names, data=page.data
    )
    results = _found(kept, model)
    summary = page.summary(results, config, settings, LOOKED_AT)
    data = page.data.only(results)
    made = tuple(_video_parts(page, results))

    def insides(place: int) -> Mapping[str, Any]:
        video = made[place].id
        return insides_of(
            data.annotations.videos[video],
            results[video],
            model().activations(data.store.read(video), data.store.cuts_s(video)),
            model().settings.localization,
        )

    return Look(Contents(summary, made), insides)


def _found(kept: FoundFile, model: Callable[[], TrainedModel]) -> dict[str, Detections]:
    """Return the detections of each video: those that the run keeps, or new ones."""
    failures: list[FeatureError] = []

    def left_out(error: FeatureError) -> None:
        failures.append(error)
        note(f"left out: {error}")

    with counting("localising", kept.data) as one_more:
        results = found_videos(
            kept,
            model,
            on_video=one_more,
            on_failure=left_out,
            on_note=note,
        )
    refuse_nothing_left(results, failures)
    return results


def _video_parts(
    page: RunPage, results: Mapping[str, Detections]
) -> Iterator[VideoContents]:
    """Yield each video's part of the page; file and pictures come from the server."""
    places = {name: i for i, name in enumerate(page.files)}
    data = page.data.only(results)
    for video, found in results.items():
        yield video_contents(
            data.annotations.videos[video],
            data,
            found,
            media=served_media(page.files.get(video), places.get(video, 0)),
            poster=f"poster/{places[video]}" if video in places else None,
        )


def _with_durations(data: Data) -> Annotations:
    """Return the annotations with each video's length, if need be by its features."""
    videos = {}
    for name, video in data.annotations.videos.items():
        known_s = video.duration_s
        with contextlib.suppress(FeatureError):  # the page does without such a video
            known_s = known_s or data.store.grid.span_s(data.store.shape(name)[0])
        videos[name] = dataclasses.replace(video, duration_s=known_s)
    return dataclasses.replace(data.annotations, videos=videos)
