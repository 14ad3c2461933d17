"""A person at the bench: Chromium on the server of the bench."""

import json
import random
import re

import numpy as np
import pytest

from acmnet.show.bench.marks.label_file_intake import UnsignedMark, new_mark
from support.benches import (
    N_FRAMES,
    TIMES,
    add_classes,
    all_saved,
    at_bench,
    benched,
    close,
    frames_known,
    go,
    marked,
    nearest,
    spans,
    unequal_times,
)
from support.browsing import frame, until
from support.movies import number_in, numbers, write_movie

PHONE = {"width": 375, "height": 812}


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    """Write videos whose frames show their own number, at unequal times."""
    folder = tmp_path_factory.mktemp("films")
    given = [(folder / f"film_{i}.mp4", unequal_times(i)) for i in range(6)]
    return [write_movie(x, numbers(N_FRAMES), times=y, b_frames=2) for x, y in given]


@pytest.fixture
def bench(opened, films, tmp_path):
    with benched(opened, tmp_path, films) as bench:
        yield bench


def shows(page, number):
    """Tell whether the frame with a number comes to be on the screen."""
    for _ in range(60):
        if number_shown(page) == number:
            return True
        page.wait_for_timeout(25)
    return False


def number_shown(page):
    """Return the number of the frame that is on the screen."""
    pixels = page.evaluate(
        "() => { const v = document.getElementById('player'), c = document."
        "createElement('canvas'); c.width = c.height = 64; const p = c.getContext"
        "('2d'); p.drawImage(v, 0, 0, 64, 64); return [...p.getImageData(0, 0, 64, 64)"
        ".data]; }"
    )
    return number_in(np.array(pixels, np.uint8).reshape(64, 64, 4)[..., :3])


# ---- watching


def test_a_step_shows_the_next_frame_of_unequal_times(opened, bench):
    page = at_bench(opened, bench)
    for key, expected in [(".", 1), (".", 2), (".", 3), (",", 2), (".", 3)]:
        page.keyboard.press(key)
        assert shows(page, expected)
        assert f"frame {expected + 1}" in page.inner_text("#clock")
    page.keyboard.press("End")
    page.keyboard.press(",")
    assert shows(page, N_FRAMES - 1)
    page.keyboard.press("Home")
    assert shows(page, 0)


def test_speeds_and_a_loop_by_keys(opened, bench):
    page = at_bench(opened, bench, "jump")
    rate = "document.getElementById('player').playbackRate"
    for key, expected in [(">", 1.5), (">", 2), ("<", 1.5), ("<", 1)]:
        page.keyboard.press(key)
        assert page.evaluate(rate) == expected
    for _ in range(9):
        page.keyboard.press(">")
    assert page.evaluate(rate) == 8
    for _ in range(12):
        page.keyboard.press("<")
    assert page.evaluate(rate) == 0.25
    marked(page, 4, 8)
    page.keyboard.press("Shift+L")  # slowly: other work here may delay the page
    seen = []
    for _ in range(200):
        page.wait_for_timeout(20)
        seen.append(page.evaluate("document.getElementById('player').currentTime"))
        if len(seen) > 1 and seen[-1] < seen[-2]:
            break
    assert TIMES[4] <= seen[-1] < seen[-2]
    assert TIMES[8] - 0.1 <= seen[-2] <= TIMES[8] + 0.5
    page.keyboard.press("Space")


# ---- marking


def test_a_tap_is_a_point_and_two_taps_are_a_segment(opened, bench):
    page = at_bench(opened, bench, "jump", "fall")
    go(page, 7)
    page.keyboard.press("2")
    all_saved(page)
    (point,) = bench.marks()
    assert (point["kind"], point["label"]) == ("point", "fall")
    assert point["start_s"] == close(TIMES[7])
    marked(page, 12, 25)
    all_saved(page)
    assert spans(bench) == [("jump", 12, 25)]
    page.reload()
    page.wait_for_selector("html[data-ready]")
    until(page, "document.getElementById('mark-list').children.length === 2")
    listed = page.inner_text("#mark-list").splitlines()
    assert [x.split(",")[0] for x in listed] == ["fall", "jump"]


