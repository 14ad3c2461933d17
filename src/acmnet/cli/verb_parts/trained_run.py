"""Use a trained run: load it, find actions with it, score what it found."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from acmnet.checkpoints.checkpoint_config import CheckpointConfig
from acmnet.cli.options.dotted_settings import RecipeSettings
from acmnet.cli.terminal.app import note
from acmnet.cli.terminal.progress import counting
from acmnet.data.detections.detection_arrays import DetectionFile
from acmnet.data.features.feature_files import FeatureError
from acmnet.data.labelled_features import Data
from acmnet.evaluation.held_out import held_out
from acmnet.evaluation.reports import DetectionReport, evaluate
from acmnet.evaluation.videos_trained_on import (
    TAUGHT_KEY,
    TRAINED_ON_KEY,
    taught_refusal,
)
from acmnet.inference.localized_videos import localize_videos
from acmnet.messages import counted, some
from acmnet.models.stored_model import load
from acmnet.models.trained_model import TrainedModel
from acmnet.models.training_summary import MOST_VIDEOS, unlike_training
from acmnet.runs.run_data import taught_videos
from acmnet.runs.run_data import trained_on as trained_on_of
from acmnet.runs.training_run import join_processes
from acmnet.segments import Detections
from acmnet.show.bench.reviewed_precision import precision_of_reviews
from acmnet.validation.cross_validation import TIOU

Find = Callable[
    [TrainedModel, Data, Callable[[str], None], Callable[[FeatureError], None] | None],
    dict[str, Detections],
]
"""Finds the actions in videos, as `localize_videos` does."""


def loaded(run: Path, device: str, settings: RecipeSettings) -> TrainedModel:
    """Load a run, with the settings given by dotted name in place of its own."""
    return load(run, settings=settings.applied, device=join_processes(device))


def localised(
    model: TrainedModel,
    data: Data,
    on_failure: Callable[[FeatureError], None] | None = None,
    find: Find = localize_videos,
) -> dict[str, Detections]:
    """Find the actions in all videos, with a progress bar.

    ``find`` is `localize_videos`, or does the same in other processes.

    Raises
    ------
    FeatureError
        If a video's features cannot be used and ``on_failure`` is left out, or if this
        is so for all videos.
    """
    failures: list[FeatureError] = []
    if model.settings.localization.split_at_cuts:
        _note_unknown_cuts(data)

    def left_out(failure: FeatureError) -> None:
        failures.append(failure)
        if on_failure is not None:
            on_failure(failure)

    with counting("localising", data) as one_more:
        report = None if on_failure is None else left_out
        results = find(model, data, one_more, report)
    refuse_nothing_left(results, failures)
    return results


def _note_unknown_cuts(data: Data) -> None:
    """Print a note on videos that cannot be split at their cuts."""
    videos = data.annotations.videos
    unknown = [video for video in videos if data.store.cuts_s(video) is None]
    if unknown:
        which = counted(len(unknown), "video", ("has", "have"), of=len(videos))
        note(
            f"{which} no known cuts, so localization.split_at_cuts changes nothing "
            f"there: {some(unknown)}; acmnet extract finds cuts in videos, in a new "
            "directory if their features are older"
        )


def refuse_nothing_left(
    results: Mapping[str, object], failures: Sequence[FeatureError]
) -> None:
    """Refuse to go on if every video was left out.

    Raises
    ------
    FeatureError
        With the first reason, and the number of other videos.
    """
    if failures and not results:
        n_more = len(failures) - 1
        more = f" (and {counted(n_more, 'more video')})" if n_more else ""
        raise FeatureError(f"no video is left to work on: {failures[0]}{more}")


def scored(
    data: Data, results: Mapping[str, Detections], config: CheckpointConfig | None
) -> DetectionReport | None:
    """Score detections against true segments; return None if there are none.

    Only videos that the run was not trained on are scored if one of them has a segment.
    Otherwise all videos are scored, and a note in the report says so. Videos that carry
    names without a segment, and videos whose times the training was given, are never
    scored. If there are no others, a note is printed, and None is returned.

    Parameters
    ----------
    data : Data
        The videos and their labels.
    results : mapping from video id to Detections
        What the run found in them.
    config : CheckpointConfig or None
        The config of the run, which names its training videos.
    """
    known = {k for k, v in data.annotations.videos.items() if v.instances}
    if not known:
        return None
    taught = taught_times(config, data.annotations.videos)
    if known <= set(taught.get(TAUGHT_KEY, ())):
        note(taught_refusal(data.annotations.source, known))
        return None
    videos = data.annotations.videos.items()
    truth = {k: v for k, v in videos if not v.has_names_alone}
    annotations = dataclasses.replace(data.annotations, videos=truth)
    external_data = {TRAINED_ON_KEY: trained_on(config, results), **taught}
    found = {video: results[video] for video in truth if video in results}
    file = DetectionFile.of(found, external_data=external_data)
    reports, _ = held_out(
        lambda leave_out: {
            "run": evaluate(annotations, file, tiou=TIOU, leave_out=leave_out)
        }
    )
    return reports["run"]


def trained_on(
    config: CheckpointConfig | None, videos: Iterable[str]
) -> list[str] | None:
    """Return which of the videos a run was trained on; None if it does not say."""
    return None if config is None else trained_on_of(config, videos)


def taught_times(
    config: CheckpointConfig | None, videos: Iterable[str]
) -> dict[str, list[str]]:
    """Return, for ``external_data``, which of the videos gave a run their times."""
    taught = [] if config is None else taught_videos(config, videos)
    return {TAUGHT_KEY: taught} if taught else {}


def note_unlike(run: Path, data: Data, most: int = MOST_VIDEOS) -> str | None:
    """Print a warning if videos look unlike those that the run was trained on.

    At most ``most`` videos are compared. Returns the warning, or None for none.
    """
    sentence = unlike_training(run, data, most)
    if sentence is not None:
        note(sentence)
    return sentence


def note_reviewed_precision(run: Path) -> None:
    """Print the precision of the run's detections by a person's reviews, if any."""
    reviewed = precision_of_reviews(run)
    if reviewed is not None:
        note(reviewed.sentence())
