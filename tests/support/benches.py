"""The bench for the tests of its page: a server of made-up videos, and its marks."""

import contextlib
import json
import random
import socket
import threading
from fractions import Fraction

import pytest

from acmnet.data.detections.detection_arrays import DetectionFile
from acmnet.segments import Detections
from acmnet.show.bench.bench_media import BenchMedia
from acmnet.show.bench.bench_site import BenchSite, ShownVideo, known_videos
from acmnet.show.bench.marks.mark_store import MarkStore
from acmnet.show.bench.rounds.learning import Learning, Method
from acmnet.show.bench.rounds.round_detections import RoundDetections
from acmnet.show.bench.server.page_server import SiteServer
from support.browsing import until
from support.movies import FINE_TIME

NO_LEARNING = Method(lambda *_: [], lambda *_: (0.0, ""), "nothing can be learned here")


N_FRAMES = 60


def unequal_times(seed):
    """Return times of frames between 20 and 80 ms apart, as phones record them."""
    steps = random.Random(seed).choices(range(256, 1024), k=N_FRAMES - 1)
    ticks = [sum(steps[:i]) for i in range(N_FRAMES)]
    return [tick * Fraction(FINE_TIME) for tick in ticks]


TIMES = [float(x) for x in unequal_times(0)]


class Mortal(SiteServer):
    """A server that ends as its process would: with its connections."""

    def __init__(self, site, port):
        self.open = []
        super().__init__(site, port)

    def process_request(self, request, client_address):
        """Remember the connection."""
        self.open.append(request)
        super().process_request(request, client_address)

    def server_close(self):
        """End every connection too."""
        super().server_close()
        for request in self.open:
            with contextlib.suppress(OSError):
                request.shutdown(socket.SHUT_RDWR)


class Bench:
    """The bench of some video files, which can be ended and started again.

    ``found`` holds what a model found: for some videos, rows of label, start, end and
    score. ``suggested`` is the content of a file that `acmnet suggest` wrote.
    """

    def __init__(self, folder, files, classes=(), found=None, suggested=None):
        self.folder, self.classes = folder, classes
        self.files = {path.stem: path for path in files}
        self.found, self.suggested = found, suggested
        self.port = 0
        self.start()

    def start(self):
        """Open the labels and serve them, at the same port as before."""
        media = BenchMedia(tuple(self.files.values()), self.folder / "seen")
        shown = {video: ShownVideo() for video in self.files}
        detections = RoundDetections()
        if self.found:
            detections.show(0, DetectionFile.of(self._detections()))
        self.store = MarkStore(
            self.folder / "labels.json",
            self.folder / "labels.bench",
            known_videos(shown, media),
            list(self.classes),
            detections.proposal,
        )
        self.site = BenchSite(
            title="labels.json",
            who="anna",
            run=None,
            videos=shown,
            store=self.store,
            media=media,
            detections=detections,
            learning=Learning(self.folder / "rounds", NO_LEARNING, print),
        )
        if self.suggested:
            file = self.folder / "suggestions.json"
            file.write_text(json.dumps(self.suggested))
            self.site.suggesting.look([], file)
        self.server = Mortal(self.site, self.port)
        self.port = self.server.server_port
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def _detections(self):
        """Return the rows as detections, by video."""
        classes = list(
            dict.fromkeys(row[0] for rows in self.found.values() for row in rows)
        )
        return {
            video: Detections.of(
                classes, [(*row[1:], classes.index(row[0])) for row in rows]
            )
            for video, rows in self.found.items()
        }

    def stop(self):
        """End the server and every connection to it."""
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
        self.store.close()

    @property
    def address(self):
        """Where the page is."""
        return self.server.address

    def marks(self, kind=None):
        """Return the marks that the server holds, sorted by video and start."""
        found = [mark.to_json() for mark in self.store.snapshot().marks]
        found = [x for x in found if not x["gone"] and kind in (None, x["kind"])]
        return sorted(found, key=lambda x: (x["video"], x["start_s"] or 0.0))


@contextlib.contextmanager
def benched(opened, *given, **options):
    """Run a bench; pages are closed before it ends."""
    bench = Bench(*given, **options)
    try:
        yield bench
    finally:
        opened.close()
        bench.stop()


def all_saved(page):
    """Wait until the server has acknowledged everything."""
    for _ in range(400):
        if page.inner_text("#saved") == "all saved":
            return
        page.wait_for_timeout(10)
    raise AssertionError(page.inner_text("header"))


def add_classes(page, *names):
    """Add classes as a person does."""
    for name in names:
        page.fill("#class-name", name)
        page.keyboard.press("Enter")
        page.wait_for_selector(f".chip[data-label='{name}']")
    page.locator("#timeline").focus()


def frames_known(page):
    until(page, "document.getElementById('clock').textContent.includes('frame')")


def at_bench(opened, bench, *classes):
    """Open the page, add classes, and wait for the times of the frames."""
    page = opened(bench.address)
    add_classes(page, *classes)
    frames_known(page)
    return page


def close(times):
    return pytest.approx(times, abs=2e-6)


def go(page, index):
    """Go to a frame by steps of keys."""
    page.keyboard.press("Escape")
    page.keyboard.press("Home")
    for _ in range(index):
        page.keyboard.press(".")


def marked(page, first, last, key="1"):
    """Mark a segment from frame to frame with two taps."""
    if page.get_attribute("#tap-twice", "aria-pressed") == "false":
        page.keyboard.press("Shift+P")
    go(page, first)
    page.keyboard.press(key)
    for _ in range(last - first):
        page.keyboard.press(".")
    page.keyboard.press(key)


def spans(bench, kind="segment"):
    """Return label, first and last frame of the marks of the first film."""
    return [
        (x["label"], nearest(x["start_s"]), nearest(x["end_s"]))
        for x in bench.marks(kind)
    ]


def nearest(time):
    """Return the frame that begins at a time; None for none."""
    if time is None:
        return None
    index = min(range(N_FRAMES), key=lambda i: abs(TIMES[i] - time))
    return index if abs(TIMES[index] - time) < 1e-5 else time
