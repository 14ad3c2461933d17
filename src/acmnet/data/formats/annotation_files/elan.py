"""ELAN's annotation files (.eaf), of the Max Planck Institute for Psycholinguistics.

One file is for one video. Every class gets a tier, and a further tier where segments of
the class overlap, because annotations of one tier must not. The value of an annotation
is the name of the action; where it is blank, the name of the tier is. Times are whole
milliseconds. Files hold neither scores, points, durations nor actions without a time.

Tiers that depend on other tiers are not read, nor annotations that are not aligned with
time. The video is the first linked media file; without one it is named by the property
``acmnet video``, which is written here, or else by the name of the file. No media file
is linked, because its path is not known; ELAN asks for it.

References
----------
"ELAN Annotation Format, EAF", schema version 3.0: https://www.mpi.nl/tools/elan/EAFv3.0.xsd
"""

import datetime
from collections.abc import Iterator, Mapping, Sequence
from typing import Final
from urllib.parse import unquote

from acmnet.data.formats.annotation_files.xml_events import (
    attribute,
    escaped,
    read_xml,
    xml_name,
)
from acmnet.data.formats.exchange_format import Content, Format, Parsed, Source
from acmnet.data.formats.field_checks import action_name, video_name, video_of
from acmnet.data.formats.mark_list import MarkList
from acmnet.data.labels.annotations import AnnotationError, Instance
from acmnet.limits import finite
from acmnet.messages import counted, some

SCHEMA: Final = "http://www.mpi.nl/tools/elan/EAFv3.0.xsd"
PROPERTY: Final = "acmnet video"
"""Name of the property that holds the id of the video."""
CONSTRAINTS: Final = (
    (
        "Time_Subdivision",
        "Time subdivision of parent annotation's time interval, no time gaps allowed "
        "within this interval",
    ),
    (
        "Symbolic_Subdivision",
        "Symbolic subdivision of a parent annotation. Annotations refering to the same "
        "parent are ordered",
    ),
    ("Symbolic_Association", "1-1 association with a parent annotation"),
    (
        "Included_In",
        "Time alignable annotations within the parent annotation's time interval, gaps "
        "are allowed",
    ),
)
"""The four kinds of dependent tiers, which every file of ELAN declares."""


