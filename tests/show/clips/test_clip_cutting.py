"""Clips cut out of videos: the right frames, their sound, and what the user is told."""

import csv
import json
import os
import shutil
from fractions import Fraction

import av
import numpy as np
import pytest

from acmnet.segments import Segment
from acmnet.show.clips.clip_cutting import Clip, cut_clip, placed_clips, span_of
from acmnet.show.clips.contact_sheet import COLUMNS, HEIGHT, ROWS, WIDTH
from acmnet.video.frame_times import stamped_times
from support.commands import refused
from support.movies import AUDIO_RATE, even_times, number_in, numbers, write_movie

N = 60
UNEVEN = [t + Fraction(t > 1, 10) for t in even_times(N, 25, start=3)]


def shown(path):
    """Return the numbers painted into the frames of a file, and their times."""
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    return (
        [number_in(frame.to_ndarray(format="rgb24")) for frame in frames],
        [float(frame.pts * frame.time_base) for frame in frames],
    )


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("a.mp4", {"b_frames": 2, "gop_frames": 20}),
        ("a.mp4", {"times": UNEVEN, "b_frames": 2}),
        ("a.mkv", {"b_frames": 3}),
        ("a.avi", {"codec": "mpeg4", "b_frames": 0}),
        ("a.ts", {"b_frames": 2}),
        ("a.webm", {"codec": "libvpx-vp9"}),
        ("a.mov", {"codec": "mjpeg", "pix_fmt": "yuvj420p"}),
    ],
    ids=["mp4", "uneven", "mkv", "avi", "ts", "webm", "mov"],
)
def test_a_clip_has_the_frames_that_begin_in_the_segment(name, how, tmp_path):
    source = write_movie(tmp_path / name, numbers(N), **how)
    known = stamped_times(source)
    times_s = known.times.times_s
    for start_s, end_s in ((0.0, 0.5), (0.61, 1.3), (1.92, 9.0), (0.81, 0.82)):
        want = [i for i, t in enumerate(times_s) if start_s - 1e-6 <= t < end_s - 1e-6]
        want = want or [max(i for i, t in enumerate(times_s) if t <= start_s)]
        span = span_of(known, Segment(start_s, end_s))
        cut_clip(source, known, span, tmp_path / "clip.mp4")
        got, at_s = shown(tmp_path / "clip.mp4")
        assert got == want
        assert at_s == pytest.approx(times_s[want] - times_s[want[0]], abs=2e-4)


def test_only_a_part_of_the_video_is_decoded(tmp_path):
    source = write_movie(tmp_path / "a.mp4", numbers(N), gop_frames=12)
    known = stamped_times(source)
    span = span_of(known, Segment(2.0, 2.2))  # frames 50 to 54, key frame 48
    count = cut_clip(source, known, span, tmp_path / "clip.mp4")
    assert 5 <= count.n_decoded <= 12
    assert count.skipped_packets == 0


def test_sound_begins_and_ends_with_the_picture(tmp_path):
    """The movie has a tone until 1.2 s and none after: so the clip has 0.2 s of it."""
    source = tmp_path / "a.mp4"
    write_movie(source, numbers(30), audio="aac")
    longer = tmp_path / "b.mkv"
    write_movie(longer, numbers(30), audio="pcm_s16le")
    for path in (source, longer):
        known = stamped_times(path)
        cut_clip(path, known, span_of(known, Segment(0.48, 1.0)), tmp_path / "c.mp4")
        with av.open(str(tmp_path / "c.mp4")) as container:
            stream = container.streams.audio[0]
            assert float(stream.duration * stream.time_base) == pytest.approx(0.52)
            parts = [f.to_ndarray()[0] for f in container.decode(stream)]
        samples = np.concatenate(parts)[2048:20480]
        # a tone of 440 Hz, in the phase that it has 0.48 s after its start
        at_s = 0.48 + (2048 + np.arange(len(samples))) / AUDIO_RATE
        tone = 0.1 * np.sin(2 * np.pi * 440 * at_s)
        assert np.corrcoef(samples, tone)[0, 1] > 0.99


