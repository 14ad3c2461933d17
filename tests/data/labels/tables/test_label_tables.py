"""Label files as spreadsheets save them: what is recognised, said, and refused."""

# ruff: noqa: RUF001 (letters of other alphabets are what some tests are about)

import contextlib
import csv
import io
import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from acmnet.data.checks.lenient_reading import read_leniently
from acmnet.data.label_files import read_annotations
from acmnet.data.labels.annotations import AnnotationError, Video
from acmnet.data.tables.csv_tables import unguarded
from acmnet.data.tables.text_encodings import EncodingError, decoded
from acmnet.limits import MOST_CLASSES
from acmnet.names import one_form

WORDS = [
    ("cp1252", "Käfer Straße läuft Ölung hören Ärger 50\xa0°C"),
    ("cp1252", "été Scène garçon naïve l’été «oui» Élan côté"),
    ("cp1252", "mañana árbol pelea niño acción"),
    ("cp1252", "João briga ação à pé"),
    ("cp1252", "løb på kæmpe Ærø"),
    ("cp1250", "łania ślizg żaba źle bójka"),
    ("cp1250", "kočka běží třída Řeka útěk"),
    ("cp1250", "őz fűtés verekedés üldözés"),
    ("cp1251", "драка кот Погоня_1 бежит ёж БОЙ"),
    ("cp1251", "їжак бійка втеча"),
    ("cp1253", "μάχη τρέξιμο Άλμα παιχνίδι ΑΛΜΑ"),
    ("cp1254", "kavga ağaç ışık düşme İtme"),
    ("cp1257", "ėjimas šokis bėgimas"),
    ("mac_roman", "Käfer Straße läuft"),
    ("mac_roman", "garçon été Scène"),
]
"""Words that people of one language each name videos and actions with."""


def read(tmp_path, data, name="labels.csv"):
    path = tmp_path / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return read_annotations(path)


def labels_of(annotations):
    return {video.id: video.labels for video in annotations.videos.values()}


@given(st.sampled_from(WORDS), st.data())
def test_no_encoding_is_guessed_silently(language, data):
    """However few words there are, they are read right, or refused, or doubted."""
    codec, words = language
    text = data.draw(st.sets(st.sampled_from(words.split()), min_size=1).map(";".join))
    with contextlib.suppress(EncodingError):
        found = decoded(text.encode(codec))
        assert found.text == text or found.doubt


@pytest.mark.parametrize(("codec", "words"), WORDS)
def test_encodings_are_told_by_words_of_one_language(codec, words):
    found = decoded(words.encode(codec))
    name = f"Windows-{codec[2:]}" if codec[:2] == "cp" else "Mac OS Roman"
    assert (found.text, found.encoding) == (words, name)


@pytest.mark.parametrize(
    ("text", "codec"),
    [
        pytest.param("Straße größer", "cp850", id="MS-DOS"),
        pytest.param("драка кот", "koi8-r", id="KOI8"),
        pytest.param("打架,追", "gbk", id="Chinese"),
        pytest.param("喧嘩,追う", "shift_jis", id="Japanese"),
    ],
)
def test_other_encodings_are_refused_with_the_menu_entry(tmp_path, text, codec):
    data = f"video,labels\na,{text}\n".encode(codec)
    menus = r'Excel, File > Save As > "CSV UTF-8 .*LibreOffice.*Google Sheets.*Numbers'
    with pytest.raises(AnnotationError, match=rf"labels\.csv is not UTF-8.*{menus}"):
        read(tmp_path, data)


def test_an_encoding_that_cannot_be_told_is_refused_with_both_readings(tmp_path):
    data = "video;label\nhören;x\n".encode("mac_roman")
    readings = r"may be Windows-1250 \('hšren'\) or Mac OS Roman \('hören'\)"
    with pytest.raises(AnnotationError, match=rf"{readings}, and nothing tells which;"):
        read(tmp_path, data)


