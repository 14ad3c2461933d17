"""The verb view: a run in the browser, live, to be reviewed."""

import threading
import webbrowser
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from acmnet.cli.app import app, console, note
from acmnet.cli.applying import RunData, RunDataOptions
from acmnet.cli.reporting import contents_of, files_of
from acmnet.features import FeatureError
from acmnet.pipeline.data import open_data
from acmnet.report.contents import linked
from acmnet.report.page import page_of
from acmnet.view.live import state_of
from acmnet.view.reviews import REVIEWS_FILE, ReviewStore
from acmnet.view.server import Site, SiteServer


@app.command(name="view")
def view_command(
    run: Path,
    *,
    given: RunData = RunDataOptions(),
    videos: Path | None = None,
    port: int = 0,
    browser: Annotated[bool, Parameter(negative=())] = False,
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
        Of 127.0.0.1; 0 takes a free one.
    browser
        Open the page in the browser.
    device
        "auto", "cpu" or "cuda".
    """
    data = open_data(given.source(run))
    files = files_of(data, videos)
    played = tuple(files.values())
    store = ReviewStore(run / REVIEWS_FILE, data.annotations)
    store.to_json()  # refuse a damaged one now
    built: dict[float | None, bytes] = {}
    lock = threading.Lock()

    def left_out(error: FeatureError) -> None:
        note(f"left out: {error}")

    def page(token: str) -> bytes:
        """Return the page of the newest checkpoint, built once for all who ask."""
        with lock:
            checkpoint = state_of(run)["checkpoint"]
            if checkpoint not in built:
                made = contents_of(run, run / "page", data, files, device, left_out)
                built.clear()
                built[checkpoint] = page_of(linked(made, played), token=token).encode()
            return built[checkpoint]

    site = Site(page, played, lambda: state_of(run), store)
    page(site.token)  # what is slow or wrong is so before the browser waits
    with SiteServer(site, port) as server:
        console.print(f"{server.address}  (Ctrl-C ends it)", markup=False)
        if browser:
            webbrowser.open(server.address)
        server.serve_forever()
