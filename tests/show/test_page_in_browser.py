"""The page at work: lanes, address, internals, verdicts and drafts, in a browser."""

import contextlib
import re
import socket
import threading

import pytest

from acmnet.cli import main
from acmnet.data.annotations import Annotations, Video
from acmnet.show.bench.page_server import Site, SiteServer
from acmnet.show.report.html_page import page_of, write_page
from acmnet.show.report.page_contents import Contents, VideoContents
from acmnet.show.view.reviews import ReviewStore
from support.browsing import drawn, frame, saved, until

OVERLAPPING = [
    ("fight", 2.0, 10.0, 0.9),
    ("fight", 3.0, 9.0, 0.8),
    ("fight", 4.0, 8.0, 0.7),
    ("fight", 12.0, 14.0, 0.6),
    ("run", 1.0, 3.0, 0.5),
    ("run", 15.0, 16.0, 0.1),
]


def contents_of(rows=OVERLAPPING, shown=None, names=("a", "b b", "c")):
    """Return a page of videos of 20 s, the first with detections and one true."""
    made = []
    for i, name in enumerate(names):
        own = rows if i == 0 else rows[:1]
        summary = {
            "id": name,
            "labels": ["fight"],
            "subset": None,
            "duration_s": 20.0,
            "ends_s": 20.0,
            "latest_s": 21.0,
            "truth": [["fight", 2.0, 9.0]] if i == 0 else [],
            "instances": 1 if i == 0 else None,
            "detections": len(own),
            "best": own[0][3] if own else None,
            "left_out": 0,
            "poster_frames": 12,
        }
        insides = {
            "runs": [[0.2, "fight", 2.0, 9.0]],
            "curves": [{"name": "attention: instance", "values": "AP8A"}],
            "first_s": 1.0,
            "step_s": 5.0,
        }
        made.append(
            VideoContents(id=name, summary=summary, detections=own, insides=insides)
        )
    values = {"title": "run", "run": "/runs/mine", "facts": {}, "notes": []}
    values |= {"class_names": ["fight", "run"], "thresholds": [0.2]}
    values["shown"] = shown or {"min_score": None, "top": None}
    return Contents(values, tuple(made))


@pytest.fixture
def page_file(tmp_path):
    write_page(contents_of(), tmp_path / "page.html")
    return tmp_path / "page.html"


class Mortal(SiteServer):
    """A server that ends as its process would: with its connections."""

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


class Served:
    """A server of one page, which can be stopped and started again at its address."""

    def __init__(self, folder):
        videos = {
            x: Video(
                id=x, subset=None, duration_s=20.0, labels=("fight",), instances=()
            )
            for x in ("a", "b b", "c")
        }
        known = Annotations("labels.csv", videos, ("fight", "run"))
        self.store = ReviewStore(folder / "reviews.json", known)
        self.port, self.server = 0, None
        self.start()

    def start(self):
        """Serve at the same port as before, with a new token."""
        state = {"sentence": "", "checkpoint": None}
        site = Site(
            lambda token: page_of(contents_of(), token=token).encode(),
            *(lambda *_: None, lambda _: None, (), lambda: state, self.store),
        )
        self.server = Mortal(site, self.port)
        self.server.open = []
        self.port = self.server.server_port
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def stop(self):
        """End as if the process had been killed."""
        if self.server is not None:
            self.server.shutdown()
            self.server.server_close()
            self.thread.join()
            self.server = None

    @property
    def address(self):
        """Where the page is."""
        return f"http://127.0.0.1:{self.port}/"


@pytest.fixture
def served(opened, tmp_path):
    made = Served(tmp_path)
    yield made
    opened.close()
    made.stop()


def told(page):
    return page.inner_text("#review-state")


def until_told(page, words):
    state = "document.getElementById('review-state').textContent"
    until(page, f"{state}.includes('{words}')")


def fill(page, label, start, end):
    for name, value in (("label", label), ("start", start), ("end", end)):
        page.fill(f"#review-{name}", value)


# ---- lanes


def boxes(page):
    """Return the place of each drawn detection."""
    bars = page.locator(".bar[data-kind=detection]:not([hidden])")
    return [one.bounding_box() for one in bars.all()]


