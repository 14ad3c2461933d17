"""The columns of a table of labels, which are recognised by many names."""

import difflib
import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Final

from acmnet.data.tables.spreadsheets import Sheet
from acmnet.limits import finite
from acmnet.messages import quoted, some

COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "video": (
        *("video", "videos", "videoid", "videoname", "videofile", "file", "files"),
        *("filename", "filepath", "path", "clip", "mediafile", "mediafilename"),
        *("mediafilepath", "recording", "recordings", "datei", "dateiname"),
        *("videodatei", "aufnahme", "fichier", "nomdufichier", "archivo", "name", "id"),
    ),
    "labels": (
        *("labels", "behaviours", "behaviors", "classes", "actions", "activities"),
        *("events", "tags"),
        *("label", "behaviour", "behavior", "class", "action", "activity", "event"),
        *("tag", "category", "verhalten", "klasse", "aktion", "handlung", "ereignis"),
        *("kategorie", "comportement", "comportamiento"),
    ),
    "subset": ("subset", "split", "partition"),
    "duration": (
        *("duration", "durations", "durationsec", "durationseconds", "length"),
        *("lengths", "lengthsec", "lengthseconds", "dauer", "lange", "duree"),
        *("mediaduration", "videoduration", "medialength", "videolength"),
    ),
    "start": (
        *("start", "starts", "startsec", "startseconds", "starttime", "starttimes"),
        *("begin", "onset", "onsettime", "anfang", "beginn", "startzeit", "debut"),
        *("inicio", "from", "von"),
    ),
    "end": (
        *("end", "ends", "endsec", "endseconds", "endtime", "endtimes", "stop"),
        *("stopsec", "stopseconds", "stoptime", "offset", "offsettime", "ende"),
        *("endzeit", "stopp", "fin", "to", "bis"),
    ),
    "kind": ("kind", "mark"),
}
"""Recognised names of each column, in lower case without accents, blanks and signs.
What a header has in brackets is taken for a unit."""

TIMED: Final = ("start", "end")
"""Columns with the times of actions, either of which makes a table one of times."""

IN_SECONDS: Final = ("duration", *TIMED)
"""Columns whose numbers are seconds."""

WEAK: Final = (
    *("name", "id", "path", "filepath", "mediafilepath"),
    *("duration", "durations", "durationsec", "durationseconds", "length"),
    *("lengths", "lengthsec", "lengthseconds", "dauer", "lange", "duree"),
)
"""Names that are taken for the column of videos, or of durations, only if no other
column is one."""

ONE_EACH: Final = COLUMNS["labels"][COLUMNS["labels"].index("label") :]
"""Names in the singular, which mean one label in each row, so that a video may have
several rows."""

EXAMPLE: Final = "video,labels"
SECONDS: Final = ("", "s", "sec", "secs", "second", "seconds", "sekunden", "secondes")
LIKENESS: Final = 0.8
"""Similarity of names, at most 1, from which an unknown column is taken for a misspelt
one (``"subest"``) rather than for another one (``"subject"``)."""
ROUNDING_S: Final = 0.02
"""A length that differs by no more from the end minus the start is that of the action:
spreadsheets round times to two places."""

_UNIT: Final = re.compile(r"[(\[](.*)[)\]]\s*$")


class LabelTableError(ValueError):
    """A table of labels that cannot be used; the message names file and line."""


def _plain(header: str) -> str:
    """Return a column's name in lower case, without accents, blanks and unit."""
    apart = unicodedata.normalize("NFKD", _UNIT.sub("", header).casefold())
    return "".join(x for x in apart if x.isalnum())


def column_meaning(header: str) -> str | None:
    """Return what a column of this name holds; None if the name is unknown.

    Examples
    --------
    >>> [column_meaning(name) for name in (" Video ID", "Behaviour", "Length [s]")]
    ['video', 'labels', 'duration']
    """
    plain = _plain(header)
    known = (meaning for meaning, names in COLUMNS.items() if plain in names)
    return next(known, None)


def is_header(cells: Sequence[str]) -> bool:
    """Return whether cells are a header with a column of videos and one of labels."""
    return {"video", "labels"} <= {column_meaning(cell) for cell in cells}


