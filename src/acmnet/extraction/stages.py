"""Stages that overlap: one produces in its own thread while the next one works.

Decoding, OpenCV and torch leave Python's lock while they compute, so a thread a stage
is enough.
"""

import queue
import threading
from collections.abc import Generator, Iterable
from typing import Final, Generic, NamedTuple, TypeVar

Item = TypeVar("Item")
WAIT_S: Final = 0.05
"""How often a producer that waits looks whether anyone still wants its items."""


class _End(NamedTuple):
    """What the producer says last: that all went well, or what went wrong."""

    error: BaseException | None


def prefetch(items: Iterable[Item], depth: int) -> Generator[Item]:
    """Yield the same items in the same order, made ahead in a thread of their own.

    Parameters
    ----------
    items : iterable
        Consumed in the other thread only.
    depth : int
        Items that may wait, at least 1: memory is bounded by ``depth + 2`` of them.

    Raises
    ------
    ValueError
        If ``depth`` is below 1.
    BaseException
        Whatever ``items`` raises, at its place in the order.

    Notes
    -----
    Closing the generator, or leaving it to be collected, stops the thread after the
    item that it is at.

    Examples
    --------
    >>> list(prefetch((x * x for x in range(4)), depth=2))
    [0, 1, 4, 9]
    """
    if depth < 1:
        raise ValueError(f"depth must be at least 1, got {depth}")
    belt: _Belt[Item] = _Belt(items, depth)
    thread = threading.Thread(target=belt.run, name="acmnet-prefetch", daemon=True)
    thread.start()
    try:
        while not isinstance(item := belt.waiting.get(), _End):
            yield item
        if item.error is not None:
            raise item.error
    finally:
        belt.unwanted.set()
        thread.join()


class _Belt(Generic[Item]):
    """What the two threads share."""

    def __init__(self, items: Iterable[Item], depth: int) -> None:
        self.items = items
        self.waiting: queue.Queue[Item | _End] = queue.Queue(depth)
        self.unwanted = threading.Event()

    def run(self) -> None:
        """Put every item, then the end; stop where nobody wants more."""
        error: BaseException | None = None
        try:
            for item in self.items:
                if not self._put(item):
                    return
        except BaseException as raised:  # noqa: BLE001 - handed to whoever consumes
            error = raised
        self._put(_End(error))

    def _put(self, item: Item | _End) -> bool:
        while not self.unwanted.is_set():
            try:
                self.waiting.put(item, timeout=WAIT_S)
            except queue.Full:
                continue
            return True
        return False
