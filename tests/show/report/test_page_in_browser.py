"""The page at work: lanes, address and internals, in a browser."""

import re

import pytest

from acmnet.cli import main
from acmnet.show.report.html_page import write_page
from acmnet.show.report.page_contents import Contents, VideoContents
from support.browsing import drawn, frame, until

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


def test_a_page_without_scores_says_why_and_has_no_empty_tables(opened, tmp_path):
    learned, unknown = contents_of(), contents_of()
    unknown.videos[0].summary["instances"] = None
    for contents, why in (
        (learned, "not scored, as the run learned from the true segments"),
        (unknown, "no true segments are known"),
    ):
        write_page(contents, tmp_path / "page.html")
        page = opened(tmp_path / "page.html")
        assert page.inner_text("#headline").endswith(f"detections; {why}")
        assert not page.is_visible("#summary .scroll")


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
