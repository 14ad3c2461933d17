"""Detections drawn into a video: every frame keeps its time, the sound every byte."""

import json
import random
import signal
import subprocess
import sys
from fractions import Fraction

import av
import numpy as np
import pytest

from acmnet.data.detections.detection_arrays import DetectionFile
from acmnet.data.detections.detection_files import read_detections
from acmnet.data.labels.annotations import Instance
from acmnet.segments import Detection, Detections, Segment
from acmnet.show.rendering.frame_overlay import (
    LIGHT_LEFT,
    Overlay,
    class_colour,
    text_mask,
)
from acmnet.show.rendering.rendered_video import (
    RenderError,
    detections_of,
    render_detections,
)
from acmnet.video.containers import VideoError
from support.commands import refused
from support.movies import DAMAGES, even_times, plain, write_audio, write_movie

GREY = 120
CODED = 24
"""By how many levels H.264 at 4:2:0 may change a plain area."""


def grey(n, width=128, height=96):
    return [np.full((height, width, 3), GREY, np.uint8)] * n


def decoded(path):
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
        times = [frame.pts * frame.time_base for frame in frames]
        return times, [frame.to_ndarray(format="rgb24") for frame in frames]


def sound(path):
    with av.open(str(path)) as container:
        packets = [p for p in container.demux(audio=0) if p.size]
        return [(p.pts * p.time_base, bytes(p)) for p in packets]


# ---- times and sound


@pytest.mark.parametrize(
    ("name", "how", "size"),
    [
        pytest.param("a.mp4", {"b_frames": 2, "audio": "aac"}, (64, 48), id="mp4"),
        pytest.param("a.mkv", {"audio": "mp3"}, (64, 48), id="mkv"),
        pytest.param("a.mp4", {"times": "uneven"}, (64, 48), id="variable-rate"),
        pytest.param("a.mp4", {"times": "late"}, (64, 48), id="starts-late"),
        pytest.param("a.mkv", {"codec": "ffv1"}, (63, 47), id="odd-size"),
        pytest.param("a.avi", {"codec": "mpeg4", "b_frames": 2}, (64, 48), id="avi"),
        pytest.param("a.mkv", {"codec": "ffv1"}, (2, 2), id="two-pixels"),
        pytest.param("a.mkv", {"codec": "ffv1"}, (1, 1), id="one-pixel"),
    ],
)
def test_frames_keep_their_times_and_sound_its_bytes(name, how, size, tmp_path):
    uneven = [Fraction(k, 100) for k in (0, 4, 5, 30, 31, 33, 90, 91, 92, 130)]
    times = {"uneven": uneven, "late": [Fraction(1, 2) + t for t in uneven]}
    how = how | ({"times": times[how["times"]]} if "times" in how else {})
    source = write_movie(tmp_path / name, plain(*size, 3) * 3 + plain(*size, 1), **how)
    out = tmp_path / "out.mp4"
    found = [Detection("jump", 0.0, 0.2, 0.5)]
    done = render_detections(source, found, out)
    (want, pictures), (got, drawn) = decoded(source), decoded(out)
    assert done.frames == len(got) == len(want) == 10
    # the times of AVI are those of decoding, here a frame late
    late_s = Fraction(1, 25) if name.endswith(".avi") else 0
    assert got == [time_s - late_s for time_s in want]
    height, width = pictures[0].shape[:2]
    assert drawn[0].shape == (height + height % 2, width + width % 2, 3)
    if how.get("audio"):
        assert [b for _, b in sound(out)] == [b for _, b in sound(source)]
        assert np.allclose(
            [float(t) for t, _ in sound(out)],
            [float(t) for t, _ in sound(source)],
            atol=0.001 if name.endswith("mkv") else 0,
        )


def test_sound_that_mp4_cannot_hold_is_encoded_as_aac(tmp_path):
    source = write_movie(tmp_path / "a.avi", plain(64, 48) * 9, audio="pcm_mulaw")
    out = tmp_path / "out.mp4"
    done = render_detections(source, [], out)
    assert done.dropped_sound == 0
    with av.open(str(out)) as container:
        assert [s.codec_context.name for s in container.streams] == ["h264", "aac"]
        frames = list(container.decode(audio=0))
    # 27 frames at 25 fps are 1.08 s; codecs fill up their last packets
    length_s = sum(frame.samples for frame in frames) / 48_000
    assert 1.08 <= length_s < 1.2
    # a tone of amplitude 0.1 has an RMS of 0.1 / sqrt(2)
    heard = np.concatenate([frame.to_ndarray()[0] for frame in frames])
    rms = float(np.sqrt(np.mean(heard[4800:43200] ** 2)))
    assert rms == pytest.approx(0.1 / np.sqrt(2), rel=0.1)


