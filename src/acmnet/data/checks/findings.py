"""The findings of the dataset doctor, each with what to do about it."""

import collections
import dataclasses
from collections.abc import Iterable
from typing import Any, Final, Literal

Level = Literal["error", "warning", "note"]
LEVELS: Final[tuple[Level, ...]] = ("error", "warning", "note")
"""Most serious first."""

SHOWN: Final = 5
"""Largest number of findings of one kind that are printed; the rest is counted."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that is wrong, or worth knowing, and what to do about it."""

    level: Level
    """``"error"``: training or evaluation would refuse it, or be wrong."""
    kind: str
    """Such as ``"past-end"``; findings of one kind are shown together."""
    sentence: str
    """Names the video or class, the value, and what to do."""
    source: str
    """The file or directory that it is about."""
    video: str | None = None
    index: int | None = None
    """Index of the instance in its video's annotations, from 0."""
    label: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the fields that are known, as JSON values."""
        values = dataclasses.asdict(self)
        return {key: value for key, value in values.items() if value is not None}


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """Return findings by level, then by kind; kinds in the order of their first."""
    ordered = list(findings)
    first: dict[str, int] = {}
    for finding in ordered:
        first.setdefault(finding.kind, len(first))
    return sorted(ordered, key=lambda x: (LEVELS.index(x.level), first[x.kind]))


def summed_up(findings: Iterable[Finding]) -> list[str]:
    """Return a line for each finding, but no more than a few of each kind.

    Examples
    --------
    >>> late = [
    ...     Finding(level="warning", kind="past-end", sentence=f"late: {i}", source="x")
    ...     for i in range(7)
    ... ]
    >>> summed_up(late)[4:]
    ['warning: late: 4', 'warning: and 2 more of this kind (past-end)']
    """
    groups: dict[tuple[str, str], list[Finding]] = collections.defaultdict(list)
    for finding in in_order(findings):
        groups[finding.level, finding.kind].append(finding)
    lines = []
    for (level, kind), group in groups.items():
        lines += [f"{level}: {finding.sentence}" for finding in group[:SHOWN]]
        if len(group) > SHOWN:
            more = len(group) - SHOWN
            lines.append(f"{level}: and {more} more of this kind ({kind})")
    return lines
