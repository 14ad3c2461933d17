"""The error of a training that cannot go on; importing it does not import torch."""

import math
from collections.abc import Iterable, Mapping


class TrainingError(RuntimeError):
    """Training cannot go on; the message names the step and the cause."""


def not_finite(
    losses: Mapping[str, float], videos: Iterable[str], epoch: int, step: int
) -> TrainingError:
    """Return the refusal of a step, one of whose losses is not finite.

    Parameters
    ----------
    losses : mapping of str to float
        Every loss of the step by name.
    videos : iterable of str
        The videos that they come from.
    epoch, step : int
        When it happened, from 1.
    """
    terms = [
        f"{name} = {value}"
        for name, value in losses.items()
        if not math.isfinite(value)
    ]
    return TrainingError(
        f"the loss is not finite at step {step} (epoch {epoch}): {', '.join(terms)}, "
        f"from {', '.join(map(repr, videos))}; try a lower training.learning_rate or "
        "look at these videos' features"
    )
