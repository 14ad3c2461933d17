"""The timeline of the bench: what a model found, touch, an hour of 5,000 marks."""

import random
import re

import pytest

from support.benches import (
    N_FRAMES,
    TIMES,
    all_saved,
    at_bench,
    benched,
    frames_known,
    nearest,
    spans,
    unequal_times,
)
from support.browsing import frame, until
from support.movies import numbers, plain, write_movie
from support.places import ROOT

FOUND = [("jump", TIMES[10], TIMES[20], 0.9), ("fall", TIMES[30], TIMES[45], 0.6)]
HOUR_S = 3600
PHONE = {"width": 375, "height": 812}
N_MARKS = 5000
PICTURES_DRAWN = (
    "[...strip.getContext('2d').getImageData(0, 0, strip.width || 1, "
    "strip.height || 1).data].some((x) => x > 0)"
)


@pytest.fixture
def reviewed(opened, tmp_path):
    """Run a bench of one film in which a model found two segments."""
    film = write_movie(
        tmp_path / "film_0.mp4", numbers(N_FRAMES), times=unequal_times(0), b_frames=2
    )
    given = {"classes": ("jump", "fall"), "found": {"film_0": FOUND}}
    with benched(opened, tmp_path, [film], **given) as bench:
        yield bench


def test_what_was_found_is_accepted_corrected_and_rejected_by_keys(opened, reviewed):
    page = at_bench(opened, reviewed)
    page.keyboard.press("ArrowDown")
    assert page.inner_text("#told").startswith("The model found jump, 0:00.")
    found = {x["label"]: x for x in reviewed.site.detections.of("film_0")}
    page.keyboard.press("Enter")
    all_saved(page)
    assert spans(reviewed) == [("jump", 10, 20)]
    page.keyboard.press("Enter")  # chooses the start
    page.keyboard.press("ArrowLeft")
    all_saved(page)
    assert spans(reviewed) == [("jump", 9, 20)]
    assert reviewed.marks("segment")[0]["from"] == found["jump"]["id"]
    page.keyboard.press("ArrowDown")
    assert page.inner_text("#told").startswith("The model found fall")
    page.keyboard.press("Delete")
    all_saved(page)
    (rejected,) = reviewed.marks("watched")
    assert (rejected["label"], rejected["from"]) == ("fall", found["fall"]["id"])
    assert (nearest(rejected["start_s"]), nearest(rejected["end_s"])) == (30, 45)
    page.keyboard.press("ArrowDown")
    assert page.inner_text("#told") == "There is no later mark."
    page.keyboard.press("Control+Z")
    all_saved(page)
    assert reviewed.marks("watched") == []


def test_the_lanes_stay_where_they_are_when_the_pictures_come(opened, reviewed):
    """A drag that has begun must not slip off its edge."""
    media = reviewed.site.media
    page, held = opened(reviewed.address), []
    page.route("**/strip/*", lambda route: held.append(route))
    page.reload()
    page.wait_for_selector("html[data-ready]")
    frames_known(page)
    before = page.locator("#lanes").bounding_box()
    while media.strip(0) is None:
        page.wait_for_timeout(10)
    assert not page.evaluate(PICTURES_DRAWN)
    for route in held:
        route.continue_()
    until(page, PICTURES_DRAWN)
    assert page.locator("#lanes").bounding_box() == before


def touch(page, kind, pointer, x, y):
    """Send a touch as the browser does."""
    page.evaluate(
        "([kind, pointerId, clientX, clientY]) => document.elementFromPoint(clientX, "
        "clientY).dispatchEvent(new PointerEvent(kind, {pointerId, clientX, clientY, "
        "pointerType: 'touch', bubbles: true, isPrimary: pointerId === 1}))",
        [kind, pointer, x, y],
    )


def test_a_finger_chooses_then_drags_and_two_fingers_zoom(opened, reviewed):
    page = at_bench(opened, reviewed)
    page.set_viewport_size(PHONE)
    frame(page)
    # made-up touches cannot be captured, and need not be
    page.evaluate("() => { Element.prototype.setPointerCapture = () => {}; }")
    page.locator("#lanes").scroll_into_view_if_needed()
    whole = page.evaluate("document.getElementById('player').duration")
    box = page.locator("#lanes").bounding_box()
    start, end, later = (
        box["x"] + TIMES[i] / whole * box["width"] for i in (10, 20, 25)
    )
    y = box["y"] + 22  # what was found lies below the marks
    for kind in ("pointerdown", "pointerup"):
        touch(page, kind, 1, (start + end) / 2, y)
    frame(page)
    assert "Found by the model" in page.inner_text("#chosen")
    assert reviewed.marks() == []
    touch(page, "pointerdown", 1, end, y)
    for x in (end + 9, later):
        touch(page, "pointermove", 1, x, y)
    touch(page, "pointerup", 1, later, y)
    all_saved(page)
    ((label, first, last),) = spans(reviewed)
    assert (label, first) == ("jump", 10)
    assert abs(last - 25) <= 1
    middle = box["x"] + box["width"] / 2
    touch(page, "pointerdown", 1, middle - 20, y + 40)
    touch(page, "pointerdown", 2, middle + 20, y + 40)
    for apart in (60, 120):
        touch(page, "pointermove", 1, middle - apart, y + 40)
        touch(page, "pointermove", 2, middle + apart, y + 40)
    touch(page, "pointerup", 1, middle - 120, y + 40)
    touch(page, "pointerup", 2, middle + 120, y + 40)
    frame(page)
    ruler = page.locator("#ruler")
    ruler.click(position={"x": 1, "y": 8})
    left = shown_s(page)
    ruler.click(position={"x": box["width"] - 2, "y": 8})
    assert shown_s(page) - left == pytest.approx(whole / 6, abs=0.1)


