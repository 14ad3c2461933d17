"""Decoding: which frame is shown when, what it looks like, and what is refused."""

import itertools
import os
import random
import re
import struct
import tracemalloc
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acmnet.names import VIDEO_SUFFIXES
from acmnet.video import frames as frames_module
from acmnet.video.frame_clock import FrameClock, nominal_duration
from acmnet.video.frames import FrameReader, VideoError, VideoInfo, probe
from support.movies import (
    even_times,
    held_numbers,
    number_in,
    numbers,
    painted,
    plain,
    write_audio,
    write_movie,
)
from support.places import SHARED

VIDEOS = SHARED / "data" / "videos"
NTSC = Fraction(30_000, 1001)
FILM = Fraction(24_000, 1001)
has_videos = pytest.mark.skipif(
    not VIDEOS.is_dir(), reason=f"the real videos are not at {VIDEOS}"
)


def shown(path, fps=25.0, **kwargs):
    """Return the numbers of a movie's frames, and the reader after them."""
    reader = FrameReader(path, fps=fps, **kwargs)
    return [number_in(frame) for frame in reader], reader


def seconds(*values):
    return [None if value is None else Fraction(str(value)) for value in values]


def steady(n_frames, fps, offset_s=0):
    """Return the times of a constant rate from an offset, on the 1/12800 s grid."""
    return [time + Fraction(offset_s) for time in even_times(n_frames, fps)]


# Which frame is shown when


@pytest.mark.parametrize(
    ("name", "how"),
    [
        pytest.param("a.mp4", {}, id="mp4"),
        pytest.param("a.mp4", {"b_frames": 3, "audio": "aac"}, id="mp4 B-frames sound"),
        pytest.param("a.mov", {"codec": "mjpeg", "pix_fmt": "yuvj420p"}, id="mov"),
        pytest.param("a.mkv", {"b_frames": 2, "audio": "aac"}, id="mkv B-frames sound"),
        pytest.param("a.avi", {"codec": "mpeg4", "audio": "pcm_s16le"}, id="avi sound"),
        # AVI holds no presentation times: those of PyAV are 1, 3, 2, 4, 6, 5
        pytest.param("a.avi", {"b_frames": 2}, id="avi B-frames"),
        pytest.param("a.webm", {"codec": "libvpx-vp9"}, id="webm"),
        pytest.param("a.mpg", {"codec": "mpeg2video", "b_frames": 2}, id="mpeg"),
        pytest.param("a.ts", {"b_frames": 2, "audio": "aac"}, id="ts B-frames sound"),
        pytest.param("a.flv", {"codec": "flv"}, id="flv"),
        pytest.param("a.wmv", {"codec": "wmv2"}, id="wmv"),
        # no times at all: one nominal duration each
        pytest.param("a.h264", {"b_frames": 2, "format": "h264"}, id="raw h264"),
    ],
)
def test_25_fps_is_shown_frame_by_frame(tmp_path, name, how):
    path = write_movie(tmp_path / name, numbers(30), **how)
    for fps in (25.0, None):
        found, reader = shown(path, fps)
        assert found == list(range(30))
        assert (reader.n_frames, reader.n_decoded, reader.skipped_packets) == (
            30,
        ) * 2 + (0,)
        assert reader.duration_s == 1.2
        assert reader.fps == 25.0


@pytest.mark.parametrize("name", ["a.mp4", "a.avi"])
@pytest.mark.parametrize("grid_fps", [25.0, float(NTSC), float(FILM), 60.0])
@pytest.mark.parametrize("fps", [30, NTSC, 10, FILM, 12.5, 50])
def test_constant_rates_agree_with_the_rule(tmp_path, name, fps, grid_fps):
    codec = "mpeg4" if name.endswith("avi") else "libx264"
    path = write_movie(tmp_path / name, numbers(40), fps=fps, codec=codec)
    found, reader = shown(path, grid_fps)
    fps = Fraction(fps)
    # the float 23.976... means 24000/1001 and is a little more: taken as it is, frame k
    # would come a moment after time k / fps
    grid = next((rate for rate in (NTSC, FILM) if grid_fps == float(rate)), grid_fps)
    assert found == held_numbers(even_times(40, fps), 40 / fps, grid)
    assert reader.duration_s == float(40 / fps)
    assert reader.fps == grid_fps


@settings(deadline=None, max_examples=25)
@given(
    # steps of 1/12800 s, from 0.8 ms to 0.5 s
    steps=st.lists(st.integers(10, 6400), min_size=2, max_size=25),
    fps=st.sampled_from([25.0, 10.0, 30.0, float(NTSC)]),
    b_frames=st.sampled_from([0, 2]),
)
def test_variable_rates_agree_with_the_rule(tmp_path_factory, steps, fps, b_frames):
    ticks = list(itertools.accumulate(steps, initial=0))
    times = [Fraction(tick, 12_800) for tick in ticks]
    path = tmp_path_factory.mktemp("vfr") / "a.mp4"
    write_movie(path, numbers(len(times), 32, 32), times=times, b_frames=b_frames)
    with av.open(str(path)) as container:
        last = list(container.decode(video=0))[-1]
    duration_s = times[-1] + last.duration * last.time_base
    found, reader = shown(path, fps)
    rate = Fraction(fps).limit_denominator(10_000)
    assert found == held_numbers(times, duration_s, rate)
    assert reader.duration_s == float(duration_s)


