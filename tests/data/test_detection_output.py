"""CSV and subtitles of detections, read back by parsers that are not ours."""

import csv
import io
import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acmnet.data.detection_output import OutputError, output_of
from acmnet.data.detections.detection_csv import csv_of
from acmnet.data.detections.detection_files import DetectionFileError, read_detections
from acmnet.data.detections.shown_detections import Shown
from acmnet.data.detections.subtitles import srt_of, webvtt_of
from acmnet.evaluation.reports import evaluate
from acmnet.models.training_summary import shown_score
from acmnet.names import one_form
from acmnet.segments import Detections
from support.commands import refused
from support.worlds import truth_of

HOSTILE = [
    "=1+1",
    "'=1",
    "-1",
    "@x",
    'a "b", c',
    "a\nb",
    "-->",
    "<b>&amp;",
    "Käfer",
    "",
]
names = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=5))
readable = names.map(lambda x: x.encode("utf-8", "replace").decode())
seconds = st.floats(0, 40_000)


@st.composite
def found_in_a_video(draw):
    """Draw detections with hostile labels, some overlapping, some shorter than 1 ms."""
    labels = draw(st.lists(readable, min_size=1, max_size=3, unique=True))
    rows = []
    for _ in range(draw(st.integers(0, 5))):
        start = draw(seconds)
        length = draw(st.sampled_from([1e-6, 0.0004, 1.5, 4_000.0]))
        score = draw(st.floats(-1, 2))
        label = draw(st.integers(0, len(labels) - 1))
        rows.append((start, start + length, score, label))
    return Detections.of(labels, rows)


def read_srt(text):
    """Return ``(number, start, end, text)`` of each cue of SubRip, strictly."""
    time = r"(\d\d+):([0-5]\d):([0-5]\d),(\d{3})"
    cue = re.compile(rf"(\d+)\n{time} --> {time}\n([^\n]+)\n(?:\n|\Z)")
    cues, at = [], 0
    while at < len(text):
        match = cue.match(text, at)
        assert match, text[at : at + 80]
        number, *numbers, words = match.groups()
        h, m, s, ms, h2, m2, s2, ms2 = map(int, numbers)
        start = ((h * 60 + m) * 60 + s) * 1000 + ms
        end = ((h2 * 60 + m2) * 60 + s2) * 1000 + ms2
        cues.append((int(number), start / 1000, end / 1000, words))
        at = match.end()
    return cues


def read_webvtt(text):
    """Return ``(number, start, end, text)`` of each cue, by the rules of the W3C."""
    assert "\0" not in text
    blocks = re.split(r"\n{2,}", text.rstrip("\n"))
    assert blocks[0] == "WEBVTT"
    cues = []
    for block in blocks[1:]:
        number, times, words = block.split("\n")
        assert "-->" not in number + words
        assert "<" not in words
        assert not re.search(r"&(?!amp;|lt;|gt;)", words)
        start, end = (
            re.fullmatch(r"(\d{2,}):([0-5]\d):([0-5]\d)\.(\d{3})", time)
            for time in times.split(" --> ")
        )
        start_s, end_s = (
            (int(x[1]) * 3_600_000 + int(x[2]) * 60_000 + int(x[3] + x[4])) / 1000
            for x in (start, end)
        )
        assert end_s > start_s
        assert not cues or start_s >= cues[-1][1]
        plain = words.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
        cues.append((int(number), start_s, end_s, plain))
    return cues


def said(one):
    """Return the words of a cue: what a reader sees of the label, and the score."""
    label = " ".join(one.label.replace("\0", "\ufffd").split())
    return f"{label} ({one.score:.2f})"


@settings(deadline=None, max_examples=60)
@given(found=found_in_a_video())
def test_subtitles_are_read_back(found):
    in_order = found.by_time()
    for cues, arrow in (
        (read_srt(srt_of(found)), "->"),
        (read_webvtt(webvtt_of(found)), "-->"),
    ):
        assert [number for number, *_ in cues] == list(range(1, len(found) + 1))
        for (_, start, end, words), one in zip(cues, in_order, strict=True):
            assert start == pytest.approx(one.start_s, abs=0.0006)
            assert end == pytest.approx(one.end_s, abs=0.0015)
            assert end > start
            assert words == said(one).replace("-->", arrow)