def shown_s(page):
    """Return the time of the clock."""
    frame(page)
    return seconds_of(page.inner_text("#clock").split(" ")[0])


def seconds_of(text):
    """Return the seconds of a time such as 59:59.00."""
    minutes, seconds = text.split(":")
    return 60 * int(minutes) + float(seconds)


@pytest.fixture
def long(opened, tmp_path):
    """Run a bench of an hour of one picture a second with 5,000 marks."""
    frames = plain(32, 32, 4) * (HOUR_S // 4)
    film = write_movie(tmp_path / "hour.mp4", frames, fps=1)
    with benched(opened, tmp_path, [film], classes=list("abcdef")) as bench:
        bench.store.put({"who": "anna", "marks": list(many_marks())})
        yield bench


def many_marks():
    """Yield points and segments all over an hour."""
    rng = random.Random(0)
    for i in range(N_MARKS):
        start_s = rng.uniform(0, HOUR_S - 40)
        end_s = start_s + rng.uniform(0.5, 6.0) if i % 5 else None
        kind = "segment" if i % 5 else "point"
        mark = {"id": f"m{i}", "video": "hour", "kind": kind, "label": "abcdef"[i % 6]}
        yield mark | {"start_s": start_s, "end_s": end_s, "base": 0}


@pytest.mark.parametrize("size", [{"width": 1280, "height": 800}, PHONE])
def test_among_5000_marks_of_an_hour_an_edge_follows_within_a_frame(
    opened, long, record_property, size
):
    """In processor time of the page, which other work here does not stretch."""
    page = opened(long.address)
    page.set_viewport_size(size)
    spent_s = clock_of(page)
    page.reload()
    page.wait_for_selector("html[data-ready]")
    record_property("seconds until the page is ready", spent_s())
    assert 0.02 < spent_s() < 2.0
    until(page, "document.getElementById('lane-names').children.length === 6")
    page.locator("#lanes").scroll_into_view_if_needed()
    box = page.locator("#lanes").bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] - 10)
    page.keyboard.press("ArrowDown")
    frame(page)
    label = page.input_value("#chosen-label")
    start_s = seconds_of(page.input_value("#chosen-start"))
    page.locator("#lanes").scroll_into_view_if_needed()
    box = page.locator("#lanes").bounding_box()
    pixel_s = HOUR_S / box["width"]
    x = box["x"] + start_s / pixel_s - 1  # the end is less than a pixel further
    y = page.locator(f".lane-name[title={label}]").bounding_box()["y"] + 9
    page.mouse.move(x, y)
    page.mouse.down()
    before_s = spent_s()
    for i in range(1, 31):
        page.mouse.move(x - 4 * i, y)
    per_move_s = (spent_s() - before_s) / 30
    record_property("seconds for a move of the pointer", per_move_s)
    assert per_move_s < 0.016
    page.mouse.up()
    all_saved(page)
    (changed,) = (x for x in long.marks() if x["version"] == 2)
    expected_s = start_s - 121 * pixel_s
    assert changed["start_s"] == pytest.approx(expected_s, abs=1.5 * pixel_s)


def clock_of(page):
    """Return a function that tells how many seconds the page's thread has worked."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def spent_s():
        """Return the seconds since the page was opened."""
        metrics = session.send("Performance.getMetrics")["metrics"]
        return next(x["value"] for x in metrics if x["name"] == "TaskDuration")

    return spent_s


def test_the_sheet_of_keys_is_that_of_the_documentation(opened, reviewed):
    page = at_bench(opened, reviewed)
    page.keyboard.press("?")
    shown = page.eval_on_selector_all(
        "#keys-tables tr",
        "(rows) => rows.map((r) => [...r.cells].map((c) => c.innerText))",
    )
    text = (ROOT / "docs" / "labelling.md").read_text()
    text = text.partition("## Keys")[2].partition("\n## ")[0]
    rows = [re.match(r"\| `(.+?)` \| (.+) \|$", line) for line in text.splitlines()]
    assert shown == [[*row.groups()] for row in rows if row]
    page.keyboard.press("Escape")
    assert not page.is_visible("#keys")