def test_a_key_held_while_it_plays_is_a_segment(opened, bench):
    """It lies between the frames that were shown when the key went down and up."""
    page = at_bench(opened, bench, "jump")
    now = "document.getElementById('player').currentTime"
    page.keyboard.press("Space")
    # a busy machine may show frames late for a moment
    shown = "document.getElementById('clock').textContent.split(/[: ]/)[1]"
    until(page, f"{now} > 0.3 && {now} - {shown} < 0.1")
    before = page.evaluate(now)
    page.keyboard.down("1")
    after = page.evaluate(now)
    page.wait_for_timeout(800)
    until(page, f"{now} - {shown} < 0.1")
    last = page.evaluate(now)
    page.keyboard.up("1")
    end = page.evaluate(now)
    page.keyboard.press("Space")
    all_saved(page)
    (segment,) = bench.marks("segment")
    assert segment["label"] == "jump"
    # the frame on the screen may be one refresh older than the player's clock
    assert before - 0.15 <= segment["start_s"] <= after
    assert last - 0.15 <= segment["end_s"] <= end
    for time in (segment["start_s"], segment["end_s"]):
        assert isinstance(nearest(time), int)


def test_arrows_move_edges_and_whole_segments_by_frames(opened, bench):
    page = at_bench(opened, bench, "jump")
    marked(page, 20, 30)
    page.keyboard.press("ArrowRight")  # the whole is chosen
    page.keyboard.press("Enter")  # the start
    page.keyboard.press("Shift+ArrowLeft")
    page.keyboard.press("Enter")  # the end
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    all_saved(page)
    (label, start, end) = spans(bench)[0]
    assert (label, start) == ("jump", 11)
    assert end - 30 in (2, 3, 4)  # moved as a whole it keeps its length in seconds
    go(page, 15)
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Escape")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    frame(page)
    assert "frame 12" in page.inner_text("#clock")


def test_split_merge_copy_delete_and_another_class(opened, bench):
    page = at_bench(opened, bench, "jump", "fall")
    marked(page, 10, 30)
    go(page, 18)
    page.keyboard.press("Shift+S")
    all_saved(page)
    assert spans(bench) == [("jump", 10, 18), ("jump", 18, 30)]
    page.keyboard.press("/")
    page.keyboard.press("2")
    all_saved(page)
    assert spans(bench) == [("jump", 10, 18), ("fall", 18, 30)]
    page.keyboard.press("Shift+C")
    go(page, 40)
    page.keyboard.press("Shift+V")
    all_saved(page)
    (label, start, end) = spans(bench)[2]
    assert (label, start) == ("fall", 40)
    length = TIMES[30] - TIMES[18]
    assert TIMES[end] - TIMES[40] == pytest.approx(length, abs=0.04)
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Shift+M")
    all_saved(page)
    assert spans(bench) == [("jump", 10, 18), ("fall", 18, end)]
    page.keyboard.press("Delete")
    all_saved(page)
    assert spans(bench) == [("jump", 10, 18)]


def test_nothing_else_and_watched_are_spans_of_what_is_shown(opened, bench):
    page = at_bench(opened, bench, "jump", "fall")
    marked(page, 10, 20)
    page.keyboard.press("Shift+N")
    page.keyboard.press("Escape")
    page.keyboard.press("Shift+D")
    page.keyboard.press("Escape")
    all_saved(page)
    whole = page.evaluate("fetch('frames/0.json').then((x) => x.json())")["end_s"]
    found = {x["label"]: (x["start_s"], x["end_s"]) for x in bench.marks("watched")}
    assert found == {"jump": close((0.0, whole)), None: close((0.0, whole))}
    assert "watched" in page.inner_text("#videos li:first-child")
    page.click("#filters [data-filter=unwatched]")
    assert page.locator("#videos li").count() == 5


