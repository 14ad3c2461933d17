"""Reads HTTP requests from a socket, each within one time limit and one size limit.

The header Range says which bytes of a file a browser asks for.
"""

import io
import re
import socket
import time
from typing import Any, Final, NamedTuple

SHORTEST_S: Final = 0.001
"""Shortest time limit of a socket, because 0 would mean not to wait at all."""


RANGE: Final = re.compile(r"bytes=(\d*)-(\d*)", re.ASCII)
MOST_DIGITS: Final = 18
"""Most digits of a position in a file; longer numbers are behind the end of it."""


class TooMuchError(Exception):
    """A request has more bytes than it may have."""


class TimedReader(io.RawIOBase):
    """A file object that reads requests from a socket, each within its own limits.

    The time limit of a socket starts again with each byte that arrives, so a client
    that sends a byte now and then could occupy a thread for hours. Here, all reads of
    one request share one limit.

    Parameters
    ----------
    connection : socket
        The socket to read from; its time limit is set before each read.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._ends, self._left = 0.0, 0

    def begin(self, seconds: float, most_bytes: int) -> None:
        """Start the time limit of a request, and set how many bytes it may have."""
        self._ends, self._left = time.monotonic() + seconds, most_bytes

    def allow(self, more_bytes: int) -> None:
        """Allow the request more bytes, such as those of the body that it announces."""
        self._left += more_bytes

    def readable(self) -> bool:
        """Tell `io.BufferedReader` that this can be read."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Read what has arrived, or wait for it; return 0 at the end of the stream.

        Raises
        ------
        TimeoutError
            If the request's time is over.
        TooMuchError
            If the request already has as many bytes as it may have.
        """
        if self._left <= 0:
            raise TooMuchError
        left_s = self._ends - time.monotonic()
        if left_s <= 0.0:
            raise TimeoutError
        self._connection.settimeout(max(left_s, SHORTEST_S))
        n = self._connection.recv_into(memoryview(buffer)[: self._left])
        self._left -= n
        return n


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
