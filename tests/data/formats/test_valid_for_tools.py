"""Written files have the form that the programs themselves ask for."""

import base64
import collections
import json
import re
import xml.etree.ElementTree as ET

import pytest

from acmnet.data.detection_output import FORMATS
from acmnet.data.detections.subtitles import webvtt_of
from acmnet.data.formats.annotation_files import elan
from acmnet.data.formats.exchange_format import Content
from acmnet.data.formats.format_table import BY_NAME
from acmnet.data.labels.annotations import Instance, Video
from acmnet.segments import Detections, Segment
from support.browsing import until
from support.places import ROOT

NAMES = ("grooms & <rests>", "rears")
FOUND = (
    Instance("rears", Segment(1.5, 4.0)),
    Instance("rears", Segment(2.0, 3.0)),
    Instance(NAMES[0], Segment(3.0, 36_000.0)),
)
VIDEO = Video(id="cage 3", subset=None, duration_s=None, labels=NAMES, instances=FOUND)
CONTENT = Content(videos=[VIDEO], class_names=NAMES, fps=25.0)

CHILDREN = {
    "ANNOTATION_DOCUMENT": [
        "HEADER",
        "TIME_ORDER",
        "TIER",
        "LINGUISTIC_TYPE",
        "CONSTRAINT",
    ],
    "HEADER": ["MEDIA_DESCRIPTOR", "LINKED_FILE_DESCRIPTOR", "PROPERTY"],
    "TIME_ORDER": ["TIME_SLOT"],
    "TIER": ["ANNOTATION"],
    "ANNOTATION": ["ALIGNABLE_ANNOTATION"],
    "ALIGNABLE_ANNOTATION": ["ANNOTATION_VALUE"],
}
"""Elements inside each element, in the order that EAFv3.0.xsd prescribes."""
REQUIRED = {
    "ANNOTATION_DOCUMENT": {"DATE", "AUTHOR", "VERSION"},
    "TIME_SLOT": {"TIME_SLOT_ID"},
    "TIER": {"TIER_ID", "LINGUISTIC_TYPE_REF"},
    "ALIGNABLE_ANNOTATION": {"ANNOTATION_ID", "TIME_SLOT_REF1", "TIME_SLOT_REF2"},
    "LINGUISTIC_TYPE": {"LINGUISTIC_TYPE_ID"},
    "CONSTRAINT": {"STEREOTYPE"},
}
"""Attributes without which EAFv3.0.xsd refuses an element."""


def test_elan_files_follow_the_published_schema():
    root = ET.fromstring(elan.write(CONTENT))  # our own text, so nothing foreign
    place = "{http://www.w3.org/2001/XMLSchema-instance}noNamespaceSchemaLocation"
    assert root.get(place) == "http://www.mpi.nl/tools/elan/EAFv3.0.xsd"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:]{8}\+00:00", root.get("DATE"))
    for element in root.iter():
        order = CHILDREN.get(element.tag, [])
        places = [order.index(child.tag) for child in element]
        assert places == sorted(places)
        assert REQUIRED.get(element.tag, set()) <= element.attrib.keys()
    # xsd:ID is unique in the whole file, and every reference has its target
    ids = [x.get("TIME_SLOT_ID") or x.get("ANNOTATION_ID") for x in root.iter()]
    assert max(collections.Counter(filter(None, ids)).values()) == 1
    slots = {
        x.get("TIME_SLOT_ID"): int(x.get("TIME_VALUE")) for x in root.iter("TIME_SLOT")
    }
    assert list(slots.values()) == sorted(slots.values())
    types = {x.get("LINGUISTIC_TYPE_ID") for x in root.iter("LINGUISTIC_TYPE")}
    tiers = [x.get("TIER_ID") for x in root.iter("TIER")]
    assert tiers == ["rears", "rears 2", NAMES[0]]  # two of one class overlap
    for tier in root.iter("TIER"):
        assert tier.get("LINGUISTIC_TYPE_REF") in types
        before = 0
        for one in tier.iter("ALIGNABLE_ANNOTATION"):
            start, end = (slots[one.get(f"TIME_SLOT_REF{i}")] for i in (1, 2))
            assert before <= start < end  # annotations of a tier do not overlap
            before = end