@settings(deadline=None, max_examples=60)
@given(results=st.dictionaries(readable, found_in_a_video(), max_size=3))
def test_csv_is_read_back(results, tmp_path_factory):
    text = csv_of(results)
    head, *rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    assert head == ["video", "label", "start", "end", "score"]
    assert [row[0].lstrip("'") for row in rows] == [
        video.lstrip("'") for video in sorted(results) for _ in results[video]
    ]
    for video, label, *numbers in rows:
        for name in (video, label):  # a spreadsheet computes nothing
            assert name[:1] not in ("=", "+", "-", "@", "\t", "\r")
        start, end, _ = map(float, numbers)
        assert end > start
    path = tmp_path_factory.mktemp("csv") / "found.csv"
    path.write_text("\ufeff" + text, encoding="utf-8", newline="")
    file = read_detections(path)
    expected = [
        (one_form(video), one_form(one.label), one.score)
        for video in sorted(results)
        for one in results[video].by_time()
    ]
    assert [file.video_ids[i] for i in file.video_index] == [x[0] for x in expected]
    assert [file.labels[i] for i in file.label_index] == [x[1] for x in expected]
    assert file.score == pytest.approx([x[2] for x in expected], rel=1e-5)


def test_rows_are_by_video_and_time():
    late, early = (3.0, 4.0, 0.9, 0), (1.0, 2.0, 0.1, 0)
    results = {
        "b": Detections.of(["x"], [late]),
        "a": Detections.of(["x"], [late, early]),
    }
    assert csv_of(results).splitlines()[1:] == [
        "a,x,1.000,2.000,0.1",
        "a,x,3.000,4.000,0.9",
        "b,x,3.000,4.000,0.9",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("a;b\n1;2\n", r"must begin with the line video,label", id="head"),
        pytest.param("{}", r"must begin with the line video,label", id="JSON"),
        pytest.param(
            "video,label,start,end,score\na,x,1,2\n",
            r"line 2: must have the 5 cells .*, got 4",
            id="short row",
        ),
        pytest.param(
            "video,label,start,end,score\na,x,soon,2,1\n",
            r"video 'a', entry 0: segment must be two finite numbers .*'soon'",
            id="no number",
        ),
        pytest.param(
            'video,label,start,end,score\na,"x,1,2,1\n',
            r"line 2: .*; correct the line",
            id="open quotation",
        ),
    ],
)
def test_a_csv_that_is_not_ours_is_refused(tmp_path, text, message):
    path = tmp_path / "found.csv"
    path.write_text(text)
    with pytest.raises(DetectionFileError, match=message):
        read_detections(path)


def test_a_csv_is_scored(tmp_path):
    """Found 0 to 6 of 0 to 10: AP 1 up to tIoU 0.6, 0 at 0.7."""
    path = tmp_path / "found.csv"
    path.write_text(csv_of({"v": Detections.of(["run"], [(0.0, 6.0, 0.5, 0)])}))
    report = evaluate(truth_of(v=[("run", 0.0, 10.0)]), path)
    assert report.map.tolist() == [1.0] * 6 + [0.0]


def test_rows_of_a_csv_in_any_order_go_to_their_videos(tmp_path):
    random = np.random.default_rng(0)
    head = csv_of({}).splitlines()[0]
    rows = [
        (f"v{random.integers(4)}", f"c{random.integers(3)}", i, i + 1 + i / 8, i / 64)
        for i in range(40)
    ]
    path = tmp_path / "found.csv"
    lines = [",".join(map(str, row)) for row in rows]
    path.write_text("\n".join([head, *lines]))
    found = read_detections(path)
    in_order = dict.fromkeys(row[0] for row in rows)
    assert found.video_ids == tuple(in_order)
    # the videos one after another, the rows of each as they stand
    assert [
        (found.video_ids[v], found.labels[c], *numbers)
        for v, c, *numbers in zip(
            found.video_index,
            found.label_index,
            found.start_s,
            found.end_s,
            found.score,
            strict=True,
        )
    ] == [row for video in in_order for row in rows if row[0] == video]


def test_a_csv_without_rows_is_scored_as_nothing(tmp_path):
    path = tmp_path / "found.csv"
    path.write_text("\ufeff" + csv_of({"v": Detections.of(["run"])}))
    assert len(read_detections(path)) == 0
    assert evaluate(truth_of(v=[("run", 0.0, 10.0)]), path).average == 0.0


