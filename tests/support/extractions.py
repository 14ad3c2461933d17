"""Videos that take a moment to write, and backbones of one's own to extract them."""

import av
import numpy as np

SIDE = 32
BACKBONES = '''
"""Backbones that behave as the brightness of a video's first frame tells them to."""

import ctypes
import os
import pathlib
import signal
import time

import numpy as np

from acmnet.segments import SnippetGrid


class Mean:
    """Mean colour of each four frames; what is left over at the end is left out."""

    grid = SnippetGrid(fps=25, snippet_frames=4, stride_frames=4)
    frame_side = 32
    dimension = 3
    streams = ("colour",)
    versions = {"mine": "1"}
    settings = {"of": ("mean", 4)}

    def describe(self, frames):
        snippet, given = [], False
        for frame in frames:
            snippet.append(frame.mean((0, 1)))
            if len(snippet) == 4:
                yield np.mean(snippet, 0, np.float32)[None]
                snippet, given = [], True
        if not given:
            yield np.mean(snippet, 0, np.float32)[None]


class Slow(Mean):
    """Takes 40 ms a block; leaves its process number."""

    def describe(self, frames):
        pathlib.Path(f"worker-{os.getpid()}").touch()
        for block in super().describe(frames):
            time.sleep(0.04)
            yield block


class Own(Slow):
    """Is of another version in each process."""

    versions = {"mine": str(os.getpid())}


class Moody(Mean):
    """Does something else where the first frame is about so bright."""

    def describe(self, frames):
        first, blocks = True, []
        for block in super().describe(frames):
            mood = round(float(block.mean()) / 20)
            if first and mood in MOODS:
                block = MOODS[mood](block)
            first = False
            yield block


def raise_error(block):
    raise KeyError("no such colour")


def leave(block):
    raise SystemExit("done")


def die(block):
    os.kill(os.getpid(), signal.SIGKILL)


def crash_once(block):
    once = pathlib.Path("crashed-once")
    if not once.exists():
        once.touch()
        ctypes.string_at(0)
    return block


def hang(block):
    ctypes.PyDLL(None).sleep(100)  # with Python's lock held: no thread can help


def not_a_number(block):
    return block * np.nan


def too_wide(block):
    return np.hstack([block, block])


def twice(block):
    return np.vstack([block, block])


MOODS = {
    2: raise_error,
    3: leave,
    4: die,
    5: crash_once,
    6: hang,
    7: not_a_number,
    8: too_wide,
    9: twice,
}
'''


def write_movie(path, brightness=0, n_frames=22, fps=25):
    """Write a grey video of one brightness, from 0 to 255, a little noisy."""
    random = np.random.default_rng(n_frames)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=fps)
        stream.width = stream.height = SIDE
        stream.pix_fmt = "yuv420p"
        for _ in range(n_frames):
            pixels = random.integers(-4, 5, (SIDE, SIDE, 3)) + brightness
            image = np.clip(pixels, 0, 255).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path
