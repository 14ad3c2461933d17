"""Read the ``reviews.json`` of a run, which earlier versions of acmnet view wrote.

The reviews become marks: an accepted or added segment is a segment, and a rejected
detection is a span that was watched for its class and has nothing of it. The file stays
as it is, and `train` and `evaluate` read it like any label file.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from acmnet.data.label_files import read_annotations
from acmnet.files.strict_json import parse_json
from acmnet.files.text_files import read_text
from acmnet.names import one_form
from acmnet.show.bench.marks.bench_labels import KnownVideo
from acmnet.show.bench.marks.bench_mark import DIGITS, Mark, Proposal
from acmnet.show.bench.marks.label_file_intake import (
    UnsignedMark,
    marks_in_annotations,
    new_mark,
)
from acmnet.show.bench.rounds.round_detections import detection_id

REVIEWS_FILE: Final = "reviews.json"
REMEDY: Final = "mend it, or move it away to begin anew"
KIND: Final = "review file"


class ReviewError(ValueError):
    """A file of reviews that cannot be read; the message names it."""


def marks_of_reviews(
    path: Path, videos: Mapping[str, KnownVideo], at: str
) -> list[Mark]:
    """Return the marks that a file of reviews stands for.

    Parameters
    ----------
    path : Path
        The file. The names of its videos become marks, too.
    videos : mapping of str to KnownVideo
        The known videos; a rejected detection ends where its video ends.
    at : str
        The present time.

    Raises
    ------
    ReviewError, AnnotationError
        If the file cannot be read.
    """
    marks = [
        new_mark(unsigned, REVIEWS_FILE, at)
        for unsigned in marks_in_annotations(read_annotations(path))
        if unsigned.kind == "name"
    ]
    text = read_text(path, KIND, ReviewError, REMEDY)
    content: Any = parse_json(str(path), text, KIND, ReviewError)
    try:
        for video, reviews in content["reviews"].items():
            known = videos.get(one_form(video), KnownVideo())
            marks += _marks(one_form(video), reviews, known.duration_s, at)
    except (AttributeError, KeyError, TypeError, ValueError):
        raise ReviewError(f"{path} holds no reviews of acmnet; {REMEDY}") from None
    return marks


def _marks(
    video: str, reviews: list[Mapping[str, Any]], duration_s: float | None, at: str
) -> Iterator[Mark]:
    """Yield the marks of one video."""
    for review in reviews:
        start_s, end_s = (round(float(review[x]), DIGITS) for x in ("start_s", "end_s"))
        is_wrong = review["verdict"] == "rejected"
        label, proposal = str(review["label"]), None
        if review.get("source") is not None:
            proposal = _proposal(video, review["source"])
            label = proposal.label if is_wrong else label
        if is_wrong and duration_s is not None:
            end_s = min(end_s, duration_s)
        if start_s >= end_s:
            continue
        unsigned = UnsignedMark(
            video, "watched" if is_wrong else "segment", label, start_s, end_s
        )
        mark = new_mark(unsigned, REVIEWS_FILE, at)
        yield Mark(**vars(mark) | {"proposal": proposal})


def _proposal(video: str, source: list[Any]) -> Proposal:
    """Return the detection that was reviewed."""
    label, (start_s, end_s, score) = str(source[0]), map(float, source[1:])
    row = {"label": label, "start_s": start_s, "end_s": end_s, "score": score}
    known_id = detection_id(video, row)
    return Proposal(known_id, label, start_s, end_s, score, 0)
