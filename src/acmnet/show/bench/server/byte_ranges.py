"""Which bytes of a file a browser asks for, by the HTTP header Range."""

import re
from typing import Final, NamedTuple

RANGE: Final = re.compile(r"bytes=(\d*)-(\d*)", re.ASCII)
MOST_DIGITS: Final = 18
"""Most digits of a position in a file; longer numbers are behind the end of it."""


class Span(NamedTuple):
    """The bytes of a file from ``first`` up to but without ``end``."""

    first: int
    end: int


class OutsideError(ValueError):
    """A range without any byte of the file, which is answered with status 416."""


def span_of(header: str | None, size: int) -> Span | None:
    """Return the bytes that a ``Range`` header asks for; None for the whole file.

    A header that is malformed or asks for several ranges is ignored, as RFC 9110 allows
    servers to do.

    Parameters
    ----------
    header : str or None
        The value of the header.
    size : int
        The size of the file in bytes.

    Raises
    ------
    OutsideError
        If the range has no byte of the file.

    References
    ----------
    RFC 9110, section 14.

    Examples
    --------
    >>> span_of("bytes=0-99", 1000), span_of("bytes=-10", 1000), span_of(None, 1000)
    (Span(first=0, end=100), Span(first=990, end=1000), None)
    """
    match = RANGE.fullmatch((header or "").strip())
    if not match or match.group() == "bytes=-":
        return None
    first, last = match.groups()
    if not first:
        span = Span(max(0, size - _position(last)), size)
    else:
        start, stop = _position(first), _position(last) + 1 if last else size
        if last and stop <= start:
            return None
        span = Span(start, min(stop, size))
    if span.first >= span.end:
        raise OutsideError(f"{header!r} has no byte of a file of {size} bytes")
    return span


def _position(digits: str) -> int:
    """Return a position; a number too long for any file is a very large one."""
    meant = digits.lstrip("0") or "0"
    return int(meant) if len(meant) <= MOST_DIGITS else 10**MOST_DIGITS
