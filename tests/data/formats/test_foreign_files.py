"""Files as other programs write them, and files that are broken."""

import json

import pytest

from acmnet.data.checks.lenient_reading import read_leniently
from acmnet.data.formats.format_table import BY_NAME, FORMATS, format_of_file
from acmnet.data.formats.reading import read_foreign
from acmnet.data.label_files import read_annotations
from acmnet.data.labels.annotations import AnnotationError, Instance, Point
from acmnet.segments import Segment

EAF = """<?xml version="1.0" encoding="UTF-8"?>
<ANNOTATION_DOCUMENT AUTHOR="" DATE="2024-05-06T10:00:00+01:00" FORMAT="3.0"
 VERSION="3.0">
<HEADER MEDIA_FILE="" TIME_UNITS="milliseconds">
<MEDIA_DESCRIPTOR MEDIA_URL="file:///D:/day%201/cage%203.mp4" MIME_TYPE="video/mp4"
 RELATIVE_MEDIA_URL="./cage%203.mp4"/></HEADER>
<TIME_ORDER><TIME_SLOT TIME_SLOT_ID="ts1" TIME_VALUE="1500"/>
<TIME_SLOT TIME_SLOT_ID="ts2" TIME_VALUE="2750"/><TIME_SLOT TIME_SLOT_ID="ts3"/>
</TIME_ORDER>
<TIER LINGUISTIC_TYPE_REF="default-lt" TIER_ID="rears"><ANNOTATION>
<ALIGNABLE_ANNOTATION ANNOTATION_ID="a1" TIME_SLOT_REF1="ts1" TIME_SLOT_REF2="ts2">
<ANNOTATION_VALUE></ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION></TIER>
<TIER LINGUISTIC_TYPE_REF="default-lt" TIER_ID="mouse 1"><ANNOTATION>
<ALIGNABLE_ANNOTATION ANNOTATION_ID="a2" TIME_SLOT_REF1="ts2" TIME_SLOT_REF2="ts3">
<ANNOTATION_VALUE>grooms</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION></TIER>
<TIER LINGUISTIC_TYPE_REF="note" PARENT_REF="mouse 1" TIER_ID="notes"><ANNOTATION>
<REF_ANNOTATION ANNOTATION_ID="a3" ANNOTATION_REF="a2">
<ANNOTATION_VALUE>long</ANNOTATION_VALUE></REF_ANNOTATION></ANNOTATION></TIER>
</ANNOTATION_DOCUMENT>
"""
CVAT = """<?xml version="1.0" encoding="utf-8"?>
<annotations><version>1.1</version><meta><task><id>7</id><name>monday</name>
<size>100</size><mode>interpolation</mode><labels><label><name>jump</name>
<color>#fff</color></label><label><name>run</name></label></labels>
<source>park.mp4</source></task></meta>
<track id="0" label="jump" source="manual">
<box frame="10" outside="0" occluded="0" keyframe="1" xtl="1" ytl="1" xbr="2" ybr="2">
<attribute name="who">me</attribute></box>
<box frame="11" outside="0" occluded="0" keyframe="0" xtl="1" ytl="1" xbr="2" ybr="2"/>
<box frame="35" outside="1" occluded="0" keyframe="1" xtl="1" ytl="1" xbr="2" ybr="2"/>
<box frame="50" outside="0" occluded="0" keyframe="1" xtl="1" ytl="1" xbr="2" ybr="2"/>
</track></annotations>
"""
BORIS = {
    "time_format": "hh:mm:ss",
    "project_format_version": "4.1",
    "behaviors_conf": {
        "0": {"type": "State event", "key": "S", "code": "sleeps"},
        "1": {"type": "Point event", "key": "P", "code": "peck"},
    },
    "observations": {
        "two files": {
            "file": {"1": ["C:\\bird\\a.mp4", "b.mp4"], "2": []},
            "type": "MEDIA",
            "events": [
                [1.5, "", "sleeps", "", ""],
                [2.5, "he", "sleeps", "", ""],
                [3.0, "", "sleeps", "", ""],
                [4.5, "he", "sleeps", "", ""],
                [12.25, "", "peck", "hard", ""],
            ],
            "media_info": {"length": {"C:\\bird\\a.mp4": 10.0, "b.mp4": 8.0}},
        },
        "live": {"file": [], "type": "LIVE", "events": [[1.0, "", "peck", "", ""]]},
    },
}
BORIS_OLD = """Observation id,first,,,
,,,,
Player #1,v/crow.avi,,,
Time,Media file path,Total length,FPS,Subject,Behavior,Comment,Modifiers,Status
3.3,v/crow.avi,60.0,25.0,he,sits,,,START
3.9,v/crow.avi,60.0,25.0,she,sits,,,START
7.75,v/crow.avi,60.0,25.0,he,sits,,,STOP
9.0,v/crow.avi,60.0,25.0,she,sits,,,STOP
9.5,v/crow.avi,60.0,25.0,she,caws,,,POINT
"""
BORIS_AGGREGATED = (
    "Observation id\tMedia file\tTotal length\tSubject\tBehavior\tBehavior type\t"
    "Start (s)\tStop (s)\tDuration (s)\n"
    "o\tcrow.mp4\t60.0\tNo focal subject\tsits\tSTATE\t1.8\t8.125\t6.325\n"
    "o\tcrow.mp4\t60.0\tNo focal subject\tcaws\tPOINT\t32.825\t32.825\tNA\n"
)
VIA = {
    "project": {"pid": "__VIA_PROJECT_ID__", "vid_list": ["1"]},
    "config": {},
    "attribute": {
        "1": {
            "aname": "Activity",
            "anchor_id": "FILE1_Z2_XY0",
            "type": 4,
            "options": {"1": "Break Egg", "2": "Mix"},
        },
        "2": {"aname": "Object", "anchor_id": "FILE1_Z1_XY1", "type": 1, "options": {}},
    },
    "file": {"1": {"fid": 1, "fname": "Alioli.ogv", "type": 4, "src": "https://x/y"}},
    "view": {"1": {"fid_list": [1]}},
    "metadata": {
        "a": {"vid": "1", "flg": 0, "z": [2, 6.5], "xy": [], "av": {"1": "1"}},
        "b": {
            "vid": "1",
            "flg": 0,
            "z": [0.9],
            "xy": [2, 1, 1, 9, 9],
            "av": {"2": "E"},
        },
    },
}
STUDIO = [
    {
        "id": 1,
        "data": {"video": "/data/upload/1/park.mp4"},
        "annotations": [
            {"was_cancelled": True, "result": [{"value": {"choices": ["run"]}}]},
            {
                "result": [
                    {
                        "type": "timelinelabels",
                        "value": {
                            "ranges": [{"start": 26, "end": 50}],
                            "timelinelabels": ["jump"],
                        },
                    },
                    {"type": "choices", "value": {"choices": ["run"]}},
                    {"type": "rectanglelabels", "value": {"x": 1}},
                ]
            },
        ],
    }
]
FIFTYONE = {
    "classes": ["jump", "run"],
    "labels": {
        "park": [{"label": 1, "timestamps": [1.5, 2.0], "confidence": 0.5}],
        "pool": [{"label": 0, "support": [26, 50]}],
        "sea": None,
    },
}
CALTECH = """Caltech Behavior Annotator - Annotation File

Configuration file:
other o
attack a

S1:   start    end     type
-----------------------------
          1    250     other
        251    275     attack
"""
BENTO = """Bento annotation file
Movie file(s):  m.seq

Stimulus name:
Annotation start frame: 1
Annotation stop frame: 500
Annotation framerate: 25.000000

List of channels:
Ch1

List of annotations:
attack
mount

Ch1----------
>attack
Start\tStop\tDuration
26\t50\t25
3.000000\t4.500000\t1.500000

>mount
Start\tStop\tDuration

"""
EDL = """TITLE: park
FCM: NON-DROP FRAME

001  001      V     C        00:00:01:00 00:00:01:01 00:00:01:00 00:00:01:01
note |C:ResolveColorBlue |M:jump |D:25

002  AX       V     C        00:00:05:00 00:00:06:05 00:00:05:00 00:00:06:05
* FROM CLIP NAME: run
"""
SIMBA = """,Ear_x,Ear_y,Ear_p,Low_prob_detections_0.1,Attack,Sniffing
0,1.5,2.5,0.9,0,0,1
1,1.5,2.5,0.9,1,1,1
2,1.5,2.5,0.9,0,1.0,0
"""
PREDICTED = """,Nose_x,Probability_Attack,Attack,Probability_Sniffing,Sniffing
0,3,0.9,1,0.2,0
1,3,0.1,0,0.2,0
"""
ETHOGRAM = ",background,Attack\n0,0,1\n1,0,1\n2,1,0\n3,0,1\n"
VTT = """WEBVTT - by hand
Kind: captions

STYLE
::cue { color: lime }

NOTE a remark --
in two lines

first
00:01.000 --> 00:02.500 align:start
<c.loud>jump</c> &amp; run

01:00:00.000 --> 01:00:01.000
Tom <i>waves</i>
"""
SRT = "1\r\n00:00:01,000 --> 00:00:02,5\r\n{\\an8}<b>jump</b>\r\nhigh\r\n\r\n"
AUDITION = (
    "Name\tStart\tDuration\tTime Format\tType\tDescription\n"
    "jump\t0:01.000\t0:01.500\tdecimal\tCue\t\n"
    "tick\t1:00:00.250\t0:00.000\tdecimal\tCue\t\n"
)


