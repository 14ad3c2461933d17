"""Drawn mice with planted behaviour: tracks of them, and videos."""

import cv2
import numpy as np

from support.movies import write_movie

FPS = 10
LENGTH_S = 40
SIDE = 64
"""Of a frame, in pixels."""
MOUSE = np.array([[1.0, 0.0], [0.2, 0.3], [0.2, -0.3], [-1.0, 0.0]]) * 30
POINTS = ("nose", "left_ear", "right_ear", "tail")


def drawn_mice(behaviour, start_s, seed, length_s=LENGTH_S, context_s=0):
    """Return (F, 2, 4, 2) pixels: one mouse spins, or runs up to the other.

    Both wander slowly at all other times, except that for ``context_s`` before and
    after a spin or a run the mouse turns to one side: that tells what the video shows,
    but not when it begins.
    """
    rng = np.random.default_rng(seed)
    n = length_s * FPS
    inside = np.arange(n) // FPS - start_s
    acts = (inside >= 0) & (inside < 6)
    turn = rng.normal(0, 0.06, (n, 2))
    near = (inside >= -context_s) & (inside < 6 + context_s) & ~acts
    turn[near, 0] = -0.9 if behaviour == "spin" else -0.4
    if behaviour == "spin":
        turn[acts, 0] = 0.9
    heading = turn.cumsum(axis=0) + rng.uniform(0, 6, 2)
    step = rng.normal(0, 1.5, (n, 2, 2))
    place = step.cumsum(axis=0) + np.array([[100, 100], [350, 250]])
    if behaviour == "chase":
        way = np.linspace(0, 1, acts.sum())[:, None]
        place[acts, 0] = (1 - way) * place[acts, 0] + way * (place[acts, 1] - 60)
    cos, sin = np.cos(heading), np.sin(heading)
    spin = np.stack([np.stack([cos, sin], -1), np.stack([-sin, cos], -1)], -2)
    body = np.einsum("pa,fiab->fipb", MOUSE, spin)
    return place[:, :, None] + body + rng.normal(0, 0.5, (n, 2, 4, 2))


def write_deeplabcut(path, positions):
    """Write tracks as DeepLabCut writes several animals, with some points lost."""
    sure = np.full((*positions.shape[:3], 1), 0.99)
    sure[10:14, 0, 0] = 0.1
    rows = np.concatenate([positions, sure], axis=-1).reshape(len(positions), -1)
    names = [(i, p, c) for i in "ab" for p in POINTS for c in ("x", "y", "likelihood")]
    lines = [",".join(["scorer", *["net"] * len(names)])]
    for level, name in enumerate(("individuals", "bodyparts", "coords")):
        lines.append(",".join([name, *(x[level] for x in names)]))
    for i, row in enumerate(rows):
        lines.append(",".join([str(i), *(f"{x:.2f}" for x in row)]))
    path.write_text("\n".join(lines) + "\n")


def write_video_of(path, positions):
    """Write a video in which each point of the mice is a dot."""
    places = (positions.reshape(len(positions), -1, 2) * SIDE / 450).round()
    frames = []
    for dots in places.astype(int).tolist():
        frame = np.full((SIDE, SIDE, 3), 230, np.uint8)
        for i, dot in enumerate(dots):
            colour = (40, 40, 40) if i < len(POINTS) else (160, 60, 60)
            cv2.circle(frame, dot, 1, colour, -1)
        frames.append(frame)
    write_movie(path, frames, fps=FPS)
