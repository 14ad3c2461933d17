"""Find the actions in many videos by several workers, each of which loads the run."""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from acmnet.data.features.feature_files import FeatureError
from acmnet.data.labelled_features import Data
from acmnet.inference.localized_videos import localize_videos, refuse_other_features
from acmnet.messages import counted
from acmnet.models.stored_model import load
from acmnet.models.trained_model import TrainedModel
from acmnet.recipes import Settings
from acmnet.segments import Detections
from acmnet.workers.worker_tasks import DoTasks, Task

VIDEOS_TOGETHER: Final = 100
"""A task is to find the actions in this many videos, so that handing it over takes a
small part of its time."""


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
