"""The bytes of a request, read within one limit of time and one of size."""

import io
import socket
import time
from typing import Any, Final

SHORTEST_S: Final = 0.001
"""A socket's time limit of 0 would mean not to wait at all."""


class TooMuchError(Exception):
    """A request of more bytes than it may have."""


class TimedReader(io.RawIOBase):
    """A socket to read requests from, each within its own limits.

    A socket's own time limit begins anew with each byte that arrives, so a client that
    drips could hold a thread for hours. Here all reads of one request share one limit.

    Parameters
    ----------
    connection : socket
        Whose time limit is set before each read.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._ends, self._left = 0.0, 0

    def begin(self, seconds: float, most_bytes: int) -> None:
        """Start the time of a request, and set how many bytes it may have."""
        self._ends, self._left = time.monotonic() + seconds, most_bytes

    def allow(self, more_bytes: int) -> None:
        """Let the request have more bytes, such as those of an announced body."""
        self._left += more_bytes

    def readable(self) -> bool:
        """Tell `io.BufferedReader` that this can be read."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Read what has arrived, or wait for it; 0 where nothing more will come.

        Raises
        ------
        TimeoutError
            If the request's time is over.
        TooMuchError
            If the request already had as many bytes as it may.
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