def test_via_projects_have_what_its_loader_asks_for():
    text = BY_NAME["via3"].write(CONTENT)
    project = json.loads(text)
    assert set(project) == {
        "project",
        "config",
        "attribute",
        "file",
        "view",
        "metadata",
    }
    assert set(project["project"]) >= {
        "pid",
        "rev",
        "rev_timestamp",
        "pname",
        "vid_list",
    }
    assert project["project"]["vid_list"] == list(project["view"])
    for view in project["view"].values():
        assert set(view["fid_list"]) <= set(project["file"])
    for entry in project["metadata"].values():
        assert entry["vid"] in project["view"]
        for key, option in entry["av"].items():
            assert option in project["attribute"][key]["options"]


def test_boris_projects_name_only_what_they_define():
    project = json.loads(BY_NAME["boris"].write(CONTENT))
    codes = {x["code"] for x in project["behaviors_conf"].values()}
    subjects = {"", *(x["name"] for x in project["subjects_conf"].values())}
    observation = project["observations"]["cage 3"]
    events = observation["events"]
    assert [x[0] for x in events] == sorted(x[0] for x in events)
    assert {x[2] for x in events} <= codes
    assert {x[1] for x in events} <= subjects
    # a behaviour of one subject starts and stops in turn
    counts = collections.Counter((x[1], x[2]) for x in events)
    assert all(n % 2 == 0 for n in counts.values())


@pytest.mark.slow
def test_chromium_shows_the_cues(browser):
    text = BY_NAME["vtt"].write(CONTENT)
    page = browser.new_page()
    page.set_content("<video></video>")
    cues = page.evaluate(
        """(text) => new Promise((done) => {
            const track = document.createElement("track");
            track.default = true;
            track.src = URL.createObjectURL(new Blob([text], {type: "text/vtt"}));
            track.onload = () => done(Array.from(track.track.cues, (cue) =>
                [cue.startTime, cue.endTime, cue.getCueAsHTML().textContent]));
            track.onerror = () => done("error");
            document.querySelector("video").append(track);
            track.track.mode = "showing";
        })""",
        text,
    )
    page.close()
    assert cues == [[x.segment.start_s, x.segment.end_s, x.label] for x in FOUND]


def test_the_guide_lists_every_format():
    rows = re.findall(
        r"^\| `([\w-]+)` \| .*? \| (.*?) \| (.*?) \| (.*?) \| (.*?) \|",
        (ROOT / "docs" / "formats.md").read_text(),
        re.MULTILINE,
    )
    assert [name for name, *_ in rows] == list(BY_NAME)
    for name, suffixes, one_file, labels, by_localize in rows:
        known = BY_NAME[name]
        assert tuple(re.findall(r"`(\.\w+)`", suffixes)) == known.suffixes
        files = {"all": "all videos", "video": "a video", "class": "a class"}
        assert one_file == files[known.one_file]
        assert labels == "read, written"
        assert by_localize.startswith(("yes", "with", "into")) == (name in FORMATS)


def test_webvtt_is_parsed_by_the_browser_as_it_was_meant(opened, tmp_path):
    """Chromium's own parser reads the cues of a track beside a video."""
    rows = [(0.001, 1.5, 0.9, 0), (1.0, 36_000.0, 0.25, 1), (2.5, 3.25, 0.5, 2)]
    names = ("groom & <rest>", "läuft; 走 --> an", 'say "no"')
    text = webvtt_of(Detections.of(names, rows))
    data = base64.b64encode(text.encode()).decode()
    page_file = tmp_path / "page.html"
    page_file.write_text(
        '<!doctype html><html data-ready><meta charset="utf-8"><video>'
        f'<track default kind="subtitles" src="data:text/vtt;base64,{data}"></video>'
    )
    page = opened(page_file.as_uri())
    track = "document.querySelector('track')"
    until(page, f"{track}.readyState === 2")
    cues = page.evaluate(
        f"() => [...{track}.track.cues].map((c) => [c.startTime, c.endTime, "
        "c.getCueAsHTML().textContent])"
    )
    assert cues == [
        [start, end, f"{names[index]} ({score:.2f})"]
        for start, end, score, index in sorted(rows)
    ]