def test_the_commonest_encoding_is_read_and_the_doubt_said(tmp_path):
    found = read(tmp_path, "video;labels\na;Scène\n".encode("cp1252"))
    assert found.class_names == ("Scène",)
    assert "'Scène' would be 'Scčne' in Windows-1250; if that" in found.notes[1]


FORMS = {
    "UTF-8": ("utf-8", ""),
    "UTF-8 with a mark": ("utf-8-sig", ""),
    "UTF-16 of Windows": ("utf-16", "UTF-16"),
    "UTF-16, big end first": ("utf-16-be", "UTF-16"),
    "UTF-16 without a mark": ("utf-16-le", "UTF-16"),
}

cells = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp"]), min_size=1
).map(one_form)
names = cells.map(lambda x: x.strip().replace("/", "-").replace("\\", "-"))
names = names.filter(lambda x: bool(x) and "." not in x and unguarded(x) == x)
label = cells.map(lambda x: x.replace("|", "-").strip())
label = label.filter(lambda x: bool(x) and unguarded(x) == x)
numbers = st.floats(0, 1e7).map(lambda x: round(x, 3))
tables = st.dictionaries(
    names,
    st.tuples(st.lists(label, max_size=3, unique=True), st.none() | numbers),
    min_size=1,
    max_size=5,
)


@given(
    tables,
    st.sampled_from(sorted(FORMS)),
    st.sampled_from(",;\t"),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.booleans(),
    st.integers(0, 3),
)
def test_a_table_is_read_back_from_each_dialect(
    tmp_path_factory, table, form, separator, line_end, declared, blank
):
    """Whatever the names, with blank rows and columns at the end."""
    codec, said = FORMS[form]
    comma = separator != ","
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=separator, lineterminator=line_end)
    if declared:
        text.write(f"sep={separator}{line_end}")
    writer.writerow(["Video", " LABELS ", "duration"] + [""] * blank)
    for name, (labels, duration) in table.items():
        number = "" if duration is None else f"{duration}"
        number = number.replace(".", ",") if comma else number
        writer.writerow([name, "|".join(labels), number] + [""] * blank)
    writer.writerows([[""] * (3 + blank)] * blank)
    data = text.getvalue().encode(codec)
    if codec == "utf-16-be":
        data = b"\xfe\xff" + data
    found = read(tmp_path_factory.mktemp("table"), data)
    assert found.videos == {
        name: Video(
            id=name,
            subset=None,
            duration_s=duration,
            labels=tuple(sorted(set(labels))),
            instances=(),
        )
        for name, (labels, duration) in table.items()
    }
    notes = " ".join(found.notes)
    assert ("semicolon-separated" in notes) == (separator == ";")
    assert ("tab-separated" in notes) == (separator == "\t")
    assert ("UTF-16" in notes) == bool(said)
    assert bool(notes) == bool(said or comma)


def test_what_was_recognised_is_said_in_one_note(tmp_path):
    text = "sep=;\r\nDatei; Verhalten ;Länge [s];Beobachter;\r\n"
    text += "Käfer.MP4;läuft;12,5;Ann;\r\n;;;;\r\nb.avi;;;;\r\n;;;;\r\n"
    found = read(tmp_path, text.encode("cp1252"))
    assert found.videos == {
        "Käfer": Video(
            id="Käfer", subset=None, duration_s=12.5, labels=("läuft",), instances=()
        ),
        "b": Video(id="b", subset=None, duration_s=None, labels=(), instances=()),
    }
    form, unused = found.notes
    assert form == (
        f"{tmp_path / 'labels.csv'}: read as semicolon-separated, Windows-1252, with "
        "decimal commas, with the columns 'Datei' for video, 'Verhalten' for labels, "
        "'Länge [s]' for duration"
    )
    assert unused.endswith("1 column not read as labels or times: 'Beobachter'")


