"""The verb view: a run in the browser, live, to be reviewed."""

import contextlib
import dataclasses
import functools
import hashlib
import webbrowser
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

from cyclopts import Parameter

from acmnet.cli.app import UsageError, app, console, note
from acmnet.cli.detection_limits import LimitOptions, Limits
from acmnet.cli.dotted_settings import RecipeSettings
from acmnet.cli.progress import counting
from acmnet.cli.run_page import (
    files_of,
    poster_of,
    used_settings,
)
from acmnet.cli.trained_run import (
    RunData,
    RunDataOptions,
    loaded,
    note_precision,
    note_unlike,
    refuse_nothing_left,
    scored,
)
from acmnet.data.annotations import Annotations
from acmnet.data.feature_files import FeatureError
from acmnet.data.labelled_features import Data
from acmnet.files import one_line
from acmnet.pipeline.kept_detections import FoundFile, found_videos
from acmnet.pipeline.training_summary import shown_score
from acmnet.show.report.network_curves import insides_of
from acmnet.show.report.page_contents import Contents, summary_of, video_contents
from acmnet.show.report.page_media import served_media
from acmnet.show.view.page_server import Site, SiteServer
from acmnet.show.view.reviews import REVIEWS_FILE, ReviewStore
from acmnet.show.view.run_pages import Look, RunPages
from acmnet.show.view.training_progress import state_of

FIRST_PORT: Final = 20_000
PORTS: Final = 10_000
"""A run's own port is one of so many from the first: below those that systems lend."""

LOOKED_AT: Final = 20
"""Videos whose features are looked at before the page opens, for a warning of videos
that the run was not trained for."""


@app.command(name="view")
def view_command(
    run: Path,
    *,
    given: RunData = RunDataOptions(),
    videos: Path | None = None,
    port: int = 0,
    browser: Annotated[bool, Parameter(negative=())] = False,
    first: Limits = LimitOptions(),
    device: str = "auto",
) -> None:
    """Serve a run to a browser on this machine, to look at and to review.

    Accept, reject, move, relabel or add segments; they are saved to reviews.json in the
    run, a label file of the reviewed videos that `train` and `evaluate` read. The
    model's own output is never changed. A video with a verdict counts as reviewed
    whole. While the run is training, the page says how far it is. Ctrl-C ends it.

    Parameters
    ----------
    run
        Directory that `acmnet train` or `acmnet fit` wrote, or is writing.
    videos
        Folder of the video files, to play them beside the timeline.
    port
        Of 127.0.0.1; 0 takes the run's own, the same at each start, or a free one
        where that is taken.
    browser
        Open the page in the browser.
    device
        "auto", "cpu" or "cuda".
    """
    data = given.opened(run)
    files = files_of(data, videos)
    store = ReviewStore(run / REVIEWS_FILE, _with_durations(data))
    store.to_json()  # refuse a damaged one now
    names = list(files)
    pages = RunPages(
        lambda: _look(run, data, files, device, first, given.settings),
        lambda: state_of(run)["checkpoint"],
        lambda place: poster_of(data, names[place], files),
    )
    site = Site(
        pages.page,
        pages.insides,
        pages.poster,
        tuple(files.values()),
        lambda: state_of(run),
        store,
    )
    pages.page(site.token)  # what is slow or wrong is so before the browser waits
    note_precision(run)
    with _server(site, port, run) as server:
        console.print(f"{server.address}  (Ctrl-C ends it)", markup=False)
        if browser:
            webbrowser.open(server.address)
        server.serve_forever()


def _server(site: Site, port: int, run: Path) -> SiteServer:
    """Return a server on a port that was asked for, the run's own, or a free one.

    A browser keeps unsaved reviews by address, so the same run has the same one.
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
    except OSError:  # taken, perhaps by another view of this run
        return SiteServer(site)


def _look(
    run: Path,
    data: Data,
    files: dict[str, Path],
    device: str,
    first: LimitOptions,
    given: RecipeSettings,
) -> Look:
    """Return a run as its newest checkpoint sees it; the model is loaded when needed.

    A video whose features cannot be used is said and left out.
    """
    config, settings = used_settings(run, given)
    model = functools.cache(lambda: loaded(run, device, given))
    failures: list[FeatureError] = []

    def left_out(error: FeatureError) -> None:
        failures.append(error)
        note(f"left out: {error}")

    with counting("localising", data) as one_more:
        results = found_videos(
            FoundFile(run, settings, config.class_names, data),
            model,
            on_video=one_more,
            on_failure=left_out,
            on_note=note,
        )
    refuse_nothing_left(results, failures)
    data = data.only(results)
    warning = note_unlike(run, data, LOOKED_AT)
    places = {name: i for i, name in enumerate(files)}
    made = tuple(
        video_contents(
            data.annotations.videos[video],
            data,
            found,
            media=served_media(files.get(video), places.get(video, 0)),
            poster=f"poster/{places[video]}" if video in places else None,
        )
        for video, found in results.items()
    )
    shown, report = (
        first.shown(shown_score(run, settings)),
        scored(data, results, config),
    )
    summary = summary_of(run, config, settings, data, report, shown, warning)

    def insides(place: int) -> Mapping[str, Any]:
        video = made[place].id
        return insides_of(
            data.annotations.videos[video],
            results[video],
            model().activations(data.store.read(video)),
            model().settings.localization,
        )

    return Look(Contents(summary, made), insides)


def _with_durations(data: Data) -> Annotations:
    """Return the annotations with every video's length: its features' where need be."""
    videos = {}
    for name, video in data.annotations.videos.items():
        known_s = video.duration_s
        with contextlib.suppress(FeatureError):  # the page leaves such a video out
            known_s = known_s or data.store.grid.span_s(data.store.shape(name)[0])
        videos[name] = dataclasses.replace(video, duration_s=known_s)
    return dataclasses.replace(data.annotations, videos=videos)
