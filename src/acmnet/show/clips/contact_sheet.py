"""A contact sheet: one picture with a frame of each clip, and words below it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from acmnet.files.file_access import written_whole
from acmnet.show.rendering.frame_overlay import Frame, text_mask
from acmnet.video.containers import DecodeCount
from acmnet.video.frame_seeking import opened_at
from acmnet.video.frame_times import stamped_times

COLUMNS: Final = 5
ROWS: Final = 8
"""A picture has at most this many rows; more clips take more pictures."""
WIDTH, HEIGHT = 256, 144
"""Pixels in which a frame is fitted."""
LINE: Final = 16
"""Height of a line of words in pixels."""
GAP: Final = 8
"""Pixels between frames, and at the borders."""


def write_contact_sheets(
    folder: Path, clips: Sequence[tuple[Path, Sequence[str]]]
) -> list[Path]:
    """Write ``contact-sheet-1.jpg`` and so on, with the middle frame of each clip.

    Parameters
    ----------
    folder : Path
        Where to write. Sheets of an earlier call are replaced or removed.
    clips : sequence of (Path, sequence of str)
        Files of clips, and the lines below each frame; all have as many.

    Returns
    -------
    list of Path
        The written files.
    """
    many = COLUMNS * ROWS
    parts = [clips[i : i + many] for i in range(0, len(clips), many)]
    paths = [folder / f"contact-sheet-{i}.jpg" for i in range(1, len(parts) + 1)]
    for path, part in zip(paths, parts, strict=True):
        sheet = _sheet([(_middle(file), lines) for file, lines in part])
        _, coded = cv2.imencode(".jpg", cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))
        with written_whole(path) as temporary:
            temporary.write_bytes(coded.tobytes())
    for old in folder.glob("contact-sheet-*.jpg"):
        if old not in paths:
            old.unlink()
    return paths


def _sheet(cells: Sequence[tuple[Frame, Sequence[str]]]) -> Frame:
    """Return a picture with frames in rows, each with words below it."""
    n_lines = max(len(lines) for _, lines in cells)
    columns = min(COLUMNS, len(cells))
    rows = -(-len(cells) // columns)
    step_x, step_y = WIDTH + GAP, HEIGHT + LINE * n_lines + GAP
    sheet = np.full((rows * step_y + GAP, columns * step_x + GAP, 3), 24, np.uint8)
    for index, (frame, lines) in enumerate(cells):
        row, column = divmod(index, columns)
        top, left = GAP + row * step_y, GAP + column * step_x
        fitted = _fitted(frame)
        height, width = fitted.shape[:2]
        y, x = top + (HEIGHT - height) // 2, left + (WIDTH - width) // 2
        sheet[y : y + height, x : x + width] = fitted
        for number, line in enumerate(lines):
            mask = text_mask(line, "", LINE, WIDTH)
            y = top + HEIGHT + number * LINE
            cell = sheet[y : y + len(mask), left : left + mask.shape[1]]
            np.maximum(cell, mask[:, :, None], out=cell)
    return sheet


def _fitted(frame: Frame) -> Frame:
    """Return a frame scaled into a cell."""
    height, width = frame.shape[:2]
    scale = min(WIDTH / width, HEIGHT / height)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), np.uint8)


def _middle(clip: Path) -> Frame:
    """Return the frame in the middle of a clip."""
    known = stamped_times(clip)
    middle = len(known.times.times_s) // 2
    with opened_at(clip, known, middle, DecodeCount()) as (video, frames):
        for _, frame in frames:
            return np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
        raise video.no_frame()
