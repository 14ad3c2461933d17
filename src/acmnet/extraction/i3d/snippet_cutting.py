"""Cut a video's frames into snippets, and frames to the square that I3D sees.

Shapes: ``H`` and ``W`` pixels, ``C`` channels (3 for RGB, 2 for flow: x, then y).
"""

from collections.abc import Iterable, Iterator
from typing import TypeVar

import numpy as np

from acmnet.extraction.extractors.i3d_choices import Stream
from acmnet.extraction.i3d.i3d import INPUT_SIDE, Frames, I3DError

Frame = TypeVar("Frame")


def cut_snippets(
    frames: Iterable[Frame], snippet_frames: int, stride_frames: int
) -> Iterator[list[Frame]]:
    """Yield the frames of each snippet, in order.

    N frames give ``floor((N - snippet_frames) / stride_frames) + 1`` whole snippets;
    frames at the end that do not fill a snippet are dropped. A video shorter than one
    snippet gives one snippet, in which the last frame is repeated. A video without
    frames gives no snippet.

    Parameters
    ----------
    frames : iterable
        The frames of one video; at most ``snippet_frames`` are in memory at a time.
    snippet_frames, stride_frames : int
        Frames in a snippet, and from one snippet to the next; at least 1.

    Raises
    ------
    I3DError
        If one of the two numbers is below 1.

    Examples
    --------
    >>> list(cut_snippets("abcdefg", 3, 2))
    [['a', 'b', 'c'], ['c', 'd', 'e'], ['e', 'f', 'g']]
    >>> list(cut_snippets("ab", 4, 4))
    [['a', 'b', 'b', 'b']]
    """
    for name, value in (
        ("snippet_frames", snippet_frames),
        ("stride_frames", stride_frames),
    ):
        if value < 1:
            raise I3DError(f"{name} must be at least 1, got {value}")
    held: list[Frame] = []
    skipped, is_short = 0, True
    for frame in frames:
        if skipped:
            skipped -= 1
            continue
        held.append(frame)
        if len(held) == snippet_frames:
            yield list(held)
            is_short = False
            del held[:stride_frames]
            skipped = max(stride_frames - snippet_frames, 0)
    if is_short and held:
        yield held + [held[-1]] * (snippet_frames - len(held))


def crop_centre(frames: Frames, side: int = INPUT_SIDE) -> Frames:
    """Return the central square of (..., H, W, C) frames, as a view.

    Where the number of pixels outside the square is odd, one more of them lies below
    and to the right.
    """
    top, left = (frames.shape[-3] - side) // 2, (frames.shape[-2] - side) // 2
    return _crop(frames, top, left, side)


def crop_ten(
    frames: Frames, stream: Stream, side: int = INPUT_SIDE
) -> Iterator[Frames]:
    """Yield ten crops of (..., H, W, C) frames: corners, centre, and their mirrors.

    The four corners come first, then the centre, then the mirror image of each. A
    motion to the right is a motion to the left in a mirror, so the first channel of
    mirrored flow is negated.
    """
    bottom, right = frames.shape[-3] - side, frames.shape[-2] - side
    corners = ((0, 0), (0, right), (bottom, 0), (bottom, right))
    crops = [_crop(frames, top, left, side) for top, left in corners]
    crops.append(crop_centre(frames, side))
    yield from crops
    for crop in crops:
        mirrored = crop[..., ::-1, :]
        if stream == "flow":
            mirrored = mirrored * np.array([-1, 1], dtype=frames.dtype)
        yield mirrored


def _crop(frames: Frames, top: int, left: int, side: int) -> Frames:
    return frames[..., top : top + side, left : left + side, :]
