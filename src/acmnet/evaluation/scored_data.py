"""What an evaluation reads, which videos it leaves out, and what it notes of them."""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from acmnet.data.detections.detection_files import DetectionFile, read_detections
from acmnet.data.label_files import read_annotations
from acmnet.data.labels.annotations import Annotations
from acmnet.evaluation.protocols import Protocol
from acmnet.evaluation.truth import (
    Truth,
    read_intervals,
    reviews_note,
    videos_with_instances,
)
from acmnet.evaluation.videos_trained_on import (
    NOT_KNOWN_NOTE,
    is_unknown,
    seen_note,
    taught_refusal,
    taught_videos_in,
    training_videos_in,
)
from acmnet.files import sha256_of
from acmnet.segments import Detections, Segment


def ambiguous_intervals(path: str | Path, rules: Protocol) -> dict[str, list[Segment]]:
    """Return the ambiguous intervals of a file, if the protocol uses such."""
    if not rules.forgives_ambiguous:
        raise ValueError(
            f"protocol {rules.name!r} has no use for ambiguous intervals, got "
            f"{str(path)!r}; leave it out or choose 'thumos14-2014'"
        )
    return read_intervals(path)


def taught_videos(found: DetectionFile, truth: Truth) -> list[str]:
    """Return the scored videos whose times the training was given.

    Raises
    ------
    ValueError
        If no other video has an instance.
    """
    rules = truth.protocol
    gave = {rules.video_id(video) for video in taught_videos_in(found.external_data)}
    if not gave:
        return []
    taught = [video for video in truth.video_ids if rules.video_id(video) in gave]
    known = videos_with_instances(truth) if taught else set()
    if taught and known <= set(taught):
        raise ValueError(taught_refusal(truth.where, known))
    return taught


def without_videos(
    leave_out: Collection[str],
    annotations: Annotations,
    found: DetectionFile,
    rules: Protocol,
) -> tuple[Annotations, DetectionFile]:
    """Return annotations and detections without some videos."""
    gone = {rules.video_id(video) for video in leave_out}
    kept = annotations.only(lambda name, _: rules.video_id(name) not in gone)
    left_out = [x for x in found.video_ids if rules.video_id(x) in gone]
    return kept, found.without(left_out)


def notes_of(source: str, found: DetectionFile, truth: Truth) -> Iterator[str]:
    """Yield sentences that a reader of the score should know."""
    reviewed = reviews_note(source)
    if reviewed is not None:
        yield reviewed
    trained_on = training_videos_in(found.external_data)
    rules = truth.protocol
    seen = {rules.video_id(video) for video in trained_on}
    seen = seen.intersection(rules.ids_of(truth.video_ids)) if seen else seen
    if seen:
        yield seen_note(seen, len(truth.video_ids))
    elif is_unknown(found.external_data):
        yield NOT_KNOWN_NOTE


def read_found(
    detections: str | Path | DetectionFile | Mapping[str, Detections],
) -> DetectionFile:
    """Return the detections of all videos as arrays."""
    if isinstance(detections, DetectionFile):
        return detections
    if isinstance(detections, Mapping):
        return DetectionFile.of(detections)
    return read_detections(detections)


def read_truth(
    ground_truth: str | Path | Annotations,
) -> tuple[Annotations, str | None]:
    """Return the annotations and, if they come from a file, its SHA-256."""
    if isinstance(ground_truth, Annotations):
        return ground_truth, None
    annotations = read_annotations(ground_truth)
    if Path(ground_truth).is_dir():
        return annotations, None
    return annotations, sha256_of(Path(ground_truth))
