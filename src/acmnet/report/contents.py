"""What a report shows, as plain values: computed here, only drawn by the page."""

import base64
import dataclasses
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import numpy as np

from acmnet.annotations import Video
from acmnet.evaluation.reports import DetectionReport
from acmnet.figures.video import telling_classes
from acmnet.localization import activation_runs
from acmnet.model import Branch
from acmnet.pipeline.calibrating import training_videos
from acmnet.pipeline.data import Data
from acmnet.pipeline.runs import LAST
from acmnet.pipeline.trained import TrainedModel
from acmnet.report.posters import FRAMES, poster_strip
from acmnet.segments import Detections, FloatArray

MOST_DETECTIONS: Final = 500
"""Detections of a video that are shown, the surest ones."""
MOST_CURVES: Final = 6
"""Classes of a video whose activation and CAS are drawn, besides the attention."""
EMBEDDED_BYTES: Final = 8 << 20
"""A larger video is linked."""
EMBEDDED_TOTAL: Final = 64 << 20
"""All embedded videos together."""
LEVELS: Final = 255
"""Levels that a curve in [0, 1] is drawn with."""

MEDIA_TYPES: Final = {
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".mov": "video/mp4",
    ".webm": "video/webm",
    ".mkv": "video/webm",
    ".ogv": "video/ogg",
}
"""What a browser may play; other containers it is not offered."""


@dataclasses.dataclass(frozen=True)
class Media:
    """A video file as the page takes it."""

    type: str
    url: str | None
    """Relative to the page; None where it is embedded."""
    path: Path


@dataclasses.dataclass(frozen=True)
class VideoContents:
    """One video's part of a report."""

    id: str
    summary: Mapping[str, Any]
    """For the list of videos, loaded at once."""
    details: Mapping[str, Any]
    """For its timeline, loaded when it is looked at."""
    media: Media | None


@dataclasses.dataclass(frozen=True)
class Contents:
    """All of a report: the summary and every video."""

    summary: Mapping[str, Any]
    videos: tuple[VideoContents, ...]


def summary_of(
    run: Path, model: TrainedModel, data: Data, report: DetectionReport | None
) -> dict[str, Any]:
    """Return what is told of the run: where it comes from, and its scores."""
    config = model.config
    facts = {"run": str(run), "labels": data.annotations.source}
    facts["features"] = str(data.store.directory)
    if config is not None:
        known = config.training
        facts |= {
            "recipe": f"{config.recipe} ({config.profile})",
            "seed": str(config.seed),
            "epochs": str(config.epoch),
            "checkpoint chosen on": config.selection,
            "trained on": f"{known.get('videos', '?')} videos of "
            f"{known.get('annotations', '?')}, subset {known.get('subset') or 'all'}",
            "extractor": str((known.get("manifest") or {}).get("extractor", "?")),
            "versions": ", ".join(f"{k} {v}" for k, v in config.versions.items()),
        }
    n_networks = 1 + len(model.further)
    facts["curves"] = (
        "the network's own"
        if model.student is None
        else f"the mean of the student's {n_networks} teachers; the student localises"
    )
    values: dict[str, Any] = {"title": run.resolve().name, "facts": facts}
    values["class_names"] = list(model.class_names)
    rules = model.settings.localization
    values["thresholds"] = list(rules.activation_thresholds)
    values["notes"] = list(_notes(model, data))
    if report is not None:
        values["scores"] = report.to_json()
        values["rules"] = report.protocol.rules
    return values


def _notes(model: TrainedModel, data: Data) -> Iterator[str]:
    """Yield what must be known before a score is believed."""
    if model.config is None:
        return
    videos = set(data.annotations.videos)
    known = training_videos(model.config)
    if known is None:
        yield (
            "Which videos the run was trained on is not known any more: on those, "
            "scores flatter."
        )
    elif videos & known:
        yield (
            f"{len(videos & known)} of these {len(videos)} videos were trained on: "
            "there, scores flatter."
        )
    if model.config.selection != LAST:
        yield f"The checkpoint was chosen on the {model.config.selection}."


