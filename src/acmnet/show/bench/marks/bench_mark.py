"""A mark at the bench: a name, a point, a segment or a watched span of one video.

Marks come from the page as JSON and are checked here. What training reads of them is
the label file that `acmnet.show.bench.marks.bench_labels` writes.
"""

import dataclasses
import re
from collections.abc import Mapping
from typing import Any, Final, Literal, NamedTuple, get_args

from acmnet.data.labels.contradictions import SLACK_S
from acmnet.limits import LARGEST_SECONDS, finite, seconds
from acmnet.messages import quoted
from acmnet.names import one_form, unfit

Kind = Literal["name", "point", "segment", "watched"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
"""The four kinds of marks."""
LONGEST_LABEL: Final = 300
"""Most characters of the name of a class or of a person."""
DIGITS: Final = 6
"""Decimal places that times are rounded to: microseconds."""
ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
"""Pattern of the ids that the page makes."""

Values = Mapping[str, Any]


class MarkError(ValueError):
    """A mark that cannot be stored; the message names the video, the mark and why."""


class Proposal(NamedTuple):
    """The detection that a person accepted, corrected or rejected by a mark."""

    id: str
    label: str
    start_s: float
    end_s: float
    score: float
    round: int
    """The round of learning that the detection is from; 0 for the run that was
    opened."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Mark:
    """What a person said about a video, and who, when, and by which proposal."""

    id: str
    video: str
    kind: Kind
    label: str | None
    """Name of the class; None for a span that was watched for several classes."""
    start_s: float | None = None
    """Start of a segment or of a watched span, or the time of a point; None for a
    name."""
    end_s: float | None = None
    """End of a segment or of a watched span; None for a name and for a point."""
    who: str
    at: str
    """When it was stored: date and time in UTC, ISO 8601."""
    proposal: Proposal | None = None
    classes: tuple[str, ...] = ()
    """Only for a watched span without a label: the classes that there were when it was
    stored. A class that was added later was not looked for."""
    gone: bool = False
    """Whether a person removed it."""
    version: int = 1
    """1 for a new mark, and one more for each change."""

    def to_json(self) -> dict[str, Any]:
        """Return the mark as the page knows it."""
        values = dataclasses.asdict(self)
        del values["classes"], values["proposal"]
        return values | {"from": None if self.proposal is None else self.proposal.id}

    def to_record(self) -> dict[str, Any]:
        """Return the mark with everything that is known of it, for the journal."""
        values = self.to_json()
        del values["from"]
        if self.classes:
            values["classes"] = list(self.classes)
        if self.proposal is not None:
            values["from"] = self.proposal._asdict()
        return values

    @classmethod
    def from_record(cls, values: Values) -> "Mark":
        """Return the mark that `to_record` described.

        Raises
        ------
        KeyError, TypeError, ValueError
            If it describes none.
        """
        given = dict(values)
        proposal = given.pop("from", None)
        classes = tuple(str(x) for x in given.pop("classes", ()))
        mark = cls(
            **given,
            classes=classes,
            proposal=None if proposal is None else Proposal(**proposal),
        )
        if mark.kind not in KINDS or not isinstance(mark.version, int):
            raise ValueError(f"{mark.kind!r} is no kind of mark")
        return mark

    @property
    def statement(self) -> tuple[object, ...]:
        """What the mark says about the video, wherever that comes from."""
        return (self.video, self.kind, self.label, self.start_s, self.end_s)

    @property
    def content(self) -> tuple[object, ...]:
        """What the person said, without who said it and when."""
        return (*self.statement, self.proposal and self.proposal.id, self.gone)


def checked_mark(values: object, durations_s: Mapping[str, float | None]) -> Mark:
    """Return a mark that the page sent; refuse what could not stand in a label file.

    Who, when and version are not taken from the page; the store sets them.

    Parameters
    ----------
    values : JSON value
        The mark, as docs/labelling.md describes it.
    durations_s : mapping of str to float or None
        The known videos with their lengths in seconds; None where it is unknown.

    Raises
    ------
    MarkError
        If it is no such mark; the message names the video and the value.
    """
    if not isinstance(values, dict):
        raise MarkError(f"a mark must be an object, got {type(values).__name__}")
    known_id, video, kind = values.get("id"), values.get("video"), values.get("kind")
    if not isinstance(known_id, str) or not ID.fullmatch(known_id):
        raise MarkError(
            "the id of a mark must be 1 to 64 letters, digits, - or _, got "
            f"{known_id!r}"
        )
    if not isinstance(video, str) or one_form(video) not in durations_s:
        raise MarkError(f"there is no video {video!r} here; reload the page")
    video = one_form(video)
    where = f"video {quoted(video)}, {_in_words(values)}"
    if kind not in KINDS:
        raise MarkError(
            f"{where}: kind must be one of {', '.join(KINDS)}, got {kind!r}"
        )
    gone = values.get("gone", False)
    if not isinstance(gone, bool):
        raise MarkError(f"{where}: gone must be true or false, got {gone!r}")
    start_s, end_s = _times(where, kind, values)
    if not gone:
        _refuse_beyond(
            where, end_s if end_s is not None else start_s, durations_s[video]
        )
    return Mark(
        id=known_id,
        video=video,
        kind=kind,
        label=_label(where, kind, values.get("label")),
        start_s=start_s,
        end_s=end_s,
        who="",
        at="",
        gone=gone,
    )


def checked_name(where: str, what: str, name: object) -> str:
    """Return the name of a class or a person in one form, or refuse it.

    Parameters
    ----------
    where : str
        The place of the name, for the message.
    what : str
        What the name stands for, such as ``"label"``.
    name : JSON value
        The name.

    Raises
    ------
    MarkError
        If it is no text of 1 to 300 characters in one line.
    """
    if not isinstance(name, str) or not 0 < len(name.strip()) <= LONGEST_LABEL:
        raise MarkError(
            f"{where}: {what} must be 1 to {LONGEST_LABEL} characters, got {name!r:.80}"
        )
    held = unfit(name.strip())
    if held:
        raise MarkError(
            f"{where}: {what} {quoted(name)} holds {held}; write it in one line of "
            "letters, digits, blanks and signs"
        )
    return one_form(name.strip())


def _label(where: str, kind: Kind, label: object) -> str | None:
    """Return the class of a mark; only a watched span may have none."""
    if label is None and kind == "watched":
        return None
    return checked_name(where, "label", label)


def _times(where: str, kind: Kind, values: Values) -> tuple[float | None, float | None]:
    """Return start and end as the kind of mark has them, rounded to microseconds."""
    if kind == "name":
        return None, None
    start_s = seconds(values.get("start_s"))
    if start_s is None or start_s < 0.0:
        raise MarkError(
            f"{where}: start_s must be seconds from 0 to {LARGEST_SECONDS:,.0f}, got "
            f"{values.get('start_s')!r}"
        )
    start_s = round(start_s, DIGITS)
    if kind == "point":
        return start_s, None
    end_s = seconds(values.get("end_s"))
    if end_s is None or round(end_s, DIGITS) <= start_s:
        raise MarkError(
            f"{where}: from {values.get('start_s')!r} to {values.get('end_s')!r} is no "
            "segment; give seconds from 0, the end after the start"
        )
    return start_s, round(end_s, DIGITS)


def _refuse_beyond(where: str, last_s: float | None, duration_s: float | None) -> None:
    """Refuse a mark that ends after its video."""
    if last_s is None or duration_s is None or last_s <= duration_s + SLACK_S:
        return
    raise MarkError(
        f"{where}: it ends at {last_s:g} s, the video at {duration_s:g} s; give an "
        "earlier end"
    )


def _in_words(values: Values) -> str:
    """Return a mark as a person knows it, as far as it can be read."""
    numbers = [finite(values.get(name)) for name in ("start_s", "end_s")]
    times = " to ".join(f"{x:.2f}" for x in numbers if x is not None)
    label, kind = values.get("label"), values.get("kind")
    name = f" {quoted(label)}" if isinstance(label, str) else ""
    place = f" ({times} s)" if times else ""
    return (
        f"{kind if isinstance(kind, str) and len(kind) < 20 else 'mark'}{name}{place}"
    )
