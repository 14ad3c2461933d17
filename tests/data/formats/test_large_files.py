"""Large malformed files are refused, and reading them takes little memory."""

import tracemalloc

import pytest

from acmnet.data.annotations import AnnotationError
from acmnet.data.label_files import read_annotations

SIZE = 200_000
"""Characters of a file. By hand, files of 100 MB were read (docs/formats.md)."""
MOST = {"a.json": 12, "b.csv": 40}
"""Memory that reading may take, divided by the size of the file: 10 where nothing else
is said. JSON and tables take more where each short row is a video of its own."""
FILES = {
    "a.json": (
        '{"database":{',
        '"v%d":{"duration":9.0,"annotations":[{"label":"run","segment":[1.0,2.5]}]},',
        "",
    ),
    "b.csv": ("video,label,start,end\n", "v%d,run,1.0,2.5\n", "v,run,nan,2\n"),
    "c.srt": ("", "%d\n00:00:01,000 --> 00:00:02,500\nrun\n\n", "x\n00:00:nan --> 1\n"),
    "d.vtt": (
        "WEBVTT\n\n",
        "%d\n00:00:01.000 --> 00:00:02.500\nrun\n\n",
        "00:00:nan --> 1\n",
    ),
    "e.eaf": (
        '<?xml version="1.0"?><ANNOTATION_DOCUMENT><HEADER/><TIME_ORDER>',
        '<TIME_SLOT TIME_SLOT_ID="t%d" TIME_VALUE="5"/>',
        "",
    ),
    "f.boris": (
        '{"project_format_version":"7.0","observations":{"o":{"events":[',
        '[%d.5,"","run","","",""],',
        "",
    ),
    "h.txt": ("", "%d.0\t999999.5\trun\n", "nan\t1\trun\n"),
    "i.xml": (
        '<?xml version="1.0"?><annotations><version>1.1</version>',
        '<track id="%d" label="run"><box frame="1" outside="0"/></track>',
        "",
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_a_malformed_file_takes_little_memory(name, tmp_path):
    head, row, tail = FILES[name]
    rows = (row % index for index in range(1, SIZE // len(row)))
    path = tmp_path / name
    path.write_text(head + "".join(rows) + tail)
    tracemalloc.start()
    try:
        with pytest.raises(AnnotationError, match=name):
            read_annotations(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    ratio = peak / path.stat().st_size
    assert ratio < MOST.get(name, 10)