@pytest.mark.parametrize("name", ["found.srt", "found.VTT"])
def test_subtitles_are_not_read_back(tmp_path, name):
    (tmp_path / name).write_text(srt_of(Detections.of(["run"], [(0, 6, 0.5, 0)])))
    with pytest.raises(DetectionFileError, match=r"holds subtitles.*as JSON or CSV"):
        read_detections(tmp_path / name)


@pytest.mark.parametrize(
    ("text", "named", "message"),
    [
        ("x.xls", None, r"suffix '.xls'; .* end with .json, .csv, .parquet, "),
        ("x.txt", None, r"suffix '.txt', which .* such as --format audacity"),
        ("x", None, "x has no suffix"),
        ("x.txt", "csv", "suffix '.txt'"),
        ("x/", None, "x is a folder, .*--format json, csv, parquet, arrow, srt, "),
    ],
)
def test_what_cannot_be_written_is_refused(text, named, message):
    with pytest.raises(OutputError, match=message):
        output_of(text, named)


def test_what_is_shown():
    rows = [(i, i + 1, score, 0) for i, score in enumerate((0.2, 0.9, 0.9, 0.5))]
    found = Detections.of(["x"], rows)
    assert Shown(min_score=0.5).of(found).start_s.tolist() == [1, 2, 3]  # 0.5 is shown
    assert Shown(top=1).of(found).start_s.tolist() == [1]  # of equal scores the first
    assert Shown(min_score=0.95, top=9).of(found).start_s.tolist() == []
    for wrong in ({"top": 0}, {"min_score": np.nan}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            Shown(**wrong)


@pytest.fixture
def localize(acmnet, tiny_run, tiny_world):
    """Run localize on the test videos of the tiny world."""
    command = ["localize", "--run", tiny_run, "--features", tiny_world[1]]
    command += ["--annotations", tiny_world[0], "--subset", "test"]
    return lambda *options: acmnet(*command, *options)


def test_every_suffix_gets_its_format(localize, tiny_run):
    outs = [x for name in ("d.json", "d.csv") for x in ("--out", name)]
    code, out, err = localize(*outs, "--out", "subs/", "--format", "srt")
    assert code == 0
    values = json.loads(Path("d.json").read_text())["results"]
    assert list(values) == sorted(values)
    rows = list(csv.DictReader(io.StringIO(Path("d.csv").read_text("utf-8-sig"))))
    assert Path("d.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    shown_from = shown_score(tiny_run)
    file = read_detections("d.json")
    assert file.external_data["shown_from"] == shown_from
    told = [
        (file.video_ids[v], score)
        for v, score in zip(file.video_index, file.score, strict=True)
        if score >= shown_from
    ]
    assert [(x["video"], float(x["score"])) for x in rows] == [
        (video, pytest.approx(score, rel=1e-5)) for video, score in told
    ]
    assert 0 < len(told) < len(file)
    for video, entries in values.items():
        starts = [x["segment"][0] for x in entries]
        assert starts == sorted(starts)
        cues = read_srt(Path("subs", f"{video}.srt").read_text())
        assert len(cues) == sum(own == video for own, _ in told)
    assert f"{len(told)} detections in 6 videos: subs, 6 files" in out
    assert f"note: {len(told)} of {len(file)} detections are shown: scores of" in err
    # everything where it is asked for
    localize("--out", "d.csv", "--all")
    assert len(read_detections("d.csv")) == len(file)


def test_subtitles_of_one_video(acmnet, tiny_run, tiny_world):
    Path("one").mkdir()
    video = tiny_world[1] / "test_000.npy"
    Path("one/test_000.npy").write_bytes(video.read_bytes())
    manifest = tiny_world[1] / "features.json"
    Path("one/features.json").write_bytes(manifest.read_bytes())
    command = ["localize", "--run", tiny_run, "--features", "one"]
    assert acmnet(*command, "--out", "a.srt", "--out", "a.VTT")[0] == 0
    one, other = Path("a.srt").read_text(), Path("a.VTT").read_text()
    assert read_srt(one) == read_webvtt(other) != []


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["--out", "x.txt"], "the suffix '.txt'"),
        (["--out", "x.srt"], "--out x/ --format srt"),
        (["--out", "ok.json", "--out", "x.vtt"], "--out x/ --format vtt"),
    ],
)
def test_refused_before_the_work_begins(localize, acmnet, tmp_path, options, word):
    refused(localize(*options), word)
    videos = tmp_path / "videos"  # none of which would open
    videos.mkdir()
    for name in ("a.mp4", "b.mp4"):
        (videos / name).write_bytes(b"nothing")
    refused(acmnet("localize", videos, "--kinetics", *options), word)
    assert list(tmp_path.iterdir()) == [videos]


