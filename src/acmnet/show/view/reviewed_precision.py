"""The precision of a run's detections, estimated from those that a person reviewed."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from acmnet.messages import counted
from acmnet.pipeline.expectation import ToReview, read_expectation
from acmnet.segments import temporal_iou
from acmnet.show.view.reviews import REVIEWS_FILE, ReviewError
from acmnet.text_files import parse_json, read_text

NORMAL: Final = 1.959964
"""Quantile of the normal distribution for a 95 % interval."""
STILL_THERE: Final = 0.5
"""An accepted detection counts as right if the reviewed segment overlaps the detected
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
        whole = 1 + NORMAL**2 / n
        return max((middle - spread) / whole, 0.0), min((middle + spread) / whole, 1.0)

    def sentence(self) -> str:
        """Return the precision as a sentence, or how many reviews are still missing."""
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

    Other reviews do not count, because people choose what else they review by what it
    looks like, which would distort the estimate.

    Parameters
    ----------
    run : Path
        A run of `acmnet fit`; reviews are in its ``reviews.json``, if there are any.

    Returns
    -------
    Reviewed or None
        None if fit asked for no reviews.

    Raises
    ------
    ExpectationError, ReviewError
        If a file of the run is damaged.
    """
    expected = read_expectation(run)
    if expected is None or not expected.to_review:
        return None
    reviews = _reviews(run / REVIEWS_FILE)
    verdicts = [_verdict(one, reviews.get(one.video, ())) for one in expected.to_review]
    known = [verdict for verdict in verdicts if verdict is not None]
    return Reviewed(
        *(len(verdicts), len(known), sum(known)), expected.shown, expected.is_held_out
    )


def _verdict(asked: ToReview, reviews: Sequence[Mapping[str, Any]]) -> bool | None:
    """Return whether a detection is right; None if it was not reviewed."""
    numbers = asked.start_s, asked.end_s, asked.score
    for one in reviews:
        source = one.get("source")
        if (
            not isinstance(source, list)
            or source[0] != asked.label
            or any(
                abs(x - y) > EQUAL_WITHIN
                for x, y in zip(source[1:], numbers, strict=True)
            )
        ):
            continue
        places = asked.start_s, asked.end_s, one["start_s"], one["end_s"]
        overlap = float(
            temporal_iou(*(np.asarray(x, dtype=np.float64) for x in places))
        )
        is_same = one["label"] == asked.label and overlap >= STILL_THERE
        return bool(one["verdict"] != "rejected" and is_same)
    return None


def _reviews(path: Path) -> dict[str, list[Mapping[str, Any]]]:
    """Return the reviews of each video; nothing if there is no file."""
    if not path.exists():
        return {}
    remedy = "mend it, or move it away to begin anew"
    text = read_text(path, "review file", ReviewError, remedy)
    content: Any = parse_json(str(path), text, "review file", ReviewError)
    try:
        return {video: list(own) for video, own in content["reviews"].items()}
    except (AttributeError, KeyError, TypeError):
        raise ReviewError(f"{path} holds no reviews of acmnet; {remedy}") from None
