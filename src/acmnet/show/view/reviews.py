"""What a person says of a run's detections: kept apart from them, as annotations.

``reviews.json`` is a label file of the reviewed videos, with accepted and added
segments, that `train` and `evaluate` read like any other; what was rejected, and what
each verdict is about, stands beside under a key that they pass over.
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from filelock import FileLock

from acmnet.data.annotations import Annotations, Instance, label_entry
from acmnet.files import write_json
from acmnet.limits import finite
from acmnet.messages import quoted
from acmnet.names import one_form, unfit
from acmnet.segments import Segment
from acmnet.show.report.page_contents import BEYOND_S
from acmnet.text_files import parse_json, read_text

REVIEWS_FILE: Final = "reviews.json"
LONGEST_LABEL: Final = 300
"""Characters of a label."""
MOST: Final = 10_000
"""Reviews of one video."""
MADE_OF: Final = (
    "segments that a model detected and a person accepted or corrected, and segments "
    "that a person added; an action that the model missed may be missing here"
)
"""What the file says of its segments, which look like any truth."""
VERDICTS: Final = ("accepted", "rejected", "added")

Verdict = Literal["accepted", "rejected", "added"]
Values = Mapping[str, Any]


class ReviewError(ValueError):
    """A review that cannot be kept, with its video and what to do."""


class StaleError(ReviewError):
    """Reviews that were made on top of others than those in the file."""


class Review(NamedTuple):
    """One verdict."""

    label: str
    start_s: float
    end_s: float
    verdict: Verdict
    source: tuple[str, float, float, float] | None
    """The detection that it is about: label, start, end, score; None if added."""


@dataclasses.dataclass
class ReviewStore:
    """The reviews of a run, saved whole and one after another, by whatever process."""

    path: Path
    annotations: Annotations
    """The videos that may be reviewed, with their subsets and durations."""

    def __post_init__(self) -> None:
        """Name the lock that saves wait for, of other processes too."""
        self._lock = self.path.with_name(f".{self.path.name}.lock")

    def to_json(self) -> dict[str, Any]:
        """Return the revision and the reviews by video, as `save` takes them.

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
        """Return what the file holds, of all videos; nothing where there is none."""
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
        """Keep reviews and return their revision; the model's output is not touched.

        Parameters
        ----------
        values : JSON object
            ``revision``, the one that these were made on top of, and ``videos``: for
            each id a list of reviews.

        Raises
        ------
        StaleError
            If the file has another revision by now.
        ReviewError
            If a review is none, with its place.
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
            # those of another subset are not ours to drop
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
        """Return one review, refused unless it can be an annotation."""
        where = f"video {video!r}, review {i + 1}"  # as the page's list counts them
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
        if verdict == "rejected":  # what was found need not end before the video does
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
        """Return a reviewed video as a label file has it."""
        known = self.annotations.videos[video]
        placed = tuple(
            Instance(one.label, Segment(one.start_s, one.end_s))
            for one in reviews
            if one.verdict != "rejected"
        )
        # what a video is known to contain is not undone by a rejected detection
        return label_entry(dataclasses.replace(known, instances=placed))


def _told(one: Values) -> str:
    """Return a review as the page's list has it, or as much of it as can be read."""
    numbers = [finite(one.get(name)) for name in ("start_s", "end_s")]
    start, end = ("?" if x is None else f"{x:.2f}" for x in numbers)
    label = one.get("label")
    name = quoted(label) if isinstance(label, str) else "?"
    return f"{name}, {start} to {end} s"