def test_json_keeps_everything_unless_limits_are_given(localize):
    everything = localize("--out", "all.json")[1]
    total = int(everything.split()[0])
    scores = read_detections("all.json").score
    limit = float(np.sort(scores)[total // 2])
    kept = int((scores >= limit).sum())
    outs = ["--out", "d.json", "--out", "d.csv"]
    code, _, err = localize(*outs, "--min-score", limit)
    assert code == 0
    file = read_detections("d.json")
    assert len(file) == len(read_detections("d.csv")) == kept < total
    assert file.external_data["left_out"] == {"min_score": limit, "top": None}
    assert f"note: {kept} of {total} detections are shown: scores of" in err
    assert "--all" in err
    _, _, err = localize("--out", "d.json", "--top", "1")
    assert np.bincount(read_detections("d.json").video_index).tolist() == [1] * 6
    refused(localize("--all", "--top", "1"), "--all leaves nothing out", code=2)
    refused(localize("--top", "0"), "--top must be at least 1", code=2)
    refused(localize("--min-score", "nan"), "--min-score must be finite", code=2)
    for wrong in (["--format", "srt"], ["--out", "d.csv", "--format", "srt"]):
        refused(localize(*wrong), "--out FOLDER/ --format srt", code=2)


def test_the_table_holds_the_surest_by_time(localize):
    localize("--out", "d.json")
    (video,) = list(json.loads(Path("d.json").read_text())["results"])[:1]
    entries = json.loads(Path("d.json").read_text())["results"][video]
    assert len(entries) > 20
    surest = sorted(entries, key=lambda x: -x["score"])[:20]
    least = surest[-1]["score"]
    for options, n in ([], 20), (["--all"], len(entries)):
        _, out, _ = localize(*options)
        lines = [x.split() for x in out[out.index(video) :].splitlines()[2 : n + 2]]
        rows = [[float(x) for x in line[-3:]] for line in lines]
        starts = [start for start, _, _ in rows]
        assert starts == sorted(starts)
        assert len(rows) == n
        assert (min(score for *_, score in rows) >= least - 0.0005) == (n == 20)


def test_json_that_is_too_large_to_be_read_is_parquet_too(tmp_path, monkeypatch):
    found = {"a": Detections.of(["jump"], [(1.0, 2.5, 0.9, 0)]), "b": Detections.of([])}
    path = tmp_path / "found.json"
    assert output_of(str(path), None).write(found, found, {}).endswith("found.json")
    assert not (tmp_path / "found.json.parquet").exists()
    monkeypatch.setattr("acmnet.data.detection_output.LARGEST_TEXT_BYTES", 99)
    said = output_of(str(path), None).write(found, found, {"used": True})
    table = tmp_path / "found.json.parquet"
    assert f"more than acmnet reads of JSON, so {table} holds the same" in said
    assert read_detections(table).external_data == {"used": True}
    for field in ("video_ids", "labels", "score", "start_s", "end_s"):
        one, other = (getattr(read_detections(file), field) for file in (path, table))
        assert list(one) == list(other)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    said = output_of(str(path), None).write(found, found, {})
    assert "could not be written as Parquet, too" in said
    assert "pip install 'acmnet[tables]'" in said


def test_a_format_whose_library_is_missing_is_refused_before_the_work(
    tmp_path, monkeypatch
):
    output = output_of(str(tmp_path / "found.parquet"), None)
    output.refuse(1)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(DetectionFileError, match="needs pyarrow, which is not insta"):
        output.refuse(1)


@pytest.mark.parametrize(
    ("path", "videos", "words"),
    [
        ("found.json", 20_000, ""),
        ("found.json", 20_001, "found.json may become larger than 512 MB with 20,001"),
        ("found.parquet", 10**6, ""),
    ],
)
def test_json_of_very_many_videos_is_advised_against(path, videos, words):
    said = output_of(path, None).advice(videos)
    assert said.startswith(words)
    assert ("--out found.parquet" in said) == bool(words)
