"""Large malformed files are refused, and reading them takes little memory."""

import tracemalloc

import pytest

from acmnet.data.detections.detection_files import DetectionFileError, read_detections
from acmnet.data.formats import mark_list
from acmnet.data.formats.format_table import OWN, format_of_file
from acmnet.data.formats.reading import read_foreign
from acmnet.data.label_files import read_annotations
from acmnet.data.labels.annotations import AnnotationError
from acmnet.data.labels.tables import label_tables

SIZE = 200_000
"""Characters of a file. By hand, files of 100 MB were read (docs/formats.md)."""
MOST = 10
"""Memory that reading may take, divided by the size of the file."""
XML = '<?xml version="1.0"?>'
VIA = (
    '{"project":{},"config":{},"attribute":{"1":{"anchor_id":"FILE1_Z2_XY0","options":'
    '{"1":"run"}}},"file":{"1":{"fname":"a.mp4"}},"view":{"1":{"fid_list":[1]}},'
    '"metadata":{'
)
STUDIO = '[{"data":{"video":"a.mp4"},"annotations":[{"result":['
BORIS = "Observation id,Media file,Behavior,Behavior type,Start (s),Stop (s)\n"
FILES = {
    "json/a.json": (
        '{"database":{',
        '"v_%011d":{"annotations":[{"label":"run","segment":[1.0,2.5]}]},',
        "",
    ),
    "one video/a.json": (
        '{"database":{"v":{"annotations":[',
        '{"label":"run","segment":[%d.5,99999.5]},',
        '{"label":"run","segment":[NaN,2]}]}}}',
    ),
    "csv/a.csv": ("video,label,start,end\n", "v_%011d,run,1.0,2.5\n", "v,run,nan,2\n"),
    "names/a.csv": ("video,labels\n", "v_%011d,run|sit\n", "v,run|,\n"),
    "one video/a.csv": (
        "video,label,start,end\n",
        "v,run,%d.5,99999.5\n",
        "v,run,nan,2\n",
    ),
    "a.srt": ("", "%d\n00:00:01,000 --> 00:00:02,500\nrun\n\n", "x\n00:00:nan --> 1\n"),
    "a.vtt": (
        "WEBVTT\n\n",
        "%d\n00:00:01.000 --> 00:00:02.500\nrun\n\n",
        "00:00:nan --> 1\n",
    ),
    "slots/a.eaf": (
        f"{XML}<ANNOTATION_DOCUMENT><HEADER/><TIME_ORDER>",
        '<TIME_SLOT TIME_SLOT_ID="t%d" TIME_VALUE="5"/>',
        "",
    ),
    "tiers/a.eaf": (
        f'{XML}<ANNOTATION_DOCUMENT><TIME_SLOT TIME_SLOT_ID="a" TIME_VALUE="5"/>'
        '<TIME_SLOT TIME_SLOT_ID="b" TIME_VALUE="9"/><TIER TIER_ID="x">',
        '<ALIGNABLE_ANNOTATION ANNOTATION_ID="%d" TIME_SLOT_REF1="a" '
        'TIME_SLOT_REF2="b"><ANNOTATION_VALUE>run</ANNOTATION_VALUE>'
        "</ALIGNABLE_ANNOTATION>",
        "",
    ),
    "a.boris": (
        '{"project_format_version":"7.0","observations":{"o":{"events":[',
        '[%d.5,"","run","","",""],',
        "",
    ),
    "boris/a.csv": (BORIS, "o,v_%011d,run,STATE,1.0,2.5\n", "o,v,run,STATE,nan,2\n"),
    "audacity/a.txt": ("", "%d.0\t99999.5\trun\n", "nan\t1\trun\n"),
    "thumos/a.txt": ("", "v_%011d 1.0 2.5\n", "v nan 2.0\n"),
    "a.annot": (
        "Bento annotation file\nAnnotation framerate: 25\n\n>run\n",
        "%d\t9999999\t3\n",
        "nan\t2\t3\n",
    ),
    "frames/a.csv": ("frame,run,sit\n", "%d,0,1\n0,1,0\n", "9,nan,0\n"),
    "cvat/a.xml": (
        f"{XML}<annotations><version>1.1</version>",
        '<track id="%d" label="run"><box frame="1" outside="0"/></track>',
        "",
    ),
    "via3/a.json": (
        VIA,
        '"k%d":{"vid":"1","flg":0,"z":[1.5,6.5],"xy":[],"av":{"1":"1"}},',
        '"x":{"vid":"1","flg":0,"z":[NaN,6.5],"xy":[],"av":{"1":"1"}}}}',
    ),
    "studio/a.json": (
        STUDIO,
        '{"id":"%d","type":"timelinelabels","value":{"ranges":[{"start":1,"end":5}],'
        '"timelinelabels":["run"]}},',
        '{"value":{"ranges":[{"start":NaN}],"timelinelabels":["run"]}}]}]}]',
    ),
    "fiftyone/a.json": (
        '{"classes":["run"],"labels":{',
        '"v_%011d":[{"label":0,"timestamps":[1.0,2.5]}],',
        '"x":[{"label":0,"timestamps":[NaN,2.5]}]}}',
    ),
    "a.edl": (
        "TITLE: a\n",
        "%03d  AX V C 00:00:01:00 00:00:02:00 00:00:01:00 00:00:02:00\n"
        "|C:ResolveColorBlue |M:run |D:25\n",
        "001  AX V C 00:00:01:00 00:00:02:00 00:00:01:00 00:00:02:00\n",
    ),
    "audition/a.csv": (
        "Name\tStart\tDuration\tTime Format\tType\tDescription\n",
        "run%d\t0:01.500\t0:02.500\tdecimal\tCue\t\n",
        "run\tnan\t1\t\t\t\n",
    ),
    "results/found.json": (
        '{"results":{',
        '"v_%011d":[{"label":"run","score":0.5,"segment":[1.0,2.5]}],',
        '"x":[{"label":"run","score":NaN,"segment":[1.0,2.5]}]}}',
    ),
    "results/found.csv": (
        "video,label,start,end,score\n",
        "v_%011d,run,1.000,2.500,0.5\n",
        "v,run,nan,2,1\n",
    ),
}
"""The start, the rows and the end of files of each format, none of which is whole."""


