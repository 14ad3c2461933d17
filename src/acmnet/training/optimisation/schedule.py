"""How a network is optimised: epochs, batches, and the learning rate of each step."""

import dataclasses
import math
from typing import Final

WARM_UP_STEPS: Final = 50
"""Steps in which a learning rate that falls along a cosine first rises to its peak."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Schedule:
    """How a network is optimised, whatever it learns."""

    epochs: int
    """Passes over the training videos, from 1."""
    is_shortened: bool = False
    """Whether ``epochs`` are fewer than the settings of the run say."""
    batch_size: int
    """Videos in each step, over all processes together, from 1."""
    learning_rate: float
    """Learning rate of Adam, at its peak where it changes; above 0."""
    weight_decay: float
    """Weight decay of Adam, at least 0."""
    averaging: float = 0.0
    """Decay of a running mean of the weights, in [0, 1); 0 keeps no mean."""
    is_cosine: bool = False
    """Whether the learning rate rises for `warm_up_steps` steps and then falls to 0
    along a cosine; it is constant otherwise."""
    warm_up_steps: int = WARM_UP_STEPS
    """Steps in which a learning rate that falls along a cosine first rises to its peak,
    from 1."""


def learning_rate(schedule: Schedule, step: int, steps: int) -> float:
    """Return the rate of the step after ``step`` of ``steps``.

    Examples
    --------
    >>> falling = Schedule(
    ...     epochs=1, batch_size=1, learning_rate=1.0, weight_decay=0.0, is_cosine=True
    ... )
    >>> [round(learning_rate(falling, step, 1000), 2) for step in (0, 49, 500, 999)]
    [0.02, 0.99, 0.5, 0.0]
    """
    if not schedule.is_cosine:
        return schedule.learning_rate
    rise = min(1.0, (step + 1) / schedule.warm_up_steps)
    return schedule.learning_rate * rise * 0.5 * (1 + math.cos(math.pi * step / steps))
