"""Draw the simulated features of one video from its annotated instances."""

import dataclasses
import hashlib
import json
from typing import Final

import numpy as np

from acmnet.data.labels.annotations import Instance, Video
from acmnet.data.made_up.simulation_settings import SimulationError, SimulationSettings
from acmnet.segments import FloatArray, SnippetGrid

GRID: Final = SnippetGrid(fps=25, snippet_frames=16, stride_frames=16)


@dataclasses.dataclass(frozen=True, eq=False)
class SimulatedVideo:
    """The features of one video, and how much action and context each snippet has."""

    features: FloatArray
    """(T, D) features, all above 0."""
    action: FloatArray
    """(T,) share of each snippet that instances cover, in [0, 1]."""
    context: FloatArray
    """(T,) share of each snippet that is context, at most ``1 - action``."""


@dataclasses.dataclass(eq=False)
class _Drawn:
    """What is drawn of one video so far, for its T snippets and D features."""

    covered: FloatArray
    """(T,) share of each snippet that instances cover."""
    covered_or_near: FloatArray
    """(T,) share of each snippet that instances or their context cover."""
    actions: FloatArray
    """(T, D) what the actions show."""
    scenery: FloatArray
    """(T, D) the scene of the nearest instance, by the share that it covers."""
    reached: dict[str, FloatArray]
    """(T,) share of each snippet that instances of a label or their context cover."""


@dataclasses.dataclass(frozen=True, eq=False)
class Simulator:
    """Draws the features of the videos of an annotation file, in any order."""

    settings: SimulationSettings
    class_names: tuple[str, ...]
    """All classes of the file, whichever videos are drawn; the number of scenes depends
    on them."""

    def video(self, video: Video) -> SimulatedVideo:
        """Draw one video; the result does not depend on which other videos are drawn.

        Raises
        ------
        SimulationError
            If the video has no duration, is shorter than a snippet, or has a label
            without a segment.
        """
        settings, length = self.settings, n_snippets(video)
        _refuse_untimed(video)
        random = _random(settings.seed, "video", video.id)
        drawn = _Drawn(
            covered=_covered(video, length),
            covered_or_near=np.zeros(length),
            actions=np.zeros((length, settings.dimension)),
            scenery=np.zeros((length, settings.dimension)),
            reached={},
        )
        gain = random.uniform(0.6, 1.2)
        for instance in video.instances:
            self._draw_instance(drawn, instance, random)
        if video.labels:
            away = self._elsewhere(random, length) * (drawn.covered_or_near == 0)
            label = video.labels[int(random.integers(len(video.labels)))]
            drawn.scenery += away[:, None] * self._scene(label)
            drawn.covered_or_near += away
        x = drawn.actions + settings.scene * gain * drawn.scenery
        x += (1.0 - drawn.covered_or_near)[:, None] * self._background(random, length)
        x += settings.offset * _direction(random, settings.dimension) + noise(
            random, length, settings
        )
        context = drawn.covered_or_near - drawn.covered
        return SimulatedVideo(np.exp(settings.spread * x), drawn.covered, context)

    def _draw_instance(
        self, drawn: "_Drawn", instance: Instance, random: np.random.Generator
    ) -> None:
        """Draw one instance: its action, and the context before and after it."""
        settings, length = self.settings, len(drawn.covered)
        segment, label = instance.segment, instance.label
        start, end = (x / GRID.stride_s for x in (segment.start_s, segment.end_s))
        shares = _coverage(start, end, length)
        reach = 2.0 * settings.context * settings.context_length * (end - start)
        before, after = reach * random.random(2)
        near = _coverage(start - before, end + after, length)
        strength = self._strength(label) * float(random.uniform(0.7, 1.2))
        # what neighbouring instances cover or show already is not added again
        shown_already = np.maximum(drawn.reached.get(label, 0.0), drawn.covered)
        drawn.reached[label] = np.maximum(shown_already, near)
        beside = np.maximum(near - shown_already, 0.0)
        partial = settings.context * settings.partial * beside
        middle = np.arange(length, dtype=np.float64) + 0.5
        action = self._action(label, (middle - start) / (end - start))
        drawn.actions += strength * (shares + partial)[:, None] * action
        nearer = (near > drawn.covered_or_near)[:, None]
        scene = near[:, None] * self._scene(label)
        drawn.scenery = np.where(nearer, scene, drawn.scenery)
        drawn.covered_or_near = np.maximum(drawn.covered_or_near, near)

    def _strength(self, label: str) -> float:
        settings = self.settings
        ease = _random(settings.seed, "difficulty", label).random()
        return float(
            settings.action * (settings.hardest + (1.0 - settings.hardest) * ease)
        )

    def _action(self, label: str, place: FloatArray) -> FloatArray:
        """Return (T, D) directions at places in an instance, from 0 (start) to 1."""
        settings = self.settings
        random = _random(settings.seed, "action", label)
        common = _direction(random, settings.dimension)
        parts = np.stack(
            [_direction(random, settings.dimension) for _ in range(settings.phases)]
        )
        phase = np.clip(
            np.floor(place * settings.phases), 0, settings.phases - 1
        ).astype(int)
        share = settings.phase_share
        mixed: FloatArray = (1.0 - share) ** 0.5 * common + share**0.5 * parts[phase]
        return mixed

    def _scene(self, label: str) -> FloatArray:
        settings = self.settings
        n_scenes = max(1, round(settings.scenes_per_class * len(self.class_names)))
        scene = int(_random(settings.seed, "place", label).integers(n_scenes))
        return _direction(
            _random(settings.seed, "scene", str(scene)), settings.dimension
        )

    def _elsewhere(self, random: np.random.Generator, length: int) -> FloatArray:
        """Return (T,) 1 where the scene appears far from instances."""
        settings = self.settings
        away = np.zeros(length)
        at = 0
        while at < length:
            run = int(random.integers(5, 21))
            away[at : at + run] = (
                random.random() < settings.context * settings.elsewhere
            )
            at += run
        return away

    def _background(self, random: np.random.Generator, length: int) -> FloatArray:
        """Return (T, D) background: shots of 5 to 30 snippets, each of a theme."""
        settings = self.settings
        themes = [
            _direction(_random(settings.seed, "theme", str(theme)), settings.dimension)
            for theme in random.integers(settings.themes, size=3)
        ]
        shown = np.zeros((length, settings.dimension))
        at = 0
        while at < length:
            run = int(random.integers(5, 31))
            shown[at : at + run] = themes[int(random.integers(3))]
            at += run
        return settings.background * shown


