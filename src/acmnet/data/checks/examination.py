"""The dataset doctor: find everything that is wrong with a data set before training.

Videos of labels are also compared with those of detections, of a split, or of features.
"""

import dataclasses
import functools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from acmnet.data.checks.feature_checks import Progress, feature_findings
from acmnet.data.checks.findings import LEVELS, Finding, Level, in_order
from acmnet.data.checks.instance_checks import instance_findings
from acmnet.data.checks.label_checks import (
    by_subset,
    few_long_videos,
    label_findings,
    learned_from,
)
from acmnet.data.checks.lenient_reading import read_leniently
from acmnet.data.detections.detection_files import read_detections
from acmnet.data.features.feature_store import open_store
from acmnet.data.features.stored_features import FeatureStore
from acmnet.data.formats.exchange_format import FrameRates
from acmnet.data.labelled_features import Data, DataSource
from acmnet.data.labels.annotations import AnnotationError, Annotations
from acmnet.data.labels.marks import content_sentence
from acmnet.files.text_files import read_text
from acmnet.messages import counted, quoted, some
from acmnet.names import one_form, spelt_otherwise
from acmnet.segments import SnippetGrid


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExaminedFiles:
    """The files of a data set; only the annotations are a must."""

    annotations: Path
    features: Path | None = None
    detections: Path | None = None
    """ActivityNet results JSON, of any system."""
    split: Path | None = None
    """A list of the videos that are predicted, one a line."""
    subset: str | None = None
    """Look at this subset only."""
    label_fps: float | None = None
    """Frames per second of the videos, where the labels count frames and do not state
    it; that of the features when left out, which training takes, too."""
    grid: SnippetGrid | None = None
    """The features' grid, where their directory has no ``features.json``."""


@dataclasses.dataclass(frozen=True)
class Examination:
    """The findings on a data set, and how much was examined."""

    findings: tuple[Finding, ...]
    """Errors first; those of one kind together."""
    videos: int
    instances: int
    classes: int
    holds: str = ""
    """What the label file holds, in words; empty if it could not be read."""

    def count(self, level: str) -> int:
        """Return how many findings are of a level."""
        return sum(finding.level == level for finding in self.findings)

    def __str__(self) -> str:
        """Return the numbers, in a line."""
        counts = [counted(self.count(level), level) for level in LEVELS]
        return (
            f"{', '.join(counts)} in {counted(self.videos, 'video')}, "
            f"{counted(self.instances, 'instance')}, {counted(self.classes, 'class')}"
        )

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return {
            "errors": self.count("error"),
            "warnings": self.count("warning"),
            "notes": self.count("note"),
            "videos": self.videos,
            "instances": self.instances,
            "classes": self.classes,
            "labels_hold": self.holds,
            "findings": [finding.to_json() for finding in self.findings],
        }


def examine(
    examined: ExaminedFiles, on_progress: Progress = lambda *_: None
) -> Examination:
    """Examine a data set and return everything that is wrong with it.

    Faulty files raise no error: a file that cannot be read is a finding, and the rest
    is examined all the same.

    Parameters
    ----------
    examined : ExaminedFiles
        The files.
    on_progress : callable
        Called with the step, the number of videos done, and their total.
    """
    reading = read_leniently(examined.annotations, _frame_rates(examined))
    findings, annotations = list(reading.findings), reading.annotations
    if annotations is not None:
        try:
            annotations = annotations.subset(examined.subset)
        except AnnotationError as error:
            source = annotations.source
            findings.append(
                Finding(
                    level="error", kind="refused", sentence=str(error), source=source
                )
            )
            annotations = None
    if annotations is None:
        return Examination(tuple(in_order(findings)), 0, 0, 0)
    findings += instance_findings(annotations)
    findings += label_findings(annotations)
    if examined.detections is not None:
        findings += detection_findings(annotations, examined.detections)
    if examined.split is not None:
        findings += split_findings(annotations, examined.split)
    if examined.features is None:
        findings += _lengths(annotations, None)
    else:
        findings += _features(examined, annotations, on_progress)
    videos = annotations.videos.values()
    return Examination(
        tuple(in_order(findings)),
        len(videos),
        sum(len(video.instances) for video in videos),
        len(annotations.class_names),
        content_sentence(annotations),
    )


def _frame_rates(examined: ExaminedFiles) -> FrameRates | None:
    """Return the frame rates for labels that count frames; None if nothing tells."""
    if examined.label_fps is not None or examined.features is None:
        return examined.label_fps

    @functools.cache
    def of_features() -> float | None:
        try:
            return open_store(examined.features or "", grid=examined.grid).grid.fps
        except ValueError:  # which is a finding of its own
            return None

    return lambda _: of_features()


def _features(
    examined: ExaminedFiles, annotations: Annotations, on_progress: Progress
) -> Iterator[Finding]:
    """Yield what is wrong with features, and where they do not fit the annotations."""
    directory = Path(examined.features or "")
    try:
        store = open_store(directory, grid=examined.grid)
    except ValueError as error:
        yield Finding(
            level="error", kind="refused", sentence=str(error), source=str(directory)
        )
        yield from _lengths(annotations, None)
        return
    yield from _coverage(annotations, store)
    yield from _lengths(annotations, store)
    source = DataSource(examined.annotations, directory, examined.subset, examined.grid)
    data = Data(source=source, annotations=annotations, store=store).only(
        set(store.files)
    )
    yield from feature_findings(data, on_progress)


