"""A person's reviews of a run's detections, stored as a label file.

``reviews.json`` is a label file of the reviewed videos with the accepted and added
segments; `train` and `evaluate` read it like any other. All reviews, also rejections,
are stored in it a second time under the key ``reviews``, which label files do not have.
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from filelock import FileLock

from acmnet.data.annotations import Annotations, Instance
from acmnet.data.label_json import label_entry
from acmnet.files import write_json
from acmnet.limits import finite
from acmnet.messages import quoted
from acmnet.names import one_form, unfit
from acmnet.segments import Segment
from acmnet.show.report.page_contents import BEYOND_S
from acmnet.text_files import parse_json, read_text

REVIEWS_FILE: Final = "reviews.json"
LONGEST_LABEL: Final = 300
"""Most characters of a label."""
MOST: Final = 10_000
"""Most reviews of one video."""
MADE_OF: Final = (
    "segments that a model detected and a person accepted or corrected, and segments "
    "that a person added; an action that the model missed may be missing here"
)
"""What the file says about its segments, which look like any true segments."""
VERDICTS: Final = ("accepted", "rejected", "added")

Verdict = Literal["accepted", "rejected", "added"]
Values = Mapping[str, Any]


class ReviewError(ValueError):
    """A review that cannot be saved; the message names the video and the remedy."""


class StaleError(ReviewError):
    """Reviews that were made on an older state of the file than it has now."""


class Review(NamedTuple):
    """One reviewed segment."""

    label: str
    start_s: float
    end_s: float
    verdict: Verdict
    source: tuple[str, float, float, float] | None
    """The detection that was reviewed, as label, start, end and score; None if a person
    added the segment."""


@dataclasses.dataclass
class ReviewStore:
    """The file of a run's reviews, which several processes may save to in turn."""

    path: Path
    annotations: Annotations
    """The videos that can be reviewed, with their subsets and durations."""

    def __post_init__(self) -> None:
        """Name the lock file that processes hold while they save."""
        self._lock = self.path.with_name(f".{self.path.name}.lock")

    def to_json(self) -> dict[str, Any]:
        """Return the file's revision and its reviews by video, as `save` takes them.

        Raises
        ------
        ReviewError
            If the file is there and cannot be read.
        """
        found = self._read()
        known = self.annotations.videos
        own = {v: reviews for v, reviews in found["reviews"].items() if v in known}
        return {"revision": found["revision"], "videos": own}

    def _read(self) -> dict[str, Any]:
        """Return the content of the file, of all videos; empty if there is no file."""
        remedy = "mend it, or move it away to begin anew"
        if self.path.is_symlink():
            raise ReviewError(f"{self.path} is a link, which is not followed; {remedy}")
        if not self.path.exists():
            return {"revision": 0, "database": {}, "reviews": {}}
        text = read_text(self.path, "review file", ReviewError, remedy)
        content: Any = parse_json(str(self.path), text, "review file", ReviewError)
        try:
            reviews = {one_form(k): list(v) for k, v in content["reviews"].items()}
            database = {one_form(k): v for k, v in content["database"].items()}
            database = {video: database[video] for video in reviews}
            revision = int(content["revision"])
        except (AttributeError, KeyError, TypeError, ValueError):
            raise ReviewError(
                f"{self.path} holds no reviews of acmnet; {remedy}"
            ) from None
        return {"revision": revision, "database": database, "reviews": reviews}

    def save(self, values: object) -> int:
        """Write reviews to the file, and return its new revision.

        Parameters
        ----------
        values : JSON object
            ``revision``: the one of the file that these reviews were made on.
            ``videos``: a list of reviews for each video id.

        Raises
        ------
        StaleError
            If the file has another revision by now: somebody else saved it.
        ReviewError
            If a review is malformed; the message names the video and the review.
        """
        if not isinstance(values, dict) or not isinstance(values.get("videos"), dict):
            raise ReviewError("reviews must be an object with revision and videos")
        made = {
            video: [self._checked(video, i, one) for i, one in enumerate(given)]
            for video, given in values["videos"].items()
            if self._is_known(video, given)
        }
        with FileLock(self._lock):
            before = self._read()
            revision = before["revision"]
            if values.get("revision") != revision:
                raise StaleError(
                    f"{self.path.name} was saved by someone else since this page was "
                    "loaded; reload the page and review again what is missing"
                )
            kept = {video: own for video, own in made.items() if own}
            # reviews of videos that this page does not show stay as they are
            others = set(before["reviews"]) - set(self.annotations.videos)
            database = {v: before["database"][v] for v in sorted(others)}
            reviews = {v: before["reviews"][v] for v in sorted(others)}
            database |= {v: self._entry(v, own) for v, own in kept.items()}
            reviews |= {v: [one._asdict() for one in own] for v, own in kept.items()}
            names = dict.fromkeys(self.annotations.class_names)
            labels = (x["label"] for e in database.values() for x in e["annotations"])
            write_json(
                self.path,
                {
                    "version": "acmnet reviews 1",
                    "made_of": MADE_OF,
                    "classes": list(names | dict.fromkeys(labels)),
                    "revision": revision + 1,
                    "database": database,
                    "reviews": reviews,
                },
            )
        return int(revision) + 1

    def _is_known(self, video: str, given: object) -> bool:
        """Return True for reviews of a known video; refuse others."""
        if video not in self.annotations.videos:
            raise ReviewError(
                f"there is no video {video!r} in {self.annotations.source}; reload the "
                "page"
            )
        if not isinstance(given, list) or len(given) > MOST:
            raise ReviewError(
                f"video {video!r}: reviews must be a list of at most {MOST}"
            )
        return True

    def _checked(self, video: str, i: int, one: object) -> Review:
        """Return one review; refuse it if it could not be a line of a label file."""
        where = f"video {video!r}, review {i + 1}"  # numbered as on the page
        if not isinstance(one, dict):
            raise ReviewError(f"{where} must be an object, got {type(one).__name__}")
        where += f" ({_told(one)})"
        label, verdict = one.get("label"), one.get("verdict")
        if not isinstance(label, str) or not 0 < len(label.strip()) <= LONGEST_LABEL:
            raise ReviewError(
                f"{where}: label must be 1 to {LONGEST_LABEL} characters; name the "
                "action"
            )
        if unfit(label.strip()):
            raise ReviewError(
                f"{where}: label {label!r} holds {unfit(label.strip())}; write it in "
                "one line of letters, digits, blanks and signs"
            )
        if verdict not in VERDICTS:
            raise ReviewError(
                f"{where}: verdict must be one of {', '.join(VERDICTS)}, got "
                f"{verdict!r}"
            )
        start_s, end_s = self._segment(where, video, one, verdict)
        source = one.get("source")
        return Review(
            one_form(label.strip()),
            start_s,
            end_s,
            verdict,
            None if source is None else self._source(where, source),
        )

    def _segment(
        self, where: str, video: str, one: Values, verdict: Verdict
    ) -> tuple[float, float]:
        start_s, end_s = (finite(one.get(name)) for name in ("start_s", "end_s"))
        if start_s is None or end_s is None or not 0.0 <= start_s < end_s:
            raise ReviewError(
                f"{where}: from {one.get('start_s')!r} to {one.get('end_s')!r} is no "
                "segment; give seconds from 0, the end after the start"
            )
        duration_s = self.annotations.videos[video].duration_s
        if verdict == "rejected":  # detections may end after the video
            duration_s = None
        if duration_s is not None and end_s > duration_s + BEYOND_S:
            raise ReviewError(
                f"{where}: it ends at {end_s:g} s, the video at {duration_s:g} s; give "
                "an earlier end"
            )
        return start_s, end_s

    def _source(self, where: str, source: object) -> tuple[str, float, float, float]:
        if isinstance(source, list) and len(source) == 4:
            numbers = [finite(x) for x in source[1:]]
            start_s, end_s, score = numbers
            if (
                isinstance(source[0], str)
                and not unfit(source[0])
                and start_s is not None
                and end_s is not None
                and score is not None
            ):
                return source[0], start_s, end_s, score
        raise ReviewError(
            f"{where}: its source must be [label, start, end, score]; reload the page"
        )

    def _entry(self, video: str, reviews: list[Review]) -> dict[str, Any]:
        """Return the entry of a reviewed video in a label file."""
        known = self.annotations.videos[video]
        placed = tuple(
            Instance(one.label, Segment(one.start_s, one.end_s))
            for one in reviews
            if one.verdict != "rejected"
        )
        # the labels of the video stay, also if all its detections are rejected
        # nobody watched what a model found for whatever else might be there
        return label_entry(dataclasses.replace(known, instances=placed, watched=()))


def _told(one: Values) -> str:
    """Return a review as in the list on the page, as far as it can be read."""
    numbers = [finite(one.get(name)) for name in ("start_s", "end_s")]
    start, end = ("?" if x is None else f"{x:.2f}" for x in numbers)
    label = one.get("label")
    name = quoted(label) if isinstance(label, str) else "?"
    return f"{name}, {start} to {end} s"
