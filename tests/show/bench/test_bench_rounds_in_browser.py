"""Rounds at the bench: what is suggested, and one round beside another."""

import json

import pytest

from acmnet.data.detections.detection_arrays import DetectionFile
from acmnet.data.detections.detection_files import write_detections
from acmnet.segments import Detections
from acmnet.show.bench.rounds.round_folders import DETECTIONS, STATE, Request, round_of
from support.benches import (
    N_FRAMES,
    TIMES,
    all_saved,
    at_bench,
    benched,
    close,
    frames_known,
    unequal_times,
)
from support.browsing import frame, until
from support.movies import numbers, write_movie


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    folder = tmp_path_factory.mktemp("films")
    given = [(folder / f"film_{i}.mp4", unequal_times(i)) for i in range(3)]
    return [write_movie(x, numbers(N_FRAMES), times=y, b_frames=2) for x, y in given]


def span(start, end, why):
    return {"label": "jump", "start_s": TIMES[start], "end_s": TIMES[end], "why": why}


def test_suggested_videos_are_listed_and_drop_out_when_they_were_seen(
    opened, films, tmp_path
):
    doubt = "2 of 4 networks find 'jump'"
    suggestions = [
        {"rank": 1, "video": "film_2", "why": doubt, "spans": [span(20, 30, doubt)]},
        {"rank": 2, "video": "film_1", "why": "rare", "spans": [span(5, 9, "rare")]},
        {"rank": 3, "video": "gone", "why": "no such file", "spans": []},
    ]
    given = {"classes": ("jump",), "suggested": {"suggestions": suggestions}}
    with benched(opened, tmp_path, films, **given) as bench:
        page = at_bench(opened, bench)
        listed = "#videos .id"
        page.click("[data-filter=suggested]")
        assert page.locator(listed).all_inner_texts() == ["film_2", "film_1"]
        assert page.locator("#videos .why").all_inner_texts() == [doubt, "rare"]
        page.click("#videos button >> nth=0")
        frames_known(page)
        assert page.inner_text("#why").startswith(f"Suggested: {doubt}")
        page.click("#why button")
        times = json.loads(bench.site.get("/frames/2.json").body)["times_s"]
        nearest = min(times, key=lambda x: abs(x - TIMES[20]))
        at_frame(page, times.index(nearest) + 1)
        page.locator("#timeline").focus()
        page.keyboard.press("1")
        all_saved(page)
        (point,) = bench.marks("point")
        assert point["start_s"] == close(nearest)
        assert page.locator(listed).all_inner_texts() == ["film_1"]
        assert page.inner_text("#why") == ""
        page.keyboard.press("Control+Z")
        all_saved(page)
        assert page.locator(listed).all_inner_texts() == ["film_2", "film_1"]


def test_suggestions_arrive_in_an_open_page(opened, films, tmp_path):
    spans = [span(5, 9, "rare")]
    found = {"rank": 1, "video": "film_1", "why": "rare", "spans": spans}
    with benched(opened, tmp_path, films[:2]) as bench:
        page = opened(bench.address)
        assert page.is_hidden("[data-filter=suggested]")
        assert page.is_visible("[data-filter=unnamed]")
        file = tmp_path / "found.json"
        file.write_text(json.dumps({"suggestions": [found]}))
        bench.site.suggesting.look([], file)
        bench.site.detections.renew()
        page.click("[data-filter=suggested]", timeout=60_000)
        assert page.locator("#videos .id").all_text_contents() == ["film_1"]
        assert page.locator("#videos .why").all_text_contents() == ["rare"]


def at_frame(page, number):
    words = f"frame {number}"
    until(page, f"document.getElementById('clock').textContent.includes('{words}')")


def keep_round(bench, number, start, end):
    """Keep a round that found one jump in the first film, from frame to frame."""
    one = round_of(bench.site.learning.folder, number)
    one.folder.mkdir(parents=True)
    at = f"2026-11-27T0{number}:00:00Z"
    one.begin(Request(at=at, revision=number, n_marks=3, n_videos=2, steps=()))
    (one.folder / STATE).write_text(json.dumps({"state": "done", "seconds": 60.0}))
    found = Detections.of(["jump"], [(TIMES[start], TIMES[end], 0.9, 0)])
    write_detections(one.folder / DETECTIONS, {"film_0": found})
    bench.site.detections.show(number, DetectionFile.of({"film_0": found}))


def told(page, words):
    until(page, f"document.getElementById('told').textContent === '{words}'")


def painted(page, top, bottom):
    """Return the first and last second at which rows differ from their last column."""
    frame(page)
    columns = page.evaluate(
        "([top, bottom]) => { const c = document.getElementById('lanes'), k = "
        "c.width / c.clientWidth, n = Math.round((bottom - top) * k), p = c.getContext"
        "('2d').getImageData(0, Math.round(top * k), c.width, n).data, found = []; "
        "const at = (x, y) => p.slice(4 * (y * c.width + x), 4 * (y * c.width + x + 1))"
        ".join(); for (let x = 0; x < c.width; x++) for (let y = 0; y < n; y++) if "
        "(at(x, y) !== at(c.width - 2, y)) { found.push(x / c.width); break; } return "
        "found; }",
        [top, bottom],
    )
    times = [x * bench_length_s(page) for x in columns]
    return (min(times), max(times)) if times else None


def bench_length_s(page):
    return page.evaluate("() => document.getElementById('player').duration")


def test_two_rounds_are_compared(opened, films, tmp_path):
    with benched(opened, tmp_path, films[:1], classes=("jump",)) as bench:
        keep_round(bench, 1, 4, 12)
        keep_round(bench, 2, 30, 45)
        page = at_bench(opened, bench)
        pixel_s = (
            2 * bench_length_s(page) / page.locator("#lanes").bounding_box()["width"]
        )
        now = 19, 28  # rows of a lane: marks, found, of the other round
        other = 29, 36
        expected = pytest.approx((TIMES[30], TIMES[45]), abs=pixel_s)
        assert painted(page, *now) == expected
        assert painted(page, *other) is None
        page.keyboard.press("Shift+B")
        told(page, "Dashed: what round 1 found. Filled: what round 2 found.")
        assert painted(page, *now) == expected
        before = pytest.approx((TIMES[4], TIMES[12]), abs=pixel_s)
        assert painted(page, *other) == before
        page.keyboard.press("Shift+B")
        told(page, "One round is shown.")
        assert painted(page, *other) is None
        page.click("#open-learning")
        rows = page.locator("#rounds tbody tr").all_inner_texts()
        assert [row.split()[0] for row in rows] == ["1", "2"]
        options = page.locator("#compare option").all_inner_texts()
        assert options == ["nothing", "round 1"]
        assert page.is_visible("#rounds-told")
        page.set_viewport_size({"width": 390, "height": 844})
        row = page.locator("#rounds thead tr").bounding_box()
        assert row["height"] < 30, "words of the table are broken on a phone"
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        # stopped before the page could see that it was being learned
        one = round_of(bench.site.learning.folder, 3)
        one.folder.mkdir()
        one.begin(Request(at="", revision=3, n_marks=3, n_videos=2, steps=()))
        words = "round 3 was stopped; it can go on"
        until(page, f"document.getElementById('learn-state').textContent === '{words}'")