def test_names_keep_classes_apart_and_sort_by_time():
    clips = [
        Clip("v", "a/b", Segment(100.0, 101.0), 0.1),
        Clip("v", "A_b", Segment(9.5, 10.0), 0.2),
        Clip("v", "..", Segment(0.0, 1.0), 0.3),
        Clip("v", "con", Segment(0.0, 1.0), 0.4),
        Clip("v", "a/b", Segment(20.0, 21.0), 0.5),
        Clip("v", "a/b", Segment(20.0, 21.0), 0.6),
    ]
    placed = placed_clips(clips)
    folders = {clip.label: path.parent.name for path, clip in placed.items()}
    assert folders == {"A_b": "A_b", "a/b": "a_b 2", "..": "_", "con": "con_"}
    own = [c for c in placed.values() if c.label == "a/b"]
    assert [(c.segment.start_s, c.score) for c in own] == [(20.0, 0.6), (100.0, 0.1)]


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "videos").mkdir()
    for name in "ab":
        write_movie(tmp_path / "videos" / f"{name}.mp4", numbers(N))
    found = {
        "a": [("=jump", 0.2, 0.9, 0.9), ("run", 1.0, 1.4, 0.2)],
        "b": [("=jump", 0.4, 0.6, 0.8)],
    }
    write_found(tmp_path / "found.json", found)
    return tmp_path


def write_found(path, found):
    results = {
        video: [
            {"label": label, "segment": [start, end], "score": score}
            for label, start, end, score in entries
        ]
        for video, entries in found.items()
    }
    content = {"version": "1", "results": results, "external_data": {"shown_from": 0.5}}
    path.write_text(json.dumps(content))