def test_a_video_that_is_watched_to_its_last_snippet_is_watched(opened, bench):
    whole_s = bench.site.media.headers[0].duration_s
    for video, share in (("film_0", 0.95), ("film_1", 0.8)):
        span = UnsignedMark(video, "watched", None, 0.0, share * whole_s)
        mark = new_mark(span, "names of the run", "2026-11-27T22:52:45Z", ["jump"])
        bench.store.take_in([mark], "names of the run")
    page = opened(bench.address)
    frames_known(page)
    assert "1 of 6 videos named" in page.inner_text("#list-count")


def test_all_is_undone_and_done_again(opened, bench):
    """After any edits, undoing all gives nothing, redoing all the same marks."""
    page = at_bench(opened, bench, "jump", "fall")
    keys = ["1", "2", ".", "ArrowLeft", "ArrowDown", "ArrowUp", "Enter", "Shift+S"]
    keys += ["Shift+M", "Shift+C", "Shift+V", "Delete", "[", "]", "Shift+N", "Shift+W"]
    keys += ["Shift+P", "Shift+ArrowRight", "ArrowRight"]
    rng = random.Random(0)
    marked(page, 3, 9)
    for key in rng.choices(keys, k=30):
        page.keyboard.press(key)
    all_saved(page)

    def held():
        """Return what the marks say, without who and when."""
        names = ("id", "kind", "label", "start_s", "end_s", "from")
        return sorted(json.dumps([x[name] for name in names]) for x in bench.marks())

    before = held()
    assert len(before) > 1
    for key, done in (
        ("Control+Z", "nothing to undo"),
        ("Control+Y", "nothing to redo"),
    ):
        for _ in range(200):
            page.keyboard.press(key)
            if done in page.inner_text("#told"):
                break
        all_saved(page)
        assert held() == (before if "redo" in done else [])


# ---- mouse and touch


def edge_places(page, first, last):
    """Return the places on the screen of two frames in the first lane."""
    box = page.locator("#lanes").bounding_box()
    whole = page.evaluate("document.getElementById('player').duration")
    at = [box["x"] + TIMES[i] / whole * box["width"] for i in (first, last)]
    return at, box["y"] + 8


def test_the_mouse_drags_an_edge_and_a_whole_segment(opened, bench):
    page = at_bench(opened, bench, "jump")
    marked(page, 20, 30)
    page.keyboard.press("Escape")
    (x0, x1), y = edge_places(page, 20, 30)
    (x2, _), _ = edge_places(page, 40, 40)
    page.mouse.move(x1 - 1, y)
    page.mouse.down()
    page.mouse.move(x2 - 20, y)
    page.mouse.move(x2 - 1, y)
    page.mouse.up()
    all_saved(page)
    assert spans(bench) == [("jump", 20, 40)]
    page.mouse.move((x0 + x2) / 2, y)
    page.mouse.down()
    page.mouse.move((x0 + x2) / 2 - 30, y)
    (x3, _), _ = edge_places(page, 10, 10)
    page.mouse.move((x0 + x2) / 2 - (x0 - x3), y)
    page.mouse.up()
    all_saved(page)
    assert spans(bench)[0][1] == 10
    page.keyboard.press("Control+Z")
    page.keyboard.press("Control+Z")
    all_saved(page)
    assert spans(bench) == [("jump", 20, 30)]


def test_the_wheel_zooms_from_the_whole_to_frames(opened, bench):
    page = at_bench(opened, bench)
    box = page.locator("#ruler").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 5)
    for _ in range(12):
        page.mouse.wheel(0, -400)
        frame(page)
    page.wait_for_timeout(200)  # the browser tells of wheels when it has time
    page.mouse.click(box["x"] + 2, box["y"] + 5)
    frame(page)
    left = page.inner_text("#clock")
    page.mouse.click(box["x"] + box["width"] - 2, box["y"] + 5)
    frame(page)
    right = page.inner_text("#clock")
    shown = [int(x.rsplit(" ", 1)[1]) for x in (left, right)]
    assert 1 <= shown[1] - shown[0] <= 8
    page.keyboard.press("Shift+A")
    frame(page)
    page.mouse.click(box["x"] + 2, box["y"] + 5)
    frame(page)
    assert "frame 1" in page.inner_text("#clock").split("·")[1]


# ---- names


