"""Training and fitting as Python calls, with the command line's names and defaults."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from torch import Tensor

from acmnet import recipes
from acmnet.data.features.feature_manifest import FeatureManifest, write_manifest
from acmnet.data.features.feature_store import write_features
from acmnet.data.labelled_features import DataSource, open_data
from acmnet.data.labels.annotations import AnnotationError, Annotations, Video
from acmnet.data.labels.json_files.label_json import label_file
from acmnet.data.labels.supervision import Supervision
from acmnet.extraction.default_extractor import AUTO, unnamed_extractor
from acmnet.extraction.extractors.extraction_settings import ExtractionSettings
from acmnet.extraction.extractors.extractor_names import reads_tracks
from acmnet.extraction.keypoints.keypoint_request import KeypointRequest
from acmnet.files.file_access import written_whole
from acmnet.fitting import fit_videos
from acmnet.fitting.fit_request import FEATURES, FitRequest, FitResult, Hooks
from acmnet.fitting.fit_videos import features_before
from acmnet.messages import counted, some
from acmnet.models.stored_model import load
from acmnet.models.trained_model import TrainedModel
from acmnet.names import one_form
from acmnet.runs.run_request import RunRequest
from acmnet.runs.training_run import train_run
from acmnet.segments import SnippetGrid

Features = npt.NDArray[np.floating] | Tensor
LABELS: Final = "given_labels.json"
"""The label file that `train` writes into a run's directory."""


def train(  # noqa: PLR0913 - the options of acmnet train
    out: str | Path,
    features: Mapping[str, Features],
    labels: Mapping[str, Sequence[str]],
    grid: SnippetGrid,
    *,
    recipe: str = "default",
    profile: recipes.Profile | None = None,
    overrides: Mapping[str, object] | None = None,
    seed: int = 0,
    device: str = "cpu",
    resume: bool = False,
    overwrite: bool = False,
    begin_from: str | Path | None = None,
    on_note: Callable[[str], None] = lambda _: None,
) -> TrainedModel:
    """Train on arrays of features and the names of the actions in each video.

    The features are written to ``features/`` in ``out``, where `acmnet.load` and every
    verb of the command line find the run as if `acmnet train` had written it.

    Parameters
    ----------
    out : path
        Directory of the run.
    features : mapping of video id to (T, D) array or tensor
        Snippet features of each video, fp16, fp32 or fp64, finite; T at least 1.
    labels : mapping of video id to names
        The actions in the same videos; an empty list for a video without any.
    grid : SnippetGrid
        Where the snippets lie in time.
    recipe, seed, device, resume, overwrite
        As the options of `acmnet train`.
    profile : str, optional
        "best", "corrected", "official" or "paper"; the recipe's own when left out.
    overrides : mapping
        Settings by dotted name, such as ``{"training.epochs": 50}``.
    begin_from : path, optional
        An earlier run to begin with, as the option ``--from`` of `acmnet train`.
    on_note : callable
        Called with each sentence that the user should read.

    Returns
    -------
    TrainedModel
        As `acmnet.load` gives it: ``model.localize(array)`` returns `Detections`.

    Raises
    ------
    AnnotationError, FeatureError, RecipeError, DataError, RunError, TrainingError
        With one sentence on what cannot be used.
    """
    out = Path(out)
    annotations = _annotations(features, labels)
    used = profile or recipes.default_profile(recipe)
    settings = recipes.recipe(recipe, profile=used, overrides=overrides or {})
    store = out / FEATURES
    dimension = int(np.shape(next(iter(features.values())))[-1])
    write_manifest(store, FeatureManifest(grid=grid, dimension=dimension))
    for video, array in features.items():
        write_features(store, one_form(video), array)
    with written_whole(out / LABELS) as part:
        part.write_bytes(label_file(annotations))
    request = RunRequest(
        out=out,
        data=open_data(DataSource(out / LABELS, store)),
        recipe=recipe,
        profile=used,
        settings=settings,
        seed=seed,
        device=device,
        resume=resume,
        overwrite=overwrite,
        begin_from=None if begin_from is None else Path(begin_from),
    )
    train_run(request, on_note=on_note)
    return load(out, device=device)


def _annotations(
    features: Mapping[str, Features], labels: Mapping[str, Sequence[str]]
) -> Annotations:
    """Return labels as annotations without times, refusing what does not fit.

    Raises
    ------
    AnnotationError
        If there is no video, the two are not of the same videos, or the labels of a
        video are one string.
    """
    if not features:
        raise AnnotationError("there are no features to train on; give some videos")
    for is_given, missing, option in (
        (features, labels, "labels; give an empty list for a video without any action"),
        (labels, features, "features; give them, or leave the labels out"),
    ):
        lacking = [video for video in is_given if video not in missing]
        if lacking:
            have = "has" if len(lacking) == 1 else "have"
            raise AnnotationError(
                f"{counted(len(lacking), 'video')} {have} no {option}: {some(lacking)}"
            )
    for video, names in labels.items():
        if isinstance(names, str):
            raise AnnotationError(
                f"the labels of {video!r} must be a list of names, got {names!r}; give "
                f"[{names!r}]"
            )
    videos = {
        one_form(video): Video(id=one_form(video), labels=tuple(map(one_form, names)))
        for video, names in labels.items()
    }
    classes = sorted({name for video in videos.values() for name in video.labels})
    return Annotations("the given labels", videos, tuple(classes))