def test_every_frame_has_the_mean_rate(tmp_path):
    times = seconds(0, 0.1, 0.5, 0.6)
    found, reader = shown(
        write_movie(tmp_path / "a.mp4", numbers(4), times=times), None
    )
    assert found == [0, 1, 2, 3]
    # The file says that the last frame stays for 0.04 s: 4 frames in 0.64 s.
    assert reader.duration_s == pytest.approx(0.64, abs=1 / 12_800)
    assert reader.fps == pytest.approx(6.25, rel=1e-3)


@pytest.mark.parametrize("offset_s", [-2, Fraction(-1, 25), Fraction(1, 2), 30])
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts"])
def test_times_are_relative_to_the_first_frame(tmp_path, name, offset_s):
    path = write_movie(
        tmp_path / name,
        numbers(20),
        times=steady(20, 25, offset_s),
        b_frames=2,
        container_options={"avoid_negative_ts": "disabled"} if name != "a.ts" else None,
    )
    first = 0
    if name == "a.mp4" and offset_s < 0:
        # its edit list starts at 0: a player shows nothing that comes before
        first = min(int(-offset_s * 25), 20)
    if first == 20:
        with pytest.raises(VideoError, match=r"no frame could be decoded"):
            shown(path)
        return
    found, reader = shown(path)
    assert found == list(range(first, 20))
    assert reader.duration_s == pytest.approx((20 - first) / 25, abs=1e-3)


