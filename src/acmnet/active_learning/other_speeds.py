"""What a model finds in a video that is played slower or faster.

A model that knows an action finds it at the same times at any of these speeds. Where
the times differ, it is unsure.
"""

import dataclasses
from collections.abc import Collection
from typing import Final

import numpy as np

from acmnet.models.trained_model import Cuts, Features, TrainedModel
from acmnet.segments import Detections, FloatArray, SnippetGrid

SPEEDS: Final = (0.8, 1.25)
"""How many times as fast a video is played; features between snippets are
interpolated."""


def found_at_speed(
    model: TrainedModel,
    features: Features,
    speed: float,
    names: Collection[str] | None,
    cuts_s: Cuts = None,
) -> Detections:
    """Return what a model finds in a video at another speed, at times of the video.

    Parameters
    ----------
    model : TrainedModel
        The model.
    features : (L, D) array or tensor
        The video's features, with L from 1.
    speed : float
        How many times as fast the video is played, above 0.
    names : collection of str or None
        The classes to look for; None for all.
    cuts_s : tuple of float, optional
        The video's cuts.
    """
    grid = model.grid
    known = np.asarray(features, dtype=np.float32)
    places = np.arange(0.0, len(known) - 0.5, speed).clip(max=len(known) - 1)
    below = places.astype(np.int64)
    above = np.minimum(below + 1, len(known) - 1)
    part = (places - below)[:, None].astype(np.float32)
    played = known[below] * (1.0 - part) + known[above] * part
    cuts = cuts_s and tuple(_scaled(np.array(cuts_s), grid, 1.0 / speed).tolist())
    found = model.localize(played, cuts_s=cuts, classes=names)
    length_s = grid.span_s(len(known))
    start_s, end_s = (
        _scaled(times_s, grid, speed).clip(0.0, length_s)
        for times_s in (found.start_s, found.end_s)
    )
    kept = found.only(start_s < end_s)
    return dataclasses.replace(
        kept, start_s=start_s[start_s < end_s], end_s=end_s[start_s < end_s]
    )


def _scaled(times_s: FloatArray, grid: SnippetGrid, factor: float) -> FloatArray:
    """Return times after their snippets were moved apart by a factor."""
    first_s = grid.centre_s(0)
    scaled: FloatArray = first_s + factor * (times_s - first_s)
    return scaled
