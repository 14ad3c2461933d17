"""What the page of a run shows, as plain values that the page's script draws."""

import base64
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from acmnet.checkpoints.checkpoint_config import CheckpointConfig
from acmnet.data.detections.shown_detections import Shown
from acmnet.data.labelled_features import Data
from acmnet.data.labels.annotations import Annotations, Video
from acmnet.evaluation.reports import DetectionReport
from acmnet.evaluation.videos_trained_on import NOT_KNOWN_NOTE
from acmnet.localization.from_activations import activation_runs
from acmnet.localization.localization_settings import LocalizationSettings
from acmnet.localization.video_activations import VideoActivations
from acmnet.messages import counted
from acmnet.models.stored_model import teaching
from acmnet.network.acm_net import Branch
from acmnet.recipes import Settings
from acmnet.runs.run_data import trained_on
from acmnet.runs.run_request import LAST
from acmnet.segments import Detections, FloatArray
from acmnet.show.figures.video_figure import telling_classes
from acmnet.show.report.page_media import FRAMES, Media

MOST_DETECTIONS: Final = 500
"""At most this many detections of a video are on the page: the highest scores."""

DetectionRow = tuple[str, float, float, float]
"""A detection on the page: label, start and end in seconds, score."""


MOST_CURVES: Final = 6
"""For at most this many classes of a video, activation and CAS are drawn.

The CAS, class activation sequence, is a class's score at each moment before attention;
the activation is that of the action instance branch.
"""
LEVELS: Final = 255
"""The highest of the whole numbers that stand for a curve's values from 0 to 1."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class VideoContents:
    """What the page shows of one video."""

    id: str
    summary: Mapping[str, Any]
    """Name, labels, length and true segments of the video, and how much was found."""
    detections: Sequence[DetectionRow]
    """Highest score first, at most `MOST_DETECTIONS`."""
    media: Media | None = None
    """How the page gets the video file; None if there is none that a browser plays."""
    insides: Mapping[str, Any] | None = None
    """Curves of the networks, as `insides_of` returns them; None for none."""
    poster: bytes | None = None
    """A strip of frames as a JPEG; None if there is none."""

    def files(self) -> dict[str, Any]:
        """Return how the page gets the video file, and whether there are frames."""
        media = self.media
        return {
            "media": None if media is None else {"type": media.type, "url": media.url},
            "poster": self.poster is not None,
        }


@dataclasses.dataclass(frozen=True)
class Contents:
    """Everything that a page shows: the summary of the run, and every video."""

    summary: Mapping[str, Any]
    videos: tuple[VideoContents, ...]


def summary_of(
    run: Path,
    config: CheckpointConfig,
    settings: Settings,
    data: Data,
    report: DetectionReport | None,
    shown: Shown,
    warning: str | None,
) -> dict[str, Any]:
    """Return what the page tells about the run as a whole: its origin and its scores.

    Parameters
    ----------
    run : Path
        The directory of the run.
    config : CheckpointConfig
        The config of its newest checkpoint.
    settings : Settings
        The settings that the run is used with.
    data : Data
        The videos on the page.
    report : DetectionReport or None
        The scores; None if there are no true segments.
    shown : Shown
        Which detections the page shows at first.
    warning : str, optional
        A sentence about these videos that is shown under the title.
    """
    values: dict[str, Any] = {
        "title": run.resolve().name,
        "run": str(run.resolve()),
        "facts": dict(_facts(run, config, settings, data)),
        "class_names": list(config.class_names),
        "thresholds": list(settings.localization.activation_thresholds),
        "notes": [*_score_remarks(config, report), *remarks_of(config, warning)],
        "shown": dataclasses.asdict(shown),
    }
    if report is not None:
        values["scores"] = report.to_json()
        values["rules"] = report.protocol.rules
    return values


def _facts(
    run: Path, config: CheckpointConfig, settings: Settings, data: Data
) -> Iterator[tuple[str, str]]:
    """Yield facts on the origin of the run: name and value of each."""
    known = config.training
    yield "run", str(run)
    yield "labels", data.annotations.source
    yield "features", data.store.place
    yield "recipe", f"{config.recipe} ({config.profile})"
    yield "seed", str(config.seed)
    yield "epochs", str(config.epoch)
    yield "checkpoint chosen on", config.selection
    n = known.get("videos")
    videos = counted(n, "video") if isinstance(n, int) else "unknown videos"
    labels, subset = known.get("annotations", "?"), known.get("subset") or "all"
    yield "trained on", f"{videos} of {labels}, subset {subset}"
    if config.taught_times:
        times = f"times of {counted(len(config.taught_times), 'video')}"
        yield "given besides names", f"{times} (supervision: {known['supervision']})"
    yield "extractor", str(config.feature_manifest.get("extractor", "?"))
    yield "versions", ", ".join(f"{k} {v}" for k, v in config.versions.items())
    n_teachers = len(teaching(config, settings.teachers.count))
    yield (
        "what the model sees",
        f"the mean of the student's {counted(n_teachers, 'teacher')}; the detections "
        "are the student's"
        if n_teachers
        else "the network itself, which also made the detections",
    )


def _score_remarks(
    config: CheckpointConfig, report: DetectionReport | None
) -> Iterator[str]:
    """Yield remarks that a reader needs before believing the scores."""
    if report is not None:
        yield from _sentences(*report.notes)
    elif trained_on(config, ()) is None:
        yield from _sentences(NOT_KNOWN_NOTE)


def remarks_of(config: CheckpointConfig, warning: str | None) -> Iterator[str]:
    """Yield remarks that a reader needs before believing what a run found.

    Parameters
    ----------
    config : CheckpointConfig
        The config of the run's newest checkpoint.
    warning : str or None
        A sentence about the videos in which it was found.
    """
    if config.selection != LAST:
        yield f"The checkpoint was chosen on the {config.selection}."
    yield from _sentences(warning)


def _sentences(*notes: str | None) -> Iterator[str]:
    """Yield notes as sentences, with capital letter and full stop; None is skipped."""
    for note in filter(None, notes):
        yield f"{note[:1].upper()}{note[1:].removesuffix('.')}."


def video_contents(
    video: Video,
    data: Data,
    detections: Detections,
    *,
    media: Media | None = None,
    insides: Mapping[str, Any] | None = None,
    poster: bytes | None = None,
) -> VideoContents:
    """Return what the page shows of one video.

    Parameters
    ----------
    video : Video
        The video, with its labels and true segments.
    data : Data
        The data that the video is from.
    detections : Detections
        The detections in this video.
    media, insides, poster
        The fields of `VideoContents` with these names.
    """
    span_s = data.length_s(video.id)
    order = np.argsort(-detections.score, kind="stable")[:MOST_DETECTIONS]
    is_known = truth_is_known(video, data.annotations)
    rows = [(x.label, x.start_s, x.end_s, x.score) for x in detections.only(order)]
    summary = {
        "id": video.id,
        "labels": list(video.labels),
        "subset": video.subset,
        "duration_s": float(max(video.duration_s or 0.0, span_s)),
        "truth": [
            [x.label, float(x.segment.start_s), float(x.segment.end_s)]
            for x in video.instances
        ],
        "instances": len(video.instances) if is_known else None,
        "detections": len(detections),
        "best": rows[0][3] if rows else None,
        "left_out": len(detections) - len(rows),
        "poster_frames": FRAMES,
    }
    return VideoContents(
        id=video.id,
        summary=summary,
        detections=rows,
        media=media,
        insides=insides,
        poster=poster,
    )


def truth_is_known(video: Video, annotations: Annotations) -> bool:
    """Return whether the label file tells where a video's actions are.

    It does so for a video with segments, and for one without any label if the file has
    segments of other videos: such a video contains no action. A video with a label but
    without segments contains an action, and nobody knows where.
    """
    if video.instances:
        return True
    return not video.labels and any(x.instances for x in annotations.videos.values())


def insides_of(
    video: Video,
    detections: Detections,
    activations: VideoActivations,
    settings: LocalizationSettings,
) -> dict[str, Any]:
    """Return the curves of a video, and the proposals that are cut from them.

    Parameters
    ----------
    video, detections
        The video and its detections: their classes are drawn.
    activations : VideoActivations
        Attention and class activations of the video.
    settings : LocalizationSettings
        The thresholds and rules by which proposals are cut from the activations.

    Returns
    -------
    dict
        ``runs``: proposals as (threshold, label, start, end), in seconds. ``curves``:
        each with its name, and its samples as bytes in base64. ``first_s``: the time of
        the first sample. ``step_s``: the time from each sample to the next.
    """
    names = activations.class_names
    shown = telling_classes(video, detections)[:MOST_CURVES]
    runs = activation_runs(activations, settings)
    attention, instance = activations.attention, activations.instance_cas
    drawn = {f"attention: {b.name.lower()}": attention[:, b] for b in Branch}
    drawn |= {f"activation: {names[c]}": instance[:, c] for c in shown}
    if activations.cas is not None:
        drawn |= {f"cas: {names[c]}": activations.cas[:, c] for c in shown}
    return {
        "runs": [
            [float(t), names[int(c)], float(a), float(b)]
            for t, c, a, b in zip(*runs, strict=True)
        ],
        "curves": [
            {"name": name, "values": _quantized(values)}
            for name, values in drawn.items()
        ],
        "first_s": activations.first_s,
        "step_s": activations.step_s,
    }


def _quantized(values: FloatArray | np.ndarray[Any, Any]) -> str:
    """Return a curve in [0, 1] with one byte per sample, in base64."""
    levels = np.rint(np.clip(values, 0.0, 1.0) * LEVELS).astype(np.uint8)
    return base64.b64encode(levels.tobytes()).decode()
