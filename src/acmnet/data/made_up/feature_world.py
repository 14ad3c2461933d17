"""Draw features of a small world with actions, context and background, with truth.

Each class has an action, and takes place in a scene that two classes share. During an
action the features are those of action and scene together; before, after and between
actions those of the scene alone (context); the rest of a video is background. So the
label of a video can be guessed from the scene, but only the action tells when it
happens.
"""

import dataclasses
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from acmnet.data.features.feature_manifest import FeatureManifest, write_manifest
from acmnet.data.features.feature_store import write_features
from acmnet.files.file_access import make_folder, write_json
from acmnet.segments import SnippetGrid

GRID: Final = SnippetGrid(fps=25, snippet_frames=16, stride_frames=16)
CLASS_NAMES: Final = ("bow", "clap", "jump", "kick", "spin", "wave")
TRAINING: Final = "training"
TEST: Final = "test"


@dataclasses.dataclass(frozen=True)
class WorldSettings:
    """The size of the world, and how hard its classes are to tell apart."""

    training_videos: int = 60
    test_videos: int = 30
    dimension: int = 128
    """Number of columns D of the features."""
    snippets: tuple[int, int] = (60, 120)
    """Shortest and longest video, in snippets."""
    instance_snippets: tuple[int, int] = (3, 9)
    """Shortest and longest action, in snippets."""
    context_snippets: tuple[int, int] = (2, 7)
    """Shortest and longest context before and after an action, in snippets."""
    noise: float = 0.6
    """Standard deviation of the noise of each value. The vectors of actions, scenes and
    background, to which noise is added, have norm 4."""


@dataclasses.dataclass(frozen=True, eq=False)
class World:
    """The features of all videos, and their annotations."""

    features: dict[str, npt.NDArray[np.float16]]
    """Features of shape (T, D) by video id."""
    annotations: dict[str, Any]
    """The content of ``labels.json``, which has the true segments of both subsets."""


def make_world(seed: int = 0, settings: WorldSettings = WorldSettings()) -> World:  # noqa: B008, RUF100
    """Return the world of a seed, which is the same on every machine.

    Examples
    --------
    >>> world = make_world(seed=0)
    >>> len(world.features), sorted(world.annotations["database"]["training_000"])
    (90, ['annotations', 'duration', 'subset'])
    """
    random = np.random.default_rng(seed)
    n = len(CLASS_NAMES)
    components = random.normal(size=(n + n // 2 + 4, settings.dimension))
    components *= 4.0 / np.linalg.norm(components, axis=1, keepdims=True)
    features: dict[str, npt.NDArray[np.float16]] = {}
    database: dict[str, Any] = {}
    counts = {TRAINING: settings.training_videos, TEST: settings.test_videos}
    for subset, count in counts.items():
        for i in range(count):
            video = f"{subset}_{i:03d}"
            # one class after another, so that small subsets have all classes
            classes = {i % n, int(random.integers(n))} if i % 3 == 0 else {i % n}
            features[video], instances = _video(random, components, classes, settings)
            duration_s = GRID.span_s(len(features[video]))
            database[video] = {
                "subset": subset,
                "duration": round(duration_s, 3),
                "annotations": instances,
            }
    annotations = {
        "version": "acmnet synthetic world",
        "taxonomy": list(CLASS_NAMES),
        "database": database,
    }
    return World(features, annotations)


def write_world(world: World, directory: Path) -> tuple[Path, Path]:
    """Write ``labels.json`` and ``features/``; return their paths."""
    features = directory / "features"
    make_folder(features)
    for video, values in world.features.items():
        write_features(features, video, values)
    dimension = next(iter(world.features.values())).shape[1]
    write_manifest(
        features,
        FeatureManifest(
            grid=GRID,
            dimension=dimension,
            streams=("synthetic",),
            extractor="acmnet.data.made_up.feature_world",
            versions={"numpy": np.__version__},
        ),
    )
    labels = directory / "labels.json"
    write_json(labels, world.annotations)
    return labels, features


def _video(
    random: np.random.Generator,
    components: npt.NDArray[np.float64],
    classes: set[int],
    settings: WorldSettings,
) -> tuple[npt.NDArray[np.float16], list[dict[str, Any]]]:
    """Return one video's features and its true instances in order of time."""
    n = len(CLASS_NAMES)
    length = int(random.integers(*settings.snippets))
    shown = np.zeros((length, len(components)))
    scenery = n + n // 2 + random.integers(4, size=2)
    mix = _smooth(random.random(length))
    shown[:, scenery[0]] += mix
    shown[:, scenery[1]] += 1 - mix

    instances: list[dict[str, Any]] = []
    at = int(random.integers(2, 8))
    order = random.permutation(sorted(classes) * 4)[: 3 * len(classes)]
    for c in order:
        before, after = random.integers(*settings.context_snippets, size=2)
        lasts = int(random.integers(*settings.instance_snippets))
        start, end = at + int(before), at + int(before) + lasts
        if end + after > length:
            break
        scene = n + int(c) // 2
        shown[at : end + after] = 0.0
        shown[at : end + after, scene] = 0.9
        shown[start:end, c] = random.uniform(0.7, 1.1)
        segment = [round(start * GRID.stride_s, 3), round(end * GRID.stride_s, 3)]
        instances.append({"label": CLASS_NAMES[c], "segment": segment})
        at = end + int(after) + int(random.integers(4, 12))
    noise = settings.noise * random.normal(size=(length, components.shape[1]))
    return (shown @ components + noise).astype(np.float16), instances


def _smooth(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the average over nine snippets, so that background changes slowly."""
    padded = np.pad(values, 4, mode="edge")
    return np.convolve(padded, np.ones(9) / 9, mode="valid")
