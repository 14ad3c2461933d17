"""What a request of the page changes: marks are checked, and versions compared."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from acmnet.messages import counted
from acmnet.show.bench.marks.bench_mark import (
    Mark,
    MarkError,
    Proposal,
    checked_mark,
    checked_name,
)

MOST_MARKS: Final = 5000
"""Most marks of one request."""


class ConflictError(MarkError):
    """Marks that somebody else has changed since the page read them."""

    def __init__(self, current: Sequence[Mark]) -> None:
        super().__init__(
            f"{counted(len(current), 'mark', ('was', 'were'))} changed by somebody "
            "else meanwhile; look at what it is now, then change it again"
        )
        self.current = tuple(current)


class Request(NamedTuple):
    """Marks that one person sent, each with the version that the page saw of it."""

    who: str
    marks: tuple[Mark, ...]
    bases: tuple[int, ...]
    """Versions, 0 for new marks."""
    proposed: tuple[str | None, ...]
    """Ids of the detections that the marks are from."""


def checked_request(values: object, durations_s: Mapping[str, float | None]) -> Request:
    """Return the marks that the page sent, as docs/labelling.md describes them.

    Raises
    ------
    MarkError
        If one of them cannot be stored; the message names it.
    """
    if not isinstance(values, dict) or not isinstance(values.get("marks"), list):
        raise MarkError("a request must be an object with who and a list of marks")
    who = checked_name("the request", "who", values.get("who"))
    given = values["marks"]
    if len(given) > MOST_MARKS:
        raise MarkError(f"at most {MOST_MARKS} marks at a time, got {len(given)}")
    marks = tuple(checked_mark(values_of_mark, durations_s) for values_of_mark in given)
    if len({mark.id for mark in marks}) < len(marks):
        raise MarkError("two marks of one request have the same id")
    proposed = (values_of_mark.get("from") for values_of_mark in given)
    return Request(
        who,
        marks,
        tuple(map(_base, given)),
        tuple(x if isinstance(x, str) else None for x in proposed),
    )


def changed_marks(
    request: Request,
    known: Mapping[str, Mark],
    twins: Mapping[str, Mark],
    classes: Sequence[str],
    proposal: Callable[[str, str], Proposal | None],
    at: str,
) -> list[Mark]:
    """Return the marks as they are to be stored, without those that are already.

    A new mark that says what another one says already is stored as gone, so that there
    is one mark. If the new one accepts a detection, the other one then does.

    Parameters
    ----------
    request : Request
        What the page sent.
    known : mapping of str to Mark
        All marks by id, gone ones among them.
    twins : mapping of str to Mark
        What `present_twins` returns for the request.
    classes : sequence of str
        The classes that there are.
    proposal : callable
        Returns the detection with an id, given the video and the id; None for none.
    at : str
        The present time.

    Raises
    ------
    ConflictError
        If a mark has another version than the page saw.
    MarkError
        If a mark is not there, or belongs to another video.
    """
    conflicts, changed = [], []
    for mark, base, proposed in zip(*request[1:], strict=True):
        before = known.get(mark.id)
        _refuse_stranger(mark, base, before)
        proposal_ = None if proposed is None else proposal(mark.video, proposed)
        made = _completed(mark, before, proposal_, proposed, classes)
        made = dataclasses.replace(made, who=request.who, at=at)
        twin = twins.get(mark.id)
        if twin is not None:
            made = dataclasses.replace(made, gone=True)
        if before is not None and _is_stored(made, base, before):
            continue
        if before is not None and base != before.version:
            conflicts.append(before)
        changed.append(made)
        if twin is not None and twin is known.get(twin.id):
            changed += _with_proposal(twin, made)
    if conflicts:
        raise ConflictError(conflicts)
    return changed


def present_twins(marks: Sequence[Mark], known: Mapping[str, Mark]) -> dict[str, Mark]:
    """Return the marks that say already what new marks say, by the ids of the new ones.

    Only names, points and segments have twins: two equal watched spans can stand for
    different classes, or for different detections that were rejected. A mark that is
    moved to where another one is has none, either: it may be on its way. A point that
    becomes a segment counts as new.

    Parameters
    ----------
    marks : sequence of Mark
        The marks of one request, as they are to be.
    known : mapping of str to Mark
        All marks by id, gone ones among them.
    """
    videos = {mark.video for mark in marks}
    present = {
        key: mark
        for key, mark in known.items()
        if mark.video in videos and not mark.gone
    }
    new = []
    for mark in marks:
        before = present.pop(mark.id, None)
        if before is not None and before.kind == mark.kind:
            present[mark.id] = mark
        elif not mark.gone:
            new.append(mark)
    by_statement = {mark.statement: mark for mark in present.values() if not mark.gone}
    twins = {}
    for mark in new:
        twin = by_statement.setdefault(mark.statement, mark)
        if mark.kind != "watched" and twin is not mark:
            twins[mark.id] = twin
    return twins


def _with_proposal(twin: Mark, new: Mark) -> list[Mark]:
    """Return a mark with the detection that a new mark accepts, where it has none."""
    if new.proposal is None or twin.proposal is not None:
        return []
    changed = dataclasses.replace(twin, proposal=new.proposal, who=new.who, at=new.at)
    return [dataclasses.replace(changed, version=twin.version + 1)]


def _is_stored(changed: Mark, base: int, before: Mark) -> bool:
    """Return whether a mark is stored already; the answer may have got lost."""
    is_repeated = base == before.version - 1 and changed.who == before.who
    return changed.content == before.content and (base == before.version or is_repeated)


def _refuse_stranger(mark: Mark, base: int, before: Mark | None) -> None:
    """Refuse a change of a mark that never was, or that is of another video."""
    if before is None and base:
        raise MarkError(
            f"there is no mark {mark.id}, so it has no version {base}; send it with "
            "base 0"
        )
    if before is not None and before.video != mark.video:
        raise MarkError(
            f"the mark {mark.id} belongs to video {before.video!r}, not to "
            f"{mark.video!r}; make a new one with another id"
        )


def _completed(
    mark: Mark,
    before: Mark | None,
    accepted: Proposal | None,
    proposed: str | None,
    classes: Sequence[str],
) -> Mark:
    """Return a mark with what the page does not decide."""
    if before is not None and before.proposal and before.proposal.id == proposed:
        accepted = before.proposal
    is_for_all = mark.kind == "watched" and mark.label is None
    looked_for = tuple(classes) if is_for_all else ()
    if is_for_all and before is not None and before.classes:
        looked_for = before.classes
    return dataclasses.replace(
        mark,
        proposal=accepted,
        classes=looked_for,
        version=before.version + 1 if before else 1,
    )


def _base(values: Mapping[str, Any]) -> int:
    """Return the version that the page saw; 0 for a new mark."""
    base = values.get("base", 0)
    if isinstance(base, bool) or not isinstance(base, int) or base < 0:
        raise MarkError(f"base must be a whole number from 0, got {base!r}")
    return base