@pytest.mark.parametrize("size", [{"width": 1280, "height": 800}, PHONE])
def test_every_video_is_named_by_two_keys(opened, bench, size):
    page = opened(bench.address)
    page.set_viewport_size(size)
    add_classes(page, "jump", "fall")
    page.keyboard.press("Shift+G")
    for i in range(6):
        page.keyboard.press(str(1 + i % 2))
        page.keyboard.press("ArrowRight")
    page.keyboard.press("1")  # the last one is both
    all_saved(page)
    found = [(x["video"], x["label"]) for x in bench.marks("name")]
    expected = [(f"film_{i}", ("jump", "fall")[i % 2]) for i in range(6)]
    assert sorted(found) == sorted([*expected, ("film_5", "jump")])
    assert "6 of 6 videos named" in page.inner_text("#names-told")
    page.keyboard.press("Home")
    page.keyboard.press("1")  # takes the name away again
    page.keyboard.press("Shift+N")
    all_saved(page)
    first = [(x["kind"], x["label"]) for x in bench.marks() if x["video"] == "film_0"]
    assert first == [("watched", None)]
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    page.keyboard.press("Enter")
    assert page.inner_text("#video-name") == "film_0"
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]


def test_classes_are_added_and_removed_beside_the_grid(opened, bench):
    opened.expected.append("409")
    page = opened(bench.address)
    page.keyboard.press("Shift+G")
    assert page.inner_text("#names-told").startswith("Begin with a class")
    for name in ("jump", "fal", "fall"):
        page.fill("#class-name", name)
        page.keyboard.press("Enter")
        page.wait_for_selector(f"#names-keys [data-label='{name}']")
    page.select_option("#remove-class", "fal")
    page.wait_for_selector("#names-keys [data-label='fal']", state="detached")
    page.locator(".card.now").focus()
    page.keyboard.press("2")
    all_saved(page)
    assert [x["label"] for x in bench.marks("name")] == ["fall"]
    page.select_option("#remove-class", "fall")
    used = "1 mark is of 'fall'; remove it first"
    until(page, f'document.getElementById("names-told").textContent === "{used}"')
    page.keyboard.press("Shift+G")
    assert page.is_visible("#watch #class-name")


def test_what_was_named_is_told_above_a_grid_that_scrolls(opened, bench):
    page = opened(bench.address)
    page.set_viewport_size({"width": 640, "height": 420})
    add_classes(page, "jump")
    page.keyboard.press("Shift+G")
    page.keyboard.press("End")
    page.keyboard.press("1")
    told, card, keys = (
        page.locator(x).bounding_box()
        for x in ("#names-told", ".card.now", "#names-keys")
    )
    assert told["y"] >= 0
    assert keys["y"] + keys["height"] <= card["y"]
    assert page.inner_text("#names-told").startswith("film_5 is jump")


# ---- saving


def test_marks_outlive_a_crash_of_the_server_and_of_the_page(opened, bench):
    opened.expected.append("ERR_CONNECTION_REFUSED")
    opened.expected.append("403")
    page = at_bench(opened, bench, "jump")
    bench.stop()
    go(page, 5)
    page.keyboard.press("1")
    until(page, "document.getElementById('trouble').textContent.includes('answer')")
    assert "1 change not saved yet" in page.inner_text("#trouble")
    assert "kept in this browser" in page.inner_text("#trouble")
    context = page.context
    page.close()
    bench.start()
    page = context.new_page()
    page.goto(bench.address)
    page.wait_for_selector("html[data-ready]")
    all_saved(page)
    (point,) = bench.marks("point")
    assert point["start_s"] == close(TIMES[5])
    bench.stop()
    page.keyboard.press("Home")
    page.keyboard.press("1")
    until(page, "document.getElementById('trouble').textContent.includes('answer')")
    bench.start()  # with a new token, which the page finds itself
    all_saved(page)
    assert len(bench.marks("point")) == 2


