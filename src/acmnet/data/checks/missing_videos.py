"""Compare the videos of labels with those of detections, of a split, or of features."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from acmnet.data.checks.findings import Finding, Level
from acmnet.data.checks.label_checks import by_subset
from acmnet.data.detections.detection_files import read_detections
from acmnet.data.labels.annotations import AnnotationError, Annotations
from acmnet.files.text_files import read_text
from acmnet.messages import counted, quoted, some
from acmnet.names import one_form, spelt_otherwise


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
        found = read_detections(path)
    except ValueError as error:
        yield Finding(
            level="error", kind="refused", sentence=str(error), source=str(path)
        )
        return
    words = f"no entry in {path}"
    yield from unpredicted(annotations, found.video_ids, words, "warning")
    yield from _unknown_videos(annotations, found.video_ids, path)
    labels = sorted(set(found.labels) - set(annotations.class_names))
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