def noise(
    random: np.random.Generator, length: int, settings: SimulationSettings
) -> FloatArray:
    """Return stationary normal AR(1) noise, (length, D).

    Each column has standard deviation ``settings.noise`` and correlation
    ``settings.smoothness ** lag`` with itself ``lag`` snippets later. As many snippets
    are drawn before the first one as make the start's influence smaller than 1e-6.
    """
    rho = settings.smoothness
    forget = 0 if rho == 0 else int(np.ceil(np.log(1e-6) / np.log(rho)))
    drawn = random.standard_normal((length + forget, settings.dimension))
    # AR(1) multiplies a variance by 1 / (1 - rho^2)
    drawn *= settings.noise * np.sqrt(1.0 - rho**2)
    for t in range(1, len(drawn)):
        drawn[t] += rho * drawn[t - 1]
    kept: FloatArray = drawn[forget:]
    return kept


def n_snippets(video: Video) -> int:
    """Return T, the number of snippets of `GRID` within a video's duration."""
    if video.duration_s is None:
        raise SimulationError(
            f"video {video.id!r} has no duration, got None; add it to the annotations"
        )
    # a duration that is written with few digits may end just before the last frame
    frames = int(video.duration_s * GRID.fps + 1e-6)
    if frames < GRID.snippet_frames:
        raise SimulationError(
            f"video {video.id!r} has duration {video.duration_s} s, less than one "
            f"snippet ({GRID.window_s} s); leave it out"
        )
    return (frames - GRID.snippet_frames) // GRID.stride_frames + 1


def _refuse_untimed(video: Video) -> None:
    timed = {instance.label for instance in video.instances}
    for label in video.labels:
        if label not in timed:
            raise SimulationError(
                f"video {video.id!r} has the label {label!r} without a segment; give "
                "annotations with true segments"
            )


def _covered(video: Video, length: int) -> FloatArray:
    """Return (T,) the share of each snippet that an instance covers, at most."""
    covered = np.zeros(length)
    for instance in video.instances:
        start, end = instance.segment.start_s, instance.segment.end_s
        shares = _coverage(start / GRID.stride_s, end / GRID.stride_s, length)
        covered = np.maximum(covered, shares)
    return covered


def _coverage(start: float, end: float, length: int) -> FloatArray:
    """Return (T,) the share of each snippet within [start, end), in snippets."""
    t = np.arange(length)
    shares: FloatArray = np.clip(np.minimum(t + 1, end) - np.maximum(t, start), 0, 1)
    return shares


def _direction(random: np.random.Generator, dimension: int) -> FloatArray:
    drawn = random.normal(size=dimension)
    unit: FloatArray = drawn / np.linalg.norm(drawn)
    return unit


def name_digest(seed: int, kind: str, name: str) -> int:
    """Return a whole number that depends on a seed, a kind of thing and its name."""
    text = json.dumps([seed, kind, name]).encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:16], "big")


def _random(seed: int, kind: str, name: str) -> np.random.Generator:
    return np.random.default_rng(name_digest(seed, kind, name))