def test_each_of_overlapping_detections_can_be_picked(opened, page_file):
    """Three of one class lie over each other: every one has a place of its own."""
    page = opened(page_file)
    assert len(drawn(page)) == len(OVERLAPPING)
    places = boxes(page)
    for i, one in enumerate(places):
        for other in places[i + 1 :]:
            apart_x = one["x"] + one["width"] <= other["x"] + 0.5
            apart_x |= other["x"] + other["width"] <= one["x"] + 0.5
            apart_y = one["y"] + one["height"] <= other["y"]
            apart_y |= other["y"] + other["height"] <= one["y"]
            assert apart_x or apart_y
    for label, start, end, score in OVERLAPPING:
        middle = page.locator(f".bar[data-kind=detection][data-score='{score:g}']")
        middle.click()
        expected = f"{label}, {start:.2f} to {end:.2f} s, score {score:.3f}"
        assert page.inner_text("#chosen") == expected


def test_a_lane_is_as_high_as_what_it_shows(opened, page_file):
    """Three rows for three that overlap; one row where the slider leaves one."""
    page = opened(page_file)
    frame(page)
    height = "(t) => t.clientHeight"
    three = page.eval_on_selector(".lane.found .track", height)
    page.fill("#top", "1")
    frame(page)
    one = page.eval_on_selector(".lane.found .track", height)
    assert three > 2 * one
    assert page.locator(".lane.found:not([hidden])").count() == 1


def test_beyond_the_last_row_a_click_goes_through_the_pile(opened, tmp_path):
    """Nine over each other share six rows; clicks on the last reach each of four."""
    rows = [("fight", 2.0, 10.0, 0.9 - i / 100) for i in range(9)]
    write_page(contents_of(rows), tmp_path / "page.html")
    page = opened(tmp_path / "page.html")
    frame(page)
    lowest = max(boxes(page), key=lambda box: box["y"])
    seen = set()
    for _ in range(4):
        x = lowest["x"] + lowest["width"] / 2
        page.mouse.click(x, lowest["y"] + lowest["height"] / 2)
        seen.add(page.inner_text("#chosen"))
        frame(page)
    assert len(seen) == 4
    chosen = page.locator(".bar.now")
    at = "(b) => { const r = b.getBoundingClientRect(); return document."
    at += "elementFromPoint(r.x + r.width / 2, r.y + r.height / 2) === b; }"
    assert chosen.evaluate(at)  # the chosen one is on top


# ---- address


def test_a_reload_returns_to_video_time_and_score(opened, page_file):
    page = opened(page_file)
    page.get_by_role("button", name="b b", exact=True).first.click()
    page.locator("#timeline").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.eval_on_selector(
        "#score", "(s) => { s.value = 0.65; s.dispatchEvent(new Event('input')); }"
    )
    score = page.inner_text("#score-value")
    until(page, "location.hash.includes('t=2.00') && location.hash.includes('score=0')")
    page.reload()
    page.wait_for_selector("html[data-ready]")
    frame(page)
    assert page.inner_text("#video-name") == "b b"
    assert page.inner_text("#clock") == "2.00 s"
    assert page.inner_text("#score-value") == score


def test_back_returns_to_the_video_before(opened, page_file):
    page = opened(page_file)
    for name in ("b b", "c"):
        page.get_by_role("button", name=name, exact=True).first.click()
    page.go_back()
    until(page, "document.getElementById('video-name').textContent === 'b b'")
    page.go_forward()
    until(page, "document.getElementById('video-name').textContent === 'c'")


@pytest.mark.parametrize("place", ["#video=none&t=x", "#viewer", "#%%%", "#video="])
def test_an_address_of_nothing_opens_the_first_video(opened, page_file, place):
    page = opened(page_file.as_uri() + place)
    assert page.inner_text("#video-name") == "a"


@pytest.fixture(scope="module")
def reported(tiny_run, tmp_path_factory):
    """Report the run on all of its videos."""
    page = tmp_path_factory.mktemp("report") / "page.html"
    main(["report", str(tiny_run), "--out", str(page)])
    return page


def test_the_headline_is_of_videos_that_were_not_trained_on(opened, reported):
    """12 of the 18 were: their number is said, and the headline is of the other six."""
    page = opened(reported)
    assert "(6 videos," in page.inner_text("#headline")
    assert "12 videos that were trained on are left out" in page.inner_text("#warning")
    assert page.locator("#videos tbody tr").count() == 18


# ---- what is known, and what the model sees


def test_a_dash_stands_where_truth_is_not_known(opened, page_file):
    page = opened(page_file)
    assert (
        page.locator("#videos tbody tr").nth(0).locator("td").nth(3).inner_text() == "1"
    )
    unknown = page.locator("#videos tbody tr").nth(1).locator("td").nth(3)
    assert unknown.inner_text() == "\u2013"
    page.get_by_role("button", name="c", exact=True).first.click()
    assert "true segments not known" in page.inner_text("#video-facts")


