"""Small videos for the tests: numbers painted into frames, encoded, then damaged.

A number is painted as 4 x 4 black or white cells, twelve bits of it and four of
checksum, so that it survives lossy coding and a smeared picture reads as None.
"""

import random
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

CELLS = 4
AUDIO_RATE = 48_000
FINE_TIME = Fraction(1, 12_800)
# Looking ahead, x264 does not give the same bytes each time for such small pictures.
STEADY_X264 = {"x264-params": "rc-lookahead=0:mbtree=0:b-adapt=0:scenecut=0"}


def _bits(number):
    """Return the sixteen bits: the number's twelve, and the four of their checksum."""
    word = number << 4 | (number % 15 + 1)
    return [word >> (15 - bit) & 1 for bit in range(CELLS * CELLS)]


def painted(
    number: int, width: int = 64, height: int = 64, grain: int = 0
) -> np.ndarray:
    """Return an (H, W, 3) RGB frame that shows a number below 4096.

    ``grain`` is the greatest difference of a pixel from black or white, at random: so
    that a packet has enough bytes to be damaged.
    """
    cells = np.array(_bits(number), np.uint8).reshape(CELLS, CELLS) * 255
    rows = np.arange(height) * CELLS // height
    columns = np.arange(width) * CELLS // width
    frame = np.repeat(cells[rows][:, columns, None], 3, axis=2)
    if grain:
        noise = np.random.default_rng(number).integers(0, grain + 1, frame.shape)
        frame = np.where(frame > 0, 255 - noise, noise).astype(np.uint8)
    return frame


def number_in(frame: np.ndarray) -> int | None:
    """Return the number painted into a frame of any size, None if it cannot be read."""
    height, width = frame.shape[:2]
    word = 0
    for bit in range(CELLS * CELLS):
        row, column = divmod(bit, CELLS)
        cell = frame[
            (4 * row + 1) * height // 16 : max((4 * row + 3) * height // 16, 1),
            (4 * column + 1) * width // 16 : max((4 * column + 3) * width // 16, 1),
        ]
        word = word << 1 | int(cell.mean() > 127)
    number, check = word >> 4, word & 15
    return number if check == number % 15 + 1 else None


def numbers(
    n_frames: int, width: int = 64, height: int = 64, grain: int = 0
) -> list[np.ndarray]:
    """Return frames that show 0, 1, 2, ..."""
    return [painted(number, width, height, grain) for number in range(n_frames)]


def plain(width: int, height: int, n_frames: int = 3) -> list[np.ndarray]:
    """Return grey frames, each a little brighter, of any size from 1 x 1."""
    return [
        np.full((height, width, 3), 60 * (i + 1), np.uint8) for i in range(n_frames)
    ]


def even_times(n_frames: int, fps: float | Fraction, start: int = 0) -> list[Fraction]:
    """Return the times of a constant rate in seconds."""
    return [Fraction(start + i) / Fraction(fps) for i in range(n_frames)]


def held_numbers(
    times: Sequence[Fraction], duration_s: Fraction, fps: float | Fraction
) -> list[int]:
    """Return what each grid frame shows: the rule word for word, slowly.

    Grid frame k has time k / fps after the first frame and shows the last frame that
    is presented at or before it; there are grid frames while k / fps < duration.
    """
    shown = []
    k = 0
    while Fraction(k) / Fraction(fps) < duration_s:
        grid_time = times[0] + Fraction(k) / Fraction(fps)
        shown.append(max(i for i, time in enumerate(times) if time <= grid_time))
        k += 1
    return shown


