"""Find the actions in the videos of a data set with a trained model.

This process does it, or several workers, each of which loads the run.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from acmnet.data.features.feature_files import FeatureError
from acmnet.data.features.stored_features import FeatureStore
from acmnet.data.labelled_features import Data
from acmnet.messages import counted
from acmnet.models.stored_model import load
from acmnet.models.trained_model import TrainedModel
from acmnet.recipes import Settings
from acmnet.segments import Detections, SnippetGrid
from acmnet.workers.worker_tasks import DoTasks, Task

VIDEOS_TOGETHER: Final = 100
"""A task is to find the actions in this many videos, so that handing it over takes a
small part of its time."""


def refuse_other_features(model: TrainedModel, store: FeatureStore) -> None:
    """Refuse features of another dimension, grid or extractor than the model's.

    Raises
    ------
    FeatureError
        If they are; the message names what the features have and the model expects.
    """
    expected = model.feature_dim
    if store.dimension != expected:
        raise FeatureError(
            f"features in {store.place} have {store.dimension} columns, the "
            f"checkpoint expects {expected}; were they extracted with the same streams?"
        )
    if store.grid != model.grid:
        raise FeatureError(
            f"features in {store.place} are on the grid {_grid(store.grid)}, the "
            f"checkpoint was trained on {_grid(model.grid)}; extract them on that grid"
        )
    trained_on = model.config and model.config.feature_manifest.get("extractor")
    extractor = store.manifest.extractor if store.manifest else ""
    if extractor and trained_on and extractor != trained_on:
        raise FeatureError(
            f"features in {store.place} were made by the extractor {extractor}, the "
            f"checkpoint was trained on those of {trained_on}; extract them with that"
        )


def localize_videos(
    model: TrainedModel,
    data: Data,
    on_video: Callable[[str], None] = lambda _: None,
    on_failure: Callable[[FeatureError], None] | None = None,
) -> dict[str, Detections]:
    """Return the detections of every video of the data, in its order.

    Parameters
    ----------
    model : TrainedModel
        The model that localises.
    data : Data
        The videos and their features.
    on_video : callable
        Called with each video's id once it is done, whether it was left out or not.
    on_failure : callable, optional
        Called with the error of each video whose features cannot be used, which is then
        left out. Without it, the first such error is raised.

    Raises
    ------
    FeatureError
        If the features are not like those that the model was trained on, or, without
        ``on_failure``, if those of a video cannot be used.
    """
    refuse_other_features(model, data.store)
    results: dict[str, Detections] = {}
    for video in data.annotations.videos:
        try:
            features = data.store.read(video)
            results[video] = model.localize(features, cuts_s=data.store.cuts_s(video))
        except FeatureError as error:
            if on_failure is None:
                raise
            on_failure(error)
        on_video(video)
    return results


def _grid(grid: SnippetGrid) -> str:
    return (
        f"{grid.snippet_frames} frames every {grid.stride_frames} at {grid.fps:g} fps"
    )


class LocalizedPart(NamedTuple):
    """What a worker found in some of the videos."""

    results: dict[str, Detections]
    failures: list[FeatureError]
    """Why videos were left out, one error for each of them."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class StoredRun:
    """A run as workers load it."""

    run: Path
    """Its directory."""
    settings: Settings
    """Those to localise with."""
    device: str
    """Where its networks compute."""


def localize_on_workers(
    stored: StoredRun,
    model: TrainedModel,
    data: Data,
    do_tasks: DoTasks,
    *,
    together: int = VIDEOS_TOGETHER,
    on_video: Callable[[str], None] = lambda _: None,
    on_failure: Callable[[FeatureError], None] | None = None,
) -> dict[str, Detections]:
    """Return the detections of every video of the data, in its order.

    They are those that `acmnet.inference.localized_videos.localize_videos` returns; the
    other parameters and the errors are as there.

    Parameters
    ----------
    stored : StoredRun
        What the workers load.
    model : TrainedModel
        The same run, loaded here: features that it cannot use are refused at once.
    data : Data
        The videos and their features, at a path or an address that workers can read.
    do_tasks : callable
        Gives tasks to the workers, see `acmnet.workers.worker_tasks`.
    together : int
        A task has this many videos, at least 1.
    """
    refuse_other_features(model, data.store)
    videos = list(data.annotations.videos)
    parts = [videos[i : i + together] for i in range(0, len(videos), together)]
    tasks = [
        Task(_words(part), functools.partial(_find, stored, data.part(part)))
        for part in parts
    ]
    results: dict[str, Detections] = {}
    for i, (found, failures) in do_tasks(tasks):
        results |= found
        for failure in failures:
            if on_failure is None:
                raise failure
            on_failure(failure)
        for video in parts[i]:
            on_video(video)
    return {video: results[video] for video in videos if video in results}


def _find(stored: StoredRun, data: Data) -> LocalizedPart:
    """Return what a run finds in some videos."""
    failures: list[FeatureError] = []
    results = localize_videos(_loaded(stored), data, on_failure=failures.append)
    return LocalizedPart(results, failures)


@functools.lru_cache(maxsize=1)
def _loaded(stored: StoredRun) -> TrainedModel:
    """Load a run, once in each process."""
    return load(stored.run, settings=lambda _: stored.settings, device=stored.device)


def _words(part: Sequence[str]) -> str:
    """Return what a task is, for messages."""
    return f"{counted(len(part), 'video')} from {part[0]!r} to {part[-1]!r}"
