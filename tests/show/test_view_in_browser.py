"""A reviewer at work: Chromium on the server that `acmnet view` starts."""

import json
import re
import shutil
import subprocess
import sys

import pytest

from acmnet.data.label_files import read_annotations
from support.browsing import drawn, frame, saved, until


@pytest.fixture(scope="module")
def run(tiny_run, tmp_path_factory):
    """Return a copy of the tiny run, to be reviewed."""
    return shutil.copytree(tiny_run, tmp_path_factory.mktemp("runs") / "run")


@pytest.fixture
def address(opened, run, tiny_scenes):
    """Start `acmnet view` as a user would, and give its address."""
    (run / "reviews.json").unlink(missing_ok=True)
    command = ["-m", "acmnet", "view", str(run), "--subset", "test"]
    command += ["--videos", str(tiny_scenes / "videos")]
    with subprocess.Popen(
        [sys.executable, *command], stdout=subprocess.PIPE, text=True
    ) as server:
        line = server.stdout.readline()
        yield re.match(r"http://127\.0\.0\.1:\d+/", line).group()
        opened.close()
        server.terminate()


def test_a_boundary_is_moved_saved_and_found_again(opened, address, run):
    page = opened(address)
    before = {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()}
    until(page, "document.getElementById('player').readyState >= 1")  # in ranges
    page.locator("#timeline").focus()
    page.keyboard.press("j")
    frame(page)
    label = page.input_value("#review-label")
    start_s = float(page.input_value("#review-start"))
    end_s = float(page.input_value("#review-end")) + 1.5
    page.fill("#review-end", f"{end_s:.2f}")
    page.click("#accept")
    page.keyboard.press("j")
    page.keyboard.press("x")
    page.fill("#review-label", "cartwheel")
    page.fill("#review-start", "1.25")
    page.fill("#review-end", "2.5")
    page.click("#add")
    assert page.inner_text("#review-state").startswith("'cartwheel' is a new label")
    page.click("#add")
    told = page.inner_text("#review-state")
    assert told == "3 changes not saved yet, kept in this browser"
    lanes = "(bars) => bars.map((b) => [b.dataset.label, Number(b.dataset.end)])"
    shown = page.eval_on_selector_all(".bar[data-kind=reviewed]", lanes)
    assert shown == [[label, end_s], ["cartwheel", 2.5]]
    saved(page)
    video = page.inner_text("#video-name")
    found = read_annotations(run / "reviews.json").videos[video].instances
    assert found[0].label == label
    assert found[0].segment.start_s == pytest.approx(start_s, abs=0.005)
    assert found[0].segment.end_s == pytest.approx(end_s)
    added = found[1]
    assert (added.label, added.segment.start_s, added.segment.end_s) == (
        *("cartwheel", 1.25, 2.5),
    )
    kept = json.loads((run / "reviews.json").read_text())["reviews"][video]
    assert [one["verdict"] for one in kept] == ["accepted", "rejected", "added"]
    assert kept[0]["source"][0] == label
    # what is drawn is still what the model found, and its files are untouched
    shown = len(drawn(page))
    for name, content in before.items():
        assert (run / name).read_bytes() == content
    page.reload()
    page.wait_for_selector("html[data-ready]")
    until(page, "document.querySelectorAll('#reviews li').length === 3")
    told = page.inner_text("#reviews li:nth-child(1)")
    assert told.startswith(f"accepted: {label}, {start_s:.2f} to {end_s:.2f} s")
    assert len(drawn(page)) == shown


def test_a_second_page_is_told_that_it_is_stale(opened, address, run):
    first, second = opened(address), opened(address)
    for page in (first, second):
        page.locator("#timeline").focus()
        page.keyboard.press("j")
        page.keyboard.press("a")
    saved(first)
    kept = (run / "reviews.json").read_bytes()
    opened.expected.append("409")
    second.click("#save")
    until(
        second,
        "document.getElementById('review-state').textContent.includes('someone else')",
    )
    assert (run / "reviews.json").read_bytes() == kept


def test_the_page_says_that_a_training_goes_on(opened, address, run):
    page = opened(address)
    (run / "log.jsonl").touch()
    until(page, "document.getElementById('live').textContent.includes('epoch 2')")


def test_pictures_and_curves_come_when_they_are_looked_at(opened, address):
    """The page holds neither; the server is asked for those of the video in view."""
    page = opened(address)
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.get_by_role("button", name="test_001", exact=True).first.click()
    until(page, "document.getElementById('poster').naturalWidth === 1152")
    page.click("#show-insides")
    until(page, "document.querySelectorAll('#attention-legend input').length === 3")
    page.select_option("#threshold", index=1)
    places = [url.removeprefix(address) for url in asked]
    once = {x for x in places if not x.startswith("api/state")}
    assert once == {"media/1", "poster/1", "api/video/0/1"}
    for name in ("poster-1", "insides-1", "media-1"):
        assert page.locator(f"#{name}").count() == 0
