"""The whole journey of a biologist: a folder of videos, a spreadsheet, the verbs."""

import csv
import json
import re
import shutil
import subprocess
import sys
import unicodedata
import urllib.request
from pathlib import Path

import av
import pytest

from acmnet.data.detections.detection_files import read_detections
from acmnet.data.label_files import read_annotations

BEETLE = "K\u00e4fer l\u00e4uft 1"
"""A video's name with umlauts, each one letter, as a spreadsheet writes it."""
FEW = ("--training.epochs", 3, "--student-training.epochs", 2, "--teachers.count", 1)
SRT_TIME = r"\d\d:\d\d:\d\d,\d{3}"


@pytest.fixture
def home(tiny_scenes, tmp_path):
    """Give a folder with videos/ and Verhalten.csv, as a biologist has them."""
    folder = tmp_path / "home"
    videos = folder / "videos"
    videos.mkdir(parents=True)
    known = list(read_annotations(tiny_scenes / "labels.csv").videos.values())[:4]
    rows = []
    for i, video in enumerate(known):
        name = f"Versuch {i}.mp4" if i else f"{BEETLE}.mp4"
        # macOS writes the umlauts of a file's name in two parts
        file = videos / unicodedata.normalize("NFD", name)
        shutil.copy(tiny_scenes / "videos" / f"{video.id}.mp4", file)
        rows.append([name, "|".join(video.labels), "Ann", ""])
    rows.append(["verloren.mp4", *rows[0][1:]])
    rows.append(["kaputt.mp4", *rows[1][1:]])
    whole = (videos / "Versuch 1.mp4").read_bytes()
    (videos / "kaputt.mp4").write_bytes(whole[: len(whole) // 8])
    shutil.copy(videos / "Versuch 2.mp4", videos / "Urlaub.mp4")
    header = ["Datei", "Verhalten", "Beobachter", ""]
    with (folder / "Verhalten.csv").open("w", encoding="utf-8-sig", newline="") as out:
        csv.writer(out, delimiter=";").writerows([header, *rows, [""] * 4])
    return folder


def test_from_a_spreadsheet_to_a_page_on_another_computer(acmnet, home, monkeypatch):
    monkeypatch.chdir(home)
    beetle = Path("videos", unicodedata.normalize("NFD", f"{BEETLE}.mp4"))
    fit_says_what_is_left_out(acmnet)
    localize_writes_tables_and_subtitles(acmnet, beetle)
    render_draws_every_frame(acmnet, beetle)
    away = home.parent / "away"
    away.mkdir()
    shutil.move("runs/lauf", away / "bewegt")
    shutil.move("videos", away / "filme")
    Path("Verhalten.csv").unlink()
    monkeypatch.chdir(away)
    code, out, err = acmnet("report", "bewegt", "--videos", "filme")
    assert (code, "4 videos: bewegt/report.html" in out) == (3, True), err
    assert "'verloren', 'kaputt'" in err  # said, and left out
    page = Path("bewegt/report.html").read_text()
    assert names_in(page) == {BEETLE, "Versuch 1", "Versuch 2", "Versuch 3"}
    assert names_in(served("bewegt", "filme")) == names_in(page)


def fit_says_what_is_left_out(acmnet):
    fitted = ("fit", "videos", "Verhalten.csv", "--out", "runs/lauf")
    settings = ("--extractor", "motion", "--workers", 1, *FEW)
    code, out, err = acmnet(*fitted, *settings)
    assert code == 3, err  # done, with two videos left out
    assert "left out: verloren: it has no file in videos" in err
    assert re.search(
        r"left out: kaputt: .*kaputt\.mp4 is no video that can be read", err
    )
    assert "acmnet: 2 of 6 videos were left out" in err.splitlines()[-1]
    assert "Verhalten.csv: read as semicolon-separated, with the columns 'Datei'" in err
    assert "Verhalten.csv: 1 column not read as labels or times: 'Beobachter'" in err
    assert "1 file is not listed in Verhalten.csv and not used: 'Urlaub'" in err
    assert "in 4 videos" in out
    known = read_detections("runs/lauf/detections.json").video_ids
    assert set(known) == {BEETLE, "Versuch 1", "Versuch 2", "Versuch 3"}


def localize_writes_tables_and_subtitles(acmnet, beetle):
    written = ("--out", "b.json", "--out", "b.csv", "--out", "b.srt", "--all")
    code, _, err = acmnet("localize", beetle, "--run", "runs/lauf", *written)
    assert code == 0, err
    found = read_detections("b.json")
    assert found.video_ids == (BEETLE,)
    assert len(found) > 0
    with open("b.csv", encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(found)
    assert {row["video"] for row in rows} == {BEETLE}
    assert {row["label"] for row in rows} == set(found.labels)
    starts = [float(row["start"]) for row in rows]
    assert starts == sorted(starts)
    cues = Path("b.srt").read_text("utf-8-sig").strip().split("\n\n")
    assert len(cues) == len(found)
    assert re.match(rf"1\n{SRT_TIME} --> {SRT_TIME}\n\w+", cues[0])


def render_draws_every_frame(acmnet, beetle):
    code, _, err = acmnet("render", beetle, "--detections", "b.json", "--out", "b.mp4")
    assert code == 0, err
    lengths = []
    for path in (beetle, Path("b.mp4")):
        with av.open(path) as container:
            lengths.append(sum(1 for _ in container.decode(video=0)))
    assert lengths[0] == lengths[1]


def served(run, videos):
    """Return what the page of `acmnet view` is told of the videos."""
    command = [sys.executable, "-m", "acmnet", "view", run, "--videos", videos]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            address = re.match(r"http://127\.0\.0\.1:\d+/", server.stdout.readline())
            with urllib.request.urlopen(f"{address.group()}bench.json") as answer:
                return answer.read().decode()
        finally:
            server.terminate()


def names_in(page):
    """Return which of the videos a page names."""
    known = (BEETLE, *(f"Versuch {i}" for i in range(6)), "verloren", "kaputt")
    return {name for name in known if json.dumps(name) in page}
