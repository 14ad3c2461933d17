"""A report of very many videos: parts that the page loads as they are looked at."""

import json
import re

import pytest

from acmnet.show.report import report_parts
from acmnet.show.report.html_page import write_paged
from acmnet.show.report.report_parts import PART_VIDEOS, ReportParts
from show.report.test_page_in_browser import contents_of
from support.browsing import drawn, until

SHOWN = 'document.querySelector(".bar[data-kind=detection]")'
CHOSEN = 'document.querySelector("#chosen").textContent.includes("{}")'
VIDEOS = 2 * PART_VIDEOS + 50
ROWS = [("fight", 2.0, 10.0, 0.9), ("run", 12.0, 14.0, 0.6), ("fight", 15.0, 16.0, 0.1)]


@pytest.fixture
def paged(tmp_path, monkeypatch):
    """Write a report of three parts, whose page lists 300 of 752 detections."""
    monkeypatch.setattr(report_parts, "MOST_LISTED", 300)
    names = [f"video {i}" for i in range(VIDEOS)]
    contents = contents_of(ROWS, names=names)
    rich = {0: ROWS, VIDEOS - 1: ROWS}
    videos = [
        type(one)(
            id=one.id,
            summary=dict(one.summary) | {"detections": len(rich.get(i, ROWS[:1]))},
            detections=rich.get(i, ROWS[:1]),
            insides=one.insides,
        )
        for i, one in enumerate(contents.videos)
    ]
    parts = ReportParts(tmp_path / "page.parts", ("fight", "run"))
    parts.add_all(videos)
    write_paged(contents.summary, parts, tmp_path / "page.html")
    return tmp_path / "page.html"


def loaded(page):
    return page.locator("script[src]").count()


def test_a_part_is_loaded_when_one_of_its_videos_is_looked_at(opened, paged):
    page = opened(paged)
    until(page, SHOWN)
    assert len(drawn(page)) == 3
    assert loaded(page) == 1
    assert page.locator("#found-count").inner_text().startswith("254 of 254 detections")
    found = page.locator("#videos tbody tr td:nth-child(5)")
    assert found.nth(0).inner_text() == "3"
    page.fill("#video-filter", f"video {VIDEOS - 1}")
    page.locator("#videos tbody button").click()
    until(page, SHOWN)
    assert len(drawn(page)) == 3
    assert loaded(page) == 2
    assert page.locator("#video-name").inner_text() == f"video {VIDEOS - 1}"
    page.check("#this-video")
    assert page.locator("#found-count").inner_text() == "3 of 3 detections"
    page.click("#show-insides")
    until(page, 'document.querySelector("#attention-legend input")')
    page.uncheck("#this-video")
    page.fill("#detection-filter", "video 120")
    page.locator("#detections tbody button").click()
    until(page, CHOSEN.format("fight, 2.00 to 10.00 s"))
    assert loaded(page) == 3


def test_a_part_that_is_gone_is_told(opened, paged):
    for path in (paged.parent / "page.parts").glob("part-1-*"):
        path.unlink()
    opened.expected.append("ERR_FILE_NOT_FOUND")
    page = opened(paged)
    page.fill("#video-filter", "video 150")
    page.locator("#videos tbody button").click()
    until(page, CHOSEN.format("move the page and that folder"))


def test_the_page_keeps_the_surest_and_old_parts_go(paged, tmp_path, monkeypatch):
    monkeypatch.setattr(report_parts, "MOST_LISTED", 10)
    old = {path.name for path in (tmp_path / "page.parts").iterdir()}
    assert len(old) == 3
    names = [f"video {i}" for i in range(30)]
    contents = contents_of(ROWS, names=names)
    parts = ReportParts(tmp_path / "page.parts", ("fight", "run"))
    parts.add_all(contents.videos)
    write_paged(contents.summary, parts, paged)
    new = {path.name for path in (tmp_path / "page.parts").iterdir()}
    assert len(new) == 1
    assert not new & old
    text = paged.read_text()
    found = re.search(r'id="contents">(.*?)</script>', text)
    values = json.loads(found[1])
    assert len(values["videos"]) == 30
    assert [row[4] for row in values["detections"]] == [0.9] * 10
    assert values["parts"]["detections"] == 32
    assert values["parts"]["range"] == [0.1, 0.9]
    (part,) = (tmp_path / "page.parts").iterdir()
    assert part.name in text
    own = json.loads(part.read_text().removeprefix("acmnetPart(0,")[:-3])
    assert own[0]["rows"] == [
        [0, 2.0, 10.0, 0.9],
        [1, 12.0, 14.0, 0.6],
        [0, 15.0, 16.0, 0.1],
    ]
    assert json.loads(own[0]["insides_text"]) == contents.videos[0].insides


def test_a_count_is_a_least_one_until_the_part_has_arrived(
    opened, tmp_path, monkeypatch
):
    monkeypatch.setattr(report_parts, "MOST_LISTED", 100)
    contents = contents_of(ROWS, names=[f"video {i}" for i in range(120)])
    parts = ReportParts(tmp_path / "page.parts", ("fight", "run"))
    parts.add_all(contents.videos)
    write_paged(contents.summary, parts, tmp_path / "page.html")
    page = opened(tmp_path / "page.html")
    found = page.locator("#videos tbody tr td:nth-child(5)")
    assert found.nth(0).inner_text() == "3"  # its part is there
    assert found.nth(1).inner_text() == "1"
    assert found.nth(119).inner_text() == "0 or more of 1"
    page.get_by_role("button", name="video 119", exact=True).first.click()
    until(page, SHOWN)
    assert found.nth(119).inner_text() == "1"
