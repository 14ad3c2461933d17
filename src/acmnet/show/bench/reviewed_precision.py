"""The precision of a run's detections, estimated from those that a person reviewed."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from acmnet.messages import counted
from acmnet.segments import temporal_iou
from acmnet.show.bench.marks.bench_mark import Mark
from acmnet.show.bench.marks.label_file_intake import marks_in
from acmnet.validation.expected_quality import ToReview, read_expectation

MARKS_FILE: Final = "marks.json"
"""File of a run with what was marked in `acmnet view`."""
NORMAL: Final = 1.959964
"""Quantile of the normal distribution for a 95 % interval."""
LEAST_REVIEWED_TIOU: Final = 0.5
"""An accepted detection counts as right if the marked segment overlaps the detected
one with at least this tIoU: a person may move its ends a little."""
EQUAL_WITHIN: Final = 1e-6
"""Seconds or scores that differ by less than this are taken for equal."""


class Reviewed(NamedTuple):
    """A person's verdicts on the detections that `acmnet fit` asked to review."""

    asked: int
    """How many detections fit asked to review."""
    looked_at: int
    """How many of them have a review."""
    right: int
    """How many of the reviewed ones are right."""
    shown: int
    """How many detections are shown by default: the asked ones are a sample of them."""
    is_held_out: bool = False
    """Whether the detections are in videos that the run was not trained on."""

    def interval(self) -> tuple[float, float]:
        """Return the 95 % interval of the precision of all shown detections.

        References
        ----------
        Wilson, "Probable Inference", Journal of the American Statistical Association,
        1927.

        Examples
        --------
        >>> [round(x, 3) for x in Reviewed(10, 10, 7, 80).interval()]
        [0.397, 0.892]
        """
        n, share = self.looked_at, self.right / self.looked_at
        middle = share + NORMAL**2 / (2 * n)
        spread = NORMAL * math.sqrt(share * (1 - share) / n + NORMAL**2 / (4 * n * n))
        scale = 1 + NORMAL**2 / n
        return max((middle - spread) / scale, 0.0), min((middle + spread) / scale, 1.0)

    def sentence(self) -> str:
        """Return the precision as a sentence, or how many reviews are still missing."""
        if not self.looked_at:
            return (
                f"{counted(self.asked, 'detection')} to review, and none is reviewed "
                "yet; accept or reject each of them to measure the precision"
            )
        if self.looked_at < self.asked:
            return (
                f"{self.looked_at} of the {self.asked} detections to review are "
                "reviewed; accept or reject the others to measure the precision"
            )
        low, high = self.interval()
        return (
            f"precision: {self.right} of the {counted(self.asked, 'detection')} "
            f"that you reviewed are right, so between {low:.0%} and {high:.0%} of all "
            f"{self.shown} shown ones are (95 % interval), in videos that the run "
            + (
                "was not trained on"
                if self.is_held_out
                else "was trained on; expect less in other videos"
            )
        )


def precision_of_reviews(run: Path) -> Reviewed | None:
    """Return how many of the detections that `acmnet fit` asked to review are right.

    A detection is accepted by a segment that was made from it, and rejected by a
    watched span that was made from it.

    Other reviews do not count, because people choose what else they review by what it
    looks like, which would distort the estimate.

    Parameters
    ----------
    run : Path
        A run of `acmnet fit`. The marks are in its ``marks.json``.

    Returns
    -------
    Reviewed or None
        None if fit asked for no reviews.

    Raises
    ------
    ExpectationError, AnnotationError
        If a file of the run is damaged.
    """
    expected = read_expectation(run)
    if expected is None or not expected.to_review:
        return None
    marks = _marks_about_detections(run)
    verdicts = [
        _verdict(detection, marks.get(detection.video, ()))
        for detection in expected.to_review
    ]
    known = [verdict for verdict in verdicts if verdict is not None]
    return Reviewed(
        *(len(verdicts), len(known), sum(known)), expected.shown, expected.is_held_out
    )


def _verdict(detection: ToReview, marks: Sequence[Mark]) -> bool | None:
    """Return whether a detection is right; None if nobody said so."""
    numbers = detection.start_s, detection.end_s, detection.score
    for mark in marks:
        proposal = mark.proposal
        if (
            proposal is None
            or proposal.label != detection.label
            or any(
                abs(x - y) > EQUAL_WITHIN
                for x, y in zip(proposal[2:5], numbers, strict=True)
            )
        ):
            continue
        places = detection.start_s, detection.end_s, mark.start_s, mark.end_s
        overlap = float(
            temporal_iou(*(np.asarray([x], dtype=np.float64) for x in places))[0]
        )
        is_same = mark.label == detection.label and overlap >= LEAST_REVIEWED_TIOU
        return mark.kind == "segment" and is_same
    return None


def _marks_about_detections(run: Path) -> dict[str, list[Mark]]:
    """Return the segments and watched spans that a person made from detections."""
    marks: Sequence[Mark] = ()
    if (run / MARKS_FILE).exists():
        marks = marks_in(run / MARKS_FILE)
    by_video: dict[str, list[Mark]] = {}
    for mark in marks:
        if mark.proposal is not None and mark.kind in ("segment", "watched"):
            by_video.setdefault(mark.video, []).append(mark)
    return by_video