@pytest.mark.parametrize(
    "header",
    [
        *("video,labels", "Video,Labels", "filename,label", "File,Behaviour"),
        *("file name,behavior", "video_id,class", "name,action", "VIDEO ID,Actions"),
        *("labels,video", "name,video,labels", "id,file,labels", "Vidéo,Comportement"),
    ],
)
def test_headers_by_many_names(tmp_path, header):
    place = {"name": "x", "id": "7"}
    columns = [x.strip().casefold() for x in header.split(",")]
    weak = len(columns) == 3
    row = [
        place[x] if weak and x in place else "jump" if x[0] in "lbac" else "a.mp4"
        for x in (x.replace("class", "label").replace("comp", "b") for x in columns)
    ]
    found = read(tmp_path, f"{header}\n{','.join(row)}\n")
    assert labels_of(found) == {"a": ("jump",)}
    plain = header.casefold() in ("video,labels", "labels,video")
    assert bool(found.notes) != plain


def test_one_row_a_label_is_put_together_and_said(tmp_path):
    text = "video,behaviour,split\na.mp4,run,\nb.mp4,run,test\na.mp4,jump,train\n"
    found = read(tmp_path, text)
    assert labels_of(found) == {"a": ("jump", "run"), "b": ("run",)}
    assert found.videos["a"].subset == "train"
    assert (
        "1 video with several rows, whose labels are put together: 'a'"
        in (found.notes[-1])
    )


def test_the_file_is_taken_of_a_path_and_that_is_said(tmp_path):
    text = "video,labels\nC:\\videos\\a.mp4,run\nfolder/b.mp4,jump\nc,\n"
    found = read(tmp_path, text)
    assert list(found.videos) == ["a", "b", "c"]
    (note,) = found.notes
    assert "2 rows with the path of a video: the file's name is taken, such as 'a'" in (
        note
    )


def test_a_blank_last_cell_may_be_missing(tmp_path):
    """As Excel writes a sheet whose last column has many blank cells."""
    found = read(tmp_path, "video;labels;subset\na;run;test\nb.mp4\nc;jump\n")
    assert labels_of(found) == {"a": ("run",), "b": (), "c": ("jump",)}


def test_doubtful_labels_stay_whole(tmp_path):
    found = read(tmp_path, 'video,labels\na,chase; fight\nb,"run, fast"\n')
    assert found.class_names == ("chase; fight", "run, fast")


@pytest.mark.parametrize(
    ("start", "name"),
    [
        pytest.param(b"PK\x03\x04\x14\0", "labels.xlsx", id="Excel"),
        pytest.param(b"PK\x03\x04\x14\0", "labels.csv", id="Excel, renamed"),
        pytest.param(b"PK\x03\x04\x14\0", "labels.ods", id="LibreOffice"),
        pytest.param(b"PK\x03\x04\x14\0", "labels.numbers", id="Numbers"),
        pytest.param(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "labels.xls", id="old Excel"),
    ],
)
def test_a_spreadsheets_own_file_is_refused(tmp_path, start, name):
    says = rf"{name} is a spreadsheet's own.*; save it as \.xlsx or as CSV: in Excel"
    with pytest.raises(AnnotationError, match=says):
        read(tmp_path, start + bytes(range(256)), name)
    (finding,) = read_leniently(tmp_path / name).findings
    assert "save it as .xlsx or as CSV" in finding.sentence


@pytest.mark.parametrize(
    ("data", "words"),
    [
        pytest.param(
            "video,labels\na,\ud800\n".encode("utf-16-le", "surrogatepass"),
            r"starts as UTF-16, but line 2 holds what no character is \(00 d8\)",
            id="half a character",
        ),
        pytest.param(
            "video,labels\na,x".encode("utf-16")[:-1],
            r"starts as UTF-16, but line 2 holds what no character is",
            id="cut off",
        ),
        pytest.param(
            b"\xef\xbb\xbfvideo,labels\n\na,\xed\xa0\x80\n",
            r"starts as UTF-8, but line 3 holds what no character is",
            id="half a character in UTF-8",
        ),
        pytest.param(b"\x89PNG\r\n\x1a\n\0\0", "is not UTF-8 nor text of", id="image"),
    ],
)
def test_bytes_that_are_no_text(tmp_path, data, words):
    with pytest.raises(AnnotationError, match=rf"labels\.csv {words}.*File > Save As"):
        read(tmp_path, data)


