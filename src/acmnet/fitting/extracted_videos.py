"""Video files as features: extracted into a store, and opened as data."""

from pathlib import Path

from acmnet.checkpoints.checkpoint import load_config
from acmnet.data.checks.refusals import DataError
from acmnet.data.features.failed_videos import Failure
from acmnet.data.labelled_features import Data, DataSource, unlabelled
from acmnet.extraction.extractors.extraction_settings import (
    ExtractionSettings,
    settings_of,
)
from acmnet.extraction.extractors.extractor_names import ExtractorError, parts_of
from acmnet.extraction.many_videos.extraction_request import (
    ExtractionRequest,
    ExtractionSummary,
)
from acmnet.extraction.many_videos.extraction_run import extract_videos
from acmnet.extraction.many_videos.video_search import Recordings
from acmnet.extraction.shipped_extractors import SHIPPED
from acmnet.fitting.fit_request import NO_HOOKS, Hooks
from acmnet.messages import quoted
from acmnet.workers.worker_tasks import Workers


def extract_with_hooks(request: ExtractionRequest, hooks: Hooks) -> ExtractionSummary:
    """Extract the features of videos and tell ``hooks`` how far it has come."""
    return extract_videos(
        request,
        on_video=hooks.on_video,
        on_note=hooks.on_note,
        on_working=hooks.on_working,
    )


def extraction_of(run: Path, named: str | None = None) -> ExtractionSettings:
    """Return how the features of a trained run were extracted.

    ``named`` is the extractor that the user names, where they do: a class that is not
    acmnet's has to be named, or trusted
    (`acmnet.extraction.extractors.own_extractors`).

    Raises
    ------
    CheckpointError, ExtractorError
        If the run cannot be read, does not say, or had features that acmnet cannot
        extract from videos.
    """
    manifest = load_config(run).feature_manifest
    if not manifest:
        raise ExtractorError(
            f"{run} does not say how its features were extracted; extract features "
            "as they were and give them with --features"
        )
    settings = settings_of(manifest, str(run), named)
    if any(":" not in x and x not in SHIPPED for x in parts_of(settings.extractor)):
        raise ExtractorError(
            f"{run} was trained on features of {quoted(settings.extractor)}, which "
            "acmnet cannot extract from videos; make the features of these videos in "
            "the same way and give them with --features"
        )
    return settings


def extracted_data(
    recordings: Recordings,
    features: Path,
    extraction: ExtractionSettings,
    workers: Workers,
    hooks: Hooks = NO_HOOKS,
    device: str = "cpu",
    *,
    retry_failed: bool = False,
) -> tuple[Data, tuple[Failure, ...]]:
    """Extract video files into a store and open them as data without labels.

    Parameters
    ----------
    recordings : Recordings
        The files, as `find_recordings` returns them.
    features : Path
        The store; finished videos are not extracted again.
    extraction, device, retry_failed
        As for `acmnet.extraction.many_videos.extraction_run.extract_videos`.
    workers : Workers
        How many processes extract at the same time, and where.

    Returns
    -------
    Data and failures
        Videos that could be extracted, by id, and those that could not.

    Raises
    ------
    ExtractionError
        If nothing can be extracted.
    DataError
        If no video could be.
    """
    request = ExtractionRequest(
        videos=recordings.files,
        tracks=recordings.tracks,
        out=features,
        settings=extraction,
        workers=workers.count,
        engine=workers.engine,
        device=device,
        retry_failed=retry_failed,
    )
    summary = extract_with_hooks(request, hooks)
    extracted = set(recordings.files) - {failure.video for failure in summary.failures}
    if not extracted:
        raise DataError(summary.failures[0].reason)
    return unlabelled(DataSource(Path(), features), extracted), summary.failures
