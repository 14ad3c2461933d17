"""What an evaluation reads, which videos it leaves out, and what it notes of them."""

import shlex
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from acmnet.data.detections.detection_arrays import DetectionFile
from acmnet.data.detections.detection_files import read_detections
from acmnet.data.formats.exchange_format import Source
from acmnet.data.formats.reading import sha256_of_labels
from acmnet.data.label_files import read_annotations
from acmnet.data.labels.annotations import Annotations
from acmnet.evaluation.protocols import Protocol
from acmnet.evaluation.scoring.truth import (
    Truth,
    read_intervals,
    reviews_note,
    videos_with_instances,
)
from acmnet.evaluation.videos_trained_on import (
    NOT_KNOWN_NOTE,
    is_unknown,
    taught_refusal,
    taught_videos_in,
    trained_on_note,
    training_videos_in,
)
from acmnet.messages import quoted, some
from acmnet.segments import Detections, Segment


def ambiguous_intervals(path: str | Path, rules: Protocol) -> dict[str, list[Segment]]:
    """Return the ambiguous intervals of a file, if the protocol uses such."""
    if not rules.forgives_ambiguous:
        raise ValueError(
            f"protocol {rules.name!r} has no use for ambiguous intervals, got "
            f"{str(path)!r}; leave it out or choose 'thumos14-2014'"
        )
    return read_intervals(path)


def taught_videos(detected: DetectionFile, truth: Truth) -> list[str]:
    """Return the scored videos whose times the training was given.

    Raises
    ------
    ValueError
        If no other video has an instance.
    """
    rules = truth.protocol
    taught_ids = {
        rules.video_id(video) for video in taught_videos_in(detected.external_data)
    }
    if not taught_ids:
        return []
    taught = [video for video in truth.video_ids if rules.video_id(video) in taught_ids]
    known = videos_with_instances(truth) if taught else set()
    if taught and known <= set(taught):
        raise ValueError(taught_refusal(truth.where, known))
    return taught


def without_videos(
    leave_out: Collection[str],
    annotations: Annotations,
    detected: DetectionFile,
    rules: Protocol,
) -> tuple[Annotations, DetectionFile]:
    """Return annotations and detections without some videos."""
    gone = {rules.video_id(video) for video in leave_out}
    kept = annotations.only(lambda name, _: rules.video_id(name) not in gone)
    left_out = [x for x in detected.video_ids if rules.video_id(x) in gone]
    return kept, detected.without(left_out)


def notes_of(source: str, detected: DetectionFile, truth: Truth) -> Iterator[str]:
    """Yield sentences that a reader of the score should know."""
    reviewed = reviews_note(source)
    if reviewed is not None:
        yield reviewed
    if detected.labels and not set(detected.labels) & set(truth.class_names):
        yield (
            f"no class of the detections ({some(detected.labels)}) has a true segment "
            f"in {truth.where} (which has {some(truth.class_names)}); are the same "
            "classes named otherwise?"
        )
    trained_on = training_videos_in(detected.external_data)
    rules = truth.protocol
    scored = {rules.video_id(video) for video in trained_on}
    if scored:
        scored.intersection_update(rules.ids_of(truth.video_ids))
    if scored:
        yield trained_on_note(scored, len(truth.video_ids))
    elif is_unknown(detected.external_data):
        yield NOT_KNOWN_NOTE


def read_detected(
    detections: str | Path | DetectionFile | Mapping[str, Detections],
) -> DetectionFile:
    """Return the detections of all videos as arrays."""
    if isinstance(detections, DetectionFile):
        return detections
    if isinstance(detections, Mapping):
        return DetectionFile.of(detections)
    return read_detections(detections)


def read_truth(
    ground_truth: str | Path | Source | Annotations,
) -> tuple[Annotations, str | None]:
    """Return the annotations and, if they come from a file or folder, its SHA-256."""
    if isinstance(ground_truth, Annotations):
        return ground_truth, None
    if not isinstance(ground_truth, Source):
        ground_truth = Source(Path(ground_truth), None)
    annotations = read_annotations(ground_truth.path, ground_truth.fps)
    return annotations, sha256_of_labels(ground_truth.path)


def subset_note(
    truth: Truth, annotations: Annotations, predicted: Collection[str]
) -> str:
    """Return how to score only the subset that the predicted videos are of.

    Empty where they are of several subsets or of none, or no video of another subset is
    scored.

    Parameters
    ----------
    truth : Truth
        What is scored.
    annotations : Annotations
        The same videos with their subsets.
    predicted : collection of str
        The scored videos that have a prediction.
    """
    if not predicted or len(predicted) == len(truth.video_ids):
        return ""
    of = {video: annotations.videos[video].subset for video in truth.video_ids}
    subsets = {of[video] for video in predicted}
    if len(subsets) != 1 or len(set(of.values())) == 1 or None in subsets:
        return ""
    name = str(subsets.pop())
    return (
        f"all predicted videos are of the subset {quoted(name)}; give --subset "
        f"{shlex.quote(name)} (in Python, subset={quoted(name)}) to score that alone"
    )