def is_one_each(header: str) -> bool:
    """Return whether a column of labels has one label in each row, by its name."""
    return _plain(header) in ONE_EACH


def columns_of(source: str, sheet: Sheet) -> dict[str, int]:
    """Return the position of each column that is used, by what it holds.

    Raises
    ------
    LabelTableError
        If two columns hold the same, if one may be misspelt or has no name, or if times
        are not in seconds.
    """
    header = sheet.header.cells
    found: dict[str, list[int]] = {}
    for place, name in enumerate(header):
        meaning = column_meaning(name)
        if meaning is None:
            _refuse_doubtful(source, sheet, place)
        else:
            found.setdefault(meaning, []).append(place)
    for meaning, places in found.items():
        strong = [place for place in places if _plain(header[place]) not in WEAK]
        found[meaning] = strong or places
        if len(found[meaning]) > 1:
            titles = some([header[place] for place in found[meaning]])
            raise LabelTableError(
                f"{source} has a column twice: {titles} all name the {meaning}; keep "
                "one, or rename the others"
            )
    columns = {meaning: places[0] for meaning, places in found.items()}
    if "start" in columns and "end" not in columns:
        _refuse_misspelt_end(source, header)
    if not columns.keys() & set(TIMED):
        columns.pop("kind", None)
    for meaning in columns.keys() & set(IN_SECONDS):
        _refuse_other_unit(source, header[columns[meaning]], meaning)
    if _is_length_of_action(sheet, columns):
        del columns["duration"]
    return columns


def _refuse_misspelt_end(source: str, header: Sequence[str]) -> None:
    """Refuse a column like that of ends, without which all starts would be points."""
    for name in header:
        if column_meaning(name) is None and difflib.get_close_matches(
            _plain(name), COLUMNS["end"], n=1, cutoff=LIKENESS
        ):
            raise LabelTableError(
                f"{source} has a column of starts and the column {quoted(name)}; is "
                "'end' meant? rename or remove it"
            )


def _refuse_other_unit(source: str, name: str, meaning: str) -> None:
    """Refuse a column whose name states another unit than seconds."""
    unit = _UNIT.search(name)
    if unit and unit[1].casefold().strip(". ") not in SECONDS:
        kind = "durations" if meaning == "duration" else "times"
        raise LabelTableError(
            f"{source}: {kind} are read in seconds, but their column is "
            f"{quoted(name)}; convert them, or remove the column"
        )


def _is_length_of_action(sheet: Sheet, columns: Mapping[str, int]) -> bool:
    """Return whether the durations of a table are those of its actions.

    Programs for coding behaviour write start, end and length of each action. In a table
    of labels a duration is that of the video.
    """
    wanted = ("start", "end", "duration")
    if not columns.keys() >= set(wanted):
        return False
    is_any = False
    for row in sheet.rows():
        cells = [row.cells[columns[x] : columns[x] + 1] for x in wanted]
        numbers = [
            finite(cell[0].replace(",", "."), in_quotes=True) if cell else None
            for cell in cells
        ]
        start_s, end_s, length_s = numbers
        if start_s is None or end_s is None or length_s is None:
            continue
        if abs(end_s - start_s - length_s) > ROUNDING_S:
            return False
        is_any = True
    return is_any


def _refuse_doubtful(source: str, sheet: Sheet, place: int) -> None:
    """Refuse an unknown column, unless it can be left out safely."""
    name = sheet.header.cells[place]
    plain = _plain(name)
    for row in () if name else sheet.rows():
        cell = row.cells[place : place + 1]
        if cell and cell[0]:
            raise LabelTableError(
                f"{source}, line {row.line}: {quoted(cell[0])} is in column "
                f"{place + 1}, which has no name; name the column, or empty it"
            )
    if plain in ("segment", "segments"):
        raise LabelTableError(
            f"{source} has the column {quoted(name)}, but times of actions are read "
            "from two columns, start and end, in seconds; split it into the two, or "
            "remove it"
        )
    near = difflib.get_close_matches(plain, COLUMNS, n=1, cutoff=LIKENESS)
    if near:
        raise LabelTableError(
            f"{source} has the column {quoted(name)}; is {near[0]!r} meant? known "
            f"columns are {', '.join(COLUMNS)}: rename or remove it"
        )
