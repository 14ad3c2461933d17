"""Check the words of labels: no action, several in one, two spellings of one."""

import collections
import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Final

from acmnet.data.checks.findings import Finding
from acmnet.data.labels.annotations import Annotations
from acmnet.messages import counted, quoted, some

NO_ACTION_WORDS: Final = frozenset(
    (
        *("none", "nothing", "no", "noaction", "nobehaviour", "nobehavior", "noevent"),
        *("nolabel", "unlabelled", "unlabeled", "unknown", "na", "nan", "null", "nil"),
        *("empty", "background", "normal", "negative", "kein", "keine", "nichts"),
        *("aucun", "aucune", "rien", "ninguno", "ninguna", "nada", "tbd", "todo"),
    )
)
"""Words for a video without any action, as `folded` returns them."""

SHORTEST_MISSPELT: Final = 5
"""Least length of labels that count as misspelt if they differ in one letter; shorter
ones may be different words."""
LEAST_RARITY: Final = 3
"""A misspelt label must be in this many times fewer videos than the right one."""

_NUMBER: Final = re.compile(r"[+-]?\d+(?:[.,]\d+)?", re.ASCII)
_JOINT: Final = re.compile(r"\s*[;,/&+]\s*")
_AND: Final = re.compile(r"\s+and\s+")


def word_findings(annotations: Annotations) -> Iterator[Finding]:
    """Yield findings on labels whose words look wrong."""
    videos = collections.Counter(
        label for video in annotations.videos.values() for label in video.labels
    )
    source = annotations.source
    for kind, label, says in (
        *_nothing(videos),
        *_numbers(videos),
        *_joined(videos),
        *_blanks(videos),
        *_alike(annotations),
        *_misspelt(videos),
    ):
        yield Finding(
            level="warning",
            kind=kind,
            sentence=f"{source}: {says}",
            source=source,
            label=label,
        )


def folded(label: str) -> str:
    """Return a label's letters and digits, small and without accents.

    Examples
    --------
    >>> folded("Street-Fight "), folded("#N/A"), folded("?")
    ('streetfight', 'na', '')
    """
    apart = unicodedata.normalize("NFKD", label).casefold()
    return "".join(x for x in apart if x.isalnum())


def _of(videos: Mapping[str, int], label: str) -> str:
    return f"{quoted(label)} is the label of {counted(videos[label], 'video')}"


def _nothing(videos: Mapping[str, int]) -> Iterator[tuple[str, str, str]]:
    """Yield labels that may mean that nothing happens."""
    for label in videos:
        if folded(label) in NO_ACTION_WORDS or not folded(label):
            yield (
                "nothing",
                label,
                f"{_of(videos, label)}: if it means that nothing happens there, leave "
                "the cell empty (in JSON, the list of annotations)",
            )


def _numbers(videos: Mapping[str, int]) -> Iterator[tuple[str, str, str]]:
    """Yield that labels are numbers."""
    numbers = [label for label in videos if _NUMBER.fullmatch(label)]
    if numbers:
        are = "labels are numbers" if len(numbers) > 1 else "label is a number"
        yield (
            "number",
            numbers[0],
            f"{len(numbers)} {are} ({some(numbers)}): write the name of the action, if "
            "one is meant, or check which column holds the labels",
        )


def _joined(videos: Mapping[str, int]) -> Iterator[tuple[str, str, str]]:
    """Yield labels that may be several.

    A semicolon says so alone. A comma or another sign says so if a part is a label, or
    is joined to others as well; the word "and" only if each part is a label.
    """
    known = {folded(label) for label in videos}
    parts = {label: _parts(_JOINT, label) for label in videos}
    joined = [set(found) for found in parts.values() if len(found) > 1]
    counts = collections.Counter(part for found in joined for part in found)
    for label in videos:
        found, by_word = parts[label], _parts(_AND, label)
        words = list(map(folded, by_word))
        if len(found) > 1 and (
            ";" in label or any(folded(x) in known or counts[x] > 1 for x in found)
        ):
            shown = found
        elif len(by_word) > 1 and known.issuperset(words):
            shown = by_word
        else:
            continue
        yield (
            "several-in-one",
            label,
            f"{_of(videos, label)}: if these are {len(shown)} actions, separate "
            f"them by | as in {quoted('|'.join(shown))} (in JSON, an entry each)",
        )


def _parts(between: re.Pattern[str], label: str) -> list[str]:
    """Return the parts of a label that have a letter or a digit."""
    return [part for part in between.split(label.strip()) if folded(part)]


def _blanks(videos: Mapping[str, int]) -> Iterator[tuple[str, str, str]]:
    """Yield labels with blanks around them."""
    for label in videos:
        if label != label.strip():
            yield (
                "blanks",
                label,
                f"{_of(videos, label)} and begins or ends with a blank, which no one "
                "sees and every comparison does; remove the blank",
            )


def _alike(annotations: Annotations) -> Iterator[tuple[str, str, str]]:
    """Yield classes whose names differ in case, accents, blanks and signs only."""
    groups: dict[str, list[str]] = collections.defaultdict(list)
    for name in annotations.class_names:
        groups[folded(name) or name].append(name)
    for names in groups.values():
        if len(names) > 1:
            yield (
                "spelling",
                names[0],
                f"the classes {some(names)} are spelt nearly alike; if they are one "
                "action, give it one name",
            )


def _misspelt(videos: Mapping[str, int]) -> Iterator[tuple[str, str, str]]:
    """Yield rare labels that are one letter away from a frequent one."""
    by_rest: dict[str, list[str]] = collections.defaultdict(list)
    for label in videos:
        word = folded(label)
        if len(word) >= SHORTEST_MISSPELT and word.isalpha():
            for i in range(len(word)):
                by_rest[word[:i] + word[i + 1 :]].append(label)
            by_rest[word].append(label)
    reported = set()
    for group in by_rest.values():
        for rare in group:
            for label in group:
                is_slip = (
                    LEAST_RARITY * videos[rare] <= videos[label]
                    and rare not in reported
                )
                if is_slip and _is_one_letter_off(folded(rare), folded(label)):
                    reported.add(rare)
                    yield (
                        "spelling",
                        rare,
                        f"{_of(videos, rare)} and {quoted(label)} of "
                        f"{videos[label]}; if it is misspelt, correct it",
                    )


def _is_one_letter_off(a: str, b: str) -> bool:
    """Return whether one letter is missing, wrong, or in the place of its neighbour.

    Both have a common rest if one letter is taken off each, or off the longer one.

    Examples
    --------
    >>> [_is_one_letter_off("fight", x) for x in ("figth", "fght", "fighd", "ightf")]
    [True, True, True, False]
    """
    if len(a) != len(b):
        return True
    places = [i for i, (x, y) in enumerate(zip(a, b, strict=True)) if x != y]
    if len(places) == 2 and places[1] == places[0] + 1:
        return a[places[0]] == b[places[1]] and a[places[1]] == b[places[0]]
    return len(places) == 1