def seg(label, start_s, end_s):
    return Instance(label, Segment(start_s, end_s))


FILES = {
    "a.eaf": (EAF, "elan", {"cage 3": [seg("rears", 1.5, 2.75)]}),
    "a.xml": (CVAT, "cvat", {"park": [seg("jump", 0.4, 1.4), seg("jump", 2.0, 2.04)]}),
    "a.boris": (
        json.dumps(BORIS),
        "boris",
        {
            "a": [seg("sleeps", 1.5, 3.0), seg("sleeps", 2.5, 4.5)],
            "b": [Point("peck", 2.25)],
            "live": [Point("peck", 1.0)],
        },
    ),
    "old.csv": (
        BORIS_OLD,
        "boris-table",
        {"crow": [seg("sits", 3.3, 7.75), seg("sits", 3.9, 9.0), Point("caws", 9.5)]},
    ),
    "new.tsv": (
        BORIS_AGGREGATED,
        "boris-table",
        {"crow": [seg("sits", 1.8, 8.125), Point("caws", 32.825)]},
    ),
    "via.json": (json.dumps(VIA), "via3", {"Alioli": [seg("Break Egg", 2.0, 6.5)]}),
    "ls.json": (json.dumps(STUDIO), "label-studio", {"park": [seg("jump", 1, 2)]}),
    "fo.json": (
        json.dumps(FIFTYONE),
        "fiftyone",
        {"park": [seg("run", 1.5, 2)], "pool": [seg("jump", 1, 2)], "sea": []},
    ),
    "c.txt": (CALTECH, "caltech", {"c": [seg("attack", 10.0, 11.0)]}),
    "b.annot": (
        BENTO,
        "caltech",
        {"b": [seg("attack", 1.0, 2.0), seg("attack", 3.0, 4.5)]},
    ),
    "e.edl": (EDL, "edl", {"park": [seg("jump", 1, 2), seg("run", 5, 6.2)]}),
    "s.csv": (
        SIMBA,
        "simba",
        {"s": [seg("Attack", 0.04, 0.12), seg("Sniffing", 0.0, 0.08)]},
    ),
    "p.csv": (PREDICTED, "simba", {"p": [seg("Attack", 0.0, 0.04)]}),
    "d.csv": (
        ETHOGRAM,
        "deepethogram",
        {"d": [seg("Attack", 0.0, 0.08), seg("Attack", 0.12, 0.16)]},
    ),
    "w.vtt": (
        VTT,
        "vtt",
        {"w": [seg("jump & run", 1, 2.5), seg("Tom waves", 3600, 3601)]},
    ),
    "w.srt": (SRT, "srt", {"w": [seg("jump high", 1.0, 2.5)]}),
    "n.txt": (
        "1.5\t2.25\tjump\n\\\t100\t200\n3\t3\ttick\n",
        "audacity",
        {"n": [seg("jump", 1.5, 2.25), Point("tick", 3.0)]},
    ),
    "jump_val.txt": (
        "video_a  1.5 2.0\nb c.mp4 3 4\n",
        "thumos",
        {"video_a": [seg("jump", 1.5, 2.0)], "b c": [seg("jump", 3.0, 4.0)]},
    ),
    "m.csv": (
        AUDITION,
        "audition",
        {"m": [seg("jump", 1.0, 2.5), Point("tick", 3600.25)]},
    ),
}
COUNTS_FRAMES = {"a.xml", "ls.json", "fo.json", "c.txt", "e.edl", "s.csv", "p.csv"}
COUNTS_FRAMES |= {"d.csv"}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["plain", "with a mark"])
def test_files_of_other_programs(tmp_path, name, mark):
    text, format_name, expected = FILES[name]
    path = tmp_path / name
    path.write_text(mark + text, encoding="utf-8", newline="")
    assert format_of_file(path).name == format_name
    found = read_foreign(path, BY_NAME[format_name], 25.0)
    marks = {v.id: [*v.instances, *v.points] for v in found.videos.values()}
    assert marks == expected
    if name in COUNTS_FRAMES:
        with pytest.raises(AnnotationError, match=r"acmnet convert .* --fps RATE$"):
            read_annotations(path)
    else:
        assert read_annotations(path).videos == found.videos
        assert read_leniently(path).annotations.videos == found.videos


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("a.eaf", "1 tier that depend on another tier, not read: 'notes'"),
        ("a.eaf", "1 annotation not aligned with time, not read"),
        ("via.json", "1 region in pictures, not read"),
        ("ls.json", "1 region that are neither timeline labels nor choices"),
        ("s.csv", "4 columns not read as behaviours: 'Ear_x', 'Ear_y', 'Ear_p'"),
    ],
)
def test_what_is_not_read_is_said(tmp_path, name, words):
    text, format_name, _ = FILES[name]
    path = tmp_path / name
    path.write_text(text)
    notes = read_foreign(path, BY_NAME[format_name], 25.0).notes
    assert any(words in note and str(path) in note for note in notes)