def test_cut_writes_clips_sheets_and_a_table(acmnet, place):
    code, out, err = acmnet("cut", "found.json", "videos", "--out", "clips")
    assert code == 0, err
    assert "2 clips of 2 videos: clips, with 1 contact sheet and clips.csv" in out
    assert "2 of 3 detections are cut: scores of 0.5 or more; --all cuts" in err
    names = ["a_00000.200-00000.900s.mp4", "b_00000.400-00000.600s.mp4"]
    folder = place / "clips" / "=jump"
    files = sorted(path.name for path in folder.iterdir())
    assert files == [*names, "contact-sheet-1.jpg"]
    assert shown(folder / names[1])[0] == list(range(10, 15))
    text = (place / "clips" / "clips.csv").read_text("utf-8-sig")
    rows = list(csv.DictReader(text.splitlines()))
    assert [row["file"].lstrip("'") for row in rows] == [f"=jump/{x}" for x in names]
    assert [row["class"] for row in rows] == ["'=jump"] * 2  # no formula
    with av.open(str(folder / "contact-sheet-1.jpg")) as container:
        picture = next(container.decode(video=0)).to_ndarray(format="rgb24")
    cell = picture[8 : 8 + HEIGHT, 8 : 8 + WIDTH]
    square = cell[:, (WIDTH - HEIGHT) // 2 : (WIDTH + HEIGHT) // 2]
    assert number_in(square) == 5 + 18 // 2
    assert picture[8 + HEIGHT :].max() > 200  # words


def test_a_second_call_cuts_only_what_is_missing_or_older_than_its_video(acmnet, place):
    cut = ("cut", "found.json", "videos", "--out", "clips", "--all")
    assert acmnet(*cut)[0] == 0
    clips = sorted((place / "clips").rglob("*.mp4"))
    before = {path: path.stat().st_mtime_ns for path in clips}
    clips[0].unlink()
    os.utime(place / "videos" / "b.mp4", ns=(max(before.values()) + 10**9,) * 2)
    code, _, err = acmnet(*cut)
    assert (code, "1 clip kept from an earlier call" in err) == (0, True)
    now = {path: path.stat().st_mtime_ns for path in clips}
    assert [now[path] == before[path] for path in clips] == [False, False, True]


def test_labels_are_cut_as_well(acmnet, place):
    (place / "labels.csv").write_text("video,label,start,end\na,sit,0.2,0.4\n")
    code, out, err = acmnet("cut", "labels.csv", "videos", "--out", "clips")
    assert (code, "1 clip of 1 video" in out) == (0, True), err
    clip = place / "clips" / "sit" / "a_00000.200-00000.400s.mp4"
    assert shown(clip)[0] == [5, 6, 7, 8, 9]
    (place / "counted").mkdir()
    frames = [f"{i},{int(not 5 <= i < 10)},{int(5 <= i < 10)}" for i in range(N)]
    table = "\n".join([",background,sit", *frames])
    (place / "counted" / "a.csv").write_text(table)
    assert acmnet("cut", "counted", "videos", "--out", "own")[0] == 0
    assert shown(place / "own" / clip.relative_to(place / "clips"))[0] == shown(clip)[0]
    acmnet("cut", "counted", "videos", "--out", "given", "--label-fps", 50)
    (one,) = (place / "given").rglob("*.mp4")
    assert one.name == "a_00000.100-00000.200s.mp4"


def test_what_cannot_be_cut_is_named(acmnet, place):
    entries = {"a": [("run", 0, 1, 0.9)], "c": [("run", 0, 1, 0.9)]}
    write_found(place / "found.json", entries | {"b": [("run", 5.0, 6.0, 0.9)]})
    code, out, err = acmnet("cut", "found.json", "videos", "--out", "clips")
    assert (code, "1 clip of 1 video" in out) == (3, True), err
    assert "left out: 'b': it ends at 2.400 s, so nothing can be cut from 5.000" in err
    assert "left out: 'c': no file of this name was given" in err
    write_found(place / "found.json", {"a": [("run", 0, 1, 0.1)]})
    none = acmnet("cut", "found.json", "videos", "--out", "clips")
    refused(none, "found.json: none of 1 detection is cut: the highest score is 0.1")
    (place / "names.csv").write_text("video,labels\na,run\n")
    none = acmnet("cut", "names.csv", "videos", "--out", "clips")
    refused(none, "names.csv has no action with a start and an end", "with times")
    (place / "only").mkdir()
    shutil.copy(place / "videos" / "b.mp4", place / "only")
    code, out, err = acmnet("cut", "found.json", "only", "--out", "new", "--all")
    assert (code, out) == (1, ""), err  # it wrote a table of no clip, and said so
    assert "left out: 'a': no file of this name was given" in err
    assert not (place / "new").exists()
    (place / "videos" / "a.mp4").write_bytes(b"no video" * 99)
    code, _, err = acmnet("cut", "found.json", "videos", "--out", "new", "--all")
    assert (code, "a.mp4 is no video that can be read" in err) == (1, True)
    assert not list((place / "new").rglob("*.mp4"))


@pytest.mark.usefixtures("place")
def test_which_are_cut_is_said(acmnet):
    cut = ("cut", "found.json", "videos", "--out", "clips", "--min-score", 0)
    err = acmnet(*cut, "--top", 1)[2]
    of_each = "the one with the highest score of each video, scores of 0 or more"
    assert f"2 of 3 detections are cut: {of_each}; --all" in err


def test_a_run_is_no_file_of_detections(acmnet, place):
    (place / "run" / "checkpoint").mkdir(parents=True)
    shutil.copy(place / "found.json", place / "run" / "detections.json")
    told = "run is a run, not a file of detections or labels; give run/detections.json"
    refused(acmnet("cut", "run", "videos", "--out", "clips"), told)
    refused(acmnet("budget", "run"), told)


def test_many_clips_take_several_sheets(acmnet, place):
    many = COLUMNS * ROWS + 1
    found = [("run", i / 25, (i + 1) / 25, 0.9) for i in range(many)]
    write_found(place / "found.json", {"a": found})
    assert acmnet("cut", "found.json", "videos", "--out", "clips")[0] == 0
    sheets = sorted(path.name for path in (place / "clips").rglob("*.jpg"))
    assert sheets == ["contact-sheet-1.jpg", "contact-sheet-2.jpg"]
