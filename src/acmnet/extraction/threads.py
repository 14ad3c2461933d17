"""Stages that overlap: one produces in its own thread while the next one works.

Decoding, OpenCV and torch leave Python's lock while they compute, so a thread a stage
is enough.
"""

import contextlib
import queue
import threading
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from typing import Final, Generic, NamedTuple, TypeVar

import cv2

Item = TypeVar("Item")
WAIT_S: Final = 0.05
"""How often a producer that waits looks whether anyone still wants its items."""


class _End(NamedTuple):
    """What the producer says last: that all went well, or what went wrong."""

    error: BaseException | None


def prefetch(items: Iterable[Item], depth: int, at_once: int = 1) -> Generator[Item]:
    """Yield the same items in the same order, made ahead in a thread of their own.

    Parameters
    ----------
    items : iterable
        Consumed in the other thread only.
    depth : int
        Batches that may wait, at least 1.
    at_once : int
        Items in a batch, at least 1: memory is bounded by ``(depth + 2) * at_once`` of
        them. Larger batches wake the other thread less often, and come later.

    Raises
    ------
    ValueError
        If ``depth`` or ``at_once`` is below 1.
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
    for name, value in (("depth", depth), ("at_once", at_once)):
        if value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")
    belt: _Belt[Item] = _Belt(items, depth, at_once)
    thread = threading.Thread(target=belt.run, name="acmnet-prefetch", daemon=True)
    thread.start()
    try:
        while not isinstance(batch := belt.waiting.get(), _End):
            # nothing is kept that was handed on
            while batch:
                yield batch.popleft()
        if batch.error is not None:
            raise batch.error
    finally:
        belt.unwanted.set()
        thread.join()


class _Belt(Generic[Item]):
    """What the two threads share."""

    def __init__(self, items: Iterable[Item], depth: int, at_once: int) -> None:
        self.items = items
        self.at_once = at_once
        self.waiting: queue.Queue[deque[Item] | _End] = queue.Queue(depth)
        self.unwanted = threading.Event()

    def run(self) -> None:
        """Put every item, then the end; stop where nobody wants more."""
        error: BaseException | None = None
        batch: deque[Item] = deque()
        try:
            for item in self.items:
                batch.append(item)
                if len(batch) == self.at_once:
                    self._put(batch)
                    batch = deque()
                if self.unwanted.is_set():
                    return
        except BaseException as raised:  # noqa: BLE001 - handed to whoever consumes
            error = raised
        if batch:
            self._put(batch)
        self._put(_End(error))

    def _put(self, batch: deque[Item] | _End) -> None:
        while not self.unwanted.is_set():
            try:
                self.waiting.put(batch, timeout=WAIT_S)
            except queue.Full:
                continue
            return


@contextlib.contextmanager
def one_opencv_thread() -> Iterator[None]:
    """Let each call of OpenCV in this process compute in one thread meanwhile."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)
