"""Excel workbooks: their first sheet is read as if it had been saved as a CSV."""

import datetime
import io
import os
import resource
import zipfile

import openpyxl
import pytest

from acmnet.data.checks.lenient_reading import read_leniently
from acmnet.data.label_files import read_annotations
from acmnet.data.labels.annotations import AnnotationError, Instance
from acmnet.data.tables import workbooks
from acmnet.data.tables.workbooks import WorkbookError, first_sheet
from acmnet.data.tracks.track_files import read_tracks
from acmnet.data.tracks.tracks import TrackError
from acmnet.data.video_groups import read_groups
from acmnet.limits import LARGEST_TEXT_BYTES
from acmnet.segments import Segment


def workbook(**sheets):
    """Return a workbook whose sheets have these rows."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    return book


def content(book):
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def write(tmp_path, book, name="labels.xlsx"):
    path = tmp_path / name
    path.write_bytes(content(book))
    return path


LABELS = [
    ["Datei", "Klasse", "Anfang", "Ende"],
    ["Käfer.mp4", "läuft", 1.5, 2],
    [],
    [7, "springt"],
    ["straße.mp4", None],
]


def test_labels_are_read_from_a_workbook(tmp_path):
    found = read_annotations(write(tmp_path, workbook(Tabelle1=LABELS)))
    assert {x.id: x.labels for x in found.videos.values()} == {
        "Käfer": ("läuft",),
        "7": ("springt",),
        "straße": (),
    }
    assert found.videos["Käfer"].instances == (Instance("läuft", Segment(1.5, 2.0)),)
    (note,) = found.notes
    assert "read as sheet 'Tabelle1' of an Excel workbook, with the columns" in note


def test_a_workbook_is_recognised_by_its_content(tmp_path):
    """A colleague's file may have lost its suffix or have that of a CSV."""
    book = workbook(a=LABELS)
    for name in ("labels.csv", "labels"):
        assert len(read_annotations(write(tmp_path, book, name)).videos) == 3


def test_the_first_visible_sheet_with_cells_is_read():
    book = workbook(lists=[["x"]], empty=[[]], Labels=LABELS, notes=[["y"]])
    book["lists"].sheet_state = "hidden"
    sheet = first_sheet("a.xlsx", content(book))
    assert sheet.text.startswith("Datei,Klasse,")
    assert sheet.read_as == "sheet 'Labels', one of 3, of an Excel workbook"


def test_messages_name_the_row_that_a_person_sees(tmp_path):
    rows = [*LABELS, ["a\nb.mp4", "x"], ["c", "x", 3, 2]]
    path = write(tmp_path, workbook(a=rows))
    with pytest.raises(
        AnnotationError, match=r"labels\.xlsx, line 7: the segment must"
    ):
        read_annotations(path)
    (finding, _) = read_leniently(path).findings
    assert "line 7" in finding.sentence


@pytest.mark.parametrize(
    ("value", "number_format", "text"),
    [
        (12, "General", "12"),
        (12.0, "0.00", "12"),
        (0.1, "General", "0.1"),
        (-3.25, "General", "-3.25"),
        (7, "000", "007"),
        (True, "General", "TRUE"),
        (datetime.date(2026, 3, 2), "yyyy-mm-dd", "2026-03-02"),
        (
            datetime.datetime(2026, 3, 2, 1, 5),
            "yyyy-mm-dd hh:mm",
            "2026-03-02 01:05:00",
        ),
        (datetime.time(1, 5), "h:mm", "01:05:00"),
        ("two\r\nlines", "General", "two lines"),
        ('say "x", y', "General", '"say ""x"", y"'),
    ],
)
def test_cells_are_written_as_a_spreadsheet_shows_them(value, number_format, text):
    book = workbook(a=[["x", value]])
    book["a"]["B1"].number_format = number_format
    assert first_sheet("a.xlsx", content(book)).text == f"x,{text}\r\n"