def test_what_the_model_sees_is_closed_at_first_and_stays_as_left(opened, page_file):
    page = opened(page_file)
    assert not page.locator("#attention").is_visible()
    assert not page.locator("#threshold").is_visible()
    page.click("#show-insides")
    assert page.locator("#attention").is_visible()
    assert page.get_attribute("#show-insides", "aria-expanded") == "true"
    page.reload()
    page.wait_for_selector("html[data-ready]")
    assert page.locator("#attention").is_visible()
    page.click("#show-insides")
    assert not page.locator("#attention").is_visible()


def test_words_of_the_trade_are_explained_or_gone(opened, reported):
    """At first sight none is there; the words that stay have a meaning beside them."""
    page = opened(reported)
    assert page.locator("#scores td").count() == 8  # there are scores, too
    seen = page.inner_text("main").lower()
    for word in ("snippet", "cas", "tiou", "activation", "proposal"):
        assert not re.search(rf"\b{word}\b", seen), word
    page.click("#words summary")
    meanings = page.inner_text("#words")
    for word in ("detection", "score", "overlap", "mAP", "checkpoint"):
        assert word in meanings


def test_a_page_of_a_run_that_found_nothing_says_so(opened, tmp_path):
    write_page(contents_of([]), tmp_path / "page.html")
    page = opened(tmp_path / "page.html")
    assert page.inner_text("#hidden-count").startswith("Nothing was found in these")
    assert page.inner_text("#found-count") == "0 of 0 detections"
    page.locator("#timeline").focus()
    for key in ("j", "k", "+", "ArrowRight", "End"):
        page.keyboard.press(key)
    best = page.locator("#videos tbody tr").first.locator("td").last
    assert best.inner_text() == "\u2013"


# ---- reviews


@pytest.mark.parametrize(
    ("label", "start", "end", "sentence"),
    [
        (" ", "1", "2", "the label is empty: name the action"),
        ("fight", "3", "2", "the end (2.00 s) must come after the start (3.00 s)"),
        ("fight", "2", "2", "the end (2.00 s) must come after the start (2.00 s)"),
        ("fight", "-1", "2", "the start is -1.00 s: a video begins at 0 s"),
        ("fight", "1", "900", "the end (900.00 s) is after the end of the video"),
        ("fight", "", "2", "give the start and the end in seconds"),
        ("x" * 301, "1", "2", "the label has 301 characters, at most 300"),
        ("fi\x07ght", "1", "2", "the label holds a character that no name can have"),
    ],
)
def test_what_cannot_be_is_refused_where_it_is_entered(
    opened, served, label, start, end, sentence
):
    page = opened(served.address)
    fill(page, label, start, end)
    page.click("#add")
    assert told(page).startswith(sentence)
    assert page.locator("#reviews li").count() == 0


def test_one_impossible_segment_does_not_keep_the_others(opened, served):
    page = opened(served.address)
    fill(page, "fight", "1", "2")
    page.click("#add")
    fill(page, "fight", "5", "4")
    page.click("#add")
    saved(page)
    (kept,) = served.store.to_json()["videos"]["a"]
    assert (kept["start_s"], kept["end_s"]) == (1.0, 2.0)


def test_a_new_label_is_asked_about_before_it_is_kept(opened, served):
    page = opened(served.address)
    fill(page, "fihgt", "1", "2")
    page.click("#add")
    asked = "'fihgt' is a new label; did you mean 'fight'? Press again to keep it."
    assert told(page) == asked
    assert page.locator("#reviews li").count() == 0
    page.fill("#review-label", "fight")
    page.click("#add")
    assert page.locator("#reviews li").count() == 1
    page.fill("#review-label", "cartwheel")
    page.click("#add")
    assert told(page) == "'cartwheel' is a new label. Press again to keep it."
    page.click("#add")
    page.fill("#review-start", "1.5")
    page.click("#add")  # by now it is known
    assert page.locator("#reviews li").count() == 3


def test_reviewed_videos_are_marked_and_counted(opened, served):
    page = opened(served.address)
    assert page.inner_text("#reviewed-count") == "0 of 3 videos reviewed"
    page.locator("#timeline").focus()
    page.keyboard.press("j")
    page.keyboard.press("a")
    assert page.inner_text("#reviewed-count") == "1 of 3 videos reviewed"
    marks = [
        row.locator("td").nth(1).inner_text()
        for row in page.locator("#videos tbody tr").all()
    ]
    assert marks == ["\u2713", "", ""]