def _lengths(annotations: Annotations, store: FeatureStore | None) -> Iterator[Finding]:
    """Yield the classes that few long videos are named for, by subset."""

    def length_s(video: str) -> float:
        if store is None or video not in store.files:
            return 0.0
        try:
            return store.grid.span_s(store.shape(video)[0])
        except ValueError:
            return 0.0  # it is said elsewhere that it cannot be read

    source = annotations.source
    groups = learned_from(by_subset(annotations.videos.values()))
    for videos in groups.values():
        few = few_long_videos(videos, length_s)
        if few is not None:
            yield Finding(
                level="warning",
                kind="long-videos",
                sentence=f"{source}: {few[1]}",
                source=source,
                label=few[0],
            )


def _coverage(annotations: Annotations, store: FeatureStore) -> Iterator[Finding]:
    """Yield videos without features, and features without a video."""
    where = store.place
    where_missing = f"no features in {where}"
    yield from unpredicted(annotations, store.files, where_missing, "error")
    is_known = any(video in store.files for video in annotations.videos)
    for subset, videos in by_subset(annotations.videos.values()).items():
        missing = [video.id for video in videos if video.id not in store.files]
        name = "in no subset" if subset is None else f"of subset {quoted(subset)}"
        level: Level = "error"
        if len(missing) == len(videos):
            level = "warning" if is_known else "error"
            sentence = f"none of {counted(len(videos), 'video')} {name} has features"
        else:
            missing = [x for x in missing if not annotations.videos[x].instances]
            sentence = f"{counted(len(missing), 'video')} {name} without features"
        if missing:
            yield Finding(
                level=level,
                kind="no-features",
                sentence=f"{where}: {sentence}: {some(missing)}"
                f"{spelt_otherwise(missing, store.files)}; extract them, or check the "
                f"names (it has {counted(len(store.files), 'video')})",
                source=where,
            )
    strangers = [video for video in store.files if video not in annotations.videos]
    if strangers:
        yield Finding(
            level="note",
            kind="unused-features",
            sentence=f"{where}: features of {counted(len(strangers), 'video')} are not "
            f"used, as {annotations.source} does not name them: {some(strangers)}; "
            "annotate them or leave them",
            source=where,
        )


def unpredicted(
    annotations: Annotations, known: Iterable[str], words: str, level: Level
) -> Iterator[Finding]:
    """Yield videos with instances that are not in ``known``, though others are.

    A subset of which no video is known is passed over: detections are of the test
    videos alone.

    Parameters
    ----------
    words : str
        Where the videos are missing, such as ``"no entry in detections.json"``.
    """
    known = set(known)
    for videos in by_subset(annotations.videos.values()).values():
        if not any(video.id in known for video in videos):
            continue
        total = sum(len(video.instances) for video in videos)
        for video in videos:
            if video.instances and video.id not in known:
                n = len(video.instances)
                yield Finding(
                    level=level,
                    kind="never-predicted",
                    sentence=f"{annotations.source}: video {quoted(video.id)} has "
                    f"{counted(n, 'instance')} but {words}, so that {n} of {total} can "
                    "never be found; predict "
                    "it, or leave it out of the ground truth",
                    source=annotations.source,
                    video=video.id,
                )


def detection_findings(annotations: Annotations, path: Path) -> Iterator[Finding]:
    """Yield videos that a detection file should know, or should not."""
    try:
        detections = read_detections(path)
    except ValueError as error:
        yield Finding(
            level="error", kind="refused", sentence=str(error), source=str(path)
        )
        return
    words = f"no entry in {path}"
    yield from unpredicted(annotations, detections.video_ids, words, "warning")
    yield from _unknown_videos(annotations, detections.video_ids, path)
    labels = sorted(set(detections.labels) - set(annotations.class_names))
    if labels:
        sentence = f"{path}: labels that no class has: {some(labels)}; rename them"
        yield Finding(
            level="warning", kind="unknown-label", sentence=sentence, source=str(path)
        )


def split_findings(annotations: Annotations, path: Path) -> Iterator[Finding]:
    """Yield annotated videos that a list of a split's videos lacks; one name a line."""
    try:
        text = read_text(
            path, "list of videos", AnnotationError, "write a video a line"
        )
    except AnnotationError as error:
        yield Finding(
            level="error", kind="refused", sentence=str(error), source=str(path)
        )
        return
    names = [one_form(line.strip()) for line in text.splitlines() if line.strip()]
    yield from unpredicted(annotations, names, f"is not in {path}", "error")
    yield from _unknown_videos(annotations, names, path)


def _unknown_videos(
    annotations: Annotations, names: Iterable[str], path: Path
) -> Iterator[Finding]:
    """Yield a finding on videos that a file names and that are not annotated."""
    strangers = [name for name in names if name not in annotations.videos]
    if strangers:
        yield Finding(
            level="warning",
            kind="unknown-video",
            sentence=f"{path}: {counted(len(strangers), 'video', ('is', 'are'))} not "
            f"in {annotations.source}: "
            f"{some(strangers)}{spelt_otherwise(strangers, annotations.videos)}; check "
            "the names, or annotate them",
            source=str(path),
        )
