"""Simulated features for real annotations: instances, context and background overlap.

A snippet's features are ``exp(spread * (background + scene + action + noise))``. Every
class has an action of a few phases and takes place in a scene that it may share with
other classes. Beside an instance the scene goes on and parts of the action show
(context); elsewhere the scene shows without any action; the rest is background.

How each property was set (all of them are fields of `SimulationSettings`):
    non-negativity, heavy tails
        The exponential: what is normal before is log-normal after, with the tails
        ``exp(4 s) + 2 exp(3 s) + 3 exp(2 s) - 6`` (excess kurtosis, s the variance);
        files hold them up to fp16's 65504, which one of ActivityNet's videos exceeds.
        A rectifier before Student-t noise was tried first: the tails drowned in the
        content, and 12 % of the entries were 0 (I3D: below 1 %; here none is).
    smoothness, spread
        AR(1) noise, set beside I3D features of 40 surveillance videos of 39 snippets on
        average (this package's `i3d-rgb`), a video's columns at D 128 against theirs:
        correlation at lags 1, 2, 3 0.40 0.15 0.05 (real 0.41 0.17 0.02), skewness 1.1
        (1.25), excess kurtosis 1.4 (2.0), mean over deviation 2.15 (2.08); excess
        kurtosis over all videos 8.0 (6.2).
    actions' strength, hardest class, share of phases
        By hand, four worlds tried, until `corrected` (40 epochs, bf16, 100 validation
        videos of THUMOS-14, D 128, dial 0.5, seed 0) was between 30 and 60 % (0.1:0.7)
        on 100 test videos, so these chose it (56.1 48.8 31.0 13.4 at tIoU 0.1, 0.3,
        0.5, 0.7).
    shared scenes, strength of scenes and background, context lengths
        Chosen by hand. No statistic of a benchmark's features went into them.

A score on such features is no THUMOS score. Only times, labels and durations are real;
nothing says that real context is as strong, as long or as linear as this one. What can
be learned is how a method answers to the dial, given that the world is like this.
"""

import dataclasses

import numpy as np


class SimulationError(ValueError):
    """A simulation that cannot be drawn, with the file, video or setting at fault."""


@dataclasses.dataclass(frozen=True)
class SimulationSettings:
    """What a simulated world is like.

    Strengths are norms of what is added to a snippet's features. Directions are
    drawn at random, so neither a strength nor the noise along it depends on D.

    Raises
    ------
    SimulationError
        If a value lies outside what its field says.
    """

    context: float = 0.5
    """The dial, in [0, 1]: lengths of context, its partial actions, its share."""
    dimension: int = 256
    """D, at least 2."""
    seed: int = 0
    """Of everything that is drawn."""
    action: float = 6.5
    """Strength of an action of the easiest class, above 0."""
    hardest: float = 0.6
    """The hardest class's action as a fraction of the easiest's, in (0, 1]."""
    phases: int = 3
    """Parts that an action passes through, at least 1."""
    phase_share: float = 0.3
    """Share of an action's energy that is of one phase only, in [0, 1]."""
    scene: float = 3.0
    """Strength of a scene, at least 0."""
    scenes_per_class: float = 0.7
    """Scenes as a fraction of classes, in (0, 1]; below 1 classes share some."""
    background: float = 3.0
    """Strength of what else a video shows, at least 0."""
    themes: int = 30
    """Kinds of background, at least 1."""
    offset: float = 2.0
    """Strength of a video's own constant part, at least 0."""
    context_length: float = 1.0
    """Mean length of context on each side by that of its instance, at dial 1."""
    partial: float = 0.7
    """Strength of a partial action by that of its instance, at dial 1."""
    elsewhere: float = 0.5
    """Share of the rest of a video that shows the scene without action, at dial 1."""
    noise: float = 0.6
    """Standard deviation of a feature's noise before the exponential, above 0."""
    smoothness: float = 0.45
    """Correlation of one snippet's noise with the next one's, in [0, 1)."""
    spread: float = 0.75
    """Features are the exponential of so many times all this, above 0."""

    def __post_init__(self) -> None:
        """Refuse what no world is like."""
        whole = {"dimension": 2, "seed": 0, "phases": 1, "themes": 1}
        for name, least in whole.items():
            value = getattr(self, name)
            if type(value) is not int or value < least:
                raise SimulationError(
                    f"{name} must be a whole number from {least}, got {value!r}"
                )
        fractions = ("context", "phase_share", "elsewhere")
        for name in fractions:
            self._within(name, "in [0, 1]", 0.0 <= getattr(self, name) <= 1.0)
        for name in ("hardest", "scenes_per_class"):
            self._within(name, "in (0, 1]", 0.0 < getattr(self, name) <= 1.0)
        for name in ("scene", "background", "offset", "context_length", "partial"):
            self._within(name, "from 0", 0.0 <= getattr(self, name) < np.inf)
        for name in ("action", "noise", "spread"):
            self._within(name, "above 0", 0.0 < getattr(self, name) < np.inf)
        self._within("smoothness", "in [0, 1)", 0.0 <= self.smoothness < 1.0)

    def _within(self, name: str, where: str, is_within: bool) -> None:
        if not is_within:
            raise SimulationError(f"{name} must be {where}, got {getattr(self, name)}")