def read(path):
    if path.stem == "found":
        read_detections(path)
    file_format = format_of_file(path)
    if file_format in OWN:
        read_annotations(path)
    else:
        read_foreign(path, file_format, fps=25.0)


@pytest.mark.parametrize("name", FILES)
def test_a_malformed_file_takes_little_memory(name, tmp_path):
    head, row, tail = FILES[name]
    rows = (row % index for index in range(1, SIZE // len(row % 1000)))
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(head + "".join(rows) + tail)
    tracemalloc.start()
    try:
        with pytest.raises((AnnotationError, DetectionFileError), match=path.name):
            read(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < MOST * path.stat().st_size


def test_a_text_file_may_not_have_any_number_of_videos_or_marks(tmp_path, monkeypatch):
    monkeypatch.setattr(label_tables, "MOST_VIDEOS_OF_TEXT", 2)
    table = tmp_path / "labels.csv"
    table.write_text("video,labels\na,x\nb,x\nc,x\n")
    with pytest.raises(AnnotationError, match=r"line 4: .* videos, .* Parquet file"):
        read_annotations(table)
    monkeypatch.setattr(mark_list, "MOST_MARKS", 2)
    track = tmp_path / "mouse.txt"
    track.write_text("1\t2\trun\n2\t3\trun\n3\t4\trun\n")
    with pytest.raises(AnnotationError, match=r"line 3: .* 2 segments and points"):
        read_annotations(track)