def write_movie(
    path: Path,
    frames: Iterable[np.ndarray],
    *,
    fps: float | Fraction = 25,
    times: Sequence[Fraction] | None = None,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    rotation: int = 0,
    audio: str | None = None,
    options: dict[str, str] | None = None,
    gop_frames: int = 12,
    b_frames: int = 0,
    format: str | None = None,
    container_options: dict[str, str] | None = None,
) -> Path:
    """Encode RGB frames, in presentation order, and return the path.

    ``times`` are the presentation times in seconds for a variable rate, in steps of
    1/12800 s; without them frame i has time i / fps. ``rotation`` is the angle in
    degrees by which a player turns the picture counter-clockwise. ``audio`` is the
    codec of a tone beside the video, such as ``"aac"``.
    """
    frames = list(frames)
    with av.open(
        str(path), "w", format=format, container_options=container_options or {}
    ) as container:
        # without it a muxer writes random identifiers
        container.flags |= av.container.Flags.bitexact.value
        rate = Fraction(fps).limit_denominator(10_000)
        steady = STEADY_X264 if codec == "libx264" else {}
        stream = container.add_stream(
            codec, rate=rate, options=steady | (options or {})
        )
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = pix_fmt
        context = stream.codec_context
        context.gop_size = gop_frames
        context.max_b_frames = b_frames
        context.thread_count = 1
        if times is not None:
            context.time_base = FINE_TIME
        if rotation:
            stream.set_display_rotation(rotation)
        tone = container.add_stream(audio, rate=AUDIO_RATE) if audio else None
        for i, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), "rgb24")
            if times is None:
                frame.pts, frame.time_base = i, 1 / rate
            else:
                frame.pts = int(Fraction(times[i]) / FINE_TIME)
                frame.time_base = FINE_TIME
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if tone is not None:
            _write_tone(container, tone, float(len(frames) / rate))
    return path


def write_audio(path: Path, codec: str = "aac", duration_s: float = 0.5) -> Path:
    """Write a file of a tone without any video."""
    with av.open(str(path), "w") as container:
        container.flags |= av.container.Flags.bitexact.value
        _write_tone(container, container.add_stream(codec, rate=AUDIO_RATE), duration_s)
    return path


def _write_tone(container, stream, duration_s):
    """Encode a tone of 440 Hz into an audio stream."""
    n_samples = int(duration_s * AUDIO_RATE)
    tone = 0.1 * np.sin(2 * np.pi * 440 * np.arange(n_samples) / AUDIO_RATE)
    samples = (tone * 32767).astype(np.int16)
    layout = stream.codec_context.layout.name
    n_channels = len(stream.codec_context.layout.channels)
    resampler = av.AudioResampler(
        stream.codec_context.format, layout, AUDIO_RATE, stream.codec_context.frame_size
    )
    frame = av.AudioFrame.from_ndarray(
        np.repeat(samples, n_channels)[None], "s16", layout
    )
    frame.sample_rate, frame.pts = AUDIO_RATE, 0
    for piece in resampler.resample(frame) + resampler.resample(None):
        container.mux(stream.encode(piece))
    container.mux(stream.encode(None))


# What is damaged, by suffix: each container with a codec that is common in it.
BASES = {
    "plain.mp4": {"b_frames": 2},
    "sound.mp4": {"audio": "aac"},
    "turned.mov": {"codec": "mjpeg", "pix_fmt": "yuvj420p", "rotation": 90},
    "divx.avi": {"codec": "mpeg4"},
    "h264.avi": {"b_frames": 2},
    "h264.mkv": {"b_frames": 3, "audio": "aac"},
    "lossless.mkv": {"codec": "ffv1", "pix_fmt": "yuv444p"},
    "vp9.webm": {"codec": "libvpx-vp9", "audio": "libopus"},
    "vp8.webm": {"codec": "libvpx"},
    "mpeg2.mpg": {"codec": "mpeg2video", "b_frames": 2},
    "stream.ts": {"b_frames": 2, "audio": "aac"},
    "flash.flv": {"codec": "flv"},
    "media.wmv": {"codec": "wmv2"},
    "ten_bit.mp4": {"pix_fmt": "yuv420p10le"},
    "picture.gif": {"codec": "gif", "pix_fmt": "gray"},
    "raw.h264": {"b_frames": 2, "format": "h264"},
}
TEXTS = {
    "text.mp4": b"this is no video\n" * 40,
    "noise.avi": random.Random(1).randbytes(3000),
    "zeros.mkv": bytes(3000),
    "empty.mp4": b"",
    "one_byte.mp4": b"\0",
    "page.webm": b"<!DOCTYPE html><title>Not found</title>" * 20,
    "playlist.mp4": b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nplain.mp4\n",
    "address.mp4": b"#EXTM3U\n#EXTINF:9,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n",
    "concat.mp4": b"ffconcat version 1.0\nfile plain.mp4\n",
    "signature.mp4": b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41",
}