def videos_of(
    model: TrainedModel,
    data: Data,
    results: Mapping[str, Detections],
    files: Mapping[str, Path],
    page: Path,
    on_video: Callable[[str], None] = lambda _: None,
) -> Iterator[VideoContents]:
    """Yield each video's part, in the order of the results.

    Parameters
    ----------
    model, data
        The trained model, and the videos that it localised.
    results : mapping of video id to Detections
        What it found, as it is to be shown.
    files : mapping of video id to path
        The video files that there are.
    page : Path
        Where the page will lie: links are relative to it.
    on_video : callable
        Called with each id when it is done.
    """
    room = EMBEDDED_TOTAL
    for video, found in results.items():
        truth = data.annotations.videos[video]
        media = _media(files.get(video), page, room)
        if media is not None and media.url is None:
            room -= media.path.stat().st_size
        details = _details(model, data, truth, found, files.get(video))
        summary = {
            "id": video,
            "labels": list(truth.labels),
            "subset": truth.subset,
            "duration_s": details["duration_s"],
            "instances": len(truth.instances),
            "detections": len(found),
            "best": float(found.score.max(initial=0.0)) if len(found) else None,
        }
        yield VideoContents(video, summary, details, media)
        on_video(video)


def _details(
    model: TrainedModel,
    data: Data,
    truth: Video,
    found: Detections,
    file: Path | None,
) -> dict[str, Any]:
    features = data.store.read(truth.id)
    scores = model.scores(features)
    grid = data.store.grid
    span_s = grid.span_s(len(features))
    duration_s = truth.duration_s or span_s
    order = np.argsort(-found.score, kind="stable")[:MOST_DETECTIONS]
    names = model.class_names
    shown = telling_classes(truth, found)[:MOST_CURVES]
    runs = activation_runs(
        scores.cas_instance,
        scores.video_scores,
        n_snippets=len(features),
        grid=grid,
        settings=model.settings.localization,
    )
    curves = {f"attention: {b.name.lower()}": scores.attention[:, b] for b in Branch}
    curves |= {f"activation: {names[c]}": scores.cas_instance[:, c] for c in shown}
    cas = model.cas(features)
    curves |= {f"cas: {names[c]}": cas[:, c] for c in shown}
    return {
        "id": truth.id,
        "duration_s": float(max(duration_s, span_s)),
        "truth": [
            [x.label, float(x.segment.start_s), float(x.segment.end_s)]
            for x in truth.instances
        ],
        "detections": [
            [
                names[int(found.class_index[i])],
                float(found.start_s[i]),
                float(found.end_s[i]),
                float(found.score[i]),
            ]
            for i in order
        ],
        "left_out": len(found) - len(order),
        "runs": [
            [float(t), names[int(c)], float(a), float(b)]
            for t, c, a, b in zip(*runs, strict=True)
        ],
        "curves": [
            {"name": name, "values": _quantized(values)}
            for name, values in curves.items()
        ],
        "first_s": (grid.snippet_frames / 2) / grid.fps,
        "step_s": grid.stride_s * len(features) / len(scores.attention),
        "poster": None if file is None else poster_strip(file, float(duration_s)),
        "poster_frames": FRAMES,
    }


def _quantized(values: FloatArray | np.ndarray[Any, Any]) -> str:
    """Return a curve in [0, 1] as one byte a snippet, in base64."""
    levels = np.rint(np.clip(values, 0.0, 1.0) * LEVELS).astype(np.uint8)
    return base64.b64encode(levels.tobytes()).decode()


def linked(contents: Contents, served: Sequence[Path]) -> Contents:
    """Return the same with every video fetched from a server by its place there."""
    place = {path: i for i, path in enumerate(served)}
    videos = []
    for video in contents.videos:
        media = video.media
        if media is not None:
            media = dataclasses.replace(media, url=f"media/{place[media.path]}")
        videos.append(dataclasses.replace(video, media=media))
    return dataclasses.replace(contents, videos=tuple(videos))


def _media(file: Path | None, page: Path, room: int) -> Media | None:
    """Return how the page takes a file; None where a browser cannot play it."""
    if file is None or file.suffix.lower() not in MEDIA_TYPES:
        return None
    kind = MEDIA_TYPES[file.suffix.lower()]
    if file.stat().st_size <= min(EMBEDDED_BYTES, room):
        return Media(kind, None, file)
    relative = os.path.relpath(file.resolve(), page.resolve().parent)
    return Media(kind, quote(Path(relative).as_posix()), file)