def test_durations_subsets_names_and_classes(tmp_path):
    for name, (text, *_) in FILES.items():
        (tmp_path / name).write_text(text)

    def read(name):
        return read_foreign(tmp_path / name, BY_NAME[FILES[name][1]], 25.0)

    assert read("a.boris").videos["b"].duration_s == 8.0
    assert read("old.csv").videos["crow"].duration_s == 60.0
    assert read("b.annot").videos["b"].duration_s == 20.0
    assert read("b.annot").class_names == ("attack", "mount")
    assert read("s.csv").videos["s"].duration_s == 0.12
    assert read("a.xml").class_names == ("jump", "run")
    assert read("jump_val.txt").videos["b c"].subset == "validation"
    assert read("ls.json").videos["park"].labels == ("jump", "run")


def test_a_folder_has_a_file_for_each_class_or_video(tmp_path):
    (tmp_path / "jump_val.txt").write_text("a 1 2\nb 3 4\n")
    (tmp_path / "run_val.txt").write_text("a 5 6\n")
    (tmp_path / "Ambiguous_val.txt").write_text("a 7 8\n")
    (tmp_path / "README.md").write_text("no labels")
    found = read_annotations(tmp_path)
    assert found.class_names == ("jump", "run")
    assert found.videos["a"].instances == (seg("jump", 1, 2), seg("run", 5, 6))
    assert any("evaluation ignores" in note for note in found.notes)
    (tmp_path / "c.srt").write_text(SRT)
    with pytest.raises(
        AnnotationError, match="files of several formats, 'thumos', 'srt'"
    ):
        read_annotations(tmp_path)