def damaged_movies(directory: Path, n: int = 300, seed: int = 0) -> list[Path]:
    """Write ``n`` videos, nearly all of them damaged, and return their paths, sorted.

    The same bytes for the same ``n`` and ``seed``: first what is no video and videos of
    unusual kinds, then each base in turn with one kind of damage after the other. All
    are of 20 frames or fewer and, but for those of unusual size, of 48 x 48 pixels.
    """
    directory.mkdir(parents=True, exist_ok=True)
    whole = directory / "whole"
    whole.mkdir(exist_ok=True)
    bases = {
        name: write_movie(
            whole / name, numbers(20, 48, 48, grain=60), **how
        ).read_bytes()
        for name, how in BASES.items()
    }
    _write_unusual(directory, bases)
    for name, content in TEXTS.items():
        (directory / f"no_{name}").write_bytes(content)
    paths = sorted(path for path in directory.iterdir() if path.is_file())[:n]
    rng = random.Random(seed)
    names = list(bases)
    kinds = list(DAMAGES)
    for i in range(n - len(paths)):
        name = names[i % len(names)]
        # so that each base meets each kind
        kind = kinds[(i + i // len(names)) % len(kinds)]
        path = directory / f"{i:03d}_{kind}_{name}"
        path.write_bytes(DAMAGES[kind](rng, bases[name], bases))
        paths.append(path)
    return sorted(paths)


def _write_unusual(directory, bases):
    """Write whole videos of unusual kinds, and files that hold no video."""
    write_movie(directory / "dot.avi", plain(1, 1), codec="rawvideo", pix_fmt="bgr24")
    write_movie(directory / "dot.mkv", plain(1, 1), codec="ffv1", pix_fmt="bgr0")
    write_movie(directory / "wide.mkv", plain(8192, 2, 2), codec="ffv1")
    write_movie(
        directory / "tall.avi", plain(2, 4320, 2), codec="huffyuv", pix_fmt="rgb24"
    )
    write_movie(directory / "single.mp4", numbers(1, 48, 48))
    write_movie(directory / "single.avi", numbers(1, 48, 48), codec="mpeg4")
    write_movie(directory / "odd.mkv", numbers(5, 47, 31), codec="ffv1")
    write_audio(directory / "sound_only.mp4")
    write_audio(directory / "sound_only.mkv")
    (directory / "really_mp4.avi").write_bytes(bases["plain.mp4"])
    (directory / "really_webm.mp4").write_bytes(bases["vp9.webm"])
    (directory / "really_avi.txt").write_bytes(bases["divx.avi"])


def _flipped(rng, content, *_):
    """Give a few bytes anywhere other values."""
    return _with_bytes(rng, content, 0, len(content), rng.choice([1, 4, 16, 64]))


def _header(rng, content, *_):
    """Give bytes of the first tenth, at least 64, other values."""
    return _with_bytes(rng, content, 0, max(64, len(content) // 10), 6)


def _tail(rng, content, *_):
    """Give bytes of the last fifth, an AVI's index, other values."""
    return _with_bytes(rng, content, len(content) * 4 // 5, len(content), 12)


def _truncated(rng, content, *_):
    """Leave out the end."""
    return content[: rng.randrange(1, len(content))]


def _beheaded(rng, content, *_):
    """Leave out the beginning."""
    return content[rng.randrange(1, len(content) // 2) :]


def _zeroed(rng, content, *_):
    """Set a block to zero, as an unfinished download leaves it."""
    start = rng.randrange(len(content))
    n_zeros = min(rng.randrange(1, len(content) // 2), len(content) - start)
    return content[:start] + bytes(n_zeros) + content[start + n_zeros :]


def _cut(rng, content, *_):
    """Leave out a piece of the middle."""
    start = rng.randrange(len(content) // 4, len(content) * 3 // 4)
    return content[:start] + content[start + rng.randrange(1, len(content) // 4) :]


def _swapped(rng, content, *_):
    """Let two pieces change places."""
    low, middle, high = sorted(rng.sample(range(len(content)), 3))
    return content[:low] + content[middle:high] + content[low:middle] + content[high:]


def _joined(rng, content, bases):
    """Put another video behind."""
    return content + bases[rng.choice(list(bases))]


def _with_bytes(rng, content, low, high, n_bytes):
    """Return the content with so many bytes of ``[low, high)`` at random."""
    changed = bytearray(content)
    for _ in range(n_bytes):
        changed[rng.randrange(low, min(high, len(content)))] = rng.randrange(256)
    return bytes(changed)


DAMAGES: dict[str, Callable[..., bytes]] = {
    "flipped": _flipped,
    "header": _header,
    "tail": _tail,
    "truncated": _truncated,
    "beheaded": _beheaded,
    "zeroed": _zeroed,
    "cut": _cut,
    "swapped": _swapped,
    "joined": _joined,
}
