"""Settings of features that are simulated for real annotations, and their reasons.

The features of a snippet are ``exp(spread * (background + scene + action + noise))``.
Each class has an action with a few phases, and takes place in a scene, which classes
may share. Before and after an instance the scene goes on and parts of the action are
present (context). Elsewhere in the video the scene appears without any action at times;
the rest is background.

How each property was chosen (all are fields of `SimulationSettings`):
    non-negativity, heavy tails
        They come from the exponential, which turns normal values into log-normal ones.
        Their excess kurtosis is ``exp(4 s) + 2 exp(3 s) + 3 exp(2 s) - 6`` for a
        variance s. Files hold values up to 65504, the largest number of fp16; one of
        ActivityNet's videos exceeds it. Rectified values with Student-t noise were
        tried before: the heavy tails could not be seen beside the content, and 12 % of
        the values were 0 (in I3D's features less than 1 % are, here none).
    smoothness, spread
        Noise is autoregressive of order 1. It was compared with the `i3d-rgb` features
        of 40 surveillance videos with 39 snippets on average. The columns of one
        simulated video of D 128, with those of a real one in brackets: correlation at
        lags 1, 2, 3 0.40 0.15 0.05 (0.41 0.17 0.02), skewness 1.1 (1.25), excess
        kurtosis 1.4 (2.0), mean divided by deviation 2.15 (2.08). Over all videos:
        excess kurtosis 8.0 (6.2).
    actions' strength, hardest class, share of phases
        They were chosen by hand. Four worlds were tried, until the profile `corrected`
        had an average mAP at tIoU 0.1 to 0.7 between 30 and 60 % on 100 test videos:
        56.1 48.8 31.0 13.4 at 0.1, 0.3, 0.5, 0.7. It was trained for 40 epochs in bf16
        on 100 validation videos of THUMOS-14 (D 128, ``context`` 0.5, seed 0). So the
        choice depends on these test videos.
    shared scenes, strength of scenes and background, context lengths
        They were chosen by hand, without any statistic of a benchmark's features.

A score on such features is no score on THUMOS-14. Only times, labels and durations are
real. Nothing shows that real context is as strong, as long or as linear as this one.
What can be learned is how a method reacts to the amount of context in a world like
this.
"""

import dataclasses

from acmnet.limits import refuse_out_of_range


class SimulationError(ValueError):
    """A simulation that cannot be drawn; the message names file, video or setting."""


@dataclasses.dataclass(frozen=True)
class SimulationSettings:
    """The properties of a simulated world.

    A strength is the norm of a vector that is added to a snippet's features before the
    exponential. The directions of these vectors are random, so neither their strength
    nor the noise along them depends on D.

    Raises
    ------
    SimulationError
        If a value is out of the range of its field.
    """

    context: float = 0.5
    """Amount of context, in [0, 1]. It scales the lengths of context, the partial
    actions in it, and the share of scene elsewhere."""
    dimension: int = 256
    """Number of columns D, at least 2."""
    seed: int = 0
    """Seed of everything that is drawn, from 0."""
    action: float = 6.5
    """Strength of an action of the easiest class, above 0."""
    hardest: float = 0.6
    """Strength of the hardest class's action divided by that of the easiest class, in
    (0, 1]."""
    phases: int = 3
    """Number of phases, one after another, of an action, at least 1."""
    phase_share: float = 0.3
    """Share of an action's squared norm that differs from phase to phase, in [0, 1]."""
    scene: float = 3.0
    """Strength of a scene, at least 0."""
    scenes_per_class: float = 0.7
    """Number of scenes divided by that of classes, in (0, 1]. Below 1, classes share
    scenes."""
    background: float = 3.0
    """Strength of the background, at least 0."""
    themes: int = 30
    """Number of kinds of background, at least 1."""
    offset: float = 2.0
    """Strength of a constant vector that each video has of its own, at least 0."""
    context_length: float = 1.0
    """Mean length of the context on each side of an instance, divided by the length of
    the instance, for ``context`` 1."""
    partial: float = 0.7
    """Strength of the partial action in context, divided by the strength of the action,
    for ``context`` 1."""
    elsewhere: float = 0.5
    """Share of the rest of a video in which the scene appears without an action, for
    ``context`` 1."""
    noise: float = 0.6
    """Standard deviation of the noise in each column before the exponential, above
    0."""
    smoothness: float = 0.45
    """Correlation of the noise of one snippet with that of the next, in [0, 1)."""
    spread: float = 0.75
    """Factor of the sum of all parts before the exponential, above 0."""

    def __post_init__(self) -> None:
        """Refuse values out of range."""
        whole = {"dimension": 2, "seed": 0, "phases": 1, "themes": 1}
        for name, least in whole.items():
            value = getattr(self, name)
            if type(value) is not int or value < least:
                raise SimulationError(
                    f"{name} must be a whole number from {least}, got {value!r}"
                )
        parts = ("scene", "background", "offset", "context_length", "partial")
        refuse_out_of_range(
            dataclasses.asdict(self),
            {
                "in [0, 1]": ["context", "phase_share", "elsewhere"],
                "in (0, 1]": ["hardest", "scenes_per_class"],
                "at least 0": parts,
                "above 0": ["action", "noise", "spread"],
                "in [0, 1)": ["smoothness"],
            },
            SimulationError,
        )