def test_results_of_formulas_are_read():
    """As a spreadsheet program saves them; openpyxl itself computes nothing."""
    data = content(workbook(a=[["video", "labels"], ["a", '="ru"&"n"']]))
    with pytest.raises(WorkbookError, match=r"formula in cell B2 was not saved; open"):
        first_sheet("a.xlsx", data)
    held = zipfile.ZipFile(io.BytesIO(data))
    saved = io.BytesIO()
    with zipfile.ZipFile(saved, "w") as file:
        for name in held.namelist():
            part = held.read(name)
            if name == "xl/worksheets/sheet1.xml":
                part = part.replace(b'<c r="B2">', b'<c r="B2" t="str">')
                part = part.replace(b"<v></v>", b"<v>run</v>").replace(
                    b"<v />", b"<v>run</v>"
                )
            file.writestr(name, part)
    assert first_sheet("a.xlsx", saved.getvalue()).text.splitlines()[1] == "a,run"


def test_groups_are_read_from_a_workbook(tmp_path):
    rows = [["video", "group"], ["a.mp4", 1], ["b.mp4", 2]]
    path = write(tmp_path, workbook(a=rows), "groups.xlsx")
    groups = read_groups(str(path), tmp_path / "labels.csv", ["a", "b"])
    assert groups.group_of == {"a": "1", "b": "2"}


def test_files_of_other_programs_are_read_from_a_workbook(tmp_path):
    """BORIS exports its aggregated events as one, too."""
    header = ["Observation id", "Media file", "Behavior", "Behavior type"]
    rows = [
        [*header, "Start (s)", "Stop (s)"],
        ["first", "cage.mp4", "groom", "STATE", 1.25, 3],
    ]
    found = read_annotations(write(tmp_path, workbook(Events=rows)))
    assert found.videos["cage"].instances == (Instance("groom", Segment(1.25, 3.0)),)


def test_tracks_are_read_from_a_workbook(tmp_path):
    rows = [["time_s", "nose_x", "nose_y"], [0.0, 1.5, 2], [0.5, "-", None]]
    tracks = read_tracks(write(tmp_path, workbook(Track=rows), "mouse.xlsx"))
    assert tracks.points == ("nose",)
    assert tracks.positions[0].ravel().tolist() == [1.5, 2.0]


@pytest.mark.parametrize(
    ("book", "words"),
    [
        (
            workbook(a=[["video", "#REF!"]]),
            "cell B1 holds #REF!, the error of a formula",
        ),
        (workbook(a=[[]], b=[[]]), "has no sheet with cells; fill its first sheet"),
    ],
)
def test_refused_cells(book, words):
    with pytest.raises(WorkbookError, match=rf"^a\.xlsx:? ?{words}"):
        first_sheet("a.xlsx", content(book))


def test_a_file_that_is_too_large_is_not_read_to_tell_its_format(tmp_path):
    """What begins like a workbook may be any archive, of any size."""
    path = tmp_path / "labels.xlsx"
    path.write_bytes(b"PK\x03\x04")
    os.truncate(path, LARGEST_TEXT_BYTES + 1)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(AnnotationError, match="holds more than 512 MiB, the most"):
        read_annotations(path)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert (after - before) * 2**10 < LARGEST_TEXT_BYTES / 4


def test_a_damaged_or_huge_workbook_is_refused(tmp_path, monkeypatch):
    data = content(workbook(a=LABELS))
    with pytest.raises(WorkbookError, match=r"only whole \.xlsx are read; save it as"):
        first_sheet("a.xlsx", data[:-100])
    start = data.index(b"xl/worksheets/sheet1.xml") + 30
    damaged = data[:start] + bytes(40) + data[start + 40 :]
    with pytest.raises(WorkbookError, match=r"a\.xlsx is no whole Excel workbook \("):
        first_sheet("a.xlsx", damaged)
    path = tmp_path / "tracks.xlsx"
    path.write_bytes(damaged)
    with pytest.raises(TrackError, match="no whole Excel workbook"):
        read_tracks(path)
    monkeypatch.setattr(workbooks, "LARGEST_TEXT_BYTES", 2**10)
    with pytest.raises(
        WorkbookError, match="holds more than 0 MiB when it is unpacked"
    ):
        first_sheet("a.xlsx", data)
