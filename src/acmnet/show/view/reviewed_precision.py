"""The precision of a run, told by the detections that a person has looked at."""

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
"""Quantile of the normal distribution of a 95 % interval."""
STILL_THERE: Final = 0.5
"""An accepted detection counts as right while a person has moved it so little that it
overlaps what was found by this tIoU."""
NEAR: Final = 1e-6
"""Seconds and scores that differ by less are the same."""


class Reviewed(NamedTuple):
    """What a person said of the detections that fit asked to look at."""

    asked: int
    looked_at: int
    right: int
    shown: int
    """Detections that are shown by default, for all of which these stand."""
    is_held_out: bool = False
    """Whether they are of videos that the run was not trained on."""

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
        """Return what is known by now, and what is still to be done."""
        if self.looked_at < self.asked:
            return (
                f"{self.looked_at} of the {self.asked} detections to look at are "
                "reviewed; accept or reject the others, and the precision is told"
            )
        low, high = self.interval()
        return (
            f"precision: {self.right} of the {counted(self.asked, 'detection')} "
            f"that you reviewed are right, so of all {self.shown} shown between "
            f"{low:.0%} and {high:.0%} are (95 % interval), in videos that the run "
            + (
                "had not seen"
                if self.is_held_out
                else "was trained on; expect less in others"
            )
        )


def precision_of_reviews(run: Path) -> Reviewed | None:
    """Return how many of the detections that `fit` asked to look at are right.

    Only those count: which others a person reviews depends on what they look like.

    Parameters
    ----------
    run : Path
        Of `acmnet fit`, with ``reviews.json`` where the page saved reviews.

    Returns
    -------
    Reviewed or None
        None where fit asked for nothing.

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
    """Return whether a detection is right; None where nobody has said."""
    numbers = asked.start_s, asked.end_s, asked.score
    for one in reviews:
        source = one.get("source")
        if (
            not isinstance(source, list)
            or source[0] != asked.label
            or any(abs(x - y) > NEAR for x, y in zip(source[1:], numbers, strict=True))
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
    """Return the reviews of each video; none where there is no file."""
    if not path.exists():
        return {}
    remedy = "mend it, or move it away to begin anew"
    text = read_text(path, "review file", ReviewError, remedy)
    content: Any = parse_json(str(path), text, "review file", ReviewError)
    try:
        return {video: list(own) for video, own in content["reviews"].items()}
    except (AttributeError, KeyError, TypeError):
        raise ReviewError(f"{path} holds no reviews of acmnet; {remedy}") from None