def test_no_drift_over_an_hour(tmp_path):
    # Frame i has time 10 i s; the grid frame k = ceil(10 i * 30000 / 1001) is the first
    # that shows it. The file says that the last one stays for 0.04 s.
    frames = numbers(361, 16, 16)
    path = write_movie(tmp_path / "a.mp4", frames, times=seconds(*range(0, 3610, 10)))
    reader = FrameReader(path, fps=float(NTSC))
    first = {}
    for k, frame in enumerate(reader):
        first.setdefault(id(frame), (k, frame))
    assert [(k, number_in(frame)) for k, frame in first.values()] == [
        (-(-10 * i * 30_000 // 1001), i) for i in range(361)
    ]
    assert reader.duration_s == 3600.04
    assert reader.n_frames == -(-90_001 * 30_000 // (25 * 1001))


# The clock, on timestamps alone


@pytest.mark.parametrize(
    ("stamps", "expected"),
    [
        pytest.param([5, 6, 7.5], [0, 1, 2.5], id="relative to the first"),
        pytest.param([-3, -2, -1], [0, 1, 2], id="negative"),
        pytest.param([0, None, None, 1], [0, 0.04, 0.08, 1], id="missing"),
        pytest.param([None, None, 7, 8], [0, 0.04, 0.08, 1.08], id="first missing"),
        pytest.param([None] * 3, [0, 0.04, 0.08], id="all missing"),
        # late by up to 1 s: 0.02 s after the one before, and the clock goes on
        pytest.param([0, 0.04, 0.04, 0.08], [0, 0.04, 0.06, 0.08], id="repeated"),
        pytest.param([0, 2, 1, 3], [0, 2, 2.02, 3], id="late by exactly 1 s"),
        # a jump back: 0.04 s after the one before, then on with the new clock
        pytest.param([0, 5, 3.9, 4.9], [0, 5, 5.04, 6.04], id="back by 1.1 s"),
        pytest.param([0, 10], [0, 10], id="held for 10 s"),
        pytest.param([0, 10.1, 10.6], [0, 0.04, 0.54], id="ahead by more than 10 s"),
        pytest.param([0, 1e9, 1e9 + 1], [0, 0.04, 1.04], id="ahead by years"),
        pytest.param(
            [0, 0.04, 9999, 0.5, 0.54], [0, 0.04, 0.08, 0.5, 0.54], id="one wrong"
        ),
        pytest.param(
            [2, 2.04, -9999, 2.5, 2.54], [0, 0.04, 0.08, 0.5, 0.54], id="one far back"
        ),
    ],
)
def test_clock(stamps, expected):
    clock = FrameClock(Fraction(1, 25), claimed_s=Fraction(0))
    assert [clock.time_of(stamp) for stamp in seconds(*stamps)] == seconds(*expected)


@pytest.mark.parametrize(
    ("claimed_s", "step_s", "is_held"),
    [
        pytest.param(0, 10, True, id="10 s whatever the header says"),
        pytest.param(100, 100, True, id="within the claimed duration"),
        pytest.param(100, 101, True, id="a second of tolerance"),
        pytest.param(100, 102, False, id="beyond the claimed duration"),
        pytest.param(9999, 3600, True, id="an hour"),
        pytest.param(9999, 3601, False, id="more than an hour"),
        pytest.param(86_400, 11, True, id="a day is claimed"),
        pytest.param(86_401, 11, False, id="more than a day is claimed"),
    ],
)
def test_clock_believes_the_header_up_to_an_hour(claimed_s, step_s, is_held):
    clock = FrameClock(Fraction(1, 25), Fraction(claimed_s))
    clock.time_of(Fraction(0))
    expected = Fraction(step_s) if is_held else Fraction(1, 25)
    assert clock.end_of(Fraction(step_s)) == expected
    assert clock.time_of(Fraction(step_s)) == expected


@given(
    st.lists(
        st.none()
        | st.fractions(-(10**7), 10**7, max_denominator=90_000)
        | st.fractions(0, 2, max_denominator=1000),
        min_size=1,
        max_size=30,
    ),
    st.fractions(0, 10**6, max_denominator=1000),
)
@settings(deadline=None)
def test_clock_only_rises_and_is_bounded(stamps, claimed_s):
    clock = FrameClock(Fraction(1, 25), claimed_s)
    times = [clock.time_of(stamp) for stamp in stamps]
    assert times[0] == 0
    assert all(before < after for before, after in itertools.pairwise(times))
    # each step is at most 10 s, or ends within what is claimed (and 1 s)
    assert times[-1] <= claimed_s + 1 + 10 * len(stamps)


@pytest.mark.parametrize(
    ("rates", "expected"),
    [
        pytest.param([None, None], Fraction(1, 25), id="none"),
        pytest.param([Fraction(0), Fraction(30)], Fraction(1, 30), id="zero"),
        pytest.param([Fraction(90_000), NTSC], 1 / NTSC, id="not plausible"),
        pytest.param([Fraction(1), Fraction(240)], Fraction(1), id="the first"),
    ],
)
def test_nominal_duration(rates, expected):
    assert nominal_duration(rates) == expected


# Headers that lie


def with_claimed(path, duration_s):
    """Write another duration into the header of an MKV."""
    content = path.read_bytes()
    # element 0x4489, 8 bytes: a double, in milliseconds
    start = content.index(b"\x44\x89\x88") + 3
    claim = struct.pack(">d", 1000 * duration_s)
    path.write_bytes(content[:start] + claim + content[start + 8 :])
    return path


def test_the_duration_is_not_the_headers(tmp_path):
    path = write_movie(tmp_path / "a.mkv", numbers(20))
    with_claimed(path, 5000)
    assert probe(path).duration_s == 5000
    found, reader = shown(path)
    assert found == list(range(20))
    assert reader.duration_s == 0.8


@pytest.mark.parametrize(
    ("claimed_s", "duration_s"),
    [
        # 0 to 0.36 s, then a picture for 3000 s, then 0.4 s more
        pytest.param(3001, 3000.8, id="claimed: a picture that stays"),
        # 20 frames of 0.04 s
        pytest.param(2, 0.8, id="not claimed: a damaged timestamp"),
    ],
)
def test_a_long_gap(tmp_path, claimed_s, duration_s):
    times = steady(10, 25) + steady(10, 25, Fraction(30_004, 10))
    path = with_claimed(
        write_movie(tmp_path / "a.mkv", numbers(20), times=times), claimed_s
    )
    reader = FrameReader(path)
    # a frame that is held is one array
    different = [next(same) for _, same in itertools.groupby(reader, key=id)]
    assert [number_in(frame) for frame in different] == list(range(20))
    assert reader.duration_s == pytest.approx(duration_s, abs=1e-3)
    assert reader.n_frames == pytest.approx(25 * duration_s, abs=1)


def test_a_gap_in_mpeg_is_another_clock(tmp_path):
    # The header claims 30.8 s, but only because it is told by the last timestamp.
    times = steady(10, 25) + steady(10, 25, Fraction(304, 10))
    path = write_movie(tmp_path / "a.ts", numbers(20), times=times)
    assert probe(path).duration_s > 30
    found, reader = shown(path)
    assert found == list(range(20))
    assert reader.duration_s == 0.8


def test_a_damaged_unit_of_time(tmp_path):
    # AVI: 25 ticks in 1 s become 25 ticks in 25,000 s. No time can be believed.
    path = write_movie(tmp_path / "a.avi", numbers(20), codec="mpeg4")
    content = bytearray(path.read_bytes())
    # strh: 8 bytes of name and size, 20 of other fields, then scale and rate
    start = content.index(b"strh") + 28
    assert content[start : start + 8] == struct.pack("<II", 1, 25)
    content[start : start + 8] = struct.pack("<II", 25_000, 25)
    path.write_bytes(content)
    assert probe(path).duration_s == 20_000
    found, reader = shown(path)
    assert (found, reader.duration_s) == (list(range(20)), 0.8)

    # MP4: 12800 ticks a second become 12, a frame in 43 s.
    path = write_movie(
        tmp_path / "a.mp4", numbers(20), container_options={"use_editlist": "0"}
    )
    content = bytearray(path.read_bytes())
    # mdhd, version 0: 4 bytes of name, 12 of other fields, then ticks a second
    start = content.index(b"mdhd") + 16
    assert content[start : start + 4] == struct.pack(">I", 12_800)
    content[start : start + 4] = struct.pack(">I", 12)
    path.write_bytes(content)
    found, reader = shown(path)
    assert (found, reader.duration_s) == (list(range(20)), 0.8)


def test_a_clock_that_starts_anew(tmp_path):
    # MPEG-TS joined by cat: the second part's times start again
    first = write_movie(tmp_path / "1.ts", numbers(60), b_frames=2).read_bytes()
    second = write_movie(
        tmp_path / "2.ts", [painted(100 + i) for i in range(60)], b_frames=2
    )
    path = tmp_path / "joined.ts"
    path.write_bytes(first + second.read_bytes())
    found, reader = shown(path)
    assert found == list(range(60)) + list(range(100, 160))
    assert reader.duration_s == 4.8


# What a frame looks like


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt"),
    [
        ("a.mp4", "libx264", "yuv420p10le"),
        ("a.mp4", "libx264", "gray"),
        ("a.mp4", "libx264", "yuv444p"),
        ("a.mkv", "libx264", "yuvj420p"),
        ("a.webm", "libvpx-vp9", "yuva420p"),
        ("a.mkv", "ffv1", "yuva444p16le"),
        ("a.mkv", "ffv1", "gray16le"),
        ("a.mkv", "ffv1", "bgra"),
        ("a.avi", "rawvideo", "bgr24"),
        ("a.mov", "prores", "yuv422p10le"),
        ("a.mov", "png", "rgba"),
        ("a.gif", "gif", "pal8"),
    ],
)
def test_pixel_formats(tmp_path, name, codec, pix_fmt):
    if pix_fmt == "pal8":
        codec, pix_fmt = "gif", "gray"  # the decoder gives bgra
    path = write_movie(tmp_path / name, numbers(6), codec=codec, pix_fmt=pix_fmt)
    reader = FrameReader(path, fps=None)
    for number, frame in enumerate(reader):
        assert number_in(frame) == number
        assert (frame.dtype, frame.shape) == (np.uint8, (64, 64, 3))
        assert frame.flags.c_contiguous
        assert np.abs(frame.astype(int) - painted(number)).mean() < 12


@pytest.mark.parametrize("size", [(63, 47), (65, 64), (33, 50), (17, 16)])
@pytest.mark.parametrize("pix_fmt", ["yuv444p", "gray"])
def test_odd_sizes(tmp_path, size, pix_fmt):
    path = write_movie(
        tmp_path / "a.mkv", numbers(3, *size), codec="ffv1", pix_fmt=pix_fmt
    )
    frames = list(FrameReader(path, fps=None))
    assert [frame.shape for frame in frames] == [(size[1], size[0], 3)] * 3
    assert all(frame.flags.c_contiguous for frame in frames)
    for number, frame in enumerate(frames):
        # lossless but for the range of 16 to 235
        assert np.abs(frame.astype(int) - painted(number, *size)).max() <= 3


def literal_rgb(luma, blue, red, weights, is_full):
    """Return RGB by the definition: Y = kr R + kg G + kb B, differences scaled."""
    kr, kb = weights
    low, span, chroma = (0, 255, 255) if is_full else (16, 219, 224)
    y, pb, pr = (luma - low) / span, (blue - 128) / chroma, (red - 128) / chroma
    r, b = y + 2 * (1 - kr) * pr, y + 2 * (1 - kb) * pb
    g = (y - kr * r - kb * b) / (1 - kr - kb)
    return 255 * np.clip([r, g, b], 0, 1)


@pytest.mark.parametrize(
    ("matrix", "weights"),
    [
        pytest.param(2, (0.299, 0.114), id="unspecified is BT.601"),
        pytest.param(5, (0.299, 0.114), id="BT.601"),
        pytest.param(1, (0.2126, 0.0722), id="BT.709"),
        pytest.param(9, (0.2627, 0.0593), id="BT.2020"),
        pytest.param(8, (0.299, 0.114), id="YCgCo is not known: BT.601"),
    ],
)
@pytest.mark.parametrize("colour_range", [0, 1, 2])
@pytest.mark.parametrize("yuv", [(180, 90, 160), (60, 140, 110), (120, 200, 100)])
def test_matrix_and_range(tmp_path, matrix, weights, colour_range, yuv):
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        stream.codec_context.colorspace = matrix
        stream.codec_context.color_range = colour_range
        frame = av.VideoFrame(32, 32, "yuv420p")
        for plane, value in zip(frame.planes, yuv, strict=True):
            plane.update(bytes([value]) * plane.buffer_size)
        frame.colorspace, frame.color_range = matrix, colour_range
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    (pixels,) = FrameReader(path)
    # swscale's fast path is up to 3 levels off; the wrong matrix or range is 5 to 60
    expected = literal_rgb(*yuv, weights, colour_range == 2)
    assert np.abs(pixels.reshape(-1, 3) - expected).max() <= 3.5


@pytest.mark.parametrize(
    ("angle", "turns"), [(90, 1), (180, 2), (-180, 2), (-90, 3), (270, 3), (0, 0)]
)
def test_rotation(tmp_path, angle, turns):
    path = write_movie(tmp_path / "a.mp4", numbers(4, 96, 64), rotation=angle)
    (frame, *_), number = FrameReader(path, fps=None), 0
    upright = painted(number, 96, 64)
    assert frame.shape == np.rot90(upright, turns).shape
    assert frame.flags.c_contiguous
    assert np.abs(frame.astype(int) - np.rot90(upright, turns)).mean() < 12
    info = probe(path)
    assert (info.height, info.width) == frame.shape[:2]
    assert info.rotation == turns * 90


def test_rotation_of_a_telephone(tmp_path):
    # Held upright, it writes the matrix x' = -y, y' = x (a = 0, b = 1, c = -1, d = 0):
    # what points right in the file points down on the screen, a turn clockwise.
    path = write_movie(tmp_path / "a.mp4", numbers(2, 96, 64))
    content = path.read_bytes()
    one = struct.pack(">i", 1 << 16)
    none, minus = bytes(4), struct.pack(">i", -(1 << 16))
    # tkhd, version 0: 40 bytes come before the matrix
    start = content.index(b"tkhd") + 4 + 40
    assert content[start : start + 20] == one + none * 3 + one
    path.write_bytes(
        content[:start] + none + one + none + minus + none + content[start + 20 :]
    )
    frame = next(iter(FrameReader(path)))
    clockwise = cv2.rotate(painted(0, 96, 64), cv2.ROTATE_90_CLOCKWISE)
    assert np.abs(frame.astype(int) - clockwise).mean() < 12
    assert probe(path).rotation == 270


@pytest.mark.parametrize(
    ("size", "short_side", "expected"),
    [
        pytest.param((340, 256), None, (340, 256), id="kept"),
        pytest.param((340, 256), 256, (340, 256), id="itself"),
        pytest.param((64, 48), 96, (128, 96), id="larger"),
        # 320 * 256 / 240 = 341.3
        pytest.param((320, 240), 256, (341, 256), id="wide, down"),
        # 30 * 27 / 20 = 40.5 is rounded up
        pytest.param((30, 20), 27, (41, 27), id="half"),
        pytest.param((48, 64), 24, (24, 32), id="tall"),
        pytest.param((64, 64), 7, (7, 7), id="square"),
        pytest.param((128, 32), 16, (64, 16), id="1 to 4"),
        pytest.param((160, 32), 16, (64, 16), id="1 to 5 is squeezed"),
        pytest.param((2000, 2), 256, (1024, 256), id="wide by far"),
    ],
)
@pytest.mark.parametrize("rotation", [0, 90])
def test_short_side(tmp_path, size, short_side, expected, rotation):
    path = write_movie(
        tmp_path / "a.mov",
        plain(*size, 1),
        codec="png",
        pix_fmt="rgb24",
        rotation=rotation,
    )
    (frame,) = FrameReader(path, short_side=short_side)
    width, height = expected[::-1] if rotation else expected
    assert frame.shape == (height, width, 3)
    assert frame.flags.c_contiguous
    assert (frame == 60).all()


def bilinear(pixels, width, height):
    """Return a picture resized pixel by pixel, between the four nearest centres."""
    rows, columns = pixels.shape[:2]
    resized = np.zeros((height, width, 3))
    for row, column in np.ndindex(height, width):
        y = min(max((row + 0.5) * rows / height - 0.5, 0), rows - 1)
        x = min(max((column + 0.5) * columns / width - 0.5, 0), columns - 1)
        top, left = int(y), int(x)
        bottom, right = min(top + 1, rows - 1), min(left + 1, columns - 1)
        above = (1 - x + left) * pixels[top, left] + (x - left) * pixels[top, right]
        below = (1 - x + left) * pixels[bottom, left] + (x - left) * pixels[
            bottom, right
        ]
        resized[row, column] = (1 - y + top) * above + (y - top) * below
    return resized


@pytest.mark.parametrize("short_side", [13, 24, 31])
def test_resized_bilinearly_to_a_half(tmp_path, short_side):
    pixels = np.random.default_rng(0).integers(0, 256, (24, 36, 3), np.uint8)
    path = write_movie(tmp_path / "a.mov", [pixels], codec="png", pix_fmt="rgb24")
    (frame,) = FrameReader(path, short_side=short_side)
    height, width = frame.shape[:2]
    assert np.abs(frame - bilinear(pixels.astype(float), width, height)).max() <= 1


def test_resized_by_area_below_a_half(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (24, 36, 3), np.uint8)
    path = write_movie(tmp_path / "a.mov", [pixels], codec="png", pix_fmt="rgb24")
    (frame,) = FrameReader(path, short_side=8)
    means = pixels.reshape(8, 3, 12, 3, 3).mean(axis=(1, 3))
    assert np.abs(frame - means).max() <= 1


def test_a_new_size_becomes_that_of_the_first(tmp_path):
    first = write_movie(tmp_path / "1.ts", numbers(30, 64, 64)).read_bytes()
    second = write_movie(
        tmp_path / "2.ts", [painted(i, 128, 96) for i in range(30, 60)]
    )
    path = tmp_path / "joined.ts"
    path.write_bytes(first + second.read_bytes())
    for short_side, size in ((None, 64), (32, 32)):
        reader = FrameReader(path, fps=None, short_side=short_side)
        frames = list(reader)
        assert {frame.shape for frame in frames} == {(size, size, 3)}
        assert [number_in(frame) for frame in frames] == list(range(60))


# Damage


def packets_of(path):
    """Return where each video packet lies in a file: its offset and its size."""
    content = path.read_bytes()
    found = []
    with av.open(str(path)) as container:
        for packet in container.demux(video=0):
            if packet.size:
                start = found[-1][0] if found else 0
                found.append((content.index(bytes(packet), start), packet.size))
    return found


@pytest.mark.parametrize(
    ("name", "codec"), [("a.mp4", "libx264"), ("a.mkv", "libx264"), ("a.avi", "mpeg4")]
)
def test_frames_around_the_damage_are_recovered(tmp_path, name, codec):
    path = tmp_path / name
    write_movie(path, numbers(60, grain=60), codec=codec)
    with av.open(str(path)) as container:
        is_key = [packet.is_keyframe for packet in container.demux(video=0)]
    next_key = is_key.index(True, 31)
    assert next_key < 45
    content = bytearray(path.read_bytes())
    for offset, size in packets_of(path)[29:31]:
        content[offset : offset + size] = b"\xff" * size
    path.write_bytes(content)
    found, reader = shown(path)
    # 29 and 30 are held; until the next key frame the pictures may be wrong
    assert found[:31] == [*range(29), 28, 28]
    assert found[next_key:] == list(range(next_key, 60))
    assert (reader.n_decoded, reader.skipped_packets) == (58, 2)
    assert reader.duration_s == 2.4


@pytest.mark.parametrize(
    ("name", "how"),
    [
        pytest.param("a.ts", {}, id="ts"),
        pytest.param("a.mkv", {}, id="mkv"),
        pytest.param("a.avi", {"codec": "mpeg4"}, id="avi"),
        pytest.param("a.webm", {"codec": "libvpx"}, id="webm"),
        pytest.param("a.mpg", {"codec": "mpeg2video"}, id="mpg"),
        pytest.param(
            "a.mp4", {"container_options": {"movflags": "faststart"}}, id="index first"
        ),
    ],
)
def test_a_truncated_file_gives_its_beginning(tmp_path, name, how):
    path = write_movie(tmp_path / name, numbers(60, grain=60), **how)
    content = path.read_bytes()
    if path.suffix in (".ts", ".mpg"):  # a packet is spread over blocks there
        end = len(content) * 2 // 3
    else:
        end = packets_of(path)[40][0]
    path.write_bytes(content[:end])
    found, _ = shown(path)
    n_frames = len(found)
    assert 20 < n_frames < 50
    # the last one may be half a picture, and late
    assert found[:-2] == list(range(n_frames - 2))


def test_damage_is_silent_and_repeats(tmp_path, capfd):
    path = write_movie(tmp_path / "a.ts", numbers(60, grain=60), b_frames=2)
    content = bytearray(path.read_bytes())
    rng = random.Random(3)
    for _ in range(60):
        content[rng.randrange(2000, len(content))] = rng.randrange(256)
    path.write_bytes(content)
    runs = [[frame.tobytes() for frame in FrameReader(path)] for _ in range(3)]
    assert len(runs[0]) > 20
    assert runs[0] == runs[1] == runs[2]
    assert capfd.readouterr() == ("", "")


def test_a_container_that_cannot_be_read_on(tmp_path):
    # Each frame of YUV4MPEG2 begins with the word FRAME; without it all is lost.
    path = write_movie(tmp_path / "a.y4m", numbers(20), codec="wrapped_avframe")
    parts = path.read_bytes().split(b"FRAME")
    assert len(parts) == 21
    path.write_bytes(b"FRAME".join(parts[:11]) + b"WRONG" + b"FRAME".join(parts[11:]))
    found, reader = shown(path, None)
    assert found == list(range(10))
    assert reader.skipped_packets == 1


def test_damage_that_looks_like_a_new_stream(tmp_path):
    path = write_movie(tmp_path / "a.ts", numbers(60, grain=60), b_frames=2)
    content = path.read_bytes()

    def damaged(seed):
        rng = random.Random(seed)
        changed = bytearray(content)
        for _ in range(60):
            changed[rng.randrange(2000, len(content))] = rng.randrange(256)
        path.write_bytes(changed)

    def has_new_stream(seed):
        damaged(seed)
        with av.open(str(path)) as container:
            n_before = len(container.streams)
            try:
                for _ in container.demux(video=0):
                    pass
            except IndexError:
                return n_before > 0
        return False

    seed = next((seed for seed in range(40) if has_new_stream(seed)), None)
    if seed is None:
        pytest.skip("this PyAV reads to the end of such files itself")
    damaged(seed)
    found, _ = shown(path)
    assert len(found) > 20


def test_metadata_that_are_no_text(tmp_path):
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        container.metadata["title"] = "title of the video"
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        frame = av.VideoFrame.from_ndarray(painted(5), "rgb24")
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    content = path.read_bytes()
    assert b"title of" in content
    path.write_bytes(content.replace(b"title of", b"\xff\xfe\xfd of"))
    assert shown(path)[0] == [5]


# Opening and closing


def open_files():
    """Return the targets of this process's open files."""
    folder = Path("/proc/self/fd")
    links = []
    for link in list(folder.iterdir()):
        try:
            links.append(os.readlink(link))
        except OSError:
            continue
    return links


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs /proc")
def test_the_file_is_closed_however_it_ends(tmp_path):
    path = write_movie(tmp_path / "a.mp4", numbers(30))

    def is_open():
        return str(path) in open_files()

    reader = FrameReader(path)
    assert not is_open()
    frames = iter(reader)
    next(frames)
    assert is_open()
    frames.close()
    assert not is_open()
    assert reader.n_frames == 1

    list(FrameReader(path))
    assert not is_open()
    probe(path)
    assert not is_open()

    class StopHereError(Exception):
        pass

    def read_two():
        for k, _ in enumerate(FrameReader(path)):
            if k == 1:
                assert is_open()
                raise StopHereError

    with pytest.raises(StopHereError):
        read_two()
    assert not is_open()

    path.write_bytes(path.read_bytes()[:600])
    with pytest.raises(VideoError):
        list(FrameReader(path))
    assert not is_open()


def test_counts_while_iterating(tmp_path):
    path = write_movie(tmp_path / "a.avi", numbers(10), codec="mpeg4", fps=12.5)
    reader = FrameReader(path, fps=25.0)
    assert (reader.n_frames, reader.n_decoded, reader.duration_s) == (0, 0, 0.0)
    for k, _ in enumerate(reader, start=1):
        assert reader.n_frames == k
        # each frame is shown twice, once the next one is known
        assert reader.n_decoded == min((k + 1) // 2 + 1, 10)
    assert (reader.n_frames, reader.n_decoded, reader.duration_s) == (20, 10, 0.8)


def test_memory_is_bounded(tmp_path):
    path = write_movie(tmp_path / "a.mp4", numbers(150, 320, 240))
    frame_bytes = 320 * 240 * 3
    tracemalloc.start()
    try:
        for _ in FrameReader(path, short_side=120):
            pass
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8 * frame_bytes


def test_iterated_once(tmp_path):
    reader = FrameReader(write_movie(tmp_path / "a.mp4", numbers(3)))
    list(reader)
    with pytest.raises(VideoError, match=r"a\.mp4 were iterated over already; make an"):
        iter(reader)


def test_probe(tmp_path):
    path = write_movie(tmp_path / "a.mp4", numbers(30, 96, 64), fps=NTSC, rotation=90)
    assert probe(str(path)) == VideoInfo(
        path=path,
        width=64,
        height=96,
        fps=float(NTSC),
        # in the units of an MP4's header, milliseconds
        duration_s=pytest.approx(1.001),
        codec="h264",
        pixel_format="yuv420p",
        rotation=90,
    )
    raw = write_movie(tmp_path / "a.h264", numbers(5), format="h264")
    assert probe(raw).duration_s is None


def test_the_name_does_not_matter(tmp_path):
    folder = tmp_path / "a: #1 %03d é"
    folder.mkdir()
    path = write_movie(tmp_path / "a.mp4", numbers(5))
    for name in ("b.avi", "c.txt", "d", "concat:e|f.mp4", "%d.png", "g?h=1.mp4"):
        assert shown(path.rename(folder / name))[0] == list(range(5))
        path = folder / name


def test_a_relative_path(tmp_path, monkeypatch):
    write_movie(tmp_path / "subfile,,start,0,end,0,,:a.mp4", numbers(5))
    monkeypatch.chdir(tmp_path)
    assert shown("subfile,,start,0,end,0,,:a.mp4")[0] == list(range(5))


def test_suffixes():
    assert {".mp4", ".avi", ".mkv", ".mov", ".webm", ".m4v"} < set(VIDEO_SUFFIXES)
    assert {".mpg", ".mpeg", ".wmv", ".flv", ".ts"} < set(VIDEO_SUFFIXES)
    assert all(suffix == suffix.lower() for suffix in VIDEO_SUFFIXES)
    assert len(set(VIDEO_SUFFIXES)) == len(VIDEO_SUFFIXES)


# Refusals


def refused(path, message):
    """Check that a file is refused by the reader and by `probe` in the same words."""
    for read in (probe, lambda path: list(FrameReader(path))):
        with pytest.raises(VideoError, match=message) as caught:
            read(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        pytest.param("a.mp4", b"", r"a\.mp4 is empty; copy", id="empty"),
        pytest.param(
            "a.mp4",
            b"hello\n" * 50,
            r"\(its header is damaged or it is no v",
            id="text",
        ),
        pytest.param(
            "a.mp4", bytes(5000), r"its header is damaged or it is no", id="zero"
        ),
        pytest.param(
            "a.avi",
            random.Random(0).randbytes(5000),
            r"its header is damaged",
            id="noise",
        ),
    ],
)
def test_what_is_no_video_is_refused(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    refused(path, message)


def test_what_is_no_file_is_refused(tmp_path):
    refused(
        tmp_path / "none.mp4", r"no video at .*none\.mp4; check the path, or the wor"
    )
    refused(tmp_path, r"is a directory; name the video itself")
    refused(tmp_path / ("a" * 5000), r"no video at ")
    os.mkfifo(tmp_path / "pipe.mp4")
    refused(tmp_path / "pipe.mp4", r"pipe\.mp4 is no regular file; name the video")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_refused(tmp_path):
    path = write_movie(tmp_path / "a.mp4", numbers(2))
    path.chmod(0)
    refused(path, r"could not be read; check its permissions")


def test_a_file_without_pictures_is_refused(tmp_path):
    only_sound = r"has no video stream, only audio; leave it out or name the video"
    refused(write_audio(tmp_path / "a.mp4"), only_sound)
    refused(write_audio(tmp_path / "a.mkv", "libopus"), only_sound)


def test_a_cover_picture_is_no_video(tmp_path):
    path = tmp_path / "a.m4a"
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("png", rate=1)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "rgb24"
        stream.disposition = av.stream.Disposition.attached_pic
        frame = av.VideoFrame.from_ndarray(painted(1), "rgb24")
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with av.open(str(path)) as container:
        if not container.streams.video[0].disposition:
            pytest.skip("this muxer does not write a cover")
    refused(path, r"has no video stream, only video")


def test_a_file_without_its_index_is_refused(tmp_path):
    path = write_movie(tmp_path / "a.mp4", numbers(30))
    path.write_bytes(path.read_bytes()[:1200])
    refused(path, r"is no video that can be read \(its header is damaged")


def test_a_video_without_a_whole_frame_is_refused(tmp_path):
    path = write_movie(tmp_path / "a.mp4", numbers(10))
    content = bytearray(path.read_bytes())
    for offset, size in packets_of(path):
        content[offset : offset + size] = b"\xff" * size
    path.write_bytes(content)
    refused(
        path, r"no frame could be decoded from .*a\.mp4 \(10 damaged packets\); play"
    )


def test_a_giant_picture_is_refused(tmp_path):
    path = tmp_path / "a.y4m"
    path.write_bytes(b"YUV4MPEG2 W16000 H16000 F25:1 C420jpeg\nFRAME\n" + bytes(5000))
    refused(path, r"claims frames of 16000x16000 pixels, more than 67108864 in all; s")


@pytest.mark.parametrize("name", ["list.mp4", "list.m3u8"])
@pytest.mark.parametrize("kind", ["hls", "concat", "dash", "address"])
def test_a_playlist_is_refused(tmp_path, kind, name):
    part = write_movie(tmp_path / "part.ts", numbers(30), audio="aac").name
    text = {
        "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n"
        f"{part}\n#EXT-X-ENDLIST\n",
        "concat": f"ffconcat version 1.0\nfile {part}\n",
        "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" '
        'type="static" profiles="urn:mpeg:dash:profile:isoff-main:2011"><Period>'
        f"<AdaptationSet><Representation><BaseURL>{part}</BaseURL></Representation>"
        "</AdaptationSet></Period></MPD>",
        "address": "#EXTM3U\n#EXTINF:2,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n",
    }[kind]
    path = tmp_path / name
    path.write_text(text)
    refused(path, r"is no video that can be read \((a playlist|its header)")


@pytest.mark.parametrize(
    ("how", "message"),
    [
        (
            {"fps": 0.0},
            "fps must be from 0.01 to 1000, or None for every frame, got 0.0",
        ),
        ({"fps": -25.0}, "got -25.0"),
        ({"fps": float("nan")}, "got nan"),
        ({"fps": float("inf")}, "got inf"),
        ({"fps": 1001.0}, "got 1001.0"),
        (
            {"short_side": 0},
            "short_side must be at least 1 pixel, or None to keep the ",
        ),
    ],
)
def test_settings_out_of_range_are_refused(how, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        FrameReader("a.mp4", **how)


# Real videos


@has_videos
@pytest.mark.parametrize(
    ("name", "size", "fps", "n_native"),
    [
        pytest.param("mm_demo_armwrestling.mp4", (340, 256), 28.0, 280),
        pytest.param("mmaction2_test.avi", (320, 240), 25.0, 164),
        pytest.param("v_GGSY1Qvo990.mp4", (320, 240), 19.62, 355),
    ],
)
def test_real_videos(name, size, fps, n_native):
    path = VIDEOS / name
    info = probe(path)
    assert (info.width, info.height) == size
    assert info.fps == pytest.approx(fps)
    with av.open(str(path)) as container:
        stamps = [frame.pts * frame.time_base for frame in container.decode(video=0)]
    every = FrameReader(path, fps=None)
    assert sum(1 for _ in every) == len(stamps)
    assert every.n_decoded == pytest.approx(n_native, abs=2)
    reader = FrameReader(path, short_side=128)
    n_frames = sum(1 for _ in reader)
    assert reader.skipped_packets == 0
    assert reader.duration_s == pytest.approx(len(stamps) / fps, abs=2 / fps)
    assert n_frames == -(
        -Fraction(reader.duration_s).limit_denominator(10**6) * 25 // 1
    )


@has_videos
def test_a_real_video_with_flipped_bytes(tmp_path):
    content = bytearray((VIDEOS / "v_ZNVhz7ctTq0.mp4").read_bytes())
    rng = random.Random(0)
    for _ in range(200):
        content[rng.randrange(len(content) // 10, len(content) * 9 // 10)] ^= 0xFF
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    reader = FrameReader(path, fps=None, short_side=64)
    n_frames = sum(1 for _ in reader)
    assert n_frames > 300
    assert n_frames + reader.skipped_packets >= 415


def test_an_unchanged_file_is_opened_once(tmp_path, monkeypatch):
    path = write_movie(tmp_path / "a.mp4", plain(32, 32, 4))
    first = probe(path)
    opened = []
    own = frames_module.opened_video
    monkeypatch.setattr(
        frames_module, "opened_video", lambda *x: opened.append(x) or own(*x)
    )
    assert probe(path) == first
    assert opened == []
    write_movie(path, 2 * plain(32, 32, 4))
    assert probe(path).duration_s == pytest.approx(2 * first.duration_s)
    assert len(opened) == 1