BOMB = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>'
OUTSIDE = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
DTD = '<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd">'


@pytest.mark.parametrize("doctype", [BOMB, OUTSIDE, DTD])
@pytest.mark.parametrize("name", ["a.eaf", "a.xml"])
def test_xml_does_not_reach_outside_nor_grow(tmp_path, name, doctype):
    text, format_name, _ = FILES[name]
    head, _, rest = text.partition("?>")
    path = tmp_path / name
    path.write_text(f"{head}?>{doctype}{rest.replace('jump', '&b;')}")
    message = r"line 1: a document type declaration .* is not read.*remove it$"
    with pytest.raises(AnnotationError, match=message):
        read_foreign(path, BY_NAME[format_name], 25.0)


BROKEN = [
    ("a.eaf", ("</TIME_ORDER>", ""), "no well-formed XML: mismatched tag in line"),
    ("a.eaf", ('"1500"', '"NaN"'), r"line 7: TIME_VALUE must be whole milliseconds"),
    ("a.eaf", ('REF1="ts1"', 'REF1="ts9"'), "time slot 'ts9', which the file does not"),
    ("a.eaf", ('REF1="ts1"', 'REF1="ts2"'), r"must end after it starts, got \[2.75"),
    ("a.eaf", ("></ANNOTATION_VALUE", ">a\nb</ANNOTATION_VALUE"), "holds a line break"),
    ("a.xml", ('frame="10"', 'frame="ten"'), "line 7: frame must be the number of a f"),
    ("a.xml", ("<track id", "<image id"), "no well-formed XML|for images"),
    ("a.xml", (' label="jump"', ""), "<track> has no attribute label"),
    ("a.boris", ('"events"', '"evnts"'), "observation 'two files': events must be a l"),
    ("a.boris", ("1.5, ", "NaN, "), "'observations', 'two files', 'events'.*no finite"),
    (
        "a.boris",
        ('[3.0, "", "sleeps", "", ""], ', ""),
        "starts at 1.5 s and does not s",
    ),
    (
        "a.boris",
        ('"C:\\\\bird\\\\a.mp4": 10.0, ', ""),
        "the length of video 'a' is not",
    ),
    ("old.csv", ("3.3,", "later,"), "line 5: the time must be a finite number"),
    ("old.csv", ("STOP", "HALT"), "line 7: the type of an event must be START, STOP"),
    (
        "old.csv",
        ("7.75,v/crow.avi,60.0,25.0,he", "1,v,6,2,it"),
        "'sits' stops at 1 s bu",
    ),
    ("new.tsv", ("8.125", "1.0"), r"line 2: an action must end after it starts"),
    ("via.json", ("[2, 6.5]", "[2, Infinity]"), "no finite number"),
    ("via.json", ("[2, 6.5]", '["x", 6.5]'), "metadata 'a': z must be a finite number"),
    ("via.json", ('"vid": "1"', '"vid": "7"'), "metadata 'a': vid must name a view"),
    ("via.json", ('"fid_list": [1]', '"fid_list": []'), "view '1': fid_list must name"),
    ("ls.json", ('"start": 26', '"start": 2.5'), "task 0, result 0: start must be the"),
    ("ls.json", ('"data"', '"date"'), "task 0 must be an object with 'data'|database"),
    (
        "fo.json",
        ('"label": 1', '"label": 9'),
        "one of 2 classes, counted from 0, got 9",
    ),
    ("fo.json", ("[26, 50]", "[26]"), "video 'pool', detection 0: support must be two"),
    ("c.txt", ("275     attack", "attack"), "line 10: a bout has three columns"),
    (
        "b.annot",
        ("25.000000", "nought"),
        "line 7: the frame rate must be a number above",
    ),
    (
        "e.edl",
        ("01:01 00:00:01:00", "01:01 00:00:01;00"),
        "line 4: .*drop-frame time code",
    ),
    ("e.edl", ("FCM: NON-DROP", "FCM: DROP"), "line 2: drop-frame time codes are not"),
    ("e.edl", ("* FROM CLIP NAME: run", ""), "line 7: no line below names this event"),
    ("s.csv", ("0,1.5,2.5,0.9,0,0,1", "0,1.5"), "line 2: a row needs 7 cells, got 2"),
    (
        "s.csv",
        (",0,0,1\n", ",0,0,nan\n"),
        "line 2: 'Sniffing' must be a number, got 'n",
    ),
    ("p.csv", (",1,0.2", ",7,0.2"), "nothing but 0 and 1, but 'Attack' holds other"),
    ("w.vtt", ("01:00:00.000 -->", "soon -->"), "line 14: a cue needs times such as"),
    (
        "w.srt",
        ("<b>jump</b>\r\nhigh", ""),
        "the action must be named by a text, got ''",
    ),
    ("n.txt", ("2.25", "inf"), "line 1: end must be a finite number of seconds"),
    ("n.txt", ("1.5\t2.25\t", "1.5 2.25 "), "line 1: a label is start, end and text"),
    (
        "jump_val.txt",
        ("1.5 2.0", "2.0 1.5"),
        "line 1: an action must end after it star",
    ),
    ("m.csv", ("0:01.000", "00:00:01:12"), "line 2: a time must be decimal"),
]


