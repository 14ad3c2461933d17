"""Detections of one video as subtitles: SubRip (.srt) and WebVTT (.vtt).

Each detection becomes a cue, which shows the action and its score while the action
lasts. Cues are numbered in the order of their starts. They overlap where detections
overlap.
"""

from collections.abc import Iterator

from acmnet.data.detections.detection_csv import milliseconds
from acmnet.segments import Detection, Detections


def srt_of(detections: Detections, *, with_scores: bool = True) -> str:
    """Return detections as SubRip; empty if there are none.

    ``with_scores`` writes the score of each detection after its action.

    Examples
    --------
    >>> print(srt_of(Detections.of(["jump"], [(1.0, 2.5, 0.9, 0)])), end="")
    1
    00:00:01,000 --> 00:00:02,500
    jump (0.90)
    """
    cues = (
        f"{number}\n{start} --> {end}\n"
        f"{_words(detection, with_scores).replace('-->', '->')}\n"
        for number, start, end, detection in _cues(detections, ",")
    )
    return "\n".join(cues)


def webvtt_of(detections: Detections, *, with_scores: bool = True) -> str:
    """Return detections as WebVTT.

    ``with_scores`` writes the score of each detection after its action.

    References
    ----------
    W3C, "WebVTT: The Web Video Text Tracks Format", section 4.1.

    Examples
    --------
    >>> print(webvtt_of(Detections.of(["jump"], [(1.0, 2.5, 0.9, 0)])), end="")
    WEBVTT
    <BLANKLINE>
    1
    00:00:01.000 --> 00:00:02.500
    jump (0.90)
    """
    cues = (
        f"{number}\n{start} --> {end}\n{_escaped(_words(detection, with_scores))}\n"
        for number, start, end, detection in _cues(detections, ".")
    )
    return "\n".join(["WEBVTT\n", *cues])


def _cues(
    detections: Detections, point: str
) -> Iterator[tuple[int, str, str, Detection]]:
    """Yield number, start, end and detection of each cue, the earliest start first."""
    for number, detection in enumerate(detections.by_time(), start=1):
        start, end = milliseconds(max(detection.start_s, 0.0), detection.end_s)
        yield number, _clock(start, point), _clock(end, point), detection


def _clock(time_ms: int, point: str) -> str:
    """Return a time in milliseconds as hours, minutes, seconds and milliseconds.

    Examples
    --------
    >>> _clock(3_723_004, ",")
    '01:02:03,004'
    """
    seconds, rest = divmod(time_ms, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}{point}{rest:03d}"


def _words(detection: Detection, with_scores: bool) -> str:
    """Return the text of a cue in one line, because a line break could end the cue."""
    label = " ".join(detection.label.replace("\0", "\ufffd").split())
    return f"{label} ({detection.score:.2f})" if with_scores else label


def _escaped(text: str) -> str:
    """Return a text with the characters escaped that have a meaning in a cue."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
