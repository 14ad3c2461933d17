"""Cues of subtitles: SubRip (.srt) and WebVTT (.vtt).

One file is for one video, and its name is that of the video. The text of a cue is the
name of the action; styles, positions and markup are not read. Where every cue of a file
ends with a score in brackets, as acmnet writes detections, the scores are taken off.
Times are whole milliseconds, and scores have two digits. Files hold neither points,
durations nor actions without a time. Detections are written by
`acmnet.data.detections.subtitles`.

References
----------
W3C, "WebVTT: The Web Video Text Tracks Format", sections 4.1 and 6.1. SubRip has no
standard; it is read as players do, with a comma or a point before the milliseconds.
"""

import dataclasses
import html
import re
from collections.abc import Iterator, Sequence
from typing import Final

from acmnet.data.detections.subtitles import srt_of, webvtt_of
from acmnet.data.formats.exchange_format import (
    Content,
    Format,
    Parsed,
    Source,
    as_detections,
)
from acmnet.data.formats.field_checks import action_name, lines_of, video_name, video_of
from acmnet.data.formats.mark_list import MarkList
from acmnet.data.labels.annotations import AnnotationError, Instance
from acmnet.messages import quoted
from acmnet.segments import Detections

TIME: Final = r"(?:(\d{1,4}):)?([0-5]?\d):([0-5]\d)[.,](\d{1,3})"
TIMING: Final = re.compile(rf"\s*{TIME}\s*-->\s*{TIME}(?:\s.*)?", re.ASCII)
TAG: Final = re.compile(r"<([^<>]*)>")
"""Markup such as ``<i>``."""
OVERRIDE: Final = re.compile(r"\{\\([^{}]*)\}")
"""SubRip's markup for positions, such as ``{\\an8}``."""
SCORE: Final = re.compile(r"(.+) \(-?\d+\.\d\d\)", re.DOTALL)
"""The text of a cue that acmnet wrote for a detection."""
BLOCKS_WITHOUT_CUES: Final = ("NOTE", "STYLE", "REGION")


def _blocks(text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the number of the first line and the lines of each block of a file."""
    block: list[str] = []
    first = 1
    for number, line in lines_of(text):
        if line.strip():
            first = first if block else number
            block.append(line)
        elif block:
            yield first, block
            block = []
    if block:
        yield first, block


def _seconds(parts: Sequence[str | None]) -> float:
    """Return the time of hours, minutes, seconds and digits after the point."""
    hours, minutes, seconds, digits = parts
    ms = int((digits or "0").ljust(3, "0"))
    total = (int(hours or 0) * 60 + int(minutes or 0)) * 60 + int(seconds or 0)
    return (1000 * total + ms) / 1000


def _cue(where: str, lines: Sequence[str], is_webvtt: bool) -> tuple[str, float, float]:
    """Return the action, start and end that a block of lines shows."""
    index = 0 if "-->" in lines[0] else 1
    match = TIMING.fullmatch(lines[index]) if index < len(lines) else None
    if match is None:
        shown = quoted(lines[min(index, len(lines) - 1)].strip())
        raise AnnotationError(
            f"{where}: a cue needs times such as 00:00:01.000 --> 00:00:02.500, got "
            f"{shown}; correct it"
        )
    start_s, end_s = _seconds(match.groups()[:4]), _seconds(match.groups()[4:])
    text = " ".join(line.strip() for line in lines[index + 1 :])
    text = TAG.sub("", text)
    text = html.unescape(text) if is_webvtt else OVERRIDE.sub("", text)
    return action_name(where, text), start_s, end_s


def read(source: Source) -> Parsed:
    """Return the video of a file of subtitles."""
    text = source.text()
    is_webvtt = text.startswith("WEBVTT")
    marks = MarkList()
    for number, lines in _blocks(text):
        head = lines[0].split()[0]
        if is_webvtt and (number == 1 or head in BLOCKS_WITHOUT_CUES):
            continue
        where = f"{source.path}, line {number}"
        marks.add_segment(where, *_cue(where, lines, is_webvtt))
    instances = marks.of_video().instances
    scored = [SCORE.fullmatch(instance.label) for instance in instances]
    if instances and all(scored):
        instances = [
            Instance(match[1].strip(), instance.segment)
            for match, instance in zip(scored, instances, strict=True)
            if match is not None
        ]
    name = video_name(str(source.path), source.path.stem)
    return Parsed([video_of(name, instances)])


def _as_detections(content: Content) -> Detections:
    """Return the segments of the only video as detections."""
    (video,) = content.videos
    scores = (content.scores or {}).get(video.id, (0.0,) * len(video.instances))
    return as_detections(video, scores)


def write_srt(content: Content) -> str:
    """Return the text of the SubRip file of one video."""
    return srt_of(_as_detections(content), with_scores=content.scores is not None)


def write_webvtt(content: Content) -> str:
    """Return the text of the WebVTT file of one video."""
    return webvtt_of(_as_detections(content), with_scores=content.scores is not None)


def spelt_srt(name: str) -> str:
    """Return a name without what ends a cue or looks like markup.

    Examples
    --------
    >>> spelt_srt("a --> <b>"), spelt_srt("1 < 2")
    ('a -> (b)', '1 < 2')
    """
    before = ""
    while name != before:
        before = name
        name = TAG.sub(r"(\1)", OVERRIDE.sub(r"(\1)", name.replace("-->", "->")))
    return _one_blank(name)


def _one_blank(name: str) -> str:
    """Return a name with one blank wherever there are several."""
    return " ".join(name.split())


SRT: Final = Format(
    name="srt",
    title="SubRip subtitles",
    suffixes=(".srt",),
    holds=("scores", "overlaps", "videos without marks"),
    score_digits=2,
    unit="milliseconds",
    one_file="video",
    read=read,
    write=write_srt,
    spelt=spelt_srt,
)
WEBVTT: Final = dataclasses.replace(
    SRT,
    name="vtt",
    title="WebVTT subtitles",
    suffixes=(".vtt",),
    write=write_webvtt,
    spelt=_one_blank,
)