def fit(  # noqa: PLR0913 - the options of acmnet fit
    videos: str | Path,
    labels: str | Path,
    out: str | Path,
    *,
    extractor: str = AUTO,
    tracks: str | Path | None = None,
    fps: float | None = None,
    recipe: str = "default",
    profile: recipes.Profile | None = None,
    overrides: Mapping[str, object] | None = None,
    subset: str | None = None,
    groups: str | Path | None = None,
    supervision: Supervision | None = None,
    seed: int = 0,
    workers: int = 1,
    device: str = "cpu",
    overwrite: bool = False,
    retry_failed: bool = False,
    begin_from: str | Path | None = None,
    on_note: Callable[[str], None] = lambda _: None,
) -> FitResult:
    """Learn from a folder of videos and their labels: all that `acmnet fit` does.

    A script that calls this needs ``if __name__ == "__main__":`` around the call:
    features are extracted in processes of their own, which read the script again.

    Parameters
    ----------
    videos : path
        Folder of the videos, or one file.
    labels : path
        CSV with the columns video and labels, or ActivityNet-style JSON.
    out : path
        Directory of the run. The same call again goes on where it stopped.
    extractor : str
        motion, i3d-rgb, i3d-rgb-wide, i3d-two-stream, pose, keypoints (``videos`` then
        holds files of tracks), ``module:Class`` of your own, or several of those joined
        by ``+``, such as ``i3d-rgb+motion`` or ``keypoints+motion``, whose features
        then stand side by side.
        "auto" goes on with the features that the run, or the one to begin from, has; a
        new run gets i3d-rgb-wide if the weights of i3d-rgb are installed, else motion.
    tracks : path, optional
        Folder of the files of tracks, for keypoints; when left out, they are looked for
        in ``videos``.
    fps : float, optional
        Frames a second that are looked at; when left out, 25 of a video, and the rate
        that files of tracks state.
    overrides : mapping
        Settings by dotted name, such as ``{"training.epochs": 50}``.
    profile : str, optional
        "best", "corrected", "official" or "paper"; the recipe's own when left out.
    recipe, subset, groups, supervision, seed, workers, device, overwrite, retry_failed
        As the options of `acmnet fit`.
    begin_from : path, optional
        An earlier run to begin with, as the option ``--from`` of `acmnet fit`.
    on_note : callable
        Called with each sentence that the user should read.

    Returns
    -------
    FitResult
        The run, the detections of every video, and why videos were left out.

    Raises
    ------
    AnnotationError, DataError, ExtractionError, ExtractorError, RunError, ...
        With one sentence.
    """
    used = profile or recipes.default_profile(recipe)
    settings = recipes.recipe(recipe, profile=used, overrides=overrides or {})
    begins = None if begin_from is None else Path(begin_from)
    before = features_before(Path(out), begins)
    request = FitRequest(
        videos=Path(videos),
        labels=Path(labels),
        tracks=None if tracks is None else Path(tracks),
        out=Path(out),
        extraction=_extraction(extractor, fps, before, on_note),
        recipe=recipe,
        profile=used,
        settings=settings,
        subset=subset,
        groups=None if groups is None else str(groups),
        supervision=supervision,
        seed=seed,
        workers=workers,
        device=device,
        overwrite=overwrite,
        retry_failed=retry_failed,
        begin_from=begins,
    )
    return fit_videos.fit(request, Hooks(on_note=on_note))


def _extraction(
    extractor: str,
    fps: float | None,
    before: Iterable[Path],
    on_note: Callable[[str], None],
) -> ExtractionSettings | KeypointRequest:
    """Return how features are extracted, as the options of `acmnet fit` would say it.

    Parameters
    ----------
    extractor : str
        As `fit` takes it.
    fps : float, optional
        As `fit` takes it.
    before : iterable of Path
        Directories of features that "auto" goes on with.
    on_note : callable
        Called with what the user should know of the choice.
    """
    if reads_tracks(extractor):
        return KeypointRequest(extractor, fps=fps)
    options: dict[str, Any] = {} if fps is None else {"fps": fps}
    if extractor == AUTO:
        return unnamed_extractor(options, before, on_note)
    return ExtractionSettings(extractor, **options)