def test_rejected_detections_look_rejected(opened, served):
    """On the timeline, in the list, and to whoever hears the page."""
    page = opened(served.address)
    page.locator(".bar[data-kind=detection][data-score='0.6']").click()
    page.keyboard.press("x")
    bar = page.locator(".bar[data-kind=detection].rejected")
    assert bar.get_attribute("data-score") == "0.6"
    assert bar.get_attribute("aria-label").endswith("score 0.600, rejected")
    row = page.locator("#detections tbody tr.rejected")
    assert row.count() == 1
    assert "line-through" in row.locator("td").first.evaluate(
        "(cell) => getComputedStyle(cell).textDecoration"
    )
    page.locator(".bar[data-kind=detection][data-score='0.6']").click()
    page.keyboard.press("a")
    assert page.locator(".rejected").count() == 0


def test_saving_without_a_server_is_said_and_nothing_is_lost(opened, served):
    """The server ends, changes go on, the page is reloaded when it is there again."""
    opened.expected.append("ERR_CONNECTION_REFUSED")
    opened.expected.append("403")
    page = opened(served.address)
    page.locator("#timeline").focus()
    for key in "jajxja":
        page.keyboard.press(key)
    assert told(page) == "3 changes not saved yet, kept in this browser"
    served.stop()
    page.click("#save")
    until_told(page, "does not answer")
    expected = "not saved: the server does not answer; your 3 changes are kept in this "
    assert told(page).startswith(expected)
    served.start()
    page.click("#save")  # the new server does not know this page
    until_told(page, "anew")
    assert "your 3 changes are kept in this browser" in told(page)
    page.reload()
    page.wait_for_selector("html[data-ready]")
    assert told(page).startswith("3 changes from before, not saved yet, are back")
    assert page.locator("#reviews li").count() == 3
    saved(page)
    assert len(served.store.to_json()["videos"]["a"]) == 3
    page.reload()
    page.wait_for_selector("html[data-ready]")
    assert told(page) == ""  # nothing is left of the draft
    page.close()


def test_a_draft_is_not_put_over_what_someone_else_saved(opened, served):
    page = opened(served.address)
    page.locator("#timeline").focus()
    page.keyboard.press("j")
    page.keyboard.press("a")
    other = {"label": "run", "start_s": 4.0, "end_s": 5.0, "verdict": "added"}
    served.store.save({"revision": 0, "videos": {"c": [other]}})
    page.reload()
    page.wait_for_selector("html[data-ready]")
    assert page.locator("#reviews li").count() == 0
    assert "This browser kept changes to 1 video" in page.inner_text("#draft")
    page.keyboard.press("j")
    page.keyboard.press("x")
    assert told(page).startswith("first decide what becomes of the changes")
    page.click("#draft-back")
    assert page.locator("#reviews li").count() == 1
    saved(page)
    assert set(served.store.to_json()["videos"]) == {"a", "c"}


def test_a_browser_that_keeps_nothing_says_so(opened, served):
    page = opened(served.address)
    page.evaluate(
        "() => { Storage.prototype.setItem = () => { throw new Error('full'); }; }"
    )
    page.locator("#timeline").focus()
    page.keyboard.press("j")
    page.keyboard.press("a")
    expected = "1 change not saved yet, and this browser keeps none: save before you"
    assert told(page).startswith(expected)
    saved(page)


def test_undoing_all_leaves_nothing_to_save(opened, served):
    page = opened(served.address)
    page.locator("#timeline").focus()
    page.keyboard.press("j")
    page.keyboard.press("a")
    page.locator("#reviews button").click()
    assert told(page) == "nothing to save"
    page.click("#save")
    assert told(page) == "nothing to save"
    with contextlib.suppress(FileNotFoundError):
        assert not served.store.path.read_text()


def test_a_phone_says_what_became_of_a_verdict(opened, served):
    page = opened(served.address)
    page.set_viewport_size({"width": 390, "height": 844})
    page.locator("#timeline").focus()
    page.keyboard.press("j")
    page.keyboard.press("a")
    page.fill("#top", "1")
    for name in ("review-state", "hidden-count", "reviewed-count"):
        assert page.locator(f"#{name}").is_visible(), name
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 390