def test_sound_of_a_transport_stream_stays_in_step(tmp_path):
    late = {"output_ts_offset": "5"}
    source = write_movie(
        tmp_path / "a.ts", plain(64, 48) * 9, audio="aac", container_options=late
    )
    out = tmp_path / "out.mp4"
    assert render_detections(source, [], out).dropped_sound == 0
    with av.open(str(source)) as container:
        start_s = Fraction(container.start_time, av.time_base)
    want, got = decoded(source)[0], decoded(out)[0]
    assert start_s > 4  # else nothing was tested
    assert np.allclose(
        [float(t) for t in got], [float(t - start_s) for t in want], rtol=0, atol=2e-5
    )
    want, got = sound(source), sound(out)
    assert len(want) == len(got) > 20
    # ADTS has a header of 7 bytes before each packet, MP4 has not
    assert [b[7:] for _, b in want] == [b for _, b in got]
    times = [float(t - start_s) for t, _ in want]
    assert np.allclose([float(t) for t, _ in got], times, rtol=0, atol=2e-5)
    with av.open(str(out)) as container:
        assert all(p.pts == p.dts for p in container.demux(audio=0) if p.size)


def test_a_picture_of_odd_size_is_not_stretched(tmp_path):
    stripes = np.zeros((47, 63, 3), np.uint8)
    stripes[:, 2::4] = stripes[:, 3::4] = 255
    source = write_movie(tmp_path / "a.mkv", [stripes] * 2, codec="ffv1")
    render_detections(source, [], tmp_path / "out.mp4")
    _, drawn = decoded(tmp_path / "out.mp4")
    difference = np.abs(drawn[0][:47, :63].astype(int) - stripes)
    assert difference.mean() < 8


def test_a_turned_picture_is_written_as_it_is_seen(tmp_path):
    frames = [np.zeros((48, 64, 3), np.uint8) for _ in range(3)]
    for frame in frames:
        frame[:, :32] = 255  # the left half
    source = write_movie(tmp_path / "a.mp4", frames, rotation=90)
    render_detections(source, [], tmp_path / "out.mp4")
    _, drawn = decoded(tmp_path / "out.mp4")
    # a quarter counter-clockwise: what was on the left comes to the bottom
    assert drawn[0].shape == (64, 48, 3)
    assert drawn[0][:24].mean() < 16
    assert drawn[0][40:].mean() > 240


# ---- the picture


def test_bars_are_where_arithmetic_says(tmp_path):
    # 4 s of 25 fps on 128 columns: 32 columns a second
    source = write_movie(tmp_path / "a.mp4", grey(100))
    found = [Detection("a", 1.0, 2.0, 0.9), Detection("b", 2.5, 9.0, 0.8)]
    truth = [Instance("b", Segment(3.0, 3.5))]
    render_detections(source, found, tmp_path / "out.mp4", truth=truth)
    _, drawn = decoded(tmp_path / "out.mp4")
    # three lanes (a, b, truth) of max(6, 96 // 30) = 6 rows: 78, 84 and 90
    spans = {78: ("a", 32, 64), 84: ("b", 80, 128), 90: ("b", 96, 112)}
    colours = {"a": class_colour(0), "b": class_colour(1)}
    frame = drawn[0].astype(int)
    for top, (label, left, right) in spans.items():
        row = frame[top + 2]
        inside = np.arange(128)
        is_bar = (inside >= left + 3) & (inside < right - 3)
        is_dark = ((inside < left - 3) | (inside >= right + 3)) & (inside > 4)
        assert np.abs(row[is_bar] - colours[label]).max() <= CODED, label
        if is_dark.any():
            assert np.abs(row[is_dark] - LIGHT_LEFT * GREY).max() <= CODED, label
    assert np.abs(frame[60:76] - GREY).max() <= CODED  # and above nothing changed
    # the playhead: frame 75 is at 3 s, column 96
    assert drawn[75][86, 96].min() > 150
    assert drawn[75][80, 90].max() < 90