@pytest.mark.parametrize(("name", "change", "message"), BROKEN)
def test_broken_files_are_refused_in_one_sentence(tmp_path, name, change, message):
    text, format_name, _ = FILES[name]
    assert change[0] in text
    path = tmp_path / name
    path.write_text(text.replace(*change, 1), newline="")
    with pytest.raises(AnnotationError, match=message) as caught:
        read_foreign(path, BY_NAME[format_name], 25.0)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def refusal(path, file_format):
    """Return why a file is refused; empty if it is not."""
    try:
        found = read_foreign(path, file_format, 25.0)
    except AnnotationError as error:
        return str(error)
    assert not any(v.instances for v in found.videos.values())
    return ""


@pytest.mark.parametrize("file_format", FORMATS[2:], ids=lambda x: x.name)
def test_any_bytes_are_read_or_refused(tmp_path, file_format):
    path = tmp_path / f"x{file_format.suffixes[0]}"
    for data in (
        *(b"", b"\x00\x01\x02" * 50, b"\xff\xfe\x00\xd8", b"{", b"<a", b"<a></a>"),
        *(b"a,b\n1", b"\x81" * 9, b"[1]", b"{}", b"[" * 200, "Käfer".encode("cp850")),
    ):
        path.write_bytes(data)
        sentence = refusal(path, file_format)
        assert not sentence or str(path) in sentence, data
        assert "\n" not in sentence


@pytest.mark.parametrize("name", FILES)
def test_a_file_cut_anywhere_is_read_or_refused(tmp_path, name):
    text, format_name, _ = FILES[name]
    path = tmp_path / name
    for part in (1, 2, 3):
        path.write_text(text[: len(text) * part // 4], newline="")
        try:
            read_foreign(path, BY_NAME[format_name], 25.0)
        except AnnotationError as error:
            sentence = str(error)
        else:
            sentence = str(path)
        assert str(path) in sentence