def test_two_people_see_each_other_and_overwrite_nothing_unseen(opened, bench):
    opened.expected.append("409")
    anna = at_bench(opened, bench, "jump")
    marked(anna, 10, 20)
    all_saved(anna)
    ben = opened(bench.address)
    frames_known(ben)
    anna.fill("#who", "Anna")
    anna.locator("#timeline").focus()
    until(ben, "document.getElementById('mark-list').children.length === 1")
    ben.context.set_offline(True)
    opened.expected.append("ERR_INTERNET_DISCONNECTED")
    ben.locator("#timeline").focus()
    for key in ("ArrowDown", "Enter", "ArrowLeft"):
        ben.keyboard.press(key)
    for key in ("ArrowDown", "Enter", "ArrowRight"):
        anna.keyboard.press(key)
    all_saved(anna)
    ben.context.set_offline(False)
    until(ben, "!document.getElementById('conflicts').hidden")
    told = ben.inner_text("#conflicts")
    assert told.startswith("Anna and you changed the same mark of film_0.")
    assert spans(bench) == [("jump", 11, 20)]
    ben.get_by_role("button", name="Keep mine").click()
    all_saved(ben)
    assert spans(bench) == [("jump", 9, 20)]
    until(anna, "document.getElementById('told').textContent.includes('arrived')")


def test_the_same_segment_marked_twice_is_one_mark_and_told(opened, bench):
    anna = at_bench(opened, bench, "jump")
    for _ in range(2):
        marked(anna, 10, 20)
    all_saved(anna)
    already = "segment of jump is marked already: it stays one mark"
    assert already in anna.inner_text("#told")
    assert spans(bench) == [("jump", 10, 20)]
    # a second person, who cannot see the first one's mark yet
    ben = opened(bench.address)
    frames_known(ben)
    ben.route("**/marks.json*", lambda route: route.abort())
    opened.expected.append("ERR_FAILED")
    marked(anna, 30, 35)
    all_saved(anna)
    marked(ben, 30, 35)
    until(ben, "document.getElementById('told').textContent.includes('it stays one')")
    assert [x["kind"] for x in bench.marks()] == ["segment", "segment"]
    assert spans(bench) == [("jump", 10, 20), ("jump", 30, 35)]


# ---- words


def test_every_control_has_a_name_and_a_phone_has_room(opened, bench):
    long = "jump from the lower to the upper board, and back again to the lower one"
    page = at_bench(opened, bench, "jump", long)
    marked(page, 3, 9)
    page.set_viewport_size(PHONE)
    frame(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    session = page.context.new_cdp_session(page)
    nodes = session.send("Accessibility.getFullAXTree")["nodes"]
    controls = {"button", "textbox", "searchbox", "slider", "checkbox", "combobox"}
    named = [
        (node["role"]["value"], node.get("name", {}).get("value", ""))
        for node in nodes
        if node.get("role", {}).get("value") in controls and not node["ignored"]
    ]
    assert len(named) > 20
    assert [role for role, name in named if not name] == []


def luminance(colour):
    """Return the relative luminance of "rgb(r, g, b)", by WCAG 2."""
    parts = [int(x) / 255 for x in re.findall(r"\d+", colour)[:3]]
    linear = [
        x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in parts
    ]
    return sum(w * x for w, x in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_a_class_that_is_held_can_be_read_in_each_colour(opened, bench):
    page = at_bench(opened, bench, *(f"class {i}" for i in range(8)))
    page.keyboard.press("Shift+P")
    for i in range(8):
        page.keyboard.press(str(i + 1))
    frame(page)
    colours = page.eval_on_selector_all(
        ".chip.on",
        "(x) => x.map(getComputedStyle).map((s) => [s.color, s.backgroundColor])",
    )
    assert len(colours) == 8
    for pair in colours:
        dark, light = sorted(map(luminance, pair))
        assert (light + 0.05) / (dark + 0.05) >= 4.5


def test_a_point_is_at_a_time_and_a_segment_from_one_to_another(opened, bench):
    page = at_bench(opened, bench, "jump")
    page.keyboard.press("1")
    frame(page)
    assert page.inner_text("#chosen-start-field").startswith("at")
    marked(page, 3, 9)
    frame(page)
    assert page.inner_text("#chosen-start-field").startswith("from")