def test_labels_are_shown_while_they_last():
    overlay = Overlay(128, 96, 4.0, [Detection("a", 1.0, 2.0, 0.9)])
    for time_s, is_shown in [(0.96, False), (1.0, True), (1.96, True), (2.0, False)]:
        frame = grey(1)[0].copy()
        overlay.draw(frame, time_s)
        # a square of the colour, 12 pixels with an edge of 2
        got = (frame[2:10, 2:10] == class_colour(0)).all()
        assert got == is_shown, time_s
        assert (frame[:12, 12:40] > 200).any() == is_shown


def test_no_more_labels_than_a_third_of_the_picture():
    found = [Detection(f"class {i}", 0.0, 4.0, i / 20) for i in range(20)]
    overlay = Overlay(128, 96, 4.0, found)
    frame = grey(1)[0].copy()
    overlay.draw(frame, 1.0)
    # 96 // 3 = 32 rows: two labels of 12, the surest first
    names = sorted(one.label for one in found)
    colours = [class_colour(names.index(f"class {i}")) for i in (19, 18)]
    assert (frame[5, 5] == colours[0]).all()
    assert (frame[17, 5] == colours[1]).all()
    assert (frame[24:76] == GREY).all()
    # 20 lanes in 32 rows: 1 each
    assert (frame[76:, 5] == [class_colour(i) for i in range(20)]).all()


HOSTILE = [
    pytest.param("🎉𝔘𠜎", id="4-byte"),
    pytest.param("two\nlines\r\n\tand\0more", id="control"),
    pytest.param("W" * 300, id="300-characters"),
    pytest.param("$x_1$ $\\frac{$", id="mathtext"),
    pytest.param("\ud800 lone", id="surrogate"),
    pytest.param("عربى हिन्दी 臂力", id="scripts"),
    pytest.param("", id="empty"),
    pytest.param("e" + "\u0301" * 250, id="combining"),
]


@pytest.mark.parametrize("label", HOSTILE)
@pytest.mark.parametrize("limit", [8, 30, 300])
def test_any_label_becomes_a_line_within_its_limit(label, limit):
    mask = text_mask(label, " 0.50", 16, limit)
    assert mask.shape[0] == 16
    assert 1 <= mask.shape[1] <= limit
    assert mask.any()


def test_a_long_text_is_cut_and_keeps_its_end():
    # the end of the cut line is that of the short one: the score
    short, cut = (text_mask(x, " 0.50", 16, 200) for x in ("W", "W" * 300))
    assert short.shape[1] < 100 < cut.shape[1]
    dark = np.flatnonzero(cut.any(axis=0))
    assert dark[-1] < 200 - 1


@pytest.mark.parametrize("label", HOSTILE)
def test_any_label_can_be_rendered(label, tmp_path):
    source = write_movie(tmp_path / "a.mp4", grey(2))
    found = [Detection(label, 0.0, 1.0, 0.5)]
    assert render_detections(source, found, tmp_path / "o.mp4").frames == 2


# ---- what is drawn


def test_the_surest_are_chosen_and_the_impossible_left_out():
    found = Detections.of(
        ["a", "b"], [(0, 1, 0.2, 0), (1, 2, 0.9, 1), (2, 3, 0.9, 0), (3, 4, 0.1, 1)]
    )
    file = DetectionFile.of({"v": found, "w": Detections.of(["a"], [(5, 6, 1.0, 0)])})
    starts = lambda **how: [d.start_s for d in detections_of(file, "v", **how)]  # noqa: E731
    assert starts() == [1, 2, 0, 3]
    assert starts(top=2) == [1, 2]
    assert starts(min_score=0.2) == [1, 2, 0]
    assert starts(min_score=2.0) == []
    with pytest.raises(RenderError, match="top must be at least 1 detection, got 0"):
        detections_of(file, "v", top=0)


def test_detections_that_do_not_end_are_left_out(tmp_path):
    entries = [
        {"label": "a", "score": 1, "segment": [2, 2]},
        {"label": "a", "score": 1, "segment": [1, 2]},
    ]
    (tmp_path / "d.json").write_text(json.dumps({"results": {"v": entries}}))
    file = read_detections(tmp_path / "d.json")
    assert [d.start_s for d in detections_of(file, "v")] == [1.0]


# ---- files


def test_an_exception_leaves_nothing(tmp_path):
    # so many that the encoder has given some away
    source = write_movie(tmp_path / "a.mp4", grey(150))
    (tmp_path / "out.mp4").write_bytes(b"before")

    def stop(done, _total):
        if done == 140:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        render_detections(source, [], tmp_path / "out.mp4", on_frame=stop)
    assert (tmp_path / "out.mp4").read_bytes() == b"before"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.mp4", "out.mp4"]


