"""Say in words why a video or a span is worth a look."""

from typing import Final

from acmnet.active_learning.uncertain_spans import UncertainSpan
from acmnet.messages import counted

FEW_MARKS: Final = 3
"""A class with fewer marks than this has few examples."""
DISAGREEMENT_TIOU: Final = 0.75
"""Passes whose findings overlap by less than this tIoU are said to disagree."""
NEAR_LIMIT: Final = 0.5
"""A score of at least this `UncertainSpan.nearness` is said to be near the limit."""


def few_examples(name: str, n: int) -> str:
    """Return in words how few examples of a class are marked."""
    examples = counted(n, "example")
    are = "is" if n == 1 else "are"
    return (
        f"only {examples} of {name!r} {are} marked"
        if n
        else (f"no example of {name!r} is marked yet")
    )


def reason_of(span: UncertainSpan) -> str:
    """Return in words why a span is worth a look."""
    where = f"from {clock(span.segment.start_s)} to {clock(span.segment.end_s)}"
    passes = f"{span.finding} of {span.passes} passes over the video"
    if not span.finding:
        return f"{span.label!r} was named and found nowhere"
    if span.finding < span.passes:
        verb = "finds" if span.finding == 1 else "find"
        return f"{passes} {verb} {span.label!r} {where}"
    if span.overlap < DISAGREEMENT_TIOU:
        return (
            f"the passes over the video place {span.label!r} differently {where}: what "
            f"they find overlaps by {span.overlap:.0%}"
        )
    if span.nearness >= NEAR_LIMIT:
        return (
            f"the score {span.score:.2f} of {span.label!r} {where} is near "
            f"{span.shown_from:.2f}, from which it is shown"
        )
    return f"an example of {span.label!r} {where}"


def clock(time_s: float) -> str:
    """Return a time as people read it.

    Examples
    --------
    >>> clock(3.25), clock(75.04), clock(3675.0)
    ('3.2 s', '1:15.0', '1:01:15.0')
    """
    minutes, seconds = divmod(round(time_s, 1), 60.0)
    if not minutes:
        return f"{seconds:.1f} s"
    hours, minutes = divmod(int(minutes), 60)
    if not hours:
        return f"{minutes}:{seconds:04.1f}"
    return f"{hours}:{minutes:02}:{seconds:04.1f}"