class _Reader:
    """Collects what the elements of one file say."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.video = ""
        self.named = ""
        self.slots: dict[str, float | None] = {}
        """Time in seconds of each slot; None for a slot without a time."""
        self.marks = MarkList()
        self.tier = ""
        self.depends = False
        self.dependent: dict[str, None] = {}
        self.unaligned = 0
        self.property = ""
        self.ends: tuple[str, str] | None = None
        """The slots of the annotation that is being read."""
        self.is_elan = False

    def start(self, where: str, name: str, values: Mapping[str, str]) -> None:
        if name == "ANNOTATION_DOCUMENT":
            self.is_elan = True
        elif name == "MEDIA_DESCRIPTOR":
            media = values.get("RELATIVE_MEDIA_URL") or values.get("MEDIA_URL", "")
            if media.strip() and not self.video:
                self.video = video_name(where, unquote(media))
        elif name == "PROPERTY":
            self.property = values.get("NAME", "")
        elif name == "TIME_SLOT":
            slot = attribute(where, name, values, "TIME_SLOT_ID")
            self.slots[slot] = _slot_s(where, values.get("TIME_VALUE"))
        elif name == "TIER":
            self.tier = attribute(where, name, values, "TIER_ID")
            self.depends = "PARENT_REF" in values
            if self.depends:
                self.dependent[self.tier] = None
        elif name == "ALIGNABLE_ANNOTATION":
            first = attribute(where, name, values, "TIME_SLOT_REF1")
            self.ends = first, attribute(where, name, values, "TIME_SLOT_REF2")

    def end(self, where: str, name: str, text: str) -> None:
        if name == "PROPERTY" and self.property == PROPERTY and text.strip():
            self.named = video_name(where, text)
        elif name == "ANNOTATION_VALUE" and self.ends is not None:
            if not self.depends:
                self._annotation(where, text)
            self.ends = None

    def _annotation(self, where: str, value: str) -> None:
        """Keep one annotation, if its slots have times."""
        times = []
        for slot in self.ends or ():
            if slot not in self.slots:
                raise AnnotationError(
                    f"{where}: the annotation refers to the time slot {slot!r}, which "
                    "the file does not have; write the file again"
                )
            times.append(self.slots[slot])
        start_s, end_s = times
        if start_s is None or end_s is None:
            self.unaligned += 1
            return
        label = action_name(where, value if value.strip() else self.tier)
        self.marks.add_segment(where, label, start_s, end_s)

    def notes(self) -> Iterator[str]:
        if self.dependent:
            tiers = counted(len(self.dependent), "tier")
            yield (
                f"{self.source.path}: {tiers} that depend on another tier, not read: "
                f"{some(self.dependent)}"
            )
        if self.unaligned:
            annotations = counted(self.unaligned, "annotation")
            yield f"{self.source.path}: {annotations} not aligned with time, not read"


def _slot_s(where: str, value: str | None) -> float | None:
    """Return the time of a slot in seconds; None if it has none."""
    if value is None:
        return None
    number = finite(value, in_quotes=True)
    if number is None or number != int(number) or not 0 <= number <= 1e10:
        raise AnnotationError(
            f"{where}: TIME_VALUE must be whole milliseconds from 0, got {value!r}; "
            "correct it"
        )
    return number / 1000


def read(source: Source) -> Parsed:
    """Return the video of an ELAN file."""
    reader = _Reader(source)
    read_xml(source, reader.start, reader.end)
    if not reader.is_elan:
        raise AnnotationError(
            f"{source.path} is no file of ELAN: it has no <ANNOTATION_DOCUMENT>; check "
            "its format"
        )
    name = reader.named or reader.video
    name = name or video_name(str(source.path), source.path.stem)
    return Parsed(
        [video_of(name, *reader.marks.of_video())], notes=tuple(reader.notes())
    )


def lanes(instances: Sequence[Instance]) -> dict[tuple[str, int], list[Instance]]:
    """Return segments by class and lane, such that those of one lane do not overlap.

    Examples
    --------
    >>> from acmnet.segments import Segment
    >>> found = [Instance("a", Segment(0.0, 2.0)), Instance("a", Segment(1.0, 3.0))]
    >>> [(key, len(own)) for key, own in lanes(found).items()]
    [(('a', 0), 1), (('a', 1), 1)]
    """
    by_lane: dict[tuple[str, int], list[Instance]] = {}
    for instance in sorted(
        instances, key=lambda x: (x.segment.start_s, x.segment.end_s)
    ):
        lane = 0
        while (instance.label, lane) in by_lane:
            if (
                by_lane[instance.label, lane][-1].segment.end_s
                <= instance.segment.start_s
            ):
                break
            lane += 1
        by_lane.setdefault((instance.label, lane), []).append(instance)
    return by_lane


def write(content: Content) -> str:
    """Return the text of the ELAN file of one video."""
    (video,) = content.videos
    tiers = _tiers(video.instances)
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<ANNOTATION_DOCUMENT AUTHOR="acmnet" DATE="{now}" FORMAT="3.0" VERSION="3.0"',
        '    xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"',
        f'    xsi:noNamespaceSchemaLocation="{SCHEMA}">',
        '    <HEADER MEDIA_FILE="" TIME_UNITS="milliseconds">',
        f'        <PROPERTY NAME="{PROPERTY}">{escaped(video.id)}</PROPERTY>',
        "    </HEADER>",
        *_time_order(tiers),
        *(line for name, numbered in tiers.items() for line in _tier(name, numbered)),
        '    <LINGUISTIC_TYPE GRAPHIC_REFERENCES="false"'
        ' LINGUISTIC_TYPE_ID="default-lt" TIME_ALIGNABLE="true"/>',
        *(
            f'    <CONSTRAINT DESCRIPTION="{escaped(words)}" STEREOTYPE="{name}"/>'
            for name, words in CONSTRAINTS
        ),
        "</ANNOTATION_DOCUMENT>",
    ]
    return "\n".join(lines) + "\n"


Numbered = tuple[int, Instance]


def _tiers(instances: Sequence[Instance]) -> dict[str, list[Numbered]]:
    """Return numbered segments by the name of their tier, which no two tiers share."""
    tiers: dict[str, list[Numbered]] = {}
    number = 0
    taken = {instance.label for instance in instances}
    for (label, lane), in_lane in lanes(instances).items():
        tier = label
        while lane and tier in taken:
            lane += 1
            tier = f"{label} {lane}"
        taken.add(tier)
        tiers[tier] = [
            (number + index, instance)
            for index, instance in enumerate(in_lane, start=1)
        ]
        number += len(in_lane)
    return tiers


def _time_order(tiers: Mapping[str, Sequence[Numbered]]) -> Iterator[str]:
    """Yield the time slots, two for each annotation, the earliest first."""
    slots = sorted(
        (round(time_s * 1000), number, which)
        for numbered in tiers.values()
        for number, instance in numbered
        for which, time_s in (
            (1, instance.segment.start_s),
            (2, instance.segment.end_s),
        )
    )
    yield "    <TIME_ORDER>" if slots else "    <TIME_ORDER/>"
    for time_ms, number, which in slots:
        name = f"ts{2 * number + which - 2}"
        yield f'        <TIME_SLOT TIME_SLOT_ID="{name}" TIME_VALUE="{time_ms}"/>'
    if slots:
        yield "    </TIME_ORDER>"


def _tier(name: str, numbered: Sequence[Numbered]) -> Iterator[str]:
    """Yield the lines of one tier."""
    tier = f'LINGUISTIC_TYPE_REF="default-lt" TIER_ID="{escaped(name)}"'
    yield f"    <TIER {tier}>"
    for number, instance in numbered:
        slots = f'TIME_SLOT_REF1="ts{2 * number - 1}" TIME_SLOT_REF2="ts{2 * number}"'
        yield "        <ANNOTATION>"
        yield f'            <ALIGNABLE_ANNOTATION ANNOTATION_ID="a{number}" {slots}>'
        value = escaped(instance.label)
        yield f"                <ANNOTATION_VALUE>{value}</ANNOTATION_VALUE>"
        yield "            </ALIGNABLE_ANNOTATION>"
        yield "        </ANNOTATION>"
    yield "    </TIER>"


FORMAT: Final = Format(
    name="elan",
    title="an ELAN file",
    suffixes=(".eaf",),
    holds=("overlaps", "videos without marks"),
    unit="milliseconds",
    one_file="video",
    read=read,
    write=write,
    spelt=xml_name,
)