KILLED = """
import os, signal, sys
from acmnet.show.rendering.rendered_video import render_detections
def die(done, _total):
    if done == 140:
        os.kill(os.getpid(), signal.SIGKILL)
render_detections(sys.argv[1], [], sys.argv[2], on_frame=die)
"""


def test_a_kill_leaves_no_half_written_file(tmp_path):
    # so many that the encoder has given some away
    source = write_movie(tmp_path / "a.mp4", grey(150))
    (tmp_path / "out.mp4").write_bytes(b"before")
    command = sys.executable, "-c", KILLED, source, tmp_path / "out.mp4"
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    assert (tmp_path / "out.mp4").read_bytes() == b"before"


def test_a_damaged_video_is_rendered_as_far_as_it_can_be_decoded(tmp_path):
    whole = write_movie(tmp_path / "a.mkv", plain(64, 48) * 20, audio="aac")
    content = whole.read_bytes()
    (tmp_path / "cut.mkv").write_bytes(content[: len(content) * 2 // 3])
    done = render_detections(tmp_path / "cut.mkv", [], tmp_path / "o.mp4")
    assert 0 < done.frames == len(decoded(tmp_path / "o.mp4")[0])


@pytest.mark.parametrize("name", ["a.ts", "a.mp4", "a.mkv"])
def test_damage_is_refused_or_skipped(name, tmp_path):
    how = {"b_frames": 2, "audio": "aac"}
    whole = write_movie(tmp_path / name, plain(48, 48) * 6, **how).read_bytes()
    rng = random.Random(0)
    n_lost = 0
    for damage in ("flipped", "tail", "cut", "swapped", "zeroed", "beheaded"):
        path = tmp_path / f"{damage}_{name}"
        path.write_bytes(DAMAGES[damage](rng, whole, {}))
        try:
            done = render_detections(path, [], tmp_path / "o.mp4")
        except VideoError:
            continue
        assert done.frames == len(decoded(tmp_path / "o.mp4")[0]), damage
        n_lost += done.dropped_sound + done.skipped_packets + (done.frames < 18)
    assert n_lost > 0  # else nothing was tested


# ---- the verb


@pytest.fixture
def files(tmp_path):
    video = write_movie(tmp_path / "clip.mp4", grey(25), audio="aac")
    entry = [{"label": "jump", "score": 0.9, "segment": [0.2, 0.6]}]
    results = {"results": {"clip": entry, "other": []}}
    (tmp_path / "d.json").write_text(json.dumps(results))
    truth = {"label": "jump", "segment": [0.1, 0.5]}
    database = {"clip": {"duration": 1.0, "annotations": [truth]}}
    (tmp_path / "l.json").write_text(json.dumps({"database": database}))
    return video


def many(tmp_path, external_data):
    """Write detections of 25 scores from 0.01 to 0.97, and what else the file says."""
    found = [
        {"label": "jump", "score": (4 * i + 1) / 100, "segment": [0.2, 0.6]}
        for i in range(25)
    ]
    results = {"external_data": external_data, "results": {"clip": found}}
    (tmp_path / "d.json").write_text(json.dumps(results))


@pytest.mark.parametrize(
    ("given", "drawn"),
    [
        pytest.param([], 9, id="from the score that the file names"),
        pytest.param(["--top", "3"], 3, id="top"),
        pytest.param(["--min-score", "0.9"], 2, id="score"),
        pytest.param(["--min-score", "0"], 20, id="the surest 20"),
        pytest.param(["--min-score", "0.98"], 0, id="nothing"),
        pytest.param(["--all"], 25, id="all"),
    ],
)
def test_render_draws_what_is_shown(acmnet, files, tmp_path, given, drawn):
    many(tmp_path, {"shown_from": 0.65})
    code, out, err = acmnet(
        *("render", files, "--detections", tmp_path / "d.json"),
        *("--out", tmp_path / "o.mp4", *given),
    )
    assert code == 0
    assert f"{drawn} detection" in out
    assert (f"{drawn} of 25 detections are drawn" in err) == (0 < drawn < 25)
    nothing = "none of 25 detections is drawn: the highest score is 0.97, and scores"
    assert (nothing in err) == (drawn == 0)


def test_a_score_to_show_from_that_is_none_is_passed_over(acmnet, files, tmp_path):
    # other people's files may have anything there
    for other in ("high", None, [1]):
        many(tmp_path, {"shown_from": other})
        where = ["--detections", tmp_path / "d.json", "--out", tmp_path / "o.mp4"]
        assert "20 detections" in acmnet("render", files, *where)[1]


def test_render_all_leaves_nothing_out(acmnet, files, tmp_path):
    where = ["--detections", tmp_path / "d.json", "--out", tmp_path / "o.mp4"]
    given = ["--all", "--top", "3"]
    refused(acmnet("render", files, *where, *given), "--all leaves nothing out", code=2)
    none = ["--top", "0"]
    refused(acmnet("render", files, *where, *none), "--top must be at least 1", code=2)


def test_render_writes_the_video(acmnet, files):
    code, out, err = acmnet(
        *("render", files, "--detections", "d.json", "--out", "o.mp4"),
        *("--annotations", "l.json"),
    )
    what = "1 detection and 1 true segment"
    assert (code, out.strip(), err) == (0, f"25 frames with {what}: o.mp4", "")
    assert decoded("o.mp4")[0] == even_times(25, 25)
    assert sound("o.mp4") == sound(files)


def test_true_segments_are_drawn_alone(acmnet, files):
    code, out, _ = acmnet("render", files, "--annotations", "l.json", "--out", "t.mp4")
    assert (code, out.strip()) == (0, "25 frames with 1 true segment: t.mp4")
    assert np.any(decoded("t.mp4")[1][5] != decoded(files)[1][5])


def test_render_says_where_there_is_nothing_to_draw(acmnet, files):
    code, out, err = acmnet(
        *("render", files, "--detections", "d.json", "--out", "o.mp4"),
        *("--video", "other"),
    )
    assert code == 0
    assert "0 detections" in out
    assert "note: d.json has no detection of 'other' to draw" in err


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        pytest.param(
            {"--video": "clap"},
            ["d.json has no video 'clap'", "such as 'clip'", "--video"],
            id="video-not-in-file",
        ),
        pytest.param({"--out": "clip.mp4"}, ["is the video itself"], id="out-is-in"),
        pytest.param({"--out": "o.avi"}, ["must end in .mp4"], id="suffix"),
        pytest.param(
            {"--out": "no/o.mp4"},
            ["the folder of no/o.mp4 does not exist"],
            id="folder",
        ),
        pytest.param({"--out": "d.mp4"}, ["is a directory"], id="directory"),
        pytest.param({"--detections": "no.json"}, ["no detection file"], id="no-file"),
        pytest.param(
            {"--annotations": "l.json", "--video": "other"},
            ["l.json has no video 'other'"],
            id="not-annotated",
        ),
    ],
)
def test_render_refuses_in_one_sentence(acmnet, files, changed, words, tmp_path):
    (tmp_path / "d.mp4").mkdir()
    options = {"--detections": "d.json", "--out": "o.mp4"} | changed
    code = 2 if options["--out"].endswith(".avi") else 1
    refused(acmnet("render", files, *sum(options.items(), ())), *words, code=code)
    assert not (tmp_path / "o.mp4").exists()


@pytest.mark.usefixtures("files")
def test_render_refuses_what_is_no_video(acmnet, tmp_path):
    write_audio(tmp_path / "clip.m4a")
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "clip.mp4").write_bytes(b"")
    options = "--detections", "d.json", "--out", "o.mp4"
    refused(acmnet("render", "clip.m4a", *options), "has no video stream, only audio")
    refused(acmnet("render", "empty/clip.mp4", *options), "is empty")
    refused(acmnet("render", "gone/clip.mp4", *options), "no video at gone/clip.mp4")
    assert not (tmp_path / "o.mp4").exists()


def test_a_real_clip_keeps_frames_and_sound(shared_data, tmp_path):
    source = shared_data / "videos" / "v_GGSY1Qvo990.mp4"
    out = tmp_path / "o.mp4"
    render_detections(source, [Detection("clean and jerk", 2.0, 9.0, 0.9)], out)
    want, got = decoded(source), decoded(out)
    assert got[0] == want[0]
    assert sound(out) == sound(source)
    # and the picture above the strip, below the labels, is the same but for coding
    difference = np.abs(got[1][9][90:200].astype(int) - want[1][9][90:200])
    assert difference.mean() < 4
