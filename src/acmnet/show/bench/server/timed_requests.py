"""Reads HTTP requests from a socket, each within one time limit and one size limit."""

import io
import socket
import time
from typing import Any, Final

SHORTEST_S: Final = 0.001
"""Shortest time limit of a socket, because 0 would mean not to wait at all."""


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
