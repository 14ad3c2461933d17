"""What the verbs that apply a run share: its data, its model, its detections."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from acmnet import recipes
from acmnet.checkpoint import load_config
from acmnet.cli.app import UsageError, errors, quiet
from acmnet.cli.options import overrides
from acmnet.console import Waiting
from acmnet.evaluation.reports import DetectionReport, evaluate
from acmnet.features import FeatureError
from acmnet.pipeline.data import Data, DataSource
from acmnet.pipeline.experiments import TIOU
from acmnet.pipeline.runs import join_processes
from acmnet.pipeline.trained import TrainedModel, load, localize_videos
from acmnet.segments import Detections
from acmnet.wording import counted


@dataclasses.dataclass(frozen=True)
class RunDataOptions:
    """The data that a run is shown on: its own, unless others are given."""

    annotations: Path | None = None
    "Labels, with segments where they are known; else those it was trained on."
    features: Path | None = None
    "Directory with the videos' features; else those it was trained on."
    subset: str | None = None
    "Only this subset of the annotations."

    def source(self, run: Path) -> DataSource:
        """Return where the data lie: as given, else where the run was trained from.

        Raises
        ------
        UsageError
            If they are not there any more.
        """
        known = load_config(run).training
        found = {}
        given = {"annotations": self.annotations, "features": self.features}
        for name, path in given.items():
            own = Path(str(known.get(name, "")))
            if path is None and (name not in known or not own.exists()):
                raise UsageError(
                    f"the run's own {name} are not at {known.get(name, '?')} any more: "
                    f"give them with --{name}"
                )
            found[name] = path or own
        return DataSource(found["annotations"], found["features"], self.subset)


RunData = Annotated[RunDataOptions, Parameter(name="*")]


def loaded(run: Path, device: str) -> TrainedModel:
    """Return a run's model, with the settings that were given by dotted name."""
    return load(
        run,
        settings=lambda trained: recipes.override(trained, overrides),
        device=join_processes(device),
    )


def localised(
    model: TrainedModel,
    data: Data,
    on_failure: Callable[[FeatureError], None] | None = None,
) -> dict[str, Detections]:
    """Localise all videos, with a bar.

    Raises
    ------
    FeatureError
        If a video's features cannot be used and there is no ``on_failure`` to tell, or
        if no video is left.
    """
    failures: list[FeatureError] = []

    def left_out(failure: FeatureError) -> None:
        failures.append(failure)
        if on_failure is not None:
            on_failure(failure)

    with counting("localising", data) as one_more:
        told = None if on_failure is None else left_out
        results = localize_videos(model, data, one_more, told)
    refuse_nothing_left(results, failures)
    return results


def refuse_nothing_left(
    results: Mapping[str, object], failures: Sequence[FeatureError]
) -> None:
    """Refuse to go on where every video was left out.

    Raises
    ------
    FeatureError
        With the first reason, and how many videos there were.
    """
    if failures and not results:
        n_more = len(failures) - 1
        more = f" (and {counted(n_more, 'more video')})" if n_more else ""
        raise FeatureError(f"no video is left to work on: {failures[0]}{more}")


def scored(data: Data, results: Mapping[str, Detections]) -> DetectionReport | None:
    """Score detections where true segments are known; None where none are."""
    if not any(video.instances for video in data.annotations.videos.values()):
        return None
    return evaluate(data.annotations, results, tiou=TIOU)


@contextmanager
def counting(what: str, data: Data) -> Iterator[Callable[[str], None]]:
    """Show a bar over the videos; yield what says that one more is done."""
    with Waiting(errors, what, "videos", silent=quiet()) as bar:
        bar.total = len(data.annotations.videos)
        yield bar.one_more