def test_a_column_of_millions_of_labels_is_refused_at_the_limit(tmp_path):
    """Before the rest is read: ten million class names took 6 GB."""
    n = MOST_CLASSES + 5
    text = "video,labels\n" + "".join(f"v{i},x{i}\n" for i in range(n))
    text += '"never read\n'
    says = rf"line {MOST_CLASSES + 2}: these are more than 100,000 different labels"
    with pytest.raises(AnnotationError, match=says):
        read(tmp_path, text)


def test_the_doctor_reads_what_training_reads(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_bytes("Datei;Klasse\nKäfer;läuft\nx;y|\n".encode("cp1252"))
    reading = read_leniently(path)
    assert labels_of(reading.annotations) == {"Käfer": ("läuft",)}
    refused, form = reading.findings
    assert (refused.level, form.level, form.kind) == ("error", "note", "form")
    assert "line 3: labels has a blank label" in refused.sentence
    assert "semicolon-separated, Windows-1252" in form.sentence


@given(st.binary(max_size=200), st.sampled_from(["x.csv", "x.txt", "x.json"]))
@example(b"sep=\n", "x.csv")
@example(b'sep="\nvideo"labels\n', "x.csv")
@example(b"\xff\xfe", "x.csv")
def test_any_bytes_are_read_or_refused(tmp_path_factory, data, name):
    with contextlib.suppress(AnnotationError):
        assert read(tmp_path_factory.mktemp("bytes"), data, name).videos


@given(st.text(string.printable, max_size=60))
def test_any_table_below_a_header_is_read_or_refused(tmp_path_factory, text):
    folder = tmp_path_factory.mktemp("text")
    (folder / "labels.csv").write_bytes(f"video;labels;n\n{text}".encode())
    reading = read_leniently(folder / "labels.csv")
    refused = [x.sentence for x in reading.findings if x.level == "error"]
    if refused:
        with pytest.raises(AnnotationError) as strict:
            read_annotations(folder / "labels.csv")
        assert str(strict.value) == refused[0]
        assert refused[0].isprintable()
    else:
        assert read_annotations(folder / "labels.csv") == reading.annotations


def test_the_verbs_say_what_was_recognised(acmnet, tiny_world, tmp_path):
    training = read_annotations(tiny_world[0]).subset("training")
    rows = [f"{v.id};{'|'.join(v.labels)}" for v in training.videos.values()]
    (tmp_path / "labels.csv").write_text("\n".join(["Video;Class", *rows]), "utf-16")
    given = ["--annotations", "labels.csv", "--features", tiny_world[1]]
    says = "note: labels.csv: read as semicolon-separated, UTF-16, with the col"
    code, _, err = acmnet("check", *given)
    assert (code, err.count(says)) == (0, 1)
    code, _, err = acmnet(
        *("train", *given, "--out", "run", "--training.epochs", "1"),
        *("--profile", "corrected"),
    )
    assert (code, err.count(says)) == (0, 1)
    for verb in (["localize", "--run", "run", "--out", "x.json"], ["report", "run"]):
        code, _, err = acmnet(*verb, *given)
        assert (code, err.count(says)) == (0, 1)
    code, _, err = acmnet("report", "run", "--features", tiny_world[1])
    assert (code, err.count("note: labels")) == (0, 0)  # the run's own labels
    code, out, _ = acmnet("doctor", *given)
    assert (code, out.count(says)) == (0, 1)
